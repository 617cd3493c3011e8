//! One script on one machine of a world: what comes before it, what it changes, what it answers. Pure: time is given, waiting
//! is the caller's.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::answer::{Answer, Answers, Cel, Do};
use super::cmdlets::called;
use super::facts::{Logon, Place};
use super::operation::{Course, key};
use super::remoting;
use super::world::{Fields, World, later};
use crate::core::expr::Scope;

/// What is run, and where.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    pub place: Place<'a>,
    /// Path of the script, for messages.
    pub name: &'a str,
    pub script: &'a str,
    pub args: &'a Json,
}

/// An error that ends a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thrown {
    pub id: String,
    pub message: String,
}

/// What happens before a script does anything: the faults of its cmdlets.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// Lines that it says before it has taken any time.
    pub asks: Vec<String>,
    /// Seconds of site time that the script takes.
    pub takes: f64,
    /// Real seconds of silence.
    pub delay: f64,
    /// It never ends.
    pub hang: bool,
    /// What is written to its output outside of every frame.
    pub garbage: Vec<String>,
    /// Its whole shell ends with this code.
    pub exit: Option<i64>,
    /// It ends with this error.
    pub thrown: Option<Thrown>,
    /// Errors that it caught: cmdlet → id.
    pub caught: BTreeMap<String, String>,
    /// It answers this, whatever the world says.
    pub instead: Option<Json>,
}

/// How a script ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    pub said: Vec<String>,
    pub result: Result<Json, Thrown>,
    /// What it stays with.
    pub stays: Option<Stays>,
}

/// Something that goes on by itself and that a detached script stays with.
#[derive(Clone, Debug, PartialEq)]
pub enum Stays {
    /// A run of Cluster-Aware Updating, by its id.
    Run(String),
    /// Windows Setup: when it ends, where it does, and its code.
    Setup(Option<Timestamp>, u64),
}

/// Id of the error for a script that has no answer here, and for an answer that has no value.
pub const NO_ANSWER: &str = "SimulatorHasNoAnswer";

fn no_answer(message: String) -> Thrown {
    Thrown { id: NO_ANSWER.into(), message }
}

/// Takes the faults whose turn it is, and tells how long the script takes.
pub fn open(world: &mut World, answers: &Answers, call: &Call) -> Opening {
    let answer = answers.get(call.script);
    let mut opening = faults(world, answer.as_deref(), call);
    let mut first = |cel: fn(&Answer) -> Option<&Cel>| {
        let answer = answer.as_deref()?;
        let caught = &BTreeMap::new();
        let run = Run { world, call, answer, lets: Vec::new(), each: None, given: None, caught };
        run.eval(cel(answer)?).ok()
    };
    let takes = first(|a| a.takes.as_ref()).and_then(|t| t.as_f64());
    opening.takes = takes.unwrap_or_else(Answer::default_time).max(0.0);
    opening.asks = first(|a| a.asks.as_ref()).map_or_else(Vec::new, |asks| strings(&asks));
    opening
}

fn faults(world: &mut World, answer: Option<&Answer>, call: &Call) -> Opening {
    let mut out = Opening::default();
    if world.json().list("faults").is_empty() {
        return out;
    }
    for cmdlet in called(call.script) {
        let machine = call.place.machine;
        let due = world.every_fault(|f| {
            f.text("on").is_some_and(|on| on.eq_ignore_ascii_case(&cmdlet))
                && f.text("machine").is_none_or(|m| m.eq_ignore_ascii_case(machine))
                && names_values(f.get("where"), call)
        });
        for fault in due {
            out.delay += fault.number("delay").unwrap_or(0.0).max(0.0);
            out.garbage.extend(fault.text("garbage").map(str::to_owned));
            if fault.truth("hang") {
                out.hang = true;
                return out;
            }
            if let Some(code) = fault.number("exit") {
                out.exit = Some(code as i64);
                return out;
            }
            let said = fault.text("throw").or(fault.text("error"));
            if let Some(message) = said {
                let id = fault.text("id").unwrap_or("LabFault").to_owned();
                if answer.is_some_and(|a| a.caught.iter().any(|c| c.eq_ignore_ascii_case(&cmdlet))) {
                    out.caught.insert(cmdlet.clone(), id);
                } else {
                    out.thrown = Some(Thrown { id, message: message.to_owned() });
                    return out;
                }
            }
            if let Some(value) = fault.get("return") {
                out.instead = Some(value.clone());
            }
        }
    }
    out
}

/// Parameter values of a fault are looked for in the script and its arguments: nobody binds parameters here.
fn names_values(wanted: Option<&Json>, call: &Call) -> bool {
    let Some(Json::Object(wanted)) = wanted else { return true };
    let text = format!("{}\n{}", call.script, call.args).to_lowercase();
    wanted.values().all(|v| {
        let value = v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        text.contains(&value.to_lowercase())
    })
}

