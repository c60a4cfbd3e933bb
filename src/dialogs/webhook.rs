//! One turn: answered at once, or a command for the agent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;

use crate::agents::household::Unwakeable;
use crate::agents::link::Link;
use crate::agents::probe::{PROBE_TIMEOUT, Unsent};
use crate::agents::registry::Registry;
use crate::agents::second::Context;
use crate::agents::telling::{Format, Telling};
use crate::commands::late::Item;
use crate::commands::outcome::Outcome;
use crate::commands::person::Person;
use crate::commands::under_way::New;
use crate::commands::{Commands, Waits};
use crate::config::agents::{AgentId, Names};
use crate::config::credentials::ASK_FIELD;
use crate::dialogs::access::{Access, Stranger, Visitor};
use crate::dialogs::names::Addresses;
use crate::dialogs::reply::{COMMAND_FIELD, reply};
use crate::dialogs::turn::Turn;
use crate::dialogs::waiting::{WaitingTurn, leave};
use crate::dialogs::{news, phrases, wake, words};
use crate::http::answer::Answer;
use crate::http::incoming::Incoming;
use crate::http::owed::Owed;
use crate::speech::Speech;
use crate::text::cut;
use crate::upkeep::way::Way;

/// Characters of what is said to be wrong with a body.
const MAX_PROBLEM: usize = 300;

/// What answers turns.
pub struct Webhook {
    access: Arc<Access>,
    registry: Arc<Registry>,
    commands: Arc<Commands>,
    names: Names,
    addresses: Addresses,
    manners: Manners,
    /// What a turn that waits holds.
    owed: Arc<Owed>,
    telling: Arc<Telling>,
    way: Arc<Way>,
}

/// How turns are answered.
#[derive(Debug, Clone, Copy)]
pub struct Manners {
    /// How long each waits for the agent.
    pub reply_timeout: Duration,
    /// Whether the only phrase of a session ends it.
    pub leaves: bool,
    /// Whether late answers are kept, and so the words that ask for them are the relay's own.
    pub keeps: bool,
}

/// What turns are answered with.
pub struct Parts {
    /// Who is let in.
    pub access: Arc<Access>,
    pub registry: Arc<Registry>,
    pub commands: Arc<Commands>,
    /// What a turn that waits holds.
    pub owed: Arc<Owed>,
    /// Writes what agents are told.
    pub telling: Arc<Telling>,
    /// Is told of turns.
    pub way: Arc<Way>,
}

/// What somebody who was let in has said.
pub struct Spoken<'a> {
    /// The protocol's version, to be echoed.
    pub version: &'a str,
    /// The phrase, as Yandex normalises it.
    pub command: &'a str,
    /// Whether it is the first of a session.
    pub is_first: bool,
    /// Who it was.
    pub person: Option<Person>,
    /// The turn that it came in, if it was one.
    pub turn: Option<&'a Turn<'a>>,
}

/// Where a command goes.
struct Route {
    /// Which PC it is about.
    agent: AgentId,
    /// The link of that PC, or of the one that is to wake it.
    link: Arc<Link>,
    /// The addresses of the cards of the PC that is to be woken, if it is; none of them where they are not known.
    wake: Option<Vec<String>>,
}

impl Webhook {
    /// Sends commands of those who are let in to the registry's agents.
    pub fn new(parts: Parts, names: Names, manners: Manners) -> Self {
        let Parts { access, registry, commands, owed, telling, way } = parts;
        let addresses = Addresses::new(&names);
        Self { access, registry, commands, names, addresses, manners, owed, telling, way }
    }

