//! What a finding means: pure, from what a machine said.

use std::time::Duration;

use super::step::Finding;
use crate::core::event::{Failure, FailureKind};
use crate::remote::Chunk;
use crate::remote::probes::{Hop, Identity, Parsed, TASK_RESULT, TaskRan};
use crate::remote::sanitise::clean_short;

/// Asks the login shell which one it is: `cmd.exe` fills in the first word, PowerShell the second, others neither.
pub const WHICH_SHELL: &str = "echo %ComSpec% $PSHOME";

/// A text that no code page holds as a whole.
pub const TEXT: &str = "za\u{17c}\u{f3}\u{142}\u{107} \u{6f22}\u{5b57} \u{2714}";

/// Exists on every Windows.
pub const FILE: &str = r"C:\Windows\win.ini";

/// Kerberos refuses clocks that differ by more.
const CLOCK_LIMIT: Duration = Duration::from_secs(300);
/// More than any time service leaves.
const CLOCK_CAVEAT: Duration = Duration::from_secs(60);

/// Above it the screen is a guess about the past.
const SLOW: Duration = Duration::from_millis(400);

const AGAIN: &str = "Try again; if it lasts, look at the machine: it may be busy or restarting.";

pub fn shell(answer: &Result<String, String>) -> Finding {
    let said = match answer {
        Ok(said) => said.trim(),
        Err(why) => {
            let remedy = "Check sshd's DefaultShell (HKLM:\\SOFTWARE\\OpenSSH) and ForceCommand there.";
            return Finding::failed(format!("the login shell runs no command: {why}"), remedy);
        }
    };
    let comspec =
        said.strip_suffix("$PSHOME").map(str::trim).filter(|s| s.to_ascii_lowercase().ends_with("cmd.exe"));
    if let Some(path) = comspec {
        return Finding::passed(path);
    }
    match said.strip_prefix("%ComSpec%").map(str::trim) {
        Some("") | Some("$PSHOME") => Finding::caveat(
            "neither cmd.exe nor PowerShell: a shell such as sh",
            "Nothing has to be done as long as PowerShell starts; the usual shell is cmd.exe.",
        ),
        Some(home) => Finding::passed(format!("PowerShell in {home}")),
        None => {
            let said = if said.is_empty() { "nothing".to_owned() } else { clean_short(said, 120) };
            Finding::caveat(
                format!("not known; asked for its name it said: {said}"),
                "Nothing has to be done as long as PowerShell starts; otherwise check sshd's DefaultShell and ForceCommand.",
            )
        }
    }
}

/// `ps` is a version such as `5.1.20349.3692`.
pub fn version(ps: &str) -> Finding {
    let mut parts = ps.split('.').map(|p| p.parse::<u32>().ok());
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(5), Some(1..)) => Finding::passed(ps),
        (Some(6..), _) => Finding::caveat(
            format!("{ps} answers as powershell.exe; the scripts are made for Windows PowerShell 5.1"),
            "Look which powershell.exe comes first in the machine's PATH.",
        ),
        (Some(_), _) => Finding::failed(
            format!("{ps} is too old: the scripts need Windows PowerShell 5.1"),
            "Install Windows Management Framework 5.1.",
        ),
        _ => Finding::failed(
            format!("`{}` is no version of PowerShell", clean_short(ps, 60)),
            "Check what the machine starts as powershell.exe.",
        ),
    }
}

pub fn language(mode: &str) -> Finding {
    match mode {
        "FullLanguage" => Finding::passed(mode),
        "ConstrainedLanguage" => Finding::caveat(
            "ConstrainedLanguage: application control is enforced",
            "Nothing has to be done: every script keeps to what it allows. Programs and scripts of your own may be refused.",
        ),
        other => Finding::failed(
            format!("{}: scripts are refused there", clean_short(other, 60)),
            "Look which policy or session configuration restricts PowerShell for this account.",
        ),
    }
}

pub fn elevation(who: &Identity) -> Finding {
    let user = clean_short(&who.user, 80);
    if who.high_integrity {
        return Finding::passed(format!("{user}, with the rights of an administrator"));
    }
    if who.administrators {
        return Finding::failed(
            format!("{user} is an administrator, but without the rights of one (not elevated)"),
            "Over SSH an administrator has every right: look what filters them (whoami.exe /groups), such as a policy for this \
             account or a local account over the network, or log in with another one.",
        );
    }
    Finding::failed(
        format!("{user} is no administrator there"),
        "Add the account to the Administrators of this machine, or log in with another one.",
    )
}

