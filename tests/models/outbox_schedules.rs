//! The outbox under shuttle: threads that send, close, cut, finish and go on, in thousands of schedules. Run by
//! `cargo test --features shuttle --lib schedules`.

use std::collections::VecDeque;

use shuttle::sync::Mutex as Lock;
use shuttle::thread;

use super::*;

const SCHEDULES: usize = 10_000;

struct MadeUp {
    /// How much it takes at each try; everything when that is used up.
    room: VecDeque<usize>,
    taken: Vec<u8>,
    abort: bool,
    /// How many wait for it to take more.
    waits: usize,
}

struct MadeUpWire(Arc<Lock<MadeUp>>);

impl Wire for MadeUpWire {
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut socket = self.0.lock().unwrap();
        if socket.abort {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let sent = socket.room.pop_front().unwrap_or(usize::MAX).min(bytes.len());
        socket.taken.extend_from_slice(&bytes[..sent]);
        Ok(sent)
    }

    fn abort(&self) {
        self.0.lock().unwrap().abort = true;
    }

    fn await_room(&self, _: &Arc<Outbox>) -> bool {
        let mut socket = self.0.lock().unwrap();
        socket.waits += 1;
        assert_eq!(socket.waits, 1, "two wait for one socket");
        true
    }
}

/// What the thread for slow sockets does once.
fn on_ready(outbox: &Arc<Outbox>, socket: &Arc<Lock<MadeUp>>) {
    // Whoever goes on waits no more: the outbox may have the socket waited for anew before this returns.
    let has_waited = std::mem::take(&mut socket.lock().unwrap().waits) == 1;
    if has_waited && matches!(outbox.resume(), Some((_, true))) {
        let mut socket = socket.lock().unwrap();
        socket.waits += 1;
        assert_eq!(socket.waits, 1, "two wait for one socket");
    }
}

/// Every message whole, none twice, those of one thread in order, and the farewell last.
fn is_sound(taken: &[u8], everything_must_be_there: bool) {
    let text = String::from_utf8(taken.to_vec()).unwrap();
    let mut messages: Vec<_> = text.split('.').collect();
    let rest = messages.pop().unwrap();
    assert!(rest.is_empty() || !everything_must_be_there, "cut short: {text}");
    if let Some(place) = messages.iter().position(|message| *message == "goodbye") {
        assert_eq!(place, messages.len() - 1, "something behind the farewell: {text}");
        messages.pop();
    }
    for thread in ["a", "b"] {
        let own: Vec<_> = messages.iter().filter(|message| message.starts_with(thread)).collect();
        let right: Vec<_> = (0..own.len()).map(|number| format!("{thread}{number}")).collect();
        assert_eq!(
            own,
            right.iter().map(String::as_str).collect::<Vec<_>>().iter().collect::<Vec<_>>()
        );
    }
    assert!(messages.iter().all(|message| message.starts_with(['a', 'b'])), "torn: {text}");
}

/// An outbox, and the socket under it.
fn outbox(room: &[usize]) -> (Arc<Outbox>, Arc<Lock<MadeUp>>) {
    let room = room.iter().copied().collect();
    let socket = Arc::new(Lock::new(MadeUp { room, taken: Vec::new(), abort: false, waits: 0 }));
    (Arc::new(Outbox::new(Box::new(MadeUpWire(socket.clone())), 100)), socket)
}

/// A thread that sends two messages. Returns each with whether it was accepted.
fn sender(outbox: &Arc<Outbox>, name: &'static str) -> thread::JoinHandle<[(String, bool); 2]> {
    let outbox = outbox.clone();
    thread::spawn(move || {
        [0, 1].map(|number| {
            let message = format!("{name}{number}.");
            let is_accepted = outbox.send(message.as_bytes()).is_ok();
            (message, is_accepted)
        })
    })
}

fn schedule(ends: Option<fn(&Arc<Outbox>)>) {
    let (outbox, socket) = outbox(&[1, 0, 4, 2]);
    let senders = ["a", "b"].map(|name| sender(&outbox, name));
    let slow = {
        let (outbox, socket) = (outbox.clone(), socket.clone());
        thread::spawn(move || {
            outbox.open();
            for _ in 0..4 {
                on_ready(&outbox, &socket);
                thread::yield_now();
            }
        })
    };
    let end = ends.map(|end| {
        let outbox = outbox.clone();
        thread::spawn(move || end(&outbox))
    });
    let messages = senders.map(|sender| sender.join().unwrap()).concat();
    [slow].into_iter().chain(end).for_each(|thread| thread.join().unwrap());
    // All is quiet, and the socket takes everything.
    for _ in 0..6 {
        on_ready(&outbox, &socket);
    }
    let socket = socket.lock().unwrap();
    is_sound(&socket.taken, !socket.abort);
    let taken = String::from_utf8_lossy(&socket.taken);
    for (message, is_accepted) in messages {
        assert!(
            is_accepted || !taken.contains(&message[..2]),
            "{message} was refused, and sent: {taken}"
        );
    }
    if ends.is_none() {
        assert_eq!(socket.taken.len(), 4 * "a0.".len(), "something is lost");
    }
}

#[test]
fn frames_of_two_threads_go_out_whole_and_in_order() {
    shuttle::check_random(|| schedule(None), SCHEDULES / 2);
}

#[test]
fn a_farewell_is_the_last_word_whenever_it_comes() {
    shuttle::check_random(
        || schedule(Some(|outbox| outbox.close(b"goodbye.", "the end"))),
        SCHEDULES / 4,
    );
}

#[test]
fn a_link_may_be_cut_at_any_moment() {
    shuttle::check_random(|| schedule(Some(|outbox| outbox.cut("the end"))), SCHEDULES / 4);
}

#[test]
fn a_connection_ends_behind_all_that_was_accepted() {
    let schedule = || {
        let (outbox, socket) = outbox(&[]);
        outbox.open();
        let senders = ["a", "b"].map(|name| sender(&outbox, name));
        outbox.finish();
        let messages = senders.map(|sender| sender.join().unwrap()).concat();
        let taken = String::from_utf8(socket.lock().unwrap().taken.clone()).unwrap();
        for (message, is_accepted) in messages {
            assert_eq!(taken.contains(&message), is_accepted, "{message}: {taken}");
        }
        assert!(socket.lock().unwrap().abort);
    };
    shuttle::check_random(schedule, SCHEDULES / 4);
}
