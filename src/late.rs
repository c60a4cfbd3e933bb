//! Answers that missed their turn: the commands still at work, and what came of them, kept until the
//! person who asked comes back. Pure data in bounded tables, nothing is written down anywhere.
//!
//! Yandex can't be pushed to (facts/alice.md), so the next turn is the only chance to tell.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::alice::Speech;
use crate::exchange::LinkId;
use crate::limits::{MAX_LATE, MAX_LATE_EACH, MAX_PERSON_ID, MAX_TEXT, REMEMBERED_FOR};
use crate::phrases;
use crate::text::cut;

/// Who asked, and so who may hear the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Person {
    /// A Yandex account, on whichever device.
    Account(String),
    /// A device on which nobody is logged in.
    Device(String),
    /// Whoever runs `ask` with the relay's own secrets.
    Ask,
}

impl Person {
    /// The account, or else the device; nobody when the turn names neither, or in a way that Yandex
    /// doesn't.
    pub fn of(account: Option<&str>, device: Option<&str>) -> Option<Self> {
        let fits = |id: &&str| (1..=MAX_PERSON_ID).contains(&id.len());
        match (account, device) {
            (Some(account), _) => Some(account).filter(fits).map(|id| Self::Account(id.to_owned())),
            (None, device) => device.filter(fits).map(|id| Self::Device(id.to_owned())),
        }
    }
}

/// A command whose turn is over, but which the agent may still answer.
#[derive(Debug)]
pub struct Working {
    /// Its id, for the agent.
    pub id: String,
    /// The link it was sent on.
    pub link: LinkId,
    /// Who hears the answer.
    pub person: Person,
    /// When it was asked.
    pub begun: Instant,
}

#[derive(Debug)]
struct Kept {
    person: Person,
    since: Instant,
    text: String,
    tts: Option<String>,
}

/// What there is to tell a person who asks.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// Answers: what to say of them.
    Answers(Saying),
    /// The oldest command still at work has been for so long.
    Working(Duration),
    /// Nothing is kept, and nothing under way.
    Nothing,
}

/// Text, and tts where it differs.
#[derive(Debug, PartialEq, Eq)]
pub struct Saying {
    /// What is shown.
    pub text: String,
    /// What is spoken when it differs.
    pub tts: Option<String>,
}

/// The commands at work and the answers kept, [`MAX_LATE`] of each, [`MAX_LATE_EACH`] a person, each for
/// [`REMEMBERED_FOR`]; the oldest first.
#[derive(Debug, Default)]
pub struct Late {
    working: VecDeque<Working>,
    kept: VecDeque<Kept>,
    /// Nobody will come back to hear any more.
    pub closed: bool,
    /// Answers that came late, since the start.
    pub came: u64,
    /// Late answers that were heard, since the start.
    pub heard: u64,
}

impl Late {
    /// A command's turn is over. When there is no room, the oldest is given up, and its person will be
    /// told.
    pub fn work_on(&mut self, command: Working, now: Instant) {
        let of_person = |working: &Working| working.person == command.person;
        if self.working.iter().filter(|working| of_person(working)).count() >= MAX_LATE_EACH {
            let oldest = self.working.iter().position(of_person);
            self.give_up(oldest, now);
        } else if self.working.len() >= MAX_LATE {
            self.give_up(Some(0), now);
        }
        self.working.push_back(command);
    }

    fn give_up(&mut self, number: Option<usize>, now: Instant) {
        if let Some(command) = number.and_then(|number| self.working.remove(number)) {
            self.keep(command.person, phrases::GIVEN_UP.into(), now);
        }
    }

    /// The agent answered; when it was asked.
    ///
    /// # Errors
    /// No command at work on `link` has this id: the answer back.
    pub fn answer(
        &mut self,
        link: LinkId,
        id: &str,
        speech: Speech,
        now: Instant,
    ) -> Result<Instant, Speech> {
        let awaited = |working: &Working| working.link == link && working.id == id;
        let number = self.working.iter().position(awaited);
        match number.and_then(|number| self.working.remove(number)) {
            None => Err(speech),
            Some(command) => {
                self.came += 1;
                self.keep(command.person, speech, now);
                Ok(command.begun)
            }
        }
    }

    /// The link is over: that is the answer to what was at work on it.
    pub fn lose(&mut self, link: LinkId, now: Instant) {
        while let Some(number) = self.working.iter().position(|working| working.link == link) {
            if let Some(command) = self.working.remove(number) {
                self.keep(command.person, phrases::LOST_AT_WORK.into(), now);
            }
        }
    }

    /// Gives up what has been at work for too long, and forgets what nobody came for; when to look again.
    pub fn tend(&mut self, now: Instant) -> Option<Instant> {
        while self.working.front().is_some_and(|oldest| now >= oldest.begun + REMEMBERED_FOR) {
            self.give_up(Some(0), now);
        }
        while self.kept.front().is_some_and(|oldest| now >= oldest.since + REMEMBERED_FOR) {
            self.kept.pop_front();
        }
        let working = self.working.front().map(|oldest| oldest.begun + REMEMBERED_FOR);
        let kept = self.kept.front().map(|oldest| oldest.since + REMEMBERED_FOR);
        working.into_iter().chain(kept).min()
    }

