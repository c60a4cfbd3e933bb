//! Running a program of the owner's: bounded in time and output, and ended with all that it has started.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use windows::Win32::Foundation::HANDLE;
use windows::Win32::System::JobObjects::{AssignProcessToJobObject, CreateJobObjectW, TerminateJobObject};
use windows::Win32::System::Threading::CREATE_NO_WINDOW;
use windows::core::PCWSTR;

use crate::system::cancel::{Cancel, Ended, MAX_OUTPUT};

/// How long its output may take behind its end: what it has started may hold it open for ever.
const OUTPUT_TIMEOUT: Duration = Duration::from_millis(500);

/// Bytes that are read at once.
const CHUNK: usize = 16 * 1024;

/// Runs a program in `folder`, without input and without a window, in a job of its own. Returns how it ended, and the
/// beginning of what it printed. What it leaves running when it ends by itself goes on; when it took longer than
/// `timeout`, or `cancel` asks, its whole job is ended.
///
/// # Errors
/// It can't be started.
pub fn run(arguments: &[String], folder: &Path, timeout: Duration, cancel: &Cancel) -> io::Result<(Ended, Vec<u8>)> {
    let (program, rest) = arguments.split_first().ok_or(io::ErrorKind::NotFound)?;
    let mut command = command(program, folder);
    // A console of its own: what one sets there, as a code page, is nobody else's.
    command.args(rest).current_dir(folder).creation_flags(CREATE_NO_WINDOW.0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = cancel.begin();
    let deadline = Instant::now() + timeout;
    let mut child = command.spawn()?;
    let job = match Job::of(&child) {
        Ok(job) => Some(job),
        // What has ended already needs none.
        Err(_) if child.try_wait().is_ok_and(|status| status.is_some()) => None,
        Err(error) => {
            let _ = child.kill();
            return Err(error);
        }
    };
    let output = Output::of(&mut child).inspect_err(|_| _ = job.as_ref().map(Job::end))?;
    let left = deadline.saturating_duration_since(Instant::now());
    // What can't be waited for is ended as if it were late.
    let ending = match cancel.event.or_end_of(&child, left) {
        Ok(Some(0)) => None,
        Ok(Some(_)) => Some(Ended::Cancelled),
        Ok(None) | Err(_) => Some(Ended::TimedOut),
    };
    if let (Some(_), Some(job)) = (&ending, &job) {
        job.end();
    }
    let status = child.wait()?;
    drop(running);
    let by_itself = if status.success() { Ended::Well } else { Ended::Badly(status.code()) };
    Ok((ending.unwrap_or(by_itself), output.kept()))
}

/// Returns how a program is run: a script of PowerShell's by it, without its owner's profile and within the policy that is
/// set. A bare name of the folder's own is found there, as it is on Linux with `./`.
fn command(program: &str, folder: &Path) -> Command {
    let path = folder.join(program);
    let path = if path.is_file() { path.into_os_string() } else { program.into() };
    let extension = Path::new(&path).extension().and_then(OsStr::to_str).unwrap_or_default();
    if !extension.eq_ignore_ascii_case("ps1") {
        return Command::new(path);
    }
    let mut command = Command::new("powershell");
    command.args(["-NoProfile", "-NonInteractive", "-File"]).arg(path);
    command
}

/// A program, and what it has started.
struct Job(OwnedHandle);

impl Job {
    fn of(child: &Child) -> io::Result<Self> {
        // SAFETY: the job's handle is this one's alone; the child's lives as long as the call.
        unsafe {
            let job = OwnedHandle::from_raw_handle(CreateJobObjectW(None, PCWSTR::null())?.0);
            AssignProcessToJobObject(HANDLE(job.as_raw_handle()), HANDLE(child.as_raw_handle()))?;
            Ok(Self(job))
        }
    }

    fn end(&self) {
        // SAFETY: the handle is a job's. It fails when nobody is left.
        let _ = unsafe { TerminateJobObject(HANDLE(self.0.as_raw_handle()), 1) };
    }
}

/// What a program prints.
struct Output(Arc<(Mutex<Printed>, Condvar)>);

#[derive(Default)]
struct Printed {
    /// The first bytes of stdout.
    kept: Vec<u8>,
    /// Outputs that are open.
    open: usize,
}

impl Output {
    /// Has both outputs read, each by a thread that ends with it.
    fn of(child: &mut Child) -> io::Result<Self> {
        let output = Self(Arc::default());
        let pipes = [
            child.stdout.take().map(|pipe| (Box::new(pipe) as Box<dyn Read + Send>, true)),
            child.stderr.take().map(|pipe| (Box::new(pipe) as Box<dyn Read + Send>, false)),
        ];
        for (pipe, is_kept) in pipes.into_iter().flatten() {
            lock(&output.0.0).open += 1;
            let printed = output.0.clone();
            Builder::new().name("output".into()).spawn(move || {
                read(pipe, is_kept, &printed.0);
                lock(&printed.0).open -= 1;
                printed.1.notify_all();
            })?;
        }
        Ok(output)
    }

    /// Returns what is kept, once all is read, or soon.
    fn kept(self) -> Vec<u8> {
        let (printed, changed) = &*self.0;
        let waited = changed.wait_timeout_while(lock(printed), OUTPUT_TIMEOUT, |printed| printed.open > 0);
        std::mem::take(&mut waited.unwrap_or_else(PoisonError::into_inner).0.kept)
    }
}

fn read(mut pipe: impl Read, is_kept: bool, printed: &Mutex<Printed>) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(read @ 1..) = pipe.read(&mut chunk) {
        let kept = &mut lock(printed).kept;
        let room = MAX_OUTPUT.saturating_sub(kept.len());
        if is_kept {
            kept.extend_from_slice(&chunk[..read.min(room)]);
        }
    }
}

fn lock(printed: &Mutex<Printed>) -> MutexGuard<'_, Printed> {
    printed.lock().unwrap_or_else(PoisonError::into_inner)
}
