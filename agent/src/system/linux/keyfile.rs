//! Files of keys in groups, as desktops write them (Desktop Entry Specification 1.5, "Basic format of the file").

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Returns the first `most` bytes of a file as text; none when it is no file, or can't be read.
pub fn read(path: &Path, most: u64) -> Option<String> {
    // Of what is no file the opening may wait for ever.
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    let mut content = Vec::new();
    File::open(path).ok()?.take(most).read_to_end(&mut content).ok()?;
    Some(String::from_utf8_lossy(&content).into_owned())
}

/// Returns the keys of a group, as they are written.
pub fn group<'a>(text: &'a str, name: &str) -> HashMap<&'a str, &'a str> {
    let mut is_in = false;
    let mut keys = HashMap::new();
    for line in text.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            is_in = header == name;
        } else if let Some((key, value)) = line.split_once('=').filter(|_| is_in && !line.starts_with('#')) {
            keys.insert(key.trim_end(), value.trim_start());
        }
    }
    keys
}

/// Returns a value that is a text.
pub fn text(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(char) = chars.next() {
        match (char, if char == '\\' { chars.next() } else { None }) {
            ('\\', Some('s')) => text.push(' '),
            ('\\', Some('n')) => text.push('\n'),
            ('\\', Some('t')) => text.push('\t'),
            ('\\', Some('r')) => text.push('\r'),
            ('\\', Some('\\')) => text.push('\\'),
            (char, next) => text.extend([Some(char), next].into_iter().flatten()),
        }
    }
    text
}

/// Returns a value that is a list of words.
pub fn list<'a>(value: Option<&&'a str>) -> impl Iterator<Item = &'a str> {
    value.copied().unwrap_or_default().split(';').map(str::trim).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_keys_of_the_group_are_read() {
        let file =
            "# x\nName=0\n[Desktop Entry]\n#Name=1\n Name[ru] = Почта \nExec=a --b=c\r\n[Desktop Action New]\nExec=d\n";
        let keys = group(file, "Desktop Entry");
        assert_eq!((keys.len(), keys["Name[ru]"], keys["Exec"]), (2, "Почта", "a --b=c"));
        assert_eq!(text(r"a\sb\\n\;\"), r"a b\n\;\");
        assert_eq!(list(Some(&"a; b;;")).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn what_is_no_file_is_not_read() {
        assert_eq!(read(Path::new("/"), 9), None);
        assert_eq!(read(Path::new("/proc/self/stat/none"), 9), None);
    }
}
