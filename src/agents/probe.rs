//! Commands that wait for a sign of life: a PC that has fallen asleep sends no FIN, and what is written to
//! its socket is carried out when it wakes, minutes later (docs/facts/agent.md). So a command goes only into
//! a line on which something has just come. Plain data.

use std::time::{Duration, Instant};

/// How long ago something may have come on a line that counts as alive.
pub const ALIVE_FOR: Duration = Duration::from_secs(2);

/// How long a command waits for a sign on a line that has nothing else to do.
pub const PROBE_TIMEOUT: Duration = Duration::from_millis(1500);

/// How long a command that is not answered counts as at work. An agent may work on the thread that answers
/// pings, and then a silent line says nothing.
pub const AT_WORK_FOR: Duration = Duration::from_secs(600);

/// Commands that are remembered as at work; the oldest is forgotten first.
pub const MAX_AT_WORK: usize = 512;

/// A command that has not been sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsent {
    /// Its id.
    pub id: String,
    /// The message for the agent.
    pub message: String,
    /// When it came.
    pub since: Instant,
    /// When whoever waits must be told something.
    pub deadline: Instant,
}

/// What to do with a command.
#[derive(Debug, PartialEq, Eq)]
pub enum Offered {
    /// The line is alive.
    Send(Unsent),
    /// It waits for a sign, and so a ping must go out.
    Ping,
    /// It waits together with those before it.
    Waits,
}

/// What is known of one line.
#[derive(Debug, Default)]
pub struct Probe {
    /// In the order in which they came.
    waiting: Vec<Unsent>,
    /// What was sent and is not answered, and when it was.
    at_work: Vec<(String, Instant)>,
}

impl Probe {
    /// A command is to be sent on a line on which something last came at `heard`.
    pub fn offer(&mut self, command: Unsent, heard: Instant, now: Instant) -> Offered {
        if !self.waiting.is_empty() {
            self.waiting.push(command);
            return Offered::Waits;
        }
        if now < heard + ALIVE_FOR {
            return Offered::Send(command);
        }
        self.waiting.push(command);
        Offered::Ping
    }

    /// Something has come. Returns what has waited for it, in order.
    pub fn hear(&mut self) -> Vec<Unsent> {
        std::mem::take(&mut self.waiting)
    }

    /// A command was sent.
    pub fn sent(&mut self, id: String, now: Instant) {
        self.forget(now);
        if self.at_work.len() >= MAX_AT_WORK {
            self.at_work.remove(0);
        }
        self.at_work.push((id, now));
    }

    /// The agent has answered a command.
    pub fn answered(&mut self, id: &str) {
        self.at_work.retain(|(at_work, _)| at_work != id);
    }

    /// Returns the ids of commands that have waited for too long, and whether the agent was at work
    /// meanwhile; and when to look again.
    pub fn tend(&mut self, now: Instant) -> (Vec<String>, bool, Option<Instant>) {
        self.forget(now);
        let is_at_work = !self.at_work.is_empty();
        let end = |unsent: &Unsent| match is_at_work {
            true => unsent.deadline,
            false => unsent.deadline.min(unsent.since + PROBE_TIMEOUT),
        };
        let over = self.waiting.extract_if(.., |unsent| end(unsent) <= now);
        let over = over.map(|unsent| unsent.id).collect();
        // What is at work may cease to count while others wait for it.
        let at_work = self.at_work.first().map(|(_, since)| *since + AT_WORK_FOR);
        let next = self.waiting.iter().map(end);
        let next = next.chain(at_work.filter(|_| !self.waiting.is_empty())).min();
        (over, is_at_work, next)
    }

    fn forget(&mut self, now: Instant) {
        self.at_work.retain(|(_, since)| now < *since + AT_WORK_FOR);
    }

