//! What an operator does with the checks, as keys: the matrix, groups and filters, one machine again, questions.

use nodelift::core::command::Command;
use nodelift::core::event::{Event, Outcome, VerdictKey, Waiver};
use nodelift::core::plan::Moment;
use nodelift::core::run::Phase;
use nodelift::core::standing::{Standing, standing};
use nodelift::core::summary::counts;
use nodelift::ui::{Ask, Msg};

use crate::dump::{Look, rows};
use crate::fixtures::scene::Scene;
use crate::fixtures::story::at;
use crate::fixtures::{plan, readiness, scenes};
use crate::keys::{commands, key, screen, shows};

/// Both verdicts of the fixture's questions are about the cluster.
fn question(check: &str) -> VerdictKey {
    VerdictKey { check: check.into(), node: None }
}

#[test]
fn an_operator_walks_the_matrix_and_acts_on_one_cell() {
    let mut s = scenes::blocked();
    s.press("v");
    shows(&mut s, "✖ HCI-N3: fail, value absent; expected RefsEnableMetadataValidation is");
    s.press("r");
    assert_eq!(commands(&mut s), [Command::Retry { key: key("refs-metadata-validation", "HCI-N3") }]);
    // Down stays in the column, right goes to the next machine: one cell, not both machines that failed.
    s.press("j right");
    shows(&mut s, "✖ HCI-N4: fail, rule disabled");
    s.press("f y");
    assert_eq!(commands(&mut s), [Command::Fix { key: key("firewall-remote-shutdown", "HCI-N4") }]);
    s.press("right right");
    shows(&mut s, "✖ HCI-N4: fail, rule disabled");
    s.press("left left left left left");
    shows(&mut s, "✔ HCI-N1: pass, as expected");
    s.press("right right right w").type_in("agreed, CHG-4711").press("enter enter enter");
    let waive = Command::Waive {
        key: key("firewall-remote-shutdown", "HCI-N4"),
        reason: "agreed, CHG-4711".into(),
        hours: 12,
    };
    assert_eq!(commands(&mut s), [waive]);
    s.press("enter");
    shows(&mut s, "✖ fail on HCI-N4");
    s.press("esc v");
    shows(&mut s, "1 Nodes");
}

#[test]
fn a_check_about_the_cluster_has_its_own_column() {
    let mut s = readiness::mixed();
    s.press("v j right");
    shows(&mut s, "HCI-N4: waived, rule disabled");
    s.press("j j");
    // It has one cell, wherever one comes from; further down one is back in the column.
    shows(&mut s, "? could not tell, Does the vendor support");
    s.press("left right");
    assert_eq!(commands(&mut s), []);
    s.press("r j");
    assert_eq!(commands(&mut s), [Command::Retry { key: question("quorum") }]);
    shows(&mut s, "✔ HCI-N4: pass, as expected");
}

#[test]
fn the_matrix_gives_the_nodes_back_when_one_looks_at_them() {
    let mut s = scenes::blocked();
    s.press("v 1");
    shows(&mut s, "1 Nodes");
    shows(&mut s, "2 Checks");
    s.press("2");
    assert!(!screen(&mut s).contains("1 Nodes"));
}

#[test]
fn an_operator_filters_and_escape_shows_everything_again() {
    let mut s = readiness::mixed();
    let title = |s: &mut Scene| rows(&s.frame(&Look::Default.theme(), 120, 40)).remove(1);
    let mut seen = Vec::new();
    for _ in 0..7 {
        s.press("e");
        seen.push(title(&mut s).split("only ").nth(1).unwrap().split(" ─").next().unwrap().to_owned());
    }
    let answers = ["failed", "could not tell", "to look at", "waived", "stale", "passed", "not applicable"];
    assert_eq!(seen, answers, "the worst first");
    s.press("e");
    assert!(!title(&mut s).contains("only"));
    // Answers that nobody gave are left out.
    let mut s = scenes::blocked();
    s.press("e e");
    assert!(title(&mut s).contains("only to look at"));
    s.press("esc");
    assert!(!title(&mut s).contains("only"));
    s.press("/").type_in("sqr").press("backspace backspace");
    assert!(title(&mut s).contains("/s▏"), "it works while one types");
    s.type_in("ecure b").press("enter");
    assert!(title(&mut s).contains("\"secure b\""));
    shows(&mut s, "1 of 34");
    s.press("r");
    assert_eq!(commands(&mut s), [Command::Retry { key: key("secure-boot", "HCI-N3") }]);
    s.press("esc");
    assert!(title(&mut s).contains("of 34"));
}

