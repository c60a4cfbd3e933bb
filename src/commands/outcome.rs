//! How a turn can end. The reply tells it in a header field, for `ask` and for tests; Yandex passes over it.

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The agent answered.
    Answered,
    /// The relay answered by itself: a greeting, help, `pong`.
    OwnWords,
    /// It was not the owner's.
    Refused,
    /// No agent is connected.
    NoAgent,
    /// The link broke while the command was under way.
    LinkLost,
    /// The deadline passed.
    TooLate,
    /// Late answers were told.
    News,
    /// Late answers were asked for; there was only to tell that some are lost.
    Lost,
    /// Late answers were asked for; the agent is still at work.
    AtWork,
    /// Too many commands are under way.
    Busy,
    /// The relay is being stopped.
    Stopping,
}

impl Outcome {
    /// Returns its name in the header and in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::OwnWords => "own-words",
            Self::Refused => "refused",
            Self::NoAgent => "no-agent",
            Self::LinkLost => "link-lost",
            Self::TooLate => "too-late",
            Self::News => "news",
            Self::Lost => "lost",
            Self::AtWork => "at-work",
            Self::Busy => "busy",
            Self::Stopping => "stopping",
        }
    }
}
