//! How long a connection may keep us waiting (T5, T6): tiny_http has no limit of its own, and holds a
//! thread and two descriptors for each. Plain data.

use std::time::{Duration, Instant};

use crate::net::sockets::Received;

/// How long a connection may take to bring its first request's head, or any head that it has begun (T6).
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may rest between two requests. Longer than proxies keep one that rests, Caddy with its 120 s
/// the longest of those that end them at all: a POST that meets our FIN on its way is lost, and nobody sends it again.
pub const REST_TIMEOUT: Duration = Duration::from_secs(130);

/// Bytes that a connection may bring without a request coming of them (T5): a head, of which nginx sends
/// at most 32 KiB, and a body behind it that nobody has begun to read yet.
pub const MAX_HEAD: u64 = 128 * 1024;

/// Bytes that may come on a connection behind a request under way: its body, and pipelined ones.
pub const MAX_BEHIND: u64 = 1024 * 1024;

/// The kernel counts in ticks of up to 10 ms: what seems to have come so shortly after the last answer
/// may have come before it. Whether it did, the number of bytes tells.
const KERNEL_CLOCK: Duration = Duration::from_millis(20);

/// What is known of one connection's waiting.
#[derive(Debug)]
pub struct Patience {
    /// Since when it owes us a request: seen first, or answered last.
    since: Instant,
    /// Whether it has brought a request before.
    rested: bool,
    /// Since when it has been bringing its next head.
    head_since: Option<Instant>,
    /// What it had brought when `since` was set, once the kernel was asked.
    bytes: Option<u64>,
    /// Bytes of the requests that came of it.
    counted: u64,
    /// It is no HTTP connection any more.
    ended: bool,
    /// How many kicks it asks for the next time that it is stranded.
    kicks: usize,
}

/// What becomes of a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It owes us nothing.
    Fine,
    /// It has owed us something since then.
    Waiting(Instant),
    /// It has waited since then, too, but it is new and nobody reads what it has brought: tiny_http has left it
    /// without a thread (T2).
    Stranded,
    /// It has kept us waiting for too long, or brings too much.
    Cut,
}

impl Patience {
    /// A connection that was first seen now.
    pub fn new(now: Instant) -> Self {
        Self {
            since: now,
            rested: false,
            head_since: None,
            bytes: Some(0),
            counted: 0,
            ended: false,
            kicks: 1,
        }
    }

    /// A connection that a sweep has found: it was opened, or brought something, so long ago.
    pub fn found(now: Instant, received: Option<Received>) -> Self {
        let ago = received.map_or(Duration::ZERO, |received| received.last);
        Self::new(now.checked_sub(ago).unwrap_or(now))
    }

    /// A request of so many bytes has come of it.
    pub fn count(&mut self, bytes: u64) {
        self.counted = self.counted.saturating_add(bytes);
    }

    /// Its last request was answered now.
    pub fn rest(&mut self, now: Instant) {
        let Self { counted, ended, .. } = *self;
        *self = Self { rested: true, bytes: None, counted, ended, ..Self::new(now) };
    }

    /// No request will come from it any more, and that is as it should be.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Returns what becomes of it, by what it has received; `busy` when a request of it is being served.
    pub fn judge(&mut self, now: Instant, busy: bool, received: Option<Received>) -> Verdict {
        let Some(received) = received.filter(|_| !self.ended) else { return Verdict::Fine };
        let brought = received.bytes.saturating_sub(*self.bytes.get_or_insert(received.bytes));
        if busy {
            // Its answer is ours to give, and the body is waited for elsewhere.
            return if brought > MAX_BEHIND { Verdict::Cut } else { Verdict::Fine };
        }
        if brought > MAX_HEAD {
            return Verdict::Cut;
        }
        let resting = now.saturating_duration_since(self.since);
        if self.head_since.is_none() {
            if received.last + KERNEL_CLOCK < resting {
                self.head_since = Some(now);
            } else if received.bytes > self.counted {
                // It came with the last request, or so soon behind it that the clock can't tell.
                self.head_since = Some(self.since);
            }
        }
        let (since, limit) = match (self.rested, self.head_since) {
            (true, Some(began)) => (began, HEAD_TIMEOUT),
            (true, None) => (self.since, REST_TIMEOUT),
            (false, _) => (self.since, HEAD_TIMEOUT),
        };
        if now >= since + limit {
            Verdict::Cut
        } else if !self.rested && received.unread > 0 {
            Verdict::Stranded
        } else {
            Verdict::Waiting(since)
        }
    }