#[test]
fn the_command_of_the_selected_check_is_copied() {
    let mut s = scenes::blocked();
    s.press("y");
    let Some(Ask::Copy(text)) = s.asked().pop() else { panic!("nothing was copied") };
    assert!(text.starts_with("Set-ItemProperty"), "{text}");
    shows(&mut s, "Copied: Set-ItemProperty");
}

#[test]
fn what_is_filtered_out_is_not_acted_on() {
    let mut s = readiness::mixed();
    // The firewall rule fails on N3 and is waived on N4.
    s.press("/").type_in("shutdown").press("enter r");
    let both = [key("firewall-remote-shutdown", "HCI-N3"), key("firewall-remote-shutdown", "HCI-N4")];
    assert_eq!(commands(&mut s), both.map(|key| Command::Retry { key }));
    s.press("esc e j j r");
    assert_eq!(commands(&mut s), [Command::Retry { key: key("firewall-remote-shutdown", "HCI-N3") }]);
}

#[test]
fn checks_are_grouped_by_urgency_by_area_and_by_machine() {
    let mut s = scenes::blocked();
    shows(&mut s, "In the way of the start · 2");
    s.press("b");
    shows(&mut s, "Node settings · 1 of 5 not good");
    s.press("b");
    shows(&mut s, "HCI-N3 · 3 of 15 not good");
    s.press("j r");
    assert_eq!(commands(&mut s), [Command::Retry { key: key("firewall-remote-shutdown", "HCI-N3") }]);
    s.press("b");
    shows(&mut s, "In the way of the start · 2");
}

#[test]
fn what_an_upgrade_changed_is_accepted_with_a_reason() {
    let mut s = scenes::changed();
    s.press("1 k i");
    shows(&mut s, "Not as before");
    shows(&mut s, "An adapter got a number to its description");
    s.press("w");
    shows(&mut s, "Accept: 2 changes on HCI-N1");
    s.press("o k enter");
    shows(&mut s, "the reason needs 15 characters");
    s.press("enter enter y");
    assert_eq!(commands(&mut s), [], "a reason is a sentence");
    s.press("esc esc 1 k w");
    s.send(nodelift::ui::Msg::Paste("the controller's own adapter".into()));
    s.press("enter enter");
    let reason = "the controller's own adapter".into();
    assert_eq!(commands(&mut s), [Command::AcceptChanges { node: "HCI-N1".into(), reason }]);
    let mut s = scenes::running();
    s.press("1 w");
    assert_eq!(commands(&mut s), [], "there is nothing to accept");
}

#[test]
fn the_report_of_a_run_is_asked_for_once_there_is_one() {
    let mut s = scenes::running();
    s.press("W");
    assert!(s.asks.contains(&nodelift::ui::Ask::Report));
    s.send(nodelift::ui::Msg::Told {
        text: "The report of this run is in /runs/report/run.html".into(),
        failed: false,
    });
    shows(&mut s, "/runs/report/run.html");
    let mut s = scenes::ready();
    s.press("W");
    assert!(!s.asks.contains(&nodelift::ui::Ask::Report));
    shows(&mut s, "no run was started");
}

#[test]
fn an_operator_reads_one_machine_again() {
    let mut s = scenes::blocked();
    s.press("1 j r");
    assert_eq!(commands(&mut s), [Command::RetryNode { node: "HCI-N2".into() }]);
    s.press("i r");
    assert_eq!(commands(&mut s), [Command::RetryNode { node: "HCI-N2".into() }], "from its details too");
    shows(&mut s, "HCI-N2");
    let mut s = scenes::running();
    s.press("1 r");
    assert_eq!(commands(&mut s), []);
    shows(&mut s, "Retry machine: the run is running");
}

#[test]
fn an_operator_confirms_what_no_script_can_tell() {
    let mut s = readiness::mixed();
    s.press("a");
    assert_eq!(commands(&mut s), []);
    shows(&mut s, "Confirm: it is read, not confirmed");
    s.press("/").type_in("quorum").press("enter a");
    shows(&mut s, "Does the vendor support the target version on this hardware?");
    s.press("enter enter");
    assert_eq!(commands(&mut s), [], "to do nothing is what enter does at first");
    s.press("a").type_in("their matrix, row 12").press("tab tab enter");
    let note = "their matrix, row 12".to_owned();
    assert_eq!(commands(&mut s), [Command::Attest { key: question("quorum"), note }]);
    // From the details, without a note.
    s.press("i a down down enter");
    assert_eq!(commands(&mut s), [Command::Attest { key: question("quorum"), note: String::new() }]);
    s.press("esc esc /").type_in("maintenance").press("enter a");
    shows(&mut s, "Confirm: it is confirmed");
}

