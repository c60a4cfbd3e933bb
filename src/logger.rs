//! The log: formatted where it is said, written by a thread of its own.
//!
//! A thread that serves must never wait for whoever reads the log, nor die with it (end of
//! facts/tiny_http.md), so lines go through a bounded queue; what doesn't fit is dropped and counted.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;

use crossbeam_channel::{Receiver, Sender, bounded};
use log::{Level, LevelFilter, Log, Metadata, Record};
use simple_logger::SimpleLogger;

use crate::limits::{LOG_FLUSH, LOG_QUEUE};
use crate::secret::{Secret, hide};

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

/// Starts the log's thread and makes it the process's log. A second call changes nothing but the level.
///
/// No line is written with one of `secrets` in it. None of ours repeats one, but lines quote what comes
/// from outside, and a panic in a library says what it likes.
///
/// # Errors
/// The system gives no thread.
pub fn init(level: LevelFilter, secrets: Vec<Secret>) -> std::io::Result<()> {
    let (queue, lines) = bounded(LOG_QUEUE);
    let dropped = Arc::new(AtomicU64::new(0));
    let counter = dropped.clone();
    log::set_max_level(level);
    if log::set_boxed_logger(Box::new(Logger { queue, dropped })).is_ok() {
        report_panics();
        let write = move || write(&lines, &secrets, &counter);
        std::thread::Builder::new().name("log".into()).spawn(write)?;
    }
    Ok(())
}

/// Waits until all that was said is written, but no longer than [`LOG_FLUSH`].
pub fn flush() {
    log::logger().flush();
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
        let (done, written) = bounded(1);
        if self.queue.send_timeout(Entry::Flush(done), LOG_FLUSH).is_ok() {
            let _ = written.recv_timeout(LOG_FLUSH);
        }
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

thread_local! {
    static QUIET: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Runs `known`, whose panics are expected and not worth a line.
pub fn quietly(known: impl FnOnce()) {
    QUIET.set(true);
    known();
    QUIET.set(false);
}

/// A panic is a bug here or in a library: it is told in the log, and its thread alone ends.
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("tiny_http");
        if name != "log" && !QUIET.get() {
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            log::error!("a bug in thread {name} at {place}: {}", panic.payload_as_str().unwrap_or("?"));
        }
    }));
}
