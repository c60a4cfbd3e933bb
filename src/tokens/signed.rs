//! Stateless signed tokens: a random id and an expiry under a MAC. Nothing is stored; whoever has the secret can verify
//! them. That is `SMART_HOME_SECRET`, for an invitation the key of its PC, and for the owner's page all that
//! [`Credentials::owner_secret`] takes. Plain data.
//!
//! [`Credentials::owner_secret`]: crate::config::credentials::Credentials::owner_secret

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::secret::{Secret, random_bytes, same};

/// The purpose of a token. Each kind has its own key, so none passes for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The authorization code (RFC 6749, 4.1.2).
    Code,
    /// The access token (RFC 6749, 1.4).
    Access,
    /// The refresh token (RFC 6749, 1.5).
    Refresh,
    /// The proof that `pair` shows to the running relay.
    Pairing,
    /// The proof that `login` shows to the running relay.
    Login,
    /// The proof that `invite` shows to the running relay, signed with the key of its PC.
    Invitation,
    /// The cookie of the owner's page.
    Cookie,
    /// The cookie over plain HTTP on the relay's own machine.
    HomeCookie,
    /// The token by which a monitor reads the state.
    Monitor,
    /// The token against cross-site requests (CSRF) of the owner's page, bound to a cookie.
    Page,
}

/// Every kind, with the label of its key.
const KINDS: [(Kind, &str); 10] = [
    (Kind::Code, "home-alice-relay code"),
    (Kind::Access, "home-alice-relay access token"),
    (Kind::Refresh, "home-alice-relay refresh token"),
    (Kind::Pairing, "home-alice-relay pairing proof"),
    (Kind::Login, "home-alice-relay login proof"),
    (Kind::Invitation, "home-alice-relay invitation proof"),
    (Kind::Cookie, "home-alice-relay owner cookie"),
    (Kind::HomeCookie, "home-alice-relay owner cookie at home"),
    (Kind::Monitor, "home-alice-relay monitor token"),
    (Kind::Page, "home-alice-relay page token"),
];

/// A verified token.
#[derive(Debug, PartialEq, Eq)]
pub struct SignedToken<'a> {
    /// Its unique id.
    pub id: &'a str,
    /// Its expiry, in seconds of Unix time.
    pub expires: u64,
}

/// HMAC-SHA256 (RFC 2104, FIPS 180-4).
pub type Tag = [u8; 32];

/// Signs and verifies tokens.
pub struct TokenSigner {
    keys: [Tag; KINDS.len()],
}

impl TokenSigner {
    /// Derives the key of every kind from `secret`.
    pub fn new(secret: &Secret) -> Self {
        Self { keys: KINDS.map(|(_, label)| mac(secret.reveal().as_bytes(), label.as_bytes())) }
    }

    /// Signs a new token that expires at `expires`: id, expiry and MAC, in 77 characters that are safe in a URL.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn sign(&self, kind: Kind, expires: u64) -> std::io::Result<String> {
        let id = BASE64URL_NOPAD.encode(&random_bytes::<16>()?);
        let signed = [&*id, ".", &expires.to_string()].concat();
        let tag = self.tag(kind, &signed);
        Ok([&*signed, ".", &*tag].concat())
    }

    /// Verifies a token. Returns `None` if it is of another kind or secret, changed or expired `now`, in seconds of Unix time.
    /// The MAC is compared in constant time.
    pub fn verify<'a>(&self, kind: Kind, text: &'a str, now: u64) -> Option<SignedToken<'a>> {
        let (signed, shown) = text.rsplit_once('.')?;
        if !same(self.tag(kind, signed).as_bytes(), shown.as_bytes()) {
            return None;
        }
        let (id, expires) = signed.split_once('.')?;
        let expires = expires.parse().ok()?;
        (now < expires).then_some(SignedToken { id, expires })
    }

    /// Returns the CSRF token that belongs to the cookie with this id.
    pub fn csrf_token(&self, kind: Kind, id: &str) -> String {
        self.tag(kind, id)
    }

    /// Whether `text` is that token. Compares in constant time.
    pub fn is_csrf_token(&self, kind: Kind, id: &str, text: &str) -> bool {
        same(self.tag(kind, id).as_bytes(), text.as_bytes())
    }

    fn tag(&self, kind: Kind, signed: &str) -> String {
        BASE64URL_NOPAD.encode(&mac(&self.keys[kind as usize], signed.as_bytes()))
    }
}

