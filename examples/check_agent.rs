//! Puts an agent through everything that it must withstand (docs/agents.md): plays a relay for one agent at a time, and
//! sends nothing but texts that are harmless to carry out.
//!
//! ```text
//! cargo run --release --example check_agent -- [--yes] [--wait SECONDS]
//! ```
//!
//! It listens on `LISTEN_ADDR`, asks before it begins unless there is `--yes`, and waits for an agent for 600 s unless
//! `--wait` says otherwise. The exit code is 0 when everything holds, 1 when something does not, 2 when the command line
//! can't be used.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use home_alice_relay::ListenAddr;
use home_alice_relay::wire::{AgentReply, Hello};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::json;
use tungstenite::handshake::HandshakeError;
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::http::HeaderValue;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, WebSocket};

/// How long the first connection of an agent is waited for, unless the command line says otherwise.
const COME_TIMEOUT: Duration = Duration::from_secs(600);

/// How long an agent may take over each harmless command.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a pong may take when the answer to a command that takes no time is there before it.
const PONG_TIMEOUT: Duration = Duration::from_millis(250);

/// Times that are told when an agent's clock is to follow the relay's: more than any agent keeps.
const TIMES_TOLD: usize = 8;

/// How long it may take until it is back.
const RETURN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one is waited for that was not back in time before.
const GONE_TIMEOUT: Duration = Duration::from_secs(1);

/// Commands that are sent at once.
const AT_ONCE: usize = 20;

/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of a request that is turned away.
const MAX_HANDSHAKE: u64 = 16 * 1024;

/// The subprotocol of an agent that wants commands with their context.
const V2: &str = "home-alice.v2";

/// Milliseconds by which the relay that this plays falls behind.
const FALLEN_BEHIND: u64 = 60_000;

fn main() -> ExitCode {
    let (mut is_sure, mut wait) = (false, COME_TIMEOUT);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let seconds = |text: String| text.parse().ok().filter(|seconds| *seconds <= 600);
        match &*argument {
            "--yes" => is_sure = true,
            "--wait" => match arguments.next().and_then(seconds) {
                Some(seconds) => wait = Duration::from_secs(seconds),
                None => return unusable("--wait takes a whole number of seconds from 0 to 600"),
            },
            _ => return unusable("usage: check_agent [--yes] [--wait SECONDS]"),
        }
    }
    let listen = match std::env::var("LISTEN_ADDR").map(|value| value.parse::<ListenAddr>()) {
        Ok(Ok(listen)) => listen,
        Ok(Err(error)) => return unusable(&error.to_string()),
        Err(_) => ListenAddr::default(),
    };
    match check(&listen, wait, is_sure) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("check_agent: {error}");
            ExitCode::FAILURE
        }
    }
}

fn unusable(problem: &str) -> ExitCode {
    eprintln!("check_agent: {problem}");
    ExitCode::from(2)
}

/// Checks the agent that comes to `listen` within `patience`. Returns whether everything holds; it does not when no agent
/// comes, or the person does not want the check to begin.
fn check(listen: &ListenAddr, patience: Duration, is_sure: bool) -> io::Result<bool> {
    let host = listen.host.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
    let listener = TcpListener::bind(SocketAddr::new(host, listen.port)).map_err(|error| {
        io::Error::new(error.kind(), format!("can't listen on {listen} (LISTEN_ADDR): {error}"))
    })?;
    let mut address = listener.local_addr()?;
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    let mut random = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    let key = HEXLOWER.encode(&random);
    println!("Start the agent with these two values:");
    println!("server_url: ws://{address}/ws");
    println!("api_key: {key}");
    let mut run = Run {
        listener,
        key,
        behind: 0,
        sent: 0,
        link: None,
        is_v2: false,
        is_fine: true,
        is_gone: false,
    };
    if !run.come(patience) {
        println!("✘ no agent came within {} s", patience.as_secs());
        return Ok(false);
    }
    let protocol = if run.is_v2 { "v2" } else { "v1" };
    let who = format!("An agent of protocol {protocol} has come.");
    if !may_begin(is_sure, &who) {
        println!("✘ nothing was sent to it");
        return Ok(false);
    }
    run.check();
    Ok(run.is_fine)
}

fn may_begin(is_sure: bool, who: &str) -> bool {
    if is_sure {
        println!("{who}");
        return true;
    }
    println!(
        "{who} It may be a real PC: every text is like «проверка связи 17», which is harmless to carry out. Begin? \
         [y/N]"
    );
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    read.is_ok_and(|_| ["y", "yes", "да"].contains(&answer.trim()))
}

