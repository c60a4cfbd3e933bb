//! A small real agent: connects to the relay, carries out commands, answers. Made to be copied.
//!
//! ```text
//! RELAY_URL=ws://127.0.0.1:8080/ws API_KEY=… cargo run --example agent
//! ```
//!
//! It speaks plain `ws://`. For `wss://`, give tungstenite one of its TLS features and use
//! `tungstenite::connect`.

use std::error::Error;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, client};

/// How long to wait before connecting again, whatever ended the connection.
const RECONNECT_AFTER: Duration = Duration::from_secs(5);

/// The relay pings every 20 s; when nothing came for so long, the line is dead.
const SILENCE: Duration = Duration::from_secs(60);

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
    let stream = TcpStream::connect(if host.contains(':') { host } else { host + ":80" })?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_nodelay(true)?;
    let (mut socket, _) = client(request, stream)?;
    connected();
    loop {
        match socket.read() {
            Ok(Message::Text(message)) => {
                let command: Value = serde_json::from_str(&message)?;
                let text = carry_out(command["text"].as_str().unwrap_or_default());
                let answer = json!({ "id": command["id"], "text": text });
                socket.send(answer.to_string().into())?;
            }
            // tungstenite answers the relay's pings by itself.
            Ok(_) => {}
            Err(tungstenite::Error::ConnectionClosed) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// What this agent can do. Put your own commands here.
fn carry_out(command: &str) -> String {
    match command {
        "системная информация" => system_information(),
        other => format!("Вы сказали: {other}"),
    }
}

fn system_information() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let memory = read("/proc/meminfo");
    let megabytes = |name: &str| -> u64 {
        let line = memory.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().and_then(|kb| kb.parse().ok()).unwrap_or(0u64) / 1024
    };
    let (all, free) = (megabytes("MemTotal:"), megabytes("MemAvailable:"));
    let uptime = read("/proc/uptime");
    let seconds: f64 = uptime.split(' ').next().and_then(|s| s.parse().ok()).unwrap_or(0.0);
    let hours = seconds / 3600.0;
    format!("Ядер: {cores}. Памяти свободно {free} из {all} мегабайт. Работает {hours:.1} ч.")
}
