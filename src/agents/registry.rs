//! The agents' links: lets the newest in, ends the others, keeps them alive.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use tungstenite::protocol::frame::coding::CloseCode;

use crate::agents::encoder::CommandEncoder;
use crate::agents::hello::Hello;
use crate::agents::household::{Household, Unwakeable};
use crate::agents::link::Link;
use crate::agents::probe::{Offered, QueuedCommand};
use crate::agents::roster::{Joined, Roster, RosterLimits};
use crate::commands::in_flight::LinkId;
use crate::commands::{Commands, UnsentReason};
use crate::config::agents::AgentId;
use crate::config::credentials::KeyMatch;
use crate::runtime::clock::ClockWaker;
use crate::runtime::log_limit::target::SHARED_KEYS;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::sync::{Mutex, MutexGuard, lock};

/// Slack added to two heartbeats, for the last ping's round trip.
pub const HEARTBEAT_GRACE: Duration = Duration::from_secs(1);

/// How long a closing handshake may take before the socket is closed.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Closing links at once: this many times the number of agents, of all together. One more cuts the oldest.
pub const MAX_CLOSING: usize = 4;

/// Replacements within [`REPLACED_WINDOW`] that mean two agents share one key.
pub const REPLACED_OFTEN: usize = 3;

/// How far back replacements are counted.
pub const REPLACED_WINDOW: Duration = Duration::from_secs(60);

/// How long a stopping relay waits for its agents to confirm the close.
pub const STOP_TIMEOUT: Duration = Duration::from_millis(50);

/// The close code for a link that a newer one replaces (RFC 6455, 7.4.2: private use).
const REPLACED: u16 = 4001;

/// The reason of such a close. [`Registry::link_ended`] compares it.
const REPLACED_WHY: &str = "a newer connection replaced it";

impl PartialEq for Link {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

/// Cuts links, since too many are closing.
fn make_room(too_many: impl IntoIterator<Item = Arc<Link>>) {
    too_many.into_iter().for_each(|link| link.outbox.cut("too many links are closing"));
}

/// The agents' links.
pub struct Registry {
    silence: Duration,
    pub commands: Arc<Commands>,
    /// Encodes what agents are sent.
    pub encoder: CommandEncoder,
    waker: ClockWaker,
    state: Mutex<State>,
    /// The number of links so far.
    links: AtomicU64,
    /// Disconnected once every reader thread has ended.
    readers: Receiver<()>,
}

struct State {
    roster: Roster<Arc<Link>>,
    household: Household,
    /// Cloned into every reader thread; dropped when the relay stops.
    running: Option<Sender<()>>,
}

impl Registry {
    /// Creates a registry without links. Agents are pinged every `heartbeat`.
    pub fn new(
        heartbeat: Duration,
        commands: Arc<Commands>,
        encoder: CommandEncoder,
        waker: ClockWaker,
    ) -> Self {
        let (running, readers) = bounded(0);
        let pcs = commands.names.all().count();
        let silence = 2 * heartbeat + HEARTBEAT_GRACE;
        let bounds = RosterLimits {
            heartbeat,
            silence,
            closing: CLOSE_TIMEOUT,
            most_closing: MAX_CLOSING * pcs,
            often: (REPLACED_OFTEN, REPLACED_WINDOW),
        };
        let household = Household::new(pcs);
        let state = State { roster: Roster::new(bounds), household, running: Some(running) };
        let (state, links) = (Mutex::new(state), AtomicU64::new(0));
        Self { silence, commands, encoder, waker, state, links, readers }
    }

    /// Returns an unused id for a link of this agent.
    pub fn new_link(&self, agent: AgentId) -> LinkId {
        LinkId::new(agent, self.links.fetch_add(1, Relaxed))
    }

    /// Returns the agent's current link.
    pub fn current(&self, agent: AgentId) -> Option<Arc<Link>> {
        self.lock().roster.current(agent).cloned()
    }

    /// Stores what an agent introduced itself with, unless its link was replaced.
    pub fn introduce(&self, link: &Link, hello: Hello) {
        let agent = link.id.agent;
        let mut state = self.lock();
        if state.roster.current(agent).is_some_and(|current| **current == *link) {
            link.told_macs.fetch_or(hello.macs.is_some(), Relaxed);
            state.household.introduce(agent, hello);
        }
    }

