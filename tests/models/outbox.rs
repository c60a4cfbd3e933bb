//! An outbox over a socket that a test has made up.

use std::collections::VecDeque;

use super::*;

type Act = Box<dyn FnOnce() + Send>;

/// A socket that takes as much as a test says.
#[derive(Default)]
struct MadeUp {
    /// How much it takes at each try; nothing when that is used up.
    room: VecDeque<usize>,
    taken: Vec<u8>,
    broken: bool,
    abort: bool,
    /// What had been taken when the connection was ended in order.
    finished: Option<usize>,
    /// What another thread does while bytes are being sent, each time one of these.
    meanwhile: VecDeque<Act>,
    awaited: usize,
    /// Too many other sockets are waited for.
    crowded: bool,
}

struct MadeUpWire(Arc<std::sync::Mutex<MadeUp>>);

impl Wire for MadeUpWire {
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let meanwhile = self.0.lock().unwrap().meanwhile.pop_front();
        meanwhile.into_iter().for_each(|act| act());
        let mut socket = self.0.lock().unwrap();
        if socket.broken || socket.abort {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let sent = socket.room.pop_front().unwrap_or(0).min(bytes.len());
        socket.taken.extend_from_slice(&bytes[..sent]);
        Ok(sent)
    }

    fn abort(&self) {
        self.0.lock().unwrap().abort = true;
    }

    fn finish(&self) {
        let mut socket = self.0.lock().unwrap();
        socket.finished = Some(socket.taken.len());
    }

    fn await_room(&self, _: &Arc<Outbox>) -> bool {
        let mut socket = self.0.lock().unwrap();
        socket.awaited += 1;
        !socket.crowded
    }
}

/// An open outbox of 100 bytes, over a socket that takes so much at each try.
fn outbox(room: &[usize]) -> (Arc<Outbox>, Arc<std::sync::Mutex<MadeUp>>) {
    let room = room.iter().copied().collect();
    let socket = Arc::new(std::sync::Mutex::new(MadeUp { room, ..MadeUp::default() }));
    let outbox = Arc::new(Outbox::new(Box::new(MadeUpWire(socket.clone())), 100));
    outbox.open();
    (outbox, socket)
}

fn taken(socket: &Arc<std::sync::Mutex<MadeUp>>) -> String {
    String::from_utf8(socket.lock().unwrap().taken.clone()).unwrap()
}

#[test]
fn a_command_leaves_where_it_is_sent_from() {
    let (outbox, socket) = outbox(&[99, 99]);
    outbox.send(b"one ").unwrap();
    assert_eq!(taken(&socket), "one ");
    outbox.send(b"two ").unwrap();
    assert_eq!(taken(&socket), "one two ");
    assert_eq!(socket.lock().unwrap().awaited, 0, "nothing is left to wait for");
    assert_eq!(lock(&outbox.state).unsent.capacity(), 0, "an outbox at rest has no memory");
}

/// Has another thread do each of these while the next bytes are being sent.
fn meanwhile<const N: usize>(socket: &Arc<std::sync::Mutex<MadeUp>>, acts: [Act; N]) {
    socket.lock().unwrap().meanwhile = acts.into();
}

#[test]
fn what_comes_while_another_thread_sends_waits_for_nobody_and_goes_behind() {
    let (outbox, socket) = outbox(&[99, 99]);
    let other = outbox.clone();
    let send_two = move || {
        other.send(b"two ").unwrap();
        other.send(b"three ").unwrap();
    };
    meanwhile(&socket, [Box::new(send_two)]);
    outbox.send(b"one ").unwrap();
    assert_eq!(taken(&socket), "one two three ");
    assert!(socket.lock().unwrap().room.is_empty(), "the two went together");
}

#[test]
fn a_command_has_gone_out_although_the_link_breaks_behind_it() {
    let (outbox, socket) = outbox(&[99]);
    let (other, wire) = (outbox.clone(), socket.clone());
    let breaks = move || wire.lock().unwrap().broken = true;
    meanwhile(&socket, [Box::new(move || other.send(b"two").unwrap()), Box::new(breaks)]);
    assert_eq!(outbox.send(b"one"), Ok(()));
    assert_eq!((taken(&socket).as_str(), &*outbox.why().unwrap()), ("one", "its connection broke"));
}

#[test]
fn a_part_of_a_command_may_have_arrived() {
    let (outbox, socket) = outbox(&[2]);
    socket.lock().unwrap().crowded = true;
    assert_eq!(outbox.send(b"one"), Ok(()));
    assert_eq!(outbox.send(b"two"), Err(LinkDown));
}

