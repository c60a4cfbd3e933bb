//! `GET /ws`: checks the key, then does the WebSocket handshake (RFC 6455, 4.2), and starts the link.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use data_encoding::BASE64;
use percent_encoding::percent_decode_str;
use sha1::{Digest, Sha1};
use tiny_http::{Header, StatusCode};

use crate::agents::encoder::Protocol;
use crate::agents::link::Link;
use crate::agents::reader::Reader;
use crate::agents::v2;
use crate::agents::wire::SocketWire;
use crate::config::credentials::KeyMatch;
use crate::engine::Engine;
use crate::http::exchange::Exchange;
use crate::http::response::Response;
use crate::runtime::log_limit::target::AGENTS_REJECTED;
use crate::runtime::reachability::Upgrade;
use crate::text::origin;

/// Serves a request for `/ws`.
pub fn serve(engine: &Engine, exchange: Exchange) {
    engine.reachability.request(|| exchange.is_forwarded());
    match check(engine, &exchange) {
        Ok((shown, accept)) => upgrade(engine, exchange, shown, &accept),
        Err((answer, why)) => {
            // Without the port, which differs with each connection, so that repeated lines are counted as one.
            let origin = exchange.origin();
            log::warn!(target: AGENTS_REJECTED, "Agent rejected from {origin}: {why}");
            exchange.respond(answer);
        }
    }
}

/// Logs an agent's request for a wrong path, without the path: it may hold a key.
pub fn tell_of_wrong_path(exchange: &Exchange) {
    let origin = exchange.origin();
    log::warn!(
        target: AGENTS_REJECTED,
        "Agent rejected from {origin}: it wants a WebSocket where there is none; its address must end in \
         /ws"
    );
}

/// Checks the request. Returns the key's match, and the value of `Sec-WebSocket-Accept`.
fn check(engine: &Engine, exchange: &Exchange) -> Result<(KeyMatch, String), (Response, &'static str)> {
    let Some(shown) = key_shown(engine, exchange) else {
        engine.reachability.wrong_key(Instant::now());
        let why = match engine.config.credentials.agents.extra() {
            [] => "wrong or missing key; it must be the relay's API_KEY",
            _ => "wrong or missing key; it must be the relay's API_KEY, or one of its AGENTS",
        };
        // RFC 9110, 15.5.2.
        return Err((Response::error(401, why).with("WWW-Authenticate", "Bearer"), why));
    };
    if !exchange.has_token("Upgrade", "websocket") || !exchange.has_token("Connection", "upgrade") {
        engine.reachability.upgrade(Upgrade::Lost);
        let why = "not a WebSocket request; behind Nginx Proxy Manager, switch on \
                   \"Websockets Support\" for this proxy host; nginx, Apache and lighttpd need a line \
                   for WebSockets";
        return Err((upgrade_required(why), why));
    }
    if exchange.field("Sec-WebSocket-Version").map(str::trim) != Some("13") {
        let why = "the WebSocket version must be 13";
        return Err((upgrade_required(why), why));
    }
    match exchange.field("Sec-WebSocket-Key") {
        Some(key) if is_nonce(key) => Ok((shown, accept_of(key))),
        _ => {
            let why = "Sec-WebSocket-Key is missing or malformed";
            Err((Response::error(400, why), why))
        }
    }
}

fn key_shown(engine: &Engine, exchange: &Exchange) -> Option<KeyMatch> {
    exchange
        .bearer()
        .and_then(|key| engine.config.credentials.agent(key.as_bytes()))
        .or_else(|| engine.config.credentials.agent(&key_in_query(exchange.target())?))
}

fn upgrade(engine: &Engine, exchange: Exchange, shown: KeyMatch, accept: &str) {
    engine.reachability.upgrade(Upgrade::Came);
    let peer = origin(exchange.peer(), exchange.claimed());
    let Ok(accept) = Header::from_bytes("Sec-WebSocket-Accept", accept) else { return };
    let Some(socket) = exchange.socket().map(Arc::new) else { return exchange.cut() };
    let wire = Box::new(SocketWire::new(socket.clone(), engine.poller.clone()));
    let id = engine.registry.new_link(shown.agent);
    let protocol = protocol_of(&exchange);
    let mut link = Link::new(id, peer, wire, protocol, Instant::now());
    link.from = address(&exchange);
    let link = Arc::new(link);
    let mut switching = tiny_http::Response::empty(StatusCode(101)).with_header(accept);
    if protocol == Protocol::V2 {
        // Before any command.
        let _ = link.text(engine.registry.encoder.time());
        let field = Header::from_bytes("Sec-WebSocket-Protocol", v2::SUBPROTOCOL);
        switching = field.into_iter().fold(switching, tiny_http::Response::with_header);
    }
    // Before the response, so that no turn misses an agent that considers itself connected.
    let Some(running) = engine.registry.join(link.clone(), shown, Instant::now()) else {
        return exchange.respond(Response::error(503, "the relay is stopping"));
    };
    let Some(stream) = exchange.upgrade(switching, socket) else { return };
    // Before anything is read: the agent's first frame may be a Close, and its confirmation needs an open link.
    link.outbox.open();
    let reader = Reader::new(link.clone(), engine.registry.clone());
    if let Err(error) = reader.start(stream, running) {
        log::error!("{error}; this agent can't be served");
        link.outbox.cut("the relay has no thread for it");
        engine.registry.link_ended(&link, "", Instant::now());
    }
}

