//! Linking Smart Home: the page, the codes and the tokens, as Yandex and the owner use them.

use crate::support::smart_home::{
    REDIRECT, SECRET, STATE, asked, authorization_code, client_secret, exchange, form, leads_on,
    leads_to, link, pairing_code, parameter, post_form, request, send, start, tokens, type_in,
};
use crate::support::{Relay, Response};
use serde_json::json;

fn with(name: &str, value: Option<&str>) -> String {
    let mut pairs = asked();
    pairs.retain(|(own, _)| *own != name);
    let mut changed: Vec<(&str, &str)> = pairs;
    changed.extend(value.map(|value| (name, value)));
    form(&changed)
}

fn page(relay: &Relay, query: &str) -> Response {
    send(relay, "GET", &format!("/authorize?{query}"), &[], "")
}

#[test]
fn without_a_secret_it_is_off_and_every_path_is_404_like_any_other() {
    for settings in [&[][..], &[("SMART_HOME_SECRET", "")]] {
        let relay = Relay::start(settings);
        let nothing = relay.get("/nothing");
        for (method, path) in [
            ("GET", "/authorize"),
            ("POST", "/authorize"),
            ("POST", "/token"),
            ("POST", "/pair"),
            ("GET", "/v1.0"),
            ("GET", "/v1.0/"),
            ("GET", "/v1.0/user/devices"),
            ("POST", "/v1.0/user/unlink"),
            ("GET", ""),
        ] {
            let response = send(&relay, method, path, &[], "");
            assert_eq!((response.status, &response.body), (404, &nothing.body), "{method} {path}");
        }
    }
}

#[test]
fn what_is_not_there_is_404_and_another_method_405() {
    let relay = start(&[]);
    for path in ["", "/", "/nothing", "/authorize/", "/tokens", "/v1.0x", "/v1", "x"] {
        assert_eq!(send(&relay, "GET", path, &[], "").status, 404, "{path}");
    }
    for (method, path, allow) in
        [("PUT", "/authorize", "GET, HEAD, POST"), ("GET", "/token", "POST"), ("GET", "/pair", "POST")]
    {
        let response = send(&relay, method, path, &[], "");
        assert_eq!((response.status, response.field("Allow")), (405, Some(allow)), "{path}");
    }
}

#[test]
fn linking_goes_from_the_page_to_tokens_that_work() {
    let relay = start(&[]);
    let response = page(&relay, &form(&asked()));
    assert_eq!(response.status, 200);
    for part in [
        "Дом с Алисой",
        "Вводите код, только если вы сами начали привязку",
        "<form method=\"post\"",
        STATE,
    ] {
        assert!(response.body.contains(part), "{part}: {}", response.body);
    }
    let code = pairing_code(&relay);
    assert_eq!(code.len(), 14);
    let redirect = type_in(&relay, &code.to_lowercase().replace('-', " "));
    assert_eq!(parameter(&redirect, "state"), STATE);
    let location = leads_to(&redirect);
    assert!(location.contains("&state=https%3A%2F%2Fsocial.yandex.ru%2Fbroker2%2F"), "{location}");
    let answer = exchange(&relay, &parameter(&redirect, "code"));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.field("Cache-Control"), Some("no-store"));
    assert_eq!(answer.field("Pragma"), Some("no-cache"));
    let tokens_of = answer.json();
    assert_eq!(
        (&tokens_of["token_type"], &tokens_of["expires_in"]),
        (&json!("Bearer"), &json!(7_776_000))
    );
    assert_eq!(tokens_of.as_object().unwrap().len(), 4);
    let refresh = tokens_of["refresh_token"].as_str().unwrap();
    for _ in 0..2 {
        let again = tokens(&relay, &[("grant_type", "refresh_token"), ("refresh_token", refresh)]);
        assert_eq!(again.status, 200, "a refresh may be repeated");
        let access = format!("Bearer {}", again.json()["access_token"].as_str().unwrap());
        let devices = send(&relay, "GET", "/v1.0/user/devices", &[("Authorization", &access)], "");
        assert_eq!(devices.status, 200);
    }
}

