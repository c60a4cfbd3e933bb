//! The types of files (Shared MIME-info Database 0.21), by their names, as the desktop knows them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::system::linux::keyfile;
use crate::system::linux::places::data_folders;

/// The type of folders.
pub const FOLDER: &str = "inode/directory";

/// Bytes of a file of the database that are read.
const MAX_FILE: u64 = 1024 * 1024;

/// Bytes at the beginning of a file that tell a text from anything else.
const BEGINNING: u64 = 512;

/// Returns the type of a file or a folder.
pub fn of(path: &Path) -> String {
    if path.is_dir() {
        return FOLDER.into();
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    by_name(&name, &database("globs2")).unwrap_or_else(|| if is_text(path) { "text/plain" } else { OTHER }.into())
}

const OTHER: &str = "application/octet-stream";

/// Returns the types that a type is one of.
pub fn parents(mime: &str) -> Vec<String> {
    let files = database("subclasses");
    let lines = files.iter().flat_map(|file| file.lines()).filter_map(|line| line.split_once(' '));
    let own = lines.filter(|(of, _)| *of == mime).map(|(_, parent)| parent.to_owned());
    own.chain((mime.starts_with("text/")).then(|| "text/plain".into())).collect()
}

fn database(file: &str) -> Vec<String> {
    let path = Path::new("mime").join(file);
    data_folders().iter().filter_map(|folder| keyfile::read(&folder.join(&path), MAX_FILE)).collect()
}

/// Returns the type whose pattern fits best: by its weight, and then by its length. Patterns are whole names, or ends of
/// names behind `*`; of the others, which are few, none is about a file that people open.
fn by_name(name: &str, globs: &[String]) -> Option<String> {
    let lower = name.to_lowercase();
    let fits = |pattern: &str| match pattern.strip_prefix('*') {
        Some(end) => name.ends_with(end) || lower.ends_with(end),
        None => name == pattern || lower == pattern,
    };
    let mut best: Option<((u32, usize), &str)> = None;
    for line in globs.iter().flat_map(|file| file.lines()) {
        let mut parts = line.splitn(4, ':');
        let (Some(weight), Some(mime), Some(pattern)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let Ok(weight) = weight.parse() else { continue };
        let rank = (weight, pattern.len());
        if fits(pattern) && best.is_none_or(|(first, _)| first < rank) {
            best = Some((rank, mime));
        }
    }
    best.map(|(_, mime)| mime.to_owned())
}

fn is_text(path: &Path) -> bool {
    let mut beginning = Vec::new();
    let is_read =
        path.is_file() && File::open(path).is_ok_and(|file| file.take(BEGINNING).read_to_end(&mut beginning).is_ok());
    // A letter may be cut off at the end.
    let is_utf8 = std::str::from_utf8(&beginning).map_or_else(|error| error.error_len().is_none(), |_| true);
    is_read && is_utf8 && !beginning.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_that_fits_best_counts() {
        let globs = ["# x\n80:text/html:*.html\n50:application/gzip:*.gz\n50:application/x-compressed-tar:*.tar.gz\n\
                      50:text/x-makefile:makefile\n50:text/x-c++src:*.C:cs\n50:text/x-csrc:*.c:cs\n60:text/x-w:*.gz2\n40:text/x-l:*gz2\n"
            .to_owned()];
        for (name, mime) in [
            ("Фильм.HTML", Some("text/html")),
            ("a.tar.gz", Some("application/x-compressed-tar")),
            ("b.gz", Some("application/gzip")),
            ("Makefile", Some("text/x-makefile")),
            ("a.C", Some("text/x-c++src")),
            ("a.c", Some("text/x-csrc")),
            ("x.gz2", Some("text/x-w")),
            ("html", None),
            ("x.html2", None),
        ] {
            assert_eq!(by_name(name, &globs).as_deref(), mime, "{name}");
        }
    }

    #[test]
    fn what_no_pattern_fits_is_a_text_or_not() {
        assert_eq!(of(Path::new("/")), FOLDER);
        assert!(is_text(Path::new("/etc/passwd")));
        assert!(!is_text(&std::env::current_exe().unwrap()) && !is_text(Path::new("/dev/zero")));
    }
}
