//! Which PC a command is for: it may be named at the beginning or the end. Plain data.

use crate::config::names::{AgentId, Names};
use crate::declension;

/// Knows the PCs by what they are called, in any case.
pub struct Addresses {
    /// Every form of every name; none when there is one PC alone, so that no word is looked at.
    forms: Vec<(String, AgentId)>,
}

impl Addresses {
    /// Knows those of `names`.
    pub fn new(names: &Names) -> Self {
        Self { forms: names.forms() }
    }

    /// Returns the PC that a normalised command names, and the rest of the command: «ноутбук громче», «на ноутбуке
    /// громче», «громче на ноутбуке». Anywhere else a word is the command's own, and so is a name behind the one at
    /// the beginning.
    pub fn split<'a>(&self, command: &'a str) -> Option<(AgentId, &'a str)> {
        if self.forms.is_empty() {
            return None;
        }
        let named = command.strip_prefix("на ").unwrap_or(command);
        let (first, rest) = named.split_once(' ').unwrap_or((named, ""));
        if let Some(agent) = self.agent(first) {
            return Some((agent, rest));
        }
        let (rest, last) = command.rsplit_once(' ')?;
        Some((self.agent(last)?, rest.strip_suffix(" на")?))
    }

    fn agent(&self, word: &str) -> Option<AgentId> {
        let word = declension::plain(word);
        self.forms.iter().find(|(form, _)| *form == word).map(|(_, agent)| *agent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::agents::Agents;

    fn addresses() -> Addresses {
        let value = "ноутбук=0123456789abcdef;сервер=fedcba9876543210;спальня=0011223344556677";
        let agents = Agents::read(None, Some(("AGENTS", value.into())), &[]).unwrap();
        Addresses::new(&agents.names())
    }

    #[test]
    fn a_pc_is_named_at_the_beginning_or_behind_na_at_the_end() {
        let addresses = addresses();
        for (command, agent, rest) in [
            ("ноутбук громче", 1, "громче"),
            ("на ноутбуке громче", 1, "громче"),
            ("на ноутбук загрузи фото", 1, "загрузи фото"),
            ("громче на ноутбуке", 1, "громче"),
            ("ноутбуку скажи привет", 1, "скажи привет"),
            ("спальня выключи звук", 3, "выключи звук"),
            ("компьютер громче на 10", 0, "громче на 10"),
            ("громче на 10 на сервере", 2, "громче на 10"),
            ("ноутбук", 1, ""),
            ("на сервере", 2, ""),
            ("ноутбук перенеси файл на сервер", 1, "перенеси файл на сервер"),
        ] {
            assert_eq!(addresses.split(command), Some((AgentId(agent), rest)), "{command}");
        }
    }

    #[test]
    fn a_command_that_only_looks_so_stays_whole() {
        let addresses = addresses();
        for command in [
            "",
            "на",
            "громче",
            "громче на",
            "открой папку ноутбуки",
            "выключи ноутбук",
            "выключи компьютер",
            "перезапусти сервер сейчас",
            "на столе ноутбук",
            "ноутбуки покажи",
            "громче на 10",
            "найди на серверах ошибку",
            "открой сайт наноутбук",
        ] {
            assert_eq!(addresses.split(command), None, "{command}");
        }
    }

    #[test]
    fn with_one_pc_no_word_is_looked_at() {
        let one = Addresses::new(&Names::default());
        for command in ["компьютер громче", "громче на компьютере", "компьютер"]
        {
            assert_eq!(one.split(command), None, "{command}");
        }
    }
}
