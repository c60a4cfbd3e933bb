//! Plays the owner, and the browser in which the owner's page is looked at.

use super::{KEY, Relay, Response, command};

pub const WEBHOOK: &str = "webhook-secret_90cc31";

/// A relay that has an owner's page, and these settings.
pub fn start(settings: &[(&str, &str)]) -> Relay {
    let mut all = vec![("WEBHOOK_SECRET", WEBHOOK)];
    all.extend_from_slice(settings);
    Relay::start(&all)
}

/// One request on a connection of its own.
pub fn send(relay: &Relay, method: &str, path: &str, fields: &[(&str, &str)], body: &str) -> Response {
    let mut http = relay.http();
    let host =
        if fields.iter().any(|(name, _)| *name == "Host") { "" } else { "Host: relay.example\r\n" };
    let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    http.send(format!(
        "{method} {path} HTTP/1.1\r\n{host}{fields}Content-Length: {length}\r\n\r\n{body}"
    ));
    if method == "HEAD" { http.head_response() } else { http.response() }
}

/// What `login` with these options prints, first of all; the relay has these settings besides its own.
pub fn login(relay: &Relay, settings: &[(&str, &str)], options: &[&str]) -> String {
    let address = relay.address().to_string();
    let own = [("LISTEN_ADDR", &*address), ("API_KEY", KEY), ("WEBHOOK_SECRET", WEBHOOK)];
    let output = command(&[&own, settings].concat()).arg("login").args(options).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().next().unwrap().to_owned()
}

/// Types a code into the page.
pub fn enter(relay: &Relay, fields: &[(&str, &str)], code: &str) -> Response {
    send(relay, "POST", "/owner/enter", fields, &format!("code={code}"))
}

/// The cookie that a response gives, as the browser sends it back.
pub fn cookie_of(response: &Response) -> String {
    response.field("Set-Cookie").unwrap().split(';').next().unwrap().to_owned()
}

/// The token that a page shows.
pub fn page_token(page: &Response) -> String {
    let (_, rest) = page.body.split_once("name=\"token\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// A browser that is logged in, over https.
pub struct Browser<'a> {
    pub relay: &'a Relay,
    pub cookie: String,
}

impl<'a> Browser<'a> {
    pub fn logged_in(relay: &'a Relay) -> Self {
        Self::with(relay, &[])
    }

    /// Of a relay that has these settings besides its own.
    pub fn with(relay: &'a Relay, settings: &[(&str, &str)]) -> Self {
        let entered = enter(relay, &[], &login(relay, settings, &[]));
        assert_eq!(entered.status, 303, "{entered:?}");
        Self { relay, cookie: cookie_of(&entered) }
    }

    pub fn send(&self, method: &str, path: &str, body: &str) -> Response {
        send(self.relay, method, path, &[("Cookie", &self.cookie)], body)
    }

    pub fn page(&self) -> Response {
        self.send("GET", "/owner", "")
    }
}