    /// How many commands wait, and how many are at work.
    #[cfg(test)]
    pub fn sizes(&self) -> [usize; 2] {
        [self.waiting.len(), self.at_work.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn unsent(id: &str, since: Instant) -> Unsent {
        Unsent { id: id.into(), message: "m".into(), since, deadline: since + 4 * SECOND }
    }

    fn ids(commands: &[Unsent]) -> Vec<&str> {
        commands.iter().map(|command| command.id.as_str()).collect()
    }

    #[test]
    fn on_a_line_that_is_in_use_a_command_goes_at_once() {
        let (mut probe, now) = (Probe::default(), Instant::now());
        let just_in_time = now + ALIVE_FOR - Duration::from_nanos(1);
        let command = unsent("1", just_in_time);
        assert_eq!(probe.offer(command.clone(), now, just_in_time), Offered::Send(command));
        assert_eq!(probe.offer(unsent("2", now), now, now + ALIVE_FOR), Offered::Ping);
    }

    #[test]
    fn commands_wait_together_and_go_in_order() {
        let (mut probe, now) = (Probe::default(), Instant::now());
        let later = now + ALIVE_FOR;
        assert_eq!(probe.offer(unsent("1", later), now, later), Offered::Ping);
        assert_eq!(probe.offer(unsent("2", later), now, later), Offered::Waits, "one ping is enough");
        assert_eq!(
            probe.offer(unsent("3", later), later, later),
            Offered::Waits,
            "not before the others"
        );
        assert_eq!(ids(&probe.hear()), ["1", "2", "3"]);
        assert!(probe.hear().is_empty());
    }

    #[test]
    fn without_a_sign_a_command_is_given_up_after_a_moment_or_at_its_deadline() {
        let (mut probe, now) = (Probe::default(), Instant::now());
        let hasty = Unsent { deadline: now + SECOND, ..unsent("hasty", now) };
        assert_eq!(probe.offer(hasty, now, now + ALIVE_FOR), Offered::Ping);
        assert_eq!(probe.offer(unsent("2", now), now, now), Offered::Waits);
        assert_eq!(probe.tend(now), (vec![], false, Some(now + SECOND)));
        assert_eq!(probe.tend(now + SECOND), (vec!["hasty".into()], false, Some(now + PROBE_TIMEOUT)));
        assert_eq!(probe.tend(now + PROBE_TIMEOUT), (vec!["2".into()], false, None));
    }

    #[test]
    fn while_a_command_is_at_work_the_next_waits_until_its_deadline() {
        let (mut probe, now) = (Probe::default(), Instant::now());
        probe.sent("0".into(), now);
        assert_eq!(probe.offer(unsent("1", now), now, now + ALIVE_FOR), Offered::Ping);
        assert_eq!(probe.tend(now + PROBE_TIMEOUT), (vec![], true, Some(now + 4 * SECOND)));
        assert_eq!(probe.tend(now + 4 * SECOND), (vec!["1".into()], true, None));
        probe.answered("0");
        assert_eq!(probe.sizes(), [0, 0]);
    }

    #[test]
    fn what_is_not_answered_for_ten_minutes_is_not_at_work_any_more() {
        let (mut probe, now) = (Probe::default(), Instant::now());
        probe.sent("0".into(), now);
        let later = now + AT_WORK_FOR - SECOND;
        assert_eq!(probe.offer(unsent("1", later), now, later), Offered::Ping);
        let end = now + AT_WORK_FOR;
        assert_eq!(probe.tend(later), (vec![], true, Some(end)));
        assert_eq!(probe.tend(end), (vec![], false, Some(later + PROBE_TIMEOUT)));
    }

    #[test]
    fn an_agent_that_never_answers_fills_no_memory() {
        let (mut probe, now) = (Probe::default(), Instant::now());
        (0..10_000).for_each(|number| probe.sent(number.to_string(), now));
        assert_eq!(probe.sizes(), [0, MAX_AT_WORK]);
        probe.answered("9999");
        assert_eq!(probe.sizes(), [0, MAX_AT_WORK - 1]);
    }
}
