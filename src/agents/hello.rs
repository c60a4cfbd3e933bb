//! The message by which an agent introduces itself and its PC: `{"agent","macs"}`. Plain data.

use crate::object::{Fields, text};
use crate::text::cut;

/// Characters of an agent's name and version.
pub const MAX_VERSION: usize = 64;

/// Addresses of one PC's network cards.
pub const MAX_MACS: usize = 8;

/// An agent's introduction. `None` leaves a part as it was.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The agent's name and version, at most [`MAX_VERSION`] characters, without control characters.
    pub version: Option<String>,
    /// The addresses of the PC's network cards, at most [`MAX_MACS`], each as `aa:bb:cc:dd:ee:ff`. An agent that sends this,
    /// be it empty, can also send a magic packet to another PC.
    pub macs: Option<Vec<String>>,
}

impl Hello {
    /// Parses a message that is no answer. Returns `None` if it has an `id`, or nothing that can be used.
    pub fn parse(message: &str) -> Option<Self> {
        let message = message.strip_prefix('\u{feff}').unwrap_or(message);
        let fields: Fields<'_> = serde_json::from_str(message).ok()?;
        let version = fields.text("agent").map(|text| {
            let plain = text.chars().filter(|letter| !letter.is_control());
            cut(&plain.take(MAX_VERSION + 1).collect::<String>(), MAX_VERSION)
        });
        let macs = fields.list("macs").map(|listed| {
            let mut macs = Vec::new();
            for mac in listed.into_iter().filter_map(|json| mac(&text(json)?)) {
                if macs.len() < MAX_MACS && !macs.contains(&mac) {
                    macs.push(mac);
                }
            }
            macs
        });
        let tells = fields.get("id").is_none() && (version.is_some() || macs.is_some());
        tells.then_some(Self { version, macs })
    }
}

/// Returns a card's address in lower case with colons, if it is six pairs of hex digits separated by `:` or `-`.
fn mac(text: &str) -> Option<String> {
    let is_pair = |pair: &str| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
    let mac = text.replace('-', ":").to_ascii_lowercase();
    (mac.split(':').count() == 6 && mac.split(':').all(is_pair)).then_some(mac)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn macs(json: &str) -> Option<Vec<String>> {
        Hello::parse(&format!(r#"{{"macs":{json}}}"#))?.macs
    }

    #[test]
    fn an_agent_tells_its_version_and_its_cards_or_one_of_both() {
        let both = r#"{"agent":"home-alice-agent 0.1.0","macs":["aa:bb:cc:dd:ee:ff"],"x":[1]}"#;
        let version = Some("home-alice-agent 0.1.0".to_owned());
        let macs = Some(vec!["aa:bb:cc:dd:ee:ff".to_owned()]);
        assert_eq!(Hello::parse(both), Some(Hello { version: version.clone(), macs }));
        let bom = "\u{feff}{\"agent\":\"home-alice-agent 0.1.0\"}";
        assert_eq!(Hello::parse(bom), Some(Hello { version, macs: None }));
        let none = Some(Hello { version: None, macs: Some(vec![]) });
        assert_eq!(Hello::parse(r#"{"macs":[],"agent":5,"id":null}"#), none);
    }

    #[test]
    fn what_tells_neither_or_has_an_id_is_no_hello() {
        for message in [
            "",
            "{}",
            "[]",
            "5",
            "no JSON",
            r#"{"text":"да"}"#,
            r#"{"agent":null,"macs":null}"#,
            r#"{"agent":["a"],"macs":"aa:bb:cc:dd:ee:ff"}"#,
            r#"{"id":"a-1","agent":"a"}"#,
            r#"{"id":5,"agent":"a","macs":[]}"#,
            r#"{"agent":"a"} {"agent":"b"}"#,
        ] {
            assert_eq!(Hello::parse(message), None, "{message}");
        }
    }

    #[test]
    fn a_version_is_cut_and_has_no_control_characters() {
        let version = |text: &str| {
            let message = serde_json::json!({ "agent": text }).to_string();
            Hello::parse(&message).unwrap().version.unwrap()
        };
        assert_eq!(version("a\u{0}\r\n\u{1b}[31mb\u{85}"), "a[31mb");
        assert_eq!(version(&"я".repeat(MAX_VERSION)), "я".repeat(MAX_VERSION));
        assert_eq!(version(&"я".repeat(60_000)), "я".repeat(MAX_VERSION - 1) + "…");
        assert_eq!(version(""), "");
    }

    #[test]
    fn of_the_addresses_eight_are_kept_and_odd_ones_passed_over() {
        let odd = r#"["AA-BB-CC-DD-EE-0F","aa:bb:cc:dd:ee",5,null,"aa:bb:cc:dd:ee:ff:00","aabbccddeeff",
            "aa:bb:cc:dd:ee:g0","a:bb:cc:dd:ee:ff0","+1:bb:cc:dd:ee:ff","aa:bb:cc:dd:ee:0f",["aa:bb:cc:dd:ee:ff"]]"#;
        assert_eq!(macs(odd).unwrap(), ["aa:bb:cc:dd:ee:0f"], "each once");
        let many: Vec<_> = (10..30).map(|n| format!("aa:bb:cc:dd:ee:{n}")).collect();
        let kept = macs(&serde_json::to_string(&many).unwrap()).unwrap();
        assert_eq!(kept, many[..MAX_MACS]);
        assert_eq!(macs(r#""aa:bb:cc:dd:ee:ff""#), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_kept_within_its_bounds(
            message in r#"\{"(agent|macs|id)":[\[\]"a-f0-9:,\\u{}-]{0,80}\}"#,
            agent in "\\PC{0,90}|[\\x00-\\x1f]{0,90}",
            odd in "[0-9a-fA-F:-]{15,19}",
        ) {
            let told = serde_json::json!({ "agent": agent, "macs": [odd] }).to_string();
            for message in [message, told] {
                let Some(Hello { version, macs }) = Hello::parse(&message) else { continue };
                let version = version.unwrap_or_default();
                prop_assert!(version.chars().count() <= MAX_VERSION);
                prop_assert!(!version.contains(char::is_control));
                let macs = macs.unwrap_or_default();
                prop_assert!(macs.len() <= MAX_MACS && macs.iter().all(|mac| mac.len() == 17));
            }
        }
    }
}
