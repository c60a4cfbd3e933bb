//! Limits of log lines that the outside can cause: what would be said too often is counted, and summed up later. A line
//! says by its target that it is one of them. Plain data.

use std::time::{Duration, Instant};

use log::Level;

/// Distinct lines of one target that are counted one by one while they repeat; further ones are counted together. Behind
/// a proxy one is one address, and so many at once are no longer read one by one.
pub const MAX_REPEATED: usize = 128;

/// How often a line that repeats is written.
pub const REPEATED_EVERY: Duration = Duration::from_secs(60);

/// Lines a second of one target that are written one by one; beyond it a summary is.
pub const MAX_LINES_PER_SECOND: u32 = 10;

const WINDOW: Duration = Duration::from_secs(1);

/// The targets of limited lines. A summary names its lines by them.
pub mod target {
    /// How commands ended.
    pub const COMMANDS: &str = "commands";
    /// Requests of Smart Home.
    pub const SMART_HOME: &str = "Smart Home requests";
    /// Requests of Smart Home without a good token, code or secret.
    pub const SMART_HOME_REFUSED: &str = "Smart Home requests refused";
    /// Refused turns, and requests to a wrong webhook address.
    pub const TURNS_REFUSED: &str = "turns turned away";
    /// Requests for the owner's page without a good cookie, code or proof.
    pub const OWNER_REFUSED: &str = "requests for the owner's page refused";
    /// Agents that were not let in.
    pub const AGENTS_REJECTED: &str = "agents rejected";
    /// Agents that take the link from each other.
    pub const SHARED_KEYS: &str = "agents that share a key";
    /// Messages to or from agents that can't be used whole.
    pub const ODD_MESSAGES: &str = "odd messages of agents";
    /// Connections that bring something else than HTTP.
    pub const NO_REQUEST: &str = "connections without a request";
    /// Panics in tiny_http's threads.
    pub const TINY_HTTP: &str = "failures of tiny_http";
}

/// The targets of which at most [`MAX_LINES_PER_SECOND`] lines a second are written.
const RATES: [&str; 2] = [target::COMMANDS, target::SMART_HOME];

/// The targets of which each distinct line is written once in [`REPEATED_EVERY`].
const REPEATS: [&str; 8] = [
    target::SMART_HOME_REFUSED,
    target::TURNS_REFUSED,
    target::OWNER_REFUSED,
    target::AGENTS_REJECTED,
    target::SHARED_KEYS,
    target::ODD_MESSAGES,
    target::NO_REQUEST,
    target::TINY_HTTP,
];

/// Whether lines of this target are limited.
pub fn is_limited(target: &str) -> bool {
    RATES.contains(&target) || REPEATS.contains(&target)
}

/// Counts of lately logged lines, for every limited target.
pub struct LogRateLimit {
    rates: [Rate; RATES.len()],
    repeats: [Repeats; REPEATS.len()],
}

struct Rate {
    target: &'static str,
    ends: Instant,
    lines: u32,
    suppressed: u64,
}

struct Repeats {
    target: &'static str,
    lines: Vec<(String, Count)>,
    /// The lines that found no place.
    others: Option<Count>,
}

struct Count {
    suppressed: u64,
    ends: Instant,
}

impl LogRateLimit {
    /// Nothing was written before `now`.
    pub fn new(now: Instant) -> Self {
        let rate = |target| Rate { target, ends: now, lines: 0, suppressed: 0 };
        let repeats = |target| Repeats { target, lines: Vec::new(), others: None };
        Self { rates: RATES.map(rate), repeats: REPEATS.map(repeats) }
    }

    /// Counts a line. Returns whether it is to be written now.
    pub fn admit(&mut self, target: &str, line: &str, now: Instant) -> bool {
        if let Some(rate) = self.rates.iter_mut().find(|rate| rate.target == target) {
            return rate.admit(now);
        }
        match self.repeats.iter_mut().find(|repeats| repeats.target == target) {
            Some(repeats) => repeats.admit(line, now),
            None => true,
        }
    }

    /// Gives `write` the summaries that are due. Returns when the next one may be.
    pub fn run_timers(
        &mut self,
        now: Instant,
        write: &mut dyn FnMut(Level, String),
    ) -> Option<Instant> {
        let rates: Vec<_> = self.rates.iter_mut().map(|rate| rate.run_timers(now, write)).collect();
        let repeats = self.repeats.iter_mut().map(|repeats| repeats.run_timers(now, write));
        rates.into_iter().chain(repeats).flatten().min()
    }
}

impl Rate {
    fn admit(&mut self, now: Instant) -> bool {
        if self.suppressed == 0 && now >= self.ends {
            (self.lines, self.ends) = (0, now + WINDOW);
        }
        self.lines += 1;
        let is_within = self.lines <= MAX_LINES_PER_SECOND;
        self.suppressed += u64::from(!is_within);
        is_within
    }

    fn run_timers(&mut self, now: Instant, write: &mut dyn FnMut(Level, String)) -> Option<Instant> {
        if now < self.ends {
            return Some(self.ends);
        }
        let (suppressed, target) = (std::mem::take(&mut self.suppressed), self.target);
        if suppressed > 0 {
            write(Level::Info, format!("{suppressed} more {target} within a second"));
        }
        None
    }
}

