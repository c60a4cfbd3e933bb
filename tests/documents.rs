//! What the documents and comments say of the sources is so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::support::markdown::{Document, root};

/// Every file with this ending below a folder of the project.
pub fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "no {ending} in {folder}");
    found.sort();
    found
}

/// The text of a file.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A path as the documents write it.
fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()
}

/// A number with a comma every three digits.
fn with_commas(number: u64) -> String {
    let digits = number.to_string();
    let grouped: Vec<_> = digits.as_bytes().rchunks(3).rev().collect();
    grouped.iter().map(|group| std::str::from_utf8(group).unwrap()).collect::<Vec<_>>().join(",")
}

/// A constant's value as the documents write it; none when it is no number of its own.
fn value(expression: &str) -> Option<String> {
    for (function, unit) in [("from_secs(", "s"), ("from_millis(", "ms"), ("from_micros(", "µs")] {
        if let Some((_, rest)) = expression.split_once(&format!("Duration::{function}")) {
            let number = rest.trim_end_matches(')').replace('_', "").parse().ok()?;
            return Some(format!("{} {unit}", with_commas(number)));
        }
    }
    let factors: Option<Vec<u64>> =
        expression.split('*').map(|factor| factor.trim().replace('_', "").parse().ok()).collect();
    match factors?[..] {
        [number] => Some(with_commas(number)),
        [1024, 1024] => Some("1 MiB".into()),
        [number, 1024] => Some(format!("{number} KiB")),
        [number, 1024, 1024] => Some(format!("{number} MiB")),
        _ => None,
    }
}

#[test]
fn every_limit_in_the_sources_is_on_its_page_with_its_value_and_place() {
    // What says how the kernel or its clock is, and limits nothing.
    let no_limits = [
        "UNUSABLE",
        "REPLACED",
        "WINDOW",
        "DISCONNECT_TRIES",
        "BYTES",
        "CODE_LENGTH",
        "CODE_GROUP",
        "SLIPS",
        "MARGIN",
        "MUCH",
        // RFC 3492's.
        "BASE",
        "T_MIN",
        "T_MAX",
        "SKEW",
        "DAMP",
        "INITIAL_BIAS",
        "INITIAL_N",
    ];
    let mut of_sources = BTreeMap::new();
    for path in files("src", "rs") {
        let text = read(&path);
        let (code, _) = text.split_once("#[cfg(test)]\nmod tests").unwrap_or((&text, ""));
        for line in code.lines().map(str::trim).filter(|line| line.ends_with(';')) {
            let line = line.trim_start_matches("pub ").trim_end_matches(';');
            let Some((name, rest)) = line.strip_prefix("const ").and_then(|l| l.split_once(": "))
            else {
                continue;
            };
            let Some((_, expression)) = rest.split_once(" = ") else { continue };
            if let Some(value) = value(expression).filter(|_| !no_limits.contains(&name)) {
                of_sources.insert(name.to_owned(), (value, shown(&path)));
            }
        }
    }
    let page = Document::read("docs/limits.md").text;
    let rows = page.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        (cells[1].trim_matches('`').to_owned(), (cells[2].to_owned(), cells[3].to_owned()))
    });
    let of_page: BTreeMap<_, _> = rows.collect();
    assert!(of_page.len() > 50, "{}", of_page.len());
    assert_eq!(of_page, of_sources);
}

/// The words of a text that look like a fact's number: T and digits.
fn numbers(text: &str) -> BTreeSet<String> {
    let is_number = |word: &&str| {
        word.strip_prefix('T').is_some_and(|digits| {
            !digits.is_empty() && digits.len() < 3 && digits.bytes().all(|b| b.is_ascii_digit())
        })
    };
    text.split(|c: char| !c.is_alphanumeric()).filter(is_number).map(str::to_owned).collect()
}

#[test]
fn every_fact_that_a_comment_cites_is_there() {
    let root = root();
    let facts = read(&root.join("docs/facts/tiny_http.md"));
    let headings: BTreeSet<_> = facts
        .lines()
        .filter(|line| line.starts_with("## T"))
        .flat_map(|line| line.split(['.', ' ']).nth(1).map(str::to_owned))
        .collect();
    assert!(headings.len() >= 20, "{headings:?}");
    let mut cited = BTreeSet::new();
    let sources = ["src", "tests", "examples", "benches"].map(|folder| files(folder, "rs")).concat();
    for path in sources.iter().chain(&files("tests", "py")) {
        if path.ends_with("tests/documents.rs") {
            continue;
        }
        let text = read(path);
        for number in numbers(&text) {
            assert!(headings.contains(&number), "{} cites {number}", shown(path));
            cited.insert(number);
        }
        for (place, _) in text.match_indices("facts/") {
            let rest = &text[place..];
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "/._".contains(c)));
            let file = rest[..end.unwrap_or(rest.len())].trim_end_matches('.');
            assert!(text[..place].ends_with("docs/"), "{}: write docs/{file}", shown(path));
            assert!(root.join("docs").join(file).is_file(), "{} leads to {file}", shown(path));
        }
    }
    assert!(cited.len() > 10, "{cited:?}");
}

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let of_root = ["README.md", "DEPLOYMENT.md", "SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md"]
        .map(str::to_owned);
    let documents = of_root.into_iter().chain(files("docs", "md").into_iter().map(|path| shown(&path)));
    for document in documents.map(|path| Document::read(&path)) {
        for link in document.links().into_iter().filter(|link| !link.starts_with("http")) {
            let (file, place) = document.target(link);
            assert!(root().join(&file).exists(), "{} leads to {file}", document.path);
            if !place.is_empty() {
                let anchors = Document::read(&file).anchors();
                assert!(anchors.contains(place), "{} leads to {link}: {anchors:?}", document.path);
            }
        }
    }
}

#[test]
fn every_test_that_the_documents_on_security_name_is_there() {
    let root = root();
    let mut named = 0;
    let mut file = String::new();
    let documents = ["SECURITY.md", "docs/threats.md"].map(|path| read(&root.join(path))).concat();
    for quoted in documents.split('`').skip(1).step_by(2) {
        let (of, name) = quoted.split_once(".rs: ").unwrap_or((&file, quoted));
        let name = name.trim_end_matches('…');
        let is_name = name.len() > 10 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        if of.is_empty() || !is_name || !name.contains('_') {
            continue;
        }
        file = of.to_owned();
        let tests = read(&root.join(format!("tests/{file}.rs")));
        assert!(tests.contains(&format!("fn {name}")), "{file}.rs has no test {name}…");
        named += 1;
    }
    assert!(named > 20, "{named}");
}

#[test]
fn the_readme_is_at_most_130_lines_of_100_columns() {
    for path in ["README.md", "docs/ru/README.md"] {
        let text = Document::read(path).text;
        assert!(text.lines().count() <= 130, "{path} has {} lines", text.lines().count());
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{path}: {line}");
        }
    }
}
