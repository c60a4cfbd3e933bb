//! Plays the owner, and the browser in which the owner's page is looked at.

use serde_json::{Value, json};

use super::{Http, KEY, Relay, Response, command};

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
    let (_, rest) = page.body.split_once(" name=\"token\" value=\"").unwrap();
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

impl Browser<'_> {
    /// What the page's script is told.
    pub fn state(&self) -> Value {
        let response = self.send("GET", "/owner/state", "");
        assert_eq!(response.status, 200, "{response:?}");
        response.json()
    }

    /// Sends what the page's script sends when `text` is said, without waiting for the answer.
    pub fn begin(&self, text: &str) -> Http {
        let body = json!({ "token": page_token(&self.page()), "text": text }).to_string();
        let (cookie, length) = (&self.cookie, body.len());
        let mut http = self.relay.http();
        http.send(format!(
            "POST /owner/say HTTP/1.1\r\nHost: relay.example\r\nCookie: {cookie}\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
        http
    }

    /// Says something on the page; what Alice says, and how the turn ended.
    pub fn say(&self, text: &str) -> (String, String) {
        heard(&self.begin(text).response())
    }
}

/// What Alice says, and how the turn ended.
pub fn heard(response: &Response) -> (String, String) {
    assert_eq!(response.status, 200, "{response:?}");
    (super::said(&response.json()), response.field("Relay-Outcome").unwrap().to_owned())
}

/// What a monitor is told.
pub fn monitored(relay: &Relay, token: &str) -> Response {
    let bearer = format!("Bearer {token}");
    send(relay, "GET", "/owner/state", &[("Authorization", &bearer)], "")
}
