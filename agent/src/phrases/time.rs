//! Times as people say them: «через полчаса», «в 22:30», «к десяти вечера». Plain data.

use std::time::Duration;

use crate::phrases::numbers::number;

/// When something is to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// So long from now.
    After(Duration),
    /// The next time that the clock shows this minute of the day; `or_half_a_day_later` where nobody said which half.
    At { minute: u32, or_half_a_day_later: bool },
}

impl When {
    /// Returns it in a few words, behind a space; nothing where no time was said.
    pub fn or_soon(when: Option<Self>) -> String {
        match when {
            None => String::new(),
            Some(Self::After(time)) => format!(" через {} с", time.as_secs()),
            Some(Self::At { minute, or_half_a_day_later }) => {
                let doubt = if or_half_a_day_later { "?" } else { "" };
                format!(" в {}:{:02}{doubt}", minute / 60, minute % 60)
            }
        }
    }
}

const MINUTE: u32 = 60;

/// Behind «в половине»: each says the hour before it.
const ORDINALS: &str = "первого второго третьего четвертого пятого шестого седьмого восьмого девятого десятого \
                        одиннадцатого двенадцатого";

/// Returns the time that words begin with, and how many of them it takes.
pub fn time(words: &[&str]) -> Option<(When, usize)> {
    // «минут через двадцать» is «примерно через двадцать минут».
    if let [unit @ ("минут" | "часа" | "часов"), "через", rest @ ..] = words {
        let (_, used) = number(rest)?;
        let (seconds, _) = after(&[&rest[..used], &[*unit]].concat())?;
        return Some((When::After(Duration::from_secs(seconds.into())), used + 2));
    }
    match *words.first()? {
        "через" => {
            after(&words[1..]).map(|(seconds, used)| (When::After(Duration::from_secs(seconds.into())), used + 1))
        }
        "без" => clock(words),
        "в" | "к" | "во" => clock(&words[1..]).map(|(when, used)| (when, used + 1)),
        _ => None,
    }
}

/// Returns seconds.
fn after(words: &[&str]) -> Option<(u32, usize)> {
    let unit = |word: &str| {
        Some(match word {
            "секунду" | "секунды" | "секунд" => 1,
            "минуту" | "минуты" | "минут" | "минутку" | "минуток" => MINUTE,
            "час" | "часа" | "часов" | "часик" => 60 * MINUTE,
            _ => return None,
        })
    };
    match words {
        ["полчаса" | "полчасика", ..] => Some((30 * MINUTE, 1)),
        ["пол", "часа", ..] => Some((30 * MINUTE, 2)),
        ["полтора" | "полторы", word, ..] => unit(word).map(|unit| (unit * 3 / 2, 2)),
        ["четверть", "часа", ..] => Some((15 * MINUTE, 2)),
        [word, ..] if unit(word).is_some() => {
            let (seconds, used) = (unit(word)?, 1);
            Some(further(seconds, used, &words[used..]))
        }
        [decimal, word, ..] if decimal.contains([',', '.']) => {
            let value: f64 = decimal.replace(',', ".").parse().ok()?;
            let seconds = f64::from(unit(word)?) * value;
            (seconds.is_finite() && (1.0..=86_400.0).contains(&seconds)).then_some((seconds as u32, 2))
        }
        _ => {
            let (count, used) = number(words)?;
            let (half, used) = match &words[used..] {
                ["с", "половиной", ..] => (true, used + 2),
                _ => (false, used),
            };
            let one = unit(words.get(used)?)?;
            let seconds = one.checked_mul(count)?.checked_add(if half { one / 2 } else { 0 })?;
            Some(further(seconds, used + 1, &words[used + 1..]))
        }
    }
    .filter(|(seconds, _)| (1..=24 * 60 * MINUTE).contains(seconds))
}

/// «час 20 минут», «час двадцать»: minutes behind hours.
fn further(seconds: u32, used: usize, words: &[&str]) -> (u32, usize) {
    let and = usize::from(words.first() == Some(&"и"));
    let words = &words[and..];
    let found = number(words).filter(|_| seconds >= 60 * MINUTE);
    match found {
        Some((count, n)) if count < 60 && words.get(n).is_some_and(|word| word.starts_with("минут")) => {
            (seconds.saturating_add(count * MINUTE), used + and + n + 1)
        }
        _ => (seconds, used),
    }
}

