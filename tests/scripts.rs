//! Every script that is shipped, looked at without Windows.

use std::fs;
use std::path::{Path, PathBuf};

/// Every file below a folder with that ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            out.extend(files(&path, ending));
        } else if path.extension().is_some_and(|e| e == ending) {
            out.push(path);
        }
    }
    out.sort();
    out
}

#[test]
fn every_script_parses() {
    let mut parser = tree_sitter::Parser::new();
    parser.set_language(&tree_sitter_powershell::LANGUAGE.into()).expect("the grammar fits");
    let mut wrong = Vec::new();
    for file in files(Path::new("config"), "ps1") {
        let text = fs::read_to_string(&file).expect("readable");
        let tree = parser.parse(&text, None).expect("parsed");
        let mut nodes = vec![tree.root_node()];
        while let Some(node) = nodes.pop() {
            if node.is_error() || node.is_missing() {
                let line = node.start_position().row + 1;
                let seen: String = text[node.byte_range()].chars().take(60).collect();
                wrong.push(format!("{}:{line}: {seen:?}", file.display()));
            }
            nodes.extend((0..node.child_count()).filter_map(|i| node.child(i as u32)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
