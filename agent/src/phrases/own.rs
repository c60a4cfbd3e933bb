//! The owner's own commands: which phrase is one, and what it then does. Plain data.

use crate::action::Action;
use crate::phrases::words::{plain, words};

/// A command of the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    pub says: Vec<Pattern>,
    /// What it does, with [`REST`] where the rest of the phrase belongs.
    pub does: Action,
}

/// Stands for the rest of the phrase.
pub const REST: char = '*';

/// A phrase, or one with a [`REST`] in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    before: Vec<String>,
    /// None where the phrase is a whole one.
    after: Option<Vec<String>>,
    /// As it was written.
    pub written: String,
}

/// Why a phrase can't be used.
#[derive(Debug, PartialEq, Eq)]
pub enum BadPattern {
    Empty,
    /// It has more than one [`REST`].
    TwoRests,
}

impl Pattern {
    /// Reads a phrase.
    ///
    /// # Errors
    /// It has no words, or more than one [`REST`].
    pub fn parse(written: &str) -> Result<Self, BadPattern> {
        let plain_words = |part: &str| words(part).iter().map(|word| plain(word)).collect::<Vec<_>>();
        let mut parts = written.split(REST).map(plain_words);
        let (before, after) = (parts.next().unwrap_or_default(), parts.next());
        match (parts.next(), &after) {
            (Some(_), _) => Err(BadPattern::TwoRests),
            (None, None) if before.is_empty() => Err(BadPattern::Empty),
            _ => Ok(Self { before, after, written: written.trim().to_owned() }),
        }
    }

    /// Whether it has a [`REST`].
    pub fn has_rest(&self) -> bool {
        self.after.is_some()
    }

    /// Whether it takes every phrase.
    pub fn is_catch_all(&self) -> bool {
        self.before.is_empty() && self.after.as_ref().is_some_and(Vec::is_empty)
    }

    /// Returns what of the phrase with these words is the rest, which is nothing in a whole phrase; none when it is
    /// another phrase.
    fn rest(&self, spoken: &[String]) -> Option<String> {
        let is = |own: &[String], spoken: &[String]| own.iter().zip(spoken).all(|(own, s)| *own == plain(s));
        let Some(after) = &self.after else {
            return (spoken.len() == self.before.len() && is(&self.before, spoken)).then(String::new);
        };
        let end = spoken.len().checked_sub(after.len())?;
        let rest = spoken.get(self.before.len()..end).filter(|rest| !rest.is_empty())?;
        (is(&self.before, spoken) && is(after, &spoken[end..])).then(|| rest.join(" "))
    }
}

/// Returns what the first of the commands whose phrase this is does; with `last` the first that takes every phrase.
pub fn find(spoken: &[String], commands: &[Own], last: bool) -> Option<Action> {
    let patterns = commands.iter().flat_map(|own| own.says.iter().map(move |say| (say, &own.does)));
    let mut fitting = patterns
        .filter(|(say, _)| say.is_catch_all() == last)
        .filter_map(|(say, does)| Some((say.rest(spoken)?, does)));
    fitting.next().map(|(rest, does)| with_rest(does, &rest))
}

/// Returns the action with the rest of the phrase in its place.
fn with_rest(does: &Action, rest: &str) -> Action {
    match does {
        Action::Run { arguments, .. } if reads_commands(arguments) && !rest.chars().all(is_plain) => {
            Action::Refuse(NOT_FOR_SHELLS)
        }
        Action::Run { arguments, speaks, timeout } => Action::Run {
            arguments: arguments.iter().map(|argument| argument.replace(REST, rest)).collect(),
            speaks: speaks.clone(),
            timeout: *timeout,
        },
        Action::Open { what, answer } => {
            Action::Open { what: what.replace(REST, &percent_encoded(rest)), answer: answer.clone() }
        }
        other => other.clone(),
    }
}

/// `cmd.exe` has rules of its own for what stands in quotes (CVE-2024-24576), and a shell takes for commands what it is given as
/// text: neither gets anything that could need quotes.
const NOT_FOR_SHELLS: &str = "Этой программе можно сказать только буквы, цифры, пробелы, дефис, точку и запятую.";

/// Whether some of these arguments, with the [`REST`] in its place, are read as commands.
fn reads_commands(arguments: &[String]) -> bool {
    let is_batch = |argument: &String| [".bat", ".cmd"].iter().any(|end| plain_name(argument).ends_with(end));
    let name = plain_name(&arguments[0]);
    match name.rsplit(['/', '\\']).next().unwrap_or_default().trim_end_matches(".exe") {
        "cmd" => true,
        "powershell" | "pwsh" => !arguments.iter().any(|argument| argument.eq_ignore_ascii_case("-file")),
        "sh" | "bash" | "dash" | "zsh" | "ksh" | "fish" | "busybox" => {
            // Behind `-c` stand commands, and behind those arguments.
            let commands =
                |pair: &[String]| pair[0].starts_with('-') && pair[0].ends_with('c') && pair[1].contains(REST);
            arguments.windows(2).any(commands)
        }
        _ => arguments.iter().any(is_batch),
    }
}

