//! From a phrase to an action. Plain data, no system call.

pub mod choice;
mod keys;
pub mod names;
mod numbers;
pub mod own;
mod rules;
pub mod smart_home;
pub mod time;
pub mod words;

use std::cmp::Reverse;

use crate::action::{Action, Brightness, Deed, Desktop, Key, Language, Player, Power, Report, Sound};
use crate::phrases::own::{Own, percent_encoded};
use crate::phrases::rules::RULES;
use crate::phrases::words::{plain, words};

/// Characters of a phrase that is looked at: nobody says a longer one.
pub const MAX_PHRASE: usize = 1000;

/// By how much «громче» and «тише» change the volume, in percent, and by how much with «немного» and «сильно».
const STEPS: [i32; 3] = [10, 5, 25];

/// Returns what a phrase asks for; none when it is none that is known. The owner's own commands come first; that of
/// theirs which takes every phrase is for whoever finds nothing else.
pub fn understand(phrase: &str, commands: &[Own]) -> Option<Action> {
    if is_too_long(phrase) {
        return None;
    }
    own::find(&words(phrase), commands, false).or_else(|| built_in(phrase))
}

/// Whether it is longer than anybody speaks.
pub fn is_too_long(phrase: &str) -> bool {
    phrase.chars().nth(MAX_PHRASE).is_some()
}

/// They make no phrase like another.
const QUESTIONS: [&str; 4] = ["какая", "какие", "что", "сколько"];

/// Returns what is understood without the owner's own commands and most like this phrase, if anything is like it.
pub fn nearest(phrase: &str) -> Option<&'static str> {
    let spoken = words(phrase);
    // The end of a word changes with the case.
    let stem = |word: &str| plain(word).chars().take(5).collect::<String>();
    let spoken: Vec<String> = spoken.iter().map(|word| stem(word)).collect();
    let like = |example: &str| {
        let mut words = words(example);
        words.retain(|word| word.chars().count() > 2 && !QUESTIONS.contains(&&**word));
        let shared = words.iter().filter(|word| spoken.contains(&stem(word))).count();
        (shared * 100 / words.len().max(1), shared)
    };
    RULES.examples().filter(|example| like(example).1 > 0).min_by_key(|example| Reverse(like(example)))
}

/// Returns what is understood without the owner's own commands, an example each.
pub fn examples() -> impl Iterator<Item = (&'static str, Action)> {
    RULES.examples().filter_map(|example| Some((example, built_in(example)?)))
}

/// Returns the part of a phrase that these words are, as it was written.
fn written<'a>(phrase: &'a str, rest: &[String]) -> Option<&'a str> {
    let is_rest = |text: &str| words(text) == rest;
    let begins =
        phrase.char_indices().filter(|(at, c)| !c.is_whitespace() && (*at == 0 || phrase[..*at].ends_with(' ')));
    begins.map(|(at, _)| &phrase[at..]).find(|text| is_rest(text)).map(str::trim_end)
}

