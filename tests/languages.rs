//! The documents in two languages say the same: neither falls behind the other.

use std::collections::BTreeSet;

use crate::support::markdown::{Document, code};

/// The English documents, and the Russian one of each.
const PAIRS: [(&str, &str); 14] = [
    ("README.md", "docs/ru/README.md"),
    ("DEPLOYMENT.md", "docs/ru/DEPLOYMENT.md"),
    ("SECURITY.md", "docs/ru/SECURITY.md"),
    ("docs/agents.md", "docs/ru/agents.md"),
    ("docs/configuration.md", "docs/ru/configuration.md"),
    ("docs/late-answers.md", "docs/ru/late-answers.md"),
    ("docs/monitoring.md", "docs/ru/monitoring.md"),
    ("docs/several-pcs.md", "docs/ru/several-pcs.md"),
    ("docs/smart-home.md", "docs/ru/smart-home.md"),
    ("docs/next-steps.md", "docs/ru/next-steps.md"),
    ("docs/operate.md", "docs/ru/operate.md"),
    ("docs/without-docker.md", "docs/ru/without-docker.md"),
    ("docs/troubleshooting.md", "docs/ru/troubleshooting.md"),
    ("docs/other-agents.md", "docs/ru/other-agents.md"),
];

/// The pictures with words in them, in English and in Russian.
const PICTURES: [(&str, &str); 1] = [("docs/way.svg", "docs/ru/way.svg")];

fn pairs() -> impl Iterator<Item = (Document, Document)> {
    PAIRS.into_iter().map(|(english, russian)| (Document::read(english), Document::read(russian)))
}

/// The project's settings that a text names.
fn settings(text: &str) -> BTreeSet<&str> {
    let is_name = |word: &&str| {
        word.contains('_')
            && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(is_name).collect()
}

/// What a command or what it prints is, without the explanation that stands some spaces behind it.
fn command(line: &str) -> &str {
    line.split("   ").next().unwrap_or("").trim_end()
}

#[test]
fn each_begins_with_a_link_to_the_other() {
    for (english, russian) in pairs() {
        for (one, other, says) in
            [(&english, &russian, "[По-русски]"), (&russian, &english, "[In English]")]
        {
            let first = one.text.lines().next().unwrap();
            assert!(first.starts_with(says), "{} begins with {first}", one.path);
            assert_eq!(one.target(one.links()[0]).0, other.path);
        }
    }
}

#[test]
fn both_have_the_same_sections() {
    for (english, russian) in pairs() {
        let levels = |document: &Document| -> Vec<usize> {
            document.headings().iter().map(|(level, _)| *level).collect()
        };
        let headings = [english.headings(), russian.headings()];
        assert_eq!(levels(&english), levels(&russian), "{}: {headings:?}", russian.path);
    }
}

#[test]
fn both_have_the_same_commands_and_show_the_same_of_what_they_print() {
    for (english, russian) in pairs() {
        let (ours, theirs) = (english.fences(), russian.fences());
        assert_eq!(ours.len(), theirs.len(), "{}", russian.path);
        for (one, other) in ours.iter().zip(&theirs) {
            assert_eq!((&one.language, &one.mark), (&other.language, &other.mark), "{}", russian.path);
            if one.mark.is_some() || !one.language.is_empty() {
                assert_eq!(one.lines, other.lines, "{}", russian.path);
                continue;
            }
            let commands = |lines: &[String]| -> Vec<String> {
                lines.iter().map(|line| command(line).to_owned()).collect()
            };
            assert_eq!(commands(&one.lines), commands(&other.lines), "{}", russian.path);
        }
    }
}

#[test]
fn both_name_the_same_settings() {
    for (english, russian) in pairs() {
        assert_eq!(settings(&english.text), settings(&russian.text), "{}", russian.path);
    }
}

#[test]
fn both_have_the_same_rows_in_their_tables() {
    for (english, russian) in pairs() {
        let (ours, theirs) = (english.rows(), russian.rows());
        for (one, other) in ours.iter().zip(&theirs) {
            assert_eq!(one.len(), other.len(), "{}: {one:?} {other:?}", russian.path);
            assert_eq!(code(&one.join(" | ")), code(&other.join(" | ")), "{}: {other:?}", russian.path);
            // What is seen or set stands first.
            if one[0].starts_with('`') {
                assert_eq!(code(one[0]), code(other[0]), "{}", russian.path);
            }
        }
        assert_eq!(ours.len(), theirs.len(), "{}", russian.path);
    }
}

#[test]
fn both_lead_to_the_same_places() {
    let in_english = |path: String| -> String {
        let pair = PAIRS.iter().chain(&PICTURES).find(|(_, russian)| *russian == path);
        pair.map_or(path, |(english, _)| (*english).to_owned())
    };
    for (english, russian) in pairs() {
        let of = |document: &Document| -> Vec<(String, bool)> {
            // The first leads to the other language.
            let links = document.links().into_iter().skip(1).map(|link| {
                if link.starts_with("http") {
                    return (link.to_owned(), false);
                }
                let (file, place) = document.target(link);
                (in_english(file), !place.is_empty())
            });
            let mut links: Vec<_> = links.collect();
            links.sort();
            links
        };
        assert_eq!(of(&english), of(&russian), "{}", russian.path);
    }
}

#[test]
fn the_russian_ones_are_in_russian() {
    for (_, russian) in pairs() {
        let prose: String = russian.prose().collect();
        // Where a link leads is no prose.
        let mut parts = prose.split("](");
        let first = parts.next().unwrap().to_owned();
        let behind = |part: &str| part.split_once(')').unwrap().1.to_owned();
        let prose = first + &parts.map(behind).collect::<String>();
        let (mut cyrillic, mut latin) = (0, 0);
        for (place, text) in prose.split('`').enumerate() {
            // Every second one is code.
            if place % 2 == 0 {
                cyrillic +=
                    text.chars().filter(|c| ('а'..='я').contains(&c.to_ascii_lowercase())).count();
                latin += text.chars().filter(char::is_ascii_alphabetic).count();
            }
        }
        assert!(cyrillic > 4 * latin, "{}: {cyrillic} Cyrillic letters, {latin} Latin", russian.path);
    }
}
