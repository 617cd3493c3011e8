//! A site that several hosts share: its world, its clock, and what scripts are answered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;

use super::answer::Answers;
use super::world::World;

/// Gives the time at the site.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// One imitated site. Cheap to clone.
#[derive(Clone)]
pub struct Site(Arc<Inner>);

struct Inner {
    world: Mutex<World>,
    answers: Answers,
    clock: Clock,
    scale: f64,
    changed: Notify,
}

impl Site {
    /// A site whose world starts now: every time in it is moved so that its clock stands where `clock` does.
    /// `scale` = seconds at the site in one real second; waiting is real time, by tokio's clock.
    pub fn new(mut world: World, answers: Answers, clock: Clock, scale: f64) -> Self {
        world.rebase(clock());
        let scale = if scale > 0.0 { scale } else { 1.0 };
        Self(Arc::new(Inner { world: Mutex::new(world), answers, clock, scale, changed: Notify::new() }))
    }

    /// The time at the site.
    pub fn now(&self) -> Timestamp {
        (self.0.clock)()
    }

    /// Names of its machines.
    pub fn machines(&self) -> Vec<String> {
        self.look(|w| w.machines())
    }

    /// Looks at the world as it is now.
    pub fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        let (world, _) = self.evolved();
        look(&world)
    }

    /// Changes the world: faults, restarts, whatever a test or a demonstration needs.
    pub fn change<T>(&self, change: impl FnOnce(&mut World, Timestamp) -> T) -> T {
        let out = {
            let (mut world, now) = self.evolved();
            let out = change(&mut world, now);
            world.advance(now);
            out
        };
        self.0.changed.notify_waiters();
        out
    }

    /// Runs something that changes nothing which anybody waits for.
    pub(super) fn quietly<T>(&self, run: impl FnOnce(&mut World, Timestamp) -> T) -> T {
        let (mut world, now) = self.evolved();
        run(&mut world, now)
    }

    pub(super) fn answers(&self) -> &Answers {
        &self.0.answers
    }

    /// That much time at the site, as real time.
    pub(super) fn real(&self, seconds: f64) -> Duration {
        Duration::try_from_secs_f64(seconds.max(0.0) / self.0.scale).unwrap_or(Duration::from_secs(86_400))
    }

    /// Returns when somebody changed the world.
    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    fn evolved(&self) -> (MutexGuard<'_, World>, Timestamp) {
        let now = self.now();
        // A panic elsewhere leaves a world that is still a world.
        let mut world = self.0.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance(now);
        (world, now)
    }
}
