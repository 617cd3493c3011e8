//! Hooks as people write them: programs with their arguments, never a shell's text.

use toml::Spanned;

use super::Hooks;
use super::check::Checker;
use super::tables::HooksTable;

/// Names that are put into arguments.
const NAMES: [&str; 4] = ["node", "cluster", "change", "run"];

impl Checker<'_> {
    pub(super) fn hooks(&mut self, t: &HooksTable) -> Hooks {
        let timeout = t.timeout.as_ref().map_or(60, |s| *s.get_ref());
        if let Some(at) = t.timeout.as_ref().filter(|_| !(1..=3600).contains(&timeout)) {
            self.say(
                at,
                format!("{timeout} s is no time for a hook"),
                "between 1 and 3600 seconds; 60 where absent",
            );
        }
        Hooks {
            before_drain: t.before_drain.as_ref().map(|c| self.hook(c)),
            after_resume: t.after_resume.as_ref().map(|c| self.hook(c)),
            timeout,
            on_failure: t.on_failure,
        }
    }

    fn hook(&mut self, command: &Spanned<Vec<String>>) -> Vec<String> {
        let words = command.get_ref();
        if words.first().is_none_or(|w| w.trim().is_empty()) {
            self.say(command, "the command is empty", "give the program and its arguments, one text each");
        }
        for word in words {
            let mut rest = word.as_str();
            while let Some((_, after)) = rest.split_once('{') {
                let Some((name, end)) = after.split_once('}') else { break };
                if !NAMES.contains(&name) {
                    let help = format!("there is: {{{}}}", NAMES.join("}, {"));
                    self.say(command, format!("nothing is put in for `{{{name}}}`"), &help);
                }
                rest = end;
            }
        }
        words.clone()
    }
}
