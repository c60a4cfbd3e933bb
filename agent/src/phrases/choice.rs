//! What the speaker was asked to choose from, and what the next turn chose. Plain data.

use crate::action::Action;
use crate::phrases::names::pick;
use crate::phrases::words::{plain, words};

/// Things that a phrase could mean, by the names that the speaker heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub items: Vec<(String, Action)>,
}

/// What the next turn says of a choice.
#[derive(Debug, PartialEq, Eq)]
pub enum Chosen {
    This(Action),
    /// None of them.
    Nothing,
    /// It says nothing of it.
    Other,
}

/// Things that are offered: nobody remembers more by ear.
pub const MAX_ITEMS: usize = 5;

const ORDINALS: [&str; MAX_ITEMS] = [
    "первый первая первое первую 1 один одно первого",
    "второй вторая второе вторую 2 два второго",
    "третий третья третье третью 3 три третьего",
    "четвертый четвертая четвертое четвертую 4 четыре",
    "пятый пятая пятое пятую 5 пять",
];
const LAST: &str = "последний последняя последнее последнюю";
const NOTHING: &str = "нет не надо нужно отмена отмени никакой никакое никакую ничего ни один передумал стоп отстань";
const YES: &str = "да ага давай удаляй удали очисти очищай конечно подтверждаю";

/// Words that say nothing of which one it is.
const EMPTY: &str =
    "давай пусть номер пожалуйста вариант окно программу открой запусти закрой переключись на ну это тот та то";

impl Choice {
    /// Returns what a phrase chooses.
    pub fn chosen_by(&self, phrase: &str) -> Chosen {
        let spoken: Vec<String> = words(phrase).iter().map(|word| plain(word)).collect();
        let is_of = |list: &str, word: &str| list.split(' ').any(|own| own == word);
        if !spoken.is_empty() && spoken.iter().all(|word| is_of(NOTHING, word)) {
            return Chosen::Nothing;
        }
        if let [(_, action)] = self.items.as_slice() {
            let is_yes = !spoken.is_empty() && spoken.iter().all(|word| is_of(YES, word) || is_of(EMPTY, word));
            return if is_yes { Chosen::This(action.clone()) } else { Chosen::Other };
        }
        let told: Vec<String> = spoken.into_iter().filter(|word| !is_of(EMPTY, word)).collect();
        let ordinal = |word: &str| match is_of(LAST, word) {
            true => self.items.last(),
            false => self.items.get(ORDINALS.iter().position(|names| is_of(names, word))?),
        };
        let named = || match pick(&told, &self.items, |(name, _)| vec![name]).as_slice() {
            [one] => Some(*one),
            _ => None,
        };
        let chosen = match told.as_slice() {
            [word] => ordinal(word).or_else(named),
            _ => named(),
        };
        chosen.map_or(Chosen::Other, |(_, action)| Chosen::This(action.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_turn_chooses_by_place_or_by_name() {
        let item = |name: &str| (name.to_owned(), Action::Type(name.to_owned()));
        let choice = Choice { items: vec![item("Firefox ESR"), item("Google Chrome"), item("Chromium")] };
        for (said, name) in [
            ("первый", "Firefox ESR"),
            ("давай второе", "Google Chrome"),
            ("последний", "Chromium"),
            ("номер 3", "Chromium"),
            ("Google Chrome", "Google Chrome"),
            ("открой firefox", "Firefox ESR"),
        ] {
            assert_eq!(choice.chosen_by(said), Chosen::This(Action::Type(name.into())), "{said}");
        }
        assert_eq!(choice.chosen_by("не надо"), Chosen::Nothing);
        for other in ["громче", "четвертый", "первый второй", "да", "открой", ""] {
            assert_eq!(choice.chosen_by(other), Chosen::Other, "{other}");
        }
    }

    #[test]
    fn a_single_thing_is_agreed_to() {
        let choice = Choice { items: vec![("Да".into(), Action::EmptyBin)] };
        assert_eq!(choice.chosen_by("да, удаляй"), Chosen::This(Action::EmptyBin));
        assert_eq!(choice.chosen_by("нет"), Chosen::Nothing);
        assert_eq!(choice.chosen_by("очисти историю"), Chosen::Other);
    }
}
