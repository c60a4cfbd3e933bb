//! The config: server, key and the owner's own commands. Every error names the line and the cure.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::action::{Action, Mac, Speaks};
use crate::address::Address;
use crate::phrases::own::{BadPattern, Own, Pattern, REST};
use crate::system::encoding::Encoding;

/// Bytes of the file.
pub const MAX_CONFIG: u64 = 256 * 1024;

/// Own commands.
pub const MAX_COMMANDS: usize = 500;

/// Phrases of one command, or arguments of its program, or cards that it wakes.
pub const MAX_LIST: usize = 64;

/// Characters of a text in the file.
pub const MAX_TEXT: usize = 4096;

const ENCODINGS: &str = "encoding — это utf-8, cp1251 или cp866, и бывает только рядом с answer = \"output\"";

/// How long an own command may run unless its `timeout` says otherwise.
const DEFAULT_TIMEOUT: u64 = 20;

/// The longest `timeout`, in seconds: the relay keeps a late answer for 10 minutes.
const MAX_TIMEOUT: u64 = 600;

/// The key that lets this PC in. It is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// Takes a key of visible ASCII characters, as a header field can hold it; none when it is no such text.
    pub fn new(text: &str) -> Option<Self> {
        let is_key = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        is_key.then(|| Self(text.to_owned()))
    }

    /// Returns it, for the relay and the config alone.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub server: Address,
    pub key: Key,
    pub commands: Vec<Own>,
}

/// Why the file can't be used.
#[derive(Debug)]
pub enum ConfigError {
    Missing,
    NoFile,
    Unreadable(io::Error),
    TooLong,
    /// It is empty: an editor has yet to write it.
    Empty,
    /// Something in it is wrong, in this line, with the cure.
    Wrong {
        line: usize,
        problem: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => {
                f.write_str("настроек ещё нет: получите на сервере строку командой invite и выполните её здесь")
            }
            Self::NoFile => f.write_str("на месте файла настроек agent.toml лежит не файл: уберите его"),
            Self::Unreadable(error) => {
                write!(f, "файл настроек не читается ({error}): проверьте права на него")
            }
            Self::TooLong => write!(f, "файл настроек больше {} КБ: уберите лишнее", MAX_CONFIG / 1024),
            Self::Empty => f.write_str("файл настроек пуст: выполните строку от команды invite ещё раз"),
            Self::Wrong { line, problem } => write!(f, "в настройках, строка {line}: {problem}"),
        }
    }
}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// It can't be read or used.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(&read(path)?)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// It is empty, or something in it is wrong.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        if text.trim().is_empty() {
            return Err(ConfigError::Empty);
        }
        let reading = Reading { text };
        let table = reading.table()?;
        reading.config(table.get_ref())
    }
}

/// Returns the text of the file at `path`, without a byte order mark.
///
/// # Errors
/// It can't be read, is too long, or is no UTF-8.
pub fn read(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => ConfigError::Missing,
        _ => ConfigError::Unreadable(error),
    };
    // A pipe would be waited for.
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err(ConfigError::NoFile);
    }
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_CONFIG + 1).read_to_end(&mut bytes).map_err(ConfigError::Unreadable)?;
    if bytes.len() as u64 > MAX_CONFIG {
        return Err(ConfigError::TooLong);
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        let problem = "буквы не в UTF-8. Сохраните файл в кодировке UTF-8".to_owned();
        ConfigError::Wrong { line, problem }
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

type Value<'a> = Spanned<DeValue<'a>>;

/// A file that is being read: knows in which line everything stands.
struct Reading<'a> {
    text: &'a str,
}

