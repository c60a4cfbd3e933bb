//! Every sentence Alice can say by herself, in one place: Russian, short, made to be heard.

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
pub const NO_AGENT: &str = "Компьютер не на связи. Проверьте, включён ли он.";

/// The link broke while the command was under way: nobody knows whether it was carried out.
pub const LINK_LOST: &str = "Связь с компьютером прервалась. Возможно, команда выполнилась.";

/// The link broke before the command was sent.
pub const UNSENT: &str = "Связь с компьютером прервалась, команда не отправлена.";

/// Nothing came from the computer, so the command was not sent.
pub const UNSENT_SILENT: &str =
    "Компьютер не отвечает, команда не отправлена. Возможно, компьютер спит.";

/// The same, but another command may be at work.
pub const UNSENT_BUSY: &str =
    "Компьютер не отвечает, команда не отправлена. Возможно, он занят или спит.";

/// The deadline passed, but the computer is still at work.
pub const AT_WORK: &str = "Компьютер ещё выполняет команду. Спросите: «готово?»";

/// The deadline passed, and the turn doesn't say whom the answer could be kept for.
pub const TOO_LATE: &str = "Компьютер не успел ответить. Возможно, команда ещё выполнится.";

/// The button under [`AT_WORK`]; without a payload, it says its own title.
pub const NEWS_BUTTON: &str = "Готово?";

/// Asked for late answers, and there is none and nothing at work.
pub const NO_NEWS: &str = "Новых ответов нет.";

/// Behind kept answers: not all of them fitted.
pub const MORE_KEPT: &str = "Есть ещё ответы. Спросите: «что там?»";

/// Told in place of the answer to a command that was at work for too long, or had to make room.
pub const GIVEN_UP: &str = "На одну из команд компьютер так и не ответил.";

/// Told in place of the answer to a command that was at work when the link broke.
pub const LOST_AT_WORK: &str = "Связь с компьютером прервалась, пока он выполнял команду.";

/// Told in place of late answers that had to make room for newer ones.
pub const ANSWERS_LOST: &str = "Часть ответов пропала: их накопилось слишком много.";

/// Too many commands are under way.
pub const BUSY: &str = "Компьютер занят другими командами. Повторите чуть позже.";

/// The relay is being stopped.
pub const STOPPING: &str = "Сервер перезапускается. Повторите через минуту.";

/// Returns the sentence that says for how long a command has been at work.
pub fn still_at_work(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs();
    let (count, words) = match seconds {
        0..60 => (seconds, ["секунду", "секунды", "секунд"]),
        _ => (seconds / 60, ["минуту", "минуты", "минут"]),
    };
    // Russian has three forms: 1 and 21, 2 and 34, 5 and 11.
    let form = match (count % 10, count % 100) {
        (_, 11..=14) => 2,
        (1, _) => 0,
        (2..=4, _) => 1,
        _ => 2,
    };
    format!("Команда выполняется уже {count} {}.", words[form])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_russian() {
        let told = |seconds| still_at_work(std::time::Duration::from_secs(seconds));
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
        ] {
            assert_eq!(told(seconds), format!("Команда выполняется уже {words}."));
        }
    }
}
