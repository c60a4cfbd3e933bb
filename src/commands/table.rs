//! A command's whole life: in flight, then over or late. Plain data under one lock, so that a command that moves from
//! one part to the other is never in neither or in both.

use std::time::{Duration, Instant};

use crate::commands::in_flight::{Command, InFlight, LinkId, NewCommand};
use crate::commands::late_answers::{LateAnswers, LateKey, LateLimits};
use crate::config::agents::AgentId;

/// Orphans that are remembered; the oldest is dropped first.
pub const MAX_ORPHANS: usize = 256;

/// All commands of the relay, and the late answers.
#[derive(Debug)]
pub struct Table<W, A> {
    /// Commands whose turn is not over.
    pub in_flight: InFlight<W>,
    /// Commands and answers whose turn is over.
    pub late: LateAnswers<A>,
    /// Commands that timed out with no recipient for their answer. The agent still counts as busy with them.
    orphans: Vec<Orphan>,
    lifetime: Duration,
    /// The relay is stopping: see [`Table::close`].
    closing: bool,
    /// When the clock looks at this table next.
    next_look: Option<Instant>,
}

/// A timed-out command with no recipient for its answer.
#[derive(Debug)]
struct Orphan {
    id: String,
    link: LinkId,
    /// Until when the agent counts as busy with it.
    until: Instant,
}

/// The result of [`Table::begin`].
#[derive(Debug)]
pub struct Begun {
    /// The id for the agent's message.
    pub id: String,
    /// Whether the clock must be woken to look earlier than it would.
    pub wake_clock: bool,
}

/// The command that an answer belongs to.
#[derive(Debug)]
pub enum AnswerFor<W, A> {
    /// A command in flight: the answer is in time.
    InTime(Command<W>, A),
    /// A command about this PC whose turn, which arrived then, is over: the answer is kept.
    Late(AgentId, Instant),
    /// No command that still waits.
    Nobody,
}

/// A command whose deadline has passed.
#[derive(Debug)]
pub struct Expired<W> {
    /// The command.
    pub command: Command<W>,
    /// Whether it was sent to the agent.
    pub was_sent: bool,
    /// Whether its answer will be kept for the person who asked.
    pub will_be_kept: bool,
}

impl<W, A> Table<W, A> {
    /// Creates an empty table. `prefix` begins every id; at most `most` commands are in flight; `limits` limits late ones.
    pub fn new(prefix: String, most: usize, limits: LateLimits) -> Self {
        let (in_flight, late) = (InFlight::new(prefix, most), LateAnswers::new(limits));
        let (orphans, lifetime) = (Vec::new(), limits.lifetime);
        Self { in_flight, late, orphans, lifetime, closing: false, next_look: None }
    }

    /// Registers a command that has not been sent yet.
    ///
    /// # Errors
    /// Too many are in flight: returns the responder.
    pub fn begin(&mut self, new: NewCommand<W>) -> Result<Begun, W> {
        let deadline = new.deadline;
        let id = self.in_flight.begin(new)?;
        let wake_clock = self.next_look.is_none_or(|next| deadline < next);
        if wake_clock {
            self.next_look = Some(deadline);
        }
        Ok(Begun { id, wake_clock })
    }

    /// Takes the agent's answer on `link`. Returns the command it belongs to.
    pub fn answer(&mut self, link: LinkId, id: &str, answer: A, now: Instant) -> AnswerFor<W, A> {
        match self.in_flight.complete(link, id) {
            Some(command) => AnswerFor::InTime(command, answer),
            None => match self.late.answer(link, id, answer, now) {
                Ok((agent, begun)) => AnswerFor::Late(agent, begun),
                Err(()) => {
                    self.orphans.retain(|orphan| orphan.link != link || orphan.id != id);
                    AnswerFor::Nobody
                }
            },
        }
    }

    /// Removes the commands of a link that has ended. Returns those in flight, each with whether it was sent.
    pub fn lose(&mut self, link: LinkId, now: Instant) -> Vec<(Command<W>, bool)> {
        self.late.lose(link, now);
        self.orphans.retain(|orphan| orphan.link != link);
        self.in_flight.lose(link)
    }

    /// Whether the agent on `link` was sent a command that it has not answered, and that was not given up.
    pub fn is_busy(&self, link: LinkId, now: Instant) -> bool {
        self.in_flight.is_any_sent(link)
            || self.late.has_pending(link)
            || self.orphans.iter().any(|orphan| orphan.link == link && now < orphan.until)
    }

    /// Removes the commands whose deadline has passed. One that was sent for a person is pending from now on; one that was
    /// not sent never will be. Returns also the next deadline; `None` means not before a [`Table::begin`] asks for one.
    pub fn run_timers(&mut self, now: Instant) -> (Vec<Expired<W>>, Option<Instant>) {
        let expired = self.in_flight.expire(now).into_iter().map(|(command, was_sent)| {
            let person = command.person.clone();
            let person = person.filter(|_| was_sent && !self.closing);
            let will_be_kept = person.is_some();
            let id = command.id.clone();
            match person {
                Some(person) => {
                    let key = LateKey { person, agent: command.agent };
                    self.late.park(id, command.link, key, command.begun, now);
                }
                None if was_sent => {
                    if self.orphans.len() >= MAX_ORPHANS {
                        self.orphans.remove(0);
                    }
                    let (link, until) = (command.link, now + self.lifetime);
                    self.orphans.push(Orphan { id, link, until });
                }
                None => {}
            }
            Expired { command, was_sent, will_be_kept }
        });
        let expired = expired.collect();
        self.next_look =
            self.in_flight.next_deadline().into_iter().chain(self.late.run_timers(now)).min();
        (expired, self.next_look)
    }

