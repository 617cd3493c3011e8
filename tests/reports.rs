//! Reports of readiness: what they say of one told state, and that nothing a machine says can break out of them.

#[path = "fixtures/mod.rs"]
mod fixtures;

use std::collections::BTreeSet;

use fixtures::plan::hci_cl1;
use fixtures::story::{Story, at};
use nodelift::core::connection::TroubleKind;
use nodelift::core::event::{Answer, Attested, Event, Failure, FailureKind, Outcome, Verdict, VerdictKey, Waiver};
use nodelift::core::name::OpId;
use nodelift::core::plan::Moment;
use nodelift::core::run::Phase;
use nodelift::journal::{Journal, RunFolder, Writer};
use nodelift::report::{Only, Report};

const CHECKS: [&str; 9] = [
    "os-is-22h2",
    "secure-boot",
    "refs-metadata-validation",
    "firewall-remote-shutdown",
    "coordinator-os",
    "quorum",
    "vms-shut-down",
    "disks-in-maintenance",
    "test-cluster",
];
const BOOT: &str = "2025-06-02T07:11:24Z";

fn key(check: &str, node: Option<&str>) -> VerdictKey {
    VerdictKey { check: check.into(), node: node.map(Into::into) }
}

/// A bit of everything: what a report can have to say.
fn story() -> Story {
    let mut plan = hci_cl1().narrowed(&[], &CHECKS.map(str::to_owned));
    let vms = plan.checks.iter_mut().find(|c| c.id == "vms-shut-down").expect("it is there");
    vms.attest = Some("Can every virtual machine be moved?".into());
    let mut s = Story::new(plan);
    s.tell(Event::PlanSealed(nodelift::core::event::Sealed {
        rehearsal: false,
        plan_sha256: "3f".repeat(32),
        runbook: "azure-local-powershell".into(),
        cluster: "HCI-CL1".into(),
        nodes: s.state.plan.nodes.clone(),
    }));
    s.at("08:01:00");
    for n in ["HCI-N1", "HCI-N2", "HCI-N3", "COORD01"] {
        s.connect(n).host(n, 20349, BOOT);
    }
    for n in ["HCI-N1", "HCI-N2", "HCI-N3", "HCI-N4"] {
        s.cluster(n, if n == "HCI-N4" { "Down" } else { "Up" }, 20349);
    }
    s.trouble(
        "HCI-N4",
        TroubleKind::LoginRefused,
        "hci-n4:22 refused the login of upgradeadmin; tried: ed25519 key id; it takes: publickey",
        "Check user and key.",
    );
    s.phase(Phase::Checking, "reading every node").want_all(Moment::Before);
    s.at("08:02:00");
    // Failed once, mended without success, and read again.
    s.verdict("refs-metadata-validation", Some("HCI-N3"), Outcome::Fail, "value absent");
    let op = OpId::new("refs-metadata-validation", &"HCI-N3".into(), 1, "0197-aaaa-bbbbccccdddd");
    let node = "HCI-N3".into();
    let intended =
        Event::FixIntended { op: op.clone(), key: key("refs-metadata-validation", Some("HCI-N3")), node };
    s.tell_as("j.doe", intended);
    let message = "Requested registry access is not allowed.".to_owned();
    let failed = Failure { kind: FailureKind::Threw, id: None, message, at: None };
    s.tell(Event::FixEnded { op, took_ms: 310, answer: Answer::Failed(failed) });
    s.at("08:04:02").read_all(Moment::Before, |k| k.node.as_ref().is_none_or(|n| n.as_str() != "HCI-N4"));
    s.verdict("refs-metadata-validation", Some("HCI-N3"), Outcome::Fail, "value absent");
    s.verdict("secure-boot", Some("HCI-N2"), Outcome::Warn, "off");
    s.verdict("firewall-remote-shutdown", Some("HCI-N1"), Outcome::Fail, "rule disabled");
    s.verdict("disks-in-maintenance", None, Outcome::NotApplicable, "no Storage Spaces Direct");
    for check in ["os-is-22h2", "secure-boot", "refs-metadata-validation", "firewall-remote-shutdown"] {
        s.verdict(check, Some("HCI-N4"), Outcome::CouldNotTell, "HCI-N4: not reached: login refused");
    }
    s.tell(Event::CheckJudged {
        key: key("test-cluster", None),
        verdict: Verdict {
            outcome: Outcome::Warn,
            observed: Some("2 warnings".into()),
            detail: vec!["Network: one adapter on HCI-N2".into(), "Storage: firmware differs".into()],
            why: None,
            facts_at: Some(at("07:30:00")),
        },
    });
    // Read long before: not good enough for a start.
    s.tell(Event::CheckJudged {
        key: key("quorum", None),
        verdict: Verdict {
            outcome: Outcome::Pass,
            observed: Some("file share witness online".into()),
            detail: Vec::new(),
            why: None,
            facts_at: Some(at("07:30:00")),
        },
    });
    s.at("08:06:00");
    for (check, node, end) in
        [("firewall-remote-shutdown", "HCI-N1", "20:06:00"), ("os-is-22h2", "HCI-N4", "08:06:10")]
    {
        let waiver = Waiver {
            key: key(check, Some(node)),
            reason: "shut down by hand, ticket 4711".into(),
            by: "j.doe".into(),
            expires: at(end),
        };
        s.tell_as("j.doe", Event::Waived(waiver));
    }
    let vms = s.state.verdict_keys("vms-shut-down").remove(0);
    s.tell_as("m.roe", Event::Attested(Attested { key: vms, note: "asked the owners".into() }));
    s.phase(Phase::Blocked, "3 blockers in the way").at("08:07:00").phase(Phase::Blocked, "3 blockers in the way");
    s
}

