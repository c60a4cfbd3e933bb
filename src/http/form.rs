//! `application/x-www-form-urlencoded`: a query, or the body of a form (WHATWG URL, 5). Plain data.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All that RFC 3986, 2.3 does not call unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why a parameter is ambiguous or undecodable.
#[derive(Debug, PartialEq, Eq)]
pub enum FormError {
    /// It appears more than once (RFC 6749, 3.1 forbids that).
    Twice,
    /// It is not UTF-8.
    NotText,
}

/// An encoded form.
#[derive(Debug, Clone, Copy)]
pub struct Form<'a>(pub &'a str);

impl Form<'_> {
    /// Returns the value of the parameter `name`, if it is there and not empty (RFC 6749, 3.1).
    ///
    /// # Errors
    /// The value is ambiguous or undecodable.
    pub fn value(&self, name: &str) -> Result<Option<String>, FormError> {
        let mut found = None;
        for pair in self.0.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if decoded(key).is_some_and(|key| key == name) {
                let value = decoded(value).ok_or(FormError::NotText)?;
                if found.replace(value).is_some() {
                    return Err(FormError::Twice);
                }
            }
        }
        Ok(found.filter(|value| !value.is_empty()))
    }
}

/// Decodes a part of a form; `None` if it is not UTF-8.
pub fn decoded(part: &str) -> Option<String> {
    let spaced = part.replace('+', " ");
    String::from_utf8(percent_decode_str(&spaced).collect()).ok()
}

/// Encodes a text for a query.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_found_and_decoded() {
        let form = Form("a=1&b+c=%D0%B4%D0%B0+%2B&empty=&flag&%64=x");
        let value = |name| form.value(name).unwrap();
        assert_eq!(value("a").as_deref(), Some("1"));
        assert_eq!(value("b c").as_deref(), Some("да +"));
        assert_eq!(value("d").as_deref(), Some("x"));
        for name in ["empty", "flag", "A", "1", ""] {
            assert_eq!(value(name), None, "{name}");
        }
    }

    #[test]
    fn what_nobody_can_mean_is_told() {
        assert_eq!(Form("a=1&a=1").value("a"), Err(FormError::Twice));
        assert_eq!(Form("a=&a=1").value("a"), Err(FormError::Twice));
        assert_eq!(Form("a=%ff").value("a"), Err(FormError::NotText));
        assert_eq!(Form("%ff=1&a=2").value("a").unwrap().as_deref(), Some("2"));
        assert_eq!(Form("a=%zz%").value("a").unwrap().as_deref(), Some("%zz%"));
    }

    #[test]
    fn what_is_encoded_is_decoded_to_the_same() {
        for text in ["https://social.yandex.ru/a?b=c&d#e", "да + нет", "-._~", "\"<>\u{7f}\n"] {
            assert_eq!(decoded(&encoded(text)).as_deref(), Some(text));
            assert!(encoded(text).bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)));
        }
    }
}