impl Reading<'_> {
    fn wrong(&self, start: usize, problem: impl Into<String>) -> ConfigError {
        ConfigError::Wrong { line: self.line(start), problem: problem.into() }
    }

    /// Returns the number of the line that this byte stands in.
    fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    fn table(&self) -> Result<Spanned<DeTable<'_>>, ConfigError> {
        DeTable::parse(self.text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let problem = format!(
                "это не TOML ({}). Проверьте кавычки и скобки в этой строке и в той, что над ней",
                error.message()
            );
            self.wrong(start, problem)
        })
    }

    fn config(&self, table: &DeTable<'_>) -> Result<Config, ConfigError> {
        self.known_keys(table, &["server", "key", "name", "command"])?;
        let Some(server) = table.get("server") else {
            return Err(self.wrong(0, "нет строки server = \"wss://your-domain.com/ws\""));
        };
        let server = Address::parse(self.string(server, "server")?)
            .map_err(|problem| self.wrong(server.span().start, format!("в server {problem}")))?;
        let Some(key) = table.get("key") else {
            return Err(self.wrong(0, "нет строки key = \"…\": её пишет команда join"));
        };
        let key = Key::new(self.string(key, "key")?)
            .ok_or_else(|| self.wrong(key.span().start, "в key могут стоять только латинские буквы, цифры и знаки"))?;
        let commands = match table.get("command") {
            None => Vec::new(),
            Some(listed) => self.commands(listed)?,
        };
        Ok(Config { server, key, commands })
    }

    fn commands(&self, listed: &Value<'_>) -> Result<Vec<Own>, ConfigError> {
        let start = listed.span().start;
        let array = listed.get_ref().as_array().filter(|array| array.iter().all(|v| v.get_ref().is_table()));
        let Some(array) = array else {
            return Err(self.wrong(start, "каждая команда начинается со строки [[command]]"));
        };
        if array.len() > MAX_COMMANDS {
            return Err(self.wrong(start, format!("команд больше {MAX_COMMANDS}: уберите лишние")));
        }
        let tables = array.iter().filter_map(|value| Some((value.span().start, value.get_ref().as_table()?)));
        tables.map(|(start, table)| self.command(start, table)).collect()
    }

    fn command(&self, start: usize, table: &DeTable<'_>) -> Result<Own, ConfigError> {
        self.known_keys(table, &["say", "open", "run", "wake", "answer", "timeout", "encoding"])?;
        let Some(say) = table.get("say") else {
            return Err(self.wrong(start, "у команды нет строки say = \"фраза\""));
        };
        let pattern = |(start, written): (usize, &str)| {
            Pattern::parse(written).map_err(|bad| {
                self.wrong(
                    start,
                    match bad {
                        BadPattern::Empty => "в say нет ни слова: напишите фразу так, как её говорят",
                        BadPattern::TwoRests => "в say звёздочка может быть одна",
                    },
                )
            })
        };
        let says: Vec<Pattern> = self.strings(say, "say")?.into_iter().map(pattern).collect::<Result<_, _>>()?;
        let takes_rest = says.iter().all(Pattern::has_rest);
        let answer = table.get("answer").map(|value| self.string(value, "answer")).transpose()?;
        let timeout = table.get("timeout").map(|value| (value.span().start, self.seconds(value)));
        if let (Some((start, _)), None) = (&timeout, table.get("run")) {
            return Err(self.wrong(*start, "timeout бывает только у команды с run"));
        }
        let timeout = timeout.map_or(Ok(DEFAULT_TIMEOUT), |(_, seconds)| seconds)?;
        let encoding = table.get("encoding").map(|value| {
            let encoding = Encoding::parse(self.string(value, "encoding")?).filter(|_| answer == Some("output"));
            encoding.ok_or_else(|| self.wrong(value.span().start, ENCODINGS))
        });
        let encoding = encoding.transpose()?;
        let needs_rest = |start, text: &str| match text.contains(REST) && !takes_rest {
            true => Err(self.wrong(start, "звёздочка здесь значит «остаток фразы»: она нужна и в каждой фразе say")),
            false => Ok(()),
        };
        let does = match (table.get("open"), table.get("run"), table.get("wake")) {
            (Some(open), None, None) => {
                let (at, what) = (open.span().start, self.string(open, "open")?);
                needs_rest(at, what)?;
                if what.contains(REST) && !is_behind_host(what) {
                    return Err(
                        self.wrong(at, "звёздочка может стоять только в адресе сайта, после имени: https://сайт/?q=*")
                    );
                }
                Action::Open { what: what.to_owned(), answer: self.no_output(table, answer)? }
            }
            (None, Some(run), None) => {
                let arguments = self.strings(run, "run")?;
                for (place, (at, argument)) in arguments.iter().enumerate() {
                    needs_rest(*at, argument)?;
                    if place == 0 && argument.contains(REST) {
                        return Err(self.wrong(*at, "имя программы не может зависеть от фразы"));
                    }
                }
                Action::Run {
                    arguments: arguments.into_iter().map(|(_, argument)| argument.to_owned()).collect(),
                    speaks: match answer {
                        None => Speaks::Done,
                        Some("output") => Speaks::Output(encoding),
                        Some(text) => Speaks::Text(text.to_owned()),
                    },
                    timeout: Duration::from_secs(timeout),
                }
            }
            (None, None, Some(wake)) => {
                let card = |(start, text)| {
                    let cure = "адрес карты — шесть пар цифр и букв, как \"01:23:45:67:89:ab\"";
                    Mac::parse(text).ok_or_else(|| self.wrong(start, cure))
                };
                let cards = self.strings(wake, "wake")?.into_iter().map(card).collect::<Result<_, _>>()?;
                Action::Wake { cards, answer: self.no_output(table, answer)? }
            }
            _ => {
                return Err(self.wrong(start, "у команды должна быть одна из строк open, run или wake"));
            }
        };
        Ok(Own { says, does })
    }

    /// Returns the answer of a command that has no output.
    fn no_output(&self, table: &DeTable<'_>, answer: Option<&str>) -> Result<Option<String>, ConfigError> {
        if answer == Some("output") {
            let start = table.get("answer").map_or(0, |value| value.span().start);
            return Err(self.wrong(start, "answer = \"output\" бывает только у команды с run"));
        }
        Ok(answer.map(ToOwned::to_owned))
    }

    fn known_keys(&self, table: &DeTable<'_>, known: &[&str]) -> Result<(), ConfigError> {
        match table.keys().find(|key| !known.contains(&&**key.get_ref())) {
            None => Ok(()),
            Some(key) => Err(self.wrong(
                key.span().start,
                format!("неизвестное слово «{}». Здесь могут быть: {}", key.get_ref(), known.join(", ")),
            )),
        }
    }

    fn string<'a>(&self, value: &'a Value<'_>, name: &str) -> Result<&'a str, ConfigError> {
        let start = value.span().start;
        let Some(text) = value.get_ref().as_str() else {
            return Err(self.wrong(start, format!("в {name} нужен текст в кавычках")));
        };
        if text.chars().nth(MAX_TEXT).is_some() {
            return Err(self.wrong(start, format!("текст в {name} длиннее {MAX_TEXT} знаков")));
        }
        // TOML 1.1 takes "C:\e" for an escape.
        if text.contains(char::is_control) {
            return Err(self.wrong(
                start,
                format!("в {name} управляющий знак. Путь Windows пишите в одинарных кавычках: 'C:\\папка'"),
            ));
        }
        if text.trim().is_empty() {
            return Err(self.wrong(start, format!("в {name} пустой текст")));
        }
        Ok(text)
    }

    /// Returns one text, or those of a list, each with where it stands.
    fn strings<'a>(&self, value: &'a Value<'_>, name: &str) -> Result<Vec<(usize, &'a str)>, ConfigError> {
        let start = value.span().start;
        let Some(array) = value.get_ref().as_array() else {
            return Ok(vec![(start, self.string(value, name)?)]);
        };
        if array.is_empty() || array.len() > MAX_LIST {
            return Err(self.wrong(start, format!("в списке {name} должно быть от 1 до {MAX_LIST} текстов")));
        }
        array.iter().map(|value| Ok((value.span().start, self.string(value, name)?))).collect()
    }

    fn seconds(&self, value: &Value<'_>) -> Result<u64, ConfigError> {
        let number = value.get_ref().as_integer().filter(|number| number.radix() == 10);
        let seconds = number.and_then(|number| number.as_str().parse().ok());
        seconds.filter(|seconds| (1..=MAX_TIMEOUT).contains(seconds)).ok_or_else(|| {
            self.wrong(value.span().start, format!("timeout — это секунды, целое число от 1 до {MAX_TIMEOUT}"))
        })
    }
}

