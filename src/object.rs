//! JSON from outside, parsed one object at a time: unused parts are never parsed, and unusable ones count as missing.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::{Text, without_bom};

/// An object's keys and values. Of equal keys the last counts.
pub struct Fields<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// Parses `json`, if it is an object.
    pub fn of(json: &'a RawValue) -> Option<Self> {
        serde_json::from_str(json.get()).ok()
    }

    /// Parses a request's body, if it is an object in UTF-8, with or without a byte order mark.
    pub fn of_body(body: &'a [u8]) -> Option<Self> {
        serde_json::from_str(std::str::from_utf8(without_bom(body)).ok()?).ok()
    }

    /// Returns the value of `key`; `None` if it is missing or `null`.
    pub fn get(&self, key: &str) -> Option<&'a RawValue> {
        let (_, value) = self.0.iter().rev().find(|(own, _)| own == key)?;
        Some(*value).filter(|value| value.get() != "null")
    }

    /// Returns a key that occurs more than once.
    pub fn repeated(&self) -> Option<&str> {
        let mut seen = BTreeSet::new();
        self.0.iter().map(|(key, _)| &**key).find(|key| !seen.insert(*key))
    }

    /// Returns the value of `key`, if it is a text.
    pub fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        text(self.get(key)?)
    }

    /// Returns the value of `key`, if it is an object.
    pub fn object(&self, key: &str) -> Option<Self> {
        Self::of(self.get(key)?)
    }

    /// Returns the value of `key`, if it is a list.
    pub fn list(&self, key: &str) -> Option<Vec<&'a RawValue>> {
        list(self.get(key)?.get())
    }
}

/// Parses `json`, if it is a text.
pub fn text(json: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(json.get()).ok().map(Cow::from)
}

/// Parses `json`, if it is a list.
pub fn list(json: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(json).ok()
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut fields = Vec::new();
        while let Some(Text(key)) = map.next_key()? {
            fields.push((key, map.next_value()?));
        }
        Ok(Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_used_is_found_and_the_rest_is_not_there() {
        let json = r#"{"a":"да","n":null,"o":{"x":[1,{}]},"a2":5,"a":"\udcff","deep":[[[]]]}"#;
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        let fields = Fields::of(raw).unwrap();
        assert_eq!(fields.text("a").as_deref(), Some("\u{fffd}"), "the last counts");
        assert_eq!(fields.object("o").unwrap().list("x").unwrap().len(), 2);
        assert!(fields.get("n").is_none() && fields.get("b").is_none());
        assert!(
            fields.text("a2").is_none() && fields.list("o").is_none() && fields.object("a").is_none()
        );
    }
}
