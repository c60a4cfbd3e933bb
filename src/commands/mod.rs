//! A command's life, under one lock: who waits for it is told once how it ended. Knows no HTTP, no Alice
//! and no socket.

pub mod late;
pub mod outcome;
pub mod person;
pub mod table;
pub mod under_way;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::commands::late::{Bounds, Item};
use crate::commands::outcome::Outcome;
use crate::commands::person::Person;
use crate::commands::table::{Answered, Expired, Table};
use crate::commands::under_way::{Command, LinkId, New};
use crate::speech::Speech;
use crate::text::quoted;
use crate::upkeep::clock::Alarm;
use crate::upkeep::tally::Tally;

/// Commands under way at once; one more is told to wait. Each has a request of its own open.
pub const MAX_UNDER_WAY: usize = 256;

/// Commands at work past their turn, late answers kept, and losses to tell: of each.
pub const MAX_LATE: usize = 256;

/// Commands at work past their turn, and late answers kept, of one person: of each.
pub const MAX_LATE_EACH: usize = 16;

/// How long a command may be at work past its turn, and how long its answer is kept.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(600);

/// How a command ended for whoever waits for it.
#[derive(Debug)]
pub enum Ended {
    /// The agent answered in time.
    Answered(Speech),
    /// The link to the agent broke, or could not take the command.
    LinkLost,
    /// The deadline passed. Whether the answer will be kept if it comes.
    TooLate { will_be_kept: bool },
    /// It never began: too many were under way.
    Busy,
}

impl Ended {
    /// Returns the word for it.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Answered(_) => Outcome::Answered,
            Self::LinkLost => Outcome::LinkLost,
            Self::TooLate { .. } => Outcome::TooLate,
            Self::Busy => Outcome::Busy,
        }
    }
}

/// Who waits for a command's answer: a turn of the skill.
pub trait Waits: Send {
    /// Tells how the command ended; `id` is its own, and none when it never began.
    fn tell(self: Box<Self>, id: Option<&str>, ended: Ended, commands: &Commands, now: Instant);
}

/// All commands of the relay.
pub struct Commands {
    table: Mutex<Table<Box<dyn Waits>, Speech>>,
    lines: Arc<Tally>,
    alarm: Alarm,
}

impl Commands {
    /// No commands yet. `prefix` begins every id, `lines` takes how each ended, `alarm` wakes whoever
    /// calls [`Commands::tend`].
    pub fn new(prefix: String, lines: Arc<Tally>, alarm: Alarm) -> Self {
        let bounds = Bounds { in_all: MAX_LATE, each: MAX_LATE_EACH, remembered: REMEMBERED_FOR };
        let table = Mutex::new(Table::new(prefix, MAX_UNDER_WAY, bounds));
        Self { table, lines, alarm }
    }

    /// Registers a command, before it is sent: its answer could come first. Returns its id; none when
    /// [`MAX_UNDER_WAY`] commands are under way, and whoever waits has been told so.
    pub fn begin(&self, new: New<Box<dyn Waits>>) -> Option<String> {
        let now = new.begun;
        let begun = self.lock().begin(new);
        match begun {
            Ok(begun) => {
                if begun.wake_clock {
                    self.alarm.ring();
                }
                Some(begun.id)
            }
            Err(waiting) => {
                waiting.tell(None, Ended::Busy, self, now);
                None
            }
        }
    }

    /// Sends a command by `write`, unless it has ended. When `write` fails, the command has gone nowhere,
    /// and whoever waits is told so.
    pub fn send<E>(&self, id: &str, now: Instant, write: impl FnOnce() -> Result<(), E>) {
        if self.lock().send(id) && write().is_err() {
            let unsent = self.lock().take(id);
            unsent.into_iter().for_each(|command| self.tell(command, Ended::LinkLost, now));
        }
    }

    /// The agent answered on `link`.
    pub fn answer(&self, link: LinkId, id: &str, speech: Speech, now: Instant) {
        let answered = self.lock().answer(link, id, speech, now);
        match answered {
            Answered::InTime(command, speech) => self.tell(command, Ended::Answered(speech), now),
            Answered::Late(begun) => self.say(id, "answered late", begun, now),
            Answered::Nobody => {
                log::debug!("an answer for a command that no longer waits: {}", quoted(id));
            }
        }
    }

    /// The link is over: whoever waits for what was under way on it is told so.
    pub fn lose(&self, link: LinkId, now: Instant) {
        let lost = self.lock().lose(link, now);
        lost.into_iter().for_each(|command| self.tell(command, Ended::LinkLost, now));
    }

    /// Ends the commands whose deadline has come. Returns when the next one does.
    pub fn tend(&self, now: Instant) -> Option<Instant> {
        let (expired, next) = self.lock().tend(now);
        for Expired { command, will_be_kept } in expired {
            self.tell(command, Ended::TooLate { will_be_kept }, now);
        }
        next
    }

    /// As [`late::Late::offer`].
    pub fn offer<T>(
        &self,
        person: &Person,
        only: Option<&str>,
        now: Instant,
        tell: impl FnOnce(&[Item<'_, Speech>]) -> (usize, T),
    ) -> Option<T> {
        self.lock().offer(person, only, now, tell)
    }

    /// As [`late::Late::at_work`].
    pub fn at_work(&self, person: &Person, only: Option<&str>) -> Option<Instant> {
        self.lock().at_work(person, only)
    }

    /// The relay is stopping: what misses its turn from now on has no late answer.
    pub fn close(&self) {
        self.lock().close();
    }

    /// Says how many answers were late, and how many of them were told, for the end of the log.
    pub fn sum_up(&self) {
        let (came, told) = self.lock().late_answers();
        if came > 0 || told > 0 {
            log::info!("{came} answers came late, {told} kept ones were heard");
        }
    }

    fn tell(&self, command: Command<Box<dyn Waits>>, ended: Ended, now: Instant) {
        self.say(&command.id, ended.outcome().name(), command.begun, now);
        command.waiting.tell(Some(&command.id), ended, self, now);
    }

    fn say(&self, id: &str, how: &str, begun: Instant, now: Instant) {
        let milliseconds = now.saturating_duration_since(begun).as_millis();
        self.lines.say(format_args!("Command {id}: {how} after {milliseconds} ms"));
    }

    fn lock(&self) -> MutexGuard<'_, Table<Box<dyn Waits>, Speech>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Table::sizes`].
    #[cfg(test)]
    pub fn sizes(&self) -> [usize; 4] {
        self.lock().sizes()
    }
}
