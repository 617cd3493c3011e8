//! The settings that ssh would use for a machine, as `ssh -G` prints them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use super::client::{Client, Pipes};
use super::config::OpenSshConfig;
use super::heard::Heard;
use super::options;

/// Most bytes of its answer; OpenSSH prints about 6 kB.
const MOST: u64 = 256 << 10;
/// `Match exec` runs programs, which may hang.
const WITHIN: Duration = Duration::from_secs(10);

/// Names in small letters; a setting may have several values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effective(BTreeMap<String, Vec<String>>);

/// Asks for them.
///
/// # Errors
/// There is no ssh here, its configuration is wrong, or it hangs; in words.
pub async fn read(config: &OpenSshConfig, file: &Path) -> Result<Effective, String> {
    let args = options::effective(config, file).map_err(|e| e.0)?;
    let mut client = Client::start(&config.program, &args, Pipes::Output).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            format!("there is no program {} on this machine", config.program.display())
        }
        _ => e.to_string(),
    })?;
    let (Some(stdout), Some(stderr)) = (client.child.stdout.take(), client.child.stderr.take()) else {
        return Err("ssh was started without its streams".into());
    };
    let (mut text, mut heard) = (Vec::new(), Heard::new(stderr));
    let mut stdout = stdout.take(MOST);
    let all = async {
        let hear = async { while heard.next().await.is_some() {} };
        let (read, ()) = tokio::join!(stdout.read_to_end(&mut text), hear);
        (read, client.wait().await)
    };
    let seconds = WITHIN.as_secs();
    let (read, status) =
        timeout(WITHIN, all).await.map_err(|_| format!("ssh -G did not end within {seconds} s"))?;
    read.map_err(|e| e.to_string())?;
    if status.is_none_or(|s| !s.success()) {
        return Err(heard.lines().join("; "));
    }
    Ok(Effective::parse(&String::from_utf8_lossy(&text)))
}

impl Effective {
    /// Lines of `name value`.
    pub fn parse(text: &str) -> Effective {
        let mut all = BTreeMap::<String, Vec<String>>::new();
        for line in text.lines() {
            if let Some((name, value)) = line.trim().split_once(' ') {
                all.entry(name.to_ascii_lowercase()).or_default().push(value.trim().to_owned());
            }
        }
        Effective(all)
    }

