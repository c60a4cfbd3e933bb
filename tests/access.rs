//! Who may command the computer: the webhook's secret, the owner's ids, the agent's keys, and `ask`.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support;
use crate::support::{Agent, Http, KEY, Relay, command, said, turn};
use serde_json::{Value, json};

const SECRET: &str = "webhook-secret_0123456789";
const SKILL: &str = "3ad36498-f5rd-4079-a14b-788652932056";
const USER: &str = "6C91DA5198D1758C6A9F63A7C5CDDF09359F683B13A18A151FBF4C8B092BB0C2";
const CLOSED: [(&str, &str); 3] =
    [("WEBHOOK_SECRET", SECRET), ("ALICE_SKILL_ID", SKILL), ("ALICE_USER_IDS", USER)];
const REFUSAL: &str = "Этот навык выполняет команды только своего владельца.";

/// What stands in a turn where a setting looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    Right,
    Wrong,
    Missing,
}

use Shown::{Missing, Right, Wrong};

const ALL: [Shown; 3] = [Right, Wrong, Missing];

fn path(secret: Shown) -> &'static str {
    match secret {
        Right => "/alice/webhook/webhook-secret_0123456789",
        Wrong => "/alice/webhook/webhook-secret_0123456788",
        Missing => "/alice/webhook",
    }
}

fn turn_of(skill: Shown, user: Shown, command: &str) -> Value {
    let mut turn = turn(command);
    let session = turn["session"].as_object_mut().unwrap();
    match skill {
        Right => {}
        Wrong => drop(session.insert("skill_id".into(), json!("00000000-0000"))),
        Missing => drop(session.remove("skill_id")),
    }
    match user {
        Right => {}
        Wrong => drop(session.insert("user".into(), json!({ "user_id": "SOMEBODY" }))),
        Missing => drop(session.remove("user")),
    }
    turn
}

fn post_to(http: &mut Http, path: &str, fields: &str, body: &Value) -> support::Response {
    let body = body.to_string();
    let length = body.len();
    http.send(format!(
        "POST {path} HTTP/1.1\r\nHost: relay\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
    ));
    http.response()
}

/// An agent that answers «сделано» and remembers what it was asked.
fn witness(relay: &Relay) -> Arc<Mutex<Vec<String>>> {
    let mut agent = relay.agent();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let commands = seen.clone();
    std::thread::spawn(move || {
        while let Ok(message) = agent.socket.read() {
            if let tungstenite::Message::Text(text) = message {
                let command: Value = serde_json::from_str(&text).unwrap();
                commands.lock().unwrap().push(command["text"].as_str().unwrap().to_owned());
                agent.answer(command["id"].as_str().unwrap(), "сделано");
            }
        }
    });
    seen
}

#[test]
fn every_combination_of_the_settings_lets_in_the_owner_and_ask_and_nobody_else() {
    println!("| secret, skill, users set | path | skill | user | status | said | agent saw it |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for combination in 0..8 {
        let is_set = |bit: usize| combination & (1 << bit) != 0;
        let mut settings: Vec<_> = (0..3).filter(|bit| is_set(*bit)).map(|bit| CLOSED[bit]).collect();
        let relay = Relay::start(&settings);
        let seen = witness(&relay);
        let mut rows = BTreeSet::new();
        let mut http = relay.http();
        for (number, (secret, skill, user)) in ALL
            .iter()
            .flat_map(|a| ALL.iter().flat_map(move |b| ALL.iter().map(move |c| (*a, *b, *c))))
            .enumerate()
        {
            let phrase = format!("команда {number}");
            let response = post_to(&mut http, path(secret), "", &turn_of(skill, user, &phrase));
            let was_seen = seen.lock().unwrap().contains(&phrase);
            let words = if response.status == 200 { said(&response.json()) } else { String::new() };

            let found = secret == if is_set(0) { Right } else { Missing };
            let is_owner = (!is_set(1) || skill == Right) && (!is_set(2) || user == Right);
            let expected = match (found, is_owner) {
                (false, _) => (404, "", false),
                (true, false) => (200, REFUSAL, false),
                (true, true) => (200, "сделано", true),
            };
            let got = (response.status, words.as_str(), was_seen);
            assert_eq!(got, expected, "{settings:?}: {secret:?} {skill:?} {user:?}");
            if response.status == 404 {
                assert_eq!(response.json(), relay.get("/nowhere").json(), "like any other");
            }
            let matters =
                |bit, shown| if found && is_set(bit) { format!("{shown:?}") } else { "any".into() };
            rows.insert((secret, matters(1, skill), matters(2, user), got.0, words.clone(), was_seen));

            // The platform's probe wants its answer behind the lock, whoever's it is.
            let mut probe = turn_of(skill, user, "");
            probe["request"]["original_utterance"] = json!("ping");
            let response = post_to(&mut http, path(secret), "", &probe);
            assert_eq!((response.status, response.body.contains("pong")), (expected.0, found));
        }
        for (secret, skill, user, status, words, was_seen) in rows {
            let set: String = (0..3).map(|bit| if is_set(bit) { '+' } else { '-' }).collect();
            println!("| {set} | {secret:?} | {skill} | {user} | {status} | {words} | {was_seen} |");
        }

        let address = relay.address().to_string();
        settings.extend([("API_KEY", KEY), ("LISTEN_ADDR", &address)]);
        let asked = command(&settings).args(["ask", "от самого"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&asked.stdout), "сделано\n", "{settings:?}: {asked:?}");
        assert_eq!(seen.lock().unwrap().last().unwrap(), "от самого");
        let health = command(&settings).arg("healthcheck").output().unwrap();
        assert!(health.status.success(), "{settings:?}: {health:?}");
    }
}

