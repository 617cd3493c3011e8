//! The thread that all connections live on.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Threads for logins at most; the limiter lets fewer through.
const BLOCKING: usize = 64;
/// How long blocking calls may take to end with the runtime.
const FAREWELL: Duration = Duration::from_millis(500);

/// One thread with a runtime of its own: a slow screen or disk does not delay a connection, and no handshake delays a key.
///
/// It lives as long as somebody holds it, and then ends what still runs; close the hosts first, so that their workers end.
#[derive(Debug)]
pub struct Thread {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    join: Option<JoinHandle<()>>,
}

impl Thread {
    /// # Errors
    /// The system gives no thread or no event queue.
    pub fn start() -> io::Result<Arc<Thread>> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(BLOCKING)
            .thread_keep_alive(Duration::from_secs(5))
            .thread_name("ssh login")
            .build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let join = std::thread::Builder::new().name("ssh".into()).spawn(move || {
            let _ = runtime.block_on(stopped);
            runtime.shutdown_timeout(FAREWELL);
        })?;
        Ok(Arc::new(Thread { handle, stop: Some(stop), join: Some(join) }))
    }

    pub fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.handle.spawn(task)
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(join) = self.join.take() {
            let _ = join.join();
        }
    }
}