/// One check of one agent.
struct Run {
    listener: TcpListener,
    key: String,
    /// How many milliseconds the clock of the relay that this plays is behind.
    behind: u64,
    sent: u32,
    link: Option<WebSocket<TcpStream>>,
    /// Whether the agent has asked for [`V2`].
    is_v2: bool,
    is_fine: bool,
    /// Whether it was waited for in vain.
    is_gone: bool,
}

/// What an agent has answered.
struct Given {
    has_text: bool,
    failed: bool,
}

impl Run {
    fn check(&mut self) {
        self.judge(
            "a command is answered",
            "answer each with one text message {\"id\",\"text\"}",
            |run| run.ask(&["5f2a9c01-0"], ""),
        );
        let cure = "repeat the id as it came: it is a text, not a number";
        self.judge("ids are repeated exactly", cure, |run| {
            run.ask(&["5F2A9C01-007", "0", "id с \"кавычками\"", &"9".repeat(64)], "")
        });
        let cure = "take the next command while others are at work, or after them; answer each once";
        self.judge("many commands at once are answered, each once, in any order", cure, |run| {
            let ids: Vec<_> = (0..AT_ONCE).map(|number| format!("5f2a9c01-{number}")).collect();
            run.ask(&ids.iter().map(String::as_str).collect::<Vec<_>>(), "")
        });
        let cure = "let the WebSocket library answer pings, on a thread that carries nothing out";
        self.judge("a ping is answered while a command is at work", cure, Self::ping_at_work);
        let cure = "read the message as JSON in UTF-8, and write the answer so";
        self.judge("every kind of character is taken", cure, |run| {
            let odd = ["\"\\/", "\u{1f600}👩‍💻", "a\tb\nc\u{1}", "\u{202e}абв", "ё́ ß 漢字", "<b>&amp;"];
            odd.iter().all(|text| run.ask(&["5f2a9c01-a"], text))
                && run.ask(&["5f2a9c01-b"], &"я".repeat(900))
        });
        self.judge(
            "keys that it does not know are passed over",
            "look at `id` and `text` alone",
            |run| {
                let whole = run.message("5f2a9c01-k", "проверка связи", 30_000);
                let known = whole.strip_suffix('}').unwrap_or(&whole);
                run.send(&format!(r#"{known},"x":[1,{{"y":null}}],"z":1e9}}"#))
                    && run.take(&["5f2a9c01-k"]).is_some_and(|given| is_whole(&given))
            },
        );
        if self.is_v2 {
            let cure = "compare `until` with the relay's clock, which the first message tells, before carrying out";
            self.judge(
                "a command past its `until` is not carried out, and answered with `ok` false",
                cure,
                |run| {
                    run.send_until("5f2a9c01-u", "проверка связи", -5_000)
                        && run.take(&["5f2a9c01-u"]).is_some_and(|given| given[0].failed)
                },
            );
            let cure = "of the last few times that were told, keep that by which the relay's clock is furthest ahead";
            self.judge("a time that is read late, as after a sleep, revives no command", cure, |run| {
                run.behind = FALLEN_BEHIND;
                let is_sent = run.tell_time() && run.send_until("5f2a9c01-s", "проверка связи", 4_000);
                run.behind = 0;
                is_sent && run.take(&["5f2a9c01-s"]).is_some_and(|given| given[0].failed)
            });
            let cure =
                "take the time again from each message that tells it, and forget all but the last few";
            self.judge("a relay's clock that has fallen behind makes no command late", cure, |run| {
                run.behind = FALLEN_BEHIND;
                let is_sent = (0..TIMES_TOLD).all(|_| run.tell_time())
                    && run.send_until("5f2a9c01-t", "проверка связи", 4_000);
                run.behind = 0;
                let is_done = run.take(&["5f2a9c01-t"]).is_some_and(|given| !given[0].failed);
                // From here on the largest of its times is right again.
                is_sent && is_done && run.tell_time()
            });
        }
        for (what, end) in [
            ("a link that is closed is opened anew within 10 s", End::Close(CloseCode::Away)),
            (
                "a link that is replaced (4001) is opened anew within 10 s",
                End::Close(CloseCode::from(4001)),
            ),
            ("a link that breaks is opened anew within 10 s", End::Cut),
        ] {
            let cure = "connect again a few seconds after any end of the connection, for ever";
            self.judge(what, cure, move |run| {
                run.end(end);
                run.come(RETURN_TIMEOUT) && run.ask(&["5f2a9c01-r"], "")
            });
        }
        for (what, status) in [
            ("an outage (502) is survived: it connects again within 10 s", "502 Bad Gateway"),
            ("a refusal (401) is survived: it connects again within 10 s", "401 Unauthorized"),
        ] {
            let cure =
                "whatever a connection attempt ends with, wait a few seconds and try again, for ever";
            self.judge(what, cure, move |run| {
                run.end(End::Cut);
                run.turn_away(status, RETURN_TIMEOUT)
                    && run.come(RETURN_TIMEOUT)
                    && run.ask(&["5f2a9c01-r"], "")
            });
        }
    }

    /// Says whether `holds` does, and what to mend if not.
    fn judge(&mut self, what: &str, cure: &str, holds: impl FnOnce(&mut Self) -> bool) {
        // What an earlier check has left undone is not this one's. But who has once not come back is hardly waited for.
        let patience = if self.is_gone { GONE_TIMEOUT } else { RETURN_TIMEOUT };
        let is_there = self.link.is_some() || self.come(patience);
        self.is_gone = !is_there;
        let line = match is_there && holds(self) {
            true => format!("✔ {what}"),
            false => {
                self.is_fine = false;
                self.is_gone |= self.link.is_none();
                // Whatever still comes on this link belongs to what has failed.
                self.end(End::Cut);
                format!("✘ {what}: {cure}")
            }
        };
        println!("{line}");
    }

    /// Sends a command under each id, with these words behind its harmless text. Returns whether each was answered, once
    /// and with a text.
    fn ask(&mut self, ids: &[&str], words: &str) -> bool {
        for id in ids {
            self.sent += 1;
            let text = format!("проверка связи {} {words}", self.sent);
            if !self.send_until(id, text.trim(), 30_000) {
                return false;
            }
        }
        self.take(ids).is_some_and(|given| is_whole(&given))
    }

    fn send_until(&mut self, id: &str, text: &str, wait: i64) -> bool {
        let message = self.message(id, text, wait);
        self.send(&message)
    }

    /// Returns a command that is waited for so many milliseconds, in the agent's format.
    fn message(&self, id: &str, text: &str, wait: i64) -> String {
        if !self.is_v2 {
            return json!({ "id": id, "text": text }).to_string();
        }
        let now = self.now();
        let (session, until) =
            (json!({ "id": "check", "new": false }), now.saturating_add_signed(wait));
        json!({ "id": id, "text": text, "session": session, "screen": false, "now": now, "until": until })
            .to_string()
    }

    fn tell_time(&mut self) -> bool {
        let time = json!({ "now": self.now() }).to_string();
        self.send(&time)
    }

    /// Returns the time of the relay that this plays, in Unix milliseconds.
    fn now(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        u64::try_from(now).unwrap_or(u64::MAX).saturating_sub(self.behind)
    }

    fn send(&mut self, message: &str) -> bool {
        self.link.as_mut().is_some_and(|link| link.send(Message::text(message)).is_ok())
    }

    /// Takes an answer for each of these ids. Returns none when one is missing, comes twice, or is for another.
    fn take(&mut self, ids: &[&str]) -> Option<Vec<Given>> {
        let mut missing: BTreeSet<_> = ids.iter().copied().collect();
        let mut given = Vec::new();
        // For each of them: an agent may carry out one after another.
        let mut end = Instant::now() + ANSWER_TIMEOUT;
        while !missing.is_empty() {
            let Message::Text(text) = self.read(end)? else { continue };
            if Hello::parse(&text).is_some() {
                continue;
            }
            end = Instant::now() + ANSWER_TIMEOUT;
            let AgentReply { id, speech, left_out } = AgentReply::parse(&text, None).ok()?;
            missing.take(id.as_str())?;
            given.push(Given { has_text: !left_out.contains(&"text"), failed: speech.failed() });
        }
        Some(given)
    }

    fn ping_at_work(&mut self) -> bool {
        const PAYLOAD: &[u8] = b"still there";
        if !self.send_until("5f2a9c01-p", "проверка связи", 30_000) {
            return false;
        }
        let Some(link) = &mut self.link else { return false };
        if link.send(Message::Ping(PAYLOAD.into())).is_err() {
            return false;
        }
        let (start, mut pong, mut answer) = (Instant::now(), None, None);
        while pong.is_none() || answer.is_none() {
            match self.read(start + ANSWER_TIMEOUT) {
                Some(Message::Pong(payload)) if &*payload == PAYLOAD => pong = Some(start.elapsed()),
                Some(Message::Text(text)) => {
                    let is_it =
                        AgentReply::parse(&text, None).is_ok_and(|answer| answer.id == "5f2a9c01-p");
                    answer = answer.or(is_it.then(|| start.elapsed()));
                }
                Some(_) => {}
                None => return false,
            }
        }
        // One that comes only when the work is done is no sign of life; one to a command that takes no time may be second.
        pong < answer || pong < Some(PONG_TIMEOUT)
    }

    /// Returns the next message; none when there is none in time, or the link is over.
    fn read(&mut self, end: Instant) -> Option<Message> {
        loop {
            let link = self.link.as_mut()?;
            let left = end.saturating_duration_since(Instant::now());
            // A timeout of nothing would be none at all.
            link.get_ref().set_read_timeout(Some(left.max(Duration::from_millis(1)))).ok()?;
            match link.read() {
                Ok(Message::Close(_)) => return None,
                Ok(message) => return Some(message),
                Err(Error::Io(error)) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }

    fn end(&mut self, end: End) {
        let Some(mut link) = self.link.take() else { return };
        if let End::Close(code) = end {
            let _ = link.close(Some(CloseFrame { code, reason: "a check".into() }));
            let _ = link.flush();
        }
    }

    /// Waits until the agent has connected with its key.
    fn come(&mut self, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        while wait_for(&self.listener, end) {
            let Ok((stream, _)) = self.listener.accept() else { return false };
            match self.greet(stream) {
                Ok((link, is_v2)) => {
                    (self.link, self.is_v2) = (Some(link), is_v2);
                    return true;
                }
                Err(problem) => println!("an agent was not let in: {problem}"),
            }
        }
        false
    }

    /// Answers the next attempt to connect with this status. Returns whether there was one in time.
    fn turn_away(&mut self, status: &str, patience: Duration) -> bool {
        if !wait_for(&self.listener, Instant::now() + patience) {
            return false;
        }
        let Ok((mut stream, _)) = self.listener.accept() else { return false };
        let refusal = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.set_read_timeout(Some(HANDSHAKE_TIMEOUT)).is_ok()
            && read_head(&stream).is_ok()
            && stream.write_all(refusal.as_bytes()).is_ok()
    }

    /// Answers the handshake (RFC 6455, 4.2). Returns the link, and whether it is of [`V2`].
    #[expect(clippy::result_large_err, reason = "the callback's type is tungstenite's")]
    fn greet(&self, stream: TcpStream) -> Result<(WebSocket<TcpStream>, bool), &'static str> {
        stream.set_read_timeout(Some(HANDSHAKE_TIMEOUT)).map_err(|_| BROKEN)?;
        let mut is_v2 = false;
        let answer = |request: &Request, mut response: Response| {
            if request.uri().path() != "/ws" {
                return Err(refusal(404));
            }
            if !self.is_key_shown(request) {
                return Err(refusal(401));
            }
            let offered = request.headers().get_all("Sec-WebSocket-Protocol");
            let mut offered = offered.iter().filter_map(|field| field.to_str().ok());
            is_v2 = offered.any(|field| field.split(',').any(|name| name.trim() == V2));
            if is_v2 {
                response.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static(V2));
            }
            Ok(response)
        };
        let mut socket = tungstenite::accept_hdr(stream, answer).map_err(|error| match error {
            HandshakeError::Failure(Error::Http(response)) if response.status() == 404 => {
                "its address must end in /ws"
            }
            HandshakeError::Failure(Error::Http(_)) => "its key is not the one above",
            HandshakeError::Failure(Error::Protocol(_)) => "it asks for no WebSocket",
            _ => BROKEN,
        })?;
        if is_v2 {
            let time = json!({ "now": self.now() }).to_string();
            socket.send(Message::text(time)).map_err(|_| BROKEN)?;
        }
        Ok((socket, is_v2))
    }

    /// Whether a request shows the key, as `Authorization: Bearer` or as `?key=`.
    fn is_key_shown(&self, request: &Request) -> bool {
        let bearer = request.headers().get("Authorization").and_then(|field| field.to_str().ok());
        let bearer = bearer.and_then(|field| field.split_once(' ')).map(|(_, key)| key.trim());
        let mut query = request.uri().query().unwrap_or_default().split('&');
        [bearer, query.find_map(|pair| pair.strip_prefix("key="))].contains(&Some(&self.key))
    }
}

const BROKEN: &str = "its connection broke";

fn refusal(status: u16) -> ErrorResponse {
    let mut refusal = ErrorResponse::new(None);
    *refusal.status_mut() = status.try_into().expect("it is a status code");
    refusal
}

/// Reads the head of a request.
fn read_head(stream: &TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(stream.take(MAX_HANDSHAKE));
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        if line == "\r\n" {
            return Ok(());
        }
        line.clear();
    }
    Err(ErrorKind::UnexpectedEof.into())
}

#[derive(Clone, Copy)]
enum End {
    Close(CloseCode),
    Cut,
}

fn is_whole(given: &[Given]) -> bool {
    given.iter().all(|given| given.has_text)
}

/// Waits until somebody connects. Returns whether anybody does in time.
fn wait_for(listener: &TcpListener, end: Instant) -> bool {
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let Ok(timeout) = Timespec::try_from(left) else { return false };
        let mut waited = [PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN)];
        match poll(&mut waited, Some(&timeout)) {
            Ok(0) => return false,
            Ok(_) => return true,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}
