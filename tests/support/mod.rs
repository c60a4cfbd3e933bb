//! What the tests share: a relay in a process of its own on a free port, an agent, a raw HTTP client.
//!
//! Every wait is for an event and bounded by [`PATIENCE`], which no test comes near unless it fails.
pub mod markdown;
pub mod owner;
pub mod parsing;
pub mod smart_home;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};

pub const PATIENCE: Duration = Duration::from_secs(20);
pub const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A relay in a process of its own.
pub struct Relay {
    child: Child,
    lines: Receiver<String>,
    /// Held by a test for as long as nobody is to read the log.
    pub reading: Arc<Mutex<()>>,
    /// Set by a test when the log is to be closed after its next line.
    pub close_log: Arc<AtomicBool>,
    pub port: u16,
}

impl Relay {
    /// Started with [`KEY`] and these settings, listening already.
    pub fn start(settings: &[(&str, &str)]) -> Self {
        let mut all = vec![("API_KEY", KEY), ("LISTEN_ADDR", "127.0.0.1:0")];
        all.extend_from_slice(settings);
        Self::spawn(&mut command(&all))
    }

    /// Waits for a command, made by [`command`], to listen.
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the relay can't be run");
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = bounded(100_000);
        let (reading, close_log) = (Arc::new(Mutex::new(())), Arc::new(AtomicBool::new(false)));
        let mut relay = Self { child, lines, reading, close_log, port: 0 };
        let (reading, close_log) = (relay.reading.clone(), relay.close_log.clone());
        std::thread::spawn(move || {
            let mut line = String::new();
            while stdout.read_line(&mut line).is_ok_and(|length| length > 0) {
                if sender.send(line.trim_end().to_owned()).is_err() || close_log.load(Relaxed) {
                    return;
                }
                line.clear();
                drop(reading.lock());
            }
        });
        let started = relay.line("Relay started on ");
        relay.port = started.rsplit_once(':').unwrap().1.parse().unwrap();
        relay
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line of the log that contains `text`.
    pub fn line(&self, text: &str) -> String {
        let end = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_deadline(end) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => seen.push(line),
                Err(_) => panic!("no line with {text:?} but only {seen:#?}"),
            }
        }
    }

    /// Every line until the process has ended.
    pub fn rest_of_log(&mut self) -> String {
        self.exit();
        self.lines.iter().collect::<Vec<_>>().join("\n")
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.child.id() as i32).unwrap(), signal).unwrap();
    }

    /// Waits for the process to end.
    pub fn exit(&mut self) -> ExitStatus {
        exit_of(&mut self.child)
    }

    /// Asks for the end and waits for it.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.exit()
    }

    /// A connection of its own for raw HTTP.
    pub fn http(&self) -> Http {
        Http::connect(self.address())
    }

    /// Sends one request on a connection of its own.
    pub fn get(&self, target: &str) -> Response {
        let mut http = self.http();
        http.send(format!("GET {target} HTTP/1.1\r\nHost: relay\r\n\r\n"));
        http.response()
    }

    /// Sends a turn on a connection of its own; the reply.
    pub fn turn(&self, turn: &Value) -> Value {
        let response = self.http().post(&turn.to_string());
        assert_eq!(response.status, 200, "{response:?}");
        response.json()
    }

    /// Says `command` on a connection of its own; what Alice says.
    pub fn say(&self, command: &str) -> String {
        said(&self.turn(&turn(command)))
    }

    pub fn agent(&self) -> Agent {
        self.agent_at(self.address())
    }

    /// An agent that is let in at this address of the relay's, and known to it.
    pub fn agent_at(&self, address: SocketAddr) -> Agent {
        let agent = Agent::connect(address, KEY).expect("the agent was not let in");
        self.line("Agent connected");
        agent
    }

    pub fn agent_connected(&self) -> bool {
        self.get("/health").json()["agent_connected"].as_bool().unwrap()
    }

    /// A figure of the kernel's about the process: `Threads`, `VmRSS` in kB.
    pub fn figure(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Open descriptors; 0 once the process has ended.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).map_or(0, Iterator::count)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let ended = self.child.try_wait();
            eprintln!(
                "the relay's end: {ended:?}; its log: {:#?}",
                self.lines.try_iter().collect::<Vec<_>>()
            );
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The relay's program with these settings and no others.
pub fn command(settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_home-alice-relay"));
    command.env_clear().envs(settings.iter().copied()).stdin(Stdio::null());
    command
}

