//! Snapshots: every scene and every overlay, in the sizes and looks where they differ.

use crate::dump::{Look, frame};
use crate::fixtures::scene::Scene;
use crate::fixtures::scenes;

const NARROW: (u16, u16) = (60, 20);
const NORMAL: (u16, u16) = (80, 24);
const WIDE: (u16, u16) = (120, 40);
const HUGE: (u16, u16) = (200, 60);

fn check(name: &str, scene: &mut Scene, look: Look, (w, h): (u16, u16)) {
    let drawn = frame(scene, look, w, h);
    insta::assert_snapshot!(format!("{name}-{w}x{h}-{}", look.word()), drawn);
}

fn make(name: &str) -> Scene {
    let (_, make) = scenes::all().into_iter().find(|(n, _)| *n == name).expect("there is such a scene");
    make()
}

/// Every scene at 80 × 24, as most people see it.
#[test]
fn every_scene_at_80_by_24() {
    for (name, make) in scenes::all() {
        check(name, &mut make(), Look::Default, NORMAL);
    }
}

/// Without colour, and without foreign signs.
#[test]
fn the_scenes_that_matter_in_mono_and_ascii() {
    for name in ["blocked", "running", "rolled-back", "host-key-changed", "strange", "committing"] {
        check(name, &mut make(name), Look::Mono, NORMAL);
        check(name, &mut make(name), Look::Ascii, NORMAL);
    }
}

/// What one reads after nodelift was away from a run.
#[test]
fn after_an_engine_was_away() {
    check("recovered", &mut make("recovered"), Look::Default, WIDE);
}

/// What the upgrade of a node changed, and the question whether that is as it should be.
#[test]
fn what_an_upgrade_changed() {
    for size in [NORMAL, WIDE] {
        check("over-changed-node", make("changed").press("1 k i"), Look::Default, size);
        check("over-accept", make("changed").press("1 k w"), Look::Default, size);
    }
}

/// A window that is closed: what `s` says, and the question whether somebody takes it upon themselves.
#[test]
fn outside_the_window() {
    check("over-window", make("outside-window").press("s"), Look::Default, NORMAL);
    for size in [NORMAL, WIDE] {
        check("over-waive-window", make("outside-window").press("w"), Look::Default, size);
    }
}

/// What a node waits for, where another driver moves it: in Progress, and in its details.
#[test]
fn what_a_node_waits_for() {
    check("gate-closed", &mut make("gate-closed"), Look::Default, WIDE);
    for size in [NORMAL, WIDE] {
        check("over-gate-node", make("gate-closed").press("1 i"), Look::Default, size);
    }
}

/// The checks before a run, in every size, as a list and as a matrix.
#[test]
fn the_checks_in_every_size() {
    let scenes =
        ["all-green", "mixed", "sixteen-mixed", "all-failed", "sixteen-checking", "could-not-tell", "stale"];
    for name in scenes {
        for size in [NORMAL, WIDE, HUGE] {
            check(&format!("list-{name}"), &mut make(name), Look::Default, size);
            check(&format!("matrix-{name}"), make(name).press("v"), Look::Default, size);
        }
    }
    check("matrix-mixed", make("mixed").press("v"), Look::Default, NARROW);
    check("matrix-strange", make("strange").press("v"), Look::Default, NORMAL);
    for name in ["installing", "stalled", "rehearsing"] {
        check(name, &mut make(name), Look::Default, WIDE);
    }
    check("matrix-running", make("running").press("2 v"), Look::Default, WIDE);
}

/// A rolling restart, in every size and without colour and signs.
#[test]
fn a_rolling_restart_in_every_size() {
    for name in ["restart-gate", "restart-halted"] {
        for size in [WIDE, HUGE] {
            check(name, &mut make(name), Look::Default, size);
        }
        check(name, &mut make(name), Look::Mono, NORMAL);
        check(name, &mut make(name), Look::Ascii, NORMAL);
    }
}

