//! The commands that wait, and the threads that carry them out: one after another in their order, but for what ends
//! others.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::action::{Action, Mac};
use crate::address::Address;
use crate::config::Config;
use crate::link::trouble::Trouble;
use crate::link::{Command, Desk, Event, LATE, Mail, SILENCE};
use crate::message::{self, Outcome, Session};
use crate::phrases::choice::{Choice, Chosen};
use crate::phrases::words::words;
use crate::phrases::{nearest, own, understand};
use crate::status::Status;
use crate::system::find::{Found, find_for};
use crate::system::{self, Cancel, NOTHING_TO_CANCEL};

/// Commands that may wait for the one at work; one more is refused at once.
pub const MAX_WAITING: usize = 64;

const TOO_MANY: &str = "Слишком много команд сразу. Повторите чуть позже.";
const FAILED: &str = "Агент ошибся на этой команде. Следующая выполнится.";
/// Milliseconds for which the speaker may choose.
const CHOICE_MS: u64 = 60_000;

const NOBODY_TO_WAKE: &str =
    "Разбудить некому: адрес сетевой карты пока неизвестен. Включите компьютер один раз вручную.";

/// The desk that the link hands commands over at.
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    config: Mutex<Arc<Config>>,
    /// Where own programs run.
    folder: PathBuf,
    cancel: Cancel,
    /// When something last came from the relay.
    heard: AtomicU64,
    asked: Mutex<Option<Question>>,
    status: Arc<Status>,
}

/// What waits for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    Ordinary,
    /// What ends others, and so waits for none of them.
    Urgent,
}

/// What a speaker was asked, and when.
struct Question {
    choice: Choice,
    session: Option<Session>,
    since: u64,
}

#[derive(Default)]
struct State {
    /// Those of each lane.
    waiting: [VecDeque<Command>; 2],
    is_over: bool,
}

