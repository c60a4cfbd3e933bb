//! One agent a user: two with one key would throw each other out.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};

/// Held by the agent that runs.
pub struct Lock(#[expect(dead_code, reason = "the system lets go of it with the file")] File);

impl Lock {
    /// Takes it; none when another agent holds it.
    ///
    /// # Errors
    /// The file can't be opened.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Asks the agent that holds the lock at `path`, this process, to end, and waits until it has.
///
/// # Errors
/// It is another user's.
pub fn end_holder(path: &Path, process: u32) -> io::Result<()> {
    if let Some(process) = i32::try_from(process).ok().and_then(Pid::from_raw) {
        kill_process(process, Signal::TERM)?;
    }
    Ok(flock(File::open(path)?, FlockOperation::LockExclusive)?)
}

/// Whether an agent holds the lock at `path`.
pub fn is_held(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    flock(&file, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK)
}
