//! The watchdog asks the relay's own `/health` through the real listener, and checks threads, descriptors and memory.
//! Everything that the outside can cause is bounded (docs/limits.md), so only a bug, or a thread that can't be started
//! (T3), should end the program here. A relay that can't serve must end, since only then its supervisor starts it again
//! (docs/facts/docker.md). The watchdog also returns unused memory.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::net::sockets;

/// How often the watchdog looks. Three failures, each of at most [`LOOK_TIMEOUT`], end the program within
/// 6 s, so that a supervisor has it back within 10.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The interval after a failure.
pub const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How long the watchdog waits for the relay's own `/health`.
pub const LOOK_TIMEOUT: Duration = Duration::from_secs(1);

/// Failed looks in a row that end the program.
pub const LOOKS_FAILED: u32 = 3;

/// Threads of this process. tiny_http starts one a connection and the gate admits 512, so more means a bug.
pub const MAX_THREADS: usize = 2560;

/// Open descriptors, at most nine tenths of `ulimit -n`. tiny_http takes two a connection, and panics if it gets no second
/// one (T3); the gate stays well below this.
pub const MAX_DESCRIPTORS: usize = 6000;

/// Resident bytes; the container and the unit allow 128 MB.
pub const MAX_RESIDENT: usize = 96 * 1024 * 1024;

/// How often unused memory is returned. Returning it after every look cost 0.01 % of a processor.
pub const TRIM_EVERY: Duration = Duration::from_secs(20);

/// Raises the limit of descriptors to [`MAX_DESCRIPTORS`] where the system permits it. Returns the limit.
pub fn allow_descriptors() -> usize {
    let wanted = MAX_DESCRIPTORS as u64 * 10 / 9 + 1;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        let current = Some(limit.maximum.map_or(wanted, |maximum| maximum.min(wanted)));
        if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current, ..limit }) {
            log::debug!("the limit of descriptors stays as it is: {error}");
        }
    }
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(allowed / 10 * 9).unwrap_or(usize::MAX).min(MAX_DESCRIPTORS)
}

/// Limits of this process.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub descriptors: usize,
    /// See [`MAX_THREADS`].
    pub threads: usize,
    /// See [`MAX_RESIDENT`].
    pub resident: usize,
}

impl Limits {
    /// Returns the limits of a relay that may open this many `descriptors`.
    pub fn of(descriptors: usize) -> Self {
        Self { descriptors, threads: MAX_THREADS, resident: MAX_RESIDENT }
    }
}

/// Intervals.
#[derive(Debug, Clone, Copy)]
pub struct WatchTimes {
    /// See [`LOOK_EVERY`].
    pub look_every: Duration,
    /// See [`LOOK_AGAIN`].
    pub look_again: Duration,
    /// See [`TRIM_EVERY`].
    pub trim_every: Duration,
}

/// The intervals of a relay in service.
pub const TIMES: WatchTimes =
    WatchTimes { look_every: LOOK_EVERY, look_again: LOOK_AGAIN, trim_every: TRIM_EVERY };

/// Watches until `stop` is closed. `look` asks the relay's own `/health`, `trim` returns unused memory.
///
/// # Errors
/// Why the program must end.
pub fn run(
    stop: &Receiver<()>,
    times: WatchTimes,
    limits: Limits,
    mut look: impl FnMut() -> Result<(), String>,
    mut trim: impl FnMut(),
) -> Result<(), String> {
    let mut failed = 0;
    let mut trimmed = Instant::now();
    let next_look = |failed| if failed == 0 { times.look_every } else { times.look_again };
    while stop.recv_timeout(next_look(failed)) == Err(RecvTimeoutError::Timeout) {
        if trimmed.elapsed() >= times.trim_every {
            trim();
            trimmed = Instant::now();
        }
        within(limits)?;
        let Err(cause) = look() else {
            failed = 0;
            continue;
        };
        if stop.try_recv() == Err(TryRecvError::Disconnected) {
            // A relay that is being stopped answers no more.
            return Ok(());
        }
        failed += 1;
        log::warn!("the relay does not answer itself ({failed} of {LOOKS_FAILED}): {cause}");
        if failed == LOOKS_FAILED {
            return Err(format!("the relay does not answer itself any more: {cause}"));
        }
    }
    Ok(())
}

