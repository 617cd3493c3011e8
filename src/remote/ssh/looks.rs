//! Looking for answers that another call may have taken off the socket.
//!
//! Whoever waits inside libssh2 (for a channel to open, a program to start, a file to be read) finds an answer only when it is
//! called again, and the socket tells nothing of what is in libssh2's own queue already. So it is called again after a
//! millisecond, four, and so on up to every second, as long as it waits.

use std::time::Duration;

use tokio::time::Instant;

/// Milliseconds; the last one again and again.
const WAITS: [u64; 6] = [1, 4, 16, 64, 256, 1000];

#[derive(Debug, Default)]
pub struct Looks {
    done: usize,
    next: Option<Instant>,
}

impl Looks {
    /// After a turn: `waits` when somebody waits for such an answer and nothing moved.
    pub fn plan(&mut self, waits: bool, now: Instant) {
        if !waits {
            *self = Looks::default();
        } else if self.next.is_none_or(|at| now >= at) {
            self.next = Some(now + Duration::from_millis(WAITS[self.done.min(WAITS.len() - 1)]));
            self.done += 1;
        }
    }

    pub fn next(&self) -> Option<Instant> {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_become_rare_and_start_anew() {
        let start = Instant::now();
        let mut looks = Looks::default();
        let (mut now, mut waits) = (start, Vec::new());
        for _ in 0..8 {
            looks.plan(true, now);
            looks.plan(true, now);
            let next = looks.next().expect("a look");
            waits.push((next - now).as_millis());
            now = next;
        }
        assert_eq!(waits, [1, 4, 16, 64, 256, 1000, 1000, 1000]);
        looks.plan(false, now);
        assert_eq!(looks.next(), None);
        looks.plan(true, now);
        assert_eq!(looks.next(), Some(now + Duration::from_millis(1)));
    }
}
