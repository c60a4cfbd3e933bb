//! The order of requests against a naive model: a flat list of all requests that there ever were, each with
//! its state, and one of the connections that are remembered. How patient one may be with a connection is
//! taken from [`Patience`] as it is, which has tests of its own.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::http::patience::{MAX_BEHIND, MAX_HEAD};
use crate::net::sockets::Received;
use crate::seen::{Seen, hold, must_happen};

/// Ports on which connections come and go.
const PORTS: u16 = 6;

/// Connections that come at once and are gone again: more than are remembered without a sweep.
const CROWD: u16 = 1100;

/// Room for all that there are.
const ENOUGH: usize = 9999;

/// A run in which one of these never happens shows nothing about it.
const MUST_HAPPEN: [&str; 19] = [
    "served at once",
    "served after another",
    "waits",
    "waits on a condemned connection",
    "dropped",
    "cut, since too many wait",
    "at rest",
    "dropped with the one before",
    "dropped, since the connection was replaced",
    "condemned",
    "upgraded",
    "cut by its verdict",
    "cut while it was being served",
    "cut for want of room",
    "stranded",
    "kicked",
    "no kick is left",
    "all kicks are saved up",
    "forgotten",
];

#[derive(Debug, Clone)]
enum Operation {
    /// Requests come from a port, and the socket of its connection is found, or was gone already.
    Ask {
        port: u16,
        count: usize,
        is_found: bool,
    },
    /// One of the requests that are being served is done with.
    Finish(Index),
    /// One of the connections that were ever served is condemned by whoever serves it.
    Condemn(Index),
    Upgrade(Index),
    /// The connection on a port is over; whether another has its address at once.
    End {
        port: u16,
        is_replaced: bool,
    },
    /// Bytes come on a port's connection, and are read or not.
    Bring {
        port: u16,
        bytes: u64,
        is_read: bool,
    },
    /// tiny_http holds two descriptors of each connection, and both may be found.
    Sweep {
        times: usize,
        room: usize,
        kernel_tells: bool,
        is_found_twice: bool,
    },
    Wait(Duration),
    Crowd,
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::{Ask, Bring, Condemn, End, Finish, Sweep, Upgrade, Wait};
    let count = prop_oneof![20 => Just(1usize), 5 => 2..5usize, 1 => Just(MAX_PIPELINED + 6)];
    let bytes = select(vec![0, 1, 1000, MAX_HEAD, MAX_HEAD + 1, MAX_BEHIND, MAX_BEHIND + 1]);
    let room = prop_oneof![3 => Just(ENOUGH), 1 => 0..4usize];
    let times = prop_oneof![8 => Just(1usize), 1 => Just(40usize)];
    let jumps = vec![1, 4, 20, 21, 31, 32, 250, 1000, 4999, 5000, 9999, 10_000, 60_000];
    prop_oneof![
        12 => (0..PORTS, count, prop::bool::weighted(0.9))
            .prop_map(|(port, count, is_found)| Ask { port, count, is_found }),
        12 => any::<Index>().prop_map(Finish),
        1 => any::<Index>().prop_map(Condemn),
        1 => any::<Index>().prop_map(Upgrade),
        6 => (0..PORTS, prop::bool::weighted(0.7))
            .prop_map(|(port, is_replaced)| End { port, is_replaced }),
        6 => (0..PORTS, bytes, prop::bool::weighted(0.2))
            .prop_map(|(port, bytes, is_read)| Bring { port, bytes, is_read }),
        8 => (times, room, prop::bool::weighted(0.9), any::<bool>()).prop_map(
            |(times, room, kernel_tells, is_found_twice)| {
                Sweep { times, room, kernel_tells, is_found_twice }
            }
        ),
        6 => select(jumps).prop_map(|milliseconds| Wait(Duration::from_millis(milliseconds))),
    ]
}

