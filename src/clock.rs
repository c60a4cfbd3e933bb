//! One thread that keeps time: deadlines, heartbeats, kicks. Monotonic time alone.

use std::thread::JoinHandle;
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

/// An alarm, and what its clock listens to. The clock ends when the last alarm is gone.
pub fn alarm() -> (Alarm, Receiver<()>) {
    let (ring, rung) = bounded(1);
    (Alarm(ring), rung)
}

/// Starts the clock: `tend` does what is due at the moment it is given and tells when it wants to be
/// called again; none means not before the alarm rings.
///
/// # Errors
/// The system gives no thread.
pub fn start(
    rung: Receiver<()>,
    mut tend: impl FnMut(Instant) -> Option<Instant> + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("clock".into()).spawn(move || {
        loop {
            let woken = match tend(Instant::now()) {
                Some(due) => rung.recv_deadline(due),
                None => rung.recv().map_err(RecvTimeoutError::from),
            };
            if woken == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    })
}
