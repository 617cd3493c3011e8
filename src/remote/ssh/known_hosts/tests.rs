//! What the lines of a file mean, against what OpenSSH says of them.

use super::*;
use proptest::prelude::*;

fn key(kind: &str, fill: u8) -> HostKey {
    let mut blob = (kind.len() as u32).to_be_bytes().to_vec();
    blob.extend_from_slice(kind.as_bytes());
    blob.extend_from_slice(&[fill; 36]);
    HostKey::from_blob(&blob).expect("key")
}

fn ed(fill: u8) -> HostKey {
    key("ssh-ed25519", fill)
}

fn file(text: &str) -> KnownHosts {
    let mut known = KnownHosts::default();
    known.add(text.as_bytes(), Path::new("known_hosts"));
    known
}

fn line(hosts: &str, key: &HostKey) -> String {
    format!("{hosts} {}\n", key.text())
}

fn is_trusted(hosts: &str, name: &str) -> bool {
    matches!(file(&line(hosts, &ed(1))).judge(name, &ed(1)), Verdict::Trusted(_))
}

#[test]
fn names_and_patterns() {
    for (hosts, name, expected) in [
        ("h1", "h1", true),
        ("H1", "h1", true),
        ("h1", "[h1]:2201", false),
        ("[h1]:2201", "[h1]:2201", true),
        ("a,h1,b", "h1", true),
        ("*.corp", "n1.corp", true),
        ("*.corp", "corp", false),
        ("n?.corp", "n1.corp", true),
        ("!n1.corp,*.corp", "n1.corp", false),
        ("*.corp,!n1.corp", "n1.corp", false),
        ("!n2.corp,*.corp", "n1.corp", true),
        ("*", "[h1]:2201", true),
        ("fe80::1", "fe80::1", true),
        ("!h1", "h2", false),
    ] {
        assert_eq!(is_trusted(hosts, name), expected, "{hosts} against {name}");
    }
}

/// HMAC-SHA1 of `h1` and of `[h1]:2201` under a salt of twenty `0x01`, as `ssh-keygen -H` would write them.
#[test]
fn hashed_names() {
    let plain = "|1|AQEBAQEBAQEBAQEBAQEBAQEBAQE=|L57CTSAcnZpUrmoL96/7ohMWEm8=";
    let port = "|1|AQEBAQEBAQEBAQEBAQEBAQEBAQE=|66RYZXAEIP7AATCRLYRr/mzizg0=";
    assert!(is_trusted(plain, "h1"));
    assert!(!is_trusted(plain, "h2"));
    assert!(is_trusted(port, "[h1]:2201"));
    assert!(!is_trusted(port, "h1"), "a name with a port is another name");
    assert!(!is_trusted(plain, "[h1]:2201"));
    assert!(!is_trusted("|1|cut", "h1"), "a cut hash matches nothing");
}

#[test]
fn verdicts() {
    let (old, new) = (ed(1), ed(2));
    let ecdsa = key("ecdsa-sha2-nistp256", 3);
    let text = line("h1", &old) + &line("h2", &ecdsa);
    let known = file(&text);
    assert!(matches!(known.judge("h1", &old), Verdict::Trusted(p) if p.line == 1));
    assert!(matches!(known.judge("h1", &new), Verdict::Changed(k) if k[0].key == old));
    assert!(
        matches!(known.judge("h2", &new), Verdict::OtherTypeKnown(k) if k[0].key == ecdsa && k[0].place.line == 2)
    );
    assert_eq!(known.judge("h3", &new), Verdict::Unknown { authority: None });
    let both = file(&(line("h1", &old) + &line("h1", &new)));
    assert!(matches!(both.judge("h1", &new), Verdict::Trusted(p) if p.line == 2), "a host may have several keys");
}

#[test]
fn markers() {
    let k = ed(1);
    let text = format!("@revoked * {}\n{}@cert-authority *.corp {}\n", k.text(), line("h1", &k), ed(9).text());
    let known = file(&text);
    assert!(matches!(known.judge("h1", &k), Verdict::Revoked(p) if p.line == 1), "also where it is trusted below");
    assert!(matches!(known.judge("n.corp", &ed(2)), Verdict::Unknown { authority: Some(p) } if p.line == 3));
    assert!(matches!(known.judge("h1", &ed(2)), Verdict::Changed(_)), "a revoked key says nothing of another");
}

#[test]
fn bad_lines_do_not_spoil_a_file() {
    let good = line("h1", &ed(1)).replace('\n', "\r\n");
    let known = file(&format!(
        "\u{feff}# comment\r\n\r\n  \nrubbish\nh ssh-ed25519 !!\n@what h ssh-ed25519 AAAA\nh ssh-rsa {}\n|2|x|y {}\n{good}",
        ed(1).text().split(' ').nth(1).expect("base64"),
        ed(1).text()
    ));
    assert_eq!(known.warnings.len(), 5, "{:?}", known.warnings);
    assert!(known.warnings[0].contains("known_hosts, line 4"));
    assert!(
        matches!(known.judge("h1", &ed(1)), Verdict::Trusted(_)),
        "line ends of Windows are no part of the key"
    );
}

