//! The roster of links against a naive model: one flat list of all links that there ever were, each with
//! its state, which every question goes through from the start.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::seen::{Seen, hold, must_happen};

const MILLISECOND: Duration = Duration::from_millis(1);
const AGENTS: [AgentId; 3] = [AgentId(0), AgentId(1), AgentId(2)];

/// A run in which one of these never happens shows nothing about it.
const MUST_HAPPEN: [&str; 12] = [
    "joined",
    "replaced",
    "replaced often",
    "left",
    "left, but was nobody's",
    "all left",
    "closing",
    "one too many is closing",
    "closed",
    "pinged",
    "silent",
    "overdue",
];

#[derive(Debug, Clone)]
enum Operation {
    Join {
        agent: usize,
    },
    /// Something comes on one of those links that are agents'.
    Hear(Index),
    /// One of all links is over.
    Leave(Index),
    LeaveAll,
    /// One of those that are nobody's any more was told to close.
    AwaitClose(Index),
    /// One of all links has closed.
    Closed(Index),
    RunTimers,
    Wait {
        milliseconds: u64,
    },
}

/// Bounds so small that each is reached all the time, and what is done within them.
fn histories() -> impl Strategy<Value = (RosterLimits, Vec<Operation>)> {
    use Operation::{AwaitClose, Closed, Hear, Join, Leave, LeaveAll, RunTimers, Wait};
    let times = (1..10u32, 1..20u32, 1..10u32, 1..40u32);
    let bounds = (times, 0..4usize, 1..5usize).prop_map(|(times, most_closing, often)| {
        let (heartbeat, silence, closing, window) = times;
        let [heartbeat, silence, closing, window] =
            [heartbeat, silence, closing, window].map(|count| count * MILLISECOND);
        RosterLimits { heartbeat, silence, closing, most_closing, often: (often, window) }
    });
    let operation = prop_oneof![
        8 => (0..AGENTS.len()).prop_map(|agent| Join { agent }),
        8 => any::<Index>().prop_map(Hear),
        3 => any::<Index>().prop_map(Leave),
        1 => Just(LeaveAll),
        8 => any::<Index>().prop_map(AwaitClose),
        3 => any::<Index>().prop_map(Closed),
        8 => Just(RunTimers),
        8 => (0..6u64).prop_map(|milliseconds| Wait { milliseconds }),
    ];
    (bounds, vec(operation, 0..160))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It is its agent's.
    Current,
    /// It is nobody's any more.
    Orphan,
    /// It was told to close then.
    Closing(Instant),
    Over,
}

/// One link, from its beginning on. Its number is its place in the list.
struct Record {
    agent: AgentId,
    state: State,
    heard: Instant,
    /// When it joined, or was pinged last.
    pinged: Instant,
}

/// A replacement that no warning was given for yet.
struct Replacement {
    agent: AgentId,
    at: Instant,
}

struct Model {
    bounds: RosterLimits,
    records: Vec<Record>,
    replacements: Vec<Replacement>,
    /// Those told to close, in the order of that.
    told: Vec<usize>,
}

impl Model {
    fn current(&self, agent: AgentId) -> Option<usize> {
        let is_it = |record: &Record| record.agent == agent && record.state == State::Current;
        self.records.iter().position(is_it)
    }

    /// The link of each agent, the oldest first.
    fn all(&self) -> Vec<usize> {
        let all = 0..self.records.len();
        all.filter(|&number| self.records[number].state == State::Current).collect()
    }

    /// Those that are closing, and when their time is over; the one that began first stands first.
    fn closing(&self) -> Vec<(usize, Instant)> {
        let until = |&number: &usize| match self.records[number].state {
            State::Closing(since) => Some((number, since + self.bounds.closing)),
            _ => None,
        };
        self.told.iter().filter_map(until).collect()
    }

    fn join(&mut self, agent: AgentId, now: Instant) -> Joined<usize> {
        let replaced = self.current(agent);
        let mut often = false;
        if let Some(old) = replaced {
            self.records[old].state = State::Orphan;
            self.replacements.push(Replacement { agent, at: now });
            let (count, window) = self.bounds.often;
            let is_recent = |one: &&Replacement| one.agent == agent && one.at + window > now;
            often = self.replacements.iter().filter(is_recent).count() >= count;
            if often {
                self.replacements.retain(|one| one.agent != agent);
            }
        }
        self.records.push(Record { agent, state: State::Current, heard: now, pinged: now });
        Joined { replaced, often }
    }

    fn await_close(&mut self, number: usize, now: Instant) -> Option<usize> {
        self.records[number].state = State::Closing(now);
        self.told.push(number);
        let closing = self.closing();
        let (oldest, _) = *closing.get(closing.len().checked_sub(self.bounds.most_closing + 1)?)?;
        self.records[oldest].state = State::Over;
        Some(oldest)
    }

    fn run_timers(&mut self, now: Instant) -> Due<usize> {
        let overdue: Vec<_> =
            self.closing().into_iter().filter(|(_, until)| *until <= now).map(|(one, _)| one).collect();
        let mut silent = self.all();
        silent.retain(|&number| self.records[number].heard + self.bounds.silence <= now);
        overdue.iter().for_each(|&number| self.records[number].state = State::Over);
        silent.iter().for_each(|&number| self.records[number].state = State::Orphan);
        let mut ping = self.all();
        ping.retain(|&number| self.records[number].pinged + self.bounds.heartbeat <= now);
        for &number in &ping {
            self.records[number].pinged = now;
        }
        Due { ping, silent, overdue, next: self.next() }
    }

