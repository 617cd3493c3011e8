//! Who looks at a run, and which one of them may change it (run-safety-model 1).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::command::{Command, Refusal};

/// Number of a viewer, by its engine.
pub type ViewerId = u64;

/// After so many seconds without a sign of its person a controller may be relieved by another one.
pub const SILENT_AFTER: i64 = 600;

/// What a viewer may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Look.
    Observer,
    /// Also read again, and stop the line.
    Operator,
    /// Everything; exactly one at a time.
    Controller,
}

impl Role {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Role::Observer => "observer",
            Role::Operator => "operator",
            Role::Controller => "controller",
        }
    }
}

/// One viewer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// The login behind it.
    pub who: String,
    /// Where it comes from: an address, or `here`.
    pub from: String,
    pub role: Role,
    pub since: Timestamp,
}

/// What a viewer asks about control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Control {
    /// Give it to whoever takes it.
    Offer,
    /// Not any more.
    Keep,
    Take,
}

/// How control came to a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Handover {
    /// It was offered and accepted.
    Accepted,
    /// Nobody had it.
    Free,
    /// The controller had been silent for too long, or is the same person.
    Taken,
}

/// Everybody who looks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seats {
    pub seats: BTreeMap<ViewerId, Seat>,
    /// The controller offers control to whoever takes it.
    pub offered: bool,
}

impl Seats {
    /// The one that may change the run.
    pub fn controller(&self) -> Option<(ViewerId, &Seat)> {
        self.seats.iter().find(|(_, s)| s.role == Role::Controller).map(|(id, s)| (*id, s))
    }

    /// What a viewer gets that asks for no more than looking, or for what there is.
    pub fn role_for(&self, looks_only: bool) -> Role {
        match (looks_only, self.controller()) {
            (true, _) => Role::Observer,
            (false, None) => Role::Controller,
            (false, Some(_)) => Role::Operator,
        }
    }

    /// Control moves to a viewer.
    pub fn give(&mut self, to: ViewerId) {
        for (id, seat) in &mut self.seats {
            match (*id == to, seat.role) {
                (true, _) => seat.role = Role::Controller,
                (false, Role::Controller) => seat.role = Role::Operator,
                _ => {}
            }
        }
        self.offered = false;
    }

    /// Who has control after a viewer that had it and has gone: the same person on another screen, the last that came.
    pub fn heir(&self, gone: &Seat) -> Option<ViewerId> {
        let theirs = |(_, s): &(&ViewerId, &Seat)| s.who == gone.who && s.role == Role::Operator;
        let free = gone.role == Role::Controller && self.controller().is_none();
        self.seats.iter().rev().find(theirs).map(|(id, _)| *id).filter(|_| free)
    }

    /// A viewer left.
    pub fn leave(&mut self, id: ViewerId) {
        self.seats.remove(&id);
        self.offered &= self.controller().is_some();
    }

    /// Whether a viewer may take control now, and how. `silent_since`: the last sign of the controller's person.
    ///
    /// # Errors
    /// Why not.
    pub fn may_take(&self, id: ViewerId, silent_since: Timestamp, now: Timestamp) -> Result<Handover, Refusal> {
        let Some(seat) = self.seats.get(&id) else { return Err(Refusal("this viewer is not known".into())) };
        match (seat.role, self.controller()) {
            (Role::Observer, _) => Err(Refusal("this screen is read-only".into())),
            (Role::Controller, _) => Err(Refusal("you have control already".into())),
            (Role::Operator, None) => Ok(Handover::Free),
            (Role::Operator, Some(_)) if self.offered => Ok(Handover::Accepted),
            // The commonest case: one's own screen, on a link that hangs.
            (Role::Operator, Some((_, other))) if other.who == seat.who => Ok(Handover::Taken),
            (Role::Operator, Some((_, other))) => {
                let silent = now.duration_since(silent_since).as_secs();
                if silent >= SILENT_AFTER {
                    return Ok(Handover::Taken);
                }
                let left = super::summary::duration((SILENT_AFTER - silent).max(1));
                Err(Refusal(format!(
                    "{} has control and was heard of {} ago: they offer it to you, or you take it after {left} more of silence",
                    other.who,
                    super::summary::duration(silent.max(0)),
                )))
            }
        }
    }
}

