//! How long things may take.

use std::time::Duration;

/// How long things may take (powershell-over-ssh 4, 15).
#[derive(Clone, Debug)]
pub struct Times {
    /// Name lookup and TCP connect, together.
    pub connect: Duration,
    /// From the first byte to agreed keys.
    pub handshake: Duration,
    /// All credentials together.
    pub login: Duration,
    /// Opening one channel.
    pub channel: Duration,
    /// Starting a program on an open channel.
    pub exec: Duration,
    /// Reading a piece of a file.
    pub file: Duration,
    /// Without traffic for so long: ask whether the other side lives. At least two seconds.
    pub keepalive: Duration,
    /// Without traffic for so long: it does not. At least twice as long.
    pub dead: Duration,
    /// Waits before new attempts, the last one again and again; each ± 30 %.
    pub backoff: Vec<Duration>,
    /// A connection that was up for so long starts the waits anew.
    pub steady: Duration,
    /// A connection is replaced at this age, once it is idle.
    pub recycle: Duration,
}

impl Default for Times {
    fn default() -> Self {
        let s = Duration::from_secs;
        Times {
            connect: s(10),
            handshake: s(60),
            login: s(150),
            channel: s(20),
            exec: s(60),
            file: s(30),
            keepalive: s(15),
            dead: s(45),
            backoff: [1, 2, 4, 8, 12].map(s).into(),
            steady: s(30),
            recycle: s(24 * 3600),
        }
    }
}
