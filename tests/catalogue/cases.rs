//! For every check a world where it passes and one where it does not.

use nodelift::core::event::Outcome::{self, CouldNotTell, Fail, Warn};
use serde_json::{Value as Json, json};

/// The two runbooks.
pub const COORDINATOR: &str = "azure-local-powershell";
pub const ADMIN_CENTER: &str = "azure-local-wac";

/// A site: a world, what differs there, and settings.
#[derive(Clone)]
pub struct Setup {
    pub world: &'static str,
    pub patch: Json,
    pub settings: Json,
    pub target: Option<&'static str>,
    /// A person confirms it.
    pub confirmed: bool,
}

impl Setup {
    pub fn set(self, settings: Json) -> Self {
        Self { settings, ..self }
    }

    pub fn target(self, target: &'static str) -> Self {
        Self { target: Some(target), ..self }
    }

    pub fn confirmed(self) -> Self {
        Self { confirmed: true, ..self }
    }
}

pub struct Case {
    pub check: &'static str,
    /// Where it is; empty = both runbooks.
    pub runbook: &'static str,
    pub good: Setup,
    pub bad: Setup,
    pub outcome: Outcome,
}

/// A world as it is.
pub fn world(world: &'static str) -> Setup {
    Setup { world, patch: json!([]), settings: json!({}), target: None, confirmed: false }
}

pub fn ready() -> Setup {
    world("ready")
}

/// The ready world with one thing changed.
pub fn with(at: &str, value: Json) -> Setup {
    Setup { patch: json!([{"at": at, "value": value}]), ..ready() }
}

/// The ready world where a cmdlet answers something else.
pub fn returns(cmdlet: &str, machine: &str, record: Json) -> Setup {
    with("/faults", json!([{"on": cmdlet, "machine": machine, "times": null, "do": {"return": record}}]))
}

/// The ready world where a cmdlet throws.
pub fn throws(cmdlet: &str, machine: &str) -> Setup {
    let what = json!({"throw": "Access is denied.", "id": "PermissionDenied,X"});
    with("/faults", json!([{"on": cmdlet, "machine": machine, "times": null, "do": what}]))
}

fn registry(machine: &str, key: &str, values: Json) -> Setup {
    let values: serde_json::Map<String, Json> = values
        .as_object()
        .into_iter()
        .flatten()
        .map(|(n, v)| {
            let kind = if v.is_string() { "String" } else { "DWord" };
            (n.clone(), json!({"type": kind, "value": v}))
        })
        .collect();
    with(&format!("/machines/{machine}/registry/{key}"), Json::Object(values))
}

pub fn both(check: &'static str, good: Setup, bad: Setup, outcome: Outcome) -> Case {
    Case { check, runbook: "", good, bad, outcome }
}

pub fn only(runbook: &'static str, check: &'static str, good: Setup, bad: Setup, outcome: Outcome) -> Case {
    Case { check, runbook, good, bad, outcome }
}

const FILES: &str = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\FileSystem";
const VID: &str = "HKLM:\\SYSTEM\\CurrentControlSet\\Services\\Vid\\Parameters";
const NOTE: &str = "HKLM:\\SOFTWARE\\nodelift";
const UPDATE: &str = "HKLM:\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate\\AU";
const MEDIA: &str = "C:\\ClusterUpgrade\\2503";

/// A report of Test-Cluster on a node.
fn report(day: &str, result: u32, rows: Json) -> Setup {
    let file = "C:\\Windows\\Cluster\\Reports\\Validation Report 2025.06.14 At 07.41.10.xml";
    let report = json!({"result": result, "rows": rows});
    let entry = json!({"size": 824_133, "time": format!("{day}T07:43:00Z"), "report": report});
    with("/machines/HCI-N1/files", json!({file: entry}))
}

/// Rows of Test-CauSetup, one of them as given.
pub fn rule(id: u64, severity: &str) -> Setup {
    let failed = json!({"id": id, "title": "a rule", "state": "Failed", "severity": severity, "failed_machines": ["HCI-N3"]});
    let good =
        json!({"id": 4, "title": "another", "state": "Succeeded", "severity": "Info", "failed_machines": []});
    with("/cau/setup_rules", json!([good, failed]))
}

fn rehearsal() -> Json {
    json!({"rehearsal": true})
}

/// What a rehearsal runs in the place of Setup.
fn stands_in() -> Json {
    json!(["# nodelift: stands in for Windows Setup in a rehearsal and changes nothing.", "exit 0"])
}

