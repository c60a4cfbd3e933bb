//! The connections of one listener: the lock around their order, the queue of work, and who receives.

use std::cell::Cell;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::http::incoming::{Home, Incoming, Work};
use crate::http::order::{Admitted, ConnectionId, Finished, Order, Sweep, Target};
use crate::http::request::Request;
use crate::net::slow::Waiter;
use crate::net::sockets::Sockets;
use crate::upkeep::repeats::Repeats;

/// Requests and bodies on their way to a worker. One connection has at most one.
pub const MAX_READY: usize = 1024;

thread_local! {
    /// Whether this thread is the one that receives.
    static RECEIVING: Cell<bool> = const { Cell::new(false) };
}

/// What the connections need of whoever put them together.
pub struct Calls {
    /// What time it is.
    pub now: fn() -> Instant,
    /// Wakes the worker that waits for a request, since there is other work.
    pub wake: Box<dyn Fn() + Send + Sync>,
}

type Queue<T> = (Sender<T>, Receiver<T>);

/// All connections of one listener.
pub struct Connections<R: Request> {
    order: Mutex<Order<R>>,
    sockets: Box<dyn Sockets>,
    /// Boxed, since the channel makes room for all of [`MAX_READY`] at once.
    ready: Queue<Box<Work<R>>>,
    /// Holds one token: whoever has taken it receives.
    reception: Queue<()>,
    calls: Calls,
    waiter: Waiter,
    /// Takes what is to be said of connections that bring no request.
    no_request: Arc<Repeats>,
}

/// What became of a request that has come.
pub enum Received<R: Request> {
    /// It is its turn. Whether its connection has brought none before.
    Ready(Incoming<R>, bool),
    /// It waits, or does not count.
    Nothing,
}

impl<R: Request> Connections<R> {
    /// No connections yet. `sockets` finds those that there are.
    /// `no_request` is told of those that bring bytes and no request.
    pub fn new(
        sockets: Box<dyn Sockets>,
        waiter: Waiter,
        calls: Calls,
        no_request: Arc<Repeats>,
    ) -> Self {
        let reception = bounded(1);
        reception.0.try_send(()).expect("the channel was made for one token, and is empty");
        let (order, ready) = (Mutex::default(), bounded(MAX_READY));
        Self { order, sockets, ready, reception, calls, waiter, no_request }
    }

    /// Takes a request of this peer. Returns it if it is its turn.
    pub fn admit(self: &Arc<Self>, peer: SocketAddr, request: R, now: Instant) -> Received<R> {
        let known = self.lock().known_socket(peer);
        let socket = self.sockets.find(peer, known);
        let size = request.size();
        let admitted = self.lock().admit(peer, socket, (request, size), now);
        match admitted {
            Admitted::Serve { id, request, is_first } => {
                return Received::Ready(self.incoming(request, id), is_first);
            }
            Admitted::Waits => {}
            Admitted::Drop(request) => request.let_go(0),
            Admitted::Cut(target) => self.shut(&target),
        }
        Received::Nothing
    }

    /// Whether more connections are remembered than there may be without a sweep.
    pub fn is_crowded(&self) -> bool {
        self.lock().is_crowded()
    }

    /// Goes through the connections there are, as [`Order::sweep`], and shuts those that are condemned.
    /// Returns what else it has found.
    pub fn sweep(&self, now: Instant, room: usize) -> Sweep {
        // Before the lock: what comes meanwhile is known to the order, and what is judged there is
        // condemned there and then, so that no request can come between the verdict and the cut.
        let Some(live) = self.sockets.live() else { return Sweep::default() };
        let sweep = self.lock().sweep(now, room, &live);
        if !sweep.cut.is_empty() {
            log::debug!("{} connections were cut that kept the relay waiting", sweep.cut.len());
        }
        sweep.cut.iter().for_each(|target| self.shut(target));
        sweep.no_request.iter().for_each(|peer| self.tell_of_no_request(*peer));
        sweep
    }

    fn tell_of_no_request(&self, peer: SocketAddr) {
        self.no_request.say(format!(
            "A connection from {} brought bytes that are no HTTP request: a proxy whose scheme for the relay \
             is https (it must be http), HTTP/2, or a byte that is no ASCII in a header field",
            peer.ip()
        ));
    }

    /// Returns what was handed over, if there is something.
    pub fn ready(&self) -> Option<Work<R>> {
        self.ready.1.try_recv().ok().map(|work| *work)
    }

    /// Makes this thread the one that receives, once the one that does lets others.
    pub fn receive(&self) {
        if !RECEIVING.replace(true) {
            // It fails only without senders, and one is in `self`.
            let _ = self.reception.1.recv();
        }
    }

    fn incoming(self: &Arc<Self>, request: R, id: ConnectionId) -> Incoming<R> {
        Incoming::new(request, id, self.clone())
    }

    fn shut(&self, target: &Target) {
        self.sockets.shut(target.peer, target.socket);
    }

    fn lock(&self) -> MutexGuard<'_, Order<R>> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Order::sizes`].
    #[cfg(test)]
    pub fn sizes(&self) -> [usize; 2] {
        self.lock().sizes()
    }
}

impl<R: Request> Home<R> for Connections<R> {
    fn finish(self: Arc<Self>, id: ConnectionId) {
        let finished = self.lock().finish(id, (self.calls.now)());
        match finished {
            Finished::Rest => {}
            Finished::Serve(request) => {
                let incoming = self.incoming(request, id);
                self.hand_over(Work::Request(incoming));
            }
            Finished::Drop(requests) => requests.into_iter().for_each(|request| request.let_go(0)),
        }
    }

    fn condemn(&self, id: ConnectionId) {
        self.lock().condemn(id, (self.calls.now)());
    }

    fn cut(&self, id: ConnectionId) {
        let target = self.lock().condemn(id, (self.calls.now)());
        target.iter().for_each(|target| self.shut(target));
    }

    fn upgraded(&self, id: ConnectionId) {
        self.lock().upgraded(id);
    }

    fn socket(&self, id: ConnectionId) -> Option<TcpStream> {
        let target = self.lock().target(id)?;
        self.sockets.duplicate(target.peer, target.socket)
    }

    fn hand_over(&self, work: Work<R>) {
        match self.ready.0.try_send(Box::new(work)) {
            Ok(()) => (self.calls.wake)(),
            Err(full) => match *full.into_inner() {
                Work::Request(incoming)
                | Work::Body(incoming, _)
                | Work::Answer(incoming, _)
                | Work::Dropped(incoming) => incoming.cut(),
            },
        }
    }

    fn let_others_receive(&self) {
        if RECEIVING.replace(false) {
            // There is room: the token that was in it is the one that this thread holds.
            let _ = self.reception.0.try_send(());
        }
    }

    fn waiter(&self) -> &Waiter {
        &self.waiter
    }
}