/// Returns the agent's address: as the proxy claims, or else the peer's.
fn address(exchange: &Exchange) -> Option<IpAddr> {
    match exchange.claimed() {
        Some(claimed) => claimed.parse().ok(),
        None => Some(exchange.peer().ip()),
    }
}

fn upgrade_required(why: &str) -> Response {
    Response::error(426, why).with("Upgrade", "websocket").with("Sec-WebSocket-Version", "13")
}

/// Returns the percent-decoded `key` of the target's query.
pub fn key_in_query(target: &str) -> Option<Vec<u8>> {
    let (_, query) = target.split_once('?')?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix("key="))?;
    Some(percent_decode_str(value).collect())
}

/// Returns the protocol: V2 if the agent offers its subprotocol (RFC 6455, 4.1) by the exact name.
fn protocol_of(exchange: &Exchange) -> Protocol {
    match exchange.list("Sec-WebSocket-Protocol").any(|name| name == v2::SUBPROTOCOL) {
        true => Protocol::V2,
        false => Protocol::V1,
    }
}

/// Returns `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455, 4.2.2).
pub fn accept_of(key: &str) -> String {
    const PROTOCOL: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    BASE64.encode(&Sha1::digest(format!("{key}{PROTOCOL}")))
}

/// Whether `key` is 16 bytes in base64 (RFC 6455, 4.1).
fn is_nonce(key: &str) -> bool {
    key.len() == 24
        && key.ends_with("==")
        && key[..22].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

    use super::*;

    #[test]
    fn the_key_is_found_anywhere_in_the_query_and_decoded() {
        assert_eq!(key_in_query("/ws?key=abc").unwrap(), b"abc");
        assert_eq!(key_in_query("/ws?a=1&key=a%20b%2b&key=c").unwrap(), b"a b+");
        assert_eq!(key_in_query("/ws?key=").unwrap(), b"");
        assert_eq!(key_in_query("/ws?key=%d1%8").unwrap(), b"\xd1%8");
        assert!(key_in_query("/ws").is_none());
        assert!(key_in_query("/ws?monkey=abc").is_none());
    }

    proptest::proptest! {
        #[test]
        fn any_key_comes_through_a_query_and_no_target_makes_it_panic(
            key in "\\PC{0,40}",
            target in "\\PC{0,60}",
        ) {
            let _ = key_in_query(&target);
            let encoded = percent_encode(key.as_bytes(), NON_ALPHANUMERIC).to_string();
            for target in [
                format!("/ws?key={encoded}"),
                format!("/ws?a=1&key={encoded}&key=other"),
                format!("/ws?monkey=no&key={encoded}"),
            ] {
                proptest::prop_assert_eq!(key_in_query(&target).unwrap(), key.as_bytes());
            }
        }

        #[test]
        fn bytes_that_are_no_text_come_through_a_query_too(
            key in proptest::collection::vec(proptest::num::u8::ANY, 0..40),
        ) {
            let encoded = percent_encode(&key, NON_ALPHANUMERIC);
            proptest::prop_assert_eq!(key_in_query(&format!("/ws?key={encoded}")).unwrap(), key);
        }
    }

    #[test]
    fn the_key_is_accepted_as_in_the_rfcs_own_example() {
        assert_eq!(accept_of("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn only_sixteen_bytes_of_base64_are_a_nonce() {
        assert!(is_nonce("dGhlIHNhbXBsZSBub25jZQ=="));
        assert!(!is_nonce("dGhlIHNhbXBsZSBub25jZQ="));
        assert!(!is_nonce("dGhlIHNhbXBsZSBub25jZ***"));
        assert!(!is_nonce(""));
    }
}
