//! If this dies now: the screen and this box, the node in work, and how far it is to the next safe point.

use super::model::Model;
use super::widgets::text;
use crate::core::plan::Mode;
use crate::core::run::Phase;
use crate::core::summary::{duration, to_safe_point};
use crate::core::survival::{Survival, survival};
use crate::theme::Glyphs;

/// The sentences, in so many rows of so many columns; none where nothing is under way. What matters least goes first.
pub fn lines(model: &Model, g: &Glyphs, width: usize, rows: usize) -> Vec<String> {
    let Some(state) = model.state.as_ref().filter(|_| model.modes.replay.is_none() && model.gone.is_none()) else {
        return Vec::new();
    };
    if !matches!(state.phase, Phase::Running | Phase::Pausing | Phase::Stopping) || rows == 0 {
        return Vec::new();
    }
    let what = if model.modes.own_engine { "this screen" } else { "this box" };
    let delegated = state.plan.driver.mode == Mode::Delegated;
    let survives = survival(state);
    let safe = to_safe_point(state, model.now).map(|s| duration(s as i64));
    if rows > 1 {
        let goes_on = match delegated {
            true => format!("{} goes on alone; nodelift run finds it again", state.plan.driver.name),
            false => "the node in work ends what was begun, no other is begun".to_owned(),
        };
        let safe = safe.as_ref().map_or_else(String::new, |s| format!(" Safe point in ~{s}."));
        let mut out = vec![format!("If {what} dies now: {goes_on}.{safe}")];
        out.extend(survives.as_ref().map(in_full));
        if out.iter().all(|l| text::width(l) <= width) {
            return out;
        }
    }
    let arrow = g.arrow;
    let mut parts =
        vec![format!("{what} {arrow} {}", if delegated { "nothing stops" } else { "no other begins" })];
    parts.extend(survives.as_ref().map(|s| format!("{} {arrow} {}", s.node, in_short(s))));
    parts.extend(safe.map(|s| format!("safe in ~{s}")));
    let dot = format!(" {} ", g.dot);
    let said = |parts: &[String]| format!("Dies now: {}", parts.join(&dot));
    while parts.len() > 1 && text::width(&said(&parts)) > width {
        parts.pop();
    }
    vec![said(&parts)]
}

fn in_short(s: &Survival) -> String {
    match (s.votes, s.copies) {
        (Some(v), _) if v < 0 => "quorum is lost".to_owned(),
        (_, Some(c)) if c < 0 => "data may be lost".to_owned(),
        (None, _) | (_, None) => "nobody knows".to_owned(),
        _ if s.another_may_fail() => "another may fail".to_owned(),
        _ => "no other may fail".to_owned(),
    }
}

fn in_full(s: &Survival) -> String {
    let more = |n: i64| if n == 1 { "1 more node".to_owned() } else { format!("{n} more nodes") };
    let votes = match s.votes {
        None => "quorum not read".to_owned(),
        Some(v) if v < 0 => "the quorum is lost".to_owned(),
        Some(0) => "the quorum holds, and no other node may fail".to_owned(),
        Some(v) => format!("the quorum stands {}", more(v)),
    };
    let copies = match s.copies {
        None => "copies not read".to_owned(),
        Some(c) if c < 0 => "data may be lost".to_owned(),
        Some(0) => "the last copies remain, no other node may fail".to_owned(),
        Some(c) => format!("the data stands {}", more(c)),
    };
    format!("If {} dies now: {} of {} go on; {votes}, {copies}.", s.node, s.left, s.of)
}
