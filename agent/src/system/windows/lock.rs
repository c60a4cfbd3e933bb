//! One agent a user: two with one key would throw each other out.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::windows::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use windows::Win32::Foundation::ERROR_SHARING_VIOLATION;
use windows::Win32::Storage::FileSystem::{FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE};

use crate::system::windows::event::{Event, process_ends_within};

/// How long an agent that is asked to end has for it.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// How often the lock is tried: whoever looks who holds it has it for a moment.
const TRIES: u32 = 20;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// Held by the agent that runs. Its process stands in the file, which nobody else can write meanwhile.
pub struct Lock(#[expect(dead_code, reason = "the system lets go of it with the file")] File);

impl Lock {
    /// Takes it; none when another agent holds it.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let share = (FILE_SHARE_READ | FILE_SHARE_DELETE).0;
        for _ in 0..TRIES {
            match OpenOptions::new().write(true).create(true).truncate(true).share_mode(share).open(path) {
                Ok(mut file) => {
                    write!(file, "{}", std::process::id())?;
                    return Ok(Some(Self(file)));
                }
                Err(error) if is_held(&error) => std::thread::sleep(BETWEEN_TRIES),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

fn is_held(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| code.unsigned_abs() == ERROR_SHARING_VIOLATION.0)
}

/// Returns the process of the agent that holds the lock at `path`, which is 0 while that can't be read; none when no agent
/// does.
pub fn holder(path: &Path) -> Option<u32> {
    let all = (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE).0;
    match OpenOptions::new().write(true).share_mode(all).open(path) {
        Err(error) if is_held(&error) => {}
        _ => return None,
    }
    let mut text = String::new();
    let file = OpenOptions::new().read(true).share_mode(all).open(path).ok();
    let _ = file.map(|file| file.take(16).read_to_string(&mut text));
    Some(text.parse().unwrap_or(0))
}

/// Asks the agent that is this process to end, and waits until it has.
///
/// # Errors
/// It is not there any more, is another user's, or does not end in time.
pub fn end(process: u32) -> io::Result<()> {
    Event::of_end(process)?.set()?;
    match process_ends_within(process, END_TIMEOUT)? {
        true => Ok(()),
        false => Err(io::ErrorKind::TimedOut.into()),
    }
}
