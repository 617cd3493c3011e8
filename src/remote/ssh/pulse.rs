//! Whether the other side of a connection lives (powershell-over-ssh 2.5).

use std::time::Duration;

use ssh2::Session;
use tokio::time::Instant;

use super::flow::{Broken, is_outbound_blocked, why};

/// libssh2 sends a keepalive when it is asked to, but at most so often. When to ask is decided here.
const OFTEN: Duration = Duration::from_secs(2);
/// What is due and cannot be done is tried again after this.
const AGAIN: Duration = Duration::from_secs(1);

/// Asks after silence, and gives up after more of it.
#[derive(Debug)]
pub struct Pulse {
    keepalive: Duration,
    dead: Duration,
    /// When bytes last came.
    heard: Instant,
    /// Since when an answer is owed, and when it was last asked for.
    asked: Option<(Instant, Instant)>,
    /// Since when half a packet has waited for the socket.
    stuck: Option<Instant>,
    /// Bytes sent when that was last looked at.
    sent: u64,
}

impl Pulse {
    pub fn new(session: &Session, keepalive: Duration, dead: Duration, now: Instant) -> Pulse {
        session.set_keepalive(true, OFTEN.as_secs() as u32);
        let keepalive = keepalive.max(OFTEN);
        Pulse { keepalive, dead: dead.max(2 * keepalive), heard: now, asked: None, stuck: None, sent: 0 }
    }

    /// Bytes came.
    pub fn hear(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Half a packet waits for the socket.
    pub fn is_stuck(&self) -> bool {
        self.stuck.is_some()
    }

    /// Asks when it is time to; `sent` counts the bytes that have gone out so far.
    ///
    /// # Errors
    /// The other side is dead, or as good as dead.
    pub fn check(&mut self, session: &Session, sent: u64, now: Instant) -> Result<(), Broken> {
        let blocked = is_outbound_blocked(session);
        let progress = std::mem::replace(&mut self.sent, sent) != sent;
        self.stuck = match self.stuck {
            _ if !blocked => None,
            Some(since) if !progress => Some(since),
            _ => Some(now),
        };
        if self.stuck.is_some_and(|since| now >= since + self.dead) {
            return Err(Broken(format!("it took no data for {} s", self.dead.as_secs_f32())));
        }
        if now < self.heard + self.keepalive {
            self.asked = None;
            return Ok(());
        }
        match self.asked {
            // Counted from the question: whoever was suspended has not listened.
            Some((since, _)) if now >= since + (self.dead - self.keepalive) => {
                Err(Broken(format!("nothing was heard for {} s", self.dead.as_secs_f32())))
            }
            Some((_, last)) if now < last + self.keepalive => Ok(()),
            _ if blocked => Ok(()),
            asked => {
                session.keepalive_send().map_err(|e| Broken(why(&e)))?;
                // Half a keepalive cannot be completed: it lay on libssh2's stack.
                if is_outbound_blocked(session) {
                    return Err(Broken("the network takes no more data".into()));
                }
                self.asked = Some((asked.map_or(now, |(since, _)| since), now));
                Ok(())
            }
        }
    }

    /// When to check again, if nothing happens before.
    pub fn next(&self, now: Instant) -> Instant {
        let due = match self.asked {
            None => self.heard + self.keepalive,
            Some((since, last)) => (last + self.keepalive).min(since + (self.dead - self.keepalive)),
        };
        // Due and not possible, because half a packet is in the way.
        let due = if due <= now { now + AGAIN } else { due };
        self.stuck.map_or(due, |since| due.min(since + self.dead))
    }
}