#[test]
fn a_link_that_is_cut_while_something_is_sent_sends_nothing_more() {
    let (outbox, socket) = outbox(&[99, 99]);
    let other = outbox.clone();
    let cut = move || {
        other.send(b"two").unwrap();
        other.cut("the reason");
    };
    meanwhile(&socket, [Box::new(cut)]);
    assert_eq!(outbox.send(b"one"), Err(LinkDown));
    assert_eq!((taken(&socket).as_str(), &*outbox.why().unwrap()), ("", "the reason"));
}

#[test]
fn a_connection_ends_behind_all_that_was_sent_before_its_end() {
    let (outbox, socket) = outbox(&[99, 99]);
    let other = outbox.clone();
    let finish = move || {
        other.send(b"goodbye").unwrap();
        other.finish();
    };
    meanwhile(&socket, [Box::new(finish)]);
    outbox.send(b"last ").unwrap();
    assert_eq!(outbox.send(b"more"), Err(LinkDown));
    assert_eq!((taken(&socket).as_str(), socket.lock().unwrap().finished), ("last goodbye", Some(12)));
}

#[test]
fn what_is_being_sent_counts_as_waiting() {
    let (outbox, socket) = outbox(&[99]);
    let other = outbox.clone();
    let send_too_much = move || assert_eq!(other.send(&[b'a'; 98]), Err(LinkDown));
    meanwhile(&socket, [Box::new(send_too_much)]);
    assert_eq!(outbox.send(b"one"), Err(LinkDown));
    assert!(outbox.why().unwrap().contains("too much waited"));
}

#[test]
fn nothing_goes_out_before_the_handshake_does() {
    let socket = Arc::new(std::sync::Mutex::new(MadeUp::default()));
    socket.lock().unwrap().room = [99, 99].into();
    let outbox = Arc::new(Outbox::new(Box::new(MadeUpWire(socket.clone())), 100));
    outbox.send(b"early").unwrap();
    assert_eq!(taken(&socket), "");
    outbox.open();
    assert_eq!(taken(&socket), "early");
}

#[test]
fn what_the_socket_does_not_take_is_sent_on_in_order() {
    let (outbox, socket) = outbox(&[3, 2, 99]);
    outbox.send(b"first ").unwrap();
    outbox.send(b"second").unwrap();
    assert_eq!(taken(&socket), "fir");
    assert_eq!(socket.lock().unwrap().awaited, 1, "once is enough");
    assert_eq!(outbox.resume(), Some((2, true)));
    assert_eq!(outbox.resume(), Some((7, false)));
    assert_eq!(taken(&socket), "first second");
}

#[test]
fn too_much_that_waits_ends_the_link() {
    let (outbox, socket) = outbox(&[]);
    outbox.send(&[b'a'; 100]).unwrap();
    assert!(!socket.lock().unwrap().abort);
    assert_eq!(outbox.send(b"a"), Err(LinkDown));
    assert!(socket.lock().unwrap().abort);
    assert!(outbox.why().unwrap().contains("too much waited"));
    assert_eq!(outbox.send(b"a"), Err(LinkDown));
}

#[test]
fn a_socket_that_cannot_be_waited_for_ends_the_link() {
    let (outbox, socket) = outbox(&[]);
    socket.lock().unwrap().crowded = true;
    assert_eq!(outbox.send(b"a"), Err(LinkDown));
    assert!(outbox.why().unwrap().contains("too many sockets"));
}

#[test]
fn a_broken_socket_ends_the_link_whoever_finds_it() {
    let (first, socket) = outbox(&[]);
    socket.lock().unwrap().broken = true;
    assert_eq!(first.send(b"a"), Err(LinkDown));
    let (second, socket) = outbox(&[]);
    second.send(b"a").unwrap();
    socket.lock().unwrap().broken = true;
    assert_eq!(second.resume(), None);
    for outbox in [first, second] {
        assert_eq!(outbox.why().unwrap(), "its connection broke");
        assert_eq!(outbox.send(b"a"), Err(LinkDown));
    }
}

#[test]
fn behind_the_farewell_nothing_is_sent_any_more() {
    let (outbox, socket) = outbox(&[3, 99]);
    outbox.send(b"last ").unwrap();
    outbox.close(b"goodbye", "the reason");
    assert_eq!(outbox.send(b"more"), Err(LinkDown));
    outbox.close(b"again", "another reason");
    assert_eq!(outbox.resume(), Some((9, false)), "the farewell itself still goes");
    assert_eq!(taken(&socket), "last goodbye");
    outbox.cut("a third reason");
    assert_eq!(outbox.why().unwrap(), "the reason");
    assert!(socket.lock().unwrap().abort);
}

#[test]
fn a_link_that_is_over_takes_nothing() {
    let (outbox, socket) = outbox(&[99]);
    outbox.end();
    assert_eq!(outbox.send(b"a"), Err(LinkDown));
    outbox.close(b"goodbye", "too late");
    assert_eq!((taken(&socket), outbox.why()), (String::new(), None));
}
