//! The thread that reads one link with tungstenite.

use std::io::{self, Read, Write};
use std::sync::Arc;

use crossbeam_channel::Sender;
use tiny_http::ReadWrite;
use tungstenite::error::{CapacityError, ProtocolError};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

use crate::agent::link::Link;
use crate::agent::message::AgentAnswer;
use crate::agent::registry::Registry;
use crate::limits::{MAX_MESSAGE, READ_BUFFER};
use crate::text::quoted;
use crate::turns::Turns;

/// Starts the thread. It ends when the connection does, and holds `running` until then.
///
/// # Errors
/// The system gives no thread.
pub fn start(
    link: Arc<Link>,
    stream: Box<dyn ReadWrite + Send>,
    registry: Arc<Registry>,
    turns: Arc<Turns>,
    running: Sender<()>,
) -> io::Result<()> {
    let name = format!("agent {}", link.id.0);
    std::thread::Builder::new().name(name).spawn(move || {
        read(&link, stream, &registry, &turns);
        drop(running);
    })?;
    Ok(())
}

/// The connection as tungstenite sees it: read from tiny_http's stream, written through the link.
struct Line {
    stream: Box<dyn ReadWrite + Send>,
    link: Arc<Link>,
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let taken = loop {
            match self.stream.read(buffer) {
                // tungstenite would take it for the end of the link.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        if taken > 0 {
            self.link.hear();
        }
        Ok(taken)
    }
}

impl Write for Line {
    fn write(&mut self, frames: &[u8]) -> io::Result<usize> {
        // A pong or the confirmation of a close. On a link that sends nothing any more it is nobody's
        // loss, and reading goes on until the agent has closed its side.
        let _ = self.link.send(frames);
        Ok(frames.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads until the connection ends.
fn read(link: &Arc<Link>, stream: Box<dyn ReadWrite + Send>, registry: &Registry, turns: &Turns) {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let line = Line { stream, link: link.clone() };
    let mut socket = WebSocket::from_raw_socket(line, Role::Server, Some(config));
    let mut garbage = 0u64;
    let why = loop {
        match socket.read() {
            Ok(Message::Text(text)) => match AgentAnswer::parse(&text) {
                Ok(answer) => turns.answer(link.id, answer),
                Err(error) => warn_once(link, &mut garbage, &quoted(&error.to_string())),
            },
            Ok(Message::Binary(_)) => warn_once(link, &mut garbage, "it is binary"),
            Ok(Message::Close(frame)) => break farewell(frame),
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
            Err(error) => break refuse(link, &error),
        }
    };
    if garbage > 1 {
        log::debug!("agent {}: {garbage} messages that were no answers", link.peer);
    }
    // Confirms the agent's close; an error only says that the connection is over.
    let _ = socket.flush();
    registry.leave(link, &why);
    if link.why().is_some() {
        // The relay closed it: what is still under way is read to the end, or closing would reset the
        // connection and could lose the close frame. The clock ends it if the agent doesn't.
        let _ = io::copy(&mut socket.into_inner(), &mut io::sink());
    }
    registry.gone(link);
}

fn farewell(frame: Option<CloseFrame>) -> String {
    match frame {
        Some(frame) => format!("it closed the link with {} {}", frame.code, quoted(&frame.reason)),
        None => "it closed the link".into(),
    }
}

fn warn_once(link: &Link, garbage: &mut u64, problem: &str) {
    *garbage += 1;
    if *garbage == 1 {
        log::warn!(
            "agent {} sent a message that is not {{\"id\",\"text\"}}: {problem}; no more is said of this link",
            link.peer
        );
    }
}

/// Closes the link with the code that fits the error (RFC 6455, 7.4.1).
fn refuse(link: &Arc<Link>, error: &Error) -> String {
    let (code, reason) = match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => (CloseCode::Size, "message too long"),
        Error::Utf8(_) => (CloseCode::Invalid, "text is not UTF-8"),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) | Error::ConnectionClosed => {
            return "its connection ended".into();
        }
        Error::Protocol(_) => (CloseCode::Protocol, "protocol error"),
        _ => return format!("its connection broke: {error}"),
    };
    let why = format!("its message was refused: {error}");
    link.close(code, reason, &why);
    why
}
