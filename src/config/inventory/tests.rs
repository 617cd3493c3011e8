use super::*;

fn parse(text: &str) -> Result<Inventory, String> {
    Inventory::parse(&Source::new("site.toml", text), Path::new("site.toml")).map_err(|d| d.to_string())
}

const SMALL: &str =
    "[cluster]\nname = 'HCI-CL1'\n[[node]]\nname = 'hci-n1.corp.example'\n[ssh]\nuser = 'CORP\\admin'\n";

#[test]
fn the_least_inventory() {
    let i = parse(SMALL).unwrap();
    assert_eq!(i.nodes[0].name, "HCI-N1");
    assert_eq!((i.nodes[0].host.as_str(), i.nodes[0].port), ("hci-n1.corp.example", 22));
    assert!(i.nodes[0].login.agent);
    assert_eq!((i.keepalive, i.dead_after), (15, 45));
}

#[test]
fn every_mistake_points() {
    for (text, place, said) in [
        ("[cluster]\nname = 'X'\n", "site.toml:3:1", "no node is listed"),
        ("[cluster]\nname = 'X'\n[[nodes]]\nname = 'a'\n", "site.toml:3:3", "there is no field `nodes` here"),
        (
            "[cluster]\nname = 'x.y'\n[[node]]\nname = 'a'\n[ssh]\nuser = 'u'\n",
            "site.toml:2:8",
            "this is a full name",
        ),
        (&format!("{SMALL}port = 99999\n"), "site.toml:7:8", "99999 is no port"),
        (&format!("{SMALL}key = '/no/such'\n"), "site.toml:7:7", "there is no file /no/such"),
        (&format!("{SMALL}agent = false\n"), "site.toml:4:8", "no way to log in to HCI-N1"),
        (&format!("{SMALL}[[node]]\nname = 'HCI-N1'\n"), "site.toml:8:8", "node HCI-N1 is listed twice"),
        (&format!("{SMALL}[coordinator]\nname = 'HCI-N1'\n"), "site.toml:8:8", "HCI-N1 is a node of the cluster"),
        (&format!("scale = 60.0\n{SMALL}"), "site.toml:1:9", "the clock may only be scaled in a lab"),
        (&format!("since = 'noon'\n{SMALL}"), "site.toml:1:9", "not a time"),
        (&format!("lab = true\n{SMALL}"), "site.toml:1:1", "lab = true, but HCI-N1 is at hci-n1.corp.example"),
        (&format!("{SMALL}jump = ['a b']\n"), "site.toml:7:9", "`a b` is no jump host"),
        (&format!("{SMALL}ssh_config = 5\n"), "site.toml:7:14", "true, false or a path belongs here"),
        (&format!("{SMALL}ssh_config = '/no/such'\n"), "site.toml:7:14", "there is no file /no/such"),
        (&format!("{SMALL}transport = 'opensh'\n"), "site.toml:7:13", "there is no choice `opensh` here"),
        (
            &format!("{SMALL}transport = 'openssh'\npassword = true\nagent = false\n"),
            "site.toml:4:8",
            "a password is never handed to openssh",
        ),
        (
            "lab = true\n[cluster]\nname = 'X'\n[[node]]\nname = 'a'\nhost = '127.0.0.1'\ntransport = 'auto'\n",
            "site.toml:1:1",
            "A may be somewhere else by ssh_config",
        ),
        ("[cluster]\nname = 'X'\n[[node]]\nname = 'a'\n", "site.toml:4:8", "nobody to log in to A as"),
        (&format!("change = 'a,b'\n{SMALL}"), "site.toml:1:10", "a change number has 1 to 40"),
        (&format!("{SMALL}[window]\nopen = []\n"), "site.toml:8:8", "the window is never open"),
        (&format!("{SMALL}[window]\nopen = ['Sat 22:00/Sun 6:00']\n"), "site.toml:8:9", "is no window"),
        (&format!("{SMALL}[window]\nopen = ['22:00/22:00']\n"), "site.toml:8:9", "it closes when it opens"),
        (
            &format!("{SMALL}[window]\nopen = ['22:00/Sun 06:00']\n"),
            "site.toml:8:9",
            "both ends need a day, or none",
        ),
        (
            &format!("{SMALL}[window]\nopen = ['2026-06-07 22:00/2026-06-07 06:00']\n"),
            "site.toml:8:9",
            "it closes before it opens",
        ),
        (
            &format!("{SMALL}[window]\nzone = '../etc/passwd'\nopen = ['22:00/04:00']\n"),
            "site.toml:8:8",
            "there is no time zone `../etc/passwd`",
        ),
        (&format!("{SMALL}[hooks]\nbefore_drain = []\n"), "site.toml:8:16", "the command is empty"),
        (
            &format!("{SMALL}[hooks]\nafter_resume = ['tell', '{{host}}']\n"),
            "site.toml:8:16",
            "nothing is put in for `{host}`",
        ),
        (&format!("{SMALL}[hooks]\non_failure = 'stop'\n"), "site.toml:8:14", "there is no choice `stop` here"),
        (&format!("{SMALL}[hooks]\ntimeout = 0\n"), "site.toml:8:11", "0 s is no time for a hook"),
        ("[cluster\n", "site.toml:1:9", "unclosed table"),
    ] {
        let e = parse(text).expect_err(text);
        assert!(e.starts_with(place), "{e}");
        assert!(e.contains(said), "{e}");
    }
}

