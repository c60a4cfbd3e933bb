//! examples/check_agent.rs: agents that hold what is demanded pass, and broken ones are told what to mend.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Agent, PATIENCE, example, exit_of};
use serde_json::{Value, json};
use tungstenite::Message;

/// The example, on a free port.
fn check_agent() -> Command {
    let mut command = Command::new(example("check_agent"));
    command.env_clear().env("LISTEN_ADDR", "127.0.0.1:0").stdin(Stdio::null());
    command
}

/// The check, until it ends.
struct Check {
    program: Child,
    lines: std::sync::mpsc::Receiver<String>,
    address: std::net::SocketAddr,
    key: String,
    /// Whether the agent tells of itself, at the beginning of each link and between its answers.
    hello: bool,
}

impl Check {
    fn start() -> Self {
        let mut program = check_agent().arg("--yes").stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(program.stdout.take().unwrap());
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let value = |name: &str| loop {
            let line = lines.recv_timeout(PATIENCE).unwrap();
            if let Some(value) = line.strip_prefix(name) {
                return value.to_owned();
            }
        };
        let url = value("server_url: ws://");
        let address = url.strip_suffix("/ws").unwrap().parse().unwrap();
        let key = value("api_key: ");
        Self { program, lines, address, key, hello: false }
    }

