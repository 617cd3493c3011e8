//! What an operator wants, as keys, and what the engine is asked for.

use jiff::Timestamp;
use nodelift::core::command::{Command, Refusal};
use nodelift::core::event::VerdictKey;
use nodelift::core::log::Level;
use nodelift::core::watch::ReplayControl;
use nodelift::ui::{Ask, Msg};

use crate::dump::{Look, rows};
use crate::fixtures::scene::Scene;
use crate::fixtures::scenes;
use crate::fixtures::story::at;

/// The commands that were asked for.
pub fn commands(scene: &mut Scene) -> Vec<Command> {
    scene
        .asked()
        .into_iter()
        .filter_map(|a| match a {
            Ask::Command { command, .. } => Some(command),
            _ => None,
        })
        .collect()
}

pub fn screen(scene: &mut Scene) -> String {
    rows(&scene.frame(&Look::Default.theme(), 80, 24)).join("\n")
}

#[track_caller]
pub fn shows(scene: &mut Scene, text: &str) {
    let screen = screen(scene);
    assert!(screen.contains(text), "no {text:?} in\n{screen}");
}

pub fn key(check: &str, node: &str) -> VerdictKey {
    VerdictKey { check: check.into(), node: Some(node.into()) }
}

#[test]
fn an_operator_checks_everything_with_one_key() {
    let mut s = scenes::draft();
    s.press("c");
    assert_eq!(commands(&mut s), [Command::CheckAll]);
}

#[test]
fn an_operator_retries_the_check_that_failed() {
    let mut s = scenes::blocked();
    s.press("r");
    assert_eq!(commands(&mut s), [Command::Retry { key: key("refs-metadata-validation", "HCI-N3") }]);
    // The other check failed on two nodes: both are read again.
    s.press("j j r");
    let both = [key("firewall-remote-shutdown", "HCI-N3"), key("firewall-remote-shutdown", "HCI-N4")];
    assert_eq!(commands(&mut s), both.map(|key| Command::Retry { key }));
    s.press("R");
    assert_eq!(commands(&mut s), [Command::RetryFailed]);
}

#[test]
fn an_operator_fixes_one_check_after_reading_what_changes() {
    let mut s = scenes::blocked();
    s.press("f");
    assert_eq!(commands(&mut s), []);
    shows(&mut s, "sets RefsEnableMetadataValidation to 0, effective after a restart");
    s.press("y");
    assert_eq!(commands(&mut s), [Command::Fix { key: key("refs-metadata-validation", "HCI-N3") }]);
    shows(&mut s, "In the way of the start");
}

#[test]
fn an_operator_fixes_all_after_reading_every_change() {
    let mut s = scenes::blocked();
    s.press("F");
    shows(&mut s, "3 changes on 2 machines:");
    s.press("y");
    assert_eq!(commands(&mut s), [Command::FixAll]);
}

#[test]
fn to_do_nothing_is_what_enter_does_at_first() {
    for keys in ["F enter", "F n", "F esc", "F tab tab enter", "f enter"] {
        let mut s = scenes::blocked();
        s.press(keys);
        assert_eq!(commands(&mut s), [], "{keys}");
        shows(&mut s, "r retry");
    }
    let mut s = scenes::blocked();
    s.press("F tab enter");
    assert_eq!(commands(&mut s), [Command::FixAll]);
}

#[test]
fn an_operator_waives_a_blocker_with_a_reason() {
    let mut s = scenes::blocked();
    s.press("j j j w").type_in("too short").press("enter enter enter");
    assert_eq!(commands(&mut s), []);
    shows(&mut s, "the reason needs 6 more characters");
    s.press("tab").type_in(", CHG-4711").press("enter backspace backspace").type_in("8").press("tab tab enter");
    let reason = "too short, CHG-4711".to_owned();
    let expected = ["HCI-N3", "HCI-N4"].map(|n| Command::Waive {
        key: key("firewall-remote-shutdown", n),
        reason: reason.clone(),
        hours: 8,
    });
    assert_eq!(commands(&mut s), expected);
}