    /// As [`Household::version`].
    pub fn version(&self, agent: AgentId) -> String {
        self.lock().household.version(agent).to_owned()
    }

    /// Returns the link of the agent that is to wake this PC, and the addresses of the PC's network cards.
    ///
    /// # Errors
    /// As [`Household::wake_route`].
    pub fn wake_route(&self, agent: AgentId) -> Result<(Arc<Link>, Vec<String>), Unwakeable> {
        let state = self.lock();
        let link = |other| state.roster.current(other);
        let can_wake = |other| link(other).is_some_and(|link| link.can_wake());
        let (waker, macs) = state.household.wake_route(agent, &can_wake)?;
        let link = link(waker).cloned().ok_or(Unwakeable::NoWaker)?;
        Ok((link, macs.to_vec()))
    }

    /// Whether any agent is connected.
    pub fn is_connected(&self) -> bool {
        self.lock().roster.is_any_connected()
    }

    /// Sends a command on `link`, or queues it until the agent gives a sign of life. On a link that has ended it is
    /// withdrawn at once.
    pub fn send(&self, link: &Link, command: QueuedCommand, now: Instant) {
        let id = command.id.clone();
        let offered = lock(&link.probe).offer(command, now);
        let is_first = match offered {
            Offered::Send(command) => return self.write(link, command, now),
            Offered::Over => return self.commands.withdraw(&id, UnsentReason::LinkLost, now),
            Offered::Ping => true,
            Offered::Wait => false,
        };
        log::debug!(
            "Command {id} waits for a sign of life from the agent{}",
            self.name_suffix(link.id.agent)
        );
        if is_first {
            // If this fails, the reader will remove the link and fail its queued commands.
            let _ = link.ping(now);
        }
        self.waker.wake();
    }

    /// The agent gave a sign of life: sends the queued commands.
    pub fn hear(&self, link: &Link, now: Instant) {
        if link.take_time_due() {
            // If this fails, the reader will remove the link.
            let _ = link.text(self.encoder.time());
        }
        // They are sent under the lock, or a newer command could overtake them.
        let mut probe = lock(&link.probe);
        for command in probe.hear(now) {
            self.write(link, command, now);
        }
    }

    fn write(&self, link: &Link, command: QueuedCommand, now: Instant) {
        let QueuedCommand { id, message, .. } = command;
        self.commands.send(&id, now, || link.text(message));
    }

    /// Makes `link` the agent's current one, and closes the one it replaces. Returns a guard that its reader must hold, or
    /// `None` when the relay is stopping.
    pub fn join(&self, link: Arc<Link>, shown: KeyMatch, now: Instant) -> Option<Sender<()>> {
        let mut state = self.lock();
        let running = state.running.clone()?;
        let KeyMatch { agent, position, of } = shown;
        let name_suffix = self.name_suffix(agent);
        let peer = link.peer.clone();
        let is_fought_over = state.roster.is_fought_over(agent, now);
        state.household.connected(agent, link.from);
        let Joined { replaced, often } = state.roster.join(agent, link, now);
        // Under the same lock, or it could have closed before it is awaited.
        let one_too_many = replaced.clone().and_then(|old| state.roster.await_close(old, now));
        drop(state);
        match replaced.is_some() && is_fought_over {
            false => log::info!("Agent{name_suffix} connected from {peer} with key {position} of {of}"),
            true => {
                log::warn!(target: SHARED_KEYS, "Agent{name_suffix} connected again, while two share its key");
            }
        }
        if let Some(old) = replaced {
            old.close(CloseCode::from(REPLACED), "replaced", REPLACED_WHY);
            self.fail_commands(&old, now);
        }
        make_room(one_too_many);
        if often {
            log::warn!(
                target: SHARED_KEYS,
                "The agent{name_suffix} was replaced {REPLACED_OFTEN} times within a minute: two agents seem to \
                 share one key. Stop one of them, or give it an entry of its own in AGENTS"
            );
        }
        self.waker.wake();
        Some(running)
    }

