//! Closing connections, and listing descriptors.

use std::io;
use std::net::TcpStream;
use std::os::fd::RawFd;

use rustix::io::Errno;
use rustix::net::{RecvFlags, Shutdown};

/// Returns this process's open descriptors, without standard streams.
///
/// # Errors
/// `/proc` can't be read, or no descriptor is left to read it with.
pub fn descriptors() -> io::Result<Vec<RawFd>> {
    let mut numbers = Vec::with_capacity(64);
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let number: Option<RawFd> = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        numbers.extend(number.filter(|number| *number > 2));
    }
    Ok(numbers)
}

/// Reads from a connection, whatever signals come. Returns the number of bytes; 0 at its end.
///
/// # Errors
/// The connection broke, or nothing came within its timeout.
pub fn receive(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match rustix::net::recv(stream, &mut *buffer, RecvFlags::empty()) {
            Err(Errno::INTR) => {}
            result => return Ok(result?.0),
        }
    }
}

/// Closes a connection both ways and discards what was received, so that its reader ends at once.
pub fn close(stream: &TcpStream) {
    // An error means that the connection is closed already.
    let _ = rustix::net::shutdown(stream, Shutdown::Both);
    while discard(stream).is_ok_and(|taken| taken > 0) {}
}

/// Closes a connection both ways, and discards also what was written and not yet delivered: a plain shutdown would keep
/// it, and it could arrive minutes later (docs/facts/agent.md).
pub fn abort(stream: &TcpStream) {
    // Its reader ends. Linux 6.4 to 6.7 refuse to disconnect while another thread reads.
    close(stream);
    for _ in 0..DISCONNECT_TRIES {
        match rustix::net::connect_unspec(stream) {
            Err(Errno::BUSY) => std::thread::yield_now(),
            _ => return,
        }
    }
}

/// How often to try to disconnect a connection that is still read.
const DISCONNECT_TRIES: usize = 100;

/// Discards what has arrived on a connection. Returns the number of bytes; 0 at its end.
///
/// # Errors
/// `WouldBlock` when nothing more has arrived; else the connection's error.
fn discard(stream: &TcpStream) -> rustix::io::Result<usize> {
    let mut nowhere = [0; 4096];
    let (_, taken) = rustix::net::recv(stream, &mut nowhere[..], RecvFlags::DONTWAIT)?;
    Ok(taken)
}