    fn keep(&mut self, person: Person, speech: Speech, now: Instant) {
        let of_person = |kept: &Kept| kept.person == person;
        if self.kept.iter().filter(|kept| of_person(kept)).count() >= MAX_LATE_EACH {
            if let Some(oldest) = self.kept.iter().position(of_person) {
                self.kept.remove(oldest);
            }
        } else if self.kept.len() >= MAX_LATE {
            self.kept.pop_front();
        }
        let text = if speech.text.trim().is_empty() { phrases::DONE } else { &speech.text };
        let text = cut(text, MAX_TEXT);
        let tts = speech.tts.filter(|tts| !tts.is_empty()).map(|tts| cut(&tts, MAX_TEXT));
        self.kept.push_back(Kept { person, since: now, text, tts });
    }

    /// The person asks for news. What is told is gone.
    pub fn news(&mut self, person: &Person, now: Instant) -> News {
        self.tend(now);
        if let Some(saying) = self.take(person, None) {
            return News::Answers(saying);
        }
        match self.working.iter().find(|working| working.person == *person) {
            Some(oldest) => News::Working(now.saturating_duration_since(oldest.begun)),
            None => News::Nothing,
        }
    }

    /// Puts what is kept for the person before the answer to another command, as far as it fits.
    pub fn alongside(&mut self, person: &Person, speech: Speech, now: Instant) -> Speech {
        if self.kept.is_empty() {
            return speech;
        }
        self.tend(now);
        let own = Saying { text: cut(&speech.text, MAX_TEXT), tts: speech.tts.clone() };
        match self.take(person, Some(&own)) {
            None => speech,
            Some(Saying { text, tts }) => Speech { text, tts, ..speech },
        }
    }

    /// Takes as many kept answers as fit whole, the oldest first, before `own` or with a word about those
    /// that must wait. None when there are none, or not even one fits before `own`.
    fn take(&mut self, person: &Person, own: Option<&Saying>) -> Option<Saying> {
        let mine: Vec<&Kept> = self.kept.iter().filter(|kept| kept.person == *person).collect();
        let said = (1..=mine.len()).rev().find_map(|count| {
            let rest = (count < mine.len()).then_some(phrases::MORE_KEPT);
            let taken = &mine[..count];
            let saying = join(taken, own, rest.filter(|_| own.is_none()));
            // A single answer may leave no room for the word about the others; it is told all the same.
            let saying = match fits(&saying) || count > 1 || own.is_some() {
                true => saying,
                false => join(taken, own, None),
            };
            fits(&saying).then_some((count, saying))
        });
        let (count, saying) = said?;
        let mut left = count;
        self.kept.retain(|kept| {
            let told = left > 0 && kept.person == *person;
            left -= usize::from(told);
            !told
        });
        self.heard += count as u64;
        Some(saying)
    }
}

fn join(kept: &[&Kept], own: Option<&Saying>, rest: Option<&str>) -> Saying {
    let own_text = own.map(|own| own.text.as_str());
    let texts = kept.iter().map(|kept| kept.text.as_str()).chain(own_text).chain(rest);
    let text = texts.collect::<Vec<_>>().join("\n");
    let own_tts = own.map(|own| own.tts.as_deref().unwrap_or(&own.text));
    let spoken = kept.iter().map(|kept| kept.tts.as_deref().unwrap_or(&kept.text));
    let spoken = spoken.chain(own_tts).chain(rest).collect::<Vec<_>>().join("\n");
    let tts = (spoken != text).then_some(spoken);
    Saying { text, tts }
}

