//! Which cmdlets and programs a script calls, as far as its text tells: what faults of a world are matched with.

/// Names in the order of their first call. A function of the script counts where it is called, not where it is written.
pub(super) fn called(script: &str) -> Vec<String> {
    let text: String = script.lines().filter(|l| !l.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
    let (main, functions) = split_functions(&text);
    let mut out: Vec<String> = Vec::new();
    for word in words(&main) {
        let inner = functions.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
        match inner {
            Some((_, body)) => words(body).filter(|w| is_command(w)).for_each(|w| add(&mut out, w)),
            None if is_command(word) => add(&mut out, word),
            None => {}
        }
    }
    out
}

fn add(out: &mut Vec<String>, word: &str) {
    if !out.iter().any(|o| o.eq_ignore_ascii_case(word)) {
        out.push(word.to_owned());
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))).filter(|w| !w.is_empty())
}

/// `Verb-Noun`, or a program.
fn is_command(word: &str) -> bool {
    if word.to_ascii_lowercase().ends_with(".exe") {
        return word.len() > 4;
    }
    match word.split_once('-') {
        Some((verb, noun)) => {
            verb.len() > 2
                && noun.len() > 1
                && verb.chars().all(|c| c.is_ascii_alphabetic())
                && noun.chars().all(|c| c.is_ascii_alphanumeric())
                && noun.starts_with(|c: char| c.is_ascii_uppercase())
        }
        None => false,
    }
}

/// The text without its functions, and each function's name and body.
fn split_functions(text: &str) -> (String, Vec<(String, String)>) {
    let (mut main, mut functions, mut rest) = (String::new(), Vec::new(), text);
    while let Some(at) = rest.find("function ") {
        let (before, from) = rest.split_at(at);
        main.push_str(before);
        let head = &from["function ".len()..];
        let name: String =
            head.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
        let Some(body) = braces(head) else {
            main.push_str("function ");
            rest = head;
            continue;
        };
        functions.push((name, head[body.clone()].to_owned()));
        rest = &head[body.end..];
    }
    main.push_str(rest);
    (main, functions)
}

/// The first `{…}` with everything inside it.
fn braces(text: &str) -> Option<std::ops::Range<usize>> {
    let start = text.find('{')?;
    let mut depth = 0_usize;
    for (i, b) in text.bytes().enumerate().skip(start) {
        match b {
            b'{' => depth += 1,
            b'}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(start..i + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_count_where_they_are_called() {
        let prelude =
            "function RegValue([string]$P) { try { Get-ItemProperty $P } catch { throw } }\n# Get-Nothing\n";
        assert_eq!(called(&format!("{prelude}$x = Get-CauRun -ErrorAction Stop")), ["Get-CauRun"]);
        let both = format!("{prelude}$null | & whoami.exe; RegValue 'a'; Get-CauRun; RegValue 'b'");
        assert_eq!(called(&both), ["whoami.exe", "Get-ItemProperty", "Get-CauRun"]);
        assert_eq!(called("function X { never closed Get-Item"), ["Get-Item"]);
    }
}
