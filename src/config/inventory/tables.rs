//! What stands in an inventory, as people write it. `check` makes an inventory of it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;
use toml::Spanned;

use super::{OnFailure, Transport};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub lab: bool,
    pub scale: Option<Spanned<f64>>,
    pub since: Option<Spanned<String>>,
    pub runbook: Option<String>,
    pub target: Option<String>,
    pub change: Option<Spanned<String>>,
    #[serde(default)]
    pub change_required: bool,
    pub window: Option<WindowTable>,
    pub hooks: Option<HooksTable>,
    pub cluster: ClusterTable,
    pub coordinator: Option<CoordinatorTable>,
    pub credentials: Option<CredentialsTable>,
    #[serde(default)]
    pub node: Vec<NodeTable>,
    #[serde(default)]
    pub ssh: SshTable,
    #[serde(default)]
    pub settings: BTreeMap<String, Json>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClusterTable {
    pub name: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NodeTable {
    pub name: Spanned<String>,
    pub host: Option<Spanned<String>>,
    pub port: Option<Spanned<i64>>,
    pub user: Option<String>,
    pub key: Option<Spanned<String>>,
    pub jump: Option<Vec<Spanned<String>>>,
    pub transport: Option<Spanned<Transport>>,
    pub through: Option<Spanned<String>>,
    pub console: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CoordinatorTable {
    pub name: Spanned<String>,
    pub host: Option<Spanned<String>>,
    pub port: Option<Spanned<i64>>,
    pub user: Option<String>,
    pub key: Option<Spanned<String>>,
    pub jump: Option<Vec<Spanned<String>>>,
    pub transport: Option<Spanned<Transport>>,
    pub task_account: Option<Spanned<String>>,
    pub task_password_command: Option<Vec<String>>,
}

/// `[credentials]`: handed on to the nodes through CredSSP, by a runbook that asks for that.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CredentialsTable {
    pub account: Spanned<String>,
    pub password_command: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SshTable {
    pub user: Option<String>,
    pub port: Option<Spanned<i64>>,
    pub agent: Option<bool>,
    pub key: Option<Spanned<String>>,
    #[serde(default)]
    pub password: bool,
    pub password_command: Option<Spanned<Vec<String>>>,
    pub known_hosts: Option<OneOrMany>,
    pub jump: Option<Vec<Spanned<String>>>,
    pub transport: Option<Spanned<Transport>>,
    pub ssh_config: Option<Spanned<toml::Value>>,
    pub keepalive: Option<Spanned<u64>>,
    pub dead_after: Option<Spanned<u64>>,
    pub connect_timeout: Option<Spanned<u64>>,
}

#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct OneOrMany(pub Vec<String>);

/// `[window]`: when nodes may be taken out of service.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WindowTable {
    pub open: Spanned<Vec<Spanned<String>>>,
    pub zone: Option<Spanned<String>>,
}

/// `[hooks]`: what is run on this machine around each node.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HooksTable {
    pub before_drain: Option<Spanned<Vec<String>>>,
    pub after_resume: Option<Spanned<Vec<String>>>,
    pub timeout: Option<Spanned<u64>>,
    #[serde(default)]
    pub on_failure: OnFailure,
}
