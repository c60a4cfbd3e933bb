//! Late answers: commands that are pending past their turn, and their answers, kept until the person who asked comes
//! back. Plain data in bounded tables.
//!
//! Yandex has no push messages (docs/facts/alice.md), so the person's next turn is the only chance to deliver one.

use std::mem::take;
use std::time::{Duration, Instant};

use crate::commands::in_flight::LinkId;
use crate::commands::person::Person;
use crate::config::agents::AgentId;

/// Limits of what is kept.
#[derive(Debug, Clone, Copy)]
pub struct LateLimits {
    /// Pending commands, answers and losses, each, of all people together.
    pub total: usize,
    /// Pending commands and answers, each, of one person and one agent.
    pub each: usize,
    /// How long a command may be pending past its turn, and how long its answer is kept.
    pub lifetime: Duration,
}

/// Why an answer can't be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The link broke while the command was pending.
    LinkLost,
    /// The agent took too long, or newer commands needed the room.
    GivenUp,
    /// The answer came, but newer ones needed the room.
    Evicted,
}

/// One thing to tell a person.
#[derive(Debug, PartialEq, Eq)]
pub enum Item<'a, A> {
    /// An answer, and the agent it came from.
    Answer(AgentId, &'a A),
    /// One or more answers of this agent are lost.
    Loss(AgentId, Loss),
}

/// Whom an entry is for, and which PC it is about. [`LateLimits::each`] counts per key, so that below the total no PC
/// evicts another's entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateKey {
    pub person: Person,
    pub agent: AgentId,
}

#[derive(Debug)]
struct Pending {
    id: String,
    link: LinkId,
    key: LateKey,
    begun: Instant,
    until: Instant,
}

#[derive(Debug)]
struct Kept<A> {
    number: u64,
    id: String,
    key: LateKey,
    until: Instant,
    answer: A,
}

#[derive(Debug)]
struct Lost {
    number: u64,
    key: LateKey,
    until: Instant,
    loss: Loss,
}

/// Items taken out to be told to one person. They must be put back, with how many were told.
#[derive(Debug)]
pub struct Taken<A> {
    answers: Vec<Kept<A>>,
    losses: Vec<Lost>,
}

impl<A> Taken<A> {
    /// Returns the items: the answers, oldest first, then the losses.
    pub fn items(&self) -> Vec<Item<'_, A>> {
        let answers = self.answers.iter().map(|kept| Item::Answer(kept.key.agent, &kept.answer));
        let losses = self.losses.iter().map(|lost| Item::Loss(lost.key.agent, lost.loss));
        answers.chain(losses).collect()
    }
}

/// Pending commands, answers and losses, each with the newest last.
#[derive(Debug)]
pub struct LateAnswers<A> {
    limits: LateLimits,
    pending: Vec<Pending>,
    answers: Vec<Kept<A>>,
    /// At most one of a kind for each owner: five commands that one broken link lost are one thing to tell.
    losses: Vec<Lost>,
    /// Answers and losses are numbered in the order they came.
    numbers: u64,
    /// Answers that came late since the start.
    pub came: u64,
    /// Late answers that were told since the start.
    pub told: u64,
}

impl<A> LateAnswers<A> {
    /// Creates empty tables.
    pub fn new(limits: LateLimits) -> Self {
        let (pending, answers, losses) = (Vec::new(), Vec::new(), Vec::new());
        Self { limits, pending, answers, losses, numbers: 0, came: 0, told: 0 }
    }

    /// Parks a command whose turn is over while the agent still works on it. If its key has too many, the oldest
    /// of that key is given up, if all have, the oldest of all; its person will be told.
    pub fn park(&mut self, id: String, link: LinkId, key: LateKey, begun: Instant, now: Instant) {
        let until = now + self.limits.lifetime;
        self.pending.push(Pending { id, link, key: key.clone(), begun, until });
        if let Some(place) = index_to_evict(&self.pending, |w| w.key == key, &self.limits) {
            self.give_up(place, Loss::GivenUp, now);
        }
    }

