//! Commands that wait for a sign of life. A PC that has fallen asleep sends no FIN, and carries out what was written to its
//! socket when it wakes, minutes later (docs/facts/agent.md). So a command is sent only on a link on which something has
//! just come. Plain data.

use std::mem::take;
use std::time::{Duration, Instant};

/// How recently something must have come for a link to count as alive.
pub const ALIVE_FOR: Duration = Duration::from_secs(2);

/// How long the command of a turn waits for a sign of life on a link that is otherwise idle.
pub const PROBE_TIMEOUT: Duration = Duration::from_millis(1500);

/// A command that has not been sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedCommand {
    /// Its id.
    pub id: String,
    /// The message for the agent.
    pub message: String,
    /// When it came.
    pub since: Instant,
    /// How long it waits for a sign of life on a link that is otherwise idle.
    pub patience: Duration,
    /// When its responder must have been completed.
    pub deadline: Instant,
}

/// The decision about a command.
#[derive(Debug, PartialEq, Eq)]
pub enum Offered {
    /// The link is alive: send it.
    Send(QueuedCommand),
    /// The command is queued, and a ping must be sent.
    Ping,
    /// The command is queued behind others.
    Wait,
    /// The link has ended, so it can't be sent.
    Over,
}

/// Commands waiting for proof that the connection is alive.
#[derive(Debug)]
pub struct Probe {
    /// When something last came on the link.
    heard: Instant,
    /// The queued commands, oldest first.
    waiting: Vec<QueuedCommand>,
    /// The link has ended.
    is_over: bool,
}

impl Probe {
    /// Creates the probe of a link that was opened `now`.
    pub fn new(now: Instant) -> Self {
        Self { heard: now, waiting: Vec::new(), is_over: false }
    }

    /// Decides whether a command may be sent now.
    pub fn offer(&mut self, command: QueuedCommand, now: Instant) -> Offered {
        if self.is_over {
            return Offered::Over;
        }
        let is_first = self.waiting.is_empty();
        if is_first && now < self.heard + ALIVE_FOR {
            return Offered::Send(command);
        }
        self.waiting.push(command);
        if is_first { Offered::Ping } else { Offered::Wait }
    }

    /// Something came from the agent. Returns the queued commands, oldest first.
    pub fn hear(&mut self, now: Instant) -> Vec<QueuedCommand> {
        self.heard = now;
        take(&mut self.waiting)
    }

    /// Returns when something last came.
    pub fn heard(&self) -> Instant {
        self.heard
    }

    /// The link has ended: its queued commands are dropped, and no more are queued.
    pub fn end(&mut self) {
        self.is_over = true;
        self.waiting = Vec::new();
    }

