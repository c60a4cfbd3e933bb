//! Request targets and `Host` fields, in the forms of RFC 9112, 3.2 and RFC 3986. Plain data.

/// Returns the path of a request target, without its query; `None` if the target has none of the four forms.
pub fn path<'a>(method: &str, target: &'a str) -> Option<&'a str> {
    if target == "*" {
        return Some(target);
    }
    if method == "CONNECT" {
        return is_host(target).then_some(target);
    }
    let after_authority = match target.split_once("://") {
        Some((scheme, rest))
            if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") =>
        {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, rest) = rest.split_at(end);
            if authority.is_empty() || !is_host(authority) {
                return None;
            }
            rest
        }
        _ if target.starts_with('/') => target,
        _ => return None,
    };
    let (path, query) = after_authority.split_once('?').unwrap_or((after_authority, ""));
    let is_sound = is_encoded(path, b"/:@") && query.bytes().all(|byte| byte.is_ascii_graphic());
    is_sound.then_some(if path.is_empty() { "/" } else { path })
}

/// Whether this is a host, with or without a port (RFC 9110, 7.2). It may be empty. Docker's names have
/// underscores, which RFC 3986 allows.
pub fn is_host(value: &str) -> bool {
    let (host, port) = match value.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (value, ""),
    };
    let is_address = |inner: &str| {
        !inner.is_empty() && inner.bytes().all(|b| b.is_ascii_alphanumeric() || b":.".contains(&b))
    };
    let is_sound = match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.is_some_and(is_address),
        None => is_encoded(host, b""),
    };
    is_sound && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text has only unreserved characters, sub-delimiters, those of `more`, and whole `%XX`
/// (RFC 3986, 2 and 3.3).
fn is_encoded(text: &str, more: &[u8]) -> bool {
    let mut parts = text.split('%');
    let plain = |part: &str| {
        part.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte) || more.contains(&byte)
        })
    };
    let is_escaped = |part: &str| {
        let digits = part.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) && plain(&part[2..])
    };
    parts.next().is_none_or(plain) && parts.all(is_escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_target_has_its_path() {
        for (target, right) in [
            ("/", "/"),
            ("/health", "/health"),
            ("/ws?key=a%20b&c=\"<>|{}^`\\#", "/ws"),
            ("http://x/health", "/health"),
            ("HTTPS://relay_1:8080/health?a=b", "/health"),
            ("http://[::1]:80", "/"),
            ("http://x?y", "/"),
            ("/a%41/;b=c,d@e:f", "/a%41/;b=c,d@e:f"),
            ("*", "*"),
        ] {
            assert_eq!(path("GET", target), Some(right), "{target}");
        }
        assert_eq!(path("CONNECT", "x:443"), Some("x:443"));
    }

    #[test]
    fn what_is_no_target_has_none() {
        for target in [
            "",
            "x",
            "x:443",
            "health",
            "http:/x",
            "http://",
            "http:///health",
            "ftp://x/",
            "://x/",
            "/a b",
            "/\u{1}",
            "/a\u{7f}",
            "/\"",
            "/<a>",
            "/a#b",
            "/%4",
            "/%zz",
            "/%",
            "/a?\u{1}",
            "/a? b",
            "http://a/b\\c",
            "http://user@x/",
        ] {
            assert_eq!(path("GET", target), None, "{target:?}");
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address_with_or_without_a_port() {
        for host in ["", "x", "home-alice_relay:8080", "127.0.0.1", "[::1]", "[::1]:80", "a%41", "x:"] {
            assert!(is_host(host), "{host}");
        }
        for host in ["a/b", "user@x", "\"x", "a b", "x:80a", "[::1", "::1", "[]", "x:80:80", "a%4"] {
            assert!(!is_host(host), "{host}");
        }
    }
}
