//! What a machine's PowerShell prints reaches who listens, byte for byte, over a real OpenSSH server.
#![cfg(target_os = "linux")]

#[path = "support/said.rs"]
mod said;
mod support;

use std::sync::{Arc, Mutex};

use nodelift::remote::ssh::SshRuntime;
use nodelift::remote::tap::{Stream, Tap};
use nodelift::remote::{Host, Request};
use support::bench::Bench;
use support::request;
use support::sshd::{Sshd, is_here};

/// Everything that one listener heard, each stream for itself.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<Vec<u8>>>>);

struct HeardStream(Heard, usize);

impl Tap for Heard {
    fn open(&self) -> Box<dyn Stream> {
        let mut all = self.0.lock().expect("heard");
        all.push(Vec::new());
        Box::new(HeardStream(self.clone(), all.len() - 1))
    }
}

impl Stream for HeardStream {
    fn take(&mut self, bytes: &[u8]) {
        self.0.0.lock().expect("heard")[self.1].extend_from_slice(bytes);
    }
}

#[tokio::test]
async fn who_listens_gets_every_byte_as_it_came() {
    if !is_here() {
        return;
    }
    let server = Sshd::start();
    let heard = Heard::default();
    let runtime = SshRuntime::start().expect("runtime");
    let host = runtime.host(server.config());
    host.listen(Arc::new(heard.clone()));
    let bench = Bench::of(host);
    bench.ready().await;
    bench.run("echo 1").await;
    bench.ask(Request { slow: true, ..request("pid") }).await;
    let all = heard.0.lock().expect("heard").clone();
    let printed: Vec<String> = all.iter().map(|s| String::from_utf8_lossy(s).into_owned()).collect();
    let hellos = printed.iter().filter(|s| s.contains("\"hello\"")).count();
    assert_eq!(hellos, 2, "the quick worker and the slow one: {printed:?}");
    assert!(
        printed.iter().flat_map(|s| s.lines()).any(|l| l.starts_with("#~") && l.contains("\"end\"")),
        "{printed:?}"
    );
}
