//! What a machine can be asked about itself, whatever runbook it is for: the scripts, their arguments, their answers.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::Request;
use super::detached::{Account, DETACH, Embedded, OBSERVE, OP};
use super::powershell::{bootstrap, orphan};

/// Who runs there, with which rights; echoes a text. Answers `Identity`.
pub const IDENTITY: Embedded = Embedded {
    name: "config/remote/identity.ps1",
    text: include_str!("../../config/remote/identity.ps1"),
    answer: include_str!("../../config/remote/identity.sim.toml"),
};

/// Whether the login may speak with another machine. Answers `Hop`.
pub const HOP: Embedded = Embedded {
    name: "config/remote/hop.ps1",
    text: include_str!("../../config/remote/hop.ps1"),
    answer: include_str!("../../config/remote/hop.sim.toml"),
};

/// Parses scripts and runs none. Answers `Parsed`.
pub const PARSE: Embedded = Embedded {
    name: "config/remote/parse.ps1",
    text: include_str!("../../config/remote/parse.ps1"),
    answer: include_str!("../../config/remote/parse.sim.toml"),
};

/// Registers, runs and removes a task. Answers `TaskRan`.
pub const TASK: Embedded = Embedded {
    name: "config/remote/task.ps1",
    text: include_str!("../../config/remote/task.ps1"),
    answer: include_str!("../../config/remote/task.sim.toml"),
};

/// Code that the task of `TASK` ends with.
pub const TASK_RESULT: i64 = 42;

/// Windows may be slow at each of these, but none is work.
const TIMEOUT: Duration = Duration::from_secs(60);
/// A task has a minute to run, and to be registered and removed besides.
const TASK_TIMEOUT: Duration = Duration::from_secs(150);

/// What `IDENTITY` answers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Identity {
    pub computer: String,
    pub user: String,
    /// `Desktop` is Windows PowerShell.
    pub edition: String,
    /// In the group of administrators, be it without its rights.
    pub administrators: bool,
    /// With the rights of an administrator.
    pub high_integrity: bool,
    /// Of programs; frames do not depend on it.
    pub code_page: Option<String>,
    pub text: String,
    /// In UTF-16 units.
    pub length: u64,
}

/// What `HOP` answers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Hop {
    pub to: String,
    /// OS build of the other machine; `None` = it could not be asked.
    pub build: Option<String>,
    pub error: Option<String>,
    pub message: Option<String>,
}

/// What `PARSE` answers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Parsed {
    pub parsed: u64,
    pub wrong: Vec<Wrong>,
}

/// A script that the engine there does not take.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Wrong {
    pub name: String,
    pub error: String,
    pub message: String,
}

/// What `TASK` answers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct TaskRan {
    /// Last result of the task.
    pub result: Option<i64>,
    /// Tasks of that name that are still there.
    pub left: u64,
}

pub fn identity(text: &str) -> Request {
    request(&IDENTITY, json!({ "text": text }), TIMEOUT)
}

/// `to` is a computer name.
pub fn hop(to: &str) -> Request {
    request(&HOP, json!({ "to": to }), TIMEOUT)
}

/// Each script has a name and its text.
pub fn parse<'a>(scripts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Request {
    let scripts: Vec<Json> =
        scripts.into_iter().map(|(name, text)| json!({ "name": name, "text": text })).collect();
    request(&PARSE, json!({ "scripts": scripts }), TIMEOUT)
}

/// `id` makes the task's name its own. It runs as SYSTEM where `user` is empty; the password is taken for a user only.
pub fn task(id: &str, user: &str, password: Option<&str>) -> Request {
    let password = password.filter(|_| Account::of(user) == Account::User);
    request(&TASK, json!({ "id": id, "user": user.trim(), "password": password }), TASK_TIMEOUT)
}

/// Every script of the transport, with its name.
pub fn of_the_transport() -> Vec<(&'static str, String)> {
    let plain = [DETACH, OBSERVE, OP, IDENTITY, HOP, PARSE, TASK].map(|e| (e.name, e.text.to_owned()));
    let own = [
        ("config/remote/worker.ps1", bootstrap::script()),
        ("config/remote/process.ps1", orphan::SCRIPT.to_owned()),
    ];
    plain.into_iter().chain(own).collect()
}

fn request(script: &Embedded, args: Json, timeout: Duration) -> Request {
    Request { name: script.name.to_owned(), script: Arc::from(script.text), args, timeout, slow: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_sent_for_a_user_only() {
        let password = |user: &str| task("1", user, Some("secret")).args["password"].clone();
        assert_eq!(password("CORP\\admin"), json!("secret"));
        assert_eq!(password("CORP\\cau$"), Json::Null);
        assert_eq!(password(""), Json::Null);
        assert!(!format!("{:?}", task("1", "CORP\\admin", Some("secret"))).contains("secret"));
    }

    #[test]
    fn the_task_ends_with_the_code_that_is_looked_for() {
        assert!(TASK.text.contains(&format!("exit {TASK_RESULT}\"")));
    }

    #[test]
    fn every_script_of_the_folder_is_among_them() {
        let names: Vec<&str> = of_the_transport().into_iter().map(|(name, _)| name).collect();
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/remote");
        for file in std::fs::read_dir(folder).unwrap().flatten() {
            let name = format!("config/remote/{}", file.file_name().to_string_lossy());
            assert!(!name.ends_with(".ps1") || names.contains(&name.as_str()), "{name}");
        }
    }
}
