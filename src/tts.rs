//! Measures and cuts TTS text as Yandex does: the letters of a `<speaker …>` tag don't count (docs/facts/alice.md).

const SPEAKER: &str = "<speaker ";

/// Returns the number of Unicode scalar values that count.
pub fn length(tts: &str) -> usize {
    parts(tts).map(|part| part.counted().chars().count()).sum()
}

/// Cuts `tts` to a length of `limit`; the last character is «…» if anything was cut. Never cuts within a tag.
pub fn cut(tts: &str, limit: usize) -> String {
    if length(tts) <= limit {
        return tts.to_owned();
    }
    let mut room = limit.saturating_sub(1);
    let mut spoken = String::new();
    for part in parts(tts) {
        match part {
            WordsOrTag::Tag(tag) => spoken.push_str(tag),
            WordsOrTag::Words(words) => {
                spoken.extend(words.chars().take(room));
                room = room.saturating_sub(words.chars().count());
            }
        }
        if room == 0 {
            break;
        }
    }
    spoken.push('…');
    spoken
}

enum WordsOrTag<'a> {
    Tag(&'a str),
    Words(&'a str),
}

impl<'a> WordsOrTag<'a> {
    fn counted(&self) -> &'a str {
        match self {
            Self::Tag(_) => "",
            Self::Words(words) => words,
        }
    }
}

fn parts(tts: &str) -> impl Iterator<Item = WordsOrTag<'_>> {
    let mut rest = tts;
    std::iter::from_fn(move || {
        // An unterminated tag is plain text.
        let tag =
            rest.find(SPEAKER).and_then(|start| Some((start, start + rest[start..].find('>')? + 1)));
        let (part, length) = match tag {
            Some((0, end)) => (WordsOrTag::Tag(&rest[..end]), end),
            Some((start, _)) => (WordsOrTag::Words(&rest[..start]), start),
            None if rest.is_empty() => return None,
            None => (WordsOrTag::Words(rest), rest.len()),
        };
        rest = &rest[length..];
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TAG: &str = "<speaker audio=\"alice-sounds-game-win-1.opus\">";

    #[test]
    fn a_speaker_tag_does_not_count_and_other_markup_does() {
        assert_eq!(length(&format!("а{TAG}б{TAG}")), 2);
        assert_eq!(length("sil <[500]> да"), 14);
        assert_eq!(length("<speakers>"), 10);
        assert_eq!(length("<speaker без конца"), 18);
    }

    #[test]
    fn a_tts_of_the_limit_is_left_whole_with_all_its_tags() {
        let whole = format!("{TAG}аб{TAG}в{TAG}");
        assert_eq!(cut(&whole, 3), whole);
        assert_eq!(cut("абв", 3), "абв");
    }

    #[test]
    fn a_longer_one_is_cut_among_its_words_and_never_within_a_tag() {
        assert_eq!(cut("абвг", 3), "аб…");
        assert_eq!(cut(&format!("а{TAG}бвг"), 3), format!("а{TAG}б…"));
        assert_eq!(cut(&format!("аб{TAG}вг"), 3), "аб…");
        assert_eq!(cut(&format!("{TAG}абвг"), 1), format!("{TAG}…"));
    }

    proptest! {
        #[test]
        fn no_cut_is_too_long_or_breaks_a_tag(
            parts in prop::collection::vec(prop_oneof!["[а-я<> ]{0,9}", Just(TAG.to_owned())], 0..9),
            limit in 1_usize..20,
        ) {
            let whole = parts.concat();
            let cut = cut(&whole, limit);
            prop_assert!(length(&cut) <= limit, "{cut}");
            prop_assert_eq!(cut.matches(SPEAKER).count(), cut.matches(TAG).count(), "{}", cut);
        }
    }
}