fn fits(saying: &Saying) -> bool {
    let short = |text: &str| text.chars().count() <= MAX_TEXT;
    short(&saying.text) && saying.tts.as_deref().is_none_or(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: LinkId = LinkId(1);

    fn me() -> Person {
        Person::Account("me".into())
    }

    fn work(late: &mut Late, person: Person, id: &str, begun: Instant) {
        late.work_on(Working { id: id.into(), link: LINK, person, begun }, begun);
    }

    /// A late answer for `person`.
    fn keep(late: &mut Late, person: Person, text: &str, now: Instant) {
        work(late, person, text, now);
        assert!(late.answer(LINK, text, text.into(), now).is_ok());
    }

    fn told(news: News) -> String {
        match news {
            News::Answers(saying) => saying.text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_answer_is_told_once_and_to_nobody_else() {
        let (mut late, now) = (Late::default(), Instant::now());
        work(&mut late, me(), "1", now);
        assert!(late.answer(LinkId(2), "1", "чужая".into(), now).is_err(), "another link's");
        assert!(late.answer(LINK, "1", "готово".into(), now).is_ok());
        assert!(late.answer(LINK, "1", "ещё раз".into(), now).is_err());
        for other in [Person::Device("me".into()), Person::Account("you".into()), Person::Ask] {
            assert_eq!(late.news(&other, now), News::Nothing);
        }
        assert_eq!(told(late.news(&me(), now)), "готово");
        assert_eq!(late.news(&me(), now), News::Nothing);
        assert_eq!((late.came, late.heard), (1, 1));
    }

    #[test]
    fn who_asks_too_early_hears_for_how_long_it_has_been_at_work() {
        let (mut late, now) = (Late::default(), Instant::now());
        work(&mut late, me(), "1", now);
        let after = Duration::from_secs(25);
        assert_eq!(late.news(&me(), now + after), News::Working(after));
    }

    #[test]
    fn answers_are_told_oldest_first_as_many_as_fit_whole() {
        let (mut late, now) = (Late::default(), Instant::now());
        for letter in ["а", "б", "в"] {
            keep(&mut late, me(), &letter.repeat(500), now);
        }
        let first = told(late.news(&me(), now));
        let expected = format!("{}\n{}", "а".repeat(500), phrases::MORE_KEPT);
        assert_eq!(first, expected, "two and the word about the third don't fit");
        assert_eq!(told(late.news(&me(), now)), format!("{}\n{}", "б".repeat(500), "в".repeat(500)));
        assert_eq!(late.news(&me(), now), News::Nothing);
    }

    #[test]
    fn an_answer_that_fills_the_reply_is_told_whole() {
        let (mut late, now) = (Late::default(), Instant::now());
        keep(&mut late, me(), &"😀".repeat(MAX_TEXT), now);
        keep(&mut late, me(), "ещё", now);
        assert_eq!(told(late.news(&me(), now)), "😀".repeat(MAX_TEXT));
        assert_eq!(told(late.news(&me(), now)), "ещё");
    }

    #[test]
    fn a_kept_answer_goes_before_another_if_both_fit_and_stays_if_not() {
        let (mut late, now) = (Late::default(), Instant::now());
        // 500 letters with a combining mark each are 1000 scalar values.
        let marked = "е\u{301}".repeat(500);
        keep(&mut late, me(), &marked, now);
        let own = |length: usize| Speech::from("я".repeat(length).as_str());
        assert_eq!(late.alongside(&me(), own(24), now).text, "я".repeat(24), "1025 in all");
        let both = late.alongside(&me(), own(23), now).text;
        assert_eq!(both, format!("{marked}\n{}", "я".repeat(23)));
        assert_eq!(late.news(&me(), now), News::Nothing);
    }

    #[test]
    fn tts_is_kept_along_and_the_text_stands_in_where_there_is_none() {
        let (mut late, now) = (Late::default(), Instant::now());
        work(&mut late, me(), "1", now);
        let spoken = Speech { tts: Some("зам+ок".into()), ..Speech::from("замок") };
        assert!(late.answer(LINK, "1", spoken, now).is_ok());
        let both = late.alongside(&me(), "дом".into(), now);
        assert_eq!((both.text.as_str(), both.tts.as_deref()), ("замок\nдом", Some("зам+ок\nдом")));
    }

    #[test]
    fn a_lost_link_and_too_long_a_time_are_answers_too() {
        let (mut late, now) = (Late::default(), Instant::now());
        work(&mut late, me(), "1", now);
        late.lose(LINK, now);
        assert_eq!(told(late.news(&me(), now)), phrases::LOST_AT_WORK);
        work(&mut late, me(), "2", now);
        assert_eq!(late.tend(now), Some(now + REMEMBERED_FOR));
        let later = now + REMEMBERED_FOR;
        assert_eq!(told(late.news(&me(), later)), phrases::GIVEN_UP);
        keep(&mut late, me(), "3", now);
        assert_eq!(late.news(&me(), later), News::Nothing, "nobody came for it");
    }

    #[test]
    fn nobody_has_more_than_their_share_and_all_together_no_more_than_the_tables() {
        let (mut late, now) = (Late::default(), Instant::now());
        for number in 0..=MAX_LATE_EACH {
            work(&mut late, me(), &number.to_string(), now);
        }
        assert_eq!(late.working.len(), MAX_LATE_EACH);
        assert!(late.answer(LINK, "0", "".into(), now).is_err(), "the oldest was given up");
        assert_eq!(told(late.news(&me(), now)), phrases::GIVEN_UP);
        for number in 0..10_000 {
            let person = Person::Device(number.to_string());
            keep(&mut late, person.clone(), &number.to_string(), now);
            work(&mut late, person, "w", now);
        }
        assert_eq!((late.working.len(), late.kept.len()), (MAX_LATE, MAX_LATE));
        assert_eq!(told(late.news(&Person::Device("9999".into()), now)), "9999");
    }
}
