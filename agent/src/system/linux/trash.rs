//! The bin in the user's home (The FreeDesktop.org Trash specification 1.0).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::system::count as so_many;
use crate::system::linux::places::data_home;

/// Returns how many files and folders lie in the bin.
pub fn count() -> usize {
    folder("files").map_or(0, |files| entries(&files).count())
}

/// Empties the bin. Returns how much lay in it.
///
/// # Errors
/// What to say of it: something is left.
pub fn empty() -> Result<usize, String> {
    let before = count();
    // What is gone needs no description any more, and what is left keeps its own.
    for file in folder("files").iter().flat_map(|files| entries(files)) {
        let _ = remove(&file);
    }
    let files = folder("files");
    for info in folder("info").iter().flat_map(|infos| entries(infos)) {
        let of = info.file_stem().and_then(|name| Some(files.as_ref()?.join(name)));
        if of.is_none_or(|file| file.symlink_metadata().is_err()) {
            let _ = remove(&info);
        }
    }
    for file in folder("expunged").iter().flat_map(|files| entries(files)) {
        let _ = remove(&file);
    }
    if let Some(sizes) = folder("").filter(|_| count() == 0) {
        let _ = fs::remove_file(sizes.join("directorysizes"));
    }
    match count() {
        0 => Ok(before),
        left => {
            let left = so_many(left as u64, ["файл", "файла", "файлов"]);
            Err(format!("Корзина очищена не вся: {left} не удаляется."))
        }
    }
}

/// Returns a folder of the bin, unless it is a link to somewhere else.
fn folder(name: &str) -> Option<PathBuf> {
    let bin = data_home()?.join("Trash");
    let folder = bin.join(name);
    [&bin, &folder].iter().all(|path| path.symlink_metadata().is_ok_and(|found| found.is_dir())).then_some(folder)
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// Removes a file, or a folder with all in it. Links are removed, never followed.
fn remove(path: &Path) -> io::Result<()> {
    match path.symlink_metadata()?.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
}
