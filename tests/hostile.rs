//! What is thrown at the relay from its own network, where no proxy stands in front. In every case an
//! honest client is served meanwhile by the same process. The long cases are in tests/soak.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::{Agent, Http, KEY, PATIENCE, Relay, said, turn, until};
use serde_json::{Value, json};

/// An agent that echoes, and a check that an honest client is served.
struct Served {
    relay: Relay,
}

impl Served {
    fn start() -> Self {
        let relay = Relay::start(&[]);
        relay.agent().echo_for_ever("");
        Self { relay }
    }

    /// Turns of 300 bytes and of 1.6 KB, and `/health`, each on a fresh connection.
    fn check(&self) {
        let short = json!({ "session": {}, "request": { "command": "коротко ".repeat(15).trim() } });
        assert_eq!(said(&self.relay.turn(&short)), "коротко ".repeat(15).trim());
        let long = "длинно ".repeat(28);
        assert_eq!(self.relay.say(&long), long.trim());
        assert_eq!(self.relay.get("/health").body, r#"{"status":"ok","agent_connected":true}"#);
    }
}

/// Waits for the end of a connection, whatever comes before it.
fn is_cut(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    match stream.read_to_end(&mut Vec::new()) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
}

/// Sends `piece` again and again, up to `total` bytes, until the relay has ended the connection.
fn is_cut_while_sending(mut stream: &TcpStream, piece: &[u8], total: usize) {
    stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    stream.set_nonblocking(false).unwrap();
    for _ in 0..total / piece.len() {
        // A write may wait for ever for room that a closed connection no longer makes.
        let written = stream.write_all(piece);
        if written.as_ref().is_err_and(|error| error.kind() != ErrorKind::WouldBlock) {
            return;
        }
        stream.set_nonblocking(true).unwrap();
        let peeked = stream.peek(&mut [0]);
        stream.set_nonblocking(false).unwrap();
        match peeked {
            Ok(0) => return,
            Err(error) if error.kind() != ErrorKind::WouldBlock => return,
            // A refusal.
            Ok(_) => return is_cut(&mut stream.try_clone().unwrap()),
            Err(_) => {}
        }
    }
    panic!("{total} bytes were taken");
}

#[test]
fn whoever_sends_nothing_half_a_head_or_half_a_body_is_cut() {
    let served = Served::start();
    let address = served.relay.address();
    let beginnings = ["", "G", "GET /health HTTP/1.1\r\nHost: r", "GET /health HTTP/1.1\r\nA: b\r\n"];
    let mut halves: Vec<_> = beginnings
        .iter()
        .map(|beginning| {
            let mut http = Http::connect(address);
            http.send(beginning);
            http.stream
        })
        .collect();
    let mut after_a_request = served.relay.http();
    after_a_request.send("GET /health HTTP/1.1\r\nHost: r\r\n\r\n");
    assert_eq!(after_a_request.response().status, 200);
    // Later than the answer by more than the kernel's clock can be off.
    std::thread::sleep(Duration::from_millis(50));
    after_a_request.send("GET /hea");
    halves.push(after_a_request.stream);
    served.check();
    halves.iter_mut().for_each(is_cut);
    served.check();
}

#[test]
fn half_a_body_is_408_in_the_end_and_nobody_waits_for_it() {
    let relay = Relay::start(&[]);
    let mut half = relay.http();
    half.send("POST /alice/webhook HTTP/1.1\r\nHost: r\r\nContent-Length: 2000\r\n\r\n{");
    let mut others: Vec<_> = (0..50).map(|_| relay.http()).collect();
    for other in &mut others {
        other.send("POST /alice/webhook HTTP/1.1\r\nHost: r\r\nContent-Length: 2000\r\n\r\n{");
    }
    for _ in 0..20 {
        assert_eq!(relay.get("/health").status, 200);
    }
    assert_eq!(half.response().status, 408);
    assert!(half.ends());
}

#[test]
fn half_bodies_by_the_hundred_have_their_time_and_delay_nobody() {
    let relay = Relay::start(&[]);
    let mut halves: Vec<_> = (0..300).map(|_| relay.http()).collect();
    for half in &mut halves {
        half.send("POST /alice/webhook HTTP/1.1\r\nHost: r\r\nContent-Length: 60000\r\n\r\n{");
        assert_eq!(relay.get("/health").status, 200);
    }
    for half in &mut halves {
        assert_eq!(half.response().status, 408);
        assert!(half.ends());
    }
}

#[test]
fn when_all_buffers_together_are_full_the_longest_waiting_of_theirs_is_cut() {
    let served = Served::start();
    let mut halves: Vec<_> = (0..240).map(|_| served.relay.http()).collect();
    let body = " ".repeat(60_000);
    for half in &mut halves {
        // It may be cut while it sends.
        let head = "POST /alice/webhook HTTP/1.1\r\nHost: r\r\nContent-Length: 65536\r\n\r\n";
        let _ = half
            .stream
            .write_all(head.as_bytes())
            .and_then(|()| half.stream.write_all(body.as_bytes()));
    }
    // 12 MiB are 209 of them.
    for half in &mut halves[..25] {
        is_cut(&mut half.stream);
    }
    served.check();
    let last = halves.last_mut().unwrap();
    last.send(" ".repeat(65536 - 60_000));
    assert_eq!(last.response().status, 400, "the newest was cut");
    let peak = served.relay.figure("VmHWM");
    assert!(peak < 40 * 1024, "{peak} kB at the peak");
}

#[test]
fn who_pipelines_and_reads_the_answers_costs_no_memory() {
    for connections in [1, 8, 64] {
        let served = Served::start();
        let address = served.relay.address();
        let is_over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let floods: Vec<_> = (0..connections)
            .map(|_| {
                let is_over = is_over.clone();
                std::thread::spawn(move || {
                    let mut http = Http::connect(address);
                    let requests = "GET /x HTTP/1.1\r\nHost: r\r\n\r\n".repeat(100);
                    while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                        http.send(&requests);
                        (0..100).for_each(|_| assert_eq!(http.response().status, 404));
                    }
                })
            })
            .collect();
        (0..20).for_each(|_| served.check());
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        floods.into_iter().for_each(|flood| flood.join().expect("each request has its answer"));
        let peak = served.relay.figure("VmHWM");
        assert!(peak < 20 * 1024, "{peak} kB at the peak with {connections}");
    }
}

