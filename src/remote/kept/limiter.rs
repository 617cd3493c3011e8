//! How many logins may be under way at once.
//!
//! At its default `MaxStartups 10:30:100` a server drops logins at random from the eleventh on (powershell-over-ssh 4, 15).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Unauthenticated connections to one server,
const PER_SERVER: usize = 8;
/// and handshakes at all: each costs processor time here too. As many again with machines that have not said a word yet: who hangs
/// keeps no other waiting.
const OVERALL: usize = 16;

/// Shared by all hosts of a runtime.
#[derive(Debug)]
pub struct Limiter {
    overall: Arc<Semaphore>,
    silent: Arc<Semaphore>,
    servers: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Default for Limiter {
    fn default() -> Self {
        let places = || Arc::new(Semaphore::new(OVERALL));
        Limiter { overall: places(), silent: places(), servers: Mutex::default() }
    }
}

impl Limiter {
    /// Waits for a place at one server. Take it before connecting: the server counts from there.
    pub async fn server(&self, address: &str) -> Option<OwnedSemaphorePermit> {
        let semaphore = {
            let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
            let entry = servers.entry(address.to_owned());
            entry.or_insert_with(|| Arc::new(Semaphore::new(PER_SERVER))).clone()
        };
        semaphore.acquire_owned().await.ok()
    }

    /// Waits for a place among all handshakes, with machines that speak or with those that do not.
    pub async fn handshake(&self, speaks: bool) -> Option<OwnedSemaphorePermit> {
        let places = if speaks { &self.overall } else { &self.silent };
        places.clone().acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn the_ninth_waits() {
        let limiter = Limiter::default();
        let mut places = Vec::new();
        for _ in 0..PER_SERVER {
            places.push(limiter.server("a:22").await);
        }
        let wait = Duration::from_secs(1);
        assert!(tokio::time::timeout(wait, limiter.server("a:22")).await.is_err());
        assert!(tokio::time::timeout(wait, limiter.server("b:22")).await.is_ok());
        places.pop();
        assert!(tokio::time::timeout(wait, limiter.server("a:22")).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_silent_keeps_nobody_waiting() {
        let limiter = Limiter::default();
        let mut places = Vec::new();
        for _ in 0..OVERALL {
            places.push(limiter.handshake(false).await);
        }
        let wait = Duration::from_secs(1);
        assert!(tokio::time::timeout(wait, limiter.handshake(false)).await.is_err());
        assert!(tokio::time::timeout(wait, limiter.handshake(true)).await.is_ok());
    }
}
