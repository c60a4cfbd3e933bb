//! The commands that the relay answers itself, as Yandex normalises them (docs/facts/alice.md).
//!
//! `phrases.rs` tells people of them; `owner/ask.rs` and `owner_page/page.js` send the first of them by themselves.

/// Ask for late answers.
const NEWS: [&str; 8] =
    ["готово", "готова", "готово ли", "что там", "ну что", "ну что там", "ответ", "что с ответом"];

/// Ask for help.
const HELP: [&str; 2] = ["помощь", "что ты умеешь"];

/// Whether a normalised command asks for late answers.
pub fn asks_for_news(command: &str) -> bool {
    NEWS.contains(&command)
}

/// Whether a normalised command asks for help.
pub fn asks_for_help(command: &str) -> bool {
    HELP.contains(&command)
}

/// Returns all of them.
#[cfg(test)]
pub fn all() -> impl Iterator<Item = &'static str> {
    NEWS.into_iter().chain(HELP)
}

/// Returns the command that asks for late answers.
pub fn news() -> &'static str {
    NEWS[0]
}

/// Normalises a phrase as Yandex does: lower case, no punctuation, words separated by one space. A separator between
/// two digits belongs to the number.
pub fn normalised(phrase: &str) -> String {
    let lower = phrase.to_lowercase();
    let mut command = String::with_capacity(lower.len());
    let mut last = ' ';
    let mut characters = lower.chars().peekable();
    while let Some(character) = characters.next() {
        let next_is_digit = characters.peek().is_some_and(char::is_ascii_digit);
        let in_number = ".,:".contains(character) && last.is_ascii_digit() && next_is_digit;
        let separates = character.is_whitespace() || (is_punctuation(character) && !in_number);
        last = character;
        if !separates {
            command.push(character);
        } else if !command.ends_with(' ') {
            command.push(' ');
        }
    }
    command.trim().to_owned()
}

fn is_punctuation(character: char) -> bool {
    "!\"#&'()*,-./:;?@[\\]_{}¡¿«»‐‑‒–—―‘’‚“”„…".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_is_normalised_as_yandex_does() {
        for (phrase, command) in [
            ("Готово?", "готово"),
            ("  Помощь!  ", "помощь"),
            ("Ну, что там…", "ну что там"),
            ("Громче на 10%", "громче на 10%"),
            ("открой «Блокнот»", "открой блокнот"),
            ("поставь 7:30, громкость 2.5.", "поставь 7:30 громкость 2.5"),
            ("что-нибудь — погромче", "что нибудь погромче"),
            ("ЁЛКА\tи\nещё", "ёлка и ещё"),
            ("?!", ""),
        ] {
            assert_eq!(normalised(phrase), command, "{phrase}");
        }
    }

    #[test]
    fn the_relays_own_words_are_written_as_they_arrive() {
        for word in NEWS.iter().chain(&HELP) {
            assert_eq!(normalised(word), **word);
        }
        assert!(NEWS.iter().all(|word| asks_for_news(word) && !asks_for_help(word)));
        assert!(HELP.iter().all(|word| asks_for_help(word) && !asks_for_news(word)));
        assert!(
            asks_for_news(news()) && !asks_for_news("готовность") && !asks_for_help("помощь другу")
        );
    }
}