    /// Plays an agent that answers what it is sent by `answer`, and comes `times` times, whatever became of the last one.
    fn play(
        &self,
        fields: &[(&'static str, &str)],
        times: usize,
        answer: impl Fn(&Value) -> Option<Value>,
    ) {
        let is_refused = |error: &tungstenite::Error| matches!(error, tungstenite::Error::Http(_));
        for _ in 0..times {
            if self.link(fields, &answer).is_err_and(|error| !is_refused(&error)) {
                return;
            }
        }
    }

    /// Plays one link of an agent, until it ends.
    fn link(
        &self,
        fields: &[(&'static str, &str)],
        answer: impl Fn(&Value) -> Option<Value>,
    ) -> Result<(), Box<tungstenite::Error>> {
        let mut agent = Agent::with(self.address, &format!("/ws?key={}", self.key), fields)?;
        if self.hello {
            agent.send(r#"{"agent":"home-alice-agent 0.1.0","macs":["aa:bb:cc:dd:ee:ff"]}"#);
        }
        while let Ok(message) = agent.read() {
            let Message::Text(text) = message else { continue };
            let command: Value = serde_json::from_str(&text).unwrap();
            let Some(answer) = answer(&command) else { continue };
            if self.hello {
                // Its cards have changed.
                let _ = agent.socket.send(Message::text(r#"{"macs":[]}"#));
            }
            if agent.socket.send(Message::text(answer.to_string())).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// The exit code, and what was said of each check.
    fn end(mut self) -> (Option<i32>, Vec<String>) {
        let code = exit_of(&mut self.program).code();
        let judged = self.lines.iter().filter(|line| line.starts_with(['✔', '✘']));
        (code, judged.collect())
    }
}

impl Drop for Check {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn failed(lines: &[String]) -> Vec<&str> {
    lines.iter().filter(|line| line.starts_with('✘')).map(String::as_str).collect()
}

fn echo(command: &Value) -> Option<Value> {
    Some(json!({ "id": command.get("id")?, "text": command["text"] }))
}

/// An agent of protocol v2 that keeps this many of the times that it was told.
fn with_a_clock(keeps: usize) -> impl Fn(&Value) -> Option<Value> {
    let begun = Instant::now();
    let offsets = RefCell::new(VecDeque::new());
    move |message| {
        let own = begun.elapsed().as_millis() as i64;
        let Some(id) = message.get("id") else {
            let mut offsets = offsets.borrow_mut();
            offsets.push_back(message["now"].as_i64().unwrap() - own);
            if offsets.len() > keeps {
                offsets.pop_front();
            }
            return None;
        };
        let is_late = message["until"].as_i64().unwrap() < own + offsets.borrow().iter().max().unwrap();
        let text = if is_late { json!("Поздно.") } else { message["text"].clone() };
        Some(json!({ "id": id, "ok": !is_late, "text": text }))
    }
}

#[test]
fn the_example_passes() {
    let mut check = Check::start();
    let mut agent = Command::new(example("agent"))
        .env_clear()
        .envs([("API_KEY", &*check.key), ("RELAY_URL", &format!("ws://{}/ws", check.address))])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("the example can't be run");
    // It comes again 5 s after each of five ends and two refusals.
    let end = std::time::Instant::now() + Duration::from_secs(120);
    let code = loop {
        if let Some(status) = check.program.try_wait().unwrap() {
            break status.code();
        }
        assert!(std::time::Instant::now() < end, "the check hangs");
        std::thread::sleep(Duration::from_millis(20));
    };
    let lines: Vec<String> = check.lines.iter().filter(|line| line.starts_with(['✔', '✘'])).collect();
    agent.kill().unwrap();
    agent.wait().unwrap();
    assert_eq!((code, failed(&lines)), (Some(0), vec![]), "{lines:?}");
    assert!(lines.len() == 14 && lines.iter().any(|line| line.contains("`until`")), "{lines:?}");
}

#[test]
fn an_agent_that_changes_ids_is_told_so() {
    let check = Check::start();
    check.play(&[], 20, |command| {
        let id = command["id"].as_str().unwrap().to_lowercase();
        Some(json!({ "id": id, "text": command["text"] }))
    });
    let (code, lines) = check.end();
    assert_eq!(code, Some(1));
    assert_eq!(failed(&lines).len(), 1, "{lines:?}");
    assert!(
        failed(&lines)[0].contains("ids are repeated exactly: repeat the id as it came"),
        "{lines:?}"
    );
}

#[test]
fn an_agent_that_does_not_come_again_is_told_so() {
    let check = Check::start();
    check.play(&[], 1, echo);
    let (code, lines) = check.end();
    assert_eq!(code, Some(1));
    assert_eq!(failed(&lines).len(), 5, "{lines:?}");
    assert!(failed(&lines)[0].contains("opened anew within 10 s: connect again"), "{lines:?}");
}

#[test]
fn an_agent_that_leaves_a_command_without_words_is_told_so() {
    let check = Check::start();
    check.play(&[], 20, |command| {
        let text = command["text"].as_str().unwrap();
        let is_plain = text.chars().all(|c| c.is_alphanumeric() || c == ' ');
        Some(json!({ "id": command["id"], "text": if is_plain { json!(text) } else { json!(null) } }))
    });
    let (code, lines) = check.end();
    assert_eq!(code, Some(1));
    assert_eq!(failed(&lines).len(), 1, "{lines:?}");
    assert!(failed(&lines)[0].contains("every kind of character"), "{lines:?}");
}

#[test]
fn in_protocol_v2_a_command_past_its_until_must_be_refused_by_a_clock_that_follows_the_relays() {
    let protocol = [("Sec-WebSocket-Protocol", "home-alice.v2")];
    let judged = |answer: &dyn Fn(&Value) -> Option<Value>| {
        let check = Check::start();
        check.play(&protocol, 20, answer);
        check.end()
    };
    let (code, lines) = judged(&echo);
    assert_eq!(code, Some(1));
    let told = failed(&lines);
    assert!(told.len() == 2 && told[0].contains("past its `until`"), "{lines:?}");

    let (code, lines) = judged(&with_a_clock(3));
    assert_eq!((code, failed(&lines)), (Some(0), vec![]), "{lines:?}");
    // It compares its clock once in a link, as if none ran fast.
    let (code, lines) = judged(&with_a_clock(100));
    let told = failed(&lines);
    assert!(code == Some(1) && told.len() == 1 && told[0].contains("fallen behind"), "{lines:?}");
    // It believes the last time that it was told, though it may have slept since.
    let (code, lines) = judged(&with_a_clock(1));
    let told = failed(&lines);
    assert!(code == Some(1) && told.len() == 1 && told[0].contains("as after a sleep"), "{lines:?}");
}

#[test]
fn an_agent_may_tell_of_itself_at_any_time() {
    for (protocol, answer) in [
        (&[][..], &echo as &dyn Fn(&Value) -> Option<Value>),
        (&[("Sec-WebSocket-Protocol", "home-alice.v2")], &with_a_clock(2)),
    ] {
        let mut check = Check::start();
        check.hello = true;
        check.play(protocol, 20, answer);
        let (code, lines) = check.end();
        assert_eq!((code, failed(&lines)), (Some(0), vec![]), "{lines:?}");
    }
}

#[test]
fn a_pong_that_comes_behind_the_answer_to_a_long_command_is_none_in_time() {
    // tungstenite answers a ping when it reads on, which this agent does when its work is done.
    for (work, fails) in [(0, 0), (500, 1)] {
        let check = Check::start();
        check.play(&[], 20, |command| {
            if command["id"] == "5f2a9c01-p" {
                // That the work takes time is what is tried.
                std::thread::sleep(Duration::from_millis(work));
            }
            echo(command)
        });
        let (_, lines) = check.end();
        assert_eq!(failed(&lines).len(), fails, "{lines:?}");
        assert!(
            failed(&lines).iter().all(|line| line.contains("a ping is answered while")),
            "{lines:?}"
        );
    }
}

#[test]
fn an_agent_that_ends_when_it_is_refused_is_told_so() {
    let check = Check::start();
    while check.link(&[], echo).is_ok() {}
    let (code, lines) = check.end();
    let told = failed(&lines);
    assert!(code == Some(1) && told.len() == 2 && told[0].contains("(502) is survived"), "{lines:?}");
    assert!(told[1].contains("(401) is survived"), "{lines:?}");
}

#[test]
fn when_no_agent_comes_the_check_has_failed_and_says_so() {
    let output = check_agent().args(["--wait", "0"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("✘ no agent came within 0 s"), "{said}");
}

#[test]
fn an_agent_is_asked_for_permission_and_a_wrong_key_told() {
    let mut program = check_agent().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(program.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut value =
        |name: &str| stdout.find_map(|line| line.strip_prefix(name).map(str::to_owned)).unwrap();
    let url = value("server_url: ws://");
    let address = url.strip_suffix("/ws").unwrap().parse().unwrap();
    let key = value("api_key: ");
    assert!(Agent::connect(address, "wrong").is_err());
    assert!(Agent::with(address, &format!("/?key={key}"), &[]).is_err());
    let _agent = Agent::connect(address, &key).unwrap();
    let rest: Vec<_> = stdout.collect();
    assert!(rest.iter().any(|line| line.contains("its key is not the one above")), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("must end in /ws")), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("Begin?")), "{rest:?}");
    // Nobody has said yes.
    assert_eq!(exit_of(&mut program).code(), Some(1));
}
