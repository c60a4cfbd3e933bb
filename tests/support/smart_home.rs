//! Plays Yandex Smart Home, and the owner who links it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

use super::{KEY, Relay, Response, command};

pub const SECRET: &str = "smart-home-secret_b71fd0c2";
pub const REDIRECT: &str = "https://social.yandex.net/broker/redirect";
/// As captured (docs/facts/smart_home.md, 3): a URL, which must come back as it is.
pub const STATE: &str =
    "https://social.yandex.ru/broker2/authz_in_web/0123456789abcdef0123456789abcdef/callback";

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A relay with Smart Home on, and these settings.
pub fn start(settings: &[(&str, &str)]) -> Relay {
    let mut all = vec![("SMART_HOME_SECRET", SECRET)];
    all.extend_from_slice(settings);
    Relay::start(&all)
}

/// Pairs of a form or a query, encoded.
pub fn form(pairs: &[(&str, &str)]) -> String {
    let encoded = |text| utf8_percent_encode(text, RESERVED).to_string();
    let pairs = pairs.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// What Yandex asks the page for.
pub fn asked() -> Vec<(&'static str, &'static str)> {
    vec![
        ("scope", "home"),
        ("state", STATE),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("client_id", "home-alice"),
    ]
}

/// One request on a connection of its own.
pub fn send(relay: &Relay, method: &str, path: &str, fields: &[(&str, &str)], body: &str) -> Response {
    let mut http = relay.http();
    http.send(request(method, path, fields, body));
    if method == "HEAD" { http.head_response() } else { http.response() }
}

pub fn request(method: &str, path: &str, fields: &[(&str, &str)], body: &str) -> String {
    let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    format!(
        "{method} /smart-home{path} HTTP/1.1\r\nHost: relay\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
    )
}

pub fn post_form(relay: &Relay, path: &str, pairs: &[(&str, &str)]) -> Response {
    let fields = [("Content-Type", "application/x-www-form-urlencoded")];
    send(relay, "POST", path, &fields, &form(pairs))
}

/// What `pair` prints, first of all.
pub fn pairing_code(relay: &Relay) -> String {
    let address = relay.address().to_string();
    let settings = [("LISTEN_ADDR", &*address), ("API_KEY", KEY), ("SMART_HOME_SECRET", SECRET)];
    let output = command(&settings).arg("pair").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().next().unwrap().to_owned()
}

/// What `setup` prints for the field «Секрет приложения».
pub fn client_secret() -> String {
    let settings = [("API_KEY", KEY), ("SMART_HOME_SECRET", SECRET)];
    let output = command(&settings).args(["setup", "--domain", "your-domain.com"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|line| line.contains("Секрет приложения:")).unwrap();
    line.split_whitespace().last().unwrap().to_owned()
}

/// Types a pairing code, by a program that no page was shown to.
pub fn type_in(relay: &Relay, code: &str) -> Response {
    let mut pairs = asked();
    pairs.push(("pairing_code", code));
    post_form(relay, "/authorize", &pairs)
}

/// Where a page leads to by itself, and by its only link.
pub fn leads_to(response: &Response) -> String {
    assert_eq!(response.status, 200, "{response:?}");
    let (_, refresh) =
        response.body.split_once("<meta http-equiv=\"refresh\" content=\"0; url=").unwrap();
    let (_, link) = response.body.split_once(" href=\"").unwrap();
    let [refresh, link] = [refresh, link].map(|rest| rest.split('"').next().unwrap());
    assert_eq!(refresh, link);
    link.replace("&amp;", "&")
}

/// Whether a page leads on.
pub fn leads_on(response: &Response) -> bool {
    assert_eq!((response.status, response.field("Location")), (200, None));
    response.body.contains("http-equiv")
}

/// The parameter of the address that a page leads to, decoded.
pub fn parameter(response: &Response, name: &str) -> String {
    let location = leads_to(response);
    let (address, query) = location.split_once('?').unwrap();
    assert_eq!(address, REDIRECT);
    let value = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap();
    String::from_utf8(percent_decode_str(value).collect()).unwrap()
}

/// An authorization code.
pub fn authorization_code(relay: &Relay) -> String {
    parameter(&type_in(relay, &pairing_code(relay)), "code")
}

/// Asks for tokens as Yandex does, with these parameters besides the client's.
pub fn tokens(relay: &Relay, pairs: &[(&str, &str)]) -> Response {
    let secret = client_secret();
    let client = [("client_id", "home-alice"), ("client_secret", &*secret)];
    post_form(relay, "/token", &[&client, pairs].concat())
}

/// Exchanges a code for tokens.
pub fn exchange(relay: &Relay, code: &str) -> Response {
    tokens(relay, &[("grant_type", "authorization_code"), ("code", code), ("redirect_uri", REDIRECT)])
}

/// Links from the page to the tokens.
pub fn link(relay: &Relay) -> Value {
    let answer = exchange(relay, &authorization_code(relay));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// A linked Yandex.
pub struct Yandex<'a> {
    pub relay: &'a Relay,
    bearer: String,
}

impl<'a> Yandex<'a> {
    pub fn linked(relay: &'a Relay) -> Self {
        let bearer = format!("Bearer {}", link(relay)["access_token"].as_str().unwrap());
        Self { relay, bearer }
    }

    pub fn request(&self, method: &str, path: &str, body: &str) -> String {
        let fields = [("Authorization", &*self.bearer), ("X-Request-Id", "r1")];
        request(method, &format!("/v1.0{path}"), &fields, body)
    }

    pub fn call(&self, method: &str, path: &str, body: &str) -> Response {
        let mut http = self.relay.http();
        http.send(self.request(method, path, body));
        http.response()
    }

    /// Sends an action for `pc` without waiting for the answer.
    pub fn begin(&self, capabilities: &Value) -> super::Http {
        let body = json!({ "payload": { "devices": [{ "id": "pc", "capabilities": capabilities }] } });
        let mut http = self.relay.http();
        http.send(self.request("POST", "/user/devices/action", &body.to_string()));
        http
    }
}

/// A capability as an action asks for it.
pub fn capability(kind: &str, instance: &str, value: Value) -> Value {
    json!({ "type": format!("devices.capabilities.{kind}"), "state": { "instance": instance, "value": value } })
}

pub fn off() -> Value {
    capability("on_off", "on", json!(false))
}

pub fn pause() -> Value {
    capability("toggle", "pause", json!(true))
}

pub fn volume(value: i32) -> Value {
    capability("range", "volume", json!(value))
}

/// What came of each capability of the answer's first device: `DONE`, or the code.
pub fn results(response: &Response) -> Vec<String> {
    assert_eq!(response.status, 200, "{response:?}");
    let json = response.json();
    let of = |capability: &Value| {
        let result = &capability["state"]["action_result"];
        match result["status"].as_str().unwrap() {
            "DONE" => "DONE".to_owned(),
            status => {
                assert_eq!(status, "ERROR");
                result["error_code"].as_str().unwrap().to_owned()
            }
        }
    };
    json["payload"]["devices"][0]["capabilities"].as_array().unwrap().iter().map(of).collect()
}
