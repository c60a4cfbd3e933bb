//! Made-up clients: their connections, their turns, and what they may hear.

use std::collections::{BTreeMap, VecDeque};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http::answer::Ending;
use crate::http::request::Request;
use crate::net::sockets::{Live, Received, Socket, Sockets};

/// Bytes of one turn, with its head.
const TURN_BYTES: u64 = 1000;

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

/// One connection, as the kernel sees it.
#[derive(Debug)]
pub struct Connection {
    pub peer: SocketAddr,
    pub inode: u64,
    /// Ended by the client.
    pub gone: bool,
    /// Ended by the relay.
    pub shut: bool,
    bytes: u64,
    last: Instant,
    unread: u64,
    /// Turns that tiny_http has not handed over yet.
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
    pub kicks: u64,
    next_inode: u64,
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
        let (next_inode, next_turn, kicks) = (1, 1, 0);
        Self(Arc::new(Mutex::new(Net {
            now,
            connections,
            turns,
            kicks,
            next_inode,
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
        let inode = self.next_inode;
        self.next_inode += 1;
        let (sent, open) = (VecDeque::new(), VecDeque::new());
        let (gone, shut, bytes, unread, last) = (false, false, 0, 0, self.now);
        let connection = Connection { peer, inode, gone, shut, bytes, last, unread, sent, open };
        self.connections.insert(inode, connection);
        inode
    }

    /// A person says something over a connection; the turn's number.
    pub fn say(&mut self, inode: u64, person: Person, command: bool) -> u64 {
        let number = self.next_turn;
        self.next_turn += 1;
        let turn = Turn { person, command, served: None, reply: None, dropped: false };
        self.turns.insert(number, turn);
        self.bring(inode, TURN_BYTES);
        let connection = self.connections.get_mut(&inode).expect("it is there");
        connection.sent.push_back(number);
        connection.open.push_back(number);
        number
    }

    /// Bytes come that are no whole request.
    pub fn bring(&mut self, inode: u64, bytes: u64) {
        let now = self.now;
        let connection = self.connections.get_mut(&inode).expect("it is there");
        connection.bytes += bytes;
        connection.last = now;
    }

    /// tiny_http leaves a connection without a thread, or gives it one.
    pub fn strand(&mut self, inode: u64, unread: u64) {
        if let Some(connection) = self.connections.get_mut(&inode) {
            connection.unread = unread;
        }
    }

    /// A connection that neither side has ended.
    pub fn is_open(&self, inode: u64) -> bool {
        self.connections.get(&inode).is_some_and(|c| !c.gone && !c.shut)
    }

    fn reply(&mut self, inode: u64, number: u64, bytes: &[u8]) {
        let text = std::str::from_utf8(bytes).expect("a reply is text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a reply has a head");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        let reply: Value = serde_json::from_str(body).expect("a reply is JSON");
        let said = reply["response"]["text"].as_str().expect("a reply has a text").to_owned();
        let connection = self.connections.get_mut(&inode).expect("it is there");
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
    pub inode: u64,
    pub number: u64,
}

impl Request for MadeUp {
    fn field(&self, _: &'static str) -> Option<&str> {
        None
    }

    fn last_field(&self, _: &'static str) -> Option<&str> {
        None
    }

    fn has_token(&self, _: &'static str, _: &str) -> bool {
        false
    }

    fn size(&self) -> u64 {
        TURN_BYTES
    }

    fn is_head(&self) -> bool {
        false
    }

    fn ending(&self) -> Ending {
        Ending::Stays
    }

    fn answer(self, bytes: &[u8], cut: &dyn Fn()) {
        if self.net.lock().is_open(self.inode) {
            return self.net.lock().reply(self.inode, self.number, bytes);
        }
        // What is written to a connection that is over goes nowhere.
        self.net.lock().turns.get_mut(&self.number).expect("it was said").dropped = true;
        cut();
    }

    fn let_go(self, _: usize) {
        let mut net = self.net.lock();
        assert!(!net.is_open(self.inode), "turn {} is let go of while its client waits", self.number);
        net.turns.get_mut(&self.number).expect("it was said").dropped = true;
    }
}

impl Sockets for SharedNet {
    fn live(&self) -> Option<Vec<Live>> {
        let net = self.lock();
        let open = net.connections.values().filter(|c| !c.gone && !c.shut);
        Some(
            open.map(|c| {
                let last = net.now.saturating_duration_since(c.last);
                let received = Some(Received { bytes: c.bytes, last, unread: c.unread });
                Live { peer: c.peer, socket: Socket { descriptor: 3, inode: c.inode }, received }
            })
            .collect(),
        )
    }

    fn find(&self, peer: SocketAddr, _: Option<Socket>) -> Option<Socket> {
        let net = self.lock();
        let found = net.connections.values().find(|c| c.peer == peer && !c.gone && !c.shut)?;
        Some(Socket { descriptor: 3, inode: found.inode })
    }

    fn duplicate(&self, _: SocketAddr, _: Option<Socket>) -> Option<TcpStream> {
        None
    }

    fn shut(&self, peer: SocketAddr, socket: Option<Socket>) {
        let mut net = self.lock();
        let is_it = |c: &&mut Connection| {
            c.peer == peer && !c.gone && socket.is_none_or(|socket| socket.inode == c.inode)
        };
        if let Some(connection) = net.connections.values_mut().find(is_it) {
            connection.shut = true;
        }
    }
}
