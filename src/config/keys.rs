//! The keys of one agent.

use crate::secret::Secret;

/// Most keys of an agent: the new one, and the old one during a change.
pub const MAX_KEYS: usize = 2;

/// The keys of an agent, and where they came from.
#[derive(Debug, Clone)]
pub enum AgentKeys {
    /// Configured: one, or the new and the old one during a change.
    Configured(Vec<Secret>),
    /// Generated for this run, since none is configured. Printed once, so that the first run works.
    Generated(Secret),
}

impl AgentKeys {
    /// Returns all keys, at least one.
    pub fn all(&self) -> &[Secret] {
        match self {
            Self::Configured(keys) => keys,
            Self::Generated(key) => std::slice::from_ref(key),
        }
    }

    /// Returns the position of a presented key, from 1. Compares every key, in constant time.
    pub fn position(&self, shown: &[u8]) -> Option<usize> {
        self.all().iter().zip(1..).fold(
            None,
            |found, (key, position)| {
                if key.matches(shown) { Some(position) } else { found }
            },
        )
    }
}