pub fn text(who: &Identity) -> Finding {
    if who.text == TEXT && who.length == TEXT.encode_utf16().count() as u64 {
        let page =
            who.code_page.as_deref().map(|p| format!("; its programs write code page {}", clean_short(p, 20)));
        return Finding::passed(format!("every character arrives as it was sent{}", page.unwrap_or_default()));
    }
    Finding::failed(
        format!("text changes on the way: {TEXT} came back as {}", clean_short(&who.text, 60)),
        "Something between here and PowerShell changes what is sent: look at ForceCommand and at the machine's DefaultShell.",
    )
}

/// `has_account`: the run itself works under an account with a password.
pub fn second_hop(hop: &Hop, has_account: bool) -> Finding {
    let to = clean_short(&hop.to, 60);
    if let Some(build) = &hop.build {
        return Finding::passed(format!("reaches {to}, build {}", clean_short(build, 20)));
    }
    let id = hop.error.as_deref().unwrap_or_default();
    let message = clean_short(hop.message.as_deref().unwrap_or_default().trim(), 200);
    let denied = ["UnauthorizedAccess", "0x80070005", "0x8009030e", "AccessDenied", "PermissionDenied"];
    if !denied.iter().any(|d| id.contains(d)) {
        return Finding::failed(
            format!("cannot reach {to}: {message} ({})", clean_short(id, 120)),
            format!(
                "Check the name {to} from there, and that WinRM runs on it and its firewall lets this machine in."
            ),
        );
    }
    let said = format!("this login may not speak with {to}: {message}");
    let password = "A login with a key has no credentials on the network: log in with a password (password = true under [ssh])";
    if has_account {
        let said = format!("{said} The run itself can: it works under its task_account.");
        return Finding::caveat(
            said,
            format!("{password}, and readiness checks that look from there can tell more."),
        );
    }
    Finding::failed(said, format!("{password}, or name a task_account for the run."))
}

pub fn files(read: &Result<Chunk, Failure>) -> Finding {
    match read {
        Ok(_) => Finding::passed("SFTP opens and reads"),
        // Whoever says that there is no such file has opened.
        Err(f) if f.kind == FailureKind::Threw => Finding::passed("SFTP opens"),
        Err(f) => Finding::failed(
            &*f.message,
            "Add `Subsystem sftp sftp-server.exe` to C:\\ProgramData\\ssh\\sshd_config there and restart sshd. Without it the \
             logs of detached operations cannot be followed.",
        ),
    }
}

/// Over a remoting session.
pub fn files_by_remoting(read: &Result<Chunk, Failure>) -> Finding {
    match read {
        Ok(_) => Finding::passed("read in pieces over remoting, which is slower than SFTP"),
        // Whoever says that there is no such file has looked.
        Err(f) if f.kind == FailureKind::Threw => Finding::passed("looked for over remoting"),
        Err(f) => script_failed(f),
    }
}

/// `user` is empty for SYSTEM.
pub fn task(ran: &TaskRan, name: &str, user: &str) -> Finding {
    let user = if user.is_empty() { "SYSTEM" } else { user };
    if ran.left > 0 {
        return Finding::failed(
            format!("the task {name} could not be removed"),
            format!("Remove it there: Unregister-ScheduledTask -TaskPath '\\' -TaskName {name}"),
        );
    }
    match ran.result {
        Some(TASK_RESULT) => Finding::passed(format!("registered, run and removed as {user}")),
        Some(267_009 | 267_011 | 267_045) | None => Finding::failed(
            format!(
                "a task was registered as {user}, but did not run to its end within a minute; it is removed again"
            ),
            "Look at the history of the Task Scheduler there (Microsoft-Windows-TaskScheduler/Operational).",
        ),
        Some(code) => Finding::failed(
            format!(
                "a task ran as {user} and ended with {code} (0x{code:X}) in place of {TASK_RESULT}; it is removed again"
            ),
            "Check that the account may log on as a batch job there, and that policies let tasks start PowerShell.",
        ),
    }
}

/// A task that could not be tried.
pub fn task_failed(failure: &Failure, user: &str) -> Finding {
    let id = failure.id.as_deref().unwrap_or_default();
    let said = if id.is_empty() { failure.message.clone() } else { format!("{} ({id})", failure.message.trim()) };
    let remedy = if id.contains("0x80070005") {
        "Registering a task needs the rights of an administrator: see elevation.".to_owned()
    } else if id.contains("0x8007052e") {
        format!("The scheduler does not take user and password of {user}: check both.")
    } else {
        "Look at the Task Scheduler there; a task nodelift-doctor-* that is left may be removed.".to_owned()
    };
    Finding::failed(said, remedy)
}