/// The path of an example's program, which Cargo builds with the tests.
pub fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().and_then(|deps| deps.parent()).unwrap().join("examples").join(name)
}

/// Waits for a process to end.
pub fn exit_of(child: &mut Child) -> ExitStatus {
    if let Some(status) = child.try_wait().unwrap() {
        return status;
    }
    let pid = Pid::from_raw(child.id() as i32).unwrap();
    let process = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
    let mut wait = [rustix::event::PollFd::new(&process, rustix::event::PollFlags::IN)];
    let patience = rustix::event::Timespec::try_from(PATIENCE).unwrap();
    assert_eq!(rustix::event::poll(&mut wait, Some(&patience)), Ok(1), "the process does not end");
    child.wait().unwrap()
}

/// Waits until `done`, asking again and again: for states that no event tells of.
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "it never came to be that {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A turn as Yandex sends it, in the middle of a session.
pub fn turn(command: &str) -> Value {
    json!({
        "meta": {
            "locale": "ru-RU", "timezone": "Europe/Moscow",
            "client_id": "ru.yandex.searchplugin/7.16 (none none; android 4.4.2)",
            "interfaces": { "screen": {}, "payments": {}, "account_linking": {} },
        },
        "session": {
            "message_id": 3, "session_id": "2eac4854-fce721f3-b845abba-20d60",
            "skill_id": "3ad36498-f5rd-4079-a14b-788652932056",
            "user": { "user_id": "6C91DA5198D1758C6A9F63A7C5CDDF09359F683B13A18A151FBF4C8B092BB0C2" },
            "application": {
                "application_id": "47C73714B580ED2469056E71081159529FFC676A4E5B059D629A819E857DC2F8",
            },
            "new": false,
        },
        "request": {
            "command": command, "original_utterance": command, "type": "SimpleUtterance",
            "markup": { "dangerous_context": false },
            "nlu": { "tokens": command.split(' ').collect::<Vec<_>>(), "entities": [], "intents": {} },
        },
        "version": "1.0",
    })
}

/// What Alice says in a reply; everything the protocol demands of it is checked.
pub fn said(reply: &Value) -> String {
    let text = reply["response"]["text"].as_str().expect("a reply has a text");
    assert!(!text.is_empty() && text.chars().count() <= 1024, "{reply}");
    assert!(reply["response"]["end_session"].is_boolean(), "{reply}");
    assert!(reply["version"].is_string(), "{reply}");
    text.to_owned()
}

