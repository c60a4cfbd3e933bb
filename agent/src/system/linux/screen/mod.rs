//! The screen, by X11's protocol itself. It is connected to for one command and then left: nothing of it stays in memory.

pub mod clipboard;
pub mod display;
pub mod keyboard;
pub mod screenshot;
pub mod window;

use std::io::{self, IoSlice};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use x11rb::connection::Connection;
use x11rb::errors::{ConnectError, ConnectionError, ReplyError, ReplyOrIdError};
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    Atom, AtomEnum, ChangeWindowAttributesAux, ConnectionExt, EventMask, GetPropertyReply, Window as Id,
};
use x11rb::reexports::x11rb_protocol::parse_display::{ConnectAddress, parse_display};
use x11rb::reexports::x11rb_protocol::xauth::get_auth;
use x11rb::rust_connection::{DefaultStream, PollMode, RustConnection, Stream};
use x11rb::utils::RawFdContainer;

use crate::system::linux::ready_within;

/// How long the server may keep one waiting, and a window or its manager.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes of a property that are read.
const MAX_PROPERTY: u32 = 64 * 1024;

const NO_SESSION: &str = "У компьютера нет экрана: агент запущен не из рабочего стола.";
const NO_SERVER: &str = "У компьютера нет экрана: рабочий стол не запущен.";
const WAYLAND: &str = "В Wayland агент этого не может: войдите в сеанс X11 (Xorg).";
const NO_ACCESS: &str = "Экран не пускает агента: запустите агента из рабочего стола.";
const SILENT: &str = "Экран не отвечает.";

/// Why something of the screen's has failed.
#[derive(Debug)]
enum Trouble {
    /// The server is gone, or silent.
    Lost,
    /// It says that there is no such thing, or can't.
    Refused,
    /// What to say of it.
    Told(String),
}

impl From<Trouble> for String {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Lost => SILENT.into(),
            Trouble::Refused => "Экран этого не умеет.".into(),
            Trouble::Told(text) => text,
        }
    }
}

impl From<&str> for Trouble {
    fn from(text: &str) -> Self {
        Self::Told(text.into())
    }
}

impl From<io::Error> for Trouble {
    fn from(_: io::Error) -> Self {
        Self::Lost
    }
}

impl From<ConnectionError> for Trouble {
    fn from(error: ConnectionError) -> Self {
        if matches!(error, ConnectionError::UnsupportedExtension) { Self::Refused } else { Self::Lost }
    }
}

impl From<ReplyError> for Trouble {
    fn from(error: ReplyError) -> Self {
        match error {
            ReplyError::ConnectionError(error) => error.into(),
            ReplyError::X11Error(_) => Self::Refused,
        }
    }
}

impl From<ReplyOrIdError> for Trouble {
    fn from(_: ReplyOrIdError) -> Self {
        Self::Lost
    }
}

impl From<ConnectError> for Trouble {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::SetupFailed(_) | ConnectError::SetupAuthenticate(_) => NO_ACCESS.into(),
            ConnectError::IoError(error) if error.kind() == io::ErrorKind::TimedOut => Self::Lost,
            _ => NO_SERVER.into(),
        }
    }
}

/// A socket of the server's that is waited for no longer than [`TIMEOUT`] at a time: x11rb would wait for ever.
struct Patient(DefaultStream);

impl Stream for Patient {
    fn poll(&self, mode: PollMode) -> io::Result<()> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, mode.readable());
        flags.set(PollFlags::OUT, mode.writable());
        if ready_within(&self.0, flags, TIMEOUT)? { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
    }

    fn read(&self, into: &mut [u8], fds: &mut Vec<RawFdContainer>) -> io::Result<usize> {
        self.0.read(into, fds)
    }

    fn write(&self, from: &[u8], fds: &mut Vec<RawFdContainer>) -> io::Result<usize> {
        self.0.write(from, fds)
    }

    fn write_vectored(&self, from: &[IoSlice<'_>], fds: &mut Vec<RawFdContainer>) -> io::Result<usize> {
        self.0.write_vectored(from, fds)
    }
}

/// A connection to the server.
struct Screen {
    x: RustConnection<Patient>,
    root: Id,
}

/// Connects for what is to be done, and does it.
fn with<T>(what: impl FnOnce(&Screen) -> Result<T, Trouble>) -> Result<T, String> {
    Ok(Screen::connect().and_then(|screen| what(&screen))?)
}

impl Screen {
    fn connect() -> Result<Self, Trouble> {
        let is = |name, holds: fn(&str) -> bool| std::env::var(name).is_ok_and(|value| holds(&value));
        if is("WAYLAND_DISPLAY", |value| !value.is_empty()) || is("XDG_SESSION_TYPE", |value| value == "wayland") {
            return Err(WAYLAND.into());
        }
        let display = parse_display(None).map_err(|_| NO_SESSION)?;
        let path = display.connect_instruction().find_map(|address| match address {
            ConnectAddress::Socket(path) => Some(PathBuf::from(path)),
            _ => None,
        });
        let stream = open(path.ok_or(NO_SESSION)?).map_err(ConnectError::IoError)?;
        let (stream, (family, address)) = DefaultStream::from_unix_stream(stream)?;
        let key = get_auth(family, &address, display.display).ok().flatten().unwrap_or_default();
        let number = usize::from(display.screen);
        let x = RustConnection::connect_to_stream_with_auth_info(Patient(stream), number, key.0, key.1)?;
        let root = x.setup().roots.get(number).ok_or(NO_SERVER)?.root;
        Ok(Self { x, root })
    }

    fn atom(&self, name: &str) -> Result<Atom, Trouble> {
        Ok(self.x.intern_atom(false, name.as_bytes())?.reply()?.atom)
    }

    fn property(&self, window: Id, name: &str) -> Result<GetPropertyReply, Trouble> {
        let name = self.atom(name)?;
        Ok(self.x.get_property(false, window, name, AtomEnum::ANY, 0, MAX_PROPERTY / 4)?.reply()?)
    }

    /// Returns a property that is numbers: windows, atoms. None are there without it.
    fn numbers(&self, window: Id, name: &str) -> Result<Vec<u32>, Trouble> {
        Ok(self.property(window, name)?.value32().map(Iterator::collect).unwrap_or_default())
    }

    /// Has these events of a window told.
    fn watch(&self, window: Id, events: EventMask) -> Result<(), Trouble> {
        let events = ChangeWindowAttributesAux::new().event_mask(events);
        Ok(self.x.change_window_attributes(window, &events)?.check()?)
    }

    /// Returns the next event, waiting for it until then.
    fn event(&self, until: Instant) -> Result<Option<Event>, Trouble> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            if let Some(event) = self.x.poll_for_event()? {
                return Ok(Some(event));
            }
            self.x.flush()?;
            ready_within(&self.x.stream().0, PollFlags::IN, left)?;
        }
    }

    /// Waits until something holds, looking again with each event. Returns whether it does within [`TIMEOUT`].
    fn until(&self, mut holds: impl FnMut() -> Result<bool, Trouble>) -> Result<bool, Trouble> {
        let until = Instant::now() + TIMEOUT;
        loop {
            if holds()? {
                return Ok(true);
            }
            if self.event(until)?.is_none() {
                return Ok(false);
            }
        }
    }
}

/// Opens a socket. One that is full is as good as none.
fn open(path: PathBuf) -> io::Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match connect(&socket, &SocketAddrUnix::new(path)?) {
        Err(rustix::io::Errno::AGAIN) => Err(io::ErrorKind::TimedOut.into()),
        done => Ok(done.map(|()| socket.into())?),
    }
}
