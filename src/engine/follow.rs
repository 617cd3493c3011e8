//! Files on machines, followed: what is new since the last look, by its offset (powershell-over-ssh 10).
//!
//! Whole lines only are taken, so that nothing but the offset has to be known to go on, after a lost connection or by another
//! engine. What was taken is kept as it came beside the offset, but for secrets.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::vault::Vault;
use crate::core::event::Failure;
use crate::core::name::NodeName;
use crate::remote::{Host, sanitise};

/// Bytes of one piece.
const PIECE: usize = 256 << 10;
/// Pieces taken in one look: a file that grows faster is caught up with later.
const PIECES: usize = 4;
/// Of a file that was there before, only its end is read.
const END: u64 = 64 << 10;
/// Bytes at the begin of a file by which it is known again.
const HEAD: usize = 64;

/// How far a file was read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cursor {
    offset: u64,
    /// Its first bytes, hexadecimal.
    head: String,
}

/// One file.
#[derive(Debug)]
pub struct Follower {
    /// Without an extension; absent where nothing is kept.
    kept: Option<PathBuf>,
    cursor: Option<Cursor>,
    /// Size at the last look that found a line without an end.
    unended: Option<u64>,
}

impl Follower {
    /// Goes on where the folder says that an earlier one stopped.
    pub fn open(folder: Option<&PathBuf>, node: &NodeName, source: &str) -> Self {
        let name = format!("{node}.{source}").replace(['/', '\\', ':'], "_");
        let kept = folder.map(|f| f.join(name));
        let text = kept.as_ref().and_then(|k| fs::read_to_string(k.with_added_extension("json")).ok());
        Self { cursor: text.and_then(|t| serde_json::from_str(&t).ok()), kept, unended: None }
    }

    /// New lines, cleaned.
    ///
    /// # Errors
    /// The file cannot be read, or is not there.
    pub async fn look(&mut self, host: &dyn Host, path: &str, vault: &Vault) -> Result<Vec<String>, Failure> {
        let mut lines = Vec::new();
        for _ in 0..PIECES {
            let offset = self.cursor.as_ref().map_or(0, |c| c.offset);
            let mut chunk = host.read_file(path, offset, PIECE).await?;
            let other = chunk.size < offset || !chunk.bytes.is_empty() && self.is_another(host, path).await?;
            if other {
                lines.push(format!("{path} begins anew"));
                self.cursor = None;
            }
            if self.cursor.is_none() {
                let start = if other { 0 } else { chunk.size.saturating_sub(END) };
                let head = host.read_file(path, 0, HEAD).await?;
                self.cursor = Some(Cursor { offset: start, head: hexadecimal(&head.bytes) });
                chunk = host.read_file(path, start, PIECE).await?;
                if start > 0 {
                    // It may begin within a line.
                    let line = chunk.bytes.iter().position(|b| *b == b'\n').map_or(0, |i| i + 1);
                    chunk.bytes.drain(..line);
                    self.cursor.iter_mut().for_each(|c| c.offset += line as u64);
                }
            }
            let whole = self.whole(&chunk.bytes, chunk.size);
            if whole == 0 {
                break;
            }
            let taken = &chunk.bytes[..whole];
            lines.extend(sanitise::lines(taken));
            self.took(host, path, taken, vault).await?;
            if chunk.bytes.len() < PIECE {
                break;
            }
        }
        Ok(lines)
    }

    /// How many bytes end with a line, or must be taken as they are.
    fn whole(&mut self, bytes: &[u8], size: u64) -> usize {
        if let Some(end) = bytes.iter().rposition(|b| *b == b'\n') {
            self.unended = None;
            return end + 1;
        }
        // A line longer than a piece, or one that nothing was added to since the last look.
        let rests = self.unended.replace(size) == Some(size);
        if bytes.len() == PIECE || rests { bytes.len() } else { 0 }
    }

    /// Whether another file has taken the place of the one that was read.
    async fn is_another(&self, host: &dyn Host, path: &str) -> Result<bool, Failure> {
        let Some(known) = self.cursor.as_ref().map(|c| c.head.clone()).filter(|h| !h.is_empty()) else {
            return Ok(false);
        };
        let head = host.read_file(path, 0, known.len() / 2).await?;
        Ok(hexadecimal(&head.bytes) != known)
    }

    async fn took(&mut self, host: &dyn Host, path: &str, bytes: &[u8], vault: &Vault) -> Result<(), Failure> {
        let Some(cursor) = &mut self.cursor else { return Ok(()) };
        cursor.offset += bytes.len() as u64;
        // A file that was shorter at first is known by more of it now.
        if cursor.head.len() < 2 * HEAD {
            cursor.head = hexadecimal(&host.read_file(path, 0, HEAD).await?.bytes);
        }
        if let Some(kept) = &self.kept {
            let written = keep(kept, &vault.redact_bytes(bytes), cursor);
            if let Err(e) = written {
                tracing::warn!("{} is not kept as it is: {e}", kept.display());
            }
        }
        Ok(())
    }
}

