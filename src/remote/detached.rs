//! placeholder until merge
use super::Request;
use serde_json::Value as Json;
pub fn observe(_run: &str, _op: &str) -> Request {
    unimplemented!()
}
pub fn start(
    _run: &str,
    _op: &str,
    _epoch: u64,
    _script: &str,
    _args: Json,
    _user: &str,
    _password: Option<&str>,
) -> Request {
    unimplemented!()
}
