//! Operations that outlive the connection: a scheduled task on the machine runs a wrapper, files in its folder tell what
//! became of it (run-safety-model 6). Here are the requests that start and observe one.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::Request;

/// A script that comes with the program, and what the simulator answers to it.
#[derive(Clone, Copy, Debug)]
pub struct Embedded {
    /// Its path in the sources, for logs and messages.
    pub name: &'static str,
    /// ASCII.
    pub text: &'static str,
    /// Text of its `.sim.toml`; empty for a script that is never sent by itself.
    pub answer: &'static str,
}

/// Creates folder and task of an operation and starts it. Sent again it changes nothing that was claimed.
/// Answers `{ dir, claimed, registered, task }`.
pub const DETACH: Embedded = Embedded {
    name: "config/remote/detach.ps1",
    text: include_str!("../../config/remote/detach.ps1"),
    answer: include_str!("../../config/remote/detach.sim.toml"),
};

/// Looks what became of an operation. Answers `core::view::OpView`.
pub const OBSERVE: Embedded = Embedded {
    name: "config/remote/observe.ps1",
    text: include_str!("../../config/remote/observe.ps1"),
    answer: include_str!("../../config/remote/observe.sim.toml"),
};

/// The wrapper that the task runs: it travels inside the arguments of `DETACH`.
pub const OP: Embedded =
    Embedded { name: "config/remote/op.ps1", text: include_str!("../../config/remote/op.ps1"), answer: "" };

/// Registering a task on a busy machine takes its time.
const START_TIMEOUT: Duration = Duration::from_secs(120);
const OBSERVE_TIMEOUT: Duration = Duration::from_secs(60);

/// Whom a task runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// The machine itself: its computer account on the network.
    System,
    /// A group managed service account, `DOMAIN\name$`: Windows knows its password.
    Managed,
    /// A user with a password.
    User,
}

impl Account {
    /// What a name means: empty, `DOMAIN\name$`, or `DOMAIN\user`.
    pub fn of(name: &str) -> Self {
        match name.trim() {
            "" => Account::System,
            name if name.ends_with('$') => Account::Managed,
            _ => Account::User,
        }
    }
}

/// The request that starts an operation.
///
/// `run` names the folder above, `op` folder, task and claim (`core::name::OpId`). `epoch` is the number of the engine
/// that owns the run: a wrapper of an older one refuses to work. `args` is what the script sees as `$arg`; it lies in a
/// file on the machine and must hold no secret. `password` goes to the task scheduler and nowhere else; it is taken for
/// an account of kind `User` only.
pub fn start(
    run: &str,
    op: &str,
    epoch: u64,
    script: &str,
    args: Json,
    user: &str,
    password: Option<&str>,
) -> Request {
    let password = password.filter(|_| Account::of(user) == Account::User);
    let args = if args.is_null() { json!({}) } else { args };
    let args = json!({
        "run": run, "op": op, "epoch": epoch, "wrapper": OP.text, "script": script, "args": args,
        "user": user.trim(), "password": password,
    });
    request(&DETACH, args, START_TIMEOUT)
}

/// The request that looks at an operation.
pub fn observe(run: &str, op: &str) -> Request {
    request(&OBSERVE, json!({ "run": run, "op": op }), OBSERVE_TIMEOUT)
}

/// Path of the file with everything an operation says, as `Host::read_file` takes it. UTF-8 with a mark at its begin.
pub fn log_path(run: &str, op: &str) -> String {
    format!("C:\\ProgramData\\nodelift\\runs\\{run}\\{op}\\out.log")
}

fn request(script: &Embedded, args: Json, timeout: Duration) -> Request {
    Request { name: script.name.to_owned(), script: Arc::from(script.text), args, timeout, slow: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_sent_for_a_user_only() {
        let password =
            |user: &str| start("0199", "op", 3, "1", json!({}), user, Some("secret")).args["password"].clone();
        assert_eq!(password("CORP\\admin"), json!("secret"));
        assert_eq!(password("CORP\\cau$"), Json::Null);
        assert_eq!(password(" "), Json::Null);
    }

    #[test]
    fn a_request_holds_wrapper_script_and_arguments() {
        let r = start("0199", "cau-run-COORD01-1-0199", 3, "'x'", Json::Null, "", None);
        assert_eq!((&*r.script, &r.args["wrapper"]), (DETACH.text, &json!(OP.text)));
        assert_eq!((&r.args["script"], &r.args["args"], &r.args["user"]), (&json!("'x'"), &json!({}), &json!("")));
        assert_eq!(observe("0199", "a").args, json!({ "run": "0199", "op": "a" }));
    }

    #[test]
    fn embedded_scripts_are_ascii() {
        assert!([DETACH, OBSERVE, OP].iter().all(|e| e.text.is_ascii()));
    }
}
