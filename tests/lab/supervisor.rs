//! Follows the machines of a world: one that is away has no server, one that is back has one again.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use nodelift::remote::sim::World;

use super::server::Server;
use super::world_file::WorldFile;

/// How often the world is looked at.
const PACE: Duration = Duration::from_millis(40);

/// A thread that owns the servers; it ends, and they with it, when this is dropped.
#[derive(Debug)]
pub struct Supervisor {
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Supervisor {
    /// `tell` gets a line for every machine that goes or comes.
    pub fn start(world: WorldFile, servers: Vec<Server>, tell: Box<dyn Fn(&str) + Send>) -> Self {
        let ending = Arc::new(AtomicBool::new(false));
        let mut watch = Watch { world, servers, seen: None, copy: None, tell };
        let until = ending.clone();
        let thread = spawn(move || {
            while !until.load(Ordering::SeqCst) {
                watch.step();
                sleep(PACE);
            }
        });
        Self { ending, thread: Some(thread) }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Watch {
    world: WorldFile,
    servers: Vec<Server>,
    /// When the file was written that `copy` was read from.
    seen: Option<(SystemTime, u64)>,
    /// Moved by time here, never written.
    copy: Option<World>,
    tell: Box<dyn Fn(&str) + Send>,
}

impl Watch {
    fn step(&mut self) {
        let meta = fs::metadata(self.world.path()).ok();
        let seen = meta.and_then(|m| Some((m.modified().ok()?, m.len())));
        if seen != self.seen
            && let Ok(world) = self.world.read()
        {
            (self.copy, self.seen) = (Some(world), seen);
        }
        let Some(copy) = &mut self.copy else { return };
        let now = copy.time_at(Timestamp::now());
        copy.advance(now);
        for server in &mut self.servers {
            let up = is_up(copy, &server.machine);
            if let Some(status) = server.ended() {
                (self.tell)(&format!("the server of {} ended by itself: {status}", server.machine));
            }
            if up == server.is_running() {
                continue;
            }
            let name = server.machine.clone();
            if !up {
                server.stop(self.world.path());
                (self.tell)(&format!("{name} is away"));
            } else if let Err(why) = server.start() {
                (self.tell)(&format!("{name} has no server: {why}"));
            } else {
                (self.tell)(&format!("{name} answers"));
            }
        }
    }
}

/// Whether something listens there: not while it restarts, nor from the moment a shutdown begins.
pub fn is_up(world: &World, machine: &str) -> bool {
    let begun = world.machine(machine).pointer("/shutdown/started").and_then(|s| s.as_bool()).unwrap_or(false);
    world.is_reachable(machine) && !begun
}
