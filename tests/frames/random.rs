//! Whatever is pressed: nothing panics, and nothing is changed without its question.

use nodelift::core::command::Command;
use nodelift::input::{Code, Key, keys};
use nodelift::ui::{Ask, Msg};
use proptest::prelude::*;

use crate::dump::{Look, rows};
use crate::fixtures::scenes;

/// Words that stand on the screen while the question for a command is open.
fn question(command: &Command) -> Option<&'static [&'static str]> {
    match command {
        // Reading changes nothing.
        Command::Connect
        | Command::CheckAll
        | Command::Retry { .. }
        | Command::RetryFailed
        | Command::RetryNode { .. }
        | Command::Prove { .. } => None,
        Command::Fix { .. } => Some(&["[ Fix ]"]),
        Command::FixAll => Some(&["[ Fix all ]"]),
        Command::Waive { .. } => Some(&["[ Waive ]"]),
        Command::AcceptChanges { .. } => Some(&["[ Accept ]"]),
        Command::Attest { .. } | Command::Confirm { .. } => Some(&["[ Confirm ]"]),
        Command::Start => Some(&["[ Start ]"]),
        Command::Pause => Some(&["[ Pause ]"]),
        Command::Resume => Some(&["[ Go on ]"]),
        Command::Stop | Command::Defer => Some(&["[ End the run ]"]),
        Command::Commit { .. } => Some(&["[ Raise ]", "[ Upgrade ]"]),
        Command::Revise { .. } => Some(&["[ Take it ]"]),
        Command::Recover { .. } => Some(&["[ Clear ]"]),
        Command::Abandon { .. } => Some(&["[ Give up ]"]),
        // It is asked for on the command line.
        Command::Reopen { .. } => Some(&[]),
        Command::Decide { .. } => Some(&["[ Go on ]"]),
    }
}

fn key() -> impl Strategy<Value = Key> {
    let likely = "r R f F w a v b e s p u S m d o i enter y n tab shift-tab esc up down left right pgup pgdn g G 1 2 3 4 z ? / \
                  a q ! t X D A space . + - > c C x ctrl-l ctrl-z backspace delete home end H C I - L 1 ctrl-u ctrl-w";
    let likely = keys(likely).expect("keys");
    prop_oneof![
        8 => proptest::sample::select(likely),
        1 => any::<char>().prop_map(|c| Key::plain(Code::Char(c))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn random_keys_neither_panic_nor_change_anything_unasked(
        which in 0..40usize,
        pressed in proptest::collection::vec(key(), 1..60),
        width in 0..140u16,
        height in 0..50u16,
    ) {
        let all = scenes::all();
        let (name, make) = all[which % all.len()];
        let mut scene = make();
        let theme = Look::Default.theme();
        scene.frame(&theme, width, height);
        // What is asked is looked for on a screen that is large enough to show it.
        for key in pressed {
            let before = rows(&scene.frame(&theme, 100, 40)).join("\n");
            scene.frame(&theme, width, height);
            scene.send(Msg::Key(key));
            scene.frame(&theme, width, height);
            for ask in scene.asked() {
                let Ask::Command { command, .. } = ask else { continue };
                if let Some(words) = question(&command) {
                    prop_assert!(
                        words.iter().any(|w| before.contains(w)),
                        "{name}: {key} sent {command:?} without its question:\n{before}"
                    );
                }
            }
        }
    }
}
