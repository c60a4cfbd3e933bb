//! The webhook: replies to a turn at once, or forwards its command to the agent.

use std::sync::Arc;
use std::time::Instant;

use serde_json::value::RawValue;

use crate::agents::encoder::Protocol;
use crate::agents::household::Unwakeable;
use crate::agents::link::Link;
use crate::agents::probe::PROBE_TIMEOUT;
use crate::agents::v2::Context;
use crate::commands::Responder;
use crate::commands::in_flight::NewCommand;
use crate::commands::late_answers::Item;
use crate::commands::outcome::Outcome;
use crate::commands::person::Person;
use crate::config::agents::AgentId;
use crate::config::credentials::ASK_FIELD;
use crate::dialogs::access::{Caller, Stranger, admit, tell_ids_once};
use crate::dialogs::reply::{COMMAND_FIELD, reply};
use crate::dialogs::turn::Turn;
use crate::dialogs::waiting::{WaitingTurn, end_session};
use crate::dialogs::{names, news, phrases, wake, words};
use crate::engine::Engine;
use crate::http::exchange::Exchange;
use crate::http::response::Response;
use crate::speech::Speech;
use crate::text::cut;

/// Longest description of what is wrong with a body, in characters.
const MAX_PROBLEM: usize = 300;

/// A phrase of an admitted caller.
pub struct Utterance<'a> {
    /// The protocol version, echoed in the reply.
    pub version: &'a str,
    /// The phrase, as Yandex normalises it.
    pub command: &'a str,
    /// Whether it is the session's first.
    pub is_first: bool,
    /// Who said it.
    pub person: Option<Person>,
    /// The turn that carried it, if any.
    pub turn: Option<&'a Turn<'a>>,
}

/// The destination of a command.
struct Route {
    /// The PC that it is about.
    agent: AgentId,
    /// The link of that PC, or of the one that wakes it.
    link: Arc<Link>,
    /// The network cards of the PC to wake, if it is to be woken; empty if they are unknown.
    wake: Option<Vec<String>>,
}

/// Responds to a request that arrived `now`, or leaves it waiting for the agent.
pub fn serve(engine: &Engine, exchange: Exchange, body: &[u8], now: Instant) {
    engine.reachability.request(|| exchange.is_forwarded());
    let turn = match Turn::parse(body) {
        Ok(turn) => turn,
        Err(error) => {
            return exchange.respond(Response::error(400, &cut(&error.to_string(), MAX_PROBLEM)));
        }
    };
    let say = |exchange: Exchange, speech, outcome| {
        engine.commands.record.count(outcome);
        exchange.respond(reply(&speech, &turn.version, outcome));
    };
    if turn.is_ping {
        engine.reachability.turn(now);
        return say(exchange, phrases::PONG.into(), Outcome::OwnWords);
    }
    let person = match admit(&engine.config.credentials, &turn, exchange.field(ASK_FIELD)) {
        Ok(Caller::Ask) => Some(Person::Ask),
        Ok(Caller::Speaker) => {
            engine.reachability.turn(now);
            tell_ids_once(&engine.config.credentials, &engine.seen_ids, &turn);
            Person::of(turn.user_id.as_deref(), turn.device_id.as_deref())
        }
        Err(Stranger) => {
            engine.reachability.turn(now);
            let goodbye = Speech::new(phrases::STRANGER).with_end_session(true);
            return say(exchange, goodbye, Outcome::Refused);
        }
    };
    let (version, command) = (&*turn.version, &*turn.command);
    let (is_first, turn) = (turn.new_session, Some(&turn));
    hear(engine, exchange, Utterance { version, command, is_first, person, turn }, now);
}

