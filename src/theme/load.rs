//! Theme files: one look each.

use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;
use toml::Spanned;

use super::role::Role;
use crate::config::diagnose::{Diagnostic, Diagnostics, Source, suggest};

/// The built-in looks: name and file.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("default", include_str!("../../themes/default.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("high-contrast", include_str!("../../themes/high-contrast.toml")),
    ("colour-blind", include_str!("../../themes/colour-blind.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
];

/// Styles by role, as a file gives them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    pub title: String,
    /// The ground it was made for: contrast is measured against it, it is never painted.
    pub ground: Option<Color>,
    /// The letters of that ground, for roles without a colour.
    pub letters: Option<Color>,
    styles: BTreeMap<Role, Style>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    ground: Option<Spanned<String>>,
    letters: Option<Spanned<String>>,
    roles: BTreeMap<Spanned<String>, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    fg: Option<Spanned<String>>,
    bg: Option<Spanned<String>>,
    #[serde(default)]
    bold: bool,
    #[serde(default)]
    dim: bool,
    #[serde(default)]
    italic: bool,
    #[serde(default)]
    underline: bool,
    #[serde(default)]
    reverse: bool,
    /// Takes nothing over from the parent.
    #[serde(default)]
    plain: bool,
}

/// The built-in look of that name.
pub fn built_in(name: &str) -> Option<Look> {
    let (name, text) = BUILT_IN.iter().find(|(n, _)| *n == name)?;
    Look::parse(&Source::new(*name, *text)).ok()
}

impl Look {
    /// Reads a theme file.
    ///
    /// # Errors
    /// Every unknown role and colour, with its place.
    pub fn parse(source: &Source) -> Result<Self, Diagnostics> {
        let file: File = source.parse()?;
        let mut wrong = Vec::new();
        let mut color = |c: &Option<Spanned<String>>| -> Option<Color> {
            let c = c.as_ref()?;
            let read = parse_color(c.get_ref());
            if read.is_none() {
                let d = Diagnostic::new(source, c.span(), format!("`{}` is no colour", c.get_ref()));
                wrong.push(d.help("red, bright-red, … , #rrggbb, or a number of the 256"));
            }
            read
        };
        let mut look = Self {
            title: file.title,
            ground: color(&file.ground),
            letters: color(&file.letters),
            styles: BTreeMap::new(),
        };
        let mut named = Vec::new();
        for (name, entry) in &file.roles {
            let mut style = Style::new();
            style.fg = color(&entry.fg);
            style.bg = color(&entry.bg);
            for (on, modifier) in [
                (entry.bold, Modifier::BOLD),
                (entry.dim, Modifier::DIM),
                (entry.italic, Modifier::ITALIC),
                (entry.underline, Modifier::UNDERLINED),
                (entry.reverse, Modifier::REVERSED),
            ] {
                if on {
                    style = style.add_modifier(modifier);
                }
            }
            if entry.plain {
                style.fg = style.fg.or(Some(Color::Reset));
                style = Style { sub_modifier: Modifier::all() - style.add_modifier, ..style };
            }
            named.push((name, style));
        }
        for (name, style) in named {
            match Role::ALL.iter().find(|r| r.id() == name.get_ref()) {
                Some(role) => {
                    look.styles.insert(*role, style);
                }
                None => wrong.push(
                    Diagnostic::new(source, name.span(), format!("there is no role `{}`", name.get_ref()))
                        .help(suggest(name.get_ref(), Role::ALL.iter().map(|r| r.id()).collect::<Vec<_>>())),
                ),
            }
        }
        if wrong.is_empty() { Ok(look) } else { Err(Diagnostics(wrong)) }
    }

    /// How a role looks: its own entry over that of its parents.
    pub fn style(&self, role: Role) -> Style {
        let base = role.parent().map_or_else(Style::new, |p| self.style(p));
        let own = self.styles.get(&role).copied().unwrap_or_default();
        let mut style = base.patch(own);
        // What an entry takes away stays away only here: drawn over other cells it must not clear theirs.
        style.sub_modifier = Modifier::empty();
        style
    }
}