/// Windows passes over points and spaces behind a name, and over case.
fn plain_name(name: &str) -> String {
    name.trim_end_matches(['.', ' ']).to_lowercase()
}

fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || " -_.,".contains(c)
}

/// Returns a text as it stands in an address (RFC 3986, 2.1).
pub fn percent_encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let one = |byte: u8| match is_plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::action::Speaks;

    fn run(says: &[&str], arguments: &[&str]) -> Own {
        Own {
            says: says.iter().map(|say| Pattern::parse(say).unwrap()).collect(),
            does: Action::Run {
                arguments: arguments.iter().map(|a| (*a).to_owned()).collect(),
                speaks: Speaks::Done,
                timeout: Duration::from_secs(1),
            },
        }
    }

    fn arguments(phrase: &str, commands: &[Own], last: bool) -> Option<String> {
        match find(&words(phrase), commands, last)? {
            Action::Run { arguments, .. } => Some(arguments.join("|")),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_phrase_is_one_by_its_words_and_the_first_of_the_file_counts() {
        let commands = [
            run(&["Открой почту!", "почта"], &["mail"]),
            run(&["найди фильм *"], &["film", "--title=*", "*"]),
            run(&["поставь * на паузу"], &["pause", "*"]),
            run(&["*"], &["model", "*"]),
            run(&["найди *"], &["find", "*"]),
        ];
        let found = |phrase| arguments(phrase, &commands, false);
        assert_eq!(found("открой  почту").as_deref(), Some("mail"));
        assert_eq!(found("Почта").as_deref(), Some("mail"));
        assert_eq!(found("найди фильм ёлки 2").as_deref(), Some("film|--title=ёлки 2|ёлки 2"));
        assert_eq!(found("найди книгу").as_deref(), Some("find|книгу"));
        assert_eq!(found("поставь этот фильм на паузу").as_deref(), Some("pause|этот фильм"));
        for other in ["открой почту сейчас", "найди", "поставь на паузу", "поставь", "на паузу", ""]
        {
            assert_eq!(found(other), None, "{other}");
        }
        assert_eq!(arguments("что угодно", &commands, true).as_deref(), Some("model|что угодно"));
        assert_eq!(arguments("", &commands, true), None);
    }

    #[test]
    fn yo_is_the_same_letter_in_a_phrase_and_stays_itself_in_the_rest() {
        let commands = [run(&["ещё *"], &["more", "*"])];
        assert_eq!(arguments("еще мёд", &commands, false).as_deref(), Some("more|мёд"));
    }

    #[test]
    fn a_phrase_has_words_and_one_rest_at_most() {
        assert_eq!(Pattern::parse(" ,!"), Err(BadPattern::Empty));
        assert_eq!(Pattern::parse("найди * и *"), Err(BadPattern::TwoRests));
        assert!(Pattern::parse(" * ").unwrap().is_catch_all());
        assert!(!Pattern::parse("найди *").unwrap().is_catch_all());
    }

    #[test]
    fn what_reads_commands_gets_nothing_that_it_could_take_for_more() {
        for arguments in [
            &["find.BAT", "*"][..],
            &["t.cmd. ", "*"],
            &["CMD.exe", "/c", "echo", "*"],
            &["C:\\Windows\\System32\\cmd", "/c", "echo *"],
            &["start.exe", "find.bat", "*"],
            &["powershell", "-NoProfile", "echo *"],
            &["/bin/sh", "-c", "echo *"],
        ] {
            let refused = find(&words("найди a|b"), &[run(&["найди *"], arguments)], false);
            assert_eq!(refused, Some(Action::Refuse(NOT_FOR_SHELLS)), "{arguments:?}");
        }
        for arguments in [
            &["sh", "-c", "echo \"$1\"", "sh", "*"][..],
            &["python3", "film.py", "*"],
            &["powershell", "-File", "a.ps1", "*"],
        ] {
            let found = find(&words("найди a|b"), &[run(&["найди *"], arguments)], false);
            assert!(matches!(found, Some(Action::Run { .. })), "{arguments:?}");
        }
        let commands = [run(&["найди *"], &["find.BAT", "*"]), run(&["ищи *"], &["find.exe", "*"])];
        let found = |phrase: &str| find(&words(phrase), &commands, false).unwrap();
        assert!(matches!(found("найди ёлки 2,5"), Action::Run { .. }));
        for phrase in ["найди a%path%", "найди ^x", "найди a|b", "найди a>b", "найди a<b"] {
            assert_eq!(found(phrase), Action::Refuse(NOT_FOR_SHELLS), "{phrase}");
        }
        assert!(matches!(found("ищи a|b"), Action::Run { .. }));
    }

    #[test]
    fn in_an_address_the_rest_is_percent_encoded() {
        let does = Action::Open { what: "https://a.b/?q=*".into(), answer: None };
        let open = Own { says: vec![Pattern::parse("найди *").unwrap()], does };
        let what = "https://a.b/?q=%D0%B0%26%20%251%2F".replace("%26", "").replace("%2F", "");
        assert_eq!(find(&words("найди а& %1/"), &[open], false), Some(Action::Open { what, answer: None }));
    }
}
