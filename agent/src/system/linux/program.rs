//! Running a program of the owner's: bounded in time and output, and ended with all that it has started.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::system::cancel::{Cancel, Ended, MAX_OUTPUT};

/// How long a program that is to end has for it.
const TERM_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes that are read at once.
const CHUNK: usize = 16 * 1024;

/// Runs a program in `folder`, without input, and in a process group of its own. Returns how it ended, and the
/// beginning of what it printed. What it leaves running when it ends by itself goes on; when it took longer than
/// `timeout`, or `cancel` asks, its whole group gets TERM, and after 2 s KILL.
///
/// # Errors
/// It can't be started.
pub fn run(arguments: &[String], folder: &Path, timeout: Duration, cancel: &Cancel) -> io::Result<(Ended, Vec<u8>)> {
    let (program, rest) = arguments.split_first().ok_or(io::ErrorKind::NotFound)?;
    let mut command = Command::new(program);
    command.args(rest).current_dir(folder).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = cancel.begin();
    let deadline = Instant::now() + timeout;
    let child = command.spawn()?;
    let mut group = Group::of(child)?;
    let (mut ending, mut until) = (None, deadline);
    // Once it is to end, all that holds its output is waited for, too.
    while !(group.is_over && (ending.is_none() || group.pipes.is_empty())) {
        match group.wait(cancel, until, ending.is_none())? {
            Woken::Changed => {}
            Woken::Late if ending.is_some() => break,
            woken => {
                let is_late = matches!(woken, Woken::Late);
                ending = Some(if is_late { Ended::TimedOut } else { Ended::Cancelled });
                until = Instant::now() + TERM_TIMEOUT;
                group.signal(Signal::TERM);
            }
        }
    }
    if ending.is_some() {
        // Before its leader is waited for: until then nobody else can have the group's number.
        group.signal(Signal::KILL);
    }
    let status = group.child.wait()?;
    drop(running);
    let by_itself = match (status.success(), status.code(), status.signal()) {
        (true, ..) => Ended::Well,
        (false, code, _) => Ended::Badly(code),
    };
    Ok((ending.unwrap_or(by_itself), group.output))
}

/// What has happened.
enum Woken {
    /// Something was printed, or the program has ended.
    Changed,
    Late,
    Asked,
}

/// A program, and what it has started.
struct Group {
    child: Child,
    id: Option<Pid>,
    ended: OwnedFd,
    is_over: bool,
    /// Its outputs that are open. The first bytes of stdout are kept.
    pipes: Vec<(Pipe, bool)>,
    output: Vec<u8>,
}

type Pipe = Box<dyn Readable>;

trait Readable: Read + AsFd {}
impl<T: Read + AsFd> Readable for T {}

impl Group {
    fn of(mut child: Child) -> io::Result<Self> {
        let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let opened = id.ok_or(io::ErrorKind::NotFound.into()).and_then(|id| Ok(pidfd_open(id, PidfdFlags::empty())?));
        let ended = match opened {
            Ok(ended) => ended,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error);
            }
        };
        let mut pipes: Vec<(Pipe, bool)> = Vec::new();
        pipes.extend(child.stdout.take().map(|pipe| (Box::new(pipe) as Pipe, true)));
        pipes.extend(child.stderr.take().map(|pipe| (Box::new(pipe) as Pipe, false)));
        for (pipe, _) in &pipes {
            ioctl_fionbio(pipe.as_fd(), true)?;
        }
        Ok(Self { child, id, ended, is_over: false, pipes, output: Vec::new() })
    }

    /// Waits for something to happen, and reads what was printed.
    fn wait(&mut self, cancel: &Cancel, until: Instant, may_be_asked: bool) -> io::Result<Woken> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Woken::Late);
        }
        let timeout = Timespec::try_from(left).ok();
        // What has happened already is waited for no more.
        let mut fds = Vec::with_capacity(4);
        fds.push(PollFd::new(&self.ended, if self.is_over { PollFlags::empty() } else { PollFlags::IN }));
        fds.push(PollFd::new(&cancel.event.0, if may_be_asked { PollFlags::IN } else { PollFlags::empty() }));
        fds.extend(self.pipes.iter().map(|(pipe, _)| PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)));
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_asked = fds[1].revents().contains(PollFlags::IN);
        self.is_over |= fds[0].revents().contains(PollFlags::IN);
        drop(fds);
        self.read();
        Ok(if is_asked { Woken::Asked } else { Woken::Changed })
    }

    /// Reads once from each output that has something.
    fn read(&mut self) {
        let output = &mut self.output;
        self.pipes.retain_mut(|(pipe, is_kept)| {
            let mut chunk = [0; CHUNK];
            match pipe.read(&mut chunk) {
                Ok(0) => false,
                Ok(read) => {
                    let room = MAX_OUTPUT - output.len();
                    if *is_kept {
                        output.extend_from_slice(&chunk[..read.min(room)]);
                    }
                    true
                }
                Err(error) => {
                    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
                }
            }
        });
    }

    fn signal(&self, signal: Signal) {
        if let Some(id) = self.id {
            // It fails when nobody is left.
            let _ = kill_process_group(id, signal);
        }
    }
}