    /// Answers one request, which came in `now`, or leaves it waiting for the agent.
    pub fn serve(&self, incoming: Incoming, body: &[u8], now: Instant) {
        self.way.request(|| incoming.is_forwarded());
        let turn = match Turn::parse(body) {
            Ok(turn) => turn,
            Err(error) => {
                return incoming.answer(Answer::error(400, &cut(&error.to_string(), MAX_PROBLEM)));
            }
        };
        let say = |incoming: Incoming, speech, outcome| {
            self.commands.record.count(outcome);
            incoming.answer(reply(&speech, &turn.version, outcome));
        };
        if turn.is_ping {
            self.way.turn(now);
            return say(incoming, phrases::PONG.into(), Outcome::OwnWords);
        }
        let person = match self.access.admit(&turn, incoming.field(ASK_FIELD)) {
            Ok(Visitor::Ask) => Some(Person::Ask),
            Ok(Visitor::Speaker) => {
                self.way.turn(now);
                Person::of(turn.user_id.as_deref(), turn.device_id.as_deref())
            }
            Err(Stranger) => {
                self.way.turn(now);
                let goodbye = Speech::new(phrases::STRANGER).with_end_session(true);
                return say(incoming, goodbye, Outcome::Refused);
            }
        };
        let (version, command) = (&*turn.version, &*turn.command);
        let (is_first, turn) = (turn.new_session, Some(&turn));
        self.hear(incoming, Spoken { version, command, is_first, person, turn }, now);
    }

    /// Answers what somebody who was let in has said, with the body of a reply, or leaves it waiting for the agent.
    pub fn hear(&self, mut incoming: Incoming, spoken: Spoken<'_>, now: Instant) {
        let Spoken { version, command, is_first, person, turn } = spoken;
        let say = |incoming: Incoming, speech, outcome| {
            self.commands.record.count(outcome);
            incoming.answer(reply(&speech, version, outcome));
        };
        let is_one_phrase = self.manners.leaves && is_first && !command.is_empty();
        let finish = |speech| match is_one_phrase {
            true => leave(speech, person.as_ref(), &self.commands),
            false => speech,
        };
        let (named, command) = match self.addresses.split(command) {
            Some((agent, rest)) => (Some(agent), rest),
            None => (None, command),
        };
        // A button whose title has no words: its payload is all that it says, and some agents are told of it.
        let is_wordless_press = command.is_empty()
            && turn.is_some_and(|turn| turn.is_press && turn.payload.is_some())
            && self.registry.current(AgentId::DEFAULT).is_none_or(|link| link.format == Format::Second);
        let greets = command.is_empty() && named.is_none() && is_first;
        let only = incoming.field(COMMAND_FIELD).filter(|_| person == Some(Person::Ask));
        // What `ask --wait` says about its command is never one itself.
        let asks = (self.manners.keeps || only.is_some()) && words::asks_for_news(command);
        if greets || asks {
            let (speech, outcome) = self.news(person.as_ref(), only, greets, now);
            say(incoming, finish(speech), outcome);
        } else if command.is_empty() && !is_wordless_press {
            let words = match named {
                Some(agent) => finish(self.state(agent, now)),
                None => phrases::NO_COMMAND.into(),
            };
            say(incoming, words, Outcome::OwnWords);
        } else if words::asks_for_help(command) {
            say(incoming, self.help(), Outcome::OwnWords);
        } else {
            let agent = named.unwrap_or(AgentId::DEFAULT);
            let refuse = |incoming: Incoming, agent, words, outcome| {
                self.commands.record.ended(agent, outcome, now, now);
                incoming.answer(reply(&finish(words), version, outcome));
            };
            let Some(owed) = self.owed.owe() else {
                return refuse(incoming, agent, phrases::STOPPING.into(), Outcome::Stopping);
            };
            let asked_for = wake::asked_for(&self.names, named, command);
            let route = match self.route(agent, asked_for, now) {
                Ok(route) => route,
                Err((agent, words)) => return refuse(incoming, agent, words, Outcome::NoAgent),
            };
            let (version, names, agent) = (version.to_owned(), self.names.clone(), route.agent);
            incoming.owe(owed);
            let waiting = WaitingTurn { incoming, version, names, agent, is_one_phrase };
            self.forward(&route, (command, turn), person, Box::new(waiting), now);
        }
    }

