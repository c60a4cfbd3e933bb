//! Starting with the session, by a unit of the user's systemd (systemd.unit(5), systemd.service(5)).

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::system::{Places, is_root};

const UNIT: &str = "home-alice-agent.service";

/// What there is to start the agent by.
pub struct Autostart {
    units: PathBuf,
}

/// Why it can't be switched on.
pub enum NoAutostart {
    NoSystemd,
    Files(io::Error),
}

/// The targets that may want the unit: a desktop's, which has its display in the environment, or where the desktop has
/// none (systemd.special(7)) the user's own.
const TARGETS: [&str; 2] = ["graphical-session.target", "default.target"];

impl Autostart {
    /// That of the user with these places.
    pub fn new(places: &Places) -> Self {
        Self { units: places.units.clone() }
    }

    /// Has every session start `program`, from the next on.
    ///
    /// # Errors
    /// There is no systemd, or a file can't be written.
    pub fn on(&self, program: &Path) -> Result<(), NoAutostart> {
        // sd_booted(3).
        if !Path::new("/run/systemd/system").is_dir() {
            return Err(NoAutostart::NoSystemd);
        }
        let has_desktop = systemctl(&["is-active", "--quiet", TARGETS[0]]);
        let target = TARGETS[usize::from(!has_desktop)];
        self.write(&program.to_string_lossy(), target).map_err(NoAutostart::Files)?;
        systemctl(&["daemon-reload"]);
        Ok(())
    }

    /// Starts it now, unless it runs. Returns whether it runs then.
    pub fn start(&self) -> bool {
        systemctl(&["start", UNIT]) && systemctl(&["is-active", "--quiet", UNIT])
    }

    /// Switches it off, and stops the agent that it has started. Returns whether it was on.
    ///
    /// # Errors
    /// A file can't be removed.
    pub fn off(&self) -> io::Result<bool> {
        let unit = self.units.join(UNIT);
        if unit.exists() {
            systemctl(&["stop", UNIT]);
        }
        let wanted = TARGETS.map(|target| self.wanted(target));
        let mut was_on = false;
        for file in wanted.into_iter().chain([unit]) {
            match fs::remove_file(file) {
                Ok(()) => was_on = true,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        if was_on {
            systemctl(&["daemon-reload"]);
        }
        Ok(was_on)
    }

    /// Returns the link by which a target wants the unit.
    fn wanted(&self, target: &str) -> PathBuf {
        self.units.join(format!("{target}.wants")).join(UNIT)
    }

    fn write(&self, program: &str, target: &str) -> io::Result<()> {
        let (unit, wanted) = (self.units.join(UNIT), self.wanted(target));
        fs::create_dir_all(wanted.parent().unwrap_or(&self.units))?;
        fs::write(&unit, text(program, target))?;
        match symlink(&unit, &wanted) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }
}

/// Returns the unit that starts this program. `%` and what a quoted word must not hold are escaped
/// (systemd.syntax(7), "Quoting").
fn text(program: &str, target: &str) -> String {
    let escaped = program.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    let as_root = if is_root() { " --as-root" } else { "" };
    format!(
        "[Unit]\n\
         Description=Home Alice: does on this computer what is said to Alice\n\
         PartOf={target}\n\
         After={target}\n\
         \n\
         [Service]\n\
         ExecStart=\"{escaped}\"{as_root}\n\
         Restart=always\n\
         RestartSec=5\n\
         RestartPreventExitStatus=2\n\
         KillMode=process\n\
         \n\
         [Install]\n\
         WantedBy={target}\n"
    )
}

fn systemctl(arguments: &[&str]) -> bool {
    let mut command = Command::new("systemctl");
    command.arg("--user").args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_spaces_and_specifiers_stays_one_word() {
        let unit = text("/home/Иван Петров/100%/$a \"b\"", TARGETS[1]);
        assert!(unit.contains("ExecStart=\"/home/Иван Петров/100%%/$$a \\\"b\\\"\""), "{unit}");
    }
}