#[test]
fn known_types_are_asked_for_first() {
    let known = file(&(line("h1", &key("ecdsa-sha2-nistp384", 1)) + &line("h2", &key("ssh-rsa", 1))));
    assert!(known.preference("h1").starts_with("ecdsa-sha2-nistp384,ssh-ed25519,"));
    assert!(known.preference("h2").starts_with("rsa-sha2-512,rsa-sha2-256,ssh-ed25519,"));
    assert!(known.preference("h3").starts_with("ssh-ed25519,ecdsa-sha2-nistp256,"));
    assert!(!known.preference("h3").contains("cert"));
}

#[test]
fn lines_are_appended_and_nothing_else_changes() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("new/known_hosts");
    append(&path, "h1 ssh-ed25519 AAAA").expect("append");
    fs::write(&path, "# mine\r\nrubbish").expect("write");
    append(&path, "h2 ssh-ed25519 BBBB").expect("append");
    append(&path, "h2 ssh-ed25519 BBBB").expect("append");
    assert_eq!(fs::read_to_string(&path).expect("read"), "# mine\r\nrubbish\nh2 ssh-ed25519 BBBB\n");
    assert!(append(&path, "two\nlines").is_err());
}

proptest! {
    #[test]
    fn any_file_is_taken(bytes in proptest::collection::vec(any::<u8>(), 0..300), name in "[a-z.*]{1,8}") {
        let mut known = KnownHosts::default();
        known.add(&bytes, Path::new("f"));
        known.judge(&name, &ed(1));
    }

    #[test]
    fn wildcards_agree_with_a_slow_matcher(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
        fn slow(p: &[u8], t: &[u8]) -> bool {
            match p.first() {
                None => t.is_empty(),
                Some(b'*') => (0..=t.len()).any(|i| slow(&p[1..], &t[i..])),
                Some(c) => !t.is_empty() && (*c == b'?' || *c == t[0]) && slow(&p[1..], &t[1..]),
            }
        }
        prop_assert_eq!(wildcard(pattern.as_bytes(), text.as_bytes()), slow(pattern.as_bytes(), text.as_bytes()));
    }
}

fn after(text: &str, name: &str, key: &HostKey) -> String {
    String::from_utf8(replace::replaced(text.as_bytes(), name, key).expect("replaced")).expect("text")
}

#[test]
fn only_the_entries_of_one_host_give_way() {
    let (old, new, ecdsa) = (ed(1), ed(2), key("ecdsa-sha2-nistp256", 3));
    let old_text = old.text();
    for (before, expected) in [
        (line("h1", &old), line("h1", &new)),
        (line("H1", &old), line("h1", &new)),
        (line("a,h1,B", &old), format!("a,B {old_text}\n{}", line("h1", &new))),
        (format!("h1,10.0.0.1 {old_text} me@here"), format!("10.0.0.1 {old_text} me@here\n{}", line("h1", &new))),
        (line("h*", &old), format!("!h1,h* {old_text}\n{}", line("h1", &new))),
        (line("h1,h?", &old), format!("!h1,h? {old_text}\n{}", line("h1", &new))),
        (line("!h2,h1", &old), line("h1", &new)),
        // All that it was known by gives way, at the first place.
        (line("h1", &ecdsa) + &line("h2", &old) + &line("h1", &old), line("h1", &new) + &line("h2", &old)),
        (
            format!("# mine\r\nrubbish\r\nh1 {old_text}\r\nh2 {old_text}"),
            format!("# mine\r\nrubbish\r\nh1 {}\r\nh2 {old_text}", new.text()),
        ),
        (
            format!("@revoked h1 {old_text}\n@cert-authority h1 {}\n{}", ecdsa.text(), line("h1", &old)),
            format!("@revoked h1 {old_text}\n@cert-authority h1 {}\n{}", ecdsa.text(), line("h1", &new)),
        ),
    ] {
        assert_eq!(after(&before, "h1", &new), expected, "{before}");
    }
    let port = line("[h1]:2201", &old) + &line("h1", &old);
    assert_eq!(after(&port, "[h1]:2201", &new), line("[h1]:2201", &new) + &line("h1", &old), "another name");
}

#[test]
fn a_hashed_name_stays_hashed() {
    let hash = "|1|AQEBAQEBAQEBAQEBAQEBAQEBAQE=|L57CTSAcnZpUrmoL96/7ohMWEm8=";
    let text = line("h2", &ed(1)) + &line(hash, &ed(1));
    assert_eq!(after(&text, "h1", &ed(2)), line("h2", &ed(1)) + &line(hash, &ed(2)));
}

