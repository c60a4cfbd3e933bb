//! Which link is the agent's: the newest with the right key. Keeps it alive, and ends the others.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use tungstenite::protocol::frame::coding::CloseCode;

use crate::agent::link::Link;
use crate::clock::Alarm;
use crate::limits::{
    CLOSE_TIMEOUT, HEARTBEAT_GRACE, MAX_CLOSING, REPLACED_OFTEN, REPLACED_WINDOW, STOP_TIMEOUT,
};
use crate::turns::Turns;

/// The close code for a link that a newer one replaces (RFC 6455, 7.4.2: private use).
const REPLACED: u16 = 4001;

/// The links to the agent.
pub struct Registry {
    heartbeat: Duration,
    turns: Arc<Turns>,
    alarm: Alarm,
    state: Mutex<State>,
    /// Ends when every reader thread has.
    readers: Receiver<()>,
}

struct State {
    current: Option<Current>,
    /// Links that were told to close, and when their time for it is over; the oldest first.
    closing: VecDeque<(Arc<Link>, Instant)>,
    /// When links were replaced lately.
    replaced: VecDeque<Instant>,
    /// Cloned into every reader thread; gone once the relay stops.
    running: Option<Sender<()>>,
}

struct Current {
    link: Arc<Link>,
    next_ping: Instant,
}

impl Registry {
    /// No agent yet. It will be pinged every `heartbeat`.
    pub fn new(heartbeat: Duration, turns: Arc<Turns>, alarm: Alarm) -> Self {
        let (running, readers) = bounded(0);
        let state = State {
            current: None,
            closing: VecDeque::new(),
            replaced: VecDeque::new(),
            running: Some(running),
        };
        Self { heartbeat, turns, alarm, state: Mutex::new(state), readers }
    }

    /// The agent's link.
    pub fn current(&self) -> Option<Arc<Link>> {
        self.lock().current.as_ref().map(|current| current.link.clone())
    }

    /// Whether an agent is connected.
    pub fn is_connected(&self) -> bool {
        self.lock().current.is_some()
    }

    /// Sends the commands that wait to go to the agent together.
    pub fn flush(&self) {
        if let Some(link) = self.current() {
            // A link that is down loses its commands, which is told to each of them elsewhere.
            let _ = link.flush();
        }
    }

    /// Makes `link` the agent's, which came with the key at `position` of `keys`, and closes the one it
    /// replaces. What its reader thread must hold while it runs; none when the relay is stopping.
    pub fn join(&self, link: Arc<Link>, position: usize, keys: usize) -> Option<Sender<()>> {
        let now = Instant::now();
        let mut state = self.lock();
        let running = state.running.clone()?;
        log::info!("Agent connected from {} with key {position} of {keys}", link.peer);
        let next_ping = now + self.heartbeat;
        let old = state.current.replace(Current { link, next_ping });
        let mut often = false;
        if old.is_some() {
            state.replaced.push_back(now);
            state.replaced.retain(|at| now - *at < REPLACED_WINDOW);
            if state.replaced.len() >= REPLACED_OFTEN {
                state.replaced.clear();
                often = true;
            }
        }
        drop(state);
        if let Some(Current { link: old, .. }) = old {
            self.close(&old, CloseCode::from(REPLACED), "replaced", "a newer connection replaced it");
            self.turns.lose(old.id);
        }
        if often {
            log::warn!(
                "The agent was replaced {REPLACED_OFTEN} times within a minute: two agents seem to \
                 share one key. Stop one of them"
            );
        }
        self.alarm.ring();
        Some(running)
    }

    /// Closes a link and gives the agent a moment to confirm it.
    fn close(&self, link: &Arc<Link>, code: CloseCode, reason: &'static str, why: &str) {
        link.close(code, reason, why);
        self.await_close(link.clone());
    }

    fn await_close(&self, link: Arc<Link>) {
        let mut state = self.lock();
        state.closing.push_back((link, Instant::now() + CLOSE_TIMEOUT));
        let one_too_many =
            if state.closing.len() > MAX_CLOSING { state.closing.pop_front() } else { None };
        drop(state);
        if let Some((link, _)) = one_too_many {
            link.cut("");
        }
        self.alarm.ring();
    }

    /// The link is over: its commands are lost. `why` is for the log, unless the relay knows better.
    pub fn leave(&self, link: &Arc<Link>, why: &str) {
        let was_current = self.remove(link);
        link.end();
        self.turns.lose(link.id);
        log::info!("Agent disconnected ({}): {}", link.peer, link.why().unwrap_or(why));
        if was_current && link.why().is_some() {
            self.await_close(link.clone());
        }
    }

    /// The reader of a link is done with it.
    pub fn gone(&self, link: &Arc<Link>) {
        self.lock().closing.retain(|(closing, _)| !Arc::ptr_eq(closing, link));
    }

    fn remove(&self, link: &Arc<Link>) -> bool {
        let mut state = self.lock();
        let is_current = state.current.as_ref().is_some_and(|current| Arc::ptr_eq(&current.link, link));
        if is_current {
            state.current = None;
        }
        is_current
    }

    /// Pings the agent when it is due, ends links that are dead or take too long to close; when to look
    /// again.
    pub fn tend(&self, now: Instant) -> Option<Instant> {
        let silence = 2 * self.heartbeat + HEARTBEAT_GRACE;
        let mut state = self.lock();
        let overdue = state.closing.partition_point(|(_, until)| *until <= now);
        let overdue: Vec<_> = state.closing.drain(..overdue).collect();
        let mut dead = None;
        let mut ping = None;
        if let Some(current) = &mut state.current {
            if now >= current.link.heard() + silence {
                dead = Some(current.link.clone());
            } else if now >= current.next_ping {
                current.next_ping = now + self.heartbeat;
                ping = Some(current.link.clone());
            }
        }
        if dead.is_some() {
            state.current = None;
        }
        let next = state
            .current
            .as_ref()
            .map(|current| current.next_ping.min(current.link.heard() + silence))
            .into_iter()
            .chain(state.closing.front().map(|(_, until)| *until))
            .min();
        drop(state);
        for (link, _) in overdue {
            link.cut("");
        }
        if let Some(link) = dead {
            link.cut(&format!("nothing came from it for {} s", silence.as_secs()));
            self.turns.lose(link.id);
        }
        if let Some(link) = ping {
            // A link that is down is on its way out.
            let _ = link.ping();
        }
        next
    }

    /// Says goodbye to the agent and lets no other in. Waits for its confirmation, but not for long.
    pub fn stop(&self) {
        let mut state = self.lock();
        state.running = None;
        let current = state.current.take();
        drop(state);
        if let Some(Current { link, .. }) = current {
            self.close(&link, CloseCode::Away, "going away", "the relay is stopping");
            self.turns.lose(link.id);
        }
        let _ = self.readers.recv_timeout(STOP_TIMEOUT);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
