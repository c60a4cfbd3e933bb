//! The keys of one agent.

use crate::secret::Secret;

/// Keys of the agent: the new one, and the old one while the agent changes over.
pub const MAX_KEYS: usize = 2;

/// The keys that let the agent in, and where they came from.
#[derive(Debug, Clone)]
pub enum AgentKeys {
    /// Given by the user: one, or the new and the old while the agent changes over.
    Configured(Vec<Secret>),
    /// Made for this run, since none was given; printed once, so that the first run works.
    Generated(Secret),
}

impl AgentKeys {
    /// Returns all of them; never none.
    pub fn all(&self) -> &[Secret] {
        match self {
            Self::Configured(keys) => keys,
            Self::Generated(key) => std::slice::from_ref(key),
        }
    }

    /// Returns which of the keys `shown` is, counted from 1. Every key is compared, in constant time.
    pub fn position(&self, shown: &[u8]) -> Option<usize> {
        self.all().iter().zip(1..).fold(
            None,
            |found, (key, position)| {
                if key.matches(shown) { Some(position) } else { found }
            },
        )
    }
}
