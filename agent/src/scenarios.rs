//! The list of scenarios for the app «Дом с Алисой»: a phrase without the skill's name, and what the speaker then says
//! to the skill (docs/next-steps.md, "Any phrase in one breath"). Plain data.

use crate::phrases::words::{plain, words};

/// Scenarios that Yandex takes from one account.
pub const MAX_SCENARIOS: usize = 200;

/// What is put behind a phrase, so that it is none of the speaker's own.
const HERE: &str = "на компе";

/// Words that say already which machine is meant.
const NAMES: [&str; 3] = ["компьютер", "комп", "компе"];

/// The list, and what is doubtful about it.
#[derive(Debug, PartialEq, Eq)]
pub struct Scenarios {
    /// What is said, and what the speaker says to the skill.
    pub lines: Vec<(String, String)>,
    pub doubts: Vec<String>,
}

/// Returns the scenarios for these phrases, and the skill with this name.
pub fn scenarios<'a>(phrases: impl Iterator<Item = &'a str>, skill: &str) -> Scenarios {
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut doubts = Vec::new();
    for phrase in phrases {
        if phrase.contains('*') {
            doubts.push(format!("«{phrase}»: остаток фразы сценарий не передаёт, скажите её навыку"));
            continue;
        }
        let spoken = words(phrase);
        let phrase = spoken.join(" ");
        if phrase.chars().any(|c| c.is_ascii_alphabetic()) {
            doubts.push(format!("«{phrase}»: латинские буквы в сценарии не годятся, напишите русскими"));
        }
        let is_named = spoken.iter().any(|word| NAMES.contains(&&**word));
        let said = if is_named { phrase.clone() } else { format!("{phrase} {HERE}") };
        lines.push((said, format!("попроси {skill} {phrase}")));
    }
    if lines.len() > MAX_SCENARIOS {
        doubts.push(format!("сценариев {}, а Яндекс берёт не больше {MAX_SCENARIOS}", lines.len()));
    }
    let said: Vec<&str> = lines.iter().take(MAX_SCENARIOS).map(|(said, _)| &**said).collect();
    for (place, one) in said.iter().enumerate() {
        for other in said[..place].iter().filter(|other| are_near(one, other)) {
            doubts.push(format!("«{other}» и «{one}» похожи: Алиса может их спутать"));
        }
    }
    Scenarios { lines, doubts }
}

/// Whether Alice, who matches phrases by likeness since May 2026, may take one for the other: the same words in another
/// order, or a sixth of the letters that differ.
fn are_near(one: &str, other: &str) -> bool {
    let sorted = |phrase: &str| {
        let mut words: Vec<String> = phrase.split(' ').map(plain).collect();
        words.sort();
        words
    };
    let longest = one.chars().count().max(other.chars().count());
    sorted(one) == sorted(other) || distance(one, other) <= longest / 6
}

/// Returns how many letters must be put in, taken out or changed (Levenshtein's distance).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (place, a) in one.chars().enumerate() {
        let mut before = row[0];
        row[0] = place + 1;
        for (column, b) in other.iter().enumerate() {
            let changed = before + usize::from(a != *b);
            before = row[column + 1];
            row[column + 1] = changed.min(before + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(phrases: &[&str]) -> Scenarios {
        scenarios(phrases.iter().copied(), "Домашний компьютер")
    }

    #[test]
    fn a_phrase_names_the_pc_and_the_skill_gets_it_as_it_is() {
        let Scenarios { lines, doubts } = of(&["Открой почту!", "выключи компьютер"]);
        let line = |said: &str, to: &str| (said.to_owned(), format!("попроси Домашний компьютер {to}"));
        let right = [line("открой почту на компе", "открой почту"), line("выключи компьютер", "выключи компьютер")];
        assert_eq!((lines.as_slice(), doubts.len()), (&right[..], 0));
    }

    #[test]
    fn what_yandex_would_confuse_or_refuse_is_told() {
        for (phrases, doubt) in [
            (&["открой steam"][..], "латинские"),
            (&["найди фильм *"], "остаток"),
            (&["включи музыку", "включи музыка"], "похожи"),
            (&["звук тише", "тише звук"], "похожи"),
        ] {
            let doubts = of(phrases).doubts;
            assert!(doubts.len() == 1 && doubts[0].contains(doubt), "{doubts:?}");
        }
        assert!(of(&["громче", "открой почту", "пауза"]).doubts.is_empty());
        let many: Vec<String> = (0..=MAX_SCENARIOS).map(|n| format!("{}{n}", "я".repeat(n))).collect();
        let many: Vec<&str> = many.iter().map(|phrase| &**phrase).collect();
        assert!(of(&many).doubts.iter().any(|doubt| doubt.contains("не больше 200")));
    }

    #[test]
    fn a_distance_is_levenshteins() {
        assert_eq!(distance("кот", "кит"), 1);
        assert_eq!(distance("", "кот"), 3);
        assert_eq!(distance("громче", "погромче"), 2);
        assert_eq!(distance("а", "а"), 0);
    }
}
