//! No secret comes out of the relay, wherever it is put in.

use std::fs::File;
use std::io::{Read, Seek};
use std::process::Command;

use crate::support::{Agent, Relay, command, said, turn};
use home_alice_relay::{Config, Shutdown, flush_log, start_log};
use serde_json::json;
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;

const NEW: &str = "the-new-key-5d1b9c77e0";
const OLD: &str = "the-old-key-aa20e6f413";
const WEBHOOK: &str = "the-webhook-secret-90cc31";
const SMART_HOME: &str = "the-smart-home-secret-b71fd0";
const IDS: [(&str, &str); 2] = [("ALICE_SKILL_ID", "s"), ("ALICE_USER_IDS", "u")];

/// What the configuration of these tests makes, `ask`'s token among it.
fn config() -> Config {
    Config::read(|name| match name {
        "API_KEY" => Some(format!("{NEW},{OLD}").into()),
        "WEBHOOK_SECRET" => Some(WEBHOOK.into()),
        "SMART_HOME_SECRET" => Some(SMART_HOME.into()),
        _ => IDS.iter().find(|(id, _)| *id == name).map(|(_, value)| value.into()),
    })
    .unwrap()
}

fn secrets() -> Vec<String> {
    let secrets: Vec<_> =
        home_alice_relay::secrets(&config()).iter().map(|s| s.reveal().into()).collect();
    assert_eq!(&secrets[..3], [NEW, OLD, WEBHOOK]);
    assert_eq!(secrets[4], SMART_HOME);
    assert_eq!(secrets.len(), 6, "and ask's token, and what the console's form has");
    secrets
}

#[track_caller]
fn tells_nothing(text: &str) {
    for secret in secrets() {
        assert!(!text.contains(&secret), "{secret} is in {text}");
    }
}

