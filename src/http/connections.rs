//! The connections that requests come from: one request of each at a time, in order (T13), and none
//! at all once it was cut.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};
use tiny_http::{Request, Server};

use crate::http::answer::Answer;
use crate::http::incoming::Incoming;
use crate::http::kick::Kicks;
use crate::http::lingering::dispose;
use crate::http::patience::{Patience, Verdict};
use crate::http::slow::Waiter;
use crate::http::socket;
use crate::limits::{CONDEMNED, LOOK_ON, MAX_PIPELINED, MAX_READY, MAX_REMEMBERED};

thread_local! {
    /// Whether this thread is the one that receives.
    static RECEIVING: Cell<bool> = const { Cell::new(false) };
}

/// What a worker is given to do.
pub enum Work {
    /// A request whose turn has come.
    Request(Incoming),
    /// A request whose body came slowly and is complete now.
    Body(Incoming, Vec<u8>),
    /// An answer that somebody without time to spare has decided on.
    Answer(Incoming, Answer),
}

/// All connections that were heard of lately.
pub struct Connections {
    server: Server,
    port: u16,
    table: Mutex<Table>,
    /// Boxed, since the channel makes room for all of [`MAX_READY`] at once.
    work: (Sender<Box<Work>>, Receiver<Box<Work>>),
    /// Holds one token: whoever has taken it receives.
    reception: (Sender<()>, Receiver<()>),
    kicks: Kicks,
    /// What a worker does before it waits: what it has put off while there was more to do.
    before_waiting: Box<dyn Fn() + Send + Sync>,
    /// The port that the watchdog asks `/health` from, whose connections need no kick. 0 is none.
    own_port: AtomicU16,
    /// Takes what must wait for a socket.
    pub waiter: Waiter,
}

struct Table {
    by_peer: HashMap<SocketAddr, Connection>,
    /// When so many are remembered, those that are gone are forgotten without waiting for the next sweep.
    crowded: usize,
}

struct Connection {
    /// Where its descriptor was found the last time.
    descriptor: Option<RawFd>,
    /// Whether it has brought a request yet.
    heard: bool,
    /// Whether one of its requests is being served.
    busy: bool,
    /// Those that came after it.
    waiting: VecDeque<Request>,
    /// Since when nothing that comes from it counts.
    condemned: Option<Instant>,
    /// What the guard knows of it.
    patience: Patience,
}

impl Connection {
    fn new(patience: Patience) -> Self {
        let (descriptor, waiting, condemned) = (None, VecDeque::new(), None);
        Self { descriptor, heard: false, busy: false, waiting, condemned, patience }
    }

    /// One that brings its first request before any sweep has found it.
    fn fresh() -> Self {
        Self::new(Patience::new(Instant::now()))
    }
}

impl Connections {
    /// The connections of `server`, which listens on `port`. Workers call `before_waiting` before they
    /// wait for anything.
    pub fn new(
        server: Server,
        port: u16,
        waiter: Waiter,
        kicks: Kicks,
        before_waiting: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let table = Table { by_peer: HashMap::new(), crowded: MAX_REMEMBERED };
        let reception = bounded(1);
        reception.0.try_send(()).expect("the channel was made for one token, and is empty");
        Self {
            server,
            port,
            table: Mutex::new(table),
            work: bounded(MAX_READY),
            reception,
            before_waiting: Box::new(before_waiting),
            kicks,
            own_port: AtomicU16::new(0),
            waiter,
        }
    }

    /// Waits for something to do. None when what came must wait for its turn.
    ///
    /// One worker at a time receives, since two could take two requests of one connection and find
    /// their turns in the wrong order. It goes on receiving until it calls
    /// [`Connections::let_others_receive`], which it must before it does anything that may wait: so no
    /// other thread need be woken for a command that just goes to the agent.
    ///
    /// # Errors
    /// tiny_http accepts no connections any more (T3).
    pub fn next(self: &Arc<Self>) -> io::Result<Option<Work>> {
        if !RECEIVING.replace(true) {
            // It fails only without senders, and one is in `self`.
            let _ = self.reception.1.recv();
        }
        if let Some(work) = self.look()? {
            return Ok(Some(work));
        }
        (self.before_waiting)();
        let until = Instant::now() + LOOK_ON;
        while Instant::now() < until {
            std::thread::yield_now();
            if let Some(work) = self.look()? {
                return Ok(Some(work));
            }
        }
        match self.server.recv() {
            Ok(request) => Ok(self.admit(request).map(Work::Request)),
            // What `unblock` makes has no code of the system's.
            Err(error) if error.raw_os_error().is_none() => {
                Ok(self.work.1.try_recv().ok().map(|work| *work))
            }
            Err(error) => Err(error),
        }
    }

