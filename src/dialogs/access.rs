//! Who may command the computer: a caller who knows the webhook's address and is the owner, or `ask`.
//!
//! The address is the lock: it holds `WEBHOOK_SECRET`. Behind it the ids in a turn keep out other people
//! and other skills; by themselves they are no lock, since Yandex doesn't sign them (docs/facts/alice.md).

use std::sync::OnceLock;

use crate::config::credentials::{Credentials, WEBHOOK_PATH};
use crate::dialogs::turn::Turn;
use crate::engine::SeenIds;
use crate::runtime::log_limit::target::TURNS_REFUSED;
use crate::secret::same;
use crate::text::{MAX_QUOTED, quoted};

/// An admitted caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// A speaker that the configuration admits.
    Speaker,
    /// The `ask` command, authenticated by the relay's own secrets.
    Ask,
}

/// A turn that is neither the owner's nor `ask`'s.
#[derive(Debug, PartialEq, Eq)]
pub struct Stranger;

/// Logs a request to a wrong webhook address: the owner may have put an old or a mistyped secret into the skill. Logs
/// only its origin, since the path may be nearly the secret.
pub fn tell_of_wrong_address(credentials: &Credentials, origin: &str) {
    let secret = if credentials.webhook.is_some() { "/ and the WEBHOOK_SECRET" } else { "" };
    log::warn!(
        target: TURNS_REFUSED,
        "A request from {origin} was for a wrong webhook address: the skill's must end in {WEBHOOK_PATH}{secret}"
    );
}

/// Checks who sent this turn. `shown` is the header field [`crate::config::credentials::ASK_FIELD`].
///
/// # Errors
/// The caller is a stranger; this has been logged.
pub fn admit(
    credentials: &Credentials,
    turn: &Turn<'_>,
    shown: Option<&str>,
) -> Result<Caller, Stranger> {
    if shown.is_some_and(|shown| credentials.ask_token().matches(shown.as_bytes())) {
        return Ok(Caller::Ask);
    }
    let is_skill = match (&credentials.skill_id, &turn.skill_id) {
        (None, _) => true,
        (Some(own), Some(id)) => same(own.as_bytes(), id.as_bytes()),
        (Some(_), None) => false,
    };
    let user_ids = &credentials.user_ids;
    let is_user = user_ids.is_empty()
        || turn.user_id.as_ref().is_some_and(|id| {
            user_ids.iter().fold(false, |found, own| {
                // Compares all, so that the time does not tell which id matches.
                found | same(own.as_bytes(), id.as_bytes())
            })
        });
    if is_skill && is_user {
        return Ok(Caller::Speaker);
    }
    log::warn!(target: TURNS_REFUSED, "{}", why_not(credentials, turn, is_skill, is_user));
    Err(Stranger)
}

fn why_not(credentials: &Credentials, turn: &Turn<'_>, is_skill: bool, is_user: bool) -> String {
    if credentials.webhook.is_none() {
        // A forged turn must not show the owner an id to copy.
        return "A turn was refused: its ids are not among ALICE_SKILL_ID and ALICE_USER_IDS. They \
                are told here once WEBHOOK_SECRET is set"
            .into();
    }
    let skill = match (is_skill, &turn.skill_id) {
        (true, _) => String::new(),
        (false, Some(id)) => format!("; skill {} is not ALICE_SKILL_ID", quoted(id)),
        (false, None) => "; it names no skill".into(),
    };
    let user = match (is_user, &turn.user_id) {
        (true, _) => String::new(),
        (false, Some(id)) => format!("; user {} is not in ALICE_USER_IDS", quoted(id)),
        (false, None) => "; its user is not logged in to Yandex".into(),
    };
    format!("A turn was refused{skill}{user}")
}

/// Logs, once a run, the ids of an admitted turn that could be configured, and keeps them in `seen`.
pub fn tell_ids_once(credentials: &Credentials, seen: &OnceLock<SeenIds>, turn: &Turn<'_>) {
    if credentials.webhook.is_none() || seen.get().is_some() {
        return;
    }
    let mut ids = SeenIds { skill: None, user: None };
    let mut line = String::new();
    if credentials.skill_id.is_none() {
        let Some(id) = turn.skill_id.as_deref().filter(|id| is_plain(id)) else { return };
        line += &format!(" ALICE_SKILL_ID={id}");
        ids.skill = Some(id.to_owned());
    }
    if credentials.user_ids.is_empty() {
        let Some(id) = turn.user_id.as_deref().filter(|id| is_plain(id)) else { return };
        line += &format!(" ALICE_USER_IDS={id}");
        ids.user = Some(id.to_owned());
    }
    if seen.set(ids).is_ok() && !line.is_empty() {
        log::info!("A turn came in. If it was yours, these let in nobody else's:{line}");
    }
}

