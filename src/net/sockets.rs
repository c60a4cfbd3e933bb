//! Ending connections, and counting descriptors.

use std::io;
use std::net::TcpStream;
use std::os::fd::RawFd;

use rustix::io::Errno;
use rustix::net::{RecvFlags, Shutdown};

/// Returns the numbers of this process's open descriptors, standard streams left out.
///
/// # Errors
/// `/proc` can't be read, or no descriptor is left to read it with.
pub fn descriptors() -> io::Result<Vec<RawFd>> {
    let mut numbers = Vec::with_capacity(64);
    for entry in std::fs::read_dir("/proc/self/fd")? {
        if let Some(number) = entry?.file_name().to_str().and_then(|name| name.parse().ok())
            && number > 2
        {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

/// Waits for bytes of a connection, whatever signals come. Returns how many; 0 at its end.
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

/// Ends a connection both ways and throws away what it had still to tell, so that whoever reads it
/// finds its end at once.
pub fn shut(stream: &TcpStream) {
    // An error means that the connection is over already.
    let _ = rustix::net::shutdown(stream, Shutdown::Both);
    while discard(stream).is_ok_and(|taken| taken > 0) {}
}

/// Ends a connection both ways, and throws away also what has been written to it and not yet delivered: a
/// plain shutdown would keep that, and it could arrive minutes later (docs/facts/agent.md).
pub fn throw_away(stream: &TcpStream) {
    // Whoever reads it finds its end. Linux 6.4 to 6.7 refuse to disconnect while somebody reads.
    shut(stream);
    for _ in 0..DISCONNECT_TRIES {
        match rustix::net::connect_unspec(stream) {
            Err(Errno::BUSY) => std::thread::yield_now(),
            _ => return,
        }
    }
}

/// How often a connection that somebody still reads is tried to be disconnected.
const DISCONNECT_TRIES: usize = 100;

/// Throws away what has arrived on a connection. Returns how many bytes; 0 at its end.
///
/// # Errors
/// `WouldBlock` when nothing more has arrived; else what the connection died of.
fn discard(stream: &TcpStream) -> rustix::io::Result<usize> {
    let mut nowhere = [0; 4096];
    let (_, taken) = rustix::net::recv(stream, &mut nowhere[..], RecvFlags::DONTWAIT)?;
    Ok(taken)
}
