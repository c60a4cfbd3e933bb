//! Faults inside the relay: what must not die ends the program with its cause, and what fails on one request
//! or message costs that one alone. Debug builds take the fault from `RELAY_FAULT`.
#![cfg(debug_assertions)]

use std::process::Stdio;

use crate::support::{KEY, Relay, command, said, turn};

fn with_fault(fault: &str) -> Relay {
    Relay::start(&[("RELAY_FAULT", fault)])
}

#[test]
fn a_thread_that_must_not_die_ends_the_program_and_tells_why() {
    for thread in ["clock", "poller", "watchdog", "log", "worker 3", "signals"] {
        for how in ["panic", "return"] {
            let fault = format!("{thread}:{how}");
            let output = command(&[
                ("RELAY_FAULT", fault.as_str()),
                ("API_KEY", KEY),
                ("LISTEN_ADDR", "127.0.0.1:0"),
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .unwrap();
            let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert_eq!(output.status.code(), Some(1), "{fault}: {told}");
            let cause = format!("a fault was put into {thread}; ending, for the supervisor");
            assert!(told.contains(&cause), "{fault}: {told}");
            assert!(how == "return" || told.contains(&format!("thread {thread} has failed")), "{told}");
        }
    }
}

#[test]
fn a_request_that_has_passed_the_gate_by_ends_the_program_within_the_watchdogs_first_look() {
    let mut relay = with_fault("gate:return");
    assert_eq!(relay.exit().code(), Some(1));
    let log = relay.rest_of_log();
    assert!(log.contains("tiny_http has read past the gate"), "{log}");
}

#[test]
fn a_bug_in_one_request_costs_that_request_alone() {
    let relay = with_fault("turn:panic");
    let _agent = relay.agent();
    for _ in 0..20 {
        let mut http = relay.http();
        let response = http.post(&turn("громче").to_string());
        assert_eq!(response.status, 500);
        assert!(response.body.contains("see its log"), "{response:?}");
        assert!(http.ends());
        assert!(relay.agent_connected());
    }
    assert!(relay.line("a bug in thread worker").contains("a fault was put into turn"));
}

#[test]
fn a_bug_in_one_message_costs_that_link_alone_and_is_told_at_once() {
    let relay = Relay::start(&[("RELAY_FAULT", "message:panic"), ("REPLY_TIMEOUT_MS", "30000")]);
    for _ in 0..3 {
        let mut agent = relay.agent();
        let mut http = relay.http();
        http.send_post(&turn("громче").to_string());
        agent.echo("");
        assert!(said(&http.response().json()).starts_with("Связь с компьютером прервалась"));
        assert!(relay.line("Agent disconnected").contains("the relay failed on it"));
        assert!(!relay.agent_connected());
    }
}
