//! One `ssh` process of ours. It never reaches the screen, and never outlives us.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

use super::heard::Heard;

/// From being asked to end until it is made to.
const GRACE: Duration = Duration::from_millis(500);

/// After its end, how long its last words may take.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Ended when dropped, with what it started for its way, such as a ProxyCommand.
#[derive(Debug)]
pub struct Client {
    pub child: Child,
}

/// Which of its streams are ours; error output always is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pipes {
    Errors,
    Output,
    All,
}

impl Client {
    /// Starts it on the current runtime.
    ///
    /// # Errors
    /// The program is not there, or no process can be made.
    pub fn start(program: &Path, args: &[OsString], pipes: Pipes) -> io::Result<Client> {
        let piped = |is: bool| if is { Stdio::piped() } else { Stdio::null() };
        let mut command = Command::new(program);
        command
            .args(args)
            .stdin(piped(pipes == Pipes::All))
            .stdout(piped(pipes != Pipes::Errors))
            .stderr(Stdio::piped())
            // Its messages are read, and strerror speaks the person's language.
            .env("LC_ALL", "C")
            .env_remove("SSH_ASKPASS")
            .env("SSH_ASKPASS_REQUIRE", "never")
            .kill_on_drop(true);
        alone(&mut command);
        Ok(Client { child: command.spawn()? })
    }

    /// The next line it says; `None` once it has ended, whoever else still holds its error output: a ProxyCommand may.
    pub async fn line(&mut self, heard: &mut Heard<ChildStderr>) -> Option<String> {
        tokio::select! {
            biased;
            line = heard.next() => {
                if line.is_none() {
                    self.wait().await;
                }
                return line;
            }
            _ = self.child.wait() => {}
        }
        timeout(LAST_WORDS, heard.next()).await.ok().flatten()
    }

    /// Waits for its end.
    pub async fn wait(&mut self) -> Option<ExitStatus> {
        self.child.wait().await.ok()
    }

    /// Ends it.
    pub async fn end(mut self) {
        self.ask();
        let _ = timeout(GRACE, self.child.wait()).await;
    }

    /// Asks it and its children to end.
    #[cfg(unix)]
    fn ask(&self) {
        use rustix::process::{Pid, Signal, kill_process_group};
        // Known only until it has been waited for: the number cannot be another process's.
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process_group(pid, Signal::TERM);
        }
    }

    #[cfg(not(unix))]
    fn ask(&self) {}
}

impl Drop for Client {
    fn drop(&mut self) {
        self.ask();
    }
}

/// Without a terminal: whatever ssh or a ProxyCommand wants to ask, it cannot be asked under the screen.
#[cfg(unix)]
fn alone(command: &mut Command) {
    let own_session = || {
        rustix::process::setsid()?;
        // Should we be killed, nobody else would end it.
        #[cfg(target_os = "linux")]
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
        Ok(())
    };
    // SAFETY: between fork and exec this makes two system calls; it allocates nothing and takes no lock.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(own_session);
    }
}

#[cfg(windows)]
fn alone(command: &mut Command) {
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    command.creation_flags(CREATE_NO_WINDOW);
}
