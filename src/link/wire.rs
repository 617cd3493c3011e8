//! Messages on a stream of bytes: one JSON object a line, bounded.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

/// Longest message of an engine, in bytes. The largest is the state, with its plan.
pub const LONGEST: usize = 64 << 20;

/// Longest message of a viewer, in bytes: a command.
pub const LONGEST_ASKED: usize = 256 << 10;

/// Whatever carries bytes both ways.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Why a message could not be read or written.
#[derive(Debug)]
pub enum WireError {
    /// The other side has left.
    Closed,
    /// Longer than a message may be.
    TooLong,
    /// Not a message.
    Shape(String),
    Io(std::io::Error),
}

impl std::fmt::Display for WireError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            WireError::Closed => f.write_str("the other side has left"),
            WireError::TooLong => f.write_str("a message is longer than messages are"),
            WireError::Shape(why) => write!(f, "not a message: {why}"),
            WireError::Io(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for WireError {}

/// Reads messages.
#[derive(Debug)]
pub struct Reader<R> {
    from: BufReader<R>,
    line: Vec<u8>,
    longest: usize,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// Over a stream.
    pub fn new(from: R) -> Self {
        Self::with_longest(from, LONGEST)
    }

    /// The same, where a message is no longer than so many bytes.
    pub fn with_longest(from: R, longest: usize) -> Self {
        Self { from: BufReader::new(from), line: Vec::new(), longest }
    }

    /// The next message. Dropping the future loses nothing.
    ///
    /// # Errors
    /// The stream ended, or what came is no message.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<T, WireError> {
        loop {
            let room = (self.longest + 1).saturating_sub(self.line.len()) as u64;
            let read =
                (&mut self.from).take(room).read_until(b'\n', &mut self.line).await.map_err(WireError::Io)?;
            if self.line.last() == Some(&b'\n') {
                let message = serde_json::from_slice(&self.line).map_err(|e| WireError::Shape(e.to_string()));
                self.line.clear();
                // A long one now and then is no reason to keep its room for ever.
                self.line.shrink_to(LONGEST_ASKED);
                return message;
            }
            if self.line.len() > self.longest {
                return Err(WireError::TooLong);
            }
            if read == 0 {
                return Err(WireError::Closed);
            }
        }
    }
}

/// Writes messages.
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    /// Over a stream.
    pub fn new(to: W) -> Self {
        Self { to }
    }

    /// Writes one message.
    ///
    /// # Errors
    /// The stream is gone, or the message too long.
    pub async fn send<T: Serialize>(&mut self, message: &T) -> Result<(), WireError> {
        let mut line = serde_json::to_vec(message).map_err(|e| WireError::Shape(e.to_string()))?;
        if line.len() > LONGEST {
            return Err(WireError::TooLong);
        }
        line.push(b'\n');
        self.to.write_all(&line).await.map_err(WireError::Io)?;
        self.to.flush().await.map_err(WireError::Io)
    }
}

/// Two ends of a pipe in memory, for an engine and a viewer in one process.
pub fn pair() -> (tokio::io::DuplexStream, tokio::io::DuplexStream) {
    tokio::io::duplex(256 * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_arrive_whole_and_bad_ones_are_said() {
        let (a, b) = tokio::io::duplex(16);
        let (mut to, mut from) = (Writer::new(a), Reader::new(b));
        let sender = tokio::spawn(async move {
            to.send(&"x".repeat(1000)).await.unwrap();
            to.send(&7u32).await.unwrap();
        });
        assert_eq!(from.next::<String>().await.unwrap().len(), 1000);
        assert!(matches!(from.next::<String>().await, Err(WireError::Shape(_))));
        sender.await.unwrap();
        assert!(matches!(from.next::<String>().await, Err(WireError::Closed)));
    }
}