/// Returns the console's «Секрет приложения». It is derived from `secret`, does not reveal it, and opens nothing by itself.
pub fn client_secret(secret: &Secret) -> Secret {
    derived(secret.reveal(), "home-alice-relay client secret")
}

/// Derives a secret from `text` for the purpose that `label` names.
pub fn derived(text: &str, label: &str) -> Secret {
    Secret::new(BASE64URL_NOPAD.encode(&mac(text.as_bytes(), label.as_bytes())))
}

/// Returns the MAC of a text.
pub fn mac(key: &[u8], text: &[u8]) -> Tag {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn signer(secret: &str) -> TokenSigner {
        TokenSigner::new(&Secret::new(secret.into()))
    }

    #[test]
    fn a_seal_is_good_for_its_own_kind_and_secret_until_it_expires() {
        let own = signer("0123456789abcdef");
        for (kind, _) in KINDS {
            let text = own.sign(kind, NOW + 1).unwrap();
            assert_eq!(text.len(), 77);
            assert_eq!(own.verify(kind, &text, NOW).unwrap().expires, NOW + 1);
            assert_eq!(own.verify(kind, &text, NOW + 1), None);
            assert!(signer("0123456789abcdef").verify(kind, &text, NOW).is_some(), "after a restart");
            assert_eq!(signer("0123456789abcdeF").verify(kind, &text, NOW), None);
            for (other, _) in KINDS.iter().filter(|(other, _)| *other != kind) {
                assert_eq!(own.verify(*other, &text, NOW), None, "{kind:?} as {other:?}");
            }
        }
    }

    #[test]
    fn the_keys_stand_in_the_order_of_the_kinds() {
        for (place, (kind, _)) in KINDS.iter().enumerate() {
            assert_eq!(*kind as usize, place);
        }
    }

    #[test]
    fn no_two_seals_are_the_same() {
        let signer = signer("0123456789abcdef");
        let made = || signer.sign(Kind::Access, NOW).unwrap();
        assert_ne!(made(), made());
    }

    #[test]
    fn a_changed_bit_or_character_is_refused() {
        let signer = signer("0123456789abcdef");
        let text = signer.sign(Kind::Access, NOW + 1).unwrap();
        for bit in 0..text.len() * 8 {
            let mut changed = text.clone().into_bytes();
            changed[bit / 8] ^= 1 << (bit % 8);
            // What is not UTF-8 any more is no header field and no form.
            let changed = String::from_utf8_lossy(&changed);
            assert_eq!(signer.verify(Kind::Access, &changed, 0), None, "bit {bit}");
        }
        let (head, last) = text.split_at(text.len() - 1);
        let other = if last == "A" { "B" } else { "A" };
        let (signed, tag) = text.rsplit_once('.').unwrap();
        for odd in [
            "",
            ".",
            "..",
            head,
            tag,
            &format!(".{tag}"),
            &format!("{text}A"),
            &format!("{text}="),
            &format!("{head}{other}"),
            &format!("{signed}0.{tag}"),
            &format!("{signed}."),
            "ключ",
        ] {
            assert_eq!(signer.verify(Kind::Access, odd, 0), None, "{odd}");
        }
    }

    #[test]
    fn what_is_bound_goes_with_one_seal_of_one_secret_and_is_no_seal() {
        let own = signer("0123456789abcdef");
        let csrf_token = own.csrf_token(Kind::Page, "id");
        assert!(own.is_csrf_token(Kind::Page, "id", &csrf_token));
        assert!(!own.is_csrf_token(Kind::Page, "other", &csrf_token));
        assert!(!own.is_csrf_token(Kind::Cookie, "id", &csrf_token));
        assert!(
            !own.is_csrf_token(Kind::Page, "id", "")
                && !own.is_csrf_token(Kind::Page, "id", &csrf_token[1..])
        );
        assert!(!signer("0123456789abcdeF").is_csrf_token(Kind::Page, "id", &csrf_token));
        assert_eq!(own.verify(Kind::Page, &csrf_token, 0), None);
    }

    #[test]
    fn the_mac_is_that_of_rfc_4231() {
        // Test case 2.
        let hex: String =
            mac(b"Jefe", b"what do ya want for nothing?").iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn the_client_secret_is_derived_and_tells_nothing() {
        let secret = |text: &str| client_secret(&Secret::new(text.into())).reveal().to_owned();
        assert_eq!(secret("0123456789abcdef"), secret("0123456789abcdef"));
        assert_ne!(secret("0123456789abcdef"), secret("0123456789abcdeF"));
        assert_eq!(secret("0123456789abcdef").len(), 43);
    }
}