#[test]
fn every_page_is_locked_up() {
    let relay = start(&[]);
    let head = send(&relay, "HEAD", &format!("/authorize?{}", form(&asked())), &[], "");
    let forms = [page(&relay, &form(&asked())), type_in(&relay, "wrong"), head];
    let others = [page(&relay, ""), type_in(&relay, &pairing_code(&relay))];
    for (place, response) in forms.iter().chain(&others).enumerate() {
        let policy = response.field("Content-Security-Policy").unwrap();
        let parts: Vec<_> =
            policy.split("; ").map(|part| part.split(" 'sha256-").next().unwrap()).collect();
        let own = match place < forms.len() {
            true => &["script-src", "form-action 'self'"][..],
            false => &["form-action 'none'"],
        };
        let right =
            [&["default-src 'none'", "style-src"], own, &["base-uri 'none'", "frame-ancestors 'none'"]];
        assert_eq!(parts, right.concat());
        assert_eq!(response.field("Content-Type"), Some("text/html; charset=utf-8"));
        assert_eq!(response.field("X-Frame-Options"), Some("DENY"));
        assert_eq!(response.field("X-Content-Type-Options"), Some("nosniff"));
        assert_eq!(response.field("Referrer-Policy"), Some("no-referrer"));
        assert_eq!(response.field("Cache-Control"), Some("no-store"));
        assert_eq!(response.field("Set-Cookie"), None);
    }
}

#[test]
fn a_request_that_is_not_yandexs_is_refused_by_name_and_never_redirected() {
    let relay = start(&[]);
    let code = pairing_code(&relay);
    let long = "x".repeat(1025);
    for (name, value, told) in [
        ("client_id", Some("relay"), "Идентификатор приложения"),
        ("client_id", None, "Идентификатор приложения"),
        ("redirect_uri", Some("https://social.yandex.com/broker/redirect"), "URL авторизации"),
        (
            "redirect_uri",
            Some("https://evil.example/?https://social.yandex.net/broker/redirect"),
            "redirect_uri",
        ),
        ("redirect_uri", None, "redirect_uri"),
        ("response_type", Some("token"), "URL авторизации"),
        ("response_type", None, "response_type"),
        ("state", Some(&*long), "state"),
        ("state", Some(""), "state"),
        ("state", None, "state"),
    ] {
        let query = with(name, value);
        let body = format!("{query}&pairing_code={code}");
        for response in [page(&relay, &query), send(&relay, "POST", "/authorize", &[], &body)] {
            assert_eq!(response.status, 400, "{name} {value:?}");
            assert_eq!(response.field("Location"), None);
            assert!(response.body.contains(told), "{name}: {}", response.body);
            assert!(!response.body.contains("evil.example"), "{}", response.body);
        }
    }
    let longest = "x".repeat(1024);
    assert_eq!(page(&relay, &with("state", Some(&longest))).status, 200);
    assert!(leads_on(&type_in(&relay, &code)), "none of it used the code up");
}

#[test]
fn a_state_comes_back_as_it_was_whatever_it_holds() {
    let relay = start(&[]);
    for state in ["\"><script>alert(1)</script>", "a&b=c#d?e%20f+g", "{state}{content}", "привет ☕"]
    {
        let shown = page(&relay, &with("state", Some(state)));
        assert_eq!(shown.status, 200);
        assert!(!shown.body.contains("<script>alert"), "{}", shown.body);
        let code = pairing_code(&relay);
        let body = format!("{}&pairing_code={code}", with("state", Some(state)));
        let redirect = send(&relay, "POST", "/authorize", &[], &body);
        assert_eq!(parameter(&redirect, "state"), state);
        assert!(!redirect.body.contains("<script"), "{}", redirect.body);
    }
}

#[test]
fn a_wrong_used_or_replaced_pairing_code_is_told_and_counted_and_locks_nobody_out() {
    let relay = start(&[]);
    let told = |response: Response| {
        assert!(!leads_on(&response));
        response.body.contains("Код неверный, уже использован или устарел")
    };
    assert!(told(type_in(&relay, "0000-0000-0000")), "there is none yet");
    let replaced = pairing_code(&relay);
    let code = pairing_code(&relay);
    assert_ne!(replaced, code);
    for wrong in ["", "0000-0000-0000", &replaced, &format!("{code}0")] {
        assert!(told(type_in(&relay, wrong)), "{wrong}");
    }
    relay.line("its pairing code is wrong, used or too old");
    assert!(leads_on(&type_in(&relay, &code)));
    relay.line("Smart Home is being linked from 127.0.0.1");
    let other_page = press(&page(&relay, &form(&asked())), &code);
    assert!(told(send(&relay, "POST", "/authorize", &[], &other_page)), "it is used up");
}

/// What a press of the page's button sends, with this code typed in.
fn press(page: &Response, code: &str) -> String {
    let (_, id) = page.body.split_once(" name=\"page\" value=\"").unwrap();
    let mut pairs = asked();
    pairs.extend([("page", id.split('"').next().unwrap()), ("pairing_code", code)]);
    form(&pairs)
}

