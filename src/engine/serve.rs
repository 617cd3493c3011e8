//! Lets viewers in over the socket of a run.

use std::time::Duration;

use tokio::sync::mpsc;

use super::peer::Peer;
use super::viewers::{FromViewer, attach};
use crate::link::socket::Listener;

/// After an error, how long nobody is let in: what is short then is open files.
const PAUSE: Duration = Duration::from_millis(200);

/// Lets viewers in until the engine has ended. `login`: whose engine it is.
pub async fn serve(listener: Listener, login: String, inbox: mpsc::Sender<FromViewer>) {
    let mut id = 0;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = inbox.closed() => return,
        };
        match accepted {
            Ok((stream, caller)) => match Peer::of(caller, &login) {
                Some(peer) => {
                    id += 1;
                    attach(id, stream, peer, inbox.clone());
                }
                None => tracing::warn!(?caller, "a viewer of another login was not let in"),
            },
            Err(e) => {
                tracing::warn!("a viewer could not be let in: {e}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
