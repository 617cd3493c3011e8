//! Bars.

use ratatui::style::Style;
use ratatui::text::Span;

use super::row::Row;
use crate::theme::{Role, Theme};

/// A bar: how much of it has passed, `0.0` to `1.0`, in so many columns.
pub fn bar(theme: &Theme, columns: usize, part: f64, done: Role) -> Vec<Span<'static>> {
    let g = theme.glyphs();
    let part = if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 };
    let halves = (part * columns as f64 * 2.0).round() as usize;
    let full = (halves / 2).min(columns);
    let tip = usize::from(halves % 2 == 1 && full < columns);
    let style = theme.style(done);
    let mut row = Row::new();
    row.add(g.full.repeat(full), style)
        .add(g.tip.repeat(tip), style)
        .add(g.rest.repeat(columns - full - tip), theme.style(Role::GaugeRest));
    row.spans
}

/// A bar that has not begun.
pub fn empty(theme: &Theme, columns: usize) -> Span<'static> {
    let style: Style = theme.style(Role::GaugeRest);
    Span::styled(theme.glyphs().rest.repeat(columns), style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_has_its_width_whatever_the_part() {
        let theme = Theme::default();
        for part in [-1.0, 0.0, 0.04, 0.5, 0.99, 1.0, 7.0, f64::NAN, f64::INFINITY] {
            for columns in 0..20 {
                let w: usize = bar(&theme, columns, part, Role::GaugeDone).iter().map(Span::width).sum();
                assert_eq!(w, columns, "{part}");
            }
        }
    }
}
