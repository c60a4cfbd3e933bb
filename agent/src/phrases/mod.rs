//! From a phrase to an action. Plain data, no system call.

mod numbers;
pub mod own;
mod rules;
pub mod smart_home;
pub mod time;
pub mod words;

use crate::action::{Action, Player, Power, Sound};
use crate::phrases::own::Own;
use crate::phrases::rules::RULES;
use crate::phrases::words::words;

/// Characters of a phrase that is looked at: nobody says a longer one.
pub const MAX_PHRASE: usize = 1000;

/// By how much «громче» and «тише» change the volume, in percent, and by how much with «немного» and «сильно».
const STEPS: [i32; 3] = [10, 5, 25];

/// Returns what a phrase asks for; none when it is none that is known. The owner's own commands come first, and that
/// of theirs which takes every phrase comes last.
pub fn understand(phrase: &str, commands: &[Own]) -> Option<Action> {
    if phrase.chars().nth(MAX_PHRASE).is_some() {
        return None;
    }
    let spoken = words(phrase);
    own::find(&spoken, commands, false).or_else(|| built_in(&spoken)).or_else(|| own::find(&spoken, commands, true))
}

/// Returns what is understood without the owner's own commands, an example each.
pub fn examples() -> impl Iterator<Item = (&'static str, Action)> {
    RULES.examples().filter_map(|example| Some((example, built_in(&words(example))?)))
}

fn built_in(spoken: &[String]) -> Option<Action> {
    let asked = RULES.find(spoken)?;
    let number = asked.number.and_then(|number| i32::try_from(number).ok());
    let step = match asked.parts.contains(&"немного") {
        true => STEPS[1],
        false => STEPS[0],
    };
    Some(match asked.action {
        "громче" => Action::Sound(Sound::By(step)),
        "тише" => Action::Sound(Sound::By(-step)),
        "сильно громче" => Action::Sound(Sound::By(STEPS[2])),
        "сильно тише" => Action::Sound(Sound::By(-STEPS[2])),
        "громче на" => Action::Sound(Sound::By(number?)),
        "тише на" => Action::Sound(Sound::By(-number?)),
        "громкость" => Action::Sound(Sound::Set(asked.number?)),
        "громкость на максимум" => Action::Sound(Sound::Set(100)),
        "громкость на минимум" => Action::Sound(Sound::Set(0)),
        "громкость наполовину" => Action::Sound(Sound::Set(50)),
        "выключи звук" => Action::Sound(Sound::Mute(true)),
        "включи звук" => Action::Sound(Sound::Mute(false)),
        "пауза" => Action::Player(Player::Pause),
        "продолжи" => Action::Player(Player::Play),
        "следующий" => Action::Player(Player::Next),
        "предыдущий" => Action::Player(Player::Previous),
        "сон" => Action::Power(Power::Sleep),
        "гибернация" => Action::Power(Power::Hibernate),
        "заблокируй" => Action::Power(Power::Lock),
        "выключи компьютер" => Action::Power(Power::Off(asked.when)),
        "перезагрузи компьютер" => Action::Power(Power::Restart(asked.when)),
        "уже включён" => Action::Awake,
        "отмена" => Action::Cancel,
        "проверка связи" => Action::Check,
        // A rule whose action nobody knows: a test tells of it.
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::action::Speaks;
    use crate::phrases::own::Pattern;

    fn own(say: &str, program: &str) -> Own {
        let arguments = vec![program.to_owned()];
        let does = Action::Run { arguments, speaks: Speaks::Done, timeout: Duration::from_secs(1) };
        Own { says: vec![Pattern::parse(say).unwrap()], does }
    }

    #[test]
    fn own_commands_come_first_and_the_one_for_all_phrases_last() {
        let (mine, all) = (own("отмена", "mine"), own("*", "all"));
        assert_eq!(understand("Отмена.", &[]), Some(Action::Cancel));
        assert_eq!(understand("отмена", std::slice::from_ref(&all)), Some(Action::Cancel));
        assert_eq!(understand("отмена", std::slice::from_ref(&mine)), Some(mine.does));
        assert_eq!(understand("что угодно", std::slice::from_ref(&all)), Some(all.does));
        assert_eq!(understand("что угодно", &[]), None);
    }

    #[test]
    fn a_phrase_without_an_end_is_none() {
        let all = [own("*", "all")];
        assert!(understand(&"я".repeat(MAX_PHRASE), &all).is_some());
        assert!(understand(&"я".repeat(MAX_PHRASE + 1), &all).is_none());
    }

    #[test]
    fn every_rule_has_an_action_and_most_have_an_example() {
        for action in RULES.actions() {
            let example = RULES.phrase_of(action);
            assert!(built_in(&words(&example)).is_some(), "{action}: {example}");
        }
        assert!(examples().count() >= 8);
    }

    #[test]
    fn the_table_of_phrases_is_understood_and_what_is_not_meant_is_refused() {
        let table = include_str!("../../tests/phrases.txt");
        let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let rows: Vec<(&str, &str)> = lines.map(|line| line.split_once(" | ").expect(line)).collect();
        let wrong: Vec<String> = rows
            .iter()
            .filter_map(|(phrase, right)| {
                let found = understand(phrase, &[]).map_or("-".into(), |action| action.to_string());
                (found != *right).then(|| format!("{phrase}: {found}, not {right}"))
            })
            .collect();
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    }
}
