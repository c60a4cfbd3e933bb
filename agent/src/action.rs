//! What can be asked of a PC. Plain data; `system` carries it out.

use std::fmt;
use std::time::Duration;

use crate::phrases::time::When;
use crate::system::encoding::Encoding;

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
    /// Something that has a name: which one it is on this PC is looked up when its turn comes.
    Named(Deed, String),
    /// Start the program with this id of the system's.
    Start {
        id: String,
        name: String,
    },
    /// Close these windows, as their own button would.
    Close {
        name: String,
        windows: Vec<u32>,
    },
    /// Go to a window.
    Switch {
        name: String,
        window: u32,
    },
    Minimise {
        name: String,
        windows: Vec<u32>,
    },
    Desktop(Desktop),
    /// Type a text into the window that has the keyboard.
    Type(String),
    Press(Vec<Key>),
    /// The language of the keyboard; none is the next one.
    Layout(Option<Language>),
    /// The brightness of the screen.
    Brightness(Brightness),
    Report(Report),
    /// Ask whether the bin is to be emptied.
    AskToEmptyBin,
    EmptyBin,
    /// Do nothing, and say why.
    Refuse(&'static str),
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
    /// End the session: announced, and then at this time, or in a minute.
    LogOff(Option<When>),
    /// Announced, and then at this time, or in a minute.
    Off(Option<When>),
    Restart(Option<When>),
}

/// What is done with something that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Open,
    Close,
    Switch,
    Minimise,
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "открыть",
            Self::Close => "закрыть",
            Self::Switch => "перейти",
            Self::Minimise => "свернуть",
        })
    }
}

/// What is to be done with the screen and the windows on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Desktop {
    ScreenOff,
    ScreenOn,
    MinimiseAll,
    RestoreAll,
    /// The window that has the keyboard.
    MinimiseThis,
    MaximiseThis,
    FullscreenThis,
    CloseThis,
    Screenshot,
}

/// What is to be done about the brightness, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brightness {
    Set(u32),
    By(i32),
}

/// A language of the keyboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Russian,
    English,
}

/// A key, by its place on an English keyboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Ctrl,
    Alt,
    Shift,
    Super,
    Enter,
    Escape,
    Tab,
    Space,
    Backspace,
    Delete,
    Home,
    End,
    PageUp,
    PageDown,
    Left,
    Right,
    Up,
    Down,
    PrintScreen,
    /// F1 to F12.
    F(u8),
    /// A digit or a small Latin letter.
    Char(char),
}

/// A folder that every user has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folder {
    Home,
    Desktop,
    Downloads,
    Documents,
    Music,
    Pictures,
    Videos,
    Bin,
}

impl Folder {
    /// Returns what people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Home => "Домашняя папка",
            Self::Desktop => "Рабочий стол",
            Self::Downloads => "Загрузки",
            Self::Documents => "Документы",
            Self::Music => "Музыка",
            Self::Pictures => "Картинки",
            Self::Videos => "Видео",
            Self::Bin => "Корзина",
        }
    }
}

/// What is told of the PC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    Battery,
    System,
    Programs,
    Clipboard,
    Track,
    /// What the agent can do.
    Skills,
}

impl Action {
    /// Returns what is said once it is done, as far as that is known before.
    pub fn answer(&self) -> &str {
        match self {
            Self::Open { answer, .. } => answer.as_deref().unwrap_or("Открываю."),
            Self::Run { speaks: Speaks::Text(text), .. } => text,
            Self::Run { speaks: Speaks::Output(_), .. } => "(первая строка, которую напечатает программа)",
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
            Self::Named(..) => "(что найдётся под этим именем)",
            Self::Start { .. } | Self::Switch { .. } => "Открываю.",
            Self::Close { .. } => "Закрываю.",
            Self::Minimise { .. } | Self::Desktop(Desktop::MinimiseAll | Desktop::MinimiseThis) => "Сворачиваю.",
            Self::Desktop(Desktop::RestoreAll | Desktop::MaximiseThis | Desktop::FullscreenThis) => "Разворачиваю.",
            Self::Desktop(Desktop::CloseThis) => "Закрываю.",
            Self::Desktop(Desktop::ScreenOff) => "Гашу экран.",
            Self::Desktop(Desktop::ScreenOn) => "Экран включён.",
            Self::Desktop(Desktop::Screenshot) => "Снимок экрана сохранён.",
            Self::Type(_) => "Напечатано.",
            Self::Press(_) => "Нажато.",
            Self::Layout(_) => "(какой стала раскладка)",
            Self::Brightness(_) => "(яркость, какой она стала)",
            Self::Report(Report::Skills) => SKILLS,
            Self::Report(_) => "(как оно есть)",
            Self::AskToEmptyBin => "(сколько в корзине, и удалить ли)",
            Self::EmptyBin => "Корзина пуста.",
            Self::Refuse(why) => why,
            Self::Awake => "Компьютер уже включён.",
            Self::Check => "Связь есть.",
            Self::Cancel => "Останавливаю.",
        }
    }
}

