//! Prints a scene: `NODELIFT_SCENE=running NODELIFT_SIZE=80x24 cargo test --test frames peek -- --nocapture --ignored`.

use crate::fixtures::scenes;
use nodelift::theme::Theme;

#[test]
#[ignore = "for looking at a scene"]
fn peek() {
    let name = std::env::var("NODELIFT_SCENE").unwrap_or_else(|_| "running".into());
    let size = std::env::var("NODELIFT_SIZE").unwrap_or_else(|_| "80x24".into());
    let pressed = std::env::var("NODELIFT_KEYS").unwrap_or_default();
    let (w, h) = size.split_once('x').unwrap();
    for (n, make) in scenes::all() {
        if name != "all" && n != name {
            continue;
        }
        let mut scene = make();
        scene.press(&pressed);
        let buf = scene.frame(&Theme::default(), w.parse().unwrap(), h.parse().unwrap());
        println!("--- {n}");
        for y in 0..buf.area.height {
            let mut line = String::new();
            let mut skip = 0;
            for x in 0..buf.area.width {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                let s = buf[(x, y)].symbol();
                skip = unicode_width::UnicodeWidthStr::width(s).saturating_sub(1);
                line.push_str(s);
            }
            println!("{}", line.trim_end());
        }
    }
}
