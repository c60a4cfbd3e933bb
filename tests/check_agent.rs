//! `check-agent`: agents that hold what is demanded pass, and broken ones are told what to mend.

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use support::{Agent, PATIENCE, command, exit_of};
use tungstenite::Message;

/// The check, until it ends.
struct Check {
    program: Child,
    lines: std::sync::mpsc::Receiver<String>,
    address: std::net::SocketAddr,
    key: String,
}

impl Check {
    fn start() -> Self {
        let mut program = command(&[("LISTEN_ADDR", "127.0.0.1:0")])
            .args(["check-agent", "--yes"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
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
        Self { program, lines, address, key }
    }

    /// Plays an agent that answers each command by `answer`, and comes again `times` times. Returns its links.
    fn play(
        &self,
        fields: &[(&'static str, &str)],
        times: usize,
        answer: impl Fn(&Value) -> Option<Value>,
    ) {
        for _ in 0..times {
            let target = format!("/ws?key={}", self.key);
            let Ok(mut agent) = Agent::with(self.address, &target, fields) else { return };
            while let Ok(message) = agent.read() {
                let Message::Text(text) = message else { continue };
                let command: Value = serde_json::from_str(&text).unwrap();
                let Some(answer) = command.get("id").and_then(|_| answer(&command)) else { continue };
                if agent.socket.send(Message::text(answer.to_string())).is_err() {
                    break;
                }
            }
        }
    }

    /// The exit code, and what was said of each check.
    fn end(mut self) -> (Option<i32>, Vec<String>) {
        let code = exit_of(&mut self.program).code();
        let judged = self.lines.iter().filter(|line| line.starts_with(['✔', '✘']));
        (code, judged.collect())
    }
}

fn failed(lines: &[String]) -> Vec<&str> {
    lines.iter().filter(|line| line.starts_with('✘')).map(String::as_str).collect()
}

fn echo(command: &Value) -> Option<Value> {
    Some(json!({ "id": command["id"], "text": command["text"] }))
}

#[test]
fn the_example_passes() {
    let check = Check::start();
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().and_then(|deps| deps.parent()).unwrap().join("examples/agent");
    let mut agent = Command::new(program)
        .env_clear()
        .envs([("API_KEY", &*check.key), ("RELAY_URL", &format!("ws://{}/ws", check.address))])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("the example can't be run");
    let mut program = check.program;
    // It comes again 5 s after each of three ends.
    let end = std::time::Instant::now() + Duration::from_secs(60);
    let code = loop {
        if let Some(status) = program.try_wait().unwrap() {
            break status.code();
        }
        assert!(std::time::Instant::now() < end, "the check hangs");
        std::thread::sleep(Duration::from_millis(20));
    };
    let lines: Vec<String> = check.lines.iter().filter(|line| line.starts_with(['✔', '✘'])).collect();
    agent.kill().unwrap();
    agent.wait().unwrap();
    assert_eq!((code, failed(&lines)), (Some(0), vec![]), "{lines:?}");
    assert!(lines.len() == 10 && lines.iter().any(|line| line.contains("`until`")), "{lines:?}");
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
    assert_eq!(failed(&lines).len(), 3, "{lines:?}");
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
fn in_the_second_format_a_command_past_its_until_must_be_refused() {
    let protocol = [("Sec-WebSocket-Protocol", "home-alice.v2")];
    let check = Check::start();
    check.play(&protocol, 20, echo);
    let (code, lines) = check.end();
    assert_eq!(code, Some(1));
    assert_eq!(failed(&lines).len(), 1, "{lines:?}");
    assert!(failed(&lines)[0].contains("past its `until`"), "{lines:?}");

    let check = Check::start();
    check.play(&protocol, 5, |command| {
        let is_late = command["until"].as_u64() < command["now"].as_u64();
        let text = if is_late {
            json!("Команда пришла слишком поздно и не выполнена.")
        } else {
            command["text"].clone()
        };
        Some(json!({ "id": command["id"], "ok": !is_late, "text": text }))
    });
    let (code, lines) = check.end();
    assert_eq!((code, failed(&lines)), (Some(0), vec![]), "{lines:?}");
}

#[test]
fn an_agent_is_asked_for_permission_and_a_wrong_key_told() {
    let mut program = command(&[("LISTEN_ADDR", "127.0.0.1:0")])
        .arg("check-agent")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
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
    assert_eq!(exit_of(&mut program).code(), Some(2));
}