    /// Something to do, if it is there already.
    fn look(self: &Arc<Self>) -> io::Result<Option<Work>> {
        if let Some(request) = self.server.try_recv()?
            && let Some(incoming) = self.admit(request)
        {
            return Ok(Some(Work::Request(incoming)));
        }
        // What is handed over comes with a wake-up, which `try_recv` may have swallowed.
        Ok(self.work.1.try_recv().ok().map(|work| *work))
    }

    /// Lets another worker receive, if this one does: it may wait from now on.
    pub fn let_others_receive(&self) {
        if RECEIVING.replace(false) {
            (self.before_waiting)();
            // There is room: the token that was in it is the one that this thread holds.
            let _ = self.reception.0.try_send(());
        }
    }

    /// Gives work to the next free worker. When too much waits, the connection is cut instead.
    pub fn hand_over(&self, work: Work) {
        match self.work.0.try_send(Box::new(work)) {
            Ok(()) => self.server.unblock(),
            Err(full) => match *full.into_inner() {
                Work::Request(incoming) | Work::Body(incoming, _) | Work::Answer(incoming, _) => {
                    incoming.cut();
                }
            },
        }
    }

    /// Tells from which port the watchdog asks.
    pub fn set_own_port(&self, port: u16) {
        self.own_port.store(port, Relaxed);
    }

    /// Takes a request from tiny_http: its turn has come, or it waits for those before it, or its
    /// connection was cut.
    fn admit(self: &Arc<Self>, request: Request) -> Option<Incoming> {
        let peer = *request.remote_addr()?;
        self.forget_if_replaced(peer);
        let mut table = self.lock();
        let connection = table.by_peer.entry(peer).or_insert_with(Connection::fresh);
        let busy = connection.busy;
        if connection.condemned.is_some_and(|since| busy || since.elapsed() < CONDEMNED) {
            if busy {
                // It can't be dropped before those in front of it are answered. No more of these can
                // come than stood in tiny_http's buffer of 1 KiB.
                connection.waiting.push_back(request);
            } else {
                drop(table);
                dispose(request, 0);
            }
            return None;
        }
        connection.condemned = None;
        if connection.busy {
            connection.waiting.push_back(request);
            if connection.waiting.len() > MAX_PIPELINED {
                drop(table);
                self.cut(peer);
            }
            return None;
        }
        connection.busy = true;
        let is_new = !std::mem::replace(&mut connection.heard, true);
        let crowded = table.by_peer.len() > table.crowded;
        drop(table);
        if crowded {
            self.sweep(Instant::now(), usize::MAX);
        }
        if is_new && peer.port() != self.own_port.load(Relaxed) {
            self.kicks.notice();
        }
        Some(Incoming::new(request, peer, self.clone()))
    }

    /// A client may get the port of a connection that was cut a moment ago. Both can't be open at once, and
    /// what is cut was shut, so one that is open is another: what was held against the old one doesn't count.
    fn forget_if_replaced(&self, peer: SocketAddr) {
        let was_cut = |c: &Connection| c.condemned.is_some() && !c.busy;
        if self.lock().by_peer.get(&peer).is_some_and(was_cut)
            && self.socket(peer).is_some_and(|socket| socket::is_open(&socket))
        {
            self.lock().by_peer.insert(peer, Connection::fresh());
        }
    }

    /// The request that was being served is done with: the next one of its connection has its turn.
    pub fn finish(self: &Arc<Self>, peer: SocketAddr) {
        let mut table = self.lock();
        let Some(connection) = table.by_peer.get_mut(&peer) else { return };
        if connection.condemned.is_some() {
            connection.busy = false;
            let dropped = std::mem::take(&mut connection.waiting);
            drop(table);
            // In order: tiny_http holds a later answer back until the earlier ones are out.
            dropped.into_iter().for_each(|request| dispose(request, 0));
            return;
        }
        match connection.waiting.pop_front() {
            None => {
                connection.busy = false;
                connection.patience.rest(Instant::now());
            }
            Some(request) => {
                drop(table);
                self.hand_over(Work::Request(Incoming::new(request, peer, self.clone())));
            }
        }
    }

