//! Parses the relay's domain. Plain data.

use std::fmt;

/// Why a text is no domain to put into consoles, proxy and agent.
#[derive(Debug, PartialEq, Eq)]
pub enum BadDomain {
    /// It does not have the form of a domain.
    Form,
    /// A label would be longer than DNS allows (RFC 1035, 2.3.4).
    Long,
    /// It holds this character, whose encoding is unknown here: letters of other scripts may be mapped to others first
    /// (RFC 5895), which takes tables.
    Character(char),
}

impl fmt::Display for BadDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => {
                f.write_str("it may be a name as your-domain.com, without https:// and without a path")
            }
            Self::Long => f.write_str("no part between two dots may be longer than 63 characters"),
            Self::Character(c) => write!(
                f,
                "besides Latin and Cyrillic letters, digits and dashes it holds {c:?} ({}); give it as browsers and \
                 registrars also show it, with xn-- in front of such a part",
                c.escape_unicode()
            ),
        }
    }
}

/// Returns a domain in DNS' form, such as `home.example.org`, without `https://` and a path. Encodes labels in Cyrillic
/// as A-labels (RFC 5890, 2.3.2.1), such as `xn--e1afmkfd`, since not every agent and proxy does.
///
/// # Errors
/// The text is no domain.
pub fn domain(text: &str) -> Result<String, BadDomain> {
    let is_known = |c: char| c.is_ascii() || is_cyrillic(c);
    if let Some(c) = text.chars().find(|c| !is_known(*c) && !c.is_whitespace() && !c.is_control()) {
        return Err(BadDomain::Character(c));
    }
    let text = text.to_lowercase();
    let labels = text.split('.').map(|label| {
        let is_sound = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || is_cyrillic(c));
        if label.is_empty() || !is_sound || label.starts_with('-') || label.ends_with('-') {
            return Err(BadDomain::Form);
        }
        let label = match label.is_ascii() {
            true => label.to_owned(),
            false => ["xn--", &punycode(label)].concat(),
        };
        if label.len() > 63 { Err(BadDomain::Long) } else { Ok(label) }
    });
    let domain = labels.collect::<Result<Vec<_>, _>>()?.join(".");
    if domain.contains('.') && domain.len() <= 253 { Ok(domain) } else { Err(BadDomain::Form) }
}

/// Whether `c` is a Cyrillic letter, whose only mapping is to lower case (no combining mark is among them).
fn is_cyrillic(c: char) -> bool {
    matches!(c, '\u{400}'..='\u{481}' | '\u{48a}'..='\u{4ff}')
}

/// The parameters of Punycode (RFC 3492, 5).
mod of {
    pub const BASE: u32 = 36;
    pub const T_MIN: u32 = 1;
    pub const T_MAX: u32 = 26;
    pub const SKEW: u32 = 38;
    pub const DAMP: u32 = 700;
    pub const INITIAL_BIAS: u32 = 72;
    pub const INITIAL_N: u32 = 128;
}

/// Encodes a label (RFC 3492, 6.3): its ASCII characters, followed by the positions of the others. Can't overflow for a
/// label that fits into DNS.
fn punycode(label: &str) -> String {
    let mut code: String = label.chars().filter(char::is_ascii).collect();
    let points: Vec<u32> = label.chars().map(u32::from).collect();
    let mut handled = u32::try_from(code.len()).unwrap_or(u32::MAX);
    if handled > 0 {
        code.push('-');
    }
    let (mut n, mut delta, mut bias, mut is_first) = (of::INITIAL_N, 0_u32, of::INITIAL_BIAS, true);
    while let Some(next) = points.iter().copied().filter(|point| *point >= n).min() {
        delta = delta.saturating_add((next - n).saturating_mul(handled + 1));
        n = next;
        for point in &points {
            if *point < n {
                delta = delta.saturating_add(1);
            } else if *point == n {
                push_number(&mut code, delta, bias);
                bias = adapted(delta, handled + 1, is_first);
                (delta, is_first) = (0, false);
                handled += 1;
            }
        }
        delta = delta.saturating_add(1);
        n += 1;
    }
    code
}

