//! What the PC tells of itself, as it is said. Plain data logic.

use std::time::Duration;

use crate::message::Outcome;
use crate::system::count;
use crate::system::notice::words;

/// Programs that are named.
const MAX_NAMED: usize = 8;

const PERCENT: [&str; 3] = ["процент", "процента", "процентов"];
const GIGABYTES: [&str; 3] = ["гигабайт", "гигабайта", "гигабайт"];

/// What is said where there is no battery.
pub const NO_BATTERY: &str = "Батареи здесь нет.";

/// What a battery does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Battery {
    Charges,
    Drains,
    IsFull,
    /// Nobody says what.
    Rests,
}

/// Tells of a battery; `left` is how long it does so still, if that is known.
pub fn battery(percent: u64, does: Battery, left: Duration) -> Outcome {
    let (state, of) = match does {
        Battery::Charges => (", заряжается", "полный через"),
        Battery::Drains => ("", "хватит на"),
        Battery::IsFull => (", батарея полная", ""),
        Battery::Rests => ("", ""),
    };
    let time = if left.is_zero() || of.is_empty() { String::new() } else { format!(", {of} {}", words(left)) };
    Outcome::done(format!("Заряд {}{state}{time}.", count(percent, PERCENT)))
}

/// Tells how busy the processor is, and how much of the memory is taken, both in percent; how many bytes of the disk are
/// free, and since how many seconds all that runs.
pub fn system(load: Option<u64>, memory: Option<u64>, free: Option<u64>, runs: Option<u64>) -> Outcome {
    let told = [
        load.map(|load| format!("процессор занят на {}", count(load, PERCENT))),
        memory.map(|used| format!("память на {used}")),
        free.map(|free| format!("на диске свободно {}", count(free / 1_000_000_000, GIGABYTES))),
        runs.map(|runs| format!("компьютер работает {}", long(runs))),
    ];
    let told = told.into_iter().flatten().collect::<Vec<_>>().join(", ");
    Outcome::done(format!("{}.", capitalised(&told)))
}

/// Names the programs that run.
pub fn programs(names: &[&str]) -> Outcome {
    Outcome::done(match names {
        [] => "Из программ ничего не запущено.".into(),
        [name] => format!("Запущено: {name}."),
        names => format!("Запущены: {}.", listed(names)),
    })
}

fn listed(names: &[&str]) -> String {
    match names.len().checked_sub(MAX_NAMED) {
        Some(more @ 1..) => format!("{} и ещё {more}", names[..MAX_NAMED].join(", ")),
        _ => names.join(", "),
    }
}

/// Returns how busy it was between two looks, in percent.
pub fn load(before: (u64, u64), now: (u64, u64)) -> u64 {
    // What waits for a disk may be counted back.
    let (busy, all) = (now.0.saturating_sub(before.0), now.1.saturating_sub(before.1));
    (busy * 100).checked_div(all).unwrap_or(0).min(100)
}

/// Returns a time of seconds in words that may be days.
fn long(seconds: u64) -> String {
    const DAY: u64 = 24 * 60 * 60;
    let days = (seconds >= DAY).then(|| count(seconds / DAY, ["день", "дня", "дней"]));
    // With days nobody asks for the minutes.
    let rest = if days.is_some() { seconds % DAY / 3600 * 3600 } else { seconds.max(60) };
    let rest = Some(words(Duration::from_secs(rest))).filter(|rest| !rest.is_empty());
    days.into_iter().chain(rest).collect::<Vec<_>>().join(" ")
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_between_two_looks() {
        let before = (150, 1000);
        assert_eq!(load(before, (162, 1100)), 12);
        assert_eq!(load(before, before), 0);
        assert_eq!(load(before, (140, 1100)), 0);
    }

    #[test]
    fn it_is_told_so_that_it_can_be_spoken() {
        for (seconds, told) in
            [(0, "1 минуту"), (3 * 3600, "3 часа"), (86_400, "1 день"), (5 * 86_400 + 7300, "5 дней 2 часа")]
        {
            assert_eq!(long(seconds), told);
        }
        assert_eq!(listed(&["a"; 8]), ["a"; 8].join(", "));
        assert_eq!(listed(&["a"; 11]), format!("{} и ещё 3", ["a"; 8].join(", ")));
        assert_eq!(capitalised("я сам"), "Я сам");
    }
}