fn report(story: &Story) -> Report<'_> {
    Report::of(&story.state, Only::default())
}

#[test]
fn json_says_it_all() {
    let story = story();
    let text = report(&story).json().unwrap();
    insta::assert_snapshot!("json", text);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    // As `check --json` has had them from the start.
    for field in [
        "cluster",
        "runbook",
        "target",
        "at",
        "ready",
        "blockers",
        "pass",
        "warn",
        "fail",
        "could_not_tell",
        "not_applicable",
        "machines",
        "checks",
    ] {
        assert!(value.get(field).is_some(), "{field}");
    }
    let check = &value["checks"][0];
    for field in ["id", "title", "area", "severity", "outcome", "expected", "remedy", "source", "results"] {
        assert!(check.get(field).is_some(), "{field}");
    }
    for field in ["node", "outcome", "observed", "why", "detail", "facts_at"] {
        assert!(check["results"][0].get(field).is_some(), "{field}");
    }
}

#[test]
fn markdown_fits_a_ticket() {
    insta::assert_snapshot!("markdown", report(&story()).markdown());
}

#[test]
fn html_is_one_file_with_the_worst_first() {
    let story = story();
    let text = report(&story).html();
    insta::assert_snapshot!("html", text);
    let place = |id: &str| text.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("{id}"));
    let order = ["refs-metadata-validation", "os-is-22h2", "test-cluster", "disks-in-maintenance"];
    assert!(order.windows(2).all(|w| place(w[0]) < place(w[1])));
    for loaded in ["<script", "<link", "<img", "@import", "url(", "http-equiv=\"refresh\"", " onclick"] {
        assert!(!text.contains(loaded), "{loaded}");
    }
    assert!(text.contains("prefers-color-scheme: dark") && text.contains("@media print"));
    parsed(text.split_once("<body>").map(|(_, b)| format!("<body>{b}")).unwrap().trim_end_matches("</html>\n"));
}

/// HTML that is written as XML is, but for the tags without an end.
fn parsed(body: &str) {
    let closed = body.replace("<br>", "<br/>");
    if let Err(e) = roxmltree::Document::parse(&closed) {
        panic!("{e}\n{closed}");
    }
}

#[test]
fn junit_is_what_build_servers_read() {
    let story = story();
    let report = report(&story);
    let text = report.junit(false);
    insta::assert_snapshot!("junit", text);
    let strict = report.junit(true);
    for (text, failures) in [(&text, 1), (&strict, 3)] {
        let document = roxmltree::Document::parse(text).unwrap();
        let all = document.root_element();
        let verdicts = report.checks.iter().map(|c| c.results.len()).sum();
        assert_eq!(is_junit(all), [verdicts, failures, 5], "a case for each check and node; one was never read");
    }
    let document = roxmltree::Document::parse(&text).unwrap();
    let case = |class: &str, name: &str| {
        document
            .descendants()
            .find(|n| {
                n.attribute("classname").is_some_and(|c| c.ends_with(class))
                    && n.attribute("name").is_some_and(|v| v.starts_with(name))
            })
            .and_then(|n| n.first_element_child())
            .map(|n| (n.tag_name().name().to_owned(), n.attribute("message").unwrap_or_default().to_owned()))
    };
    assert_eq!(case(".os-is-22h2", "HCI-N1: "), None, "passed");
    assert_eq!(case(".refs-metadata-validation", "HCI-N3: "), Some(("failure".into(), "value absent".into())));
    assert_eq!(case(".secure-boot", "HCI-N4: ").map(|c| c.0), Some("error".into()), "could not tell");
    assert_eq!(case(".disks-in-maintenance", "cluster: ").map(|c| c.0), Some("skipped".into()));
    let waived = case(".firewall-remote-shutdown", "HCI-N1: ").unwrap();
    assert!(waived.0 == "skipped" && waived.1.contains("ticket 4711"), "{waived:?}");
    assert_eq!(case(".os-is-22h2", "HCI-N4: ").map(|c| c.0), Some("error".into()), "its waiver ran out");
}