/// Writes a variable-length integer (RFC 3492, 3.3).
fn push_number(code: &mut String, mut number: u32, bias: u32) {
    let digit = |value: u32| char::from_digit(value, of::BASE).unwrap_or('-');
    // In Punycode the letters come before the digits.
    let written = |value: u32| digit(if value < 26 { value + 10 } else { value - 26 });
    let mut k = of::BASE;
    loop {
        let t = k.saturating_sub(bias).clamp(of::T_MIN, of::T_MAX);
        if number < t {
            return code.push(written(number));
        }
        code.push(written(t + (number - t) % (of::BASE - t)));
        number = (number - t) / (of::BASE - t);
        k += of::BASE;
    }
}

/// Adapts the bias (RFC 3492, 6.1).
fn adapted(delta: u32, handled: u32, is_first: bool) -> u32 {
    let mut delta = delta / if is_first { of::DAMP } else { 2 };
    delta += delta / handled;
    let mut k = 0;
    while delta > (of::BASE - of::T_MIN) * of::T_MAX / 2 {
        delta /= of::BASE - of::T_MIN;
        k += of::BASE;
    }
    k + (of::BASE - of::T_MIN + 1) * delta / (delta + of::SKEW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_a_name_with_a_dot_and_nothing_around_it() {
        for right in ["your-domain.com", "home.example.org", "xn--80ak6aa92e.com", "192.0.2.1"] {
            assert_eq!(domain(right).as_deref(), Ok(right));
        }
        assert_eq!(domain("Home.Example.ORG").as_deref(), Ok("home.example.org"));
        for wrong in [
            "",
            "com",
            "https://a.b",
            "a.b/",
            "a.b:80",
            "a..b",
            ".a.b",
            "a b.c",
            "-a.b",
            "a-.b",
            "a_b.c\n",
            "рф",
        ] {
            assert_eq!(domain(wrong), Err(BadDomain::Form), "{wrong}");
        }
        assert_eq!(domain(&["a".repeat(64), "b".into()].join(".")), Err(BadDomain::Long));
        assert_eq!(domain(&["дом".repeat(30), "b".into()].join(".")), Err(BadDomain::Long));
        assert_eq!(domain(&["a"; 127].join(".")).map(|domain| domain.len()), Ok(253));
        assert_eq!(domain(&["a"; 128].join(".")), Err(BadDomain::Form));
    }

    #[test]
    fn cyrillic_is_written_as_dns_knows_it() {
        // As IDNA names are registered, and as Python's codec `idna` has them.
        for (written, known) in [
            ("пример.рф", "xn--e1afmkfd.xn--p1ai"),
            ("Дом.РФ", "xn--d1aqf.xn--p1ai"),
            ("мой-дом2.example.org", "xn---2-klcsodkd.example.org"),
            ("ёлка.испытание", "xn--80atc1g.xn--80akhbyknj4f"),
            ("почемужеонинеговорятпорусски.бел", "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l.xn--90ais"),
            ("qазақстан.қаз", "xn--q-8sbaa7a0b0ai31f.xn--80ao21a"),
        ] {
            assert_eq!(domain(written).as_deref(), Ok(known), "{written}");
        }
    }

    #[test]
    fn what_would_be_mapped_first_is_refused_with_the_cure() {
        // The last is what some keyboards make of й.
        for (wrong, c) in
            [("straße.de", 'ß'), ("例え.jp", '例'), ("a。b", '。'), ("и\u{306}.рф", '\u{306}')]
        {
            assert_eq!(domain(wrong), Err(BadDomain::Character(c)));
            assert!(BadDomain::Character(c).to_string().contains("xn--"));
        }
    }
}
