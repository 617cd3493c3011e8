//! A run that the driver makes by itself once it is asked to: there is no task of ours to look at. Whether it began is told by
//! what the driver says afterwards, and it is never asked twice on doubt (run-safety-model 5 and 8).

use jiff::Timestamp;

use super::run::LOST_AFTER;
use super::{Decider, Turn, after, seconds};
use crate::core::event::{Answer, ENGINE, Event, Failure, FailureKind};
use crate::core::gates::foreign_words;
use crate::core::name::OpId;
use crate::core::plan::Step;
use crate::core::run::{PauseReason, Phase};
use crate::core::state::StepState;

/// Seconds by which the driver's clock may be behind ours: what began so much earlier than it was asked for is still ours.
const SKEW: i64 = 60;

impl Decider {
    /// Why the driver cannot be asked to run now, where it is busy.
    pub(super) fn driver_is_busy(&self) -> Option<String> {
        let seen = &self.state.driver.as_ref()?.value;
        let name = &self.state.plan.driver.name;
        Some(match (self.state.own_run(), &seen.run) {
            _ if seen.is_idle() => return None,
            (Some(r), _) => {
                format!("the run that {} drove is still locked: it must end or be cleared first", r.orchestrator)
            }
            (None, Some(r)) => format!("{name}: {}; it must end first", foreign_words(r)),
            (None, None) => format!("{name} says {}: its last run must be cleared first", seen.state),
        })
    }

    /// Follows a run that was asked for.
    pub(super) fn handed_over(
        &mut self,
        turn: &mut Turn,
        step: &Step,
        known: &StepState,
        op: OpId,
        now: Timestamp,
    ) {
        let Some(intended) = known.intended_at else { return };
        if known.started_at.is_none() {
            if self.began_since(intended) {
                return self.emit(turn, ENGINE, Event::StepStarted { step: step.id.clone(), op }, now);
            }
            if let Some(why) = self.is_another(intended) {
                return self.phase(turn, ENGINE, Phase::Paused(PauseReason::ForeignRun), &why, now);
            }
        }
        if self.state.run.as_ref().is_some_and(|r| r.units.values().all(|u| u.state.is_good())) {
            let count = self.state.plan.nodes.len();
            return self.delegate_ended(turn, step, true, &format!("{count} of {count} nodes done"), now);
        }
        let nothing = self.nothing_came(intended, known.started_at, now);
        if let Some(message) = self.driver_gave_up(None, now).or(nothing) {
            self.delegate_ended(turn, step, false, &message, now);
        }
    }

    /// A run began after it was asked for: it goes on, or it left a report.
    pub(super) fn began_since(&self, intended: Timestamp) -> bool {
        let going = self.state.driver.as_ref().filter(|d| d.at > intended && !d.value.is_idle());
        let run = going.and_then(|d| d.value.run.as_ref());
        run.is_some_and(|r| r.started_utc.is_none_or(|s| seconds(intended, s) > -SKEW))
            || self.own_report().is_some()
    }

    /// What goes on was begun before: it is somebody else's.
    fn is_another(&self, intended: Timestamp) -> Option<String> {
        self.state.driver.as_ref().filter(|d| d.at > intended).and_then(|_| self.driver_is_busy())
    }

    /// Nothing goes on and no report says why, for so long that nothing will come of it.
    fn nothing_came(&self, intended: Timestamp, started: Option<Timestamp>, now: Timestamp) -> Option<String> {
        let driver = self.state.driver.as_ref().filter(|d| d.at > intended && d.value.is_idle())?;
        let asked = [self.fresh_at(&self.driver_key()), self.fresh_at(&self.report_key())];
        // Both were read since: a run that is only not seen yet is not given up.
        let since = driver.at.max(started.unwrap_or(intended));
        let told = asked.into_iter().all(|at| at.is_some_and(|at| after(since, LOST_AFTER) <= at));
        let quiet = self.state.run.as_ref()?.units.values().all(|u| !u.state.in_work());
        let minutes = LOST_AFTER / 60;
        let name = &self.state.plan.driver.name;
        (told && quiet && after(since, LOST_AFTER) <= now).then(|| {
            format!("{name} was asked to run, and for {minutes} minutes nothing goes on there and there is no report of it")
        })
    }

    /// The script that asks for the run has answered.
    pub(super) fn handover_answered(
        &mut self,
        turn: &mut Turn,
        step: &Step,
        op: OpId,
        answer: Answer,
        now: Timestamp,
    ) {
        match answer {
            Answer::Facts(_) => {
                let begun = self.state.run.as_ref().and_then(|r| r.steps.get(&step.id)?.started_at).is_some();
                if !begun {
                    self.emit(turn, ENGINE, Event::StepStarted { step: step.id.clone(), op }, now);
                }
                self.poll_now(&self.driver_key());
            }
            // It threw before it asked, or it was never sent: nothing runs.
            Answer::Failed(Failure { kind: FailureKind::Threw | FailureKind::NotSent, message, .. }) => {
                let message = format!("{} could not be started: {message}", step.title);
                self.delegate_ended(turn, step, false, &message, now);
            }
            // Maybe it was asked: what the driver says from now on tells.
            Answer::Failed(_) => self.poll_now(&self.driver_key()),
        }
    }
}
