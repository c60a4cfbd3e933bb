//! The programs of this PC, by their desktop files (Desktop Entry Specification 1.5).

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::system::linux::exec::{self, Codes};
use crate::system::linux::places::{data_folders, home};
use crate::system::linux::{detached, keyfile};

/// Files and folders of a folder with desktop files that are looked at, with all that is below it.
const MAX_FILES: usize = 2_000;

/// Folders that may lie in each other there.
const MAX_DEPTH: usize = 4;

/// Bytes of a desktop file that are read.
const MAX_FILE: u64 = 64 * 1024;

/// Processes that are looked at.
const MAX_PROCESSES: usize = 10_000;

/// A program, as its desktop file tells of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// Its desktop file's, without `.desktop`.
    pub id: String,
    /// What it is called, in Russian where the file knows that.
    pub name: String,
    /// All that it can be asked for by.
    pub names: Vec<String>,
    /// What kind of program it is, which it can be asked for by as a whole.
    pub kinds: Vec<String>,
    pub categories: Vec<String>,
    /// The class of its windows.
    pub class: Option<String>,
    /// The types of what it opens.
    pub types: Vec<String>,
    /// The file name of what it runs.
    command: Option<String>,
    exec: String,
    icon: Option<String>,
    file: PathBuf,
    /// Where it runs, if not in the home.
    folder: Option<PathBuf>,
    is_terminal: bool,
    /// What a terminal takes before the command that it is to run.
    terminal_option: Option<String>,
    /// Whether menus show it.
    is_shown: bool,
}

impl Program {
    /// Reads a desktop file; none when it is about no program. `desktops` are the names of the one that runs.
    fn parse(id: &str, file: PathBuf, text: &str, desktops: &[String]) -> Option<Self> {
        let keys = keyfile::group(text, "Desktop Entry");
        let get = |key: &str| keys.get(key).map(|value| keyfile::text(value)).filter(|value| !value.is_empty());
        let is = |key| keys.get(key) == Some(&"true");
        if keys.get("Type") != Some(&"Application") || is("Hidden") {
            return None;
        }
        let (name, exec) = (get("Name")?, get("Exec")?);
        let words = exec::words(&exec)?;
        let present = get("TryExec").into_iter().chain(words.first().map(|word| word.text.clone()));
        if words.is_empty() || !present.into_iter().all(|program| is_program(&program)) {
            return None;
        }
        let russian = |key: &str| get(&format!("{key}[ru]")).or_else(|| get(&format!("{key}[ru_RU]")));
        let own = |key| keyfile::list(keys.get(key)).any(|name| desktops.iter().any(|desktop| desktop == name));
        let command = exec::program(words.iter().map(|word| &*word.text)).map(str::to_owned);
        let last = id.rsplit('.').next().map(str::to_owned);
        let all = [russian("Name"), Some(name.clone()), last];
        let mut names: Vec<String> = Vec::new();
        for name in all.into_iter().flatten() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Some(Self {
            id: id.to_owned(),
            name: russian("Name").unwrap_or(name),
            names,
            kinds: [russian("GenericName"), get("GenericName")].into_iter().flatten().collect(),
            command,
            categories: keyfile::list(keys.get("Categories")).map(str::to_owned).collect(),
            class: get("StartupWMClass"),
            types: keyfile::list(keys.get("MimeType")).map(str::to_owned).collect(),
            exec,
            icon: get("Icon"),
            file,
            folder: get("Path").map(PathBuf::from).filter(|folder| folder.is_absolute()),
            is_terminal: is("Terminal"),
            terminal_option: get("X-TerminalArgExec"),
            is_shown: !is("NoDisplay") && (!keys.contains_key("OnlyShowIn") || own("OnlyShowIn")) && !own("NotShowIn"),
        })
    }

    /// Starts it, to open this path or address or by itself.
    ///
    /// # Errors
    /// What to say of it.
    pub fn start(&self, opened: Option<&OsStr>) -> Result<(), String> {
        if !["WAYLAND_DISPLAY", "DISPLAY"].into_iter().any(|screen| std::env::var_os(screen).is_some()) {
            return Err("Здесь нет экрана для программ: агент запущен без рабочего стола.".into());
        }
        let refused = || format!("{} не запускается.", self.name);
        let mut arguments = self.terminal()?;
        arguments.extend(self.arguments(opened).ok_or_else(refused)?);
        let folder = self.folder.clone().filter(|folder| folder.is_dir()).or_else(home);
        match detached::start(&arguments, folder.as_deref().unwrap_or(Path::new("/"))) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(refused()),
        }
    }

    fn arguments(&self, opened: Option<&OsStr>) -> Option<Vec<OsString>> {
        let codes = Codes { icon: self.icon.as_deref(), name: &self.name, file: &self.file };
        exec::arguments(&self.exec, opened, codes)
    }

    /// Returns what stands before its own arguments when it runs in a terminal.
    fn terminal(&self) -> Result<Vec<OsString>, String> {
        const ANY: &str = "x-terminal-emulator";
        if !self.is_terminal {
            return Ok(Vec::new());
        }
        if is_program(ANY) {
            return Ok(vec![ANY.into(), "-e".into()]);
        }
        let is_one = |program: &Program| program.categories.iter().any(|category| category == "TerminalEmulator");
        let terminal = programs().into_iter().find(|program| is_one(program) && !program.is_terminal);
        let arguments = terminal.and_then(|terminal| {
            let mut arguments = terminal.arguments(None)?;
            arguments.push(terminal.terminal_option.unwrap_or_else(|| "-e".into()).into());
            Some(arguments)
        });
        arguments.ok_or_else(|| format!("{}: для этой программы установите терминал.", self.name))
    }
}

