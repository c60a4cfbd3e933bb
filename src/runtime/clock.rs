//! One thread that keeps time: deadlines, heartbeats. Monotonic time alone.

use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

/// Wakes the clock before its time. Cheap, never blocks; wakes that come together are one.
#[derive(Clone)]
pub struct ClockWaker(Sender<()>);

impl ClockWaker {
    /// Makes the clock look at everything it watches again, now.
    pub fn wake(&self) {
        // A full channel is a wake that is on its way already.
        let _ = self.0.try_send(());
    }
}

/// Returns an alarm, and what its clock listens to. The clock ends when the last alarm is gone.
pub fn waker() -> (ClockWaker, Receiver<()>) {
    let (wake, woken) = bounded(1);
    (ClockWaker(wake), woken)
}

/// Keeps time until the last alarm is gone: `run_timers` does what is due at the moment it is given and returns
/// when it wants to be called again; none means not before the alarm rings.
pub fn run(woken: &Receiver<()>, mut run_timers: impl FnMut(Instant) -> Option<Instant>) {
    loop {
        let woken = match run_timers(Instant::now()) {
            Some(due) => woken.recv_deadline(due),
            None => woken.recv().map_err(RecvTimeoutError::from),
        };
        if woken == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_clock_looks_when_it_was_told_to_and_when_the_alarm_rings() {
        let (waker, woken) = waker();
        let mut looks = 0;
        let mut waker = Some(waker);
        let start = Instant::now();
        run(&woken, |now| {
            looks += 1;
            match looks {
                1 => Some(start + Duration::from_millis(20)),
                2 => {
                    assert!(now >= start + Duration::from_millis(20), "not before its time");
                    waker.as_ref().unwrap().wake();
                    None
                }
                _ => {
                    waker = None;
                    None
                }
            }
        });
        assert_eq!(looks, 3);
    }
}