#[test]
fn an_operator_starts_pauses_resumes_and_stops() {
    for (mut scene, keys, expected) in [
        (scenes::ready(), "s y", Command::Start),
        (scenes::running(), "p y", Command::Pause),
        (scenes::paused(), "u y", Command::Resume),
        (scenes::running(), "S y", Command::Stop),
        (scenes::awaiting_commit(), "d y", Command::Defer),
    ] {
        let (open, yes) = keys.split_once(' ').unwrap();
        scene.press(open);
        assert_eq!(commands(&mut scene), [], "{keys}");
        scene.press(yes);
        assert_eq!(commands(&mut scene), [expected]);
    }
}

#[test]
fn a_pause_names_its_price() {
    let mut s = scenes::running();
    s.press("p");
    shows(&mut s, "Cluster-Aware Updating finishes HCI-N2 first");
    shows(&mut s, "scans and downloads");
}

#[test]
fn an_irreversible_step_needs_proof_name_and_reason() {
    let mut s = scenes::awaiting_commit();
    s.press("m");
    let step = "functional-level".to_owned();
    assert_eq!(commands(&mut s), [Command::Prove { step: step.clone() }], "the proof is read when it opens");
    shows(&mut s, "Being proved:");
    // Enter does nothing but close.
    s.press("enter");
    assert_eq!(commands(&mut s), []);
    s.press("m");
    assert_eq!(commands(&mut s).len(), 1);
    scenes::prove(&mut s, "13:01:35", 90_000, None);
    s.type_in("HCI-CL1").press("enter").type_in("agreed with operations").press("enter");
    shows(&mut s, "Proved");
    s.press("enter");
    assert_eq!(commands(&mut s), [], "Later is focused");
    s.press("m").type_in("HCI-CL1").press("tab").type_in("agreed with operations").press("tab tab");
    scenes::prove(&mut s, "13:01:40", 90_001, None);
    s.asked();
    s.press("enter");
    let expected = Command::Commit { step, typed: "HCI-CL1".into(), reason: "agreed with operations".into() };
    assert_eq!(commands(&mut s), [expected]);
}

#[test]
fn a_proof_is_taken_again_when_it_grows_old() {
    let mut s = scenes::committing();
    s.asked();
    s.tick("13:02:20");
    assert_eq!(commands(&mut s), []);
    s.tick("13:02:40");
    assert_eq!(commands(&mut s), [Command::Prove { step: "functional-level".into() }]);
    shows(&mut s, "being read again");
    s.tick("13:02:41").tick("13:02:42");
    assert_eq!(commands(&mut s), [], "once, not every second");
}

#[test]
fn pasted_text_is_refused_where_a_name_must_be_typed() {
    let mut s = scenes::committing();
    s.send(Msg::Paste("HCI-CL1".into()));
    shows(&mut s, "pasted text is refused: type it");
    s.press("tab tab tab enter");
    assert!(commands(&mut s).iter().all(|c| matches!(c, Command::Prove { .. })));
    // A reason for a waiver may be pasted.
    let mut s = scenes::blocked();
    s.press("j j j w");
    s.send(Msg::Paste("agreed\nwith operations".into()));
    shows(&mut s, "agreedwith operations");
}

#[test]
fn a_refused_key_says_why_and_is_greyed_for_the_same_reason() {
    let mut s = scenes::blocked();
    s.press("s");
    assert_eq!(commands(&mut s), []);
    shows(&mut s, "Start: 2 blockers in the way");
    s.press("?");
    shows(&mut s, "start; not now: 2 blockers in the way");
    let mut s = scenes::read_only();
    s.press("R");
    shows(&mut s, "Retry failed: this screen is read-only");
}

#[test]
fn what_the_engine_refuses_is_said() {
    let mut s = scenes::ready();
    s.press("s y");
    let Some(Ask::Command { id, .. }) = s.asked().pop() else { panic!() };
    s.send(Msg::Answer { id, refused: Some(Refusal("another viewer was faster".into())) });
    shows(&mut s, "Start: another viewer was faster");
    s.press("j");
    assert!(!screen(&mut s).contains("faster"), "the next key takes it away");
}

#[test]
fn a_note_goes_by_itself_after_some_ticks() {
    let mut s = scenes::blocked();
    assert!(!s.model.wants_tick(), "at rest no clock ticks");
    s.press("s");
    assert!(s.model.wants_tick());
    for _ in 0..8 {
        let now = s.now;
        s.send(Msg::Tick(now));
    }
    assert!(!s.model.wants_tick());
    assert!(!screen(&mut s).contains("in the way\n"));
}