#[test]
fn a_second_press_hears_the_same_and_its_code_still_counts_once() {
    let relay = start(&[]);
    let (own, other) = (page(&relay, &form(&asked())), page(&relay, &form(&asked())));
    let code = pairing_code(&relay);
    let send = |body: &str| send(&relay, "POST", "/authorize", &[], body);
    let body = press(&own, &code);
    // The first answer never arrives: both are sent before either is read.
    let [first, second] = [(); 2].map(|()| {
        let mut http = relay.http();
        http.send(request("POST", "/authorize", &[], &body));
        http
    });
    let [first, second] = [first, second].map(|mut http| leads_to(&http.response()));
    assert_eq!(first, second);
    // Whoever has read the code over a shoulder has another page.
    for not_equal in [press(&other, &code), format!("{body}&x"), body.replace("scope=home&", "")] {
        assert!(send(&not_equal).body.contains("Код неверный"), "{not_equal}");
    }
    let third = send(&body);
    assert_eq!(leads_to(&third), first);
    let code = parameter(&third, "code");
    assert_eq!([exchange(&relay, &code).status, exchange(&relay, &code).status], [200, 400]);
}

#[test]
fn a_restart_forgets_the_pairing_code_and_keeps_the_tokens() {
    let mut relay = start(&[]);
    let (code, tokens_of) = (pairing_code(&relay), link(&relay));
    let code_of_new = pairing_code(&relay);
    assert_eq!(relay.stop().code(), Some(0));
    let relay = start(&[]);
    for code in [code, code_of_new] {
        assert!(!leads_on(&type_in(&relay, &code)));
    }
    let access = format!("Bearer {}", tokens_of["access_token"].as_str().unwrap());
    let fields = [("Authorization", &*access)];
    assert_eq!(send(&relay, "GET", "/v1.0/user/devices", &fields, "").status, 200);
    // Another secret unlinks everybody.
    let other = start(&[("SMART_HOME_SECRET", "another-secret_88fe01")]);
    assert_eq!(send(&other, "GET", "/v1.0/user/devices", &fields, "").status, 401);
}

#[test]
fn a_code_is_good_once_and_for_its_own_client_and_address() {
    let relay = start(&[]);
    let code = authorization_code(&relay);
    let secret = client_secret();
    let grant = [("grant_type", "authorization_code"), ("code", &*code)];
    let client = |id, secret| [("client_id", id), ("client_secret", secret)];
    let redirect = ("redirect_uri", REDIRECT);
    for (status, error, pairs) in [
        (401, "invalid_client", [&grant[..], &client("home-alice", "wrong"), &[redirect]].concat()),
        (401, "invalid_client", [&grant[..], &client("relay", &secret), &[redirect]].concat()),
        (401, "invalid_client", [&grant[..], &[redirect]].concat()),
        (
            400,
            "invalid_grant",
            [&grant[..], &client("home-alice", &secret), &[("redirect_uri", "https://x/")]].concat(),
        ),
        (400, "invalid_request", [&grant[..], &client("home-alice", &secret)].concat()),
        (400, "invalid_request", [&grant[1..], &client("home-alice", &secret)].concat()),
        (
            400,
            "unsupported_grant_type",
            [&[("grant_type", "password")][..], &client("home-alice", &secret)].concat(),
        ),
    ] {
        let response = post_form(&relay, "/token", &pairs);
        assert_eq!(response.status, status, "{pairs:?} {response:?}");
        assert_eq!(response.json(), json!({ "error": error }), "{pairs:?}");
        assert_eq!(response.field("WWW-Authenticate").is_some(), status == 401);
    }
    assert_eq!(exchange(&relay, &code).status, 200, "none of it used the code up");
    let again = exchange(&relay, &code);
    assert_eq!((again.status, again.json()), (400, json!({ "error": "invalid_grant" })));
}

#[test]
fn the_client_may_show_itself_by_basic() {
    let relay = start(&[]);
    let code = authorization_code(&relay);
    let basic = |secret: &str| {
        let shown = data_encoding::BASE64.encode(format!("home-alice:{secret}").as_bytes());
        format!("Basic {shown}")
    };
    let body =
        form(&[("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", REDIRECT)]);
    let wrong = send(&relay, "POST", "/token", &[("Authorization", &basic("wrong"))], &body);
    assert_eq!((wrong.status, wrong.json()), (401, json!({ "error": "invalid_client" })));
    let right = send(&relay, "POST", "/token", &[("Authorization", &basic(&client_secret()))], &body);
    assert_eq!(right.status, 200, "{right:?}");
}