/// Whether every [`REST`] of an address stands behind its host.
fn is_behind_host(address: &str) -> bool {
    let rest = ["https://", "http://"].iter().find_map(|scheme| address.strip_prefix(scheme));
    let host = rest.and_then(|rest| Some(&rest[..rest.find(['/', '?', '#'])?]));
    host.is_some_and(|host| !host.is_empty() && !host.contains(REST))
}

/// Returns the text of a config with this server, key and name, and all else as it stood in the one before.
///
/// # Errors
/// The one before is no TOML.
pub fn joined(before: Option<&str>, server: &Address, key: &Key, name: &str) -> Result<String, ConfigError> {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut text = format!("server = {}\nkey = {}\n", quoted(&server.to_string()), quoted(key.reveal()));
    if !name.is_empty() {
        text += &format!("name = {}\n", quoted(name));
    }
    let Some(before) = before else { return Ok(text + HINT) };
    let reading = Reading { text: before };
    let table = reading.table()?;
    let heads = ["server", "key", "name"].into_iter().filter_map(|key| table.get_ref().get_key_value(key));
    // From the key's line to the value's.
    let heads: Vec<_> = heads
        .map(|(key, value)| reading.line(key.span().start)..=reading.line(value.span().end.saturating_sub(1)))
        .collect();
    for (number, line) in (1..).zip(before.lines()) {
        if !heads.iter().any(|lines| lines.contains(&number)) {
            text += line;
            text += "\n";
        }
    }
    Ok(text)
}

