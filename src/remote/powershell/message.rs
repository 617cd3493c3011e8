//! Request lines.

use serde::Serialize;
use serde_json::Value as Json;

use super::frames::Nonce;

/// Longest request line: the JSON reader of 5.1 refuses lines above 2 MB.
pub const MAX_REQUEST: usize = 1_900_000;

#[derive(Serialize)]
struct Line<'a> {
    i: u64,
    n: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    m: Option<u32>,
}

/// Asks the worker who it is: a request without a script.
pub fn ping(id: u64, nonce: Nonce) -> Vec<u8> {
    line(&Line { i: id, n: nonce.as_str(), s: None, a: None, m: None })
}

/// One script with its arguments; at most `objects` come back.
pub fn request(id: u64, nonce: Nonce, script: &str, args: &Json, objects: u32) -> Vec<u8> {
    line(&Line { i: id, n: nonce.as_str(), s: Some(script), a: Some(args), m: Some(objects) })
}

/// ASCII only, so that no code page on the way can change it (powershell-over-ssh 7.3).
fn line(line: &Line<'_>) -> Vec<u8> {
    let json = serde_json::to_string(line).unwrap_or_default();
    let mut out = Vec::with_capacity(json.len() + 64);
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c as u8);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
            }
        }
    }
    out.push(b'\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_ping_has_no_script() {
        let nonce = Nonce::fresh().expect("random");
        let text = String::from_utf8(ping(7, nonce)).expect("ASCII");
        assert_eq!(text, format!("{{\"i\":7,\"n\":\"{}\"}}\n", nonce.as_str()));
    }

    proptest! {
        #[test]
        fn lines_are_one_line_of_ascii(script in "\\PC{0,40}[\r\n\t\u{0}-\u{1f}]{0,5}", value in "\\PC{0,20}") {
            let args = serde_json::json!({ "x": value, "n": [1, null, true] });
            let bytes = request(1, Nonce::fresh().expect("random"), &script, &args, 9);
            prop_assert!(bytes.is_ascii() && bytes.iter().filter(|b| **b == b'\n').count() == 1);
            let back: Json = serde_json::from_slice(&bytes).expect("JSON");
            prop_assert_eq!(back["s"].as_str(), Some(script.as_str()));
            prop_assert_eq!(&back["a"], &args);
        }
    }
}
