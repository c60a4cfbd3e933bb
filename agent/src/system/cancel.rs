//! The end of a program of the owner's: how it comes, and how it is asked for.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::system::Event;

/// Bytes of its output that are kept; the rest is read and thrown away.
pub const MAX_OUTPUT: usize = 8 * 1024;

/// How a program has ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with 0.
    Well,
    /// By itself with another code, or by a signal.
    Badly(Option<i32>),
    /// It took too long.
    TimedOut,
    /// Somebody asked for its end.
    Cancelled,
}

/// Ends the program that runs.
pub struct Cancel {
    /// Told while the program that runs is to end.
    pub(super) event: Event,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Whether a program runs.
    runs: bool,
    /// Whether none is to run any more.
    is_over: bool,
}

impl Cancel {
    /// Nothing runs yet.
    ///
    /// # Errors
    /// The system refuses an event.
    pub fn new() -> io::Result<Self> {
        Ok(Self { event: Event::new()?, state: Mutex::default() })
    }

    /// Asks for the end of what runs. Returns whether anything does.
    pub fn ask(&self) -> bool {
        let state = self.lock();
        if state.runs {
            self.tell();
        }
        state.runs
    }

    /// Asks for the end of what runs, and of whatever begins later.
    pub fn end(&self) {
        self.lock().is_over = true;
        self.ask();
    }

    /// A program begins. It is told to end at once if none is to run any more.
    pub(super) fn begin(&self) -> Running<'_> {
        let mut state = self.lock();
        state.runs = true;
        // What was asked of the last program is not this one's.
        self.event.reset();
        if state.is_over {
            self.tell();
        }
        Running(self)
    }

    fn tell(&self) {
        // It fails only when it is told already, or the system is at its end.
        let _ = self.event.set();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something runs, until this is dropped.
pub(super) struct Running<'a>(&'a Cancel);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.lock().runs = false;
    }
}
