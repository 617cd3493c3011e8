//! What lies between us and a server, or is there in its place: a line that is slow or damages what it carries, and a host that says
//! what a test wants it to say.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A port with a thread that takes connections; each is served by a thread of its own, which ends with it.
pub struct Door {
    pub port: u16,
    closed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Door {
    pub fn new(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listener");
        let port = listener.local_addr().expect("address").port();
        let closed = Arc::new(AtomicBool::new(false));
        let is_closed = closed.clone();
        let serve = Arc::new(serve);
        let thread = std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                if is_closed.load(Ordering::SeqCst) {
                    return;
                }
                let serve = serve.clone();
                std::thread::spawn(move || serve(socket));
            }
        });
        Door { port, closed, thread: Some(thread) }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Says something first, then the same thing again and again for as long as somebody listens.
pub fn talker(first: &'static [u8], again: &'static [u8]) -> Door {
    Door::new(move |mut socket| {
        let _ = socket.set_write_timeout(Some(Duration::from_secs(1)));
        let mut said = socket.write_all(first);
        while said.is_ok() && !again.is_empty() {
            said = socket.write_all(again);
        }
        // Silent, until the other side has enough.
        let _ = std::io::copy(&mut socket, &mut std::io::sink());
    })
}

/// What a line does to what the server says.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub enum Damage {
    None,
    /// Other bytes.
    Noise,
    /// It comes twice.
    Twice,
    /// It does not come.
    Lost,
}

/// A line to a server.
pub struct Line {
    door: Door,
    damage: Arc<AtomicU8>,
}

impl Line {
    /// Carries so many bytes a second in each direction, each after a while.
    pub fn slow(server: u16, bytes_a_second: u32, delay: Duration) -> Line {
        Line::new(server, Some((bytes_a_second, delay)))
    }

    pub fn to(server: u16) -> Line {
        Line::new(server, None)
    }

    fn new(server: u16, slow: Option<(u32, Duration)>) -> Line {
        let damage = Arc::new(AtomicU8::new(0));
        let does = damage.clone();
        let door = Door::new(move |from| {
            let Ok(to) = TcpStream::connect(("127.0.0.1", server)) else { return };
            let (Ok(from2), Ok(to2)) = (from.try_clone(), to.try_clone()) else { return };
            let sent = std::thread::spawn(move || carry(from2, to2, slow, &AtomicU8::new(0)));
            carry(to, from, slow, &does);
            let _ = sent.join();
        });
        Line { door, damage }
    }

    pub fn port(&self) -> u16 {
        self.door.port
    }

    /// The next bytes of a server are damaged; those after them are not.
    pub fn damage(&self, how: Damage) {
        self.damage.store(how as u8, Ordering::SeqCst);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, slow: Option<(u32, Duration)>, damage: &AtomicU8) {
    let mut chunk = vec![0; if slow.is_some() { 1400 } else { 64 << 10 }];
    while let Ok(n) = from.read(&mut chunk) {
        if n == 0 {
            break;
        }
        if let Some((bytes, delay)) = slow {
            std::thread::sleep(Duration::from_secs_f64(n as f64 / f64::from(bytes)) + delay);
        }
        let how = damage.swap(0, Ordering::SeqCst);
        if how == Damage::Noise as u8 {
            chunk[..n].iter_mut().enumerate().for_each(|(i, b)| *b ^= i as u8 | 1);
        }
        let times = [1, 1, 2, 0][how as usize];
        if (0..times).any(|_| to.write_all(&chunk[..n]).is_err()) {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
