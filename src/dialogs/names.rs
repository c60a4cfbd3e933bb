//! Finds the PC's name at the beginning or the end of a command. Plain data.

use crate::config::names::{AgentId, Names};

/// Returns the PC that a normalised command names, and the rest of the command: «ноутбук громче», «на ноутбуке громче»,
/// «громче на ноутбуке». A name elsewhere, or behind one at the beginning, belongs to the command. Returns `None` if
/// there is only one PC.
pub fn split<'a>(names: &Names, command: &'a str) -> Option<(AgentId, &'a str)> {
    names.among_several(AgentId::DEFAULT)?;
    let named = command.strip_prefix("на ").unwrap_or(command);
    let (first, rest) = named.split_once(' ').unwrap_or((named, ""));
    if let Some(agent) = names.find(first) {
        return Some((agent, rest));
    }
    let (rest, last) = command.rsplit_once(' ')?;
    Some((names.find(last)?, rest.strip_suffix(" на")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::agents::Agents;

    fn several() -> Names {
        let value = "ноутбук=0123456789abcdef;сервер=fedcba9876543210;спальня=0011223344556677";
        let agents = Agents::read(None, Some(("AGENTS", value.into())), &[]).unwrap();
        agents.names()
    }

    #[test]
    fn a_pc_is_named_at_the_beginning_or_behind_na_at_the_end() {
        let names = several();
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
            assert_eq!(split(&names, command), Some((AgentId(agent), rest)), "{command}");
        }
    }

    #[test]
    fn a_command_that_only_looks_so_stays_whole() {
        let names = several();
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
            assert_eq!(split(&names, command), None, "{command}");
        }
    }

    #[test]
    fn with_one_pc_no_word_is_looked_at() {
        let one = Names::default();
        for command in ["компьютер громче", "громче на компьютере", "компьютер"]
        {
            assert_eq!(split(&one, command), None, "{command}");
        }
    }
}
