//! From a connected socket to a session that is logged in.
//!
//! Runs on a thread for blocking work, before the session gets its owner: key derivation burns processor time, an agent blocks,
//! and a hostile server can keep a handshake busy (powershell-over-ssh 2.4). The session is in blocking mode here, with a
//! time-out on every call and without keepalive, which would end calls early (2.1); whoever waits may cut the socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use secrecy::ExposeSecret as _;
use ssh2::{ErrorCode, KeyboardInteractivePrompt, MethodType, Prompt, Session};

use super::config::{Credential, Endpoint};
use super::hostkey::HostKey;
use super::keyfile;
use super::known_hosts::{Known, KnownHosts, Verdict};
use super::socket::StdSocket;
use super::trail::{Passed, Trail};
use super::trouble;
use crate::core::connection::Trouble;
use crate::remote::kept::Times;
use crate::remote::sanitise::clean_short;

/// Keys offered in one connection: servers hang up at the sixth failure (MaxAuthTries, powershell-over-ssh 2.8, 3.1).
const MAX_KEYS: usize = 5;
/// Questions that a server may ask by keyboard-interactive.
const MAX_ROUNDS: usize = 3;

/// Where the login stands, for whoever waits for it.
#[derive(Debug, Default)]
pub struct Stage(AtomicU8);

impl Stage {
    pub const HANDSHAKE: u8 = 0;
    pub const LOGIN: u8 = 1;
    pub const AGENT: u8 = 2;

    fn set(&self, stage: u8) {
        self.0.store(stage, Ordering::Relaxed);
    }

    pub fn get(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A session that shook hands.
pub struct Greeted {
    pub session: Session,
    pub key: HostKey,
    pub known: KnownHosts,
}

/// A session that is logged in.
pub struct LoggedIn {
    pub session: Session,
    /// By what: `ed25519 key from agent`.
    pub by: String,
    pub password: bool,
}

/// The SSH handshake; the host key is not judged yet.
///
/// # Errors
/// What a person should know.
pub fn greet(
    socket: StdSocket,
    at: &Endpoint,
    known: KnownHosts,
    times: &Times,
    trail: &Trail,
) -> Result<Greeted, Trouble> {
    let fail = |e: ssh2::Error| trouble::handshake(at, &e, times.handshake);
    let mut session = Session::new().map_err(fail)?;
    // Certificates are never offered: libssh2 would take them without a look (3.2). libssh2's own order of key exchanges has
    // curve25519 in front.
    session.method_pref(MethodType::HostKey, &known.preference(&at.known_name())).map_err(fail)?;
    session.set_timeout(milliseconds(times.handshake));
    session.set_blocking(true);
    socket.attach(&mut session);
    session.handshake().map_err(fail)?;
    let key = session.host_key().and_then(|(blob, _)| HostKey::from_blob(blob));
    let Some(key) = key else {
        return Err(fail(ssh2::Error::from_errno(ErrorCode::Session(-14))));
    };
    trail.pass(Passed::Shaken { server: server(&session), algorithms: algorithms(&session) });
    Ok(Greeted { session, key, known })
}

/// What the server calls itself, without the part that all have.
fn server(session: &Session) -> String {
    let banner = session.banner().unwrap_or_default();
    clean_short(banner.strip_prefix("SSH-2.0-").unwrap_or(banner), 80)
}

/// Key exchange and cipher that both agreed on.
fn algorithms(session: &Session) -> String {
    let agreed = [MethodType::Kex, MethodType::CryptCs].map(|m| session.methods(m).unwrap_or("?"));
    clean_short(&agreed.join(", "), 120)
}

impl Greeted {
    pub fn verdict(&self, at: &Endpoint) -> Verdict {
        self.known.judge(&at.known_name(), &self.key)
    }

    /// Other keys that the machine is known by.
    pub fn others(&self, at: &Endpoint) -> Vec<Known> {
        self.known.others(&at.known_name(), &self.key)
    }

    /// Strict: only a key that is known goes on.
    fn check(&self, at: &Endpoint) -> Result<(), Trouble> {
        let verdict = self.verdict(at);
        let mut hints = Vec::new();
        if let Verdict::Unknown { .. } = verdict {
            for (name, place) in self.known.other_names(&self.key).into_iter().take(3) {
                hints.push(format!("the same key is known as {name} ({place})"));
            }
            if let Some(first) = self.known.warnings.first() {
                let count = self.known.warnings.len();
                hints.push(format!("{count} known_hosts lines or files could not be used, such as {first}"));
            }
        }
        for warning in &self.known.warnings {
            tracing::debug!("{}", clean_short(warning, 300));
        }
        trouble::host_key(at, &self.key, &verdict, &hints).map_or(Ok(()), Err)
    }

    /// Judges the host key, then tries the credentials in order.
    ///
    /// # Errors
    /// What a person should know.
    pub fn login(
        self,
        at: &Endpoint,
        times: &Times,
        stage: &Stage,
        cut: StdSocket,
        trail: &Trail,
    ) -> Result<LoggedIn, Trouble> {
        self.check(at)?;
        if let Verdict::Trusted(place) = self.verdict(at) {
            trail.pass(Passed::Trusted { key: self.key.clone(), place });
        }
        stage.set(Stage::LOGIN);
        let deadline = Instant::now() + times.login;
        let mut attempt = Attempt {
            session: &self.session,
            at,
            deadline,
            stage,
            cut: Arc::new(cut),
            keys: 0,
            tried: vec![],
            unusable: vec![],
        };
        let offers = attempt.methods(times)?;
        let by = if self.session.authenticated() {
            Some(("no credential".to_owned(), false))
        } else {
            attempt.all(&offers).map_err(|e| trouble::login_broken(at, &e, times.login))?
        };
        match by {
            Some((by, password)) => {
                trail.pass(Passed::LoggedIn { by: by.clone(), password });
                Ok(LoggedIn { session: self.session, by, password })
            }
            None if attempt.tried.is_empty() && !attempt.unusable.is_empty() || at.credentials.is_empty() => {
                Err(trouble::credential_unusable(at, &attempt.unusable))
            }
            None => Err(trouble::login_refused(at, &attempt.tried, &attempt.unusable, &offers)),
        }
    }
}

/// What became of one credential.
enum Tried {
    Accepted,
    Refused,
    /// It could not be used on this side.
    Unusable(String),
}

struct Attempt<'a> {
    session: &'a Session,
    at: &'a Endpoint,
    deadline: Instant,
    stage: &'a Stage,
    cut: Arc<StdSocket>,
    /// Keys offered so far.
    keys: usize,
    tried: Vec<String>,
    unusable: Vec<String>,
}

impl Attempt<'_> {
    /// Every call gets what is left of the whole.
    fn hurry(&self) {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.session.set_timeout(milliseconds(left));
    }

