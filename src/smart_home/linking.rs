//! Account linking: OAuth 2.0 with an authorization code (RFC 6749, 4.1; docs/facts/smart_home.md, 3). Codes and tokens
//! are signed, not stored. Plain data, but for random bytes.

use data_encoding::BASE64;
use serde::Serialize;

use crate::http::form::{Form, FormError};
use crate::json;
use crate::secret::{Secret, same};
use crate::tokens::signed::{Kind, TokenSigner, client_secret};

/// The client id: the console's field «Идентификатор приложения».
pub const CLIENT_ID: &str = "home-alice";

/// The redirect URI of every linking (docs/facts/smart_home.md, 3).
pub const REDIRECT_URI: &str = "https://social.yandex.net/broker/redirect";

/// Longest `state`, in bytes.
pub const MAX_STATE: usize = 1024;

/// Lifetime of an authorization code, in seconds.
pub const CODE_LIFE: u64 = 300;

/// Used authorization codes that are remembered until they expire; at most one per pairing code. Further ones are
/// refused.
pub const MAX_USED: usize = 256;

/// Lifetime of an access token, in seconds: 90 days.
pub const ACCESS_LIFE: u64 = 7_776_000;

/// Lifetime of a refresh token, in seconds: 400 days.
pub const REFRESH_LIFE: u64 = 34_560_000;

/// The parameter that makes a linking request invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkError {
    ClientId,
    RedirectUri,
    ResponseType,
    State,
}

/// Checks a linking request, from a query or the page's form. Returns its `state`.
///
/// # Errors
/// The first invalid parameter. The sender must not be redirected.
pub fn check(form: Form<'_>) -> Result<String, LinkError> {
    let is = |name, right: &str| form.value(name).ok().flatten().is_some_and(|value| value == right);
    if !is("client_id", CLIENT_ID) {
        return Err(LinkError::ClientId);
    }
    if !is("redirect_uri", REDIRECT_URI) {
        return Err(LinkError::RedirectUri);
    }
    if !is("response_type", "code") {
        return Err(LinkError::ResponseType);
    }
    let state = form.value("state").ok().flatten();
    let fits = |state: &String| state.len() <= MAX_STATE && !state.contains(char::is_control);
    state.filter(fits).ok_or(LinkError::State)
}

/// Why a token request is refused (RFC 6749, 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// A parameter is missing or repeated.
    Request,
    /// The client id or secret is wrong.
    Client,
    /// The code or the refresh token is invalid.
    Grant,
    /// The grant type is not supported.
    GrantType,
    /// The system gives no random bytes.
    System,
}

impl Refused {
    /// Returns the HTTP status and the error code of RFC 6749.
    pub fn code(self) -> (u16, &'static str) {
        match self {
            Self::Request => (400, "invalid_request"),
            Self::Client => (401, "invalid_client"),
            Self::Grant => (400, "invalid_grant"),
            Self::GrantType => (400, "unsupported_grant_type"),
            Self::System => (500, "server_error"),
        }
    }
}

impl From<FormError> for Refused {
    fn from(_: FormError) -> Self {
        Self::Request
    }
}

/// Authorization codes that were used and have not expired.
#[derive(Debug, Default)]
pub struct UsedCodes(Vec<(String, u64)>);

impl UsedCodes {
    /// Uses a code up. Returns false if it was used already, or too many are remembered.
    fn take(&mut self, id: &str, expires: u64, now: u64) -> bool {
        self.0.retain(|(_, expires)| now < *expires);
        if self.0.len() >= MAX_USED || self.0.iter().any(|(used, _)| *used == id) {
            return false;
        }
        self.0.push((id.to_owned(), expires));
        true
    }
}

/// Issues and checks the codes and tokens of account linking.
pub struct Linking {
    pub signer: TokenSigner,
    client_secret: Secret,
}

impl Linking {
    /// Derives the keys from `SMART_HOME_SECRET`.
    pub fn new(secret: &Secret) -> Self {
        Self { signer: TokenSigner::new(secret), client_secret: client_secret(secret) }
    }

