//! Looks: roles and their styles, as many colours as there are, and signs.

mod depth;
mod glyphs;
mod load;
mod role;

pub use depth::{Depth, contrast, rgb};
pub use glyphs::{ASCII, Glyphs, UNICODE};
pub use load::{BUILT_IN, Look, built_in};
pub use role::Role;

use ratatui::style::{Color, Modifier, Style};

/// Styles and signs, ready to draw with.
#[derive(Clone, Debug)]
pub struct Theme {
    styles: Vec<Style>,
    glyphs: &'static Glyphs,
}

impl Theme {
    /// A look on a terminal with so many colours and these signs. Without colours every look is the one called `mono`: the
    /// others may lean on colour alone where that one has bold or reverse.
    pub fn new(look: &Look, depth: Depth, glyphs: &'static Glyphs) -> Self {
        let mono;
        let look = if depth == Depth::Mono {
            mono = built_in("mono").unwrap_or_default();
            &mono
        } else {
            look
        };
        let styles = Role::ALL.iter().map(|r| depth.reduce(look.style(*r))).collect();
        Self { styles, glyphs }
    }

    /// How a role looks.
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(role as usize).copied().unwrap_or_default()
    }

    /// The signs.
    pub fn glyphs(&self) -> &'static Glyphs {
        self.glyphs
    }

    /// A badge in the colour of a role: the role's colour behind, the terminal's own ground as letters.
    pub fn badge(&self, role: Role) -> Style {
        let style = self.style(role);
        let plain = Style { add_modifier: style.add_modifier - Modifier::DIM, ..style };
        plain.add_modifier(Modifier::REVERSED | Modifier::BOLD)
    }

    /// A row that is selected: reverse hides colours, so it takes them away first.
    pub fn select(&self, focused: bool) -> Style {
        let style = self.style(if focused { Role::Selection } else { Role::SelectionIdle });
        if style.add_modifier.contains(Modifier::REVERSED) && style.fg.is_none() {
            style.fg(Color::Reset).remove_modifier(Modifier::DIM)
        } else {
            style
        }
    }
}

impl Default for Theme {
    fn default() -> Self {
        Self::new(&built_in("default").unwrap_or_default(), Depth::Sixteen, &UNICODE)
    }
}
