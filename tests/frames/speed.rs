//! How long a frame takes: `cargo test --release --test frames speed -- --ignored --nocapture`.

use std::time::Instant;

use nodelift::theme::Theme;
use nodelift::ui::{Msg, draw};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::fixtures::scenes;

#[test]
#[ignore = "a measurement"]
fn speed() {
    let theme = Theme::default();
    for (name, keys) in [("sixteen", ""), ("sixteen-running", ""), ("sixteen", "v"), ("sixteen-checking", "v")] {
        let (_, make) = scenes::all().into_iter().find(|(n, _)| *n == name).unwrap();
        let mut scene = make();
        scene.press(keys);
        for (w, h) in [(80, 24), (120, 40), (200, 60)] {
            scene.send(Msg::Resize { width: w, height: h });
            let area = Rect::new(0, 0, w, h);
            let mut buf = Buffer::empty(area);
            draw(&scene.model, &theme, area, &mut buf);
            let rounds = 200;
            let start = Instant::now();
            for _ in 0..rounds {
                draw(&scene.model, &theme, area, &mut buf);
            }
            let each = start.elapsed() / rounds;
            // A tick makes everything that follows from the state anew.
            let start = Instant::now();
            let mut now = scene.now;
            for _ in 0..rounds {
                now = now.checked_add(jiff::SignedDuration::from_secs(1)).unwrap();
                scene.send(Msg::Tick(now));
                scene.model.touch();
                scene.send(Msg::Clock(nodelift::core::watch::Clocking { now, scale: 1.0 }));
                draw(&scene.model, &theme, area, &mut buf);
            }
            let ticked = start.elapsed() / rounds;
            println!("{name} {keys} {w}×{h}: {each:?} a frame, {ticked:?} with a change of the state");
        }
    }
}