    /// Ends a connection. Nothing that still comes from it counts.
    pub fn cut(&self, peer: SocketAddr) {
        self.condemn(peer);
        if let Some(socket) = self.socket(peer) {
            socket::shut(&socket);
        }
    }

    /// From now on nothing that comes from this connection counts.
    pub fn condemn(&self, peer: SocketAddr) {
        let mut table = self.lock();
        let connection = table.by_peer.entry(peer).or_insert_with(Connection::fresh);
        connection.condemned = Some(Instant::now());
    }

    /// A duplicate of a connection's socket.
    pub fn socket(&self, peer: SocketAddr) -> Option<TcpStream> {
        let hint = self.lock().by_peer.get(&peer).and_then(|connection| connection.descriptor);
        let (socket, descriptor) = socket::find(peer, self.port, hint)?;
        if hint != Some(descriptor)
            && let Some(connection) = self.lock().by_peer.get_mut(&peer)
        {
            connection.descriptor = Some(descriptor);
        }
        Some(socket)
    }

    /// The connection has become one of another protocol: no request will come from it any more.
    pub fn upgraded(self: &Arc<Self>, peer: SocketAddr) {
        if let Some(connection) = self.lock().by_peer.get_mut(&peer) {
            connection.patience.end();
        }
        self.finish(peer);
    }

    /// Goes through the connections there are: forgets those that are gone, frees those that are
    /// stranded, cuts those that let us wait too long, and, when there are more than `room`, those that
    /// have let us wait the longest. Whether any let us wait.
    pub fn sweep(&self, now: Instant, room: usize) -> bool {
        let verdicts = self.judge(now);
        let mut waiting = Vec::new();
        let mut cut = Vec::new();
        let mut stranded = 0;
        for (peer, verdict) in verdicts {
            match verdict {
                Verdict::Cut => cut.push(peer),
                Verdict::Waiting(since) => waiting.push((since, peer)),
                // It waits for us as much as we for it, so it is no candidate for making room.
                Verdict::Stranded => stranded += 1,
                Verdict::Fine => {}
            }
        }
        let any_wait = stranded > 0 || !waiting.is_empty();
        let too_many = waiting.len().saturating_sub(room);
        if too_many > 0 {
            waiting.sort_unstable();
            // Whoever has brought a request meanwhile is none of them any more.
            let table = self.lock();
            let still_waits = |peer: &SocketAddr| table.by_peer.get(peer).is_none_or(|c| !c.busy);
            let longest = waiting.into_iter().take(too_many).map(|(_, peer)| peer);
            cut.extend(longest.filter(still_waits));
        }
        if !cut.is_empty() {
            log::debug!("{} connections were cut that let us wait", cut.len());
        }
        cut.into_iter().for_each(|peer| self.cut(peer));
        self.kicks.kick(now, stranded);
        any_wait
    }

    /// Frees the stranded connections when a kick is due; when the next one is.
    pub fn free_stranded(&self, now: Instant) -> Option<Instant> {
        let (due, next) = self.kicks.due(now);
        if due {
            let verdicts = self.judge(now).into_iter();
            self.kicks.kick(now, verdicts.filter(|(_, v)| matches!(v, Verdict::Stranded)).count());
        }
        next
    }

    /// Judges every connection there is that was not cut, and forgets those that are gone.
    fn judge(&self, now: Instant) -> Vec<(SocketAddr, Verdict)> {
        let Ok(live) = socket::connections(self.port) else { return Vec::new() };
        let ask = |(peer, number)| (peer, (number, socket::received(number, peer, self.port)));
        let live: HashMap<SocketAddr, _> = live.into_iter().map(ask).collect();
        let mut verdicts = Vec::with_capacity(live.len());
        let mut table = self.lock();
        for (peer, (number, received)) in &live {
            let found = || Connection::new(Patience::found(now, *received));
            let connection = table.by_peer.entry(*peer).or_insert_with(found);
            connection.descriptor = Some(*number);
            let verdict = connection.patience.judge(now, connection.busy, *received);
            if connection.condemned.is_none() {
                verdicts.push((*peer, verdict));
            }
        }
        table.by_peer.retain(|peer, connection| {
            connection.busy
                || live.contains_key(peer)
                || connection.condemned.is_some_and(|since| since.elapsed() < CONDEMNED)
        });
        table.crowded = MAX_REMEMBERED.max(2 * table.by_peer.len());
        if table.by_peer.capacity() > 4 * table.crowded {
            let enough = table.crowded;
            table.by_peer.shrink_to(enough);
        }
        verdicts
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
