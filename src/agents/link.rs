//! One WebSocket connection of an agent.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};

use crate::agents::encoder::Protocol;
use crate::agents::outbox::{LinkDown, MAX_OUTBOX, Outbox, Wire};
use crate::agents::probe::Probe;
use crate::commands::in_flight::LinkId;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use crate::sync::{Mutex, lock};

/// A link to an agent. Sending on it never blocks.
pub struct Link {
    /// Its id.
    pub id: LinkId,
    /// The peer's address and what the proxy claims, for the log.
    pub peer: String,
    /// The agent's public address, if known.
    pub from: Option<IpAddr>,
    /// Frames on their way to the agent.
    pub outbox: Arc<Outbox>,
    /// When the agent last sent anything, and the commands that wait until it does.
    pub probe: Mutex<Probe>,
    /// The protocol of its commands.
    pub protocol: Protocol,
    /// Whether its agent told its network cards, and so can send a magic packet to another PC's.
    pub told_macs: AtomicBool,
    opened: Instant,
    /// When the unanswered ping was sent, in microseconds after `opened` plus one; 0 if there is none.
    pinged: AtomicU64,
    /// Whether to send the time again as soon as the agent sends anything.
    owes_time: AtomicBool,
    /// The last round trip in microseconds plus one; 0 before the first pong.
    round_trip: AtomicU64,
}

impl Link {
    /// Creates a link over `wire` that is opened `now`. Frames wait until [`Outbox::open`].
    pub fn new(
        id: LinkId,
        peer: String,
        wire: Box<dyn Wire>,
        protocol: Protocol,
        now: Instant,
    ) -> Self {
        let outbox = Arc::new(Outbox::new(wire, MAX_OUTBOX));
        let probe = Mutex::new(Probe::new(now));
        let (pinged, round_trip) = (AtomicU64::new(0), AtomicU64::new(0));
        let owes_time = AtomicBool::new(false);
        let opened = now;
        let (from, told_macs) = (None, AtomicBool::new(false));
        Self {
            id,
            peer,
            from,
            outbox,
            probe,
            protocol,
            told_macs,
            opened,
            pinged,
            owes_time,
            round_trip,
        }
    }

    /// Whether its agent can be asked to wake another PC.
    pub fn can_wake(&self) -> bool {
        self.protocol == Protocol::V2 && self.told_macs.load(Relaxed)
    }

    /// Sends one text message.
    ///
    /// # Errors
    /// As [`Outbox::send`].
    pub fn text(&self, text: String) -> Result<(), LinkDown> {
        self.outbox.send(&bytes(Frame::message(text, OpCode::Data(Data::Text), true)))
    }

    /// Sends a ping.
    ///
    /// # Errors
    /// As [`Outbox::send`].
    pub fn ping(&self, now: Instant) -> Result<(), LinkDown> {
        self.pinged.store(self.microseconds(now) + 1, Relaxed);
        self.owes_time.store(self.protocol == Protocol::V2, Relaxed);
        self.outbox.send(&bytes(Frame::ping(Vec::new())))
    }

    /// Sends a close frame, after which nothing is sent. `why` is for the log.
    pub fn close(&self, code: CloseCode, reason: &'static str, why: &str) {
        self.outbox.close(&bytes(Frame::close(Some(CloseFrame { code, reason: reason.into() }))), why);
    }

    /// Whether the agent must be sent the time: it asked for it, and this is the first message since a ping. Its clock may
    /// run fast; and a PC that wakes must not find a heap of old times.
    pub fn take_time_due(&self) -> bool {
        self.owes_time.load(Relaxed) && self.owes_time.swap(false, Relaxed)
    }

    /// Takes a pong.
    pub fn pong(&self, now: Instant) {
        if let Some(pinged) = self.pinged.swap(0, Relaxed).checked_sub(1) {
            let took = self.microseconds(now).saturating_sub(pinged);
            self.round_trip.store(took + 1, Relaxed);
        }
    }

    /// Returns the last round trip, from ping to pong.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip.load(Relaxed).checked_sub(1).map(Duration::from_micros)
    }

    /// Returns the microseconds since the link was opened.
    fn microseconds(&self, now: Instant) -> u64 {
        let after = now.saturating_duration_since(self.opened).as_micros();
        u64::try_from(after).unwrap_or(u64::MAX - 1)
    }

    /// Returns when the link was opened.
    pub fn opened(&self) -> Instant {
        self.opened
    }

    /// Returns when the agent last sent anything.
    pub fn heard(&self) -> Instant {
        lock(&self.probe).heard()
    }
}

/// Encodes a frame.
fn bytes(frame: Frame) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(frame.len());
    frame.format(&mut bytes).expect("writing to a Vec can't fail");
    bytes
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use super::*;
    use crate::config::agents::AgentId;

    /// Takes everything, and keeps it.
    #[derive(Clone, Default)]
    struct MadeUp(Arc<Mutex<Vec<u8>>>);

    impl Wire for MadeUp {
        fn send(&self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn abort(&self) {}

        fn await_room(&self, _: &Arc<Outbox>) -> bool {
            true
        }
    }

    fn link() -> (Link, MadeUp, Instant) {
        let (wire, now) = (MadeUp::default(), Instant::now());
        let link = Link::new(
            LinkId::new(AgentId::DEFAULT, 1),
            "an agent".into(),
            Box::new(wire.clone()),
            Protocol::V1,
            now,
        );
        link.outbox.open();
        (link, wire, now)
    }

    #[test]
    fn what_is_sent_is_framed_as_rfc_6455_says_without_a_mask() {
        let (link, MadeUp(sent), now) = link();
        link.text("ok".into()).unwrap();
        link.ping(now).unwrap();
        link.close(CloseCode::Away, "bye", "the reason");
        assert_eq!(*sent.lock().unwrap(), b"\x81\x02ok\x89\x00\x88\x05\x03\xe9bye");
        assert_eq!(link.outbox.why().unwrap(), "the reason");
    }

    #[test]
    fn the_round_trip_is_from_a_ping_to_the_pong_behind_it() {
        let (link, _, opened) = link();
        let at = |milliseconds| opened + Duration::from_millis(milliseconds);
        link.pong(at(1));
        assert_eq!(link.round_trip(), None, "nobody asked for it");
        link.ping(at(10)).unwrap();
        link.pong(at(22));
        link.pong(at(500));
        assert_eq!(link.round_trip(), Some(Duration::from_millis(12)));
    }
}
