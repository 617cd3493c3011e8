//! Hosts over the system's ssh.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::config::OpenSshConfig;
use super::dial::{dial, write};
use super::effective::{self, Effective};
use super::folder::Folder;
use super::look::look;
use super::trouble;
use crate::core::connection::{Trouble, TroubleKind};
use crate::remote::Boxed;
use crate::remote::kept::trouble::once;
use crate::remote::kept::{Dialled, KeptHost, Limiter, Thread, Times, Way};
use crate::remote::powershell::process::Limits;
use crate::remote::ssh::{Scanned, Walked};

/// Makes hosts whose connections live on one thread, in one private folder.
#[derive(Debug)]
pub struct OpenSsh {
    thread: Arc<Thread>,
    limiter: Arc<Limiter>,
    folder: Arc<Folder>,
}

impl OpenSsh {
    /// # Errors
    /// There is no place for the folder.
    pub fn on(thread: Arc<Thread>) -> io::Result<OpenSsh> {
        Ok(OpenSsh { thread, limiter: Arc::default(), folder: Arc::new(Folder::make()?) })
    }

    /// A machine; it connects when it is opened.
    pub fn host(&self, config: OpenSshConfig) -> KeptHost {
        let (config, limiter, folder) = (Arc::new(config), self.limiter.clone(), self.folder.clone());
        let file = folder.fresh("f");
        KeptHost::new(Arc::new(OpenSshWay { config, file, limiter, folder }), self.thread.clone())
    }

    /// What ssh_config says of a machine, with what the configuration says before it.
    ///
    /// # Errors
    /// In words: there is no ssh, or its configuration is wrong.
    pub async fn effective(&self, config: OpenSshConfig) -> Result<Effective, String> {
        let folder = self.folder.clone();
        let task = self.thread.spawn(async move {
            let file = folder.fresh("f");
            write(&config, &file).map_err(|t| t.message)?;
            effective::read(&config, &file).await
        });
        task.await.unwrap_or_else(|e| Err(e.to_string()))
    }

    /// Connects once, for somebody who looks at the machine from all sides; with how it was reached.
    ///
    /// # Errors
    /// What a person should know.
    pub async fn walk(&self, config: OpenSshConfig) -> Result<(Walked, String), Trouble> {
        let (folder, limiter, file) = (self.folder.clone(), self.limiter.clone(), self.folder.fresh("f"));
        let task = self.thread.spawn(async move {
            let config = Arc::new(config);
            let dialled = dial(&config, &file, &folder, &limiter).await.map_err(once)?;
            Ok((Walked::new(dialled.line, config.given(), config.limits.clone()), dialled.via))
        });
        task.await.unwrap_or_else(|e| {
            Err(trouble::plain(TroubleKind::Unreachable, &format!("the walk broke off ({e})"), "Try again."))
        })
    }

    /// Asks a machine for its host key, without a login there.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn scan(&self, config: OpenSshConfig) -> Result<Scanned, Trouble> {
        let (folder, limiter) = (self.folder.clone(), self.limiter.clone());
        let task = self.thread.spawn(async move { look(&config, &folder, &limiter).await });
        task.await.unwrap_or_else(|e| {
            Err(trouble::plain(TroubleKind::Unreachable, &format!("the look broke off ({e})"), "Try again."))
        })
    }
}

/// One machine and the way to it.
struct OpenSshWay {
    config: Arc<OpenSshConfig>,
    /// Its configuration file, ours.
    file: PathBuf,
    limiter: Arc<Limiter>,
    folder: Arc<Folder>,
}

impl Way for OpenSshWay {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn at(&self) -> String {
        self.config.given()
    }

    fn times(&self) -> &Times {
        &self.config.times
    }

    fn limits(&self) -> &Limits {
        &self.config.limits
    }

    fn dial(self: Arc<Self>) -> Boxed<Result<Dialled, Trouble>> {
        Box::pin(async move { dial(&self.config, &self.file, &self.folder, &self.limiter).await })
    }
}
