//! The thread that reads one link with tungstenite.

use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::Sender;
use tungstenite::error::{CapacityError, ProtocolError};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

use crate::agents::encoder::Protocol;
use crate::agents::hello::Hello;
use crate::agents::link::Link;
use crate::agents::message::AgentReply;
use crate::agents::registry::Registry;
use crate::config::names::AgentId;
use crate::runtime::log_limit::target::ODD_MESSAGES;
use crate::runtime::shutdown::{fault, start_thread};
use crate::text::quoted;

/// Bytes of one message; a longer one closes the link with 1009.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// Bytes of tungstenite's read buffer; its default of 128 KiB is allocated at once.
pub const READ_BUFFER: usize = 4 * 1024;

/// Reads one link.
pub struct Reader {
    pub link: Arc<Link>,
    pub registry: Arc<Registry>,
    /// Messages so far that were no answers.
    garbage: u64,
}

impl Reader {
    /// Reads `link`.
    pub fn new(link: Arc<Link>, registry: Arc<Registry>) -> Self {
        Self { link, registry, garbage: 0 }
    }

    /// Starts the thread on `stream`, from which the link was upgraded. It ends with the connection, and holds `running`
    /// until then.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(mut self, stream: impl Read + Send + 'static, running: Sender<()>) -> io::Result<()> {
        let name = format!("agent {}", self.link.id.number);
        let read = move || {
            // A panic must end this link alone; the panic hook has logged it.
            if catch_unwind(AssertUnwindSafe(|| self.read(stream))).is_err() {
                self.link.outbox.cut("the relay failed on it; see above");
                self.registry.link_ended(&self.link, "", Instant::now());
            }
            self.registry.reader_ended(&self.link);
            drop(running);
        };
        start_thread(name, Box::new(read))
    }

    /// Reads until the connection ends.
    fn read(&mut self, stream: impl Read) {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let (link, registry) = (self.link.clone(), self.registry.clone());
        let line = LinkStream { stream, link, registry };
        let mut socket = WebSocket::from_raw_socket(line, Role::Server, Some(config));
        let why = loop {
            match socket.read() {
                Ok(message) => {
                    if let Some(farewell) = self.take(message, Instant::now()) {
                        // Confirms the agent's close; an error only means that the connection is gone.
                        let _ = socket.flush();
                        self.leave(&farewell, Instant::now());
                        // RFC 6455, 5.5.1: both have closed, and the server closes the connection at once.
                        return self.link.outbox.finish();
                    }
                }
                Err(error) => break self.refuse(&error),
            }
        };
        let _ = socket.flush();
        self.leave(&why, Instant::now());
        if self.link.outbox.why().is_some() {
            // The relay closed it: the rest is read to the end, or closing would reset the connection and could lose the close
            // frame. The clock ends it if the agent doesn't.
            let _ = io::copy(&mut socket.into_inner(), &mut io::sink());
        }
    }

    /// Takes one message. Returns why the link ends, if the agent closes it.
    pub fn take(&mut self, message: Message, now: Instant) -> Option<String> {
        // A test's fault must be one of this message's own.
        fault("message").unwrap_or_else(|fault| panic!("{fault}"));
        match message {
            Message::Text(text) => self.take_text(&text, now),
            // Some JSON libraries return bytes, which agents then send as a binary message.
            Message::Binary(bytes) => match std::str::from_utf8(&bytes) {
                Ok(text) => self.take_text(text, now),
                Err(_) => self.tell_of("it is binary, and no UTF-8"),
            },
            Message::Close(frame) => return Some(farewell(frame)),
            Message::Pong(_) => self.link.pong(now),
            Message::Ping(_) | Message::Frame(_) => {}
        }
        None
    }

    fn take_text(&mut self, text: &str, now: Instant) {
        match AgentReply::parse(text, self.registry.name(self.link.id.agent)) {
            Ok(AgentReply { id, speech, mut left_out }) => {
                // The press of such a button names no PC, so it goes to the default one.
                let payloads_are_told =
                    self.link.protocol == Protocol::V2 && self.link.id.agent == AgentId::DEFAULT;
                let (speech, some_left_out) = speech.without_wordless_buttons(payloads_are_told);
                left_out.extend(
                    some_left_out
                        .then_some("a button without words, whose press would tell the agent nothing"),
                );
                if !left_out.is_empty() {
                    let (id, left_out) = (quoted(&id), left_out.join(", "));
                    log::warn!(
                        target: ODD_MESSAGES,
                        "agent{} {} answered {id} with something that can't be used: {left_out}",
                        self.name_suffix(),
                        self.link.peer
                    );
                }
                self.registry.commands.answer(self.link.id, &id, speech, now);
            }
            Err(problem) => match Hello::parse(text) {
                Some(hello) => self.registry.introduce(&self.link, hello),
                None => self.tell_of(&problem.to_string()),
            },
        }
    }

    /// The link has ended.
    pub fn leave(&mut self, why: &str, now: Instant) {
        if self.garbage > 1 {
            let (name_suffix, peer, count) = (self.name_suffix(), &self.link.peer, self.garbage);
            log::debug!("agent{name_suffix} {peer}: {count} messages that were no answers");
        }
        self.registry.link_ended(&self.link, why, now);
    }

    fn name_suffix(&self) -> String {
        self.registry.name_suffix(self.link.id.agent)
    }

    /// Logs a message that is no answer.
    fn tell_of(&mut self, problem: &str) {
        self.garbage += 1;
        log::warn!(
            target: ODD_MESSAGES,
            "agent{} {} sent a message that is not {{\"id\",\"text\"}}: {}",
            self.name_suffix(),
            self.link.peer,
            quoted(problem)
        );
    }

    /// Closes the link with the code for this error (RFC 6455, 7.4.1). Returns why it ends.
    fn refuse(&self, error: &Error) -> String {
        let (code, reason) = match error {
            Error::Capacity(CapacityError::MessageTooLong { .. }) => {
                (CloseCode::Size, "message too long")
            }
            Error::Utf8(_) => (CloseCode::Invalid, "text is not UTF-8"),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) | Error::ConnectionClosed => {
                return "its connection ended".into();
            }
            Error::Protocol(_) => (CloseCode::Protocol, "protocol error"),
            _ => return format!("its connection broke: {error}"),
        };
        let why = format!("its message was refused: {error}");
        self.link.close(code, reason, &why);
        why
    }
}

