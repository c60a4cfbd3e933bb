//! What an order of requests needs of one. tiny_http's are real; the simulation makes its own up.

use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::http::answer::Ending;
use crate::http::head::{self, Reader};
use crate::upkeep::log::quietly;

/// Bytes of an unread body that tiny_http may make room for when its request is let go of (T4).
pub const MAX_UNREAD: usize = 1024 * 1024;

/// One request. It must be answered, or let go of.
pub trait Request: Send + 'static {
    /// Returns the first header field of this name.
    fn field(&self, name: &'static str) -> Option<&str>;
    /// Returns the last header field of this name.
    fn last_field(&self, name: &'static str) -> Option<&str>;
    /// Whether a field that is a list holds this token, in any of its lines and in any case.
    fn has_token(&self, name: &'static str, token: &str) -> bool;
    /// Returns how many bytes it has taken on the wire, as far as that can be told.
    fn size(&self) -> u64;
    /// Whether its answer has no body.
    fn is_head(&self) -> bool;
    /// Returns what becomes of its connection after the answer.
    fn ending(&self) -> Ending;
    /// Writes the answer. When that fails, `cut` is called before anything else is tried on the
    /// connection.
    fn answer(self, bytes: &[u8], cut: &dyn Fn());
    /// Frees what it holds, without an answer; so many bytes of its body have been read.
    fn let_go(self, read: usize);
}

impl Request for tiny_http::Request {
    fn field(&self, name: &'static str) -> Option<&str> {
        let header = self.headers().iter().find(|header| header.field.equiv(name))?;
        Some(header.value.as_str())
    }

    fn last_field(&self, name: &'static str) -> Option<&str> {
        let header = self.headers().iter().rfind(|header| header.field.equiv(name))?;
        Some(header.value.as_str())
    }

    fn has_token(&self, name: &'static str, token: &str) -> bool {
        head::has_token(self, name, token)
    }

    fn size(&self) -> u64 {
        head::size(self)
    }

    fn is_head(&self) -> bool {
        *self.method() == tiny_http::Method::Head
    }

    fn ending(&self) -> Ending {
        head::ending(self)
    }

    fn answer(self, bytes: &[u8], cut: &dyn Fn()) {
        let mut writer = self.into_writer();
        let written: io::Result<()> = writer.write_all(bytes).and_then(|()| writer.flush());
        if written.is_err() {
            // Before the writer goes, or its buffer would wait for this client once more.
            cut();
        }
    }

    /// tiny_http makes room for all that is left of a body in order to read it to its end (T4). What is
    /// too much of it would fill the memory or abort the process, so such a request is leaked; but a
    /// length that no `Vec` may have makes tiny_http panic, which frees everything.
    fn let_go(self, read: usize) {
        let announced = match head::reader(&self) {
            Reader::Socket => self.body_length().unwrap_or(0),
            Reader::InMemory | Reader::Connection => 0,
        };
        let left = announced - read.min(announced);
        if left <= MAX_UNREAD || isize::try_from(left).is_err() {
            quietly(|| {
                let _ = catch_unwind(AssertUnwindSafe(|| drop(self)));
            });
        } else {
            let leaked = LEAKED.fetch_add(1, Relaxed) + 1;
            log::warn!("a request announced {announced} bytes and can't be let go of; {leaked} so far");
            std::mem::forget(self);
        }
    }
}

/// Requests that could not be let go of. Each holds a thread and two descriptors of tiny_http's for good,
/// so the watchdog's limits end the process before they add up.
static LEAKED: AtomicU64 = AtomicU64::new(0);

/// Reads on when a signal has interrupted a read.
///
/// # Errors
/// As `read`, but never `Interrupted`.
pub fn read_on(reader: &mut (impl Read + ?Sized), buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Is interrupted before each byte.
    struct Interrupted(bool);

    impl Read for Interrupted {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 = !self.0;
            if self.0 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            buffer[0] = b'x';
            Ok(1)
        }
    }

    #[test]
    fn a_read_that_was_interrupted_is_tried_again() {
        let mut reader = Interrupted(false);
        for _ in 0..3 {
            assert_eq!(read_on(&mut reader, &mut [0; 2]).unwrap(), 1);
        }
    }
}
