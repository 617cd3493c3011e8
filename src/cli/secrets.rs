//! Secrets are asked for before the screen opens, or read from what a vault's command prints. Never from the command line, the
//! environment or a file of ours.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{Exit, diagnostics};
use crate::config::inventory::{Inventory, PasswordFrom, Transport};
use crate::engine::Vault;

/// What the secrets are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Logging in to read.
    Login,
    /// Also the account that the detached run works under.
    Run,
}

/// The secrets of one inventory.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// Password for logging in.
    pub login: Option<SecretString>,
    /// Passphrases by key file.
    pub passphrases: BTreeMap<PathBuf, SecretString>,
    /// Password of the task account.
    pub task: Option<SecretString>,
}

/// Secrets on their way through a pipe, from the process that asked for them to the one that needs them. Nowhere else.
#[derive(Serialize, Deserialize)]
pub struct Handed {
    login: Option<String>,
    passphrases: BTreeMap<PathBuf, String>,
    task: Option<String>,
}

impl From<Handed> for Secrets {
    fn from(handed: Handed) -> Self {
        let passphrases = handed.passphrases.into_iter().map(|(k, s)| (k, s.into())).collect();
        Self { login: handed.login.map(Into::into), passphrases, task: handed.task.map(Into::into) }
    }
}

impl Secrets {
    /// For the pipe to the engine.
    pub fn hand_over(&self) -> Handed {
        let plain = |s: &SecretString| s.expose_secret().to_owned();
        Handed {
            login: self.login.as_ref().map(plain),
            passphrases: self.passphrases.iter().map(|(k, s)| (k.clone(), plain(s))).collect(),
            task: self.task.as_ref().map(plain),
        }
    }

    /// Keeps them out of the diagnostics of this process.
    pub fn hide(&self) {
        for secret in self.login.iter().chain(&self.task).chain(self.passphrases.values()) {
            diagnostics::hide(secret);
        }
    }

    /// What the engine may put into scripts.
    pub fn vault(&self) -> Vault {
        let mut vault = Vault::default();
        if let Some(s) = &self.task {
            vault.put("task_password", s.clone());
        }
        if let Some(s) = &self.login {
            vault.put("login_password", s.clone());
        }
        vault
    }
}

/// Asks for everything an inventory needs. What could not be had is printed.
pub fn gather(inventory: &Inventory, need: Need) -> Result<Secrets, Exit> {
    let mut out = Secrets::default();
    // The system's ssh is given no secret.
    let machines = || inventory.machines().filter(|m| m.login.transport != Transport::OpenSsh);
    if let Some(from) = machines().find_map(|m| m.login.password.as_ref()) {
        let user = machines().next().map_or("", |m| m.login.user.as_str());
        out.login = Some(one(from, &format!("Password of {user}: "))?);
    }
    let keys: std::collections::BTreeSet<PathBuf> = machines().filter_map(|m| m.login.key.clone()).collect();
    for key in keys {
        if is_encrypted(&key) {
            let secret = one(&PasswordFrom::Prompt, &format!("Passphrase of {}: ", key.display()))?;
            out.passphrases.insert(key, secret);
        }
    }
    if need == Need::Run
        && let Some(task) = &inventory.task
        && let Some(from) = &task.password
    {
        let first = inventory.coordinator.as_ref().or(inventory.nodes.first());
        let same = first.is_some_and(|m| m.login.user == task.user);
        out.task = match &out.login {
            Some(login) if same && *from == PasswordFrom::Prompt => Some(login.clone()),
            _ => Some(one(from, &format!("Password of {}, who runs the update: ", task.user))?),
        };
    }
    out.hide();
    Ok(out)
}

fn one(from: &PasswordFrom, prompt: &str) -> Result<SecretString, Exit> {
    match from {
        PasswordFrom::Prompt => {
            if !std::io::stdin().is_terminal() {
                eprintln!("nodelift: {prompt}there is no terminal to ask on.");
                eprintln!("Use a key, an agent, or a password_command in the inventory.");
                return Err(Exit::Usage);
            }
            rpassword::prompt_password(prompt).map(SecretString::from).map_err(|e| {
                eprintln!("nodelift: cannot ask for it: {e}");
                Exit::Usage
            })
        }
        PasswordFrom::Command(command) => {
            let (program, args) = command.split_first().ok_or(Exit::Usage)?;
            let said = |why: String| {
                eprintln!("nodelift: password_command `{program}` {why}");
                Exit::Usage
            };
            let out = Command::new(program)
                .args(args)
                .stdin(Stdio::null())
                .stderr(Stdio::inherit())
                .output()
                .map_err(|e| said(format!("cannot be started: {e}")))?;
            if !out.status.success() {
                return Err(said(format!("ended with {}", out.status)));
            }
            let text =
                String::from_utf8(out.stdout).map_err(|_| said("printed something that is not text".into()))?;
            match text.lines().next().filter(|l| !l.is_empty()) {
                Some(line) => Ok(SecretString::from(line.to_owned())),
                None => Err(said("printed nothing".into())),
            }
        }
    }
}

/// Whether a private key needs a passphrase: libssh2 cannot tell a wrong one from a missing one
/// (powershell-over-ssh 2.8).
pub fn is_encrypted(key: &std::path::Path) -> bool {
    use base64::Engine as _;
    let Ok(text) = std::fs::read_to_string(key) else { return false };
    if text.contains("ENCRYPTED") || text.contains("DEK-Info") {
        return true;
    }
    let body: String = text.lines().filter(|l| !l.starts_with("-----")).collect();
    let Ok(raw) = base64::engine::general_purpose::STANDARD.decode(body.trim()) else { return false };
    // openssh-key-v1, NUL, then the cipher's name with its length in front.
    raw.strip_prefix(b"openssh-key-v1\0")
        .and_then(|r| Some((u32::from_be_bytes(r.get(..4)?.try_into().ok()?) as usize, &r[4..])))
        .and_then(|(n, r)| r.get(..n))
        .is_some_and(|cipher| cipher != b"none")
}