#[test]
fn the_webhook_takes_post_alone_and_tells_it_only_behind_its_secret() {
    let relay = Relay::start(&CLOSED);
    assert_eq!(relay.get(path(Right)).status, 405);
    for secret in [Wrong, Missing] {
        assert_eq!(relay.get(path(secret)).status, 404);
    }
    let greeting = {
        let mut first = turn_of(Right, Right, "");
        first["session"]["new"] = json!(true);
        post_to(&mut relay.http(), &format!("{}?a=b", path(Right)), "", &first)
    };
    assert!(said(&greeting.json()).contains("например"));
}

#[test]
fn a_stranger_hears_the_refusal_whatever_he_says_and_leaves_the_skill() {
    let relay = Relay::start(&CLOSED);
    for phrase in ["", "помощь", "громче"] {
        let response = post_to(&mut relay.http(), path(Right), "", &turn_of(Right, Wrong, phrase));
        assert_eq!(said(&response.json()), REFUSAL);
        assert_eq!(response.json()["response"]["end_session"], true);
    }
}

#[test]
fn nobody_passes_for_ask_who_does_not_know_all_that_is_set() {
    for settings in [&CLOSED[1..], &CLOSED[2..], &CLOSED[..]] {
        let relay = Relay::start(settings);
        let seen = witness(&relay);
        let path = if settings.len() == 3 { path(Right) } else { path(Missing) };
        for shown in ["", "ask", KEY, USER, SKILL, SECRET, &"0".repeat(40)] {
            let mut forged = turn_of(Right, Right, "подделка");
            forged["session"]["user"] = json!({ "user_id": "ask" });
            forged["session"]["user_id"] = json!("ask");
            let fields = format!("Relay-Ask: {shown}\r\nAuthorization: Bearer {KEY}\r\n");
            let response = post_to(&mut relay.http(), path, &fields, &forged);
            assert_eq!(said(&response.json()), REFUSAL, "{shown}");
        }
        // The real one, but of an environment that lacks one of the settings, or has another one.
        let address = relay.address().to_string();
        let own = [settings, &[("API_KEY", KEY)]].concat();
        for left_out in 0..own.len() {
            let mut other = own.clone();
            let (name, _) = other.remove(left_out);
            other.push(("LISTEN_ADDR", &address));
            let asked = command(&other).args(["ask", "подделка"]).output().unwrap();
            assert_eq!(asked.status.code(), Some(1), "without {name}: {asked:?}");
            let cure = String::from_utf8_lossy(&asked.stderr);
            assert!(cure.contains("with the relay's own environment"), "{cure}");
        }
        assert!(seen.lock().unwrap().is_empty());
    }
}

