//! Starting a program that outlives the command that it is started by.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread::Builder;
use std::time::Duration;

/// How long it is waited for whether a program fails at its start.
const FAILS_WITHIN: Duration = Duration::from_secs(1);

/// Starts a program in `folder`, in a process group of its own and without input and output. Returns whether it goes on,
/// or has ended well.
///
/// # Errors
/// The system refuses to start it.
pub fn start(arguments: &[OsString], folder: &Path) -> io::Result<bool> {
    let (program, rest) = arguments.split_first().ok_or(io::ErrorKind::NotFound)?;
    let mut command = Command::new(program);
    command.args(rest).current_dir(folder).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let (tell, ended) = mpsc::sync_channel(1);
    // Somebody has to wait for each child, or what is left of it stays as long as the agent.
    Builder::new().name("child".into()).spawn(move || tell.send(child.wait().is_ok_and(|status| status.success())))?;
    Ok(ended.recv_timeout(FAILS_WITHIN).unwrap_or(true))
}