#[test]
fn a_text_that_is_no_check_does_nothing_to_checks() {
    let mut s = scenes::blocked();
    for keys in ["? r f w a", "4 k i r f w a", "esc esc"] {
        s.press(keys);
        assert_eq!(commands(&mut s), [], "{keys}");
    }
}

#[test]
fn a_waiver_says_when_it_ends() {
    let mut s = scenes::blocked();
    s.press("j j j w tab");
    shows(&mut s, "until 2025-06-14 20:04:14 UTC");
    s.press("backspace backspace 3");
    shows(&mut s, "until 2025-06-14 11:04:14 UTC");
    s.press("backspace");
    assert!(!screen(&mut s).contains("until"));
}

#[test]
fn a_blocker_turns_stale_on_the_screen_without_a_key() {
    let mut s = readiness::all_green();
    shows(&mut s, "34 ✔  of 34");
    let wake = s.model.wakes_at().expect("a time");
    s.model.take_dirty();
    s.send(Msg::Tick(wake));
    assert!(s.model.dirty());
    shows(&mut s, "27 ◔  7 ✔");
    assert_eq!(s.model.wakes_at(), None, "nothing else changes by itself");
}

#[test]
fn what_an_answer_counts_follows_time_waivers_and_the_run() {
    let mut s = scenes::connected(plan::hci_cl1());
    s.at("08:00:00").phase(Phase::Checking, "reading every node").want_all(Moment::Before);
    s.read_all(Moment::Before, |_| true).phase(Phase::Ready, "every blocker passes");
    let (blocker, warning) = (key("winrm", "HCI-N1"), key("secure-boot", "HCI-N1"));
    let of = |s: &crate::fixtures::story::Story, k: &VerdictKey, time: &str| standing(&s.state, k, at(time));
    assert_eq!(of(&s, &blocker, "08:10:00"), Standing::Pass);
    assert_eq!(of(&s, &blocker, "08:10:01"), Standing::Stale);
    assert_eq!(of(&s, &warning, "08:30:00"), Standing::Pass, "only a blocker is proved again");
    assert_eq!(of(&s, &VerdictKey { check: "no-such".into(), node: None }, "08:00:00"), Standing::NotJudged);

    let firewall = key("firewall-remote-shutdown", "HCI-N4");
    s.verdict("firewall-remote-shutdown", Some("HCI-N4"), Outcome::Fail, "rule disabled");
    s.tell_as(
        "j.doe",
        Event::Waived(Waiver {
            key: firewall.clone(),
            reason: "CHG-4711, by policy".into(),
            by: "j.doe".into(),
            expires: at("09:00:00"),
        }),
    );
    assert_eq!(of(&s, &firewall, "08:59:59"), Standing::Waived);
    assert_eq!(of(&s, &firewall, "09:00:00"), Standing::Fail, "a waiver ends");
    let c = counts(&s.state, at("08:30:00"));
    assert_eq!((c.fail, c.waived, c.stale, c.pass), (0, 1, 26, 33));
    // One that is bad elsewhere too is not waived as a whole.
    s.verdict("firewall-remote-shutdown", Some("HCI-N3"), Outcome::Fail, "rule disabled");
    let c = counts(&s.state, at("08:30:00"));
    assert_eq!((c.fail, c.waived), (1, 0));

    // What was read before a run does not become stale while it is on.
    s.start();
    assert_eq!(of(&s, &blocker, "11:00:00"), Standing::Pass);
}

#[test]
fn while_nodes_are_restarted_time_passes_and_pause_is_offered() {
    let mut s = readiness::restarting();
    shows(&mut s, "p pause  S stop");
    assert!(s.model.wants_tick());
    s.press("i");
    shows(&mut s, "RefsEnableMetadataValidation");
    s.press("pgdn");
    shows(&mut s, "✔ Move its roles away  2025-06-14 08:06:00 UTC, drained");
    shows(&mut s, "▶ Restart it  since 08:06");
    s.press("esc p y");
    assert_eq!(commands(&mut s), [Command::Pause]);
}
