//! The relay's time, told by a clock of this PC's that nobody can set and that runs on in sleep (docs/agents.md, "A
//! command, protocol v2"). Plain data: times are milliseconds of that clock, which `system::uptime` reads.

/// Times of the relay's that count: enough for one that was read late, and too few for a clock that runs fast to err by
/// much.
const TIMES_KEPT: usize = 2;

/// How far ahead of this PC's clock the relay's is.
#[derive(Debug, Default)]
pub struct RelayClock {
    /// What was found the last times, the newest first.
    ahead: Vec<i64>,
}

impl RelayClock {
    /// The relay has told its time, in Unix milliseconds; it was read at `own`.
    pub fn told(&mut self, relay: i64, own: u64) {
        self.ahead.truncate(TIMES_KEPT - 1);
        self.ahead.insert(0, relay.saturating_sub(signed(own)));
    }

    /// Returns when by this PC's clock the relay's time will be `until`; none as long as the relay has told none.
    /// A time that was read late is too small, so the larger counts.
    pub fn own(&self, until: i64) -> Option<i64> {
        self.ahead.iter().max().map(|ahead| until.saturating_sub(*ahead))
    }
}

fn signed(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_was_read_late_revives_no_command() {
        let mut clock = RelayClock::default();
        assert_eq!(clock.own(5_000), None);
        clock.told(1_000_000, 100);
        assert_eq!(clock.own(1_000_500), Some(600));
        // Told at 1,020,000 and read 60 s later: the PC slept.
        clock.told(1_020_000, 80_100);
        assert_eq!(clock.own(1_020_500), Some(20_600));
        clock.told(1_080_100, 80_200);
        assert_eq!(clock.own(1_080_600), Some(80_700));
    }

    #[test]
    fn a_clock_that_runs_fast_errs_by_two_heartbeats_at_most() {
        let mut clock = RelayClock::default();
        // 7 % fast for an hour, told every 20 s.
        for beat in 0..180_u64 {
            clock.told(signed(beat * 20_000), beat * 21_400);
        }
        let early_by = 179 * 21_400 - clock.own(179 * 20_000).unwrap();
        assert!((0..=1_400).contains(&early_by), "{early_by}");
    }

    #[test]
    fn absurd_times_break_nothing() {
        let mut clock = RelayClock::default();
        clock.told(i64::MIN, u64::MAX);
        clock.told(i64::MAX, 0);
        assert!(clock.own(i64::MIN).is_some() && clock.own(i64::MAX).is_some());
    }
}
