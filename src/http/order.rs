//! The order of requests, as plain data: one request of each connection is served at a time, those behind
//! it wait (T13), and nothing counts that comes from a connection which was condemned.
//!
//! tiny_http tells only the peer's address of a request. The same address can belong to another
//! connection a moment later, so each has a number of its own here, and whoever serves a request carries
//! that. The socket's inode tells two connections of one address apart.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::http::patience::{Patience, Verdict};
use crate::net::sockets::{Live, Socket};

/// Requests of one connection that may wait behind an unanswered one (T13). A proxy never pipelines.
pub const MAX_PIPELINED: usize = 64;

/// Connections that are remembered; past it those that are gone are forgotten before the next sweep.
pub const MAX_REMEMBERED: usize = 1024;

/// How long what a condemned connection has brought is still thrown away once it is gone: tiny_http may
/// have parsed some of it before it saw the end (T8, T14).
pub const CONDEMNED: Duration = Duration::from_secs(5);

/// Throw-away connections made at one look ([`Sweep::kicks`]).
pub const MAX_KICKS: usize = 8;

/// How soon stranded connections are looked at again, as long as kicks are allowed.
pub const KICK_AGAIN: Duration = Duration::from_millis(4);

/// The time in which one kick is allowed, and each new connection allows one more: it can be stranded
/// once. So what stays stranded whatever is done (T12) costs 32 kicks a second and one for each that comes.
pub const KICK_ALLOWED_EVERY: Duration = Duration::from_micros(31_250);

/// Kicks that may be saved up.
pub const MAX_KICKS_SAVED: usize = 256;

/// Which connection: one peer's, and which of its connections, since no two have the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionId(SocketAddr, u64);

impl ConnectionId {
    /// Returns the peer.
    pub fn peer(self) -> SocketAddr {
        self.0
    }
}

/// All connections that were heard of lately. `R` is a request.
#[derive(Debug)]
pub struct Order<R> {
    next: u64,
    /// The newest of each peer.
    connections: HashMap<SocketAddr, Connection<R>>,
    /// Those that another one has replaced, while a request of theirs is still being served.
    replaced: Vec<Connection<R>>,
    crowded: usize,
    /// How many kicks may be made, and since when no more were allowed by time.
    kicks: (usize, Option<Instant>),
}

#[derive(Debug)]
struct Connection<R> {
    id: ConnectionId,
    /// Its socket; none when it was gone before anybody looked for it.
    socket: Option<Socket>,
    /// Whether it has brought a request yet.
    heard: bool,
    /// Whether a sweep has found bytes of it.
    has_brought: bool,
    /// Whether one of its requests is being served.
    busy: bool,
    /// Those that came after it.
    waiting: VecDeque<R>,
    /// Since when nothing that comes from it counts.
    condemned: Option<Instant>,
    /// Whether the sweep that is under way has found it.
    is_live: bool,
    patience: Patience,
}

/// What becomes of a request that has come.
#[derive(Debug)]
pub enum Admitted<R> {
    /// It is its turn. `is_first`: its connection has brought none before.
    Serve { id: ConnectionId, request: R, is_first: bool },
    /// It waits for those before it.
    Waits,
    /// It does not count; nobody answers it.
    Drop(R),
    /// Too many wait on this connection, which is condemned and must be cut.
    Cut(Target),
}

/// What follows a request that is done with.
#[derive(Debug)]
pub enum Finished<R> {
    /// The next one of its connection has its turn.
    Serve(R),
    /// Nothing waits.
    Rest,
    /// None of these count; nobody answers them. They must be dropped in this order: tiny_http holds a
    /// later answer back until the earlier ones are out.
    Drop(VecDeque<R>),
}

/// A connection whose socket must be shut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    pub peer: SocketAddr,
    /// Where the socket was found; none when it has to be looked for.
    pub socket: Option<Socket>,
}

/// What a sweep has found.
#[derive(Debug, Default)]
pub struct Sweep {
    /// Condemned connections whose sockets must be shut.
    pub cut: Vec<Target>,
    /// How many throw-away connections to make for those that tiny_http has left without a thread.
    pub kicks: usize,
    /// When to look for more of them.
    pub next_kick: Option<Instant>,
    /// Whether any connection keeps us waiting.
    pub any_waits: bool,
    /// Who brought bytes of which no request came, and never will.
    pub no_request: Vec<SocketAddr>,
}

