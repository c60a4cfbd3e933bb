//! One WebSocket connection of an agent: what is sent on it, and when it was last heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};

use crate::agents::outbox::{LinkDown, MAX_OUTBOX, Outbox, Wire};
use crate::commands::under_way::LinkId;

/// One link. Nobody who sends on it waits.
pub struct Link {
    /// Its number.
    pub id: LinkId,
    /// Who connected, for the log.
    pub peer: String,
    /// What is sent.
    pub outbox: Arc<Outbox>,
    opened: Instant,
    /// When something last came from the agent, in milliseconds after `opened`.
    heard: AtomicU64,
}

impl Link {
    /// A link over `wire` that is opened `now`. What is sent waits until [`Outbox::open`].
    pub fn new(id: LinkId, peer: String, wire: Box<dyn Wire>, now: Instant) -> Self {
        let outbox = Arc::new(Outbox::new(wire, MAX_OUTBOX));
        Self { id, peer, outbox, opened: now, heard: AtomicU64::new(0) }
    }

    /// Puts one text message in, which goes out with the next [`Outbox::flush`].
    ///
    /// # Errors
    /// As [`Outbox::put`].
    pub fn text(&self, text: String) -> Result<(), LinkDown> {
        self.outbox.put(&bytes(Frame::message(text, OpCode::Data(Data::Text), true)))
    }

    /// Sends a ping.
    ///
    /// # Errors
    /// As [`Outbox::put`].
    pub fn ping(&self) -> Result<(), LinkDown> {
        self.outbox.send(&bytes(Frame::ping(Vec::new())))
    }

    /// Sends a close frame, after which nothing is sent any more. `why` is for the log.
    pub fn close(&self, code: CloseCode, reason: &'static str, why: &str) {
        self.outbox.close(&bytes(Frame::close(Some(CloseFrame { code, reason: reason.into() }))), why);
    }

    /// Something came from the agent.
    pub fn hear(&self, now: Instant) {
        let after = now.saturating_duration_since(self.opened).as_millis();
        self.heard.store(u64::try_from(after).unwrap_or(u64::MAX), Relaxed);
    }

    /// Returns when something last came from the agent.
    pub fn heard(&self) -> Instant {
        self.opened + Duration::from_millis(self.heard.load(Relaxed))
    }
}

/// Returns a frame as it goes over the wire.
fn bytes(frame: Frame) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(frame.len());
    frame.format(&mut bytes).expect("writing to a Vec can't fail");
    bytes
}
