//! The command line and the environment: what is understood, what is refused, and the exit codes.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output, Stdio};

use crate::support;
use crate::support::smart_home::SECRET;
use crate::support::{Agent, KEY, Relay, command, said, turn};

/// Runs the program to its end.
fn run(settings: &[(&str, &str)], arguments: &[&str]) -> Output {
    command(settings).args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

#[test]
fn version_and_help_are_told() {
    let version = run(&[], &["--version"]);
    assert_eq!(stdout(&version), format!("home-alice-relay {}\n", env!("CARGO_PKG_VERSION")));
    let help = run(&[], &["--help"]);
    assert!(stdout(&help).contains("healthcheck") && stdout(&help).contains("ask \"a command\""));
    assert_eq!((version.status.code(), help.status.code()), (Some(0), Some(0)));
}

#[test]
fn what_is_not_understood_is_told_with_the_help_and_code_2() {
    for arguments in [
        &["serve"][..],
        &["ask"],
        &["ask", "a", "b"],
        &["healthcheck", "--url"],
        &["-x"],
        &["pair", "x"],
        &["login", "x"],
        &["login", "--wait", "1"],
        &["login", "--monitor", "--monitor"],
        &["pair", "--monitor"],
        &["pair", "--wait", "1"],
        &["setup"],
        &["setup", "--domain"],
        &["setup", "your-domain.com"],
        &["setup", "--domain", "a.b", "--url", "http://127.0.0.1:1"],
        &["setup", "--domain", "a.b", "--domain", "a.b"],
        &["login", "--domain", "a.b"],
        &["ask", "a", "--domain", "a.b"],
        &["invite", "a", "b"],
    ] {
        let output = run(&[], arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains("home-alice-relay healthcheck"), "{arguments:?}");
    }
}

#[test]
fn a_bad_value_ends_it_with_code_2_and_one_line() {
    for (variable, value, cure) in [
        ("LISTEN_ADDR", "8080", "host:port"),
        ("REPLY_TIMEOUT_MS", "5", "from 100 to 30000"),
        ("HEARTBEAT_SECS", "61", "from 1 to 60"),
        ("LOG_LEVEL", "loud", "off, error, warn, info, debug or trace"),
        ("API_KEY", "", "openssl rand -hex 32"),
        ("API_KEY_FILE", "/no/such/file", "name a file"),
        ("SMART_HOME_SECRET", "open", "openssl rand -hex 32"),
        ("SMART_HOME_SECRET_FILE", "/no/such/file", "name a file"),
    ] {
        let output = run(&[(variable, value)], &[]);
        assert_eq!(output.status.code(), Some(2), "{variable}");
        let line = stderr(&output);
        assert!(line.contains(variable) && line.contains(value) && line.contains(cure), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}

#[test]
fn a_port_in_use_ends_it_with_code_1_and_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&[("LISTEN_ADDR", &address), ("API_KEY", KEY)], &[]);
    assert_eq!(output.status.code(), Some(1));
    let line = stderr(&output);
    assert!(line.contains(&address) && line.contains("another program has this port"), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");

    let output = run(&[("LISTEN_ADDR", "192.0.2.1:0"), ("API_KEY", KEY)], &[]);
    assert_eq!(output.status.code(), Some(1));
    let line = stderr(&output);
    assert!(line.contains("192.0.2.1:0") && line.contains("name one of its own"), "{line}");
}

#[test]
fn every_interface_is_ipv4_and_where_there_is_any_ipv6_through_one_socket() {
    let relay = Relay::start(&[("LISTEN_ADDR", ":0")]);
    assert_eq!(relay.get("/health").status, 200);
    let has_ipv6 = TcpListener::bind("[::1]:0").is_ok();
    let v6 = std::net::SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, relay.port));
    if has_ipv6 {
        let mut http = support::Http::connect(v6);
        http.send("GET /health HTTP/1.1\r\nHost: r\r\n\r\n");
        assert_eq!(http.response().status, 200);
        let mut agent = relay.agent_at(v6);
        let mut http = support::Http::connect(v6);
        http.send_post(&turn("по шестой версии").to_string());
        agent.echo("");
        assert_eq!(said(&http.response().json()), "по шестой версии");
    } else {
        assert!(std::net::TcpStream::connect(v6).is_err());
    }
}

