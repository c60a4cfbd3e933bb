//! What programs, folders and sites are called: the words of `names.txt`, and which name somebody means. Plain data.

use std::sync::LazyLock;

use crate::action::Folder;
use crate::phrases::rules::{forms, tokens};
use crate::phrases::words::{plain, words};

/// What a name of the file stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Programs of this category, or that of this type.
    Kind(&'static str),
    /// A program, by the words that are in its own name.
    Program(&'static str),
    Folder(Folder),
    Site(&'static str),
}

/// The lines of the file: what is said, and what it stands for.
static KNOWN: LazyLock<Vec<(Vec<String>, Known)>> =
    LazyLock::new(|| parse(include_str!("names.txt")).expect("a test reads these very names"));

fn parse(text: &'static str) -> Result<Vec<(Vec<String>, Known)>, &'static str> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let read = lines.map(|line| {
        let (kind, rest) = line.split_once(" : ").ok_or(line)?;
        let (names, value) = rest.split_once(" = ").ok_or(line)?;
        let known = match kind {
            "вид" => Known::Kind(value),
            "программа" => Known::Program(value),
            "папка" => Known::Folder(folder(value).ok_or(line)?),
            "сайт" => Known::Site(value),
            _ => return Err(line),
        };
        Ok(tokens(names).into_iter().flat_map(forms).map(move |name| (name, known)).collect::<Vec<_>>())
    });
    Ok(read.collect::<Result<Vec<_>, _>>()?.concat())
}

fn folder(value: &str) -> Option<Folder> {
    use Folder::{Bin, Desktop, Documents, Downloads, Home, Music, Pictures, Videos};
    let all = [Home, Desktop, Downloads, Documents, Music, Pictures, Videos, Bin];
    all.into_iter().find(|folder| folder.name() == value)
}

/// Returns all that the file has for these words.
pub fn known(asked: &[String]) -> impl Iterator<Item = Known> + '_ {
    let is_asked =
        move |name: &[String]| name.len() == asked.len() && name.iter().zip(asked).all(|(n, a)| *n == plain(a));
    KNOWN.iter().filter(move |(name, _)| is_asked(name)).map(|(_, known)| *known)
}

/// How like a name the words have to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Like {
    Whole,
    Beginning,
    /// They are in it, and are not just one word of a long name.
    Part,
    /// They are in it.
    Word,
}

/// Returns the candidates whose names are most like these words, if they are at least so like.
pub fn pick<'a, T>(asked: &[String], all: &'a [T], least: Like, names: impl Fn(&T) -> Vec<&str>) -> Vec<&'a T> {
    let asked: Vec<String> = asked.iter().map(|word| sound(word)).collect();
    let like = |one: &T| names(one).into_iter().filter_map(|name| likeness(&asked, name)).min();
    let all: Vec<(Like, &T)> = all.iter().filter_map(|one| Some((like(one)?, one))).collect();
    let best = all.iter().map(|(like, _)| *like).min().filter(|best| *best <= least);
    all.into_iter().filter(|(like, _)| Some(*like) == best).map(|(_, one)| one).collect()
}

/// Returns how like a name these sounds are.
fn likeness(asked: &[String], name: &str) -> Option<Like> {
    let name: Vec<String> = words(name).iter().map(|word| sound(word)).collect();
    let is_enough = asked.len() > 1 || name.len() < 3;
    match () {
        () if asked.is_empty() => None,
        () if name == asked => Some(Like::Whole),
        () if name.starts_with(asked) => Some(Like::Beginning),
        () if !asked.iter().all(|word| name.contains(word)) => None,
        () if is_enough => Some(Like::Part),
        () => Some(Like::Word),
    }
}

/// Latin letters as they sound in Russian, the longest first.
static SOUNDS: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
    let pairs = "tsch ч sch ш sh ш ch ч ph ф th т zh ж kh х ck к qu кв wh в oo у ee и ea и ou у ai е ay е ey и ge дж ce с \
                 ci си a а b б c к d д e е f ф g г h х i и j дж k к l л m м n н o о p п q к r р s с t т u у v в w в \
                 x кс y и z з";
    pairs.split(' ').zip(pairs.split(' ').skip(1)).step_by(2).collect()
});

/// Returns how a word sounds, more or less: «Стим», «стима» and "Steam" sound alike, «Ёлка» and «елку» too.
fn sound(word: &str) -> String {
    let mut rest = &*plain(word);
    let mut sounds = String::new();
    while let Some(first) = rest.chars().next() {
        let (taken, sounding) = SOUNDS
            .iter()
            .find(|(latin, _)| rest.starts_with(latin))
            .map_or((first.len_utf8(), first.to_string()), |(latin, sound)| (latin.len(), (*sound).to_owned()));
        rest = &rest[taken..];
        let alike = |c: char| match c {
            'о' => 'а',
            'э' | 'и' | 'ы' | 'й' => 'е',
            'ю' => 'у',
            'я' => 'а',
            other => other,
        };
        for c in sounding.chars().map(alike).filter(|c| !"ъь".contains(*c)) {
            if !sounds.ends_with(c) {
                sounds.push(c);
            }
        }
    }
    // The end changes with the case.
    let stem = sounds.trim_end_matches(['а', 'е', 'у']);
    if stem.chars().count() >= 4 { stem.to_owned() } else { sounds }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(asked: &str) -> Vec<&'static str> {
        let all =
            ["Google Chrome", "Steam", "Telegram Desktop", "Калькулятор", "Visual Studio Code", "Firefox ESR", "Zoom"];
        pick(&words(asked), &all, Like::Part, |name| vec![*name]).into_iter().copied().collect()
    }

    #[test]
    fn a_name_is_found_in_cyrillic_and_in_any_case() {
        for (asked, name) in [
            ("стим", "Steam"),
            ("телеграм", "Telegram Desktop"),
            ("телеграмма", "Telegram Desktop"),
            ("калькуляторе", "Калькулятор"),
            ("chrome", "Google Chrome"),
            ("visual studio", "Visual Studio Code"),
            ("зум", "Zoom"),
        ] {
            assert_eq!(picked(asked), [name], "{asked}");
        }
        for other in ["кота", "дверь", "зима", "дом", "студия звука", "стимул", ""] {
            assert!(picked(other).is_empty(), "{other}: {:?}", picked(other));
        }
    }

    #[test]
    fn the_whole_name_comes_before_a_part_of_it_and_two_that_fit_are_both_told() {
        let all = ["Почта Яндекса", "Почта", "Моя почта"];
        let picked = |asked: &str| pick(&words(asked), &all, Like::Part, |name| vec![*name]).len();
        assert_eq!((picked("почту"), picked("почта яндекса"), picked("моя почта")), (1, 1, 1));
        let long = ["Пользователи и группы системы", "Internet Messenger"];
        assert!(pick(&words("группу"), &long, Like::Part, |name| vec![*name]).is_empty());
        assert!(pick(&words("internet"), &long, Like::Whole, |name| vec![*name]).is_empty());
        let all = ["Xterm один", "Xterm два"];
        assert_eq!(pick(&words("xterm"), &all, Like::Part, |name| vec![*name]).len(), 2);
    }

    #[test]
    fn the_names_can_be_read() {
        let known = |asked: &str| known(&words(asked)).collect::<Vec<_>>();
        assert_eq!(known("ютубе"), []);
        assert_eq!(known("командную строку"), [Known::Kind("TerminalEmulator")]);
        assert_eq!(known("почту"), [Known::Kind("x-scheme-handler/mailto"), Known::Site("https://mail.yandex.ru/")]);
        assert!(parse("сайт ютуб = https://a.b/").is_err());
    }
}
