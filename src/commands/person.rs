//! The person who asked, and who alone may hear the answer.

/// Bytes of an account's or a device's id; Yandex's are of 64 (docs/facts/alice.md).
const MAX_PERSON_ID: usize = 128;

/// The person who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Person {
    /// A Yandex account, on whichever device.
    Account(String),
    /// A device on which nobody is logged in.
    Device(String),
    /// Somebody who runs `ask` with the relay's own secrets.
    Ask,
    /// A browser that is logged in to the owner's page.
    Browser(String),
}

impl Person {
    /// Returns the account, or else the device. `None` when the turn names neither, or one that is empty or longer than
    /// Yandex's ids are.
    pub fn of(account: Option<&str>, device: Option<&str>) -> Option<Self> {
        let fits = |id: &&str| (1..=MAX_PERSON_ID).contains(&id.len());
        match (account, device) {
            (Some(account), _) => Some(account).filter(fits).map(|id| Self::Account(id.to_owned())),
            (None, device) => device.filter(fits).map(|id| Self::Device(id.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_no_sound_id_is_nobody() {
        let longest = "x".repeat(MAX_PERSON_ID);
        let too_long = "x".repeat(MAX_PERSON_ID + 1);
        assert_eq!(Person::of(Some("a"), Some("d")), Some(Person::Account("a".into())));
        assert_eq!(Person::of(None, Some("d")), Some(Person::Device("d".into())));
        assert_eq!(Person::of(Some(&longest), None), Some(Person::Account(longest.clone())));
        for (account, device) in
            [(None, None), (Some(""), Some("d")), (None, Some("")), (Some(&*too_long), Some("d"))]
        {
            assert_eq!(Person::of(account, device), None, "{account:?} {device:?}");
        }
    }
}
