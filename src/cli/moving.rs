//! A run that moves to another machine: a folder with every file of it and a manifest, copied there by any means.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::journal::Findings;
use super::{Exit, session};
use crate::journal::{RunFolder, sha256, suitable};

/// Name of the file that says what there is.
const MANIFEST: &str = "manifest.json";

/// What belongs to one engine, not to the run.
const LEFT_OUT: [&str; 3] = ["lock", "ballast", "engine.sock"];

/// What was exported: every file with its SHA-256.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    nodelift: String,
    cluster: String,
    run: String,
    /// The machine it was exported on, by whom.
    from: String,
    by: String,
    head: Option<String>,
    files: BTreeMap<String, String>,
}

/// Copies a run that nobody drives into a new folder.
pub fn export(run: &Path, to: &Path) -> Exit {
    // One writer at a time: what is copied while an engine writes is half of something.
    let held = match RunFolder::hold(run) {
        Ok(held) => held,
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
            eprintln!("nodelift: {e}: leave that nodelift first.");
            return Exit::Locked;
        }
        Err(e) => return refused(run, &format!("{e}: name the folder of a run"), Exit::Usage),
    };
    let found = match Findings::of(run) {
        Ok(found) => found,
        Err(why) => return refused(run, &why, Exit::JournalUnusable),
    };
    if to.exists() {
        return refused(to, "it is there already: name a folder that is not", Exit::Usage);
    }
    let name = run.canonicalize().ok().and_then(|p| p.file_name().map(|n| n.to_string_lossy().into_owned()));
    let written = files_below(run).and_then(|files| {
        let manifest = Manifest {
            format: 1,
            nodelift: env!("CARGO_PKG_VERSION").to_owned(),
            cluster: found.cluster.clone(),
            run: name.unwrap_or_default(),
            from: session::host(),
            by: session::actor(),
            head: found.head.clone(),
            files: copy(run, to, &files)?,
        };
        fs::write(to.join(MANIFEST), serde_json::to_vec_pretty(&manifest)?)?;
        Ok(files.len())
    });
    drop(held);
    match written {
        Ok(n) => {
            println!("{}: {n} files of the run of {}.", to.display(), found.cluster);
            if let Some(wrong) = found.wrong {
                println!("It is damaged, and is kept as it is: {wrong}.");
                return Exit::JournalUnusable;
            }
            println!("Copy the folder to the other machine; there: nodelift journal import FOLDER");
            println!("Then go on in one of the two places only.");
            Exit::Succeeded
        }
        Err(e) => refused(to, &format!("it cannot be written: {e}"), Exit::JournalUnusable),
    }
}

/// Takes in a run: checked, beside the others, driven by nobody.
pub fn import(from: &Path, state: &Path) -> Exit {
    let manifest = match fs::read(from.join(MANIFEST)).map(|text| serde_json::from_slice::<Manifest>(&text)) {
        Ok(Ok(manifest)) if manifest.format == 1 => manifest,
        Ok(Ok(m)) => {
            return refused(from, &format!("it is of a newer nodelift ({})", m.nodelift), Exit::JournalUnusable);
        }
        Ok(Err(e)) => return refused(from, &format!("{MANIFEST} is none: {e}"), Exit::JournalUnusable),
        Err(_) => {
            return refused(from, "there is no manifest.json: name the folder that export wrote", Exit::Usage);
        }
    };
    let plain = |name: &str| !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', ':']);
    let below = |file: &String| file.split('/').all(plain);
    let cluster = manifest.cluster.replace(['/', '\\'], "_");
    if !plain(&manifest.run) || !plain(&cluster) || !manifest.files.keys().all(below) {
        return refused(from, "manifest.json names files outside of a run", Exit::JournalUnusable);
    }
    for (file, wanted) in &manifest.files {
        match fs::read(from.join(file)) {
            Ok(bytes) if sha256(&bytes) == *wanted => {}
            Ok(_) => {
                return refused(
                    from,
                    &format!("{file} is not what was exported: copy it again"),
                    Exit::JournalUnusable,
                );
            }
            Err(e) => return refused(from, &format!("{file}: {e}: copy it again"), Exit::JournalUnusable),
        }
    }
    match Findings::of(from) {
        Ok(Findings { wrong: None, .. }) => {}
        Ok(Findings { wrong: Some(why), .. }) | Err(why) => return refused(from, &why, Exit::JournalUnusable),
    }
    let runs = state.join("runs").join(&cluster);
    if let Err(why) = suitable(&runs) {
        eprintln!("nodelift: {why}");
        return Exit::JournalUnusable;
    }
    let (place, half) = (runs.join(&manifest.run), state.join("importing").join(&manifest.run));
    if place.exists() {
        return refused(&place, "this run is here already", Exit::Usage);
    }
    let files: Vec<PathBuf> = manifest.files.keys().map(PathBuf::from).collect();
    let taken =
        fs::remove_dir_all(&half).or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) });
    let taken = taken
        .and_then(|()| copy(from, &half, &files))
        .and_then(|_| private(&runs))
        .and_then(|()| fs::rename(&half, &place));
    match taken {
        Ok(()) => {
            println!(
                "{}: the run of {} from {}, exported by {}.",
                place.display(),
                manifest.cluster,
                manifest.from,
                manifest.by
            );
            println!("nodelift run with its inventory goes on here: it looks first, and waits for you.");
            println!("Make sure that nodelift on {} does not.", manifest.from);
            Exit::Succeeded
        }
        Err(e) => refused(&place, &format!("it cannot be written: {e}"), Exit::JournalUnusable),
    }
}

fn refused(path: &Path, why: &str, exit: Exit) -> Exit {
    eprintln!("nodelift: {}: {why}.", path.display());
    exit
}

/// Every file of a run, by its path in it.
fn files_below(run: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut open, mut out) = (vec![PathBuf::new()], Vec::new());
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(run.join(&folder))? {
            let entry = entry?;
            let (kind, path) = (entry.file_type()?, folder.join(entry.file_name()));
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() && !LEFT_OUT.iter().any(|l| path == Path::new(l)) {
                out.push(path);
            }
        }
    }
    out.sort();
    Ok(out)
}

/// Copies files into a folder that only its owner reads. Gives the SHA-256 of each, by its path with slashes.
fn copy(from: &Path, to: &Path, files: &[PathBuf]) -> io::Result<BTreeMap<String, String>> {
    private(to)?;
    let mut out = BTreeMap::new();
    for file in files {
        let bytes = fs::read(from.join(file))?;
        let target = to.join(file);
        if let Some(folder) = target.parent() {
            private(folder)?;
        }
        fs::write(&target, &bytes)?;
        fs::File::open(&target)?.sync_all()?;
        let parts: Vec<String> = file.iter().map(|p| p.to_string_lossy().into_owned()).collect();
        out.insert(parts.join("/"), sha256(&bytes));
    }
    Ok(out)
}

fn private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