    /// Returns where a command for `agent` goes. The PC that is `asked_for` is to be switched on by it: when that is away,
    /// the command goes to whoever can wake it. When nobody can, another PC gets the words as ever, since its owner may
    /// have a command of his own for them.
    ///
    /// # Errors
    /// Nobody can carry it out: which PC that is about, and the words.
    fn route(
        &self,
        agent: AgentId,
        asked_for: Option<AgentId>,
        now: Instant,
    ) -> Result<Route, (AgentId, Speech)> {
        let link = self.registry.current(agent);
        let away = asked_for.filter(|pc| self.registry.current(*pc).is_none());
        let unwakeable = match away.map(|pc| (pc, self.registry.waker_of(pc))) {
            Some((pc, Ok((link, wake)))) => return Ok(Route { agent: pc, link, wake: Some(wake) }),
            Some((pc, Err(why))) => Some((pc, why)),
            None => None,
        };
        match (link, unwakeable) {
            // It knows its owner's own command for that PC, or says that it can't be woken.
            (Some(link), Some((pc, Unwakeable::AddressUnknown))) if link.can_wake() => {
                Ok(Route { agent: pc, link, wake: Some(Vec::new()) })
            }
            (Some(link), _) => Ok(Route { agent, link, wake: None }),
            (None, None) => Err((agent, self.no_agent(agent, now))),
            (None, Some((pc, Unwakeable::ByNobody))) => {
                Err((pc, phrases::NOBODY_WAKES.about(self.names.among_several(pc))))
            }
            (None, Some((pc, Unwakeable::AddressUnknown))) => {
                Err((pc, phrases::address_unknown(self.names.of(pc))))
            }
        }
    }

    /// Returns whether a PC is connected, and for how long.
    fn state(&self, agent: AgentId, now: Instant) -> Speech {
        match self.registry.current(agent) {
            Some(link) => {
                let time = now.saturating_duration_since(link.opened());
                phrases::connected(time, self.names.of(agent))
            }
            None => self.no_agent(agent, now),
        }
    }

    /// Returns that a PC is not connected, and what may be the reason.
    fn no_agent(&self, agent: AgentId, now: Instant) -> Speech {
        let phrase = match self.way.is_knocked(now) {
            true => phrases::NO_AGENT_BUT_A_KNOCK,
            false => phrases::NO_AGENT,
        };
        phrase.about(self.names.among_several(agent))
    }

    fn help(&self) -> Speech {
        let help = if self.manners.keeps { phrases::HELP } else { phrases::HELP_WITHOUT_NEWS };
        if self.names.among_several(AgentId::DEFAULT).is_none() {
            return help.into();
        }
        let names = self.names.all().map(|(_, name)| name);
        Speech::new(&format!("{help} {}", phrases::names_of_pcs(names)))
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
                let is_answer = |item: &Item<'_, Speech>| matches!(item, Item::Answer(..));
                let outcome = if items.iter().any(is_answer) { Outcome::News } else { Outcome::Lost };
                let (count, speech) = news::tell(items, &self.names);
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
            Some((begun, agent)) => {
                let time = now.saturating_duration_since(begun);
                (phrases::still_at_work(time, self.names.among_several(agent)), Outcome::AtWork)
            }
            None => (phrases::NO_NEWS.into(), Outcome::OwnWords),
        }
    }

    fn forward(
        &self,
        Route { agent, link, wake }: &Route,
        (command, turn): (&str, Option<&Turn<'_>>),
        person: Option<Person>,
        waiting: Box<dyn Waits>,
        now: Instant,
    ) {
        let deadline = now + self.manners.reply_timeout;
        let pseudonym = match (link.format, &person) {
            (Format::Second, Some(person)) => self.telling.pseudonym(person),
            _ => None,
        };
        let (agent, begun, wake) = (*agent, now, wake.as_deref());
        let new = New { agent, link: link.id, begun, deadline, person, waiting };
        if let Some(id) = self.commands.begin(new) {
            let context = match (link.format, turn) {
                (Format::First, _) => Context::default(),
                (Format::Second, None) => {
                    Context { person: pseudonym.as_deref(), screen: true, wake, ..Context::default() }
                }
                (Format::Second, Some(turn)) => Context {
                    session: turn.session_id.as_deref().map(|id| (id, turn.new_session)),
                    person: pseudonym.as_deref(),
                    screen: turn.has_screen(),
                    payload: raw(turn.payload),
                    action: None,
                    nlu: raw(turn.nlu),
                    wake,
                },
            };
            let message = self.telling.command(link.format, (&id, command), &context, (now, deadline));
            let patience = PROBE_TIMEOUT;
            self.registry.send(link, Unsent { id, message, since: now, patience, deadline }, now);
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

/// Returns JSON as it came.
fn raw(json: Option<&str>) -> Option<&RawValue> {
    serde_json::from_str(json?).ok()
}
