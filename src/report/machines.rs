//! The machines of a report: how each was reached and what it is.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::core::connection::{Connection, TroubleKind};
use crate::core::state::State;

/// One machine.
#[derive(Clone, Debug, Serialize)]
pub struct Machine<'a> {
    pub connected: bool,
    /// What is wrong with the connection, and what to do.
    pub trouble: Option<&'a str>,
    pub trouble_kind: Option<TroubleKind>,
    pub way_out: Option<&'a str>,
    /// The connection is so since.
    pub since: Option<Timestamp>,
    pub coordinator: bool,
    /// How it was reached.
    pub via: Option<&'a str>,
    pub powershell: Option<&'a str>,
    /// `FullLanguage` or `ConstrainedLanguage`.
    pub language: Option<&'a str>,
    /// Its clock minus ours, in milliseconds.
    pub skew_ms: Option<i64>,
    /// Commands there may reach other machines.
    pub second_hop: Option<bool>,
    /// As Windows calls itself.
    pub os: Option<&'a str>,
    pub display_version: Option<&'a str>,
    pub build: Option<u64>,
    /// Update revision: what follows the build after a dot.
    pub revision: Option<u64>,
    pub booted: Option<Timestamp>,
    /// As the cluster sees it: `Up`, `Paused`, `Down`.
    pub cluster: Option<&'a str>,
}

impl Machine<'_> {
    /// `20349.3692`.
    pub fn full_build(&self) -> Option<String> {
        let build = self.build?;
        Some(self.revision.map_or_else(|| build.to_string(), |r| format!("{build}.{r}")))
    }
}

/// Every machine of the plan, by name.
pub fn all(state: &State) -> BTreeMap<&str, Machine<'_>> {
    let coordinator = state.plan.coordinator.as_ref();
    state
        .machines
        .iter()
        .map(|(name, m)| {
            let (hello, trouble) = match &m.connection {
                Connection::Ready(hello) => (Some(hello), None),
                Connection::Trouble(trouble) => (None, Some(trouble)),
                Connection::Idle | Connection::Connecting => (None, None),
            };
            let host = m.host.as_ref().map(|h| &h.value);
            let machine = Machine {
                connected: hello.is_some(),
                trouble: trouble.map(|t| t.message.as_str()),
                trouble_kind: trouble.map(|t| t.kind),
                way_out: trouble.map(|t| t.remedy.as_str()),
                since: m.connection_since,
                coordinator: coordinator == Some(name),
                via: hello.map(|h| h.via.as_str()),
                powershell: hello.map(|h| h.ps.as_str()),
                language: hello.map(|h| h.language.as_str()),
                skew_ms: hello.map(|h| h.skew_ms),
                second_hop: hello.map(|h| h.second_hop),
                os: host.map(|h| h.caption.as_str()),
                display_version: host.and_then(|h| h.display_version.as_deref()),
                build: m.build(),
                revision: host.and_then(|h| h.ubr),
                booted: host.map(|h| h.boot_utc),
                cluster: m.cluster.as_ref().map(|c| c.value.state.as_str()),
            };
            (name.as_str(), machine)
        })
        .collect()
}