    /// The relay is stopping: a command that times out from now on does not become pending.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// How many commands are under way and at work, how many answers and losses are kept.
    #[cfg(test)]
    pub fn sizes(&self) -> [usize; 4] {
        let (working, answers, losses) = self.late.sizes();
        [self.in_flight.len(), working, answers, losses]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::person::Person;

    const LINK: LinkId = LinkId::new(AgentId::DEFAULT, 1);
    const SECOND: Duration = Duration::from_secs(1);

    fn table() -> (Table<&'static str, &'static str>, Instant) {
        let limits = LateLimits { total: 8, each: 3, lifetime: 600 * SECOND };
        (Table::new("p".into(), 3, limits), Instant::now())
    }

    fn new(deadline: Instant, person: Option<Person>) -> NewCommand<&'static str> {
        let (agent, link, begun) = (LINK.agent, LINK, deadline);
        NewCommand { agent, link, begun, deadline, person, responder: "who waits" }
    }

    #[test]
    fn the_clock_is_woken_only_for_a_deadline_that_it_would_miss() {
        let (mut table, now) = table();
        assert!(table.begin(new(now + 4 * SECOND, None)).unwrap().wake_clock);
        assert!(!table.begin(new(now + 5 * SECOND, None)).unwrap().wake_clock);
        assert!(table.begin(new(now + 3 * SECOND, None)).unwrap().wake_clock);
        assert_eq!(table.run_timers(now + 3 * SECOND).1, Some(now + 4 * SECOND));
        assert_eq!(table.run_timers(now + 5 * SECOND).1, None);
        assert!(table.begin(new(now + 9 * SECOND, None)).unwrap().wake_clock, "it watches nothing");
    }

    #[test]
    fn a_command_that_was_sent_for_somebody_goes_on_past_its_deadline_and_no_other() {
        let (mut table, now) = table();
        let mine = table.begin(new(now, Some(Person::Ask))).unwrap().id;
        let orphan = table.begin(new(now, None)).unwrap().id;
        let unsent = table.begin(new(now, Some(Person::Ask))).unwrap().id;
        assert!(table.in_flight.send(&mine) && table.in_flight.send(&orphan));
        let (expired, _) = table.run_timers(now);
        let fates: Vec<_> = expired.iter().map(|e| (e.command.id.as_str(), e.will_be_kept)).collect();
        assert_eq!(fates, [(mine.as_str(), true), (orphan.as_str(), false), (unsent.as_str(), false)]);
        assert!(!table.in_flight.send(&unsent), "what was told is lost must not happen later");
        assert!(matches!(table.answer(LINK, &mine, "done", now), AnswerFor::Late(..)));
        assert!(matches!(table.answer(LINK, &orphan, "done", now), AnswerFor::Nobody));
        assert_eq!((table.late.came, table.late.told), (1, 0));
    }

    #[test]
    fn an_agent_is_busy_for_as_long_as_it_has_not_answered_whoever_waits() {
        let (mut table, now) = table();
        let other = LinkId::new(AgentId::DEFAULT, 2);
        assert!(!table.is_busy(LINK, now));
        let ids: Vec<_> = [Some(Person::Ask), None]
            .map(|person| table.begin(new(now + SECOND, person)).unwrap().id)
            .into();
        assert!(!table.is_busy(LINK, now), "nothing was sent");
        for id in &ids {
            assert!(table.in_flight.send(id));
        }
        assert!(table.is_busy(LINK, now) && !table.is_busy(other, now));
        table.run_timers(now + SECOND);
        table.answer(LINK, &ids[0], "done", now);
        assert!(table.is_busy(LINK, now + SECOND), "the other is nobody's, but at work");
        assert!(!table.is_busy(LINK, now + 601 * SECOND), "for 10 minutes");
        table.answer(other, &ids[1], "done", now);
        assert!(table.is_busy(LINK, now + SECOND), "it was another link's answer");
        table.answer(LINK, &ids[1], "done", now);
        assert!(!table.is_busy(LINK, now + SECOND));
    }

    #[test]
    fn what_is_busy_and_nobodys_fills_no_memory_and_ends_with_its_link() {
        let (mut table, now) = table();
        for _ in 0..2 * MAX_ORPHANS {
            let id = table.begin(new(now, None)).unwrap().id;
            assert!(table.in_flight.send(&id));
            table.run_timers(now);
        }
        assert_eq!(table.orphans.len(), MAX_ORPHANS);
        table.lose(LINK, now);
        assert!(!table.is_busy(LINK, now));
    }

    #[test]
    fn nothing_is_kept_any_more_once_the_relay_is_stopping() {
        let (mut table, now) = table();
        let id = table.begin(new(now, Some(Person::Ask))).unwrap().id;
        assert!(table.in_flight.send(&id));
        table.close();
        assert!(!table.run_timers(now).0[0].will_be_kept);
        assert_eq!(table.sizes(), [0; 4]);
    }

    #[test]
    fn a_lost_link_ends_what_is_under_way_and_what_is_late() {
        let (mut table, now) = table();
        for deadline in [now, now + SECOND] {
            let id = table.begin(new(deadline, Some(Person::Ask))).unwrap().id;
            assert!(table.in_flight.send(&id));
        }
        assert_eq!(table.run_timers(now).0.len(), 1);
        assert_eq!(table.sizes(), [1, 1, 0, 0]);
        assert_eq!(table.lose(LINK, now).len(), 1);
        assert_eq!(table.sizes(), [0, 0, 0, 1]);
    }
}

#[cfg(test)]
#[path = "../../tests/models/commands.rs"]
mod model;
