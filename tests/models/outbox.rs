//! An outbox over a socket that a test has made up.

use std::collections::VecDeque;

use super::*;

/// A socket that takes as much as a test says.
#[derive(Default)]
struct MadeUp {
    /// How much it takes at each try; nothing when that is used up.
    room: VecDeque<usize>,
    taken: Vec<u8>,
    broken: bool,
    shut: bool,
    awaited: usize,
    /// Too many other sockets are waited for.
    crowded: bool,
}

struct MadeUpWire(Arc<std::sync::Mutex<MadeUp>>);

impl Wire for MadeUpWire {
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut socket = self.0.lock().unwrap();
        if socket.broken || socket.shut {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let sent = socket.room.pop_front().unwrap_or(0).min(bytes.len());
        socket.taken.extend_from_slice(&bytes[..sent]);
        Ok(sent)
    }

    fn shut(&self) {
        self.0.lock().unwrap().shut = true;
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
fn commands_wait_for_the_flush_and_go_together() {
    let (outbox, socket) = outbox(&[99]);
    outbox.put(b"one ").unwrap();
    outbox.put(b"two ").unwrap();
    assert_eq!(taken(&socket), "");
    outbox.flush().unwrap();
    assert_eq!(taken(&socket), "one two ");
    outbox.flush().unwrap();
    assert_eq!(socket.lock().unwrap().awaited, 0, "nothing is left to wait for");
}

#[test]
fn a_large_heap_of_commands_does_not_wait_for_the_flush() {
    let socket = Arc::new(std::sync::Mutex::new(MadeUp::default()));
    socket.lock().unwrap().room = [usize::MAX; 2].into();
    let outbox = Arc::new(Outbox::new(Box::new(MadeUpWire(socket.clone())), MAX_OUTBOX));
    outbox.open();
    outbox.put(&vec![b'a'; FLUSH_AT]).unwrap();
    assert_eq!(taken(&socket).len(), 0);
    outbox.put(b"a").unwrap();
    assert_eq!(taken(&socket).len(), FLUSH_AT + 1);
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
    assert_eq!(outbox.go_on(), Some((2, true)));
    assert_eq!(outbox.go_on(), Some((7, false)));
    assert_eq!(taken(&socket), "first second");
}

#[test]
fn too_much_that_waits_ends_the_link() {
    let (outbox, socket) = outbox(&[]);
    outbox.send(&[b'a'; 100]).unwrap();
    assert!(!socket.lock().unwrap().shut);
    assert_eq!(outbox.send(b"a"), Err(LinkDown));
    assert!(socket.lock().unwrap().shut);
    assert!(outbox.why().unwrap().contains("too much waited"));
    assert_eq!(outbox.put(b"a"), Err(LinkDown));
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
    assert_eq!(second.go_on(), None);
    for outbox in [first, second] {
        assert_eq!(outbox.why().unwrap(), "its connection broke");
        assert_eq!(outbox.put(b"a"), Err(LinkDown));
    }
}

#[test]
fn behind_the_farewell_nothing_is_sent_any_more() {
    let (outbox, socket) = outbox(&[3, 99]);
    outbox.send(b"last ").unwrap();
    outbox.close(b"goodbye", "the reason");
    assert_eq!((outbox.send(b"more"), outbox.put(b"more")), (Err(LinkDown), Err(LinkDown)));
    outbox.close(b"again", "another reason");
    assert_eq!(outbox.go_on(), Some((9, false)), "the farewell itself still goes");
    assert_eq!(taken(&socket), "last goodbye");
    outbox.cut("a third reason");
    assert_eq!(outbox.why().unwrap(), "the reason");
    assert!(socket.lock().unwrap().shut);
}

#[test]
fn a_link_that_is_over_takes_nothing() {
    let (outbox, socket) = outbox(&[99]);
    outbox.end();
    assert_eq!(outbox.send(b"a"), Err(LinkDown));
    outbox.close(b"goodbye", "too late");
    assert_eq!((taken(&socket), outbox.why()), (String::new(), None));
}

#[test]
fn a_buffer_that_was_large_is_not_kept_and_another_is() {
    for (size, kept) in [(2 * FLUSH_AT, 2 * FLUSH_AT), (2 * FLUSH_AT + 1, 0)] {
        let outbox = Arc::new(Outbox::new(Box::new(MadeUpWire(Arc::default())), MAX_OUTBOX));
        outbox.open();
        outbox.send(&vec![b'a'; size]).unwrap();
        let mut state = outbox.lock();
        assert_eq!(state.unsent.capacity(), size);
        state.take(size);
        assert_eq!(state.unsent.capacity(), kept);
    }
}