#[test]
fn each_machine_has_its_transport() {
    let text = SMALL.replace("[ssh]", "transport = 'openssh'\n[[node]]\nname = 'b'\n[ssh]\ntransport = 'auto'");
    let i = parse(&text).unwrap();
    let transports: Vec<_> = i.nodes.iter().map(|n| n.login.transport).collect();
    assert_eq!(transports, [Transport::OpenSsh, Transport::Auto]);
    let nobody = parse(&text.replace("user = 'CORP\\admin'\n", "")).expect("ssh_config names the user");
    assert!(!nobody.nodes[0].login.given.user && !nobody.nodes[0].login.given.port);
    let i = parse(&format!("{SMALL}ssh_config = true\nport = 22\n")).unwrap();
    let login = &i.nodes[0].login;
    assert!(login.asks_ssh_config() && login.given.port && login.given.user && !login.given.jump);
    let e = parse(&format!("{SMALL}transport = 'OpenSSH'\n")).unwrap_err();
    assert!(e.contains("did you mean `openssh`?"), "{e}");
}

#[test]
fn all_mistakes_come_together() {
    let e = parse("[cluster]\nname = 'x.y'\n[[node]]\nname = 'a b'\n").unwrap_err();
    assert!(e.contains("full name") && e.contains("is no computer name") && e.contains("nobody to log in"), "{e}");
}

#[test]
fn jump_hosts() {
    let jump = |user: Option<&str>, host: &str, port| {
        Some(Jump { user: user.map(str::to_owned), host: host.into(), port })
    };
    assert_eq!(parse_jump("admin@jump.example:2222"), jump(Some("admin"), "jump.example", 2222));
    assert_eq!(parse_jump("CORP\\admin@jump"), jump(Some("CORP\\admin"), "jump", 22));
    assert_eq!(parse_jump("[fe80::1]:22"), jump(None, "fe80::1", 22));
    assert_eq!(parse_jump("fe80::1"), jump(None, "fe80::1", 22));
    assert_eq!(parse_jump("host:0"), None);
}

