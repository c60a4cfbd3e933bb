//! Puts an agent through everything that it must withstand: a relay of its own for one agent at a time, which sends
//! nothing but texts that are harmless to carry out.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role};
use tungstenite::{Error, Message, WebSocket};

use crate::agents::handshake::{accept_of, key_in_query};
use crate::agents::hello::Hello;
use crate::agents::message::{self, Answer};
use crate::agents::second::{self, Context, PROTOCOL, Times};
use crate::config::listen::ListenAddr;
use crate::config::secret::Secret;
use crate::net::listener::{bind, reachable};
use crate::owner::target::AskError;
use crate::system::refused;
use crate::upkeep::unix::Unix;

/// How long the first connection of an agent is waited for, unless the command line says otherwise.
pub const COME_TIMEOUT: Duration = Duration::from_secs(600);

/// How long an agent may take over each harmless command.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a pong may take when the answer to a command that takes no time is there before it.
pub const PONG_TIMEOUT: Duration = Duration::from_millis(250);

/// Times that are told when an agent's clock is to follow the relay's: more than any agent keeps.
pub const TIMES_TOLD: usize = 8;

/// How long it may take until it is back.
pub const RETURN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one is waited for that was not back in time before.
pub const GONE_TIMEOUT: Duration = Duration::from_secs(1);

/// Commands that are sent at once.
pub const AT_ONCE: usize = 20;

/// Bytes of a handshake.
pub const MAX_HANDSHAKE: usize = 16 * 1024;

/// Where a check is told of, and asked whether it may begin.
pub trait Desk {
    /// Says one line.
    fn say(&mut self, line: &str);
    /// Whether the check may begin, now that an agent of this kind has come.
    fn may_begin(&mut self, who: &str) -> bool;
}

/// Checks the agent that comes to `listen` within `patience`. Returns whether everything holds; it does not when no agent
/// comes, or the check may not begin.
///
/// # Errors
/// The system refuses what is needed.
pub fn check_agent(
    listen: &ListenAddr,
    patience: Duration,
    desk: &mut dyn Desk,
) -> Result<bool, AskError> {
    let listener = bind(listen).map_err(|error| {
        AskError::System(refused(&format!("to listen on {listen} (LISTEN_ADDR)"), &error))
    })?;
    let address = reachable(listener.local_addr().map_err(AskError::System)?);
    let key = Secret::random().map_err(AskError::System)?;
    desk.say("Start the agent with these two values:");
    desk.say(&format!("server_url: ws://{address}/ws"));
    desk.say(&format!("api_key: {}", key.reveal()));
    let mut bench = Bench {
        listener,
        key,
        unix: Unix::new(),
        behind: 0,
        sent: 0,
        link: None,
        is_second: false,
        is_fine: true,
        is_gone: false,
        desk,
    };
    if !bench.come(patience) {
        bench.desk.say(&format!("✘ no agent came within {} s", patience.as_secs()));
        return Ok(false);
    }
    let format = if bench.is_second { "second" } else { "first" };
    if !bench.desk.may_begin(&format!("An agent of the {format} format has come.")) {
        bench.desk.say("✘ nothing was sent to it");
        return Ok(false);
    }
    bench.check();
    Ok(bench.is_fine)
}

struct Bench<'a> {
    listener: TcpListener,
    key: Secret,
    unix: Unix,
    /// How many milliseconds the clock of the relay that this plays is behind.
    behind: u64,
    sent: u32,
    link: Option<WebSocket<TcpStream>>,
    /// Whether the agent has asked for the second format.
    is_second: bool,
    is_fine: bool,
    /// Whether it was waited for in vain.
    is_gone: bool,
    desk: &'a mut dyn Desk,
}

/// What an agent has answered.
struct Given {
    has_text: bool,
    failed: bool,
}

