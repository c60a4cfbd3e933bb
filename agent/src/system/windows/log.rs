//! What the agent without a console says: in a file that Notepad can read, and that is bounded.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write, stderr};
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use windows::Win32::System::SystemInformation::GetLocalTime;

use crate::system::windows::places::Places;

/// Bytes of the log at which it begins anew; the last one is kept beside it.
const MAX_LOG: u64 = 256 * 1024;

static PLACES: OnceLock<Places> = OnceLock::new();

/// From now on what is said stands in the log, too.
pub fn begin(places: &Places) {
    let _ = PLACES.set(places.clone());
}

/// Writes a line, if there is a log.
pub fn line(text: &str) {
    static WRITES: Mutex<()> = Mutex::new(());
    let Some(places) = PLACES.get() else { return };
    let _one_after_another = WRITES.lock().unwrap_or_else(PoisonError::into_inner);
    if fs::metadata(&places.log).is_ok_and(|log| log.len() > MAX_LOG)
        && fs::rename(&places.log, &places.old_log).is_err()
    {
        // Somebody has the old one open.
        let _ = File::create(&places.log);
    }
    // Nobody may be there to hear that it can't be written.
    let _ = write(&places.log, text);
}

fn write(log: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(log)?;
    // SAFETY: it takes nothing.
    let now = unsafe { GetLocalTime() };
    let (year, month, day) = (now.wYear, now.wMonth, now.wDay);
    let (hour, minute, second) = (now.wHour, now.wMinute, now.wSecond);
    // Older Notepads want the mark, and the ends of lines that Windows has.
    let mark = if file.metadata()?.len() == 0 { "\u{feff}" } else { "" };
    // At once, so that two programs' lines don't mix.
    let line = format!("{mark}{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} {text}\r\n");
    file.write_all(line.as_bytes())
}

/// Whether somebody reads what is said.
pub fn is_read() -> bool {
    stderr().is_terminal()
}
