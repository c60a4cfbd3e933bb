//! One turn: answered at once, or a command for the agent.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::access::{Access, Stranger, Visitor};
use crate::agent::message;
use crate::agent::registry::Registry;
use crate::alice::{Speech, Turn};
use crate::credentials::ASK_FIELD;
use crate::exchange::Begun;
use crate::http::answer::Answer;
use crate::http::incoming::Incoming;
use crate::late::{News, Person, Saying};
use crate::phrases;
use crate::text::cut;
use crate::turns::{Outcome, Turns, Waiting, reply};

/// What answers turns.
pub struct Webhook {
    access: Arc<Access>,
    registry: Arc<Registry>,
    turns: Arc<Turns>,
    /// Cloned into every turn that waits; gone once the relay is stopping.
    open: Mutex<Option<Sender<()>>>,
    /// Ends when every turn has its reply and no more are taken.
    owed: Receiver<()>,
}

impl Webhook {
    /// Sends commands of those whom `access` admits to the registry's agent, and leaves them in `turns`.
    pub fn new(access: Arc<Access>, registry: Arc<Registry>, turns: Arc<Turns>) -> Self {
        let (open, owed) = bounded(0);
        Self { access, registry, turns, open: Mutex::new(Some(open)), owed }
    }

    /// Answers one request, or leaves it waiting for the agent.
    pub fn serve(&self, incoming: Incoming, body: &[u8]) {
        let begun = Instant::now();
        let turn = match Turn::parse(body) {
            Ok(turn) => turn,
            Err(error) => {
                return incoming.answer(Answer::error(400, &cut(&error.to_string(), 300)));
            }
        };
        let say = |incoming: Incoming, speech, outcome| {
            incoming.answer(reply(speech, &turn.version, outcome));
        };
        if turn.is_ping {
            return say(incoming, phrases::PONG.into(), Outcome::OwnWords);
        }
        let person = match self.access.admit(&turn, incoming.field(ASK_FIELD)) {
            Ok(Visitor::Ask) => Some(Person::Ask),
            Ok(Visitor::Speaker) => Person::of(turn.user_id.as_deref(), turn.device_id.as_deref()),
            Err(Stranger) => {
                let goodbye = Speech { end_session: true, ..phrases::STRANGER.into() };
                return say(incoming, goodbye, Outcome::Refused);
            }
        };
        let command = &*turn.command;
        let greets = command.is_empty() && turn.new_session;
        if greets || phrases::NEWS_COMMANDS.contains(&command) {
            let (speech, outcome) = self.news(person.as_ref(), greets);
            say(incoming, speech, outcome);
        } else if command.is_empty() {
            say(incoming, phrases::NO_COMMAND.into(), Outcome::OwnWords);
        } else if phrases::HELP_COMMANDS.contains(&command) {
            say(incoming, phrases::HELP.into(), Outcome::OwnWords);
        } else {
            self.forward(incoming, &turn, person, begun);
        }
    }

    /// What has become of commands that missed their turn; a greeting instead when there is no answer.
    fn news(&self, person: Option<&Person>, greets: bool) -> (Speech, Outcome) {
        match person.map_or(News::Nothing, |person| self.turns.news(person)) {
            News::Answers(Saying { text, tts }) => {
                (Speech { text, tts, ..Speech::default() }, Outcome::News)
            }
            _ if greets => (phrases::GREETING.into(), Outcome::OwnWords),
            News::Working(time) => (phrases::still_at_work(time).as_str().into(), Outcome::AtWork),
            News::Nothing => (phrases::NO_NEWS.into(), Outcome::OwnWords),
        }
    }

    fn forward(&self, mut incoming: Incoming, turn: &Turn<'_>, person: Option<Person>, begun: Instant) {
        let say = |incoming: Incoming, words: &str, outcome| {
            incoming.answer(reply(words.into(), &turn.version, outcome));
        };
        let Some(owed) = self.open.lock().unwrap_or_else(PoisonError::into_inner).clone() else {
            return say(incoming, phrases::STOPPING, Outcome::Stopping);
        };
        let Some(link) = self.registry.current() else {
            return say(incoming, phrases::NO_AGENT, Outcome::NoAgent);
        };
        // Registered before it is sent, or its answer could come first.
        incoming.owe(owed);
        let waiting = Waiting::new(incoming, turn.version.clone().into_owned(), person);
        match self.turns.begin(link.id, begun, waiting) {
            Begun::UnderWay { id, .. } => {
                if link.text(message::command(&id, &turn.command)).is_err() {
                    self.turns.unsent(link.id, &id);
                }
            }
            Begun::Full(waiting) => waiting.reply(phrases::BUSY.into(), Outcome::Busy),
        }
    }

    /// Takes no more commands, and waits until those under way have their replies, but not longer than
    /// `longest`.
    pub fn stop(&self, longest: std::time::Duration) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.turns.close();
        let _ = self.owed.recv_timeout(longest);
    }
}
