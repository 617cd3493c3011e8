//! What of a state decides how a run goes on, as one hash: kept in the journal, so that whoever folds it later knows whether it
//! understands it as the engine did that wrote it (run-safety-model 7.4).
//!
//! Lines of text, not the state's own form: a field that a later version adds must not look like another meaning.

use sha2::{Digest, Sha256};

use super::state::{CommitState, State};

/// Rises when the lines below change: hashes of another form say nothing.
pub const FORM: u32 = 1;

impl State {
    /// SHA-256 of what decides how the run goes on, hex.
    pub fn digest(&self) -> String {
        Sha256::digest(self.decisive().join("\n")).iter().map(|b| format!("{b:02x}")).collect()
    }

    fn decisive(&self) -> Vec<String> {
        let reason = serde_json::to_string(&self.phase).unwrap_or_default();
        let plan = self.plan_sha256.as_deref().unwrap_or("none");
        let mut out = vec![format!("phase {reason}"), format!("plan {plan} {}", self.revision)];
        out.extend(self.waivers.iter().map(|w| {
            let node = w.key.node.as_ref().map_or("", |n| n.as_str());
            format!("waived {} {node} until {}", w.key.check, w.expires)
        }));
        out.extend(self.fixes.iter().map(|(op, f)| format!("fix {op} answered {}", f.answer.is_some())));
        if let Some(s) = &self.sequence {
            let (paused, ended) = (s.paused.is_some(), s.ended.as_ref().map(|e| e.value.ok));
            out.push(format!(
                "sequence {} {} node {} action {} paused {paused} ended {ended:?}",
                s.id, s.seq, s.node, s.action
            ));
            for (node, actions) in &s.actions {
                out.extend(actions.iter().map(|(id, a)| {
                    let op = a.op.as_ref().map_or("none", |op| op.as_str());
                    format!("action {node} {id} attempt {} op {op} ended {}", a.attempt, a.ended.is_some())
                }));
            }
        }
        if let Some(run) = &self.run {
            for (id, s) in &run.steps {
                let op = s.op.as_ref().map_or("none", |op| op.as_str());
                let ended = s.ended.as_ref().map(|e| e.value.ok);
                out.push(format!("step {id} attempt {} op {op} ended {ended:?}", s.attempt));
            }
            out.extend(run.units.iter().map(|(node, u)| format!("unit {node} {}", u.state.word())));
            out.extend(run.commits.iter().map(|(step, c)| match c {
                CommitState::Intended { op, .. } => format!("commit {step} intended {op}"),
                CommitState::Done { .. } => format!("commit {step} done"),
                CommitState::Failed { .. } => format!("commit {step} failed"),
                CommitState::Deferred { .. } => format!("commit {step} deferred"),
            }));
            out.push(format!(
                "doomed {} ending {:?}",
                run.doomed.is_some(),
                run.ending.as_ref().map(|e| e.verdict)
            ));
        }
        out.push(format!("verdict {:?}", self.verdict));
        out
    }

    /// Why this program may only look: the journal means something else to it than to the engine that wrote it.
    pub fn understood(&self) -> Result<(), String> {
        match self.diverged {
            None => Ok(()),
            Some(seq) => {
                let version = self.written_by.as_deref().unwrap_or("another version");
                Err(format!(
                    "the journal means something else to this nodelift than to the one that wrote it (record {seq}, nodelift \
                     {version}): go on with that one"
                ))
            }
        }
    }

    /// Why nothing new may be begun, and what to do.
    pub fn closed(&self) -> Option<String> {
        self.understood().err().or_else(|| self.keeping.closed())
    }

    /// Nothing is sent any more that changes a machine.
    pub fn only_looks(&self) -> bool {
        self.diverged.is_some() || matches!(self.keeping, super::keeping::Keeping::Lost { .. })
    }
}