impl Repeats {
    fn admit(&mut self, line: &str, now: Instant) -> bool {
        if let Some((_, count)) = self.lines.iter_mut().find(|(known, _)| known == line) {
            count.suppressed += 1;
            return false;
        }
        let ends = now + REPEATED_EVERY;
        if self.lines.len() < MAX_REPEATED {
            self.lines.push((line.to_owned(), Count { suppressed: 0, ends }));
            return true;
        }
        self.others.get_or_insert(Count { suppressed: 0, ends }).suppressed += 1;
        false
    }

    /// Writes the lines whose minute is over, and forgets those that did not come again.
    fn run_timers(&mut self, now: Instant, write: &mut dyn FnMut(Level, String)) -> Option<Instant> {
        self.lines.retain_mut(|(line, count)| {
            if count.ends > now {
                return true;
            }
            let suppressed = std::mem::take(&mut count.suppressed);
            count.ends = now + REPEATED_EVERY;
            if suppressed > 0 {
                write(Level::Warn, format!("{line} ({suppressed} more within a minute)"));
            }
            suppressed > 0
        });
        if let Some(Count { suppressed, .. }) = self.others.take_if(|count| count.ends <= now) {
            let target = self.target;
            write(
                Level::Warn,
                format!("{suppressed} more {target} within a minute, too different to name each"),
            );
        }
        self.lines.iter().map(|(_, count)| count.ends).chain(self.others.as_ref().map(|c| c.ends)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = REPEATED_EVERY;

    struct World {
        limit: LogRateLimit,
        start: Instant,
        written: Vec<String>,
    }

    impl World {
        fn new() -> Self {
            let start = Instant::now();
            Self { limit: LogRateLimit::new(start), start, written: Vec::new() }
        }

        fn admit(&mut self, target: &str, line: &str, after: Duration) -> bool {
            self.limit.admit(target, line, self.start + after)
        }

        /// Returns after how long to look again.
        fn run_timers(&mut self, after: Duration) -> Option<Duration> {
            let written = &mut self.written;
            let next = self.limit.run_timers(self.start + after, &mut |_, line| written.push(line));
            next.map(|next| next - self.start)
        }
    }

    #[test]
    fn ten_lines_a_second_are_written_and_the_rest_is_summed_up() {
        let mut world = World::new();
        let written = (0..25).filter(|_| world.admit(target::COMMANDS, "x", Duration::ZERO)).count();
        assert_eq!(written, 10);
        assert!(world.admit(target::SMART_HOME, "x", Duration::ZERO), "each target has its own limit");
        assert_eq!(world.run_timers(Duration::ZERO), Some(WINDOW));
        assert!(!world.admit(target::COMMANDS, "x", WINDOW), "not before the summary");
        assert_eq!(world.run_timers(WINDOW), None);
        assert_eq!(world.written, ["16 more commands within a second"]);
        assert!(world.admit(target::COMMANDS, "x", WINDOW));
    }

    #[test]
    fn a_line_is_written_at_once_and_then_once_a_minute_for_as_long_as_it_comes() {
        let mut world = World::new();
        let admit = |world: &mut World, line, after| world.admit(target::AGENTS_REJECTED, line, after);
        assert!(admit(&mut world, "a", Duration::ZERO));
        for _ in 0..10_000 {
            assert!(!admit(&mut world, "a", Duration::ZERO));
        }
        assert!(admit(&mut world, "b", Duration::ZERO));
        assert_eq!(world.run_timers(Duration::ZERO), Some(MINUTE), "not yet");
        assert_eq!(world.run_timers(MINUTE), Some(2 * MINUTE));
        assert_eq!(world.written, ["a (10000 more within a minute)"]);
        assert!(admit(&mut world, "b", MINUTE), "b did not come again, so it is new");
        assert!(!admit(&mut world, "a", MINUTE));
        assert_eq!(world.run_timers(2 * MINUTE), Some(3 * MINUTE));
        assert_eq!(world.run_timers(3 * MINUTE), None, "all is quiet, and nothing is kept");
        assert_eq!(world.written[1..], ["a (1 more within a minute)"]);
    }

    #[test]
    fn the_lines_of_a_target_are_bounded_and_what_finds_no_place_is_counted_together() {
        let mut world = World::new();
        let admit = |world: &mut World, n: i32, after| {
            world.admit(target::TURNS_REFUSED, &n.to_string(), after)
        };
        let written = (0..10_000).filter(|n| admit(&mut world, *n, Duration::ZERO)).count();
        assert_eq!(written, MAX_REPEATED);
        assert!(world.limit.repeats.iter().all(|repeats| repeats.lines.len() <= MAX_REPEATED));
        assert_eq!(world.run_timers(MINUTE), None);
        let summary = "9872 more turns turned away within a minute, too different to name each";
        assert_eq!(world.written, [summary]);
        assert!(admit(&mut world, -1, MINUTE), "there is room again");
    }

    #[test]
    fn other_lines_are_not_limited() {
        let mut world = World::new();
        assert!((0..1000).all(|_| world.admit("home_alice_relay::relay", "x", Duration::ZERO)));
        assert!(!is_limited("home_alice_relay::relay"));
        assert!(is_limited(target::TINY_HTTP));
    }
}