/// What the agent can do, as it says it.
const SKILLS: &str = "Умею: громче и тише, пауза и следующий трек, открыть и закрыть программу, папку или сайт, \
                      переключиться на окно, найти в интернете, напечатать текст, нажать клавиши, сделать скриншот, \
                      погасить монитор, усыпить, заблокировать и выключить компьютер. И ваши команды из настроек.";

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
            Self::Sound(Sound::By(0)) => f.write_str("громкость?"),
            Self::Sound(Sound::By(by)) => write!(f, "громкость {by:+}"),
            Self::Sound(Sound::Mute(mute)) => write!(f, "звук {}", if *mute { "выкл" } else { "вкл" }),
            Self::Player(Player::Pause) => f.write_str("пауза"),
            Self::Player(Player::Play) => f.write_str("играть"),
            Self::Player(Player::Next) => f.write_str("следующий"),
            Self::Player(Player::Previous) => f.write_str("предыдущий"),
            Self::Power(Power::Sleep) => f.write_str("сон"),
            Self::Power(Power::Hibernate) => f.write_str("гибернация"),
            Self::Power(Power::Lock) => f.write_str("блокировка"),
            Self::Power(Power::LogOff(when)) => write!(f, "выход{}", When::or_soon(*when)),
            Self::Power(Power::Off(when)) => write!(f, "выключение{}", When::or_soon(*when)),
            Self::Power(Power::Restart(when)) => write!(f, "перезагрузка{}", When::or_soon(*when)),
            Self::Named(deed, name) => write!(f, "{deed} «{name}»"),
            Self::Start { name, .. } => write!(f, "запустить «{name}»"),
            Self::Close { name, .. } => write!(f, "{} «{name}»", Deed::Close),
            Self::Switch { name, .. } => write!(f, "{} «{name}»", Deed::Switch),
            Self::Minimise { name, .. } => write!(f, "{} «{name}»", Deed::Minimise),
            Self::Desktop(asked) => f.write_str(match asked {
                Desktop::ScreenOff => "экран выкл",
                Desktop::ScreenOn => "экран вкл",
                Desktop::MinimiseAll => "свернуть всё",
                Desktop::RestoreAll => "развернуть всё",
                Desktop::MinimiseThis => "свернуть окно",
                Desktop::MaximiseThis => "развернуть окно",
                Desktop::FullscreenThis => "окно на весь экран",
                Desktop::CloseThis => "закрыть окно",
                Desktop::Screenshot => "скриншот",
            }),
            Self::Type(text) => write!(f, "напечатать «{text}»"),
            Self::Press(keys) => write!(f, "нажать {keys:?}"),
            Self::Layout(None) => f.write_str("раскладка другая"),
            Self::Layout(Some(Language::Russian)) => f.write_str("раскладка русская"),
            Self::Layout(Some(Language::English)) => f.write_str("раскладка английская"),
            Self::Brightness(Brightness::Set(to)) => write!(f, "яркость ={to}"),
            Self::Brightness(Brightness::By(by)) => write!(f, "яркость {by:+}"),
            Self::Report(asked) => f.write_str(match asked {
                Report::Battery => "заряд",
                Report::System => "система",
                Report::Programs => "что запущено",
                Report::Clipboard => "буфер",
                Report::Track => "трек?",
                Report::Skills => "умения",
            }),
            Self::AskToEmptyBin | Self::EmptyBin => f.write_str("очистить корзину"),
            Self::Refuse(_) => f.write_str("отказ"),
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
    /// The first line that it printed, in this encoding, where that isn't the usual one.
    Output(Option<Encoding>),
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
