//! PowerShell as the grammar of the parser takes it: a few forms that it does not know are written in another way, with the
//! same length, so that every place stays where it is.

/// The text for the parser. `code` is the same without comments and the inside of texts.
pub fn adapted(text: &str, code: &str) -> String {
    let mut out = text.as_bytes().to_vec();
    let lower = code.to_ascii_lowercase();
    let code = lower.as_bytes();
    // `.ForEach(…)`: only `.foreach { }` is known, so it gets the name of another method.
    for (at, found) in lower.match_indices(".foreach") {
        let end = at + found.len();
        if lower[end..].trim_start_matches(' ').starts_with('(') {
            out[end - 1] = b'x';
        }
    }
    // Clauses of a switch in one line: each wants its end.
    for at in words(&lower, "switch") {
        for end in clauses(code, at) {
            out[end] = b';';
        }
    }
    // What follows a param block in one line wants its end before it.
    for at in words(&lower, "param") {
        if let Some(end) = closed(code, at).filter(|end| code.get(*end) == Some(&b' ')) {
            let next = code[end..].iter().find(|b| **b != b' ');
            if next.is_some_and(|b| !b"\r\n;}#".contains(b)) {
                out[end] = b';';
            }
        }
    }
    // Labels: `break outer`.
    for word in ["break", "continue"] {
        for at in words(&lower, word) {
            let start = at + word.len();
            let rest = &lower[start..];
            let blanks = rest.len() - rest.trim_start_matches(' ').len();
            let label = rest[blanks..].bytes().take_while(|b| is_name(*b)).count();
            out[start..start + blanks + label].fill(b' ');
        }
    }
    // Suffixes of numbers in capitals: `1MB`, `2L`.
    for (i, b) in code.iter().enumerate() {
        if b.is_ascii_digit() && !code[..i].iter().rev().find(|b| !b.is_ascii_digit()).is_some_and(|b| is_name(*b))
        {
            let suffix = code[i + 1..].iter().take_while(|b| is_name(**b)).count();
            out[i + 1..i + 1 + suffix].make_ascii_lowercase();
        }
    }
    // Paths behind a variable, as an argument: `$env:TEMP\x.txt`.
    for (at, _) in lower.match_indices('\\') {
        let name = code[..at].iter().rev().take_while(|b| is_name(**b) || **b == b':').count();
        if name > 0 && at > name && code[at - name - 1] == b'$' {
            let end = code[at..].iter().position(|b| b" \r\n;|,(){}'\"&".contains(b));
            out[at..end.map_or(code.len(), |n| at + n)].fill(b'_');
        }
    }
    // Words behind a table in a list: `@{ … }, Name`.
    for (at, _) in lower.match_indices("}, ") {
        let mut at = at + 1;
        while code[at..].starts_with(b", ") && code.get(at + 2).is_some_and(u8::is_ascii_alphabetic) {
            out[at + 1] = b'$';
            at += 2;
            at += code[at..].iter().take_while(|b| is_name(**b)).count();
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

fn is_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

/// Where a word stands by itself.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-$.".contains(c);
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| !code[..*at].ends_with(is_part) && !code[at + word.len()..].starts_with(is_part))
}

/// Behind the bracket that closes the first one that follows.
fn closed(code: &[u8], at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (i, b) in code.iter().enumerate().skip(at) {
        match b {
            b'(' => depth += 1,
            b')' if depth <= 1 => return Some(i + 1),
            b')' => depth -= 1,
            b'{' | b'}' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Where the blanks stand behind the clauses of a switch that are followed by another one in the same line.
fn clauses(code: &[u8], switch: usize) -> Vec<usize> {
    let mut out = Vec::new();
    let (mut round, mut depth, mut has_condition) = (0_usize, 0_usize, false);
    for (i, b) in code.iter().enumerate().skip(switch) {
        match b {
            b'(' => round += 1,
            b')' => round = round.saturating_sub(1),
            b'{' if round == 0 => {
                depth += 1;
                // At the clauses: a block is a condition, or what is done where there is one.
                if depth == 1 {
                    has_condition = false;
                }
            }
            b'}' if round == 0 => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    break;
                }
                if depth == 1 {
                    let next = code[i + 1..].iter().position(|b| *b != b' ');
                    let next = next.map_or(b'\n', |n| code[i + 1 + n]);
                    if has_condition && code.get(i + 1) == Some(&b' ') && !b"\r\n;}#".contains(&next) {
                        out.push(i + 1);
                    }
                    has_condition = !has_condition;
                }
            }
            b' ' | b'\t' | b'\r' | b'\n' | b';' => {}
            _ if depth == 1 && round == 0 => has_condition = true,
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::mask;
    use super::adapted;

    fn of(text: &str) -> String {
        adapted(text, &mask::code(text))
    }

    #[test]
    fn what_the_grammar_does_not_know_is_written_otherwise() {
        assert_eq!(of("$a.ForEach({ 1 })"), "$a.ForEacx({ 1 })");
        assert_eq!(of("$a.foreach{ 1 }; '.foreach('"), "$a.foreach{ 1 }; '.foreach('");
        assert_eq!(of("switch ($x) { 'a' { 1 } default { 2 } }"), "switch ($x) { 'a' { 1 };default { 2 } }");
        let blocks = "switch ($x) { { $_ } { 1 } { $y } { if (1) { 2 } } 'c' { 3 } }";
        assert_eq!(of("function F { param($a, [int]$b = (1)) $a }"), "function F { param($a, [int]$b = (1));$a }");
        assert_eq!(of("break outer; continue; break"), "break      ; continue; break");
        assert_eq!(of("1MB + 2L + $a1B + 1.5KB"), "1mb + 2l + $a1B + 1.5kb");
        assert_eq!(of("gi $env:TEMP\\a-b.txt, c\\d"), "gi $env:TEMP________, c\\d");
        assert_eq!(of("@{ n = 'a' }, B, c | x"), "@{ n = 'a' },$B,$c | x");
        assert_eq!(of(blocks), "switch ($x) { { $_ } { 1 };{ $y } { if (1) { 2 } };'c' { 3 } }");
    }

    #[test]
    fn the_rest_stays() {
        for text in [
            "switch ($x) {\n 'a' { 1 }\n b { 2 } # c\n}\n$y { 1 } { 2 }",
            "-switch { 1 } { 2 }",
            "switch (",
            "param(\n$a\n)\n$a",
            "param (",
        ] {
            assert_eq!(of(text), text);
        }
    }
}
