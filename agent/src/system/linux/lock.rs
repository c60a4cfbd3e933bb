//! One agent a user: two with one key would throw each other out.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::system::linux::ends_within;

/// How long an agent that is asked to end has for it: its own program's TERM and KILL, and the link's goodbye.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// How often the lock is tried: whoever looks who holds it has it for a moment.
const TRIES: u32 = 100;

/// Held by the agent that runs. Its process stands in the file.
pub struct Lock(#[expect(dead_code, reason = "the system lets go of it with the file")] File);

impl Lock {
    /// Takes it; none when another agent holds it.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        for _ in 0..TRIES {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    file.set_len(0)?;
                    write!(file, "{}", std::process::id())?;
                    return Ok(Some(Self(file)));
                }
                Err(rustix::io::Errno::WOULDBLOCK) => std::thread::yield_now(),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }
}

/// Returns the process of the agent that holds the lock at `path`, which is 0 while that can't be read; none when no agent
/// does.
pub fn holder(path: &Path) -> Option<u32> {
    let file = File::open(path).ok()?;
    if flock(&file, FlockOperation::NonBlockingLockShared) != Err(rustix::io::Errno::WOULDBLOCK) {
        return None;
    }
    let mut text = String::new();
    let _ = file.take(16).read_to_string(&mut text);
    Some(text.parse().unwrap_or(0))
}

/// Asks the agent that is this process to end, and waits until it has.
///
/// # Errors
/// It is not there any more, is another user's, or does not end in time.
pub fn end(process: u32) -> io::Result<()> {
    let process = i32::try_from(process).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::NotFound)?;
    let process = pidfd_open(process, PidfdFlags::empty())?;
    pidfd_send_signal(&process, Signal::TERM)?;
    match ends_within(&process, END_TIMEOUT)? {
        true => Ok(()),
        false => Err(io::ErrorKind::TimedOut.into()),
    }
}