    fn methods(&self, times: &Times) -> Result<String, Trouble> {
        self.hurry();
        match self.session.auth_methods(&self.at.user) {
            Ok(methods) => Ok(methods.to_owned()),
            Err(e) => Err(trouble::login_broken(self.at, &e, times.login)),
        }
    }

    fn all(&mut self, offers: &str) -> Result<Option<(String, bool)>, ssh2::Error> {
        let offers: Vec<&str> = offers.split(',').collect();
        for credential in &self.at.credentials {
            let accepted = match credential {
                Credential::Agent { .. } | Credential::KeyFile { .. } if !offers.contains(&"publickey") => {
                    self.unusable.push("keys are not taken there".into());
                    None
                }
                Credential::Agent { socket, only } => self.agent(socket.as_deref(), only.as_deref())?,
                Credential::KeyFile { path, passphrase, certificate } => {
                    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
                    match self.key_file(path, passphrase.as_ref(), certificate.as_deref())? {
                        (Tried::Accepted, kind) => Some(format!("{kind} key {name}")),
                        (Tried::Refused, kind) => {
                            self.tried.push(format!("{kind} key {name}"));
                            None
                        }
                        (Tried::Unusable(why), _) => {
                            self.unusable.push(format!("key file {}: {why}", path.display()));
                            None
                        }
                    }
                }
                Credential::Password(password) => match self.password(password.expose_secret(), &offers)? {
                    Tried::Accepted => return Ok(Some(("password".into(), true))),
                    Tried::Refused => {
                        self.tried.push("password".into());
                        None
                    }
                    Tried::Unusable(why) => {
                        self.unusable.push(why);
                        None
                    }
                },
            };
            if let Some(by) = accepted {
                return Ok(Some((by, false)));
            }
        }
        Ok(None)
    }