/// What both schemas ask for: junit-10.xsd of the Jenkins xUnit plugin, JUnit.xsd of Ant. Gives the cases, failures and errors.
fn is_junit(all: roxmltree::Node) -> [usize; 3] {
    let number = |n: roxmltree::Node, name: &str| -> usize {
        n.attribute(name).and_then(|v| v.parse().ok()).unwrap_or_else(|| panic!("{name} of {n:?}"))
    };
    assert_eq!(all.tag_name().name(), "testsuites");
    assert_eq!(all.attributes().count(), 0, "Ant knows none");
    let mut sums = [0; 3];
    let mut areas = BTreeSet::new();
    for (i, suite) in all.children().filter(roxmltree::Node::is_element).enumerate() {
        assert_eq!(suite.tag_name().name(), "testsuite");
        assert_eq!(number(suite, "id"), i);
        for name in ["package", "name", "hostname", "time"] {
            assert!(suite.attribute(name).is_some_and(|v| !v.is_empty()), "{name}");
        }
        assert!(areas.insert(suite.attribute("name").unwrap()), "one suite an area");
        let stamp = suite.attribute("timestamp").unwrap();
        assert!(stamp.len() == 19 && format!("{stamp}Z").parse::<jiff::Timestamp>().is_ok(), "{stamp}");
        let parts: Vec<roxmltree::Node> = suite.children().filter(roxmltree::Node::is_element).collect();
        let tags: Vec<&str> = parts.iter().map(|p| p.tag_name().name()).collect();
        let cases = &parts[1..parts.len() - 2];
        assert_eq!((tags[0], &tags[tags.len() - 2..]), ("properties", &["system-out", "system-err"][..]));
        for property in parts[0].children().filter(roxmltree::Node::is_element) {
            assert!(property.attribute("name").is_some_and(|v| !v.is_empty()) && property.has_attribute("value"));
        }
        let mut counted = [cases.len(), 0, 0, 0];
        for case in cases {
            assert_eq!(case.tag_name().name(), "testcase");
            assert!(["classname", "name"].iter().all(|a| case.attribute(*a).is_some_and(|v| !v.is_empty())));
            assert!(case.attribute("time").unwrap().parse::<f64>().is_ok());
            let inner: Vec<&str> =
                case.children().filter(roxmltree::Node::is_element).map(|n| n.tag_name().name()).collect();
            assert!(inner.len() <= 1, "{inner:?}");
            let at = ["failure", "error", "skipped"];
            for kind in inner {
                counted[1 + at.iter().position(|k| *k == kind).unwrap_or_else(|| panic!("{kind}"))] += 1;
            }
        }
        let told = ["tests", "failures", "errors", "skipped"].map(|name| number(suite, name));
        assert_eq!(told, counted);
        (0..3).for_each(|i| sums[i] += told[i]);
    }
    sums
}

/// Everything that a machine or a person says is this.
const HOSTILE: &str = "<script>alert(1)</script>\"'&]]>-->|a|\n# head\r\n\u{1b}[31m\u{9b}2J\u{0}\u{8}\u{202e}`x`*b*[l](javascript:x)\
                       <img src=x onerror=alert(1)>\u{ffff}@all";