    /// Answers a token request with the JSON of RFC 6749, 5.1. `authorization` is its header field; codes in `used` are
    /// refused, and this one is added.
    ///
    /// # Errors
    /// The request is refused.
    pub fn tokens(
        &self,
        form: Form<'_>,
        authorization: Option<&str>,
        used: &mut UsedCodes,
        now: u64,
    ) -> Result<String, Refused> {
        self.authenticate(form, authorization)?;
        let required = |name| form.value(name)?.ok_or(Refused::Request);
        match &*required("grant_type")? {
            "authorization_code" => {
                let code = required("code")?;
                let code = self.signer.verify(Kind::Code, &code, now).ok_or(Refused::Grant)?;
                // Every code is made for this URI, since there is no other.
                if required("redirect_uri")? != REDIRECT_URI || !used.take(code.id, code.expires, now) {
                    return Err(Refused::Grant);
                }
            }
            "refresh_token" => {
                let token = required("refresh_token")?;
                self.signer.verify(Kind::Refresh, &token, now).ok_or(Refused::Grant)?;
            }
            _ => return Err(Refused::GrantType),
        }
        let make = |kind, life| self.signer.sign(kind, now + life).map_err(|_| Refused::System);
        #[derive(Serialize)]
        struct Tokens {
            access_token: String,
            token_type: &'static str,
            expires_in: u64,
            refresh_token: String,
        }
        Ok(json::of(&Tokens {
            access_token: make(Kind::Access, ACCESS_LIFE)?,
            token_type: "Bearer",
            expires_in: ACCESS_LIFE,
            refresh_token: make(Kind::Refresh, REFRESH_LIFE)?,
        }))
    }

    /// Authenticates the client by the form, by HTTP Basic (RFC 6749, 2.3.1), or by both.
    fn authenticate(&self, form: Form<'_>, authorization: Option<&str>) -> Result<(), Refused> {
        let (id, secret) = (form.value("client_id")?, form.value("client_secret")?);
        let is_own = |id: &str, secret: &str| {
            // `&` compares both, so the time does not tell which one is wrong.
            same(id.as_bytes(), CLIENT_ID.as_bytes()) & self.client_secret.matches(secret.as_bytes())
        };
        let in_form = match (&id, &secret) {
            (Some(id), Some(secret)) => Some(is_own(id, secret)),
            (Some(id), None) if id != CLIENT_ID => Some(false),
            (None, Some(_)) => Some(false),
            _ => None,
        };
        // Form encoding changes neither, so there is one way to write them.
        let right = [CLIENT_ID, ":", self.client_secret.reveal()].concat();
        let right = BASE64.encode(right.as_bytes());
        let basic = authorization.map(|field| {
            behind("Basic", field).is_some_and(|shown| same(right.as_bytes(), shown.as_bytes()))
        });
        match (in_form, basic) {
            (None, None) | (Some(false), _) | (_, Some(false)) => Err(Refused::Client),
            _ => Ok(()),
        }
    }

    /// Whether `Authorization` holds a valid access token.
    pub fn admits(&self, authorization: Option<&str>, now: u64) -> bool {
        let token = authorization.and_then(|field| behind("Bearer", field));
        token.is_some_and(|token| self.signer.verify(Kind::Access, token, now).is_some())
    }
}