    /// Sorts an answer: what it says of the credential, or that the connection is broken.
    fn judge(&self, result: Result<(), ssh2::Error>) -> Result<Tried, ssh2::Error> {
        let Err(e) = result else {
            return Ok(if self.session.authenticated() { Tried::Accepted } else { Tried::Refused });
        };
        match e.code() {
            // "Callback returned error": the signature could not be made; any other text: the server hung up.
            ErrorCode::Session(-19) if e.message().contains("Callback") => {
                Ok(Tried::Unusable("it could not sign".into()))
            }
            ErrorCode::Session(-19) if self.keys < MAX_KEYS => {
                Err(ssh2::Error::from_errno(ErrorCode::Session(-13)))
            }
            ErrorCode::Session(-18 | -19) => Ok(Tried::Refused),
            ErrorCode::Session(-15) => Ok(Tried::Unusable("the password has expired".into())),
            ErrorCode::Session(-16 | -34 | -36 | -42 | -48 | -51) => {
                Ok(Tried::Unusable(clean_short(e.message(), 120)))
            }
            _ => Err(e),
        }
    }

    fn may_offer(&mut self) -> bool {
        self.keys += 1;
        self.keys <= MAX_KEYS
    }

    fn agent(
        &mut self,
        socket: Option<&std::path::Path>,
        only: Option<&std::path::Path>,
    ) -> Result<Option<String>, ssh2::Error> {
        self.stage.set(Stage::AGENT);
        let identities = (|| {
            let mut agent = self.session.agent()?;
            if let Some(socket) = socket {
                agent.set_identity_path(socket)?;
            }
            agent.connect()?;
            agent.list_identities()?;
            let identities = agent.identities()?;
            Ok::<_, ssh2::Error>((agent, identities))
        })();
        let (agent, mut identities) = match identities {
            Ok(both) => both,
            Err(e) => {
                let why = match e.code() {
                    ErrorCode::Session(-39) => "none is running (SSH_AUTH_SOCK is not set)".to_owned(),
                    _ => clean_short(e.message(), 120),
                };
                self.unusable.push(format!("SSH agent: {why}"));
                self.stage.set(Stage::LOGIN);
                return Ok(None);
            }
        };
        if let Some(only) = only {
            let Some(key) = keyfile::read_public(only) else {
                self.unusable.push(format!("SSH agent: {} holds no public key", only.display()));
                return Ok(None);
            };
            identities.retain(|i| i.blob() == key.blob);
        }
        if identities.is_empty() {
            self.unusable.push("SSH agent: it holds no key for this".into());
        }
        for identity in &identities {
            if !self.may_offer() {
                self.unusable.push(format!(
                    "SSH agent: after {MAX_KEYS} keys no more are offered, the server would hang up"
                ));
                break;
            }
            self.hurry();
            let kind = keyfile::kind_of(identity.blob());
            let comment = clean_short(identity.comment(), 60);
            match self.judge(agent.userauth(&self.at.user, identity))? {
                Tried::Accepted => {
                    self.stage.set(Stage::LOGIN);
                    return Ok(Some(format!("{kind} key from agent")));
                }
                Tried::Refused => self.tried.push(format!("{kind} key {comment} from agent")),
                Tried::Unusable(why) => self.unusable.push(format!("{kind} key {comment} from agent: {why}")),
            }
        }
        self.stage.set(Stage::LOGIN);
        Ok(None)
    }

