//! What can be asked of a PC. Plain data; `system` carries it out.

use std::fmt;
use std::time::Duration;

use crate::phrases::time::When;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Open a site, a file or a folder as its owner would, and say this.
    Open {
        what: String,
        answer: Option<String>,
    },
    /// Run a program, with these arguments and never by a shell.
    Run {
        arguments: Vec<String>,
        speaks: Speaks,
        timeout: Duration,
    },
    Wake {
        cards: Vec<Mac>,
        answer: Option<String>,
    },
    Sound(Sound),
    Player(Player),
    Power(Power),
    /// Say that the PC is on.
    Awake,
    Check,
    /// End the own command that runs. It waits for nothing.
    Cancel,
}

/// What is to be done about the sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sound {
    Set(u32),
    /// Change it, in percent of the whole.
    By(i32),
    Mute(bool),
}

/// What the players are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Player {
    Pause,
    Play,
    Next,
    Previous,
}

/// What is to be done about the power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    Sleep,
    Hibernate,
    Lock,
    /// Announced, and then at this time, or in a minute.
    Off(Option<When>),
    Restart(Option<When>),
}

impl Action {
    /// Returns what is said once it is done, as far as that is known before.
    pub fn answer(&self) -> &str {
        match self {
            Self::Open { answer, .. } => answer.as_deref().unwrap_or("Открываю."),
            Self::Run { speaks: Speaks::Text(text), .. } => text,
            Self::Run { speaks: Speaks::Output, .. } => "(первая строка, которую напечатает программа)",
            Self::Run { speaks: Speaks::Done, .. } => "Готово.",
            Self::Wake { answer, .. } => answer.as_deref().unwrap_or("Отправляю сигнал на включение."),
            Self::Sound(Sound::Mute(true)) => "Звук выключен.",
            Self::Sound(Sound::Mute(false)) => "Звук включён.",
            Self::Sound(_) => "(громкость, какой она стала)",
            Self::Player(Player::Pause) => "Пауза.",
            Self::Player(Player::Play) => "Играет.",
            Self::Player(_) => "(что заиграло)",
            Self::Power(Power::Sleep) => "Усыпляю компьютер.",
            Self::Power(Power::Hibernate) => "Отправляю компьютер в гибернацию.",
            Self::Power(Power::Lock) => "Блокирую.",
            Self::Power(_) => "(когда это будет, и что «отмена» это остановит)",
            Self::Awake => "Компьютер уже включён.",
            Self::Check => "Связь есть.",
            Self::Cancel => "Останавливаю.",
        }
    }
}

/// What it does, in a few words.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { what, .. } => write!(f, "открыть {what}"),
            Self::Run { arguments, timeout, .. } => {
                write!(f, "запустить «{}», не дольше {} с", arguments.join("» «"), timeout.as_secs())
            }
            Self::Wake { cards, .. } => {
                f.write_str("разбудить")?;
                cards.iter().try_for_each(|card| write!(f, " {card}"))
            }
            Self::Sound(Sound::Set(to)) => write!(f, "громкость ={to}"),
            Self::Sound(Sound::By(by)) => write!(f, "громкость {by:+}"),
            Self::Sound(Sound::Mute(mute)) => write!(f, "звук {}", if *mute { "выкл" } else { "вкл" }),
            Self::Player(Player::Pause) => f.write_str("пауза"),
            Self::Player(Player::Play) => f.write_str("играть"),
            Self::Player(Player::Next) => f.write_str("следующий"),
            Self::Player(Player::Previous) => f.write_str("предыдущий"),
            Self::Power(Power::Sleep) => f.write_str("сон"),
            Self::Power(Power::Hibernate) => f.write_str("гибернация"),
            Self::Power(Power::Lock) => f.write_str("блокировка"),
            Self::Power(Power::Off(when)) => write!(f, "выключение{}", When::or_soon(*when)),
            Self::Power(Power::Restart(when)) => write!(f, "перезагрузка{}", When::or_soon(*when)),
            Self::Awake => f.write_str("уже включён"),
            Self::Check => f.write_str("связь"),
            Self::Cancel => f.write_str("отмена"),
        }
    }
}

/// What is said once a program has ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Speaks {
    Done,
    /// The first line that it printed.
    Output,
    Text(String),
}

/// The address of a network card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Reads six pairs of hexadecimal digits with `:` or `-` between them; none when it is no such text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 6];
        let mut pairs = text.trim().split([':', '-']);
        for byte in &mut bytes {
            let pair = pairs.next().filter(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()))?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        pairs.next().is_none().then_some(Self(bytes))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_written_in_either_way() {
        let mac = Mac([0x01, 0x23, 0x45, 0xab, 0xcd, 0xef]);
        assert_eq!(Mac::parse("01:23:45:AB:cd:ef"), Some(mac));
        assert_eq!(Mac::parse(" 01-23-45-ab-cd-ef "), Some(mac));
        assert_eq!(mac.to_string(), "01:23:45:ab:cd:ef");
        for wrong in ["", "01:23:45:ab:cd", "01:23:45:ab:cd:ef:00", "0:23:45:ab:cd:ef", "+1:23:45:ab:cd:ef"] {
            assert_eq!(Mac::parse(wrong), None, "{wrong}");
        }
    }
}
