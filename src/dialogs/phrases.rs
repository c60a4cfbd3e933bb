//! Every sentence Alice can say by herself, in one place: Russian, short, made to be heard.

use std::time::Duration;

use crate::speech::Speech;

/// A sentence about a PC: without its name if there is only one, and to follow the name otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Phrase {
    alone: &'static str,
    named: &'static str,
}

impl Phrase {
    /// Returns the sentence about a PC; `name` is `None` if there is only one.
    pub fn about(&self, name: Option<&str>) -> Speech {
        match name {
            None => self.alone.into(),
            Some(name) => Speech::new(self.named).by(name),
        }
    }
}

/// A new session with no command in it.
pub const GREETING: &str =
    "Я передаю команды на ваш компьютер. Скажите, например: системная информация.";

/// Asked for help.
pub const HELP: &str = "Скажите команду, и я передам её на компьютер, а потом прочитаю ответ. \
    Например: системная информация. Если ответа пришлось ждать, спросите: готово? \
    Чтобы выйти, скажите: хватит.";

/// A turn that carries no command.
pub const NO_COMMAND: &str = "Я не услышала команды. Скажите, что сделать на компьютере.";

/// The platform's availability probe.
pub const PONG: &str = "pong";

/// A stranger spoke.
pub const STRANGER: &str = "Этот навык выполняет команды только своего владельца.";

/// No agent is connected.
pub const NO_AGENT: Phrase = Phrase {
    alone: "Компьютер не на связи. Проверьте, включён ли он.",
    named: "не на связи.",
};

/// No agent is connected, and somebody tried a wrong key: that PC, or a stranger.
pub const NO_AGENT_WRONG_KEY: Phrase = Phrase {
    alone: "Компьютер не на связи. К серверу кто-то стучится без верного ключа: если это ваш компьютер, \
            проверьте ключ в его настройках.",
    named: "не на связи. К серверу кто-то стучится без верного ключа: если это ваш компьютер, проверьте ключ \
            в его настройках.",
};

/// A PC is to be woken, but no connected agent can do it.
pub const NOBODY_WAKES: Phrase = Phrase {
    alone: "Разбудить некому. Нужен второй компьютер на связи, агент которого умеет будить.",
    named: "разбудить некому. Нужен другой компьютер на связи, агент которого умеет будить.",
};

/// Such an agent is connected, but the PC's address is unknown. Not used with only one PC.
const ADDRESS_UNKNOWN: &str =
    "разбудить некому, адрес сетевой карты пока неизвестен. Включите компьютер один раз вручную.";

/// The link broke while the command was in flight: it may have been carried out.
pub const LINK_LOST: Phrase = Phrase {
    alone: "Связь с компьютером прервалась. Возможно, команда выполнилась.",
    named: "связь прервалась. Возможно, команда выполнилась.",
};

/// The link broke before the command was sent.
pub const UNSENT: Phrase = Phrase {
    alone: "Связь с компьютером прервалась, команда не отправлена.",
    named: "связь прервалась, команда не отправлена.",
};

/// The computer gave no sign of life, so the command was not sent.
pub const UNSENT_SILENT: Phrase = Phrase {
    alone: "Компьютер не отвечает, команда не отправлена. Возможно, компьютер спит.",
    named: "не отвечает, команда не отправлена. Возможно, компьютер спит.",
};

/// As [`UNSENT_SILENT`], but another command may be running.
pub const UNSENT_BUSY: Phrase = Phrase {
    alone: "Компьютер не отвечает, команда не отправлена. Возможно, он занят или спит.",
    named: "не отвечает, команда не отправлена. Возможно, компьютер занят или спит.",
};

/// The deadline passed, and the answer will be kept.
pub const ASK_LATER: Phrase = Phrase {
    alone: "Компьютер ещё выполняет команду. Спросите: «готово?»",
    named: "команда ещё выполняется. Спросите: «готово?»",
};

/// The deadline passed, and the answer will not be kept, since the turn names no person.
pub const TOO_LATE: Phrase = Phrase {
    alone: "Компьютер не успел ответить. Возможно, команда ещё выполнится.",
    named: "ответ не пришёл вовремя. Возможно, команда ещё выполнится.",
};

/// The button under [`ASK_LATER`]; without a payload, pressing it says its title.
pub const NEWS_BUTTON: &str = "Готово?";