/// All seven answers without colour, and without foreign signs.
#[test]
fn the_checks_in_mono_and_ascii() {
    for name in ["mixed", "sixteen-mixed", "sixteen-checking"] {
        for look in [Look::Mono, Look::Ascii] {
            check(&format!("list-{name}"), &mut make(name), look, NORMAL);
            check(&format!("matrix-{name}"), make(name).press("v"), look, NORMAL);
        }
    }
}

/// Grouped and filtered: the title says so.
#[test]
fn the_checks_grouped_and_filtered() {
    let ways = [
        ("by-area", "b"),
        ("by-machine", "b b"),
        ("only-failed", "e"),
        ("only-waived", "e e e e"),
        ("only-stale-by-machine", "b b e e e e e"),
        ("typing", "/ s t o"),
        ("text", "/ s t o enter"),
        ("text-nothing", "/ x y z enter"),
        ("matrix-only-failed", "v e"),
        ("matrix-by-machine", "v b b"),
        ("matrix-cell", "v j j right"),
    ];
    for (name, keys) in ways {
        for size in [NORMAL, WIDE] {
            let mut scene = make("mixed");
            scene.frame(&Look::Default.theme(), size.0, size.1);
            check(&format!("looking-{name}"), scene.press(keys), Look::Default, size);
        }
    }
    // Scrolled both ways, names and titles stay.
    let mut scene = make("sixteen-mixed");
    scene.frame(&Look::Default.theme(), 60, 20);
    scene.press("v j j j j j pgdn right right right right right right right right right right");
    check("looking-matrix-scrolled", &mut scene, Look::Default, NARROW);
}

/// What more room gives.
#[test]
fn more_room_shows_more() {
    for name in ["blocked", "checking", "running", "awaiting-commit", "sixteen", "sixteen-running", "strange"] {
        check(name, &mut make(name), Look::Default, WIDE);
    }
    for name in ["blocked", "running", "sixteen-running", "empty"] {
        check(name, &mut make(name), Look::Default, HUGE);
    }
}

/// One pane at a time, each of them.
#[test]
fn little_room_shows_one_pane() {
    for name in ["blocked", "running"] {
        for (pane, key) in [("nodes", "1"), ("checks", "2"), ("progress", "3"), ("log", "4")] {
            let mut scene = make(name);
            scene.press(key);
            check(&format!("{name}-{pane}"), &mut scene, Look::Default, NARROW);
        }
    }
    check("tiny", &mut make("running"), Look::Default, (30, 8));
}

/// A pane alone.
#[test]
fn a_zoomed_pane_fills_the_screen() {
    for (pane, key) in [("nodes", "1"), ("checks", "2"), ("progress", "3"), ("log", "4")] {
        let mut scene = make("running");
        scene.press(key).press("z");
        check(&format!("zoomed-{pane}"), &mut scene, Look::Default, NORMAL);
    }
}

/// Scene, keys that open something over it, name of the snapshot.
const OVERLAYS: &[(&str, &str, &str)] = &[
    ("blocked", "?", "help"),
    ("blocked", "i", "check"),
    ("could-not-tell", "i", "check-could-not-tell"),
    ("waived", "j j j i", "check-waived"),
    ("blocked", "1 i", "node"),
    ("running", "i", "node-restarting"),
    ("rolled-back", "!", "node-rolled-back"),
    ("host-key-changed", "!", "node-key-changed"),
    ("login-refused", "!", "node-login-refused"),
    ("running", "3 G k k k i", "step"),
    ("awaiting-commit", "3 G k i", "step-commit"),
    ("blocked", "4 k i", "line"),
    ("blocked", "F", "fix-all"),
    ("blocked", "f", "fix"),
    ("blocked", "j j j w", "waive"),
    ("mixed", "i", "check-history"),
    ("restarting", "i", "check-restarting"),
    ("mixed", "j j j j j j j i", "check-question"),
    ("mixed", "v e e e e i", "check-waived-now"),
    ("mixed", "e e e e e i", "check-stale"),
    ("mixed", "/ m a i n t e n a n c e enter i", "check-confirmed"),
    ("mixed", "j j j j j j j a", "confirm-question"),
    ("sixteen-checking", "v right right right right i", "check-being-read"),
    ("ready", "s", "start"),
    ("running", "p", "pause"),
    ("running", "S", "stop"),
    ("paused", "u", "resume"),
    ("awaiting-commit", "m", "commit"),
    ("awaiting-commit", "d", "defer"),
    ("succeeded", "o", "outcome"),
    ("failed", "o", "outcome-failed"),
    ("strange", "i", "check-strange"),
    ("strange", "1 j i", "node-strange"),
    ("sixteen", "F", "fix-all-sixteen"),
];

