//! The programs of this PC: what is in the Start menu, packaged apps, and what the registry knows by name (App Paths).

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use windows::Win32::Storage::EnhancedStorage::PKEY_FileDescription;
use windows::Win32::System::Com::{CLSCTX_INPROC_SERVER, CoCreateInstance, IPersistFile, STGM_READ};
use windows::Win32::System::Registry::{
    HKEY, HKEY_CURRENT_USER, HKEY_LOCAL_MACHINE, KEY_READ, REG_ROUTINE_FLAGS, RRF_RT_REG_SZ, RegEnumKeyExW,
    RegGetValueW, RegOpenKeyExW,
};
use windows::Win32::UI::Shell::{
    BHID_EnumItems, FOLDERID_AppsFolder, FOLDERID_CommonPrograms, FOLDERID_Programs, IEnumShellItems, IShellItem,
    IShellItem2, IShellLinkW, KF_FLAG_DEFAULT, SHCreateItemFromParsingName, SHGetKnownFolderItem, SIGDN,
    SIGDN_NORMALDISPLAY, SIGDN_PARENTRELATIVEPARSING, ShellLink,
};
use windows::core::{Interface, Owned, PCWSTR, PWSTR};

use crate::system::scheme;
use crate::system::windows::com::{taken, within};
use crate::system::windows::folders::known;
use crate::system::windows::launch::execute;
use crate::system::windows::process::{self, package, stem};
use crate::system::windows::wide::{text, wide};

/// How long looking for them may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Files and folders of a Start menu that are looked at.
const MAX_FILES: usize = 2_000;

/// Folders that may lie in each other there.
const MAX_DEPTH: usize = 4;

/// Packaged apps and registered names that are looked at.
const MAX_APPS: u32 = 1_000;

/// Bytes of a file with an address that are read.
const MAX_FILE: u64 = 64 * 1024;

/// Units of a path or of arguments.
const MAX_TEXT: usize = 1024;

/// What opens packaged apps.
const APPS: &str = "shell:AppsFolder\\";

const APP_PATHS: &str = "Software\\Microsoft\\Windows\\CurrentVersion\\App Paths";

/// What the system's own programs are for, by their files or the beginnings of their apps' ids.
const CATEGORIES: [(&str, &[&str]); 7] = [
    ("Calculator", &["calc", "microsoft.windowscalculator"]),
    ("TerminalEmulator", &["cmd"]),
    ("Settings", &["windows.immersivecontrolpanel"]),
    ("Monitor", &["taskmgr"]),
    ("Player", &["wmplayer", "microsoft.zunemusic", "vlc", "mpc-hc64", "mpc-be64", "potplayermini64", "aimp"]),
    ("PackageManager", &["microsoft.windowsstore"]),
    ("RasterGraphics", &["mspaint", "microsoft.paint", "microsoft.mspaint"]),
];

/// What a Start menu has that is no program.
const DOCUMENTS: [&str; 8] = ["chm", "htm", "html", "md", "pdf", "rtf", "txt", "url"];

/// A program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// What opens it.
    pub id: String,
    /// What it is called, as its owner sees it.
    pub name: String,
    /// All that it can be asked for by.
    pub names: Vec<String>,
    /// What kind of program it is: nobody here tells.
    pub kinds: Vec<String>,
    pub categories: Vec<String>,
    /// The package that it is of.
    pub class: Option<String>,
    /// The name of its file, without the extension; none of a packaged app, or when nobody knows.
    file: Option<String>,
    /// Characters of its arguments.
    arguments: usize,
}

impl Program {
    fn new(id: String, name: String, other: Option<String>, file: Option<String>, app: Option<&str>) -> Self {
        let mut names = vec![name.clone()];
        names.extend(other.filter(|other| *other != name));
        let is_so = |own: &&str| match (app, &file) {
            (Some(app), _) => app.to_lowercase().starts_with(own),
            (None, Some(file)) => file.eq_ignore_ascii_case(own),
            (None, None) => false,
        };
        let kinds = CATEGORIES.iter().filter(|(_, own)| own.iter().any(&is_so));
        let categories = kinds.map(|(kind, _)| (*kind).to_owned()).collect();
        Self { id, name, names, categories, class: app.map(|app| package(app).to_owned()), file, ..Self::default() }
    }

