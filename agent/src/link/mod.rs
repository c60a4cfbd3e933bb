//! The link to the relay: connects for ever, answers pings, hands commands over and answers on. It knows no command.
//!
//! One thread does all of it, and carries nothing out. It waits for the socket and for [`Event`]s at once.

pub mod backoff;
pub mod dial;
pub mod trouble;
mod wire;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, WebSocket};

use crate::address::Address;
use crate::clock::RelayClock;
use crate::config::Key;
use crate::link::backoff::Backoff;
use crate::link::trouble::Trouble;
use crate::link::wire::Wire;
use crate::message::{self, Incoming, OnlyId, Outcome, Session};
use crate::phrases::smart_home::Asked;

/// Nothing came for so long: the link is asked whether it is alive. The relay pings every 20 s by default.
const QUIET: Duration = Duration::from_secs(30);

/// How long the answer to that may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// The same when the network has changed, or somebody may have slept.
const SHORT_PATIENCE: Duration = Duration::from_secs(5);

/// A link on which nothing came for so long is over, whether this was noticed yet or not.
pub const SILENCE: Duration = QUIET.saturating_add(PATIENCE);

/// Waiting took so much longer than it was to: the PC slept, or the program was stopped.
const SLEPT: Duration = Duration::from_secs(5);

/// Messages that are read before somebody else has a turn.
const MAX_AT_ONCE: usize = 64;

/// How long the relay may take to confirm a close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What a late command is answered with.
pub const LATE: &str = "Команда пришла слишком поздно и не выполнена.";

/// What a command is answered with that can't be read.
const ODD: &str = "Команда пришла непонятной.";

/// The close code of a link that a newer one replaces (docs/agents.md, "The connection").
const REPLACED: u16 = 4001;

/// What others have the link do.
#[derive(Debug)]
pub enum Event {
    /// Send this answer, if the link with this number is still there.
    Answer(u64, String),
    /// The config has another server or key.
    Moved(Address, Key),
    Woke,
    Network,
    Stop,
}

/// Hands events over to the link's thread.
#[derive(Clone)]
pub struct Mail {
    events: Sender<Event>,
    waker: Arc<Waker>,
}

impl Mail {
    /// Hands one over. It is lost when the thread has ended, and so has the program.
    pub fn send(&self, event: Event) {
        if self.events.send(event).is_ok() {
            // It fails only when the system has no memory: the event is then read with the next one.
            let _ = self.waker.wake();
        }
    }
}

/// A command that was read in time.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// The link that it came over.
    pub link: u64,
    pub id: String,
    pub text: String,
    /// The conversation that it belongs to.
    pub session: Option<Session>,
    /// Cards that are to be woken, in place of what the text says.
    pub wake: Option<Vec<String>>,
    /// When whoever waits for it stops, in milliseconds of `system::uptime`.
    pub until: Option<u64>,
    /// What Smart Home asks for. Whoever waits is then told that it failed, so that it must not happen any more.
    pub action: Option<Asked>,
}

/// Takes what comes over the link. Nothing of it waits.
pub trait Desk {
    /// Takes a command. Returns what it is answered with at once; none when the answer comes by [`Mail`].
    fn take(&self, command: Command) -> Option<Outcome>;
    /// Something came from the relay, at this time of `system::uptime`.
    fn heard(&self, uptime: u64);
    /// The link with this number is over: what of it has not begun must not happen any more.
    fn lost(&self, link: u64);
    /// There is a link, or there is none for this reason. It is called again only when that changes, and `is_news` only once
    /// while two agents throw each other out.
    fn tell(&self, state: &Result<Address, Trouble>, is_news: bool);
}

/// The link, with what it waits by.
pub struct Link {
    address: Address,
    key: Key,
    poll: Poll,
    events: Receiver<Event>,
    /// The time of a clock that runs on in sleep, in milliseconds.
    uptime: fn() -> u64,
    /// This PC's cards, as they are now.
    cards: fn() -> Vec<String>,
    number: u64,
    told: Option<Result<(), Trouble>>,
    /// Whether another agent has come with the same key, and no link has held since.
    is_fought_over: bool,
}

/// How a link or the wait for one ended.
enum End {
    Trouble(Trouble),
    Again,
    Stop,
}

