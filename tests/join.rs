//! Joining: the line that `invite` prints, the code in it, and the key that an agent gets for it.

use std::process::Output;

use crate::support::owner::{Browser, WEBHOOK, send, start};
use crate::support::{Agent, KEY, Relay, Response, command};
use serde_json::json;

const NOTEBOOK: &str = "key-of-the-notebook-1";
const AGENTS: (&str, &str) = ("AGENTS", "ноутбук=key-of-the-notebook-1,old-key-of-the-notebook");
const HTTPS: (&str, &str) = ("X-Forwarded-Proto", "https");

/// What `invite` does, in the environment of this relay, which has these settings besides its own.
fn invite(relay: &Relay, settings: &[(&str, &str)], options: &[&str]) -> Output {
    let address = relay.address().to_string();
    let own = [("LISTEN_ADDR", &*address), ("API_KEY", KEY), ("WEBHOOK_SECRET", WEBHOOK)];
    command(&[&own, settings].concat()).arg("invite").args(options).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// The code in the line for the PC.
fn code(relay: &Relay, settings: &[(&str, &str)], options: &[&str]) -> String {
    let output = invite(relay, settings, options);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let line = stdout(&output).lines().next().unwrap();
    line.rsplit(' ').next().unwrap().to_owned()
}

/// What an agent hears that shows this code, and what else is in the body, over https.
fn join(relay: &Relay, code: &str, id: &str) -> Response {
    let body = json!({ "code": code, "id": id }).to_string();
    send(relay, "POST", "/ws/join", &[HTTPS], &body)
}

#[track_caller]
fn is_refused(response: &Response, status: u16, cure: &str) {
    assert_eq!(response.status, status, "{response:?}");
    let told = response.json();
    assert!(told["error"].as_str().unwrap().contains(cure), "{told}");
    assert!(!response.body.contains(KEY) && !response.body.contains(NOTEBOOK), "{told}");
    assert_eq!(response.field("Cache-Control"), Some("no-store"));
}

const WRONG: &str = "wrong, used or too old";

#[test]
fn an_agent_gets_the_key_for_the_code_once_and_is_let_in_with_it() {
    let relay = start(&[]);
    let code = code(&relay, &[], &["--domain", "your-domain.com"]);
    let joined = join(&relay, &code.to_lowercase().replacen('-', " ", 1), "a");
    assert_eq!(joined.status, 200, "{joined:?}");
    assert_eq!(joined.json(), json!({ "name": "компьютер", "key": KEY }));
    assert_eq!(joined.field("Cache-Control"), Some("no-store"));
    relay.line("An agent joins from 127.0.0.1 as the PC компьютер");
    is_refused(&join(&relay, &code, "b"), 401, WRONG);
    relay.line("Agent rejected from 127.0.0.1: its code to join is wrong, used or too old");
    assert!(Agent::connect(relay.address(), joined.json()["key"].as_str().unwrap()).is_ok());
}

#[test]
fn an_equal_request_hears_the_same_and_another_one_nothing() {
    let relay = start(&[]);
    let code = code(&relay, &[], &[]);
    let first = join(&relay, &code, "a");
    let second = join(&relay, &code, "a");
    assert_eq!((second.status, &second.body), (200, &first.body));
    for other in ["b", ""] {
        is_refused(&join(&relay, &code, other), 401, WRONG);
    }
    let body = json!({ "code": code, "id": "a" }).to_string();
    is_refused(&send(&relay, "POST", "/ws/join", &[], &body), 403, "https");
}

#[test]
fn a_new_invitation_replaces_the_one_before_for_the_same_pc_and_no_other() {
    let relay = start(&[AGENTS]);
    let of_notebook = code(&relay, &[AGENTS], &["ноутбук"]);
    let (old, new) = (code(&relay, &[AGENTS], &[]), code(&relay, &[AGENTS], &[]));
    is_refused(&join(&relay, &old, "a"), 401, WRONG);
    assert_eq!(join(&relay, &new, "a").json()["key"], KEY);
    let joined = join(&relay, &of_notebook, "a").json();
    assert_eq!(joined, json!({ "name": "ноутбук", "key": NOTEBOOK }));
    relay.line("as the PC ноутбук");
    assert!(Agent::connect(relay.address(), NOTEBOOK).is_ok());
}

#[test]
fn of_two_keys_the_new_one_is_given() {
    let keys = ("API_KEY", "the-new-key-5d1b9c77e0,the-old-key-aa20e6f413");
    let relay = start(&[keys]);
    let joined = join(&relay, &code(&relay, &[keys], &[]), "a");
    assert_eq!(joined.json()["key"], "the-new-key-5d1b9c77e0");
}

#[test]
fn a_key_is_given_over_https_or_on_the_machine_itself_and_a_code_that_came_otherwise_counts_no_more() {
    let relay = start(&[]);
    let home = ("Host", "127.0.0.1:8080");
    for fields in [
        &[][..],
        &[("X-Forwarded-Proto", "http")],
        &[("X-Forwarded-Proto", "https, http")],
        &[("X-Real-IP", "192.0.2.1")],
        &[home, ("X-Forwarded-For", "192.0.2.1")],
        &[home, ("X-Forwarded-Proto", "http")],
    ] {
        let body = json!({ "code": code(&relay, &[], &[]) }).to_string();
        let cure = "let the proxy say so (`X-Forwarded-Proto: https`)";
        is_refused(&send(&relay, "POST", "/ws/join", fields, &body), 403, cure);
        is_refused(&send(&relay, "POST", "/ws/join", &[HTTPS], &body), 401, WRONG);
    }
    relay.line("it wants to join, but not over https");
    for fields in [
        &[HTTPS, ("X-Real-IP", "192.0.2.1")][..],
        &[home, ("X-Forwarded-Proto", "HTTPS")],
        &[("X-Forwarded-Proto", "https,https")],
        &[home],
        &[("Host", "localhost")],
        &[("Host", "[::1]:8080")],
    ] {
        let body = json!({ "code": code(&relay, &[], &[]) }).to_string();
        let joined = send(&relay, "POST", "/ws/join", fields, &body);
        assert_eq!(joined.status, 200, "{fields:?}: {joined:?}");
    }
}

#[test]
fn a_body_that_is_no_object_with_a_code_is_refused_and_uses_no_code_up() {
    let relay = start(&[]);
    let code = code(&relay, &[], &[]);
    let post = |body: &str| send(&relay, "POST", "/ws/join", &[HTTPS], body);
    let quoted = format!("\"{code}\"");
    let list = format!("[{quoted}]");
    let other_key = format!("{{\"Code\":{quoted}}}");
    for body in [
        "",
        "{}",
        "null",
        &code,
        &quoted,
        &list,
        &other_key,
        r#"{"code":1}"#,
        r#"{"code":["a"]}"#,
        "{\"code\"",
    ] {
        is_refused(&post(body), 400, "JSON object with the text `code`");
    }
    for typed in
        ["", "0000-0000-0000", &code[1..], &format!("{code}0"), &"0".repeat(60_000), "код", "\u{0}"]
    {
        is_refused(&join(&relay, typed, "a"), 401, WRONG);
    }
    assert_eq!(post(&"x".repeat(70_000)).status, 413);
    assert_eq!(join(&relay, &code, "a").status, 200);
}

#[test]
fn a_thousand_wrong_codes_are_one_line_of_the_log_and_lock_nobody_out() {
    let mut relay = start(&[]);
    let code = code(&relay, &[], &[]);
    let mut http = relay.http();
    for number in 0..1000 {
        let body = json!({ "code": format!("0000-0000-{number:04}") }).to_string();
        let length = body.len();
        http.send(format!(
            "POST /ws/join HTTP/1.1\r\nHost: r\r\nX-Forwarded-Proto: https\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
        is_refused(&http.response(), 401, WRONG);
    }
    assert_eq!(join(&relay, &code, "a").status, 200);
    relay.stop();
    assert_eq!(relay.rest_of_log().matches("its code to join is wrong").count(), 1);
}

#[test]
fn another_method_is_405() {
    let relay = start(&[]);
    for (method, path) in [
        ("GET", "/ws/join"),
        ("PUT", "/ws/join"),
        ("HEAD", "/ws/join"),
        ("GET", "/ws/invite"),
        ("DELETE", "/ws/invite"),
    ] {
        let response = send(&relay, method, path, &[HTTPS], "");
        assert_eq!((response.status, response.field("Allow")), (405, Some("POST")), "{method} {path}");
    }
    for path in ["/ws/", "/ws/join/", "/ws/joins", "/ws/x"] {
        assert_eq!(send(&relay, "POST", path, &[HTTPS], "{}").status, 404, "{path}");
    }
}

#[test]
fn with_an_open_door_nobody_is_invited_and_nobody_joins() {
    let relay = Relay::start(&[("WEBHOOK_SECRET", "open")]);
    let lock = r#"printf '\nWEBHOOK_SECRET=%s\n' "$(openssl rand -hex 32)" >> .env"#;
    for path in ["/ws/join", "/ws/invite"] {
        is_refused(&send(&relay, "POST", path, &[HTTPS], r#"{"code":"x"}"#), 403, lock);
    }
    relay.line("no agent can join while WEBHOOK_SECRET is not set");
    let output = invite(&relay, &[("WEBHOOK_SECRET", "open")], &["--domain", "your-domain.com"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""));
    assert!(stderr(&output).contains(lock), "{}", stderr(&output));
    // It is set, but the relay was not started again.
    let output = invite(&relay, &[], &[]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""));
    assert!(stderr(&output).contains("started without WEBHOOK_SECRET"), "{}", stderr(&output));
}

#[test]
fn a_key_that_is_good_for_one_run_is_not_given_and_those_of_other_pcs_are() {
    let settings = [("LISTEN_ADDR", "127.0.0.1:0"), ("WEBHOOK_SECRET", WEBHOOK), AGENTS];
    let relay = Relay::spawn(&mut command(&settings));
    let key = relay.line("api_key: ").split_off("api_key: ".len());
    let address = relay.address().to_string();
    let own = [("LISTEN_ADDR", &*address), ("WEBHOOK_SECRET", WEBHOOK), AGENTS];
    let output = command(&own).arg("invite").output().unwrap();
    assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""));
    assert!(
        stderr(&output).contains("API_KEY is not set")
            && stderr(&output).contains("openssl rand -hex 32")
    );
    let output = invite(&relay, &[("API_KEY", &key), AGENTS], &[]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""));
    assert_eq!(join(&relay, &code(&relay, &[AGENTS], &["ноутбук"]), "a").json()["key"], NOTEBOOK);
}

#[test]
fn invitations_are_made_for_whoever_has_that_pcs_newest_key_alone() {
    let relay = start(&[AGENTS]);
    for shown in ["", KEY, WEBHOOK, NOTEBOOK] {
        let response = send(&relay, "POST", "/ws/invite", &[("Relay-Invite", shown)], "{}");
        is_refused(&response, 401, "run `invite` with the relay's own environment");
    }
    relay.line("it asks for an invitation without a key of this relay's");
    for settings in [
        &[("API_KEY", "another-key-77e0a1b2c3")][..],
        &[("API_KEY", "another-key-77e0a1b2c3"), ("AGENTS", "ноутбук=old-key-of-the-notebook")],
    ] {
        let output = invite(&relay, settings, &[]);
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""));
        assert!(stderr(&output).contains("has another key for this PC"), "{}", stderr(&output));
    }
    let output = invite(&relay, &[("AGENTS", "ноутбук=old-key-of-the-notebook")], &["ноутбук"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn the_first_line_is_for_the_pc_and_the_rest_says_what_it_is() {
    let relay = start(&[AGENTS]);
    let address = relay.address().to_string();
    let at_home = format!("home-alice-agent join ws://{address}/ws ");
    for (options, begins, pc) in [
        (&["--domain", "your-domain.com"][..], "home-alice-agent join your-domain.com ", "компьютер"),
        (
            &["--domain", "Your-Domain.com", "ноутбука"],
            "home-alice-agent join your-domain.com ",
            "ноутбук",
        ),
        (
            &["Ноутбуку", "--domain", "пример.рф"],
            "home-alice-agent join xn--e1afmkfd.xn--p1ai ",
            "ноутбук",
        ),
        (&[], &at_home, "компьютер"),
        (&["компьютера"], &at_home, "компьютер"),
    ] {
        let output = invite(&relay, &[AGENTS], options);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let (line, rest) = stdout(&output).split_once('\n').unwrap();
        let code = line.strip_prefix(begins).unwrap_or_else(|| panic!("{line}"));
        assert_eq!(code.split('-').map(str::len).collect::<Vec<_>>(), [4, 4, 4], "{line}");
        assert!(
            rest.starts_with('\n') && rest.contains("5 minutes") && rest.contains(&format!("«{pc}»")),
            "{rest}"
        );
    }
    let url = format!("http://{address}");
    let own = [("API_KEY", KEY), ("WEBHOOK_SECRET", WEBHOOK)];
    let output = command(&own).args(["invite", "--url", &url]).output().unwrap();
    assert!(stdout(&output).starts_with(&at_home), "{output:?}");
}

#[test]
fn what_can_not_be_invited_is_told_with_the_cure() {
    let relay = start(&[AGENTS]);
    for (options, told) in [
        (&["сервер"][..], "no PC is called \"сервер\": there is компьютер, ноутбук"),
        (&["--domain", "https://your-domain.com"], "your-domain.com, without https://"),
        (&["--url", "http://192.0.2.1:8080"], "--domain your-domain.com"),
        (&["--domain"], "home-alice-relay invite"),
        (&["a", "b"], "home-alice-relay invite"),
        (&["--wait", "1"], "home-alice-relay invite"),
    ] {
        let output = invite(&relay, &[AGENTS], options);
        assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""), "{options:?}");
        assert!(stderr(&output).contains(told), "{options:?}: {}", stderr(&output));
    }
    let address = relay.address().to_string();
    drop(relay);
    let own = [("LISTEN_ADDR", &*address), ("API_KEY", KEY), ("WEBHOOK_SECRET", WEBHOOK)];
    let output = command(&own).arg("invite").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("can't be reached"), "{}", stderr(&output));
}

