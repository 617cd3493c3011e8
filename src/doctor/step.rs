//! The steps of the way, and what is found at each.

use std::time::Duration;

use serde::Serialize;

/// A step. In this order they are shown; the names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepId {
    /// Logging in to a machine on the way: one step each.
    Jump,
    /// The name has an address.
    Name,
    /// Something takes connections there.
    Connect,
    /// It speaks SSH, with algorithms that both sides have.
    Handshake,
    /// Its key is the known one.
    HostKey,
    Login,
    /// What sshd starts for a command.
    Shell,
    /// PowerShell starts and says hello.
    Powershell,
    /// Language mode: what scripts may do.
    Language,
    /// The account has the rights of an administrator.
    Elevation,
    /// Text arrives as it was sent.
    Text,
    /// The login may speak with other machines.
    SecondHop,
    /// Files can be read over SFTP.
    Files,
    /// A task can be registered, run and removed.
    Task,
    Clock,
    /// Every script is parsed by the machine's own engine.
    Scripts,
    /// From a question to its answer.
    RoundTrip,
}

impl StepId {
    /// Every step but those of the machines on the way.
    pub const ALL: [StepId; 16] = [
        StepId::Name,
        StepId::Connect,
        StepId::Handshake,
        StepId::HostKey,
        StepId::Login,
        StepId::Shell,
        StepId::Powershell,
        StepId::Language,
        StepId::Elevation,
        StepId::Text,
        StepId::SecondHop,
        StepId::Files,
        StepId::Task,
        StepId::Clock,
        StepId::Scripts,
        StepId::RoundTrip,
    ];

    /// At most ten columns.
    pub fn title(self) -> &'static str {
        match self {
            StepId::Jump => "jump host",
            StepId::Name => "name",
            StepId::Connect => "connect",
            StepId::Handshake => "handshake",
            StepId::HostKey => "host key",
            StepId::Login => "login",
            StepId::Shell => "shell",
            StepId::Powershell => "PowerShell",
            StepId::Language => "language",
            StepId::Elevation => "elevation",
            StepId::Text => "text",
            StepId::SecondHop => "second hop",
            StepId::Files => "files",
            StepId::Task => "task",
            StepId::Clock => "clock",
            StepId::Scripts => "scripts",
            StepId::RoundTrip => "round trip",
        }
    }

    /// Without it nobody is logged in.
    pub fn is_way(self) -> bool {
        self <= StepId::Login
    }
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Passed,
    /// It works, and there is something to know.
    Caveat,
    Failed,
    /// An earlier step failed.
    NotReached,
    /// Nobody asked for it, or it is not needed on this machine.
    NotTried,
}

/// What is found at a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub outcome: Outcome,
    /// What, and where it failed why.
    pub said: String,
    /// What to do.
    pub remedy: Option<String>,
}

impl Finding {
    pub fn passed(said: impl Into<String>) -> Self {
        Self { outcome: Outcome::Passed, said: said.into(), remedy: None }
    }

    pub fn caveat(said: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { outcome: Outcome::Caveat, said: said.into(), remedy: Some(remedy.into()) }
    }

    pub fn failed(said: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { outcome: Outcome::Failed, said: said.into(), remedy: Some(remedy.into()) }
    }

    pub fn not_tried(said: impl Into<String>) -> Self {
        Self { outcome: Outcome::NotTried, said: said.into(), remedy: None }
    }
}

/// A step of one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub id: StepId,
    pub finding: Finding,
    /// `None` = it took no time of its own, or was not reached.
    pub took: Option<Duration>,
    /// Where: an address, a command, a script.
    pub at: String,
}

/// Everything found on the way to one machine.
#[derive(Clone, Debug)]
pub struct Examination {
    pub machine: String,
    pub role: &'static str,
    /// `host:port`.
    pub address: String,
    pub took: Duration,
    /// In order; each of `StepId::ALL` is there.
    pub steps: Vec<Step>,
}

impl Examination {
    pub fn count(&self, outcome: Outcome) -> usize {
        self.steps.iter().filter(|s| s.finding.outcome == outcome).count()
    }

    /// Nobody could log in.
    pub fn is_out_of_reach(&self) -> bool {
        self.steps.iter().any(|s| s.id.is_way() && s.finding.outcome == Outcome::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_in_order_and_their_titles_fit() {
        assert!(StepId::ALL.windows(2).all(|w| w[0] < w[1]));
        assert!(StepId::ALL.iter().all(|s| s.title().len() <= 10));
        assert_eq!(serde_json::to_string(&StepId::SecondHop).unwrap(), "\"second-hop\"");
    }
}
