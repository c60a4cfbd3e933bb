//! What is kept for a person, put into words: as much of it as fits into one reply.

use crate::commands::late::{Item, Loss};
use crate::dialogs::phrases;
use crate::speech::{MAX_TEXT, Speech};

/// Something to say: what is shown, and what is spoken.
#[derive(Clone, Copy)]
struct Part<'a> {
    text: &'a str,
    spoken: &'a str,
}

impl<'a> From<&'a str> for Part<'a> {
    fn from(words: &'a str) -> Self {
        Self { text: words, spoken: words }
    }
}

impl<'a> From<&'a Speech> for Part<'a> {
    fn from(speech: &'a Speech) -> Self {
        Self { text: speech.text(), spoken: speech.spoken() }
    }
}

/// Puts as many items as fit whole into one reply, with a word about those that must wait. One item at
/// least is told. Returns how many, and what to say.
pub fn tell(items: &[Item<'_, Speech>]) -> (usize, Speech) {
    let parts = parts(items);
    for count in (1..=parts.len()).rev() {
        let rest = (count < parts.len()).then(|| phrases::MORE_KEPT.into());
        let all: Vec<_> = parts[..count].iter().copied().chain(rest).collect();
        if fit(&all) {
            return (count, join(&all));
        }
    }
    // It leaves no room for the word about the others.
    let first = parts.get(..1).unwrap_or_default();
    (first.len(), join(first))
}

/// Puts as many items as fit whole before the answer to another command. Returns how many, which may be
/// none, and what to say.
pub fn tell_before(items: &[Item<'_, Speech>], own: &Speech) -> (usize, Speech) {
    let parts = parts(items);
    for count in (1..=parts.len()).rev() {
        let all: Vec<_> = parts[..count].iter().copied().chain([own.into()]).collect();
        if fit(&all) {
            let both = join(&all).with_buttons(own.buttons().to_vec());
            return (count, both.with_end_session(own.end_session()));
        }
    }
    (0, own.clone())
}

fn parts<'a>(items: &'a [Item<'_, Speech>]) -> Vec<Part<'a>> {
    let words = |item: &'a Item<'_, Speech>| match item {
        Item::Answer(speech) => Part::from(*speech),
        Item::Loss(Loss::Link) => phrases::LOST_AT_WORK.into(),
        Item::Loss(Loss::NoAnswer) => phrases::GIVEN_UP.into(),
        Item::Loss(Loss::Answer) => phrases::ANSWERS_LOST.into(),
    };
    items.iter().map(words).collect()
}

fn fit(parts: &[Part<'_>]) -> bool {
    let length = |part_of: fn(&Part<'_>) -> usize| {
        parts.iter().map(part_of).sum::<usize>() + parts.len().saturating_sub(1)
    };
    length(|part| part.text.chars().count()) <= MAX_TEXT
        && length(|part| part.spoken.chars().count()) <= MAX_TEXT
}

fn join(parts: &[Part<'_>]) -> Speech {
    let text = parts.iter().map(|part| part.text).collect::<Vec<_>>().join("\n");
    let spoken = parts.iter().map(|part| part.spoken).collect::<Vec<_>>().join("\n");
    Speech::new(&text).with_tts((spoken != text).then_some(&spoken))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(texts: &[String]) -> Vec<Speech> {
        texts.iter().map(|text| Speech::new(text)).collect()
    }

    fn told(speeches: &[Speech]) -> (usize, String) {
        let items: Vec<_> = speeches.iter().map(Item::Answer).collect();
        let (count, speech) = tell(&items);
        (count, speech.text().to_owned())
    }

    #[test]
    fn answers_are_told_oldest_first_as_many_as_fit_whole() {
        let all = answers(&["а", "б", "в"].map(|letter| letter.repeat(500)));
        let first = format!("{}\n{}", "а".repeat(500), phrases::MORE_KEPT);
        assert_eq!(told(&all), (1, first), "two and the word about the third do not fit");
        assert_eq!(told(&all[1..]), (2, format!("{}\n{}", "б".repeat(500), "в".repeat(500))));
    }

    #[test]
    fn an_answer_that_fills_the_reply_is_told_whole() {
        let all = answers(&["😀".repeat(MAX_TEXT), "ещё".into()]);
        assert_eq!(told(&all), (1, "😀".repeat(MAX_TEXT)));
    }

    #[test]
    fn a_kept_answer_goes_before_another_if_both_fit_and_stays_if_not() {
        // 500 letters with a combining mark each are 1000 scalar values.
        let kept = Speech::new(&"е\u{301}".repeat(500));
        let own = |length: usize| Speech::new(&"я".repeat(length)).with_end_session(true);
        let (count, said) = tell_before(&[Item::Answer(&kept)], &own(24));
        assert_eq!((count, said.text()), (0, own(24).text()), "1025 in all");
        let (count, said) = tell_before(&[Item::Answer(&kept)], &own(23));
        assert_eq!((count, said.text()), (1, &*format!("{}\n{}", kept.text(), own(23).text())));
        assert!(said.end_session(), "the answer's own word");
    }

    #[test]
    fn tts_is_told_along_and_the_text_stands_in_where_there_is_none() {
        let kept = Speech::new("замок").with_tts(Some("зам+ок"));
        let (_, said) = tell_before(&[Item::Answer(&kept)], &"дом".into());
        assert_eq!((said.text(), said.tts()), ("замок\nдом", Some("зам+ок\nдом")));
    }

    #[test]
    fn what_is_shown_and_what_is_spoken_must_both_fit() {
        let (long, own) = ("я".repeat(MAX_TEXT), "дом".into());
        let shown = Speech::new(&long).with_tts(Some("коротко"));
        let spoken = Speech::new("коротко").with_tts(Some(&long));
        for kept in [shown, spoken] {
            assert_eq!(tell_before(&[Item::Answer(&kept)], &own).0, 0);
        }
    }

    #[test]
    fn losses_have_words_of_their_own() {
        let all = [Loss::Link, Loss::NoAnswer, Loss::Answer].map(Item::Loss);
        let (count, said) = tell(&all);
        let words = [phrases::LOST_AT_WORK, phrases::GIVEN_UP, phrases::ANSWERS_LOST].join("\n");
        assert_eq!((count, said.text(), said.tts()), (3, words.as_str(), None));
    }
}