fn peer(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// What the kernel knows of a connection that is open.
struct Open {
    inode: u64,
    bytes: u64,
    unread: u64,
    last: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waits,
    Served,
    Over,
}

/// One request. Its number is its place in the list.
struct Asked {
    connection: u64,
    state: State,
    /// Which socket it came from, if that was found.
    inode: Option<u64>,
}

/// One connection that is remembered.
struct Record {
    number: u64,
    peer: SocketAddr,
    socket: Option<Socket>,
    /// Another has its address.
    is_replaced: bool,
    condemned: Option<Instant>,
    patience: Patience,
}

struct Model {
    requests: Vec<Asked>,
    records: Vec<Record>,
    opened: u64,
    crowded: usize,
    kicks_saved: usize,
    /// Since when no kick was allowed by time; none before the first sweep.
    saved_since: Option<Instant>,
}

impl Model {
    fn record(&mut self, number: u64) -> Option<&mut Record> {
        self.records.iter_mut().find(|record| record.number == number)
    }

    fn current(&self, peer: SocketAddr) -> Option<&Record> {
        self.records.iter().find(|record| record.peer == peer && !record.is_replaced)
    }

    /// The requests of a connection that are in this state, the oldest first.
    fn requests(&self, connection: u64, state: State) -> Vec<usize> {
        let all = self.requests.iter().enumerate();
        let its = all.filter(|(_, one)| one.connection == connection && one.state == state);
        its.map(|(number, _)| number).collect()
    }

    fn is_served(&self, connection: u64) -> bool {
        self.requests.iter().any(|one| one.state == State::Served && one.connection == connection)
    }

    /// The connection that a peer has now, with this socket if it was found; a new one if the one that is
    /// remembered is another.
    fn meet(&mut self, peer: SocketAddr, socket: Option<Socket>, patience: Patience) -> u64 {
        let known = self.current(peer).map(|record| (record.number, record.socket));
        match (known, socket) {
            (Some((number, _)), None) => return number,
            (Some((number, Some(old))), Some(new)) if old.inode == new.inode => return number,
            _ => {}
        }
        if let Some((old, _)) = known {
            if self.is_served(old) {
                self.record(old).expect("it is known").is_replaced = true;
            } else {
                self.records.retain(|record| record.number != old);
            }
        }
        let number = self.opened;
        self.opened += 1;
        self.kicks_saved = (self.kicks_saved + 1).min(MAX_KICKS_SAVED);
        let (is_replaced, condemned) = (false, None);
        self.records.push(Record { number, peer, socket, is_replaced, condemned, patience });
        number
    }

    fn condemn(&mut self, number: u64, now: Instant) -> Option<Target> {
        let record = self.record(number)?;
        if record.is_replaced {
            return None;
        }
        record.condemned = Some(now);
        Some(Target { peer: record.peer, socket: record.socket })
    }

    fn save_kicks(&mut self, now: Instant) {
        let since = *self.saved_since.get_or_insert(now);
        let whole = ((now - since).as_nanos() / KICK_ALLOWED_EVERY.as_nanos()) as u32;
        self.kicks_saved += whole as usize;
        self.saved_since = Some(since + whole * KICK_ALLOWED_EVERY);
        if self.kicks_saved >= MAX_KICKS_SAVED {
            (self.kicks_saved, self.saved_since) = (MAX_KICKS_SAVED, Some(now));
        }
    }

    fn forget(&mut self, now: Instant, live: &[Live]) -> usize {
        let before = self.records.len();
        let mut kept = Vec::new();
        for record in std::mem::take(&mut self.records) {
            let is_open = live.iter().any(|found| found.peer == record.peer);
            let may_bring_more = record.condemned.is_some_and(|since| now < since + CONDEMNED);
            if !record.is_replaced && (is_open || may_bring_more) || self.is_served(record.number) {
                kept.push(record);
            }
        }
        self.records = kept;
        self.crowded = MAX_REMEMBERED.max(2 * self.newest());
        before - self.records.len()
    }

    /// How many connections have an address that no other has by now.
    fn newest(&self) -> usize {
        self.records.iter().filter(|record| !record.is_replaced).count()
    }

    fn waiting(&self) -> usize {
        self.requests.iter().filter(|one| one.state == State::Waits).count()
    }
}

/// The order and its model, and the connections that there really are.
struct Both<'a> {
    /// A request is its number.
    order: Order<usize>,
    model: Model,
    now: Instant,
    start: Instant,
    open: BTreeMap<u16, Open>,
    /// Those of all connections that were ever served, by their numbers in the model.
    ids: BTreeMap<u64, ConnectionId>,
    inodes: u64,
    sweeps: u64,
    kicks: usize,
    next_crowd: u16,
    seen: &'a mut Seen,
}

impl<'a> Both<'a> {
    fn new(seen: &'a mut Seen) -> Self {
        let now = Instant::now();
        let model = Model {
            requests: Vec::new(),
            records: Vec::new(),
            opened: 0,
            crowded: MAX_REMEMBERED,
            kicks_saved: MAX_KICKS,
            saved_since: None,
        };
        let (order, open, ids) = (Order::default(), BTreeMap::new(), BTreeMap::new());
        let (inodes, sweeps, kicks, next_crowd) = (0, 0, 0, PORTS);
        let mut both =
            Self { order, model, now, start: now, open, ids, inodes, sweeps, kicks, next_crowd, seen };
        (0..PORTS).for_each(|port| both.open(port));
        both
    }

