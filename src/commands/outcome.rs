//! How a turn can end. The reply names it in a header field for `ask` and for tests; Yandex ignores it.

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The agent answered.
    Answered,
    /// The relay answered by itself: a greeting, help, `pong`.
    OwnWords,
    /// The turn was not the owner's.
    Refused,
    /// No agent is connected.
    NoAgent,
    /// The link broke after the command was sent.
    LinkLost,
    /// The command was not sent: the agent gave no sign of life, or its link broke before.
    Unsent,
    /// The deadline passed.
    TooLate,
    /// Late answers were told.
    News,
    /// Only losses were told: late answers are gone, and none is kept.
    Lost,
    /// Late answers were asked for; a command is still pending.
    AtWork,
    /// Too many commands are in flight.
    Busy,
    /// The relay is being stopped.
    Stopping,
}

impl Outcome {
    /// The number of outcomes.
    pub const COUNT: usize = Self::Stopping as usize + 1;

    /// Returns its name in the header and in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::OwnWords => "own-words",
            Self::Refused => "refused",
            Self::NoAgent => "no-agent",
            Self::LinkLost => "link-lost",
            Self::Unsent => "unsent",
            Self::TooLate => "too-late",
            Self::News => "news",
            Self::Lost => "lost",
            Self::AtWork => "at-work",
            Self::Busy => "busy",
            Self::Stopping => "stopping",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Outcome::{
        Answered, AtWork, Busy, LinkLost, Lost, News, NoAgent, OwnWords, Refused, Stopping, TooLate,
        Unsent,
    };

    #[test]
    fn each_way_to_end_has_a_name_of_its_own_that_fits_into_a_header() {
        let all = [
            Answered, OwnWords, Refused, NoAgent, LinkLost, Unsent, TooLate, News, Lost, AtWork, Busy,
            Stopping,
        ];
        let names: BTreeSet<_> = all.iter().map(|outcome| outcome.name()).collect();
        assert_eq!(names.len(), all.len());
        assert!(all.iter().all(|outcome| (*outcome as usize) < super::Outcome::COUNT));
        let fits = |name: &&str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic());
        assert!(names.iter().all(fits), "{names:?}");
    }
}