/// What a new config ends with.
const HINT: &str = include_str!("hint.toml");

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "server = \"a.b\"\nkey = \"0123456789abcdef\"\n";

    fn parse(commands: &str) -> Result<Config, String> {
        Config::parse(&[HEAD, commands].concat()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_readmes_commands_are_read() {
        let config = parse(
            "[[command]]\nsay = [\"открой почту\", \"почта\"]\nopen = \"https://mail.example/\"\n\
             [[command]]\nsay = \"найди фильм *\"\nrun = [\"python3\", \"film.py\", \"*\"]\n\
             answer = \"output\"\ntimeout = 30\n\
             [[command]]\nsay = \"включи сервер\"\nwake = \"01:23:45:67:89:ab\"\nanswer = \"Бужу.\"\n",
        )
        .unwrap();
        assert_eq!(config.server.to_string(), "wss://a.b/ws");
        assert_eq!(config.commands.len(), 3);
        assert_eq!(config.commands[0].says[1].written, "почта");
        let Action::Run { arguments, speaks, timeout } = &config.commands[1].does else { panic!() };
        assert_eq!((arguments.len(), speaks, timeout.as_secs()), (3, &Speaks::Output(None), 30));
        let wake =
            Action::Wake { cards: vec![Mac([1, 0x23, 0x45, 0x67, 0x89, 0xab])], answer: Some("Бужу.".into()) };
        assert_eq!(config.commands[2].does, wake);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_the_cure() {
        for (commands, line, part) in [
            ("[[command]]\nsay = \"а\nopen = \"x\"\n", 4, "не TOML"),
            ("sya = 1\n", 3, "неизвестное слово «sya»"),
            ("[command]\nsay = \"а\"\n", 3, "[[command]]"),
            ("command = 5\n", 3, "[[command]]"),
            ("[[command]]\nopen = \"x\"\n", 3, "say"),
            ("[[command]]\nsay = \"а\"\n", 3, "open, run или wake"),
            ("[[command]]\nsay = \"а\"\nopen = \"x\"\nrun = \"y\"\n", 3, "open, run или wake"),
            ("[[command]]\nsay = \"!\"\nopen = \"x\"\n", 4, "ни слова"),
            ("[[command]]\nsay = []\nopen = \"x\"\n", 4, "от 1 до"),
            ("[[command]]\nsay = [\"а\",\n 5]\nopen = \"x\"\n", 5, "в кавычках"),
            ("[[command]]\nsay = \"* и *\"\nopen = \"x\"\n", 4, "одна"),
            ("[[command]]\nsay = \"а\"\nrun = [\"x\", \"*\"]\n", 5, "остаток фразы"),
            ("[[command]]\nsay = [\"а *\", \"б\"]\nrun = [\"x\", \"*\"]\n", 5, "остаток фразы"),
            ("[[command]]\nsay = \"а *\"\nrun = [\"*\"]\n", 5, "имя программы"),
            ("[[command]]\nsay = \"а *\"\nopen = \"/home/*\"\n", 5, "адресе сайта"),
            ("[[command]]\nsay = \"а *\"\nopen = \"https://*.example/\"\n", 5, "адресе сайта"),
            ("[[command]]\nsay = \"а *\"\nopen = \"file:///home/*\"\n", 5, "адресе сайта"),
            ("[[command]]\nsay = \"а\"\nrun = \"x\"\nanswer = \"output\"\nencoding = \"koi8\"\n", 7, "cp1251"),
            ("[[command]]\nsay = \"а\"\nrun = \"x\"\nencoding = \"cp866\"\n", 6, "cp1251"),
            ("[[command]]\nsay = \"а\"\nrun = \"x\"\ntimeout = 601\n", 6, "от 1 до 600"),
            ("[[command]]\nsay = \"а\"\nrun = \"x\"\ntimeout = \"5\"\n", 6, "от 1 до 600"),
            ("[[command]]\nsay = \"а\"\nopen = \"x\"\ntimeout = 5\n", 6, "только у команды с run"),
            ("[[command]]\nsay = \"а\"\nopen = \"x\"\nanswer = \"output\"\n", 6, "только у команды с run"),
            ("[[command]]\nsay = \"а\"\nrun = \"C:\\e.exe\"\n", 5, "одинарных кавычках"),
            ("[[command]]\nsay = \"а\"\nwake = \"01:23\"\n", 5, "шесть пар"),
            ("[[command]]\nsay = \"а\"\nrun = \" \"\n", 5, "пустой"),
            ("[[command]]\nsay = \"а\"\nsay = \"б\"\n", 5, "не TOML"),
        ] {
            let told = parse(commands).unwrap_err();
            assert!(told.contains(&format!("строка {line}:")) && told.contains(part), "{commands}{told}");
        }
        for (text, part) in [
            ("key = \"0123456789abcdef\"", "server"),
            ("server = \"a.b\"", "key"),
            ("server = \"ftp://a\"\nkey = \"x\"", "wss://"),
            ("server = \"a.b\"\nkey = \"клюв\"", "латинские"),
            (" \n", "пуст"),
        ] {
            let told = Config::parse(text).unwrap_err().to_string();
            assert!(told.contains(part), "{told}");
            assert!(!told.contains("клюв"), "a key is told nowhere");
        }
    }

    #[test]
    fn every_bound_is_reached() {
        let command = |n| format!("[[command]]\nsay = \"а {n}\"\nopen = \"x\"\n");
        let many = |count| (0..count).map(command).collect::<String>();
        assert!(parse(&many(MAX_COMMANDS)).is_ok());
        assert!(parse(&many(MAX_COMMANDS + 1)).unwrap_err().contains("команд больше"));
        let list = |count| format!("[[command]]\nsay = \"а\"\nrun = [{}]\n", "\"x\",".repeat(count));
        assert!(parse(&list(MAX_LIST)).is_ok());
        assert!(parse(&list(MAX_LIST + 1)).unwrap_err().contains("от 1 до"));
        let long = |count| format!("[[command]]\nsay = \"а\"\nopen = \"{}\"\n", "x".repeat(count));
        assert!(parse(&long(MAX_TEXT)).is_ok());
        assert!(parse(&long(MAX_TEXT + 1)).unwrap_err().contains("длиннее"));
    }

    #[test]
    fn joining_again_keeps_the_owners_own_commands_as_they_stand() {
        let (server, key) = (Address::parse("c.d").unwrap(), Key::new("new\"key\\").unwrap());
        let joined = |before| joined(before, &server, &key, "ноутбук").unwrap();
        let fresh = joined(None);
        let config = Config::parse(&fresh).unwrap();
        assert_eq!((config.key.reveal(), config.commands.len()), ("new\"key\\", 0));
        let before = format!("# моё\n{HEAD}name = \"x\"\n\n[[command]] # почта\nsay = \"key\"\nopen = \"x\"\n");
        let after = joined(Some(&before));
        assert!(after.contains("# моё\n\n[[command]] # почта\nsay = \"key\"\n"), "{after}");
        let config = Config::parse(&after).unwrap();
        assert_eq!((config.server.host.as_str(), config.commands.len()), ("c.d", 1));
        assert_eq!(joined(Some(&after)), after);
        let odd = "  \"server\" = \"x\" # там\r\nkey = \"\"\"\na\"\"\"\r\ncommand = []\r\n";
        let tail = joined(Some(odd)).replace(joined(None).split("\n\n").next().unwrap(), "");
        assert_eq!(tail.trim(), "command = []");
        assert!(super::joined(Some("a\nb = "), &server, &key, "").unwrap_err().to_string().contains("строка 1"));
    }
}