    /// Whether any command is queued.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Returns the ids of commands that have waited too long, and the next deadline. An agent may carry out commands on the
    /// thread that answers pings: while it `is_busy`, silence proves nothing.
    pub fn run_timers(&mut self, now: Instant, is_busy: bool) -> (Vec<String>, Option<Instant>) {
        let end = |unsent: &QueuedCommand| match is_busy {
            true => unsent.deadline,
            false => unsent.deadline.min(unsent.since + unsent.patience),
        };
        let (over, waiting): (Vec<_>, Vec<_>) =
            take(&mut self.waiting).into_iter().partition(|unsent| end(unsent) <= now);
        self.waiting = waiting;
        let over = over.into_iter().map(|unsent| unsent.id).collect();
        // A pending command may be answered or given up meanwhile.
        let again = self.waiting.iter().map(end).min();
        let soon = is_busy.then(|| now + PROBE_TIMEOUT);
        (over, again.map(|again| soon.map_or(again, |soon| again.min(soon))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn unsent(id: &str, since: Instant) -> QueuedCommand {
        let (patience, deadline) = (PROBE_TIMEOUT, since + 4 * SECOND);
        QueuedCommand { id: id.into(), message: "m".into(), since, patience, deadline }
    }

    fn probe() -> (Probe, Instant) {
        let now = Instant::now();
        (Probe::new(now), now)
    }

    fn ids(commands: &[QueuedCommand]) -> Vec<&str> {
        commands.iter().map(|command| command.id.as_str()).collect()
    }

    #[test]
    fn on_a_line_that_is_in_use_a_command_goes_at_once() {
        let (mut probe, now) = probe();
        let just_in_time = now + ALIVE_FOR - Duration::from_nanos(1);
        let command = unsent("1", just_in_time);
        assert_eq!(probe.offer(command.clone(), just_in_time), Offered::Send(command));
        assert_eq!(probe.offer(unsent("2", now), now + ALIVE_FOR), Offered::Ping);
    }

    #[test]
    fn commands_wait_together_and_go_in_order() {
        let (mut probe, now) = probe();
        let later = now + ALIVE_FOR;
        assert_eq!(probe.offer(unsent("1", later), later), Offered::Ping);
        assert_eq!(probe.offer(unsent("2", later), later), Offered::Wait, "one ping is enough");
        assert_eq!(probe.offer(unsent("3", later), now), Offered::Wait, "not before the others");
        assert_eq!(ids(&probe.hear(later)), ["1", "2", "3"]);
        assert_eq!(probe.heard(), later);
        assert!(probe.hear(later).is_empty());
        assert!(matches!(probe.offer(unsent("4", later), later), Offered::Send(_)));
    }

    #[test]
    fn on_a_line_that_is_over_nothing_waits() {
        let (mut probe, now) = probe();
        assert_eq!(probe.offer(unsent("1", now), now + ALIVE_FOR), Offered::Ping);
        probe.end();
        for now in [now, now + ALIVE_FOR] {
            assert_eq!(probe.offer(unsent("2", now), now), Offered::Over);
        }
        assert!(probe.hear(now).is_empty());
    }

    #[test]
    fn without_a_sign_a_command_is_given_up_after_a_moment_or_at_its_deadline() {
        let (mut probe, opened) = probe();
        let now = opened + ALIVE_FOR;
        let hasty = QueuedCommand { deadline: now + SECOND, ..unsent("hasty", now) };
        assert_eq!(probe.offer(hasty, now), Offered::Ping);
        assert_eq!(probe.offer(unsent("2", now), now), Offered::Wait);
        assert_eq!(probe.run_timers(now, false), (vec![], Some(now + SECOND)));
        assert_eq!(
            probe.run_timers(now + SECOND, false),
            (vec!["hasty".into()], Some(now + PROBE_TIMEOUT))
        );
        assert_eq!(probe.run_timers(now + PROBE_TIMEOUT, false), (vec!["2".into()], None));
        assert!(!probe.has_waiting());
    }

    #[test]
    fn each_command_has_its_own_patience() {
        let (mut probe, opened) = probe();
        let now = opened + ALIVE_FOR;
        assert_eq!(probe.offer(unsent("turn", now), now), Offered::Ping);
        let action = QueuedCommand { patience: SECOND, ..unsent("action", now) };
        assert_eq!(probe.offer(action, now), Offered::Wait);
        assert_eq!(probe.run_timers(now, false), (vec![], Some(now + SECOND)));
        assert_eq!(
            probe.run_timers(now + SECOND, false),
            (vec!["action".into()], Some(now + PROBE_TIMEOUT))
        );
    }

    #[test]
    fn while_a_command_is_busy_the_next_waits_until_its_deadline() {
        let (mut probe, opened) = probe();
        let now = opened + ALIVE_FOR;
        assert_eq!(probe.offer(unsent("1", now), now), Offered::Ping);
        let later = now + PROBE_TIMEOUT;
        assert_eq!(probe.run_timers(later, true), (vec![], Some(later + PROBE_TIMEOUT)));
        assert_eq!(probe.run_timers(now + 3 * SECOND, true), (vec![], Some(now + 4 * SECOND)));
        assert_eq!(probe.run_timers(now + 4 * SECOND, true), (vec!["1".into()], None));
    }
}
