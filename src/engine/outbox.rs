//! What waits for one viewer. Of what is told again and again only the last is kept, so that a slow viewer costs little; one
//! that takes nothing at all is let go.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::core::log::Which;
use crate::link::FromEngine;

/// Messages that may wait: more than a run has events in minutes.
const MOST: usize = 4096;

/// The messages for one viewer.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: Mutex<Waiting>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Each of them matters.
    all: Vec<FromEngine>,
    /// Only the last one of each matters.
    lengths: BTreeMap<Which, u64>,
    durable: Option<u64>,
    closed: bool,
}

impl Outbox {
    /// Puts a message in; false: too many wait, and it was closed.
    pub fn put(&self, message: FromEngine) -> bool {
        let mut waiting = self.locked();
        if waiting.closed {
            return false;
        }
        match message {
            FromEngine::LogLength { which, lines } => drop(waiting.lengths.insert(which, lines)),
            FromEngine::Durable(seq) => waiting.durable = Some(seq),
            message if waiting.all.len() < MOST => waiting.all.push(message),
            _ => *waiting = Waiting { closed: true, ..Waiting::default() },
        }
        let open = !waiting.closed;
        drop(waiting);
        self.more.notify_one();
        open
    }

    /// Nothing more comes. What waits is still taken.
    pub fn close(&self) {
        self.locked().closed = true;
        self.more.notify_one();
    }

    /// Everything that waits, as soon as something does; `None`: it was closed, and all is taken.
    pub async fn take(&self) -> Option<Vec<FromEngine>> {
        loop {
            {
                let mut waiting = self.locked();
                let mut out = std::mem::take(&mut waiting.all);
                let lengths = std::mem::take(&mut waiting.lengths).into_iter();
                out.extend(lengths.map(|(which, lines)| FromEngine::LogLength { which, lines }));
                out.extend(waiting.durable.take().map(FromEngine::Durable));
                if !out.is_empty() {
                    return Some(out);
                }
                if waiting.closed {
                    return None;
                }
            }
            self.more.notified().await;
        }
    }

    fn locked(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it is held.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_lengths_the_last_is_kept_and_a_flood_closes_it() {
        let outbox = Outbox::default();
        for lines in 0..100_000 {
            assert!(outbox.put(FromEngine::LogLength { which: Which::All, lines }));
            assert!(outbox.put(FromEngine::Durable(lines)));
        }
        assert_eq!(outbox.take().await.map(|m| m.len()), Some(2));
        assert!((0..MOST).all(|_| outbox.put(FromEngine::CaughtUp)));
        assert!(!outbox.put(FromEngine::CaughtUp) && !outbox.put(FromEngine::CaughtUp));
        assert!(outbox.take().await.is_none());
    }
}
