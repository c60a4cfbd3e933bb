//! Who may command the computer: whoever knows the webhook's address and is the owner, or `ask`.
//!
//! The address is the lock: it holds `WEBHOOK_SECRET`. Behind it the ids in a turn keep out other people
//! and other skills; by themselves they are no lock, since Yandex doesn't sign them (docs/facts/alice.md).

use std::sync::{Arc, OnceLock};

use crate::config::credentials::{Credentials, WEBHOOK_PATH};
use crate::config::secret::{Secret, same};
use crate::dialogs::turn::Turn;
use crate::text::{MAX_QUOTED, quoted};
use crate::upkeep::repeats::Repeats;

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visitor {
    /// Somebody at a speaker whom the configuration lets in.
    Speaker,
    /// `ask`, with the relay's own secrets.
    Ask,
}

/// A turn that is neither the owner's nor `ask`'s.
#[derive(Debug, PartialEq, Eq)]
pub struct Stranger;

/// The ids of the first turn that came behind `WEBHOOK_SECRET`, where none is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ids {
    /// For `ALICE_SKILL_ID`.
    pub skill: Option<String>,
    /// For `ALICE_USER_IDS`.
    pub user: Option<String>,
}

/// Decides who is let in.
pub struct Access {
    webhook: Option<Secret>,
    skill_id: Option<String>,
    user_ids: Vec<String>,
    ask: Secret,
    turned_away: Arc<Repeats>,
    /// The ids that could be configured, once the log has told them.
    told: OnceLock<Ids>,
}

impl Access {
    /// Lets in whom `credentials` name; tells `turned_away` of the others.
    pub fn new(credentials: &Credentials, turned_away: Arc<Repeats>) -> Self {
        Self {
            webhook: credentials.webhook.clone(),
            skill_id: credentials.skill_id.clone(),
            user_ids: credentials.user_ids.clone(),
            ask: credentials.ask_token(),
            turned_away,
            told: OnceLock::new(),
        }
    }

    /// Whether `path` is the webhook's: with `WEBHOOK_SECRET` the one that ends in it and no other.
    pub fn is_webhook(&self, path: &str) -> bool {
        match &self.webhook {
            None => path == WEBHOOK_PATH,
            Some(secret) => path
                .strip_prefix(WEBHOOK_PATH)
                .and_then(|rest| rest.strip_prefix('/'))
                .is_some_and(|shown| secret.matches(shown.as_bytes())),
        }
    }

    /// Something went to a webhook that isn't there: the owner may have put an old or a mistyped secret
    /// into the skill. Only where it came from is told: what was tried may be nearly the secret.
    pub fn tell_of_wrong_address(&self, origin: &str) {
        self.turned_away.say(format!(
            "A request from {origin} was for a wrong webhook address: the skill's must end in \
             {WEBHOOK_PATH}{}",
            if self.webhook.is_some() { "/ and the WEBHOOK_SECRET" } else { "" }
        ));
    }

    /// Checks whose turn this is. `shown` is what came in [`crate::config::credentials::ASK_FIELD`].
    ///
    /// # Errors
    /// It is a stranger's, and the log has been told.
    pub fn admit(&self, turn: &Turn<'_>, shown: Option<&str>) -> Result<Visitor, Stranger> {
        if shown.is_some_and(|shown| self.ask.matches(shown.as_bytes())) {
            return Ok(Visitor::Ask);
        }
        let is_skill = match (&self.skill_id, &turn.skill_id) {
            (None, _) => true,
            (Some(own), Some(id)) => same(own.as_bytes(), id.as_bytes()),
            (Some(_), None) => false,
        };
        let is_user = self.user_ids.is_empty()
            || turn.user_id.as_ref().is_some_and(|id| {
                self.user_ids.iter().fold(false, |found, own| {
                    // No short cut: how long it takes would tell which of the ids it is.
                    found | same(own.as_bytes(), id.as_bytes())
                })
            });
        if is_skill && is_user {
            self.tell_ids_once(turn);
            return Ok(Visitor::Speaker);
        }
        self.turned_away.say(self.why_not(turn, is_skill, is_user));
        Err(Stranger)
    }

