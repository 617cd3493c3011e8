//! Machines without an SSH server: each is reached by PowerShell remoting from one that has it, such as the coordinator.
//!
//! A request becomes the script `remote.ps1` on that machine, with the request's own script and arguments as data; what comes
//! back is text, so that types survive (`answer`). Every such machine has a connection of its own to the one it is reached
//! through, so that one that is silent delays nobody. `keep` stays connected, `trouble` says what remoting needs.

mod answer;
mod host;
mod keep;
mod trouble;

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

pub use host::RemotingHost;

use super::Request;
use super::detached::Embedded;

/// Runs a script on another machine.
pub const REMOTE: Embedded = Embedded {
    name: "config/remote/remote.ps1",
    text: include_str!("../../../config/remote/remote.ps1"),
    answer: include_str!("../../../config/remote/remote.sim.toml"),
};

/// Who answers there.
pub const GREET: Embedded = Embedded {
    name: "config/remote/greet.ps1",
    text: include_str!("../../../config/remote/greet.ps1"),
    answer: include_str!("../../../config/remote/greet.sim.toml"),
};

/// Reads a piece of a file.
pub const READ: Embedded = Embedded {
    name: "config/remote/read.ps1",
    text: include_str!("../../../config/remote/read.ps1"),
    answer: include_str!("../../../config/remote/read.sim.toml"),
};

/// Installs and opens OpenSSH Server. Its argument is `public_key`.
pub const PREPARE: Embedded = Embedded {
    name: "config/remote/prepare.ps1",
    text: include_str!("../../../config/remote/prepare.ps1"),
    answer: include_str!("../../../config/remote/prepare.sim.toml"),
};

/// What opening a session may take on top of a script's own time: `remote.ps1` gives it 20 s, twice.
const OPENING: Duration = Duration::from_secs(45);
/// Most objects of one script.
const MOST: u64 = 50_000;
/// Most characters of them.
const LONGEST: u64 = 8 << 20;

/// How one machine is reached.
#[derive(Clone, Debug)]
pub struct RemotingConfig {
    /// What it is called on the screen and in messages.
    pub name: String,
    /// The computer that remoting is asked for: a name, since Kerberos knows no addresses.
    pub computer: String,
    /// Name of the machine that it is reached through.
    pub through: String,
    /// Who logs in there.
    pub user: String,
    /// `None`: the login on the way has to bring credentials of its own (powershell-over-ssh 11).
    pub password: Option<SecretString>,
    pub times: RemotingTimes,
}

/// How long things may take.
#[derive(Clone, Debug)]
pub struct RemotingTimes {
    /// A first answer.
    pub hello: Duration,
    /// Without a request for so long: ask whether it lives,
    pub ping: Duration,
    /// and wait so long for that.
    pub dead: Duration,
    /// Waits before new attempts, the last one again and again; each ± 30 %.
    pub backoff: Vec<Duration>,
    /// Reading a piece of a file.
    pub file: Duration,
}

impl Default for RemotingTimes {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self { hello: s(60), ping: s(15), dead: s(45), backoff: [1, 2, 4, 8, 12].map(s).into(), file: s(30) }
    }
}

/// Asks who is there.
pub fn greeting() -> Request {
    let timeout = RemotingTimes::default().hello;
    Request { name: GREET.name.to_owned(), script: GREET.text.into(), args: json!({}), timeout, slow: false }
}

impl RemotingConfig {
    /// How it is reached, for people.
    pub fn via(&self) -> String {
        match &self.password {
            Some(_) => format!("remoting as {} through {}", self.user, self.through),
            None => format!("remoting through {}, with the credentials of the login there", self.through),
        }
    }

    /// The request to the machine on the way. The password is in its arguments, which are never printed.
    fn wrapped(&self, request: &Request) -> Request {
        let password = self.password.as_ref().map(|p| p.expose_secret());
        let args = json!({
            "to": self.computer, "user": password.map(|_| self.user.as_str()), "password": password,
            "script": &*request.script, "args": json!({ "arg": request.args }).to_string(),
            "most": MOST, "longest": LONGEST,
        });
        Request {
            name: format!("{} on {}", request.name, self.name),
            script: REMOTE.text.into(),
            args,
            timeout: request.timeout + OPENING,
            slow: request.slow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn config(password: Option<&str>) -> RemotingConfig {
        RemotingConfig {
            name: "HCI-N2".into(),
            computer: "hci-n2.corp.example".into(),
            through: "COORD01".into(),
            user: "CORP\\admin".into(),
            password: password.map(|p| SecretString::from(p.to_owned())),
            times: RemotingTimes::default(),
        }
    }

    fn request() -> Request {
        let args = json!({ "text": "\u{17c}'$(x)\"" });
        Request {
            name: "x.ps1".into(),
            script: "$arg.text".into(),
            args,
            timeout: Duration::from_secs(60),
            slow: true,
        }
    }

    #[test]
    fn script_and_arguments_travel_as_data() {
        let w = config(Some("secret")).wrapped(&request());
        assert_eq!((&*w.script, w.slow), (REMOTE.text, true));
        assert_eq!(w.args["script"], "$arg.text");
        let inner: serde_json::Value = serde_json::from_str(w.args["args"].as_str().unwrap()).unwrap();
        assert_eq!(inner["arg"]["text"], request().args["text"]);
        assert_eq!((&w.args["user"], &w.args["password"]), (&json!("CORP\\admin"), &json!("secret")));
        assert!(w.timeout > request().timeout);
    }

    #[test]
    fn a_password_is_printed_nowhere() {
        let c = config(Some("secret"));
        assert!(!format!("{c:?} {:?} {}", c.wrapped(&request()), c.via()).contains("secret"));
    }

    #[test]
    fn without_a_password_no_account_is_named() {
        let w = config(None).wrapped(&request());
        assert!(w.args["user"].is_null() && w.args["password"].is_null());
        assert!(config(None).via().contains("credentials of the login there"));
    }

    #[test]
    fn scripts_are_ascii() {
        assert!([REMOTE, GREET, READ, PREPARE].iter().all(|e| e.text.is_ascii()));
    }
}
