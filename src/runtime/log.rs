//! The log: lines are formatted by the thread that logs, and written by a thread of their own.
//!
//! A serving thread must neither wait for the log's reader nor die with it (end of docs/facts/tiny_http.md), so lines
//! go through a bounded queue. Lines that do not fit are dropped and counted.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use log::{Level, LevelFilter, Log, Metadata, Record};
use simple_logger::SimpleLogger;

use crate::runtime::log_limit::{LogRateLimit, is_limited, target};
use crate::runtime::shutdown::{Shutdown, start_vital, words};
use crate::secret::{Secret, hide};
use crate::sync::{Mutex, MutexGuard, lock};

/// Most log lines that wait to be written; further ones are dropped and counted.
pub const LOG_QUEUE: usize = 256;

/// How long [`flush`] waits for room in the queue, and as long again for the writing.
pub const LOG_FLUSH: Duration = Duration::from_millis(50);

struct Line {
    at: SystemTime,
    level: Level,
    text: String,
}

enum LogEntry {
    /// Boxed, since the channel allocates all of [`LOG_QUEUE`] at once.
    Line(Box<Line>),
    Flush(Sender<()>),
}

struct Logger {
    queue: Sender<LogEntry>,
    shared: Arc<Shared>,
}

/// State shared by the logging threads and the writer.
struct Shared {
    /// Lines dropped since the last line was written.
    dropped: AtomicU64,
    limit: Mutex<LogRateLimit>,
}

impl Shared {
    fn limit(&self) -> MutexGuard<'_, LogRateLimit> {
        lock(&self.limit)
    }
}

/// Starts the log's thread, without which the program ends, and makes it the process's log. A second call changes only
/// the level.
///
/// Hides `secrets` in every line. The relay's own lines hold none, but they quote outside text, and a library's panic
/// message can hold anything.
///
/// # Errors
/// The system refuses a thread.
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

/// The queue, once the log is started.
static QUEUE: OnceLock<Sender<LogEntry>> = OnceLock::new();

/// Waits until all lines so far are written, for at most 0.1 s. Returns whether they are.
pub fn flush() -> bool {
    let (done, written) = bounded(1);
    QUEUE.get().is_some_and(|queue| {
        queue.send_timeout(LogEntry::Flush(done), LOG_FLUSH).is_ok()
            && written.recv_timeout(LOG_FLUSH).is_ok()
    })
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Libraries log whole frames, and so commands.
        metadata.target().starts_with("home_alice_relay") || is_limited(metadata.target())
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = record.args().to_string();
        let target = record.target();
        if is_limited(target) && !self.shared.limit().admit(target, &text, Instant::now()) {
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

/// Prints `LEVEL [time] text`: simple_logger's target holds the time. It panics if stdout is closed, which must not end
/// this thread, so the line counts as dropped.
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

/// Logs panics. One in a named thread is a bug of the relay's, and logged at once. Those of tiny_http's unnamed threads
/// could be provoked repeatedly from outside, so they are counted.
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
