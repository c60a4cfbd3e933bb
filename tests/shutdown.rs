//! The end: asked for, twice asked for, and forced on the relay.

use std::io::Write;
use std::process::Stdio;
use std::sync::atomic::Ordering::Relaxed;

use crate::support;
use crate::support::{Agent, Http, KEY, Relay, said, turn};
use rustix::process::Signal;

#[test]
fn the_first_signal_ends_it_with_code_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut relay = Relay::start(&[]);
        relay.signal(signal);
        assert_eq!(relay.exit().code(), Some(0));
        assert!(relay.rest_of_log().contains("Relay stopped"));
    }
}

#[test]
fn the_agent_is_told_that_the_relay_goes() {
    let mut relay = Relay::start(&[]);
    let mut agent = relay.agent();
    relay.signal(Signal::TERM);
    assert_eq!(agent.closed(), Some((1001, "going away".into())));
    assert_eq!(relay.exit().code(), Some(0));
}

/// Tells the relay to stop while the agent is at a command. Returns the agent and who waits for its answer.
fn stopped_at_work(relay: &Relay) -> (Agent, Http) {
    let (mut agent, mut http) = (relay.agent(), relay.http());
    http.send_post(&turn("считай").to_string());
    agent.command();
    relay.signal(Signal::TERM);
    (agent, http)
}

#[test]
fn what_is_under_way_is_answered_and_nothing_new_is_taken() {
    let mut relay = Relay::start(&[("REPLY_TIMEOUT_MS", "30000")]);
    let mut agent = relay.agent();
    let (mut waiting, mut other) = (relay.http(), relay.http());
    other.send("GET /health HTTP/1.1\r\nHost: r\r\n\r\n");
    assert_eq!(other.response().status, 200);
    waiting.send_post(&turn("считай").to_string());
    let (id, _) = agent.command();
    relay.signal(Signal::TERM);
    support::until("no new connection is taken", || {
        std::net::TcpStream::connect(relay.address()).is_err()
    });
    assert!(
        said(&other.post(&turn("ещё одну").to_string()).json()).starts_with("Сервер перезапускается")
    );
    agent.answer(&id, "успел");
    assert_eq!(said(&waiting.response().json()), "успел");
    assert_eq!(agent.closed().map(|(code, _)| code), Some(1001));
    assert_eq!(relay.exit().code(), Some(0));
}

#[test]
fn what_is_under_way_is_waited_for_until_its_deadline_and_no_longer() {
    let mut relay = Relay::start(&[("REPLY_TIMEOUT_MS", "500")]);
    let (_agent, mut http) = stopped_at_work(&relay);
    assert!(said(&http.response().json()).starts_with("Компьютер не успел"));
    assert_eq!(relay.exit().code(), Some(0));
}

#[test]
fn the_watchdog_is_silent_about_a_relay_that_is_being_stopped() {
    // Longer than it takes the watchdog to fail three times.
    let mut relay = Relay::start(&[("REPLY_TIMEOUT_MS", "6000"), ("LOG_LEVEL", "debug")]);
    let (_agent, mut http) = stopped_at_work(&relay);
    assert!(said(&http.response().json()).starts_with("Компьютер не успел"));
    assert_eq!(relay.exit().code(), Some(0));
    let log = relay.rest_of_log();
    assert!(log.contains("Relay stopped") && !log.contains("does not answer itself"), "{log}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut relay = Relay::start(&[("REPLY_TIMEOUT_MS", "30000")]);
    let (_agent, _http) = stopped_at_work(&relay);
    support::until("the first signal has arrived", || {
        std::net::TcpStream::connect(relay.address()).is_err()
    });
    relay.signal(Signal::TERM);
    assert_eq!(relay.exit().code(), Some(128 + 15));
}

/// The relay under limits that only a shell can set.
fn with_limit(limit: &str) -> Relay {
    let mut shell = std::process::Command::new("sh");
    let program = env!("CARGO_BIN_EXE_home-alice-relay");
    shell.args(["-c", &format!("{limit}; exec {program}")]);
    shell.env_clear().env("API_KEY", KEY).env("LISTEN_ADDR", "127.0.0.1:0").stdin(Stdio::null());
    Relay::spawn(&mut shell)
}

#[test]
fn when_descriptors_run_short_the_longest_waiting_connections_make_room() {
    let relay = with_limit("ulimit -n 256");
    let mut crowd: Vec<_> =
        (0..300).map(|_| std::net::TcpStream::connect(relay.address()).unwrap()).collect();
    assert_eq!(relay.get("/health").status, 200);
    assert!(relay.descriptors() < 230);
    let first = &mut crowd[0];
    first.set_read_timeout(Some(support::PATIENCE)).unwrap();
    assert_eq!(std::io::Read::read(first, &mut [0]).unwrap(), 0, "it has waited longest");
    let newest = crowd.last_mut().unwrap();
    newest.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    newest.set_read_timeout(Some(support::PATIENCE)).unwrap();
    assert!(std::io::Read::read(newest, &mut [0]).unwrap() > 0, "the newest was cut");
}

#[test]
fn requests_of_other_versions_leave_nothing_behind() {
    let relay = Relay::start(&[]);
    let before = relay.descriptors();
    for _ in 0..200 {
        let mut http = relay.http();
        http.send("GET / HTTP/2.0\r\n\r\n");
        assert_eq!(http.response().status, 505);
        assert!(http.ends());
    }
    support::until("all are closed", || relay.descriptors() <= before + 4);
}

#[test]
fn a_closed_log_disturbs_nothing() {
    let mut relay = Relay::start(&[("LOG_LEVEL", "debug")]);
    let _agent = relay.agent().echo_for_ever("");
    relay.close_log.store(true, Relaxed);
    for round in 0..100 {
        assert_eq!(relay.say(&format!("раз {round}")), format!("раз {round}"));
    }
    assert_eq!(relay.stop().code(), Some(0));
}

#[test]
fn a_log_that_nobody_reads_disturbs_nothing_and_what_was_lost_is_counted() {
    let mut relay = Relay::start(&[("LOG_LEVEL", "debug")]);
    let mut agent = relay.agent();
    let reading = relay.reading.clone();
    let nobody_reads = reading.lock().unwrap();
    // Far more lines than a pipe and the queue take.
    for _ in 0..5000 {
        agent.answer("никому", "ничего");
    }
    let _agent = agent.echo_for_ever("");
    for round in 0..100 {
        assert_eq!(relay.say(&format!("раз {round}")), format!("раз {round}"));
    }
    drop(nobody_reads);
    relay.line("log lines were dropped");
    assert_eq!(relay.stop().code(), Some(0));
}