/// The machine's clock minus ours, in milliseconds.
pub fn clock(skew_ms: i64) -> Finding {
    let off = Duration::from_millis(skew_ms.unsigned_abs());
    let side = if skew_ms < 0 { "behind" } else { "ahead of" };
    let said = if off < Duration::from_secs(1) {
        "in step with the clock here".to_owned()
    } else {
        format!("{} {side} the clock here", length(off))
    };
    let remedy = "Check the time service there (w32tm.exe /query /status), and here.";
    if off > CLOCK_LIMIT {
        Finding::failed(format!("{said}: Kerberos takes {} at most", length(CLOCK_LIMIT)), remedy)
    } else if off > CLOCK_CAVEAT {
        Finding::caveat(said, remedy)
    } else {
        Finding::passed(said)
    }
}

/// `count` scripts were sent.
pub fn scripts(parsed: &Parsed, count: usize) -> Finding {
    let remedy = "Scripts of your own: mend them. Those of nodelift: please report it, with the version of PowerShell above.";
    if parsed.wrong.is_empty() && parsed.parsed == count as u64 {
        return Finding::passed(format!("{count} parsed, none run"));
    }
    if parsed.wrong.is_empty() {
        return Finding::failed(
            format!("{} of {count} scripts were parsed, and why not all is not known", parsed.parsed),
            AGAIN,
        );
    }
    let shown: Vec<String> = parsed
        .wrong
        .iter()
        .take(3)
        .map(|w| format!("{}: {}", clean_short(&w.name, 80), clean_short(w.message.trim(), 160)))
        .collect();
    let more = parsed.wrong.len().saturating_sub(shown.len());
    let more = if more > 0 { format!("; {more} more") } else { String::new() };
    Finding::failed(
        format!("{} of {count} do not parse there: {}{more}", parsed.wrong.len(), shown.join("; ")),
        remedy,
    )
}

/// Several in a row, the shortest first.
pub fn round_trip(sorted: &[Duration]) -> Finding {
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else {
        return Finding::failed("nothing was measured", AGAIN);
    };
    let median = sorted[sorted.len() / 2];
    let said = format!("{} (median of {}; {} to {})", ms(median), sorted.len(), ms(*first), ms(*last));
    if median > SLOW {
        return Finding::caveat(
            said,
            "Everything works and is slow: look at the load of the machine and at the line; run nodelift nearer to the nodes.",
        );
    }
    Finding::passed(said)
}

/// A script that ended badly.
pub fn script_failed(failure: &Failure) -> Finding {
    let id = failure.id.as_deref().map(|id| format!(" ({id})")).unwrap_or_default();
    let remedy = match failure.kind {
        FailureKind::TimedOut | FailureKind::Indeterminate | FailureKind::NotSent => AGAIN,
        _ => "Run the named command there by hand: PowerShell, a policy or the account stands in its way.",
    };
    Finding::failed(format!("{}{id}", failure.message.trim()), remedy)
}

fn ms(d: Duration) -> String {
    format!("{:.1} ms", d.as_secs_f64() * 1000.0)
}