/// Starts the program with this id.
///
/// # Errors
/// What to say of it.
pub fn start(id: &str) -> Result<(), String> {
    let program = programs().into_iter().find(|program| program.id == id);
    program.ok_or("Этой программы уже нет.")?.start(None)
}

/// Returns the programs that a menu would show.
pub fn programs() -> Vec<Program> {
    all().into_iter().filter(|program| program.is_shown).collect()
}

/// Returns every program, also those that only open something. Of those with the same id the first folder's counts.
pub fn all() -> Vec<Program> {
    let desktops = desktops();
    let mut ids = HashSet::new();
    let mut programs = Vec::new();
    for folder in data_folders() {
        let mut files = Vec::new();
        find(&folder.join("applications"), "", MAX_DEPTH, &mut { MAX_FILES }, &mut files);
        files.sort();
        for (id, file) in files {
            if ids.insert(id.clone()) {
                let text = keyfile::read(&file, MAX_FILE);
                programs.extend(text.and_then(|text| Program::parse(&id, file, &text, &desktops)));
            }
        }
    }
    let length = |program: &Program| program.exec.split(' ').filter(|word| !word.starts_with('%')).count();
    let mut shortest: HashMap<String, usize> = HashMap::new();
    for (place, program) in programs.iter().enumerate() {
        let Some(command) = &program.command else { continue };
        let first = shortest.entry(command.clone()).or_insert(place);
        if length(program) < length(&programs[*first]) {
            *first = place;
        }
    }
    // A command is the name of the program with the plainest line; others only make use of it, as shortcuts to games do.
    for (place, program) in programs.iter_mut().enumerate() {
        program.command = program.command.take().filter(|command| shortest.get(command) == Some(&place));
        program.names.extend(program.command.clone());
    }
    programs
}

/// Returns the names of the desktop that runs.
pub fn desktops() -> Vec<String> {
    let names = std::env::var("XDG_CURRENT_DESKTOP").unwrap_or_default();
    names.split(':').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Finds the desktop files of a folder and those below, each with its id.
fn find(folder: &Path, prefix: &str, depth: usize, left: &mut usize, files: &mut Vec<(String, PathBuf)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if *left == 0 {
            return;
        }
        *left -= 1;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if let Some(id) = name.strip_suffix(".desktop") {
            files.push((format!("{prefix}{id}"), entry.path()));
        } else if depth > 1 && entry.path().is_dir() {
            find(&entry.path(), &format!("{prefix}{name}-"), depth - 1, left, files);
        }
    }
}

/// Whether there is a program of this name or path.
fn is_program(program: &str) -> bool {
    let is_one = |path: &Path| {
        path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return is_one(Path::new(program));
    }
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|folder| is_one(&folder.join(program)))
}

/// Returns those of the programs that this user runs. Of several by the same command, as a browser and the sites that
/// are installed by it, it is the one with the shortest line.
pub fn running(programs: &[Program]) -> Vec<&Program> {
    let names = processes();
    programs.iter().filter(|program| program.command.as_ref().is_some_and(|command| names.contains(command))).collect()
}

/// Returns the file names of all that this user runs: of programs, and of scripts.
fn processes() -> HashSet<String> {
    let user = rustix::process::geteuid().as_raw();
    let mut names = HashSet::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten().take(MAX_PROCESSES) {
        if process.metadata().map_or(true, |metadata| metadata.uid() != user) {
            continue;
        }
        let file = process.path().join("exe");
        let file = fs::read_link(file).map(|file| file.to_string_lossy().into_owned()).unwrap_or_default();
        let file = exec::file_name(file.trim_end_matches(" (deleted)"));
        if !exec::is_interpreter(file) {
            names.insert(file.to_owned());
        }
        let line = keyfile::read(&process.path().join("cmdline"), MAX_FILE).unwrap_or_default();
        names.extend(exec::program(line.split_terminator('\0')).map(str::to_owned));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(keys: &str) -> Option<Program> {
        let text = format!("[Desktop Entry]\nType=Application\nName=Text Editor\n{keys}");
        Program::parse("org.x.Editor", "/x.desktop".into(), &text, &["KDE".to_owned()])
    }

    #[test]
    fn a_program_has_its_russian_name_and_all_the_others() {
        let file = "Exec=/bin/sh %U\nName[ru]=Редактор\nGenericName=Text Editor\nGenericName[ru]=Правка текста\n\
                    MimeType=text/plain;a/b;\nStartupWMClass=Edit\nTerminal=true\n";
        let program = parse(file).unwrap();
        assert_eq!(program.name, "Редактор");
        assert_eq!(program.names, ["Редактор", "Text Editor", "Editor"]);
        assert_eq!((program.kinds.len(), program.command.as_deref()), (2, Some("sh")));
        assert_eq!((program.types.len(), program.class.as_deref(), program.is_terminal), (2, Some("Edit"), true));
        assert_eq!(parse("Exec=sh\n").unwrap().name, "Text Editor");
    }

    #[test]
    fn what_cannot_be_run_or_shown_is_left_out() {
        for none in [
            "",
            "Exec=no-such-program\n",
            "Exec=sh\nTryExec=/no/such\n",
            "Exec=sh\nHidden=true\n",
            "Exec=\"sh\n",
            "Exec=sh\nType=Link\n",
        ] {
            assert_eq!(parse(none), None, "{none}");
        }
        for (keys, is_shown) in [
            ("", true),
            ("NoDisplay=true\n", false),
            ("OnlyShowIn=GNOME;\n", false),
            ("OnlyShowIn=GNOME;KDE;\n", true),
            ("NotShowIn=KDE;\n", false),
            ("NotShowIn=GNOME;\n", true),
        ] {
            assert_eq!(parse(&format!("Exec=sh\n{keys}")).unwrap().is_shown, is_shown, "{keys}");
        }
    }
}
