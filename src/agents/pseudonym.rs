//! Pseudonyms of people towards agents. A person's stays the same after a restart and a new agent's key, differs from
//! every other's, and does not tell who it is. Plain data.

use data_encoding::HEXLOWER;

use crate::commands::person::Person;
use crate::secret::Secret;
use crate::tokens::signed::mac;

/// Bytes of a pseudonym: 128 bits.
const BYTES: usize = 16;

/// Derives pseudonyms.
pub struct Pseudonyms(Option<[u8; 32]>);

impl Pseudonyms {
    /// The key is derived from the webhook's secret alone. Without one there are no pseudonyms: anybody could compute them,
    /// and so tell whose they are.
    pub fn new(webhook: Option<&Secret>) -> Self {
        Self(webhook.map(|secret| mac(secret.reveal().as_bytes(), b"home-alice-relay pseudonyms")))
    }

    /// Returns a person's pseudonym.
    pub fn of(&self, person: &Person) -> Option<String> {
        let key = self.0.as_ref()?;
        let name = match person {
            Person::Account(id) => ["account ", id].concat(),
            Person::Device(id) => ["device ", id].concat(),
            Person::Browser(id) => ["browser ", id].concat(),
            Person::Ask => "ask".into(),
        };
        Some(HEXLOWER.encode(&mac(key, name.as_bytes())[..BYTES]))
    }

    /// Returns the pseudonym of Smart Home, which does not say who speaks.
    pub fn of_smart_home(&self) -> Option<String> {
        let key = self.0.as_ref()?;
        Some(HEXLOWER.encode(&mac(key, b"smart-home")[..BYTES]))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_person_has_one_of_its_own_that_tells_nobody_who_it_is() {
        let secret = Secret::new("webhook-secret-0123456789".into());
        let people = || {
            let same = "me".to_owned();
            [
                Person::Account(same.clone()),
                Person::Account("you".into()),
                Person::Device(same),
                Person::Ask,
            ]
        };
        let told = |secret| {
            let pseudonyms = Pseudonyms::new(Some(secret));
            let mut told: Vec<_> =
                people().iter().map(|person| pseudonyms.of(person).unwrap()).collect();
            told.push(pseudonyms.of_smart_home().unwrap());
            told
        };
        let all = told(&secret);
        assert_eq!(all, told(&secret), "after a restart, too");
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 5);
        assert!(all.iter().all(|one| one.len() == 2 * BYTES && !one.contains("me")));
        let others = told(&Secret::new("another-secret-0123456789".into()));
        assert!(all.iter().all(|one| !others.contains(one)));
        assert_eq!(Pseudonyms::new(None).of(&Person::Ask), None);
    }
}
