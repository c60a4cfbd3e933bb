//! Small pages for people: in Russian, without a script, a cookie or an outside file.

use data_encoding::BASE64;
use sha2::{Digest, Sha256};

use crate::http::answer::Answer;

const PAGE: &str = include_str!("page.html");

/// Returns a page with this content, whose forms may lead to `forms`.
pub fn page(status: u16, content: &str, forms: &str) -> Answer {
    let (_, style) = PAGE.split_once("<style>").unwrap_or_default();
    let (style, _) = style.split_once("</style>").unwrap_or_default();
    let style = BASE64.encode(&Sha256::digest(style));
    let sources = ["style-src 'sha256-", &style, "'; form-action ", forms].concat();
    locked_up(status, PAGE.replace("{content}", content).into_bytes(), &sources)
}

/// Returns a page that may use these `sources` and nothing else, and that tells nobody where its visitor was.
pub fn locked_up(status: u16, html: Vec<u8>, sources: &str) -> Answer {
    let policy =
        ["default-src 'none'; ", sources, "; base-uri 'none'; frame-ancestors 'none'"].concat();
    Answer::new(status, "text/html; charset=utf-8", html)
        .with("Content-Security-Policy", policy)
        .with("X-Frame-Options", "DENY")
        .with("X-Content-Type-Options", "nosniff")
        .with("Referrer-Policy", "no-referrer")
        .with("X-Robots-Tag", "noindex, nofollow")
}

/// Returns text from outside as it may stand anywhere in a page.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Where `replace` would look for more to fill in.
            '{' => escaped.push_str("&#123;"),
            c => escaped.push(c),
        }
    }
    escaped
}