/// Responds to an admitted phrase with the body of a reply, or leaves it waiting for the agent.
pub fn hear(engine: &Engine, mut exchange: Exchange, utterance: Utterance<'_>, now: Instant) {
    let Utterance { version, command, is_first, person, turn } = utterance;
    let say = |exchange: Exchange, speech, outcome| {
        engine.commands.record.count(outcome);
        exchange.respond(reply(&speech, version, outcome));
    };
    let is_one_phrase = engine.config.leaves_after_one_phrase && is_first && !command.is_empty();
    let finish = |speech| match is_one_phrase {
        true => end_session(speech, person.as_ref(), &engine.commands),
        false => speech,
    };
    let (named, command) = match names::split(&engine.names, command) {
        Some((agent, rest)) => (Some(agent), rest),
        None => (None, command),
    };
    // A button whose title has no words: only its payload says anything, and only [`Protocol::V2`] carries it.
    let is_wordless_press = command.is_empty()
        && turn.is_some_and(|turn| turn.is_press && turn.payload.is_some())
        && engine.registry.current(AgentId::DEFAULT).is_none_or(|link| link.protocol == Protocol::V2);
    let greets = command.is_empty() && named.is_none() && is_first;
    let only = exchange.field(COMMAND_FIELD).filter(|_| person == Some(Person::Ask));
    if greets || words::asks_for_news(command) {
        let (speech, outcome) = news(engine, person.as_ref(), only, greets, now);
        say(exchange, finish(speech), outcome);
    } else if command.is_empty() && !is_wordless_press {
        let words = match named {
            Some(agent) => finish(state(engine, agent, now)),
            None => phrases::NO_COMMAND.into(),
        };
        say(exchange, words, Outcome::OwnWords);
    } else if words::asks_for_help(command) {
        say(exchange, help(engine), Outcome::OwnWords);
    } else {
        let agent = named.unwrap_or(AgentId::DEFAULT);
        let refuse = |exchange: Exchange, agent, words, outcome| {
            engine.commands.record.ended(agent, outcome, now, now);
            exchange.respond(reply(&finish(words), version, outcome));
        };
        let Some(guard) = engine.drain.guard() else {
            return refuse(exchange, agent, phrases::STOPPING.into(), Outcome::Stopping);
        };
        let asked_for = wake::asked_for(&engine.names, named, command);
        let route = match route(engine, agent, asked_for, now) {
            Ok(route) => route,
            Err((agent, words)) => return refuse(exchange, agent, words, Outcome::NoAgent),
        };
        let (version, names, agent) = (version.to_owned(), engine.names.clone(), route.agent);
        exchange.hold(guard);
        let responder = WaitingTurn { exchange, version, names, agent, is_one_phrase };
        forward(engine, &route, (command, turn), person, Box::new(responder), now);
    }
}

/// Finds the destination of a command for `agent`. `asked_for` is the PC that the command switches on: if it is away,
/// the command goes to a PC that can wake it. If none can, `agent` gets the words as usual, since its owner may have a
/// command of their own for them.
///
/// # Errors
/// Nobody can carry it out: the PC that it is about, and the speech.
fn route(
    engine: &Engine,
    agent: AgentId,
    asked_for: Option<AgentId>,
    now: Instant,
) -> Result<Route, (AgentId, Speech)> {
    let link = engine.registry.current(agent);
    let away = asked_for.filter(|pc| engine.registry.current(*pc).is_none());
    let unwakeable = match away.map(|pc| (pc, engine.registry.wake_route(pc))) {
        Some((pc, Ok((link, wake)))) => return Ok(Route { agent: pc, link, wake: Some(wake) }),
        Some((pc, Err(why))) => Some((pc, why)),
        None => None,
    };
    match (link, unwakeable) {
        // That agent may know the owner's own command for the PC, or says that it can't be woken.
        (Some(link), Some((pc, Unwakeable::AddressUnknown))) if link.can_wake() => {
            Ok(Route { agent: pc, link, wake: Some(Vec::new()) })
        }
        (Some(link), _) => Ok(Route { agent, link, wake: None }),
        (None, None) => Err((agent, no_agent(engine, agent, now))),
        (None, Some((pc, Unwakeable::NoWaker))) => {
            Err((pc, phrases::NOBODY_WAKES.about(engine.names.among_several(pc))))
        }
        (None, Some((pc, Unwakeable::AddressUnknown))) => {
            Err((pc, phrases::address_unknown(engine.names.of(pc))))
        }
    }
}