#[test]
fn the_owner_finds_his_ids_in_the_log_but_only_behind_the_lock() {
    let owner = turn_of(Right, Right, "громче");
    for (skill, users) in [("other", "nobody"), (SKILL, "nobody"), ("other", USER)] {
        let settings = [CLOSED[0], ("ALICE_SKILL_ID", skill), ("ALICE_USER_IDS", users)];
        let relay = Relay::start(&settings);
        post_to(&mut relay.http(), path(Missing), "", &owner);
        post_to(&mut relay.http(), path(Wrong), "", &owner);
        post_to(&mut relay.http(), path(Right), "", &owner);
        let line = relay.line("A turn was refused");
        assert!(line.contains("WARN"), "{line}");
        assert_eq!(line.contains(SKILL), skill != SKILL, "{line}");
        assert_eq!(line.contains(USER), users != USER, "{line}");
    }
    // With nothing to compare with, the first turn tells what to set.
    let relay = Relay::start(&CLOSED[..1]);
    let mut http = relay.http();
    post_to(&mut http, path(Right), "", &turn_of(Right, Missing, "громче"));
    post_to(&mut http, path(Right), "", &turn_of(Right, Wrong, "громче"));
    post_to(&mut http, path(Right), "", &owner);
    let line = relay.line("A turn came in");
    assert!(line.contains(&format!("ALICE_SKILL_ID={SKILL} ALICE_USER_IDS=SOMEBODY")), "{line}");
    let mut relay = relay;
    relay.stop();
    assert!(!relay.rest_of_log().contains("A turn came in"), "once a run");

    // Whoever forges a turn must not plant an id.
    for settings in [&CLOSED[1..], &CLOSED[2..], &[]] {
        let mut relay = Relay::start(&[settings, &[("LOG_LEVEL", "trace")]].concat());
        for skill in ALL {
            for user in ALL {
                post_to(&mut relay.http(), path(Missing), "", &turn_of(skill, user, "громче"));
            }
        }
        relay.stop();
        let log = relay.rest_of_log();
        assert!(settings.is_empty() || log.contains("once WEBHOOK_SECRET is set"), "{log}");
        for id in [SKILL, USER, "SOMEBODY", "00000000-0000"] {
            assert!(!log.contains(id), "{log}");
        }
    }
}

#[test]
fn one_line_at_the_start_warns_of_what_stands_open() {
    let open = |settings: &[(&str, &str)]| {
        let mut relay = Relay::start(settings);
        relay.stop();
        let log = relay.rest_of_log();
        let lines: Vec<_> = log.lines().filter(|line| line.contains("WARN")).collect();
        assert!(lines.len() <= 1, "{log}");
        lines.first().map(|line| (*line).to_owned())
    };
    let line = open(&[]).unwrap();
    for cure in
        ["set WEBHOOK_SECRET", "set ALICE_USER_IDS", "set ALICE_SKILL_ID", "openssl rand -hex 32"]
    {
        assert!(line.contains(cure), "{line}");
    }
    let line = open(&CLOSED[..2]).unwrap();
    assert!(line.contains("set ALICE_USER_IDS") && !line.contains("WEBHOOK_SECRET"), "{line}");
    assert_eq!(open(&CLOSED), None);
    // What a compose file hands over where `.env` holds nothing.
    let words = [("WEBHOOK_SECRET", "open"), ("ALICE_USER_IDS", "any"), ("ALICE_SKILL_ID", "any")];
    let behind_the_time = |line: String| line.split_once("Z] ").unwrap().1.to_owned();
    assert_eq!(open(&words).map(behind_the_time), open(&[]).map(behind_the_time));
}