#[test]
fn no_kind_of_seal_passes_for_another_and_no_changed_one_for_itself() {
    let relay = start(&[]);
    let (code, tokens_of) = (authorization_code(&relay), link(&relay));
    let access = tokens_of["access_token"].as_str().unwrap();
    let refresh = tokens_of["refresh_token"].as_str().unwrap();
    let reads = |token: &str| {
        let bearer = format!("Bearer {token}");
        send(&relay, "GET", "/v1.0/user/devices", &[("Authorization", &bearer)], "").status
    };
    assert_eq!([reads(access), reads(refresh), reads(&code), reads(SECRET)], [200, 401, 401, 401]);
    assert_eq!(reads(&client_secret()), 401, "«Секрет приложения» opens nothing by itself");
    for other in [access, refresh] {
        assert_eq!(exchange(&relay, other).status, 400);
    }
    for other in [access, &code] {
        let answer = tokens(&relay, &[("grant_type", "refresh_token"), ("refresh_token", other)]);
        assert_eq!((answer.status, answer.json()), (400, json!({ "error": "invalid_grant" })));
    }
    for seal in [access, refresh, &code] {
        let response = send(&relay, "POST", "/pair", &[("Relay-Pair", seal)], "");
        assert_eq!(response.status, 401);
    }
    let middle = access.len() / 2;
    let other = if &access[middle..=middle] == "A" { "B" } else { "A" };
    let changed = format!("{}{other}{}", &access[..middle], &access[middle + 1..]);
    assert_eq!(reads(&changed), 401);
    assert_eq!(reads(&access[1..]), 401);
}

#[test]
fn a_pairing_code_is_given_to_the_owner_alone() {
    let relay = start(&[]);
    for fields in [&[][..], &[("Relay-Pair", "")], &[("Relay-Pair", SECRET)]] {
        let response = send(&relay, "POST", "/pair", fields, "");
        assert_eq!(response.status, 401, "{fields:?}");
        assert!(!response.body.contains("code\":"), "{}", response.body);
    }
    relay.line("asks for a pairing code without this SMART_HOME_SECRET");
}

#[test]
fn what_is_larger_or_slower_than_a_turn_may_be_is_refused_here_too() {
    let relay = start(&[]);
    let mut http = relay.http();
    let large = 64 * 1024 + 1;
    http.send(format!("POST /smart-home/token HTTP/1.1\r\nHost: r\r\nContent-Length: {large}\r\n\r\n"));
    assert_eq!(http.response().status, 413);
    let mut http = relay.http();
    http.send("POST /smart-home/authorize HTTP/1.1\r\nHost: r\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(http.response().status, 411);
    let mut http = relay.http();
    // In order, on one connection.
    let query = form(&asked());
    http.send(
        request("GET", &format!("/authorize?{query}"), &[], "") + &request("POST", "/token", &[], "x"),
    );
    assert_eq!([http.response().status, http.response().status], [200, 401]);
    assert_eq!(send(&relay, "POST", "/authorize", &[], "\u{0}&&=&%ff=%zz&a").status, 400);
}

#[test]
fn no_code_and_no_token_is_in_the_log_wherever_it_was_put() {
    let mut relay = start(&[("LOG_LEVEL", "trace")]);
    let pairing = pairing_code(&relay);
    let redirect = type_in(&relay, &pairing);
    let code = parameter(&redirect, "code");
    let tokens_of = exchange(&relay, &code).json();
    let token = |name: &str| tokens_of[name].as_str().unwrap().to_owned();
    let seals = [code, token("access_token"), token("refresh_token")];
    for seal in &seals {
        let bearer = format!("Bearer {seal}");
        let fields = [("Authorization", &*bearer), ("X-Request-Id", seal), ("X-Real-IP", "192.0.2.1")];
        for (method, path) in [
            ("GET", "/v1.0/user/devices".to_owned()),
            ("POST", "/v1.0/user/devices/action".into()),
            ("POST", "/v1.0/user/unlink".into()),
            ("POST", "/token".into()),
            ("POST", "/pair".into()),
            ("GET", format!("/authorize?code={seal}&state={seal}")),
            ("GET", format!("/{seal}")),
        ] {
            let body = form(&[("code", seal), ("refresh_token", seal), ("pairing_code", &pairing)]);
            send(&relay, method, &path, &fields, &body);
        }
        exchange(&relay, seal);
        type_in(&relay, seal);
    }
    type_in(&relay, &pairing);
    assert_eq!(relay.stop().code(), Some(0));
    let log = relay.rest_of_log();
    assert!(log.contains("was refused") && log.contains("/user/unlink"), "{log}");
    for secret in seals.iter().chain([&pairing, &client_secret()]) {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}
