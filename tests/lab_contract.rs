//! The contract over real SSH: what every script of the runbooks answers through the whole transport, machine by machine.
#![cfg(unix)]

#[path = "contract/case.rs"]
mod case;
#[path = "lab/mod.rs"]
mod lab;
#[path = "support/said.rs"]
mod said;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use case::{Outcome, cases, filled, judge, patch, scripts, world_of};
use lab::supervisor::is_up;
use lab::{Engine, Lab, Options};
use nodelift::core::event::FailureKind;
use nodelift::remote::sim::World;
use nodelift::remote::ssh::{Credential, Endpoint, SshConfig, SshHost, SshRuntime};
use nodelift::remote::{Host, Request};
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;

/// Longest wait for anything: reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn every_script_answers_over_ssh_as_the_contract_says() {
    if let Err(why) = Lab::is_possible() {
        said::skipped(&why);
        return;
    }
    let engine = Engine::find().unwrap_or_else(|e| panic!("{e}"));
    said::say(&format!("{} answers", engine.name()));
    let (scripts, mut worlds) = (scripts(), BTreeMap::<String, Vec<_>>::new());
    let (mut compared, mut left_out, mut wrong) = (0, 0, Vec::new());
    let mut answered = BTreeSet::new();
    for (file, case) in cases() {
        // A change beside the scripts is no SSH session, and what PowerShell starts takes its time: tests/contract.rs plays them.
        let steps = case["steps"].as_array().expect("steps");
        let takes_time = |s: &Json| s.get("sleep").is_some() && matches!(engine, Engine::PowerShell(_));
        if steps.iter().any(|s| s.get("act").is_some() || takes_time(s)) {
            left_out += 1;
            continue;
        }
        worlds.entry(case["world"].as_str().expect("a world").to_owned()).or_default().push((file, case));
    }
    for (world, cases) in worlds {
        let site = Site::new(&world);
        for (file, case) in cases {
            site.enter(World::new(world_of(&case, "FullLanguage")).expect("a world")).await;
            for (i, step) in case["steps"].as_array().expect("steps").iter().enumerate() {
                site.prepare(step);
                let (Some(machine), Some(path)) = (step["on"].as_str(), step["script"].as_str()) else { continue };
                if step.get("logon").is_some() {
                    continue;
                }
                let outcome = site.run(machine, path, &scripts[path], filled(&step["args"], &scripts)).await;
                compared += 1;
                answered.insert(path.to_owned());
                if let Some(why) = judge(step, &outcome, "FullLanguage") {
                    wrong.push(format!("{}: step {} on {machine}, {path}: {why}", file.display(), i + 1));
                }
            }
        }
    }
    said::say(&format!("{compared} answers over SSH compared, {left_out} cases left out"));
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
    let missing: Vec<_> = scripts.keys().filter(|s| !answered.contains(*s)).collect();
    // The wrapper of a detached operation is started by the scheduler, never sent.
    assert_eq!(missing, ["remote/op.ps1"]);
}

/// A lab whose clock stands still, and a connection to each machine.
struct Site {
    lab: Lab,
    hosts: BTreeMap<String, SshHost>,
}

impl Site {
    fn new(world: &str) -> Self {
        let lab = Lab::start(world, Options { rate: 0.0, ..Options::default() }).unwrap_or_else(|e| panic!("{e}"));
        let runtime = SshRuntime::start().expect("a thread");
        let host = |(name, port): &(String, u16)| {
            let key = Credential::KeyFile { path: lab.folder().join("key"), passphrase: None, certificate: None };
            let endpoint = Endpoint { port: *port, ..Endpoint::new("127.0.0.1", lab.user(), vec![key]) };
            let mut config = SshConfig::new(name, endpoint, vec![lab.folder().join("known_hosts")]);
            config.times.backoff = vec![Duration::from_millis(50)];
            let host = runtime.host(config);
            host.open();
            (name.clone(), host)
        };
        let hosts = lab.machines().iter().map(host).collect();
        Self { lab, hosts }
    }

    /// Puts another world in the place of the one before, and waits until its machines are there.
    async fn enter(&self, world: World) {
        self.lab.world().write(&world).expect("written");
        for (name, host) in &self.hosts {
            settled(name, host, is_up(&world, name)).await;
        }
    }

    /// What happens before a step: time passes; the stand-in is told what PowerShell's processes would have changed.
    fn prepare(&self, step: &Json) {
        let world = self.lab.world();
        if let Some(seconds) = step["advance"].as_i64() {
            world.pass(seconds).expect("written");
        }
        if matches!(self.lab.engine(), Engine::StandIn(_)) && !step["patch"].is_null() {
            world.change(|w, _| (patch(w.json_mut(), &step["patch"]), true)).expect("written");
        }
    }

    async fn run(&self, machine: &str, name: &str, script: &str, args: Json) -> Outcome {
        let args = if args.is_null() { json!({}) } else { args };
        let request = Request { name: name.into(), script: script.into(), args, timeout: PATIENCE, slow: false };
        loop {
            let up = self.lab.world().look(|w, _| is_up(w, machine)).expect("readable");
            settled(machine, &self.hosts[machine], up).await;
            let (said, mut lines) = mpsc::channel(64);
            let listen = async { while lines.recv().await.is_some() {} };
            let (reply, ()) = tokio::join!(self.hosts[machine].run(request.clone(), said), listen);
            match reply.record() {
                // Its server went after the machine had: what only reads is asked again.
                Err(f) if f.kind == FailureKind::Indeterminate && name.contains("/facts/") => {}
                other => break other.map_err(|f| f.id.unwrap_or(f.message)),
            }
        }
    }
}

/// Waits until a machine is as the world says: its server follows after a moment.
async fn settled(name: &str, host: &SshHost, up: bool) {
    let end = Instant::now() + PATIENCE;
    while host.connection().borrow().is_ready() != up {
        assert!(Instant::now() < end, "{name}, up {up}: {:?}", *host.connection().borrow());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
