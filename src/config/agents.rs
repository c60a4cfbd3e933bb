//! The PCs, that of `API_KEY` and those of `AGENTS`, with their names and keys.

use crate::config::error::ConfigError;
use crate::config::keys::{AgentKeys, MAX_KEYS};
use crate::config::names::Name;
pub use crate::config::names::{AgentId, Names};
use crate::secret::{SHORT_SECRET, Secret};

/// Most PCs, the one of `API_KEY` included.
pub const MAX_AGENTS: usize = 16;

const CURE: &str = "write name=key, the name one word of Russian letters as it is spoken, the key an output of \
                    `openssl rand -hex 32`; entries stand in lines of their own, or have a semicolon between them; \
                    further forms of a name stand behind it, as узел|узла|узле=key";

/// A PC of `AGENTS`.
#[derive(Debug, Clone)]
pub struct ExtraAgent {
    name: Name,
    /// The keys that its agent may present.
    pub keys: AgentKeys,
}

impl ExtraAgent {
    /// Returns its name, in the nominative and in lower case.
    pub fn name(&self) -> &str {
        self.name.word()
    }
}

/// The PCs besides the one of `API_KEY`, and that one's name.
#[derive(Debug, Clone)]
pub struct Agents {
    default_name: Name,
    extra: Vec<ExtraAgent>,
}

