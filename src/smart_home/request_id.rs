//! The id of Yandex' request, which the answer echoes (docs/facts/smart_home.md).

use crate::http::exchange::Exchange;
use crate::secret::random_bytes;
use crate::text::cut;

/// Longest `X-Request-Id` that is echoed, in characters.
pub const MAX_REQUEST_ID: usize = 128;

/// Longest id that is logged, in characters. Tokens are longer, and so never logged.
pub const MAX_LOGGED_ID: usize = 64;

/// Returns the id to echo: the request's own, cut to [`MAX_REQUEST_ID`], or a new UUID (RFC 9562, 5.4).
pub fn request_id(exchange: &Exchange) -> String {
    if let Some(id) = exchange.field("X-Request-Id").filter(|id| !id.is_empty()) {
        return cut(id, MAX_REQUEST_ID);
    }
    // Without random bytes an answer with a constant id is better than none.
    let mut bytes = random_bytes::<16>().unwrap_or_default();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut uuid = data_encoding::HEXLOWER.encode(&bytes);
    [8, 13, 18, 23].iter().for_each(|place| uuid.insert(*place, '-'));
    uuid
}

/// Returns the id for the log; replaces one that is odd or long, since it could be anything, even a token.
pub fn loggable(id: &str) -> &str {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
    if id.len() <= MAX_LOGGED_ID && id.bytes().all(is_plain) { id } else { "(odd id)" }
}
