//! The timer thread, for deadlines and heartbeats. Monotonic time only.

use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

/// Wakes the timer thread early. Never blocks; several wake-ups at once count as one.
#[derive(Clone)]
pub struct ClockWaker(Sender<()>);

impl ClockWaker {
    /// Makes the timer thread run its timers now.
    pub fn wake(&self) {
        // If the channel is full, a wake-up is pending already.
        let _ = self.0.try_send(());
    }
}

/// Returns a waker, and the receiver for [`run`], which returns once the last waker is dropped.
pub fn waker() -> (ClockWaker, Receiver<()>) {
    let (wake, woken) = bounded(1);
    (ClockWaker(wake), woken)
}

/// Runs timers until the last waker is dropped. `run_timers` runs those that have expired, and returns the next
/// deadline, or `None` to wait for a waker.
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
    fn the_clock_looks_when_it_was_told_to_and_when_the_clock_is_woken() {
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