    fn note(&mut self, what: &'static str, count: usize) {
        if count > 0 {
            *self.seen.entry(what).or_default() += count;
        }
    }

    fn open(&mut self, port: u16) {
        self.inodes += 1;
        self.open.insert(port, Open { inode: self.inodes, bytes: 0, unread: 0, last: self.now });
    }

    /// One of the connections that were ever served: its number in the model, and its id.
    fn pick(&self, index: &Index) -> Option<(u64, ConnectionId)> {
        let all: Vec<_> = self.ids.iter().collect();
        (!all.is_empty()).then(|| *index.get(&all)).map(|(number, id)| (*number, *id))
    }

    /// The socket of a port's connection, found now under the one descriptor and now under the other.
    fn socket(&self, port: u16) -> Option<Socket> {
        let inode = self.open.get(&port)?.inode;
        Some(Socket { descriptor: (2 * inode + self.sweeps % 2) as i32, inode })
    }

    fn perform(&mut self, operation: &Operation) {
        match operation {
            Operation::Ask { port, count, is_found } => {
                for _ in 0..*count {
                    self.ask(*port, self.socket(*port).filter(|_| *is_found));
                }
            }
            Operation::Finish(index) => {
                let all = self.model.requests.iter().enumerate();
                let served: Vec<_> = all.filter(|(_, one)| one.state == State::Served).collect();
                if !served.is_empty() {
                    let number = index.get(&served).0;
                    self.finish(number);
                }
            }
            Operation::Condemn(index) => {
                let Some((number, id)) = self.pick(index) else { return };
                let target = self.order.condemn(id, self.now);
                assert_eq!(target, self.model.condemn(number, self.now));
                self.note("condemned", target.iter().count());
            }
            Operation::Upgrade(index) => {
                let Some((number, id)) = self.pick(index) else { return };
                self.order.upgraded(id);
                if let Some(record) = self.model.record(number) {
                    record.patience.end();
                    self.note("upgraded", 1);
                }
            }
            Operation::End { port, is_replaced } => {
                self.open.remove(port);
                if *is_replaced {
                    self.open(*port);
                }
            }
            Operation::Bring { port, bytes, is_read } => {
                if let Some(open) = self.open.get_mut(port) {
                    open.bytes += bytes;
                    open.unread = if *is_read { 0 } else { open.unread + bytes };
                    open.last = self.now;
                }
            }
            Operation::Sweep { times, room, kernel_tells, is_found_twice } => {
                for _ in 0..*times {
                    self.sweep(*room, *kernel_tells, *is_found_twice);
                }
            }
            Operation::Wait(time) => self.now += *time,
            Operation::Crowd => self.crowd(),
        }
        self.agree();
    }

    /// A request comes from a port.
    fn ask(&mut self, port: u16, socket: Option<Socket>) {
        let (request, now) = (self.model.requests.len(), self.now);
        let connection = self.model.meet(peer(port), socket, Patience::new(now));
        let is_first = self.model.requests.iter().all(|one| one.connection != connection);
        let is_served = self.model.is_served(connection);
        let is_condemned = self.model.record(connection).unwrap().condemned.is_some();
        let inode = socket.map(|socket| socket.inode);
        self.model.requests.push(Asked { connection, state: State::Waits, inode });
        // More than ever comes, so that no half of a head lies behind it.
        let size = u64::MAX;
        self.model.record(connection).unwrap().patience.count(size);
        let waiting = self.model.requests(connection, State::Waits).len();
        let expected = match (is_condemned, is_served) {
            (false, false) => "served at once",
            (false, true) if waiting > MAX_PIPELINED => "cut, since too many wait",
            (false, true) => "waits",
            (true, true) => "waits on a condemned connection",
            (true, false) => "dropped",
        };
        let admitted = self.order.admit(peer(port), socket, (request, size), now);
        match (admitted, expected) {
            (Admitted::Serve { id, request: served, is_first: first }, "served at once") => {
                assert_eq!((id.peer(), served, first), (peer(port), request, is_first));
                let is_others =
                    |(number, other): (&u64, &ConnectionId)| *number != connection && *other == id;
                assert!(!self.ids.iter().any(is_others), "two connections have one id");
                assert_eq!(*self.ids.entry(connection).or_insert(id), id);
                self.serve(request);
            }
            (Admitted::Waits, "waits" | "waits on a condemned connection") => {}
            (Admitted::Drop(dropped), "dropped") => {
                assert_eq!(dropped, request);
                self.model.requests[request].state = State::Over;
            }
            (Admitted::Cut(target), "cut, since too many wait") => {
                assert_eq!(Some(target), self.model.condemn(connection, now));
            }
            (admitted, expected) => panic!("{admitted:?}, not {expected}"),
        }
        self.note(expected, 1);
    }

