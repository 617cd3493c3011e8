//! Private key files, looked at before libssh2 gets them: it cannot tell a missing passphrase from a wrong one
//! (powershell-over-ssh 2.8).

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

use super::hostkey::{HostKey, short_kind};

const MAX_FILE: u64 = 64 << 10;

/// A private key as text, and what can be told without its passphrase.
#[derive(Debug)]
pub struct KeyFile {
    pub text: SecretString,
    pub encrypted: bool,
    /// `ed25519`, `rsa`, …, where it can be seen.
    pub kind: Option<String>,
    /// `type base64`: with it libssh2 derives the key once, not twice (2.4).
    pub public: Option<String>,
}

/// Reads and inspects a private key.
///
/// # Errors
/// Why it cannot be one, in a person's words.
pub fn read(path: &Path) -> Result<KeyFile, String> {
    let mut text = String::new();
    let file = fs::File::open(path).and_then(|f| f.take(MAX_FILE).read_to_string(&mut text));
    match file {
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err("it does not exist".into()),
        Err(e) if e.kind() == io::ErrorKind::InvalidData => return Err("it is not a text file".into()),
        Err(e) => return Err(format!("it cannot be read: {e}")),
    }
    let mut key = inspect(text.into())?;
    if key.public.is_none() {
        let mut name = path.as_os_str().to_owned();
        name.push(".pub");
        if let Some(public) = read_public(Path::new(&name)) {
            key.kind = Some(public.short_kind().to_owned());
            key.public = Some(public.text());
        }
    }
    Ok(key)
}

/// The key in a `.pub` file.
pub fn read_public(path: &Path) -> Option<HostKey> {
    let mut text = String::new();
    fs::File::open(path).ok()?.take(MAX_FILE).read_to_string(&mut text).ok()?;
    let mut words = text.split_ascii_whitespace();
    HostKey::from_text(words.next()?, words.next()?)
}

/// `type base64 comment` of a key, from its `.pub` file or from what the private one shows of it. The path may be that of either.
///
/// # Errors
/// Why there is none, in a person's words.
pub fn public_key(path: &Path) -> Result<String, String> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".pub");
    for file in [path, Path::new(&beside)] {
        if let Some(key) = read_public(file) {
            // A comment helps whoever looks at the list there; what is not plain is left out.
            let text = fs::read_to_string(file).unwrap_or_default();
            let plain = |w: &&str| w.bytes().all(|b| b.is_ascii_graphic());
            let comment: Vec<&str> =
                text.lines().next().unwrap_or_default().split_ascii_whitespace().skip(2).collect();
            let comment = comment.into_iter().filter(plain).map(|w| format!(" {w}")).collect::<String>();
            return Ok(key.text() + &comment);
        }
    }
    match read(path)?.public {
        Some(public) => Ok(public),
        None => Err("its public half cannot be seen, and there is no .pub file beside it".into()),
    }
}

fn inspect(text: SecretString) -> Result<KeyFile, String> {
    let plain = text.expose_secret();
    let begin = plain.lines().find(|l| l.starts_with("-----BEGIN ")).unwrap_or_default();
    let (encrypted, kind, public) = match begin.trim_end() {
        "-----BEGIN OPENSSH PRIVATE KEY-----" => {
            let (cipher, public) = openssh(plain).ok_or("its header cannot be read")?;
            let kind = public.short_kind().to_owned();
            (cipher != "none", Some(kind), Some(public.text()))
        }
        "-----BEGIN ENCRYPTED PRIVATE KEY-----" => (true, None, None),
        "-----BEGIN PRIVATE KEY-----" => (false, None, None),
        "-----BEGIN RSA PRIVATE KEY-----" => (old_encryption(plain), Some("rsa".to_owned()), None),
        "-----BEGIN EC PRIVATE KEY-----" => (old_encryption(plain), Some("ecdsa".to_owned()), None),
        _ if plain.starts_with("PuTTY-User-Key-File") => {
            return Err("it is in PuTTY's format; export it as an OpenSSH key".into());
        }
        _ if plain.starts_with("ssh-") || plain.starts_with("ecdsa-") || plain.starts_with("sk-") => {
            return Err("it is the public half of a key; the private half is needed".into());
        }
        _ => return Err("it is not a private key that is understood here".into()),
    };
    Ok(KeyFile { text, encrypted, kind, public })
}

