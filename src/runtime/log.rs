//! The log: formatted where it is said, written by a thread of its own.
//!
//! A thread that serves must never wait for whoever reads the log, nor die with it (end of
//! docs/facts/tiny_http.md), so lines go through a bounded queue; what doesn't fit is dropped and counted.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use log::{Level, LevelFilter, Log, Metadata, Record};
use simple_logger::SimpleLogger;

use crate::runtime::log_limit::{LogRateLimit, target};
use crate::runtime::shutdown::{Shutdown, start_vital, words};
use crate::secret::{Secret, hide};
use crate::sync::{Mutex, MutexGuard, lock};

/// Log lines that may wait to be written; one more is dropped and counted.
pub const LOG_QUEUE: usize = 256;

/// How long the end of the program waits for the log to be written.
pub const LOG_FLUSH: Duration = Duration::from_millis(50);

struct Line {
    at: SystemTime,
    level: Level,
    text: String,
}

enum LogEntry {
    /// Boxed, since the channel makes room for all of [`LOG_QUEUE`] at once.
    Line(Box<Line>),
    Flush(Sender<()>),
}

struct Logger {
    queue: Sender<LogEntry>,
    shared: Arc<Shared>,
}

/// What the threads that log share with the one that writes.
struct Shared {
    /// Lines that found no room in the queue since the last line was written.
    dropped: AtomicU64,
    limit: Mutex<LogRateLimit>,
}

impl Shared {
    fn limit(&self) -> MutexGuard<'_, LogRateLimit> {
        lock(&self.limit)
    }
}

/// Starts the log's thread, without which the program ends, and makes it the process's log. A second call
/// changes nothing but the level.
///
/// No line is written with one of `secrets` in it. None of ours repeats one, but lines quote what comes
/// from outside, and a panic in a library says what it likes.
///
/// # Errors
/// The system gives no thread.
pub fn init(level: LevelFilter, secrets: Vec<Secret>, shutdown: &Shutdown) -> std::io::Result<()> {
    let (queue, lines) = bounded(LOG_QUEUE);
    let limit = Mutex::new(LogRateLimit::new(Instant::now()));
    let shared = Arc::new(Shared { dropped: AtomicU64::new(0), limit });
    log::set_max_level(level);
    let logger = Logger { queue: queue.clone(), shared: shared.clone() };
    if log::set_boxed_logger(Box::new(logger)).is_ok() {
        let _ = QUEUE.set(queue);
        report_panics();
        start_vital(shutdown, "log", move || {
            write(&lines, &secrets, &shared);
            Err("nobody has anything to log any more".into())
        })?;
    }
    Ok(())
}

/// Where lines go, once there is a log.
static QUEUE: OnceLock<Sender<LogEntry>> = OnceLock::new();

/// Waits until all that was said is written, but no longer than 0.1 s. Returns whether it
/// is.
pub fn flush() -> bool {
    let (done, written) = bounded(1);
    QUEUE.get().is_some_and(|queue| {
        queue.send_timeout(LogEntry::Flush(done), LOG_FLUSH).is_ok()
            && written.recv_timeout(LOG_FLUSH).is_ok()
    })
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // The libraries' own lines repeat frames, and so commands, in full.
        metadata.target().starts_with("home_alice_relay")
            || self.shared.limit().limits(metadata.target())
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = record.args().to_string();
        if !self.shared.limit().admit(record.target(), &text, Instant::now()) {
            return;
        }
        let line = Line { at: SystemTime::now(), level: record.level(), text };
        if self.queue.try_send(LogEntry::Line(Box::new(line))).is_err() {
            self.shared.dropped.fetch_add(1, Relaxed);
        }
    }

    fn flush(&self) {
        flush();
    }
}

fn write(lines: &Receiver<LogEntry>, secrets: &[Secret], shared: &Shared) {
    let out = SimpleLogger::new();
    let print = |at, level, text| print(&out, &Line { at, level, text: hide(text, secrets) }, shared);
    loop {
        let mut summaries = Vec::new();
        let next =
            shared.limit().run_timers(Instant::now(), &mut |level, text| summaries.push((level, text)));
        for (level, text) in summaries {
            print(SystemTime::now(), level, text);
        }
        let entry = match next {
            Some(next) => lines.recv_deadline(next),
            None => lines.recv().map_err(RecvTimeoutError::from),
        };
        let lost = shared.dropped.swap(0, Relaxed);
        if lost > 0 {
            let text = format!("{lost} log lines were dropped: nobody took them in time");
            print(SystemTime::now(), Level::Warn, text);
        }
        match entry {
            Ok(LogEntry::Line(line)) => print(line.at, line.level, line.text),
            Ok(LogEntry::Flush(done)) => {
                let _ = done.try_send(());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// simple_logger prints `LEVEL [target] text`; the moment stands where a target would. It panics when
/// stdout is closed, which must not end this thread: the line counts as dropped.
fn print(out: &SimpleLogger, line: &Line, shared: &Shared) {
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
        shared.dropped.fetch_add(1, Relaxed);
    }
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
                log::warn!(target: target::TINY_HTTP, "tiny_http has failed on a connection at {place}: {words}");
            }
        }
    }));
}