    /// It is this request's turn.
    fn serve(&mut self, request: usize) {
        let Asked { connection, inode, .. } = self.model.requests[request];
        let record = self.model.record(connection).expect("nothing is served that is forgotten");
        assert_eq!(record.condemned, None);
        assert!(!record.is_replaced);
        for (number, other) in self.model.requests.iter().enumerate() {
            if other.connection == connection {
                assert_ne!(other.state, State::Served, "two of one connection are served at once");
                assert!(other.state != State::Over || number < request, "out of order");
                let is_same = inode.is_none() || other.inode.is_none() || inode == other.inode;
                assert!(is_same, "requests of two connections are mixed");
            }
        }
        self.model.requests[request].state = State::Served;
    }

    /// A request that was being served is done with.
    fn finish(&mut self, request: usize) {
        let (connection, now) = (self.model.requests[request].connection, self.now);
        self.model.requests[request].state = State::Over;
        let waiting = self.model.requests(connection, State::Waits);
        let record = self.model.record(connection).expect("nothing is forgotten that is served");
        let (is_replaced, is_condemned) = (record.is_replaced, record.condemned.is_some());
        let what = match self.order.finish(self.ids[&connection], now) {
            Finished::Serve(next) => {
                assert!(!is_replaced && !is_condemned);
                assert_eq!(Some(&next), waiting.first());
                self.serve(next);
                "served after another"
            }
            Finished::Rest => {
                assert!(!is_replaced && !is_condemned && waiting.is_empty());
                record.patience.rest(now);
                "at rest"
            }
            Finished::Drop(dropped) => {
                assert!(is_replaced || is_condemned);
                assert_eq!(dropped, waiting);
                waiting.iter().for_each(|&one| self.model.requests[one].state = State::Over);
                self.note("dropped with the one before", dropped.len());
                if is_replaced {
                    self.model.records.retain(|record| record.number != connection);
                }
                if is_replaced { "dropped, since the connection was replaced" } else { "at its end" }
            }
        };
        self.note(what, 1);
    }

    /// What the kernel tells of the connections that are open.
    fn live(&self, kernel_tells: bool, is_found_twice: bool) -> Vec<Live> {
        let live = self.open.iter().map(|(&port, open)| {
            let received =
                Received { bytes: open.bytes, last: self.now - open.last, unread: open.unread };
            let socket = self.socket(port).expect("it is open");
            Live { peer: peer(port), socket, received: Some(received).filter(|_| kernel_tells) }
        });
        let mut live: Vec<_> = live.collect();
        if is_found_twice {
            live.extend_from_within(..);
            let again = live.len() / 2;
            live[again..].iter_mut().for_each(|found| found.socket.descriptor = 1000);
        }
        live
    }

