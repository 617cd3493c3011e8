//! Who we expect at the other end: a matcher of its own for known_hosts files.
//!
//! libssh2's knows no `@revoked`, no patterns and no negation, takes `H1` and `h1` for two hosts, and drops a whole file for
//! one bad line (powershell-over-ssh 3.3). Only the HMAC of hashed names is left to it.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ssh2::{CheckResult, KnownHostFileKind, Session};

use super::hostkey::HostKey;

pub use replace::{is_system_wide, replace, replaceable};

mod replace;
#[cfg(test)]
mod tests;

const MAX_FILE: u64 = 16 << 20;
const MAX_LINE: usize = 64 << 10;
/// Lines of one file that are complained of one by one.
const MAX_WARNINGS: usize = 100;
/// Host key algorithms in the order we like them; never certificates, which libssh2 does not check (3.2).
const PREFERRED: [(&str, &str); 5] = [
    ("ssh-ed25519", "ssh-ed25519"),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"),
    ("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384"),
    ("ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521"),
    ("ssh-rsa", "rsa-sha2-512,rsa-sha2-256"),
];

/// Where a line stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: Arc<Path>,
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}", self.file.display(), self.line)
    }
}

/// A key that we know for a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub key: HostKey,
    pub place: Place,
}

/// What the files say about the key that a host has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Trusted(Place),
    /// No line is about this host. `authority`: but one names a certificate authority for it, which is not supported.
    Unknown {
        authority: Option<Place>,
    },
    /// Known with another key of the same type.
    Changed(Vec<Known>),
    /// Known with keys of other types only, none of which the host offers any more.
    OtherTypeKnown(Vec<Known>),
    /// This very key is marked as revoked.
    Revoked(Place),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marker {
    Revoked,
    Authority,
}

#[derive(Debug)]
enum Hosts {
    /// Comma-separated patterns, lower case.
    Patterns(String),
    /// `|1|salt|hash`.
    Hashed(String),
}

#[derive(Debug)]
struct Entry {
    marker: Option<Marker>,
    hosts: Hosts,
    known: Known,
}

/// All lines of all files.
#[derive(Default)]
pub struct KnownHosts {
    entries: Vec<Entry>,
    /// Lines and files that could not be used, in a person's words.
    pub warnings: Vec<String>,
}

impl KnownHosts {
    /// Reads files that exist; what cannot be used becomes a warning.
    pub fn read(files: &[PathBuf]) -> KnownHosts {
        let mut all = KnownHosts::default();
        for path in files {
            let mut bytes = Vec::new();
            match fs::File::open(path).and_then(|f| f.take(MAX_FILE).read_to_end(&mut bytes)) {
                Ok(_) => all.add(&bytes, path),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => all.warnings.push(format!("cannot read {}: {e}", path.display())),
            }
        }
        all
    }

    /// The lines of one text; what cannot be used becomes a warning.
    pub fn of(bytes: &[u8], path: &Path) -> KnownHosts {
        let mut all = KnownHosts::default();
        all.add(bytes, path);
        all
    }

    fn add(&mut self, bytes: &[u8], path: &Path) {
        let mut bad = 0;
        let file: Arc<Path> = path.into();
        for (i, line) in bytes.split(|b| *b == b'\n').enumerate() {
            let place = Place { file: file.clone(), line: i + 1 };
            match parse(line, place.clone()) {
                Ok(entry) => self.entries.extend(entry),
                Err(why) => {
                    bad += 1;
                    if bad <= MAX_WARNINGS {
                        self.warnings.push(format!("{place}: {why}; the line is skipped"));
                    }
                }
            }
        }
        if bad > MAX_WARNINGS {
            self.warnings.push(format!("{}: {} more lines are skipped", path.display(), bad - MAX_WARNINGS));
        }
    }

    fn about<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Entry> {
        let mut hashes = Hashes::default();
        self.entries.iter().filter(move |e| match &e.hosts {
            Hosts::Patterns(patterns) => matches(patterns, name),
            Hosts::Hashed(hashed) => hashes.is(hashed, name),
        })
    }

    /// What the files say about a key that the host of this name (`Endpoint::known_name`) has shown.
    pub fn judge(&self, name: &str, key: &HostKey) -> Verdict {
        let mut trusted = None;
        let mut authority = None;
        let (mut same, mut other) = (Vec::new(), Vec::new());
        for entry in self.about(name) {
            let is = entry.known.key.blob == key.blob;
            let place = || entry.known.place.clone();
            match entry.marker {
                Some(Marker::Revoked) if is => return Verdict::Revoked(place()),
                Some(Marker::Revoked) => {}
                Some(Marker::Authority) => authority = authority.or_else(|| Some(place())),
                None if is => trusted = trusted.or_else(|| Some(place())),
                None if entry.known.key.kind == key.kind => same.push(entry.known.clone()),
                None => other.push(entry.known.clone()),
            }
        }
        match trusted {
            Some(place) => Verdict::Trusted(place),
            None if !same.is_empty() => Verdict::Changed(same),
            None if !other.is_empty() => Verdict::OtherTypeKnown(other),
            None => Verdict::Unknown { authority },
        }
    }

    /// Every other key that a host is known by: what this one would take the place of.
    pub fn others(&self, name: &str, key: &HostKey) -> Vec<Known> {
        let known = self.about(name).filter(|e| e.marker.is_none() && e.known.key.blob != key.blob);
        known.map(|e| e.known.clone()).collect()
    }

