//! Small pages in Russian, without cookies or outside files. A page with a form has a script that keeps its button from
//! being pressed twice; all work without it.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use sha2::{Digest, Sha256};

use crate::http::response::Response;
use crate::secret::random_bytes;

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");

/// The form field with the id of its page, which is unique.
const PAGE_FIELD: &str = "page";

/// Returns a page without a form.
pub fn page(status: u16, content: &str) -> Response {
    filled(status, "", content, "form-action 'none'")
}

/// Returns a page with one form that is sent to the relay, with the page's id.
pub fn form(content: &str) -> Response {
    // Without random bytes there is no id; the form works, but a second press loses the first's answer.
    let id = random_bytes::<16>().map(|id| BASE64URL_NOPAD.encode(&id)).unwrap_or_default();
    let field =
        ["<input type=\"hidden\" name=\"", PAGE_FIELD, "\" value=\"", &id, "\">\n</form>"].concat();
    let content = content.replacen("</form>", &field, 1);
    let script = ["<script>", SCRIPT, "</script>"].concat();
    let sources = ["script-src ", &hash(SCRIPT), "; form-action 'self'"].concat();
    filled(200, "", &[content, script].concat(), &sources)
}

/// Returns a page that leads on to `address` by itself.
///
/// A browser may apply `form-action` to a redirect that answers a form, and to every further hop, even to hosts and apps
/// that others choose. It does not apply it to what a loaded page leads to.
pub fn redirecting(address: &str, content: &str) -> Response {
    let refresh =
        ["<meta http-equiv=\"refresh\" content=\"0; url=", &escaped(address), "\">\n"].concat();
    filled(200, &refresh, content, "form-action 'none'")
}

fn filled(status: u16, head: &str, content: &str, sources: &str) -> Response {
    let (_, style) = PAGE.split_once("<style>").unwrap_or_default();
    let (style, _) = style.split_once("</style>").unwrap_or_default();
    let sources = ["style-src ", &hash(style), "; ", sources].concat();
    let html = PAGE.replace("{head}", head).replace("{content}", content);
    locked_up(status, html.into_bytes(), &sources)
}

/// Returns the hash that allows an inline style or script (CSP 3, 2.3.1).
fn hash(text: &str) -> String {
    ["'sha256-", &BASE64.encode(&Sha256::digest(text)), "'"].concat()
}

/// Returns a page that may load from these `sources` alone, and that sends no `Referer`.
pub fn locked_up(status: u16, html: Vec<u8>, sources: &str) -> Response {
    let policy =
        ["default-src 'none'; ", sources, "; base-uri 'none'; frame-ancestors 'none'"].concat();
    Response::new(status, "text/html; charset=utf-8", html)
        .with("Content-Security-Policy", policy)
        .with("X-Frame-Options", "DENY")
        .with("X-Content-Type-Options", "nosniff")
        .with("Referrer-Policy", "no-referrer")
        .with("X-Robots-Tag", "noindex, nofollow")
}

/// Escapes text for any place in a page.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // `{` would begin a placeholder for `replace`.
            '{' => escaped.push_str("&#123;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::response::Ending;

    fn text(response: Response) -> String {
        String::from_utf8(response.into_bytes(Ending::Stays, false)).unwrap()
    }

    #[test]
    fn an_address_that_a_page_leads_to_can_be_nothing_but_one() {
        let page = text(redirecting("https://x/?a=\"><script>'&b{content}", "Дальше"));
        let right =
            "content=\"0; url=https://x/?a=&quot;&gt;&lt;script&gt;&#39;&amp;b&#123;content}\">";
        assert!(page.contains(right) && !page.contains("<script"), "{page}");
    }

    #[test]
    fn a_form_alone_may_be_sent_and_its_script_alone_may_run() {
        for page in [page(200, "x"), page(400, "x"), redirecting("https://x/", "x")].map(text) {
            assert!(page.contains("; form-action 'none';"), "{page}");
            assert!(!page.contains("script"), "{page}");
        }
        let page = text(form("<form></form>"));
        assert!(
            page.contains("; form-action 'self';") && page.matches("<script>").count() == 1,
            "{page}"
        );
        assert_ne!(page, text(form("<form></form>")), "each has an id of its own");
        let (_, id) = page.split_once(" name=\"page\" value=\"").unwrap();
        assert_eq!(id.find('"'), Some(22), "128 bits in base64");
        let (_, script) = page.split_once("<script>").unwrap();
        let (script, _) = script.split_once("</script>").unwrap();
        assert!(page.contains(&format!("; script-src {};", hash(script))), "{page}");
    }
}