    /// Keeps the answer to a pending command of `link`. Returns the PC it is about, and when its turn arrived.
    ///
    /// # Errors
    /// No such command is pending.
    pub fn answer(
        &mut self,
        link: LinkId,
        id: &str,
        answer: A,
        now: Instant,
    ) -> Result<(AgentId, Instant), ()> {
        let is_it = |pending: &Pending| pending.link == link && pending.id == id;
        let place = self.pending.iter().position(is_it).ok_or(())?;
        let Pending { id, key, begun, .. } = self.pending.remove(place);
        self.came += 1;
        let (number, until, agent) = (self.next_number(), now + self.limits.lifetime, key.agent);
        self.keep(Kept { number, id, key, until, answer }, now);
        Ok((agent, begun))
    }

    /// Inserts an answer at its number's place. When there is no room, the oldest is lost, and its person will be told.
    fn keep(&mut self, kept: Kept<A>, now: Instant) {
        let key = kept.key.clone();
        let place = self.answers.partition_point(|other| other.number < kept.number);
        self.answers.insert(place, kept);
        if let Some(place) = index_to_evict(&self.answers, |a| a.key == key, &self.limits) {
            let oldest = self.answers.remove(place);
            self.lose_for(oldest.key, Loss::Evicted, now);
        }
    }

    /// Gives up every pending command of a link that has ended.
    pub fn lose(&mut self, link: LinkId, now: Instant) {
        while let Some(place) = self.pending.iter().position(|pending| pending.link == link) {
            self.give_up(place, Loss::LinkLost, now);
        }
    }

    /// Gives up commands that are pending for too long, and drops what nobody came for. Returns the next deadline.
    pub fn run_timers(&mut self, now: Instant) -> Option<Instant> {
        while let Some(place) = self.pending.iter().position(|pending| pending.until <= now) {
            self.give_up(place, Loss::GivenUp, now);
        }
        self.answers.retain(|kept| kept.until > now);
        self.losses.retain(|lost| lost.until > now);
        let pending = self.pending.iter().map(|pending| pending.until);
        let answers = self.answers.iter().map(|kept| kept.until);
        pending.chain(answers).chain(self.losses.iter().map(|lost| lost.until)).min()
    }

    /// Takes out what is kept for the person, or only what became of the command `only`, so that no other turn of the
    /// person tells the same. Must be followed by [`LateAnswers::put_back`].
    pub fn take(&mut self, person: &Person, only: Option<&str>, now: Instant) -> Taken<A> {
        if self.answers.is_empty() && self.losses.is_empty() {
            return Taken { answers: Vec::new(), losses: Vec::new() };
        }
        self.run_timers(now);
        let is_meant =
            |kept: &Kept<A>| kept.key.person == *person && only.is_none_or(|id| kept.id == id);
        let (answers, others) = take(&mut self.answers).into_iter().partition(is_meant);
        self.answers = others;
        // A loss has no id: it is told to a waiter for one command when there is nothing else.
        let takes_losses =
            only.is_none_or(|id| answers.is_empty() && self.oldest_pending(person, Some(id)).is_none());
        let is_theirs = |lost: &Lost| takes_losses && lost.key.person == *person;
        let (losses, others) = take(&mut self.losses).into_iter().partition(is_theirs);
        self.losses = others;
        Taken { answers, losses }
    }

    /// Puts back what was taken out but for the first `told` items. Each returns to its place and keeps its expiry; what
    /// came meanwhile may have taken the room of the oldest.
    pub fn put_back(&mut self, taken: Taken<A>, told: usize, now: Instant) {
        let answers = taken.answers.len().min(told);
        self.told += answers as u64;
        taken.answers.into_iter().skip(answers).for_each(|kept| self.keep(kept, now));
        taken.losses.into_iter().skip(told - answers).for_each(|lost| self.add_loss(lost));
    }

    /// Returns when the person's oldest pending command, or the command `only`, arrived, and the PC it is about.
    pub fn oldest_pending(&self, person: &Person, only: Option<&str>) -> Option<(Instant, AgentId)> {
        let is_meant = |w: &&Pending| w.key.person == *person && only.is_none_or(|id| w.id == id);
        let meant = self.pending.iter().filter(is_meant);
        meant.map(|pending| (pending.begun, pending.key.agent)).min()
    }

