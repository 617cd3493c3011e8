//! Which check follows which row of the reference's catalogue (section 2.1).

use super::cases::ADMIN_CENTER;

/// Row → checks.
pub const ROWS: &[(u8, &[&str])] = &[
    (1, &["powershell-version"]),
    (2, &["coordinator-os"]),
    (3, &["coordinator-outside"]),
    (4, &["same-domain"]),
    (5, &["coordinator-tools"]),
    (6, &["rolling-plugin"]),
    (7, &["coordinator-reach"]),
    (8, &["administrator"]),
    (9, &["cluster-name"]),
    (10, &["os-version"]),
    (11, &["patch-level", "least-patch-level"]),
    (12, &["no-solution"]),
    (13, &["no-aks", "no-other-software"]),
    (14, &["not-stretched"]),
    (15, &["azure-registered"]),
    (16, &["azure-connection"]),
    (17, &["azure-identity"]),
    (18, &["cloud-management-group"]),
    (19, &["repair-registration"]),
    (20, &["nodes-online", "cluster-service"]),
    (21, &["nodes-not-drained"]),
    (22, &["node-count"]),
    (23, &["cluster-quorum"]),
    (24, &["vms-shut-down", "vms-kept"]),
    (25, &["refs-metadata-validation"]),
    (26, &["vid-parameters-key"]),
    (27, &["skip-small-local-allocations"]),
    (28, &["restarted-after-registry", "restarted-by-hand"]),
    (29, &["volumes-online", "volumes-reached"]),
    (30, &["winrm"]),
    (31, &["remoting"]),
    (32, &["firewall-remote-shutdown"]),
    (33, &["cau-role"]),
    (34, &["cau-role-enabled"]),
    (35, &["cau-schedule"]),
    (36, &["cau-idle"]),
    (37, &["cau-setup"]),
    (38, &["cluster-validation", "cluster-validation-rows"]),
    (39, &["scan"]),
    (40, &["update-source", "update-proxy"]),
    (41, &["automatic-updates"]),
    (42, &["install-media", "install-media-same", "install-media-version", "direct-media"]),
    (43, &["secure-boot"]),
    (44, &["credssp", "credssp-off", "credentials", "credssp-coordinator"]),
    (45, &["kernel-soft-reboot"]),
    (46, &["storage-jobs"]),
    (47, &["virtual-disks"]),
    (48, &["storage-pool"]),
    (49, &["disks"]),
    (50, &["free-space"]),
    (51, &["capacity-headroom"]),
    (52, &["pending-restart"]),
    (53, &["network-intents"]),
    (54, &["cluster-networks"]),
    (55, &["defender-process-creation"]),
    (56, &["bitlocker"]),
    (57, &["hardware-plan"]),
];

/// Checks of no row: the limits of the run, and what Windows Admin Center checks beside the catalogue (section 2.2).
pub const EXTRA: &[&str] = &[
    "cau-parameters",
    "run-account",
    "node-modules",
    "os-edition",
    "cau-role-account",
    "role-command",
    "mock-setup",
    "rehearsal-script",
];

/// Rows that a runbook leaves out, and why.
pub const LEFT_OUT: &[(u8, &str, &str)] = &[
    (2, ADMIN_CENTER, "the role drives the run on the nodes: there is no coordinator"),
    (3, ADMIN_CENTER, "the role drives the run on the nodes: there is no coordinator"),
    (4, ADMIN_CENTER, "nodes of one cluster are in one domain, and there is no coordinator"),
    (5, ADMIN_CENTER, "the nodes' own modules are checked (node-modules): there is no coordinator"),
    (6, ADMIN_CENTER, "the scan with the plug-in shows that it is there: there is no coordinator"),
    (7, ADMIN_CENTER, "the role's account and CredSSP are checked: there is no coordinator"),
    (9, ADMIN_CENTER, "the role works on the nodes, by the local cluster: no name is resolved from outside"),
    (42, ADMIN_CENTER, "upgrading from media is not available on this route"),
];

/// Rows that nobody may take upon themselves (run-safety).
pub const NEVER_WAIVED: &[u8] = &[10, 12, 20, 23, 25, 26, 27, 28, 29, 36, 46, 47, 48];
