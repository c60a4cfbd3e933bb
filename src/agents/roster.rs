//! The current link of each agent, and links that are closing. Plain data; `L` is a link.

use std::time::{Duration, Instant};

use crate::config::agents::AgentId;

/// Intervals and limits.
#[derive(Debug, Clone, Copy)]
pub struct RosterLimits {
    /// The interval of pings.
    pub heartbeat: Duration,
    /// How long an agent may be silent.
    pub silence: Duration,
    /// How long a closing handshake may take.
    pub closing: Duration,
    /// Links that may be closing at once.
    pub most_closing: usize,
    /// The number of replacements, and the window, that mean two agents share one key.
    pub often: (usize, Duration),
}

/// The links of all agents.
#[derive(Debug)]
pub struct Roster<L> {
    limits: RosterLimits,
    agents: Vec<Agent<L>>,
    /// Links that were told to close, and their deadlines; the oldest first.
    closing: Vec<(L, Instant)>,
}

#[derive(Debug)]
struct Agent<L> {
    id: AgentId,
    current: Option<(L, Instant)>,
    /// When its links were replaced lately.
    replaced: Vec<Instant>,
    /// When replacements last exceeded the limit.
    often: Option<Instant>,
}

/// The result of [`Roster::join`].
#[derive(Debug)]
pub struct Joined<L> {
    /// The link that it replaces.
    pub replaced: Option<L>,
    /// Whether this agent's links replace each other too often.
    pub often: bool,
}

/// The result of [`Roster::run_timers`].
#[derive(Debug)]
pub struct Due<L> {
    /// Links to ping.
    pub ping: Vec<L>,
    /// Links of silent agents, which are removed.
    pub silent: Vec<L>,
    /// Links that took too long to close, which are removed.
    pub overdue: Vec<L>,
    /// The next deadline.
    pub next: Option<Instant>,
}

impl<L: Clone + PartialEq> Roster<L> {
    /// Creates a roster without links.
    pub fn new(limits: RosterLimits) -> Self {
        Self { limits, agents: Vec::new(), closing: Vec::new() }
    }

    /// Returns the agent's current link.
    pub fn current(&self, id: AgentId) -> Option<&L> {
        self.agents.iter().find(|agent| agent.id == id)?.current.as_ref().map(|(link, _)| link)
    }

    /// Whether any agent is connected.
    pub fn is_any_connected(&self) -> bool {
        self.agents.iter().any(|agent| agent.current.is_some())
    }

    /// Returns the current links of all agents.
    pub fn all(&self) -> impl Iterator<Item = &L> {
        self.agents.iter().filter_map(|agent| agent.current.as_ref()).map(|(link, _)| link)
    }

    /// Makes `link` the agent's current one.
    pub fn join(&mut self, id: AgentId, link: L, now: Instant) -> Joined<L> {
        let (often, window) = self.limits.often;
        let place = self.agents.iter().position(|agent| agent.id == id).unwrap_or_else(|| {
            self.agents.push(Agent { id, current: None, replaced: Vec::new(), often: None });
            self.agents.len() - 1
        });
        let agent = &mut self.agents[place];
        let old = agent.current.replace((link, now + self.limits.heartbeat)).map(|(old, _)| old);
        let mut is_often = false;
        if old.is_some() {
            agent.replaced.push(now);
            agent.replaced.retain(|at| now.saturating_duration_since(*at) < window);
            if agent.replaced.len() >= often {
                agent.replaced.clear();
                agent.often = Some(now);
                is_often = true;
            }
        }
        Joined { replaced: old, often: is_often }
    }

    /// Whether two agents fight over this key: its links were replaced too often within the window.
    pub fn is_fought_over(&self, id: AgentId, now: Instant) -> bool {
        let often = self.agents.iter().find(|agent| agent.id == id).and_then(|agent| agent.often);
        often.is_some_and(|at| now.saturating_duration_since(at) < self.limits.often.1)
    }

    /// Removes a link. Returns whether it was current.
    pub fn leave(&mut self, link: &L) -> bool {
        self.agents
            .iter_mut()
            .any(|agent| agent.current.take_if(|(current, _)| current == link).is_some())
    }

    /// Removes and returns all current links.
    pub fn leave_all(&mut self) -> Vec<L> {
        let taken = self.agents.iter_mut().filter_map(|agent| agent.current.take());
        taken.map(|(link, _)| link).collect()
    }

    /// A link was told to close. Returns the oldest closing one if there are too many, to be cut.
    pub fn await_close(&mut self, link: L, now: Instant) -> Option<L> {
        self.closing.push((link, now + self.limits.closing));
        let too_many = self.closing.len() > self.limits.most_closing;
        too_many.then(|| self.closing.remove(0).0)
    }

    /// A link has closed.
    pub fn closed(&mut self, link: &L) {
        self.closing.retain(|(closing, _)| closing != link);
    }

