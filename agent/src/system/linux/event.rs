//! Something that is told once, and stays told until it is reset: eventfd(2).

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{EventfdFlags, eventfd};

/// It can be read while it is told.
pub struct Event(pub(super) OwnedFd);

impl Event {
    /// Not told yet.
    ///
    /// # Errors
    /// The system refuses it.
    pub fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Tells it.
    ///
    /// # Errors
    /// It is told already.
    pub fn set(&self) -> io::Result<()> {
        rustix::io::write(&self.0, &1_u64.to_ne_bytes())?;
        Ok(())
    }

    /// Takes it back.
    pub fn reset(&self) {
        let _ = rustix::io::read(&self.0, &mut [0_u8; 8][..]);
    }
}
