//! Numbers as people say them, up to a hundred. Plain data.

/// A line for each: the number, and its words.
const NUMBERS: &str = include_str!("numbers.txt");

/// Returns the number that words begin with, and how many of them it takes.
pub fn number(words: &[&str]) -> Option<(u32, usize)> {
    let first = words.first()?;
    if let Ok(number) = first.trim_end_matches('%').parse() {
        return Some((number, 1));
    }
    let number = one(first)?;
    match words.get(1).and_then(|word| one(word)) {
        Some(next @ 1..10) if (20..100).contains(&number) => Some((number + next, 2)),
        _ => Some((number, 1)),
    }
}

/// Returns the number that one word is.
fn one(word: &str) -> Option<u32> {
    let lines = NUMBERS.lines().skip(1).filter_map(|line| line.split_once(' '));
    let mut found = lines.filter(|(_, words)| words.split(' ').any(|own| own == word));
    found.next()?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_words_up_to_a_hundred_are_numbers() {
        for (text, expected) in [
            ("50 процентов", Some((50, 1))),
            ("50%", Some((50, 1))),
            ("двадцать пять", Some((25, 2))),
            ("двадцати пяти процентов", Some((25, 2))),
            ("двадцать", Some((20, 1))),
            ("сто", Some((100, 1))),
            ("двадцать двенадцать", Some((20, 1))),
            ("двенадцать два", Some((12, 1))),
            ("ноль", Some((0, 1))),
            ("громче", None),
            ("-5", None),
            ("", None),
        ] {
            let words: Vec<&str> = text.split_whitespace().collect();
            assert_eq!(number(&words), expected, "{text}");
        }
    }
}
