//! Viewers: each gets the state, then what follows. One that cannot keep up is sent away, and may come back: it never slows
//! the engine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::outbox::Outbox;
use super::peer::Peer;
use crate::core::control::ViewerId;
use crate::link::{FromEngine, LONGEST_ASKED, Reader, ToEngine, Writer};

/// How long a viewer may take for its first words.
const FIRST_WORDS: Duration = Duration::from_secs(10);
/// Messages of one viewer that are taken in one second: more than anybody types, and than a search asks for.
const PER_SECOND: u32 = 400;

/// What comes from viewers.
#[derive(Debug)]
pub enum FromViewer {
    Joined(ViewerId, Viewer),
    Said(ViewerId, ToEngine),
    Left(ViewerId),
    /// Not a viewer: somebody wants the engine's process to end.
    End,
}

/// The engine's end of one viewer.
#[derive(Debug)]
pub struct Viewer {
    outbox: Arc<Outbox>,
    pub peer: Peer,
    /// It was greeted: it gets what happens.
    greeted: bool,
    /// The last sign of its person.
    pub heard: Timestamp,
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.outbox.close();
    }
}

/// All viewers.
#[derive(Debug, Default)]
pub struct Viewers(BTreeMap<ViewerId, Viewer>);

impl Viewers {
    /// A viewer came.
    pub fn join(&mut self, id: ViewerId, viewer: Viewer) {
        self.0.insert(id, viewer);
    }

    /// A viewer left, or is let go.
    pub fn leave(&mut self, id: ViewerId) {
        self.0.remove(&id);
    }

    /// Nobody looks.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One of them.
    pub fn get(&self, id: ViewerId) -> Option<&Viewer> {
        self.0.get(&id)
    }

    /// It was greeted: it looks.
    pub fn looks(&self, id: ViewerId) -> bool {
        self.0.get(&id).is_some_and(|v| v.greeted)
    }

    /// Its person gave a sign.
    pub fn heard(&mut self, id: ViewerId, now: Timestamp) {
        if let Some(viewer) = self.0.get_mut(&id) {
            viewer.heard = now;
        }
    }

    /// From now on it is told what happens, after these messages.
    pub fn greet(&mut self, id: ViewerId, first: Vec<FromEngine>) {
        if let Some(viewer) = self.0.get_mut(&id) {
            viewer.greeted = true;
        }
        first.into_iter().for_each(|m| self.send(id, m));
    }

    /// To one viewer.
    pub fn send(&mut self, id: ViewerId, message: FromEngine) {
        if self.0.get(&id).is_some_and(|v| !v.outbox.put(message)) {
            tracing::warn!(viewer = id, "a viewer could not keep up and was sent away");
        }
    }

    /// The last word to everybody; how many there are.
    pub fn end(&mut self, why: &str) -> usize {
        let count = self.0.len();
        self.tell(&FromEngine::Bye { why: why.to_owned() });
        self.0.clear();
        count
    }

    /// To all viewers.
    pub fn tell(&mut self, message: &FromEngine) {
        let greeted: Vec<ViewerId> = self.0.iter().filter(|(_, v)| v.greeted).map(|(id, _)| *id).collect();
        greeted.into_iter().for_each(|id| self.send(id, message.clone()));
    }
}

/// Connects a viewer's stream with the engine: one task reads, one writes. Either of them ends the other.
pub fn attach<S>(id: ViewerId, stream: S, peer: Peer, inbox: mpsc::Sender<FromViewer>)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (read, write) = tokio::io::split(stream);
    let outbox = Arc::new(Outbox::default());
    let theirs = outbox.clone();
    let viewer = Viewer { outbox, peer, greeted: false, heard: Timestamp::UNIX_EPOCH };
    tokio::spawn(async move {
        let writing = async {
            let mut writer = Writer::new(write);
            while let Some(messages) = theirs.take().await {
                for message in messages {
                    if writer.send(&message).await.is_err() {
                        return;
                    }
                }
            }
        };
        if inbox.send(FromViewer::Joined(id, viewer)).await.is_err() {
            return;
        }
        let mut reader = Reader::with_longest(read, LONGEST_ASKED);
        tokio::select! {
            () = writing => {}
            () = listen(id, &mut reader, &inbox) => {}
        }
        let _ = inbox.send(FromViewer::Left(id)).await;
    });
}

/// Hands on what a viewer says. Anything that is no message ends it: it speaks another protocol, or means harm.
async fn listen<R: AsyncRead + Unpin>(id: ViewerId, reader: &mut Reader<R>, inbox: &mpsc::Sender<FromViewer>) {
    let Ok(Ok(first)) = timeout(FIRST_WORDS, reader.next()).await else { return };
    if inbox.send(FromViewer::Said(id, first)).await.is_err() {
        return;
    }
    let (mut second, mut taken) = (Instant::now(), 0);
    while let Ok(message) = reader.next().await {
        if inbox.send(FromViewer::Said(id, message)).await.is_err() {
            return;
        }
        taken += 1;
        if second.elapsed() >= Duration::from_secs(1) {
            (second, taken) = (Instant::now(), 0);
        } else if taken >= PER_SECOND {
            sleep_until(second + Duration::from_secs(1)).await;
        }
    }
}