/// Adds what was taken, then says how far that is.
fn keep(kept: &Path, bytes: &[u8], cursor: &Cursor) -> std::io::Result<()> {
    if let Some(folder) = kept.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).append(true).open(kept.with_added_extension("log"))?.write_all(bytes)?;
    fs::write(kept.with_added_extension("json"), serde_json::to_vec(cursor)?)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::sync::{mpsc, watch};

    use super::*;
    use crate::core::connection::Connection;
    use crate::core::event::FailureKind;
    use crate::remote::{Boxed, Chunk, Reply, Request, Said};

    /// A machine with one file.
    #[derive(Clone, Default)]
    struct File(Arc<Mutex<Option<Vec<u8>>>>);

    impl File {
        fn add(&self, text: &str) {
            self.0.lock().unwrap().get_or_insert_default().extend_from_slice(text.as_bytes());
        }
    }

    impl Host for File {
        fn open(&self) {}
        fn connection(&self) -> watch::Receiver<Connection> {
            watch::channel(Connection::Idle).1
        }
        fn run(&self, _: Request, _: mpsc::Sender<Said>) -> Boxed<Reply> {
            unreachable!("files only")
        }
        fn read_file(&self, path: &str, offset: u64, max: usize) -> Boxed<Result<Chunk, Failure>> {
            let message = format!("there is no {path}");
            let missing = Failure { kind: FailureKind::Threw, id: None, message, at: None };
            let chunk = self.0.lock().unwrap().as_ref().map(|all| {
                let from = (offset as usize).min(all.len());
                Chunk { bytes: all[from..(from + max).min(all.len())].to_vec(), size: all.len() as u64 }
            });
            Box::pin(async move { chunk.ok_or(missing) })
        }
        fn close(&self) -> Boxed<()> {
            Box::pin(async {})
        }
    }

    fn follower(folder: &tempfile::TempDir) -> Follower {
        Follower::open(Some(&folder.path().join("raw")), &"HCI-N1".into(), "setup")
    }

    async fn look(f: &mut Follower, file: &File) -> Vec<String> {
        let mut vault = Vault::default();
        vault.put("task_password", "hunter22".into());
        f.look(file, "C:\\x.log", &vault).await.unwrap()
    }

    #[tokio::test]
    async fn every_line_comes_once_whoever_goes_on() {
        let (folder, file) = (tempfile::tempdir().unwrap(), File::default());
        let mut f = follower(&folder);
        assert!(f.look(&file, "C:\\x.log", &Vault::default()).await.is_err(), "it is not there yet");
        file.add("\u{feff}one\r\ntw");
        assert_eq!(look(&mut f, &file).await, ["one"]);
        assert!(look(&mut f, &file).await.is_empty(), "it has no end yet");
        file.add("o \x1b[31mred\r\nthe password is hunter22\n");
        assert_eq!(look(&mut f, &file).await, ["two red", "the password is hunter22"]);
        file.add("three\n");
        let mut f = follower(&folder);
        assert_eq!(look(&mut f, &file).await, ["three"], "another engine goes on where the first stopped");
        file.add("no end");
        assert!(look(&mut f, &file).await.is_empty());
        assert_eq!(look(&mut f, &file).await, ["no end"], "nothing was added: that is all of it");
        assert!(look(&mut f, &file).await.is_empty());
        let kept = fs::read(folder.path().join("raw/HCI-N1.setup.log")).unwrap();
        let kept = String::from_utf8(kept).unwrap();
        assert_eq!(
            kept, "\u{feff}one\r\ntwo \x1b[31mred\r\nthe password is ********\nthree\nno end",
            "as it came"
        );
    }

    #[tokio::test]
    async fn a_file_that_begins_anew_is_read_from_its_begin() {
        let (folder, file) = (tempfile::tempdir().unwrap(), File::default());
        let mut f = follower(&folder);
        file.add("one\ntwo\n");
        assert_eq!(look(&mut f, &file).await, ["one", "two"]);
        *file.0.lock().unwrap() = Some(b"uno\n".to_vec());
        assert_eq!(look(&mut f, &file).await, ["C:\\x.log begins anew", "uno"]);
        // As long as before, and another.
        *file.0.lock().unwrap() = Some(b"eins\nzwei\n".to_vec());
        assert_eq!(look(&mut f, &file).await, ["C:\\x.log begins anew", "eins", "zwei"]);
    }

    #[tokio::test]
    async fn of_a_long_file_the_end_is_read_and_a_flood_in_pieces() {
        let (folder, file) = (tempfile::tempdir().unwrap(), File::default());
        (0..20_000).for_each(|i| file.add(&format!("line {i}\n")));
        let mut f = follower(&folder);
        let lines = look(&mut f, &file).await;
        assert!(lines.len() < 6_000 && lines.last().is_some_and(|l| l == "line 19999"), "{}", lines.len());
        assert!(lines[0].starts_with("line "), "{}", lines[0]);
        (0..300_000).for_each(|i| file.add(&format!("more {i}\n")));
        let mut next = 0;
        for _ in 0..8 {
            for line in look(&mut f, &file).await {
                assert_eq!(line, format!("more {next}"));
                next += 1;
            }
        }
        assert_eq!(next, 300_000);
    }
}
