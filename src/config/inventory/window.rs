//! The maintenance window as people write it: `Sat 22:00/Sun 06:00`, `22:00/04:00`, `2026-06-06 22:00/2026-06-07 06:00`.

use std::path::Path;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use toml::Spanned;

use super::check::Checker;
use super::tables::WindowTable;

/// When nodes may be taken out of service.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    pub spans: Vec<Span>,
    /// Rule of the zone, as POSIX writes it.
    pub zone: String,
    /// The zone as it is written.
    pub zone_name: String,
}

/// One stretch of it, by the clock on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// Minutes since Monday 00:00.
    Weekly {
        from: u32,
        to: u32,
    },
    Once {
        from: DateTime,
        to: DateTime,
    },
}

/// Minutes of a day and of a week.
const DAY: u32 = 24 * 60;
const WEEK: u32 = 7 * DAY;

/// Largest file of a zone that is looked at, in bytes.
const LARGEST_ZONE: u64 = 64 * 1024;

const FORM: &str =
    "write \"Sat 22:00/Sun 06:00\", \"22:00/04:00\" for every day, or \"2026-06-06 22:00/2026-06-07 06:00\"";

/// One end of a stretch.
enum End {
    Every(u32),
    Weekday(u32),
    Date(DateTime),
}

impl Checker<'_> {
    pub(super) fn window(&mut self, table: &WindowTable) -> Option<Window> {
        if table.open.get_ref().is_empty() {
            self.say(&table.open, "the window is never open", FORM);
        }
        let mut spans = Vec::new();
        for text in table.open.get_ref() {
            match stretch(text.get_ref()) {
                Ok(some) => spans.extend(some),
                Err(why) => self.say(text, why, FORM),
            }
        }
        let zone_name = table.zone.as_ref().map_or("UTC", |z| z.get_ref().as_str()).to_owned();
        let zone = rule(&zone_name);
        if let (None, Some(at)) = (&zone, &table.zone) {
            let help = "write a name such as \"Europe/Berlin\", \"UTC\", an offset such as \"+02:00\", or a rule such as \
                        \"CET-1CEST,M3.5.0,M10.5.0/3\"";
            self.say(at, format!("there is no time zone `{zone_name}` on this machine"), help);
        }
        Some(Window { spans, zone: zone?, zone_name })
    }

    pub(super) fn change(&mut self, change: &Spanned<String>) -> String {
        let number = change.get_ref().trim();
        if let Err(why) = change_number(number) {
            self.say(change, why, "write the number as the ticket system has it, such as CHG0012345");
        }
        number.to_owned()
    }
}

/// Whether a text can be the number of a change: it goes into headers, reports and environments.
///
/// # Errors
/// What is wrong with it.
pub fn change_number(text: &str) -> Result<(), String> {
    let legal = |c: char| c.is_alphanumeric() || "-_./#: ".contains(c);
    if text.is_empty() || text.chars().count() > 40 || !text.chars().all(legal) {
        return Err("a change number has 1 to 40 letters, digits and - _ . / # :".to_owned());
    }
    Ok(())
}

fn stretch(text: &str) -> Result<Vec<Span>, String> {
    let no = || format!("`{text}` is no window");
    let (from, to) = text.split_once('/').ok_or_else(no)?;
    let ends = (end(from.trim()).ok_or_else(no)?, end(to.trim()).ok_or_else(no)?);
    let spans = match ends {
        (End::Every(from), End::Every(to)) => {
            let length = (to + DAY - from % DAY) % DAY;
            let length = if length == 0 && from != to { DAY } else { length };
            let day = |d: u32| Span::Weekly { from: d * DAY + from, to: (d * DAY + from + length) % WEEK };
            if length == 0 {
                return Err("it closes when it opens".to_owned());
            }
            (0..7).map(day).collect()
        }
        (End::Weekday(from), End::Weekday(to)) if from % WEEK != to % WEEK => {
            vec![Span::Weekly { from: from % WEEK, to: to % WEEK }]
        }
        (End::Date(from), End::Date(to)) if from < to => vec![Span::Once { from, to }],
        (End::Weekday(_), End::Weekday(_)) => return Err("it closes when it opens".to_owned()),
        (End::Date(_), End::Date(_)) => return Err("it closes before it opens".to_owned()),
        _ => return Err("both ends need a day, or none".to_owned()),
    };
    Ok(spans)
}

fn end(text: &str) -> Option<End> {
    let Some((day, time)) = text.split_once([' ', 'T']) else { return minutes(text).map(End::Every) };
    let minute = minutes(time.trim())?;
    if let Ok(date) = day.parse::<Date>() {
        let date = if minute == DAY { date.tomorrow().ok()? } else { date };
        let time = Time::new((minute / 60 % 24) as i8, (minute % 60) as i8, 0, 0).ok()?;
        return Some(End::Date(date.to_datetime(time)));
    }
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let long = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let name = day.to_ascii_lowercase();
    let at = days.iter().position(|d| *d == name).or_else(|| long.iter().position(|d| *d == name))?;
    Some(End::Weekday(at as u32 * DAY + minute))
}

/// `22:00`, and `24:00` for the end of a day.
fn minutes(text: &str) -> Option<u32> {
    let (h, m) = text.split_once(':')?;
    let two =
        |s: &str| (s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse::<u32>().ok()).flatten();
    let (h, m) = (two(h)?, two(m)?);
    (m < 60 && (h < 24 || (h, m) == (24, 0))).then_some(h * 60 + m)
}

/// The rule of a zone: of a name by the file that this machine has, whose last line it is.
fn rule(name: &str) -> Option<String> {
    if name.eq_ignore_ascii_case("utc") {
        return Some("UTC0".to_owned());
    }
    if let Some(rule) = offset(name) {
        return Some(rule);
    }
    let plain =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "_-+".contains(c));
    let known = name.split('/').all(plain).then(|| Path::new("/usr/share/zoneinfo").join(name));
    let of_file = known.and_then(|path| {
        let small = std::fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() <= LARGEST_ZONE);
        let bytes = small.then(|| std::fs::read(&path).ok()).flatten()?;
        let text = bytes.starts_with(b"TZif").then_some(bytes)?;
        let footer = text.strip_suffix(b"\n")?.rsplit(|b| *b == b'\n').next()?.to_vec();
        String::from_utf8(footer).ok()
    });
    of_file.or_else(|| Some(name.to_owned())).filter(|rule| TimeZone::posix(rule).is_ok())
}

/// `+02:00` as a rule; there the sign says the other thing.
fn offset(name: &str) -> Option<String> {
    let (sign, rest) = match name.as_bytes().first()? {
        b'+' => ('-', &name[1..]),
        b'-' => ('+', &name[1..]),
        _ => return None,
    };
    let minute = minutes(rest).filter(|m| *m <= 15 * 60)?;
    Some(format!("<{name}>{sign}{:02}:{:02}", minute / 60, minute % 60))
}