impl Link {
    /// Connects to `address` with `key` once it runs. Returns also what hands it events.
    ///
    /// # Errors
    /// The system refuses what is waited by.
    pub fn new(
        address: Address,
        key: Key,
        uptime: fn() -> u64,
        cards: fn() -> Vec<String>,
    ) -> io::Result<(Self, Mail)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), Token(1))?);
        let (sender, events) = std::sync::mpsc::channel();
        let link = Self { address, key, poll, events, uptime, cards, number: 0, told: None, is_fought_over: false };
        Ok((link, Mail { events: sender, waker }))
    }

    /// Connects once, says goodbye and returns.
    ///
    /// # Errors
    /// There is no relay that lets this PC in.
    pub fn try_once(mut self) -> Result<(), Trouble> {
        let mut socket = dial::websocket(&self.address, &self.key, &mut self.poll)?;
        self.farewell(&mut socket);
        Ok(())
    }

    /// Holds the link until [`Event::Stop`].
    pub fn run(mut self, desk: &impl Desk) {
        let mut backoff = Backoff::default();
        loop {
            self.number += 1;
            let begun = Instant::now();
            let end = match dial::websocket(&self.address, &self.key, &mut self.poll) {
                Ok(socket) => {
                    self.tell(desk, Ok(()));
                    let linked = Instant::now();
                    let end = self.hold(socket, desk);
                    desk.lost(self.number);
                    backoff.was_linked(linked.elapsed());
                    self.is_fought_over &= linked.elapsed() < backoff::GOOD;
                    end
                }
                Err(trouble) => End::Trouble(trouble),
            };
            let end = match end {
                End::Trouble(trouble) => {
                    let wait = backoff.next(trouble == Trouble::Replaced);
                    let may_hurry = trouble.is_of_network();
                    self.tell(desk, Err(trouble));
                    match self.pause(begun, wait, may_hurry) {
                        Some(end) => end,
                        None => continue,
                    }
                }
                end => end,
            };
            if matches!(end, End::Stop) {
                return;
            }
            backoff = Backoff::default();
        }
    }

    fn tell(&mut self, desk: &impl Desk, state: Result<(), Trouble>) {
        if self.told.as_ref() != Some(&state) {
            let is_of_fight = matches!(state, Ok(()) | Err(Trouble::Replaced));
            let is_news = !(is_of_fight && self.is_fought_over);
            self.is_fought_over = is_of_fight && (self.is_fought_over || state.is_err());
            desk.tell(&state.clone().map(|()| self.address.clone()), is_news);
            self.told = Some(state);
        }
    }

    /// Waits to connect again. Returns what has made everything new meanwhile. Another network speaks for an attempt at once
    /// where it `may_hurry`, but never for two within a second.
    fn pause(&mut self, begun: Instant, wait: Duration, may_hurry: bool) -> Option<End> {
        let (mut until, mut early) = (Instant::now() + wait, None);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(Event::Answer(..)) => {}
                Ok(Event::Network) if !may_hurry => {}
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return Some(End::Stop),
                Err(RecvTimeoutError::Timeout) => return early,
                Ok(event) => {
                    until = until.min((begun + backoff::FIRST).max(Instant::now()));
                    if let Event::Moved(address, key) = event {
                        (self.address, self.key, self.told) = (address, key, None);
                        early = Some(End::Again);
                    }
                }
            }
        }
    }

    /// Serves one connection until it ends.
    fn hold(&mut self, socket: WebSocket<Wire>, desk: &impl Desk) -> End {
        let now = (self.uptime)();
        let cards = (self.cards)();
        let hello = message::hello(&cards);
        let mut held = Held { socket, clock: RelayClock::default(), heard: now, asked: None, cards, desk };
        desk.heard(now);
        match held.socket.send(Message::text(hello)) {
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return End::Trouble(Trouble::Lost),
            Ok(()) => {}
        }
        loop {
            let is_more = match held.read(self.number, self.uptime) {
                Ok(is_more) => is_more,
                Err(end) => return end,
            };
            while let Ok(event) = self.events.try_recv() {
                match event {
                    Event::Answer(link, answer) if link == self.number => {
                        if held.write(Message::text(answer)).is_err() {
                            return End::Trouble(Trouble::Lost);
                        }
                    }
                    Event::Answer(..) => {}
                    Event::Moved(address, key) => {
                        self.farewell(&mut held.socket);
                        (self.address, self.key, self.told) = (address, key, None);
                        return End::Again;
                    }
                    Event::Woke => {
                        self.told = None;
                        return End::Again;
                    }
                    Event::Network => {
                        held.ask((self.uptime)(), SHORT_PATIENCE);
                        let cards = (self.cards)();
                        if cards != held.cards {
                            let _ = held.write(Message::text(message::hello(&cards)));
                            held.cards = cards;
                        }
                    }
                    Event::Stop => {
                        self.farewell(&mut held.socket);
                        return End::Stop;
                    }
                }
            }
            if held.flush().is_err() {
                return End::Trouble(Trouble::Lost);
            }
            let now = (self.uptime)();
            let wait = match held.due(now) {
                Some(_) if is_more => Duration::ZERO,
                Some(wait) => wait,
                None => return End::Trouble(Trouble::Silent),
            };
            match self.poll.poll(&mut Events::with_capacity(4), Some(wait)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return End::Trouble(Trouble::Broken(error.to_string()));
                }
                _ => {}
            }
            let waited = Duration::from_millis((self.uptime)().saturating_sub(now));
            if waited > wait + SLEPT {
                // The relay may have told long ago that what was under way is lost.
                self.told = None;
                return End::Again;
            }
        }
    }

    /// Closes a connection as RFC 6455 has it (7.1.1). The relay has a moment to confirm it.
    fn farewell(&mut self, socket: &mut WebSocket<Wire>) {
        let frame = CloseFrame { code: CloseCode::Away, reason: "".into() };
        let mut step = socket.close(Some(frame));
        let until = Instant::now() + CLOSE_TIMEOUT;
        loop {
            match step {
                Ok(()) => {}
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() || self.poll.poll(&mut Events::with_capacity(4), Some(left)).is_err() {
                        return;
                    }
                }
                Err(_) => return,
            }
            step = socket.read().map(drop);
        }
    }
}

