//! Cases of what drives the run, of the coordinator, of the guests and of Azure.

use nodelift::core::event::Outcome::{CouldNotTell, Fail, Warn};
use serde_json::{Value as Json, json};

use super::cases::{
    ADMIN_CENTER, COORDINATOR, Case, Setup, both, credssp, only, ready, returns, rule, throws, with, world,
};

pub fn cases() -> Vec<Case> {
    let mut all = updating();
    all.extend(coordinator());
    all.extend(azure());
    all
}

fn updating() -> Vec<Case> {
    let run = json!({"id": "r1", "state": "RunFailed", "started": "2025-06-14T06:00:00Z", "nodes": []});
    let scheduled = |start: &str| {
        let role = json!({"group": "CAUHCI-CL1x8", "status": "Online", "start_date": start, "plugin": "Microsoft.WindowsUpdatePlugin",
            "days_of_week": 4, "weeks_of_month": [3]});
        with("/cau/role", role)
    };
    let member = json!(["HCI-N1\\Administrator", "CORP\\CAUHCI-CL1x8$"]);
    let mut members: Vec<Json> = Vec::new();
    for node in ["HCI-N1", "HCI-N2", "HCI-N3", "HCI-N4"] {
        members.push(json!({"at": format!("/machines/{node}/administrators"), "value": member}));
    }
    let all_members = Setup { patch: json!(members), ..ready() };
    let none = with("/cau/role", Json::Null);
    let no_mode = json!(["RebootMode"]);
    let soft_for_good = Setup {
        patch: json!([{"at": "/cluster/kernel_soft_reboot", "value": true}, {"at": "/machines/HCI-N2/cau_missing", "value": no_mode}]),
        ..ready()
    };
    vec![
        both("cau-idle", ready(), with("/cau/run", run), Fail),
        only(COORDINATOR, "kernel-soft-reboot", ready(), with("/cluster/kernel_soft_reboot", json!(true)), Fail),
        only(
            ADMIN_CENTER,
            "kernel-soft-reboot",
            with("/cluster/kernel_soft_reboot", json!(true)),
            soft_for_good,
            Fail,
        ),
        only(ADMIN_CENTER, "role-command", ready(), with("/machines/HCI-N2/cau_missing", no_mode), Warn),
        both("cau-setup", ready(), rule(2, "Error"), Fail),
        both("cau-setup", ready(), rule(10, "Warning"), Warn),
        both("cau-setup", ready(), with("/cau/setup_rules", json!([])), CouldNotTell),
        only(COORDINATOR, "cau-setup", rule(11, "Warning"), rule(8, "Warning"), Warn),
        only(ADMIN_CENTER, "cau-setup", ready(), rule(11, "Error"), Fail),
        both("scan", ready(), with("/machines/HCI-N2/wua/offered", json!([])), Fail),
        both(
            "scan",
            world("mixed"),
            with("/update_service/feature_update/title", json!("Feature update, version 21H2")),
            Fail,
        ),
        only(COORDINATOR, "cau-role", ready(), none.clone(), Warn),
        only(COORDINATOR, "cau-role-enabled", ready(), with("/cau/role/status", json!("Offline")), Warn),
        only(COORDINATOR, "cau-schedule", ready(), scheduled("2025-07-01T01:00:00Z"), Warn),
        only(ADMIN_CENTER, "cau-role", ready(), none, Fail),
        only(ADMIN_CENTER, "cau-role-enabled", ready(), with("/cau/role/status", json!("Offline")), Fail),
        only(ADMIN_CENTER, "cau-schedule", ready(), scheduled("2025-06-01T01:00:00Z"), Warn),
        only(
            ADMIN_CENTER,
            "cau-schedule",
            scheduled("2025-07-01T01:00:00Z"),
            scheduled("2025-06-15T01:00:00Z"),
            Warn,
        ),
        only(ADMIN_CENTER, "cau-role-account", all_members, ready(), CouldNotTell),
        only(ADMIN_CENTER, "cau-role-account", ready().confirmed(), ready(), CouldNotTell),
    ]
}

fn coordinator() -> Vec<Case> {
    // Once: after its fix the machine answers for itself.
    let tools = |modules: Json| {
        let plugins = json!(["Microsoft.RollingUpgradePlugin"]);
        let record = json!({"modules": modules, "plugins": plugins, "plugin_error": null, "features": []});
        with("/faults", json!([{"on": "Get-Module", "machine": "COORD01", "times": 1, "do": {"return": record}}]))
    };
    let group = json!({"name": "COORD01", "type": "VirtualMachine", "state": "Online", "owner": "HCI-N2"});
    let account = |name: &str| ready().set(json!({"task_account": name}));
    let old = with("/machines/COORD01/os/build", json!(17763));
    vec![
        only(COORDINATOR, "coordinator-os", ready(), old, Fail),
        only(COORDINATOR, "coordinator-os", ready(), with("/machines/COORD01/os/build", json!(26100)), Warn),
        only(COORDINATOR, "coordinator-outside", ready(), with("/cluster/groups/-", group), Fail),
        only(
            COORDINATOR,
            "coordinator-tools",
            ready(),
            tools(json!({"FailoverClusters": "2.0.0.0", "ClusterAwareUpdating": null})),
            Fail,
        ),
        only(
            COORDINATOR,
            "rolling-plugin",
            ready(),
            with("/machines/COORD01/cau_plugins", json!(["Microsoft.WindowsUpdatePlugin"])),
            Fail,
        ),
        only(
            COORDINATOR,
            "cau-parameters",
            ready(),
            with("/machines/COORD01/cau_missing", json!(["StopAfter"])),
            Warn,
        ),
        only(COORDINATOR, "coordinator-reach", ready(), with("/machines/COORD01/second_hop", json!(false)), Fail),
        only(
            COORDINATOR,
            "coordinator-reach",
            ready(),
            with("/machines/COORD01/second_hop", json!(false)).set(json!({"task_account": "CORP\\u"})),
            Warn,
        ),
        only(COORDINATOR, "cluster-name", ready(), throws("Resolve-DnsName", "COORD01"), Fail),
        only(COORDINATOR, "same-domain", ready(), with("/machines/COORD01/domain", json!("other.example")), Fail),
        only(COORDINATOR, "run-account", account("CORP\\upgradeadmin"), ready(), Warn),
        only(COORDINATOR, "credssp-coordinator", ready(), credssp("COORD01"), Warn),
    ]
}