/// Whether `id` can be copied from a log line as it is: one word of ASCII, and no list.
fn is_plain(id: &str) -> bool {
    (1..=MAX_QUOTED).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(pairs: &[(&'static str, &str)]) -> Credentials {
        Credentials::read(|name| {
            Ok(pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        })
        .unwrap()
    }

    fn turn<'a>(skill: Option<&'a str>, user: Option<&'a str>) -> Turn<'a> {
        Turn { skill_id: skill.map(Into::into), user_id: user.map(Into::into), ..Turn::default() }
    }

    #[test]
    fn the_webhook_is_where_its_secret_is_and_nowhere_else() {
        let open = credentials(&[]);
        assert!(open.is_webhook("/alice/webhook"));
        assert!(!open.is_webhook("/alice/webhook/") && !open.is_webhook("/alice/webhook/x"));
        let locked = credentials(&[("WEBHOOK_SECRET", "abcdefgh-_234567")]);
        assert!(locked.is_webhook("/alice/webhook/abcdefgh-_234567"));
        for path in [
            "/alice/webhook",
            "/alice/webhook/",
            "/alice/webhookabcdefgh-_234567",
            "/alice/webhook/abcdefgh-_234567/",
            "/alice/webhook//abcdefgh-_234567",
            "/alice/webhook/abcdefgh-_23456",
            "/alice/webhook/Abcdefgh-_234567",
            "/alice/webhook/%61bcdefgh-_234567",
        ] {
            assert!(!locked.is_webhook(path), "{path}");
        }
    }

    #[test]
    fn whoever_shows_no_id_is_nobody() {
        let credentials = credentials(&[("ALICE_SKILL_ID", "skill"), ("ALICE_USER_IDS", "me,you")]);
        assert!(admit(&credentials, &turn(Some("skill"), Some("you")), None).is_ok());
        for (skill, user) in [
            (None, Some("me")),
            (Some("skill"), None),
            (Some("skill"), Some("")),
            (Some("skill"), Some("me,you")),
            (Some("skill"), Some("ME")),
            (Some("other"), Some("me")),
            (Some("ask"), Some("ask")),
        ] {
            assert_eq!(
                admit(&credentials, &turn(skill, user), None),
                Err(Stranger),
                "{skill:?} {user:?}"
            );
        }
    }

    #[test]
    fn ask_is_known_by_its_token_and_by_nothing_else() {
        let credentials = credentials(&[
            ("API_KEY", "0123456789abcdef"),
            ("ALICE_SKILL_ID", "s"),
            ("ALICE_USER_IDS", "u"),
        ]);
        let token = credentials.ask_token();
        let asked = turn(Some("ask"), Some("ask"));
        assert!(admit(&credentials, &asked, Some(token.reveal())).is_ok());
        for shown in [None, Some(""), Some("0123456789abcdef"), Some(&token.reveal()[1..])] {
            assert_eq!(admit(&credentials, &asked, shown), Err(Stranger), "{shown:?}");
        }
    }

    #[test]
    fn a_refusal_tells_the_ids_behind_the_lock_alone() {
        let ids = [("ALICE_SKILL_ID", "skill"), ("ALICE_USER_IDS", "me")];
        let stranger = turn(Some("a\nb"), Some("you"));
        let open = credentials(&ids);
        let line = why_not(&open, &stranger, false, false);
        assert!(!line.contains("you") && line.contains("WEBHOOK_SECRET"), "{line}");
        let locked = credentials(&[("WEBHOOK_SECRET", "abcdefgh-_234567"), ids[0], ids[1]]);
        let line = why_not(&locked, &stranger, false, false);
        assert!(line.contains(r#""you""#) && line.contains(r#""a\nb""#), "{line}");
        let line = why_not(&locked, &turn(Some("skill"), None), true, false);
        assert!(line.contains("not logged in") && !line.contains("skill"), "{line}");
    }
}
