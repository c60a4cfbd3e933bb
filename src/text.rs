//! Text from outside, cut to a length or escaped for one line of a log.

/// Most characters of outside text that a log line or an error quotes.
pub const MAX_QUOTED: usize = 120;

/// Cuts `text` to at most `limit` Unicode scalar values, the last of which is «…» if anything was cut.
pub fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Quotes `text` on one line, with control characters escaped, cut to [`MAX_QUOTED`].
pub fn quoted(text: &str) -> String {
    format!("{:?}", cut(text, MAX_QUOTED))
}

/// Describes the client: the peer, and the address that the proxy claims in `X-Real-IP`.
pub fn origin(peer: impl std::fmt::Display, claimed: Option<&str>) -> String {
    match claimed {
        Some(claimed) => format!("{peer} (claims to be {})", quoted(claimed)),
        None => peer.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_the_limit_is_left_whole_and_one_more_is_cut() {
        assert_eq!(cut("абв", 3), "абв");
        assert_eq!(cut("абвг", 3), "аб…");
        assert_eq!(cut("", 3), "");
    }

    #[test]
    fn quoted_text_stays_on_one_line() {
        assert_eq!(quoted("a\r\nb\u{1b}[31m"), r#""a\r\nb\u{1b}[31m""#);
        assert_eq!(quoted(&"x".repeat(500)).chars().count(), MAX_QUOTED + 2);
    }
}
