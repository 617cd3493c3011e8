//! Times for people: UTC, and as short as they stay clear.

use jiff::Timestamp;

use crate::core::summary::duration;

const DAY: i64 = 86_400;

/// `08:04:02`.
pub fn hms(at: Timestamp) -> String {
    let s = at.as_second().rem_euclid(DAY);
    format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// `08:04`.
pub fn hm(at: Timestamp) -> String {
    hms(at)[..5].to_owned()
}

/// `2025-06-14`.
pub fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// `08:04`, or with its day where that is not today: `06-13 23:50`.
pub fn short(at: Timestamp, now: Timestamp) -> String {
    if at.as_second().div_euclid(DAY) == now.as_second().div_euclid(DAY) {
        hm(at)
    } else {
        format!("{} {}", &date(at)[5..], hm(at))
    }
}

/// `2025-06-14 08:04:02 UTC`.
pub fn full(at: Timestamp) -> String {
    format!("{} {} UTC", date(at), hms(at))
}

/// Seconds from one time to another, never less than none.
pub fn since(from: Timestamp, now: Timestamp) -> i64 {
    now.duration_since(from).as_secs().max(0)
}

/// `12s`, `18m`, `3h`, `12d`: how long ago in one unit, for narrow columns.
pub fn coarse(from: Timestamp, now: Timestamp) -> String {
    match since(from, now) {
        s @ 3600..172_800 => format!("{}h", s / 3600),
        s => duration(s),
    }
}

/// `12s`, `18m`: how long ago.
pub fn ago(from: Timestamp, now: Timestamp) -> String {
    duration(since(from, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        let at: Timestamp = "2025-06-14T08:04:02Z".parse().unwrap();
        let now: Timestamp = "2025-06-15T00:04:14Z".parse().unwrap();
        assert_eq!(hms(at), "08:04:02");
        assert_eq!(short(at, at), "08:04");
        assert_eq!(short(at, now), "06-14 08:04");
        assert_eq!(full(at), "2025-06-14 08:04:02 UTC");
        assert_eq!(ago(now, at), "0s");
        assert_eq!((coarse(at, now), ago(at, now)), ("16h".into(), "16h 00m".into()));
        assert_eq!(hms(Timestamp::from_second(-1).unwrap()), "23:59:59");
    }
}
