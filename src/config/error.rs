//! An error in the environment, with its fix.

use std::fmt;

/// An invalid environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    variable: &'static str,
    problem: String,
    cure: String,
}

impl ConfigError {
    /// Creates an error. Neither part may hold the value of a secret.
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