    /// Ends every command of a link. The probe is closed first: a command that is sent at the same moment was either
    /// registered before and is lost with the others, or finds the probe closed and is withdrawn.
    fn fail_commands(&self, link: &Link, now: Instant) {
        lock(&link.probe).end();
        self.commands.lose(link.id, now);
    }

    /// A link has ended: its commands are lost. `why` is for the log, unless the relay ended it.
    pub fn link_ended(&self, link: &Arc<Link>, why: &str, now: Instant) {
        let was_current = self.lock().roster.leave(link);
        link.outbox.end();
        self.fail_commands(link, now);
        let ended_by_relay = link.outbox.why();
        let (name_suffix, why) =
            (self.name_suffix(link.id.agent), ended_by_relay.as_deref().unwrap_or(why));
        match why == REPLACED_WHY && self.lock().roster.is_fought_over(link.id.agent, now) {
            false => log::info!("Agent{name_suffix} disconnected ({}): {why}", link.peer),
            true => log::debug!("Agent{name_suffix} disconnected ({}): {why}", link.peer),
        }
        if was_current && ended_by_relay.is_some() {
            make_room(self.lock().roster.await_close(link.clone(), now));
            self.waker.wake();
        }
    }

    /// The reader of a link has ended.
    pub fn reader_ended(&self, link: &Arc<Link>) {
        self.lock().roster.closed(link);
    }

    /// Pings agents, and ends links that are silent or take too long to close. Returns the next deadline.
    pub fn run_timers(&self, now: Instant) -> Option<Instant> {
        let due = self.lock().roster.run_timers(now, |link| link.heard());
        for link in due.overdue {
            link.outbox.cut("it took too long to close");
        }
        for link in due.silent {
            link.outbox.cut(&format!("nothing came from it for {} s", self.silence.as_secs()));
            self.fail_commands(&link, now);
        }
        for link in due.ping {
            // If this fails, the reader will remove the link.
            let _ = link.ping(now);
        }
        let probed = self.expire_probes(now);
        due.next.into_iter().chain(probed).min()
    }

    /// Withdraws commands that have waited too long for a sign of life. Returns the next deadline.
    fn expire_probes(&self, now: Instant) -> Option<Instant> {
        let links: Vec<_> = self.lock().roster.all().cloned().collect();
        let mut next = None;
        for link in links.iter().filter(|link| lock(&link.probe).has_waiting()) {
            let is_busy = self.commands.is_busy(link.id, now);
            let (over, again) = lock(&link.probe).run_timers(now, is_busy);
            let why = if is_busy { UnsentReason::Busy } else { UnsentReason::Silent };
            over.iter().for_each(|id| self.commands.withdraw(id, why, now));
            next = next.into_iter().chain(again).min();
        }
        next
    }

    /// Closes all links and lets no other in. Waits at most [`STOP_TIMEOUT`] for the agents' confirmations.
    pub fn stop(&self, now: Instant) {
        let mut state = self.lock();
        state.running = None;
        let links = state.roster.leave_all();
        let too_many = links.iter().filter_map(|link| state.roster.await_close(link.clone(), now));
        let too_many: Vec<_> = too_many.collect();
        drop(state);
        for link in links {
            link.close(CloseCode::Away, "going away", "the relay is stopping");
            self.fail_commands(&link, now);
        }
        make_room(too_many);
        self.waker.wake();
        let _ = self.readers.recv_timeout(STOP_TIMEOUT);
    }

    /// As [`crate::config::agents::Names::among_several`].
    pub fn name(&self, agent: AgentId) -> Option<&str> {
        self.commands.names.among_several(agent)
    }

    /// Returns an agent's name for the log, with a space before it; empty if there is one agent alone.
    pub fn name_suffix(&self, agent: AgentId) -> String {
        self.name(agent).map(|name| format!(" {name}")).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// As [`Roster::sizes`].
    #[cfg(test)]
    pub fn sizes(&self) -> [usize; 2] {
        self.lock().roster.sizes()
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
#[path = "../../tests/models/registry.rs"]
mod tests;

#[cfg(all(test, feature = "shuttle"))]
#[path = "../../tests/models/registry_schedules.rs"]
mod schedules;
