//! The thread that waits for agents that read slowly, so that no serving thread has to. It uses `poll`, and each socket
//! has a deadline.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::system::cannot;

/// Sockets that may be waited for at once; one more times out the one that has waited longest.
pub const MAX_POLLED: usize = 256;

/// A task that waits for a socket.
pub trait PollTask: Send {
    /// The socket.
    fn socket(&self) -> BorrowedFd<'_>;
    /// The event that it waits for.
    fn waits_for(&self) -> PollFlags;
    /// Its deadline.
    fn until(&self) -> Instant;
    /// Called once the socket is ready; must not block. Returns itself to wait again.
    fn on_ready(self: Box<Self>) -> Option<Box<dyn PollTask>>;
    /// Called when the deadline has passed, or the room is needed.
    fn on_timeout(self: Box<Self>);
}

/// Hands tasks to the thread.
#[derive(Clone)]
pub struct Poller {
    queue: Sender<Box<dyn PollTask>>,
    wake: Arc<OwnedFd>,
}

/// The thread's end of the hand-over.
pub struct PollQueue {
    queue: Receiver<Box<dyn PollTask>>,
    wake: Arc<OwnedFd>,
    most: usize,
}

/// Returns both ends. At most `most` sockets are waited for at once.
///
/// # Errors
/// The system gives no descriptor.
pub fn channel(most: usize) -> io::Result<(Poller, PollQueue)> {
    let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(|error| {
        cannot("get a descriptor (eventfd) that wakes the polling thread", &error.into())
    })?;
    let wake = Arc::new(wake);
    let (sender, receiver) = bounded(most);
    Ok((Poller { queue: sender, wake: wake.clone() }, PollQueue { queue: receiver, wake, most }))
}

impl Poller {
    /// Hands over a task.
    ///
    /// # Errors
    /// Too many are handed over already: returns it, to be timed out.
    pub fn wait(&self, task: Box<dyn PollTask>) -> Result<(), Box<dyn PollTask>> {
        match self.queue.try_send(task) {
            Ok(()) => {
                // It fails only if the counter overflows.
                let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
                Ok(())
            }
            Err(TrySendError::Full(task) | TrySendError::Disconnected(task)) => Err(task),
        }
    }
}

/// Runs the tasks until the process ends.
pub fn run(queue: &PollQueue) -> ! {
    // The one that has waited longest comes first.
    let mut waiting: Vec<Box<dyn PollTask>> = Vec::new();
    loop {
        let ready = wait_for_any(&queue.wake, &waiting);
        let now = Instant::now();
        let mut ready = ready.into_iter();
        waiting = waiting
            .into_iter()
            .filter_map(|task| {
                let is_ready = ready.next() == Some(true);
                alone(|| one(task, is_ready, now)).flatten()
            })
            .collect();
        waiting.extend(queue.queue.try_iter());
        let too_many = waiting.len().saturating_sub(queue.most);
        for task in waiting.drain(..too_many) {
            alone(|| task.on_timeout());
        }
    }
}

/// A panic in one task must not end the thread; the panic hook has logged it.
fn alone<T>(step: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(step)).ok()
}

fn one(task: Box<dyn PollTask>, is_ready: bool, now: Instant) -> Option<Box<dyn PollTask>> {
    if is_ready {
        return task.on_ready();
    }
    if task.until() <= now {
        task.on_timeout();
        return None;
    }
    Some(task)
}

