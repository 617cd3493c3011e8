//! Shows a scene in a real terminal: `cargo run --example frames [scene] [theme]`. For looking at what is drawn, and at the bytes
//! it takes; their number is said at the end.

#[path = "../tests/fixtures/mod.rs"]
mod fixtures;
#[path = "../tests/fixtures/terminal.rs"]
mod terminal;

use fixtures::{scene, scenes};
use nodelift::theme::BUILT_IN;

fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_else(|| "running".into());
    let Some((_, make)) = scenes::all().into_iter().find(|(n, _)| *n == name) else {
        let names: Vec<&str> = scenes::all().into_iter().map(|(n, _)| n).collect();
        eprintln!("there is no such scene; there is: {}", names.join(", "));
        return Ok(());
    };
    let mut looks: Vec<&str> = BUILT_IN.iter().map(|(n, _)| *n).collect();
    if let Some(at) = args.next().and_then(|n| looks.iter().position(|l| *l == n)) {
        looks.rotate_left(at);
    }
    let bytes = terminal::show(make(), looks)?;
    println!("{bytes} bytes");
    // The thread that reads keys may hang in a read: nobody waits for it.
    std::process::exit(0);
}
