//! The arguments of every `ssh` process, and the configuration file that it reads. No shell sees any of it.
//!
//! The file stands before the person's own, so that its values win, and ProxyJump hands it on to the processes on the way: what
//! must hold everywhere, such as that nothing is ever asked, is said there.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::config::OpenSshConfig;

/// What cannot be handed to ssh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable(pub String);

/// The text of the configuration file.
///
/// # Errors
/// A value cannot be written into it.
pub fn file(config: &OpenSshConfig) -> Result<String, Unusable> {
    let times = &config.times;
    let keepalive = seconds(times.keepalive);
    // ssh gives up after one more interval than it counts.
    let count = (seconds(times.dead) / keepalive).saturating_sub(1).max(1);
    let mut out = format!(
        "BatchMode yes\nStrictHostKeyChecking yes\nUpdateHostKeys no\nConnectTimeout {}\nServerAliveInterval {keepalive}\n\
         ServerAliveCountMax {count}\nLogLevel INFO\nVisualHostKey no\nForwardX11 no\nPermitLocalCommand no\n",
        seconds(times.connect)
    );
    if !config.known_hosts.is_empty() {
        out.push_str("UserKnownHostsFile");
        for path in &config.known_hosts {
            out.push_str(&format!(" {}", quoted(&path.to_string_lossy().replace('%', "%%"))?));
        }
        out.push('\n');
    }
    if config.agent == Some(false) {
        out.push_str("IdentityAgent none\n");
    }
    if let Some(key) = &config.key {
        out.push_str(&format!("IdentityFile {}\n", quoted(&key.to_string_lossy().replace('%', "%%"))?));
    }
    // Not in ProxyJump itself: before OpenSSH 9.6 a shell took the backslash of DOMAIN\user away.
    for hop in &config.hops {
        out.push_str(&format!("Host {}\n", word(&hop.host)?));
        if let Some(user) = &hop.user {
            out.push_str(&format!("    User {}\n", word(user)?));
        }
        if let Some(port) = hop.port {
            out.push_str(&format!("    Port {port}\n"));
        }
    }
    out.push_str("Host *\n");
    for path in &config.files {
        out.push_str(&format!("    Include {}\n", quoted(&path.to_string_lossy())?));
    }
    Ok(out)
}

/// Which machine, and as whom. The file is `file`'s.
///
/// # Errors
/// A value cannot be handed over.
fn target(config: &OpenSshConfig, file: &Path) -> Result<Vec<OsString>, Unusable> {
    let mut out: Vec<OsString> = vec!["-F".into(), file.into()];
    if let Some(port) = config.port {
        out.extend(["-p".into(), port.to_string().into()]);
    }
    if let Some(user) = &config.user {
        out.extend(["-l".into(), word(user)?.into()]);
    }
    if !config.hops.is_empty() {
        let hops: Result<Vec<String>, Unusable> = config.hops.iter().map(|h| bracketed(&h.host)).collect();
        out.extend(["-J".into(), hops?.join(",").into()]);
    }
    Ok(out)
}

fn options(out: &mut Vec<OsString>, all: &[&str]) {
    for option in all {
        out.extend(["-o".into(), (*option).into()]);
    }
}

/// The process that is the connection. With a socket, others go through it.
pub fn master(config: &OpenSshConfig, file: &Path, socket: Option<&Path>) -> Result<Vec<OsString>, Unusable> {
    let mut out = target(config, file)?;
    // VERBOSE: how the login went. The rest undoes what ssh_config may say for people who log in by hand.
    options(
        &mut out,
        &["LogLevel=VERBOSE", "ClearAllForwardings=yes", "RemoteCommand=none", "ControlPersist=no", "Tunnel=no"],
    );
    match socket {
        Some(socket) => out.extend(["-M".into(), "-S".into(), literal(socket)]),
        None => options(&mut out, &["ControlMaster=no", "ControlPath=none"]),
    }
    out.extend(["-N".into(), "-T".into(), "--".into(), word(&config.host)?.into()]);
    Ok(out)
}

