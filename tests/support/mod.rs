//! What the tests of the transports share.
#![allow(dead_code)]

pub mod bench;
pub mod line;
pub mod local;
pub mod pam;
pub mod sshd;

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use nodelift::remote::Request;
use serde_json::Value;

/// Longest wait for anything: reached only when a test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Time-out of a request that is expected to end.
pub const QUICK: Duration = Duration::from_secs(15);

/// Waits for something that must happen.
pub async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it takes too long")
}

/// Looks again and again until something is so.
pub async fn until(mut is: impl FnMut() -> bool) {
    within(async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

pub fn request(script: &str) -> Request {
    Request { name: "test".into(), script: script.into(), args: Value::Null, timeout: QUICK, slow: false }
}

/// The stand-in, built as an example beside this test.
pub fn fake_powershell() -> PathBuf {
    let mut path = std::env::current_exe().expect("own path");
    path.pop();
    path.pop();
    path.push("examples/fake_powershell");
    assert!(path.exists(), "{} is missing: cargo build --examples", path.display());
    path
}