/// Waits until a socket is ready, a deadline passes or a task is handed over. Returns which sockets are ready.
fn wait_for_any(wake: &OwnedFd, waiting: &[Box<dyn PollTask>]) -> Vec<bool> {
    let mut sockets: Vec<PollFd<'_>> = std::iter::once(PollFd::new(wake, PollFlags::IN))
        .chain(waiting.iter().map(|task| PollFd::from_borrowed_fd(task.socket(), task.waits_for())))
        .collect();
    let timeout = waiting
        .iter()
        .map(|task| task.until())
        .min()
        .and_then(|first| Timespec::try_from(first.saturating_duration_since(Instant::now())).ok());
    match poll(&mut sockets, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => log::error!("cannot poll sockets: {error}"),
    }
    if !sockets[0].revents().is_empty() {
        let _ = rustix::io::read(wake, &mut [0; 8]);
    }
    sockets[1..].iter().map(|socket| !socket.revents().is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    type End = (usize, &'static str);

    /// Tells how it ended, with its number.
    struct MadeUp {
        number: usize,
        socket: UnixStream,
        until: Instant,
        ends: Sender<End>,
    }

    impl PollTask for MadeUp {
        fn socket(&self) -> BorrowedFd<'_> {
            self.socket.as_fd()
        }

        fn waits_for(&self) -> PollFlags {
            PollFlags::IN
        }

        fn until(&self) -> Instant {
            self.until
        }

        fn on_ready(self: Box<Self>) -> Option<Box<dyn PollTask>> {
            assert_ne!(self.number, 99, "a bug that this test has put in");
            self.ends.send((self.number, "went on")).unwrap();
            None
        }

        fn on_timeout(self: Box<Self>) {
            assert_ne!(self.number, 99, "a bug that this test has put in");
            self.ends.send((self.number, "timed out")).unwrap();
        }
    }

    struct World {
        poller: Poller,
        ends: (Sender<End>, Receiver<End>),
    }

    impl World {
        fn new(most: usize) -> Self {
            let (poller, queue) = channel(most).unwrap();
            std::thread::spawn(move || run(&queue));
            Self { poller, ends: bounded(100) }
        }

        /// Has one wait; the other end of its socket.
        fn wait(&self, number: usize, until: Instant) -> UnixStream {
            let (socket, other) = UnixStream::pair().unwrap();
            let task = Box::new(MadeUp { number, socket, until, ends: self.ends.0.clone() });
            assert!(self.poller.wait(task).is_ok());
            other
        }

        fn end(&self) -> End {
            self.ends.1.recv_timeout(PATIENCE).unwrap()
        }
    }

    #[test]
    fn who_is_ready_goes_on_and_whose_time_is_over_does_not() {
        let world = World::new(9);
        let later = Instant::now() + PATIENCE;
        let mut ready = world.wait(1, later);
        let _late = world.wait(2, Instant::now());
        assert_eq!(world.end(), (2, "timed out"));
        ready.write_all(b"x").unwrap();
        assert_eq!(world.end(), (1, "went on"));
    }

    #[test]
    fn when_too_many_wait_the_one_that_has_waited_longest_goes() {
        let world = World::new(2);
        let later = Instant::now() + PATIENCE;
        let mut others = Vec::new();
        for number in 1..=2 {
            others.push(world.wait(number, later));
        }
        // The queue holds two, so the thread must have taken them before a third fits for certain.
        while !world.poller.queue.is_empty() {
            std::thread::yield_now();
        }
        others.push(world.wait(3, later));
        assert_eq!(world.end(), (1, "timed out"));
        others[1].write_all(b"x").unwrap();
        assert_eq!(world.end(), (2, "went on"));
        others[2].write_all(b"x").unwrap();
        assert_eq!(world.end(), (3, "went on"));
    }

    #[test]
    fn a_bug_in_one_costs_that_one_alone() {
        let world = World::new(9);
        let later = Instant::now() + PATIENCE;
        let mut broken = world.wait(99, later);
        let mut other = world.wait(1, later);
        broken.write_all(b"x").unwrap();
        // It must have met the bug before the other is ready, or the order says nothing.
        while rustix::event::poll(
            &mut [PollFd::new(&broken, PollFlags::HUP)],
            Some(&Timespec { tv_sec: 1, tv_nsec: 0 }),
        ) == Ok(0)
        {}
        other.write_all(b"x").unwrap();
        assert_eq!(world.end(), (1, "went on"));
    }

    #[test]
    fn a_bug_in_one_that_must_make_room_costs_that_one_alone() {
        let world = World::new(1);
        let later = Instant::now() + PATIENCE;
        let mut others = vec![world.wait(99, later)];
        for number in 1..=2 {
            // The queue holds one.
            while !world.poller.queue.is_empty() {
                std::thread::yield_now();
            }
            others.push(world.wait(number, later));
        }
        assert_eq!(world.end(), (1, "timed out"));
    }

    #[test]
    fn nobody_who_wakes_the_thread_waits_for_it() {
        let (poller, _inbox) = channel(1).unwrap();
        let flags = rustix::fs::fcntl_getfl(&*poller.wake).unwrap();
        assert!(flags.contains(rustix::fs::OFlags::NONBLOCK));
    }

    #[test]
    fn the_thread_is_woken_once_and_sleeps_again() {
        let (poller, queue) = channel(1).unwrap();
        rustix::io::write(&*poller.wake, &1u64.to_ne_bytes()).unwrap();
        wait_for_any(&queue.wake, &[]);
        let mut wake = [PollFd::new(&*queue.wake, PollFlags::IN)];
        assert_eq!(poll(&mut wake, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(0));
    }

    #[test]
    fn a_queue_that_is_full_hands_back_what_comes() {
        let (poller, _queue) = channel(1).unwrap();
        let one = |number| {
            let (socket, _) = UnixStream::pair().unwrap();
            let (ends, _) = bounded(1);
            Box::new(MadeUp { number, socket, until: Instant::now(), ends })
        };
        assert!(poller.wait(one(1)).is_ok());
        assert!(poller.wait(one(2)).is_err());
    }
}
