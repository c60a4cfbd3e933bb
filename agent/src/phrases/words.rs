//! The words of a phrase, however it was written. Plain data.

/// Returns a phrase's words in lower case. Punctuation and control characters stand between words and never in them,
/// but for the point, comma and colon of a number: so what somebody says can't become an option or a path.
pub fn words(phrase: &str) -> Vec<String> {
    let lower = phrase.to_lowercase();
    let mut words = vec![String::new()];
    let mut last = ' ';
    let mut characters = lower.chars().peekable();
    while let Some(c) = characters.next() {
        let is_in_number =
            ".,:".contains(c) && last.is_ascii_digit() && characters.peek().is_some_and(char::is_ascii_digit);
        last = c;
        match words.last_mut() {
            Some(word) if is_in_number || !is_between(c) => word.push(c),
            _ => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn is_between(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || c.is_ascii_punctuation() && !"%+$=<>^`|~".contains(c)
        || "¡¿«»‐‑‒–—―‘’‚“”„…".contains(c)
}

/// Returns a word as it is compared: Yandex writes «ё» as «е» now and then.
pub fn plain(word: &str) -> String {
    word.replace('ё', "е")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_that_yandex_hands_over() {
        for (phrase, expected) in [
            ("Громче, на 10%!", vec!["громче", "на", "10%"]),
            ("поставь 7:30, громкость 2,5.", vec!["поставь", "7:30", "громкость", "2,5"]),
            ("  что-нибудь —\tпогромче ", vec!["что", "нибудь", "погромче"]),
            ("?!", vec![]),
            ("с++ и 50$", vec!["с++", "и", "50$"]),
        ] {
            assert_eq!(words(phrase), expected, "{phrase}");
        }
    }

    #[test]
    fn no_word_is_an_option_a_path_or_holds_what_ends_a_text() {
        let odd = "--help -rf ../../etc/passwd /bin/sh ..\\x a\0b c\u{1b}[31m @file ~/x %USERPROFILE% 1:2 ..5";
        for word in words(odd) {
            assert!(!word.starts_with(['-', '/', '.', '@']) && !word.contains(['/', '\\', '\0', '\u{1b}']), "{word}");
        }
    }
}
