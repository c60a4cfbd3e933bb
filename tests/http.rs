//! HTTP: what is answered to what, and that nothing behind a doubtful request counts.

use std::time::{Duration, Instant};

use crate::support;
use crate::support::{Relay, turn};

#[test]
fn health_is_exactly_what_monitors_expect() {
    let relay = Relay::start(&[]);
    let response = relay.get("/health");
    assert_eq!(response.status, 200);
    assert_eq!(response.body, r#"{"status":"ok","agent_connected":false}"#);
    assert_eq!(response.field("Content-Type"), Some("application/json"));
    assert_eq!(response.field("Cache-Control"), Some("no-store"));
    let _agent = relay.agent();
    assert_eq!(relay.get("/health?x=1").body, r#"{"status":"ok","agent_connected":true}"#);

    let mut http = relay.http();
    http.send(
        "HEAD /health HTTP/1.1\r\nHost: relay\r\n\r\nGET /health HTTP/1.1\r\nHost: relay\r\n\r\n",
    );
    let head = http.head_response();
    assert_eq!((head.status, head.field("Content-Length")), (200, Some("38")));
    assert_eq!(http.response().status, 200);
}

#[test]
fn what_is_not_there_is_404_and_a_wrong_method_405() {
    let relay = Relay::start(&[]);
    for target in ["/", "/alice", "/alice/webhook/", "/healthz", "/WS"] {
        let response = relay.get(target);
        assert_eq!(response.status, 404, "{target}");
        assert!(response.json()["error"].is_string());
    }
    for (method, target, allow) in [
        ("GET", "/alice/webhook", "POST"),
        ("POST", "/health", "GET, HEAD"),
        ("POST", "/ws", "GET"),
        ("DELETE", "/health", "GET, HEAD"),
        ("HEAD", "/ws", "GET"),
    ] {
        let mut http = relay.http();
        http.send(format!("{method} {target} HTTP/1.1\r\nHost: relay\r\nContent-Length: 0\r\n\r\n"));
        let response = if method == "HEAD" { http.head_response() } else { http.response() };
        assert_eq!((response.status, response.field("Allow")), (405, Some(allow)), "{method} {target}");
    }
}

#[test]
fn a_body_that_is_no_turn_is_400_and_the_connection_goes_on() {
    let relay = Relay::start(&[]);
    let mut http = relay.http();
    for (body, problem) in [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("привет", "not JSON"),
        ("{}", "session"),
        (r#"{"session":{}}"#, "request"),
        (r#"{"session":{},"request":{"command":5}}"#, "not a Yandex Dialogs turn"),
        ("[]", "not a Yandex Dialogs turn"),
        (r#"["1.0",{},{"command":"громче"},null]"#, "not a Yandex Dialogs turn"),
        (r#"{"session":[],"request":{}}"#, "not a Yandex Dialogs turn"),
        (r#"{"session":{},"request":["громче","громче"]}"#, "not a Yandex Dialogs turn"),
        (r#"{"session":{"user":["я"]},"request":{}}"#, "not a Yandex Dialogs turn"),
    ] {
        let response = http.post(body);
        assert_eq!(response.status, 400, "{body}");
        assert!(response.json()["error"].as_str().unwrap().contains(problem), "{body}: {response:?}");
    }
    assert_eq!(http.post(&turn("помощь").to_string()).status, 200);
}

#[test]
fn a_body_of_64_kib_is_taken_and_one_byte_more_is_413() {
    let relay = Relay::start(&[]);
    let mut body = turn("помощь").to_string();
    body.insert_str(1, &" ".repeat(64 * 1024 - body.len()));
    assert_eq!(relay.http().post(&body).status, 200);
    body.insert(1, ' ');
    let mut http = relay.http();
    let response = http.post(&body);
    assert_eq!(response.status, 413);
    assert_eq!(response.field("Connection"), Some("close"));
    assert!(http.ends());
}

#[test]
fn a_body_far_too_long_is_read_to_its_end_and_leaves_nothing_behind() {
    let mut relay = Relay::start(&[]);
    let body = " ".repeat(20_000_000);
    for _ in 0..5 {
        let mut http = relay.http();
        assert_eq!(http.post(&body).status, 413);
        assert!(http.ends());
    }
    assert!(relay.figure("VmHWM") < 32 * 1024);
    assert_eq!(relay.stop().code(), Some(0));
    assert!(!relay.rest_of_log().contains("can't be let go"));
}

#[test]
fn a_refused_body_is_answered_at_its_end_and_not_when_its_sender_falls_silent() {
    let relay = Relay::start(&[]);
    let body = " ".repeat(70_000);
    let begun = Instant::now();
    for _ in 0..20 {
        assert_eq!(relay.http().post(&body).status, 413);
    }
    // Waiting for silence would cost each of them a second.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

/// What a doubtful request is answered, and that nothing behind it reaches the agent.
fn is_refused(relay: &Relay, head: &str, body: &str, status: u16) {
    let mut http = relay.http();
    let smuggled = turn("выключи компьютер").to_string();
    let length = smuggled.len();
    let bytes = format!(
        "POST /alice/webhook HTTP/1.1\r\nHost: relay\r\n{head}\r\n\r\n{body}\
         POST /alice/webhook HTTP/1.1\r\nHost: relay\r\nContent-Length: {length}\r\n\r\n{smuggled}"
    );
    http.send(bytes);
    let response = http.response();
    assert_eq!(response.status, status, "{head}");
    assert_eq!(response.field("Connection"), Some("close"), "{head}");
    assert!(response.json()["error"].is_string());
    assert!(http.ends(), "{head}: more than one response");
}

#[test]
fn after_a_request_whose_end_is_in_doubt_nothing_counts_and_the_connection_closes() {
    let relay = Relay::start(&[]);
    let mut agent = relay.agent();
    is_refused(&relay, "Content-Length: abc", "", 400);
    is_refused(&relay, "Content-Length: +2", "{}", 400);
    is_refused(&relay, "Content-Length: -1", "", 400);
    is_refused(&relay, "Content-Length:", "", 400);
    is_refused(&relay, "Content-Length: 2, 2", "{}", 400);
    is_refused(&relay, "Content-Length: 2\r\nContent-Length: 2", "{}", 400);
    is_refused(&relay, "Content-Length: 2\r\nContent-Length: 9000", "{}", 400);
    is_refused(&relay, "Content-Length: 9000\r\nContent-Length: 2", "{}", 400);
    is_refused(&relay, "Transfer-Encoding: chunked", "2\r\n{}\r\n0\r\n\r\n", 411);
    is_refused(&relay, "Transfer-Encoding: identity", "", 411);
    is_refused(&relay, "Content-Length: 2\r\nTransfer-Encoding: chunked", "0\r\n\r\n", 411);
    is_refused(&relay, "Content-Length: 99999", "{}", 413);
    is_refused(&relay, "Content-Length: 1000000000000", "{}", 413);
    is_refused(&relay, "Content-Length: 18446744073709551615", "{}", 413);
    is_refused(&relay, "Content-Length: 99999999999999999999", "{}", 413);
    is_refused(&relay, "X: a\nContent-Length: 5", "", 400);
    is_refused(&relay, "X: a\rb", "", 400);
    is_refused(&relay, "Content-Length\u{1}: 5", "", 400);
    is_refused(&relay, ": x", "", 400);
    is_refused(&relay, "Host: relay", "", 400);
    is_refused(&relay, &"X: y\r\n".repeat(100), "", 431);
    // Only what stands alone gets through to the agent.
    let mut http = relay.http();
    http.send_post(&turn("честная команда").to_string());
    let (id, text) = agent.command();
    assert_eq!(text, "честная команда");
    agent.answer(&id, "да");
    assert_eq!(http.response().status, 200);
}

#[test]
fn a_target_that_is_too_long_is_414() {
    let relay = Relay::start(&[]);
    assert_eq!(relay.get(&format!("/{}", "a".repeat(9000))).status, 414);
}

#[test]
fn connection_upgrade_on_a_turn_is_answered_and_closed() {
    let relay = Relay::start(&[]);
    for body in [turn("помощь").to_string(), r#"{"session":{},"request":{}}"#.into()] {
        let mut http = relay.http();
        let length = body.len();
        http.send(format!(
            "POST /alice/webhook HTTP/1.1\r\nHost: relay\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ));
        let response = http.response();
        assert_eq!((response.status, response.field("Connection")), (200, Some("close")));
        assert!(http.ends());
    }
}

#[test]
fn a_body_may_come_in_pieces() {
    let relay = Relay::start(&[]);
    let _agent = relay.agent().echo_for_ever("");
    let mut http = relay.http();
    for round in 0..3 {
        let body = turn(&format!("по частям {round} {}", "а".repeat(2000))).to_string();
        let length = body.len();
        http.send(format!(
            "POST /alice/webhook HTTP/1.1\r\nHost: r\r\nContent-Length: {length}\r\n\r\n"
        ));
        for piece in body.as_bytes().chunks(997) {
            // Asking on another connection makes sure that the relay has seen each piece by itself.
            assert_eq!(relay.get("/health").status, 200);
            http.send(piece);
        }
        assert!(http.response().body.contains(&format!("по частям {round} ааа")));
    }
}

#[test]
fn a_body_that_waits_for_permission_gets_it() {
    let relay = Relay::start(&[]);
    let mut http = relay.http();
    let body = turn("помощь").to_string();
    let length = body.len();
    http.send(format!(
        "POST /alice/webhook HTTP/1.1\r\nHost: r\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
    ));
    assert_eq!(http.head_response().status, 100);
    http.send(body);
    assert_eq!(http.response().status, 200);
}

#[test]
fn requests_of_one_connection_are_answered_in_order() {
    let relay = Relay::start(&[]);
    let mut agent = relay.agent();
    let mut http = relay.http();
    http.send_post(&turn("медленная").to_string());
    let (id, _) = agent.command();
    for _ in 0..50 {
        http.send("GET /health HTTP/1.1\r\nHost: relay\r\n\r\n");
    }
    http.send("GET /nowhere HTTP/1.1\r\nHost: relay\r\n\r\n");
    // They hold no thread that others need.
    for _ in 0..20 {
        assert_eq!(relay.get("/health").status, 200);
    }
    agent.answer(&id, "наконец");
    assert!(http.response().body.contains("наконец"));
    for _ in 0..50 {
        assert!(http.response().body.contains("agent_connected"));
    }
    assert_eq!(http.response().status, 404);
}

#[test]
fn a_client_that_pipelines_too_much_waits_and_costs_no_memory() {
    let relay = Relay::start(&[]);
    let mut agent = relay.agent();
    let mut http = relay.http();
    http.send_post(&turn("медленная").to_string());
    let (id, _) = agent.command();
    http.stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let requests = "GET /health HTTP/1.1\r\nHost: r\r\n\r\n".repeat(1000);
    // What the relay does not read fills the kernel's buffers, and then the client has to wait.
    let waits = |_: &usize| std::io::Write::write_all(&mut http.stream, requests.as_bytes()).is_err();
    assert!((0..10_000).find(waits).is_some(), "10 million requests were taken");
    assert!(relay.figure("VmHWM") < 16 * 1024);
    agent.answer(&id, "наконец");
    assert!(http.response().body.contains("наконец"));
    for _ in 0..100 {
        assert!(http.response().body.contains("agent_connected"));
    }
}

#[test]
fn a_client_that_takes_no_answers_is_cut() {
    let relay = Relay::start(&[]);
    let mut http = relay.http();
    http.stream.set_write_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
    let requests = "GET /health HTTP/1.1\r\nHost: relay\r\n\r\n".repeat(1000);
    let cut =
        (0..10_000).any(|_| std::io::Write::write_all(&mut http.stream, requests.as_bytes()).is_err());
    assert!(cut, "it could send 10 million requests without reading an answer");
    assert_eq!(relay.get("/health").status, 200);
}

#[test]
fn a_burst_of_connections_that_stay_is_answered_whole() {
    let relay = Relay::start(&[]);
    for _ in 0..20 {
        let mut burst: Vec<_> = (0..64).map(|_| relay.http()).collect();
        for http in &mut burst {
            http.send("GET /health HTTP/1.1\r\nHost: relay\r\n\r\n");
        }
        // All of them stay connected until the last has its answer: none is freed by another's end.
        for http in &mut burst {
            assert_eq!(http.response().status, 200);
        }
    }
}

/// The status of a request that is sent as it stands.
fn status_of(relay: &Relay, request: &str) -> u16 {
    let mut http = relay.http();
    http.send(request);
    http.response().status
}

#[test]
fn a_request_of_http_1_1_needs_one_host_that_is_one() {
    let relay = Relay::start(&[]);
    let with = |fields: &str| status_of(&relay, &format!("GET /health HTTP/1.1\r\n{fields}\r\n"));
    for host in ["relay", "home_alice-relay:8080", "[::1]:80", "", "127.0.0.1"] {
        assert_eq!(with(&format!("Host: {host}\r\n")), 200, "{host}");
    }
    for host in ["a/b", "user@x", "\"x", "a b"] {
        assert_eq!(with(&format!("Host: {host}\r\n")), 400, "{host}");
    }
    assert_eq!(with(""), 400);
    assert_eq!(with("Host: a\r\nHost: a\r\n"), 400);
    assert_eq!(status_of(&relay, "GET /health HTTP/1.0\r\n\r\n"), 200, "HTTP/1.0 has none");
}

#[test]
fn a_target_may_be_absolute_and_what_is_none_is_400() {
    let relay = Relay::start(&[]);
    let of = |line: &str| status_of(&relay, &format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_eq!(of("GET http://x/health"), 200);
    assert_eq!(of("GET http://x/alice/webhook"), 405);
    assert_eq!(of(&format!("GET http://x/ws?key={}", support::KEY)), 426);
    assert_eq!(of("GET /health?a=\"<>"), 200, "a query may hold any visible character");
    assert_eq!(of("OPTIONS *"), 404);
    for line in
        ["GET health", "GET x:80", "GET /\u{1}", "GET /\"", "GET /%zz", "G(T /health", "GET /a#b"]
    {
        assert_eq!(of(line), 400, "{line:?}");
    }
}

#[test]
fn all_connection_lines_are_one_list_and_what_is_said_is_done() {
    let relay = Relay::start(&[]);
    let of = |version: &str, fields: &str| {
        let mut http = relay.http();
        http.send(format!("GET /health HTTP/{version}\r\nHost: x\r\n{fields}\r\n"));
        let response = http.response();
        assert_eq!(response.status, 200, "{version} {fields}");
        let said = response.field("Connection").unwrap_or_default().to_owned();
        let ends = said == "close";
        if ends {
            assert!(http.ends(), "{version} {fields}");
        } else {
            http.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
            assert_eq!(http.response().status, 200, "{version} {fields}");
        }
        said
    };
    for (version, fields, said) in [
        ("1.1", "", ""),
        ("1.1", "Connection: keep-alive\r\n", ""),
        ("1.1", "Connection: close\r\n", "close"),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", "close"),
        ("1.1", "Connection: keep-alive\r\nConnection: x, Close\r\n", "close"),
        ("1.0", "", "close"),
        ("1.0", "Connection: keep-alive\r\n", "keep-alive"),
        ("1.0", "Connection: Keep-Alive, x\r\n", "keep-alive"),
        ("1.0", "Connection: x\r\n", "close"),
        ("1.0", "Connection: keep-alive\r\nConnection: close\r\n", "close"),
    ] {
        assert_eq!(of(version, fields), said, "{version} {fields}");
    }
}

#[test]
fn what_rfc_9112_asks_for_is_done() {
    let relay = Relay::start(&[]);
    for (request, status) in [
        ("\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        ("GET /health HTTP/1.1\r\nHost: x\r\nUser-Agent: Дом\r\n\r\n", 200),
        ("GET /health HTTP/1.1\r\nHost: x\r\nA: b\r\n c: d\r\n\r\n", 400),
        ("GET /health HTTP/1.1\r\nHost: x\r\nA: \nb\r\n\r\n", 400),
        ("GET /health HTTP/1.1\nHost: x\n\n", 400),
        ("GET /health HTTP/1.1 and more\r\nHost: x\r\n\r\n", 400),
        ("GET /дом HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET /health HTTP/0.9\r\nHost: x\r\n\r\n", 505),
        ("GET /health HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ("GET /health HTTP/3.0\r\nHost: x\r\n\r\n", 505),
    ] {
        let mut http = relay.http();
        http.send(request);
        let response = http.response();
        assert_eq!(response.status, status, "{request:?}");
        if status != 200 {
            assert_eq!(response.field("Connection"), Some("close"), "{request:?}");
            assert!(response.json()["error"].is_string(), "{request:?}");
            assert!(http.ends(), "{request:?}");
        }
    }
}

#[test]
fn an_empty_line_behind_a_request_leaves_the_connection_its_rest() {
    let relay = Relay::start(&[]);
    let mut http = relay.http();
    http.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n\r\n");
    assert_eq!(http.response().status, 200);
    // Longer than a head may take that was begun.
    http.stream.set_read_timeout(Some(Duration::from_secs(12))).unwrap();
    let still = std::io::Read::read(&mut http.stream, &mut [0]).unwrap_err();
    assert_eq!(still.kind(), std::io::ErrorKind::WouldBlock, "it was cut");
    http.stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
    http.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(http.response().status, 200);
}

#[test]
fn a_proxy_that_speaks_https_is_answered_and_told_of() {
    let relay = Relay::start(&[]);
    let mut http = relay.http();
    http.send([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]);
    assert_eq!(http.response().status, 400);
    relay.line("sent data that is not HTTP/1.1");
}

#[test]
fn what_comes_behind_a_request_that_asks_for_the_end_does_not_count() {
    let relay = Relay::start(&[]);
    let mut http = relay.http();
    let last = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: x\r\nConnection: close\r\n\r\n";
    http.send(last.repeat(3));
    assert_eq!(http.response().status, 200);
    assert!(http.ends());
}

#[test]
fn a_field_without_a_name_hides_nothing() {
    let relay = Relay::start(&[]);
    let hidden =
        ": x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut http = relay.http();
    http.send(format!("POST /alice/webhook HTTP/1.1\r\nHost: x\r\n{hidden}"));
    assert_eq!(http.response().status, 400);
    assert!(http.ends(), "nothing of it is served");
}

#[test]
fn half_a_head_right_behind_a_request_has_no_more_time_than_another() {
    let relay = Relay::start(&[]);
    let mut http = relay.http();
    http.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /hea");
    assert_eq!(http.response().status, 200);
    let answered = std::time::Instant::now();
    http.stream.set_read_timeout(Some(std::time::Duration::from_secs(55))).unwrap();
    assert!(http.ends(), "it must be cut");
    // A connection at rest has 130 s.
    assert!(answered.elapsed() < std::time::Duration::from_secs(40));
}
