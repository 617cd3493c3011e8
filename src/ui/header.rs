//! The first line: which cluster, which way, where the run stands, when it is over, what kind of run this is.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::model::Model;
use super::signs;
use super::time;
use super::widgets::row::Row;
use crate::core::command::plural;
use crate::core::control;
use crate::core::gate_rules::waived;
use crate::core::run::Phase;
use crate::core::sequence::Wish;
use crate::core::state::State;
use crate::core::summary::{clock, duration, nodes_done};
use crate::theme::{Role, Theme};

/// A piece of the line: what it says, in longer and shorter ways, and how soon it may go.
struct Piece {
    /// Longest first. An empty one = the piece goes.
    ways: Vec<Row>,
    way: usize,
    /// The least goes first.
    worth: u8,
    right: bool,
}

/// Draws it.
pub fn draw(model: &Model, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return;
    }
    let mut pieces = pieces(model, theme);
    let total = |pieces: &[Piece]| -> usize {
        let w = |p: &Piece| p.ways.get(p.way).map_or(0, |r| if r.spans.is_empty() { 0 } else { r.width() + 2 });
        pieces.iter().map(w).sum()
    };
    while total(&pieces) > area.width as usize {
        let least = pieces.iter_mut().filter(|p| p.way + 1 < p.ways.len()).min_by_key(|p| p.worth);
        match least {
            Some(p) => p.way += 1,
            None => break,
        }
    }
    let (mut left, mut right) = (Row::new(), Row::new());
    left.gap(1);
    for p in pieces {
        let Some(row) = p.ways.into_iter().nth(p.way).filter(|r| !r.spans.is_empty()) else { continue };
        let side = if p.right { &mut right } else { &mut left };
        if side.width() > 1 {
            side.gap(2);
        }
        side.spans.extend(row.spans);
    }
    right.gap(usize::from(right.width() > 0));
    super::widgets::row::draw(theme, area, buf, &left.line(), &right.line());
}

fn row(theme: &Theme, text: impl Into<String>, role: Role) -> Row {
    let mut r = Row::new();
    r.add(text, theme.style(role));
    r
}

fn pieces(model: &Model, theme: &Theme) -> Vec<Piece> {
    let Some(state) = &model.state else {
        return vec![
            Piece { ways: vec![row(theme, "nodelift", Role::Cluster)], way: 0, worth: 9, right: false },
            Piece {
                ways: vec![row(theme, "waiting for the engine", Role::Muted)],
                way: 0,
                worth: 8,
                right: false,
            },
        ];
    };
    let none = Row::new;
    let versions =
        format!("{} {} {}", state.plan.target.from_version, theme.glyphs().arrow, state.plan.target.version);
    let mut out = vec![
        Piece { ways: vec![row(theme, &state.plan.cluster, Role::Cluster)], way: 0, worth: 9, right: false },
        Piece {
            ways: vec![
                row(theme, &state.plan.runbook.short, Role::Muted),
                row(theme, versions, Role::Muted),
                none(),
            ],
            way: 0,
            worth: 2,
            right: false,
        },
        Piece { ways: vec![badge(state, theme), badge_short(state, theme)], way: 0, worth: 7, right: false },
    ];
    if let Some(change) = &state.plan.terms.change {
        out.push(Piece {
            ways: vec![row(theme, change.clone(), Role::Muted), none()],
            way: 0,
            worth: 3,
            right: false,
        });
    }
    let counts = counts(model, state, theme);
    if !counts.spans.is_empty() {
        out.push(Piece { ways: vec![counts, none()], way: 0, worth: 5, right: false });
    }
    for label in labels(model, theme) {
        out.push(Piece { ways: vec![label], way: 0, worth: 8, right: true });
    }
    let zone = || row(theme, "UTC", Role::Muted);
    match &state.run {
        Some(run) => {
            let ticking = state.phase.is_under_way() && !matches!(state.phase, Phase::Paused(_));
            if ticking {
                let passed = clock(time::since(run.started_at, model.now));
                out.push(Piece {
                    ways: vec![row(theme, passed, Role::Text), none()],
                    way: 0,
                    worth: 3,
                    right: true,
                });
                // Less than a minute is no forecast.
                let eta = model.derived().and_then(|d| d.eta).filter(|(_, to)| time::since(model.now, *to) > 60);
                if let Some((from, to)) = eta {
                    let dash = theme.glyphs().dash;
                    let ends = format!("{}{dash}{}", time::short(from, model.now), time::hm(to));
                    let long = row(theme, format!("ends {ends} UTC"), Role::Text);
                    let short = row(theme, format!("ends {ends}"), Role::Text);
                    out.push(Piece { ways: vec![long, short, none()], way: 0, worth: 4, right: true });
                } else {
                    out.push(Piece { ways: vec![zone(), none()], way: 0, worth: 1, right: true });
                }
            } else {
                out.extend(rest(model, state, theme, run.ended_at.map(|e| time::since(run.started_at, e))));
            }
        }
        None => out.extend(rest(model, state, theme, None)),
    }
    out
}