impl Agents {
    /// Parses `AGENT_NAME`, and `AGENTS` with the variable that it came from. `others` are all other secrets.
    ///
    /// # Errors
    /// The first invalid entry. The message does not quote it, since what looks like a name may be a key.
    pub fn read(
        default_name: Option<String>,
        agents: Option<(&'static str, String)>,
        others: &[&Secret],
    ) -> Result<Self, ConfigError> {
        let default_name = match default_name {
            None => Name::default(),
            Some(value) => Name::read(&value).map_err(|problem| {
                let cure = "name it by one word of Russian letters as it is spoken, or remove the line";
                ConfigError::new("AGENT_NAME", problem, cure)
            })?,
        };
        let mut read = Self { default_name, extra: Vec::new() };
        let Some((variable, value)) = agents else { return Ok(read) };
        let entries = value.split(['\n', ';']).map(str::trim).filter(|entry| !entry.is_empty());
        for (number, entry) in (1..).zip(entries) {
            let wrong = |problem: String| {
                ConfigError::new(variable, format!("has an entry {number} that {problem}"), CURE)
            };
            let entry = read.entry(entry, others).map_err(wrong)?;
            read.extra.push(entry);
            if read.extra.len() >= MAX_AGENTS {
                let problem = format!("names more than {} PCs", MAX_AGENTS - 1);
                return Err(ConfigError::new(variable, problem, "keep those in use"));
            }
        }
        if read.extra.is_empty() {
            return Err(ConfigError::new(variable, "holds no entry", CURE));
        }
        Ok(read)
    }

    /// Parses one entry, or tells what is wrong with it.
    fn entry(&self, entry: &str, others: &[&Secret]) -> Result<ExtraAgent, String> {
        let (name_part, keys) = entry.split_once('=').ok_or("has no `=`")?;
        let name = Name::read(name_part)?;
        let known = self.extra.iter().map(|extra| &extra.name);
        for (place, known) in known.chain([&self.default_name]).enumerate() {
            if known.clashes_with(&name) {
                return Err(match self.extra.get(place) {
                    Some(_) => format!("is called, in one case or another, like entry {}", place + 1),
                    None => {
                        "is called, in one case or another, like the PC of API_KEY (AGENT_NAME)".into()
                    }
                });
            }
        }
        let keys: Vec<_> = keys.trim_start().split(',').collect();
        if keys.len() > MAX_KEYS {
            return Err(format!("has more than {MAX_KEYS} keys"));
        }
        let mut secrets: Vec<Secret> = Vec::new();
        for key in keys {
            let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            if key.len() < SHORT_SECRET || !key.bytes().all(is_plain) {
                return Err(format!(
                    "has a key that is not {SHORT_SECRET} or more of A-Z, a-z, 0-9, - and _"
                ));
            }
            let extra = self.extra.iter().flat_map(|extra| extra.keys.all());
            if extra.chain(others.iter().copied()).chain(&secrets).any(|s| s.matches(key.as_bytes())) {
                return Err("has a key that is in use already".into());
            }
            secrets.push(Secret::new(key.to_owned()));
        }
        Ok(ExtraAgent { name, keys: AgentKeys::Configured(secrets) })
    }

    /// Returns the PCs besides the one of `API_KEY`.
    pub fn extra(&self) -> &[ExtraAgent] {
        &self.extra
    }

    /// Returns the names of all PCs.
    pub fn names(&self) -> Names {
        let extra = self.extra.iter().map(|extra| &extra.name);
        Names::new([&self.default_name].into_iter().chain(extra).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef";
    const OTHER: &str = "fedcba9876543210";

    fn agents(value: &str) -> Result<Agents, String> {
        let api_key = Secret::new("the-key-of-the-first".into());
        let read = Agents::read(None, Some(("AGENTS", value.to_owned())), &[&api_key]);
        read.map_err(|error| error.to_string())
    }

    #[test]
    fn entries_stand_in_lines_or_between_semicolons_and_have_one_key_or_two() {
        for value in [
            format!("ноутбук={KEY};сервер={OTHER},{OTHER}2"),
            format!("\nНоутбук = {KEY}\r\n\n сервер={OTHER},{OTHER}2\n"),
        ] {
            let agents = agents(&value).unwrap();
            let names = agents.names();
            let all: Vec<_> = names.all().collect();
            let right = [(0, "компьютер"), (1, "ноутбук"), (2, "сервер")];
            assert_eq!(all, right.map(|(id, name)| (AgentId(id), name)));
            let keys: Vec<_> = agents.extra().iter().map(|f| f.keys.all().len()).collect();
            assert_eq!(keys, [1, 2]);
        }
    }

    #[test]
    fn an_entry_that_can_not_be_used_is_told_by_its_number_and_nothing_of_it() {
        for (value, number, problem) in [
            (format!("ноутбук={KEY};{OTHER}"), 2, "no `=`"),
            (format!("laptop={KEY}"), 1, "Russian letters"),
            (format!("мой ноутбук={KEY}"), 1, "Russian letters"),
            (format!("={KEY}"), 1, "no name"),
            (format!("готово={KEY}"), 1, "the relay's own"),
            (format!("{KEY}=ноутбук"), 1, "Russian letters"),
            (format!("ноутбук={KEY};ноутбук={OTHER}"), 2, "like entry 1"),
            (format!("ноут={KEY};ноута={OTHER}"), 2, "like entry 1"),
            (format!("Компьютер={KEY}"), 1, "AGENT_NAME"),
            ("ноутбук=short".into(), 1, "16 or more"),
            ("ноутбук=".into(), 1, "16 or more"),
            ("ноутбук=0123456789abcdef!".into(), 1, "16 or more"),
            (format!("ноутбук={KEY},{KEY}"), 1, "in use already"),
            (format!("ноутбук={KEY};сервер={OTHER},{KEY}"), 2, "in use already"),
            ("ноутбук=the-key-of-the-first".into(), 1, "in use already"),
            (format!("ноутбук={KEY},{OTHER},{OTHER}2"), 1, "more than 2 keys"),
        ] {
            let error = agents(&value).unwrap_err();
            assert!(error.starts_with("AGENTS has an entry"), "{error}");
            assert!(error.contains(&format!("entry {number} ")) && error.contains(problem), "{error}");
            for part in [KEY, OTHER, "ноутбук", "laptop", "the-key"] {
                assert!(!error.contains(part), "{error}");
            }
        }
        for value in ["", "\n;\n"] {
            assert!(agents(value).unwrap_err().contains("no entry"));
        }
    }

    #[test]
    fn there_are_at_most_sixteen_pcs() {
        let letters: Vec<char> = ('а'..='п').collect();
        let of = |count: usize| {
            let entry = |n: usize| format!("пк{}{}у=key-number-{n:08}", letters[n], letters[n]);
            (0..count).map(entry).collect::<Vec<_>>().join(";")
        };
        assert_eq!(agents(&of(MAX_AGENTS - 1)).unwrap().names().all().count(), MAX_AGENTS);
        assert!(agents(&of(MAX_AGENTS)).unwrap_err().contains("more than 15"));
    }

    #[test]
    fn the_first_pc_has_a_name_of_its_own_choice() {
        let named = |value: &str| Agents::read(Some(value.to_owned()), None, &[]);
        assert_eq!(named("Десктоп").unwrap().names().of(AgentId::DEFAULT), "десктоп");
        for value in ["", "desktop", "мой компьютер", "а"] {
            assert!(named(value).unwrap_err().to_string().starts_with("AGENT_NAME"), "{value}");
        }
        assert_eq!(Names::default().among_several(AgentId::DEFAULT), None);
    }
}
