//! What of a node is compared after its upgrade, from every file of a runbook.

use super::checked::Known;
use super::load::{At, Loader};
use super::schema::{BaselineTable, Word};
use crate::config::diagnose::suggest;
use crate::core::baseline::{Baseline, Expected, KnownChange, VARIABLES};
use crate::core::plan::Place;

impl Loader<'_> {
    /// One of all the tables: the fact group is named once, what is expected and known is added up.
    pub(super) fn baseline(&mut self, known: &Known, tables: &[(At, &BaselineTable)]) -> Option<Baseline> {
        let mut named: Option<&Word> = None;
        let (mut expected, mut changes): (Vec<Expected>, Vec<KnownChange>) = (Vec::new(), Vec::new());
        let variables: Vec<String> = VARIABLES.iter().map(|v| (*v).to_owned()).collect();
        for (at, table) in tables {
            if let Some(facts) = &table.facts {
                self.known_facts(at, known, std::slice::from_ref(facts));
                if known.group(facts.get_ref()).is_some_and(|g| g.on != Place::EachNode) {
                    let message = format!("`{}` is not read on each node", facts.get_ref());
                    self.say(
                        at,
                        facts,
                        message,
                        Some("what is compared is read with `on = \"each-node\"`".into()),
                    );
                }
                if named.replace(facts).is_some() {
                    self.say(at, facts, "the fact group that is compared is named already".into(), None);
                }
            }
            for e in &table.expected {
                expected.push(Expected { when: self.expression(at, &variables, &e.when), why: e.why.clone() });
            }
            for k in &table.known {
                let id = k.id.get_ref().clone();
                if changes.iter().any(|c| c.id == id) {
                    self.say(at, &k.id, format!("there are two known changes `{id}`"), None);
                }
                changes.push(KnownChange {
                    id,
                    when: self.expression(at, &variables, &k.when),
                    title: k.title.clone(),
                    remedy: k.remedy.clone(),
                    command: k.command.clone(),
                    source: k.source.clone(),
                });
            }
        }
        if named.is_none()
            && let Some((at, table)) = tables.first()
            && let Some(word) = table.expected.first().map(|e| &e.when).or(table.known.first().map(|k| &k.when))
        {
            let groups: Vec<&str> = known.facts.iter().map(|f| f.id.as_str()).collect();
            let help = format!("add `facts` to `[baseline]`: {}", suggest("baseline", groups));
            self.say(at, word, "nothing is compared: no `[baseline]` names its fact group".into(), Some(help));
        }
        named.map(|facts| Baseline { facts: facts.get_ref().clone(), expected, known: changes })
    }
}
