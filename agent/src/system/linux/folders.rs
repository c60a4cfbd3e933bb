//! The user's folders (xdg-user-dirs 0.18, user-dirs.dirs(5)).

use std::path::{Path, PathBuf};

use crate::action::Folder;
use crate::system::linux::keyfile;
use crate::system::linux::places::{config_home, data_home, home};

/// Bytes of the file of folders that are read.
const MAX_FILE: u64 = 64 * 1024;

/// Returns where a folder is, if it is there.
pub fn path(folder: Folder) -> Option<PathBuf> {
    let (key, defaults) = match folder {
        Folder::Home => return home(),
        Folder::Bin => return Some(data_home()?.join("Trash/files")).filter(|path| path.is_dir()),
        Folder::Desktop => ("DESKTOP", ["Рабочий стол", "Desktop"]),
        Folder::Downloads => ("DOWNLOAD", ["Загрузки", "Downloads"]),
        Folder::Documents => ("DOCUMENTS", ["Документы", "Documents"]),
        Folder::Music => ("MUSIC", ["Музыка", "Music"]),
        Folder::Pictures => ("PICTURES", ["Изображения", "Pictures"]),
        Folder::Videos => ("VIDEOS", ["Видео", "Videos"]),
    };
    let home = home()?;
    let file = config_home().and_then(|config| keyfile::read(&config.join("user-dirs.dirs"), MAX_FILE));
    let set = file.and_then(|file| named(&file, key, &home));
    set.into_iter().chain(defaults.map(|name| home.join(name))).find(|path| path.is_dir())
}

/// Returns what the file says of a folder. One that is the home itself is switched off.
fn named(file: &str, key: &str, home: &Path) -> Option<PathBuf> {
    let key = format!("XDG_{key}_DIR=\"");
    let value = file.lines().rev().find_map(|line| line.trim().strip_prefix(&*key)?.strip_suffix('"'))?;
    let value = value.replace("\\\"", "\"").replace("\\\\", "\\");
    let path = match value.strip_prefix("$HOME") {
        Some(rest) => home.join(rest.trim_start_matches('/')),
        None => PathBuf::from(value),
    };
    (path.is_absolute() && path != home).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_where_the_file_says() {
        let file = "# x\nXDG_DESKTOP_DIR=\"$HOME/Рабочий стол\"\n  XDG_DOWNLOAD_DIR=\"/data/a \\\"b\\\"/\"\n\
                    XDG_MUSIC_DIR=\"$HOME/\"\nXDG_VIDEOS_DIR=\"x\"\n#XDG_PICTURES_DIR=\"/y\"\nXDG_DOCUMENTS_DIR=/z\n";
        let named = |key| named(file, key, Path::new("/home/я"));
        assert_eq!(named("DESKTOP"), Some("/home/я/Рабочий стол".into()));
        assert_eq!(named("DOWNLOAD"), Some("/data/a \"b\"".into()));
        for none in ["MUSIC", "VIDEOS", "PICTURES", "DOCUMENTS", "TEMPLATES"] {
            assert_eq!(named(none), None, "{none}");
        }
    }
}