impl<R> Default for Order<R> {
    fn default() -> Self {
        let (connections, replaced) = (HashMap::new(), Vec::new());
        let kicks = (MAX_KICKS, None);
        Self { next: 0, connections, replaced, crowded: MAX_REMEMBERED, kicks }
    }
}

impl<R> Order<R> {
    /// Returns where this connection's socket was found the last time; none when another connection has
    /// its address, and so its own socket is gone.
    pub fn target(&self, id: ConnectionId) -> Option<Target> {
        self.connections.get(&id.0).filter(|connection| connection.id == id).map(Connection::target)
    }

    /// Returns where the peer's socket was found the last time.
    pub fn known_socket(&self, peer: SocketAddr) -> Option<Socket> {
        self.connections.get(&peer)?.socket
    }

    /// Takes a request of this peer, of `size` bytes, whose socket is `socket`; none when it is gone already.
    /// Returns what becomes of it.
    pub fn admit(
        &mut self,
        peer: SocketAddr,
        socket: Option<Socket>,
        (request, size): (R, u64),
        now: Instant,
    ) -> Admitted<R> {
        let connection = self.connection(peer, socket, || Patience::new(now));
        connection.patience.count(size);
        if connection.condemned.is_some() {
            if connection.busy {
                // It can't be dropped before those in front of it are answered. No more of these can
                // come than stood in tiny_http's buffer of 1 KiB.
                connection.waiting.push_back(request);
                return Admitted::Waits;
            }
            return Admitted::Drop(request);
        }
        if connection.busy {
            connection.waiting.push_back(request);
            if connection.waiting.len() > MAX_PIPELINED {
                return Admitted::Cut(connection.condemn(now));
            }
            return Admitted::Waits;
        }
        connection.busy = true;
        let is_first = !std::mem::replace(&mut connection.heard, true);
        Admitted::Serve { id: connection.id, request, is_first }
    }

    /// Whether so many connections are remembered that those which are gone should be forgotten now.
    pub fn is_crowded(&self) -> bool {
        self.connections.len() > self.crowded
    }

    /// The request of this connection that was being served is done with. Returns what follows.
    pub fn finish(&mut self, id: ConnectionId, now: Instant) -> Finished<R> {
        if let Some(place) = self.replaced.iter().position(|connection| connection.id == id) {
            return Finished::Drop(self.replaced.swap_remove(place).waiting);
        }
        let Some(connection) = self.known(id) else { return Finished::Rest };
        if connection.condemned.is_some() {
            connection.busy = false;
            return Finished::Drop(std::mem::take(&mut connection.waiting));
        }
        match connection.waiting.pop_front() {
            Some(request) => Finished::Serve(request),
            None => {
                connection.busy = false;
                connection.patience.rest(now);
                Finished::Rest
            }
        }
    }

    /// From now on nothing that comes from this connection counts. Returns what must be shut to end it at
    /// once; none when another connection has its address, and so it is over.
    pub fn condemn(&mut self, id: ConnectionId, now: Instant) -> Option<Target> {
        self.known(id).map(|connection| connection.condemn(now))
    }

    /// The connection has become one of another protocol: no request will come from it any more.
    pub fn upgraded(&mut self, id: ConnectionId) {
        if let Some(connection) = self.known(id) {
            connection.patience.end();
        }
    }

    /// Judges every connection there is, condemns those that keep us waiting for too long and, when more
    /// than `room` do, those that have kept us waiting the longest; forgets those that are gone.
    pub fn sweep(&mut self, now: Instant, room: usize, live: &[Live]) -> Sweep {
        self.allow_kicks(now);
        let mut sweep = Sweep::default();
        let mut waiting = Vec::new();
        for found in live {
            let patience = || Patience::found(now, found.received);
            let connection = self.connection(found.peer, Some(found.socket), patience);
            connection.socket = Some(found.socket);
            connection.has_brought |= found.received.is_some_and(|received| received.bytes > 0);
            let is_known = std::mem::replace(&mut connection.is_live, true);
            if is_known || connection.condemned.is_some() {
                continue;
            }
            match connection.patience.judge(now, connection.busy, found.received) {
                Verdict::Fine => {}
                Verdict::Waiting(since) => waiting.push((since, connection.id)),
                Verdict::Stranded => {
                    sweep.any_waits = true;
                    sweep.kicks = sweep.kicks.saturating_add(connection.patience.kicks());
                }
                Verdict::Cut => {
                    sweep.cut.push(connection.condemn(now));
                    sweep.no_request.extend(connection.take_silence());
                }
            }
        }
        if sweep.kicks > 0 {
            sweep.kicks = sweep.kicks.min(MAX_KICKS).min(self.kicks.0);
            self.kicks.0 -= sweep.kicks;
            let wait = if self.kicks.0 > 0 { KICK_AGAIN } else { KICK_ALLOWED_EVERY };
            sweep.next_kick = Some(now + wait);
        }
        sweep.any_waits |= !waiting.is_empty();
        let too_many = waiting.len().saturating_sub(room);
        if too_many > 0 {
            waiting.sort_unstable_by_key(|(since, _)| *since);
            let longest = waiting.into_iter().take(too_many);
            sweep.cut.extend(longest.filter_map(|(_, id)| self.condemn(id, now)));
        }
        sweep.no_request.extend(self.forget(now));
        sweep
    }

