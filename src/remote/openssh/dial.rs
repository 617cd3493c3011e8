//! From a configuration to a connection: starts the `ssh` that holds it and waits until it is logged in.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::client::{Client, Pipes};
use super::config::OpenSshConfig;
use super::effective::{self, Effective};
use super::folder::Folder;
use super::heard::Heard;
use super::launch::{Starter, Through};
use super::master::Master;
use super::options;
use super::trouble::{self, At};
use crate::core::connection::Trouble;
use crate::remote::kept::{Dialled, Limiter};

/// Between two looks for the control socket, which is made right after the login.
const LOOK: Duration = Duration::from_millis(5);

/// Connects and logs in.
///
/// # Errors
/// What a person should know.
pub async fn dial(
    config: &Arc<OpenSshConfig>,
    file: &Path,
    folder: &Folder,
    limiter: &Limiter,
) -> Result<Dialled, Trouble> {
    write(config, file)?;
    // Read anew each time: a person may have mended it.
    let known = effective::read(config, file).await.map_err(|why| trouble::settings(config, &why))?;
    let at = At::new(config, &known);
    let socket = config.multiplex.then(|| folder.fresh("c"));
    let args = options::master(config, file, socket.as_deref()).map_err(|e| trouble::settings(config, &e.0))?;
    let _place = limiter.server(&at.way()).await;
    // Whether it speaks is known to ssh alone.
    let _login = limiter.handshake(false).await;
    let mut client =
        Client::start(&config.program, &args, Pipes::Errors).map_err(|e| trouble::program(config, &e))?;
    let Some(stderr) = client.child.stderr.take() else {
        return Err(trouble::settings(config, "ssh was started without its streams"));
    };
    let mut heard = Heard::new(stderr);
    let times = &config.times;
    let within = times.connect + times.handshake + times.login;
    let deadline = Instant::now() + within;
    let method = loop {
        match timeout_at(deadline, client.line(&mut heard)).await {
            Ok(Some(line)) => {
                if let Some(method) = authenticated(&line) {
                    break method;
                }
            }
            Ok(None) => return Err(trouble::refused(&at, &heard.lines())),
            Err(_) => {
                client.end().await;
                return Err(trouble::silent(&at, within, &heard.lines()));
            }
        }
    };
    while let Some(socket) = &socket {
        if socket.exists() {
            break;
        }
        let ended = matches!(client.child.try_wait(), Ok(Some(_)));
        if ended || Instant::now() > deadline {
            while ended && client.line(&mut heard).await.is_some() {}
            return Err(trouble::refused(&at, &heard.lines()));
        }
        sleep(LOOK).await;
    }

    let mut via = format!("openssh {}@{}, {method}", at.user, at.at);
    if let Some(proxy) = &at.proxy {
        via.push_str(&format!(", through {proxy}"));
    }
    if socket.is_none() {
        via.push_str(", a login for each worker");
    }
    if let Some(note) = &config.note {
        via.push_str(&format!(" ({note})"));
    }
    let (tell, lost) = watch::channel(None);
    let through = socket.map_or(Through::Own(file.to_owned()), Through::Socket);
    let starter = Starter { config: config.clone(), through, lost };
    let master = Master::new(starter, client, heard, tell);
    Ok(Dialled { line: Arc::new(master), via, second_hop: hops_on(&method, &known) })
}

/// Writes the file that ssh reads.
pub fn write(config: &OpenSshConfig, file: &Path) -> Result<(), Trouble> {
    let text = options::file(config).map_err(|e| trouble::settings(config, &e.0))?;
    std::fs::write(file, text)
        .map_err(|e| trouble::settings(config, &format!("{} cannot be written: {e}", file.display())))
}

/// The method that a login succeeded by: `Authenticated to n1 ([10.0.0.1]:22) using "publickey".`
fn authenticated(line: &str) -> Option<String> {
    let (_, rest) = line.strip_prefix("Authenticated to ")?.split_once(" using \"")?;
    Some(rest.split('"').next().unwrap_or_default().to_owned())
}

/// Whether a login by that method brings network credentials to the machine (powershell-over-ssh 11).
fn hops_on(method: &str, known: &Effective) -> bool {
    match method {
        "password" | "keyboard-interactive" => true,
        "gssapi-with-mic" | "gssapi-keyex" => known.is("gssapidelegatecredentials"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_names_its_method() {
        let line = "Authenticated to n1 ([127.0.0.1]:22101) using \"publickey\".";
        assert_eq!(authenticated(line).as_deref(), Some("publickey"));
        let proxied = "Authenticated to n1 (via proxy) using \"gssapi-with-mic\".";
        assert_eq!(authenticated(proxied).as_deref(), Some("gssapi-with-mic"));
        assert_eq!(authenticated("Warning: Permanently added 'x' to the list of known hosts."), None);
    }

    #[test]
    fn only_delegated_credentials_hop_on() {
        let with = Effective::parse("gssapidelegatecredentials yes\n");
        let without = Effective::parse("gssapidelegatecredentials no\n");
        assert!(hops_on("gssapi-with-mic", &with) && !hops_on("gssapi-with-mic", &without));
        assert!(!hops_on("publickey", &with));
    }
}