/// A connection that is there.
struct Held<'a, D: Desk> {
    socket: WebSocket<Wire>,
    clock: RelayClock,
    /// When something last came.
    heard: u64,
    /// Until when the answer to a ping must have come.
    asked: Option<u64>,
    cards: Vec<String>,
    desk: &'a D,
}

impl<D: Desk> Held<'_, D> {
    /// Reads and hands over what has come. Returns whether there may be more.
    fn read(&mut self, number: u64, uptime: fn() -> u64) -> Result<bool, End> {
        for _ in 0..MAX_AT_ONCE {
            match self.socket.read() {
                Ok(message) => {
                    let now = uptime();
                    (self.heard, self.asked) = (now, None);
                    self.desk.heard(now);
                    match message {
                        Message::Text(text) => self.take(&text, number, now)?,
                        // The relay sends none; pings are answered by tungstenite.
                        Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                        Message::Close(frame) => {
                            let _ = self.socket.flush();
                            let code = frame.map(|frame| frame.code);
                            return Err(End::Trouble(match code {
                                Some(code) if code == CloseCode::from(REPLACED) => Trouble::Replaced,
                                Some(CloseCode::Away) => Trouble::Stopped,
                                _ => Trouble::Lost,
                            }));
                        }
                    }
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(_) => return Err(End::Trouble(Trouble::Lost)),
            }
        }
        Ok(true)
    }

    /// Takes one message. What is none of the relay's is passed over.
    fn take(&mut self, text: &str, number: u64, now: u64) -> Result<(), End> {
        let Ok(Incoming { id, text, now: relay, until, session, action, wake }) = serde_json::from_str(text) else {
            let Ok(OnlyId { id }) = serde_json::from_str(text) else { return Ok(()) };
            return self.answer(&id, &Outcome::failed(ODD));
        };
        let Some(id) = id else {
            relay.into_iter().for_each(|relay| self.clock.told(relay, now));
            return Ok(());
        };
        let until = until.and_then(|until| self.clock.own(until)).map(|own| u64::try_from(own).unwrap_or(0));
        // Judged here, beside the work: a PC that has slept must not carry out what was given up.
        let outcome = match until.is_some_and(|until| now > until) {
            true => Some(Outcome::failed(LATE)),
            false => self.desk.take(Command { link: number, id: id.clone(), text, session, wake, until, action }),
        };
        outcome.map_or(Ok(()), |outcome| self.answer(&id, &outcome))
    }

    fn answer(&mut self, id: &str, outcome: &Outcome) -> Result<(), End> {
        let answer = message::answer(id, outcome);
        self.write(Message::text(answer)).map_err(|_| End::Trouble(Trouble::Lost))
    }

    /// Puts a message in, to be sent by the next [`Held::flush`].
    fn write(&mut self, message: Message) -> Result<(), Error> {
        match self.socket.write(message) {
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            result => result,
        }
    }

    /// Sends what can be sent without waiting.
    fn flush(&mut self) -> Result<(), Error> {
        match self.socket.flush() {
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            result => result,
        }
    }

    /// Asks whether the link is alive.
    fn ask(&mut self, now: u64, patience: Duration) {
        let until = now.saturating_add(milliseconds(patience));
        self.asked = Some(self.asked.map_or(until, |asked| asked.min(until)));
        // Should that fail, nothing will come, and the link is over.
        let _ = self.write(Message::Ping(Vec::new().into()));
        let _ = self.flush();
    }

    /// Returns for how long there is nothing to do; none when the link is over.
    fn due(&mut self, now: u64) -> Option<Duration> {
        let quiet = self.heard.saturating_add(milliseconds(QUIET));
        if self.asked.is_none() && quiet <= now {
            self.ask(now, PATIENCE);
        }
        let next = self.asked.unwrap_or(quiet);
        (next > now).then(|| Duration::from_millis(next - now))
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