#[test]
fn escape_goes_one_step_back_and_never_leaves() {
    let mut s = scenes::blocked();
    s.press("? esc i esc F esc z esc 4 k esc / esc esc esc esc");
    assert_eq!(s.asked(), []);
    s.press("q");
    assert_eq!(s.asked(), [Ask::Leave]);
}

#[test]
fn leaving_never_asks_for_it_ends_nothing() {
    for mut s in [scenes::running(), scenes::demo()] {
        s.press("q");
        assert_eq!(s.asked(), [Ask::Leave]);
    }
}

#[test]
fn details_go_with_what_is_selected() {
    let mut s = scenes::blocked();
    s.press("i");
    shows(&mut s, "✖ fail on HCI-N3");
    s.press("right");
    shows(&mut s, "✖ fail on HCI-N4".replace("✖ fail", "✔ pass").as_str());
    s.press("y");
    let Some(Ask::Copy(text)) = s.asked().pop() else { panic!("nothing was copied") };
    assert!(text.starts_with("Set-ItemProperty"), "{text}");
    // From the details the check can be mended at once.
    s.press("left f y");
    assert_eq!(commands(&mut s), [Command::Fix { key: key("refs-metadata-validation", "HCI-N3") }]);
    shows(&mut s, "✖ fail on HCI-N3");
    s.press("esc 1 j i");
    shows(&mut s, "✔ HCI-N2");
}

#[test]
fn one_key_leads_to_what_waits_for_a_person() {
    let mut s = scenes::host_key_changed();
    s.press("!");
    shows(&mut s, "offered SHA256:");
    let mut s = scenes::rolled_back();
    s.press("4 !");
    shows(&mut s, "HCI-N2 ROLLED BACK");
    let mut s = scenes::ready();
    s.press("!");
    shows(&mut s, "Needs you: nothing waits for you");
}

#[test]
fn panes_are_one_key_away() {
    let mut s = scenes::blocked();
    for (k, pane) in [("1", "1 Nodes"), ("3", "3 Progress"), ("4", "4 Log"), ("2", "2 Checks")] {
        s.press(k);
        let frame = s.frame(&Look::Default.theme(), 60, 20);
        assert!(rows(&frame)[2].contains(pane), "{k}");
    }
    s.press("tab");
    assert!(rows(&s.frame(&Look::Default.theme(), 60, 20))[2].contains("3 Progress"));
    s.press("shift-tab shift-tab");
    assert!(rows(&s.frame(&Look::Default.theme(), 60, 20))[2].contains("1 Nodes"));
}

#[test]
fn a_new_line_of_the_log_is_never_lost_and_following_resumes() {
    let mut s = scenes::running();
    s.frame(&Look::Default.theme(), 80, 24);
    s.press("4 k k");
    shows(&mut s, "paused");
    for i in 0..5_000 {
        s.log("10:33:00", None, "run", Level::Info, &format!("line {i}"));
    }
    shows(&mut s, "paused, 5000 new");
    assert!(!screen(&mut s).contains("line 4999"));
    s.press("G");
    shows(&mut s, "line 4999");
    shows(&mut s, "following");
    s.press("g");
    shows(&mut s, "start, by j.doe");
    s.press("pgdn");
    assert!(!screen(&mut s).contains("…  "), "every line that is seen is here");
}

#[test]
fn a_search_counts_and_jumps() {
    let mut s = scenes::running();
    s.frame(&Look::Default.theme(), 80, 24);
    for i in 0..3_000 {
        s.log("10:33:00", None, "run", Level::Info, if i % 100 == 0 { "Timeout" } else { "nothing" });
    }
    s.press("4 /").type_in("timeout").press("enter");
    shows(&mut s, "30/30 \"timeout\"");
    s.press("N N");
    shows(&mut s, "28/30 \"timeout\"");
    s.press("n");
    shows(&mut s, "29/30 \"timeout\"");
    s.press("esc");
    assert!(!screen(&mut s).contains("\"timeout\""));
    s.press("/").type_in("there is none").press("enter");
    shows(&mut s, "0 \"there is none\"");
}