    /// When something is due by itself.
    fn next(&self) -> Option<Instant> {
        let mut next: Vec<_> = self.closing().into_iter().map(|(_, until)| until).collect();
        for number in self.all() {
            let Record { heard, pinged, .. } = self.records[number];
            next.push(heard + self.bounds.silence);
            next.push(pinged + self.bounds.heartbeat);
        }
        next.into_iter().min()
    }
}

/// In which order several agents come says nothing.
fn sorted(mut links: Vec<usize>) -> Vec<usize> {
    links.sort_unstable();
    links
}

/// The roster and its model.
struct Both<'a> {
    roster: Roster<usize>,
    model: Model,
    now: Instant,
    seen: &'a mut Seen,
}

impl<'a> Both<'a> {
    fn new(bounds: RosterLimits, seen: &'a mut Seen) -> Self {
        let model = Model { bounds, records: Vec::new(), replacements: Vec::new(), told: Vec::new() };
        Self { roster: Roster::new(bounds), model, now: Instant::now(), seen }
    }

    fn note(&mut self, what: &'static str, count: usize) {
        if count > 0 {
            *self.seen.entry(what).or_default() += count;
        }
    }

    /// One of the links in such a state.
    fn pick(&self, index: &Index, is_meant: impl Fn(State) -> bool) -> Option<usize> {
        let all = 0..self.model.records.len();
        let meant: Vec<_> = all.filter(|number| is_meant(self.model.records[*number].state)).collect();
        (!meant.is_empty()).then(|| *index.get(&meant))
    }

    fn perform(&mut self, operation: &Operation) {
        let now = self.now;
        match operation {
            Operation::Join { agent } => {
                let link = self.model.records.len();
                let Joined { replaced, often } = self.roster.join(AGENTS[*agent], link, now);
                let expected = self.model.join(AGENTS[*agent], now);
                assert_eq!((replaced, often), (expected.replaced, expected.often));
                self.note("joined", 1);
                self.note("replaced", replaced.iter().count());
                self.note("replaced often", usize::from(often));
            }
            Operation::Hear(index) => {
                if let Some(link) = self.pick(index, |state| state == State::Current) {
                    self.model.records[link].heard = now;
                }
            }
            Operation::Leave(index) => {
                let Some(link) = self.pick(index, |_| true) else { return };
                let is_an_agents = self.model.records[link].state == State::Current;
                assert_eq!(self.roster.leave(&link), is_an_agents);
                if is_an_agents {
                    self.model.records[link].state = State::Orphan;
                }
                self.note(if is_an_agents { "left" } else { "left, but was nobody's" }, 1);
            }
            Operation::LeaveAll => {
                let all = self.model.all();
                assert_eq!(sorted(self.roster.leave_all()), all);
                all.iter().for_each(|&link| self.model.records[link].state = State::Orphan);
                self.note("all left", all.len());
            }
            Operation::AwaitClose(index) => {
                let Some(link) = self.pick(index, |state| state == State::Orphan) else { return };
                let one_too_many = self.roster.await_close(link, now);
                assert_eq!(one_too_many, self.model.await_close(link, now));
                self.note("closing", 1);
                self.note("one too many is closing", one_too_many.iter().count());
            }
            Operation::Closed(index) => {
                let Some(link) = self.pick(index, |state| state != State::Current) else { return };
                self.roster.closed(&link);
                self.note(
                    "closed",
                    usize::from(matches!(self.model.records[link].state, State::Closing(_))),
                );
                self.model.records[link].state = State::Over;
            }
            Operation::RunTimers => self.run_timers(),
            Operation::Wait { milliseconds } => self.now += Duration::from_millis(*milliseconds),
        }
        self.agree();
    }

    fn run_timers(&mut self) {
        let heard = |link: &usize| self.model.records[*link].heard;
        let Due { ping, silent, overdue, next } = self.roster.run_timers(self.now, heard);
        let expected = self.model.run_timers(self.now);
        let (ping, silent) = (sorted(ping), sorted(silent));
        assert_eq!((&ping, &silent), (&expected.ping, &expected.silent));
        assert_eq!((&overdue, next), (&expected.overdue, expected.next));
        assert!(next.is_none_or(|next| next > self.now), "there would be no end of looking");
        self.note("pinged", ping.len());
        self.note("silent", silent.len());
        self.note("overdue", overdue.len());
    }

    /// What must hold after each step.
    fn agree(&self) {
        let Self { roster, model, .. } = self;
        assert_eq!(sorted(roster.all().copied().collect()), model.all());
        for agent in AGENTS {
            assert_eq!(roster.current(agent).copied(), model.current(agent));
            let newest = model.records.iter().rposition(|record| record.agent == agent);
            assert!(model.current(agent).is_none_or(|current| Some(current) == newest));
        }
        assert_eq!(roster.is_any_connected(), !model.all().is_empty());
        assert_eq!(roster.sizes(), [model.all().len(), model.closing().len()]);
        assert!(roster.sizes()[1] <= model.bounds.most_closing);
    }

    /// Nothing happens any more but that time passes.
    fn come_to_rest(&mut self) {
        self.now += Duration::from_secs(1);
        self.run_timers();
        self.agree();
        assert_eq!(self.roster.sizes(), [0, 0]);
    }
}

#[test]
fn whatever_happens_the_roster_does_what_a_flat_list_of_all_links_would() {
    let seen = hold(128, &histories(), |(bounds, operations), seen| {
        let mut both = Both::new(bounds, seen);
        operations.iter().for_each(|operation| both.perform(operation));
        both.come_to_rest();
        operations.len()
    });
    must_happen(&seen, &MUST_HAPPEN);
}