    /// Host key algorithms to ask for: those we know the host by first, so that it shows a key that we can check.
    pub fn preference(&self, name: &str) -> String {
        let known: Vec<&str> =
            self.about(name).filter(|e| e.marker.is_none()).map(|e| e.known.key.kind.as_str()).collect();
        let is_known = |(kind, _): &&(&str, &str)| known.contains(kind);
        let first = PREFERRED.iter().filter(is_known);
        let rest = PREFERRED.iter().filter(|p| !is_known(p));
        first.chain(rest).map(|(_, algorithms)| *algorithms).collect::<Vec<_>>().join(",")
    }

    /// Other names under which this very key is known: the same machine by another name, or a copied image.
    pub fn other_names(&self, key: &HostKey) -> Vec<(String, Place)> {
        let same = self.entries.iter().filter(|e| e.marker.is_none() && e.known.key.blob == key.blob);
        same.map(|e| match &e.hosts {
            Hosts::Patterns(names) => (names.clone(), e.known.place.clone()),
            Hosts::Hashed(_) => ("a hashed name".to_owned(), e.known.place.clone()),
        })
        .collect()
    }
}

/// One line; nothing for blanks and comments.
fn parse(line: &[u8], place: Place) -> Result<Option<Entry>, &'static str> {
    if line.len() > MAX_LINE {
        return Err("too long");
    }
    let line = std::str::from_utf8(line).map_err(|_| "not UTF-8")?.trim_matches([' ', '\t', '\r', '\u{feff}']);
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let mut words = line.split([' ', '\t']).filter(|w| !w.is_empty());
    let mut hosts = words.next().ok_or("empty")?;
    let marker = match hosts {
        "@revoked" => Some(Marker::Revoked),
        "@cert-authority" => Some(Marker::Authority),
        h if h.starts_with('@') => return Err("an unknown marker"),
        _ => None,
    };
    if marker.is_some() {
        hosts = words.next().ok_or("no host names")?;
    }
    let (kind, base64) = (words.next().ok_or("no key")?, words.next().ok_or("no key")?);
    let Some(key) = HostKey::from_text(kind, base64) else {
        return Err("the key cannot be read");
    };
    let hosts = match hosts.strip_prefix('|') {
        Some(hash) if hash.starts_with("1|") => Hosts::Hashed(hosts.to_owned()),
        Some(_) => return Err("an unknown kind of hashed name"),
        None => Hosts::Patterns(hosts.to_ascii_lowercase()),
    };
    Ok(Some(Entry { marker, hosts, known: Known { key, place } }))
}

/// Comma-separated patterns with `*`, `?` and `!`, as OpenSSH reads them: one negated match rules the line out.
fn matches(patterns: &str, name: &str) -> bool {
    let mut found = false;
    for pattern in patterns.split(',') {
        match pattern.strip_prefix('!') {
            Some(p) if wildcard(p.as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => found |= wildcard(pattern.as_bytes(), name.as_bytes()),
        }
    }
    found
}

/// `*` and `?`, in linear space and without recursion.
fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match &mut star {
                Some((at, from)) => {
                    *from += 1;
                    (p, t) = (*at + 1, *from);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

/// HMAC-SHA1 of names, by a throw-away list that holds only the line in question.
#[derive(Default)]
struct Hashes {
    session: Option<Session>,
}

impl Hashes {
    fn is(&mut self, hashed: &str, name: &str) -> bool {
        if name.contains('\0') {
            return false;
        }
        if self.session.is_none() {
            self.session = Session::new().ok();
        }
        // Any key does: it is compared with itself, so only the name decides.
        let mut key = vec![0, 0, 0, 11];
        key.extend_from_slice(b"ssh-ed25519\0\0\0\x20");
        key.extend_from_slice(&[7; 32]);
        let line = format!("{hashed} ssh-ed25519 {}\n", STANDARD.encode(&key));
        let Some(Ok(mut list)) = self.session.as_ref().map(|s| s.known_hosts()) else { return false };
        list.read_str(&line, KnownHostFileKind::OpenSSH).is_ok()
            && matches!(list.check(name, &key), CheckResult::Match)
    }
}

/// The line that makes a key known.
pub fn line_for(name: &str, key: &HostKey) -> String {
    format!("{name} {}", key.text())
}

/// Appends one line; the file and its folder are made where they are missing. Never rewrites what stands there (3.3).
///
/// # Errors
/// What the file system says, or the line is more than one.
pub fn append(file: &Path, line: &str) -> io::Result<()> {
    if line.is_empty() || line.starts_with('#') || line.chars().any(char::is_control) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not one line"));
    }
    if let Some(folder) = file.parent().filter(|f| !f.as_os_str().is_empty() && !f.exists()) {
        fs::create_dir_all(folder)?;
        restrict(folder, 0o700)?;
    }
    let existed = file.exists();
    let mut out = OpenOptions::new().create(true).append(true).read(true).open(file)?;
    if !existed {
        restrict(file, 0o600)?;
    }
    let mut before = Vec::new();
    (&mut out).take(MAX_FILE).read_to_end(&mut before)?;
    if before.split(|b| *b == b'\n').any(|l| l.trim_ascii() == line.as_bytes()) {
        return Ok(());
    }
    // One write: with O_APPEND it cannot mix with another program's.
    let start = if before.is_empty() || before.ends_with(b"\n") { "" } else { "\n" };
    out.write_all(format!("{start}{line}\n").as_bytes())?;
    out.sync_all()
}

#[cfg(unix)]
fn restrict(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn restrict(_path: &Path, _mode: u32) -> io::Result<()> {
    Ok(())
}
