//! A host's public key.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

/// A public key as it goes over the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct HostKey {
    /// `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa`, …
    pub kind: String,
    pub blob: Vec<u8>,
}

impl HostKey {
    /// From the wire form; the kind is its first string. `None`: it is not a key.
    pub fn from_blob(blob: &[u8]) -> Option<HostKey> {
        let length = u32::from_be_bytes(blob.get(..4)?.try_into().ok()?) as usize;
        let kind = std::str::from_utf8(blob.get(4..4usize.checked_add(length)?)?).ok()?;
        let plain = !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_graphic());
        plain.then(|| HostKey { kind: kind.to_owned(), blob: blob.to_vec() })
    }

    /// From `type base64`, as it stands in `.pub` and known_hosts files. `None`: it is not a key.
    pub fn from_text(kind: &str, base64: &str) -> Option<HostKey> {
        HostKey::from_blob(&STANDARD.decode(base64).ok()?).filter(|key| key.kind == kind)
    }

    /// `type base64`.
    pub fn text(&self) -> String {
        format!("{} {}", self.kind, STANDARD.encode(&self.blob))
    }

    /// As OpenSSH shows it: `SHA256:…`.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&self.blob)))
    }

    /// The kind in a person's words: `ed25519`.
    pub fn short_kind(&self) -> &str {
        short_kind(&self.kind)
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.fingerprint())
    }
}

/// `ssh-ed25519` → `ed25519`, `ecdsa-sha2-nistp256` → `ecdsa`.
pub fn short_kind(kind: &str) -> &str {
    match kind {
        "ssh-ed25519" | "ssh-ed25519-cert-v01@openssh.com" => "ed25519",
        "ssh-rsa" | "ssh-rsa-cert-v01@openssh.com" => "rsa",
        k if k.starts_with("ecdsa-sha2-") => "ecdsa",
        k if k.starts_with("sk-") => "security key",
        other => other,
    }
}
