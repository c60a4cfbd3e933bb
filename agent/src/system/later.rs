//! What is announced, and then happens at its time unless it is cancelled, where the system has no such thing of its own.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use crate::system::uptime;

/// Milliseconds by which it may come late: a PC that slept over its time forgets it.
const MAX_LATE: u64 = 10_000;

/// How long the clock of the waiting may be wrong.
const STEP: Duration = Duration::from_secs(5);

/// When it happens, by the clock that runs on in sleep.
static ANNOUNCED: Mutex<Option<u64>> = Mutex::new(None);
static CHANGED: Condvar = Condvar::new();

/// Has `act` called in so long, in place of what was announced before.
///
/// # Errors
/// There is no thread left for it.
pub fn announce(delay: Duration, act: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let due = uptime().saturating_add(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
    *lock() = Some(due);
    CHANGED.notify_all();
    let thread = Builder::new().name("announced".into()).spawn(move || {
        let mut announced = lock();
        while *announced == Some(due) {
            let now = uptime();
            if now >= due {
                if now - due <= MAX_LATE {
                    act();
                }
                *announced = None;
                CHANGED.notify_all();
                return;
            }
            // In steps: this clock stands still while the PC sleeps.
            let wait = CHANGED.wait_timeout(announced, Duration::from_millis(due - now).min(STEP));
            announced = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
    });
    thread.map(drop).inspect_err(|_| _ = cancel())
}

/// Takes it back. Returns whether there was something.
pub fn cancel() -> bool {
    let was = lock().take().is_some();
    CHANGED.notify_all();
    was
}

/// Waits until nothing is announced any more.
pub fn wait() {
    let announced = CHANGED.wait_while(lock(), |announced| announced.is_some());
    drop(announced);
}

fn lock() -> MutexGuard<'static, Option<u64>> {
    ANNOUNCED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn what_is_announced_happens_once_and_what_is_cancelled_does_not() {
        let (told, heard) = channel();
        let tell = |word: &'static str| {
            let told = told.clone();
            move || told.send(word).unwrap()
        };
        announce(Duration::from_secs(600), tell("replaced")).unwrap();
        announce(Duration::from_millis(1), tell("done")).unwrap();
        assert_eq!(heard.recv(), Ok("done"));
        wait();
        assert!(!cancel());
        announce(Duration::from_secs(600), tell("cancelled")).unwrap();
        assert!(cancel());
        drop(told);
        wait();
    }
}
