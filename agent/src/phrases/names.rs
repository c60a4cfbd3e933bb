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
    Some(match value {
        "домашняя папка" => Folder::Home,
        "рабочий стол" => Folder::Desktop,
        "загрузки" => Folder::Downloads,
        "документы" => Folder::Documents,
        "музыка" => Folder::Music,
        "картинки" => Folder::Pictures,
        "видео" => Folder::Videos,
        "корзина" => Folder::Bin,
        _ => return None,
    })
}

/// Returns all that the file has for these words.
pub fn known(asked: &[String]) -> impl Iterator<Item = Known> + '_ {
    let is_asked =
        move |name: &[String]| name.len() == asked.len() && name.iter().zip(asked).all(|(n, a)| *n == plain(a));
    KNOWN.iter().filter(move |(name, _)| is_asked(name)).map(|(_, known)| *known)
}

/// Returns the candidates that these words mean: those with exactly this name, else those whose name begins with the
/// words, else those that have all of them in it.
pub fn pick<'a, T>(asked: &[String], all: &'a [T], names: impl Fn(&T) -> Vec<&str>) -> Vec<&'a T> {
    let asked: Vec<String> = asked.iter().map(|word| sound(word)).collect();
    let rank = |one: &T| {
        let ranks = names(one).into_iter().filter_map(|name| {
            let name: Vec<String> = words(name).iter().map(|word| sound(word)).collect();
            let is_within = !asked.is_empty() && asked.iter().all(|word| name.contains(word));
            is_within.then_some(match (name == asked, name.starts_with(&asked)) {
                (true, _) => 0,
                (_, true) => 1,
                _ => 2,
            })
        });
        ranks.min()
    };
    let ranked: Vec<(u8, &T)> = all.iter().filter_map(|one| Some((rank(one)?, one))).collect();
    let best = ranked.iter().map(|(rank, _)| *rank).min();
    ranked.into_iter().filter(|(rank, _)| Some(*rank) == best).map(|(_, one)| one).collect()
}

/// Latin letters as they sound in Russian, the longest first.
const SOUNDS: &str = "tsch ч sch ш sh ш ch ч ph ф th т zh ж kh х ck к qu кв wh в oo у ee и ea и ou у ai е ay е ey и \
                      ge дж ce с ci си a а b б c к d д e е f ф g г h х i и j дж k к l л m м n н o о p п q к r р s с \
                      t т u у v в w в x кс y и z з";

/// Returns how a word sounds, more or less: «Стим», «стима» and "Steam" sound alike, «Ёлка» and «елку» too.
fn sound(word: &str) -> String {
    let mut rest = &*plain(word);
    let mut sounds = String::new();
    let pairs: Vec<(&str, &str)> =
        SOUNDS.split(' ').collect::<Vec<_>>().chunks_exact(2).map(|p| (p[0], p[1])).collect();
    while let Some(first) = rest.chars().next() {
        let (taken, sounding) = pairs
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
    if stem.chars().count() >= 3 { stem.to_owned() } else { sounds }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(asked: &str) -> Vec<&'static str> {
        let all =
            ["Google Chrome", "Steam", "Telegram Desktop", "Калькулятор", "Visual Studio Code", "Firefox ESR", "Zoom"];
        pick(&words(asked), &all, |name| vec![*name]).into_iter().copied().collect()
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
            ("зума", "Zoom"),
        ] {
            assert_eq!(picked(asked), [name], "{asked}");
        }
        for other in ["дверь", "зима", "дом", "студия звука", "стимул", ""] {
            assert!(picked(other).is_empty(), "{other}: {:?}", picked(other));
        }
    }

    #[test]
    fn the_whole_name_comes_before_a_part_of_it_and_two_that_fit_are_both_told() {
        let all = ["Почта Яндекса", "Почта", "Моя почта"];
        let picked = |asked: &str| pick(&words(asked), &all, |name| vec![*name]).len();
        assert_eq!((picked("почту"), picked("почта яндекса"), picked("моя почта")), (1, 1, 1));
        let all = ["Xterm один", "Xterm два"];
        assert_eq!(pick(&words("xterm"), &all, |name| vec![*name]).len(), 2);
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
