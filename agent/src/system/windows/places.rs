//! Where the agent's files are: in one folder of the user's own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The program that has a console, and its twin that has none, as they are installed.
const PROGRAMS: [&str; 2] = ["home-alice-agent.exe", "home-alice-agentw.exe"];

/// How long a file that can't be removed is waited for, three times.
const MOMENT: Duration = Duration::from_millis(100);

/// The agent's files.
#[derive(Debug, Clone)]
pub struct Places {
    /// The config. Own programs run in its folder.
    pub config: PathBuf,
    pub status: PathBuf,
    /// Held while the agent runs.
    pub lock: PathBuf,
    pub log: PathBuf,
    /// What was in the log before it began anew.
    pub old_log: PathBuf,
    /// The program, once it is installed.
    pub program: PathBuf,
    /// Its twin without a console, which starts with Windows.
    pub windowless: PathBuf,
}

impl Places {
    /// Returns those of the user; none without a profile.
    pub fn of_user() -> Option<Self> {
        let local = std::env::var_os("LOCALAPPDATA").map(PathBuf::from).filter(|path| path.is_absolute())?;
        let folder = local.join("Home Alice");
        let file = |name: &str| folder.join(name);
        Some(Self {
            config: file("agent.toml"),
            status: file("agent.json"),
            lock: file("agent.lock"),
            log: file("agent.log"),
            old_log: file("agent.old.log"),
            program: file(PROGRAMS[0]),
            windowless: file(PROGRAMS[1]),
        })
    }

    /// Returns the folder of the config.
    pub fn folder(&self) -> &Path {
        self.config.parent().unwrap_or(Path::new("\\"))
    }

    /// Makes the folder.
    ///
    /// # Errors
    /// The system refuses it.
    pub fn make(&self) -> io::Result<()> {
        fs::create_dir_all(self.folder())
    }

    /// Removes every file, and the folder that is then empty. Returns where the program is that runs, and so can't be removed.
    ///
    /// # Errors
    /// A file can't be removed, which one.
    pub fn remove(&self) -> Result<Option<PathBuf>, (PathBuf, io::Error)> {
        let files = [&self.config, &self.status, &self.lock, &self.log, &self.old_log, &self.windowless, &self.program];
        let mut left = None;
        for file in files.into_iter().flat_map(|file| [file.clone(), aside(file, "new"), aside(file, "old")]) {
            match remove(&file) {
                Ok(()) => {}
                Err(error) if file == self.program => {
                    // Beside the folder, which goes.
                    let name = format!("home-alice-agent-{}.old.exe", std::process::id());
                    let moved = self.folder().with_file_name(name);
                    fs::rename(&file, &moved).map_err(|_| (file, error))?;
                    left = Some(moved);
                }
                Err(error) => return Err((file, error)),
            }
        }
        let _ = fs::remove_dir(self.folder());
        Ok(left)
    }
}

/// Removes a file that may not be there. Scanners hold some for a moment.
fn remove(file: &Path) -> io::Result<()> {
    for try_again in [true, true, true, false] {
        match fs::remove_file(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(_) if try_again => std::thread::sleep(MOMENT),
            result => return result,
        }
    }
    Ok(())
}

/// Returns where a file is before it takes its place, or behind that.
pub fn aside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    name.into()
}

/// Returns how to keep others from reading a file, if they may: what lies in the profile is the user's alone.
pub fn private_hint(_: &Path) -> Option<String> {
    None
}

/// Tries whether a file of this content could be written there, and leaves none.
///
/// # Errors
/// The system refuses.
pub fn try_to_write(path: &Path, content: &str) -> io::Result<()> {
    write_new(path, content).and_then(fs::remove_file)
}

/// Writes a file, whole or not at all.
///
/// # Errors
/// The system refuses.
pub fn write_private(path: &Path, content: &str) -> io::Result<()> {
    fs::rename(write_new(path, content)?, path)
}

fn write_new(path: &Path, content: &str) -> io::Result<PathBuf> {
    let new = aside(path, "new");
    let _ = fs::remove_file(&new);
    let mut file: File = OpenOptions::new().write(true).create_new(true).open(&new)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    Ok(new)
}