    /// Whether anything is kept for the person.
    pub fn has_unread(&self, person: &Person) -> bool {
        self.answers.iter().any(|kept| kept.key.person == *person)
            || self.losses.iter().any(|lost| lost.key.person == *person)
    }

    /// Returns the number of answers and losses kept for the person.
    pub fn count_kept(&mut self, person: &Person, now: Instant) -> usize {
        self.run_timers(now);
        let answers = self.answers.iter().filter(|kept| kept.key.person == *person);
        answers.count() + self.losses.iter().filter(|lost| lost.key.person == *person).count()
    }

    /// Whether a command is pending on `link`.
    pub fn has_pending(&self, link: LinkId) -> bool {
        self.pending.iter().any(|pending| pending.link == link)
    }

    fn give_up(&mut self, place: usize, loss: Loss, now: Instant) {
        let command = self.pending.remove(place);
        self.lose_for(command.key, loss, now);
    }

    fn lose_for(&mut self, key: LateKey, loss: Loss, now: Instant) {
        let (number, until) = (self.next_number(), now + self.limits.lifetime);
        self.add_loss(Lost { number, key, until, loss });
    }

    fn add_loss(&mut self, lost: Lost) {
        let is_known = |known: &&mut Lost| known.key == lost.key && known.loss == lost.loss;
        if let Some(known) = self.losses.iter_mut().find(is_known) {
            known.until = known.until.max(lost.until);
            return;
        }
        let place = self.losses.partition_point(|other| other.number < lost.number);
        self.losses.insert(place, lost);
        if self.losses.len() > self.limits.total {
            self.losses.remove(0);
        }
    }

    fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// How many commands are at work, and how many answers and losses are kept.
    #[cfg(test)]
    pub fn sizes(&self) -> (usize, usize, usize) {
        (self.pending.len(), self.answers.len(), self.losses.len())
    }
}

