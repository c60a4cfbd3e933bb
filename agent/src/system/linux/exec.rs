//! The command lines of desktop files (Desktop Entry Specification 1.5, "The Exec key"). No shell ever sees them.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// What stands for the codes of a line that are not about what is opened.
#[derive(Debug, Clone, Copy)]
pub struct Codes<'a> {
    pub icon: Option<&'a str>,
    pub name: &'a str,
    pub file: &'a Path,
}

/// A word of a line, without its quotes.
#[derive(Debug, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    is_quoted: bool,
}

/// Programs that run another one's text.
const INTERPRETERS: [&str; 14] = [
    "bash",
    "dash",
    "gjs",
    "gjs-console",
    "java",
    "lua",
    "node",
    "perl",
    "python",
    "ruby",
    "sh",
    "tclsh",
    "wish",
    "zsh",
];

/// Returns the words of a line; none when a quote isn't closed. Quotes of either kind and parts of a word in them count
/// as they do in GLib, which wants less than the specification does.
pub fn words(line: &str) -> Option<Vec<Word>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<Word>, None);
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        if quote.is_none() && char.is_ascii_whitespace() {
            words.extend(word.take());
            continue;
        }
        let word = word.get_or_insert(Word { text: String::new(), is_quoted: false });
        match (quote, char) {
            (None, '"' | '\'') => {
                quote = Some(char);
                word.is_quoted = true;
            }
            (Some(open), _) if open == char => quote = None,
            (None, '\\') => word.text.extend(chars.next()),
            (Some('"'), '\\') => match chars.next()? {
                escaped @ ('"' | '`' | '$' | '\\') => word.text.push(escaped),
                other => word.text.extend(['\\', other]),
            },
            _ => word.text.push(char),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// Returns the arguments that a line stands for, the program first. What is opened, a path or an address, comes
/// last where the line has no place for it. None when nothing can be run by it.
pub fn arguments(line: &str, opened: Option<&OsStr>, codes: Codes<'_>) -> Option<Vec<OsString>> {
    let mut is_told = opened.is_none();
    let mut arguments = Vec::new();
    for Word { text, is_quoted } in words(line)? {
        if text == "%i" {
            arguments.extend(codes.icon.into_iter().flat_map(|icon| ["--icon", icon]).map(OsString::from));
            continue;
        }
        let mut parts = text.split('%');
        let mut argument = OsString::from(parts.next().unwrap_or_default());
        let has_codes = text.contains('%');
        while let Some(part) = parts.next() {
            let mut rest = part.chars();
            match rest.next() {
                // Two of them: they are one, and what follows is no code.
                None => parts.next().into_iter().flat_map(|rest| ["%", rest]).for_each(|part| argument.push(part)),
                // A path is let stand for its address, too, and GLib and KDE do so.
                Some('f' | 'F' | 'u' | 'U') => argument.extend(opened),
                Some('c') => argument.push(codes.name),
                Some('k') => argument.push(codes.file),
                // Those of old files stand for nothing.
                Some(_) => {}
            }
            is_told |= part.starts_with(['f', 'F', 'u', 'U']);
            argument.push(rest.as_str());
        }
        if !(has_codes && argument.is_empty() && !is_quoted) {
            arguments.push(argument);
        }
    }
    if !is_told {
        arguments.extend(opened.map(OsStr::to_owned));
    }
    arguments.first().is_some_and(|program| !program.is_empty()).then_some(arguments)
}

/// Returns the file name of what the words of a command line run: not `env`, and a script rather than its interpreter.
pub fn program<'a>(words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut words = words.into_iter();
    let mut program = file_name(words.next()?);
    if program == "env" {
        program = file_name(words.find(|word| !word.starts_with('-') && !word.contains('='))?);
    }
    if program == "flatpak" {
        return words.find_map(|word| word.strip_prefix("--command="));
    }
    if is_interpreter(program) {
        // What has a space is a script itself, and no name of one.
        return match words.find(|word| !word.starts_with(['-', '%'])) {
            Some(script) if script.contains(char::is_whitespace) => None,
            script => Some(script.map_or(program, file_name)),
        };
    }
    Some(program).filter(|program| !program.is_empty())
}

/// Whether a program runs another one's text.
pub fn is_interpreter(program: &str) -> bool {
    let without_version = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    INTERPRETERS.contains(&without_version)
}

/// Returns the last part of a path.
pub fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str, opened: Option<&str>) -> Option<Vec<String>> {
        let codes = Codes { icon: Some("знак"), name: "Имя", file: Path::new("/a/x.desktop") };
        let arguments = arguments(line, opened.map(OsStr::new), codes)?;
        Some(arguments.into_iter().map(|argument| argument.into_string().unwrap()).collect())
    }

    #[test]
    fn words_are_quoted_as_glib_reads_them() {
        for (line, expected) in [
            ("a  b\tc", &["a", "b", "c"][..]),
            (r#""/opt/My App/a" "b \" \$ \` \\ \x" c"#, &["/opt/My App/a", r#"b " $ ` \ \x"#, "c"]),
            (r#"sh -c 'echo "$HOME"' x\ y"#, &["sh", "-c", r#"echo "$HOME""#, "x y"]),
            (r#"a --b="c d"e """#, &["a", "--b=c de", ""]),
            ("a; rm $(b) | c > d &", &["a;", "rm", "$(b)", "|", "c", ">", "d", "&"]),
        ] {
            assert_eq!(parsed(line, None).unwrap(), expected, "{line}");
        }
        for wrong in ["", "  ", "a \"b", "'", "\"a\\", "\"\" a", "%u"] {
            assert_eq!(parsed(wrong, None), None, "{wrong}");
        }
    }

    #[test]
    fn codes_stand_for_what_is_opened_and_vanish_without_it() {
        let path = Some("/дом/a b%.txt");
        for (line, opened, expected) in [
            ("a %U", None, &["a"][..]),
            (r#"a "%U""#, None, &["a", ""]),
            ("a --x=%f %F", None, &["a", "--x="]),
            ("a %f", path, &["a", "/дом/a b%.txt"]),
            ("a %u b", path, &["a", "/дом/a b%.txt", "b"]),
            ("a --x=%U", Some("https://a.b/?c=%20d"), &["a", "--x=https://a.b/?c=%20d"]),
            ("a %f", Some("tg:x"), &["a", "tg:x"]),
            ("a -b", path, &["a", "-b", "/дом/a b%.txt"]),
            ("a %i %c %k 100%% %%f %d%m", None, &["a", "--icon", "знак", "Имя", "/a/x.desktop", "100%", "%f"]),
            ("a %%%u%", Some("b:"), &["a", "%b:"]),
        ] {
            assert_eq!(parsed(line, opened).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn what_a_line_runs_has_a_name() {
        for (line, expected) in [
            ("/usr/lib/firefox/firefox %u", Some("firefox")),
            ("env A=b C=d /snap/bin/code --x", Some("code")),
            ("python3.11 -E /usr/bin/lutris %U", Some("lutris")),
            ("bash -i %U", Some("bash")),
            ("shotwell --x y", Some("shotwell")),
            ("sh -c \"exec a b\"", None),
            ("/usr/bin/flatpak run --command=telegram org.telegram @@u %u @@", Some("telegram")),
            ("flatpak run org.x", None),
        ] {
            let words = words(line).unwrap();
            let found = program(words.iter().map(|word| &*word.text));
            assert_eq!(found, expected, "{line}");
        }
    }
}
