//! Every size draws.

use nodelift::theme::{ASCII, Depth, Theme, UNICODE, built_in};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::fixtures::scenes;

/// Every scene in every size, with nothing and with something over it; no panic, and nothing drawn beyond the frame.
#[test]
fn every_scene_draws_in_every_size() {
    let theme = Theme::default();
    for (i, (name, make)) in scenes::all().into_iter().enumerate() {
        let mut scene = make();
        scene.press(["", "?", "i", "3", "4", "1 i", "z"][i % 7]);
        // Every width somewhere, every height somewhere: the steps differ from scene to scene.
        for width in (i as u16 % 11..=200).step_by(11).chain([79, 80, 119, 120, 159, 160]) {
            for height in (i as u16 % 7..=60).step_by(7).chain([9, 10, 19, 20, 23, 24]) {
                let buf = scene.frame(&theme, width, height);
                assert_eq!(buf.area, Rect::new(0, 0, width, height), "{name}");
            }
        }
    }
}

/// Each column and row count once, around the borders of the size classes and in the smallest sizes.
#[test]
fn small_sizes_draw_one_by_one() {
    let theme = Theme::new(&built_in("default").unwrap(), Depth::Indexed, &ASCII);
    let few = ["blocked", "running", "strange", "empty", "sixteen", "awaiting-commit", "ready", "engine-gone"];
    for (name, make) in scenes::all().into_iter().filter(|(n, _)| few.contains(n)) {
        for keys in ["", "?", "i", "F", "m", "s"] {
            let mut scene = make();
            scene.press(keys);
            for width in 0..=44 {
                for height in (0..=14).chain([22]) {
                    let buf = scene.frame(&theme, width, height);
                    assert_eq!(buf.content.len(), usize::from(width) * usize::from(height), "{name}");
                }
            }
        }
    }
}

/// A frame that starts elsewhere than at 0, 0 stays in its place.
#[test]
fn a_frame_stays_in_its_rectangle() {
    for name in ["running", "strange", "sixteen"] {
        let (_, make) = scenes::all().into_iter().find(|(n, _)| *n == name).unwrap();
        let mut scene = make();
        scene.press("i");
        let whole = Rect::new(0, 0, 130, 50);
        let inside = Rect::new(7, 5, 90, 30);
        let mut buf = Buffer::filled(whole, ratatui::buffer::Cell::new("#"));
        let theme = Theme::new(&built_in("default").unwrap(), Depth::Indexed, &UNICODE);
        nodelift::ui::draw(&scene.model, &theme, inside, &mut buf);
        for y in 0..whole.height {
            for x in 0..whole.width {
                if !inside.contains((x, y).into()) {
                    assert_eq!(buf[(x, y)].symbol(), "#", "{name} {x} {y}");
                }
            }
        }
    }
}

/// Colour is never the only thing that tells states apart: with every style taken away, the frames still differ.
#[test]
fn states_can_be_told_without_any_style() {
    let text = |name: &str| {
        let (_, make) = scenes::all().into_iter().find(|(n, _)| *n == name).unwrap();
        crate::dump::rows(&make().frame(&Theme::new(&built_in("mono").unwrap(), Depth::Mono, &ASCII), 80, 24))
            .join("\n")
    };
    let names =
        ["draft", "checking", "blocked", "ready", "running", "drain-failed", "rolled-back", "paused", "failed"];
    for (i, a) in names.iter().enumerate() {
        for b in names.iter().skip(i + 1) {
            assert_ne!(text(a), text(b), "{a} {b}");
        }
    }
}

/// Only ASCII reaches a terminal that shows nothing else.
#[test]
fn the_ascii_look_is_ascii() {
    let theme = Theme::new(&built_in("default").unwrap(), Depth::Sixteen, &ASCII);
    for (name, make) in scenes::all() {
        for keys in ["", "?", "i", "4"] {
            let mut scene = make();
            scene.press(keys);
            for cell in &scene.frame(&theme, 120, 40).content {
                assert!(cell.symbol().is_ascii(), "{name}: {}", cell.symbol());
            }
        }
    }
}