/// The least role that a command asks for (run-safety-model 1 and 3).
pub fn needed(command: &Command) -> Role {
    match command {
        Command::Connect => Role::Observer,
        Command::Pause
        | Command::CheckAll
        | Command::Retry { .. }
        | Command::RetryFailed
        | Command::RetryNode { .. }
        | Command::Prove { .. } => Role::Operator,
        _ => Role::Controller,
    }
}

/// Whether a viewer of that role may give a command.
///
/// # Errors
/// Who may, and how to become that.
pub fn may(role: Role, command: &Command, controller: Option<&Seat>) -> Result<(), Refusal> {
    if role >= needed(command) {
        return Ok(());
    }
    Err(Refusal(match (role, controller) {
        (Role::Observer, _) => "this screen is read-only".into(),
        (_, Some(seat)) => format!("{} has control from {}: take it over first", seat.who, seat.from),
        (_, None) => "nobody has control: take it first".into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(who: &str, role: Role) -> Seat {
        Seat { who: who.into(), from: "here".into(), role, since: Timestamp::UNIX_EPOCH }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn the_first_who_may_change_has_control_and_there_is_only_one() {
        let mut seats = Seats::default();
        assert_eq!(seats.role_for(true), Role::Observer);
        assert_eq!(seats.role_for(false), Role::Controller);
        seats.seats.insert(1, seat("anna", Role::Controller));
        assert_eq!(seats.role_for(false), Role::Operator);
        seats.seats.insert(2, seat("ben", Role::Operator));
        seats.give(2);
        let roles: Vec<Role> = seats.seats.values().map(|s| s.role).collect();
        assert_eq!(roles, [Role::Operator, Role::Controller]);
        seats.leave(2);
        assert!(seats.controller().is_none());
        assert_eq!(seats.may_take(1, at(0), at(1)), Ok(Handover::Free));
    }

    #[test]
    fn control_is_offered_or_taken_after_silence() {
        let mut seats = Seats::default();
        seats.seats.insert(1, seat("anna", Role::Controller));
        seats.seats.insert(2, seat("ben", Role::Operator));
        seats.seats.insert(3, seat("anna", Role::Operator));
        seats.seats.insert(4, seat("cleo", Role::Observer));
        let why = seats.may_take(2, at(0), at(60)).unwrap_err().0;
        assert_eq!(
            why,
            "anna has control and was heard of 1m ago: they offer it to you, or you take it after 9m more of silence"
        );
        assert_eq!(seats.may_take(2, at(0), at(600)), Ok(Handover::Taken));
        assert_eq!(seats.may_take(3, at(0), at(1)), Ok(Handover::Taken), "one's own other screen");
        assert!(seats.may_take(4, at(0), at(9999)).is_err());
        seats.offered = true;
        assert_eq!(seats.may_take(2, at(0), at(1)), Ok(Handover::Accepted));
        seats.leave(1);
        assert!(!seats.offered);
        assert_eq!(seats.heir(&seat("anna", Role::Controller)), Some(3));
        assert_eq!(seats.heir(&seat("cleo", Role::Controller)), None);
    }

    #[test]
    fn anyone_may_stop_the_line_only_the_controller_restarts_it() {
        let anna = seat("anna", Role::Controller);
        assert!(may(Role::Operator, &Command::Pause, Some(&anna)).is_ok());
        let why = may(Role::Operator, &Command::Resume, Some(&anna)).unwrap_err().0;
        assert_eq!(why, "anna has control from here: take it over first");
        assert!(may(Role::Observer, &Command::Pause, Some(&anna)).is_err());
        assert!(may(Role::Controller, &Command::Start, None).is_ok());
    }
}