fn built_in(phrase: &str) -> Option<Action> {
    let spoken = words(phrase);
    let asked = RULES.find(&spoken)?;
    let rest = &spoken[asked.rest.clone()];
    let name = || rest.join(" ");
    // A line's end would run what is typed.
    let text = || written(phrase, rest).map_or_else(name, |text| text.replace(char::is_control, " "));
    let search = |address: &str| {
        let (what, answer) = (format!("{address}{}", percent_encoded(&text())), Some(format!("Ищу: {}.", text())));
        Action::Open { what, answer }
    };
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
        "выйди из системы" => Action::Power(Power::LogOff(asked.when)),
        "погаси экран" => Action::Desktop(Desktop::ScreenOff),
        "зажги экран" => Action::Desktop(Desktop::ScreenOn),
        "сверни всё" => Action::Desktop(Desktop::MinimiseAll),
        "разверни всё" => Action::Desktop(Desktop::RestoreAll),
        "сверни окно" => Action::Desktop(Desktop::MinimiseThis),
        "разверни окно" => Action::Desktop(Desktop::MaximiseThis),
        "на весь экран" => Action::Desktop(Desktop::FullscreenThis),
        "закрой окно" => Action::Desktop(Desktop::CloseThis),
        "скриншот" => Action::Desktop(Desktop::Screenshot),
        "ярче" => Action::Brightness(Brightness::By(step)),
        "темнее" => Action::Brightness(Brightness::By(-step)),
        "ярче на" => Action::Brightness(Brightness::By(number?)),
        "темнее на" => Action::Brightness(Brightness::By(-number?)),
        "яркость" => Action::Brightness(Brightness::Set(asked.number?)),
        "яркость на максимум" => Action::Brightness(Brightness::Set(100)),
        "яркость на минимум" => Action::Brightness(Brightness::Set(1)),
        "яркость наполовину" => Action::Brightness(Brightness::Set(50)),
        "напечатай" => Action::Type(text()),
        "нажми" => Action::Press(keys::keys(rest)?),
        "скопируй" => Action::Press(vec![Key::Ctrl, Key::Char('c')]),
        "вырежи" => Action::Press(vec![Key::Ctrl, Key::Char('x')]),
        "вставь" => Action::Press(vec![Key::Ctrl, Key::Char('v')]),
        "выдели всё" => Action::Press(vec![Key::Ctrl, Key::Char('a')]),
        "другое окно" => Action::Press(vec![Key::Alt, Key::Tab]),
        "другая раскладка" => Action::Layout(None),
        "русская раскладка" => Action::Layout(Some(Language::Russian)),
        "английская раскладка" => Action::Layout(Some(Language::English)),
        "найди в интернете" => search("https://yandex.ru/search/?text="),
        "найди на ютубе" => search("https://www.youtube.com/results?search_query="),
        "что в буфере" => Action::Report(Report::Clipboard),
        "заряд" => Action::Report(Report::Battery),
        "система" => Action::Report(Report::System),
        "запущенное" => Action::Report(Report::Programs),
        "что умеешь" => Action::Report(Report::Skills),
        "какая громкость" => Action::Sound(Sound::By(0)),
        "что играет" => Action::Report(Report::Track),
        "очисти корзину" => Action::AskToEmptyBin,
        "открой" => Action::Named(Deed::Open, name()),
        "закрой" => Action::Named(Deed::Close, name()),
        "переключись" => Action::Named(Deed::Switch, name()),
        "сверни" => Action::Named(Deed::Minimise, name()),
        "уже включён" => Action::Awake,
        "отмена" => Action::Cancel,
        "проверка связи" => Action::Check,
        // «Не понимаю», or a rule whose action nobody knows: a test tells of it.
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
    fn own_commands_come_first_and_the_one_for_all_phrases_is_none_of_them() {
        let (mine, all) = (own("отмена", "mine"), own("*", "all"));
        assert_eq!(understand("Отмена.", &[]), Some(Action::Cancel));
        assert_eq!(understand("отмена", std::slice::from_ref(&all)), Some(Action::Cancel));
        assert_eq!(understand("отмена", std::slice::from_ref(&mine)), Some(mine.does));
        assert_eq!(understand("что угодно", &[all]), None);
    }

    #[test]
    fn a_phrase_without_an_end_is_none() {
        let text = "я".repeat(MAX_PHRASE - "напечатай ".chars().count());
        assert_eq!(understand(&format!("напечатай {text}"), &[]), Some(Action::Type(text.clone())));
        assert_eq!(understand(&format!("напечатай {text}я"), &[]), None);
    }

    #[test]
    fn every_rule_has_an_action_and_most_have_an_example() {
        for action in RULES.actions().filter(|action| *action != "не понимаю") {
            let example = RULES.phrase_of(action);
            assert!(built_in(&example).is_some(), "{action}: {example}");
        }
        assert!(examples().count() >= 8);
    }

    #[test]
    fn what_is_written_or_looked_for_stays_as_it_was_said() {
        for (phrase, text) in [
            ("Напечатай Привет, Мир!", "Привет, Мир!"),
            ("напечатай слово «Ёж»  и 2,5", "«Ёж»  и 2,5"),
            ("пожалуйста напечатай спасибо", "спасибо"),
        ] {
            assert_eq!(understand(phrase, &[]), Some(Action::Type(text.into())), "{phrase}");
        }
        let Some(Action::Open { what, .. }) = understand("найди рецепт борща в интернете", &[])
        else {
            panic!()
        };
        assert!(what.ends_with(&percent_encoded("рецепт борща")), "{what}");
    }

    #[test]
    fn what_is_not_understood_is_near_something() {
        assert_eq!(nearest("поставь громкость так чтобы было слышно"), Some("громкость 50"));
        assert_eq!(nearest("сделай мне скриншот экрана телефона"), Some("сделай скриншот"));
        assert_eq!(nearest("расскажи анекдот"), None);
    }

    #[test]
    fn the_table_of_phrases_is_understood_and_what_is_not_meant_is_refused() {
        // What the PC of the table has: a name that it doesn't have is no command.
        let programs =
            ["Firefox ESR", "Google Chrome", "Steam", "Telegram Desktop", "VLC", "Discord", "Dota 2", "Zoom"];
        let is_here = |action: &Action| match action {
            Action::Named(_, name) => {
                let name = words(name);
                names::known(&name).next().is_some()
                    || !names::pick(&name, &programs, names::Like::Part, |own| vec![own]).is_empty()
            }
            _ => true,
        };
        let table = include_str!("../../tests/phrases.txt");
        let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let rows: Vec<(&str, &str)> = lines.map(|line| line.split_once(" | ").expect(line)).collect();
        let wrong: Vec<String> = rows
            .iter()
            .filter_map(|(phrase, right)| {
                let found = understand(phrase, &[]).filter(is_here).map_or("-".into(), |action| action.to_string());
                (found != *right).then(|| format!("{phrase}: {found}, not {right}"))
            })
            .collect();
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    }
}