#[test]
fn a_byte_now_and_then_gains_no_time() {
    let served = Served::start();
    let mut stream = TcpStream::connect(served.relay.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nX: ").unwrap();
    // Each wait for an answer that doesn't come is the time between two bytes.
    let cut = (0..200).any(|_| {
        let over = |error: &std::io::Error| error.kind() != ErrorKind::WouldBlock;
        stream.write_all(b"a").is_err()
            || stream.read(&mut [0; 1]).map_or_else(|error| over(&error), |taken| taken == 0)
    });
    assert!(cut, "20 s of single bytes were waited for");
    served.check();
}

#[test]
fn when_room_is_needed_the_longest_waiting_connections_go_first() {
    let served = Served::start();
    let mut first = TcpStream::connect(served.relay.address()).unwrap();
    let mut crowd = Vec::new();
    for _ in 0..6 {
        crowd.extend((0..100).map(|_| TcpStream::connect(served.relay.address()).unwrap()));
        served.check();
    }
    let threads = served.relay.figure("Threads");
    is_cut(&mut first);
    until("no more than 512 wait", || served.relay.figure("Threads") < 560);
    assert!(threads < 800, "{threads} threads");
    let mut last = crowd.pop().unwrap();
    last.write_all(b"GET /health HTTP/1.1\r\nHost: r\r\n\r\n").unwrap();
    last.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(last.read(&mut [0; 100]).unwrap() > 0, "the newest was cut");
    served.check();
}

#[test]
fn a_head_without_end_is_cut_before_it_fills_the_memory() {
    let served = Served::start();
    for (beginning, piece) in [
        ("GET /health HTTP/1.1\r\nX: ", "a".repeat(64 * 1024)),
        ("GET /health HTTP/1.1\r\n", "X: y\r\n".repeat(10_000)),
        ("GET /", "a".repeat(64 * 1024)),
    ] {
        let mut stream = TcpStream::connect(served.relay.address()).unwrap();
        stream.write_all(beginning.as_bytes()).unwrap();
        is_cut_while_sending(&stream, piece.as_bytes(), 200 << 20);
        served.check();
    }
    let peak = served.relay.figure("VmHWM");
    assert!(peak < 96 * 1024, "{peak} kB at the peak");
}

#[test]
fn lengths_that_no_memory_has_harm_nobody() {
    let served = Served::start();
    for length in ["1000000000000", "18446744073709551615", "9223372036854775808", "1000000000"] {
        for field in ["", "Expect: 100-continue\r\n", "Connection: upgrade\r\n"] {
            let mut http = served.relay.http();
            http.send(format!(
                "POST /alice/webhook HTTP/1.1\r\nHost: r\r\n{field}Content-Length: {length}\r\n\r\n{{"
            ));
            assert_eq!(http.response().status, 413, "{length} {field}");
            assert!(http.ends());
            served.check();
        }
    }
}

#[test]
fn who_gets_the_port_of_a_connection_that_was_cut_is_served() {
    let served = Served::start();
    let mut port = 0;
    for request in [
        "POST /alice/webhook HTTP/1.1\r\nHost: r\r\nContent-Length: +2\r\n\r\n{}",
        "GET /health HTTP/1.1\r\nHost: r\r\n\r\n",
    ] {
        let mut stream = connect_from(port, served.relay.address());
        port = stream.local_addr().unwrap().port();
        stream.write_all(request.as_bytes()).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        let expected = if request.starts_with("GET") { b"HTTP/1.1 200" } else { b"HTTP/1.1 400" };
        assert_eq!(&status, expected);
        // The relay closes a refused connection; the other is closed by its end.
        if !request.starts_with("GET") {
            is_cut(&mut stream);
        }
    }
}

/// Connects from this port of the loopback's; 0 picks one.
fn connect_from(port: u16, to: std::net::SocketAddr) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket, sockopt};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    sockopt::set_socket_reuseaddr(&socket, true).unwrap();
    bind(&socket, &std::net::SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
    connect(&socket, &to).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Ends a connection by a reset.
fn reset(stream: TcpStream) {
    let at_once = Some(Duration::ZERO);
    rustix::net::sockopt::set_socket_linger(&stream, at_once).unwrap();
}

#[test]
fn who_gets_the_port_of_a_connection_that_was_reset_while_its_turn_waits_is_another_connection() {
    let relay = Relay::start(&[("REPLY_TIMEOUT_MS", "3000")]);
    let mut agent = relay.agent();
    for body in ["коротко".to_owned(), "длинно ".repeat(200)] {
        let mut first = connect_from(0, relay.address());
        let port = first.local_addr().unwrap().port();
        let turn = turn(body.trim()).to_string();
        let head = format!(
            "POST /alice/webhook HTTP/1.1\r\nHost: r\r\nContent-Length: {}\r\n\r\n",
            turn.len()
        );
        first.write_all(format!("{head}{turn}").as_bytes()).unwrap();
        let (id, _) = agent.command();
        reset(first);
        let mut second = Http::over(connect_from(port, relay.address()));
        for _ in 0..2 {
            second.send("GET /health HTTP/1.1\r\nHost: r\r\n\r\n");
            assert_eq!(second.response().status, 200, "it does not wait for the other's turn");
        }
        agent.answer(&id, "никому");
        relay.line("answered after");
        for _ in 0..20 {
            second.send("GET /health HTTP/1.1\r\nHost: r\r\n\r\n");
            assert_eq!(second.response().status, 200, "it is not cut with the other");
        }
    }
}

#[test]
fn early_resets_disturb_nobody() {
    let mut relay = Relay::start(&[]);
    for _ in 0..3000 {
        let mut stream = TcpStream::connect(relay.address()).unwrap();
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: r\r\n\r\n").unwrap();
        reset(stream);
    }
    assert_eq!(relay.get("/health").status, 200);
    assert_eq!(relay.stop().code(), Some(0));
    let log = relay.rest_of_log();
    assert!(log.lines().count() < 10, "{log}");
    assert!(!log.contains("ERROR"), "{log}");
}

#[test]
fn a_body_without_end_is_refused_and_not_read() {
    let served = Served::start();
    let mut stream = TcpStream::connect(served.relay.address()).unwrap();
    stream
        .write_all(b"POST /alice/webhook HTTP/1.1\r\nHost: r\r\nContent-Length: 100000000000\r\n\r\n")
        .unwrap();
    is_cut_while_sending(&stream, &vec![b' '; 1 << 20], 100 << 30);
    served.check();
    let mut chunks = TcpStream::connect(served.relay.address()).unwrap();
    chunks
        .write_all(b"POST /alice/webhook HTTP/1.1\r\nHost: r\r\nTransfer-Encoding: chunked\r\n\r\n")
        .unwrap();
    is_cut_while_sending(&chunks, &vec![b'1'; 1 << 20], 100 << 30);
    served.check();
}

#[test]
fn connections_that_ask_to_upgrade_hold_nothing() {
    let served = Served::start();
    let body = turn("помощь").to_string();
    let mut crowd = Vec::new();
    for _ in 0..10 {
        for _ in 0..50 {
            let mut http = served.relay.http();
            http.send(format!(
                "POST /alice/webhook HTTP/1.1\r\nHost: r\r\nConnection: upgrade\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ));
            crowd.push(http);
        }
        served.check();
    }
    for http in &mut crowd {
        assert_eq!(http.response().status, 200);
        assert!(http.ends());
    }
}

#[test]
fn a_json_corpus_is_answered_or_refused_and_never_worse() {
    let served = Served::start();
    let mut http = served.relay.http();
    for (body, valid) in corpus() {
        let length = body.len();
        http.send(format!(
            "POST /alice/webhook HTTP/1.1\r\nHost: r\r\nContent-Length: {length}\r\n\r\n"
        ));
        http.send(&body);
        let response = http.response();
        let shown = String::from_utf8_lossy(&body[..length.min(80)]).into_owned();
        match valid {
            Some(true) => assert_eq!(response.status, 200, "{shown}: {response:?}"),
            Some(false) => assert_eq!(response.status, 400, "{shown}: {response:?}"),
            None => assert!([200, 400].contains(&response.status), "{shown}: {response:?}"),
        }
    }
    served.check();
}

#[test]
fn the_same_corpus_from_the_agent_leaves_the_link_as_it_is() {
    let relay = Relay::start(&[]);
    let mut agent = relay.agent();
    for (message, _) in corpus() {
        match String::from_utf8(message) {
            Ok(text) => agent.send(text),
            Err(error) => agent.send(error.into_bytes()),
        }
    }
    let mut http = relay.http();
    http.send_post(&turn("ещё тут?").to_string());
    agent.echo("");
    assert_eq!(said(&http.response().json()), "ещё тут?");
}

/// Bodies, and whether they are turns; none where either is right.
fn corpus() -> Vec<(Vec<u8>, Option<bool>)> {
    let mut cases: Vec<(Vec<u8>, Option<bool>)> = Vec::new();
    let mut add = |body: &[u8], valid| cases.push((body.to_vec(), valid));
    let with = |value: &str| format!(r#"{{"session":{{}},"request":{{}},"x":{value}}}"#).into_bytes();
    // As the value of a field that nobody reads.
    for value in [
        "0",
        "-0",
        "1e308",
        "1e400",
        "-1E-400",
        "0.1",
        "123456789012345678901234567890",
        "1e5",
        "true",
        "null",
        "\"\"",
        "\"\\u0000\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\ud83d\\ude00\"",
        "\"😀\"",
        "\"é\"",
        "[]",
        "{}",
        "[[],[[]]]",
        "{\"a\":{\"a\":{}}}",
        "[1,2,3]",
        "\"\u{7f}\"",
        "\"\u{2028}\"",
        "[ ]",
        "{ }",
        "\"/\"",
        "{\"\":0}",
        "{\"a\":1,\"a\":2}",
        "[0]",
        "[\"a\",null,1.5,{\"b\":[]}]",
        "\"\\u00e9\"",
        "\"\\uFFFF\"",
    ] {
        add(&with(value), Some(true));
    }
    for value in [
        "01",
        "+1",
        ".5",
        "1.",
        "1e",
        "1e+",
        "0x10",
        "NaN",
        "Infinity",
        "-",
        "--1",
        "1_000",
        "tru",
        "nul",
        "TRUE",
        "'a'",
        "\"",
        "\"a",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u123g\"",
        "\"\n\"",
        "\"\t\"",
        "\"\u{0}\"",
        "\"\u{1f}\"",
        "[",
        "]",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "}",
        "{1:2}",
        "{a:1}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "[1}",
        "/**/1",
        "1//",
        "#1",
        "",
        " ",
        "undefined",
        "\\u0031",
        "1;",
        "`a`",
        "<a/>",
        "\u{feff}1",
        "٣",
        "\u{a0}1",
        "[\"a\",]",
        "{,}",
        "[:]",
        "{\"a\"::1}",
        "1 1",
        "\"a\"b",
    ] {
        add(&with(value), Some(false));
    }
    for surrogate in
        ["\"\\ud800\"", "\"\\udc00\"", "\"\\ud800a\"", "\"\\ude00\\ud83d\"", "\"\\ud83d\\u0041\""]
    {
        add(&with(surrogate), None);
        let command = format!(r#"{{"session":{{}},"request":{{"command":{surrogate}}}}}"#);
        add(command.as_bytes(), None);
    }
    // Nested, up to what 64 KiB hold.
    for depth in [1, 10, 100, 126, 127, 128, 129, 500, 1000, 10_000, 30_000] {
        add(&with(&("[".repeat(depth) + &"]".repeat(depth))), None);
        add(&with(&"[".repeat(depth)), Some(false));
        add("[".repeat(depth).as_bytes(), Some(false));
        add(&with(&("{\"a\":".repeat(depth.min(10_000)) + "1" + &"}".repeat(depth.min(10_000)))), None);
    }
    // Not a turn.
    for body in [
        "",
        " ",
        "null",
        "0",
        "\"\"",
        "[]",
        "{}",
        "[{}]",
        "true",
        "{\"session\":{}}",
        "{\"request\":{}}",
    ] {
        add(body.as_bytes(), Some(false));
    }
    for body in [
        r#"{"session":1,"request":{}}"#,
        r#"{"session":"","request":{}}"#,
        r#"{"session":null,"request":{}}"#,
        r#"{"session":{},"request":1}"#,
        r#"{"session":{},"request":null}"#,
        r#"{"session":{"new":1},"request":{}}"#,
        r#"{"session":{"new":"true"},"request":{}}"#,
        r#"{"session":{},"request":{"command":1}}"#,
        r#"{"session":{},"request":{"command":[]}}"#,
        r#"{"session":{},"request":{"original_utterance":{}}}"#,
        r#"{"session":{},"request":{},"version":1}"#,
        r#"{"session":{},"request":{}}{}"#,
        r#"{"session":{},"request":{}},"#,
        r#"{"Session":{},"Request":{}}"#,
        r#"{"session":{},"session":{},"request":{}}"#,
    ] {
        add(body.as_bytes(), Some(false));
    }
    for body in [
        r#"{"session":{},"request":{}}"#,
        " \t\r\n{\"session\":{},\"request\":{}}\r\n",
        r#"{"request":{},"session":{},"version":null}"#,
        r#"{"session":{"new":null},"request":{"command":null}}"#,
        r#"{"session":{},"account_linking_complete_event":{}}"#,
        r#"{"session":{},"account_linking_complete_event":{},"request":null}"#,
        r#"{"session":{},"request":{"command":"\u0000"}}"#,
        r#"{"session":{},"request":{"command":"\ud83d\ude00"}}"#,
        r#"{"session":{},"request":{"command":"Ω≈ç√∫˜µ≤≥÷"}}"#,
        r#"{"s\u0065ssion":{},"request":{}}"#,
    ] {
        add(body.as_bytes(), Some(true));
    }
    // Not UTF-8, other encodings, byte order marks.
    for bytes in [
        &b"\xff"[..],
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf5\x80\x80\x80",
        b"\xe2\x82",
        b"\x80",
        b"\xfe\xff\0{",
        b"{\0}\0",
        b"\0",
        b"\0\0\0\0",
        b"{\"session\":{},\"request\":{}}\0",
    ] {
        add(bytes, Some(false));
        let mut inside = br#"{"session":{},"request":{"command":""#.to_vec();
        inside.extend_from_slice(bytes);
        inside.extend_from_slice(br#""}}"#);
        add(&inside, None);
    }
    let whole = turn("громче на 10").to_string().into_bytes();
    add(&whole, Some(true));
    for end in (1..whole.len()).step_by(whole.len() / 40) {
        add(&whole[..end], Some(false));
    }
    assert!(cases.len() >= 200, "only {}", cases.len());
    cases
}

#[test]
fn an_agent_that_floods_or_answers_twice_disturbs_nobody() {
    let relay = Relay::start(&[("REPLY_TIMEOUT_MS", "30000")]);
    let mut agent = relay.agent();
    let mut http = relay.http();
    http.send_post(&turn("считай").to_string());
    let (id, _) = agent.command();
    for number in 0..50_000 {
        agent.answer(&format!("{number}"), "никому");
    }
    for _ in 0..100 {
        agent.answer(&id, "ответ");
    }
    assert_eq!(said(&http.response().json()), "ответ");
    http.send_post(&turn("ещё").to_string());
    agent.echo("");
    assert_eq!(said(&http.response().json()), "ещё");
}

#[test]
fn an_agent_that_announces_64_mib_or_sends_half_a_frame_costs_no_memory() {
    let relay = Relay::start(&[("HEARTBEAT_SECS", "1")]);
    let mut agent = relay.agent();
    let head = b"\x81\xff\0\0\0\0\x04\0\0\0\0\0\0\0";
    agent.socket.get_mut().write_all(head).unwrap();
    let piece = vec![b' '; 1 << 20];
    let _ = (0..64).any(|_| agent.socket.get_mut().write_all(&piece).is_err());
    relay.line("Agent disconnected");
    let mut half = relay.agent();
    half.socket.get_mut().write_all(b"\x81\xfe\xff\xff\0\0\0\0half").unwrap();
    let line = relay.line("Agent disconnected");
    assert!(line.contains("nothing came from it"), "{line}");
    assert!(!relay.agent_connected());
    assert!(relay.figure("VmHWM") < 32 * 1024);
}

#[test]
fn a_relay_that_was_killed_is_back_with_the_same_address() {
    let relay = Relay::start(&[]);
    let address = relay.address().to_string();
    let _agent = relay.agent().echo_for_ever("");
    let clients: Vec<_> = (0..20).map(|_| relay.http()).collect();
    drop(relay);
    let relay = Relay::start(&[("LISTEN_ADDR", &address)]);
    let _agent = relay.agent().echo_for_ever("");
    assert_eq!(relay.say("снова тут"), "снова тут");
    drop(clients);
}

#[test]
fn turns_are_answered_once_and_with_their_own_answers_while_agents_come_and_go() {
    let relay = Relay::start(&[]);
    let address = relay.address();
    let clients: Vec<_> = (0..16)
        .map(|client| {
            std::thread::spawn(move || {
                let mut http = Http::connect(address);
                let mut answered = 0;
                for number in 0..200 {
                    let command = format!("{client} {number}");
                    let reply: Value = http.post(&turn(&command).to_string()).json();
                    let said = said(&reply);
                    let polite = ["Связь", "Компьютер не на связи"].iter().any(|s| said.starts_with(s));
                    assert!(said == command || polite, "{command}: {said}");
                    answered += usize::from(said == command);
                }
                answered
            })
        })
        .collect();
    let agents = std::thread::spawn(move || {
        let mut agents = Vec::new();
        for _ in 0..20 {
            agents.push(Agent::connect(address, KEY).unwrap().echo_for_ever(""));
        }
        agents
    });
    let answered: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
    assert!(answered > 0);
    drop(relay);
    agents.join().unwrap().into_iter().for_each(|agent| agent.join().unwrap());
}

#[test]
fn who_brings_bytes_that_are_no_request_is_told_of_with_the_likely_causes() {
    let relay = Relay::start(&[]);
    // The beginning of what a proxy sends whose scheme is https.
    let mut tls = TcpStream::connect(relay.address()).unwrap();
    tls.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").unwrap();
    let silent = TcpStream::connect(relay.address()).unwrap();
    let line = relay.line("sent data that is not HTTP/1.1");
    assert!(line.contains("A connection from 127.0.0.1 ") && line.contains("https"), "{line}");
    drop(silent);
}
