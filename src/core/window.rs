//! The maintenance window: when nodes may be taken out of service. Wall clock times in a zone, so that a night stays a night when the
//! clocks change.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

/// Minutes of a week.
const WEEK: u32 = 7 * 24 * 60;

/// When work may be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    pub spans: Vec<Span>,
    /// Rule of the zone, as POSIX writes it: `CET-1CEST,M3.5.0,M10.5.0/3`.
    pub zone: String,
    /// The zone as people call it: `Europe/Berlin`.
    pub zone_name: String,
}

/// One stretch of it, by the clock on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Span {
    /// Every week, in minutes since Monday 00:00; `to` before `from` is in the week after.
    Weekly {
        from: u32,
        to: u32,
    },
    Once {
        from: DateTime,
        to: DateTime,
    },
}

impl Window {
    /// Until when it is open; none where it is closed. Stretches that follow one another without a gap are one.
    pub fn open_until(&self, now: Timestamp) -> Option<Timestamp> {
        let spans = self.around(now);
        let mut until = None;
        // Each turn goes on by one stretch: a window that never closes ends with what was looked at.
        for _ in 0..=spans.len() {
            let at = until.unwrap_or(now);
            match spans.iter().filter(|(from, to)| *from <= at && at < *to).map(|(_, to)| *to).max() {
                Some(to) => until = Some(to),
                None => break,
            }
        }
        until
    }

    /// When it opens next; none where it never does again.
    pub fn opens_next(&self, now: Timestamp) -> Option<Timestamp> {
        self.around(now).iter().map(|(from, _)| *from).filter(|from| *from > now).min()
    }

    /// A time as the people of the window read it: `Sat 2026-06-06 22:00 Europe/Berlin`.
    pub fn shown(&self, at: Timestamp) -> String {
        let local = at.to_zoned(self.time_zone());
        format!("{} {}", local.strftime("%a %Y-%m-%d %H:%M"), self.zone_name)
    }

    /// What it says, in words: `Sat 22:00 to Sun 06:00, Europe/Berlin`.
    pub fn text(&self) -> String {
        let minute = |m: u32| format!("{:02}:{:02}", m / 60 % 24, m % 60);
        let day = |m: u32| DAYS[(m / (24 * 60) % 7) as usize];
        let weekly = |from: u32, to: u32| format!("{} {} to {} {}", day(from), minute(from), day(to), minute(to));
        // What is so every day is said once.
        let first = self.spans.first().copied();
        let daily = self.spans.len() == 7
            && self.spans.iter().enumerate().all(|(i, s)| match (first, s) {
                (Some(Span::Weekly { from: a, to: b }), Span::Weekly { from, to }) => {
                    let shift = i as u32 * 24 * 60;
                    *from == (a + shift) % WEEK && *to == (b + shift) % WEEK
                }
                _ => false,
            });
        let spans: Vec<String> = match (daily, first) {
            (true, Some(Span::Weekly { from, to })) => {
                vec![format!("every day {} to {}", minute(from), minute(to))]
            }
            _ => self
                .spans
                .iter()
                .map(|s| match s {
                    Span::Weekly { from, to } => weekly(*from, *to),
                    Span::Once { from, to } => {
                        format!("{} to {}", from.strftime("%Y-%m-%d %H:%M"), to.strftime("%Y-%m-%d %H:%M"))
                    }
                })
                .collect(),
        };
        format!("{}, {}", spans.join("; "), self.zone_name)
    }

    fn time_zone(&self) -> TimeZone {
        TimeZone::posix(&self.zone).unwrap_or(TimeZone::UTC)
    }