/// At rest no clock ticks: since when it is so, and how long all took.
fn rest(model: &Model, state: &State, theme: &Theme, took: Option<i64>) -> Vec<Piece> {
    let mut out = Vec::new();
    if let Some(s) = took {
        let ways = vec![row(theme, format!("took {}", duration(s)), Role::Text), Row::new()];
        out.push(Piece { ways, way: 0, worth: 4, right: true });
    }
    if let Some(at) = state.phase_since {
        let since = time::short(at, model.now);
        let ways = vec![
            row(theme, format!("since {since} UTC"), Role::Muted),
            row(theme, format!("{since} UTC"), Role::Muted),
            Row::new(),
        ];
        out.push(Piece { ways, way: 0, worth: 1, right: true });
    }
    out
}

fn badge(state: &State, theme: &Theme) -> Row {
    if let Some((run, _)) = state.sequence_before_run() {
        let g = theme.glyphs();
        let (sign, role, word) = match &run.paused {
            Some(halt) => (g.paused, Role::Paused, format!("PAUSED {}", halt.value.reason)),
            None => {
                let word = match run.asked {
                    Some(Wish::Pause) => "PAUSING",
                    Some(Wish::Stop) => "ENDING",
                    None => "RESTARTING",
                };
                (g.running, Role::Running, word.to_owned())
            }
        };
        let mut row = Row::new();
        row.add(format!(" {sign} {word} "), theme.badge(role));
        return row;
    }
    let (sign, role) = signs::phase(theme.glyphs(), &state.phase);
    let word = match &state.phase {
        Phase::Paused(reason) => format!("PAUSED {reason}"),
        p => p.word().to_uppercase(),
    };
    let mut row = Row::new();
    row.add(format!(" {sign} {word} "), theme.badge(role));
    row
}

fn badge_short(state: &State, theme: &Theme) -> Row {
    let (sign, role) = signs::phase(theme.glyphs(), &state.phase);
    let mut row = Row::new();
    row.add(format!(" {sign} {} ", state.phase.word().to_uppercase()), theme.badge(role));
    row
}

