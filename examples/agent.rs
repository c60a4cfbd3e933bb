//! A small real agent: connects to the relay, carries out commands, answers. Made to be copied.
//!
//! ```text
//! RELAY_URL=ws://127.0.0.1:8080/ws API_KEY=… cargo run --example agent
//! ```
//!
//! It speaks protocol v2 (docs/agents.md). One thread reads, and so answers the relay's pings at once, however long a command takes; another
//! carries the commands out, one after another. It speaks plain `ws://`; `wss://` needs a TLS stream in
//! `Line` that one thread can read while another writes.

use std::collections::VecDeque;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::panic::catch_unwind;
use std::sync::mpsc::{Receiver, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, Weak};
use std::thread::{Builder, sleep};
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket, client, protocol::Role};

/// How long to wait before connecting again, whatever ended the connection.
const RECONNECT_AFTER: Duration = Duration::from_secs(5);

/// The relay pings every 20 s; when nothing came for so long, the line is dead.
const SILENCE: Duration = Duration::from_secs(60);

/// Commands that may wait for the one at work; one more is refused at once.
const MAX_WAITING: usize = 64;

/// Times of the relay's that count: few enough for a clock that runs fast, and enough for one that was read after a sleep.
const TIMES_KEPT: usize = 2;

/// Held while a command is carried out: one of the last link may still be at work on the next.
static AT_WORK: Mutex<()> = Mutex::new(());

#[allow(dead_code, reason = "examples/demo.rs uses this file without it")]
fn main() {
    let url = std::env::var("RELAY_URL").unwrap_or_else(|_| "ws://127.0.0.1:8080/ws".into());
    let Ok(key) = std::env::var("API_KEY") else {
        eprintln!("set API_KEY to the relay's key");
        std::process::exit(2);
    };
    loop {
        match serve(&url, &key, || println!("connected to {url}")) {
            Ok(()) => println!("the relay closed the connection"),
            Err(error) => println!("no connection: {error}"),
        }
        sleep(RECONNECT_AFTER);
    }
}

/// Connects to the relay and answers commands until the connection ends.
pub fn serve(url: &str, key: &str, connected: impl FnOnce()) -> Result<(), Box<dyn Error>> {
    let mut request = url.into_client_request()?;
    let host = request.uri().authority().ok_or("the URL names no host")?.to_string();
    request.headers_mut().insert("Authorization", format!("Bearer {key}").parse()?);
    request.headers_mut().insert("Sec-WebSocket-Protocol", "home-alice.v2".parse()?);
    let stream = TcpStream::connect(if host.contains(':') { host } else { host + ":80" })?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    stream.set_nodelay(true)?;
    let line = Arc::new(Line(stream, Mutex::new(())));
    let (mut socket, _) = client(request, &*line).map_err(|error| error.to_string())?;
    let (queue, commands) = sync_channel(MAX_WAITING);
    // The line ends with this function, and the worker finds it gone.
    let link = Arc::downgrade(&line);
    Builder::new().name("worker".into()).spawn(move || work(&commands, &link))?;
    connected();
    // How far the relay's clock was ahead of ours whenever it told the time. One that was read late is too small.
    let mut offsets = VecDeque::with_capacity(TIMES_KEPT);
    loop {
        match socket.read() {
            Ok(Message::Text(message)) => {
                let command: Value = serde_json::from_str(&message)?;
                if command.get("id").is_none() {
                    offsets.truncate(TIMES_KEPT - 1);
                    offsets.push_front(
                        command["now"].as_i64().ok_or("a message without a time")? - counted(),
                    );
                    continue;
                }
                let offset = offsets.iter().max().ok_or("a command before the time")?;
                // Judged here, beside the work: a PC that has slept must not carry out what was given up.
                if command["until"].as_i64().is_some_and(|until| counted() + offset > until) {
                    let late = "Команда пришла слишком поздно и не выполнена.";
                    socket.send(answer(&command, false, late))?;
                    continue;
                }
                match queue.try_send(command) {
                    Ok(()) => {}
                    Err(TrySendError::Full(command)) => {
                        socket.send(answer(&command, false, "Слишком много команд сразу."))?;
                    }
                    Err(TrySendError::Disconnected(_)) => {
                        return Err("an answer was not taken".into());
                    }
                }
            }
            Ok(Message::Close(_)) => {
                // Confirms it. Should that fail, the link is over all the same.
                let _ = socket.flush();
                return Ok(());
            }
            // tungstenite answers the relay's pings by itself, at the next `read`.
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Milliseconds that a clock has counted which runs on in sleep, and which nobody can set. On Windows use `Instant`, which does the same.
#[cfg(target_os = "linux")]
fn counted() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}

/// Carries out one command after another. What still waits when the link ends is dropped: whoever said it
/// is told that it is lost, so it must not happen later.
fn work(commands: &Receiver<Value>, link: &Weak<Line>) {
    for command in commands {
        let at_work = AT_WORK.lock();
        if link.strong_count() == 0 {
            return;
        }
        let text = command["text"].as_str().unwrap_or_default();
        // A command that fails must not end the agent: don't build yours with panic = "abort".
        let (ok, said) = match catch_unwind(|| carry_out(text)) {
            Ok(said) => (true, said),
            Err(panic) => {
                let why = panic.downcast_ref::<String>().map(String::as_str);
                let why = why.or(panic.downcast_ref().copied()).unwrap_or("команда не удалась");
                (false, format!("Ошибка: {why}"))
            }
        };
        drop(at_work);
        let Some(line) = link.upgrade() else { return };
        let mut socket = WebSocket::from_raw_socket(&*line, Role::Client, None);
        if socket.send(answer(&command, ok, &said)).is_err() {
            return;
        }
    }
}

fn answer(command: &Value, ok: bool, text: &str) -> Message {
    json!({ "id": command["id"], "ok": ok, "text": text }).to_string().into()
}

/// The connection, shared by the WebSocket that reads and those that answer. The one that reads writes,
/// too (pongs, and the confirmation of a close), so frames go out whole, under one lock.
struct Line(TcpStream, Mutex<()>);

impl Read for &Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buffer)
    }
}

