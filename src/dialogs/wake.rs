//! Recognises the phrases that switch a PC on, such as «Включи ноутбук». Plain data.

use crate::config::names::{AgentId, DEFAULT_NAME, Names};

/// Verbs before a PC's name, as Yandex normalises them (docs/facts/alice.md).
const ON: [&str; 2] = ["включи", "разбуди"];

/// Verbs addressed to the PC itself, whose name stands before or behind them.
const ON_BY_ITSELF: [&str; 2] = ["включись", "проснись"];

/// The command for the agent that wakes a PC, where nobody has said a phrase.
pub const SWITCH_ON: &str = "включи компьютер";

/// Words for any PC: the named one, or the default one if none is named.
const ANY: [&str; 3] = [DEFAULT_NAME, "комп", "пк"];

/// Ignored wherever it stands.
const PLEASE: &str = "пожалуйста";

/// Returns the PC to switch on, if `command` asks for that and nothing else. `named` is the PC that was already split
/// off the phrase.
pub fn asked_for(names: &Names, named: Option<AgentId>, command: &str) -> Option<AgentId> {
    let mut words = command.split(' ').filter(|word| *word != PLEASE);
    let (first, second, None) = (words.next()?, words.next(), words.next()) else { return None };
    let is_said_to_it = ON_BY_ITSELF.contains(&first);
    match second {
        None => named.filter(|_| is_said_to_it),
        Some(word) if is_said_to_it || ON.contains(&first) => meant(names, named, word),
        Some(word) if ON_BY_ITSELF.contains(&word) => meant(names, named, first),
        Some(_) => None,
    }
}

/// Returns the PC that a word means; `None` if another one is `named`.
fn meant(names: &Names, named: Option<AgentId>, word: &str) -> Option<AgentId> {
    let any = ANY.contains(&word).then_some(AgentId::DEFAULT);
    match (named, names.find(word).or(any)) {
        (Some(named), Some(meant)) => (meant == named || any.is_some()).then_some(named),
        (_, meant) => meant,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::agents::Agents;

    fn household(default_name: Option<&str>) -> Names {
        let value = "ноутбук=0123456789abcdef;сервер=fedcba9876543210;спальня=0011223344556677";
        let agents = Some(("AGENTS", value.to_owned()));
        Agents::read(default_name.map(str::to_owned), agents, &[]).unwrap().names()
    }

    #[test]
    fn a_pc_is_switched_on_or_woken_by_its_name_in_any_form() {
        let names = household(None);
        for (command, agent) in [
            ("включи компьютер", 0),
            ("включи комп", 0),
            ("разбуди пк", 0),
            ("разбуди компьютер пожалуйста", 0),
            ("включи пожалуйста компьютер", 0),
            ("пожалуйста включи комп", 0),
            ("включи ноутбук", 1),
            ("разбуди сервер", 2),
            ("включи спальню", 3),
            ("проснись ноутбук", 1),
            ("пожалуйста сервер включись", 2),
        ] {
            assert_eq!(asked_for(&names, None, command), Some(AgentId(agent)), "{command}");
        }
    }

    #[test]
    fn behind_its_address_any_word_for_a_pc_is_the_one_that_is_addressed_but_no_others_name() {
        let names = household(None);
        for command in [
            "включись",
            "проснись",
            "проснись пожалуйста",
            "включи компьютер",
            "разбуди пк",
            "включи ноутбук",
        ] {
            let asked = asked_for(&names, Some(AgentId(1)), command);
            assert_eq!(asked, Some(AgentId(1)), "{command}");
        }
        for command in ["разбуди сервер", "включи спальню", "сервер включись"]
        {
            assert_eq!(asked_for(&names, Some(AgentId(1)), command), None, "{command}");
        }
    }

    #[test]
    fn the_first_pc_is_the_computer_whatever_it_is_called_unless_another_is() {
        let names = household(Some("десктоп"));
        for command in ["включи десктоп", "включи компьютер", "разбуди комп"]
        {
            assert_eq!(asked_for(&names, None, command), Some(AgentId::DEFAULT), "{command}");
        }
        let entries = Some(("AGENTS", "компьютер=0123456789abcdef".to_owned()));
        let names = Agents::read(Some("десктоп".into()), entries, &[]).unwrap().names();
        assert_eq!(asked_for(&names, None, "включи компьютер"), Some(AgentId(1)));
        assert_eq!(asked_for(&names, None, "включи комп"), Some(AgentId::DEFAULT));
    }

    #[test]
    fn a_pc_that_is_alone_is_known_by_its_name_too() {
        let alone = Agents::read(Some("ёлка".into()), None, &[]).unwrap().names();
        for command in ["включи компьютер", "включи ёлку", "елка проснись"]
        {
            assert_eq!(asked_for(&alone, None, command), Some(AgentId::DEFAULT), "{command}");
        }
        assert_eq!(asked_for(&alone, None, "включи ноутбук"), None);
    }

    #[test]
    fn what_only_sounds_like_it_is_none() {
        let names = household(None);
        for command in [
            "",
            "включи",
            "включись",
            "проснись",
            "пожалуйста",
            "компьютер",
            "включи пожалуйста",
            "включи звук",
            "включи компьютерную музыку",
            "включи музыку на компьютере",
            "включи ноутбук в розетку",
            "включи компьютер и ноутбук",
            "не включай компьютер",
            "не включи компьютер",
            "выключи компьютер",
            "включи компьютеры",
            "включи планшет",
            "компьютер включи",
            "включи включись",
            "разбуди меня",
        ] {
            assert_eq!(asked_for(&names, None, command), None, "{command}");
            let behind = asked_for(&names, Some(AgentId(1)), command);
            assert_eq!(behind.is_some(), ON_BY_ITSELF.contains(&command), "{command}");
        }
    }

    #[test]
    fn the_words_are_written_as_they_arrive() {
        for word in ON.iter().chain(&ON_BY_ITSELF).chain(&ANY).chain([&PLEASE]) {
            assert_eq!(crate::dialogs::words::normalised(word), **word);
        }
    }
}