#[test]
fn what_must_not_be_taken_over_is_not() {
    let new = ed(2);
    let refused = |text: String, name: &str| replace::replaced(text.as_bytes(), name, &new).expect_err("refused");
    let revoked = format!("{}@revoked * {}\n", line("h1", &ed(1)), new.text());
    assert!(refused(revoked, "h1").contains("revoked"));
    assert!(refused(line("h2", &ed(1)), "h1").contains("not known there"));
    assert!(refused(line("h1", &new), "h1").contains("not known there by another key"), "nothing to do");
    assert!(refused(line("h1", &ed(1)), "h*").contains("no name"));
    assert!(refused(line("h1", &ed(1)), "h1\nh2").contains("no name"));
}

#[cfg(unix)]
#[test]
fn a_file_changes_at_once_and_leaves_a_copy() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("folder");
    let (path, link) = (folder.path().join("real"), folder.path().join("known_hosts"));
    let before = line("h1", &ed(1)) + "\u{ff} not a line\n";
    fs::write(&path, &before).expect("write");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("rights");
    std::os::unix::fs::symlink(&path, &link).expect("link");
    let old = replace(&link, "h1", &ed(2)).expect("replaced");
    assert_eq!(fs::read_to_string(&old).expect("copy"), before);
    assert_eq!(fs::read_to_string(&path).expect("file"), line("h1", &ed(2)) + "\u{ff} not a line\n");
    assert!(fs::symlink_metadata(&link).expect("link").is_symlink(), "a link stays one");
    for file in [&path, &old] {
        assert_eq!(fs::metadata(file).expect("file").permissions().mode() & 0o777, 0o640);
    }
    assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 3, "nothing else is left behind");
    assert!(replace(&link, "h9", &ed(2)).expect_err("not there").contains("not known there"));
    assert_eq!(fs::read_to_string(&path).expect("file"), line("h1", &ed(2)) + "\u{ff} not a line\n");
    let system = replaceable(Path::new("/etc/ssh/ssh_known_hosts")).expect_err("everybody's");
    assert!(system.contains("counts for everybody"), "{system}");
    assert!(replaceable(&folder.path().join("none")).expect_err("absent").contains("cannot be written"));
}

/// Lines of any kind about a few hosts, among bytes that are no lines.
fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let hosts = prop::sample::select(vec![
        "h1",
        "H1",
        "h2",
        "h1,h2",
        "h2,h1,h3",
        "h*",
        "!h1,h*",
        "!h2,h*",
        "*",
        "h?,h1",
        "!h1",
        "[h1]:22",
        "",
        "|1|AQEBAQEBAQEBAQEBAQEBAQEBAQE=|L57CTSAcnZpUrmoL96/7ohMWEm8=",
    ]);
    let marker = prop::sample::select(vec!["", "", "", "", "@revoked ", "@cert-authority ", "@what "]);
    let keys = prop::sample::select(vec![ed(1), ed(2), ed(3), key("ecdsa-sha2-nistp256", 4)]);
    let end = prop::sample::select(vec!["\n", "\r\n", " me@there\n", "\t# x\r\n"]);
    prop_oneof![
        4 => (marker, hosts, keys, end)
            .prop_map(|(m, h, k, e)| format!("{m}{h} {}{e}", k.text()).into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..30),
    ]
}

proptest! {
    /// The host is then known by the new key alone; every other host, and every line that is not about this one, is as before.
    #[test]
    fn a_new_key_changes_nothing_for_others(lines in proptest::collection::vec(any_line(), 0..8)) {
        let (text, new) = (lines.concat(), ed(9));
        let path = Path::new("f");
        let before = KnownHosts::of(&text, path);
        match replace::replaced(&text, "h1", &new) {
            Err(_) => prop_assert!(before.others("h1", &new).is_empty()),
            Ok(after) => {
                let known = KnownHosts::of(&after, path);
                prop_assert!(matches!(known.judge("h1", &new), Verdict::Trusted(_)));
                prop_assert!(known.others("h1", &new).is_empty());
                prop_assert_eq!(known.warnings.len(), before.warnings.len(), "no line is lost or broken");
                let kind = |v: Verdict| std::mem::discriminant(&v);
                for name in ["h2", "h3", "h9", "x", "[h1]:22"] {
                    for shown in [ed(1), ed(2), ed(3), key("ecdsa-sha2-nistp256", 4), new.clone()] {
                        prop_assert_eq!(kind(known.judge(name, &shown)), kind(before.judge(name, &shown)), "{}", name);
                    }
                }
                for revoked in [ed(1), ed(2), ed(3)] {
                    let was = matches!(before.judge("h1", &revoked), Verdict::Revoked(_));
                    prop_assert_eq!(matches!(known.judge("h1", &revoked), Verdict::Revoked(_)), was, "stays revoked");
                }
            }
        }
    }
}