fn hostile() -> Story {
    let mut s = Story::new(hci_cl1().narrowed(&["HCI-N1".into(), "HCI-N2".into()], &["os-is-22h2".into()]));
    s.connect("HCI-N1");
    s.trouble("HCI-N2", TroubleKind::Garbage, HOSTILE, HOSTILE);
    s.trouble("COORD01", TroubleKind::Garbage, HOSTILE, HOSTILE);
    s.want_all(Moment::Before).read_all(Moment::Before, |_| true);
    let said = |outcome| Verdict {
        outcome,
        observed: Some(HOSTILE.into()),
        detail: vec![HOSTILE.into(), HOSTILE.into()],
        why: Some(HOSTILE.into()),
        facts_at: Some(at("08:00:00")),
    };
    for (node, outcome) in
        [("HCI-N1", Outcome::Fail), ("HCI-N2", Outcome::CouldNotTell), ("HCI-N1", Outcome::Fail)]
    {
        s.tell(Event::CheckJudged { key: key("os-is-22h2", Some(node)), verdict: said(outcome) });
    }
    let waiver = Waiver {
        key: key("os-is-22h2", Some("HCI-N2")),
        reason: HOSTILE.into(),
        by: HOSTILE.into(),
        expires: at("09:00:00"),
    };
    s.tell_as(HOSTILE, Event::Waived(waiver));
    s.tell_as(HOSTILE, Event::Attested(Attested { key: key("os-is-22h2", Some("HCI-N1")), note: HOSTILE.into() }));
    s
}

#[test]
fn hostile_text_stays_text() {
    let story = hostile();
    let report = report(&story);
    let (json, junit, markdown, html) =
        (report.json().unwrap(), report.junit(true), report.markdown(), report.html());
    for (format, text) in [("json", &json), ("junit", &junit), ("markdown", &markdown), ("html", &html)] {
        let acts = |c: char| (c.is_control() && c != '\n') || nodelift::core::text::hides(c) || c == '\u{ffff}';
        assert!(!text.contains(acts), "{format}: {text}");
    }
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["checks"][0]["results"][0]["observed"], HOSTILE, "JSON loses nothing");

    let document = roxmltree::Document::parse(&junit).unwrap();
    is_junit(document.root_element());
    let tags: BTreeSet<&str> = document.descendants().map(|n| n.tag_name().name()).collect();
    assert!(!tags.contains("script") && !tags.contains("img"), "{tags:?}");
    let failure = document.descendants().find(|n| n.tag_name().name() == "failure").unwrap();
    assert!(failure.attribute("message").unwrap().contains("<script>alert(1)</script>\"'&]]>-->"), "{junit}");

    let body = html.split_once("<body>").map(|(_, b)| format!("<body>{b}")).unwrap();
    let body = body.trim_end_matches("</html>\n").replace("<br>", "<br/>");
    let page = roxmltree::Document::parse(&body).unwrap_or_else(|e| panic!("{e}\n{body}"));
    let known = [
        "", "article", "body", "br", "code", "dd", "dl", "dt", "h1", "h2", "h3", "header", "li", "p", "pre",
        "span", "table", "td", "th", "tr", "ul",
    ];
    for node in page.descendants() {
        assert!(known.contains(&node.tag_name().name()), "{node:?}");
        assert!(node.attributes().all(|a| ["class", "id", "colspan"].contains(&a.name())), "{node:?}");
    }

    assert!(
        !markdown.contains("<script") && !markdown.contains("<img") && !markdown.contains("@all"),
        "{markdown}"
    );
    for line in markdown.lines() {
        assert!(!line.starts_with("# head"), "{markdown}");
        if line.starts_with("| ") && line.contains("could not tell") {
            let bars = line.replace("\\\\", "").replace("\\|", "").matches('|').count();
            assert_eq!(bars, 5, "{line}");
        }
        assert!(!line.replace("\\`", "").contains("`x`") && !line.contains("*b*[l]("), "{line}");
    }
}

#[test]
fn a_run_is_told_as_it_was_at_its_start() {
    let mut s = story();
    for check in ["refs-metadata-validation", "os-is-22h2", "secure-boot", "firewall-remote-shutdown"] {
        for node in ["HCI-N1", "HCI-N2", "HCI-N3", "HCI-N4"] {
            s.verdict(check, Some(node), Outcome::Pass, "mended");
        }
    }
    s.verdict("quorum", None, Outcome::Pass, "file share witness online");
    s.at("08:09:00").start();
    s.at("14:00:00").phase(Phase::Running, "still");
    let report = report(&s);
    assert!(report.ready && report.stale == 0 && report.reached, "{} {}", report.blockers, report.stale);
    assert_eq!((report.as_of, report.at), (Some(at("08:09:00")), Some(at("14:00:00"))));
    let text = report.markdown();
    assert!(
        text.contains("# HCI-CL1: ready") && text.contains("2025-06-14 08:09:00 UTC, the start of the run"),
        "{text}"
    );
}