/// The ready world with several things changed.
fn patches(all: &[(String, Json)]) -> Setup {
    let patch = all.iter().map(|(at, value)| json!({"at": at, "value": value})).collect();
    Setup { patch, ..ready() }
}

fn media() -> Json {
    json!({"media_path": MEDIA})
}

pub fn credssp(machine: &str) -> Setup {
    with(&format!("/machines/{machine}/credssp"), json!({"client": ["HCI-CL1"], "server": true}))
}

pub fn cases() -> Vec<Case> {
    let mut all = cluster();
    all.extend(version());
    all.extend(node());
    all.extend(storage());
    all.extend(super::outside::cases());
    all
}

fn cluster() -> Vec<Case> {
    let failed =
        json!({"configuration": "Failed", "provisioning": "Completed", "error": "PhysicalAdapterNotFound"});
    let rows = json!([{"test": "Validate Network Communication", "result": "Failed"}]);
    vec![
        both("nodes-online", ready(), with("/machines/HCI-N4/state", json!("Down")), Fail),
        both("nodes-online", world("upgraded"), with("/machines/HCI-N4/quarantined", json!(true)), Fail),
        both("cluster-service", ready(), with("/machines/HCI-N4/services/ClusSvc/status", json!("Stopped")), Fail),
        both("cluster-service", ready(), with("/machines/HCI-N4/services/ClusSvc/start", json!("Manual")), Warn),
        both("nodes-not-drained", ready(), with("/machines/HCI-N2/state", json!("Paused")), Fail),
        both("nodes-not-drained", world("mixed"), with("/machines/HCI-N2/drain", json!("Failed")), Fail),
        both(
            "node-count",
            ready(),
            returns("Get-ClusterNode", "HCI-N1", json!({"nodes": [{"name": "HCI-N1"}]})),
            Warn,
        ),
        both("cluster-quorum", ready(), with("/cluster/quorum/state", json!("Failed")), Fail),
        both("cluster-quorum", world("two-node"), with("/cluster/groups/0/state", json!("Offline")), Fail),
        both("cluster-networks", ready(), with("/cluster/networks/1/state", json!("Partitioned")), Warn),
        both("network-intents", ready(), with("/network_atc/0/nodes/HCI-N2", failed), Warn),
        both(
            "capacity-headroom",
            ready(),
            returns(
                "Get-ClusterPerf",
                "HCI-N1",
                json!({"series": [
                    {"id": "ClusterNode.Cpu.Usage,HCI-CL1", "value": 30.0},
                    {"id": "ClusterNode.Memory.Usage,HCI-CL1", "value": 80.0},
                    {"id": "ClusterNode.Memory.Total,HCI-CL1", "value": 100.0},
                ]}),
            ),
            Warn,
        ),
        both("node-modules", ready(), with("/machines/HCI-N3/modules_missing", json!(["Hyper-V"])), Fail),
        both("cluster-validation", report("2025-06-14", 1, json!([])), ready(), CouldNotTell),
        both("cluster-validation", ready().confirmed(), report("2025-06-14", 5, rows.clone()), CouldNotTell),
        both(
            "cluster-validation",
            report("2025-06-13", 9, json!([])),
            report("2025-05-01", 1, json!([])),
            CouldNotTell,
        ),
        both("cluster-validation-rows", report("2025-06-14", 1, json!([])), report("2025-06-14", 5, rows), Fail),
        both(
            "cluster-validation-rows",
            report("2025-06-14", 1, json!([])),
            report("2025-06-14", 9, json!([{"test": "Validate Software Update Levels", "result": "Warning"}])),
            Warn,
        ),
    ]
}

