//! Reading files over SFTP, version 3 (draft-ietf-secsh-filexfer-02): open, ask for the size, read, close.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::core::event::{Failure, FailureKind};
use crate::remote::Chunk;
use crate::remote::kept::piece::{self, MAX_PIECE, sftp_path};
use crate::remote::powershell::process::Process;

const INIT: u8 = 1;
const VERSION: u8 = 2;
const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const READ: u8 = 5;
const FSTAT: u8 = 8;
const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const DATA: u8 = 103;
const ATTRS: u8 = 105;
/// The status at the end of a file.
const EOF: u32 = 1;
/// Most bytes asked for at once: every server gives so many.
const BLOCK: u32 = 32 << 10;
/// Longest packet that is taken.
const PACKET: usize = 64 << 10;

/// An SFTP server behind a process.
pub struct Sftp {
    process: Process,
    serial: u32,
}

/// Why a request gave nothing.
enum Wrong {
    /// The server's answer.
    Status(u32, String),
    /// The session is of no use any more.
    Session(String),
}

impl Sftp {
    /// # Errors
    /// It is no SFTP server.
    pub async fn open(process: Process) -> Result<Sftp, String> {
        let mut sftp = Sftp { process, serial: 0 };
        let hello = async {
            sftp.process.stdin.write_all(&[0, 0, 0, 5, INIT, 0, 0, 0, 3]).await?;
            sftp.process.stdin.flush().await?;
            sftp.packet().await
        };
        match hello.await {
            Ok(packet) if packet.first() == Some(&VERSION) => Ok(sftp),
            Ok(_) => Err("what answers is no SFTP server".into()),
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Err("its SFTP server ended at once".into()),
            Err(e) => Err(e.to_string()),
        }
    }

    /// Reads a piece. After `Indeterminate` the session is of no use.
    pub async fn read(&mut self, path: &str, offset: u64, max: usize) -> Result<Chunk, Failure> {
        let fail = |wrong| match wrong {
            Wrong::Status(code, said) => piece::refused(path, code, &said),
            Wrong::Session(why) => {
                let why = format!("the SFTP session ended: {why}");
                piece::failure(path, FailureKind::Indeterminate, None, &why)
            }
        };
        let name = sftp_path(path);
        let handle = self.handle(&name).await.map_err(fail)?;
        let result = self.piece(&handle, offset, max.min(MAX_PIECE)).await;
        let closed = match &result {
            Err(Wrong::Session(_)) => Ok(()),
            // No handle may stand in a writer's way (powershell-over-ssh 3.5).
            _ => self.ask(CLOSE, &[&text(&handle)]).await.map(drop),
        };
        match (result, closed) {
            (_, Err(Wrong::Session(why))) => Err(fail(Wrong::Session(why))),
            (result, _) => result.map_err(fail),
        }
    }

    async fn handle(&mut self, name: &str) -> Result<Vec<u8>, Wrong> {
        let (for_reading, no_attributes) = (1u32.to_be_bytes(), 0u32.to_be_bytes());
        let answer = self.ask(OPEN, &[&text(name.as_bytes()), &for_reading, &no_attributes]).await?;
        expect(&answer, HANDLE).and_then(take_text)
    }

    async fn piece(&mut self, handle: &[u8], offset: u64, max: usize) -> Result<Chunk, Wrong> {
        let answer = self.ask(FSTAT, &[&text(handle)]).await?;
        let attributes = expect(&answer, ATTRS)?;
        let has_size = attributes.get(..4).is_some_and(|flags| flags[3] & 1 == 1);
        let size = attributes.get(4..12).and_then(|b| b.try_into().ok()).map_or(0, u64::from_be_bytes);
        let size = if has_size { size } else { 0 };
        let mut bytes = Vec::new();
        while bytes.len() < max {
            let from = offset + bytes.len() as u64;
            let most = BLOCK.min(u32::try_from(max - bytes.len()).unwrap_or(BLOCK));
            let answer = match self.ask(READ, &[&text(handle), &from.to_be_bytes(), &most.to_be_bytes()]).await {
                Err(Wrong::Status(EOF, _)) => break,
                answer => answer?,
            };
            let data = expect(&answer, DATA).and_then(take_text)?;
            if data.is_empty() {
                break;
            }
            bytes.extend_from_slice(&data[..data.len().min(most as usize)]);
        }
        let end = offset + bytes.len() as u64;
        // It may have grown since it was asked for its size.
        Ok(Chunk { size: size.max(if bytes.is_empty() { 0 } else { end }), bytes })
    }

    /// Sends a request and takes its answer.
    async fn ask(&mut self, kind: u8, fields: &[&[u8]]) -> Result<Vec<u8>, Wrong> {
        self.serial = self.serial.wrapping_add(1);
        let id = self.serial.to_be_bytes();
        let length = 5 + fields.iter().map(|f| f.len()).sum::<usize>();
        let mut packet = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes().to_vec();
        packet.push(kind);
        packet.extend_from_slice(&id);
        fields.iter().for_each(|f| packet.extend_from_slice(f));
        let exchange = async {
            self.process.stdin.write_all(&packet).await?;
            self.process.stdin.flush().await?;
            self.packet().await
        };
        let answer = exchange.await.map_err(|e| Wrong::Session(e.to_string()))?;
        if answer.get(1..5) != Some(&id[..]) {
            return Err(Wrong::Session("it answers another question".into()));
        }
        if answer[0] == STATUS {
            let code = answer.get(5..9).and_then(|b| b.try_into().ok()).map_or(4, u32::from_be_bytes);
            let said = answer.get(9..).map_or_else(|| Ok(Vec::new()), take_text).unwrap_or_default();
            if code != 0 {
                return Err(Wrong::Status(code, String::from_utf8_lossy(&said).into_owned()));
            }
        }
        Ok(answer)
    }

    async fn packet(&mut self) -> std::io::Result<Vec<u8>> {
        let length = self.process.stdout.read_u32().await? as usize;
        if length == 0 || length > PACKET {
            return Err(std::io::Error::other("what comes is no SFTP"));
        }
        let mut packet = vec![0; length];
        self.process.stdout.read_exact(&mut packet).await?;
        Ok(packet)
    }
}

/// Bytes with their length in front.
fn text(bytes: &[u8]) -> Vec<u8> {
    let mut out = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    out.extend_from_slice(bytes);
    out
}

fn take_text(from: &[u8]) -> Result<Vec<u8>, Wrong> {
    from.get(..4)
        .and_then(|b| b.try_into().ok())
        .and_then(|n| from.get(4..4 + u32::from_be_bytes(n) as usize))
        .map(<[u8]>::to_vec)
        .ok_or_else(|| Wrong::Session("an answer is cut short".into()))
}

/// What stands behind kind and number of an answer.
fn expect(answer: &[u8], kind: u8) -> Result<&[u8], Wrong> {
    match answer {
        [k, _, _, _, _, rest @ ..] if *k == kind => Ok(rest),
        _ => Err(Wrong::Session("an answer of another kind".into())),
    }
}