/// Runs a script to its end.
pub fn close(world: &mut World, answers: &Answers, call: &Call, opening: &Opening) -> Ended {
    let failed = |thrown: Thrown| Ended { said: Vec::new(), result: Err(thrown), stays: None };
    if let Some(thrown) = &opening.thrown {
        return failed(thrown.clone());
    }
    if let Some(value) = &opening.instead {
        return Ended { said: Vec::new(), result: Ok(value.clone()), stays: None };
    }
    let Some(answer) = answers.get(call.script) else {
        let name = if call.name.is_empty() { "this script" } else { call.name };
        return failed(no_answer(format!(
            "the simulator has no answer for {name}: there is no .sim.toml beside it"
        )));
    };
    let mut run =
        Run { world, call, answer: &answer, lets: Vec::new(), each: None, given: None, caught: &opening.caught };
    run.play(answers).unwrap_or_else(failed)
}

struct Run<'a> {
    world: &'a mut World,
    call: &'a Call<'a>,
    answer: &'a Answer,
    lets: Vec<(String, Json)>,
    each: Option<Json>,
    /// What an act found.
    given: Option<Json>,
    caught: &'a BTreeMap<String, String>,
}

impl Run<'_> {
    fn play(&mut self, answers: &Answers) -> Result<Ended, Thrown> {
        let answer = self.answer;
        for l in &answer.lets {
            let value = self.eval(&l.value)?;
            self.lets.push((l.name.clone(), value));
        }
        self.fails(false)?;
        let mut stays = None;
        for d in &answer.dos {
            stays = self.change(d, answers)?.or(stays);
        }
        self.fails(true)?;
        let said = match &answer.says {
            Some(says) => strings(&self.eval(says)?),
            None => Vec::new(),
        };
        Ok(Ended { said, result: Ok(self.eval(&answer.answer)?), stays })
    }

    fn fails(&self, late: bool) -> Result<(), Thrown> {
        for f in self.answer.fails.iter().filter(|f| f.late == late) {
            if self.holds(&f.when)? {
                return Err(Thrown { id: f.id.clone(), message: self.filled(&f.message)? });
            }
        }
        Ok(())
    }

    fn eval(&self, cel: &super::answer::Cel) -> Result<Json, Thrown> {
        let wrong = |why: String| no_answer(format!("the answer for {}: {why}", self.answer.name));
        let mut scope = Scope::default();
        for name in cel.variables().map_err(wrong)? {
            let own = self.lets.iter().rev().find(|(n, _)| *n == name).map(|(_, v)| Cow::Borrowed(v));
            let value = own.or_else(|| match name.as_str() {
                "arg" => Some(Cow::Borrowed(self.call.args)),
                "thrown" => Some(Cow::Owned(json!(self.caught))),
                "each" => self.each.as_ref().map(Cow::Borrowed),
                "given" => self.given.as_ref().map(Cow::Borrowed),
                name => self.world.variable(name, self.call.place),
            });
            let Some(value) = value else { continue };
            match (&*value, cel.fields_of(&name)) {
                (Json::Object(all), Some(fields)) if all.len() > fields.len() => {
                    let named = fields.iter().filter_map(|f| Some(((*f).to_owned(), all.get(*f)?.clone())));
                    scope.set(&name, &Json::Object(named.collect()));
                }
                (whole, _) => scope.set(&name, whole),
            }
        }
        cel.eval(&scope).map_err(wrong)
    }

    fn holds(&self, cel: &super::answer::Cel) -> Result<bool, Thrown> {
        match self.eval(cel)? {
            Json::Bool(b) => Ok(b),
            other => Err(no_answer(format!("the answer for {}: a condition gave {other}", self.answer.name))),
        }
    }

    /// A text with `{expression}` in it.
    fn filled(&self, text: &str) -> Result<String, Thrown> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, from)) = rest.split_once('{') {
            let Some((inner, after)) = from.split_once('}') else { break };
            out.push_str(before);
            let value = self.eval(&super::answer::Cel::from(inner.to_owned()))?;
            out.push_str(&value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn change(&mut self, d: &Do, answers: &Answers) -> Result<Option<Stays>, Thrown> {
        let turns = match &d.each {
            None => vec![None],
            Some(list) => match self.eval(list)? {
                Json::Array(a) => a.into_iter().map(Some).collect(),
                _ => Vec::new(),
            },
        };
        let mut stays = None;
        for turn in turns {
            self.each = turn;
            if let Some(when) = &d.when
                && !self.holds(when)?
            {
                continue;
            }
            match (&d.set, &d.value, &d.act) {
                (Some(path), Some(value), _) => {
                    let value = self.eval(value)?;
                    self.set(path, value)?;
                }
                (_, _, Some(act)) => {
                    let args = d.args.as_ref().map(|a| self.eval(a)).transpose()?.unwrap_or(Json::Null);
                    stays = self.act(act, &args, answers)?.or(stays);
                }
                _ => {}
            }
        }
        self.each = None;
        Ok(stays)
    }

    fn set(&mut self, path: &[String], value: Json) -> Result<(), Thrown> {
        let mut parts = Vec::with_capacity(path.len());
        for part in path {
            parts.push(self.filled(part)?);
        }
        let Some((root, rest)) = parts.split_first() else { return Ok(()) };
        let mut slot = match root.as_str() {
            "machine" => self.world.machine_mut(self.call.place.machine),
            "world" => self.world.json_mut(),
            other => {
                return Err(no_answer(format!(
                    "the answer for {}: there is no `{other}` to set",
                    self.answer.name
                )));
            }
        };
        for part in rest {
            slot = match (slot.is_array(), part.parse::<usize>()) {
                (true, Ok(i)) if slot.get(i).is_some() => &mut slot[i],
                _ => slot.slot(part),
            };
        }
        *slot = value;
        Ok(())
    }

    /// Things that follow rules of their own. Gives what the script stays with.
    fn act(&mut self, act: &str, args: &Json, answers: &Answers) -> Result<Option<Stays>, Thrown> {
        let Place { machine, now, logon } = self.call.place;
        let node = args.text("node").and_then(|n| self.world.find(n)).unwrap_or_else(|| machine.to_owned());
        match act {
            "start-run" => {
                let user = if logon == Logon::Service { "NT AUTHORITY\\SYSTEM" } else { "CORP\\upgradeadmin" };
                let driver = json!({
                    "machine": machine, "user": user, "mode": "process", "pid": null, "pid_start": null,
                    "heartbeat": super::world::stored(now), "died": null, "dies_at": null,
                });
                let plugin = args.text("plugin").unwrap_or(super::offer::ROLLING).to_owned();
                let none = json!({});
                let (arguments, options) =
                    (args.get("arguments").unwrap_or(&none), args.get("options").unwrap_or(&none));
                let id = self.world.start_run(&plugin, arguments, options, driver, now);
                self.world.advance(now);
                return Ok(Some(Stays::Run(id)));
            }
            "setup" => {
                let (until, code) =
                    self.world.start_setup(machine, args.get("medium").unwrap_or(&Json::Null), now);
                return Ok(Some(Stays::Setup(until, code)));
            }
            "update-now" => self.world.update_now(now),
            "stop-run" => self.world.run_mut().put("cancel_pending", true),
            "set-vm" => {
                self.world.set_vm(args.text("name").unwrap_or_default(), args);
            }
            "raise-level" => self.world.raise_level(),
            "drain" => self.world.start_drain(&node, now, args.truth("force"), args.text("target")),
            "resume" => self.world.resume_node(&node, args.text("failback").unwrap_or("NoFailback")),
            "start-node" => self.world.start_node(&node, now),
            "schedule-restart" => {
                let seconds = args.number("seconds").unwrap_or(30.0);
                let comment = args.text("comment").unwrap_or_default();
                self.world.schedule_restart(&node, now, seconds, comment, args.truth("firmware"));
            }
            "restart" => self.world.start_restart(&node, now, args.number("seconds")),
            "detach" => self.detach(args, answers),
            "remote" => self.given = Some(remoting::ask(self.world, answers, self.call.place, args, self.caught)),
            "read-file" => self.given = Some(remoting::read(self.world, machine, now, args)),
            other => return Err(no_answer(format!("the answer for {}: cannot `{other}`", self.answer.name))),
        }
        self.world.advance(now);
        Ok(None)
    }

    /// Starts the inner script of a detached operation, unless it was claimed before.
    fn detach(&mut self, args: &Json, answers: &Answers) {
        let Place { machine, now, .. } = self.call.place;
        let text = |field: &str| args.text(field).unwrap_or_default();
        let (run, op, user) = (text("run"), text("op"), text("user"));
        let key = key(run, op);
        if self.world.operation(machine, &key).truth("claim") {
            return;
        }
        let epoch = args.number("epoch").unwrap_or(0.0) as u64;
        self.world.claim(machine, run, op, epoch, user, now);
        if self.world.operation(machine, &key).truth("exit") {
            return;
        }
        let logon = if user.is_empty() { Logon::Service } else { Logon::Batch };
        let place = Place { machine, now, logon };
        let none = json!({});
        let args = args.get("args").unwrap_or(&none);
        let script = self.call.args.text("script").unwrap_or_default();
        let call = Call { place, name: op, script, args };
        let opening = open(self.world, answers, &call);
        let ended = close(self.world, answers, &call, &opening);
        let course = match (ended.result, ended.stays) {
            (Ok(_), Some(Stays::Run(run))) => Course::Follows(run),
            (Ok(_), Some(Stays::Setup(at, code))) => Course::Exits { at, code },
            (Ok(_), None) => Course::Ends { at: later(now, opening.takes), error: None },
            (Err(t), _) => Course::Ends { at: now, error: Some((t.id, t.message)) },
        };
        self.world.set_course(machine, &key, course, ended.said);
    }
}

fn strings(value: &Json) -> Vec<String> {
    let text = |v: &Json| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    value.as_array().map_or_else(Vec::new, |a| a.iter().map(text).collect())
}
