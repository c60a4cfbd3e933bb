//! `cargo bench`: what the relay adds to a spoken command, and what it costs.
//!
//! Turn to answer at 1, 8 and 64 clients, in turns with a floor: the same sockets and wake-ups with no
//! parsing at all. Times on one machine drift; ratios within one run hold. Then start, memory, idle CPU
//! and size. Nothing is reported when an answer was wrong or missing.
//!
//! ROUNDS (5), SECONDS of each measurement (2) and IDLE_SECONDS (60) can be set in the environment.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::Message;
use tungstenite::client::IntoClientRequest;

const KEY: &str = "a-key-for-the-benchmark";
const CLIENTS: [usize; 3] = [1, 8, 64];

/// Bytes of the floor's messages: about those of a turn, a command, an answer and a reply.
const TURN: usize = 1400;
const COMMAND: usize = 100;
const REPLY: usize = 300;

/// Turns after which memory is read, as many as half a century of daily use.
const MANY: usize = 300_000;

fn main() {
    let setting = |name: &str, default: u64| {
        std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    let (rounds, idle) = (setting("ROUNDS", 5), setting("IDLE_SECONDS", 60));
    let length = Duration::from_secs(setting("SECONDS", 2));
    let mut measured: HashMap<(&str, usize), Vec<Figures>> = HashMap::new();

    let relay = Relay::start();
    let agent = agent(relay.address);
    for round in 1..=rounds {
        for clients in CLIENTS {
            progress(&format!("round {round} of {rounds}: {clients} clients"));
            let figures = load(clients, length, |client| relay_client(relay.address, client));
            measured.entry(("relay", clients)).or_default().push(figures);
            let (floor, stop) = floor();
            let figures = load(clients, length, |_| floor_client(floor));
            stop();
            measured.entry(("floor", clients)).or_default().push(figures);
        }
    }
    drop(relay);
    agent.join().expect("the agent failed");

    let mut report = String::new();
    let _ = writeln!(
        report,
        "{:8}{:>8}{:>9}{:>9}{:>9}{:>10}{:>11}",
        "", "clients", "p50 µs", "p99 µs", "p99.9 µs", "worst ms", "turns/s"
    );
    let mut plotted = Vec::new();
    for clients in CLIENTS {
        for who in ["relay", "floor"] {
            let all = &measured[&(who, clients)];
            let median = |figure: fn(&Figures) -> f64| {
                let mut values: Vec<f64> = all.iter().map(figure).collect();
                values.sort_by(f64::total_cmp);
                values[values.len() / 2]
            };
            let worst = all.iter().map(|figures| figures.worst).fold(0.0, f64::max) / 1000.0;
            let (p50, p99) = (median(|f| f.p50), median(|f| f.p99));
            let (p999, rate) = (median(|f| f.p999), median(|f| f.rate));
            let _ = writeln!(
                report,
                "{who:8}{clients:>8}{p50:>9.0}{p99:>9.0}{p999:>9.0}{worst:>10.1}{rate:>11.0}"
            );
            plotted.push((who, clients, p50, p99));
        }
    }
    for pair in plotted.chunks(2) {
        let (relay, floor) = (pair[0], pair[1]);
        let _ = writeln!(report, "{} clients: p50 {:.2} times the floor", relay.1, relay.2 / floor.2);
    }
    costs(&mut report, idle);
    progress("");
    println!("\n{report}");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/roundtrip.svg");
    std::fs::write(path, plot(&plotted)).expect("docs/roundtrip.svg can't be written");
    println!("plotted in docs/roundtrip.svg");
}

/// Start, memory, idle CPU and size.
fn costs(report: &mut String, idle: u64) {
    progress("start to the first healthy answer, 20 times");
    let mut starts: Vec<f64> = (0..20)
        .map(|_| {
            let begun = Instant::now();
            let relay = Relay::start();
            get_health(relay.address);
            begun.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    starts.sort_by(f64::total_cmp);
    let _ = writeln!(report, "start to the first healthy answer: {:.1} ms", starts[10]);

    let relay = Relay::start();
    let agent = agent(relay.address);
    progress(&format!("idle for {idle} s"));
    let memory = relay.memory();
    let before = relay.cpu_seconds();
    sleep(Duration::from_secs(idle));
    let used = (relay.cpu_seconds() - before) / idle as f64 * 100.0;
    let _ = writeln!(report, "idle CPU with an agent, over {idle} s: {used:.3} % of one core");
    let _ = writeln!(report, "memory, idle with an agent: {:.2} MB", memory / 1e3);
    progress(&format!("{MANY} turns from 64 clients"));
    let mut turns = 0;
    while turns < MANY {
        let figures = load(64, Duration::from_secs(2), |client| relay_client(relay.address, client));
        turns += figures.turns;
    }
    let after = relay.memory();
    progress("30 s of rest");
    sleep(Duration::from_secs(30));
    let rested = relay.memory();
    let _ = writeln!(report, "memory, after {turns} turns from 64 clients: {:.2} MB", after / 1e3);
    let _ = writeln!(report, "memory, 30 s later: {:.2} MB", rested / 1e3);
    drop(relay);
    agent.join().expect("the agent failed");
    let size = std::fs::metadata(env!("CARGO_BIN_EXE_home-alice-relay")).expect("no binary").len();
    let _ = writeln!(report, "the binary: {:.2} MB", size as f64 / 1e6);
}

fn progress(what: &str) {
    eprint!("\r\u{1b}[K{what}");
}

/// The relay's own program.
struct Relay {
    child: Child,
    address: SocketAddr,
}

impl Relay {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_home-alice-relay"))
            .env_clear()
            .envs([("API_KEY", KEY), ("LISTEN_ADDR", "127.0.0.1:0")])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the relay can't be run");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let started = lines
            .find_map(|line| Some(line.ok()?.split_once("started on ")?.1.to_owned()))
            .expect("the relay did not start");
        spawn(move || lines.for_each(drop));
        Self { child, address: started.parse().expect("an address") }
    }

    /// Resident memory in kB.
    fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("the relay has ended");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a figure");
        line.trim().split(' ').next().and_then(|kb| kb.parse().ok()).expect("a number")
    }

    fn cpu_seconds(&self) -> f64 {
        let schedstat = |path: std::path::PathBuf| {
            let text = std::fs::read_to_string(path.join("schedstat")).unwrap_or_default();
            text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
        };
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        tasks.expect("the relay has ended").filter_map(|task| Some(schedstat(task.ok()?.path()))).sum()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("nobody listens");
    stream.set_nodelay(true).expect("a socket");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
    stream
}

fn get_health(address: SocketAddr) {
    let mut stream = connect(address);
    stream
        .write_all(b"GET /health HTTP/1.1\r\nHost: r\r\nConnection: close\r\n\r\n")
        .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains("\"status\":\"ok\""), "{answer}");
}

/// An agent that answers at once, until the relay ends.
fn agent(address: SocketAddr) -> JoinHandle<()> {
    let stream = connect(address);
    stream.set_read_timeout(None).expect("a socket");
    let mut request = format!("ws://{address}/ws").into_client_request().expect("a request");
    request.headers_mut().insert("Authorization", format!("Bearer {KEY}").parse().expect("a key"));
    let (mut socket, _) = tungstenite::client(request, stream).expect("the agent was not let in");
    let agent = spawn(move || {
        while let Ok(message) = socket.read() {
            if let Message::Text(text) = message {
                let command: Value = serde_json::from_str(&text).expect("a command");
                let text = format!("ок {}", command["text"].as_str().expect("a text"));
                let answer = json!({ "id": command["id"], "text": text }).to_string();
                if socket.send(answer.into()).is_err() {
                    return;
                }
            }
        }
    });
    // The relay knows its agent once a command is answered.
    let mut ask = relay_client(address, usize::MAX);
    let end = Instant::now() + Duration::from_secs(5);
    while !ask() {
        assert!(Instant::now() < end, "the agent is not known");
    }
    agent
}

/// A client of the relay: each call is one turn, and whether its answer was right.
fn relay_client(address: SocketAddr, client: usize) -> impl FnMut() -> bool {
    let mut stream = connect(address);
    let mut turn = 0u64;
    let mut received = Vec::new();
    move || {
        turn += 1;
        let command = format!("системная информация {client} {turn}");
        let body = json!({
            "meta": { "locale": "ru-RU", "timezone": "Europe/Moscow", "interfaces": { "screen": {} } },
            "session": {
                "new": false, "message_id": turn, "session_id": "2eac4854-fce721f3-b845abba-20d60",
                "skill_id": "3ad36498-f5rd-4079-a14b-788652932056",
                "user": { "user_id": "6C91DA5198D1758C6A9F63A7C5CDDF09359F683B13A18A151FBF4C8B092BB0C2" },
                "application": {
                    "application_id": "47C73714B580ED2469056E71081159529FFC676A4E5B059D629A819E857DC2F8",
                },
            },
            "request": {
                "command": command, "original_utterance": command, "type": "SimpleUtterance",
                "nlu": { "tokens": ["системная", "информация"], "entities": [], "intents": {} },
            },
            "version": "1.0",
        })
        .to_string();
        let length = body.len();
        let head = "POST /alice/webhook HTTP/1.1\r\nHost: relay\r\nContent-Type: application/json\r\n";
        let request = format!("{head}Content-Length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).expect("a request");
        let answer = read_answer(&mut stream, &mut received);
        let reply: Value = serde_json::from_slice(&answer).unwrap_or_default();
        reply["response"]["text"] == format!("ок {command}")
    }
}

/// The body of the next HTTP answer.
fn read_answer(stream: &mut TcpStream, received: &mut Vec<u8>) -> Vec<u8> {
    received.clear();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&received[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.and_then(|n| n.parse().ok()).expect("a length");
            if received.len() >= end + 4 + length {
                return received[end + 4..end + 4 + length].to_vec();
            }
        }
        let taken = stream.read(&mut buffer).expect("an answer");
        assert!(taken > 0, "the relay closed the connection");
        received.extend_from_slice(&buffer[..taken]);
    }
}

/// The floor: where it listens, and how to stop it. Whoever connects first is its agent.
fn floor() -> (SocketAddr, impl FnOnce()) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut agent_end = connect(address);
    let (agent, _) = listener.accept().expect("the agent");
    agent.set_nodelay(true).expect("a socket");
    spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(taken @ 1..) = agent_end.read(&mut buffer) {
            if agent_end.write_all(&buffer[..taken]).is_err() {
                return;
            }
        }
    });
    let clients: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    let answers = clients.clone();
    let mut from_agent = agent.try_clone().expect("a socket");
    spawn(move || {
        let mut command = [0; COMMAND];
        while from_agent.read_exact(&mut command).is_ok() {
            let client = u32::from_le_bytes([command[0], command[1], command[2], command[3]]);
            let mut clients = answers.lock().expect("no panic");
            if clients[client as usize].write_all(&[b'r'; REPLY]).is_err() {
                return;
            }
        }
    });
    let to_agent = Arc::new(Mutex::new(agent));
    let agent = to_agent.clone();
    let stopping = Arc::new(AtomicBool::new(false));
    let stopped = stopping.clone();
    spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            if stopped.load(Relaxed) {
                return;
            }
            client.set_nodelay(true).expect("a socket");
            let mut all = clients.lock().expect("no panic");
            let number = u32::try_from(all.len()).expect("few clients");
            all.push(client.try_clone().expect("a socket"));
            drop(all);
            let (mut client, to_agent) = (client, to_agent.clone());
            spawn(move || {
                let (mut turn, mut command) = ([0; TURN], [0; COMMAND]);
                command[..4].copy_from_slice(&number.to_le_bytes());
                while client.read_exact(&mut turn).is_ok() {
                    if to_agent.lock().expect("no panic").write_all(&command).is_err() {
                        return;
                    }
                }
            });
        }
    });
    let stop = move || {
        stopping.store(true, Relaxed);
        drop(TcpStream::connect(address));
        let _ = agent.lock().expect("no panic").shutdown(std::net::Shutdown::Both);
    };
    (address, stop)
}