    /// Returns what is due. `heard` tells when an agent last sent anything.
    pub fn run_timers(&mut self, now: Instant, heard: impl Fn(&L) -> Instant) -> Due<L> {
        let mut due = Due { ping: Vec::new(), silent: Vec::new(), overdue: Vec::new(), next: None };
        let overdue = self.closing.partition_point(|(_, until)| *until <= now);
        due.overdue.extend(self.closing.drain(..overdue).map(|(link, _)| link));
        let RosterLimits { heartbeat, silence, .. } = self.limits;
        let mut next: Vec<_> = self.closing.first().map(|(_, until)| *until).into_iter().collect();
        for agent in &mut self.agents {
            if let Some((link, _)) = agent.current.take_if(|(link, _)| now >= heard(link) + silence) {
                due.silent.push(link);
            } else if let Some((link, next_ping)) = &mut agent.current {
                if now >= *next_ping {
                    *next_ping = now + heartbeat;
                    due.ping.push(link.clone());
                }
                next.extend([*next_ping, heard(link) + silence]);
            }
        }
        due.next = next.into_iter().min();
        due
    }

    /// The number of current links, and of closing ones.
    #[cfg(test)]
    pub fn sizes(&self) -> [usize; 2] {
        [self.all().count(), self.closing.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: AgentId = AgentId(0);
    const B: AgentId = AgentId(1);
    const C: AgentId = AgentId(2);
    const SECOND: Duration = Duration::from_secs(1);
    const BOUNDS: RosterLimits = RosterLimits {
        heartbeat: SECOND,
        silence: Duration::from_secs(3),
        closing: SECOND,
        most_closing: 2,
        often: (3, Duration::from_secs(60)),
    };

    fn roster() -> (Roster<u32>, Instant) {
        (Roster::new(BOUNDS), Instant::now())
    }

    #[test]
    fn the_newest_link_is_the_agents_and_each_agent_has_its_own() {
        let (mut roster, now) = roster();
        assert!(!roster.is_any_connected());
        assert_eq!(roster.join(A, 1, now).replaced, None);
        assert_eq!(roster.join(B, 2, now).replaced, None);
        assert_eq!(roster.join(A, 3, now).replaced, Some(1));
        assert_eq!((roster.current(A), roster.current(B)), (Some(&3), Some(&2)));
        assert!(!roster.leave(&1), "it was replaced");
        assert!(roster.leave(&3));
        assert_eq!((roster.current(A), roster.current(C)), (None, None));
        assert!(roster.is_any_connected());
        assert_eq!(roster.leave_all(), [2]);
        assert!(!roster.is_any_connected());
    }

    #[test]
    fn three_replacements_within_a_minute_are_often() {
        let (mut roster, now) = roster();
        let often = |roster: &mut Roster<u32>, link, at| roster.join(A, link, at).often;
        assert!(!often(&mut roster, 0, now));
        assert!(!often(&mut roster, 1, now));
        assert!(!often(&mut roster, 2, now + 59 * SECOND));
        assert!(!often(&mut roster, 3, now + 60 * SECOND), "the first is forgotten");
        assert!(often(&mut roster, 4, now + 61 * SECOND));
        assert!(
            roster.is_fought_over(A, now + 61 * SECOND) && !roster.is_fought_over(B, now + 61 * SECOND)
        );
        assert!(!often(&mut roster, 5, now + 62 * SECOND), "it was told");
        assert!(
            roster.is_fought_over(A, now + 120 * SECOND)
                && !roster.is_fought_over(A, now + 121 * SECOND)
        );
    }

    #[test]
    fn a_link_is_pinged_with_every_heartbeat_and_silent_when_nothing_comes() {
        let (mut roster, now) = roster();
        roster.join(A, 1, now);
        let due = roster.run_timers(now, |_| now);
        assert_eq!((due.ping, due.silent, due.next), (vec![], vec![], Some(now + SECOND)));
        let due = roster.run_timers(now + SECOND, |_| now);
        assert_eq!((due.ping, due.next), (vec![1], Some(now + 2 * SECOND)));
        let just_before = now + 3 * SECOND - Duration::from_nanos(1);
        let due = roster.run_timers(just_before, |_| now);
        assert_eq!((due.ping, due.silent, due.next), (vec![1], vec![], Some(now + 3 * SECOND)));
        let due = roster.run_timers(now + 3 * SECOND, |_| now);
        assert_eq!((due.ping, due.silent, due.next), (vec![], vec![1], None));
        assert_eq!(roster.current(A), None);
    }

    #[test]
    fn a_link_has_a_moment_to_close_unless_too_many_do() {
        let (mut roster, now) = roster();
        assert_eq!(roster.await_close(1, now), None);
        assert_eq!(roster.await_close(2, now + SECOND / 2), None);
        assert_eq!(roster.await_close(3, now + SECOND / 2), Some(1));
        roster.closed(&3);
        let due = roster.run_timers(now + SECOND, |_| now);
        assert_eq!((due.overdue, due.next), (vec![], Some(now + SECOND * 3 / 2)));
        assert_eq!(roster.run_timers(now + SECOND * 3 / 2, |_| now).overdue, [2]);
        assert_eq!(roster.sizes(), [0, 0]);
    }
}

#[cfg(test)]
#[path = "../../tests/models/roster.rs"]
mod model;