#[test]
fn an_open_door_is_the_logs_first_line_where_others_reach_it() {
    let first = |settings: &[(&str, &str)]| {
        let all = [&[("API_KEY", KEY), ("LISTEN_ADDR", "127.0.0.1:0")], settings].concat();
        let mut relay = command(&all).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(relay.stdout.take().unwrap()).read_line(&mut line).unwrap();
        relay.kill().unwrap();
        relay.wait().unwrap();
        line.trim_end().to_owned()
    };
    // What the original's own `.env` holds; and what a compose file makes of it.
    for settings in [&[][..], &[("WEBHOOK_SECRET", "open")]] {
        for listen in [":0", "0.0.0.0:0", "[::]:0"] {
            let line = first(&[settings, &[("LISTEN_ADDR", listen)]].concat());
            assert!(line.contains("WARN") && line.contains("THE DOOR IS OPEN"), "{line}");
            assert!(
                line.ends_with(r#": printf '\nWEBHOOK_SECRET=%s\n' "$(openssl rand -hex 32)" >> .env"#),
                "{line}"
            );
        }
        let line = first(settings);
        assert!(line.contains("Relay started on"), "{line}");
    }
    let line = first(&[("LISTEN_ADDR", ":0"), ("WEBHOOK_SECRET", SECRET)]);
    assert!(line.contains("Relay started on"), "{line}");
}

#[test]
fn the_word_open_leaves_the_webhook_where_absence_does() {
    let relay = Relay::start(&[("WEBHOOK_SECRET", "open"), ("ALICE_USER_IDS", "any")]);
    let seen = witness(&relay);
    let status = |path: &str| post_to(&mut relay.http(), path, "", &turn("громче")).status;
    assert_eq!(status("/alice/webhook"), 200);
    assert_eq!(*seen.lock().unwrap(), ["громче"]);
    assert_eq!(status("/alice/webhook/open"), 404);
    // It asks with no word at all, as another process that was told nothing.
    let asked = command(&[("API_KEY", KEY), ("LISTEN_ADDR", &relay.address().to_string())])
        .args(["ask", "тише"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&asked.stdout), "сделано\n", "{asked:?}");
}

#[test]
fn a_misspelt_variable_is_told_without_its_value() {
    let mut relay = Relay::start(&[("WEBHOOK_SECERT", SECRET)]);
    relay.stop();
    let log = relay.rest_of_log();
    let line = log.lines().find(|line| line.contains("WEBHOOK_SECERT")).expect(&log);
    assert!(line.contains("WARN") && line.ends_with("Did you mean WEBHOOK_SECRET?"), "{line}");
    assert!(log.contains("Open: whoever learns") && !log.contains(SECRET), "{log}");
}

#[test]
fn a_secret_that_is_none_is_refused_at_the_start_and_not_repeated() {
    for (variable, value) in [
        ("WEBHOOK_SECRET", ""),
        ("WEBHOOK_SECRET", "fifteen-letters"),
        ("WEBHOOK_SECRET", "sixteen.letters!"),
        ("WEBHOOK_SECRET", "шестнадцать_букв"),
        ("WEBHOOK_SECRET", "put-the-output-of-openssl-rand-hex-32-here"),
        ("WEBHOOK_SECRET_FILE", "the-secret-itself-by-mistake"),
        ("API_KEY", "new-key-0123456789,"),
        ("API_KEY", "one-key-0123456789,two-key-0123456789,three-key-0123456789"),
        ("ALICE_USER_IDS", ""),
        ("ALICE_SKILL_ID", ""),
    ] {
        let output = command(&[(variable, value), ("LISTEN_ADDR", "127.0.0.1:0")]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{variable}={value}");
        let line = String::from_utf8(output.stderr).unwrap();
        assert!(line.contains(variable) && line.lines().count() == 1, "{line}");
        for part in value.split(',').filter(|part| !part.is_empty()) {
            assert!(!line.contains(part), "{line}");
        }
    }
}

#[test]
fn the_webhooks_secret_may_be_in_a_file() {
    let file = std::env::temp_dir().join(format!("webhook-secret-{}", std::process::id()));
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    let relay = Relay::start(&[("WEBHOOK_SECRET_FILE", file.to_str().unwrap())]);
    std::fs::remove_file(file).unwrap();
    for (secret, status) in [(Right, 200), (Wrong, 404), (Missing, 404)] {
        let response = post_to(&mut relay.http(), path(secret), "", &turn("громче"));
        assert_eq!(response.status, status, "{secret:?}");
    }
}

#[test]
fn with_two_keys_both_agents_are_let_in_and_the_log_names_the_position() {
    let (new, old) = ("new-key-0123456789", "old-key-0123456789");
    let relay = Relay::start(&[("API_KEY", &format!("{new},{old}"))]);
    let connected = |key: &str| {
        let agent = Agent::connect(relay.address(), key).unwrap();
        let line = relay.line("Agent connected");
        assert!(!line.contains(key), "{line}");
        (agent, line)
    };
    let (_old_agent, line) = connected(old);
    assert!(line.ends_with("with key 2 of 2"), "{line}");
    let (_new_agent, line) = connected(new);
    assert!(line.ends_with("with key 1 of 2"), "{line}");
    for wrong in [format!("{new},{old}"), String::new(), ",".into()] {
        assert!(Agent::connect(relay.address(), &wrong).is_err(), "{wrong}");
    }
    let asked =
        command(&[("API_KEY", &format!("{new},{old}")), ("LISTEN_ADDR", &relay.address().to_string())])
            .args(["ask", "ping"])
            .output()
            .unwrap();
    assert_eq!(asked.stdout, b"pong\n");
}

#[test]
fn a_wrong_address_is_told_without_repeating_it() {
    let relay = Relay::start(&CLOSED);
    post_to(&mut relay.http(), path(Wrong), "X-Real-IP: 192.0.2.7\r\n", &turn("громче"));
    let line = relay.line("wrong webhook address");
    assert!(line.contains("127.0.0.1 (claims to be \"192.0.2.7\")"), "{line}");
    assert!(!line.contains("webhook-secret"), "{line}");
}

/// Sends `count` requests made by `request`, over connections that are renewed now and then.
fn flood(relay: &Relay, count: usize, status: u16, request: impl Fn(usize) -> String) {
    let mut http = relay.http();
    for number in 0..count {
        if number % 500 == 499 {
            http = relay.http();
        }
        http.send(request(number));
        assert_eq!(http.response().status, status);
    }
}

#[test]
fn ten_thousand_wrong_keys_and_secrets_keep_nobody_out_and_leave_nothing_behind() {
    let mut owned = Relay::start(&CLOSED);
    let relay = &owned;
    let wrong_key = |n: usize| format!("GET /ws?key={n:064} HTTP/1.1\r\nHost: r\r\n\r\n");
    let wrong_secret = |n: usize| {
        format!("POST /alice/webhook/{n:064} HTTP/1.1\r\nHost: r\r\nContent-Length: 2\r\n\r\n{{}}")
    };
    // Beside `count` of each the honest agent connects and is asked, again and again: how often, and the
    // longest that took.
    let beside = |count: usize| {
        let (mut times, mut slowest) = (0, Duration::ZERO);
        std::thread::scope(|scope| {
            let floods = [
                scope.spawn(move || flood(relay, count / 2, 401, wrong_key)),
                scope.spawn(move || flood(relay, count / 2, 401, wrong_key)),
                scope.spawn(move || flood(relay, count / 2, 404, wrong_secret)),
                scope.spawn(move || flood(relay, count / 2, 404, wrong_secret)),
            ];
            while times == 0 || floods.iter().any(|flood| !flood.is_finished()) {
                let begun = Instant::now();
                let agent = Agent::connect(relay.address(), KEY).unwrap();
                let _agent = agent.echo_for_ever("");
                let response = post_to(&mut relay.http(), path(Right), "", &turn("громче"));
                assert_eq!(said(&response.json()), "громче");
                slowest = slowest.max(begun.elapsed());
                times += 1;
            }
        });
        (times, slowest)
    };
    beside(1000);
    let before = relay.figure("VmRSS");
    let (times, slowest) = beside(10_000);
    let after = relay.figure("VmRSS");
    println!(
        "during 10,000 wrong keys and 10,000 wrong secrets the honest agent connected and was asked \
         {times} times, the slowest in {slowest:?}; memory {before} kB before, {after} kB after"
    );
    assert!(slowest.as_secs() < 1, "{slowest:?}");
    assert!(after < before + 2048, "{before} kB before, {after} kB after");
    owned.stop();
    let log = owned.rest_of_log();
    for line in ["Agent rejected", "wrong webhook address"] {
        let said = log.lines().filter(|said| said.contains(line)).count();
        // At once, and once a minute.
        assert!((1..=3).contains(&said), "{said} lines for {line}");
    }
}

#[test]
fn ten_thousand_claimed_addresses_fill_neither_the_log_nor_the_memory() {
    let mut relay = Relay::start(&[]);
    let claim = |n: usize| {
        let ip = std::net::Ipv4Addr::from(n as u32);
        format!("GET /ws?key=wrong HTTP/1.1\r\nHost: r\r\nX-Real-IP: {ip}\r\n\r\n")
    };
    flood(&relay, 1000, 401, claim);
    let before = relay.figure("VmRSS");
    flood(&relay, 10_000, 401, claim);
    let after = relay.figure("VmRSS");
    assert!(after < before + 4096, "{before} kB before, {after} kB after");
    relay.stop();
    let log = relay.rest_of_log();
    assert_eq!(log.lines().filter(|line| line.contains("Agent rejected")).count(), 128);
}