    /// It is stranded. Returns how many kicks it asks for: one frees one connection, and silent ones may
    /// stand in front of this one, so it asks for twice as many each time.
    pub fn kicks(&mut self) -> usize {
        let kicks = self.kicks;
        self.kicks = kicks.saturating_mul(2);
        kicks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// So many bytes, the last of them so long ago.
    fn received(bytes: u64, last: Duration) -> Option<Received> {
        Some(Received { bytes, last, unread: 0 })
    }

    #[test]
    fn who_brings_no_first_request_is_cut_after_10_s_whatever_it_sends() {
        let start = Instant::now();
        let mut silent = Patience::new(start);
        let mut slow = Patience::new(start);
        for second in 0..10 {
            let now = start + second * SECOND;
            let never = received(0, Duration::from_secs(3600));
            assert_eq!(silent.judge(now, false, never), Verdict::Waiting(start));
            let drop_by_drop = received(u64::from(second), Duration::ZERO);
            assert_eq!(slow.judge(now, false, drop_by_drop), Verdict::Waiting(start));
        }
        let now = start + 10 * SECOND;
        assert_eq!(silent.judge(now, false, received(0, 3600 * SECOND)), Verdict::Cut);
        assert_eq!(slow.judge(now, false, received(10, SECOND)), Verdict::Cut);
    }

    #[test]
    fn a_connection_at_rest_has_130_s_and_one_that_has_begun_a_head_10() {
        let start = Instant::now();
        let mut rested = Patience::new(start);
        rested.count(100);
        rested.rest(start);
        let mut begun = Patience::new(start);
        begun.count(100);
        begun.rest(start);
        let now = start + 9 * SECOND;
        assert_eq!(rested.judge(now, false, received(100, 10 * SECOND)), Verdict::Waiting(start));
        assert_eq!(begun.judge(now, false, received(101, SECOND)), Verdict::Waiting(now));
        let now = start + 18 * SECOND;
        assert_eq!(
            begun.judge(now, false, received(102, SECOND)),
            Verdict::Waiting(start + 9 * SECOND)
        );
        assert_eq!(begun.judge(now + SECOND, false, received(103, SECOND)), Verdict::Cut);
        // Caddy's, which it ends then by itself.
        let caddy = Duration::from_millis(120_070);
        for rest in [60 * SECOND, 90 * SECOND, caddy, 129 * SECOND] {
            let received = received(100, rest + SECOND);
            assert_eq!(
                rested.judge(start + rest, false, received),
                Verdict::Waiting(start),
                "{rest:?}"
            );
        }
        let now = start + 130 * SECOND;
        assert_eq!(rested.judge(now, false, received(100, 131 * SECOND)), Verdict::Cut);
    }

    #[test]
    fn what_may_have_come_before_the_last_answer_begins_no_head() {
        let start = Instant::now();
        for (ago, begins) in [(KERNEL_CLOCK, false), (KERNEL_CLOCK + Duration::from_nanos(1), true)] {
            let mut rested = Patience::new(start);
            rested.count(1);
            rested.rest(start);
            let now = start + SECOND;
            let since = if begins { now } else { start };
            assert_eq!(rested.judge(now, false, received(1, SECOND - ago)), Verdict::Waiting(since));
        }
    }

    #[test]
    fn half_a_head_that_came_with_the_last_request_has_10_s() {
        let start = Instant::now();
        let mut begun = Patience::new(start);
        begun.count(100);
        begun.count(50);
        begun.rest(start);
        assert_eq!(begun.judge(start + SECOND, false, received(151, SECOND)), Verdict::Waiting(start));
        assert_eq!(begun.judge(start + 10 * SECOND, false, received(151, 10 * SECOND)), Verdict::Cut);
    }

    #[test]
    fn of_those_found_together_the_one_that_brought_nothing_for_longer_is_the_older() {
        let now = Instant::now();
        let silent = Patience::found(now, received(0, Duration::from_millis(80)));
        let honest = Patience::found(now, received(100, Duration::ZERO));
        assert!(silent.since < honest.since);
    }

    #[test]
    fn a_head_without_end_is_cut_at_once() {
        let start = Instant::now();
        let mut fresh = Patience::new(start);
        assert_eq!(fresh.judge(start, false, received(MAX_HEAD, SECOND)), Verdict::Waiting(start));
        assert_eq!(fresh.judge(start, false, received(MAX_HEAD + 1, SECOND)), Verdict::Cut);
        let mut later = Patience::new(start);
        later.rest(start);
        assert_eq!(later.judge(start, false, received(1 << 20, SECOND)), Verdict::Waiting(start));
        assert_eq!(later.judge(start, false, received((1 << 20) + MAX_HEAD + 1, SECOND)), Verdict::Cut);
    }

    #[test]
    fn who_has_brought_something_that_nobody_reads_is_stranded() {
        let start = Instant::now();
        let unread = Some(Received { bytes: 5, last: SECOND, unread: 5 });
        let mut stranded = Patience::new(start);
        assert_eq!(stranded.judge(start + SECOND, false, unread), Verdict::Stranded);
        assert_eq!(stranded.judge(start + 10 * SECOND, false, unread), Verdict::Cut);
        assert_eq!(Patience::new(start).judge(start, true, unread), Verdict::Fine);
    }

    #[test]
    fn who_waits_for_us_or_speaks_another_protocol_is_left_alone() {
        let start = Instant::now();
        let mut busy = Patience::new(start);
        assert_eq!(busy.judge(start + 60 * SECOND, true, received(MAX_BEHIND, SECOND)), Verdict::Fine);
        assert_eq!(busy.judge(start, true, received(MAX_BEHIND + 1, SECOND)), Verdict::Cut);
        let mut agent = Patience::new(start);
        agent.end();
        agent.rest(start);
        assert_eq!(agent.judge(start + 3600 * SECOND, false, received(1 << 30, SECOND)), Verdict::Fine);
    }
}
