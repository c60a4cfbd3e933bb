//! Linux.

pub mod autostart;
mod bus;
mod clock;
mod detached;
pub mod event;
mod exec;
pub mod folders;
mod keyfile;
pub mod launch;
pub mod lock;
mod mime;
pub mod places;
pub mod players;
pub mod power;
pub mod program;
pub mod programs;
pub mod report;
pub mod screen;
pub mod sound;
pub mod trash;
pub mod watch;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::status::Told;

pub use clock::{local_stamp, local_time};

/// Shows whether there is a link: nowhere here, where not every desktop has a place for it.
pub fn show(_: &Told) {}

/// Returns the milliseconds of a clock that nobody can set and that runs on in sleep.
pub fn uptime() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    u64::try_from(now.tv_sec * 1000 + now.tv_nsec / 1_000_000).unwrap_or(0)
}

/// Returns whether a process ends within this time.
///
/// # Errors
/// The system refuses to wait.
fn ends_within(process: &OwnedFd, time: Duration) -> io::Result<bool> {
    ready_within(process, PollFlags::IN, time)
}

/// Returns whether something can be read or written, as `what` says, within this time.
///
/// # Errors
/// The system refuses to wait.
fn ready_within(file: &impl AsFd, what: PollFlags, time: Duration) -> io::Result<bool> {
    let until = Instant::now() + time;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).ok();
        match poll(&mut [PollFd::new(file, what)], timeout.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the program runs as the superuser.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether an interface is a card of this PC's own, and no bridge, tunnel or container's end.
pub fn is_real_card(name: &str) -> bool {
    Path::new("/sys/class/net").join(name).join("device").exists()
}

/// Calls `end` when the user or the system asks the program to end. A second time ends it at once.
///
/// # Errors
/// The system refuses.
pub fn user_asks_to_end(end: impl Fn() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    Builder::new().name("signals".into()).spawn(move || {
        let mut signals = signals.forever();
        if signals.next().is_some() {
            end();
        }
        if let Some(signal) = signals.next() {
            std::process::exit(128 + signal);
        }
    })
}

/// Returns what a program has printed as text, where it is not UTF-8.
pub fn decode(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

/// Returns what this system is, for a report.
pub fn describe() -> String {
    let uname = rustix::system::uname();
    let part = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    let desktop = std::env::var("XDG_CURRENT_DESKTOP").unwrap_or_else(|_| "без рабочего стола".into());
    let session = std::env::var("XDG_SESSION_TYPE").unwrap_or_else(|_| "-".into());
    let (system, release, machine) = (part(uname.sysname()), part(uname.release()), part(uname.machine()));
    format!("{system} {release} {machine}, {desktop}, {session}")
}