#[test]
fn a_secret_is_in_no_log_line_and_no_answer_wherever_it_was_put() {
    let mut errors = tempfile();
    let settings = [
        ("API_KEY", "the-new-key-5d1b9c77e0,the-old-key-aa20e6f413"),
        ("WEBHOOK_SECRET", WEBHOOK),
        ("SMART_HOME_SECRET", SMART_HOME),
    ];
    let own = [&settings[..], &IDS, &[("LOG_LEVEL", "trace"), ("LISTEN_ADDR", "127.0.0.1:0")]].concat();
    let mut relay = Relay::spawn(command(&own).stderr(errors.try_clone().unwrap()));
    let mut answers = String::new();
    for secret in &secrets() {
        let body = turn(secret).to_string();
        let length = body.len();
        let end = format!("Content-Length: {length}\r\n\r\n{body}");
        for request in [
            format!("GET /{secret} HTTP/1.1\r\nHost: r\r\n\r\n"),
            format!("GET /alice/webhook/{secret} HTTP/1.1\r\nHost: {secret}\r\n\r\n"),
            format!("GET /alice/webhook/{secret}/{secret}?key={secret} HTTP/1.1\r\nHost: r\r\n\r\n"),
            format!("{secret} /health?key={secret} HTTP/1.1\r\nHost: r\r\n\r\n"),
            format!("POST /alice/webhook HTTP/1.1\r\nHost: r\r\nX-Real-IP: {secret}\r\n{end}"),
            format!(
                "POST /alice/webhook/x{secret} HTTP/1.1\r\nHost: r\r\nX-Real-IP: {secret}\r\n{end}"
            ),
            format!("POST /alice/webhook/{WEBHOOK} HTTP/1.1\r\nHost: r\r\nReferer: {secret}\r\n{end}"),
            format!(
                "POST /alice/webhook/{WEBHOOK} HTTP/1.1\r\nHost: r\r\nRelay-Ask: {secret}\r\n{end}"
            ),
            format!(
                "POST /alice/webhook/{WEBHOOK}?a HTTP/1.1\r\nHost: r\r\n{secret}: {secret}\r\nContent-Length: +1\r\n\r\nx"
            ),
            format!(
                "GET /smart-home/authorize?client_id={secret}&state={secret} HTTP/1.1\r\nHost: r\r\nX-Real-IP: {secret}\r\n\r\n"
            ),
            format!("GET /smart-home/{secret} HTTP/1.1\r\nHost: r\r\n\r\n"),
            format!(
                "GET /smart-home/v1.0/user/devices HTTP/1.1\r\nHost: r\r\nAuthorization: Bearer {secret}\r\nX-Request-Id: {secret}\r\n\r\n"
            ),
            format!(
                "POST /smart-home/token HTTP/1.1\r\nHost: r\r\nAuthorization: Basic {secret}\r\n{end}"
            ),
            format!("POST /smart-home/authorize HTTP/1.1\r\nHost: r\r\nX-Real-IP: {secret}\r\n{end}"),
            format!("POST /smart-home/pair HTTP/1.1\r\nHost: r\r\nRelay-Pair: {secret}\r\n\r\n"),
            format!("POST /ws/invite HTTP/1.1\r\nHost: r\r\nRelay-Invite: {secret}\r\n\r\n"),
            format!(
                "POST /ws/join?{secret} HTTP/1.1\r\nHost: {secret}\r\nX-Forwarded-Proto: https\r\n{end}"
            ),
            format!(
                "POST /ws/join HTTP/1.1\r\nHost: r\r\nX-Real-IP: {secret}\r\nContent-Length: 2\r\n\r\n{{}}"
            ),
            format!("POST /owner/code HTTP/1.1\r\nHost: r\r\nRelay-Login: {secret}\r\n\r\n"),
            format!("GET /owner?{secret} HTTP/1.1\r\nHost: {secret}\r\nCookie: {secret}\r\n\r\n"),
            format!(
                "GET /alice/webhook/{WEBHOOK} HTTP/1.1\r\nHost: {secret}\r\nAccept: text/html\r\n\r\n"
            ),
            format!("POST /owner/enter HTTP/1.1\r\nHost: r\r\nX-Real-IP: {secret}\r\n{end}"),
            format!("GET /ws?key={secret} HTTP/1.1\r\nHost: r\r\nX-Real-IP: {secret}\r\n\r\n"),
            format!(
                "GET /ws?key=x{secret} HTTP/1.1\r\nHost: r\r\nX-Real-IP: {secret} and {secret}\r\n\r\n"
            ),
            format!("GET /ws HTTP/1.1\r\nHost: r\r\nAuthorization: Bearer {secret}\r\n\r\n"),
            format!(
                "GET /ws HTTP/1.1\r\nHost: r\r\nAuthorization: {secret}\r\nUpgrade: {secret}\r\n\r\n"
            ),
        ] {
            let mut http = relay.http();
            http.send(&request);
            let response = http.response();
            answers += &format!("{}{}\n", response.head, response.body);
        }
    }
    for key in [NEW, OLD] {
        let bearer = format!("Bearer {key}");
        let fields = [("Authorization", bearer.as_str()), ("X-Real-IP", key)];
        let mut agent = Agent::with(relay.address(), &format!("/ws?key={key}"), &fields).unwrap();
        agent.send(json!({ "id": key, "text": key }).to_string());
        agent.send(json!({ "id": 1, "text": WEBHOOK }).to_string());
        agent.send(format!("{{\"id\":{{\"{key}\":1}}}}"));
        agent.send(format!("{{\"{WEBHOOK}"));
        let reason = key.into();
        agent.socket.close(Some(CloseFrame { code: CloseCode::Normal, reason })).unwrap();
        agent.closed();
    }
    // What `ask` prints, with everything right, with everything wrong, and before a stranger's server.
    let address = relay.address().to_string();
    let own = [&settings[..], &IDS, &[("LISTEN_ADDR", &address)]].concat();
    for (environment, arguments) in [
        (&own[..], &["ask", "ping"][..]),
        (&own, &["ask", "громче"]),
        (&own[1..], &["ask", "громче"]),
        (&own, &["healthcheck"]),
        (&own, &["pair"]),
        (&own, &["invite"]),
        (&own[1..], &["invite"]),
        (&own[1..], &["pair", "--url", "http://127.0.0.1:1"]),
        (&own, &["ask", "громче", "--url", WEBHOOK]),
    ] {
        let output = command(environment).args(arguments).output().unwrap();
        answers += &String::from_utf8([output.stdout, output.stderr].concat()).unwrap().replace(
            // The phrase and the URL are the user's own.
            arguments.last().unwrap(),
            "",
        );
    }
    relay.stop();
    let log = relay.rest_of_log();
    // Nothing of it was read before, so this is all of it since the start.
    assert!(log.contains("it closed the link with 1000"), "{log}");
    assert!(log.contains("Agent rejected") && log.contains("wrong webhook address"), "{log}");
    assert!(log.contains("A turn was refused") && log.contains('…'), "{log}");
    tells_nothing(&log);
    tells_nothing(&answers);
    let mut told = String::new();
    errors.rewind().unwrap();
    errors.read_to_string(&mut told).unwrap();
    tells_nothing(&told);
}