/// The connection as tungstenite sees it: reads the stream, writes through the link's outbox.
struct LinkStream<S> {
    stream: S,
    link: Arc<Link>,
    registry: Arc<Registry>,
}

impl<S: Read> Read for LinkStream<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let taken = self.stream.read(buffer)?;
        if taken > 0 {
            self.registry.hear(&self.link, Instant::now());
        }
        Ok(taken)
    }
}

impl<S> Write for LinkStream<S> {
    fn write(&mut self, frames: &[u8]) -> io::Result<usize> {
        // A pong or the confirmation of a close. A link that sends nothing any more loses nothing by it, and reading goes on
        // until the agent has closed its side.
        let _ = self.link.outbox.send(frames);
        Ok(frames.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn farewell(frame: Option<CloseFrame>) -> String {
    match frame {
        Some(frame) => format!("it closed the link with {} {}", frame.code, quoted(&frame.reason)),
        None => "it closed the link".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;
    use std::time::Duration;

    use super::*;
    use crate::agents::encoder::CommandEncoder;
    use crate::agents::outbox::{Outbox, Wire};
    use crate::commands::Commands;
    use crate::commands::in_flight::LinkId;
    use crate::config::names::Names;
    use crate::runtime::clock::waker;

    /// A socket that takes everything; tells what came last and how it ended.
    #[derive(Clone, Default)]
    struct MadeUp(Arc<Mutex<(Vec<u8>, Vec<&'static str>)>>);

    impl Wire for MadeUp {
        fn send(&self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().0.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn abort(&self) {
            self.0.lock().unwrap().1.push("shut");
        }

        fn finish(&self) {
            self.0.lock().unwrap().1.push("finish");
        }

        fn await_room(&self, _: &Arc<Outbox>) -> bool {
            true
        }
    }

    /// What an agent sends, which then leaves its side open.
    struct Sent(VecDeque<u8>);

    impl Read for Sent {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            assert!(!self.0.is_empty(), "the relay waits for more");
            self.0.read(buffer)
        }
    }

    fn reader() -> (Reader, MadeUp) {
        let (waker, _) = waker();
        let commands = Arc::new(Commands::new("a".into(), Names::default(), waker.clone()));
        let registry =
            Registry::new(Duration::from_secs(20), commands, CommandEncoder::new(None), waker);
        let (wire, id) = (MadeUp::default(), LinkId::new(AgentId::DEFAULT, 0));
        let link = Link::new(id, "peer".into(), Box::new(wire.clone()), Protocol::V1, Instant::now());
        link.outbox.open();
        (Reader::new(Arc::new(link), Arc::new(registry)), wire)
    }

    #[test]
    fn once_both_have_closed_the_connection_is_closed_at_once() {
        // A masked Close of the agent's, without a code.
        let close = [0x88, 0x80, 0, 0, 0, 0];
        for relay_closes in [false, true] {
            let (mut reader, wire) = reader();
            if relay_closes {
                reader.link.close(CloseCode::Away, "going away", "a test");
            }
            reader.read(Sent(close.into()));
            let (sent, ends) = &*wire.0.lock().unwrap();
            assert_eq!((sent[0], &ends[..]), (0x88, &["finish"][..]), "{relay_closes}");
            let closes = sent.iter().filter(|byte| **byte == 0x88).count();
            assert_eq!(closes, 1, "{sent:?}");
        }
    }
}