/// `4 s`, `2 min 30 s`, `5 min`, `3 h 2 min`.
fn length(d: Duration) -> String {
    let s = d.as_secs_f64().round() as u64;
    match (s / 3600, s / 60 % 60, s % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, 0) => format!("{m} min"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome::{Caveat, Failed, Passed};
    use crate::remote::probes::Wrong;

    fn failure(kind: FailureKind, id: &str) -> Failure {
        Failure { kind, id: Some(id.into()), message: "Access is denied.".into(), at: None }
    }

    fn who() -> Identity {
        Identity {
            computer: "N1".into(),
            user: "corp\\admin".into(),
            edition: "Desktop".into(),
            administrators: true,
            high_integrity: true,
            code_page: Some("437".into()),
            text: TEXT.into(),
            length: TEXT.encode_utf16().count() as u64,
        }
    }

    #[test]
    fn shells_are_told_apart() {
        let of = |said: &str| shell(&Ok(said.to_owned()));
        let cmd = of(r"C:\WINDOWS\system32\cmd.exe $PSHOME");
        assert_eq!((cmd.outcome, &*cmd.said), (Passed, r"C:\WINDOWS\system32\cmd.exe"));
        let ps = of(r"%ComSpec% C:\Windows\System32\WindowsPowerShell\v1.0");
        assert_eq!((ps.outcome, ps.said.contains("PowerShell in C:\\Windows")), (Passed, true));
        assert_eq!(of(r"%ComSpec% C:\Program Files\PowerShell\7").outcome, Passed);
        assert!(of("%ComSpec%").said.contains("such as sh"));
        assert_eq!(of("Welcome to the appliance").outcome, Caveat);
        assert_eq!(of("").outcome, Caveat);
        assert_eq!(shell(&Err("no".into())).outcome, Failed);
    }

    #[test]
    fn versions_and_languages() {
        let of = |ps: &str| version(ps).outcome;
        assert_eq!(
            (of("5.1.20349.3692"), of("7.4.2"), of("5.0.1"), of("4.0"), of("")),
            (Passed, Caveat, Failed, Failed, Failed)
        );
        let of = |mode: &str| language(mode).outcome;
        assert_eq!((of("FullLanguage"), of("ConstrainedLanguage"), of("NoLanguage")), (Passed, Caveat, Failed));
    }

    #[test]
    fn rights_and_text() {
        assert_eq!((elevation(&who()).outcome, text(&who()).outcome), (Passed, Passed));
        assert!(text(&who()).said.ends_with("code page 437"));
        let filtered = Identity { high_integrity: false, ..who() };
        assert!(elevation(&filtered).said.contains("not elevated"));
        let user = Identity { administrators: false, ..filtered };
        assert!(elevation(&user).said.contains("no administrator"));
        assert_eq!(text(&Identity { text: "za????".into(), ..who() }).outcome, Failed);
        assert_eq!(text(&Identity { length: 3, ..who() }).outcome, Failed);
    }

    #[test]
    fn a_second_hop_is_denied_or_broken() {
        let hop = |error: Option<&str>, build: Option<&str>| Hop {
            to: "N1".into(),
            build: build.map(str::to_owned),
            error: error.map(str::to_owned),
            message: error.map(|_| "Access is denied. ".into()),
        };
        assert_eq!(second_hop(&hop(None, Some("20349")), false).outcome, Passed);
        let denied = hop(Some("System.UnauthorizedAccessException,Get-CimInstance"), None);
        assert_eq!((second_hop(&denied, true).outcome, second_hop(&denied, false).outcome), (Caveat, Failed));
        let away = hop(
            Some("HRESULT 0x80338012,Microsoft.Management.Infrastructure.CimCmdlets.GetCimInstanceCommand"),
            None,
        );
        let away = second_hop(&away, true);
        assert_eq!((away.outcome, away.remedy.unwrap().contains("WinRM")), (Failed, true));
    }

    #[test]
    fn files_and_tasks() {
        assert_eq!(files(&Err(failure(FailureKind::Threw, "sftp:NoSuchFile"))).outcome, Passed);
        assert_eq!(files(&Err(failure(FailureKind::NotSent, "sftp:Refused"))).outcome, Failed);
        let of = |result, left| task(&TaskRan { result, left }, "nodelift-doctor-1", "");
        assert!(of(Some(42), 0).said.ends_with("as SYSTEM"));
        assert_eq!(of(Some(267011), 0).outcome, Failed);
        assert!(of(Some(2147942667), 0).said.contains("0x8007010B"));
        assert!(of(Some(42), 1).remedy.unwrap().contains("-TaskName nodelift-doctor-1"));
        let denied = failure(FailureKind::Threw, "HRESULT 0x80070005,Register-ScheduledTask");
        assert!(task_failed(&denied, "x").remedy.unwrap().contains("elevation"));
    }

    #[test]
    fn clocks() {
        assert!(clock(-300).said.starts_with("in step"));
        assert_eq!(clock(59_000).outcome, Passed);
        let late = clock(-150_000);
        assert_eq!((late.outcome, &*late.said), (Caveat, "2 min 30 s behind the clock here"));
        let far = clock(301_000);
        assert_eq!((far.outcome, far.said.contains("Kerberos takes 5 min")), (Failed, true));
    }

    #[test]
    fn scripts_and_round_trips() {
        let wrong = |n: usize| {
            let one =
                |i| Wrong { name: format!("s{i}.ps1"), error: "x".into(), message: "Missing\nbracket".into() };
            Parsed { parsed: 10 - n as u64, wrong: (0..n).map(one).collect() }
        };
        assert_eq!(scripts(&wrong(0), 10).said, "10 parsed, none run");
        assert_eq!(scripts(&wrong(0), 11).outcome, Failed);
        let five = scripts(&wrong(5), 10).said;
        assert!(five.starts_with("5 of 10") && five.ends_with("; 2 more") && !five.contains('\n'), "{five}");
        let times = |ms: &[u64]| ms.iter().map(|m| Duration::from_millis(*m)).collect::<Vec<_>>();
        assert_eq!(round_trip(&times(&[1, 2, 900])).said, "2.0 ms (median of 3; 1.0 ms to 900.0 ms)");
        assert_eq!(round_trip(&times(&[1, 500, 900])).outcome, Caveat);
        assert_eq!(round_trip(&[]).outcome, Failed);
    }
}
