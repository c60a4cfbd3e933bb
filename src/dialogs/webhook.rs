//! One turn: answered at once, or a command for the agent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::agents::message;
use crate::agents::probe::{PROBE_TIMEOUT, Unsent};
use crate::agents::registry::Registry;
use crate::commands::late::Item;
use crate::commands::outcome::Outcome;
use crate::commands::person::Person;
use crate::commands::under_way::New;
use crate::commands::{Commands, Waits};
use crate::config::credentials::ASK_FIELD;
use crate::dialogs::access::{Access, Stranger, Visitor};
use crate::dialogs::reply::{COMMAND_FIELD, reply};
use crate::dialogs::turn::Turn;
use crate::dialogs::waiting::WaitingTurn;
use crate::dialogs::{news, phrases, words};
use crate::http::answer::Answer;
use crate::http::incoming::Incoming;
use crate::http::owed::Owed;
use crate::http::request::Request;
use crate::speech::Speech;
use crate::text::cut;

/// Characters of what is said to be wrong with a body.
const MAX_PROBLEM: usize = 300;

/// What answers turns.
pub struct Webhook {
    access: Arc<Access>,
    registry: Arc<Registry>,
    commands: Arc<Commands>,
    reply_timeout: Duration,
    /// What a turn that waits holds.
    owed: Arc<Owed>,
}

impl Webhook {
    /// Sends commands of those whom `access` admits to the registry's agent. Each waits in `commands` for
    /// `reply_timeout`, and its reply is `owed`.
    pub fn new(
        access: Arc<Access>,
        registry: Arc<Registry>,
        commands: Arc<Commands>,
        reply_timeout: Duration,
        owed: Arc<Owed>,
    ) -> Self {
        Self { access, registry, commands, reply_timeout, owed }
    }

    /// Answers one request, which came in `now`, or leaves it waiting for the agent.
    pub fn serve<R: Request>(&self, incoming: Incoming<R>, body: &[u8], now: Instant) {
        let turn = match Turn::parse(body) {
            Ok(turn) => turn,
            Err(error) => {
                return incoming.answer(Answer::error(400, &cut(&error.to_string(), MAX_PROBLEM)));
            }
        };
        let say = |incoming: Incoming<R>, speech, outcome| {
            incoming.answer(reply(&speech, &turn.version, outcome));
        };
        if turn.is_ping {
            return say(incoming, phrases::PONG.into(), Outcome::OwnWords);
        }
        let person = match self.access.admit(&turn, incoming.field(ASK_FIELD)) {
            Ok(Visitor::Ask) => Some(Person::Ask),
            Ok(Visitor::Speaker) => Person::of(turn.user_id.as_deref(), turn.device_id.as_deref()),
            Err(Stranger) => {
                let goodbye = Speech::new(phrases::STRANGER).with_end_session(true);
                return say(incoming, goodbye, Outcome::Refused);
            }
        };
        let command = &*turn.command;
        let greets = command.is_empty() && turn.new_session;
        if greets || words::asks_for_news(command) {
            let only = incoming.field(COMMAND_FIELD).filter(|_| person == Some(Person::Ask));
            let (speech, outcome) = self.news(person.as_ref(), only, greets, now);
            say(incoming, speech, outcome);
        } else if command.is_empty() {
            say(incoming, phrases::NO_COMMAND.into(), Outcome::OwnWords);
        } else if words::asks_for_help(command) {
            say(incoming, phrases::HELP.into(), Outcome::OwnWords);
        } else {
            self.forward(incoming, &turn, person, now);
        }
    }

    /// Returns what has become of the person's commands that missed their turn, or of the one command
    /// `only`. When there is no answer yet, whoever is to be greeted is greeted.
    fn news(
        &self,
        person: Option<&Person>,
        only: Option<&str>,
        greets: bool,
        now: Instant,
    ) -> (Speech, Outcome) {
        let mut told = None;
        if let Some(person) = person {
            self.commands.offer(person, only, now, &mut |items| {
                let is_answer = |item: &Item<'_, Speech>| matches!(item, Item::Answer(_));
                let outcome = if items.iter().any(is_answer) { Outcome::News } else { Outcome::Lost };
                let (count, speech) = news::tell(items);
                told = Some((speech, outcome));
                count
            });
        }
        if let Some(told) = told {
            return told;
        }
        if greets {
            return (phrases::GREETING.into(), Outcome::OwnWords);
        }
        match person.and_then(|person| self.commands.at_work(person, only)) {
            Some(begun) => {
                let time = now.saturating_duration_since(begun);
                (phrases::still_at_work(time).as_str().into(), Outcome::AtWork)
            }
            None => (phrases::NO_NEWS.into(), Outcome::OwnWords),
        }
    }

    fn forward<R: Request>(
        &self,
        mut incoming: Incoming<R>,
        turn: &Turn<'_>,
        person: Option<Person>,
        now: Instant,
    ) {
        let say = |incoming: Incoming<R>, words: &str, outcome| {
            incoming.answer(reply(&words.into(), &turn.version, outcome));
        };
        let Some(owed) = self.owed.owe() else {
            return say(incoming, phrases::STOPPING, Outcome::Stopping);
        };
        let Some(link) = self.registry.current() else {
            return say(incoming, phrases::NO_AGENT, Outcome::NoAgent);
        };
        incoming.owe(owed);
        let version = turn.version.clone().into_owned();
        let waiting: Box<dyn Waits> = Box::new(WaitingTurn { incoming, version });
        let deadline = now + self.reply_timeout;
        let new = New { link: link.id, begun: now, deadline, person, waiting };
        if let Some(id) = self.commands.begin(new) {
            let message = message::command(&id, &turn.command);
            let patience = PROBE_TIMEOUT;
            self.registry.send(&link, Unsent { id, message, since: now, patience, deadline }, now);
        }
    }

    /// Takes no more commands, and waits until those under way have their replies, Smart Home's among them,
    /// but not longer than `longest`.
    pub fn stop(&self, longest: Duration) {
        self.owed.close();
        self.commands.close();
        self.owed.settle(longest);
    }
}