fn old_encryption(text: &str) -> bool {
    text.lines().any(|l| l.starts_with("DEK-Info:") || l.starts_with("Proc-Type: 4,ENCRYPTED"))
}

/// Cipher and public key in the clear head of an OpenSSH key.
fn openssh(text: &str) -> Option<(String, HostKey)> {
    let body: String = text
        .lines()
        .skip_while(|l| !l.starts_with("-----BEGIN "))
        .skip(1)
        .take_while(|l| !l.starts_with("-----"))
        .collect();
    let bytes = STANDARD.decode(body.trim()).ok()?;
    let mut rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
    let mut string = || {
        let length = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?) as usize;
        let value = rest.get(4..4usize.checked_add(length)?)?;
        rest = &rest[4 + length..];
        Some(value)
    };
    let cipher = std::str::from_utf8(string()?).ok()?.to_owned();
    let (_kdf, _options) = (string()?, string()?);
    let after: &[u8] = rest.get(4..)?;
    let length = u32::from_be_bytes(after.get(..4)?.try_into().ok()?) as usize;
    Some((cipher, HostKey::from_blob(after.get(4..4usize.checked_add(length)?)?)?))
}

/// The kind of a public key blob, for messages.
pub fn kind_of(blob: &[u8]) -> String {
    HostKey::from_blob(blob).map_or_else(|| "unknown".to_owned(), |k| short_kind(&k.kind).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn generate(folder: &Path, name: &str, options: &[&str]) -> Option<std::path::PathBuf> {
        let path = folder.join(name);
        let status = Command::new("ssh-keygen").arg("-q").args(options).arg("-f").arg(&path).status().ok()?;
        status.success().then_some(path)
    }

    #[test]
    fn real_keys() {
        let folder = tempfile::tempdir().expect("folder");
        for (name, options, kind, encrypted) in [
            ("a", &["-t", "ed25519", "-N", ""][..], "ed25519", false),
            ("b", &["-t", "ed25519", "-N", "secret"], "ed25519", true),
            ("c", &["-t", "ecdsa", "-m", "PEM", "-N", ""], "ecdsa", false),
            ("d", &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "secret"], "rsa", true),
            ("e", &["-t", "rsa", "-b", "2048", "-m", "PKCS8", "-N", "secret"], "rsa", true),
        ] {
            let Some(path) = generate(folder.path(), name, options) else {
                println!("skipped: no ssh-keygen");
                return;
            };
            let key = read(&path).expect(name);
            assert_eq!((key.kind.as_deref(), key.encrypted), (Some(kind), encrypted), "{name}");
            assert!(!format!("{key:?}").contains("BEGIN"), "a key does not print");
            let public = fs::read_to_string(folder.path().join(format!("{name}.pub"))).expect("public");
            assert!(public.starts_with(key.public.as_deref().expect("public")), "{name}");
        }
        assert!(read(&folder.path().join("a.pub")).expect_err("public").contains("public half"));
    }

    #[test]
    fn files_that_are_no_keys() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("x");
        assert!(read(&path).expect_err("missing").contains("does not exist"));
        for (bytes, says) in [
            (&b"hello"[..], "not a private key"),
            (b"PuTTY-User-Key-File-3: ssh-ed25519", "PuTTY"),
            (b"\xff\xfe\x00", "not a text file"),
            (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END", "header"),
        ] {
            fs::write(&path, bytes).expect("write");
            assert!(read(&path).expect_err("no key").contains(says), "{says}");
        }
    }
}