fn version() -> Vec<Case> {
    let solution = json!({"stamp_cmdlet": true, "stamp": true, "aks_hci": false, "moc": [], "uninstall": []});
    let group = json!([{"name": "rg1", "computer": "HCI-N1", "status": "ContinuouslyReplicating", "mode": "Synchronous", "volume": "D:"}]);
    vec![
        both("os-version", ready(), world("mixed"), Warn),
        both("os-version", world("needs-work"), with("/machines/HCI-N3/os/build", json!(17763)), Fail),
        both(
            "os-edition",
            world("mixed"),
            returns("Get-CimInstance", "HCI-N2", json!({"sku": 8, "edition": "ServerDatacenter"})),
            Fail,
        ),
        both("patch-level", ready(), with("/machines/HCI-N2/os/ubr", json!(2402)), Warn),
        only(
            COORDINATOR,
            "least-patch-level",
            ready().target("24H2"),
            with("/machines/HCI-N2/os/ubr", json!(2402)).target("24H2"),
            Fail,
        ),
        both(
            "not-stretched",
            ready(),
            with("/cluster/sites", json!([{"name": "A", "nodes": []}, {"name": "B", "nodes": []}])),
            Fail,
        ),
        only(
            COORDINATOR,
            "not-stretched",
            ready(),
            with("/cluster/sr_groups", group).set(json!({"media_path": "C:\\Upgrade\\2509"})),
            Warn,
        ),
        both("no-solution", ready(), returns("Get-Command", "HCI-N1", solution), Fail),
        both("no-aks", ready(), with("/machines/HCI-N1/aks_hci", json!(true)), Fail),
        both(
            "no-aks",
            ready(),
            with("/machines/HCI-N1/services/wssdagent", json!({"status": "Running", "start": "Automatic"})),
            Fail,
        ),
        both(
            "no-other-software",
            ready(),
            with("/machines/HCI-N1/software", json!([{"name": "An updater", "version": "1", "publisher": "X"}])),
            CouldNotTell,
        ),
        both(
            "no-other-software",
            with("/machines/HCI-N1/software", json!([{"name": "An agent", "version": "1", "publisher": "X"}]))
                .confirmed(),
            with(
                "/machines/HCI-N2/software",
                json!([{"name": "22H2 Supplemental Package", "version": "1", "publisher": "X"}]),
            ),
            CouldNotTell,
        ),
    ]
}

fn node() -> Vec<Case> {
    let block = json!({"asr": {"d1e49aac-8f56-4280-b9ba-993a6d77406c": 1}});
    let ask = json!({"asr": {"d1e49aac-8f56-4280-b9ba-993a6d77406c": 6}});
    let locked = json!([{"mount": "C:", "status": "FullyEncrypted", "protection": "On", "method": "XtsAes256", "reboot_count": 0}]);
    let changed = |at: &str| registry("HCI-N1", NOTE, json!({"RegistryChangedUtc": at}));
    vec![
        both(
            "refs-metadata-validation",
            ready(),
            registry("HCI-N1", FILES, json!({"RefsEnableMetadataValidation": 1})),
            Fail,
        ),
        both("refs-metadata-validation", ready(), world("needs-work"), Fail),
        both("vid-parameters-key", ready(), world("needs-work"), Fail),
        both("skip-small-local-allocations", ready(), registry("HCI-N1", VID, json!({})), Fail),
        both("restarted-after-registry", changed("2025-06-01T00:00:00Z"), changed("2025-06-14T07:00:00Z"), Fail),
        both("restarted-by-hand", ready().confirmed(), ready(), CouldNotTell),
        both("pending-restart", ready(), with("/machines/HCI-N1/reboot_pending/wu", json!(true)), Fail),
        both("pending-restart", world("mixed"), with("/machines/HCI-N1/reboot_pending/rename", json!(true)), Warn),
        both("free-space", ready(), with("/machines/HCI-N1/system_drive_free", json!(4_000_000_000_u64)), Fail),
        both("free-space", ready(), with("/machines/HCI-N1/system_drive_free", json!(20_000_000_000_u64)), Warn),
        both("winrm", ready(), with("/machines/HCI-N1/services/WinRM/start", json!("Manual")), Fail),
        both("remoting", ready(), with("/machines/HCI-N1/winrm/remoting", json!(false)), Fail),
        both("firewall-remote-shutdown", ready(), world("needs-work"), Fail),
        both("secure-boot", ready(), with("/machines/HCI-N1/secure_boot", json!(false)), Warn),
        both("secure-boot", ready(), with("/machines/HCI-N1/secure_boot", Json::Null), Warn),
        both("bitlocker", ready(), with("/machines/HCI-N1/bitlocker", locked.clone()), CouldNotTell),
        both(
            "bitlocker",
            with("/machines/HCI-N1/bitlocker", locked.clone()).confirmed(),
            with("/machines/HCI-N2/bitlocker", locked),
            CouldNotTell,
        ),
        both("defender-process-creation", ready(), with("/machines/HCI-N1/defender", block), Fail),
        both("defender-process-creation", ready(), with("/machines/HCI-N1/defender", ask), Warn),
        both("administrator", ready(), with("/machines/HCI-N1/elevated", json!(false)), Fail),
        both(
            "powershell-version",
            ready(),
            returns(
                "whoami.exe",
                "HCI-N1",
                json!({"ps": "4.0.0.0", "edition": "Desktop", "language": "FullLanguage"}),
            ),
            Fail,
        ),
        both("update-source", ready(), registry("HCI-N1", UPDATE, json!({"UseWUServer": 1})), Fail),
        both(
            "update-proxy",
            ready(),
            with("/machines/HCI-N1/winhttp_proxy", json!("proxy.corp.example:8080")),
            Warn,
        ),
        both("automatic-updates", ready(), registry("HCI-N1", UPDATE, json!({"AUOptions": 4})), Warn),
        only(COORDINATOR, "credssp", ready(), credssp("HCI-N2"), Warn),
        only(
            ADMIN_CENTER,
            "credssp",
            credssp("HCI-N2").set(json!({"credssp": true})),
            registry(
                "HCI-N2",
                "HKLM:\\SOFTWARE\\Policies\\Microsoft\\Windows\\WinRM\\Service",
                json!({"AllowCredSSP": 0}),
            )
            .set(json!({"credssp": true})),
            Fail,
        ),
        only(ADMIN_CENTER, "credssp-off", ready(), credssp("HCI-N2"), Warn),
        only(
            ADMIN_CENTER,
            "credentials",
            ready().set(json!({"credssp": true, "task_account": "CORP\\upgradeadmin"})),
            ready().set(json!({"credssp": true})),
            Fail,
        ),
        only(
            COORDINATOR,
            "install-media",
            ready().set(media()),
            ready().set(json!({"media_path": "D:\\none"})),
            Fail,
        ),
        only(
            COORDINATOR,
            "install-media",
            ready().set(media()),
            with("/media/1/build", json!(20349)).set(media()),
            Fail,
        ),
        only(
            COORDINATOR,
            "install-media",
            ready().set(media()),
            with("/media/1/edition", json!("ServerDatacenter")).set(media()),
            Fail,
        ),
        only(
            COORDINATOR,
            "install-media-same",
            ready().set(media()),
            with("/media/1/size", json!(4_700_000_000_u64)).set(media()),
            Fail,
        ),
        only(
            COORDINATOR,
            "direct-media",
            ready().set(json!({"driving": "direct", "media_path": "D:\\2503"})),
            ready().set(json!({"driving": "direct"})),
            Fail,
        ),
        only(
            COORDINATOR,
            "mock-setup",
            ready().set(rehearsal()),
            with("/machines/COORD01/cau_missing", json!(["MockSetup"])).set(rehearsal()),
            Fail,
        ),
        only(
            COORDINATOR,
            "mock-setup",
            ready().set(rehearsal()),
            with("/machines/COORD01/cau_missing", json!(["ForceSelfUpdate"])).set(rehearsal()),
            Fail,
        ),
        only(
            COORDINATOR,
            "rehearsal-script",
            patches(
                &["HCI-N1", "HCI-N2", "HCI-N3", "HCI-N4"]
                    .map(|n| (format!("/machines/{n}/rehearsal_script"), stands_in())),
            )
            .set(rehearsal()),
            ready().set(rehearsal()),
            Fail,
        ),
        only(
            COORDINATOR,
            "install-media-version",
            ready().set(media()),
            ready().set(json!({"media_path": "D:\\iso"})),
            CouldNotTell,
        ),
        only(
            COORDINATOR,
            "install-media-version",
            ready().set(json!({"media_path": "D:\\iso"})).confirmed(),
            ready().set(json!({"media_path": "D:\\2409"})),
            CouldNotTell,
        ),
    ]
}

