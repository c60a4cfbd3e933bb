//! When what is announced happens, and how that is told. Plain data logic.

use std::time::Duration;

use crate::phrases::time::When;
use crate::system::{count, local_time};

/// How long a shutdown is announced that was said to happen at once: what can lose work can be undone.
const NOTICE: Duration = Duration::from_secs(60);

/// Returns how long it is announced, and the time as it is said.
pub fn notice(when: Option<When>) -> Option<(Duration, String)> {
    let Some(When::At { minute, or_half_a_day_later }) = when else {
        let wait = match when {
            Some(When::After(wait)) => wait.max(NOTICE),
            _ => NOTICE,
        };
        return Some((wait, format!("через {}", words(wait))));
    };
    let now = local_time()?;
    let wait = until(minute, or_half_a_day_later, now).max(NOTICE);
    let minutes = (now + wait.as_secs()) / 60 % (24 * 60);
    Some((wait, format!("в {}:{:02}", minutes / 60, minutes % 60)))
}

/// Returns how long it is until the clock shows this minute of the day; `now` are the seconds of the day.
fn until(minute: u32, or_half_a_day_later: bool, now: u64) -> Duration {
    const DAY: u64 = 24 * 60 * 60;
    let to = |minute: u64| (minute * 60 + DAY - now - 1) % DAY + 1;
    let first = to(u64::from(minute));
    let second = to(u64::from(minute) + 12 * 60);
    Duration::from_secs(if or_half_a_day_later { first.min(second) } else { first })
}

/// Returns a time in words, in the accusative.
pub fn words(time: Duration) -> String {
    let minutes = time.as_secs().div_ceil(60);
    let hours = (minutes / 60 > 0).then(|| count(minutes / 60, ["час", "часа", "часов"]));
    let rest = (minutes % 60 > 0).then(|| count(minutes % 60, ["минуту", "минуты", "минут"]));
    [hours, rest].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_the_day_is_the_next_one() {
        let hours = |h: f64| (h * 3600.0) as u64;
        for (minute, or_later, now, left) in [
            (22 * 60, false, hours(20.0), hours(2.0)),
            (22 * 60, false, hours(22.0), hours(24.0)),
            (22 * 60, false, hours(23.0), hours(23.0)),
            (10 * 60, true, hours(9.0), hours(1.0)),
            (10 * 60, true, hours(11.0), hours(11.0)),
            (10 * 60, true, hours(23.5), hours(10.5)),
        ] {
            assert_eq!(until(minute, or_later, now).as_secs(), left, "{minute} at {now}");
        }
    }

    #[test]
    fn a_time_is_told_in_russian() {
        for (seconds, told) in
            [(60, "1 минуту"), (61, "2 минуты"), (1800, "30 минут"), (3600, "1 час"), (9000, "2 часа 30 минут")]
        {
            assert_eq!(words(Duration::from_secs(seconds)), told);
        }
    }
}