    /// Whether it takes the program away.
    fn removes(&self) -> bool {
        let is_so = |name: &String| {
            let name = name.to_lowercase();
            ["unins", "удалить", "удаление", "деинстал"].iter().any(|word| name.starts_with(word))
        };
        self.names.iter().chain(&self.file).any(is_so)
    }
}

/// Starts the program with this id.
///
/// # Errors
/// What to say of it.
pub fn start(id: &str) -> Result<(), String> {
    if !id.starts_with(APPS) && !Path::new(id).exists() {
        return Err("Этой программы уже нет.".into());
    }
    execute(wide(id)).map_err(|failed| failed.told(&stem(id)))
}

/// Returns all programs.
pub fn programs() -> Vec<Program> {
    within(TIMEOUT, || {
        let mut all: Vec<Program> = [FOLDERID_Programs, FOLDERID_CommonPrograms]
            .iter()
            .filter_map(known)
            .flat_map(|menu| {
                let mut links = Vec::new();
                find(&menu, MAX_DEPTH, &mut { MAX_FILES }, &mut links);
                links
            })
            .filter_map(|link| if is_kind(&link, "url") { of_address(&link) } else { of_link(&link) })
            .collect();
        all.extend(apps());
        let files: HashSet<String> =
            all.iter().filter_map(|program| Some(program.file.as_ref()?.to_lowercase())).collect();
        let registered = [HKEY_CURRENT_USER, HKEY_LOCAL_MACHINE].into_iter().flat_map(app_paths);
        all.extend(
            registered.filter(|path| !files.contains(&stem(&path.to_string_lossy()).to_lowercase())).map(of_file),
        );
        all.retain(|program| !program.removes());
        name_by_files(&mut all);
        all
    })
    .unwrap_or_default()
}

/// Returns the program that is this packaged app.
pub fn by_app(app: &str) -> Option<Program> {
    programs().into_iter().find(|program| program.id.strip_prefix(APPS) == Some(app))
}

/// Returns the program that is this file, by the name that the Start menu has for it, if it is there.
pub fn by_file(file: &Path) -> Option<Program> {
    let name = stem(&file.to_string_lossy());
    // With arguments it is something that it opens.
    let is_it = |program: &Program| {
        program.arguments == 0 && program.file.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(&name))
    };
    let found = programs().into_iter().find(is_it);
    found.or_else(|| file.exists().then(|| of_file(file.into())))
}

/// Returns those of the programs that this user runs.
pub fn running(programs: &[Program]) -> Vec<&Program> {
    let mut names = HashSet::new();
    for (process, name) in process::all() {
        names.extend(process.package());
        // It is the desktop, too.
        names.extend(Some(name.to_lowercase()).filter(|name| name != "explorer"));
    }
    let runs = |program: &&Program| match (&program.class, &program.file) {
        (Some(package), _) => names.contains(package),
        (None, Some(file)) => names.contains(&file.to_lowercase()),
        (None, None) => false,
    };
    programs.iter().filter(runs).collect()
}

/// Leaves a file's name to the program with the fewest arguments; others only make use of it, as a browser's sites do.
fn name_by_files(programs: &mut [Program]) {
    let mut shortest: HashMap<String, usize> = HashMap::new();
    for (place, program) in programs.iter().enumerate() {
        let Some(file) = &program.file else { continue };
        let first = shortest.entry(file.to_lowercase()).or_insert(place);
        if program.arguments < programs[*first].arguments {
            *first = place;
        }
    }
    for (place, program) in programs.iter_mut().enumerate() {
        program.file = program.file.take().filter(|file| shortest.get(&file.to_lowercase()) == Some(&place));
        program.names.extend(program.file.clone().filter(|file| !program.names.contains(file)));
    }
}