/// A file without a name.
fn tempfile() -> File {
    let path = std::env::temp_dir().join(format!("relay-errors-{}", std::process::id()));
    let file = File::options().create(true).read(true).write(true).truncate(true).open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file
}

#[test]
fn ask_does_not_repeat_what_a_strange_server_repeats() {
    let strange = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = strange.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = strange.accept().unwrap();
        let mut request = vec![0; 4096];
        let taken = stream.read(&mut request).unwrap();
        let body = String::from_utf8_lossy(&request[..taken]).into_owned();
        let answer = format!("HTTP/1.1 500 Oops\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        std::io::Write::write_all(&mut stream, answer.as_bytes()).unwrap();
        body
    });
    let output = command(&[("WEBHOOK_SECRET", WEBHOOK), ("LISTEN_ADDR", &address)])
        .args(["ask", "громче"])
        .output()
        .unwrap();
    assert!(server.join().unwrap().contains(WEBHOOK), "it was told");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("is not the relay") && error.contains("/alice/webhook/…"), "{error}");
    tells_nothing(&error);
}

/// Run by the next test in a process of its own, whose whole output that one reads.
#[test]
#[ignore = "a part of the next one"]
fn panics_and_prints_debug_output() {
    let config = config();
    start_log(log::LevelFilter::Trace, home_alice_relay::secrets(&config), &Shutdown::new().0).unwrap();
    let debug = format!("{config:?} {config:#?} {:?}", home_alice_relay::secrets(&config));
    println!("{debug}");
    let bug = std::thread::Builder::new().name("worker 1".into());
    let bug = bug.spawn(move || panic!("{debug} {NEW} {OLD} {WEBHOOK}")).unwrap();
    assert!(bug.join().is_err());
    flush_log();
}

#[test]
fn a_secret_is_in_no_debug_output_and_no_panic() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "secrets::panics_and_prints_debug_output", "--nocapture"])
        .output()
        .unwrap();
    let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(told.contains("a bug in thread worker 1"), "{told}");
    assert!(told.contains("Secret(…)") && told.contains("… … …"), "{told}");
    tells_nothing(&told);
}

#[test]
fn the_agents_word_is_passed_on_whatever_it_is() {
    // The other side of hiding: what Alice says is the agent's, and is not touched.
    let relay = Relay::start(&[("API_KEY", NEW)]);
    let mut agent = Agent::connect(relay.address(), NEW).unwrap();
    relay.line("Agent connected");
    let mut http = relay.http();
    http.send_post(&turn("какой ключ").to_string());
    let (id, _) = agent.command();
    agent.send(Message::text(json!({ "id": id, "text": NEW }).to_string()));
    assert_eq!(said(&http.response().json()), NEW);
}
