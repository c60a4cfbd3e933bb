//! Commands in flight: registered, then sent, then taken out once by whatever ends them. Plain data: a command
//! that has ended is no longer here, so it can't end twice.

use std::mem::take;
use std::time::Instant;

use crate::commands::person::Person;
use crate::config::agents::AgentId;

/// Identifies a link. Numbers are unique in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId {
    /// The agent at its other end.
    pub agent: AgentId,
    /// The number of the link among all links so far.
    pub number: u64,
}

impl LinkId {
    /// Returns the id of this agent's link with this number.
    pub const fn new(agent: AgentId, number: u64) -> Self {
        Self { agent, number }
    }
}

/// A command and its responder.
#[derive(Debug)]
pub struct Command<W> {
    /// The id that the agent must repeat.
    pub id: String,
    /// The PC it is about. Another PC's link carries it when that PC is to wake this one.
    pub agent: AgentId,
    /// The link that carries it.
    pub link: LinkId,
    /// When its turn arrived.
    pub begun: Instant,
    /// When the responder must have been completed.
    pub deadline: Instant,
    /// The person who may ask for the answer if it comes after the deadline.
    pub person: Option<Person>,
    /// The responder.
    pub responder: W,
}

/// The parts of a command that [`InFlight::begin`] adds an id to.
#[derive(Debug)]
pub struct NewCommand<W> {
    pub agent: AgentId,
    pub link: LinkId,
    pub begun: Instant,
    pub deadline: Instant,
    pub person: Option<Person>,
    pub responder: W,
}

/// The commands in flight, the newest last. They are few, so a `Vec` is searched.
#[derive(Debug)]
pub struct InFlight<W> {
    prefix: String,
    most: usize,
    next: u64,
    commands: Vec<InFlightCommand<W>>,
}

#[derive(Debug)]
struct InFlightCommand<W> {
    number: u64,
    command: Command<W>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It can still be withdrawn: no byte of it has left.
    Unsent,
    /// The agent may be carrying it out.
    Sent,
}

impl<W> InFlight<W> {
    /// Creates an empty table. `prefix` begins every id; at most `most` commands are in flight at once.
    pub fn new(prefix: String, most: usize) -> Self {
        Self { prefix, most, next: 0, commands: Vec::new() }
    }

    /// Registers a command that has not been sent yet. Returns its id.
    ///
    /// # Errors
    /// The table is full: returns the responder.
    pub fn begin(&mut self, new: NewCommand<W>) -> Result<String, W> {
        if self.commands.len() >= self.most {
            return Err(new.responder);
        }
        let number = self.next;
        self.next += 1;
        let id = format!("{}-{number}", self.prefix);
        let NewCommand { agent, link, begun, deadline, person, responder } = new;
        let command = Command { id: id.clone(), agent, link, begun, deadline, person, responder };
        self.commands.push(InFlightCommand { number, command, state: State::Unsent });
        Ok(id)
    }

    /// Marks a command as sent. Returns false if it has ended, and so must not be sent.
    pub fn send(&mut self, id: &str) -> bool {
        let Some(place) = self.place_of(id) else { return false };
        self.commands[place].state = State::Sent;
        true
    }

    /// Removes a command that has not been sent, so that it never will be.
    pub fn withdraw(&mut self, id: &str) -> Option<Command<W>> {
        let place = self.place_of(id)?;
        let is_unsent = self.commands[place].state == State::Unsent;
        is_unsent.then(|| self.commands.remove(place).command)
    }

    /// Removes a command that could not be sent after all, unless it has ended.
    pub fn take(&mut self, id: &str) -> Option<Command<W>> {
        self.place_of(id).map(|place| self.commands.remove(place).command)
    }

    /// Removes and returns the command that the agent answers with `id` on `link`, if it was sent there.
    pub fn complete(&mut self, link: LinkId, id: &str) -> Option<Command<W>> {
        let place = self.place_of(id)?;
        let InFlightCommand { command, state, .. } = &self.commands[place];
        let is_answered = command.link == link && *state == State::Sent;
        is_answered.then(|| self.commands.remove(place).command)
    }

    /// Removes every command whose deadline has passed. Returns each, and whether it was sent.
    pub fn expire(&mut self, now: Instant) -> Vec<(Command<W>, bool)> {
        self.take_all(&|command| command.deadline <= now)
    }

    /// Removes every command of `link`. Returns each, and whether it was sent.
    pub fn lose(&mut self, link: LinkId) -> Vec<(Command<W>, bool)> {
        self.take_all(&|command| command.link == link)
    }

    fn take_all(&mut self, is_meant: &dyn Fn(&Command<W>) -> bool) -> Vec<(Command<W>, bool)> {
        if !self.commands.iter().any(|entry| is_meant(&entry.command)) {
            return Vec::new();
        }
        let all = take(&mut self.commands).into_iter();
        let (taken, rest): (Vec<_>, _) = all.partition(|entry| is_meant(&entry.command));
        self.commands = rest;
        taken
            .into_iter()
            .map(|InFlightCommand { command, state, .. }| (command, state == State::Sent))
            .collect()
    }

