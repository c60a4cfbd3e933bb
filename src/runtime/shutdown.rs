//! Shutting down, and the threads that must not die.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::system::cannot;

/// Why the relay ends.
#[derive(Debug, PartialEq, Eq)]
pub enum ShutdownReason {
    /// It was asked to end.
    Requested,
    /// It can't serve any more; the cause.
    Failed(String),
}

/// Requests shutdown. Only the first request takes effect.
#[derive(Debug, Clone)]
pub struct Shutdown(Sender<ShutdownReason>);

impl Shutdown {
    /// Returns also the receiver of the reason.
    pub fn new() -> (Self, Receiver<ShutdownReason>) {
        let (shutdown, ended) = bounded(1);
        (Self(shutdown), ended)
    }

    /// Requests an orderly shutdown.
    pub fn request(&self) {
        let _ = self.0.try_send(ShutdownReason::Requested);
    }

    /// The relay can't serve any more.
    pub fn fail(&self, cause: String) {
        let _ = self.0.try_send(ShutdownReason::Failed(cause));
    }
}

/// Starts a detached thread.
///
/// # Errors
/// The system gives no thread.
pub fn start_thread(name: String, run: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    match std::thread::Builder::new().name(name).spawn(run) {
        Ok(_) => Ok(()),
        Err(error) => Err(no_thread(&error)),
    }
}

fn no_thread(error: &io::Error) -> io::Error {
    let failed = cannot("start a thread (clone3)", error);
    if error.kind() != io::ErrorKind::PermissionDenied {
        return failed;
    }
    // glibc tries the older call only when this one does not exist.
    let cure = "Docker before 20.10.10 forbids it to programs of a newer glibc: update Docker";
    io::Error::new(error.kind(), format!("{failed}; {cure}"))
}

/// Starts a thread without which the relay would only half work. A panic in it, or an error that it returns, shuts the
/// program down.
///
/// # Errors
/// The system gives no thread.
pub fn start_vital(
    shutdown: &Shutdown,
    name: impl Into<String>,
    run: impl FnOnce() -> Result<(), String> + Send + 'static,
) -> io::Result<()> {
    // Boxed, or each closure would have its own copy of this code.
    start_boxed(shutdown.clone(), name.into(), Box::new(run))
}

fn start_boxed(
    shutdown: Shutdown,
    name: String,
    run: Box<dyn FnOnce() -> Result<(), String> + Send>,
) -> io::Result<()> {
    let run = move |name: &str| {
        let ended = catch_unwind(AssertUnwindSafe(|| fault(name).and_then(|()| run())));
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(cause)) => shutdown.fail(cause),
            Err(panic) => shutdown.fail(format!("thread {name} has failed: {}", words(&*panic))),
        }
    };
    start_thread(name.clone(), Box::new(move || run(&name)))
}

/// Returns the message of a panic.
pub fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it does not say why")
}

/// Injects a fault for a test: `RELAY_FAULT=PLACE:panic` or `PLACE:return`, in debug builds alone.
///
/// # Errors
/// The injected error.
#[cfg(debug_assertions)]
pub fn fault(place: &str) -> Result<(), String> {
    match std::env::var("RELAY_FAULT").as_deref().map(|fault| fault.split_once(':')) {
        Ok(Some((whose, "panic"))) if whose == place => panic!("a fault was put into {place}"),
        Ok(Some((whose, "return"))) if whose == place => Err(format!("a fault was put into {place}")),
        _ => Ok(()),
    }
}

/// Does nothing in release builds.
#[cfg(not(debug_assertions))]
pub fn fault(_place: &str) -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// What ends the program when a vital thread does `run`.
    fn end(run: impl FnOnce() -> Result<(), String> + Send + 'static) -> Option<ShutdownReason> {
        let (shutdown, ended) = Shutdown::new();
        start_vital(&shutdown, "made up", run).unwrap();
        drop(shutdown);
        ended.recv_timeout(Duration::from_secs(20)).ok()
    }

    #[test]
    fn a_vital_thread_that_panics_or_gives_a_cause_ends_the_program() {
        let panicked = end(|| panic!("{}", "out of luck"));
        assert_eq!(
            panicked,
            Some(ShutdownReason::Failed("thread made up has failed: out of luck".into()))
        );
        assert_eq!(end(|| Err("the cause".into())), Some(ShutdownReason::Failed("the cause".into())));
        assert_eq!(end(|| Ok(())), None);
    }

    #[test]
    fn a_thread_that_is_refused_is_told_with_the_call_and_the_cure() {
        let told = |code| no_thread(&io::Error::from_raw_os_error(code)).to_string();
        let forbidden = told(1);
        assert!(
            forbidden.starts_with("cannot start a thread (clone3): ")
                && forbidden.contains("update Docker")
        );
        let too_many = told(11);
        assert!(too_many.contains("clone3") && !too_many.contains("Docker"), "{too_many}");
    }

    #[test]
    fn the_first_word_about_the_end_counts() {
        let (shutdown, ended) = Shutdown::new();
        shutdown.fail("the cause".into());
        shutdown.request();
        assert_eq!(ended.recv(), Ok(ShutdownReason::Failed("the cause".into())));
        assert!(ended.try_recv().is_err());
    }
}
