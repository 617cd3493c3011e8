//! Values that look different on another machine: dates as text, JSON that is cut.

use tree_sitter::Node;

use super::Finding;
use super::rules::{DATE_AS_TEXT, JSON_DEPTH};
use super::script::{Script, children};

/// Methods that write a date by the culture.
const BY_CULTURE: [&str; 4] = ["ToShortDateString", "ToLongDateString", "ToShortTimeString", "ToLongTimeString"];

pub fn check(s: &Script, out: &mut Vec<Finding>) {
    for node in s.nodes() {
        match node.kind() {
            "expandable_string_literal" | "expandable_here_string_literal" => {
                let dates = children(node).into_iter().filter(|n| is_date(s, *n));
                out.extend(dates.map(|n| date(s, n)));
            }
            "invokation_expression" => out.extend(written(s, node)),
            _ => {}
        }
    }
    for call in s.calls().into_iter().filter(|c| c.is("ConvertTo-Json") && !c.has("Depth")) {
        let message = "ConvertTo-Json without -Depth cuts at two levels, and says so in a warning at best";
        out.push(call.finding(JSON_DEPTH, message).help("add -Depth 8: a record has at most so many"));
    }
}

fn date(s: &Script, node: Node) -> Finding {
    let message = format!("the date {} becomes text by the culture of the machine", s.text(node));
    s.finding(DATE_AS_TEXT, node, message)
        .help("write .ToUniversalTime().ToString('o'), or `Utc $x` of the prelude")
}

/// `$x`, `$x.LastBootUpTime`, `Get-Date` with nothing that says how it is written.
fn is_date(s: &Script, node: Node) -> bool {
    match node.kind() {
        "variable" => is_variable_of_date(s, s.text(node)),
        "sub_expression" => {
            let text = s.text(node).trim_start_matches("$(").trim_end_matches(')').trim();
            let plain = !text.contains(['(', '|', ' ']) && text.starts_with('$');
            (plain && is_variable_of_date(s, text)) || is_now(text)
        }
        _ => false,
    }
}

/// `Get-Date`, also in brackets, without `-Format` and `-UFormat`.
fn is_now(text: &str) -> bool {
    let lower = text.trim_start_matches('(').to_ascii_lowercase();
    lower.starts_with("get-date") && !lower.contains("format") && !lower.contains(").")
}

fn is_variable_of_date(s: &Script, text: &str) -> bool {
    let name = text.trim_start_matches('$').trim_matches(['{', '}']);
    match name.rsplit_once('.') {
        // Names of properties that hold dates, as the classes of Windows have them.
        Some((_, property)) => {
            let lower = property.to_ascii_lowercase();
            let times = ["time", "date", "timestamp", "timecreated", "timegenerated", "lastconnected", "nextsync"];
            let spans = [
                "uptime",
                "runtime",
                "duration",
                "timeout",
                "update",
                "idletime",
                "candidate",
                "totaltime",
                "processortime",
                "elapsedtime",
            ];
            times.iter().any(|t| lower.ends_with(t)) && !spans.iter().any(|t| lower.ends_with(t))
                || lower.ends_with("lastbootuptime")
        }
        None => s.assigned(name).iter().any(|value| {
            let value = s.text(*value).trim();
            is_now(value) || value.to_ascii_lowercase().starts_with("[datetime]")
        }),
    }
}

/// `.ToString()` of a date, and the methods that write one by the culture.
fn written(s: &Script, node: Node) -> Option<Finding> {
    let parts = children(node);
    let name = parts.iter().find(|n| n.kind() == "member_name").map(|n| s.text(*n))?;
    let object = parts.first().map(|n| s.text(*n))?;
    let bare = s.text(node).ends_with("()");
    let by_culture = BY_CULTURE.iter().any(|m| m.eq_ignore_ascii_case(name));
    let plain = object.starts_with('$') && is_variable_of_date(s, object) || is_now(object);
    (by_culture || (bare && name.eq_ignore_ascii_case("ToString") && plain)).then(|| date(s, node))
}