#[test]
fn what_only_warns_is_told_from_what_blocks() {
    let mut s = Story::new(hci_cl1().narrowed(&[], &["os-is-22h2".into(), "secure-boot".into()]));
    s.want_all(Moment::Before).read_all(Moment::Before, |_| true);
    assert!(report(&s).ready && !report(&s).has_warnings());
    s.verdict("secure-boot", Some("HCI-N2"), Outcome::Warn, "off");
    assert!(report(&s).ready && report(&s).has_warnings());
    for warnings in [false, true] {
        let failed = report(&s).junit(warnings).contains("<failure type=\"recommended\" message=\"off\">");
        assert_eq!(failed, warnings);
    }
    s.verdict("os-is-22h2", Some("HCI-N1"), Outcome::Fail, "25398");
    assert!(!report(&s).ready && report(&s).has_warnings());
}

#[test]
fn what_was_not_asked_is_said() {
    let s = hostile();
    let only = Only { nodes: vec!["HCI-N1".into()], checks: vec!["os-is-22h2".into()] };
    let report = Report::of(&s.state, only);
    let value: serde_json::Value = serde_json::from_str(&report.json().unwrap()).unwrap();
    assert_eq!(value["only"], serde_json::json!({ "nodes": ["HCI-N1"], "checks": ["os-is-22h2"] }));
    assert!(report.markdown().contains("nodes HCI-N1; checks os-is-22h2; nothing else was looked at"));
    assert_eq!(s.state.plan.checks.iter().filter(|c| c.moment == Moment::Before).count(), 1);
}

/// A run's folder as an engine leaves it.
fn recorded(story: &Story) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::open(folder.path()).unwrap();
    let sha256 = run.seal(&story.state.plan).unwrap();
    let mut events = story.events.clone();
    for event in &mut events {
        if let Event::PlanSealed(sealed) = &mut event.event {
            sealed.plan_sha256.clone_from(&sha256);
        }
    }
    let writer = Writer { epoch: 1, instance: "a".into() };
    Journal::open(&run.journal(), writer, 1, None).unwrap().append(events);
    folder
}

fn nodelift(arguments: &[&std::ffi::OsStr]) -> std::process::Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_nodelift"));
    let home = tempfile::tempdir().unwrap();
    command.args(arguments).env("HOME", home.path()).env("NODELIFT_STATE", home.path());
    command.stdin(std::process::Stdio::null()).output().unwrap()
}

#[test]
fn a_run_is_reported_from_its_journal_alone() {
    let run = recorded(&story());
    let (path, out) = (run.path().as_os_str(), tempfile::tempdir().unwrap());
    let (junit, html) = (out.path().join("junit.xml"), out.path().join("report.html"));
    let said = nodelift(&[
        "report".as_ref(),
        path,
        "--junit".as_ref(),
        junit.as_ref(),
        "--html".as_ref(),
        html.as_ref(),
        "--json".as_ref(),
    ]);
    assert_eq!(said.status.code(), Some(0), "{said:?}");
    let json: serde_json::Value =
        serde_json::from_slice(&said.stdout).expect("standard output is the report alone");
    assert_eq!((&json["cluster"], &json["blockers"]), (&"HCI-CL1".into(), &3.into()));
    assert!(json["journal"].as_str().is_some_and(|h| h.len() >= 32), "{}", json["journal"]);
    is_junit(roxmltree::Document::parse(&std::fs::read_to_string(&junit).unwrap()).unwrap().root_element());
    assert!(std::fs::read_to_string(&html).unwrap().contains("blocked: 3 checks in the way"));
    let again = nodelift(&["report".as_ref(), path, "--json".as_ref()]);
    assert_eq!(said.stdout, again.stdout, "the same journal, the same report");

    let text = nodelift(&["report".as_ref(), path]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("ReFS metadata validation is off") && text.contains("HCI-CL1: 3 blockers"), "{text}");

    // Cut off in the middle of a record: the rest is told.
    let segment = std::fs::read_dir(run.path().join("journal")).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(&segment).unwrap();
    std::fs::write(&segment, &bytes[..bytes.len() - 20]).unwrap();
    let torn = nodelift(&["report".as_ref(), path]);
    assert_eq!(torn.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&torn.stderr).contains("The last record is cut off"), "{torn:?}");

    let no_run = nodelift(&["report".as_ref(), out.path().as_os_str()]);
    assert_eq!(no_run.status.code(), Some(9), "{no_run:?}");
}