fn floor_client(address: SocketAddr) -> impl FnMut() -> bool {
    let mut stream = connect(address);
    move || {
        stream.write_all(&[b'q'; TURN]).expect("a turn");
        let mut reply = [0; REPLY];
        stream.read_exact(&mut reply).is_ok_and(|()| reply == [b'r'; REPLY])
    }
}

/// Microseconds, and turns a second.
struct Figures {
    p50: f64,
    p99: f64,
    p999: f64,
    worst: f64,
    rate: f64,
    turns: usize,
}

/// Lets so many clients take turns for a while.
fn load<C: FnMut() -> bool + Send + 'static>(
    clients: usize,
    length: Duration,
    make: impl Fn(usize) -> C,
) -> Figures {
    let stop = Arc::new(AtomicBool::new(false));
    let all: Vec<_> = (0..clients)
        .map(|client| {
            let (mut turn, stop) = (make(client), stop.clone());
            spawn(move || {
                let mut times = Vec::new();
                while !stop.load(Relaxed) {
                    let begun = Instant::now();
                    assert!(turn(), "a wrong answer: there is nothing to report");
                    times.push(begun.elapsed().as_secs_f64() * 1e6);
                }
                times
            })
        })
        .collect();
    sleep(length);
    stop.store(true, Relaxed);
    let mut times = Vec::new();
    for client in all {
        match client.join() {
            Ok(its) => times.extend(its),
            Err(_) => std::process::exit(1),
        }
    }
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    Figures {
        p50: at(0.5),
        p99: at(0.99),
        p999: at(0.999),
        worst: at(1.0),
        rate: times.len() as f64 / length.as_secs_f64(),
        turns: times.len(),
    }
}