    /// The value of a setting; `none` counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        let first = self.0.get(name)?.first()?.as_str();
        (!first.is_empty() && first != "none").then_some(first)
    }

    /// Whether it is switched on.
    pub fn is(&self, name: &str) -> bool {
        matches!(self.get(name), Some("yes" | "true"))
    }

    /// Every value of a setting that may be given several times.
    pub fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    pub fn port(&self) -> Option<u16> {
        self.get("port")?.parse().ok().filter(|p| *p > 0)
    }

    /// Key files that somebody named: without those that ssh would try by itself.
    pub fn key_files(&self, home: &Path) -> Vec<PathBuf> {
        let usual = ["rsa", "ecdsa", "ecdsa_sk", "ed25519", "ed25519_sk", "xmss", "dsa"]
            .map(|kind| home.join(".ssh").join(format!("id_{kind}")));
        let named = self.all("identityfile").iter().filter_map(|f| self.path(f, home));
        named.filter(|p| !usual.contains(p)).collect()
    }

    /// Files of known host keys that somebody named: without the usual ones.
    pub fn known_hosts(&self, home: &Path) -> Vec<PathBuf> {
        let usual = ["known_hosts", "known_hosts2"].map(|name| home.join(".ssh").join(name));
        let named = self.get("userknownhostsfile").unwrap_or_default().split(' ');
        named.filter(|f| !f.is_empty()).filter_map(|f| self.path(f, home)).filter(|p| !usual.contains(p)).collect()
    }

    /// Every file of known host keys, the person's before the system's.
    pub fn known_files(&self) -> Vec<PathBuf> {
        let home = directories::BaseDirs::new().map(|d| d.home_dir().to_owned()).unwrap_or_default();
        let files = ["userknownhostsfile", "globalknownhostsfile"].map(|name| self.get(name).unwrap_or_default());
        files
            .iter()
            .flat_map(|f| f.split(' '))
            .filter(|f| !f.is_empty())
            .filter_map(|f| self.path(f, &home))
            .collect()
    }

    /// Machines on the way, the nearest first.
    pub fn proxy_jump(&self) -> Vec<String> {
        let hops = self.get("proxyjump").unwrap_or_default().split(',');
        hops.map(str::trim).filter(|h| !h.is_empty()).map(str::to_owned).collect()
    }

    /// Expands what `ssh -G` leaves as it is; `None` where a sign stands for what only ssh knows.
    fn path(&self, text: &str, home: &Path) -> Option<PathBuf> {
        if text == "none" {
            return None;
        }
        let text = match text.strip_prefix("~/") {
            Some(rest) => home.join(rest).to_string_lossy().into_owned(),
            None => text.to_owned(),
        };
        let (mut out, mut signs) = (String::new(), text.chars());
        while let Some(c) = signs.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            match signs.next()? {
                '%' => out.push('%'),
                'd' => out.push_str(&home.to_string_lossy()),
                'h' => out.push_str(self.get("hostname")?),
                'n' => out.push_str(self.get("host")?),
                'p' => out.push_str(self.get("port")?),
                'r' => out.push_str(self.get("user")?),
                _ => return None,
            }
        }
        Some(out.into())
    }

    /// What it asks for that only OpenSSH can do, in words; `has_key`: there is another way to log in than Kerberos.
    pub fn needs_openssh(&self, has_key: bool, home: &Path) -> Option<String> {
        if self.get("proxycommand").is_some() {
            return Some("ssh_config sets ProxyCommand".into());
        }
        if self.is("gssapiauthentication") {
            if self.is("gssapidelegatecredentials") {
                return Some("ssh_config sets GSSAPIDelegateCredentials".into());
            }
            if !has_key {
                return Some(
                    "ssh_config sets GSSAPIAuthentication, and there is no key, agent or password".into(),
                );
            }
        }
        for (setting, name) in [("certificatefile", "CertificateFile"), ("pkcs11provider", "PKCS11Provider")] {
            if self.get(setting).is_some() {
                return Some(format!("ssh_config sets {name}"));
            }
        }
        let is_security_key = |p: &PathBuf| {
            let public = PathBuf::from(format!("{}.pub", p.display()));
            let text = std::fs::read_to_string(public).unwrap_or_default();
            text.starts_with("sk-") || p.to_string_lossy().ends_with("_sk")
        };
        let key = self.key_files(home).into_iter().find(is_security_key)?;
        Some(format!("the key {} is a security key", key.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Printed by OpenSSH 9.2p1, shortened.
    const PRINTED: &str = "host n1\nuser CORP\\admin\nhostname 10.20.0.11\nport 2222\naddressfamily any\n\
        batchmode no\ngssapiauthentication yes\ngssapidelegatecredentials no\nidentitiesonly no\n\
        identityfile ~/.ssh/id_rsa\nidentityfile ~/.ssh/corp key\nidentityfile %d/keys/%r@%h\n\
        identityfile ~/.ssh/%C\nproxyjump admin@[10.0.0.1]:2200,inner\nproxycommand none\n\
        userknownhostsfile /home/me/.ssh/known_hosts /home/me/.ssh/known_hosts2 /srv/keys\n\
        globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2\ncertificatefile none\n";

    fn home() -> &'static Path {
        Path::new("/home/me")
    }

    #[test]
    fn what_ssh_prints() {
        let e = Effective::parse(PRINTED);
        assert_eq!(
            (e.get("hostname"), e.port(), e.get("user")),
            (Some("10.20.0.11"), Some(2222), Some("CORP\\admin"))
        );
        assert_eq!(e.get("proxycommand"), None);
        assert_eq!(e.proxy_jump(), ["admin@[10.0.0.1]:2200", "inner"]);
        let keys = e.key_files(home());
        let expected = ["/home/me/.ssh/corp key", "/home/me/keys/CORP\\admin@10.20.0.11"];
        assert_eq!(keys, expected.map(PathBuf::from), "usual ones and unknown signs are left out");
        assert_eq!(e.known_hosts(home()), [PathBuf::from("/srv/keys")]);
        assert_eq!(Effective::parse("\nnonsense\nport 0\nport x\n").port(), None);
    }

    #[test]
    fn what_only_openssh_can_do() {
        let needs = |more: &str, has_key| {
            Effective::parse(&format!("{more}\n{PRINTED}")).needs_openssh(has_key, home()).unwrap_or_default()
        };
        assert_eq!(needs("", true), "");
        assert!(needs("", false).contains("GSSAPIAuthentication, and there is no key"));
        assert!(needs("proxycommand nc %h %p", true).contains("ProxyCommand"));
        assert!(needs("gssapidelegatecredentials yes", true).contains("GSSAPIDelegateCredentials"));
        assert!(needs("certificatefile ~/.ssh/id-cert.pub", true).contains("CertificateFile"));
        assert!(needs("pkcs11provider /usr/lib/x.so", true).contains("PKCS11Provider"));
        assert!(needs("identityfile ~/.ssh/corp_sk", true).contains("security key"));
    }
}