fn counts(model: &Model, state: &State, theme: &Theme) -> Row {
    let mut row = Row::new();
    let dot = format!(" {} ", theme.glyphs().dot);
    let Some(d) = model.derived() else { return row };
    let mut part = |text: String, role: Role| {
        if row.width() > 0 {
            row.add(dot.clone(), theme.style(Role::Muted));
        }
        row.add(text, theme.style(role));
    };
    if !model.caught_up {
        part("reading the journal".into(), Role::Muted);
        return row;
    }
    if state.run.is_some() {
        let (done, of) = nodes_done(state);
        part(format!("{done} of {of}"), Role::Strong);
    }
    let waiting = attention(state, model);
    if waiting > 0 {
        let need = if waiting == 1 { "needs you" } else { "need you" };
        part(format!("{waiting} {need}"), Role::Attention);
    }
    let owed = crate::core::owed::owed(state).len();
    if owed > 0 {
        part(format!("{owed} to take back"), Role::Attention);
    }
    let gates = waived(state, model.now);
    if state.run.is_some() {
        if gates > 0 && !state.phase.is_terminal() {
            part(format!("{} waived", plural(gates, "gate")), Role::Attention);
        }
        return row;
    }
    if let Some((run, _)) = state.sequence_before_run() {
        part(format!("{} of {}", run.node, run.nodes.len()), Role::Strong);
        return row;
    }
    match &state.phase {
        Phase::Checking => {
            let c = &d.counts;
            part(format!("{} of {}", c.verdicts - c.open, c.verdicts), Role::Strong);
            if c.fail + c.unknown > 0 {
                part(format!("{} bad so far", c.fail + c.unknown), Role::Failed);
            }
        }
        Phase::Blocked | Phase::Ready => {
            let c = &d.counts;
            if c.fail > 0 {
                part(format!("{} to fix", c.fail), Role::Failed);
            }
            if c.unknown > 0 {
                part(format!("{} could not tell", c.unknown), Role::Unknown);
            }
            if c.warn > 0 {
                part(plural(c.warn, "warning"), Role::Attention);
            }
            if c.waived + gates > 0 {
                part(format!("{} waived", c.waived + gates), Role::Attention);
            }
        }
        Phase::Draft if waiting == 0 => part("not checked yet".into(), Role::Muted),
        _ => {}
    }
    row
}

/// Machines and nodes that wait for a person.
fn attention(state: &State, model: &Model) -> usize {
    let over = state.phase.is_terminal();
    let cut_off = state.cut_off();
    let lost = crate::core::command::lost(state);
    state
        .plan
        .machines()
        .filter(|n| {
            cut_off.iter().any(|(m, _)| m == n)
                || lost.iter().any(|k| k.node.as_ref() == Some(n))
                || state.unit(n).is_some_and(|u| {
                    let late =
                        || u.progress.stalled.is_some() || crate::core::summary::overdue(state, u, model.now);
                    u.state.is_bad() || (!over && late())
                })
        })
        .count()
}

fn labels(model: &Model, theme: &Theme) -> Vec<Row> {
    let times = theme.glyphs().times;
    let m = &model.modes;
    let mut out = Vec::new();
    let speed =
        |s: f64| if s >= 10.0 { format!("{s:.0}") } else { format!("{:.1}", s).trim_end_matches(".0").to_owned() };
    if let Some(r) = &m.replay {
        let at = if r.paused { "paused".to_owned() } else { format!("{times}{}", speed(r.speed)) };
        out.push(format!("REPLAY {at} {}/{}", r.played, r.total));
    } else if m.imitated {
        let at = if m.scale == 1.0 { String::new() } else { format!(" {times}{}", speed(m.scale)) };
        out.push(format!("DEMO{at}"));
    } else if m.scale != 1.0 {
        out.push(format!("LAB {times}{}", speed(m.scale)));
    }
    if model.state.as_ref().is_some_and(|s| s.plan.rehearses()) {
        out.push("REHEARSAL".into());
    }
    if m.replay.is_none() && model.state.is_some() {
        match (model.role(), model.other_controller()) {
            (control::Role::Observer, _) => out.push("READ-ONLY".into()),
            (control::Role::Operator, Some(seat)) => out.push(format!("{} HAS CONTROL", seat.who)),
            (control::Role::Operator, None) => out.push("NO CONTROL".into()),
            _ => {}
        }
    }
    if model.gone.is_some() {
        out.push("NO ENGINE".into());
    }
    out.into_iter()
        .map(|text| {
            let mut row = Row::new();
            row.add(text, theme.style(Role::Label));
            row
        })
        .collect()
}

/// The header as text, for tests and for a narrow frame.
pub fn tabs(model: &Model, theme: &Theme) -> Line<'static> {
    use super::layout::Pane;
    let mut row = Row::new();
    row.gap(1);
    for (i, pane) in Pane::ALL.into_iter().enumerate() {
        let on = pane == model.focus;
        let style = if on { theme.select(true) } else { theme.style(Role::Title) };
        row.add(format!(" {} {} ", i + 1, pane.title()), style).gap(1);
    }
    row.line()
}
