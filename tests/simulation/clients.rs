//! Made-up clients: their connections, their turns, and what they may hear.

use std::collections::{BTreeMap, VecDeque};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http::connection::{self, Delivery, NextStep};
use crate::http::request::{Request, Switching, Upgraded};
use crate::http::response::{Ending, Response};

/// Who says something. A person is an account.
pub type Person = u32;

/// What became of a turn.
#[derive(Debug, Clone)]
pub struct Turn {
    pub person: Person,
    pub command: bool,
    /// When the relay took it up.
    pub served: Option<Instant>,
    /// Its reply, and when it came.
    pub reply: Option<(String, Instant)>,
    /// Nobody answers it: its connection is over.
    pub dropped: bool,
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    pub peer: SocketAddr,
    pub number: u64,
    /// Ended by the client.
    pub gone: bool,
    /// Ended by the relay.
    pub shut: bool,
    /// Whose turn it is.
    state: connection::Connection,
    /// Turns that the relay has not read yet.
    pub sent: VecDeque<u64>,
    /// Turns that wait for a reply, in order.
    pub open: VecDeque<u64>,
}

impl Connection {
    /// Whether a turn of it is on its way, or waits for a reply that can still come.
    pub fn waits(&self) -> bool {
        !self.sent.is_empty() || !(self.gone || self.shut || self.open.is_empty())
    }
}

/// Everything that the relay does not know.
#[derive(Debug)]
pub struct Net {
    pub now: Instant,
    pub connections: BTreeMap<u64, Connection>,
    pub turns: BTreeMap<u64, Turn>,
    next_connection: u64,
    next_turn: u64,
    /// Which late answers were told, and to which turn.
    told: BTreeMap<u64, u64>,
    reply_timeout: Duration,
}

/// The same, where the relay's parts reach it.
#[derive(Clone)]
pub struct SharedNet(Arc<Mutex<Net>>);

impl SharedNet {
    pub fn new(now: Instant, reply_timeout: Duration) -> Self {
        let (connections, turns, told) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (next_connection, next_turn) = (1, 1);
        Self(Arc::new(Mutex::new(Net {
            now,
            connections,
            turns,
            next_connection,
            next_turn,
            told,
            reply_timeout,
        })))
    }

    pub fn lock(&self) -> MutexGuard<'_, Net> {
        // A failed check is told by the test itself.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Net {
    /// A client connects from this port; the connection that had it before is over.
    pub fn connect(&mut self, port: u16) -> u64 {
        let peer = SocketAddr::from(([10, 0, 0, 1], port));
        if let Some(old) = self.connections.values_mut().find(|c| c.peer == peer && !c.gone) {
            old.gone = true;
        }
        let number = self.next_connection;
        self.next_connection += 1;
        let (sent, open, state) =
            (VecDeque::new(), VecDeque::new(), connection::Connection::new(self.now));
        let connection = Connection { peer, number, gone: false, shut: false, state, sent, open };
        self.connections.insert(number, connection);
        number
    }

    /// A person says something over a connection; the turn's number.
    pub fn say(&mut self, connection: u64, person: Person, command: bool) -> u64 {
        let number = self.next_turn;
        self.next_turn += 1;
        let turn = Turn { person, command, served: None, reply: None, dropped: false };
        self.turns.insert(number, turn);
        let connection = self.connections.get_mut(&connection).expect("it is there");
        connection.sent.push_back(number);
        connection.open.push_back(number);
        number
    }

    /// Returns the connections from which the relay reads a turn next.
    pub fn to_be_read(&self) -> Vec<u64> {
        let sent = self.connections.values().filter(|c| !c.sent.is_empty());
        sent.filter(|c| c.state.next() == NextStep::Read).map(|c| c.number).collect()
    }

    /// A whole turn has come to the relay. Returns who has sent it, and its number.
    pub fn read(&mut self, connection: u64) -> (SocketAddr, u64) {
        let connection = self.connections.get_mut(&connection).expect("it is there");
        connection.state.deliver(Delivery::default());
        (connection.peer, connection.sent.pop_front().expect("it has sent something"))
    }