    /// Allows the kicks that the time since the last look allows.
    fn allow_kicks(&mut self, now: Instant) {
        let (kicks, since) = &mut self.kicks;
        let since = since.get_or_insert(now);
        while *since + KICK_ALLOWED_EVERY <= now && *kicks < MAX_KICKS_SAVED {
            *kicks += 1;
            *since += KICK_ALLOWED_EVERY;
        }
        if *kicks == MAX_KICKS_SAVED {
            *since = now;
        }
    }

    /// Forgets the connections that are gone, unless a request of theirs is being served. Returns those that
    /// had brought bytes, and no request.
    fn forget(&mut self, now: Instant) -> Vec<SocketAddr> {
        let mut no_request = Vec::new();
        self.connections.retain(|_, connection| {
            let may_bring_more = |since: Instant| now.saturating_duration_since(since) < CONDEMNED;
            let is_live = std::mem::take(&mut connection.is_live);
            let stays = is_live || connection.busy || connection.condemned.is_some_and(may_bring_more);
            if !stays {
                no_request.extend(connection.take_silence());
            }
            stays
        });
        self.crowded = MAX_REMEMBERED.max(2 * self.connections.len());
        if self.connections.capacity() > 4 * self.crowded {
            self.connections.shrink_to(self.crowded);
        }
        no_request
    }

    /// Returns the peer's connection. It is a new one, with this `patience`, when none is known or the
    /// known one's socket is another.
    fn connection(
        &mut self,
        peer: SocketAddr,
        socket: Option<Socket>,
        patience: impl FnOnce() -> Patience,
    ) -> &mut Connection<R> {
        let (next, kicks) = (&mut self.next, &mut self.kicks.0);
        let open = || {
            let id = ConnectionId(peer, *next);
            *next += 1;
            *kicks = MAX_KICKS_SAVED.min(*kicks + 1);
            Connection {
                id,
                socket,
                heard: false,
                has_brought: false,
                busy: false,
                waiting: VecDeque::new(),
                condemned: None,
                is_live: false,
                patience: patience(),
            }
        };
        match self.connections.entry(peer) {
            Entry::Vacant(place) => place.insert(open()),
            Entry::Occupied(place) => {
                let connection = place.into_mut();
                if connection.is_replaced_by(socket) {
                    let old = std::mem::replace(connection, open());
                    if old.busy {
                        self.replaced.push(old);
                    }
                }
                connection
            }
        }
    }

    /// Returns the connection with this number, if it is its peer's newest.
    fn known(&mut self, id: ConnectionId) -> Option<&mut Connection<R>> {
        self.connections.get_mut(&id.0).filter(|connection| connection.id == id)
    }

    /// How many connections are remembered, and how many requests wait.
    #[cfg(test)]
    pub fn sizes(&self) -> [usize; 2] {
        let all = self.connections.values().chain(&self.replaced);
        [self.connections.len() + self.replaced.len(), all.map(|c| c.waiting.len()).sum()]
    }
}

impl<R> Connection<R> {
    fn condemn(&mut self, now: Instant) -> Target {
        self.condemned = Some(now);
        self.target()
    }

    /// Returns who this is, once, if it has brought bytes of which no request came.
    fn take_silence(&mut self) -> Option<SocketAddr> {
        let brought = std::mem::take(&mut self.has_brought);
        (brought && !self.heard).then_some(self.id.0)
    }

    fn target(&self) -> Target {
        Target { peer: self.id.0, socket: self.socket }
    }

