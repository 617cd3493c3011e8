//! Names: of machines, and of operations that run on them.

use std::borrow::Borrow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The short name of a machine, upper case: Windows compares names without case, so we fold them once, here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct NodeName(String);

impl NodeName {
    /// Folds to upper case. A full name (`hci-n1.corp.example`) is cut at its first dot.
    pub fn new(name: &str) -> Self {
        let short = name.split('.').next().unwrap_or(name);
        Self(short.trim().to_uppercase())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<String> for NodeName {
    fn from(name: String) -> Self {
        Self::new(&name)
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> Self {
        name.0
    }
}

impl From<&str> for NodeName {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl Borrow<str> for NodeName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Identity of one operation on one machine: `<step or check>-<machine>-<attempt>-<run>`, printable, at most 64
/// characters, free of the wildcards `*?[]`. It names the folder, the task and the claim on the node
/// (run-safety-model 6; lab reads, transport 5).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OpId(String);

impl OpId {
    /// Builds the id; characters that a file name or a wildcard match would trip over become `-`.
    pub fn new(what: &str, node: &NodeName, attempt: u32, run: &str) -> Self {
        let run = run.rsplit('-').next().unwrap_or(run);
        let tail = format!("-{attempt}-{}", &run[run.len().saturating_sub(8)..]);
        let mut id = format!("{what}-{node}")
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' })
            .collect::<String>();
        id.truncate(64 - tail.len().min(32));
        id.push_str(&tail);
        Self(id)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_case_and_domain() {
        assert_eq!(NodeName::new("hci-n1.corp.example"), NodeName::new("HCI-N1"));
    }

    #[test]
    fn op_ids_are_short_printable_and_free_of_wildcards() {
        let id = OpId::new(&"a*b?[c]/".repeat(20), &NodeName::new("HCI-N1"), 12, "0199-aaaa-bbbbccccdddd");
        assert!(id.as_str().len() <= 64);
        assert!(id.as_str().chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'));
        assert!(id.as_str().ends_with("-12-ccccdddd"));
    }
}
