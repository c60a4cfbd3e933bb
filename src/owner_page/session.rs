//! A browser's session on the owner's page: a cookie that the relay has signed.

use std::borrow::Cow;

use crate::commands::person::Person;
use crate::http::exchange::Exchange;
use crate::tokens::signed::{Kind, TokenSigner};

/// Lifetime of a cookie of the owner's page, in seconds: 90 days.
pub const COOKIE_LIFE: u64 = 7_776_000;

/// A browser that is logged in.
#[derive(Debug, PartialEq, Eq)]
pub struct BrowserSession {
    /// Unique id of the browser.
    pub id: String,
}

impl BrowserSession {
    /// Returns the session of a request, if it carries a valid cookie.
    pub fn of(exchange: &Exchange, signer: &TokenSigner, now: u64) -> Option<Self> {
        let kind = kind(exchange);
        let shown = values(exchange.field("Cookie")?, name(kind));
        let mut good = shown.filter_map(|text| signer.verify(kind, text, now));
        good.next().map(|signed| Self { id: signed.id.to_owned() })
    }

    /// Returns the browser as a person, who has late answers of its own.
    pub fn person(&self) -> Person {
        Person::Browser(self.id.clone())
    }

    /// Returns the CSRF token of this browser's page.
    pub fn page_token(&self, signer: &TokenSigner) -> String {
        signer.csrf_token(Kind::Page, &self.id)
    }

    /// Whether `token` is this browser's CSRF token.
    pub fn is_of_page(&self, signer: &TokenSigner, token: &str) -> bool {
        signer.is_csrf_token(Kind::Page, &self.id, token)
    }
}

/// Returns the kind of cookie that a request needs: the one for https, unless it came over plain HTTP on the relay's
/// own machine.
pub fn kind(exchange: &Exchange) -> Kind {
    if exchange.is_at_home() { Kind::HomeCookie } else { Kind::Cookie }
}

/// Returns the `Set-Cookie` value that logs a browser in.
pub fn cookie(kind: Kind, signed: &str) -> Cow<'static, str> {
    line(kind, signed, COOKIE_LIFE)
}

/// Returns the `Set-Cookie` value that logs it out.
pub fn no_cookie(kind: Kind) -> Cow<'static, str> {
    line(kind, "", 0)
}

/// RFC 6265, 4.1. Browsers keep a cookie whose name begins with `__Host-` only if it came over https from this very
/// host, for all of its paths. `Lax` keeps the session of a browser that follows a link from elsewhere; whatever
/// changes anything needs the CSRF token, too.
fn line(kind: Kind, value: &str, seconds: u64) -> Cow<'static, str> {
    let secure = if kind == Kind::Cookie { "; Secure" } else { "" };
    let name = name(kind);
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}").into()
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Cookie => "__Host-relay-owner",
        _ => "relay-owner",
    }
}

/// Returns the values of every cookie with this name (RFC 6265, 5.4).
fn values<'a>(cookies: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(move |(own, _)| *own == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_by_its_whole_name() {
        let found = |cookies| values(cookies, "relay-owner").collect::<Vec<_>>();
        assert_eq!(found("a=1; relay-owner=x=y;relay-owner=z"), ["x=y", "z"]);
        assert!(found("xrelay-owner=1; relay-owner2=2; Relay-Owner=3; relay-owner").is_empty());
    }

    #[test]
    fn the_cookie_for_https_is_bound_to_its_host_and_the_one_for_home_is_not() {
        let all = "Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax";
        assert_eq!(cookie(Kind::Cookie, "x"), format!("__Host-relay-owner=x; {all}; Secure"));
        assert_eq!(cookie(Kind::HomeCookie, "x"), format!("relay-owner=x; {all}"));
        assert!(no_cookie(Kind::Cookie).starts_with("__Host-relay-owner=; Path=/; Max-Age=0; "));
    }
}
