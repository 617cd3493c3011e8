//! A frame as text: under every row that has a style a row of letters, and what they stand for at the end.

use std::fmt::Write as _;

use nodelift::theme::{ASCII, Depth, Glyphs, Theme, UNICODE, built_in};
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

use crate::fixtures::scene::Scene;

/// Looks that frames are drawn in.
#[derive(Clone, Copy)]
pub enum Look {
    Default,
    Mono,
    Ascii,
}

impl Look {
    pub fn theme(self) -> Theme {
        let default = built_in("default").expect("there is a default");
        let glyphs: &'static Glyphs = if matches!(self, Look::Ascii) { &ASCII } else { &UNICODE };
        let depth = if matches!(self, Look::Mono) { Depth::Mono } else { Depth::Sixteen };
        Theme::new(&default, depth, glyphs)
    }

    pub fn word(self) -> &'static str {
        match self {
            Look::Default => "default",
            Look::Mono => "mono",
            Look::Ascii => "ascii",
        }
    }
}

/// A frame of a scene as text.
pub fn frame(scene: &mut Scene, look: Look, width: u16, height: u16) -> String {
    dump(&scene.frame(&look.theme(), width, height))
}

/// The letters alone, row by row.
pub fn rows(buf: &Buffer) -> Vec<String> {
    (0..buf.area.height)
        .map(|y| {
            let mut row = String::new();
            let mut x = 0;
            while x < buf.area.width {
                let symbol = buf[(x, y)].symbol();
                row.push_str(symbol);
                x += (symbol.width() as u16).max(1);
            }
            row.trim_end().to_owned()
        })
        .collect()
}

fn style_of(buf: &Buffer, x: u16, y: u16) -> Option<String> {
    let cell = &buf[(x, y)];
    if cell.fg == Color::Reset && cell.bg == Color::Reset && cell.modifier == Modifier::empty() {
        return None;
    }
    let mut text = format!("{}/{}", cell.fg, cell.bg);
    if !cell.modifier.is_empty() {
        let _ = write!(text, " {:?}", cell.modifier);
    }
    Some(text)
}

fn dump(buf: &Buffer) -> String {
    let mut legend: Vec<String> = Vec::new();
    let mut out = String::new();
    for (y, row) in rows(buf).into_iter().enumerate() {
        let _ = writeln!(out, "{row}");
        let mut letters = String::new();
        let (mut x, mut any) = (0, false);
        while x < buf.area.width {
            letters.push(match style_of(buf, x, y as u16) {
                None => '.',
                Some(style) => {
                    any = true;
                    let at = legend.iter().position(|s| *s == style).unwrap_or_else(|| {
                        legend.push(style);
                        legend.len() - 1
                    });
                    char::from_u32(u32::from('a') + at as u32).unwrap_or('?')
                }
            });
            x += 1;
        }
        if any {
            let _ = writeln!(out, "{}", letters.trim_end_matches('.'));
        }
    }
    for (i, style) in legend.iter().enumerate() {
        let letter = char::from_u32(u32::from('a') + i as u32).unwrap_or('?');
        let _ = writeln!(out, "{letter} = {style}");
    }
    out
}
