//! JSON from outside, parsed tolerantly where that takes no guess, and JSON for the outside.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

/// A string, copied only if it has escapes. A lone surrogate, which Python writes for a file name that is not UTF-8
/// (docs/facts/agent.md), becomes U+FFFD.
#[derive(Debug)]
pub struct Text<'a>(pub Cow<'a, str>);

impl<'a> From<Text<'a>> for Cow<'a, str> {
    fn from(text: Text<'a>) -> Self {
        text.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As bytes, since serde_json refuses lone surrogates in a str.
        deserializer.deserialize_bytes(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        // For bytes, serde_json accepts unescaped control characters.
        if bytes.iter().any(|byte| *byte < b' ') {
            return Err(E::custom("control character in a string"));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Text(text.into())),
            Err(_) => self.visit_bytes(bytes),
        }
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        let mut bytes = bytes.to_vec();
        // In UTF-8 no byte above 0x9F follows 0xED: these are surrogates.
        for place in 0..bytes.len().saturating_sub(2) {
            if bytes[place] == 0xed && bytes[place + 1] > 0x9f {
                bytes[place..place + 3].copy_from_slice("\u{fffd}".as_bytes());
            }
        }
        String::from_utf8(bytes)
            .map(|text| Text(text.into()))
            .map_err(|_| E::custom("a string that is not UTF-8"))
    }
}

/// A JSON object. Unlike serde's structs, it does not accept a list of the fields' values.
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

/// Encodes a value as JSON.
pub fn of(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings, numbers and raw JSON always serialise")
}

/// Encodes an object of these keys and texts.
pub fn texts(fields: &[(&str, &str)]) -> String {
    let fields = fields.iter().map(|(key, text)| [&of(key), ":", &of(text)].concat());
    ["{", &fields.collect::<Vec<_>>().join(","), "}"].concat()
}

/// Strips the byte order mark that some programs write.
pub fn without_bom(json: &[u8]) -> &[u8] {
    json.strip_prefix("\u{feff}".as_bytes()).unwrap_or(json)
}

/// Whether a JSON text has an escaped lone surrogate.
pub fn has_lone_surrogate(json: &str) -> bool {
    let mut lead = false;
    let mut rest = json;
    while let Some(place) = rest.find('\\') {
        let (between, escape) = rest.split_at(place);
        let unit = escape.get(2..6).filter(|_| escape.starts_with("\\u"));
        let unit = unit.and_then(|digits| u16::from_str_radix(digits, 16).ok()).unwrap_or(0);
        let is_trail = (0xdc00..=0xdfff).contains(&unit);
        if (lead && !(between.is_empty() && is_trail)) || (!lead && is_trail) {
            return true;
        }
        lead = (0xd800..=0xdbff).contains(&unit);
        // Skips the backslash and the escaped character.
        rest = escape.get(2..).unwrap_or_default();
        if lead || is_trail {
            rest = rest.get(4..).unwrap_or_default();
        }
    }
    lead
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> Option<String> {
        serde_json::from_str::<Text<'_>>(json).ok().map(|text| text.0.into_owned())
    }

    #[test]
    fn a_lone_surrogate_becomes_the_replacement_character() {
        for (json, right) in [
            (r#""да""#, "да"),
            (r#""a\udcffb""#, "a\u{fffd}b"),
            (r#""\ud83d\ude00\ud83d""#, "😀\u{fffd}"),
            (r#""\ud800\ud800\udc00""#, "\u{fffd}\u{10000}"),
            (r#""\udcff\udcff""#, "\u{fffd}\u{fffd}"),
            (r#""\n""#, "\n"),
        ] {
            assert_eq!(text(json).as_deref(), Some(right), "{json}");
        }
        for json in ["5", "null", "[1,2]", "{}", "\"\n\"", "\""] {
            assert_eq!(text(json), None, "{json}");
        }
        assert!(serde_json::from_slice::<Text<'_>>(b"\"\xff\"").is_err());
    }

    #[test]
    fn what_has_no_escapes_is_not_copied() {
        let text: Text<'_> = serde_json::from_str("\"да\"").unwrap();
        assert!(matches!(text.0, Cow::Borrowed("да")));
    }

    #[test]
    fn lone_surrogates_are_found_and_pairs_are_none() {
        for json in [r#""\ud800""#, r#"{"a":"\udc00"}"#, r#""\ud83dx\ude00""#, r#""\ud83d\n""#] {
            assert!(has_lone_surrogate(json), "{json}");
        }
        for json in [r#""\ud83d\ude00""#, r#""\\ud800""#, r#""\u0041""#, "{}", r#""\\\\""#] {
            assert!(!has_lone_surrogate(json), "{json}");
        }
    }

    #[test]
    fn a_list_is_no_object() {
        #[derive(serde::Deserialize)]
        struct One {
            a: u8,
        }
        let read = |json| serde_json::from_str::<Object<One>>(json).ok().map(|object| object.0.a);
        assert_eq!(read(r#"{"a":1}"#), Some(1));
        assert_eq!(read("[1]"), None);
    }
}