#[test]
fn the_log_of_one_machine() {
    let mut s = scenes::running();
    s.frame(&Look::Default.theme(), 80, 24);
    s.press("4 a");
    shows(&mut s, "4 Log ─ HCI-N2");
    assert!(!screen(&mut s).contains("cau     Installing"));
    s.press("1 k 4");
    shows(&mut s, "4 Log ─ HCI-N1");
}

#[test]
fn a_replay_is_steered_and_changes_nothing() {
    let mut s = scenes::replay();
    s.press("space . + - >");
    use ReplayControl::*;
    assert_eq!(s.asked(), [TogglePause, Step, Faster, Slower, End].map(Ask::Replay));
    s.press("p S R F c s m d");
    assert_eq!(s.asked(), []);
    shows(&mut s, "this is a replay: it changes nothing");
}

#[test]
fn with_the_engine_gone_nothing_can_be_asked() {
    let mut s = scenes::running();
    s.press("p");
    s.send(Msg::Bye { why: "it was stopped".into() });
    shows(&mut s, "it was stopped");
    s.press("y esc p");
    shows(&mut s, "the engine has left");
    s.press("y");
    assert_eq!(commands(&mut s), []);
    shows(&mut s, "NO ENGINE");
}

#[test]
fn nothing_is_drawn_when_nothing_changed() {
    let mut s = scenes::blocked();
    s.model.take_dirty();
    let now: Timestamp = at("08:09:00");
    s.send(Msg::Tick(now));
    assert!(!s.model.dirty(), "at rest time passes unseen");
    assert_eq!(s.model.wakes_at(), Some(at("08:14:03")), "only when blockers grow stale");
    s.press("x");
    assert!(!s.model.dirty(), "a key that does nothing");
    s.press("j");
    assert!(s.model.take_dirty());
    let mut s = scenes::running();
    s.model.take_dirty();
    s.tick("10:32:09");
    assert!(s.model.dirty(), "ages move while a run is on");
}

#[test]
fn the_screen_wakes_when_blockers_grow_stale() {
    let mut s = scenes::ready();
    let wake = s.model.wakes_at().expect("a time");
    assert_eq!(wake, at("08:14:03"));
    shows(&mut s, "Every blocker passes");
    s.model.take_dirty();
    s.send(Msg::Tick(wake));
    assert!(s.model.dirty());
    shows(&mut s, "proves the blockers again");
    s.press("s");
    shows(&mut s, "Start the upgrade of HCI-CL1");
}

#[test]
fn a_run_that_ends_shows_its_outcome() {
    let mut s = scenes::awaiting_commit();
    scenes::end(&mut s);
    shows(&mut s, "Left to do");
    s.press("esc");
    shows(&mut s, "o outcome");
}

#[test]
fn another_engine_starts_everything_anew() {
    let mut s = scenes::running();
    s.press("4 k i");
    let hello = scenes::hello(&scenes::blocked());
    s.send(Msg::Hello(Box::new(hello)));
    shows(&mut s, "Reading what happened so far.");
    s.send(Msg::CaughtUp);
    shows(&mut s, "not checked yet");
}

#[test]
fn the_window_says_where_the_run_stands() {
    let s = scenes::running();
    let o = s.model.outside();
    assert_eq!(o.title, "HCI-CL1: running 1 of 4 – nodelift");
    assert!(matches!(o.share, nodelift::ui::Share::Going(30..=60)), "{:?}", o.share);
    assert_eq!(o.urgent, None);
    let mut s = scenes::overdue();
    let late = s.model.outside().urgent;
    assert!(late.is_some());
    s.tick("11:06:00");
    assert_eq!(s.model.outside().urgent, late, "one sound, not one a minute");
}

#[test]
fn an_operator_whose_link_joins_escape_and_the_next_key_loses_neither() {
    let mut s = scenes::blocked();
    s.press("2 / r e f s enter");
    shows(&mut s, "\"refs\"");
    // Escape ends the filter, `c` checks.
    s.press("alt-c");
    assert_eq!(commands(&mut s), [Command::CheckAll]);
    assert!(!screen(&mut s).contains("\"refs\""), "{}", screen(&mut s));
}