    /// Whether the peer's address belongs to another connection by now: both can't be open at once, and
    /// this one's socket is another, or was gone before anybody looked for it.
    fn is_replaced_by(&self, socket: Option<Socket>) -> bool {
        socket.is_some_and(|socket| self.socket.is_none_or(|known| known.inode != socket.inode))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::sockets::Received;

    const SECOND: Duration = Duration::from_secs(1);

    /// More than ever comes: what else has come is no half of a head.
    const WHOLE: u64 = u64::MAX;

    fn peer(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn socket(inode: u64) -> Option<Socket> {
        Some(Socket { descriptor: inode as i32, inode })
    }

    /// A live connection that has brought nothing yet.
    fn silent(port: u16, inode: u64) -> Live {
        let received = Some(Received { bytes: 0, last: Duration::ZERO, unread: 0 });
        Live { peer: peer(port), socket: socket(inode).unwrap(), received }
    }

    fn stranded(port: u16) -> Live {
        let received = Some(Received { bytes: 5, last: Duration::ZERO, unread: 5 });
        Live { received, ..silent(port, port.into()) }
    }

    fn serve(
        order: &mut Order<u32>,
        port: u16,
        inode: u64,
        request: u32,
        now: Instant,
    ) -> ConnectionId {
        match order.admit(peer(port), socket(inode), (request, WHOLE), now) {
            Admitted::Serve { id, request: served, .. } => {
                assert_eq!(served, request);
                id
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn requests_of_one_connection_are_served_one_by_one_in_order() {
        let (mut order, now) = (Order::default(), Instant::now());
        let id = serve(&mut order, 1, 1, 10, now);
        for request in [11, 12] {
            assert!(matches!(order.admit(peer(1), socket(1), (request, WHOLE), now), Admitted::Waits));
        }
        let other = serve(&mut order, 2, 2, 20, now);
        for request in [11, 12] {
            assert!(matches!(order.finish(id, now), Finished::Serve(next) if next == request));
        }
        assert!(matches!(order.finish(id, now), Finished::Rest));
        assert!(matches!(order.finish(other, now), Finished::Rest));
        match order.admit(peer(1), None, (13, WHOLE), now) {
            Admitted::Serve { id: again, is_first: false, .. } => assert_eq!(again, id),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn who_brings_bytes_and_no_request_is_told_of_once_when_its_end_has_come() {
        let (mut order, start) = (Order::<u32>::default(), Instant::now());
        let found = |port, bytes| {
            let received = Some(Received { bytes, last: Duration::ZERO, unread: 0 });
            Live { received, ..silent(port, port.into()) }
        };
        let live = [found(1, 517), found(2, 0), found(3, 20), found(4, 9)];
        assert!(order.sweep(start, 99, &live).no_request.is_empty(), "they may still bring one");
        serve(&mut order, 4, 4, 40, start);
        let gone = order.sweep(start + SECOND, 99, &live[..2]);
        assert_eq!(gone.no_request, [peer(3)]);
        let cut = order.sweep(start + 10 * SECOND, 99, &live[..2]);
        assert_eq!((cut.cut.len(), cut.no_request), (2, vec![peer(1)]));
        assert!(order.sweep(start + 60 * SECOND, 99, &[]).no_request.is_empty());
    }

    #[test]
    fn nothing_counts_that_comes_from_a_condemned_connection_or_waits_on_it() {
        let (mut order, now) = (Order::default(), Instant::now());
        let id = serve(&mut order, 1, 1, 10, now);
        assert!(matches!(order.admit(peer(1), socket(1), (11, WHOLE), now), Admitted::Waits));
        let target = Target { peer: peer(1), socket: socket(1) };
        assert_eq!(order.condemn(id, now), Some(target));
        assert!(matches!(order.admit(peer(1), socket(1), (12, WHOLE), now), Admitted::Waits));
        assert!(matches!(order.finish(id, now), Finished::Drop(dropped) if dropped == [11, 12]));
        assert!(matches!(order.admit(peer(1), socket(1), (13, WHOLE), now), Admitted::Drop(13)));
        assert!(matches!(order.admit(peer(1), None, (14, WHOLE), now), Admitted::Drop(14)));
    }

    #[test]
    fn who_gets_the_address_of_a_condemned_connection_is_served() {
        let (mut order, now) = (Order::default(), Instant::now());
        let id = serve(&mut order, 1, 1, 10, now);
        order.condemn(id, now);
        assert!(matches!(order.finish(id, now), Finished::Drop(_)));
        assert_ne!(serve(&mut order, 1, 2, 11, now), id);
    }

    #[test]
    fn who_gets_the_address_of_a_connection_whose_turn_still_waits_is_another_connection() {
        let (mut order, now) = (Order::default(), Instant::now());
        let reset = serve(&mut order, 1, 1, 10, now);
        assert!(matches!(order.admit(peer(1), socket(1), (11, WHOLE), now), Admitted::Waits));
        let new = serve(&mut order, 1, 2, 20, now);
        assert_ne!(new, reset);
        // The old one's end says nothing about the new one, and what waits on it is nobody's any more.
        assert_eq!((order.target(reset), order.condemn(reset, now)), (None, None));
        assert!(matches!(order.finish(reset, now), Finished::Drop(dropped) if dropped == [11]));
        assert!(matches!(order.finish(new, now), Finished::Rest));
        serve(&mut order, 1, 2, 21, now);
        assert_eq!(order.sizes(), [1, 0]);
    }

    #[test]
    fn who_gets_the_address_of_a_connection_at_rest_is_another_connection_from_its_first_request_on() {
        let (mut order, now) = (Order::default(), Instant::now());
        let old = serve(&mut order, 1, 1, 10, now);
        order.finish(old, now);
        let new = serve(&mut order, 1, 2, 20, now);
        assert_ne!(new, old);
        order.sweep(now, 9, &[silent(1, 2)]);
        let behind = order.admit(peer(1), socket(2), (21, WHOLE), now);
        assert!(matches!(behind, Admitted::Waits), "it is still the same connection");
    }

    #[test]
    fn a_sweep_tells_two_connections_of_one_address_apart_too() {
        let (mut order, now) = (Order::default(), Instant::now());
        let reset = serve(&mut order, 1, 1, 10, now);
        order.sweep(now, 9, &[silent(1, 2)]);
        let new = serve(&mut order, 1, 2, 20, now);
        assert_ne!(new, reset);
        assert!(matches!(order.finish(reset, now), Finished::Drop(_)));
    }

    #[test]
    fn a_connection_that_was_gone_before_it_was_looked_for_is_not_the_one_found_later() {
        let (mut order, now) = (Order::default(), Instant::now());
        let Admitted::Serve { id, .. } = order.admit(peer(1), None, (10, WHOLE), now) else { panic!() };
        assert_ne!(serve(&mut order, 1, 2, 11, now), id);
    }

    #[test]
    fn one_request_too_many_behind_another_condemns_the_connection() {
        let (mut order, now) = (Order::default(), Instant::now());
        serve(&mut order, 1, 1, 0, now);
        for request in 0..MAX_PIPELINED as u32 {
            assert!(matches!(order.admit(peer(1), socket(1), (request, WHOLE), now), Admitted::Waits));
        }
        assert!(matches!(order.admit(peer(1), socket(1), (99, WHOLE), now), Admitted::Cut(_)));
    }

    #[test]
    fn who_keeps_us_waiting_for_too_long_is_condemned_in_the_same_step() {
        let (mut order, now) = (Order::default(), Instant::now());
        assert!(order.sweep(now, 9, &[silent(1, 1)]).any_waits);
        let sweep = order.sweep(now + 10 * SECOND, 9, &[silent(1, 1)]);
        assert_eq!(sweep.cut, [Target { peer: peer(1), socket: socket(1) }]);
        let late = order.admit(peer(1), socket(1), (10, WHOLE), now + 10 * SECOND);
        assert!(matches!(late, Admitted::Drop(10)), "its end is decided");
        assert!(order.sweep(now + 10 * SECOND, 9, &[silent(1, 1)]).cut.is_empty(), "once");
    }

    #[test]
    fn when_room_is_needed_the_longest_waiting_go_and_none_that_has_brought_a_request() {
        let (mut order, now) = (Order::default(), Instant::now());
        for port in 1..=3 {
            order.sweep(now + port * SECOND, 9, &[silent(port as u16, port.into())]);
            order.sweep(
                now + port * SECOND,
                9,
                &(1..=3).map(|p| silent(p, p.into())).collect::<Vec<_>>(),
            );
        }
        let id = serve(&mut order, 1, 1, 10, now + 4 * SECOND);
        let live: Vec<_> = (1..=3).map(|p| silent(p, p.into())).collect();
        let cut = order.sweep(now + 4 * SECOND, 1, &live).cut;
        assert_eq!(cut.len(), 1);
        assert_ne!(cut[0].peer, peer(1), "it is being served");
        assert!(matches!(order.finish(id, now), Finished::Rest));
    }

    #[test]
    fn what_is_gone_is_forgotten_and_what_was_condemned_a_little_later() {
        let (mut order, now) = (Order::<u32>::default(), Instant::now());
        let live = [silent(1, 1), silent(2, 2)];
        order.sweep(now, 9, &live);
        order.sweep(now + 10 * SECOND, 9, &live[..1]);
        assert_eq!(order.sizes(), [1, 0], "2 is gone, 1 is condemned");
        let just_before = now + 10 * SECOND + CONDEMNED - Duration::from_nanos(1);
        order.sweep(just_before, 9, &[]);
        assert_eq!(order.sizes(), [1, 0]);
        order.sweep(now + 10 * SECOND + CONDEMNED, 9, &[]);
        assert_eq!(order.sizes(), [0, 0]);
    }

    #[test]
    fn a_crowd_is_forgotten_once_it_is_gone() {
        let (mut order, now) = (Order::<u32>::default(), Instant::now());
        let live: Vec<_> = (1..=5000).map(|p| silent(p, p.into())).collect();
        order.sweep(now, 9999, &live);
        assert!(!order.is_crowded(), "all of them are there");
        for port in 5001..=65000 {
            if order.is_crowded() {
                assert!(port > 10_000, "as many may come as are there");
                order.sweep(now, 9999, &[]);
            }
            let id = serve(&mut order, port, port.into(), 0, now);
            order.finish(id, now);
        }
        order.sweep(now, 9999, &[]);
        assert_eq!(order.sizes(), [0, 0]);
        assert!(order.connections.capacity() <= 8 * MAX_REMEMBERED, "the room is given back");
    }

    #[test]
    fn the_room_for_a_small_crowd_is_kept_for_the_next() {
        let (mut order, now) = (Order::<u32>::default(), Instant::now());
        let live: Vec<_> = (1..=2000).map(|p| silent(p, p.into())).collect();
        order.sweep(now, 9999, &live);
        order.sweep(now, 9999, &[]);
        assert_eq!(order.sizes(), [0, 0]);
        assert!(order.connections.capacity() > 2 * MAX_REMEMBERED);
    }

    #[test]
    fn a_stranded_connection_is_kicked_at_once_and_each_time_twice_as_often() {
        let (mut order, now) = (Order::<u32>::default(), Instant::now());
        // A crowd that is silent may stand in front of it, and allows as many kicks.
        let crowd: Vec<_> = (2..=100).map(|port| silent(port, port.into())).collect();
        order.sweep(now, 999, &crowd);
        let kicks: Vec<_> = (0..5).map(|_| order.sweep(now, 999, &[stranded(1)]).kicks).collect();
        assert_eq!(kicks, [1, 2, 4, 8, MAX_KICKS]);
        assert_eq!(order.sweep(now, 999, &[stranded(1)]).next_kick, Some(now + KICK_AGAIN));
        let served = order.sweep(now, 9, &[silent(1, 1)]);
        assert_eq!((served.kicks, served.next_kick), (0, None));
    }

    /// How many kicks there are in 10 s while so many come a second and all stay stranded.
    fn kicks_in_10_s(order: &mut Order<u32>, start: Instant, a_second: u16) -> usize {
        let (mut kicks, mut at) = (0, start);
        while at < start + 10 * SECOND {
            let newest = 100 + (at - start).as_secs() as u16 * a_second;
            // The older ones were cut.
            let live: Vec<_> = (newest - 9 * a_second..newest).map(stranded).collect();
            let sweep = order.sweep(at, 999, &live);
            kicks += sweep.kicks;
            at = sweep.next_kick.unwrap();
        }
        kicks
    }

    #[test]
    fn what_stays_stranded_costs_32_kicks_a_second_and_one_for_each_that_comes() {
        let (mut order, now) = (Order::default(), Instant::now());
        let kicks = kicks_in_10_s(&mut order, now, 2);
        assert!(kicks <= MAX_KICKS + 10 * 32 + 10 * 2 + 18, "{kicks}");
        assert!(kicks >= 300, "{kicks}: an honest one among them must not wait for ever");
    }
}

#[cfg(test)]
#[path = "../../tests/models/order.rs"]
mod model;