/// What a process on the machine is asked to be.
#[derive(Clone, Debug)]
pub enum Program {
    Command(String),
    Subsystem(&'static str),
}

impl Program {
    fn put(&self, mut out: Vec<OsString>, host: &str) -> Vec<OsString> {
        match self {
            Program::Command(line) => out.extend(["--".into(), host.into(), line.into()]),
            Program::Subsystem(name) => out.extend(["-s".into(), "--".into(), host.into(), (*name).into()]),
        }
        out
    }
}

/// A process that goes through the connection.
pub fn through(config: &OpenSshConfig, socket: &Path, program: &Program) -> Result<Vec<OsString>, Unusable> {
    let mut out: Vec<OsString> = vec!["-F".into(), "none".into(), "-S".into(), literal(socket)];
    // Where the connection is gone ssh would make one of its own, to somewhere: an IPv4 address as IPv6 fails before any name is
    // looked up.
    options(
        &mut out,
        &["ControlMaster=no", "BatchMode=yes", "LogLevel=ERROR", "AddressFamily=inet6", "HostName=127.0.0.1"],
    );
    out.push("-T".into());
    Ok(program.put(out, word(&config.host)?))
}

/// A process with a connection of its own.
pub fn single(config: &OpenSshConfig, file: &Path, program: &Program) -> Result<Vec<OsString>, Unusable> {
    let mut out = target(config, file)?;
    options(
        &mut out,
        &[
            "LogLevel=ERROR",
            "ClearAllForwardings=yes",
            "RemoteCommand=none",
            "Tunnel=no",
            "ControlMaster=no",
            "ControlPath=none",
        ],
    );
    out.push("-T".into());
    Ok(program.put(out, word(&config.host)?))
}

/// Asks for the settings in force; connects to nothing.
pub fn effective(config: &OpenSshConfig, file: &Path) -> Result<Vec<OsString>, Unusable> {
    let mut out = target(config, file)?;
    out.extend(["-G".into(), "--".into(), word(&config.host)?.into()]);
    Ok(out)
}

/// Writes the machine's host key to a file and goes no further. Machines on the way are strict as ever.
pub fn look(config: &OpenSshConfig, file: &Path, keys: &Path, kinds: &str) -> Result<Vec<OsString>, Unusable> {
    let mut out = target(config, file)?;
    let keys = quoted(&keys.to_string_lossy().replace('%', "%%"))?;
    let (keys, kinds) = (format!("UserKnownHostsFile={keys}"), format!("HostKeyAlgorithms={kinds}"));
    options(
        &mut out,
        &[
            &keys,
            &kinds,
            "GlobalKnownHostsFile=none",
            "StrictHostKeyChecking=accept-new",
            "HashKnownHosts=no",
            "CheckHostIP=no",
            "VerifyHostKeyDNS=no",
            "PreferredAuthentications=none",
            "ClearAllForwardings=yes",
            "RemoteCommand=none",
            "ControlMaster=no",
            "ControlPath=none",
        ],
    );
    out.extend(["-N".into(), "-T".into(), "--".into(), word(&config.host)?.into()]);
    Ok(out)
}

/// A path of ours as it is: ssh would expand what stands behind a percent sign.
fn literal(path: &Path) -> OsString {
    path.to_string_lossy().replace('%', "%%").into()
}

/// A name or a user: no option, nothing that a file or a shell reads as more than one word.
fn word(text: &str) -> Result<&str, Unusable> {
    let fine = |c: char| !c.is_control() && !c.is_whitespace() && !"\"'`$;&|<>(){}*?!#,".contains(c);
    if text.is_empty() || text.starts_with('-') || !text.chars().all(fine) {
        return Err(Unusable(format!(
            "`{text}` cannot be given to ssh: it begins with - or holds a special character"
        )));
    }
    Ok(text)
}

fn bracketed(host: &str) -> Result<String, Unusable> {
    let host = word(host)?;
    Ok(if host.contains(':') { format!("[{host}]") } else { host.to_owned() })
}

/// A path in the configuration file.
fn quoted(path: &str) -> Result<String, Unusable> {
    if path.contains(['"', '\n', '\r']) {
        return Err(Unusable(format!("the path {path:?} cannot be written into an ssh_config")));
    }
    Ok(if cfg!(windows) { format!("\"{}\"", path.replace('\\', "/")) } else { format!("\"{path}\"") })
}

fn seconds(time: Duration) -> u64 {
    time.as_secs_f64().ceil().max(1.0) as u64
}

#[cfg(test)]
mod tests {
    use super::super::config::Hop;
    use super::*;

    #[test]
    fn nothing_becomes_an_option_or_a_second_word() {
        for host in ["-oProxyCommand=reboot", "a b", "a\nb", "", "a;b", "$(x)", "a,b", "*"] {
            let config = OpenSshConfig::new("n", host);
            assert!(master(&config, Path::new("f"), None).is_err(), "{host:?}");
            let hop = Hop { host: host.into(), port: None, user: None };
            assert!(file(&OpenSshConfig { hops: vec![hop], ..OpenSshConfig::new("n", "h") }).is_err(), "{host:?}");
        }
        let user = |user: &str| OpenSshConfig { user: Some(user.into()), ..OpenSshConfig::new("n", "h") };
        assert!(master(&user("-x"), Path::new("f"), None).is_err());
        let fine = master(&user("CORP\\admin"), Path::new("f"), None).expect("a domain's user");
        assert!(fine.contains(&"CORP\\admin".into()));
    }

    #[test]
    fn the_file_is_strict_and_asks_nothing() {
        let mut config = OpenSshConfig::new("n", "h");
        config.hops = vec![Hop { host: "jump".into(), port: Some(2222), user: Some("CORP\\me".into()) }];
        config.known_hosts = vec!["/home/me/100% known".into()];
        let text = file(&config).expect("file");
        let own = text.split("Include").next().expect("before the person's");
        for line in
            ["BatchMode yes", "StrictHostKeyChecking yes", "ServerAliveInterval 15", "ServerAliveCountMax 2"]
        {
            assert!(own.lines().any(|l| l == line), "{line}: {text}");
        }
        assert!(own.contains("Host jump\n    User CORP\\me\n    Port 2222\nHost *\n"), "{text}");
        assert!(own.contains("UserKnownHostsFile \"/home/me/100%% known\"\n"), "{text}");
    }

    #[test]
    fn a_lost_connection_is_not_replaced_by_another() {
        let args = through(&OpenSshConfig::new("n", "h"), Path::new("/x/c0"), &Program::Command("a b".into()));
        let args: Vec<String> = args.expect("arguments").iter().map(|a| a.to_string_lossy().into()).collect();
        assert!(args.contains(&"HostName=127.0.0.1".into()) && args.contains(&"AddressFamily=inet6".into()));
        assert_eq!(args[args.len() - 3..], ["--", "h", "a b"], "the command is one argument");
    }
}
