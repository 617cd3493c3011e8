//! A new key in the place of a host's old ones. Only that host's entries change; every other byte of the file stays.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{HostKey, Hosts, KnownHosts, MAX_FILE, Place, Verdict, line_for, matches, parse};

/// Where files lie that count for everybody on this machine.
#[cfg(unix)]
const SYSTEM_FOLDERS: &[&str] = &["/etc/ssh", "/usr/local/etc/ssh"];
#[cfg(not(unix))]
const SYSTEM_FOLDERS: &[&str] = &[r"C:\ProgramData\ssh"];

/// Whether a file counts for everybody on this machine: it is their decision, not one person's.
pub fn is_system_wide(file: &Path) -> bool {
    let real = fs::canonicalize(file);
    [Some(file), real.as_deref().ok()]
        .into_iter()
        .flatten()
        .any(|f| SYSTEM_FOLDERS.iter().any(|s| f.starts_with(s)))
}

/// Whether the keys in a file could be replaced now.
///
/// # Errors
/// Why not, in a person's words.
pub fn replaceable(file: &Path) -> Result<(), String> {
    if is_system_wide(file) {
        return Err(format!("{} counts for everybody on this machine and is not changed here", file.display()));
    }
    let open = || -> io::Result<()> {
        let real = fs::canonicalize(file)?;
        OpenOptions::new().append(true).open(&real)?;
        beside(&real, &fs::metadata(&real)?).map(drop)
    };
    open().map_err(|e| format!("{} cannot be written: {e}", file.display()))
}

/// Puts the key in the place of every other key that the host of this name (`Endpoint::known_name`) is known by in the file.
/// The file changes at once or not at all; what it held before stays beside it as `.old`, whose path is given.
///
/// # Errors
/// Why nothing was changed, in a person's words.
pub fn replace(file: &Path, name: &str, key: &HostKey) -> Result<PathBuf, String> {
    replaceable(file)?;
    let said = |e: io::Error| format!("{} cannot be written: {e}", file.display());
    // Where a link leads to: the link stays.
    let real = fs::canonicalize(file).map_err(said)?;
    let before = read(&real).map_err(said)?;
    let after = replaced(&before, name, key).map_err(|why| format!("{}: {why}", file.display()))?;
    let old = copy_name(&real);
    let meta = fs::metadata(&real).map_err(said)?;
    let write = |bytes: &[u8], to: &Path| -> io::Result<()> {
        let mut new = beside(&real, &meta)?;
        new.write_all(bytes)?;
        new.as_file().sync_all()?;
        // Another program may have added a key meanwhile.
        if read(&real)? != before {
            return Err(io::Error::other("another program has just changed it; try again"));
        }
        new.persist(to)?;
        Ok(())
    };
    write(&before, &old).and_then(|()| write(&after, &real)).map_err(said)?;
    #[cfg(unix)]
    if let Some(folder) = real.parent() {
        // A renamed file is there after a power cut only when its folder was synced too.
        File::open(folder).and_then(|f| f.sync_all()).map_err(said)?;
    }
    Ok(old)
}

/// The text with the key in the place of the old ones.
///
/// # Errors
/// The host is not known there by another key, or the outcome would not be what was meant.
pub(super) fn replaced(text: &[u8], name: &str, key: &HostKey) -> Result<Vec<u8>, String> {
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control() || "*?!,|@#".contains(c)) {
        return Err(format!("{name:?} is no name that a line can be about"));
    }
    let new = line_for(name, key);
    let mut out = Vec::with_capacity(text.len() + new.len() + 2);
    let mut placed = false;
    for raw in text.split_inclusive(|b| *b == b'\n') {
        match taken_over(raw, name, key) {
            None => out.extend_from_slice(raw),
            Some(rest) => {
                let end = if raw.ends_with(b"\r\n") { "\r\n" } else { "\n" };
                let mut lines = Vec::from_iter(rest.kept);
                if !placed {
                    lines.push(rest.hashed.map_or_else(|| new.clone(), |h| format!("{h} {}", key.text())));
                    placed = true;
                }
                for line in lines {
                    out.extend_from_slice(line.as_bytes());
                    out.extend_from_slice(end.as_bytes());
                }
            }
        }
    }
    if !placed {
        return Err(format!("{name} is not known there by another key"));
    }
    let known = KnownHosts::of(&out, Path::new(""));
    match known.judge(name, key) {
        Verdict::Trusted(_) if known.others(name, key).is_empty() => Ok(out),
        // A revoked key is never taken over.
        Verdict::Revoked(_) => Err("the new key is marked as revoked there".into()),
        _ => Err(format!("the entries of {name} are not such that one key can take their place")),
    }
}

/// What stays of a line.
struct Rest {
    /// The line for the hosts that it is about as well.
    kept: Option<String>,
    /// Its hashed name, which the new line goes on using.
    hashed: Option<String>,
}

/// What stays of a line by which the host is known with another key; `None`: it is no such line.
fn taken_over(raw: &[u8], name: &str, key: &HostKey) -> Option<Rest> {
    let raw = raw.strip_suffix(b"\n").unwrap_or(raw);
    let entry = parse(raw, Place { file: Path::new("").into(), line: 0 }).ok()??;
    if entry.marker.is_some() || entry.known.key.blob == key.blob {
        return None;
    }
    let line = std::str::from_utf8(raw).ok()?.trim_matches([' ', '\t', '\r', '\u{feff}']);
    let (hosts, rest) = line.split_once([' ', '\t'])?;
    match &entry.hosts {
        Hosts::Hashed(hashed) => {
            let is = super::Hashes::default().is(hashed, name);
            is.then(|| Rest { kept: None, hashed: Some(hashed.clone()) })
        }
        Hosts::Patterns(patterns) => {
            if !matches(patterns, name) {
                return None;
            }
            let mut kept: Vec<String> =
                hosts.split(',').filter(|h| !h.eq_ignore_ascii_case(name)).map(str::to_owned).collect();
            if matches(&kept.join(",").to_ascii_lowercase(), name) {
                // Still meant by a pattern: it is taken out of that.
                kept.insert(0, format!("!{name}"));
            }
            let others = kept.iter().any(|h| !h.is_empty() && !h.starts_with('!'));
            Some(Rest { kept: others.then(|| format!("{} {rest}", kept.join(","))), hashed: None })
        }
    }
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other("it is larger than any such file"));
    }
    Ok(bytes)
}

/// `known_hosts` → `known_hosts.old`, as ssh-keygen names it.
fn copy_name(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".old");
    PathBuf::from(name)
}

/// A new file in the same folder with the same rights and owner; it goes away unless it takes a place.
fn beside(file: &Path, meta: &fs::Metadata) -> io::Result<NamedTempFile> {
    let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let new = tempfile::Builder::new().prefix(".known_hosts-").tempfile_in(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, fchown};
        let own = new.as_file().metadata()?;
        if (own.uid(), own.gid()) != (meta.uid(), meta.gid()) {
            // Under sudo the file stays its person's.
            fchown(new.as_file(), Some(meta.uid()), Some(meta.gid()))?;
        }
    }
    new.as_file().set_permissions(meta.permissions())?;
    Ok(new)
}
