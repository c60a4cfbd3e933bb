//! The turns that wait for the agent: the exchange, with HTTP requests at its end.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::agent::message::AgentAnswer;
use crate::alice::{Button, Speech};
use crate::clock::Alarm;
use crate::exchange::{Begun, Command, Exchange, LinkId};
use crate::http::answer::Answer;
use crate::http::incoming::Incoming;
use crate::late::{Late, News, Person, Working};
use crate::phrases;
use crate::tally::Tally;
use crate::text::quoted;

/// How a turn ended. It goes along with the reply, so that `ask` can tell; Yandex passes over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The agent answered.
    Answered,
    /// The relay answered by itself: a greeting, help, `pong`.
    OwnWords,
    /// It was not the owner's.
    Refused,
    /// No agent is connected.
    NoAgent,
    /// The link broke while the command was under way.
    LinkLost,
    /// The deadline passed; the answer will be kept.
    TooLate,
    /// Late answers were told.
    News,
    /// Late answers were asked for; the agent is still at work.
    AtWork,
    /// Too many commands are under way.
    Busy,
    /// The relay is being stopped.
    Stopping,
}

/// The header field that carries [`Outcome`].
pub const OUTCOME_FIELD: &str = "Relay-Outcome";

impl Outcome {
    /// Its name, in the header and in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::OwnWords => "own-words",
            Self::Refused => "refused",
            Self::NoAgent => "no-agent",
            Self::LinkLost => "link-lost",
            Self::TooLate => "too-late",
            Self::News => "news",
            Self::AtWork => "at-work",
            Self::Busy => "busy",
            Self::Stopping => "stopping",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A turn whose reply is still owed.
pub struct Waiting {
    incoming: Incoming,
    version: String,
    /// Who asked; without it a late answer can't be kept.
    person: Option<Person>,
}

impl Waiting {
    /// A turn that came in with `incoming`.
    pub fn new(incoming: Incoming, version: String, person: Option<Person>) -> Self {
        Self { incoming, version, person }
    }

    /// Replies, from this thread.
    pub fn reply(self, speech: Speech, outcome: Outcome) {
        self.incoming.answer(reply(speech, &self.version, outcome));
    }

    /// Replies, from a worker: for threads that others wait for.
    fn reply_by_worker(self, speech: Speech, outcome: Outcome) {
        self.incoming.answer_by_worker(reply(speech, &self.version, outcome));
    }
}

/// The HTTP answer for a reply.
pub fn reply(speech: Speech, version: &str, outcome: Outcome) -> Answer {
    Answer::json(speech.into_reply(version)).with(OUTCOME_FIELD, outcome.name())
}

/// The commands under way, whoever waits for them, and the answers that miss their turn.
pub struct Turns {
    exchange: Exchange<Waiting>,
    /// Taken before the exchange's own lock by whoever needs both, so that a command that changes from
    /// one to the other is never in neither.
    late: Mutex<Late>,
    commands: Arc<Tally>,
    alarm: Alarm,
}

impl Turns {
    /// No turns yet. `prefix` begins every id, `commands` is told how each ended, `alarm` wakes whoever
    /// calls [`Turns::tend`].
    pub fn new(prefix: String, timeout: Duration, commands: Arc<Tally>, alarm: Alarm) -> Self {
        let exchange = Exchange::new(prefix, timeout);
        Self { exchange, late: Mutex::default(), commands, alarm }
    }

    /// Registers a turn whose command is about to be sent on `link`.
    pub fn begin(&self, link: LinkId, begun: Instant, waiting: Waiting) -> Begun<Waiting> {
        let begun = self.exchange.begin(link, begun, waiting);
        if let Begun::UnderWay { wake_clock: true, .. } = begun {
            self.alarm.ring();
        }
        begun
    }

    /// The agent answered.
    pub fn answer(&self, link: LinkId, answer: AgentAnswer) {
        let now = Instant::now();
        let id = answer.id.clone();
        let speech = answer.into_speech();
        if let Some(Command { id, begun, waiting }) = self.exchange.complete(link, &id) {
            self.tell(&id, begun, "answered");
            let speech = match &waiting.person {
                Some(person) => self.late().alongside(person, speech, now),
                None => speech,
            };
            return waiting.reply(speech, Outcome::Answered);
        }
        match self.late().answer(link, &id, speech, now) {
            Ok(begun) => self.tell(&id, begun, "answered late"),
            Err(_) => log::debug!("an answer for a command that no longer waits: {}", quoted(&id)),
        }
    }

    /// What there is to tell a person who asks for late answers.
    pub fn news(&self, person: &Person) -> News {
        self.late().news(person, Instant::now())
    }

    /// The command could not be sent: its link is down.
    pub fn unsent(&self, link: LinkId, id: &str) {
        if let Some(Command { id, begun, waiting }) = self.exchange.complete(link, id) {
            self.tell(&id, begun, Outcome::LinkLost.name());
            waiting.reply(phrases::LINK_LOST.into(), Outcome::LinkLost);
        }
    }

    /// The link is over: what was under way on it is told so.
    pub fn lose(&self, link: LinkId) {
        let mut late = self.late();
        late.lose(link, Instant::now());
        let lost = self.exchange.lose(link);
        drop(late);
        for Command { id, begun, waiting } in lost {
            self.tell(&id, begun, Outcome::LinkLost.name());
            waiting.reply_by_worker(phrases::LINK_LOST.into(), Outcome::LinkLost);
        }
    }

    /// Ends the turns whose deadline has come; when the next one does.
    pub fn tend(&self, now: Instant) -> Option<Instant> {
        let mut late = self.late();
        let (mut expired, next) = self.exchange.expire(now);
        for (link, command) in &mut expired {
            if late.closed {
                command.waiting.person = None;
            } else if let Some(person) = command.waiting.person.clone() {
                let (id, begun) = (command.id.clone(), command.begun);
                late.work_on(Working { id, link: *link, person, begun }, now);
            }
        }
        let late_next = late.tend(now);
        drop(late);
        for (_, Command { id, begun, waiting }) in expired {
            self.tell(&id, begun, Outcome::TooLate.name());
            let speech = match waiting.person {
                None => phrases::TOO_LATE.into(),
                Some(_) => news_later(),
            };
            waiting.reply_by_worker(speech, Outcome::TooLate);
        }
        next.into_iter().chain(late_next).min()
    }

    /// The relay is stopping: what misses its turn from now on is told to be lost.
    pub fn close(&self) {
        self.late().closed = true;
    }

    /// How many answers were late, and how many of them were heard, for the end of the log.
    pub fn sum_up(&self) {
        let late = self.late();
        if late.came > 0 || late.heard > 0 {
            log::info!("{} answers came late, {} kept ones were heard", late.came, late.heard);
        }
    }

    fn tell(&self, id: &str, begun: Instant, how: &str) {
        let milliseconds = begun.elapsed().as_millis();
        self.commands.say(format_args!("Command {id}: {how} after {milliseconds} ms"));
    }

    fn late(&self) -> MutexGuard<'_, Late> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What Alice says at the deadline of a command whose answer will be kept.
fn news_later() -> Speech {
    let button = Button { title: phrases::NEWS_BUTTON.into(), hide: true, url: None, payload: None };
    Speech { buttons: vec![button], ..phrases::AT_WORK.into() }
}