/// Returns what follows the scheme (RFC 9110, 11.4).
fn behind<'a>(scheme: &str, field: &'a str) -> Option<&'a str> {
    let (own, rest) = field.split_once(' ')?;
    own.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::form::encoded;

    const NOW: u64 = 1_700_000_000;

    fn linking() -> Linking {
        Linking::new(&Secret::new("0123456789abcdef".into()))
    }

    fn asked(changes: &[(&str, Option<&str>)]) -> String {
        let right = [
            ("client_id", CLIENT_ID),
            ("redirect_uri", REDIRECT_URI),
            ("response_type", "code"),
            ("state", "a b"),
        ];
        let mut pairs = Vec::new();
        for (name, value) in right {
            match changes.iter().find(|(changed, _)| *changed == name) {
                None => pairs.push(format!("{name}={}", encoded(value))),
                Some((_, Some(value))) => pairs.push(format!("{name}={}", encoded(value))),
                Some((_, None)) => {}
            }
        }
        pairs.join("&")
    }

    #[test]
    fn every_part_of_a_request_for_linking_is_checked() {
        assert_eq!(check(Form(&asked(&[]))).as_deref(), Ok("a b"));
        let longest = "x".repeat(MAX_STATE);
        assert_eq!(check(Form(&asked(&[("state", Some(&longest))]))).as_ref(), Ok(&longest));
        let too_long = "x".repeat(MAX_STATE + 1);
        for (name, value, wrong) in [
            ("client_id", Some("relay"), LinkError::ClientId),
            ("client_id", None, LinkError::ClientId),
            (
                "redirect_uri",
                Some("https://social.yandex.net/broker/redirect/"),
                LinkError::RedirectUri,
            ),
            ("redirect_uri", Some("https://evil.example/broker/redirect"), LinkError::RedirectUri),
            ("redirect_uri", None, LinkError::RedirectUri),
            ("response_type", Some("token"), LinkError::ResponseType),
            ("response_type", None, LinkError::ResponseType),
            ("state", None, LinkError::State),
            ("state", Some(""), LinkError::State),
            ("state", Some("a\nb"), LinkError::State),
            ("state", Some(&too_long), LinkError::State),
        ] {
            assert_eq!(check(Form(&asked(&[(name, value)]))), Err(wrong), "{name} {value:?}");
        }
        assert_eq!(check(Form(&(asked(&[]) + "&state=c"))), Err(LinkError::State), "twice");
    }

    /// A form with the right client and these parameters.
    fn form(linking: &Linking, pairs: &[(&str, &str)]) -> String {
        let secret = linking.client_secret.reveal();
        let own = [("client_id", CLIENT_ID), ("client_secret", secret)];
        let all = own.iter().chain(pairs).map(|(name, value)| format!("{name}={}", encoded(value)));
        all.collect::<Vec<_>>().join("&")
    }

    fn exchange(
        linking: &Linking,
        used: &mut UsedCodes,
        code: &str,
        now: u64,
    ) -> Result<String, Refused> {
        let pairs =
            [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", REDIRECT_URI)];
        linking.tokens(Form(&form(linking, &pairs)), None, used, now)
    }

    fn token(json: &str, name: &str) -> String {
        serde_json::from_str::<serde_json::Value>(json).unwrap()[name].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_code_is_good_once_and_for_five_minutes() {
        let (linking, mut used) = (linking(), UsedCodes::default());
        let code = linking.signer.sign(Kind::Code, NOW + CODE_LIFE).unwrap();
        let late = exchange(&linking, &mut used, &code, NOW + CODE_LIFE);
        assert_eq!(late, Err(Refused::Grant));
        let answer = exchange(&linking, &mut used, &code, NOW + CODE_LIFE - 1).unwrap();
        let access = format!("bearer  {}", token(&answer, "access_token"));
        assert!(linking.admits(Some(&access), NOW + ACCESS_LIFE));
        assert!(!linking.admits(Some(&access), NOW + CODE_LIFE + ACCESS_LIFE));
        assert_eq!(exchange(&linking, &mut used, &code, NOW), Err(Refused::Grant), "again");
    }

    #[test]
    fn a_refresh_may_be_repeated_and_each_gives_new_tokens() {
        let (linking, mut used) = (linking(), UsedCodes::default());
        let refresh = linking.signer.sign(Kind::Refresh, NOW + REFRESH_LIFE).unwrap();
        let pairs = [("grant_type", "refresh_token"), ("refresh_token", &*refresh)];
        let form = form(&linking, &pairs);
        let mut again = |now| linking.tokens(Form(&form), None, &mut used, now);
        let (first, second) = (again(NOW).unwrap(), again(NOW + REFRESH_LIFE - 1).unwrap());
        assert_ne!(token(&first, "refresh_token"), token(&second, "refresh_token"));
        assert_ne!(token(&first, "access_token"), token(&second, "access_token"));
        assert_eq!(again(NOW + REFRESH_LIFE), Err(Refused::Grant));
    }

    #[test]
    fn no_kind_passes_for_another() {
        let (linking, mut used) = (linking(), UsedCodes::default());
        for kind in [Kind::Code, Kind::Access, Kind::Refresh, Kind::Pairing] {
            let signed = linking.signer.sign(kind, NOW + 9).unwrap();
            assert_eq!(linking.admits(Some(&format!("Bearer {signed}")), NOW), kind == Kind::Access);
            assert_eq!(exchange(&linking, &mut used, &signed, NOW).is_ok(), kind == Kind::Code);
            let pairs = [("grant_type", "refresh_token"), ("refresh_token", &*signed)];
            let answer = linking.tokens(Form(&form(&linking, &pairs)), None, &mut used, NOW);
            assert_eq!(answer.is_ok(), kind == Kind::Refresh, "{kind:?}");
        }
        for field in
            [None, Some(""), Some("Bearer"), Some("Bearer "), Some("Basic x"), Some("Bearer x")]
        {
            assert!(!linking.admits(field, NOW), "{field:?}");
        }
    }

    #[test]
    fn the_client_shows_itself_in_the_form_or_by_basic() {
        let (linking, mut used) = (linking(), UsedCodes::default());
        let secret = linking.client_secret.reveal().to_owned();
        let refresh = linking.signer.sign(Kind::Refresh, NOW + 9).unwrap();
        let grant = format!("grant_type=refresh_token&refresh_token={refresh}");
        let basic = |id: &str, secret: &str| {
            format!("Basic {}", BASE64.encode(format!("{id}:{secret}").as_bytes()))
        };
        let right = basic("home-alice", &secret);
        for (client, field, is_right) in [
            (format!("client_id=home-alice&client_secret={secret}"), None, true),
            (String::new(), Some(right.clone()), true),
            ("client_id=home-alice".into(), Some(right.clone()), true),
            (format!("client_id=home-alice&client_secret={secret}"), Some(right.clone()), true),
            (String::new(), None, false),
            ("client_id=home-alice".into(), None, false),
            (format!("client_secret={secret}"), None, false),
            (format!("client_id=other&client_secret={secret}"), None, false),
            ("client_id=home-alice&client_secret=wrong".into(), None, false),
            ("client_id=other".into(), Some(right.clone()), false),
            ("client_id=home-alice&client_secret=wrong".into(), Some(right.clone()), false),
            (
                format!("client_id=home-alice&client_secret={secret}"),
                Some(basic("home-alice", "no")),
                false,
            ),
            (String::new(), Some(basic("other", &secret)), false),
            (String::new(), Some("Basic ?".into()), false),
            (String::new(), Some(format!("Bearer {secret}")), false),
        ] {
            let form = format!("{grant}&{client}");
            let answer = linking.tokens(Form(&form), field.as_deref(), &mut used, NOW);
            assert_eq!(answer.is_ok(), is_right, "{client} {field:?}");
            assert!(is_right || answer == Err(Refused::Client), "{client} {field:?}");
        }
    }

    #[test]
    fn what_is_missing_or_unknown_has_rfc_6749s_word() {
        let (linking, mut used) = (linking(), UsedCodes::default());
        let code = linking.signer.sign(Kind::Code, NOW + 9).unwrap();
        for (pairs, refused) in [
            (&[][..], Refused::Request),
            (&[("grant_type", "password")], Refused::GrantType),
            (&[("grant_type", "authorization_code")], Refused::Request),
            (&[("grant_type", "refresh_token")], Refused::Request),
            (&[("grant_type", "refresh_token"), ("refresh_token", "x")], Refused::Grant),
            (&[("grant_type", "authorization_code"), ("code", &code)], Refused::Request),
            (
                &[
                    ("grant_type", "authorization_code"),
                    ("code", &code),
                    ("redirect_uri", "https://x/"),
                ],
                Refused::Grant,
            ),
            (&[("grant_type", "a"), ("grant_type", "b")], Refused::Request),
        ] {
            let answer = linking.tokens(Form(&form(&linking, pairs)), None, &mut used, NOW);
            assert_eq!(answer, Err(refused), "{pairs:?}");
        }
        assert!(exchange(&linking, &mut used, &code, NOW).is_ok(), "none of it used the code up");
    }

    #[test]
    fn used_codes_fill_no_memory_and_none_counts_twice_for_want_of_room() {
        let mut used = UsedCodes::default();
        for n in 0..MAX_USED {
            assert!(used.take(&n.to_string(), NOW + 300, NOW));
            assert!(!used.take(&n.to_string(), NOW + 300, NOW), "again");
        }
        assert!(!used.take("another", NOW + 300, NOW), "there is no room to remember it");
        assert!(used.take("another", NOW + 600, NOW + 300), "the others are over");
        assert_eq!(used.0.len(), 1);
    }
}
