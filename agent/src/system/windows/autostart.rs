//! Installing the program for its user, and starting it with Windows: by `HKCU\Software\Microsoft\Windows\CurrentVersion\Run`,
//! never as a service, which would see neither desktop nor sound of the user.

use std::fs;
use std::io;
use std::path::Path;

use windows_registry::CURRENT_USER;

use crate::system::windows::launch;
use crate::system::windows::lock::{end, holder};
use crate::system::windows::places::{Places, aside};
use crate::system::windows::wide::wide;

const RUN: &str = "Software\\Microsoft\\Windows\\CurrentVersion\\Run";
/// Where the task manager keeps what it has switched off.
const APPROVED: &str = "Software\\Microsoft\\Windows\\CurrentVersion\\Explorer\\StartupApproved\\Run";
const NAME: &str = "Home Alice";

/// Whether Windows gives a program a console (PE format, "Windows Subsystem").
const WINDOWS_GUI: u16 = 2;
const WINDOWS_CUI: u16 = 3;

/// What there is to start the agent by.
pub struct Autostart {
    places: Places,
}

/// Why it can't be switched on.
pub enum NoAutostart {
    /// On Linux alone.
    #[expect(dead_code, reason = "the command line knows both systems")]
    NoSystemd,
    Files(io::Error),
}

impl Autostart {
    /// That of the user with these places.
    pub fn new(places: &Places) -> Self {
        Self { places: places.clone() }
    }

    /// Installs `program`, and has every session start it, from the next on.
    ///
    /// # Errors
    /// A file or the registry can't be written.
    pub fn on(&self, program: &Path) -> Result<(), NoAutostart> {
        self.install(program).and_then(|()| self.register()).map_err(NoAutostart::Files)
    }

    /// Has every session start what is installed.
    ///
    /// # Errors
    /// The registry can't be written.
    pub fn register(&self) -> io::Result<()> {
        let command = format!("\"{}\"", self.places.windowless.display());
        self.forget_approval();
        Ok(CURRENT_USER.create(RUN).and_then(|key| key.set_string(NAME, &command))?)
    }

    /// Has no session start it; the agent that runs goes on.
    ///
    /// # Errors
    /// The registry can't be written.
    pub fn unregister(&self) -> io::Result<()> {
        self.forget_approval();
        Ok(CURRENT_USER.create(RUN).and_then(|key| key.remove_value(NAME))?)
    }

    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        let approval = CURRENT_USER.open(APPROVED).and_then(|key| key.get_value(NAME));
        // What the task manager has switched off begins with an odd byte.
        let is_approved = approval.map_or(true, |approval| approval.first().is_none_or(|first| first % 2 == 0));
        is_approved && CURRENT_USER.open(RUN).and_then(|key| key.get_string(NAME)).is_ok()
    }

    /// What the task manager was told of it before counts no more.
    fn forget_approval(&self) {
        // It is not there for most.
        let _ = CURRENT_USER.open(APPROVED).and_then(|_| CURRENT_USER.create(APPROVED)?.remove_value(NAME));
    }

    /// Copies the program to where it stays, and makes its twin without a console.
    ///
    /// # Errors
    /// A file can't be written.
    pub fn install(&self, program: &Path) -> io::Result<()> {
        self.places.make()?;
        let bytes = fs::read(program)?;
        for (file, subsystem) in [(&self.places.windowless, WINDOWS_GUI), (&self.places.program, WINDOWS_CUI)] {
            let content = for_subsystem(bytes.clone(), subsystem).ok_or(io::ErrorKind::InvalidData)?;
            if fs::read(file).ok().as_ref() != Some(&content) {
                replace(file, &content)?;
            }
        }
        Ok(())
    }

    /// Starts it now, without a window. Returns whether it could be started.
    pub fn start(&self) -> bool {
        // The shell gives it none of what this program has open: whoever waits for its output waits no longer.
        launch::execute(wide(self.places.windowless.as_os_str())).is_ok()
    }

    /// Switches it off, and stops the agent that runs. Returns whether it was on.
    ///
    /// # Errors
    /// The registry can't be written, or the agent doesn't end.
    pub fn off(&self) -> io::Result<bool> {
        let was_on = CURRENT_USER.open(RUN).and_then(|key| key.get_string(NAME)).is_ok();
        if was_on {
            self.unregister()?;
            holder(&self.places.lock).map_or(Ok(()), end)?;
        }
        Ok(was_on)
    }
}

/// Writes a program, whole or not at all. One that runs is moved aside, and goes with the next.
fn replace(file: &Path, content: &[u8]) -> io::Result<()> {
    let (new, old) = (aside(file, "new"), aside(file, "old"));
    fs::write(&new, content)?;
    let _ = fs::remove_file(&old);
    if file.exists() {
        fs::rename(file, &old)?;
    }
    fs::rename(&new, file)?;
    let _ = fs::remove_file(&old);
    Ok(())
}

/// Returns a program with this subsystem in its header (PE format, "Optional Header Windows-Specific Fields"); none when these
/// bytes are no program.
fn for_subsystem(mut program: Vec<u8>, subsystem: u16) -> Option<Vec<u8>> {
    let at = program.get(0x3c..0x40)?.try_into().ok().map(u32::from_le_bytes)?;
    let header = usize::try_from(at).ok()?;
    if program.get(header..header.checked_add(4)?)? != b"PE\0\0" {
        return None;
    }
    // Behind the signature, the header of 20 bytes, and 68 bytes of the optional one.
    let at = header + 4 + 20 + 68;
    program.get_mut(at..at + 2)?.copy_from_slice(&subsystem.to_le_bytes());
    Some(program)
}
