//! The pictures in `screenshots/` show the screen as it is. `NODELIFT_BLESS=1` writes them anew.

mod fixtures;

use std::path::Path;

use fixtures::readiness;
use fixtures::scene::Scene;
use fixtures::scenes;
use fixtures::svg::{DARK, LIGHT, Palette, svg};
use nodelift::theme::{ASCII, Depth, Glyphs, Theme, UNICODE, built_in};

/// One picture: name, scene, keys, size, theme, signs.
struct Shot {
    name: &'static str,
    scene: fn() -> Scene,
    keys: &'static str,
    size: (u16, u16),
    theme: &'static str,
    glyphs: &'static Glyphs,
}

const fn shot(name: &'static str, scene: fn() -> Scene, keys: &'static str, size: (u16, u16)) -> Shot {
    Shot { name, scene, keys, size, theme: "default", glyphs: &UNICODE }
}

const SHOTS: &[Shot] = &[
    shot("checking", scenes::checking, "", (120, 34)),
    shot("blocked", scenes::blocked, "", (120, 34)),
    shot("blocked-80x24", scenes::blocked, "", (80, 24)),
    shot("matrix", readiness::sixteen_mixed, "v", (120, 40)),
    shot("matrix-checking", readiness::sixteen_checking, "v", (120, 40)),
    shot("answers", readiness::mixed, "", (120, 34)),
    shot("details", readiness::mixed, "i", (120, 44)),
    shot("fix-all", scenes::blocked, "F", (100, 28)),
    shot("running", scenes::running, "", (120, 38)),
    shot("running-80x24", scenes::running, "", (80, 24)),
    shot("rolled-back", scenes::rolled_back, "", (120, 38)),
    shot("commit", scenes::committing, "", (100, 28)),
    shot("outcome", scenes::succeeded, "o", (120, 36)),
    shot("sixteen-nodes", scenes::sixteen_running, "", (200, 60)),
    Shot { theme: "light", ..shot("running-light", scenes::running, "", (120, 38)) },
    Shot { theme: "colour-blind", ..shot("blocked-colour-blind", scenes::blocked, "", (120, 34)) },
    Shot { theme: "mono", glyphs: &ASCII, ..shot("matrix-ascii", readiness::mixed, "v", (80, 24)) },
    Shot { theme: "mono", glyphs: &ASCII, ..shot("running-ascii", scenes::running, "", (80, 24)) },
];

fn draw(scene: &mut Scene, theme: &str, glyphs: &'static Glyphs, (w, h): (u16, u16)) -> String {
    let depth = if theme == "mono" { Depth::Mono } else { Depth::True };
    let palette: &Palette = if theme == "light" { &LIGHT } else { &DARK };
    let theme = Theme::new(&built_in(theme).expect("a theme"), depth, glyphs);
    let buf = scene.frame(&theme, w, h);
    svg(&buf, palette, &scene.model.outside().title)
}

#[test]
fn the_screenshots_show_the_screen_as_it_is() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("screenshots");
    let bless = std::env::var_os("NODELIFT_BLESS").is_some();
    for s in SHOTS {
        let mut scene = (s.scene)();
        scene.frame(&Theme::default(), s.size.0, s.size.1);
        scene.press(s.keys);
        let drawn = draw(&mut scene, s.theme, s.glyphs, s.size);
        let path = folder.join(format!("{}.svg", s.name));
        if bless {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, drawn).unwrap();
        } else {
            let kept = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
            assert!(kept == drawn, "{}.svg is old: run this test with NODELIFT_BLESS=1", s.name);
        }
    }
}

/// Every scene into a folder of one's choice: `NODELIFT_SHOTS=<folder> [NODELIFT_SIZES=80x24,120x40] [NODELIFT_THEMES=…]`.
#[test]
#[ignore = "for looking at every scene"]
fn every_scene() {
    let Some(folder) = std::env::var_os("NODELIFT_SHOTS") else { return };
    let var = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.into());
    let (sizes, themes) = (var("NODELIFT_SIZES", "80x24"), var("NODELIFT_THEMES", "default"));
    let (only, keys) = (var("NODELIFT_SCENE", ""), var("NODELIFT_KEYS", ""));
    for (name, make) in
        scenes::all().into_iter().filter(|(n, _)| only.is_empty() || only.split(',').any(|o| o == *n))
    {
        for size in sizes.split(',') {
            let (w, h) = size.split_once('x').expect("WxH");
            for theme in themes.split(',') {
                let size = (w.parse().unwrap(), h.parse().unwrap());
                let mut scene = make();
                scene.frame(&Theme::default(), size.0, size.1);
                scene.press(&keys);
                let (theme, glyphs) = theme.split_once('+').map_or((theme, &UNICODE), |(t, _)| (t, &ASCII));
                let drawn = draw(&mut scene, theme, glyphs, size);
                let keys = keys.replace([' ', '?', '!'], "");
                let file = format!("{name}-{w}x{h}-{theme}{}{keys}.svg", if glyphs.ascii { "-ascii" } else { "" });
                std::fs::write(Path::new(&folder).join(file), drawn).unwrap();
            }
        }
    }
}
