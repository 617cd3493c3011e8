//! Signals: the ones that end the screen, and the one that sends it to the background.

use tokio::sync::mpsc;

/// A signal that concerns the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The terminal is gone, or somebody wants the process to end: leave at once.
    End,
    /// Somebody sent the process to the background.
    Suspend,
}

/// Listens from now on. Must be called inside a runtime.
#[cfg(unix)]
pub fn listen() -> mpsc::Receiver<Signal> {
    use tokio::signal::unix::{SignalKind, signal};
    let (to, from) = mpsc::channel(4);
    let kinds = [
        (SignalKind::hangup(), Signal::End),
        (SignalKind::terminate(), Signal::End),
        (SignalKind::interrupt(), Signal::End),
        (SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()), Signal::Suspend),
    ];
    for (kind, meaning) in kinds {
        let Ok(mut stream) = signal(kind) else { continue };
        let to = to.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                if to.send(meaning).await.is_err() {
                    return;
                }
            }
        });
    }
    from
}

/// Listens from now on. Must be called inside a runtime.
#[cfg(not(unix))]
pub fn listen() -> mpsc::Receiver<Signal> {
    let (to, from) = mpsc::channel(4);
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if to.send(Signal::End).await.is_err() {
                return;
            }
        }
    });
    from
}

/// Stops the whole process group, as a shell expects of Ctrl-Z, and comes back when it is continued.
#[cfg(unix)]
pub(super) async fn stop_until_continued() {
    use rustix::process::Signal as Unix;
    use tokio::signal::unix::{SignalKind, signal};
    let continued = signal(SignalKind::from_raw(Unix::CONT.as_raw()));
    // TSTP is caught for our own sake; STOP cannot be. It may take this thread a moment after the call has returned: what
    // follows must wait until somebody continues us.
    let stopped = rustix::process::kill_current_process_group(Unix::STOP);
    if let (Ok(mut continued), Ok(())) = (continued, stopped) {
        continued.recv().await;
    }
}

/// There is no background here.
#[cfg(not(unix))]
pub(super) async fn stop_until_continued() {}
