//! What is wrong with the environment, and the cure.

use std::fmt;

/// A value of the environment that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    variable: &'static str,
    problem: String,
    cure: String,
}

impl ConfigError {
    /// `variable` has this `problem`, and this is the `cure`. Never the value of a secret.
    pub fn new(variable: &'static str, problem: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { variable, problem: problem.into(), cure: cure.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.variable, self.problem, self.cure)
    }
}

impl std::error::Error for ConfigError {}