/// Finds the links of a folder and those below.
fn find(folder: &Path, depth: usize, left: &mut usize, links: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if *left == 0 {
            return;
        }
        *left -= 1;
        let path = entry.path();
        if is_kind(&path, "lnk") || is_kind(&path, "url") {
            links.push(path);
        } else if depth > 1 && path.is_dir() {
            find(&path, depth - 1, left, links);
        }
    }
}

fn is_kind(path: &Path, kind: &str) -> bool {
    path.extension().is_some_and(|own| own.eq_ignore_ascii_case(kind))
}

fn of_link(link: &Path) -> Option<Program> {
    let wide = wide(link);
    let (mut target, mut arguments) = ([0; MAX_TEXT], [0; MAX_TEXT]);
    // SAFETY: COM is there, and the objects don't leave this thread. The buffers tell their size.
    let name = unsafe {
        let reader: IShellLinkW = CoCreateInstance(&ShellLink, None, CLSCTX_INPROC_SERVER).ok()?;
        reader.cast::<IPersistFile>().ok()?.Load(&wide, STGM_READ).ok()?;
        // Of what is no file there is none.
        let _ = reader.GetPath(&mut target, std::ptr::null_mut(), 0);
        let _ = reader.GetArguments(&mut arguments);
        // As the desktop shows it, in the user's language.
        SHCreateItemFromParsingName::<_, _, IShellItem>(&wide, None)
            .ok()
            .and_then(|item| shown(&item, SIGDN_NORMALDISPLAY))
    };
    let (target, own) = (PathBuf::from(text(&target)), stem(&link.to_string_lossy()));
    let kind = target.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if DOCUMENTS.contains(&&*kind) {
        return None;
    }
    let name = name.map(|name| name.trim_end_matches(".lnk").to_owned()).unwrap_or_else(|| own.clone());
    // The desktop's own window for files has no file there.
    let target = if own == "File Explorer" { "explorer".into() } else { stem(&target.to_string_lossy()) };
    let file = Some(target).filter(|file| !file.is_empty());
    let program = Program::new(link.to_string_lossy().into_owned(), name, Some(own), file, None);
    Some(Program { arguments: text(&arguments).chars().count(), ..program })
}

/// Returns what an address starts, as those of games do; sites are no programs.
fn of_address(link: &Path) -> Option<Program> {
    let mut text = Vec::new();
    fs::File::open(link).ok()?.take(MAX_FILE).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    let address = text.lines().find_map(|line| line.trim().strip_prefix("URL="))?;
    scheme(address).filter(|scheme| !["http", "https", "file"].contains(scheme))?;
    let link = link.to_string_lossy();
    Some(Program::new(link.to_string(), stem(&link), None, None, None))
}

fn of_file(file: PathBuf) -> Program {
    let own = stem(&file.to_string_lossy());
    let name = description(&file).unwrap_or_else(|| own.clone());
    Program::new(file.to_string_lossy().into_owned(), name, Some(own.clone()), Some(own), None)
}

/// Returns what a program's file says that it is.
fn description(file: &Path) -> Option<String> {
    let file = wide(file);
    let found = within(TIMEOUT, move || {
        // SAFETY: COM is there, and the objects don't leave this thread.
        unsafe {
            let item: IShellItem2 = SHCreateItemFromParsingName(&file, None).ok()?;
            item.GetString(&PKEY_FileDescription).ok().map(taken)
        }
    });
    found.flatten().filter(|name| !name.trim().is_empty())
}

