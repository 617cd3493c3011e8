//! How the journal stands: whether what happens can still be written down. Nothing is begun that cannot be
//! (run-safety-model 7.4).

use serde::{Deserialize, Serialize};

use super::gates::bytes;

/// Free bytes below which a person is told.
pub const WARN_BELOW: u64 = 500 << 20;

/// Free bytes below which nothing new is begun.
pub const PAUSE_BELOW: u64 = 64 << 20;

/// How the journal stands.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Keeping {
    #[default]
    Fine,
    /// Little space is left: so many bytes.
    Low { free: u64 },
    /// Too little for a run: what was put aside for the last words may be in use already.
    Full { free: u64 },
    /// It could not be written, in a new file neither. Final for this engine.
    Lost { why: String },
}

impl Keeping {
    /// By the free space. `squeezed`: the disk was full already, and what was put aside is in use.
    pub fn of(free: Option<u64>, squeezed: bool) -> Self {
        match free {
            _ if squeezed => Keeping::Full { free: free.unwrap_or(0) },
            Some(free) if free < PAUSE_BELOW => Keeping::Full { free },
            Some(free) if free < WARN_BELOW => Keeping::Low { free },
            _ => Keeping::Fine,
        }
    }

    /// Another state, not only another number: an event.
    pub fn differs(&self, other: &Self) -> bool {
        std::mem::discriminant(self) != std::mem::discriminant(other)
    }

    /// Why nothing new may be begun, and what to do.
    pub fn closed(&self) -> Option<String> {
        match self {
            Keeping::Fine | Keeping::Low { .. } => None,
            Keeping::Full { .. } => {
                let least = bytes(PAUSE_BELOW);
                Some(format!("{}: make room there, at least {least}", self.words()))
            }
            Keeping::Lost { .. } => Some(format!(
                "{}: leave with q, put the disk right and open the run again; what was begun on the machines goes on",
                self.words()
            )),
        }
    }

    /// In a few words.
    pub fn words(&self) -> String {
        match self {
            Keeping::Fine => "the journal is written".to_owned(),
            Keeping::Low { free } => format!("the journal's disk has {} left", bytes(*free)),
            Keeping::Full { free } => format!("the journal's disk is full ({} left)", bytes(*free)),
            Keeping::Lost { why } => format!("the journal cannot be written ({why})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_warns_then_closes() {
        let of = |mib: u64| Keeping::of(Some(mib << 20), false);
        assert_eq!(of(500), Keeping::Fine);
        assert!(matches!(of(499), Keeping::Low { .. }) && of(64).closed().is_none());
        assert!(of(63).closed().is_some_and(|w| w.contains("full")));
        // A quota may say that there is room.
        assert!(Keeping::of(Some(u64::MAX), true).closed().is_some());
        // Where it cannot be told, writing tells.
        assert_eq!(Keeping::of(None, false), Keeping::Fine);
    }
}