    /// Whether a command in flight was sent on `link`.
    pub fn is_any_sent(&self, link: LinkId) -> bool {
        self.commands.iter().any(|entry| entry.command.link == link && entry.state == State::Sent)
    }

    /// Returns the earliest deadline.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.commands.iter().map(|entry| entry.command.deadline).min()
    }

    /// Returns the number of commands in flight.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Returns the index of a command by an id that [`InFlight::begin`] made.
    fn place_of(&self, id: &str) -> Option<usize> {
        let digits = id.strip_prefix(&self.prefix)?.strip_prefix('-')?;
        let number = digits.parse().ok()?;
        let place = self.commands.binary_search_by_key(&number, |entry| entry.number).ok()?;
        (self.commands[place].command.id == id).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LINK: LinkId = LinkId::new(AgentId::DEFAULT, 1);

    fn in_flight() -> InFlight<&'static str> {
        InFlight::new("ab12".into(), 3)
    }

    fn new(link: LinkId, deadline: Instant) -> NewCommand<&'static str> {
        let (agent, begun, person) = (link.agent, deadline, None);
        NewCommand { agent, link, begun, deadline, person, responder: "waiting" }
    }

    fn sent(commands: &mut InFlight<&'static str>, link: LinkId, deadline: Instant) -> String {
        let id = commands.begin(new(link, deadline)).unwrap();
        assert!(commands.send(&id));
        id
    }

    #[test]
    fn a_command_is_completed_once_and_only_from_its_own_link() {
        let mut commands = in_flight();
        let id = sent(&mut commands, LINK, Instant::now());
        assert!(commands.complete(LinkId::new(AgentId::DEFAULT, 2), &id).is_none());
        assert_eq!(commands.complete(LINK, &id).unwrap().responder, "waiting");
        assert!(commands.complete(LINK, &id).is_none());
        assert!(!commands.send(&id), "it has ended");
    }

    #[test]
    fn what_was_sent_can_not_be_withdrawn_and_what_was_withdrawn_is_never_sent() {
        let mut commands = in_flight();
        let id = sent(&mut commands, LINK, Instant::now());
        assert!(commands.withdraw(&id).is_none());
        let unsent = commands.begin(new(LINK, Instant::now())).unwrap();
        assert_eq!(commands.withdraw(&unsent).unwrap().id, unsent);
        assert!(!commands.send(&unsent));
        assert!(commands.withdraw(&unsent).is_none());
    }

    #[test]
    fn what_was_not_sent_has_no_answer() {
        let mut commands = in_flight();
        let id = commands.begin(new(LINK, Instant::now())).unwrap();
        assert!(commands.complete(LINK, &id).is_none());
        assert_eq!(commands.take(&id).unwrap().id, id);
        assert!(!commands.send(&id), "it was taken back");
    }

    #[test]
    fn an_id_that_is_written_otherwise_is_not_the_id() {
        let mut commands = in_flight();
        let id = sent(&mut commands, LINK, Instant::now());
        assert_eq!(id, "ab12-0");
        for other in ["", "0", "ab12-", "ab12-00", "ab12-+0", "ab12-1", "AB12-0", "ab13-0", "ab120"] {
            assert!(commands.complete(LINK, other).is_none(), "{other}");
        }
        assert!(commands.complete(LINK, &id).is_some());
    }

    #[test]
    fn each_command_expires_at_its_own_deadline_and_not_before() {
        let mut commands = in_flight();
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let slow = sent(&mut commands, LINK, start + 9 * second);
        let quick = sent(&mut commands, LINK, start + 2 * second);
        let unsent = commands.begin(new(LINK, start + 2 * second)).unwrap();
        assert_eq!(commands.next_deadline(), Some(start + 2 * second));
        assert!(commands.expire(start + 2 * second - Duration::from_nanos(1)).is_empty());
        let expired = commands.expire(start + 2 * second);
        let expired: Vec<_> = expired.iter().map(|(c, was_sent)| (c.id.as_str(), *was_sent)).collect();
        assert_eq!(expired, [(quick.as_str(), true), (unsent.as_str(), false)]);
        assert_eq!(commands.next_deadline(), Some(start + 9 * second));
        assert_eq!(commands.expire(start + 9 * second)[0].0.id, slow);
        assert_eq!(commands.next_deadline(), None);
    }

    #[test]
    fn a_lost_link_takes_its_own_commands_along() {
        let mut commands = in_flight();
        let lost = sent(&mut commands, LINK, Instant::now());
        let kept = sent(&mut commands, LinkId::new(AgentId::DEFAULT, 2), Instant::now());
        let taken = commands.lose(LINK);
        assert_eq!(taken.iter().map(|(c, _)| c.id.as_str()).collect::<Vec<_>>(), [lost]);
        assert!(commands.complete(LinkId::new(AgentId::DEFAULT, 2), &kept).is_some());
    }

    #[test]
    fn one_command_too_many_is_handed_back() {
        let mut commands = in_flight();
        for _ in 0..3 {
            assert!(commands.begin(new(LINK, Instant::now())).is_ok());
        }
        assert_eq!(commands.begin(new(LINK, Instant::now())).unwrap_err(), "waiting");
    }
}
