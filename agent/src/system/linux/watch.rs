//! Tells when the PC has slept, and when its network has changed.

use std::io;
use std::os::fd::OwnedFd;
use std::thread::{Builder, JoinHandle};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, read};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};

/// The multicast groups of addresses and routes, for IPv4 and IPv6 (linux/rtnetlink.h).
const GROUPS: u32 = 0x10 | 0x40 | 0x100 | 0x400;

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Woke,
    Network,
}

/// Calls `tell` of each change, for as long as the program runs.
///
/// # Errors
/// The system refuses a socket, a timer or a thread. All works without, only later.
pub fn watch(tell: impl Fn(Change) + Send + 'static) -> io::Result<JoinHandle<()>> {
    let network = network()?;
    let clock = clock()?;
    Builder::new().name("watch".into()).spawn(move || {
        let mut slept = asleep();
        loop {
            let mut fds = [PollFd::new(&network, PollFlags::IN), PollFd::new(&clock, PollFlags::IN)];
            match poll(&mut fds, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return,
            }
            let [is_network, is_clock] = fds.map(|fd| !fd.revents().is_empty());
            if is_clock {
                // The clock was set: by somebody, or behind a sleep.
                let _ = read(&clock, &mut [0_u8; 8][..]);
                let _ = arm(&clock);
                let now = asleep();
                if now > slept {
                    slept = now;
                    tell(Change::Woke);
                }
            }
            if is_network {
                // What changed does not matter. Messages that did not fit are told by an error, once.
                while read(&network, &mut [0_u8; 8192][..]).is_ok() {}
                tell(Change::Network);
            }
        }
    })
}

fn network() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    // NETLINK_ROUTE is 0, as no protocol is (linux/netlink.h).
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
    Ok(socket)
}

/// Returns a timer that never runs out, and is cancelled whenever the clock is set, which the kernel does behind every
/// sleep (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET).
fn clock() -> io::Result<OwnedFd> {
    let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
    arm(&timer)?;
    Ok(timer)
}

fn arm(timer: &OwnedFd) -> io::Result<()> {
    let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
    let never = Itimerspec { it_interval: zero, it_value: Timespec { tv_sec: i64::MAX / 4, tv_nsec: 0 } };
    let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    timerfd_settime(timer, flags, &never)?;
    Ok(())
}

/// Returns the seconds that the PC has slept since it was started.
fn asleep() -> i64 {
    let milliseconds = |clock| {
        let now = clock_gettime(clock);
        now.tv_sec * 1000 + now.tv_nsec / 1_000_000
    };
    // Rounded, since the two are not read at once.
    (milliseconds(ClockId::Boottime) - milliseconds(ClockId::Monotonic) + 500) / 1000
}
