//! From a phrase to an action. Plain data, no system call.

pub mod own;
pub mod words;

use crate::action::Action;
use crate::phrases::own::Own;
use crate::phrases::words::{plain, words};

/// Characters of a phrase that is looked at: nobody says a longer one.
pub const MAX_PHRASE: usize = 1000;

/// What is understood without the owner's own commands, each with an example.
pub const BUILT_IN: [(&str, Action); 2] =
    [("отмена", Action::Cancel), ("проверка связи", Action::Check)];

/// The other ways to say «отмена».
const CANCEL: [&str; 5] = ["отмена", "отмени", "отменить", "отмени команду", "отмени это"];

/// Returns what a phrase asks for; none when it is none that is known. The owner's own commands come first, and that
/// of theirs which takes every phrase comes last.
pub fn understand(phrase: &str, commands: &[Own]) -> Option<Action> {
    if phrase.chars().nth(MAX_PHRASE).is_some() {
        return None;
    }
    let spoken = words(phrase);
    own::find(&spoken, commands, false)
        .or_else(|| built_in(&spoken))
        .or_else(|| own::find(&spoken, commands, true))
}

fn built_in(spoken: &[String]) -> Option<Action> {
    let phrase = plain(&spoken.join(" "));
    match &*phrase {
        "проверка связи" | "проверь связь" => Some(Action::Check),
        phrase => CANCEL.contains(&phrase).then_some(Action::Cancel),
    }
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
    fn each_example_is_understood_as_it_says() {
        for (example, action) in BUILT_IN {
            assert_eq!(understand(example, &[]), Some(action), "{example}");
        }
    }
}
