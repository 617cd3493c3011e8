//! What is measured, each in a process of its own: a fresh allocator, and a peak of memory that belongs to it alone.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nodelift::core::connection::Connection;
use nodelift::core::plan::Place;
use nodelift::remote::ssh::{SshHost, SshRuntime, Walked};
use nodelift::remote::{Host as _, Request};
use nodelift::runbook::Library;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;

use crate::farm::Site;

use crate::usage;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(120);
/// Hosts that send the large file.
const LARGE: usize = 50;
/// Nodes of a cluster, and checks on each.
const NODES: usize = 16;
const CHECKS: usize = 40;

/// Connections, and what they live on.
struct Connected {
    walked: Vec<Arc<Walked>>,
    _runtime: Arc<SshRuntime>,
}

type Figures = serde_json::Map<String, Value>;

/// Measures one workload: `cold`, `plain`, `worker`, `dead`, `dead-many`, `checks` or `sweep`.
pub async fn measure(what: &str, site: &Site) -> Result<Figures, String> {
    let mut figures = Figures::new();
    match what {
        "cold" => drop(cold(site, 0, &mut figures).await?),
        "dead" => drop(cold(site, 1, &mut figures).await?),
        "dead-many" => drop(cold(site, site.silent.len(), &mut figures).await?),
        "plain" => plain(site, &mut figures).await?,
        "worker" => worker(site, &mut figures).await?,
        "checks" => checks(site, &mut figures).await?,
        "sweep" => sweep(site, &mut figures).await?,
        other => return Err(format!("there is no workload {other}")),
    }
    note(&mut figures, "children", usage::children() as f64);
    Ok(figures)
}

fn note(figures: &mut Figures, name: &str, value: f64) {
    figures.insert(name.to_owned(), json!((value * 10_000.0).round() / 10_000.0));
}

/// Runs one future for each at once, and tells how long until the last was through.
async fn all<T, F>(each: impl Iterator<Item = F>) -> Result<(Vec<T>, Duration), String>
where
    T: Send + 'static,
    F: Future<Output = Result<T, String>> + Send + 'static,
{
    let start = Instant::now();
    let tasks: Vec<_> = each.map(tokio::spawn).collect();
    let mut done = Vec::with_capacity(tasks.len());
    for task in tasks {
        let ended = tokio::time::timeout(PATIENCE, task).await.map_err(|_| "it takes too long".to_owned())?;
        done.push(ended.map_err(|e| e.to_string())??);
    }
    Ok((done, start.elapsed()))
}

/// A plain command in the login shell, as other tools run it: connect, log in, one channel, `echo ok`; with so many more hosts
/// that never say a word.
async fn cold(site: &Site, dead: usize, figures: &mut Figures) -> Result<Connected, String> {
    let began = usage::processor();
    let runtime = Arc::new(SshRuntime::start().map_err(|e| e.to_string())?);
    let walk = |host: &str| {
        let (runtime, config) = (runtime.clone(), site.config(host));
        let (legs, _) = mpsc::unbounded_channel();
        async move { runtime.walk(config, legs).await.map_err(|t| t.message) }
    };
    // They come first in the queue, for the worst.
    let waiting: Vec<_> = site.silent[..dead].iter().map(|host| tokio::spawn(walk(host))).collect();
    if dead > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let each = site.hosts.iter().map(|host| {
        let walked = walk(host);
        async move {
            let walked = Arc::new(walked.await?);
            echo(walked.clone()).await?;
            Ok(walked)
        }
    });
    let (walked, took) = all(each).await?;
    let processor = (usage::processor() - began).as_secs_f64();
    note(figures, "cold_s", took.as_secs_f64());
    note(figures, "cold_cpu_ms_per_host", processor * 1000.0 / site.hosts.len() as f64);
    note(figures, "cold_peak_mib", usage::peak_mib());
    note(figures, "threads", usage::threads() as f64);
    note(figures, "handles", usage::handles() as f64);
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(Connected { walked, _runtime: runtime })
}

/// The same, then once more over the same connections, then a large file from some of them.
async fn plain(site: &Site, figures: &mut Figures) -> Result<(), String> {
    let Connected { walked, _runtime } = cold(site, 0, figures).await?;
    let (_, took) = all(walked.iter().map(|w| echo(w.clone()))).await?;
    note(figures, "warm_s", took.as_secs_f64());
    let expected: Arc<[u8]> = std::fs::read(&site.blob).map_err(|e| e.to_string())?.into();
    let command = format!("cat {}", site.blob.display());
    let large = walked.iter().take(LARGE).map(|w| {
        let (walked, command, expected) = (w.clone(), command.clone(), expected.clone());
        async move { compare(&walked, &command, &expected).await }
    });
    let (_, took) = all(large).await?;
    note(figures, "large_s", took.as_secs_f64());
    note(figures, "peak_mib", usage::peak_mib());
    Ok(())
}

async fn echo(walked: Arc<Walked>) -> Result<(), String> {
    match output(&walked, "echo ok").await?.as_slice() {
        b"ok\n" => Ok(()),
        other => Err(format!("{:?} in place of ok", String::from_utf8_lossy(other))),
    }
}

async fn output(walked: &Walked, command: &str) -> Result<Vec<u8>, String> {
    let mut process = walked.start(command).await.map_err(|e| e.to_string())?;
    drop(process.stdin);
    let mut out = Vec::new();
    process.stdout.read_to_end(&mut out).await.map_err(|e| e.to_string())?;
    Ok(out)
}