    fn why_not(&self, turn: &Turn<'_>, is_skill: bool, is_user: bool) -> String {
        if self.webhook.is_none() {
            // Whoever forges a turn must not get to put an id before the owner's eyes to be copied.
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

    /// Tells the owner, once a run, what to put where nothing is set yet.
    fn tell_ids_once(&self, turn: &Turn<'_>) {
        if self.webhook.is_none() || self.told.get().is_some() {
            return;
        }
        let mut ids = Ids { skill: None, user: None };
        let mut line = String::new();
        if self.skill_id.is_none() {
            let Some(id) = turn.skill_id.as_deref().filter(|id| is_plain(id)) else { return };
            line += &format!(" ALICE_SKILL_ID={id}");
            ids.skill = Some(id.to_owned());
        }
        if self.user_ids.is_empty() {
            let Some(id) = turn.user_id.as_deref().filter(|id| is_plain(id)) else { return };
            line += &format!(" ALICE_USER_IDS={id}");
            ids.user = Some(id.to_owned());
        }
        if self.told.set(ids).is_ok() && !line.is_empty() {
            log::info!("A turn came in. If it was yours, these let in nobody else's:{line}");
        }
    }

    /// Returns the ids that the log has told, for whoever may read it.
    pub fn told(&self) -> Option<&Ids> {
        self.told.get()
    }
}

/// Whether `id` can be copied from a line as it is: one word of ASCII, and no list.
fn is_plain(id: &str) -> bool {
    (1..=MAX_QUOTED).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upkeep::clock::alarm;

    fn access(pairs: &[(&'static str, &str)]) -> (Access, Secret) {
        let credentials = Credentials::read(|name| {
            Ok(pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        })
        .unwrap();
        let (alarm, _) = alarm();
        let turned_away = Arc::new(Repeats::new("turns refused", log::Level::Warn, alarm));
        (Access::new(&credentials, turned_away), credentials.ask_token())
    }

    fn turn<'a>(skill: Option<&'a str>, user: Option<&'a str>) -> Turn<'a> {
        Turn { skill_id: skill.map(Into::into), user_id: user.map(Into::into), ..Turn::default() }
    }

    #[test]
    fn the_webhook_is_where_its_secret_is_and_nowhere_else() {
        let (open, _) = access(&[]);
        assert!(open.is_webhook("/alice/webhook"));
        assert!(!open.is_webhook("/alice/webhook/") && !open.is_webhook("/alice/webhook/x"));
        let (locked, _) = access(&[("WEBHOOK_SECRET", "abcdefgh-_234567")]);
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
        let (access, _) = access(&[("ALICE_SKILL_ID", "skill"), ("ALICE_USER_IDS", "me,you")]);
        assert!(access.admit(&turn(Some("skill"), Some("you")), None).is_ok());
        for (skill, user) in [
            (None, Some("me")),
            (Some("skill"), None),
            (Some("skill"), Some("")),
            (Some("skill"), Some("me,you")),
            (Some("skill"), Some("ME")),
            (Some("other"), Some("me")),
            (Some("ask"), Some("ask")),
        ] {
            assert_eq!(access.admit(&turn(skill, user), None), Err(Stranger), "{skill:?} {user:?}");
        }
    }

    #[test]
    fn ask_is_known_by_its_token_and_by_nothing_else() {
        let (access, token) = access(&[
            ("API_KEY", "0123456789abcdef"),
            ("ALICE_SKILL_ID", "s"),
            ("ALICE_USER_IDS", "u"),
        ]);
        let asked = turn(Some("ask"), Some("ask"));
        assert!(access.admit(&asked, Some(token.reveal())).is_ok());
        for shown in [None, Some(""), Some("0123456789abcdef"), Some(&token.reveal()[1..])] {
            assert_eq!(access.admit(&asked, shown), Err(Stranger), "{shown:?}");
        }
    }

    #[test]
    fn a_refusal_tells_the_ids_behind_the_lock_alone() {
        let ids = [("ALICE_SKILL_ID", "skill"), ("ALICE_USER_IDS", "me")];
        let stranger = turn(Some("a\nb"), Some("you"));
        let (open, _) = access(&ids);
        let line = open.why_not(&stranger, false, false);
        assert!(!line.contains("you") && line.contains("WEBHOOK_SECRET"), "{line}");
        let (locked, _) = access(&[("WEBHOOK_SECRET", "abcdefgh-_234567"), ids[0], ids[1]]);
        let line = locked.why_not(&stranger, false, false);
        assert!(line.contains(r#""you""#) && line.contains(r#""a\nb""#), "{line}");
        let line = locked.why_not(&turn(Some("skill"), None), true, false);
        assert!(line.contains("not logged in") && !line.contains("skill"), "{line}");
    }
}
