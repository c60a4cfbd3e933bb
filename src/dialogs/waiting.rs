//! A turn that waits for the agent, and replies to Alice when its command ends.

use std::time::Instant;

use crate::commands::person::Person;
use crate::commands::{CommandRef, Commands, Completion, Responder, UnsentReason};
use crate::config::agents::{AgentId, Names};
use crate::dialogs::reply::{COMMAND_FIELD, reply};
use crate::dialogs::{news, phrases};
use crate::http::exchange::Exchange;
use crate::speech::{Button, Speech};

/// A turn that waits for its command.
pub struct WaitingTurn {
    /// The turn's request.
    pub exchange: Exchange,
    /// The protocol version, echoed in the reply.
    pub version: String,
    /// The PCs' names.
    pub names: Names,
    /// The PC that the command is for.
    pub agent: AgentId,
    /// Whether the session ends after this phrase (`AFTER_ONE_PHRASE`).
    pub is_one_phrase: bool,
}

impl Responder for WaitingTurn {
    /// Sends an answer on the agent's own thread. All other outcomes come on threads that others wait for, so a worker
    /// sends them. `ask` receives its own answer alone, with the command's id.
    fn complete(
        self: Box<Self>,
        ended: Completion,
        of: Option<CommandRef<'_>>,
        commands: &Commands,
        now: Instant,
    ) {
        let outcome = ended.outcome();
        let person = of.and_then(|of| of.person);
        let asked = of.filter(|_| person == Some(&Person::Ask));
        // An answer that will not be kept can't be asked about.
        let is_over = matches!(ended, Completion::TooLate { will_be_kept: false });
        let reply = |speech: Speech| {
            let speech =
                if self.is_one_phrase { end_session(speech, person, commands) } else { speech };
            let reply = reply(&speech, &self.version, outcome);
            match asked.filter(|_| !is_over) {
                Some(CommandRef { id, .. }) => reply.with(COMMAND_FIELD, id.to_owned()),
                None => reply,
            }
        };
        let name = self.names.among_several(self.agent);
        let words = match ended {
            Completion::Answered(own) => {
                let mut said = None;
                if let Some(person) = person.filter(|_| asked.is_none()) {
                    commands.offer(person, None, now, &mut |items| {
                        let (count, both) = news::tell_before(items, (self.agent, &own), &self.names);
                        said = Some(both);
                        count
                    });
                }
                let reply = reply(said.unwrap_or(own));
                return self.exchange.respond(reply);
            }
            Completion::LinkLost => phrases::LINK_LOST.about(name),
            Completion::Unsent(UnsentReason::LinkLost) => phrases::UNSENT.about(name),
            Completion::Unsent(UnsentReason::Silent) => phrases::UNSENT_SILENT.about(name),
            Completion::Unsent(UnsentReason::Busy) => phrases::UNSENT_BUSY.about(name),
            Completion::TooLate { will_be_kept: true } => ask_later(name),
            Completion::TooLate { will_be_kept: false } => phrases::TOO_LATE.about(name),
            Completion::Busy => phrases::BUSY.about(name),
        };
        let reply = reply(words);
        self.exchange.respond_by_worker(reply);
    }
}

/// Ends the session after its only phrase, so that the speaker listens for its owner again; unless the speech asks for
/// something, or more is kept for the person.
pub fn end_session(speech: Speech, person: Option<&Person>, commands: &Commands) -> Speech {
    let leaves = speech.asks_for_nothing() && !person.is_some_and(|person| commands.has_unread(person));
    if leaves { speech.with_end_session(true) } else { speech }
}

/// The reply at the deadline of a command whose answer will be kept.
fn ask_later(name: Option<&str>) -> Speech {
    let button = Button { title: phrases::NEWS_BUTTON.into(), hide: true, url: None, payload: None };
    phrases::ASK_LATER.about(name).with_buttons(vec![button])
}
