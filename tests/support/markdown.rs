//! The project's documents, taken apart: headings, links, fences and tables.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A document, by its path below the project's root.
pub struct Document {
    pub path: String,
    pub text: String,
}

/// A code block: what stands behind its opening fence, the mark in the line before it, and its lines.
#[derive(Debug, PartialEq, Eq)]
pub struct Fence {
    pub language: String,
    pub mark: Option<String>,
    pub lines: Vec<String>,
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

impl Document {
    pub fn read(path: &str) -> Self {
        let text = std::fs::read_to_string(root().join(path))
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { path: path.to_owned(), text }
    }

    /// The lines outside of code blocks.
    pub fn prose(&self) -> impl Iterator<Item = &str> {
        let mut inside = false;
        self.text.lines().filter(move |line| {
            let is_fence = line.trim_start().starts_with("```");
            inside ^= is_fence;
            !inside && !is_fence
        })
    }

    /// The levels and texts of the headings.
    pub fn headings(&self) -> Vec<(usize, &str)> {
        let heading = |line: &'_ str| line.split_once(' ').map(|(marks, _)| marks.len());
        self.prose()
            .filter(|line| line.starts_with('#'))
            .filter_map(|line| Some((heading(line)?, line.trim_start_matches('#').trim())))
            .collect()
    }

    /// Where links may lead within the document, as GitHub names its headings.
    pub fn anchors(&self) -> BTreeSet<String> {
        let anchor = |heading: &str| -> String {
            let kept = heading.to_lowercase();
            let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        };
        self.headings().into_iter().map(|(_, heading)| anchor(heading)).collect()
    }

    /// The targets of links and pictures, in their order.
    pub fn links(&self) -> Vec<&str> {
        self.prose()
            .flat_map(|line| line.split("](").skip(1))
            .filter_map(|rest| rest.split(')').next())
            .collect()
    }

    /// The file that a link leads to, below the root, and the place in it.
    pub fn target<'a>(&self, link: &'a str) -> (String, &'a str) {
        let (file, place) = link.split_once('#').unwrap_or((link, ""));
        if file.is_empty() {
            return (self.path.clone(), place);
        }
        let mut path: Vec<&str> = self.path.split('/').collect();
        path.pop();
        for part in file.split('/') {
            match part {
                ".." => drop(path.pop()),
                part => path.push(part),
            }
        }
        (path.join("/"), place)
    }

    pub fn fences(&self) -> Vec<Fence> {
        let mut fences: Vec<Fence> = Vec::new();
        let mut before = "";
        let mut inside = false;
        for line in self.text.lines().map(str::trim_end) {
            if let Some(language) = line.trim_start().strip_prefix("```") {
                inside = !inside;
                // What has more behind it ends no block.
                assert!(language.chars().all(char::is_alphanumeric), "{}: {line}", self.path);
                if inside {
                    let mark =
                        before.trim().strip_prefix("<!-- ").and_then(|mark| mark.strip_suffix(" -->"));
                    fences.push(Fence {
                        language: language.into(),
                        mark: mark.map(str::to_owned),
                        lines: vec![],
                    });
                }
            } else if inside {
                fences.last_mut().expect("the open one").lines.push(line.into());
            }
            before = line;
        }
        assert!(!inside, "{}: a code block does not end", self.path);
        fences
    }

    /// The rows of the tables, each by its cells, without the lines under the headings.
    pub fn rows(&self) -> Vec<Vec<&str>> {
        let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| ---");
        let lines = self.prose().map(str::trim).filter(is_row);
        lines.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
    }
}

/// What stands between backticks.
pub fn code(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}
