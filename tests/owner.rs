//! What a browser sees: the small pages, and the owner's page from logging in to logging out.

use crate::support::owner::{Browser, WEBHOOK, cookie_of, enter, login, page_token, send, start};
use crate::support::{KEY, Relay, Response, command};

const HTML: (&str, &str) = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");

fn is_locked_up(response: &Response) {
    let policy = response.field("Content-Security-Policy").unwrap();
    for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action "] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    for (name, value) in [
        ("Content-Type", "text/html; charset=utf-8"),
        ("X-Frame-Options", "DENY"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
        ("X-Robots-Tag", "noindex, nofollow"),
    ] {
        assert_eq!(response.field(name), Some(value), "{name}");
    }
}

fn is_logged_in(page: &Response) -> bool {
    assert_eq!(page.status, 200, "{page:?}");
    is_locked_up(page);
    page.body.contains("/owner/leave")
}

#[test]
fn a_browser_is_told_that_the_relay_runs_and_everybody_else_hears_what_they_always_did() {
    let relay = start(&[]);
    let webhook = format!("/alice/webhook/{WEBHOOK}");
    for (path, says) in [("/", "Home Alice Relay работает"), (&*webhook, "Адрес верный")]
    {
        let page = send(&relay, "GET", path, &[HTML], "");
        assert_eq!(page.status, 200, "{path}");
        assert!(page.body.contains(says) && page.body.contains("href=\"/owner\""), "{}", page.body);
        assert!(!page.body.contains(WEBHOOK) && !page.body.contains(KEY), "{}", page.body);
        is_locked_up(&page);
        assert_eq!(send(&relay, "HEAD", path, &[HTML], "").status, 200);
    }
    for fields in [&[][..], &[("Accept", "*/*")], &[("Accept", "application/json")]] {
        let root = send(&relay, "GET", "/", fields, "");
        assert_eq!((root.status, &*root.body), (404, r#"{"error":"there is nothing here"}"#));
        let webhook = send(&relay, "GET", &webhook, fields, "");
        assert_eq!((webhook.status, &*webhook.body), (405, r#"{"error":"use POST here"}"#));
    }
    for (method, path, status) in
        [("GET", "/alice/webhook", 404), ("GET", "/alice/webhook/x", 404), ("POST", "/", 404)]
    {
        assert_eq!(send(&relay, method, path, &[HTML], "").status, status, "{method} {path}");
    }
    assert_eq!(send(&relay, "PUT", &webhook, &[HTML], "").status, 405);
}

#[test]
fn without_a_webhook_secret_the_page_only_says_how_to_set_one() {
    for settings in [&[][..], &[("WEBHOOK_SECRET", "open")]] {
        let relay = Relay::start(settings);
        let page = send(&relay, "GET", "/owner", &[], "");
        assert_eq!(page.status, 200);
        let line = "printf &#39;\\nWEBHOOK_SECRET=%s\\n&#39; &quot;$(openssl rand -hex 32)&quot; &gt;&gt; .env";
        assert!(page.body.contains("Дверь открыта") && page.body.contains(line), "{}", page.body);
        assert!(!page.body.contains("<form"), "{}", page.body);
        is_locked_up(&page);
        for (method, path) in [
            ("POST", "/owner/enter"),
            ("POST", "/owner/code"),
            ("GET", "/owner/state"),
            ("POST", "/owner"),
        ] {
            assert_eq!(send(&relay, method, path, &[], "").status, 404, "{path}");
        }
        let address = relay.address().to_string();
        let own = [&[("LISTEN_ADDR", &*address), ("API_KEY", KEY)][..], settings].concat();
        let output = command(&own).arg("login").output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8(output.stderr).unwrap().contains("WEBHOOK_SECRET is not set"));
    }
}

#[test]
fn a_code_lets_a_browser_in_once_and_logging_out_puts_it_out() {
    let relay = start(&[]);
    assert!(!is_logged_in(&send(&relay, "GET", "/owner", &[], "")));
    let code = login(&relay, &[], &[]);
    let entered = enter(&relay, &[], &code.to_lowercase().replace('-', "+"));
    assert_eq!((entered.status, entered.field("Location")), (303, Some("/owner?entered")));
    let set = entered.field("Set-Cookie").unwrap();
    assert!(set.starts_with("__Host-relay-owner="), "{set}");
    assert!(set.ends_with("; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax; Secure"), "{set}");
    relay.line("Somebody has logged in to the owner's page from 127.0.0.1");
    let browser = Browser { relay: &relay, cookie: cookie_of(&entered) };
    assert!(is_logged_in(&browser.page()));
    let again = enter(&relay, &[], &code);
    assert!(again.body.contains("Код неверный") && again.field("Set-Cookie").is_none());
    relay.line("its code is wrong, used or too old");

    let token = page_token(&browser.page());
    let wrong = browser.send("POST", "/owner/leave", "token=x");
    assert!(wrong.field("Set-Cookie").is_none(), "another page can't log it out");
    let left = browser.send("POST", "/owner/leave", &format!("token={token}"));
    assert_eq!((left.status, left.field("Location")), (303, Some("/owner")));
    assert!(left.field("Set-Cookie").unwrap().starts_with("__Host-relay-owner=; Path=/; Max-Age=0"));
}

/// What a press of the button sends, with this code typed in.
fn press(page: &Response, code: &str) -> String {
    let (_, id) = page.body.split_once(" name=\"page\" value=\"").unwrap();
    format!("code={code}&page={}", id.split('"').next().unwrap())
}

#[test]
fn a_second_press_hears_the_same_for_its_own_page_and_kind_of_cookie() {
    let relay = start(&[]);
    let page = || send(&relay, "GET", "/owner", &[], "");
    let (own, other, code) = (page(), page(), login(&relay, &[], &[]));
    let enter =
        |fields: &[(&str, &str)], body: &str| send(&relay, "POST", "/owner/enter", fields, body);
    let body = press(&own, &code);
    let first = enter(&[], &body);
    let cookie = cookie_of(&first);
    let second = enter(&[], &body);
    assert_eq!((second.status, cookie_of(&second)), (303, cookie.clone()));
    assert!(is_logged_in(&Browser { relay: &relay, cookie: cookie.clone() }.page()));
    // Whoever has read the code over a shoulder has another page.
    for not_equal in [&press(&other, &code), &format!("{body}&x"), &format!("code={code}")] {
        assert!(enter(&[], not_equal).body.contains("Код неверный"), "{not_equal}");
    }
    let home = enter(&[("Host", "127.0.0.1:8080")], &body);
    assert!(home.field("Set-Cookie").is_none(), "it would be another cookie");
    // Nor is it given to whoever finds the form in a browser that was logged out.
    let browser = Browser { relay: &relay, cookie };
    let token = page_token(&browser.page());
    browser.send("POST", "/owner/leave", &format!("token={token}"));
    assert!(enter(&[], &body).field("Set-Cookie").is_none());
}

#[test]
fn a_new_code_replaces_the_old_one() {
    let relay = start(&[]);
    let (old, new) = (login(&relay, &[], &[]), login(&relay, &[], &[]));
    assert!(enter(&relay, &[], &old).field("Set-Cookie").is_none());
    assert_eq!(enter(&relay, &[], &new).status, 303);
}

#[test]
fn over_plain_http_at_home_a_cookie_of_its_own_counts_and_nowhere_else() {
    let relay = start(&[]);
    let home = ("Host", "127.0.0.1:8080");
    let entered = enter(&relay, &[home], &login(&relay, &[], &[]));
    let cookie = cookie_of(&entered);
    let set = entered.field("Set-Cookie").unwrap();
    assert!(cookie.starts_with("relay-owner=") && !set.contains("Secure"), "{set}");
    let page = |fields: &[(&str, &str)]| send(&relay, "GET", "/owner", fields, "");
    assert!(is_logged_in(&page(&[home, ("Cookie", &cookie)])));
    assert!(!is_logged_in(&page(&[("Cookie", &cookie)])), "by its domain");
    for forwarded in ["X-Forwarded-For", "X-Real-IP", "X-Forwarded-Proto"] {
        let fields = [home, ("Cookie", &*cookie), (forwarded, "192.0.2.1")];
        assert!(!is_logged_in(&page(&fields)), "through a proxy: {forwarded}");
    }
    let (_, seal) = cookie.split_once('=').unwrap();
    let renamed = format!("__Host-relay-owner={seal}");
    assert!(!is_logged_in(&page(&[("Cookie", &renamed)])));
    let secure = Browser::logged_in(&relay).cookie;
    let renamed = secure.replace("__Host-", "");
    assert!(!is_logged_in(&page(&[home, ("Cookie", &renamed)])));
    assert!(page(&[home]).body.contains("Код входа"));
    let not_kept = send(&relay, "GET", "/owner?entered", &[], "");
    assert!(not_kept.body.contains("браузер не сохранил вход"), "{}", not_kept.body);
}

#[test]
fn a_cookie_outlives_a_restart_and_is_void_when_a_secret_or_an_id_changes() {
    let relay = start(&[]);
    let cookie = Browser::logged_in(&relay).cookie;
    assert!(is_logged_in(&Browser { relay: &start(&[]), cookie: cookie.clone() }.page()));
    for changed in [
        ("API_KEY", "another-key-77e0a1b2c3"),
        ("WEBHOOK_SECRET", "another-secret_5d1b9c"),
        ("ALICE_USER_IDS", "me"),
        ("ALICE_SKILL_ID", "skill"),
        ("AGENTS", "ноутбук=key-of-the-notebook"),
    ] {
        let relay = start(&[changed]);
        assert!(
            !is_logged_in(&Browser { relay: &relay, cookie: cookie.clone() }.page()),
            "{changed:?}"
        );
    }
}

#[test]
fn codes_are_given_to_the_owner_alone() {
    let relay = start(&[]);
    let cookie = Browser::logged_in(&relay).cookie;
    let (_, seal) = cookie.split_once('=').unwrap();
    let monitor = login(&relay, &[], &["--monitor"]);
    for shown in ["", WEBHOOK, KEY, seal, &monitor] {
        for path in ["/owner/code", "/owner/monitor"] {
            let response = send(&relay, "POST", path, &[("Relay-Login", shown)], "{}");
            assert_eq!(response.status, 401, "{path} {shown}");
            assert!(!response.body.contains("given"), "{}", response.body);
        }
    }
    relay.line("it asks for a code without this relay's secrets and ids");
    let address = relay.address().to_string();
    let own = [("LISTEN_ADDR", &*address), ("WEBHOOK_SECRET", WEBHOOK)];
    let output = command(&own).arg("login").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no owner's page for these secrets"));
}

#[test]
fn no_pass_of_one_kind_counts_for_another() {
    let relay = start(&[]);
    let browser = Browser::logged_in(&relay);
    let (name, seal) = browser.cookie.split_once('=').unwrap();
    let (monitor, token) = (login(&relay, &[], &["--monitor"]), page_token(&browser.page()));
    for other in [&monitor, &token, KEY, WEBHOOK, &seal[1..], &format!("{seal}A")] {
        let cookie = format!("{name}={other}");
        assert!(!is_logged_in(&Browser { relay: &relay, cookie }.page()), "{other}");
        assert!(enter(&relay, &[], other).field("Set-Cookie").is_none());
    }
    let other = Browser::logged_in(&relay);
    for wrong in [&*page_token(&other.page()), seal, &monitor, ""] {
        let left = browser.send("POST", "/owner/leave", &format!("token={wrong}"));
        assert!(left.field("Set-Cookie").is_none(), "{wrong}");
    }
}

#[test]
fn what_is_not_there_is_404_and_another_method_405() {
    let relay = start(&[]);
    for path in ["/owner/", "/owners", "/owner/nothing", "/owner/enter/"] {
        assert_eq!(send(&relay, "GET", path, &[], "").status, 404, "{path}");
    }
    for (method, path, allow) in [
        ("PUT", "/owner", "GET, HEAD"),
        ("GET", "/owner/enter", "POST"),
        ("GET", "/owner/leave", "POST"),
        ("GET", "/owner/code", "POST"),
        ("GET", "/owner/monitor", "POST"),
    ] {
        let response = send(&relay, method, path, &[], "");
        assert_eq!((response.status, response.field("Allow")), (405, Some(allow)), "{path}");
    }
    for body in ["", "code", "code=%ff", "code=1&code=2", "\u{0}&&=&%zz"] {
        let page = send(&relay, "POST", "/owner/enter", &[], body);
        assert!(page.body.contains("Код неверный"), "{body:?}");
    }
}

#[test]
fn no_code_cookie_or_token_is_in_the_log() {
    let mut relay = start(&[("LOG_LEVEL", "trace")]);
    let code = login(&relay, &[], &[]);
    let entered = enter(&relay, &[("X-Real-IP", "192.0.2.1")], &code);
    let browser = Browser { relay: &relay, cookie: cookie_of(&entered) };
    let (_, seal) = browser.cookie.split_once('=').unwrap();
    let (monitor, token) = (login(&relay, &[], &["--monitor"]), page_token(&browser.page()));
    for shown in [&code, seal, &monitor, &token] {
        enter(&relay, &[], shown);
        let bearer = format!("Bearer {shown}");
        let fields = [("Relay-Login", shown), ("Authorization", &bearer), ("Cookie", shown)];
        for path in ["/owner/code", "/owner/leave", "/owner/say", "/owner/state"] {
            send(&relay, "POST", path, &fields, &format!("token={shown}"));
            send(&relay, "GET", path, &fields, "");
        }
    }
    let secrets = [code, seal.to_owned(), monitor, token];
    relay.stop();
    let log = relay.rest_of_log();
    assert!(log.contains("was refused"), "{log}");
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret}: {log}");
    }
}
