//! Every sentence Alice can say by herself, in one place: Russian, short, made to be heard.

use std::time::Duration;

use crate::speech::Speech;

/// A sentence about a PC: where there is one alone, and behind the name of one of several.
#[derive(Debug, Clone, Copy)]
pub struct Phrase {
    alone: &'static str,
    named: &'static str,
}

impl Phrase {
    /// Returns the sentence about the PC with this name; none where there is one alone.
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

/// Somebody else than the owner spoke.
pub const STRANGER: &str = "Этот навык выполняет команды только своего владельца.";

/// No agent is connected.
pub const NO_AGENT: Phrase = Phrase {
    alone: "Компьютер не на связи. Проверьте, включён ли он.",
    named: "не на связи.",
};

/// No agent is connected, and somebody knocks without a right key: it may be that PC, or a stranger.
pub const NO_AGENT_BUT_A_KNOCK: Phrase = Phrase {
    alone: "Компьютер не на связи. К серверу кто-то стучится без верного ключа: если это ваш компьютер, \
            проверьте ключ в его настройках.",
    named: "не на связи. К серверу кто-то стучится без верного ключа: если это ваш компьютер, проверьте ключ \
            в его настройках.",
};

/// A PC is to be switched on, and no agent is connected that can do it.
pub const NOBODY_WAKES: Phrase = Phrase {
    alone: "Разбудить некому. Нужен второй компьютер на связи, агент которого умеет будить.",
    named: "разбудить некому. Нужен другой компьютер на связи, агент которого умеет будить.",
};

/// Such an agent is connected, but where to send is not known. It never is where there is one PC alone.
const ADDRESS_UNKNOWN: &str =
    "разбудить некому, адрес сетевой карты пока неизвестен. Включите компьютер один раз вручную.";

/// The link broke while the command was under way: nobody knows whether it was carried out.
pub const LINK_LOST: Phrase = Phrase {
    alone: "Связь с компьютером прервалась. Возможно, команда выполнилась.",
    named: "связь прервалась. Возможно, команда выполнилась.",
};

/// The link broke before the command was sent.
pub const UNSENT: Phrase = Phrase {
    alone: "Связь с компьютером прервалась, команда не отправлена.",
    named: "связь прервалась, команда не отправлена.",
};

/// Nothing came from the computer, so the command was not sent.
pub const UNSENT_SILENT: Phrase = Phrase {
    alone: "Компьютер не отвечает, команда не отправлена. Возможно, компьютер спит.",
    named: "не отвечает, команда не отправлена. Возможно, компьютер спит.",
};

/// The same, but another command may be at work.
pub const UNSENT_BUSY: Phrase = Phrase {
    alone: "Компьютер не отвечает, команда не отправлена. Возможно, он занят или спит.",
    named: "не отвечает, команда не отправлена. Возможно, компьютер занят или спит.",
};

/// The deadline passed, but the computer is still at work.
pub const AT_WORK: Phrase = Phrase {
    alone: "Компьютер ещё выполняет команду. Спросите: «готово?»",
    named: "команда ещё выполняется. Спросите: «готово?»",
};

/// The deadline passed, and the answer will not be kept: none is, or the turn doesn't say for whom.
pub const TOO_LATE: Phrase = Phrase {
    alone: "Компьютер не успел ответить. Возможно, команда ещё выполнится.",
    named: "ответ не пришёл вовремя. Возможно, команда ещё выполнится.",
};

/// The button under [`AT_WORK`]; without a payload, it says its own title.
pub const NEWS_BUTTON: &str = "Готово?";

/// Asked for late answers, and there is none and nothing at work.
pub const NO_NEWS: &str = "Новых ответов нет.";

/// Behind kept answers: not all of them fitted.
pub const MORE_KEPT: &str = "Есть ещё ответы. Спросите: «что там?»";

/// Told in place of the answer to a command that was at work for too long, or had to make room.
pub const GIVEN_UP: Phrase = Phrase {
    alone: "На одну из команд компьютер так и не ответил.",
    named: "на одну из команд ответ так и не пришёл.",
};

/// Told in place of the answer to a command that was at work when the link broke.
pub const LOST_AT_WORK: Phrase = Phrase {
    alone: "Связь с компьютером прервалась, пока он выполнял команду.",
    named: "связь прервалась, пока выполнялась команда.",
};

/// Told in place of late answers that had to make room for newer ones.
pub const ANSWERS_LOST: Phrase = Phrase {
    alone: "Часть ответов пропала: их накопилось слишком много.",
    named: "часть ответов пропала: их накопилось слишком много.",
};

/// Too many commands are under way.
pub const BUSY: Phrase = Phrase {
    alone: "Компьютер занят другими командами. Повторите чуть позже.",
    named: "команда не отправлена, других команд слишком много. Повторите чуть позже.",
};

/// The relay is being stopped.
pub const STOPPING: &str = "Сервер перезапускается. Повторите через минуту.";

/// Returns the sentence that says for how long a command has been at work, on the PC with this name; none where
/// there is one alone.
pub fn still_at_work(duration: Duration, name: Option<&str>) -> Speech {
    let time = time(duration);
    match name {
        None => Speech::new(&format!("Команда выполняется уже {time}.")),
        Some(name) => Speech::new(&format!("команда выполняется уже {time}.")).by(name),
    }
}

/// Returns the sentence that says for how long the PC with this name has been connected.
pub fn connected(duration: Duration, name: &str) -> Speech {
    Speech::new(&format!("на связи уже {}.", time(duration))).by(name)
}

/// Returns the sentence that says of the PC with this name that nobody knows its address.
pub fn address_unknown(name: &str) -> Speech {
    Speech::new(ADDRESS_UNKNOWN).by(name)
}

/// Returns what help says besides, where there are several PCs: what they are called.
pub fn names_of_pcs<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names = names.collect::<Vec<_>>().join(", ");
    format!("Компьютеры: {names}. Назовите нужный в начале или в конце команды.")
}

/// Returns a time in words, in the accusative.
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