impl Write for &Line {
    fn write(&mut self, frames: &[u8]) -> io::Result<usize> {
        let _alone = self.1.lock();
        let sent = (&self.0).write_all(frames);
        // Half a frame may be out then: nothing may follow it, and the reader must find the end.
        sent.inspect_err(|_| self.0.shutdown(Shutdown::Both).unwrap_or_default())?;
        Ok(frames.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What this agent can do. Put your own commands here.
fn carry_out(command: &str) -> String {
    if command == "системная информация" {
        return system_information();
    }
    if let Some(name) = command.strip_prefix("разбуди ") {
        return wake(name);
    }
    // «думай 45» takes 45 s, to try what Alice says meanwhile.
    let seconds = command.strip_prefix("думай ").and_then(|word| word.parse::<u64>().ok());
    if let Some(seconds) = seconds.map(|seconds| seconds.min(120)) {
        sleep(Duration::from_secs(seconds));
        return format!("Думал {seconds} секунд.");
    }
    format!("Вы сказали: {command}")
}

/// Wakes another PC of the household: «разбуди ноутбук» sends a wake-on-LAN packet to the address that the
/// environment has for that word, as `WAKE="ноутбук=01:23:45:67:89:ab;сервер=…"`.
fn wake(name: &str) -> String {
    let known = std::env::var("WAKE").unwrap_or_default();
    let mut entries = known.split(';').filter_map(|entry| entry.split_once('='));
    let Some((_, address)) = entries.find(|(known, _)| known.trim() == name) else {
        return format!("Не знаю адреса, чтобы разбудить {name}.");
    };
    let bytes: Vec<u8> =
        address.trim().split([':', '-']).filter_map(|two| u8::from_str_radix(two, 16).ok()).collect();
    if bytes.len() != 6 {
        return format!("Адрес для слова {name} не похож на 01:23:45:67:89:ab.");
    }
    let packet = [[0xff; 6].to_vec(), bytes.repeat(16)].concat();
    // Port 9 is what sleeping network cards listen to, if anything looks at it; tests name another.
    let to = std::env::var("WAKE_TO").unwrap_or_else(|_| "255.255.255.255:9".into());
    let sent = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.set_broadcast(true)?;
        socket.send_to(&packet, &*to)
    });
    match sent {
        Ok(_) => format!("Бужу: {name}."),
        Err(error) => format!("Ошибка: пакет не отправлен, {error}"),
    }
}

fn system_information() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let number_behind = |name: &str, path: &str| -> f64 {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let behind = text.split_once(name).map_or("", |(_, behind)| behind);
        behind.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_default()
    };
    let megabytes = |name| number_behind(name, "/proc/meminfo") / 1024.0;
    let (all, free) = (megabytes("MemTotal:"), megabytes("MemAvailable:"));
    let hours = number_behind("", "/proc/uptime") / 3600.0;
    format!("Ядер: {cores}. Памяти свободно {free:.0} из {all:.0} мегабайт. Работает {hours:.1} ч.")
}
