//! Encodes commands in the protocol that a link's agent asked for.

use std::time::Instant;

use crate::agents::message;
use crate::agents::pseudonym::Pseudonyms;
use crate::agents::v2::{self, Context, Times};
use crate::commands::person::Person;
use crate::runtime::log_limit::target::ODD_MESSAGES;
use crate::runtime::unix::Unix;
use crate::secret::Secret;

/// The protocol of a link's commands (docs/agents.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `{"id","text"}`, and nothing else.
    V1,
    /// Commands with their context, for agents that offer the subprotocol [`v2::SUBPROTOCOL`].
    V2,
}

/// Encodes commands, and names people towards agents.
pub struct CommandEncoder {
    unix: Unix,
    pseudonyms: Pseudonyms,
}

impl CommandEncoder {
    /// `webhook` is the secret that pseudonyms are derived from.
    pub fn new(webhook: Option<&Secret>) -> Self {
        Self { unix: Unix::new(), pseudonyms: Pseudonyms::new(webhook) }
    }

    /// Returns the message of [`Protocol::V2`] that tells the relay's time.
    pub fn time(&self) -> String {
        v2::time(self.unix.now())
    }

    /// Returns a person's pseudonym.
    pub fn pseudonym(&self, person: &Person) -> Option<String> {
        self.pseudonyms.of(person)
    }

    /// Returns the pseudonym of Smart Home, which does not say who speaks.
    pub fn pseudonym_of_smart_home(&self) -> Option<String> {
        self.pseudonyms.of_smart_home()
    }

    /// Encodes one command, which arrived `now` and is waited for until `deadline`.
    pub fn command(
        &self,
        protocol: Protocol,
        (id, text): (&str, &str),
        context: &Context<'_>,
        (now, deadline): (Instant, Instant),
    ) -> String {
        if protocol == Protocol::V1 {
            return message::command(id, text);
        }
        let unix = self.unix.now();
        let wait = deadline.saturating_duration_since(now).as_millis();
        let until = unix.saturating_add(u64::try_from(wait).unwrap_or(u64::MAX));
        let (json, left_out) = v2::command(id, text, context, Times { now: unix, until });
        if !left_out.is_empty() {
            let parts = left_out.join(", ");
            log::warn!(
                target: ODD_MESSAGES,
                "what came with a command is too long for the agent, and left out: {parts}"
            );
        }
        json
    }
}