/// Returns the index of the oldest entry to evict after one was added for the owner that `is_theirs` tells, or `None`
/// while there is room.
fn index_to_evict<T>(
    entries: &[T],
    is_theirs: impl Fn(&T) -> bool,
    limits: &LateLimits,
) -> Option<usize> {
    if entries.iter().filter(|entry| is_theirs(entry)).count() > limits.each {
        entries.iter().position(is_theirs)
    } else {
        (entries.len() > limits.total).then_some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: LinkId = LinkId::new(AgentId::DEFAULT, 1);
    const BOUNDS: LateLimits = LateLimits { total: 8, each: 3, lifetime: Duration::from_secs(600) };

    fn late() -> (LateAnswers<&'static str>, Instant) {
        (LateAnswers::new(BOUNDS), Instant::now())
    }

    fn me() -> Person {
        Person::Account("me".into())
    }

    fn other(number: usize) -> Person {
        Person::Device(number.to_string())
    }

    fn work(late: &mut LateAnswers<&'static str>, person: Person, id: &str, now: Instant) {
        late.park(id.into(), LINK, LateKey { person, agent: LINK.agent }, now, now);
    }

    /// A late answer for `person`.
    fn keep(late: &mut LateAnswers<&'static str>, person: Person, answer: &'static str, now: Instant) {
        work(late, person, answer, now);
        assert!(late.answer(LINK, answer, answer, now).is_ok());
    }

    /// Everything that there is to tell, as words.
    fn heard(late: &mut LateAnswers<&'static str>, person: &Person, now: Instant) -> Vec<String> {
        let words = |item: &Item<'_, &str>| match item {
            Item::Answer(_, answer) => answer.to_string(),
            Item::Loss(_, loss) => format!("{loss:?}"),
        };
        let taken = late.take(person, None, now);
        let heard: Vec<_> = taken.items().iter().map(words).collect();
        late.put_back(taken, heard.len(), now);
        heard
    }

    #[test]
    fn an_answer_is_told_once_and_to_nobody_else() {
        let (mut late, now) = late();
        work(&mut late, me(), "1", now);
        assert!(late.answer(LinkId::new(AgentId::DEFAULT, 2), "1", "another link's", now).is_err());
        assert!(late.answer(LINK, "1", "done", now).is_ok());
        assert!(late.answer(LINK, "1", "done again", now).is_err());
        for stranger in [Person::Device("me".into()), Person::Account("you".into()), Person::Ask] {
            assert!(heard(&mut late, &stranger, now).is_empty());
        }
        assert!(late.has_unread(&me()) && !late.has_unread(&Person::Ask));
        assert_eq!(heard(&mut late, &me(), now), ["done"]);
        assert!(!late.has_unread(&me()));
        assert!(heard(&mut late, &me(), now).is_empty());
        assert_eq!((late.came, late.told), (1, 1));
    }

    #[test]
    fn only_what_was_told_is_forgotten_the_oldest_first() {
        let (mut late, now) = late();
        for answer in ["1", "2", "3"] {
            keep(&mut late, me(), answer, now);
        }
        let taken = late.take(&me(), None, now);
        assert_eq!(taken.items().len(), 3);
        late.put_back(taken, 2, now);
        assert_eq!((late.told, heard(&mut late, &me(), now)), (2, vec!["3".to_owned()]));
    }

    #[test]
    fn what_one_turn_is_telling_no_other_tells() {
        let (mut late, now) = late();
        keep(&mut late, me(), "1", now);
        keep(&mut late, me(), "2", now);
        let taken = late.take(&me(), None, now);
        assert!(heard(&mut late, &me(), now).is_empty());
        keep(&mut late, me(), "3", now);
        assert_eq!(heard(&mut late, &me(), now), ["3"]);
        late.put_back(taken, 1, now);
        assert_eq!((heard(&mut late, &me(), now), late.told), (vec!["2".to_owned()], 3));
    }

    #[test]
    fn what_is_put_back_stands_where_it_stood_and_is_kept_no_longer() {
        let (mut late, now) = late();
        keep(&mut late, me(), "1", now);
        keep(&mut late, other(1), "other", now);
        let taken = late.take(&me(), None, now);
        let later = now + Duration::from_secs(1);
        keep(&mut late, me(), "2", later);
        late.put_back(taken, 0, later);
        let ids: Vec<_> = late.answers.iter().map(|kept| kept.id.as_str()).collect();
        assert_eq!(ids, ["1", "other", "2"]);
        assert_eq!(heard(&mut late, &me(), now + BOUNDS.lifetime), ["2"]);
    }

    #[test]
    fn what_finds_its_room_taken_when_it_is_put_back_is_told_as_lost() {
        let (mut late, now) = late();
        keep(&mut late, me(), "1", now);
        keep(&mut late, me(), "2", now);
        let taken = late.take(&me(), None, now);
        for answer in ["3", "4"] {
            keep(&mut late, me(), answer, now);
        }
        late.put_back(taken, 0, now);
        assert_eq!(heard(&mut late, &me(), now), ["2", "3", "4", "Evicted"]);
    }

    #[test]
    fn who_waits_for_one_command_takes_nothing_of_the_others() {
        let (mut late, now) = late();
        keep(&mut late, me(), "1", now);
        keep(&mut late, me(), "2", now);
        work(&mut late, me(), "3", now + Duration::from_secs(1));
        let one = |late: &mut LateAnswers<&'static str>, id| {
            let taken = late.take(&me(), Some(id), now);
            let heard = format!("{:?}", taken.items());
            late.put_back(taken, 1, now);
            heard
        };
        assert_eq!(one(&mut late, "2"), "[Answer(AgentId(0), \"2\")]");
        assert_eq!(one(&mut late, "2"), "[]");
        assert_eq!(one(&mut late, "3"), "[]");
        assert_eq!(
            late.oldest_pending(&me(), Some("3")),
            Some((now + Duration::from_secs(1), AgentId::DEFAULT))
        );
        assert_eq!(late.oldest_pending(&me(), Some("1")), None);
        late.lose(LINK, now);
        assert_eq!(one(&mut late, "3"), "[Loss(AgentId(0), LinkLost)]");
        assert_eq!(heard(&mut late, &me(), now), ["1"]);
    }

    #[test]
    fn a_loss_that_a_command_at_work_does_not_share_is_not_taken_for_its_own() {
        let (mut late, now) = late();
        work(&mut late, me(), "lost", now);
        late.lose(LINK, now);
        let mine = LateKey { person: me(), agent: AgentId::DEFAULT };
        late.park("at work".into(), LinkId::new(AgentId::DEFAULT, 2), mine, now, now);
        assert_eq!(late.take(&me(), Some("at work"), now).items(), []);
        assert_eq!(heard(&mut late, &me(), now), ["LinkLost"]);
    }

    #[test]
    fn the_commands_that_a_link_took_along_are_one_thing_to_tell() {
        let (mut late, now) = late();
        for id in ["1", "2", "3"] {
            work(&mut late, me(), id, now);
        }
        work(&mut late, other(1), "4", now);
        late.lose(LINK, now);
        assert_eq!(heard(&mut late, &me(), now), ["LinkLost"]);
        assert_eq!(heard(&mut late, &other(1), now), ["LinkLost"]);
    }

    #[test]
    fn a_command_that_took_too_long_is_told_and_an_answer_that_nobody_came_for_is_forgotten() {
        let (mut late, now) = late();
        work(&mut late, me(), "1", now);
        keep(&mut late, other(1), "2", now);
        let end = now + BOUNDS.lifetime;
        assert_eq!(late.run_timers(end - Duration::from_nanos(1)), Some(end));
        assert_eq!(late.run_timers(end), Some(end + BOUNDS.lifetime), "the loss is kept as long");
        assert!(heard(&mut late, &other(1), end).is_empty());
        assert_eq!(heard(&mut late, &me(), end), ["GivenUp"]);
        assert_eq!(late.run_timers(end), None);
    }

    #[test]
    fn who_has_more_answers_than_there_is_room_for_is_told_that_some_are_lost() {
        let (mut late, now) = late();
        for answer in ["1", "2", "3", "4", "5"] {
            keep(&mut late, me(), answer, now);
        }
        assert_eq!(heard(&mut late, &me(), now), ["3", "4", "5", "Evicted"]);
    }

    #[test]
    fn one_agents_commands_and_answers_never_make_room_for_anothers() {
        let (mut late, now) = late();
        let slow = LinkId::new(AgentId(1), 2);
        for id in ["a", "b", "c", "d"] {
            let mine = LateKey { person: me(), agent: slow.agent };
            late.park(id.into(), slow, mine, now, now);
        }
        for answer in ["1", "2", "3"] {
            keep(&mut late, me(), answer, now);
        }
        assert_eq!(late.oldest_pending(&me(), None), Some((now, AgentId(1))));
        late.lose(slow, now);
        let taken = late.take(&me(), None, now);
        let told: Vec<_> = taken.items().iter().map(|item| format!("{item:?}")).collect();
        let answers = ["1", "2", "3"].map(|answer| format!("Answer(AgentId(0), {answer:?})"));
        let losses = ["GivenUp", "LinkLost"].map(|loss| format!("Loss(AgentId(1), {loss})"));
        assert_eq!(told, [answers.to_vec(), losses.to_vec()].concat());
    }

    #[test]
    fn a_command_that_gives_way_takes_no_answer_along() {
        let (mut late, now) = late();
        for answer in ["1", "2", "3"] {
            keep(&mut late, me(), answer, now);
        }
        for id in ["a", "b", "c", "d", "e"] {
            work(&mut late, me(), id, now);
        }
        assert!(late.answer(LINK, "a", "a", now).is_err(), "the oldest has given way");
        assert_eq!(heard(&mut late, &me(), now), ["1", "2", "3", "GivenUp"]);
        assert!(late.answer(LINK, "c", "c", now).is_ok());
    }

    #[test]
    fn all_people_together_have_no_more_than_the_tables_hold() {
        let (mut late, now) = late();
        for number in 0..1000 {
            keep(&mut late, other(number), "answer", now);
            work(&mut late, other(number), "at work", now);
        }
        assert_eq!(late.sizes(), (8, 8, 8));
        assert_eq!(heard(&mut late, &other(999), now), ["answer"]);
        let given_way = heard(&mut late, &other(991), now);
        assert_eq!(given_way, ["GivenUp", "Evicted"], "whose answer and command gave way last");
    }
}