/// Asked for late answers, but none is kept or pending.
pub const NO_NEWS: &str = "Новых ответов нет.";

/// Follows kept answers when more are left.
pub const MORE_KEPT: &str = "Есть ещё ответы. Спросите: «что там?»";

/// Replaces the answer to a command that was pending for too long, or had to make room.
pub const GIVEN_UP: Phrase = Phrase {
    alone: "На одну из команд компьютер так и не ответил.",
    named: "на одну из команд ответ так и не пришёл.",
};

/// Replaces the answer to a command that was pending when the link broke.
pub const LOST_AT_WORK: Phrase = Phrase {
    alone: "Связь с компьютером прервалась, пока он выполнял команду.",
    named: "связь прервалась, пока выполнялась команда.",
};

/// Replaces late answers that had to make room for newer ones.
pub const ANSWERS_LOST: Phrase = Phrase {
    alone: "Часть ответов пропала: их накопилось слишком много.",
    named: "часть ответов пропала: их накопилось слишком много.",
};

/// Too many commands are in flight.
pub const BUSY: Phrase = Phrase {
    alone: "Компьютер занят другими командами. Повторите чуть позже.",
    named: "команда не отправлена, других команд слишком много. Повторите чуть позже.",
};

/// The relay is being stopped.
pub const STOPPING: &str = "Сервер перезапускается. Повторите через минуту.";

/// Says for how long a command has been pending on a PC; `name` is `None` if there is only one.
pub fn still_at_work(duration: Duration, name: Option<&str>) -> Speech {
    let time = time(duration);
    match name {
        None => Speech::new(&format!("Команда выполняется уже {time}.")),
        Some(name) => Speech::new(&format!("команда выполняется уже {time}.")).by(name),
    }
}

/// Says for how long a PC has been connected.
pub fn connected(duration: Duration, name: &str) -> Speech {
    Speech::new(&format!("на связи уже {}.", time(duration))).by(name)
}

/// Says that a PC's address is unknown.
pub fn address_unknown(name: &str) -> Speech {
    Speech::new(ADDRESS_UNKNOWN).by(name)
}

/// Lists the PCs' names, for the help where there are several.
pub fn names_of_pcs<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names = names.collect::<Vec<_>>().join(", ");
    format!("Компьютеры: {names}. Назовите нужный в начале или в конце команды.")
}

/// Puts a duration into words, in the accusative.
pub fn time(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (count, words) = match seconds {
        0..60 => (seconds, ["секунду", "секунды", "секунд"]),
        60..3600 => (seconds / 60, ["минуту", "минуты", "минут"]),
        3600..86_400 => (seconds / 3600, ["час", "часа", "часов"]),
        _ => (seconds / 86_400, ["день", "дня", "дней"]),
    };
    // Russian has three forms: 1 and 21, 2 and 34, 5 and 11.
    let form = match (count % 10, count % 100) {
        (_, 11..=14) => 2,
        (1, _) => 0,
        (2..=4, _) => 1,
        _ => 2,
    };
    format!("{count} {}", words[form])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_several_pcs_is_named_first_and_nothing_is_declined() {
        assert_eq!(NO_AGENT.about(Some("ноутбук")).text(), "Ноутбук: не на связи.");
        assert_eq!(
            LINK_LOST.about(Some("спальня")).text(),
            "Спальня: связь прервалась. Возможно, команда выполнилась."
        );
        let hours = Duration::from_secs(3 * 3600);
        assert_eq!(connected(hours, "сервер").text(), "Сервер: на связи уже 3 часа.");
        assert_eq!(NO_AGENT.about(None).text(), "Компьютер не на связи. Проверьте, включён ли он.");
    }

    #[test]
    fn durations_are_told_in_russian() {
        let told = |seconds| still_at_work(Duration::from_secs(seconds), None).text().to_owned();
        for (seconds, words) in [
            (1, "1 секунду"),
            (3, "3 секунды"),
            (5, "5 секунд"),
            (11, "11 секунд"),
            (21, "21 секунду"),
            (59, "59 секунд"),
            (60, "1 минуту"),
            (150, "2 минуты"),
            (599, "9 минут"),
            (3600, "1 час"),
            (7_300, "2 часа"),
            (86_399, "23 часа"),
            (11 * 86_400, "11 дней"),
        ] {
            assert_eq!(told(seconds), format!("Команда выполняется уже {words}."));
        }
    }
}