    fn key_file(
        &mut self,
        path: &std::path::Path,
        passphrase: Option<&secrecy::SecretString>,
        certificate: Option<&std::path::Path>,
    ) -> Result<(Tried, String), ssh2::Error> {
        let key = match keyfile::read(path) {
            Ok(key) => key,
            Err(why) => return Ok((Tried::Unusable(why), String::new())),
        };
        let kind = key.kind.clone().unwrap_or_else(|| "private".into());
        if key.encrypted && passphrase.is_none() {
            let why = "it is encrypted, and no passphrase was given; add it to an agent (ssh-add)".to_owned();
            return Ok((Tried::Unusable(why), kind));
        }
        if !self.may_offer() {
            let why = format!("after {MAX_KEYS} keys no more are offered, the server would hang up");
            return Ok((Tried::Unusable(why), kind));
        }
        let public = match certificate {
            None => key.public.clone(),
            Some(file) => match keyfile::read_public(file) {
                Some(certificate) => Some(certificate.text()),
                None => return Ok((Tried::Unusable(format!("{} holds no certificate", file.display())), kind)),
            },
        };
        self.hurry();
        let result = self.session.userauth_pubkey_memory(
            &self.at.user,
            public.as_deref(),
            key.text.expose_secret(),
            passphrase.map(|p| p.expose_secret()),
        );
        let tried = match self.judge(result)? {
            Tried::Unusable(_) if key.encrypted => {
                Tried::Unusable("the passphrase is wrong, or the key is damaged".into())
            }
            other => other,
        };
        Ok((tried, kind))
    }

    /// One guess in all: a second one by another method would count twice towards an account's lock.
    fn password(&mut self, password: &str, offers: &[&str]) -> Result<Tried, ssh2::Error> {
        self.hurry();
        if password.contains('\0') {
            return Ok(Tried::Unusable("the password holds a NUL".into()));
        }
        if offers.contains(&"password") {
            let result = self.session.userauth_password(&self.at.user, password);
            return self.judge(result);
        }
        if offers.contains(&"keyboard-interactive") {
            let mut answers = Answers { password, cut: self.cut.clone(), rounds: 0, told: false };
            let result = self.session.userauth_keyboard_interactive(&self.at.user, &mut answers);
            return match (answers.rounds > MAX_ROUNDS, answers.told) {
                (true, _) => Ok(Tried::Unusable("the server asks more questions than a password answers".into())),
                (false, told) => match self.judge(result)? {
                    Tried::Refused if !told => Ok(Tried::Unusable("the server did not ask for a password".into())),
                    other => Ok(other),
                },
            };
        }
        Ok(Tried::Unusable("passwords are not taken there".into()))
    }
}

/// Answers the one hidden question with the password, and everything else with nothing.
struct Answers<'a> {
    password: &'a str,
    cut: Arc<StdSocket>,
    rounds: usize,
    told: bool,
}

impl KeyboardInteractivePrompt for Answers<'_> {
    fn prompt<'b>(&mut self, _user: &str, _instructions: &str, prompts: &[Prompt<'b>]) -> Vec<String> {
        self.rounds += 1;
        if self.rounds > MAX_ROUNDS {
            // libssh2 goes on as long as the server asks.
            self.cut.shutdown();
        }
        let hidden = matches!(prompts, [only] if !only.echo);
        if hidden && !self.told {
            self.told = true;
            return vec![self.password.to_owned()];
        }
        vec![String::new(); prompts.len()]
    }
}

fn milliseconds(d: Duration) -> u32 {
    // Zero would mean for ever.
    u32::try_from(d.as_millis()).unwrap_or(u32::MAX).max(1)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::os::unix::net::UnixStream;

    fn prompt(text: &str, echo: bool) -> Prompt<'_> {
        Prompt { text: text.into(), echo }
    }

    #[test]
    fn only_one_hidden_question_gets_the_password() {
        let (near, mut far) = UnixStream::pair().expect("pair");
        let mut answers =
            Answers { password: "s3cret", cut: Arc::new(StdSocket::Unix(near)), rounds: 0, told: false };
        assert_eq!(answers.prompt("u", "", &[]), Vec::<String>::new());
        assert_eq!(answers.prompt("u", "", &[prompt("Password:", false), prompt("Code:", false)]), ["", ""]);
        let mut answers = Answers { rounds: 0, ..answers };
        assert_eq!(answers.prompt("u", "", &[prompt("Name:", true)]), [""]);
        assert_eq!(answers.prompt("u", "", &[prompt("Password:", false)]), ["s3cret"]);
        assert_eq!(answers.prompt("u", "", &[prompt("Password again:", false)]), [""], "told once");
        far.set_nonblocking(true).expect("mode");
        assert!(far.read(&mut [0]).is_err(), "still open");
        answers.prompt("u", "", &[]);
        assert_eq!(far.read(&mut [0]).expect("end"), 0, "a server that asks for ever is cut");
    }
}
