//! The listening socket, with the options that tiny_http's connections inherit.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use rustix::net::sockopt::{self, Timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::config::listen::ListenAddr;

/// How long a client may take to accept one response before its connection is cut (T13). A reply fits any socket's
/// buffer, so only a client that reads nothing at all is affected.
pub const SEND_TIMEOUT: Duration = Duration::from_millis(100);

/// How long the kernel waits for bytes before the reading thread checks its deadline. Accepting wakes as often, and is
/// retried without tiny_http's notice (T10).
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections that may wait to be accepted; the kernel lowers it to its own limit.
const BACKLOG: i32 = 4096;

/// Opens the listening socket. `:port` is every interface, IPv4 and IPv6 through one socket, IPv4 alone
/// where the machine has no IPv6.
///
/// # Errors
/// The port is in use, or the system refuses.
pub fn bind(listen: &ListenAddr) -> io::Result<TcpListener> {
    if let Some(host) = listen.host {
        return open(SocketAddr::new(host, listen.port));
    }
    open(SocketAddr::from((Ipv6Addr::UNSPECIFIED, listen.port))).or_else(|error| {
        match error.raw_os_error().is_some_and(no_ipv6) {
            true => open(SocketAddr::from((Ipv4Addr::UNSPECIFIED, listen.port))),
            false => Err(error),
        }
    })
}

fn no_ipv6(code: i32) -> bool {
    use rustix::io::Errno;
    [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL, Errno::PROTONOSUPPORT]
        .contains(&Errno::from_raw_os_error(code))
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    sockopt::set_socket_reuseaddr(&socket, true)?;
    // All three are inherited by accepted connections on Linux (T10).
    sockopt::set_tcp_nodelay(&socket, true)?;
    sockopt::set_socket_timeout(&socket, Timeout::Send, Some(SEND_TIMEOUT))?;
    sockopt::set_socket_timeout(&socket, Timeout::Recv, Some(RECEIVE_TIMEOUT))?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

/// Returns the address by which this machine reaches the listener.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        // `[::]` takes IPv4 too, and a container may have no IPv6 loopback.
        SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()))
    } else {
        address
    }
}

/// Stops listening: refuses new connections, and keeps the others.
pub fn close(listener: &TcpListener) {
    // It fails only if the socket is closed already.
    let _ = rustix::net::shutdown(listener, rustix::net::Shutdown::Both);
}