#[test]
fn an_address_that_only_its_own_container_reaches_is_warned_of() {
    let relay = Relay::start(&[("LISTEN_ADDR", "127.0.0.1:0"), ("container", "docker")]);
    relay.line("Write LISTEN_ADDR=:0 into .env");
    let mut elsewhere = Relay::start(&[("LISTEN_ADDR", "127.0.0.1:0")]);
    elsewhere.stop();
    assert!(!elsewhere.rest_of_log().contains("LISTEN_ADDR"));
}

#[test]
fn without_a_key_a_random_one_is_made_and_printed_for_the_agent() {
    let mut program = command(&[("LISTEN_ADDR", "127.0.0.1:0")]);
    let relay = Relay::spawn(&mut program);
    let url = relay.line("server_url: ");
    assert_eq!(url, format!("server_url: ws://127.0.0.1:{}/ws", relay.port));
    let key = relay.line("api_key: ").split_off("api_key: ".len());
    assert_eq!(key.len(), 64);
    relay.line("changes at every start");
    assert!(Agent::connect(relay.address(), &key).is_ok());
}

#[test]
fn the_key_may_be_in_a_file() {
    let path = std::env::temp_dir().join(format!("relay-key-{}", std::process::id()));
    std::fs::File::create(&path).unwrap().write_all(format!("{KEY}\n").as_bytes()).unwrap();
    let settings = [("LISTEN_ADDR", "127.0.0.1:0"), ("API_KEY_FILE", path.to_str().unwrap())];
    let relay = Relay::spawn(&mut command(&settings));
    assert!(Agent::connect(relay.address(), KEY).is_ok());
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_file_that_is_no_regular_one_or_is_too_long_ends_it_with_code_2_and_never_makes_it_wait() {
    let folder = std::env::temp_dir().join(format!("relay-files-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let pipe = folder.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let long = folder.join("long");
    std::fs::write(&long, "k".repeat(8 * 1024 + 1)).unwrap();
    let name = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    for variable in ["API_KEY_FILE", "WEBHOOK_SECRET_FILE", "AGENTS_FILE", "SMART_HOME_SECRET_FILE"] {
        for (path, problem) in [
            (name(&pipe), "no regular file"),
            (name(&folder), "no regular file"),
            ("/dev/zero".into(), "no regular file"),
            (name(&long), "longer than 8 KiB"),
        ] {
            let output = run(&[(variable, &path)], &[]);
            let line = stderr(&output);
            assert_eq!(output.status.code(), Some(2), "{line}");
            assert!(
                line.contains(variable) && line.contains(&path) && line.contains(problem),
                "{line}"
            );
        }
    }
    let settings =
        [("API_KEY", KEY), ("SMART_HOME_SECRET", SECRET), ("SMART_HOME_DEVICES", &name(&pipe))];
    let output = run(&settings, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("no regular file"), "{output:?}");
    std::fs::write(&long, "k".repeat(8 * 1024)).unwrap();
    let settings = [("LISTEN_ADDR", "127.0.0.1:0"), ("API_KEY_FILE", &*name(&long))];
    drop(Relay::spawn(&mut command(&settings)));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_can_not_be_printed_is_no_success() {
    let webhook = "webhook-secret_0123456789";
    let secrets = [("API_KEY", KEY), ("WEBHOOK_SECRET", webhook), ("SMART_HOME_SECRET", SECRET)];
    let relay = Relay::start(&secrets);
    let mut agent = relay.agent();
    let address = relay.address().to_string();
    let settings = [&secrets[..], &[("LISTEN_ADDR", &*address)]].concat();
    std::thread::scope(|scope| {
        scope.spawn(|| agent.echo(""));
        for arguments in [
            &["pair"][..],
            &["login"],
            &["login", "--monitor"],
            &["invite"],
            &["setup", "--domain", "your-domain.com"],
            &["--help"],
            &["ask", "громче"],
        ] {
            let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
            let output = command(&settings).args(arguments).stdout(full).output().unwrap();
            let told = stderr(&output);
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {told}");
            assert!(told.contains("can't be written to standard output"), "{told}");
        }
    });
}

#[test]
fn a_short_key_is_warned_of() {
    let relay = Relay::start(&[("API_KEY", "short")]);
    assert!(relay.line("shorter than 16 characters").contains("WARN"));
    assert!(Agent::connect(relay.address(), "short").is_ok());
}

#[test]
fn neither_the_key_nor_at_info_a_command_is_ever_logged() {
    for level in ["info", "trace"] {
        let mut relay = Relay::start(&[("LOG_LEVEL", level)]);
        let _agent = relay.agent().echo_for_ever("ответ: ");
        let _ = Agent::connect(relay.address(), "a-wrong-key-of-somebody");
        assert_eq!(relay.say("тайная команда"), "ответ: тайная команда");
        relay.get(&format!("/nowhere?key={KEY}"));
        assert_eq!(relay.stop().code(), Some(0));
        let log = relay.rest_of_log();
        assert!(log.contains("answered after"), "{log}");
        for secret in [KEY, "a-wrong-key-of-somebody"] {
            assert!(!log.contains(secret), "{log}");
        }
        assert!(level != "info" || !log.contains("тайная"), "{log}");
    }
}

#[test]
fn many_commands_are_summed_up_in_the_log() {
    let relay = Relay::start(&[]);
    let _agent = relay.agent().echo_for_ever("");
    for _ in 0..200 {
        relay.say("ещё");
    }
    relay.line("more commands within a second");
}

#[test]
fn healthcheck_asks_the_relay_of_this_environment_or_url() {
    let relay = Relay::start(&[]);
    let address = relay.address().to_string();
    assert_eq!(run(&[("LISTEN_ADDR", &address)], &["healthcheck"]).status.code(), Some(0));
    let url = format!("http://{address}");
    assert_eq!(run(&[], &["healthcheck", "--url", &url]).status.code(), Some(0));
    drop(relay);
    let output = run(&[("LISTEN_ADDR", &address)], &["healthcheck"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&address) && stderr(&output).contains("LISTEN_ADDR"));
    assert_eq!(run(&[("LISTEN_ADDR", ":0")], &["healthcheck"]).status.code(), Some(2));
}

#[test]
fn healthcheck_fails_on_what_is_silent_or_no_relay() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let output = run(&[], &["healthcheck", "--url", &url]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no answer in time"), "{}", stderr(&output));

    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", other.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = other.accept().unwrap();
        let _ = std::io::Read::read(&mut stream, &mut [0; 1024]);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").unwrap();
    });
    let output = run(&[], &["healthcheck", "--url", &url]);
    server.join().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("is not the relay"), "{}", stderr(&output));
}

#[test]
fn ask_prints_what_alice_would_say_and_fails_when_no_agent_answered() {
    let relay = Relay::start(&[("REPLY_TIMEOUT_MS", "200")]);
    let address = relay.address().to_string();
    let settings = [("LISTEN_ADDR", address.as_str())];
    let output = run(&settings, &["ask", "Громче"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).starts_with("Компьютер не на связи"));
    assert!(stderr(&output).contains("no-agent"), "{}", stderr(&output));

    let mut agent = relay.agent();
    let asking = command(&settings)
        .args(["ask", "Громче"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    agent.echo("сделано: ");
    let output = asking.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), "сделано: громче\n"));

    let output = run(&settings, &["ask", "Громче"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("too-late"), "{}", stderr(&output));

    let url = format!("http://{address}");
    let output = run(&[], &["ask", "ping", "--url", &url]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), "pong\n"));
    drop(relay);
    let output = run(&[], &["ask", "Громче", "--url", &url]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""));
    assert!(stderr(&output).contains("can't be reached"));
}