    /// A connection that neither side has ended.
    pub fn is_open(&self, connection: u64) -> bool {
        self.connections.get(&connection).is_some_and(|c| !c.gone && !c.shut)
    }

    fn reply(&mut self, connection: u64, number: u64, bytes: &[u8]) {
        let text = std::str::from_utf8(bytes).expect("a reply is text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a reply has a head");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        let reply: Value = serde_json::from_str(body).expect("a reply is JSON");
        let said = reply["response"]["text"].as_str().expect("a reply has a text").to_owned();
        let connection = self.connections.get_mut(&connection).expect("it is there");
        assert_eq!(
            connection.open.pop_front(),
            Some(number),
            "replies go out in order: {connection:?}"
        );
        let turn = self.turns.get(&number).expect("it was said").clone();
        assert!(turn.reply.is_none() && !turn.dropped, "turn {number} is answered twice");
        let served = turn.served.expect("it was served");
        let took = self.now.saturating_duration_since(served);
        assert!(took <= self.reply_timeout, "turn {number} waited {took:?}");
        self.hear(number, &turn, &said);
        self.turns.get_mut(&number).expect("it was said").reply = Some((said, self.now));
    }

    /// What a person hears is theirs, and they hear it once.
    fn hear(&mut self, number: u64, turn: &Turn, said: &str) {
        for part in said.split('\n') {
            // Of several PCs each says its name first.
            let part = part.split_once(": ").map_or(part, |(_, part)| part);
            let Some(answered) = part.strip_prefix("ответ ") else {
                assert!(!part.is_empty(), "turn {number} hears nothing");
                continue;
            };
            let answered: u64 = answered.parse().expect("an answer names its turn");
            let asked = &self.turns[&answered];
            assert_eq!(asked.person, turn.person, "{answered} is told to somebody else by {number}");
            assert!(asked.command, "{answered} was no command");
            let before = self.told.insert(answered, number);
            assert_eq!(before, None, "{answered} is told to {number}, and was told before");
        }
        if turn.command && said.contains("ответ ") {
            let own = format!("ответ {number}");
            let last = said.split('\n').next_back().unwrap_or_default();
            assert!(last == own || last.ends_with(&format!(": {own}")), "its own answer comes last");
        }
    }
}

/// A turn on its way through the relay.
pub struct MadeUp {
    pub net: SharedNet,
    pub peer: SocketAddr,
    pub connection: u64,
    pub number: u64,
}

impl MadeUp {
    /// Nobody hears the answer.
    fn drop_turn(&self) {
        let mut net = self.net.lock();
        net.turns.get_mut(&self.number).expect("it was said").dropped = true;
        let Some(connection) = net.connections.get_mut(&self.connection) else { return };
        connection.state.finish();
        // What came behind it is never read.
        for number in std::mem::take(&mut connection.sent) {
            net.turns.get_mut(&number).expect("it was said").dropped = true;
        }
    }
}

impl Request for MadeUp {
    fn peer(&self) -> SocketAddr {
        self.peer
    }

    fn method(&self) -> &str {
        "POST"
    }

    fn target(&self) -> &str {
        "/alice/webhook"
    }

    fn fields(&self, _: &'static str) -> Vec<&str> {
        Vec::new()
    }

    fn respond(self: Box<Self>, response: Response, is_last: bool) {
        assert!(!is_last, "nothing in this world is refused: {response:?}");
        if !self.net.lock().is_open(self.connection) {
            return self.drop_turn();
        }
        let mut net = self.net.lock();
        let now = net.now;
        let state = &mut net.connections.get_mut(&self.connection).expect("it is open").state;
        assert!(state.begin_response(now), "nothing ends it");
        state.response_sent();
        net.reply(self.connection, self.number, &response.into_bytes(Ending::Stays, false));
    }

    fn cut(self: Box<Self>) {
        if let Some(connection) = self.net.lock().connections.get_mut(&self.connection) {
            connection.shut = true;
        }
        self.drop_turn();
    }

    fn socket(&self) -> Option<TcpStream> {
        None
    }

    fn upgrade(self: Box<Self>, _: Switching, _: Arc<TcpStream>) -> Upgraded {
        panic!("no agent comes by HTTP in this world");
    }
}