#[test]
fn neither_code_nor_key_is_in_the_log() {
    let mut relay = start(&[("LOG_LEVEL", "trace"), AGENTS]);
    let codes = [code(&relay, &[AGENTS], &[]), code(&relay, &[AGENTS], &["ноутбук"])];
    for code in &codes {
        let body = json!({ "code": code, "id": code }).to_string();
        for fields in [&[("X-Forwarded-Proto", "https"), ("X-Real-IP", "192.0.2.1")][..], &[HTTPS], &[]]
        {
            for method in ["POST", "GET"] {
                send(&relay, method, "/ws/join", fields, &body);
                send(&relay, method, "/ws/invite", fields, &body);
            }
        }
        send(&relay, "POST", "/ws/join", &[HTTPS], code);
        send(&relay, "POST", "/ws/invite", &[("Relay-Invite", code)], code);
    }
    relay.stop();
    let log = relay.rest_of_log();
    assert!(log.contains("as the PC ноутбук") && log.contains("Agent rejected"), "{log}");
    for secret in
        codes.iter().map(String::as_str).chain([KEY, NOTEBOOK, WEBHOOK, "old-key-of-the-notebook"])
    {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[test]
fn the_owners_page_names_the_command_while_a_pc_is_away() {
    let relay = start(&[]);
    let browser = Browser::logged_in(&relay);
    let command = "/home-alice-relay invite --domain relay.example</code>";
    let hint = |page: &Response| {
        page.body.split("<p id=\"invite\"").nth(1).unwrap().split("</p>").next().unwrap().to_owned()
    };
    let away = hint(&browser.page());
    assert!(away.contains(command) && !away.contains(" hidden>"), "{away}");
    let _agent = relay.agent();
    let there = hint(&browser.page());
    assert!(there.contains(" hidden>"), "{there}");
}
