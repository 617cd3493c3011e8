//! The way to a machine, told leg by leg to whoever wants to see it.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::config::Endpoint;
use super::hostkey::HostKey;
use super::known_hosts::Place;

/// What lies behind us.
#[derive(Clone, Debug, PartialEq)]
pub enum Passed {
    /// The name has these addresses.
    Named(Vec<IpAddr>),
    /// A connection stands: to this address, or through the machine before.
    Connected(Option<SocketAddr>),
    /// The SSH handshake: what the server calls itself, and what both agreed on.
    Shaken { server: String, algorithms: String },
    /// The host key is one that we know, from this place.
    Trusted { key: HostKey, place: Place },
    /// Logged in, by what.
    LoggedIn { by: String, password: bool },
}

/// One leg of the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Leg {
    /// The machine on the way that it leads to; `None` = the target itself.
    pub hop: Option<String>,
    pub passed: Passed,
    pub took: Duration,
}

/// Where legs are told; to nobody by default.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    to: Option<mpsc::UnboundedSender<Leg>>,
    hop: Option<String>,
    /// When the last leg ended.
    since: Arc<Mutex<Option<Instant>>>,
}

impl Trail {
    pub fn new(to: mpsc::UnboundedSender<Leg>) -> Trail {
        Trail { to: Some(to), ..Trail::default() }
    }

    /// The legs to a machine on the way.
    pub fn to_hop(&self, hop: &Endpoint) -> Trail {
        Trail { hop: Some(hop.to_string()), ..self.clone() }
    }

    /// A leg begins here: what was waited for before is none.
    pub fn begin(&self) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// So much of the leg was spent waiting for others: it is no part of it.
    pub fn skip(&self, waited: Duration) {
        if let Some(since) = self.since.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            *since += waited;
        }
    }

    /// A leg ends here, and the next one begins.
    pub fn pass(&self, passed: Passed) {
        let Some(to) = &self.to else { return };
        let now = Instant::now();
        let since = self.since.lock().unwrap_or_else(PoisonError::into_inner).replace(now);
        let took = since.map_or(Duration::ZERO, |since| now.duration_since(since));
        let _ = to.send(Leg { hop: self.hop.clone(), passed, took });
    }
}