/// Compares what comes as it comes, so that no memory is counted but the transport's.
async fn compare(walked: &Walked, command: &str, expected: &[u8]) -> Result<(), String> {
    let mut process = walked.start(command).await.map_err(|e| e.to_string())?;
    drop(process.stdin);
    let (mut came, mut chunk) = (0, vec![0; 16 << 10]);
    loop {
        let n = process.stdout.read(&mut chunk).await.map_err(|e| e.to_string())?;
        if n == 0 {
            return if came == expected.len() { Ok(()) } else { Err(format!("only {came} bytes")) };
        }
        if expected.get(came..came + n) != Some(&chunk[..n]) {
            return Err(format!("other bytes from byte {came} on"));
        }
        came += n;
    }
}

/// As the program itself works: each host kept connected, with a PowerShell that takes requests and answers in frames.
async fn worker(site: &Site, figures: &mut Figures) -> Result<(), String> {
    let began = usage::processor();
    let runtime = SshRuntime::start().map_err(|e| e.to_string())?;
    let hosts: Vec<_> = site.hosts.iter().map(|h| Arc::new(runtime.host(site.config(h)))).collect();
    let (_, took) = all(hosts.iter().map(|h| ready(h.clone()))).await?;
    let processor = (usage::processor() - began).as_secs_f64();
    note(figures, "cold_s", took.as_secs_f64());
    note(figures, "cold_cpu_ms_per_host", processor * 1000.0 / hosts.len() as f64);
    let (_, took) = all(hosts.iter().map(|h| ask(h.clone()))).await?;
    note(figures, "warm_s", took.as_secs_f64());
    note(figures, "peak_mib", usage::peak_mib());
    note(figures, "threads", usage::threads() as f64);
    note(figures, "handles", usage::handles() as f64);
    Ok(())
}

async fn ready(host: Arc<SshHost>) -> Result<(), String> {
    host.open();
    let mut connection = host.connection();
    let seen = connection.wait_for(|c| c.is_ready() || c.needs_person()).await.map_err(|e| e.to_string())?;
    match &*seen {
        Connection::Ready(_) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// A script that means the same to PowerShell and to the stand-in, in at least so many bytes.
async fn ask_in(host: Arc<SshHost>, bytes: usize) -> Result<(), String> {
    let request = Request {
        name: "bench".into(),
        script: format!("{:bytes$}", "echo 1").into(),
        args: Value::Null,
        timeout: PATIENCE,
        slow: false,
    };
    let (said, _lines) = mpsc::channel(16);
    let reply = host.run(request, said).await;
    match reply.end {
        Ok(()) if reply.results == [json!(1)] => Ok(()),
        Ok(()) => Err(format!("{:?}", reply.results)),
        Err(failure) => Err(failure.message),
    }
}

async fn ask(host: Arc<SshHost>) -> Result<(), String> {
    ask_in(host, 0).await
}

/// The readiness of a cluster: each fact group that the runbook reads on every node as a request of its size, from nothing; then
/// one of them again.
async fn sweep(site: &Site, figures: &mut Figures) -> Result<(), String> {
    let runbook = Library::new(None).load("azure-local-powershell").map_err(|e| e.to_string())?;
    let read = runbook.facts.iter().filter(|f| matches!(f.on, Place::EachNode | Place::Everywhere));
    let sizes: Vec<usize> = read.map(|f| runbook.scripts[&f.script].text.len()).collect();
    let runtime = SshRuntime::start().map_err(|e| e.to_string())?;
    let (legs, _) = mpsc::unbounded_channel();
    let walked = runtime.walk(site.config(&site.hosts[0]), legs).await.map_err(|t| t.message)?;
    let (_, greeting) = walked.powershell().await.map_err(|t| t.message)?;
    drop(walked);
    let start = Instant::now();
    let hosts: Vec<_> = site.hosts.iter().take(NODES).map(|h| Arc::new(runtime.host(site.config(h)))).collect();
    hosts.iter().for_each(|h| h.open());
    all(hosts.iter().flat_map(|h| sizes.iter().map(|bytes| ask_in(h.clone(), *bytes)))).await?;
    note(figures, "scripts", sizes.len() as f64);
    note(figures, "sweep_s", start.elapsed().as_secs_f64());
    note(figures, "powershell_starts", start.elapsed().as_secs_f64() / greeting.took.as_secs_f64());
    let start = Instant::now();
    ask_in(hosts[0].clone(), sizes[0]).await?;
    note(figures, "retry_ms", start.elapsed().as_secs_f64() * 1000.0);
    Ok(())
}

/// A cluster's checks, each a script of its own, from nothing: connections and PowerShells too.
async fn checks(site: &Site, figures: &mut Figures) -> Result<(), String> {
    let runtime = SshRuntime::start().map_err(|e| e.to_string())?;
    let (legs, _) = mpsc::unbounded_channel();
    let walked = runtime.walk(site.config(&site.hosts[0]), legs).await.map_err(|t| t.message)?;
    let (_, greeting) = walked.powershell().await.map_err(|t| t.message)?;
    drop(walked);
    note(figures, "powershell_start_s", greeting.took.as_secs_f64());
    let start = Instant::now();
    let hosts: Vec<_> = site.hosts.iter().take(NODES).map(|h| Arc::new(runtime.host(site.config(h)))).collect();
    hosts.iter().for_each(|h| h.open());
    all(hosts.iter().flat_map(|h| (0..CHECKS).map(|_| ask(h.clone())))).await?;
    note(figures, "checks_s", start.elapsed().as_secs_f64());
    note(figures, "powershell_starts", start.elapsed().as_secs_f64() / greeting.took.as_secs_f64());
    note(figures, "peak_mib", usage::peak_mib());
    Ok(())
}