    fn sweep(&mut self, room: usize, kernel_tells: bool, is_found_twice: bool) {
        self.sweeps += 1;
        let (now, live) = (self.now, self.live(kernel_tells, is_found_twice));
        let sweep = self.order.sweep(now, room, &live);
        let model = &mut self.model;
        model.save_kicks(now);
        let is_full = model.kicks_saved == MAX_KICKS_SAVED;
        let (mut cut, mut waiting, mut wanted, mut stranded) = (Vec::new(), BTreeSet::new(), 0, 0);
        let (mut cut_while_served, mut judged) = (0, BTreeSet::new());
        for found in &live {
            let patience = Patience::found(now, found.received);
            let number = model.meet(found.peer, Some(found.socket), patience);
            let is_served = model.is_served(number);
            let record = model.record(number).expect("it was just met");
            record.socket = Some(found.socket);
            if record.condemned.is_some() || !judged.insert(number) {
                continue;
            }
            match record.patience.judge(now, is_served, found.received) {
                Verdict::Fine => {}
                Verdict::Waiting(since) => {
                    assert!(!is_served, "its answer is ours to give");
                    waiting.insert((since, number));
                }
                Verdict::Stranded => {
                    wanted += record.patience.kicks().min(MAX_KICKS);
                    stranded += 1;
                }
                Verdict::Cut => {
                    let brought = found.received.map_or(0, |received| received.bytes);
                    assert!(!is_served || brought > MAX_BEHIND, "it was being served");
                    cut_while_served += usize::from(is_served);
                    cut.extend(model.condemn(number, now));
                }
            }
        }
        let kicks = wanted.min(MAX_KICKS).min(model.kicks_saved);
        model.kicks_saved -= kicks;
        let next_kick = match (wanted, model.kicks_saved) {
            (0, _) => None,
            (_, 0) => Some(now + KICK_ALLOWED_EVERY),
            _ => Some(now + KICK_AGAIN),
        };
        let (any_waits, by_verdict) = (stranded > 0 || !waiting.is_empty(), cut.len());
        for target in sweep.cut.iter().skip(by_verdict) {
            let (since, number) = *waiting
                .iter()
                .find(|(_, number)| model.current(target.peer).is_some_and(|c| c.number == *number))
                .expect("who does not keep us waiting is not cut");
            assert_eq!(waiting.first().map(|(longest, _)| *longest), Some(since), "not the longest");
            assert!(waiting.len() > room, "there was room");
            waiting.remove(&(since, number));
            cut.extend(model.condemn(number, now));
        }
        assert!(waiting.len() <= room);
        let forgotten = model.forget(now, &live);
        assert_eq!(sweep.cut, cut);
        assert_eq!((sweep.kicks, sweep.next_kick), (kicks, next_kick));
        assert_eq!(sweep.any_waits, any_waits);
        self.kicks += kicks;
        for (what, count) in [
            ("cut by its verdict", by_verdict),
            ("cut while it was being served", cut_while_served),
            ("cut for want of room", cut.len() - by_verdict),
            ("stranded", stranded),
            ("kicked", kicks),
            ("no kick is left", usize::from(wanted > 0 && self.model.kicks_saved == 0)),
            ("all kicks are saved up", usize::from(is_full)),
            ("forgotten", forgotten),
        ] {
            self.note(what, count);
        }
        let allowed = (now - self.start).as_nanos() / KICK_ALLOWED_EVERY.as_nanos();
        assert!(self.kicks <= MAX_KICKS + self.model.opened as usize + allowed as usize);
    }

    /// Many come, are served and are gone, until there would have to be a sweep.
    fn crowd(&mut self) {
        for _ in 0..CROWD {
            self.next_crowd += 1;
            self.inodes += 1;
            let socket = Socket { descriptor: 0, inode: self.inodes };
            let request = self.model.requests.len();
            self.ask(self.next_crowd, Some(socket));
            self.finish(request);
            if self.order.is_crowded() {
                break;
            }
        }
        self.agree();
        self.note("crowded", usize::from(self.order.is_crowded()));
    }

    /// What must hold after each step.
    fn agree(&self) {
        let Self { order, model, .. } = self;
        assert_eq!(order.sizes(), [model.records.len(), model.waiting()]);
        assert_eq!(order.is_crowded(), model.newest() > model.crowded);
        for port in 0..PORTS {
            let known = model.current(peer(port)).and_then(|record| record.socket);
            assert_eq!(order.known_socket(peer(port)), known);
        }
        for (number, id) in &self.ids {
            let record = model.records.iter().find(|record| record.number == *number);
            let target = record
                .filter(|record| !record.is_replaced)
                .map(|record| Target { peer: record.peer, socket: record.socket });
            assert_eq!(order.target(*id), target, "{id:?}");
        }
    }

    /// Every connection ends, and everything that is served is done with.
    fn come_to_rest(&mut self) {
        self.open.clear();
        self.now += CONDEMNED;
        self.sweep(ENOUGH, true, false);
        for request in 0..self.model.requests.len() {
            if self.model.requests[request].state == State::Served {
                self.finish(request);
            }
        }
        assert!(self.model.requests.iter().all(|one| one.state == State::Over));
        self.now += CONDEMNED;
        self.sweep(ENOUGH, true, false);
        self.agree();
        assert_eq!(self.order.sizes(), [0, 0]);
    }
}

/// Holds the order against the model.
fn perform(operations: Vec<Operation>, seen: &mut Seen) -> usize {
    let mut both = Both::new(seen);
    operations.iter().for_each(|operation| both.perform(operation));
    both.come_to_rest();
    operations.len()
}

#[test]
fn whatever_happens_the_order_does_what_a_flat_list_of_all_requests_would() {
    let seen = hold(128, &vec(operation(), 0..160), perform);
    must_happen(&seen, &MUST_HAPPEN);
}

#[test]
fn a_crowd_makes_no_difference_but_that_there_should_be_a_sweep() {
    let some = || vec(operation(), 0..40);
    let with_crowd = (some(), some()).prop_map(|(before, after)| {
        before.into_iter().chain([Operation::Crowd]).chain(after).collect()
    });
    assert!(hold(8, &with_crowd, perform).contains_key("crowded"));
}