#[test]
fn every_overlay() {
    for (scene, keys, name) in OVERLAYS {
        for size in [NARROW, NORMAL, WIDE] {
            let mut scene = make(scene);
            scene.frame(&Look::Default.theme(), size.0, size.1);
            scene.press(keys);
            check(&format!("over-{name}"), &mut scene, Look::Default, size);
        }
    }
}

#[test]
fn overlays_without_colour_and_signs() {
    for (scene, keys, name) in OVERLAYS.iter().filter(|(_, _, n)| {
        matches!(*n, "help" | "check" | "check-history" | "fix-all" | "commit" | "waive" | "outcome")
    }) {
        for look in [Look::Mono, Look::Ascii] {
            let mut scene = make(scene);
            scene.frame(&look.theme(), 80, 24);
            scene.press(keys);
            check(&format!("over-{name}"), &mut scene, look, NORMAL);
        }
    }
}

/// What somebody has to do is on the screen at every size, and a fix says before that it needs somebody.
#[test]
fn somebody_is_asked() {
    check("asked", &mut make("asked"), Look::Default, NARROW);
    check("asked", &mut make("asked"), Look::Mono, NORMAL);
    for size in [NARROW, NORMAL] {
        let mut scene = scenes::fix_with_somebody();
        scene.frame(&Look::Default.theme(), size.0, size.1);
        scene.press("f");
        check("over-fix-with-somebody", &mut scene, Look::Default, size);
    }
}

/// The steps of a dialog: what is typed, what is missing, what is focused.
#[test]
fn the_dialog_of_an_irreversible_step() {
    let mut scene = make("committing");
    check("commit-half-typed", &mut scene, Look::Default, NORMAL);
    scene.type_in("L1").press("enter");
    check("commit-name-typed", &mut scene, Look::Default, NORMAL);
    scene.type_in("agreed with operations").press("enter tab");
    check("commit-all-there", &mut scene, Look::Default, NORMAL);
    scene.tick("13:03:30");
    check("commit-proof-old", &mut scene, Look::Default, NORMAL);
    scenes::prove(&mut scene, "13:03:31", 100_000, Some("No storage job"));
    check("commit-not-proved", &mut scene, Look::Default, NORMAL);
}

/// The log: paused, searched, scrolled.
#[test]
fn the_log_tells_what_is_not_seen() {
    let mut scene = make("running");
    scene.frame(&Look::Default.theme(), 80, 24);
    scene.press("4 k k");
    for i in 0..3 {
        scene.log("10:33:00", None, "run", nodelift::core::log::Level::Info, &format!("something new {i}"));
    }
    check("log-paused", &mut scene, Look::Default, NORMAL);
    scene.press("/").type_in("staging");
    check("log-typing", &mut scene, Look::Default, NORMAL);
    scene.press("enter");
    check("log-found", &mut scene, Look::Default, NORMAL);
    scene.press("N");
    check("log-found-before", &mut scene, Look::Default, NORMAL);
}

/// Why a key did nothing.
#[test]
fn a_refused_key_says_why() {
    let mut scene = make("blocked");
    scene.press("s");
    check("refused-start", &mut scene, Look::Default, NORMAL);
    let mut scene = make("replay");
    scene.press("p");
    check("refused-in-replay", &mut scene, Look::Default, NORMAL);
    let mut scene = make("read-only");
    scene.press("F");
    check("refused-read-only", &mut scene, Look::Default, NORMAL);
}
