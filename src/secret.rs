//! Secrets, which are kept out of every log and compared in constant time.

use std::fmt;
use std::io::{self, Read};

use data_encoding::HEXLOWER;
use subtle::ConstantTimeEq;

use crate::system::cannot;

/// A secret of fewer characters counts as short. 16 of `[A-Za-z0-9_-]` are 96 bits.
pub const SHORT_SECRET: usize = 16;

/// A key that must never be printed. `Debug` hides it; it has no `Display`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a key that the configuration has checked.
    pub fn new(key: String) -> Self {
        Self(key)
    }

    /// Generates a key of 64 hex digits from the system's random source.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn random() -> io::Result<Self> {
        Ok(Self(HEXLOWER.encode(&random_bytes::<32>()?)))
    }

    /// Compares in constant time; only the length can leak.
    pub fn matches(&self, candidate: &[u8]) -> bool {
        same(self.0.as_bytes(), candidate)
    }

    /// Whether it has fewer than [`SHORT_SECRET`] characters.
    pub fn is_short(&self) -> bool {
        self.0.chars().count() < SHORT_SECRET
    }

    /// Returns the key itself, to be sent to an authorised caller, or printed once when it was generated.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Compares in constant time; only whether the lengths are equal can leak.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// Replaces every secret in `text` by «…». Short ones stay: they may be part of any word, and a gap would reveal them.
pub fn hide(text: String, secrets: &[Secret]) -> String {
    secrets.iter().filter(|secret| !secret.is_short()).fold(text, |text, Secret(secret)| {
        if text.contains(secret) { text.replace(secret, "…") } else { text }
    })
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Returns `N` bytes from the system's random source: `getrandom`, or `/dev/urandom` if the kernel (before 3.17) or a
/// sandbox lacks it.
///
/// # Errors
/// Neither gives random bytes.
pub fn random_bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    fill(&mut bytes).or_else(|_| from_device(&mut bytes)).map_err(|error| {
        cannot("get random bytes (getrandom, then /dev/urandom) for keys and ids", &error)
    })?;
    Ok(bytes)
}

fn fill(mut bytes: &mut [u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let filled = rustix::rand::getrandom(&mut *bytes, rustix::rand::GetRandomFlags::empty())?;
        bytes = &mut bytes[filled..];
    }
    Ok(())
}

fn from_device(bytes: &mut [u8]) -> io::Result<()> {
    std::fs::File::open("/dev/urandom")?.read_exact(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_matches_itself_alone_and_is_not_printed() {
        let secret = Secret::new("0123456789abcdef".into());
        assert!(secret.matches(b"0123456789abcdef"));
        assert!(!secret.matches(b"0123456789abcdeF"));
        assert!(!secret.matches(b"0123456789abcde"));
        assert!(!secret.matches(b""));
        assert!(!format!("{secret:?}").contains("0123"));
    }

    #[test]
    fn secrets_are_hidden_wherever_they_come_up() {
        let secrets = ["0123456789abcdef", "fedcba9876543210", "to"].map(|s| Secret::new(s.into()));
        let text = "GET /0123456789abcdef?key=fedcba9876543210 0123456789abcdef0123456789abcdef to";
        assert_eq!(hide(text.into(), &secrets), "GET /…?key=… …… to");
    }

    #[test]
    fn without_getrandom_the_device_gives_random_bytes() {
        let mut bytes = [[0; 32]; 2];
        bytes.iter_mut().for_each(|bytes| from_device(bytes).unwrap());
        assert!(bytes[0] != [0; 32] && bytes[0] != bytes[1]);
    }

    #[test]
    fn random_secrets_are_64_hex_digits_and_differ() {
        let (a, b) = (Secret::random().unwrap(), Secret::random().unwrap());
        assert_ne!(a.reveal(), b.reveal());
        assert_eq!(a.reveal().len(), 64);
        assert!(a.reveal().bytes().all(|b| b.is_ascii_hexdigit()));
    }
}
