//! A first look at a machine's host key, on the way that its connection takes.

use tokio::time::timeout;

use super::client::{Client, Pipes};
use super::config::OpenSshConfig;
use super::dial::write;
use super::effective;
use super::folder::Folder;
use super::heard::Heard;
use super::options;
use super::trouble::{self, At};
use crate::core::connection::Trouble;
use crate::remote::kept::Limiter;
use crate::remote::ssh::Scanned;
use crate::remote::ssh::hostkey::HostKey;
use crate::remote::ssh::known_hosts::{KnownHosts, line_for};

/// Lets ssh write the key into a file of ours, and end before any login; then judges it by the files that count.
///
/// # Errors
/// What a person should know.
pub async fn look(config: &OpenSshConfig, folder: &Folder, limiter: &Limiter) -> Result<Scanned, Trouble> {
    let file = folder.fresh("f");
    write(config, &file)?;
    let settings = effective::read(config, &file).await.map_err(|why| trouble::settings(config, &why))?;
    let at = At::new(config, &settings);
    let known = KnownHosts::read(&at.known_hosts);
    let keys = folder.fresh("k");
    let args = options::look(config, &file, &keys, &known.preference(&at.name));
    let args = args.map_err(|e| trouble::settings(config, &e.0))?;
    let _place = limiter.server(&at.way()).await;
    // Whether it speaks is known to ssh alone.
    let _login = limiter.handshake(false).await;
    let mut client =
        Client::start(&config.program, &args, Pipes::Errors).map_err(|e| trouble::program(config, &e))?;
    let Some(stderr) = client.child.stderr.take() else {
        return Err(trouble::settings(config, "ssh was started without its streams"));
    };
    let mut heard = Heard::new(stderr);
    let within = config.times.connect + config.times.handshake;
    let ended = timeout(within, async { while client.line(&mut heard).await.is_some() {} }).await.is_ok();
    client.end().await;
    let text = std::fs::read_to_string(&keys).unwrap_or_default();
    let _ = std::fs::remove_file(&keys);
    let key = text.lines().find_map(|line| {
        use base64::Engine as _;
        let blob = line.split_whitespace().nth(2)?;
        HostKey::from_blob(&base64::engine::general_purpose::STANDARD.decode(blob).ok()?)
    });
    match key {
        Some(key) => Ok(Scanned {
            fingerprint: key.fingerprint(),
            line: line_for(&at.name, &key),
            verdict: known.judge(&at.name, &key),
            others: known.others(&at.name, &key),
            name: at.name,
            key,
        }),
        None if ended => Err(trouble::refused(&at, &heard.lines())),
        None => Err(trouble::silent(&at, within, &heard.lines())),
    }
}
