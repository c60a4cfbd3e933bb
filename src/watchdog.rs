//! The watchdog: asks its own `/health` through the real listener, and looks at what tiny_http can make
//! grow (T3, T4, T5, T12). A relay that can't serve must end, since only that makes its supervisor start
//! it again (facts/docker.md). Whoever looks at the memory also gives back what is not used.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::client::Client;
use crate::http::connections::Connections;
use crate::http::socket;
use crate::limits::{
    LOOK_AGAIN, LOOK_EVERY, LOOK_TIMEOUT, LOOKS_FAILED, MAX_DESCRIPTORS, MAX_RESIDENT, MAX_THREADS,
    TRIM_EVERY,
};
use crate::relay::End;
use crate::unchecked::heap;

/// Allows as many descriptors as the watchdog does, where the system lets us; how many may be open.
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

/// Starts the watchdog of the relay that is reached at `address`. It ends when `stop` is closed, or
/// when it has told `ends` why the program must.
///
/// # Errors
/// The system gives no thread.
pub fn start(
    address: SocketAddr,
    connections: Arc<Connections>,
    max_descriptors: usize,
    ends: Sender<End>,
    stop: Receiver<()>,
) -> io::Result<()> {
    let watch = move || {
        let mut failed = 0;
        let mut trimmed = Instant::now();
        let next_look = |failed| if failed == 0 { LOOK_EVERY } else { LOOK_AGAIN };
        while stop.recv_timeout(next_look(failed)) == Err(RecvTimeoutError::Timeout) {
            if trimmed.elapsed() >= TRIM_EVERY {
                heap::trim();
                trimmed = Instant::now();
            }
            if let Err(cause) = within_limits(max_descriptors) {
                let _ = ends.try_send(End::Failed(cause));
                return;
            }
            match look(address, &connections) {
                Ok(()) => failed = 0,
                Err(cause) => {
                    failed += 1;
                    log::warn!(
                        "the relay does not answer itself ({failed} of {LOOKS_FAILED}): {cause}"
                    );
                    if failed == LOOKS_FAILED {
                        let cause = format!("the relay does not answer itself any more: {cause}");
                        let _ = ends.try_send(End::Failed(cause));
                        return;
                    }
                }
            }
        }
    };
    std::thread::Builder::new().name("watchdog".into()).spawn(watch)?;
    Ok(())
}

fn look(address: SocketAddr, connections: &Connections) -> Result<(), String> {
    let client = Client::connect(address, LOOK_TIMEOUT).map_err(|error| error.to_string())?;
    if let Some(own) = client.local_addr() {
        connections.set_own_port(own.port());
    }
    match client.get("/health") {
        Ok(response) if response.status == 200 => Ok(()),
        Ok(response) => Err(format!("/health answers {}", response.status)),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether this process stays within what it may use.
fn within_limits(max_descriptors: usize) -> Result<(), String> {
    let open = socket::descriptors().map_err(|e| format!("descriptors can't be counted: {e}"))?.len();
    if open > max_descriptors {
        return Err(format!("{open} descriptors are open, more than {max_descriptors}"));
    }
    let status = std::fs::read_to_string("/proc/self/status")
        .map_err(|error| format!("/proc/self/status can't be read: {error}"))?;
    let threads = figure(&status, "Threads:");
    if threads > MAX_THREADS {
        return Err(format!("{threads} threads are running, more than {MAX_THREADS}"));
    }
    let resident = figure(&status, "VmRSS:") * 1024;
    if resident > MAX_RESIDENT {
        return Err(format!("{resident} bytes of memory are in use, more than {MAX_RESIDENT}"));
    }
    Ok(())
}

/// The number behind `name` in the text of /proc/self/status; 0 when there is none.
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

    #[test]
    fn this_process_is_within_limits_until_they_are_lower() {
        assert_eq!(within_limits(usize::MAX), Ok(()));
        assert!(within_limits(0).unwrap_err().contains("descriptors are open, more than 0"));
    }
}
