//! How we stand with a machine: what the transport says of it, in terms a person can act on.

use serde::{Deserialize, Serialize};

/// State of the connection to one machine.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Connection {
    /// Not asked for yet.
    #[default]
    Idle,
    Connecting,
    /// PowerShell answered its ping.
    Ready(Hello),
    /// It does not work, and why. The transport goes on trying where that can help.
    Trouble(Trouble),
}

impl Connection {
    /// Scripts can run there now.
    pub fn is_ready(&self) -> bool {
        matches!(self, Connection::Ready(_))
    }

    /// Waiting cannot help: a person must do something first.
    pub fn needs_person(&self) -> bool {
        matches!(self, Connection::Trouble(t) if t.kind.needs_person())
    }
}

/// What a node's PowerShell said of itself at connect (powershell-over-ssh 7.5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    pub host: String,
    /// PowerShell version, such as `5.1.20349.3692`.
    pub ps: String,
    /// `FullLanguage` or `ConstrainedLanguage`.
    pub language: String,
    /// Process id of the worker: what a cancel ends.
    pub pid: u32,
    /// The node's clock minus ours, in milliseconds.
    pub skew_ms: i64,
    /// How it was reached: `ssh upgradeadmin@10.20.0.11, ed25519 key`.
    pub via: String,
    /// Login with a key has no network credentials: commands that reach other machines fail.
    pub second_hop: bool,
}

/// Why a machine cannot be used, with the way out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    pub kind: TroubleKind,
    /// What happened, one sentence.
    pub message: String,
    /// What to do, one sentence.
    pub remedy: String,
}

/// Kinds of trouble; each is a state of its own on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TroubleKind {
    /// The name has no address.
    NoAddress,
    /// Refused, timed out or dropped before the handshake.
    Unreachable,
    /// A connection that worked is gone.
    Lost,
    /// The two sides share no algorithm.
    NoCommonAlgorithm,
    /// The host key is not known yet.
    HostKeyUnknown,
    /// The host key is another one than the known one.
    HostKeyChanged,
    /// The host key is marked as revoked.
    HostKeyRevoked,
    /// No offered credential was accepted.
    LoginRefused,
    /// The key, the agent or the password could not be used on this side.
    CredentialUnusable,
    /// The jump host failed.
    JumpFailed,
    /// Login works, PowerShell does not start or does not answer.
    NoPowerShell,
    /// What came back is not the protocol.
    Garbage,
}

impl TroubleKind {
    /// Trying again by itself cannot help, and may lock an account.
    pub fn needs_person(self) -> bool {
        use TroubleKind::*;
        matches!(
            self,
            NoCommonAlgorithm
                | HostKeyUnknown
                | HostKeyChanged
                | HostKeyRevoked
                | LoginRefused
                | CredentialUnusable
                | NoPowerShell
                | Garbage
        )
    }

    /// The machine shows another key than the known one, or none is known.
    pub fn is_host_key(self) -> bool {
        matches!(self, TroubleKind::HostKeyUnknown | TroubleKind::HostKeyChanged | TroubleKind::HostKeyRevoked)
    }

    /// What happened, to be said of a machine in half a line.
    pub fn said(self) -> &'static str {
        use TroubleKind::*;
        match self {
            NoAddress => "its name has no address",
            Unreachable => "nothing answers there",
            Lost => "the connection was lost",
            NoCommonAlgorithm => "the two sides share no cipher or key type",
            HostKeyUnknown => "its host key is not known yet",
            HostKeyChanged => "its HOST KEY HAS CHANGED",
            HostKeyRevoked => "its host key is marked as REVOKED",
            LoginRefused => "it refused the login",
            CredentialUnusable => "no key or password for it can be used",
            JumpFailed => "the way there through a jump host fails",
            NoPowerShell => "PowerShell does not start there",
            Garbage => "what answers there makes no sense",
        }
    }

    /// Two or three words for a narrow cell.
    pub fn words(self) -> &'static str {
        use TroubleKind::*;
        match self {
            NoAddress => "no address",
            Unreachable => "unreachable",
            Lost => "lost",
            NoCommonAlgorithm => "no common cipher",
            HostKeyUnknown => "key unknown",
            HostKeyChanged => "KEY CHANGED",
            HostKeyRevoked => "KEY REVOKED",
            LoginRefused => "login refused",
            CredentialUnusable => "no credential",
            JumpFailed => "jump host",
            NoPowerShell => "no PowerShell",
            Garbage => "garbage",
        }
    }
}
