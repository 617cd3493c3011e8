#!/usr/bin/env python3
"""Makes config/cmdlets.txt: the cmdlets and parameters that `nodelift runbook lint` knows.

    python3 config/cmdlets.py FOLDER > config/cmdlets.txt

FOLDER holds what Microsoft's reference pages say, as JSON, {module: {cmdlet: {"parameters": {name: {"aliases": [..]}}}}}:
powershell-5.1.json (PowerShell-Docs, reference/5.1), winserver2022.json and winserver2025.json (windows-powershell-docs).
Only names are kept. The form is explained in the first lines of the result.
"""

import json
import sys
from pathlib import Path

HEAD = """\
# Cmdlets of Windows PowerShell 5.1 and of Windows Server 2022, as Microsoft's reference pages list them. Made by cmdlets.py.
# "= Module", then a line for each cmdlet: its name, its parameters, their aliases after a slash. A cmdlet with ! takes -Confirm
# and -WhatIf, one with ~ -AsJob, -CimSession and -ThrottleLimit. + is known from Windows Server 2025 on only.
"""

# No page has them: they come with Azure Stack HCI, or with the modules of Azure. Their module is not named here either.
MORE = {
    "Connect-AzAccount": ["Confirm", "Scope", "Subscription", "Tenant", "UseDeviceAuthentication", "WhatIf"],
    "Disable-AzContextAutosave": ["Confirm", "Scope", "WhatIf"], "Get-AzContext": ["ListAvailable", "Name"],
    "Get-AzResource": ["ApiVersion", "ExpandProperties", "Name", "ResourceGroupName", "ResourceId", "ResourceType"],
    "Register-AzStackHCI": [
        "ComputerName", "Confirm", "Region", "RepairRegistration", "ResourceGroupName", "ResourceName", "SubscriptionId", "TenantId",
        "UseDeviceAuthentication", "WhatIf",
    ],
    "Get-AzureStackHCI": [], "Get-ClusterNodeSupportedVersion": [], "Get-ClusterPerf": ["TimeFrame"], "Get-HealthFault": [],
    "Get-StampInformation": [], "Sync-AzureStackHCI": [],
}
# Parameters that a page lacks and the documentation of the product uses: rules of attack surface reduction.
LACKING = {"Add-MpPreference": ["AttackSurfaceReductionRules_Actions", "AttackSurfaceReductionRules_Ids"]}
# Pages of 5.1 that describe a parameter of a later version.
NOT_THERE = {("Get-ChildItem", "FollowSymlink")}

ASKS = {"Confirm", "WhatIf"}
CIM = {"AsJob", "CimSession", "ThrottleLimit"}


def main() -> None:
    folder = Path(sys.argv[1])
    old = [json.loads((folder / f).read_text()) for f in ("powershell-5.1.json", "winserver2022.json")]
    new = json.loads((folder / "winserver2025.json").read_text())
    modules: dict[str, dict[str, dict]] = {}
    for pages in old:
        for module, cmdlets in pages.items():
            for name, page in cmdlets.items():
                modules.setdefault(module, {}).setdefault(name, {}).update(page["parameters"])
    later = set()
    for module, cmdlets in new.items():
        # NetworkATC has pages for 2025 only, and is older than that.
        known = module in modules
        for name, page in cmdlets.items():
            there = modules.setdefault(module, {}).setdefault(name, None)
            if there is None:
                modules[module][name] = there = {}
                if known:
                    later.add((name, None))
            for parameter, what in page["parameters"].items():
                if parameter not in there:
                    there[parameter] = what
                    if known and (name, None) not in later:
                        later.add((name, parameter))
    for cmdlets in modules.values():
        for name in LACKING.keys() & cmdlets.keys():
            cmdlets[name].update({p: {} for p in LACKING[name]})
    modules["-"] = {name: {p: {} for p in parameters} for name, parameters in MORE.items()}

    print(HEAD, end="")
    for module in sorted(modules):
        print(f"= {module}")
        for name, parameters in sorted(modules[module].items()):
            left = {p for p in parameters if (name, p) not in NOT_THERE}
            word = ("+" if (name, None) in later else "") + name
            if "Confirm" in left:
                word += "!"
                left -= ASKS
            if CIM <= left:
                word += "~"
                left -= CIM
            line = [word]
            for p in sorted(left):
                aliases = [a for a in parameters[p].get("aliases", []) if a.isalnum() and a not in ("None", p)]
                line.append(("+" if (name, p) in later else "") + "/".join([p, *aliases]))
            print(" ".join(line))


if __name__ == "__main__":
    main()
