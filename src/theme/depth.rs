//! How many colours a terminal has, and the one place where colours are reduced to them.

use ratatui::style::{Color, Style};

/// Colours of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None: bold, dim, reverse and underline only.
    Mono,
    Sixteen,
    Indexed,
    True,
}

impl Depth {
    /// What the environment says, without asking the terminal.
    pub fn from_env(env: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| env(name).filter(|v| !v.is_empty());
        if get("NO_COLOR").is_some() {
            return Depth::Mono;
        }
        let term = get("TERM").unwrap_or_default();
        if get("COLORTERM").is_some_and(|v| v == "truecolor" || v == "24bit") || term.ends_with("-direct") {
            return Depth::True;
        }
        match term.as_str() {
            "dumb" | "vt100" | "vt102" | "vt220" => Depth::Mono,
            t if t.contains("256color") => Depth::Indexed,
            // A Windows console has no TERM and shows every colour.
            "" if cfg!(windows) => Depth::True,
            _ => Depth::Sixteen,
        }
    }

    /// A style with no more colours than there are.
    pub fn reduce(self, style: Style) -> Style {
        let mut out = style;
        out.fg = style.fg.map(|c| self.color(c));
        out.bg = style.bg.map(|c| self.color(c));
        out
    }

    fn color(self, color: Color) -> Color {
        match (self, color) {
            (Depth::True, c) => c,
            (Depth::Mono, _) => Color::Reset,
            (Depth::Indexed, Color::Rgb(r, g, b)) => Color::Indexed(indexed(r, g, b)),
            (Depth::Sixteen, Color::Rgb(r, g, b)) => sixteen(r, g, b),
            (Depth::Sixteen, Color::Indexed(i)) => {
                let (r, g, b) = rgb_of_index(i);
                if i < 16 { SIXTEEN[i as usize].0 } else { sixteen(r, g, b) }
            }
            (_, c) => c,
        }
    }
}

/// The sixteen, with what xterm shows for them.
const SIXTEEN: [(Color, (u8, u8, u8)); 16] = [
    (Color::Black, (0, 0, 0)),
    (Color::Red, (205, 0, 0)),
    (Color::Green, (0, 205, 0)),
    (Color::Yellow, (205, 205, 0)),
    (Color::Blue, (0, 0, 238)),
    (Color::Magenta, (205, 0, 205)),
    (Color::Cyan, (0, 205, 205)),
    (Color::Gray, (229, 229, 229)),
    (Color::DarkGray, (127, 127, 127)),
    (Color::LightRed, (255, 0, 0)),
    (Color::LightGreen, (0, 255, 0)),
    (Color::LightYellow, (255, 255, 0)),
    (Color::LightBlue, (92, 92, 255)),
    (Color::LightMagenta, (255, 0, 255)),
    (Color::LightCyan, (0, 255, 255)),
    (Color::White, (255, 255, 255)),
];

const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];

fn distance(a: (u8, u8, u8), b: (u8, u8, u8)) -> u32 {
    let d = |x: u8, y: u8| u32::from(x.abs_diff(y)).pow(2);
    // The eye sees green best, blue least.
    2 * d(a.0, b.0) + 4 * d(a.1, b.1) + d(a.2, b.2)
}

fn rgb_of_index(i: u8) -> (u8, u8, u8) {
    match i {
        0..16 => SIXTEEN[i as usize].1,
        16..232 => {
            let n = i - 16;
            (CUBE[(n / 36) as usize], CUBE[(n / 6 % 6) as usize], CUBE[(n % 6) as usize])
        }
        232.. => {
            let v = 8 + 10 * (i - 232);
            (v, v, v)
        }
    }
}

fn indexed(r: u8, g: u8, b: u8) -> u8 {
    // The first sixteen are whatever the user made of them.
    (16..=255).min_by_key(|i| distance((r, g, b), rgb_of_index(*i))).unwrap_or(231)
}

fn sixteen(r: u8, g: u8, b: u8) -> Color {
    // Hue first: a pale red is still red, never grey.
    let (max, min) = (r.max(g).max(b), r.min(g).min(b));
    if max - min < 32 {
        let greys = SIXTEEN.iter().filter(|(_, (x, y, z))| x == y && y == z);
        return greys.min_by_key(|(_, c)| distance((r, g, b), *c)).map_or(Color::Reset, |(c, _)| *c);
    }
    let strong = |v: u8| u16::from(v - min) * 2 >= u16::from(max - min);
    let hue = usize::from(strong(r)) | usize::from(strong(g)) << 1 | usize::from(strong(b)) << 2;
    let bright = if max >= 0xe0 { 8 } else { 0 };
    SIXTEEN[bright + hue].0
}

/// What a colour looks like, for contrast: named colours as xterm shows them.
pub fn rgb(color: Color) -> Option<(u8, u8, u8)> {
    match color {
        Color::Rgb(r, g, b) => Some((r, g, b)),
        Color::Indexed(i) => Some(rgb_of_index(i)),
        Color::Reset => None,
        c => SIXTEEN.iter().find(|(n, _)| *n == c).map(|(_, rgb)| *rgb),
    }
}

/// Contrast of two colours by WCAG: 1 to 21.
pub fn contrast(a: (u8, u8, u8), b: (u8, u8, u8)) -> f64 {
    let linear = |v: u8| {
        let v = f64::from(v) / 255.0;
        if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    };
    let light = |(r, g, b): (u8, u8, u8)| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    let (x, y) = (light(a), light(b));
    (x.max(y) + 0.05) / (x.min(y) + 0.05)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_tells_the_depth() {
        let depth = |vars: &[(&str, &str)]| {
            Depth::from_env(|n| vars.iter().find(|(k, _)| *k == n).map(|(_, v)| (*v).to_owned()))
        };
        assert_eq!(depth(&[("TERM", "xterm-256color")]), Depth::Indexed);
        assert_eq!(depth(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]), Depth::True);
        assert_eq!(depth(&[("TERM", "xterm"), ("NO_COLOR", "1")]), Depth::Mono);
        assert_eq!(depth(&[("TERM", "xterm"), ("NO_COLOR", "")]), Depth::Sixteen);
        assert_eq!(depth(&[("TERM", "linux")]), Depth::Sixteen);
        assert_eq!(depth(&[("TERM", "dumb")]), Depth::Mono);
    }

    #[test]
    fn colours_keep_their_hue_when_they_are_reduced() {
        let to16 = |r, g, b| Depth::Sixteen.color(Color::Rgb(r, g, b));
        assert!(matches!(to16(0xe0, 0x6c, 0x75), Color::Red | Color::LightRed));
        assert!(matches!(to16(0x98, 0xc3, 0x79), Color::Green | Color::LightGreen));
        assert!(matches!(to16(0x80, 0x80, 0x80), Color::DarkGray));
        assert_eq!(Depth::Indexed.color(Color::Rgb(255, 0, 0)), Color::Indexed(196));
        assert_eq!(Depth::Mono.color(Color::Red), Color::Reset);
        assert!((contrast((0, 0, 0), (255, 255, 255)) - 21.0).abs() < 0.01);
    }
}
