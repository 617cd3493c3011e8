//! One machine of a world asks another: what `config/remote/remote.ps1` and `read.ps1` find.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::answer::Answers;
use super::exchange::{Call, close, open};
use super::facts::{Logon, Place};
use super::world::{Fields, World};

/// What Windows says of a session that broke under a script.
const BROKE: &str = "-2144108453,PSSessionStateBroken";

/// What came of a script on another machine: the fields of the record, and `said`.
pub(super) fn ask(
    world: &mut World,
    answers: &Answers,
    from: Place,
    args: &Json,
    caught: &BTreeMap<String, String>,
) -> Json {
    let to = args.text("to").unwrap_or_default();
    if let Some(id) = caught.get("New-PSSession") {
        return failed("open", id, "a fault of this world");
    }
    let machine = match reached(world, from, to, args.text("user").is_some_and(|u| !u.is_empty())) {
        Ok(machine) => machine,
        Err((id, why)) => {
            let message =
                format!("Connecting to remote server {to} failed with the following error message : {why}");
            return failed("open", id, &message);
        }
    };
    if let Some(id) = caught.get("Invoke-Command") {
        return failed("run", id, "a fault of this world");
    }
    let inner: Json = args.text("args").and_then(|t| serde_json::from_str(t).ok()).unwrap_or_default();
    let (script, inner) = (args.text("script").unwrap_or_default(), inner.get("arg").cloned().unwrap_or_default());
    let name = answers.name(script).unwrap_or_default().to_owned();
    let place = Place { machine: &machine, now: from.now, logon: Logon::Session };
    let call = Call { place, name: &name, script, args: &inner };
    let opening = open(world, answers, &call);
    if opening.hang {
        return failed("run", BROKE, "the session did not answer any more");
    }
    if opening.exit.is_some() {
        // It ended its session: what it put out has come, an end has not.
        return json!({"stage": "run", "error": null, "message": null, "results": [], "end": null, "said": []});
    }
    let ended = close(world, answers, &call, &opening);
    let (results, end) = match ended.result {
        Ok(record) => (vec![json!({ "v": record }).to_string()], json!({"ok": true, "k": 1, "gone": false})),
        Err(t) => (
            Vec::new(),
            json!({"ok": false, "k": 0, "gone": false, "id": t.id, "m": t.message, "line": 1, "src": ""}),
        ),
    };
    json!({
        "stage": "run", "error": null, "message": null, "results": results, "end": end.to_string(), "said": ended.said,
    })
}

fn failed(stage: &str, id: &str, message: &str) -> Json {
    json!({"stage": stage, "error": id, "message": message, "results": [], "end": null, "said": []})
}

/// The machine that remoting reaches, or the id and the words of why it does not.
fn reached(
    world: &World,
    from: Place,
    to: &str,
    credential: bool,
) -> Result<String, (&'static str, &'static str)> {
    let machine = world.find(to).filter(|m| {
        // Away is not the same as without a server for SSH.
        let away =
            world.machine(m).get("reachable") == Some(&Json::Bool(false)) && !world.machine(m).truth("no_ssh");
        world.is_powered(m) && !away
    });
    let Some(machine) = machine else {
        let why = "WinRM cannot complete the operation. Verify that the specified computer name is valid, that the computer is \
                   accessible over the network, and that a firewall exception for the WinRM service is enabled and allows access \
                   from this computer.";
        return Err(("WinRMOperationTimeout,PSSessionOpenFailed", why));
    };
    let own = machine.eq_ignore_ascii_case(from.machine);
    let hop = world.variable("hop", from).is_some_and(|h| *h == Json::Bool(true));
    if !own && !credential && !hop {
        return Err(("AccessDenied,PSSessionOpenFailed", "Access is denied."));
    }
    let m = world.machine(&machine);
    let stopped =
        m.get("services").and_then(|s| s.get("WinRM")).is_some_and(|s| s.text("status") != Some("Running"));
    if stopped || m.get("winrm").is_some_and(|w| w.get("remoting") == Some(&Json::Bool(false))) {
        let why = "The client cannot connect to the destination specified in the request. Verify that the service on the \
                   destination is running and is accepting requests.";
        return Err(("CannotConnect,PSSessionOpenFailed", why));
    }
    Ok(machine)
}

/// A piece of a file as `read.ps1` gives it; null = there is no such file.
pub(super) fn read(world: &World, machine: &str, now: Timestamp, args: &Json) -> Json {
    let Some(bytes) = super::host::file(world, machine, args.text("path").unwrap_or_default(), now) else {
        return Json::Null;
    };
    let number = |field: &str| args.number(field).unwrap_or(0.0).max(0.0) as usize;
    let from = number("offset").min(bytes.len());
    let to = from.saturating_add(number("max")).min(bytes.len());
    let numbers: Vec<String> = bytes[from..to].iter().map(u8::to_string).collect();
    json!({"size": bytes.len(), "bytes": numbers.join(" ")})
}
