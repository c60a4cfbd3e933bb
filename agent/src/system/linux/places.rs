//! Where the agent's files are (XDG Base Directory Specification 0.8).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The agent's files.
#[derive(Debug, Clone)]
pub struct Places {
    /// The config. Own programs run in its folder.
    pub config: PathBuf,
    pub status: PathBuf,
    /// Held while the agent runs.
    pub lock: PathBuf,
    pub units: PathBuf,
}

impl Places {
    /// Returns those of the user; none without a home.
    pub fn of_user() -> Option<Self> {
        let (config, state) = (config_home()?, base("XDG_STATE_HOME", ".local/state")?);
        let (own_config, own_state) = (config.join("home-alice/agent.toml"), state.join("home-alice"));
        Some(Self {
            // Behind the links of whoever keeps such files elsewhere: there it changes, and there it is written.
            config: fs::canonicalize(&own_config).unwrap_or(own_config),
            status: own_state.join("agent.json"),
            lock: own_state.join("agent.lock"),
            units: config.join("systemd/user"),
        })
    }

    /// Returns the folder of the config.
    pub fn folder(&self) -> &Path {
        self.config.parent().unwrap_or(Path::new("/"))
    }

    /// Makes the folders, for the user alone.
    ///
    /// # Errors
    /// The system refuses one.
    pub fn make(&self) -> io::Result<()> {
        for folder in [self.config.parent(), self.status.parent()].into_iter().flatten() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        Ok(())
    }

    /// Removes every file, and the folders that are then empty. Returns where the program is, which stays.
    ///
    /// # Errors
    /// A file can't be removed, which one.
    pub fn remove(&self) -> Result<Option<PathBuf>, (PathBuf, io::Error)> {
        let files = [&self.config, &self.status, &self.lock].map(|file| [file.clone(), new(file)]);
        for file in files.into_iter().flatten() {
            match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err((file, error)),
                _ => {}
            }
        }
        for folder in [self.config.parent(), self.status.parent()].into_iter().flatten() {
            let _ = fs::remove_dir(folder);
        }
        Ok(std::env::current_exe().ok())
    }
}

/// Returns the user's home.
#[allow(deprecated, reason = "up to Rust 1.86, for what it did on Windows")]
pub fn home() -> Option<PathBuf> {
    std::env::home_dir().filter(|home| home.is_absolute())
}

/// Returns the folder of the user's settings.
pub fn config_home() -> Option<PathBuf> {
    base("XDG_CONFIG_HOME", ".config")
}

/// Returns the folder of the user's data.
pub fn data_home() -> Option<PathBuf> {
    base("XDG_DATA_HOME", ".local/share")
}

/// Returns the folders of settings, the one that counts most first.
pub fn config_folders() -> Vec<PathBuf> {
    config_home().into_iter().chain(listed("XDG_CONFIG_DIRS", "/etc/xdg")).collect()
}

/// Returns the folders of data, the one that counts most first. Those of Flatpak and snap are there also for a program
/// that was started without the session's environment.
pub fn data_folders() -> Vec<PathBuf> {
    let own = data_home().into_iter().flat_map(|own| [own.clone(), own.join("flatpak/exports/share")]);
    let others = ["/var/lib/flatpak/exports/share", "/var/lib/snapd/desktop"].map(PathBuf::from);
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in own.chain(listed("XDG_DATA_DIRS", "/usr/local/share:/usr/share")).chain(others) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders
}

/// Returns the folder that a variable names, or else this one of the home.
fn base(variable: &str, below: &str) -> Option<PathBuf> {
    let set = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    set.or_else(|| Some(home()?.join(below)))
}

/// Returns the folders that a variable lists, or else these.
fn listed(variable: &str, default: &str) -> Vec<PathBuf> {
    let set = std::env::var_os(variable).filter(|set| !set.is_empty()).unwrap_or_else(|| default.into());
    std::env::split_paths(&set).filter(|path| path.is_absolute()).collect()
}

/// Returns where a file is written before it takes its place.
fn new(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// Returns how to keep others from reading a file, if they may.
pub fn private_hint(path: &Path) -> Option<String> {
    let is_open = path.metadata().is_ok_and(|metadata| metadata.mode() & 0o077 != 0);
    is_open.then(|| format!("chmod 600 {}", path.display()))
}

/// Tries whether a file of this content could be written there, and leaves none.
///
/// # Errors
/// The system refuses.
pub fn try_to_write(path: &Path, content: &str) -> io::Result<()> {
    write_new(path, content).and_then(fs::remove_file)
}

/// Writes a file that the user alone may read, whole or not at all.
///
/// # Errors
/// The system refuses.
pub fn write_private(path: &Path, content: &str) -> io::Result<()> {
    fs::rename(write_new(path, content)?, path)
}

fn write_new(path: &Path, content: &str) -> io::Result<PathBuf> {
    let new = new(path);
    // Left by a program that was killed; it may be readable by others.
    let _ = fs::remove_file(&new);
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    Ok(new)
}
