//! A machine without an SSH server: the way to it is that of the machine it is reached through, then remoting.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::bench::{Asks, ROUND_TRIPS};
use super::examine::{Chart, Hello, Subject, powershell};
use super::judge;
use super::step::{Finding, StepId};
use crate::core::connection::{self, Connection, Trouble, TroubleKind};
use crate::core::event::Failure;
use crate::remote::kept::trouble::once;
use crate::remote::remoting::{RemotingConfig, RemotingHost, greeting};
use crate::remote::{Host, Request};

/// What may pass until a connection has either come up or said why not.
const PATIENCE: Duration = Duration::from_secs(180);

/// How such a machine is reached.
#[derive(Clone)]
pub struct Through {
    /// The machine on the way, connected to for this alone.
    pub first: Arc<dyn Host>,
    pub config: RemotingConfig,
}

impl fmt::Debug for Through {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Through").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Every step of it; those of SSH say why they do not apply.
pub async fn examine<F: Fn(StepId)>(subject: &Subject, through: &Through, chart: &mut Chart<F>) {
    let (config, on_the_way) = (&through.config, &through.config.through);
    let since = chart.begin(StepId::Jump);
    through.first.open();
    let first = settled(&*through.first, config).await;
    match first {
        Ok(hello) => {
            let finding = Finding::passed(format!("{on_the_way}: {}, PowerShell {}", hello.via, hello.ps));
            chart.note(StepId::Jump, on_the_way, Some(since.elapsed()), finding);
        }
        Err(trouble) => {
            failed(StepId::Jump, on_the_way, since, trouble, chart);
            through.first.close().await;
            return;
        }
    }
    let unused = |what: &str| Finding::not_tried(format!("does not apply: {what}"));
    chart.note(StepId::Name, "", None, unused(&format!("{on_the_way} looks up {}", config.computer)));
    chart.note(StepId::Handshake, "", None, unused("remoting (WinRM), not SSH"));
    chart.note(StepId::HostKey, "", None, unused("WinRM proves by Kerberos who is there"));
    chart.note(StepId::Shell, "", None, unused("remoting starts PowerShell itself"));

    let since = chart.begin(StepId::Connect);
    let host = RemotingHost::new(config.clone(), through.first.clone());
    host.open();
    match settled(&host, config).await {
        Ok(hello) => {
            let took = since.elapsed();
            let at = format!("New-PSSession -ComputerName {}", config.computer);
            chart.note(StepId::Connect, at, Some(took), Finding::passed("a remoting session is open"));
            chart.note(StepId::Login, &config.user, None, Finding::passed(hello.via.clone()));
            let mut session = Session { host: &host };
            let seen = Hello { ps: &hello.ps, language: &hello.language, skew_ms: hello.skew_ms };
            powershell(subject, &mut session, seen, took, chart).await;
            let since = chart.begin(StepId::Files);
            let read = host.read_file(judge::FILE, 0, 64).await;
            chart.note(StepId::Files, judge::FILE, Some(since.elapsed()), judge::files_by_remoting(&read));
        }
        // Who is refused was reached.
        Err(trouble) => {
            let refused = matches!(trouble.kind, TroubleKind::LoginRefused | TroubleKind::CredentialUnusable);
            let id = if refused { StepId::Login } else { StepId::Connect };
            if refused {
                chart.note(StepId::Connect, &config.computer, None, Finding::passed("remoting answers"));
            }
            failed(id, &config.computer, since, trouble, chart);
        }
    }
    host.close().await;
}

fn failed<F: Fn(StepId)>(id: StepId, at: &str, since: Instant, trouble: Trouble, chart: &mut Chart<F>) {
    let trouble = once(trouble);
    chart.note(id, at, Some(since.elapsed()), Finding::failed(trouble.message, trouble.remedy));
    chart.block(id);
}

/// Waits until a connection has come up or said why not.
async fn settled(host: &dyn Host, config: &RemotingConfig) -> Result<connection::Hello, Trouble> {
    let mut connection = host.connection();
    let wait = async {
        loop {
            match &*connection.borrow_and_update() {
                Connection::Ready(hello) => return Ok(hello.clone()),
                Connection::Trouble(t) => return Err(Some(t.clone())),
                Connection::Idle | Connection::Connecting => {}
            }
            if connection.changed().await.is_err() {
                return Err(None);
            }
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or(Err(None)).map_err(|trouble| {
        trouble.unwrap_or_else(|| Trouble {
            kind: TroubleKind::Unreachable,
            message: format!("{} did not answer within {} s", config.name, PATIENCE.as_secs()),
            remedy: "Look at the machine: it may be busy or restarting.".into(),
        })
    })
}

/// The session of a machine behind another one.
struct Session<'a> {
    host: &'a RemotingHost,
}

impl Asks for Session<'_> {
    fn is_up(&self) -> bool {
        self.host.connection().borrow().is_ready()
    }

    async fn record(&mut self, request: Request) -> Result<Json, Failure> {
        let (said, _) = mpsc::channel(1);
        self.host.run(request, said).await.record()
    }

    async fn round_trips(&mut self) -> Vec<Duration> {
        let mut out = Vec::new();
        while out.len() < ROUND_TRIPS {
            let began = Instant::now();
            match self.record(greeting()).await {
                Ok(_) => out.push(began.elapsed()),
                Err(_) => break,
            }
        }
        out.sort();
        out
    }
}