fn azure() -> Vec<Case> {
    let no_group = || with("/cluster/groups/2/name", json!("Something else"));
    let either = || json!({"repair_registration_when": "either"});
    let stale = with("/azure/last_connected", json!("2025-06-01T00:00:00Z"));
    let asked = |more: Json| {
        let mut settings = json!({"azure_sign_in": "device-code", "azure_tenant": "14f696cc-f0bf-5899-a660-eb1e9cad077b",
            "azure_subscription": "581759f7-5e30-5284-ae06-ec558dff6fcf"});
        settings.as_object_mut().expect("a table").extend(more.as_object().expect("a table").clone());
        settings
    };
    // Somebody signs in, and what else differs.
    let signed = |patch: Json, more: Json| {
        let mut all = vec![json!({"at": "/azure/device_login", "value": 60})];
        all.extend(patch.as_array().expect("a list").clone());
        Setup { patch: Json::Array(all), ..ready() }.set(asked(more))
    };
    let at = |at: &str, value: Json| json!([{"at": at, "value": value}]);
    let no_identity = || at("/azure/identity_type", Json::Null);
    let neither = || json!([{"at": "/azure/identity_type", "value": null}, {"at": "/cluster/groups/2/name", "value": "Something else"}]);
    let garbage = returns("Get-AzResource", "HCI-N1", json!("%PDF-1.7")).set(asked(json!({})));
    let garbage_alone = Setup {
        patch: json!([garbage.patch[0], {"at": "/cluster/groups/2/name", "value": "Something else"}]),
        ..garbage.clone()
    };
    vec![
        both("azure-identity", signed(json!([]), json!({})), signed(no_identity(), json!({})), Warn),
        both("azure-identity", signed(json!([]), json!({})), ready().set(asked(json!({}))), CouldNotTell),
        both(
            "azure-identity",
            signed(json!([]), json!({})),
            signed(json!([]), json!({"azure_tenant": "another"})),
            CouldNotTell,
        ),
        both(
            "azure-identity",
            signed(json!([]), json!({})),
            signed(at("/azure/modules", json!(false)), json!({})),
            CouldNotTell,
        ),
        both("azure-identity", signed(json!([]), json!({})), garbage, CouldNotTell),
        // The group alone rules the repair out, also where nobody signs in; the identity alone does too.
        both("repair-registration", ready().set(asked(json!({}))), signed(neither(), json!({})), Fail),
        both("repair-registration", signed(no_identity(), json!({})), garbage_alone, CouldNotTell),
        both(
            "repair-registration",
            signed(at("/cluster/groups/2/name", json!("Something else")), json!({})),
            signed(no_identity(), either()),
            Fail,
        ),
        both(
            "repair-registration",
            signed(json!([]), either()),
            signed(at("/cluster/groups/2/name", json!("Something else")), either()),
            Fail,
        ),
        both("vms-shut-down", ready(), world("needs-work"), Warn),
        both(
            "vms-kept",
            world("needs-work").set(json!({"vms": "keep"})).confirmed(),
            world("needs-work").set(json!({"vms": "keep"})),
            CouldNotTell,
        ),
        both(
            "vms-kept",
            world("needs-work").set(json!({"vms": "keep", "vms_accepted_by": "M. Roe"})),
            ready().set(json!({"vms": "Keep"})),
            Fail,
        ),
        both("azure-registered", ready(), with("/azure/registration_status", json!("NotYet")), Fail),
        both("azure-connection", ready(), with("/azure/connection_status", json!("OutOfPolicy")), Fail),
        both("azure-connection", ready(), stale, Warn),
        both("azure-identity", ready().confirmed(), ready(), CouldNotTell),
        both("cloud-management-group", ready(), no_group(), Warn),
        both("cloud-management-group", ready(), with("/cluster/groups/2/state", json!("Failed")), Warn),
        both("repair-registration", ready(), no_group(), CouldNotTell),
        both("repair-registration", no_group().confirmed(), ready().set(either()), CouldNotTell),
        both("hardware-plan", ready().confirmed(), ready(), CouldNotTell),
    ]
}