fn parse_color(text: &str) -> Option<Color> {
    const NAMES: [(&str, Color); 17] = [
        ("default", Color::Reset),
        ("black", Color::Black),
        ("red", Color::Red),
        ("green", Color::Green),
        ("yellow", Color::Yellow),
        ("blue", Color::Blue),
        ("magenta", Color::Magenta),
        ("cyan", Color::Cyan),
        ("white", Color::Gray),
        ("bright-black", Color::DarkGray),
        ("bright-red", Color::LightRed),
        ("bright-green", Color::LightGreen),
        ("bright-yellow", Color::LightYellow),
        ("bright-blue", Color::LightBlue),
        ("bright-magenta", Color::LightMagenta),
        ("bright-cyan", Color::LightCyan),
        ("bright-white", Color::White),
    ];
    if let Some((_, color)) = NAMES.iter().find(|(n, _)| *n == text) {
        return Some(*color);
    }
    if let Some(hex) = text.strip_prefix('#').filter(|h| h.len() == 6) {
        let v = u32::from_str_radix(hex, 16).ok()?;
        return Some(Color::Rgb((v >> 16) as u8, (v >> 8) as u8, v as u8));
    }
    text.parse().ok().map(Color::Indexed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theme::{Depth, Theme, UNICODE, contrast, rgb};

    fn looks() -> Vec<(&'static str, Look)> {
        BUILT_IN
            .iter()
            .map(|(n, t)| (*n, Look::parse(&Source::new(*n, *t)).unwrap_or_else(|e| panic!("{e}"))))
            .collect()
    }

    #[test]
    fn every_built_in_theme_loads_and_has_letters_that_can_be_read() {
        for (name, look) in looks() {
            let (Some(ground), Some(letters)) = (look.ground.and_then(rgb), look.letters.and_then(rgb)) else {
                // The terminal's own sixteen: what they look like is the user's choice.
                assert!(matches!(name, "default" | "mono"), "{name} says no ground");
                continue;
            };
            for role in Role::ALL {
                let style = look.style(*role);
                let mut fg = style.fg.and_then(rgb).unwrap_or(letters);
                let mut bg = style.bg.and_then(rgb).unwrap_or(ground);
                if style.add_modifier.contains(Modifier::REVERSED) {
                    std::mem::swap(&mut fg, &mut bg);
                }
                // Lines and bars are no letters: they need less.
                let least = if matches!(role, Role::Border | Role::GaugeRest) { 1.5 } else { 4.5 };
                let got = contrast(fg, bg);
                assert!(got >= least, "{name} {}: contrast {got:.1}", role.id());
                // Text that is dimmed by colour must not be dimmed again.
                assert!(!style.add_modifier.contains(Modifier::DIM), "{name} {}", role.id());
            }
        }
    }

    #[test]
    fn states_differ_in_every_theme_and_depth() {
        let states =
            [Role::Waiting, Role::Running, Role::Done, Role::Attention, Role::Failed, Role::Paused, Role::Unknown];
        for (name, look) in looks() {
            for depth in [Depth::Sixteen, Depth::Indexed, Depth::True] {
                let theme = Theme::new(&look, depth, &UNICODE);
                // The three that matter most differ from each other and from plain text, whatever the colours.
                for (a, b) in [
                    (Role::Failed, Role::Done),
                    (Role::Failed, Role::Text),
                    (Role::Failed, Role::Waiting),
                    (Role::Attention, Role::Done),
                    (Role::Attention, Role::Waiting),
                    (Role::Running, Role::Waiting),
                    (Role::Selection, Role::Text),
                ] {
                    assert_ne!(theme.style(a), theme.style(b), "{name} {depth:?}: {} {}", a.id(), b.id());
                }
            }
            let theme = Theme::new(&look, Depth::Mono, &UNICODE);
            for role in states {
                let style = theme.style(role);
                assert!(matches!(style.fg, None | Some(Color::Reset)), "{name} {}", role.id());
            }
            assert_ne!(theme.style(Role::Failed), theme.style(Role::Done));
            assert_ne!(theme.style(Role::Attention), theme.style(Role::Waiting));
            assert_ne!(theme.style(Role::Selection), theme.style(Role::Text));
        }
    }

    #[test]
    fn mistakes_point() {
        let text = "title = \"x\"\n[roles]\n\"state.faild\" = { fg = \"red\" }\n\"text\" = { fg = \"rde\" }\n";
        let e = Look::parse(&Source::new("x.toml", text)).unwrap_err().to_string();
        assert!(e.contains("x.toml:3:1: there is no role `state.faild`"), "{e}");
        assert!(e.contains("did you mean `state.failed`?"), "{e}");
        assert!(e.contains("x.toml:4:17: `rde` is no colour"), "{e}");
    }

    #[test]
    fn a_role_looks_like_its_parent() {
        let text = "title = \"x\"\n[roles]\n\"text.muted\" = { fg = \"blue\" }\n\"state.failed\" = { plain = true, fg = \"red\" }\n";
        let look = Look::parse(&Source::new("x.toml", text)).unwrap();
        assert_eq!(look.style(Role::Disabled), Style::new().fg(Color::Blue));
        assert_eq!(look.style(Role::Error), Style::new().fg(Color::Red));
    }
}