/// Bars for p50 and p99, on a logarithmic scale.
fn plot(figures: &[(&str, usize, f64, f64)]) -> String {
    const LEFT: f64 = 60.0;
    const TOP: f64 = 40.0;
    const HEIGHT: f64 = 240.0;
    let y = |microseconds: f64| TOP + HEIGHT - (microseconds.max(10.0) / 10.0).log10() / 4.0 * HEIGHT;
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"640\" height=\"340\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"640\" height=\"340\" fill=\"white\"/>\n\
         <text x=\"60\" y=\"22\" font-size=\"14\">Turn to answer: p50 (solid) and p99 (light), µs</text>\n",
    );
    for tick in [10.0, 100.0, 1000.0, 10_000.0, 100_000.0f64] {
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {y:.1}H620\" stroke=\"#ddd\"/><text x=\"54\" y=\"{t:.1}\" \
             text-anchor=\"end\">{tick:.0}</text>",
            y = y(tick),
            t = y(tick) + 4.0
        );
    }
    for (number, (who, clients, p50, p99)) in figures.iter().enumerate() {
        let x = LEFT + 25.0 + number as f64 * 80.0 + (number / 2) as f64 * 20.0;
        let color = if *who == "relay" { "#2a6fbb" } else { "#888888" };
        for (value, opacity, width) in [(p99, 0.35, 56.0), (p50, 1.0, 56.0)] {
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.0}\" y=\"{y:.1}\" width=\"{width}\" height=\"{h:.1}\" fill=\"{color}\" \
                 fill-opacity=\"{opacity}\"/>",
                y = y(*value),
                h = TOP + HEIGHT - y(*value)
            );
        }
        let middle = x + 28.0;
        let _ = writeln!(
            svg,
            "<text x=\"{middle:.0}\" y=\"{:.1}\" text-anchor=\"middle\">{p99:.0}</text>\
             <text x=\"{middle:.0}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"white\">{p50:.0}</text>\
             <text x=\"{middle:.0}\" y=\"298\" text-anchor=\"middle\">{who}</text>\
             <text x=\"{middle:.0}\" y=\"314\" text-anchor=\"middle\">{clients} cl.</text>",
            y(*p99) - 4.0,
            y(*p50) + 14.0
        );
    }
    svg.push_str("</svg>\n");
    svg
}