    /// Every stretch from a week ago to two weeks ahead, and those with a date.
    fn around(&self, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let zone = self.time_zone();
        let today = now.to_zoned(zone.clone()).datetime().date();
        let monday = today.saturating_sub(i64::from(today.weekday().to_monday_zero_offset()).days());
        let at = |local: DateTime| zone.to_timestamp(local).ok();
        let mut out = Vec::new();
        for span in &self.spans {
            match *span {
                Span::Once { from, to } => out.extend(at(from).zip(at(to))),
                Span::Weekly { from, to } => {
                    for week in -1..=2 {
                        let start = monday.saturating_add((week * 7i64).days()).to_datetime(Default::default());
                        let length = (to + WEEK - from) % WEEK;
                        let from = start.saturating_add(i64::from(from).minutes());
                        out.extend(at(from).zip(at(from.saturating_add(i64::from(length).minutes()))));
                    }
                }
            }
        }
        out
    }
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Whether a time so many seconds long fits into what is left of a window.
pub fn fits(window: &Window, now: Timestamp, seconds: u64) -> bool {
    window
        .open_until(now)
        .is_some_and(|until| until.duration_since(now) >= SignedDuration::from_secs(seconds as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SATURDAY: Span = Span::Weekly { from: 5 * 1440 + 22 * 60, to: 6 * 1440 + 6 * 60 };

    fn berlin(spans: Vec<Span>) -> Window {
        Window { spans, zone: "CET-1CEST,M3.5.0,M10.5.0/3".into(), zone_name: "Europe/Berlin".into() }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_night_is_a_night_in_summer_and_in_winter() {
        let w = berlin(vec![SATURDAY]);
        for (now, until, next) in [
            ("2026-06-06T19:59:59Z", None, "2026-06-06T20:00:00Z"),
            ("2026-06-06T20:00:00Z", Some("2026-06-07T04:00:00Z"), "2026-06-13T20:00:00Z"),
            ("2026-06-07T03:59:59Z", Some("2026-06-07T04:00:00Z"), "2026-06-13T20:00:00Z"),
            ("2026-06-07T04:00:00Z", None, "2026-06-13T20:00:00Z"),
            ("2026-01-10T21:30:00Z", Some("2026-01-11T05:00:00Z"), "2026-01-17T21:00:00Z"),
            // The night in which the clocks go back is an hour longer, the other one shorter.
            ("2026-10-24T20:00:00Z", Some("2026-10-25T05:00:00Z"), "2026-10-31T21:00:00Z"),
            ("2026-03-28T21:00:00Z", Some("2026-03-29T04:00:00Z"), "2026-04-04T20:00:00Z"),
        ] {
            assert_eq!(w.open_until(at(now)), until.map(at), "{now}");
            assert_eq!(w.opens_next(at(now)), Some(at(next)), "{now}");
        }
        assert_eq!(w.text(), "Sat 22:00 to Sun 06:00, Europe/Berlin");
        assert_eq!(w.shown(at("2026-06-06T20:00:00Z")), "Sat 2026-06-06 22:00 Europe/Berlin");
    }

    #[test]
    fn stretches_that_meet_are_one_and_a_date_comes_once() {
        let day = |d: u32| Span::Weekly { from: d * 1440 + 20 * 60, to: (d * 1440 + 32 * 60) % WEEK };
        let nights = berlin((0..7).map(day).collect());
        assert_eq!(nights.text(), "every day 20:00 to 08:00, Europe/Berlin");
        // Sunday night runs into Monday, across the week.
        assert_eq!(nights.open_until(at("2026-06-07T23:00:00Z")), Some(at("2026-06-08T06:00:00Z")));
        let more = Span::Weekly { from: 6 * 1440 + 6 * 60, to: 6 * 1440 + 12 * 60 };
        let joined = berlin(vec![SATURDAY, more]);
        assert_eq!(joined.open_until(at("2026-06-06T20:00:00Z")), Some(at("2026-06-07T10:00:00Z")));
        let once =
            Span::Once { from: "2026-06-06T22:00".parse().unwrap(), to: "2026-06-07T06:00".parse().unwrap() };
        let once = berlin(vec![once]);
        assert!(fits(&once, at("2026-06-06T20:00:00Z"), 8 * 3600));
        assert!(!fits(&once, at("2026-06-06T20:00:01Z"), 8 * 3600));
        assert_eq!(once.opens_next(at("2026-06-07T20:00:00Z")), None);
        assert_eq!(once.text(), "2026-06-06 22:00 to 2026-06-07 06:00, Europe/Berlin");
    }
}