impl Bench<'_> {
    fn check(&mut self) {
        self.judge(
            "a command is answered",
            "answer each with one text message {\"id\",\"text\"}",
            |bench| bench.ask(&["5f2a9c01-0"], ""),
        );
        let cure = "repeat the id as it came: it is a text, not a number";
        self.judge("ids are repeated exactly", cure, |bench| {
            bench.ask(&["5F2A9C01-007", "0", "id с \"кавычками\"", &"9".repeat(64)], "")
        });
        let cure = "take the next command while others are at work, or after them; answer each once";
        self.judge("many commands at once are answered, each once, in any order", cure, |bench| {
            let ids: Vec<_> = (0..AT_ONCE).map(|number| format!("5f2a9c01-{number}")).collect();
            bench.ask(&ids.iter().map(String::as_str).collect::<Vec<_>>(), "")
        });
        let cure = "let the WebSocket library answer pings, on a thread that carries nothing out";
        self.judge("a ping is answered while a command is at work", cure, Self::ping_at_work);
        let cure = "read the message as JSON in UTF-8, and write the answer so";
        self.judge("every kind of character is taken", cure, |bench| {
            let odd = ["\"\\/", "\u{1f600}👩‍💻", "a\tb\nc\u{1}", "\u{202e}абв", "ё́ ß 漢字", "<b>&amp;"];
            odd.iter().all(|text| bench.ask(&["5f2a9c01-a"], text))
                && bench.ask(&["5f2a9c01-b"], &"я".repeat(900))
        });
        self.judge(
            "keys that it does not know are passed over",
            "look at `id` and `text` alone",
            |bench| {
                let whole = bench.message("5f2a9c01-k", "проверка связи", 30_000);
                let known = whole.strip_suffix('}').unwrap_or(&whole);
                bench.send(&format!(r#"{known},"x":[1,{{"y":null}}],"z":1e9}}"#))
                    && bench.take(&["5f2a9c01-k"]).is_some_and(|given| is_whole(&given))
            },
        );
        if self.is_second {
            let cure = "compare `until` with the relay's clock, which the first message tells, before carrying out";
            self.judge(
                "a command past its `until` is not carried out, and answered with `ok` false",
                cure,
                |bench| {
                    bench.send_until("5f2a9c01-u", "проверка связи", -5_000)
                        && bench.take(&["5f2a9c01-u"]).is_some_and(|given| given[0].failed)
                },
            );
            let cure = "of the last few times that were told, keep that by which the relay's clock is furthest ahead";
            self.judge(
                "a time that is read late, as after a sleep, revives no command",
                cure,
                |bench| {
                    bench.behind = FALLEN_BEHIND;
                    let is_sent =
                        bench.tell_time() && bench.send_until("5f2a9c01-s", "проверка связи", 4_000);
                    bench.behind = 0;
                    is_sent && bench.take(&["5f2a9c01-s"]).is_some_and(|given| given[0].failed)
                },
            );
            let cure =
                "take the time again from each message that tells it, and forget all but the last few";
            self.judge("a relay's clock that has fallen behind makes no command late", cure, |bench| {
                bench.behind = FALLEN_BEHIND;
                let is_sent = (0..TIMES_TOLD).all(|_| bench.tell_time())
                    && bench.send_until("5f2a9c01-t", "проверка связи", 4_000);
                bench.behind = 0;
                let is_done = bench.take(&["5f2a9c01-t"]).is_some_and(|given| !given[0].failed);
                // From here on the largest of its times is right again.
                is_sent && is_done && bench.tell_time()
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
            self.judge(what, cure, move |bench| {
                bench.end(end);
                bench.come(RETURN_TIMEOUT) && bench.ask(&["5f2a9c01-r"], "")
            });
        }
        for (what, status) in [
            ("an outage (502) is survived: it connects again within 10 s", "502 Bad Gateway"),
            ("a refusal (401) is survived: it connects again within 10 s", "401 Unauthorized"),
        ] {
            let cure =
                "whatever a connection attempt ends with, wait a few seconds and try again, for ever";
            self.judge(what, cure, move |bench| {
                bench.end(End::Cut);
                bench.turn_away(status, RETURN_TIMEOUT)
                    && bench.come(RETURN_TIMEOUT)
                    && bench.ask(&["5f2a9c01-r"], "")
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
        self.desk.say(&line);
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
        if !self.is_second {
            return message::command(id, text);
        }
        let now = self.now();
        let times = Times { now, until: now.saturating_add_signed(wait) };
        let context = Context { session: Some(("check", false)), ..Context::default() };
        second::command(id, text, &context, times).0
    }

    fn tell_time(&mut self) -> bool {
        self.send(&second::time(self.now()))
    }

    /// Returns the time of the relay that this plays, in Unix milliseconds.
    fn now(&self) -> u64 {
        self.unix.now().saturating_sub(self.behind)
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
            let Answer { id, speech, left_out } = Answer::parse(&text, None).ok()?;
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
                        Answer::parse(&text, None).is_ok_and(|answer| answer.id == "5f2a9c01-p");
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
                Ok((link, is_second)) => {
                    (self.link, self.is_second) = (Some(link), is_second);
                    return true;
                }
                Err(problem) => self.desk.say(&format!("an agent was not let in: {problem}")),
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
        read_head(&mut stream).is_ok() && stream.write_all(refusal.as_bytes()).is_ok()
    }

    /// Answers the handshake (RFC 6455, 4.2). Returns the link, and whether it is of the second format.
    fn greet(&self, mut stream: TcpStream) -> Result<(WebSocket<TcpStream>, bool), &'static str> {
        let head = read_head(&mut stream)?;
        let fields = |name: &str| {
            let all = head.lines().skip(1).filter_map(|line| line.split_once(':'));
            let own = all.filter(|(field, _)| field.eq_ignore_ascii_case(name));
            own.map(|(_, value)| value.trim().to_owned()).collect::<Vec<_>>()
        };
        let target = head.split(' ').nth(1).unwrap_or_default();
        if target.split('?').next() != Some("/ws") {
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
            return Err("its address must end in /ws");
        }
        let bearer = fields("Authorization").iter().any(|value| {
            value.split_once(' ').is_some_and(|(_, shown)| self.key.matches(shown.trim().as_bytes()))
        });
        if !bearer && !key_in_query(target).is_some_and(|shown| self.key.matches(&shown)) {
            let _ = stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
            return Err("its key is not the one above");
        }
        let Some(nonce) = fields("Sec-WebSocket-Key").pop() else {
            let _ = stream.write_all(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n");
            return Err("it asks for no WebSocket");
        };
        let offered = fields("Sec-WebSocket-Protocol").join(",");
        let is_second = offered.split(',').any(|name| name.trim() == PROTOCOL);
        let protocol =
            if is_second { format!("Sec-WebSocket-Protocol: {PROTOCOL}\r\n") } else { String::new() };
        let accept = accept_of(&nonce);
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{protocol}\r\n"
        );
        stream.write_all(answer.as_bytes()).map_err(|_| BROKEN)?;
        let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
        if is_second {
            socket.send(Message::text(second::time(self.now()))).map_err(|_| BROKEN)?;
        }
        Ok((socket, is_second))
    }
}

/// Milliseconds by which the relay that this plays falls behind.
const FALLEN_BEHIND: u64 = 60_000;

const BROKEN: &str = "its connection broke";

/// Reads the head of a request.
fn read_head(stream: &mut TcpStream) -> Result<String, &'static str> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).map_err(|_| BROKEN)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if head.len() >= MAX_HANDSHAKE || stream.read(&mut byte).map_err(|_| BROKEN)? == 0 {
            return Err("it sent no whole request");
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).map_err(|_| "its request is no ASCII")
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
