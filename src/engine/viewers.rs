//! Viewers: each gets every event from the first on, then what follows. One that cannot keep up is sent away, and may come
//! back: it never slows the engine.

use std::collections::BTreeMap;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use crate::link::{FromEngine, Reader, ToEngine, Writer};

/// Bundles of messages that may wait for a viewer.
const QUEUE: usize = 4096;

/// Number of a viewer.
pub type ViewerId = u64;

/// What comes from viewers.
#[derive(Debug)]
pub enum FromViewer {
    Joined(ViewerId, Viewer),
    Said(ViewerId, ToEngine),
    Left(ViewerId),
}

/// The engine's end of one viewer.
#[derive(Debug)]
pub struct Viewer {
    to: mpsc::Sender<Vec<FromEngine>>,
}

/// All viewers.
#[derive(Debug, Default)]
pub struct Viewers(BTreeMap<ViewerId, Viewer>);

impl Viewers {
    /// A viewer came: it gets these messages first.
    pub fn join(&mut self, id: ViewerId, viewer: Viewer, first: Vec<FromEngine>) {
        self.0.insert(id, viewer);
        self.send_all(id, first);
    }

    /// A viewer left.
    pub fn leave(&mut self, id: ViewerId) {
        self.0.remove(&id);
    }

    /// To one viewer.
    pub fn send(&mut self, id: ViewerId, message: FromEngine) {
        self.send_all(id, vec![message]);
    }

    fn send_all(&mut self, id: ViewerId, messages: Vec<FromEngine>) {
        if self.0.get(&id).is_some_and(|v| v.to.try_send(messages).is_err()) {
            tracing::warn!(viewer = id, "a viewer could not keep up and was sent away");
            self.0.remove(&id);
        }
    }

    /// To all viewers.
    pub fn tell(&mut self, message: &FromEngine) {
        for id in self.0.keys().copied().collect::<Vec<_>>() {
            self.send(id, message.clone());
        }
    }
}

/// Connects a viewer's stream with the engine: one task reads, one writes.
pub fn attach<S>(id: ViewerId, stream: S, inbox: mpsc::Sender<FromViewer>)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (read, write) = tokio::io::split(stream);
    let (to, mut from) = mpsc::channel::<Vec<FromEngine>>(QUEUE);
    tokio::spawn(async move {
        let mut writer = Writer::new(write);
        while let Some(messages) = from.recv().await {
            for message in messages {
                if writer.send(&message).await.is_err() {
                    return;
                }
            }
        }
    });
    tokio::spawn(async move {
        if inbox.send(FromViewer::Joined(id, Viewer { to })).await.is_err() {
            return;
        }
        let mut reader = Reader::new(read);
        // Anything that is no message ends the viewer: it speaks another protocol, or means harm.
        while let Ok(message) = reader.next().await {
            if inbox.send(FromViewer::Said(id, message)).await.is_err() {
                return;
            }
        }
        let _ = inbox.send(FromViewer::Left(id)).await;
    });
}
