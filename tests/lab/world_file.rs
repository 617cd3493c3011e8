//! The world file that everybody of a lab shares: PowerShell, the imitated tools, the stand-in, a test.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use nodelift::remote::sim::World;
use serde_json::{Value as Json, json};

/// A world in a file, with the lock that the lab's PowerShell and tools take too.
#[derive(Clone, Debug)]
pub struct WorldFile(PathBuf);

impl WorldFile {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The world as it is stored.
    ///
    /// # Errors
    /// It cannot be read: in words.
    pub fn read(&self) -> Result<World, String> {
        let text = fs::read_to_string(&self.0).map_err(|e| format!("{}: {e}", self.0.display()))?;
        World::parse(&text).map_err(|e| format!("{}: {e}", self.0.display()))
    }

    /// Looks at the world as it is now; nothing is written.
    ///
    /// # Errors
    /// As `read`.
    pub fn look<T>(&self, look: impl FnOnce(&World, Timestamp) -> T) -> Result<T, String> {
        let (world, now) = evolved(self.read()?);
        Ok(look(&world, now))
    }

    /// Changes the world as it is now: nobody else does meanwhile. It is written when `change` says so.
    ///
    /// # Errors
    /// It cannot be read or written: in words.
    pub fn change<T>(&self, change: impl FnOnce(&mut World, Timestamp) -> (T, bool)) -> Result<T, String> {
        let _lock = self.lock().map_err(|e| format!("{}: {e}", self.0.display()))?;
        let (mut world, now) = evolved(self.read()?);
        let (out, write) = change(&mut world, now);
        if write {
            // The clock of a frozen world may have been moved.
            let now = world.time_at(Timestamp::now());
            world.advance(now);
            self.write(&world)?;
        }
        Ok(out)
    }

    /// Changes what is stored, without letting time pass.
    ///
    /// # Errors
    /// As `change`.
    pub fn edit(&self, edit: impl FnOnce(&mut Json)) -> Result<(), String> {
        let _lock = self.lock().map_err(|e| format!("{}: {e}", self.0.display()))?;
        let mut world = self.read()?;
        edit(world.json_mut());
        self.write(&world)
    }

    /// Moves a clock that stands still by hand; who reads it next lets the time pass.
    ///
    /// # Errors
    /// As `change`.
    pub fn pass(&self, seconds: i64) -> Result<(), String> {
        self.edit(|w| {
            let start = w["clock"]["start"].as_str().and_then(|t| t.parse().ok()).unwrap_or(Timestamp::UNIX_EPOCH);
            w["clock"]["start"] = json!((start + SignedDuration::from_secs(seconds)).to_string());
        })
    }

    /// Writes a world in one move: a reader sees the old one or the new one.
    ///
    /// # Errors
    /// It cannot be written: in words.
    pub fn write(&self, world: &World) -> Result<(), String> {
        let temporary = self.0.with_extension(format!("json.{}.tmp", std::process::id()));
        let mut text = serde_json::to_string_pretty(world.json()).map_err(|e| e.to_string())?;
        text.push('\n');
        let written = fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, &self.0));
        written.map_err(|e| format!("{}: {e}", self.0.display()))
    }

    fn lock(&self) -> std::io::Result<File> {
        let mut path = self.0.clone().into_os_string();
        path.push(".lock");
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        file.lock()?;
        Ok(file)
    }
}

fn evolved(mut world: World) -> (World, Timestamp) {
    let real = Timestamp::now();
    world.anchor(real);
    let now = world.time_at(real);
    world.advance(now);
    (world, now)
}
