//! What the speaker was asked to choose from, and what the next turn chose. Plain data.

use crate::action::{Action, Deed};
use crate::phrases::names::{Like, pick};
use crate::phrases::rules::RULES;
use crate::phrases::words::{plain, words};

/// Things that a phrase could mean, by the names that the speaker heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub items: Vec<(String, Action)>,
    /// What was asked for, and may be said again.
    pub deed: Option<Deed>,
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

/// The lists of `rules.txt` that choose by place.
const ORDINALS: [&str; MAX_ITEMS] = ["первый", "второй", "третий", "четвёртый", "пятый"];

impl Choice {
    /// Returns what a phrase chooses.
    pub fn chosen_by(&self, phrase: &str) -> Chosen {
        let spoken: Vec<String> = words(phrase).iter().map(|word| plain(word)).collect();
        let is_of = |words: &[String], lists: &[&str]| !words.is_empty() && RULES.is_of(words, lists);
        if is_of(&spoken, &["никакой"]) {
            return Chosen::Nothing;
        }
        if let [(_, action)] = self.items.as_slice() {
            let says_yes = spoken.iter().any(|word| is_of(std::slice::from_ref(word), &["да"]));
            let is_yes = says_yes && is_of(&spoken, &["да", "выбирая"]);
            return if is_yes { Chosen::This(action.clone()) } else { Chosen::Other };
        }
        let verb = match self.deed {
            Some(Deed::Open) => &["выбирая", "открой"][..],
            Some(Deed::Close) => &["выбирая", "закрой"],
            Some(Deed::Switch) => &["выбирая", "перейди", "на"],
            Some(Deed::Minimise) => &["выбирая", "сверни"],
            None => &["выбирая"],
        };
        let told: Vec<String> = spoken.into_iter().filter(|word| !is_of(std::slice::from_ref(word), verb)).collect();
        let place = || match is_of(&told, &["последний"]) {
            true => self.items.last(),
            false => self.items.get(ORDINALS.iter().position(|list| is_of(&told, &[list]))?),
        };
        let named = || match pick(&told, &self.items, Like::Part, |(name, _)| vec![name]).as_slice() {
            [one] => Some(*one),
            _ => None,
        };
        place().or_else(named).map_or(Chosen::Other, |(_, action)| Chosen::This(action.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_turn_chooses_by_place_or_by_name() {
        let item = |name: &str| (name.to_owned(), Action::Type(name.to_owned()));
        let choice = Choice {
            items: vec![item("Firefox ESR"), item("Google Chrome"), item("Chromium")],
            deed: Some(Deed::Open),
        };
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
        for other in ["громче", "четвертый", "первый второй", "да", "открой", "закрой firefox", "открой телеграм", ""]
        {
            assert_eq!(choice.chosen_by(other), Chosen::Other, "{other}");
        }
    }

    #[test]
    fn a_single_thing_is_agreed_to() {
        let choice = Choice { items: vec![("Да".into(), Action::EmptyBin)], deed: None };
        assert_eq!(choice.chosen_by("да, удаляй"), Chosen::This(Action::EmptyBin));
        assert_eq!(choice.chosen_by("нет"), Chosen::Nothing);
        for other in ["очисти историю", "закрой окно", "открой", "ну пожалуйста", "это то", "пожалуйста", ""]
        {
            assert_eq!(choice.chosen_by(other), Chosen::Other, "{other}");
        }
    }
}
