//! Who is behind a viewer: told by the kernel, never by the viewer (run-safety-model 1).

/// A viewer's login, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub who: String,
    /// An address, or `here`.
    pub from: String,
    /// It lives in the engine's own process: when it leaves, the engine ends.
    pub own: bool,
}

impl Peer {
    /// The viewer in the engine's own process.
    pub fn own(who: &str) -> Self {
        Self { who: who.to_owned(), from: "here".into(), own: true }
    }
}

#[cfg(windows)]
impl Peer {
    /// A viewer that came through the pipe of an engine with that login: its access lets nobody else in.
    pub fn of(_: crate::link::socket::Caller, login: &str) -> Option<Self> {
        Some(Self { who: login.to_owned(), from: "here".into(), own: false })
    }
}

#[cfg(unix)]
mod unix {
    use super::Peer;
    use crate::link::socket::Caller;

    /// Longest environment of a process that is read, in bytes.
    const LONGEST: u64 = 1 << 20;

    impl Peer {
        /// A viewer that came over the socket of an engine with that login; `None`: it is another login's, and not let in.
        pub fn of(caller: Caller, login: &str) -> Option<Self> {
            Self::of_login(caller, rustix::process::getuid().as_raw(), login)
        }

        fn of_login(caller: Caller, engine: u32, login: &str) -> Option<Self> {
            let root = caller.uid == 0;
            if caller.uid != engine && !root {
                return None;
            }
            let environment = caller.pid.map(environment).unwrap_or_default();
            let value = |name: &str| {
                environment.iter().find_map(|v| v.strip_prefix(name)?.strip_prefix('=')).filter(|v| !v.is_empty())
            };
            // Root is shared: who became root is known to sudo.
            let behind = value("SUDO_USER").filter(|_| root);
            let who = behind.unwrap_or(if caller.uid == engine { login } else { "root" });
            let from = value("SSH_CONNECTION").and_then(|c| c.split(' ').next()).unwrap_or("here");
            let clean = |text: &str| text.chars().filter(|c| !c.is_control()).take(64).collect();
            Some(Self { who: clean(who), from: clean(from), own: false })
        }
    }

    /// What a process was started with; nothing where the system does not tell.
    fn environment(pid: u32) -> Vec<String> {
        use std::io::Read;
        let mut text = Vec::new();
        if let Ok(file) = std::fs::File::open(format!("/proc/{pid}/environ")) {
            let _ = file.take(LONGEST).read_to_end(&mut text);
        }
        text.split(|b| *b == 0).map(|v| String::from_utf8_lossy(v).into_owned()).collect()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_engines_own_login_and_root_are_let_in() {
            let caller = |uid| Caller { uid, pid: None };
            let anna = Peer::of_login(caller(1000), 1000, "anna").unwrap();
            assert_eq!((anna.who.as_str(), anna.from.as_str(), anna.own), ("anna", "here", false));
            assert_eq!(Peer::of_login(caller(0), 1000, "anna").unwrap().who, "root");
            assert_eq!(Peer::of_login(caller(1001), 1000, "anna"), None);
        }
    }
}
