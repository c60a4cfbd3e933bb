//! Starting with the session, by a unit of the user's systemd (systemd.unit(5), systemd.service(5)).

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::system::Places;

const UNIT: &str = "home-alice-agent.service";

/// Where a unit is wanted by every session of the user.
const WANTS: &str = "default.target.wants";

/// What there is to start the agent by.
pub struct Autostart {
    unit: PathBuf,
    wanted: PathBuf,
}

/// Why it can't be switched on.
pub enum NoAutostart {
    /// This system has no systemd.
    NoSystemd,
    /// A file can't be written.
    Files(io::Error),
}

impl Autostart {
    /// That of the user with these places.
    pub fn new(places: &Places) -> Self {
        Self { unit: places.units.join(UNIT), wanted: places.units.join(WANTS).join(UNIT) }
    }

    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        self.wanted.symlink_metadata().is_ok()
    }

    /// Switches it on for `program`. Returns whether the agent was started, too; where it was not, it will be with the
    /// next session.
    ///
    /// # Errors
    /// There is no systemd, or a file can't be written.
    pub fn on(&self, program: &Path) -> Result<bool, NoAutostart> {
        // sd_booted(3).
        if !Path::new("/run/systemd/system").is_dir() {
            return Err(NoAutostart::NoSystemd);
        }
        self.write(program).map_err(NoAutostart::Files)?;
        Ok(systemctl(&["daemon-reload"]) && systemctl(&["restart", UNIT]))
    }

    /// Switches it off, and stops the agent that it has started. Returns whether it was on.
    ///
    /// # Errors
    /// A file can't be removed.
    pub fn off(&self) -> io::Result<bool> {
        let was_on = self.unit.exists() || self.is_on();
        if was_on {
            systemctl(&["stop", UNIT]);
            for file in [&self.wanted, &self.unit] {
                match fs::remove_file(file) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            systemctl(&["daemon-reload"]);
        }
        Ok(was_on)
    }

    fn write(&self, program: &Path) -> io::Result<()> {
        for file in [&self.unit, &self.wanted] {
            fs::create_dir_all(file.parent().unwrap_or(Path::new("/")))?;
        }
        fs::write(&self.unit, unit(&program.to_string_lossy()))?;
        match symlink(&self.unit, &self.wanted) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }
}

/// Returns the unit that starts this program. `%` and what a quoted word must not hold are escaped
/// (systemd.syntax(7), "Quoting").
fn unit(program: &str) -> String {
    let escaped =
        program.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    format!(
        "[Unit]\n\
         Description=Home Alice: does on this computer what is said to Alice\n\
         \n\
         [Service]\n\
         ExecStart=\"{escaped}\"\n\
         Restart=always\n\
         RestartSec=5\n\
         RestartPreventExitStatus=2\n\
         KillMode=process\n\
         \n\
         [Install]\n\
         WantedBy=default.target\n"
    )
}

fn systemctl(arguments: &[&str]) -> bool {
    let mut command = Command::new("systemctl");
    command
        .arg("--user")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_spaces_and_specifiers_stays_one_word() {
        let unit = unit("/home/Иван Петров/100%/$a \"b\"");
        assert!(unit.contains("ExecStart=\"/home/Иван Петров/100%%/$$a \\\"b\\\"\"\n"), "{unit}");
    }
}
