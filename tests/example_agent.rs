//! examples/agent.rs, which is made to be copied: it works beside the thread that answers pings.

mod support;

use std::process::{Child, Command, Stdio};

use support::{KEY, Relay};

/// The example, as `cargo test` has built it.
struct Example(Child);

impl Example {
    fn start(relay: &Relay) -> Self {
        let tests = std::env::current_exe().unwrap();
        let program = tests.parent().and_then(|deps| deps.parent()).unwrap().join("examples/agent");
        let child = Command::new(program)
            .env_clear()
            .envs([("API_KEY", KEY), ("RELAY_URL", &format!("ws://{}/ws", relay.address()))])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the example can't be run");
        relay.line("Agent connected");
        Self(child)
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_keeps_its_link_and_its_answer_though_a_command_takes_longer_than_the_relay_waits_for_a_sign() {
    // After three silent seconds the relay ends a link.
    let relay = Relay::start(&[("HEARTBEAT_SECS", "1"), ("REPLY_TIMEOUT_MS", "1000")]);
    let _agent = Example::start(&relay);
    assert_eq!(relay.say("думай 5"), "Компьютер ещё выполняет команду. Спросите: «готово?»");
    let line = relay.line("answered late");
    assert!(line.contains("answered late after 5"), "{line}");
    assert_eq!(relay.say("готово"), "Думал 5 секунд.");
    assert!(relay.agent_connected());
}

#[test]
fn it_carries_out_commands_in_order_and_one_that_fails_costs_no_other() {
    let relay = Relay::start(&[]);
    let _agent = Example::start(&relay);
    for number in 0..5 {
        assert_eq!(relay.say(&format!("раз {number}")), format!("Вы сказали: раз {number}"));
    }
    assert!(relay.say("системная информация").starts_with("Ядер: "));
}
