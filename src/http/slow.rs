//! The one thread that waits for slow sockets, so that no thread that serves ever has to: half-sent
//! bodies, connections that linger, an agent that doesn't read. With `poll`, and each for a bounded time.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::limits::MAX_SLOW;

/// Something that waits for a socket.
pub trait Slow: Send {
    /// The socket.
    fn socket(&self) -> BorrowedFd<'_>;
    /// What it waits for the socket to become.
    fn waits_for(&self) -> PollFlags;
    /// How long at the most.
    fn until(&self) -> Instant;
    /// The socket is ready: go on without waiting. Gives itself back when it must wait again.
    fn go_on(self: Box<Self>) -> Option<Box<dyn Slow>>;
    /// The time is over, or the room is needed.
    fn give_up(self: Box<Self>);
}

/// Hands over what must wait.
#[derive(Clone)]
pub struct Waiter {
    queue: Sender<Box<dyn Slow>>,
    wake: Arc<OwnedFd>,
}

/// What the thread is started from.
pub struct Inbox {
    queue: Receiver<Box<dyn Slow>>,
    wake: Arc<OwnedFd>,
}

/// Both ends of the hand-over.
///
/// # Errors
/// The system gives no descriptor.
pub fn channel() -> io::Result<(Waiter, Inbox)> {
    let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    let (sender, receiver) = bounded(MAX_SLOW);
    Ok((Waiter { queue: sender, wake: wake.clone() }, Inbox { queue: receiver, wake }))
}

impl Waiter {
    /// Lets `slow` wait for its socket.
    ///
    /// # Errors
    /// Even the queue to the thread is full: here it is again, to be given up.
    pub fn wait(&self, slow: Box<dyn Slow>) -> Result<(), Box<dyn Slow>> {
        match self.queue.try_send(slow) {
            Ok(()) => {
                // It fails only when it has been written to more often than anyone can count.
                let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
                Ok(())
            }
            Err(TrySendError::Full(slow) | TrySendError::Disconnected(slow)) => Err(slow),
        }
    }
}

/// Starts the thread; it ends with the process.
///
/// # Errors
/// The system gives no thread.
pub fn start(inbox: Inbox) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("slow".into()).spawn(move || run(&inbox))
}

fn run(inbox: &Inbox) {
    // The one that has waited longest stands first.
    let mut waiting: Vec<Box<dyn Slow>> = Vec::new();
    loop {
        let ready = wait_for_any(&inbox.wake, &waiting);
        let now = Instant::now();
        let mut ready = ready.into_iter();
        waiting = waiting
            .into_iter()
            .filter_map(|slow| {
                if ready.next() == Some(true) {
                    slow.go_on()
                } else if slow.until() <= now {
                    slow.give_up();
                    None
                } else {
                    Some(slow)
                }
            })
            .collect();
        waiting.extend(inbox.queue.try_iter());
        let too_many = waiting.len().saturating_sub(MAX_SLOW);
        waiting.drain(..too_many).for_each(Slow::give_up);
    }
}

/// Waits until a socket is ready, a time is over or something new comes; which sockets are ready.
fn wait_for_any(wake: &OwnedFd, waiting: &[Box<dyn Slow>]) -> Vec<bool> {
    let mut sockets: Vec<PollFd<'_>> = std::iter::once(PollFd::new(wake, PollFlags::IN))
        .chain(waiting.iter().map(|slow| PollFd::from_borrowed_fd(slow.socket(), slow.waits_for())))
        .collect();
    let timeout = waiting
        .iter()
        .map(|slow| slow.until())
        .min()
        .and_then(|first| Timespec::try_from(first.saturating_duration_since(Instant::now())).ok());
    if let Err(error) = poll(&mut sockets, timeout.as_ref())
        && error != rustix::io::Errno::INTR
    {
        log::error!("waiting for slow sockets failed: {error}");
    }
    if !sockets[0].revents().is_empty() {
        let _ = rustix::io::read(wake, &mut [0; 8]);
    }
    sockets[1..].iter().map(|socket| !socket.revents().is_empty()).collect()
}