fn storage() -> Vec<Case> {
    let job = |state: &str| {
        json!([{"name": "Repair", "state": state, "virtual_disk": "Volume01", "node": "HCI-N1",
        "started": "2025-06-14T07:30:00Z", "ends": null, "total": 1000, "percent": 37, "background": true}])
    };
    vec![
        both("storage-jobs", ready(), with("/storage/jobs", job("Running")), Fail),
        both("storage-jobs", world("mixed"), with("/storage/jobs", job("Suspended")), Fail),
        both("virtual-disks", ready(), with("/storage/virtual_disks/0/health", json!("Unhealthy")), Fail),
        both("virtual-disks", ready(), world("needs-work"), Fail),
        both("storage-pool", ready(), with("/storage/pool/read_only", json!(true)), Fail),
        both("disks", ready(), with("/storage/fault_domains_in_maintenance", json!(["HCI-N2"])), Fail),
        both("disks", ready(), with("/storage/physical_disks/0/health", json!("Unhealthy")), Fail),
        both("volumes-online", ready(), with("/cluster/csvs/0/state", json!("Failed")), Fail),
        both("volumes-reached", ready(), with("/cluster/csvs/0/state", json!("Failed")), Fail),
        both(
            "volumes-reached",
            ready(),
            with("/cluster/csvs/0/states", json!({"HCI-N3": "FileSystemRedirected"})),
            Warn,
        ),
    ]
}