/// A raw HTTP connection.
pub struct Http {
    pub stream: TcpStream,
    unread: Vec<u8>,
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Response {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// The first header field of this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Http {
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("nobody listens"))
    }

    /// Over a connection that is there.
    pub fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, unread: Vec::new() }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// The next response.
    pub fn response(&mut self) -> Response {
        self.try_response(false).expect("the connection ended before a response")
    }

    /// The response to a HEAD request, which has no body.
    pub fn head_response(&mut self) -> Response {
        self.try_response(true).expect("the connection ended before a response")
    }

    /// The next response, or none when the connection ends first.
    pub fn try_response(&mut self, head_only: bool) -> Option<Response> {
        let start = loop {
            match self.unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => self.receive()?,
            };
        };
        let head = String::from_utf8(self.unread[..start].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut response = Response { status, head, body: String::new() };
        let length = match response.field("Content-Length") {
            Some(length) if !head_only => length.parse().unwrap(),
            _ => 0,
        };
        while self.unread.len() < start + length {
            self.receive()?;
        }
        response.body = String::from_utf8(self.unread[start..start + length].to_vec()).unwrap();
        self.unread.drain(..start + length);
        Some(response)
    }

    /// Whether the connection ends with nothing more on it.
    pub fn ends(&mut self) -> bool {
        self.receive().is_none() && self.unread.is_empty()
    }

    fn receive(&mut self) -> Option<()> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => None,
            Ok(taken) => {
                self.unread.extend_from_slice(&buffer[..taken]);
                Some(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => self.receive(),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no response: {error}"),
        }
    }

    /// Sends a turn on this connection, without waiting for the reply.
    pub fn send_post(&mut self, body: &str) {
        let length = body.len();
        self.send(format!(
            "POST /alice/webhook HTTP/1.1\r\nHost: relay\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ));
    }

    /// Sends a turn on this connection; the response.
    pub fn post(&mut self, body: &str) -> Response {
        self.send_post(body);
        self.response()
    }
}

/// An agent, as strict as the real one.
pub struct Agent {
    pub socket: WebSocket<TcpStream>,
}

impl Agent {
    /// Connects with the key in the query, as today's agent does.
    pub fn connect(address: SocketAddr, key: &str) -> Result<Self, Box<tungstenite::Error>> {
        Self::with(address, &format!("/ws?key={key}"), &[])
    }

    /// Connects to a target of its own, with header fields of its own.
    pub fn with(
        address: SocketAddr,
        target: &str,
        fields: &[(&'static str, &str)],
    ) -> Result<Self, Box<tungstenite::Error>> {
        loop {
            match TcpStream::connect(address)
                .map_err(|error| Box::new(error.into()))
                .and_then(|stream| Self::over(stream, address, target, fields))
            {
                Err(error) if is_interrupted(&error) => {}
                result => return result,
            }
        }
    }

    /// Connects over a socket whose buffer is as small as the system allows, so that it is soon full.
    pub fn with_little_room(address: SocketAddr) -> Self {
        use rustix::net::{AddressFamily, SocketType, connect, socket, sockopt};
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        sockopt::set_socket_recv_buffer_size(&socket, 1).unwrap();
        connect(&socket, &address).unwrap();
        Self::over(socket.into(), address, &format!("/ws?key={KEY}"), &[]).unwrap()
    }

    fn over(
        stream: TcpStream,
        address: SocketAddr,
        target: &str,
        fields: &[(&'static str, &str)],
    ) -> Result<Self, Box<tungstenite::Error>> {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut request = format!("ws://{address}{target}").into_client_request().unwrap();
        for (name, value) in fields {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match tungstenite::client(request, stream) {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(tungstenite::HandshakeError::Failure(error)) => Err(Box::new(error)),
            Err(tungstenite::HandshakeError::Interrupted(_)) => panic!("the handshake hangs"),
        }
    }

    /// The next command: its id and text.
    pub fn command(&mut self) -> (String, String) {
        let end = Instant::now() + PATIENCE;
        loop {
            // Pings come for ever, so the socket's own timeout is not enough.
            assert!(Instant::now() < end, "no command came");
            match self.read().expect("no command came") {
                Message::Text(text) => {
                    let command: Value = serde_json::from_str(&text).unwrap();
                    let keys: Vec<_> = command.as_object().unwrap().keys().collect();
                    assert_eq!(keys, ["id", "text"]);
                    let part = |key: &str| command[key].as_str().unwrap().to_owned();
                    return (part("id"), part("text"));
                }
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("not a command: {other:?}"),
            }
        }
    }

    /// The next message.
    pub fn read(&mut self) -> tungstenite::Result<Message> {
        loop {
            match self.socket.read() {
                Err(error) if is_interrupted(&error) => {}
                result => return result,
            }
        }
    }

    pub fn send(&mut self, message: impl Into<Message>) {
        self.socket.send(message.into()).unwrap();
    }

    pub fn answer(&mut self, id: &str, text: &str) {
        self.send(json!({ "id": id, "text": text }).to_string());
    }

    /// Takes the next command and answers it with its own text behind `prefix`.
    pub fn echo(&mut self, prefix: &str) {
        let (id, text) = self.command();
        self.answer(&id, &format!("{prefix}{text}"));
    }

    /// Reads on until the relay closes the link: the close code and reason.
    pub fn closed(&mut self) -> Option<(u16, String)> {
        let mut close = None;
        loop {
            match self.read() {
                Ok(Message::Close(frame)) => {
                    close = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                }
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    panic!("the relay does not close the link");
                }
                Err(_) => return close,
            }
        }
    }

    /// Answers every command with its own text behind `prefix`, until the link ends.
    pub fn echo_for_ever(mut self, prefix: &'static str) -> std::thread::JoinHandle<()> {
        std::thread::spawn(move || {
            while let Ok(message) = self.read() {
                if let Message::Text(text) = message {
                    let command: Value = serde_json::from_str(&text).unwrap();
                    let text = format!("{prefix}{}", command["text"].as_str().unwrap());
                    let answer = json!({ "id": command["id"], "text": text }).to_string();
                    if self.socket.send(answer.into()).is_err() {
                        return;
                    }
                }
            }
        })
    }
}

/// Whether a wait on a socket with a timeout was interrupted, as by the machine's own pause.
fn is_interrupted(error: &tungstenite::Error) -> bool {
    matches!(error, tungstenite::Error::Io(error) if error.kind() == ErrorKind::Interrupted)
}
