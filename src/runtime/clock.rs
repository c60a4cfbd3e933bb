//! One thread that keeps time: deadlines, heartbeats. Monotonic time alone.

use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

/// Wakes the clock before its time. Cheap, never blocks; wakes that come together are one.
#[derive(Clone)]
pub struct Alarm(Sender<()>);

impl Alarm {
    /// Makes the clock look at everything it watches again, now.
    pub fn ring(&self) {
        // A full channel is a wake that is on its way already.
        let _ = self.0.try_send(());
    }
}

/// Returns an alarm, and what its clock listens to. The clock ends when the last alarm is gone.
pub fn alarm() -> (Alarm, Receiver<()>) {
    let (ring, rung) = bounded(1);
    (Alarm(ring), rung)
}

/// Keeps time until the last alarm is gone: `tend` does what is due at the moment it is given and returns
/// when it wants to be called again; none means not before the alarm rings.
pub fn run(rung: &Receiver<()>, mut tend: impl FnMut(Instant) -> Option<Instant>) {
    loop {
        let woken = match tend(Instant::now()) {
            Some(due) => rung.recv_deadline(due),
            None => rung.recv().map_err(RecvTimeoutError::from),
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
        let (alarm, rung) = alarm();
        let mut looks = 0;
        let mut alarm = Some(alarm);
        let start = Instant::now();
        run(&rung, |now| {
            looks += 1;
            match looks {
                1 => Some(start + Duration::from_millis(20)),
                2 => {
                    assert!(now >= start + Duration::from_millis(20), "not before its time");
                    alarm.as_ref().unwrap().ring();
                    None
                }
                _ => {
                    alarm = None;
                    None
                }
            }
        });
        assert_eq!(looks, 3);
    }
}
