//! The socket under a session: TCP, or one end of a pair that an outer connection pumps.

use std::io;
use std::net::Shutdown;
use std::task::{Context, Poll};

use ssh2::Session;
use tokio::io::Interest;
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

/// A connected socket of tokio's: only asked whether it is ready.
#[derive(Debug)]
pub enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// The same socket in non-blocking mode, outside tokio.
#[derive(Debug)]
pub enum StdSocket {
    Tcp(std::net::TcpStream),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

impl Socket {
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Tcp(s) => s.poll_read_ready(cx),
            #[cfg(unix)]
            Socket::Unix(s) => s.poll_read_ready(cx),
        }
    }

    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Tcp(s) => s.poll_write_ready(cx),
            #[cfg(unix)]
            Socket::Unix(s) => s.poll_write_ready(cx),
        }
    }

    /// Forgets that the socket was ready: whoever uses it outside tokio has seen that it would block. What becomes ready after
    /// that is told anew (tokio watches edges).
    pub fn clear_ready(&self, interest: Interest) {
        let would_block = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
        let _ = match self {
            Socket::Tcp(s) => s.try_io(interest, would_block),
            #[cfg(unix)]
            Socket::Unix(s) => s.try_io(interest, would_block),
        };
    }
}

impl StdSocket {
    pub fn try_clone(&self) -> io::Result<StdSocket> {
        Ok(match self {
            StdSocket::Tcp(s) => StdSocket::Tcp(s.try_clone()?),
            #[cfg(unix)]
            StdSocket::Unix(s) => StdSocket::Unix(s.try_clone()?),
        })
    }

    /// Needs a runtime.
    pub fn into_tokio(self) -> io::Result<Socket> {
        Ok(match self {
            StdSocket::Tcp(s) => Socket::Tcp(TcpStream::from_std(s)?),
            #[cfg(unix)]
            StdSocket::Unix(s) => Socket::Unix(UnixStream::from_std(s)?),
        })
    }

    /// Gives the socket to a session.
    pub fn attach(self, session: &mut Session) {
        match self {
            StdSocket::Tcp(s) => session.set_tcp_stream(s),
            #[cfg(unix)]
            StdSocket::Unix(s) => session.set_tcp_stream(s),
        }
    }

    /// Ends the connection for all clones, also under a blocked call (powershell-over-ssh 2.6).
    pub fn shutdown(&self) {
        let _ = match self {
            StdSocket::Tcp(s) => s.shutdown(Shutdown::Both),
            #[cfg(unix)]
            StdSocket::Unix(s) => s.shutdown(Shutdown::Both),
        };
    }
}