#[test]
fn ask_says_that_somebody_knocks_without_a_right_key_while_no_agent_is_there() {
    let relay = Relay::start(&[]);
    let address = relay.address().to_string();
    let settings = [("API_KEY", KEY), ("LISTEN_ADDR", &*address)];
    assert!(Agent::with(relay.address(), "/ws?key=wrong-key", &[]).is_err());
    let output = run(&settings, &["ask", "Громче"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("кто-то стучится без верного ключа"), "{output:?}");
    let echo = relay.agent().echo_for_ever("");
    assert_eq!(run(&settings, &["ask", "Громче"]).status.code(), Some(0));
    drop(relay);
    echo.join().unwrap();
}

#[test]
fn ask_hands_a_phrase_over_as_yandex_does() {
    let relay = Relay::start(&[]);
    let mut agent = relay.agent();
    let address = relay.address().to_string();
    let settings = [("LISTEN_ADDR", address.as_str()), ("API_KEY", KEY)];
    // The relay's own words, however they are written, never reach the agent.
    for (phrase, said) in [
        ("готово?", "Новых ответов нет.\n"),
        ("  Что   там?! ", "Новых ответов нет.\n"),
        ("Помощь!", "Скажите команду, и я передам её на компьютер"),
    ] {
        let output = run(&settings, &["ask", phrase]);
        assert!(stdout(&output).starts_with(said), "{phrase}: {output:?}");
        assert!(stderr(&output).contains("own-words"), "{phrase}: {output:?}");
    }
    let asking = command(&settings)
        .args(["ask", " Открой  «Блокнот», громкость 2.5! "])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(agent.command().1, "открой блокнот громкость 2.5");
    drop(agent);
    assert_eq!(asking.wait_with_output().unwrap().status.code(), Some(1));
}

#[test]
fn a_time_to_wait_that_is_none_is_told_with_what_it_may_be() {
    for wait in ["18446744073709551615", "601", "-1", "4s", "", "1.5"] {
        let output = run(&[("API_KEY", KEY)], &["ask", "громче", "--wait", wait]);
        assert_eq!(output.status.code(), Some(2), "{wait}");
        let line = stderr(&output);
        let cure = "it may be a whole number of seconds from 0 to 600";
        assert!(line.contains(&format!("--wait is {wait:?}")) && line.contains(cure), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}

#[test]
fn a_key_that_is_hardly_meant_is_warned_of_and_lets_in() {
    let key = "\"0123456789abcdef\"";
    let relay = Relay::start(&[("API_KEY", key)]);
    let line = relay.line("has quotes around it");
    assert!(line.contains("WARN") && !line.contains("0123"), "{line}");
    assert!(Agent::connect(relay.address(), "%220123456789abcdef%22").is_ok());
}

#[test]
fn a_byte_order_mark_before_a_value_is_passed_over() {
    let relay = Relay::start(&[("API_KEY", "\u{feff}0123456789abcdef"), ("LOG_LEVEL", "\u{feff}info")]);
    assert!(Agent::connect(relay.address(), "0123456789abcdef").is_ok());
}

#[test]
fn a_phrase_that_is_no_utf_8_is_refused_with_the_cure_and_never_sent() {
    let mut relay = Relay::start(&[]);
    let url = format!("http://{}", relay.address());
    // «громче» in the code page of a Windows terminal.
    let phrase = std::ffi::OsStr::from_bytes(b"\xe3\xf0\xee\xec\xf7\xe5");
    let output =
        command(&[("API_KEY", KEY)]).args(["ask", "--url", &url]).arg(phrase).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let line = stderr(&output);
    assert!(line.contains("UTF-8") && line.contains("PuTTY"), "{line}");
    relay.stop();
    assert!(!relay.rest_of_log().contains("Command"));
}

/// A file with this content, and its path.
fn file(name: &str, content: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("relay-{name}-{}", std::process::id()));
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn a_devices_file_that_can_not_be_used_ends_it_with_code_2_and_one_line() {
    let tv = r#"{"id":"tv","name":"Экран","type":"other","off":"спи"}"#;
    for (content, told, cure) in [
        (format!("[{tv},\n{{\"id\":\"pc\",\"name\":\"Лампа1\"}}]"), "device 2 (\"pc\")", "put a space"),
        (format!("[{tv},\n{tv}]"), "device 2 (\"tv\") has the id of device 1", "an id of its own"),
        (format!("[{tv},\n\n{tv}x]"), "whose line 3 is broken JSON", "mend that line"),
        (format!("[{}]", " ".repeat(256 * 1024)), "longer than 256 KiB", "301 devices"),
    ] {
        let path = file("bad-devices", &content);
        let path = path.to_str().unwrap();
        let settings = [
            ("API_KEY", KEY),
            ("SMART_HOME_SECRET", SECRET),
            ("SMART_HOME_DEVICES", path),
            ("LISTEN_ADDR", "127.0.0.1:0"),
        ];
        let output = run(&settings, &[]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let line = stderr(&output);
        assert!(line.contains("SMART_HOME_DEVICES names") && line.contains(path), "{line}");
        assert!(line.contains(told) && line.contains(cure), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
        std::fs::remove_file(path).unwrap();
    }
    let settings = [("SMART_HOME_SECRET", SECRET), ("SMART_HOME_DEVICES", "/no/such/file")];
    let output = run(&settings, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("/no/such/file") && stderr(&output).contains("may read"));
}

#[test]
fn a_latin_name_and_devices_that_nobody_gets_are_warned_of() {
    let path = file("latin-devices", r#"[{"id":"pc","name":"Computer","type":"other","off":"sleep"}]"#);
    let devices = ("SMART_HOME_DEVICES", path.to_str().unwrap());
    for (settings, told) in [
        (
            &[("SMART_HOME_SECRET", SECRET), devices][..],
            "the name of device 1 (\"pc\") is in Latin letters",
        ),
        (&[devices], "SMART_HOME_DEVICES is set, but Smart Home is off"),
    ] {
        let all = [&[("API_KEY", KEY), ("LISTEN_ADDR", "127.0.0.1:0")][..], settings].concat();
        let relay = Relay::spawn(&mut command(&all));
        assert!(relay.line(told).contains("WARN"));
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn pair_prints_a_code_and_says_what_to_do_with_it() {
    let relay = support::smart_home::start(&[]);
    let address = relay.address().to_string();
    let settings = [("LISTEN_ADDR", &*address), ("API_KEY", KEY), ("SMART_HOME_SECRET", SECRET)];
    let output = run(&settings, &["pair"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let (code, rest) = stdout(&output).split_once('\n').unwrap();
    let groups: Vec<_> = code.split('-').map(str::len).collect();
    assert_eq!(groups, [4, 4, 4], "{code}");
    assert!(code.bytes().all(|b| b"0123456789ABCDEFGHJKMNPQRSTVWXYZ-".contains(&b)), "{code}");
    assert!(rest.contains("5 minutes") && rest.contains("Дом с Алисой"), "{rest}");
    let url = format!("http://{address}");
    assert_eq!(run(&settings[1..], &["pair", "--url", &url]).status.code(), Some(0));
}

#[test]
fn pair_says_why_it_has_no_code() {
    let output = run(&[("API_KEY", KEY)], &["pair"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""));
    assert!(stderr(&output).contains("SMART_HOME_SECRET is not set"), "{}", stderr(&output));
    for relay in [Relay::start(&[]), support::smart_home::start(&[])] {
        let address = relay.address().to_string();
        let settings = [("LISTEN_ADDR", &*address), ("SMART_HOME_SECRET", "another-secret_88fe01")];
        let output = run(&settings, &["pair"]);
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""));
        assert!(stderr(&output).contains("off, or another SMART_HOME_SECRET"), "{}", stderr(&output));
        drop(relay);
        let output = run(&settings, &["pair"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("can't be reached"), "{}", stderr(&output));
    }
}

#[test]
fn setup_prints_every_value_ready_to_be_copied() {
    let webhook = "webhook-secret_90cc31";
    let settings = [
        ("API_KEY", "the-new-key-5d1b9c77e0,the-old-key"),
        ("WEBHOOK_SECRET", webhook),
        ("SMART_HOME_SECRET", SECRET),
        ("LISTEN_ADDR", ":8181"),
        ("AGENTS", "ноутбук=key-of-the-notebook,old-key-of-the-notebook"),
    ];
    let output = run(&settings, &["setup", "--domain", "your-domain.com"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let lines: Vec<_> = stdout(&output).lines().map(str::trim).collect();
    for (field, value) in [
        ("Webhook URL:", &*format!("https://your-domain.com/alice/webhook/{webhook}")),
        ("server_url:", "wss://your-domain.com/ws"),
        ("api_key:", "the-new-key-5d1b9c77e0"),
        ("api_key of «ноутбук»:", "key-of-the-notebook"),
        ("docker exec home-alice-relay /home-alice-relay invite", "--domain your-domain.com"),
        ("docker exec home-alice-relay /home-alice-relay invite", "--domain your-domain.com ноутбук"),
        ("Details, Domain Names:", "your-domain.com"),
        ("Details, Forward Port:", "8181"),
        ("Details, Websockets Support:", "on"),
        ("Backend, Endpoint URL:", "https://your-domain.com/smart-home"),
        ("Идентификатор приложения:", "home-alice"),
        ("Секрет приложения:", &support::smart_home::client_secret()),
        ("URL авторизации:", "https://your-domain.com/smart-home/authorize"),
        ("URL для получения токена:", "https://your-domain.com/smart-home/token"),
        ("URL для обновления токена:", "https://your-domain.com/smart-home/token"),
    ] {
        let found =
            lines.iter().any(|line| line.strip_prefix(field).is_some_and(|rest| rest.trim() == value));
        assert!(found, "{field} {value}: {}", stdout(&output));
    }
    assert!(!stdout(&output).contains(SECRET), "it is typed nowhere");
    assert!(!stdout(&output).contains('{') && !stdout(&output).contains("is not set"));
}

#[test]
fn the_line_that_closes_the_door_counts_whatever_env_held() {
    let printed = run(&[], &["setup", "--domain", "your-domain.com"]);
    let line =
        stdout(&printed).lines().find(|line| line.contains("openssl rand") && line.contains(">>"));
    for held in ["", "API_KEY=x\nLISTEN_ADDR=:8080\n", "API_KEY=x\nWEBHOOK_SECRET=open"] {
        let folder =
            std::env::temp_dir().join(format!("relay-lock-{}-{}", std::process::id(), held.len()));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join(".env"), held).unwrap();
        let pasted =
            Command::new("sh").args(["-c", line.unwrap()]).current_dir(&folder).output().unwrap();
        let now = std::fs::read_to_string(folder.join(".env")).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(pasted.status.success() && pasted.stderr.is_empty(), "{pasted:?}");
        assert!(now.starts_with(held), "{now:?}");
        let last = now.lines().rfind(|line| line.starts_with("WEBHOOK_SECRET=")).unwrap();
        let (_, secret) = last.split_once('=').unwrap();
        assert_eq!(secret.len(), 64);
        assert!(run(&[("WEBHOOK_SECRET", secret)], &["setup", "--domain", "a.b"]).status.success());
    }
}

#[test]
fn setup_writes_a_cyrillic_domain_as_dns_knows_it_and_refuses_what_it_can_not() {
    let output =
        run(&[("WEBHOOK_SECRET", "webhook-secret_90cc31")], &["setup", "--domain", "Пример.рф"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(stdout(&output).contains("wss://xn--e1afmkfd.xn--p1ai/ws\n"), "{}", stdout(&output));
    assert!(!stdout(&output).contains("рф"), "{}", stdout(&output));
    assert!(
        stderr(&output).contains("Пример.рф is xn--e1afmkfd.xn--p1ai in DNS"),
        "{}",
        stderr(&output)
    );
    let output = run(&[], &["setup", "--domain", "straße.de"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""));
    assert!(stderr(&output).contains("'ß'") && stderr(&output).contains("xn--"), "{}", stderr(&output));
}

#[test]
fn setup_says_how_to_set_what_is_not_set() {
    let output = run(&[], &["setup", "--domain", "your-domain.com"]);
    assert_eq!(output.status.code(), Some(0));
    for cure in [
        "THE DOOR IS OPEN: WEBHOOK_SECRET is not set",
        r#"printf '\nWEBHOOK_SECRET=%s\n' "$(openssl rand -hex 32)" >> .env"#,
        "API_KEY is not set",
        "Smart Home is off: set SMART_HOME_SECRET to the output of `openssl rand -hex 32`",
        "https://your-domain.com/alice/webhook\n",
    ] {
        assert!(stdout(&output).contains(cure), "{cure}: {}", stdout(&output));
    }
    for domain in ["https://your-domain.com", "your-domain.com/", "", "x y", "localhost"] {
        let output = run(&[], &["setup", "--domain", domain]);
        assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""), "{domain}");
        assert!(stderr(&output).contains("your-domain.com, without https://"), "{}", stderr(&output));
    }
    let output = run(&[("SMART_HOME_SECRET", "open")], &["setup", "--domain", "your-domain.com"]);
    assert_eq!(output.status.code(), Some(2));
}
