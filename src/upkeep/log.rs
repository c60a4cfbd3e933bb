//! The log: formatted where it is said, written by a thread of its own.
//!
//! A thread that serves must never wait for whoever reads the log, nor die with it (end of
//! docs/facts/tiny_http.md), so lines go through a bounded queue; what doesn't fit is dropped and counted.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Receiver, Sender, bounded};
use log::{Level, LevelFilter, Log, Metadata, Record};
use simple_logger::SimpleLogger;

use crate::config::secret::{Secret, hide};
use crate::upkeep::ends::{Ends, start_vital, words};
use crate::upkeep::repeats::Repeats;

/// Log lines that may wait to be written; one more is dropped and counted.
pub const LOG_QUEUE: usize = 256;

/// How long the end of the program waits for the log to be written.
pub const LOG_FLUSH: Duration = Duration::from_millis(50);

struct Line {
    at: SystemTime,
    level: Level,
    text: String,
}

enum Entry {
    /// Boxed, since the channel makes room for all of [`LOG_QUEUE`] at once.
    Line(Box<Line>),
    Flush(Sender<()>),
}

struct Logger {
    queue: Sender<Entry>,
    dropped: Arc<AtomicU64>,
}

/// Starts the log's thread, without which the program ends, and makes it the process's log. A second call
/// changes nothing but the level.
///
/// No line is written with one of `secrets` in it. None of ours repeats one, but lines quote what comes
/// from outside, and a panic in a library says what it likes.
///
/// # Errors
/// The system gives no thread.
pub fn init(level: LevelFilter, secrets: Vec<Secret>, ends: &Ends) -> std::io::Result<()> {
    let (queue, lines) = bounded(LOG_QUEUE);
    let dropped = Arc::new(AtomicU64::new(0));
    let counter = dropped.clone();
    log::set_max_level(level);
    if log::set_boxed_logger(Box::new(Logger { queue: queue.clone(), dropped })).is_ok() {
        let _ = QUEUE.set(queue);
        report_panics();
        start_vital(ends, "log", move || {
            write(&lines, &secrets, &counter);
            Err("nobody has anything to log any more".into())
        })?;
    }
    Ok(())
}

/// Where lines go, once there is a log.
static QUEUE: OnceLock<Sender<Entry>> = OnceLock::new();

/// Waits until all that was said is written, but no longer than 0.1 s. Returns whether it
/// is.
pub fn flush() -> bool {
    let (done, written) = bounded(1);
    QUEUE.get().is_some_and(|queue| {
        queue.send_timeout(Entry::Flush(done), LOG_FLUSH).is_ok()
            && written.recv_timeout(LOG_FLUSH).is_ok()
    })
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // The libraries' own lines repeat frames, and so commands, in full.
        metadata.target().starts_with("home_alice_relay")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line =
            Line { at: SystemTime::now(), level: record.level(), text: record.args().to_string() };
        if self.queue.try_send(Entry::Line(Box::new(line))).is_err() {
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    fn flush(&self) {
        flush();
    }
}

fn write(lines: &Receiver<Entry>, secrets: &[Secret], dropped: &AtomicU64) {
    let out = SimpleLogger::new();
    for entry in lines {
        let lost = dropped.swap(0, Relaxed);
        if lost > 0 {
            let text = format!("{lost} log lines were dropped: nobody took them in time");
            print(&out, &Line { at: SystemTime::now(), level: Level::Warn, text }, dropped);
        }
        match entry {
            Entry::Line(line) => {
                print(&out, &Line { text: hide(line.text, secrets), ..*line }, dropped);
            }
            Entry::Flush(done) => {
                let _ = done.try_send(());
            }
        }
    }
}

/// simple_logger prints `LEVEL [target] text`; the moment stands where a target would. It panics when
/// stdout is closed, which must not end this thread: the line counts as dropped.
fn print(out: &SimpleLogger, line: &Line, dropped: &AtomicU64) {
    let at = humantime::format_rfc3339_millis(line.at).to_string();
    let printed = catch_unwind(AssertUnwindSafe(|| {
        out.log(
            &Record::builder()
                .level(line.level)
                .target(&at)
                .args(format_args!("{}", line.text))
                .build(),
        );
    }));
    if printed.is_err() {
        dropped.fetch_add(1, Relaxed);
    }
}

/// Counts the panics of tiny_http's own threads. The gate leaves the outside no way to cause one (T11).
static IN_TINY_HTTP: OnceLock<Arc<Repeats>> = OnceLock::new();

/// From now on `repeats` takes what is to be said of panics in tiny_http's own threads.
pub fn count_panics_of_tiny_http(repeats: Arc<Repeats>) {
    // There is one relay in a process.
    let _ = IN_TINY_HTTP.set(repeats);
}

/// A panic in a thread of ours is a bug, and is told at once. Should one of tiny_http's threads, which have no name,
/// panic by what comes from outside, that could come again and again: theirs are counted.
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let words = words(panic.payload());
        match thread.name() {
            Some("log") => {}
            Some(name) => log::error!("a bug in thread {name} at {place}: {words}"),
            None => {
                let line = format!("tiny_http has failed on a connection at {place}: {words}");
                match IN_TINY_HTTP.get() {
                    Some(repeats) => repeats.say(line),
                    None => log::warn!("{line}"),
                }
            }
        }
    }));
}