/// Says whether a PC is connected, and for how long.
fn state(engine: &Engine, agent: AgentId, now: Instant) -> Speech {
    match engine.registry.current(agent) {
        Some(link) => {
            let time = now.saturating_duration_since(link.opened());
            phrases::connected(time, engine.names.of(agent))
        }
        None => no_agent(engine, agent, now),
    }
}

/// Says that a PC is not connected, with the likely reason.
fn no_agent(engine: &Engine, agent: AgentId, now: Instant) -> Speech {
    let phrase = match engine.reachability.had_wrong_key(now) {
        true => phrases::NO_AGENT_WRONG_KEY,
        false => phrases::NO_AGENT,
    };
    phrase.about(engine.names.among_several(agent))
}

fn help(engine: &Engine) -> Speech {
    let help = phrases::HELP;
    if engine.names.among_several(AgentId::DEFAULT).is_none() {
        return help.into();
    }
    let names = engine.names.all().map(|(_, name)| name);
    Speech::new(&format!("{help} {}", phrases::names_of_pcs(names)))
}

/// Says what became of the person's late commands, or of the one command `only`. If no answer is kept and `greets`,
/// returns the greeting.
fn news(
    engine: &Engine,
    person: Option<&Person>,
    only: Option<&str>,
    greets: bool,
    now: Instant,
) -> (Speech, Outcome) {
    let mut told = None;
    if let Some(person) = person {
        engine.commands.offer(person, only, now, &mut |items| {
            let is_answer = |item: &Item<'_, Speech>| matches!(item, Item::Answer(..));
            let outcome = if items.iter().any(is_answer) { Outcome::News } else { Outcome::Lost };
            let (count, speech) = news::tell(items, &engine.names);
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
    match person.and_then(|person| engine.commands.oldest_pending(person, only)) {
        Some((begun, agent)) => {
            let time = now.saturating_duration_since(begun);
            (phrases::still_at_work(time, engine.names.among_several(agent)), Outcome::AtWork)
        }
        None => (phrases::NO_NEWS.into(), Outcome::OwnWords),
    }
}

fn forward(
    engine: &Engine,
    Route { agent, link, wake }: &Route,
    (command, turn): (&str, Option<&Turn<'_>>),
    person: Option<Person>,
    responder: Box<dyn Responder>,
    now: Instant,
) {
    let pseudonym = match (link.protocol, &person) {
        (Protocol::V2, Some(person)) => engine.registry.encoder.pseudonym(person),
        _ => None,
    };
    let (agent, wake, person_told) = (*agent, wake.as_deref(), pseudonym.as_deref());
    let context = match (link.protocol, turn) {
        (Protocol::V1, _) => Context::default(),
        (Protocol::V2, None) => {
            Context { person: person_told, screen: true, wake, ..Context::default() }
        }
        (Protocol::V2, Some(turn)) => Context {
            session: turn.session_id.as_deref().map(|id| (id, turn.new_session)),
            person: person_told,
            screen: turn.has_screen(),
            payload: raw(turn.payload),
            action: None,
            nlu: raw(turn.nlu),
            wake,
        },
    };
    let deadline = now + engine.config.reply_timeout;
    let new = NewCommand { agent, link: link.id, begun: now, deadline, person, responder };
    engine.dispatch(link, new, command, &context, PROBE_TIMEOUT);
}

/// Returns raw JSON for embedding.
fn raw(json: Option<&str>) -> Option<&RawValue> {
    serde_json::from_str(json?).ok()
}
