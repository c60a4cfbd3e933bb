//! Opening a site, a file or a folder by the program that its owner chose for it (Association between MIME types and
//! applications 1.0.1).

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::system::linux::places::{config_folders, data_folders, home};
use crate::system::linux::programs::{self, Program};
use crate::system::linux::{keyfile, mime};
use crate::system::scheme;

/// Bytes of a file of associations that are read.
const MAX_FILE: u64 = 1024 * 1024;

/// Opens what an own command names: an address with its scheme, or a path, from `~` or else from `folder` on.
///
/// # Errors
/// What to say of it.
pub fn open(what: &str, folder: &Path) -> Result<(), String> {
    let Some(scheme) = scheme(what) else {
        return open_path(&path(what, folder))
            .map_err(|problem| problem.unwrap_or(format!("Нет такого файла: {what}.")));
    };
    let scheme = scheme.to_ascii_lowercase();
    let program = default_program(&format!("x-scheme-handler/{scheme}")).ok_or_else(|| match &*scheme {
        "http" | "https" => "Открыть нечем: установите браузер.".to_owned(),
        _ => format!("Открыть нечем: нет программы для адресов {scheme}."),
    })?;
    program.start(Some(OsStr::new(what)))
}

/// Opens a file or a folder.
///
/// # Errors
/// What to say of it; none when it isn't there.
pub fn open_path(path: &Path) -> Result<(), Option<String>> {
    if !path.exists() {
        return Err(None);
    }
    let mime = mime::of(path);
    let program = default_program(&mime).ok_or_else(|| match &*mime {
        mime::FOLDER => "Открыть нечем: установите файловый менеджер.".to_owned(),
        _ => format!("Открыть нечем: для файлов {mime} нет программы."),
    })?;
    Ok(program.start(Some(path.as_os_str()))?)
}

/// Returns the program that opens what is of this type, or of one that it is of.
pub fn default_program(mime: &str) -> Option<Program> {
    let mut programs = programs::all();
    let files = associations();
    let types = [mime.to_owned()].into_iter().chain(mime::parents(mime));
    let mut found = types.flat_map(|mime| {
        let able = programs.iter().filter(|program| program.types.contains(&mime)).map(|program| &*program.id);
        candidates(&mime, &files, able)
    });
    let place = found.find_map(|id| programs.iter().position(|program| program.id == id))?;
    drop(found);
    Some(programs.swap_remove(place))
}

/// A file that associates programs with types.
struct Associations {
    text: String,
    /// A desktop's own file tells only which program is the default one.
    is_of_desktop: bool,
}

/// Returns the files that associate, the one that counts most first. The desktop's cache of what programs say of
/// themselves counts as a file.
fn associations() -> Vec<Associations> {
    let desktops = programs::desktops();
    let settings = config_folders();
    let data = data_folders().into_iter().map(|folder| folder.join("applications"));
    let mut files = Vec::new();
    for folder in settings.into_iter().chain(data) {
        let own = desktops.iter().map(|desktop| format!("{}-mimeapps.list", desktop.to_ascii_lowercase()));
        for name in own.chain(["mimeapps.list", "mimeinfo.cache"].map(String::from)) {
            let text = keyfile::read(&folder.join(&name), MAX_FILE);
            let is_of_desktop = name.ends_with("-mimeapps.list");
            files.extend(text.map(|text| Associations { text, is_of_desktop }));
        }
    }
    files
}

/// Returns the ids of the programs for a type, in the order in which they count. `able` say of themselves that they can.
fn candidates<'a>(mime: &str, files: &[Associations], able: impl Iterator<Item = &'a str>) -> Vec<String> {
    let (mut defaults, mut others, mut removed) = (Vec::new(), Vec::new(), Vec::new());
    for Associations { text, is_of_desktop } in files {
        let ids = |group: &str| {
            let keys = keyfile::group(text, group);
            keyfile::list(keys.get(mime)).filter_map(|id| Some(id.strip_suffix(".desktop")?.to_owned())).collect()
        };
        defaults.extend::<Vec<String>>(ids("Default Applications"));
        if !is_of_desktop {
            let added: Vec<String> = ["Added Associations", "MIME Cache"].into_iter().flat_map(ids).collect();
            others.extend(added.into_iter().filter(|id| !removed.contains(id)));
            removed.extend(ids("Removed Associations"));
        }
    }
    others.extend(able.map(str::to_owned).filter(|id| !removed.contains(id)));
    defaults.extend(others);
    defaults
}

fn path(what: &str, folder: &Path) -> PathBuf {
    match what.strip_prefix("~/").zip(home()) {
        Some((rest, home)) => home.join(rest),
        None => folder.join(what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_from_its_folder() {
        assert_eq!(path("a.mp3", Path::new("/x")), Path::new("/x/a.mp3"));
        assert_eq!(path("/a.mp3", Path::new("/x")), Path::new("/a.mp3"));
    }

    #[test]
    fn a_file_that_is_not_there_is_said() {
        assert_eq!(open("нет.mp3", Path::new("/")).unwrap_err(), "Нет такого файла: нет.mp3.");
    }

    #[test]
    fn what_the_owner_chose_counts_first_and_what_was_taken_away_not_at_all() {
        let file = |is_of_desktop, text: &str| Associations { text: text.into(), is_of_desktop };
        let files = [
            file(true, "[Default Applications]\na/b=kde.desktop\n[Added Associations]\na/b=no.desktop"),
            file(false, "[Added Associations]\na/b=added.desktop;odd\n[Removed Associations]\na/b=off.desktop;\n"),
            file(false, "[Default Applications]\na/b=user.desktop;user2.desktop;\n"),
            file(false, "[MIME Cache]\na/b=off.desktop;cached.desktop;\nc/d=other.desktop;"),
        ];
        let found = candidates("a/b", &files, ["off", "able"].into_iter());
        assert_eq!(found, ["kde", "user", "user2", "added", "cached", "able"]);
        assert!(candidates("x/y", &files, [].into_iter()).is_empty());
    }
}