/// Returns the packaged apps. The folder that has them has the Start menu's links, too.
fn apps() -> Vec<Program> {
    // SAFETY: COM is there, and the objects don't leave this thread.
    let items = unsafe {
        let folder = SHGetKnownFolderItem::<IShellItem>(&FOLDERID_AppsFolder, KF_FLAG_DEFAULT, None);
        folder.and_then(|folder| folder.BindToHandler::<_, IEnumShellItems>(None, &BHID_EnumItems))
    };
    let next = || {
        let mut item = [None];
        // SAFETY: the list lives through the call.
        unsafe { items.as_ref().ok()?.Next(&mut item, None) }.ok()?;
        let [item] = item;
        item
    };
    let of = |item: IShellItem| {
        let app = shown(&item, SIGDN_PARENTRELATIVEPARSING).filter(|app| app.contains('!'))?;
        Some(Program::new(format!("{APPS}{app}"), shown(&item, SIGDN_NORMALDISPLAY)?, None, None, Some(&app)))
    };
    std::iter::from_fn(next).take(MAX_APPS as usize).filter_map(of).collect()
}

fn shown(item: &IShellItem, how: SIGDN) -> Option<String> {
    // SAFETY: COM is there.
    unsafe { item.GetDisplayName(how) }.ok().map(taken)
}

/// Returns the files that the registry knows by name.
fn app_paths(root: HKEY) -> Vec<PathBuf> {
    let mut key = HKEY::default();
    // SAFETY: the key lives through the call, and is nobody else's.
    let key = unsafe {
        if RegOpenKeyExW(root, &wide(APP_PATHS), None, KEY_READ, &mut key).is_err() {
            return Vec::new();
        }
        Owned::new(key)
    };
    let file = |at| {
        let (mut name, mut size) = ([0; MAX_TEXT], MAX_TEXT as u32);
        let (put, mut bytes) = (&mut [0_u16; MAX_TEXT], (MAX_TEXT * 2) as u32);
        // SAFETY: the sizes are those of the buffers.
        let value = unsafe {
            let name = PWSTR(name.as_mut_ptr());
            RegEnumKeyExW(*key, at, Some(name), &mut size, None, None, None, None).ok().ok()?;
            let (name, flags) = (PCWSTR(name.0), REG_ROUTINE_FLAGS(RRF_RT_REG_SZ.0));
            RegGetValueW(*key, name, None, flags, None, Some(put.as_mut_ptr().cast()), Some(&mut bytes))
        };
        Some(value.is_ok().then(|| PathBuf::from(text(put).trim_matches('"'))))
    };
    (0..MAX_APPS).map_while(file).flatten().filter(|file| file.is_file()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, file: Option<&str>, app: Option<&str>) -> Program {
        Program::new("id".into(), name.into(), None, file.map(str::to_owned), app)
    }

    #[test]
    fn the_systems_own_programs_are_known_by_what_they_are_for() {
        assert_eq!(named("Диспетчер задач", Some("Taskmgr"), None).categories, ["Monitor"]);
        let app = named("Калькулятор", None, Some("Microsoft.WindowsCalculator_8wekyb3d8bbwe!App"));
        assert_eq!(app.categories, ["Calculator"]);
        assert_eq!(app.class.as_deref(), Some("Microsoft.WindowsCalculator_8wekyb3d8bbwe"));
        assert!(named("Calc", Some("calcium"), None).categories.is_empty());
    }

    #[test]
    fn a_file_is_the_name_of_the_plainest() {
        let site = Program { arguments: 20, ..named("Почта", Some("Browser"), None) };
        let mut all = [site, named("Браузер", Some("browser"), None)];
        name_by_files(&mut all);
        assert_eq!((all[0].names.len(), &*all[1].names), (1, &["Браузер".to_owned(), "browser".to_owned()][..]));
    }

    #[test]
    fn what_takes_a_program_away_is_no_program() {
        for (name, file) in [("Удалить Игру", "x"), ("Uninstall", "x"), ("Игра", "unins000")] {
            assert!(named(name, Some(file), None).removes(), "{name}");
        }
        assert!(!named("Игра", Some("game"), None).removes());
    }
}