/// The resources that this process uses.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    pub descriptors: usize,
    pub threads: usize,
    /// In bytes.
    pub resident: usize,
}

/// Reads this process's usage.
///
/// # Errors
/// The system does not tell; names what is missing.
pub fn usage() -> Result<Usage, String> {
    let open = sockets::descriptors().map_err(|e| format!("descriptors can't be counted: {e}"))?.len();
    let status = std::fs::read_to_string("/proc/self/status")
        .map_err(|error| format!("/proc/self/status can't be read: {error}"))?;
    let (threads, resident) = (figure(&status, "Threads:"), figure(&status, "VmRSS:") * 1024);
    Ok(Usage { descriptors: open, threads, resident })
}

/// Checks the usage against the limits.
fn within(limits: Limits) -> Result<(), String> {
    let Usage { descriptors, threads, resident } = usage()?;
    if descriptors > limits.descriptors {
        return Err(format!("{descriptors} descriptors are open, more than {}", limits.descriptors));
    }
    if threads > limits.threads {
        return Err(format!("{threads} threads are running, more than {}", limits.threads));
    }
    if resident > limits.resident {
        return Err(format!("{resident} bytes of memory are in use, more than {}", limits.resident));
    }
    Ok(())
}

/// Returns the number behind `name` in /proc/self/status; 0 if there is none.
fn figure(status: &str, name: &str) -> usize {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_the_kernels_own_words() {
        let status = "Name:\trelay\nVmRSS:\t    1536 kB\nThreads:\t12\n";
        assert_eq!(figure(status, "Threads:"), 12);
        assert_eq!(figure(status, "VmRSS:"), 1536);
        assert_eq!(figure(status, "VmHWM:"), 0);
    }

    const ENOUGH: Limits =
        Limits { descriptors: usize::MAX, threads: usize::MAX, resident: usize::MAX };

    #[test]
    fn this_process_is_within_limits_until_they_are_lower() {
        assert_eq!(within(ENOUGH), Ok(()));
        for (limits, told) in [
            (Limits { descriptors: 0, ..ENOUGH }, "descriptors are open, more than 0"),
            (Limits { threads: 0, ..ENOUGH }, "threads are running, more than 0"),
            (Limits { resident: 0, ..ENOUGH }, "bytes of memory are in use, more than 0"),
        ] {
            assert!(within(limits).unwrap_err().contains(told));
        }
    }

    const QUICK: WatchTimes = WatchTimes {
        look_every: Duration::from_millis(1),
        look_again: Duration::from_millis(1),
        trim_every: Duration::from_millis(5),
    };

    #[test]
    fn three_failures_in_a_row_end_the_program_and_fewer_do_not() {
        let (_guard, stop) = crossbeam_channel::bounded(0);
        let mut looks = 0;
        let look = || {
            looks += 1;
            if looks == 3 { Ok(()) } else { Err("no answer".into()) }
        };
        let failed = run(&stop, QUICK, ENOUGH, look, || {});
        assert!(failed.unwrap_err().ends_with("does not answer itself any more: no answer"));
        assert_eq!(looks, 6, "the third had put the count back to nothing");
    }

    #[test]
    fn a_failure_while_the_relay_is_being_stopped_is_none() {
        let (guard, stop) = crossbeam_channel::bounded(0);
        let mut guard = Some(guard);
        let look = || {
            guard = None;
            Err("no answer".into())
        };
        assert_eq!(run(&stop, QUICK, ENOUGH, look, || {}), Ok(()));
    }

    #[test]
    fn unused_memory_is_given_back_now_and_then() {
        let (guard, stop) = crossbeam_channel::bounded::<()>(0);
        let (looks, trims) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
        let mut guard = Some(guard);
        let look = || {
            looks.set(looks.get() + 1);
            if trims.get() == 3 {
                guard = None;
            }
            Ok(())
        };
        assert_eq!(run(&stop, QUICK, ENOUGH, look, || trims.set(trims.get() + 1)), Ok(()));
        assert!(looks.get() > trims.get(), "not at every look");
    }

    #[test]
    fn a_process_past_its_limits_ends() {
        let (_guard, stop) = crossbeam_channel::bounded(0);
        let ended = run(&stop, QUICK, Limits::of(0), || Ok(()), || {});
        assert!(ended.unwrap_err().contains("descriptors are open"));
    }
}