impl Queue {
    /// Understands what `config` says, runs programs in `folder`, and tells `status` of the link.
    pub fn new(config: Config, folder: PathBuf, cancel: Cancel, status: Arc<Status>) -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            config: Mutex::new(Arc::new(config)),
            folder,
            cancel,
            heard: AtomicU64::new(0),
            asked: Mutex::default(),
            status,
        }
    }

    /// Returns the config that counts now.
    pub fn config(&self) -> Arc<Config> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes another one, for the commands that begin from now on.
    pub fn set_config(&self, config: Config) {
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    /// Carries out what comes in this lane, and answers by `mail`, until [`Queue::end`].
    pub fn work(&self, lane: Lane, mail: &Mail) {
        while let Some(command) = self.next(lane) {
            // A bug must cost its own command alone.
            let outcome = catch_unwind(AssertUnwindSafe(|| self.carry_out(&command)));
            let outcome = outcome.unwrap_or_else(|_| Outcome::failed(FAILED));
            mail.send(Event::Answer(command.link, message::answer(&command.id, &outcome)));
        }
    }

    /// Ends the work: what runs is cancelled, and what waits is forgotten.
    pub fn end(&self) {
        let mut state = self.lock();
        state.is_over = true;
        state.waiting = Default::default();
        self.changed.notify_all();
        drop(state);
        self.cancel.end();
    }

    fn next(&self, lane: Lane) -> Option<Command> {
        let lane = lane as usize;
        let is_idle = |state: &mut State| state.waiting[lane].is_empty() && !state.is_over;
        let state = self.changed.wait_while(self.lock(), is_idle);
        state.unwrap_or_else(PoisonError::into_inner).waiting[lane].pop_front()
    }

    fn carry_out(&self, command: &Command) -> Outcome {
        if is_late(command, system::uptime(), self.heard.load(Relaxed)) {
            return Outcome::failed(LATE);
        }
        let action = self.action(command);
        match self.chosen(command) {
            Some(Chosen::This(action)) => return system::carry_out(&action, &self.folder, &self.cancel),
            Some(Chosen::Nothing) => {
                // It may be meant for more than the question.
                let cancelled = action.filter(|action| *action == Action::Cancel);
                let outcome = cancelled.map(|cancel| system::carry_out(&cancel, &self.folder, &self.cancel));
                let outcome = outcome.filter(|outcome| outcome.text != NOTHING_TO_CANCEL);
                return outcome.unwrap_or_else(|| Outcome::done("Хорошо, не буду."));
            }
            Some(Chosen::Other) | None => {}
        }
        match find_for(&command.text, action, &self.config().commands) {
            Found::Action(Action::Wake { cards, .. }) if cards.is_empty() => Outcome::failed(NOBODY_TO_WAKE),
            Found::Action(action) => system::carry_out(&action, &self.folder, &self.cancel),
            Found::Told(outcome) => outcome,
            Found::Choice(question, choice) => {
                let buttons = choice.items.iter().map(|(name, _)| name.clone()).collect();
                *self.asked() = Some(Question { choice, session: command.session.clone(), since: system::uptime() });
                Outcome { buttons, ..Outcome::failed(question) }
            }
            Found::Nothing(why) => Outcome::failed(why.unwrap_or_else(|| unknown(&command.text))),
        }
    }

    /// Returns what a command says of the choice that the speaker has. Whatever it says, the choice is over then.
    fn chosen(&self, command: &Command) -> Option<Chosen> {
        if command.action.is_some() {
            return None;
        }
        let Question { choice, since, .. } = self.asked().take_if(|asked| asked.session == command.session)?;
        let is_fresh = system::uptime().saturating_sub(since) <= CHOICE_MS;
        is_fresh.then(|| choice.chosen_by(&command.text))
    }

    /// Returns what a command asks for. Where cards are to be woken the words don't count, unless nobody knows the cards:
    /// the owner may have a command of his own for them.
    fn action(&self, command: &Command) -> Option<Action> {
        let commands = &self.config().commands;
        let own = || own::find(&words(&command.text), commands, false);
        let Some(cards) = &command.wake else {
            // The owner's own command for these words comes before what is built in.
            let asked = || command.action.as_ref()?.action();
            return own().or_else(asked).or_else(|| understand(&command.text, commands));
        };
        let cards: Vec<Mac> = cards.iter().filter_map(|card| Mac::parse(card)).collect();
        own().filter(|_| cards.is_empty()).or(Some(Action::Wake { cards, answer: None }))
    }

    fn asked(&self) -> MutexGuard<'_, Option<Question>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns what is said of a phrase that nothing understands.
pub fn unknown(phrase: &str) -> String {
    match nearest(phrase) {
        Some(example) => format!("Не знаю такой команды. Похоже на: {example}."),
        None => "Не знаю такой команды. Спросите: что ты умеешь.".into(),
    }
}

/// Whether a command whose turn has come must not be carried out any more: who waited was told that it failed, or the
/// link has been silent for so long that the relay gave it up. A word that waits behind another one is promised.
fn is_late(command: &Command, now: u64, heard: u64) -> bool {
    let is_link_over = u128::from(now.saturating_sub(heard)) > SILENCE.as_millis();
    command.until.is_some_and(|until| now > until) && (command.action.is_some() || is_link_over)
}

impl Desk for Queue {
    fn take(&self, command: Command) -> Option<Outcome> {
        let lane = match self.action(&command) {
            Some(Action::Cancel) => Lane::Urgent,
            _ => Lane::Ordinary,
        };
        let mut state = self.lock();
        let waiting = &mut state.waiting[lane as usize];
        if waiting.len() >= MAX_WAITING {
            return Some(Outcome::failed(TOO_MANY));
        }
        waiting.push_back(command);
        self.changed.notify_all();
        None
    }

    fn heard(&self, uptime: u64) {
        self.heard.store(uptime, Relaxed);
    }

    fn lost(&self, link: u64) {
        self.lock().waiting.iter_mut().for_each(|waiting| waiting.retain(|command| command.link != link));
    }

    fn tell(&self, state: &Result<Address, Trouble>, is_news: bool) {
        self.status.link(state, is_news);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(until: Option<u64>, is_of_smart_home: bool) -> Command {
        let (id, text) = ("a-1".to_owned(), "громче".to_owned());
        let action = is_of_smart_home.then(|| serde_json::from_str("{}").unwrap());
        Command { link: 1, id, text, session: None, wake: None, until, action }
    }

    #[test]
    fn a_word_that_waits_its_turn_is_done_and_an_action_of_smart_home_is_not() {
        assert!(!is_late(&command(None, true), 9_000, 0));
        assert!(!is_late(&command(Some(5_000), true), 5_000, 4_000));
        assert!(is_late(&command(Some(5_000), true), 5_001, 4_000));
        assert!(!is_late(&command(Some(5_000), false), 25_000, 20_000));
    }

    #[test]
    fn nothing_is_done_when_the_link_was_silent_for_too_long() {
        let silence = u64::try_from(SILENCE.as_millis()).unwrap();
        assert!(!is_late(&command(Some(5_000), false), 4_000 + silence, 4_000));
        assert!(is_late(&command(Some(5_000), false), 4_001 + silence, 4_000));
    }
}
