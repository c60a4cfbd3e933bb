//! examples/agent.rs, which is made to be copied: it works beside the thread that answers pings.

use std::process::{Child, Command, Stdio};

use crate::support::{KEY, Relay, example};

/// The example, as `cargo test` has built it.
struct Example(Child);

impl Example {
    fn start(relay: &Relay) -> Self {
        Self::start_with(relay, &[])
    }

    fn start_with(relay: &Relay, settings: &[(&str, &str)]) -> Self {
        let child = Command::new(example("agent"))
            .env_clear()
            .envs([("API_KEY", KEY), ("RELAY_URL", &format!("ws://{}/ws", relay.address()))])
            .envs(settings.iter().copied())
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

#[test]
fn it_wakes_the_pc_whose_address_the_environment_names() {
    let relay = Relay::start(&[]);
    let network = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    network.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let to = network.local_addr().unwrap().to_string();
    let wake = "ноутбук=01:23:45:67:89:ab; сервер=01-23-45";
    let _agent = Example::start_with(&relay, &[("WAKE", wake), ("WAKE_TO", &to)]);
    assert_eq!(relay.say("разбуди ноутбук"), "Бужу: ноутбук.");
    let mut packet = [0; 200];
    let length = network.recv(&mut packet).unwrap();
    let right = [[0xff; 6].to_vec(), [0x01, 0x23, 0x45, 0x67, 0x89, 0xab].repeat(16)].concat();
    assert_eq!(packet[..length], right);
    assert_eq!(relay.say("разбуди кота"), "Не знаю адреса, чтобы разбудить кота.");
    assert!(relay.say("разбуди сервер").contains("не похож"));
}

#[test]
fn the_demo_prints_what_the_readme_shows() {
    let done = Command::new(example("demo")).env_clear().output().unwrap();
    assert!(done.status.success(), "{done:?}");
    // Ports, times and sizes differ.
    let without_numbers =
        |text: &str| -> String { text.chars().filter(|c| !c.is_ascii_digit()).collect() };
    let printed = without_numbers(std::str::from_utf8(&done.stdout).unwrap());
    for readme in [include_str!("../README.md"), include_str!("../docs/ru/README.md")] {
        let place = readme.find("1. The relay listens on").unwrap();
        let (shown, _) = readme[place..].split_once("```").unwrap();
        assert!(shown.lines().count() > 8 && printed.starts_with(&without_numbers(shown)), "{printed}");
    }
}
