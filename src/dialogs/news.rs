//! Puts late answers and losses into words, as many as fit into one reply.

use std::borrow::Cow;

use crate::commands::late_answers::{Item, Loss};
use crate::config::agents::{AgentId, Names};
use crate::dialogs::phrases;
use crate::speech::{MAX_TEXT, Speech};
use crate::tts;

/// Puts as many whole items as fit into one reply, at least one, and says whether more are kept. With several PCs each
/// item begins with its PC's name. Returns their number and the speech.
pub fn tell(items: &[Item<'_, Speech>], names: &Names) -> (usize, Speech) {
    let mut parts = parts(items, names);
    if how_many_fit(&parts, None) == parts.len() {
        return (parts.len(), join(&parts));
    }
    let rest = Speech::new(phrases::MORE_KEPT);
    let count = how_many_fit(&parts, Some(&rest));
    parts.truncate(count.max(1));
    // An item that fills the reply leaves no room for that.
    parts.extend((count > 0).then_some(Cow::Owned(rest)));
    (count.max(1), join(&parts))
}

/// Puts as many whole items as fit before `agent`'s answer to another command. Returns their number, which may be 0,
/// and the speech.
pub fn tell_before(
    items: &[Item<'_, Speech>],
    (agent, own): (AgentId, &Speech),
    names: &Names,
) -> (usize, Speech) {
    let mut parts = parts(items, names);
    let last = named(agent, own, names);
    let count = how_many_fit(&parts, Some(&last));
    if count == 0 {
        return (0, own.clone());
    }
    parts.truncate(count);
    parts.push(last);
    let both = join(&parts).with_buttons(own.buttons().to_vec());
    (count, both.with_end_of(own))
}

fn parts<'a>(items: &[Item<'a, Speech>], names: &Names) -> Vec<Cow<'a, Speech>> {
    let words = |item: &Item<'a, Speech>| match *item {
        Item::Answer(agent, speech) => named(agent, speech, names),
        Item::Loss(agent, loss) => Cow::Owned(
            match loss {
                Loss::LinkLost => phrases::LOST_AT_WORK,
                Loss::GivenUp => phrases::GIVEN_UP,
                Loss::Evicted => phrases::ANSWERS_LOST,
            }
            .about(names.among_several(agent)),
        ),
    };
    items.iter().map(words).collect()
}

/// Puts the PC's name before an answer, if there are several PCs.
fn named<'a>(agent: AgentId, speech: &'a Speech, names: &Names) -> Cow<'a, Speech> {
    match names.among_several(agent) {
        None => Cow::Borrowed(speech),
        Some(name) => Cow::Owned(speech.clone().by(name)),
    }
}

/// Returns how many parts fit whole into one reply, with `last` behind them if there is one.
fn how_many_fit(parts: &[Cow<'_, Speech>], last: Option<&Speech>) -> usize {
    // Each part is followed by a break; the last one's is not needed.
    let lengths = |part: &Speech| [part.text().chars().count() + 1, tts::length(part.spoken()) + 1];
    let mut all = last.map_or([0; 2], lengths);
    let fits = |part: &&Cow<'_, Speech>| {
        all.iter_mut().zip(lengths(part)).for_each(|(all, more)| *all += more);
        all.iter().all(|length| *length <= MAX_TEXT + 1)
    };
    parts.iter().take_while(fits).count()
}

fn join(parts: &[Cow<'_, Speech>]) -> Speech {
    let text = parts.iter().map(|part| part.text()).collect::<Vec<_>>().join("\n");
    let spoken = parts.iter().map(|part| part.spoken()).collect::<Vec<_>>().join("\n");
    Speech::new(&text).with_tts((spoken != text).then_some(&spoken))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::agents::Agents;

    const AGENT: AgentId = AgentId::DEFAULT;

    fn answers(texts: &[String]) -> Vec<Speech> {
        texts.iter().map(|text| Speech::new(text)).collect()
    }

    fn told(speeches: &[Speech]) -> (usize, String) {
        let items: Vec<_> = speeches.iter().map(|speech| Item::Answer(AGENT, speech)).collect();
        let (count, speech) = tell(&items, &Names::default());
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
        let (count, said) =
            tell_before(&[Item::Answer(AGENT, &kept)], (AGENT, &own(24)), &Names::default());
        assert_eq!((count, said.text()), (0, own(24).text()), "1025 in all");
        let (count, said) =
            tell_before(&[Item::Answer(AGENT, &kept)], (AGENT, &own(23)), &Names::default());
        assert_eq!((count, said.text()), (1, &*format!("{}\n{}", kept.text(), own(23).text())));
        assert!(said.end_session(), "the answer's own word");
    }

    #[test]
    fn tts_is_told_along_and_the_text_stands_in_where_there_is_none() {
        let kept = Speech::new("замок").with_tts(Some("зам+ок"));
        let (_, said) =
            tell_before(&[Item::Answer(AGENT, &kept)], (AGENT, &"дом".into()), &Names::default());
        assert_eq!((said.text(), said.tts()), ("замок\nдом", Some("зам+ок\nдом")));
    }

    #[test]
    fn what_is_shown_and_what_is_spoken_must_both_fit() {
        let (long, own) = ("я".repeat(MAX_TEXT), "дом".into());
        let shown = Speech::new(&long).with_tts(Some("коротко"));
        let spoken = Speech::new("коротко").with_tts(Some(&long));
        for kept in [shown, spoken] {
            assert_eq!(
                tell_before(&[Item::Answer(AGENT, &kept)], (AGENT, &own), &Names::default()).0,
                0
            );
        }
    }

    #[test]
    fn losses_have_words_of_their_own() {
        let all = [Loss::LinkLost, Loss::GivenUp, Loss::Evicted].map(|loss| Item::Loss(AGENT, loss));
        let (count, said) = tell(&all, &Names::default());
        let words = [phrases::LOST_AT_WORK, phrases::GIVEN_UP, phrases::ANSWERS_LOST];
        let words = words.map(|phrase| phrase.about(None).text().to_owned()).join("\n");
        assert_eq!((count, said.text(), said.tts()), (3, words.as_str(), None));
    }

    #[test]
    fn of_several_pcs_each_says_its_name() {
        let entries = Some(("AGENTS", "ноутбук=0123456789abcdef".to_owned()));
        let names = Agents::read(None, entries, &[]).unwrap().names();
        let (kept, own) = (Speech::new("нашёл"), Speech::new("громче"));
        let items = [Item::Answer(AgentId(1), &kept), Item::Loss(AGENT, Loss::LinkLost)];
        let lost = "Компьютер: связь прервалась, пока выполнялась команда.";
        assert_eq!(tell(&items, &names).1.text(), format!("Ноутбук: нашёл\n{lost}"));
        let (_, both) = tell_before(&items, (AGENT, &own), &names);
        assert_eq!(both.text(), format!("Ноутбук: нашёл\n{lost}\nКомпьютер: громче"));
        assert_eq!(tell_before(&[], (AGENT, &own), &names).1.text(), "громче");
    }
}
