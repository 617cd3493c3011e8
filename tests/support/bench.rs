//! One host under test, by any transport.

use std::sync::Arc;
use std::time::Duration;

use nodelift::core::connection::{Connection, Hello, Trouble, TroubleKind};
use nodelift::core::event::FailureKind;
use nodelift::remote::kept::KeptHost;
use nodelift::remote::ssh::{SshConfig, SshRuntime};
use nodelift::remote::{Host, Reply, Request};
use tokio::sync::mpsc;

use super::{request, within};

/// One opened host. What it lives on lives as long.
pub struct Bench {
    pub host: Arc<KeptHost>,
}

impl Bench {
    pub fn new(config: SshConfig) -> Bench {
        Bench::on(&SshRuntime::start().expect("runtime"), config)
    }

    pub fn on(runtime: &SshRuntime, config: SshConfig) -> Bench {
        Bench::of(runtime.host(config))
    }

    /// By any transport.
    pub fn of(host: KeptHost) -> Bench {
        let host = Arc::new(host);
        assert_eq!(*host.connection().borrow(), Connection::Idle);
        host.open();
        Bench { host }
    }

    pub async fn ready(&self) -> Hello {
        let mut connection = self.host.connection();
        let seen = within(connection.wait_for(|c| c.is_ready() || c.needs_person())).await.expect("host").clone();
        match seen {
            Connection::Ready(hello) => hello,
            other => panic!("{other:?}"),
        }
    }

    pub async fn trouble(&self) -> Trouble {
        let mut connection = self.host.connection();
        let seen =
            within(connection.wait_for(|c| matches!(c, Connection::Trouble(_)))).await.expect("host").clone();
        match seen {
            Connection::Trouble(trouble) => {
                assert!(!trouble.remedy.is_empty() && !trouble.message.is_empty());
                assert!(!format!("{}{}", trouble.message, trouble.remedy).chars().any(char::is_control));
                trouble
            }
            other => panic!("{other:?}"),
        }
    }

    /// Waits for a trouble of one kind.
    pub async fn troubled(&self, kind: TroubleKind) -> Trouble {
        let mut connection = self.host.connection();
        let is = |c: &Connection| matches!(c, Connection::Trouble(t) if t.kind == kind);
        within(connection.wait_for(is)).await.expect("host");
        self.trouble().await
    }

    pub async fn run(&self, script: &str) -> Reply {
        self.ask(request(script)).await
    }

    pub async fn run_for(&self, script: &str, timeout: Duration) -> Reply {
        self.ask(Request { timeout, ..request(script) }).await
    }

    pub async fn ask(&self, request: Request) -> Reply {
        let (said, mut lines) = mpsc::channel(100);
        tokio::spawn(async move { while lines.recv().await.is_some() {} });
        within(self.host.run(request, said)).await
    }

    pub async fn close(self) {
        within(self.host.close()).await;
        assert_eq!(*self.host.connection().borrow(), Connection::Idle);
    }
}

pub fn kind(reply: &Reply) -> Option<FailureKind> {
    reply.end.as_ref().err().map(|f| f.kind)
}

/// Awaits all at once.
pub async fn futures<T>(all: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<_> = all.into_iter().map(|f| (Box::pin(f), None)).collect();
    std::future::poll_fn(|cx| {
        for (future, done) in &mut all {
            if done.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(cx)
            {
                *done = Some(value);
            }
        }
        if all.iter().all(|(_, d)| d.is_some()) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    all.into_iter().filter_map(|(_, done)| done).collect()
}