#[test]
fn a_node_without_an_ssh_server_is_reached_through_one_that_has_it() {
    let with = |node: &str, rest: &str| {
        parse(&format!("[cluster]\nname = 'X'\n[ssh]\nuser = 'u'\n[[node]]\nname = 'n1'\n{node}\n{rest}"))
    };
    let coordinator = "[coordinator]\nname = 'coord01.corp.example'\n";
    let i = with("transport = 'remoting'", coordinator).unwrap();
    assert_eq!(i.nodes[0].through.as_deref(), Some("COORD01"));
    assert!(!i.nodes[0].login.asks_ssh_config());
    let i = with("transport = 'remoting'\nthrough = 'N2.corp.example'", "[[node]]\nname = 'n2'\n").unwrap();
    assert_eq!((i.nodes[0].through.as_deref(), &i.nodes[1].through), (Some("N2"), &None));
    let i = parse(
        "[cluster]\nname = 'X'\n[coordinator]\nname = 'c'\n[[node]]\nname = 'n1'\n[ssh]\nuser = 'u'\ntransport = 'remoting'\n",
    )
    .unwrap();
    assert_eq!(
        (i.nodes[0].through.as_deref(), i.coordinator.unwrap().login.transport),
        (Some("C"), Transport::Ssh)
    );
    for (node, rest, place, said) in [
        ("transport = 'remoting'", "", "site.toml:7:13", "there is no machine to reach N1 through"),
        ("through = 'c'", "", "site.toml:7:11", "N1 is not reached through another machine"),
        ("transport = 'remoting'\nthrough = 'n1'", "", "site.toml:8:11", "N1 cannot be reached through itself"),
        ("transport = 'remoting'\nthrough = 'zz'", coordinator, "site.toml:8:11", "there is no machine `zz` here"),
        (
            "transport = 'remoting'\nthrough = 'n2'",
            "[[node]]\nname = 'n2'\ntransport = 'remoting'\nthrough = 'n1'\n",
            "site.toml:8:11",
            "N2 has no SSH server itself",
        ),
        (
            "",
            "[coordinator]\nname = 'c'\ntransport = 'remoting'\n",
            "site.toml:10:13",
            "C cannot be reached by remoting",
        ),
    ] {
        let e = with(node, rest).expect_err(node);
        assert!(e.starts_with(place) && e.contains(said), "{e}");
    }
}

#[test]
fn a_task_account_may_be_managed() {
    let with = |account: &str| {
        parse(&format!("{SMALL}[coordinator]\nname = 'COORD01'\ntask_account = '{account}'\n"))
            .unwrap()
            .task
            .unwrap()
    };
    assert_eq!(with("CORP\\upgrade$").password, None);
    assert_eq!(with("CORP\\upgrade").password, Some(PasswordFrom::Prompt));
}

#[test]
fn windows_mean_what_they_say() {
    let window = |zone: &str, open: &str| {
        parse(&format!("{SMALL}[window]\nzone = '{zone}'\nopen = ['{open}']\n")).unwrap().window.unwrap()
    };
    let weekly = |from: u32, to: u32| vec![Span::Weekly { from, to }];
    for (open, spans) in [
        ("Sat 22:00/Sun 06:00", weekly(8520, 9000)),
        ("sunday 20:00/Mon 04:00", weekly(9840, 240)),
        ("Fri 24:00/Sun 24:00", weekly(7200, 0)),
    ] {
        assert_eq!(window("UTC", open).spans, spans, "{open}");
    }
    assert_eq!(window("UTC", "22:00/04:00").spans.len(), 7);
    assert_eq!(window("UTC", "22:00/04:00").spans[6], Span::Weekly { from: 9960, to: 240 });
    assert_eq!(window("UTC", "00:00/24:00").spans[0], Span::Weekly { from: 0, to: 1440 });
    let (from, to) = ("2026-06-06T22:00".parse().unwrap(), "2026-06-08T00:00".parse().unwrap());
    assert_eq!(window("UTC", "2026-06-06 22:00/2026-06-07 24:00").spans, [Span::Once { from, to }]);
    assert_eq!(window("+05:30", "22:00/04:00").zone, "<+05:30>-05:30");
    assert_eq!(window("CET-1CEST,M3.5.0,M10.5.0/3", "22:00/04:00").zone, "CET-1CEST,M3.5.0,M10.5.0/3");
}
