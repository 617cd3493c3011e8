//! Things on the machines that a step is about, each by its name: noted when its turn comes, decided on by a person, and done one by
//! one. What they are (virtual machines) stands in the runbook.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::command::Refusal;
use super::name::NodeName;
use super::plan::{Expr, Plan, Step};
use super::run::{PauseReason, Phase};
use super::state::{Part, State};

/// What a step finds on each machine, and how it is looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Items {
    /// What one of them is called: `VM`.
    pub word: String,
    /// Fact group, read on each node.
    pub facts: String,
    /// Those of one machine that the step is about: a list of `{ name, state }`. None = those that the step which it undoes has done.
    pub note: Option<Expr>,
    /// The one called `item`, where it is on a machine: a list of at most one `{ state, done }`.
    pub look: Expr,
    /// Each only after the one before it, in the order in which they were noted.
    pub in_order: bool,
    /// Setting with the names of those that are left as they are.
    pub keep: Option<String>,
    /// Holds where nobody has to be asked first, by the settings. None = nobody has to be.
    pub agreed: Option<Expr>,
    /// What becomes of one that does not: none = a person says so.
    pub stuck: Option<Stuck>,
    /// The choices in words: "shut down", "turn off", "keep running". Where there is no word for force there is none.
    pub take: String,
    pub force: Option<String>,
    pub leave: String,
}

/// A setting that decides what becomes of one that does not, and its values for that; any other value means that a person is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stuck {
    pub setting: String,
    pub force: Option<String>,
    pub leave: Option<String>,
}

/// What is decided of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// What the step does; again, where it was tried.
    Take,
    /// The harsh way, where the gentle one did not help.
    Force,
    /// It stays as it is.
    Leave,
}

/// One as it was noted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    pub name: String,
    pub node: NodeName,
    /// The machine's word for it.
    pub state: String,
    /// Decided already: by a setting, or because nobody has to be asked.
    pub choice: Option<Choice>,
}

/// One of them, and how far it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Item {
    pub noted: Noted,
    pub choice: Option<Choice>,
    pub part: Part,
    /// Why it does not, where a person or a setting has to decide.
    pub stuck: Option<String>,
}

impl Item {
    /// As it was noted, with nothing done.
    pub fn new(noted: &Noted) -> Self {
        Self { noted: noted.clone(), choice: noted.choice, part: Part::default(), stuck: None }
    }

    /// Nothing is left to be done about it.
    pub fn is_settled(&self) -> bool {
        self.choice == Some(Choice::Leave) || self.part.done.is_some()
    }

    /// A person has to say what becomes of it.
    pub fn waits(&self) -> bool {
        !self.is_settled() && (self.choice.is_none() || self.stuck.is_some())
    }

    /// Something was done about it: whether or not it was seen to happen.
    pub fn is_touched(&self) -> bool {
        self.choice != Some(Choice::Leave) && self.part.attempt > 0
    }

    /// What was decided.
    pub fn decide(&mut self, choice: Choice) {
        self.choice = Some(choice);
        self.again();
    }

    /// Nothing was tried yet: the next attempt is a new one.
    pub fn again(&mut self) {
        self.stuck = None;
        if self.part.done.is_none() {
            self.part = Part { attempt: self.part.attempt, ..Part::default() };
        }
    }
}

impl Items {
    /// The word for a choice about one.
    pub fn word_of(&self, choice: Choice, item: &Item) -> String {
        match choice {
            Choice::Take if item.stuck.is_some() => "try again".to_owned(),
            Choice::Take => self.take.clone(),
            Choice::Force => self.force.clone().unwrap_or_default(),
            Choice::Leave => self.leave.clone(),
        }
    }

    /// What may be decided of one now: force only where the gentle way was tried.
    pub fn choices(&self, item: &Item) -> Vec<Choice> {
        let force = self.force.as_ref().filter(|_| item.stuck.is_some()).map(|_| Choice::Force);
        [Some(Choice::Take), force, Some(Choice::Leave)].into_iter().flatten().collect()
    }
}

impl Stuck {
    /// What the settings of a plan decide, if they do.
    pub fn decides(&self, plan: &Plan) -> Option<Choice> {
        let value = plan.settings.get(&self.setting)?.as_str()?;
        let is = |word: &Option<String>| word.as_deref() == Some(value);
        match (is(&self.force), is(&self.leave)) {
            (true, _) => Some(Choice::Force),
            (_, true) => Some(Choice::Leave),
            _ => None,
        }
    }
}

impl State {
    /// What a step found, once it was noted.
    pub fn items(&self, step: &str) -> &[Item] {
        self.run.as_ref().and_then(|r| r.steps.get(step)?.items.as_deref()).unwrap_or_default()
    }

    /// The step under way, where somebody has to decide about something that it found.
    pub fn undecided(&self) -> Option<(&Step, &Items)> {
        let step = self.plan.step(self.current_step()?)?;
        let asked = self.items(&step.id).iter().any(Item::waits);
        step.items.as_ref().filter(|_| asked).map(|items| (step, items))
    }

    /// Names of what a step has still to do, or to take back.
    pub fn things_left(&self, step: &Step) -> Vec<&str> {
        let own = self.run.as_ref().and_then(|r| r.steps.get(&step.id)?.items.as_deref());
        let undone = step.undoes.as_deref().filter(|_| step.items.is_some()).map(|id| self.items(id));
        match (own, undone) {
            (Some(own), _) => own.iter().filter(|i| !i.is_settled()).map(|i| i.noted.name.as_str()).collect(),
            (None, all) => {
                all.unwrap_or_default().iter().filter(|i| i.is_touched()).map(|i| i.noted.name.as_str()).collect()
            }
        }
    }
}

/// Names that a setting gives: a list of texts, or one text.
pub fn names_in(setting: Option<&Json>) -> Vec<&str> {
    match setting {
        Some(Json::Array(all)) => all.iter().filter_map(Json::as_str).collect(),
        Some(Json::String(one)) if !one.is_empty() => one.split(',').map(str::trim).collect(),
        _ => Vec::new(),
    }
}

/// Whether these decisions can be taken now.
///
/// # Errors
/// The refusal, with its reason.
pub fn decidable(state: &State, step: &str, choices: &BTreeMap<String, Choice>) -> Result<(), Refusal> {
    let no = |why: String| Err(Refusal(why));
    match &state.phase {
        Phase::Paused(PauseReason::LockLost) => return no("another engine drives this target".into()),
        Phase::Paused(_) => {}
        p if p.is_terminal() => return no("the run has ended".into()),
        _ => return no("nothing waits for a decision".into()),
    }
    let Some((current, items)) = state.undecided().filter(|(s, _)| s.id == step) else {
        return no("nothing waits for a decision".into());
    };
    let all = state.items(&current.id);
    for (name, choice) in choices {
        let Some(item) = all.iter().find(|i| &i.noted.name == name) else {
            return no(format!("there is no {} {name} in it", items.word));
        };
        if !item.waits() {
            return no(format!("{name} is decided"));
        }
        if !items.choices(item).contains(choice) {
            return no(format!("{name}: that was not tried the gentle way yet"));
        }
    }
    match all.iter().find(|i| i.waits() && !choices.contains_key(&i.noted.name)) {
        Some(item) => no(format!("decide about {}", item.noted.name)),
        None => Ok(()),
    }
}