/// Returns the time of the day.
fn clock(words: &[&str]) -> Option<(When, usize)> {
    let first = words.first()?;
    // The hour that has begun is told by the one that comes: half past nine is «половина десятого».
    let ordinal = |word: &&str| ORDINALS.split(' ').position(|own| own == *word).and_then(|at| u32::try_from(at).ok());
    let (hour, minute, mut used) = match *first {
        "половине" | "половину" | "пол" => (words.get(1).and_then(ordinal)?, 30, 2),
        "без" => {
            let quarter = (words.get(1) == Some(&"четверти")).then_some((15, 1));
            let (minutes, before) =
                quarter.or_else(|| number(&words[1..])).filter(|(minutes, _)| (1..60).contains(minutes))?;
            let before = before + 1 + usize::from(words.get(before + 1).is_some_and(|word| word.starts_with("минут")));
            let (hour, used) = number(&words[before..])?;
            (hour.checked_sub(1)?, 60 - minutes, used + before)
        }
        "полночь" | "полуночи" => return Some((at(0, 0, Some(0)), 1)),
        "полдень" | "полудню" => return Some((at(12, 0, Some(0)), 1)),
        word if word.contains([':', '.']) => {
            let (hour, minute) = word.split_once([':', '.'])?;
            (hour.parse().ok()?, minute.parse().ok().filter(|_| minute.len() == 2)?, 1)
        }
        "час" | "часу" => (1, 0, 1),
        _ => {
            let (hour, mut used) = number(words)?;
            used += usize::from(matches!(words.get(used), Some(&("час" | "часа" | "часов" | "часам"))));
            match number(&words[used..]) {
                Some((minute, n)) if minute < 60 => {
                    used += n;
                    used += usize::from(words.get(used).is_some_and(|word| word.starts_with("минут")));
                    (hour, minute, used)
                }
                _ => (hour, 0, used),
            }
        }
    };
    let half = match words.get(used) {
        Some(&"утра") => Some(0),
        Some(&"ночи") => Some(if hour >= 9 { 12 } else { 0 }),
        Some(&("дня" | "вечера")) => Some(if hour < 12 { 12 } else { 0 }),
        _ => None,
    };
    used += usize::from(half.is_some());
    let is_sound = hour < 24 && minute < 60 && (half.is_none() || hour <= 12);
    is_sound.then(|| (at(hour, minute, half.or((hour > 12 || hour == 0).then_some(0))), used))
}

fn at(hour: u32, minute: u32, half: Option<u32>) -> When {
    let hour = (hour + half.unwrap_or(0)) % 24;
    When::At { minute: hour * 60 + minute, or_half_a_day_later: half.is_none() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_people_say_them() {
        let after = |minutes: u64| Some(When::After(Duration::from_secs(minutes * 60)));
        let at = |hour: u32, minute: u32, or_half_a_day_later: bool| {
            Some(When::At { minute: hour * 60 + minute, or_half_a_day_later })
        };
        for (text, expected) in [
            ("через час", after(60)),
            ("через полчаса", after(30)),
            ("через полтора часа", after(90)),
            ("через два с половиной часа", after(150)),
            ("через 2,5 часа", after(150)),
            ("через 10 минут", after(10)),
            ("через двадцать пять минут", after(25)),
            ("через час 20 минут", after(80)),
            ("через час и двадцать минут", after(80)),
            ("через четверть часа", after(15)),
            ("в 22:30", at(22, 30, false)),
            ("в 10", at(10, 0, true)),
            ("к десяти", at(10, 0, true)),
            ("к десяти вечера", at(22, 0, false)),
            ("в 7 утра", at(7, 0, false)),
            ("в час ночи", at(1, 0, false)),
            ("в 11 ночи", at(23, 0, false)),
            ("в 3 часа дня", at(15, 0, false)),
            ("в 10 часов 15 минут", at(10, 15, true)),
            ("в полночь", at(0, 0, false)),
            ("в 12 дня", at(12, 0, false)),
            ("в половине десятого вечера", at(21, 30, false)),
            ("без четверти одиннадцать вечера", at(22, 45, false)),
            ("без пятнадцати 11 вечера", at(22, 45, false)),
            ("без десяти минут восемь", at(7, 50, true)),
            ("минут через двадцать", after(20)),
            ("в половине", None),
            ("без четверти", None),
            ("через", None),
            ("через 0 минут", None),
            ("через 1000 часов", None),
            ("через 1193046 часов 59 минут", None),
            ("через 1193046 с половиной часов", None),
            ("в 25", None),
            ("в 10:7", None),
            ("в спальне", None),
            ("через пень", None),
        ] {
            let words: Vec<&str> = text.split_whitespace().collect();
            let whole = time(&words).filter(|(_, used)| *used == words.len()).map(|(when, _)| when);
            assert_eq!(whole, expected, "{text}");
        }
    }
}
