//! Installing the program for its user, and starting it with Windows: by `HKCU\Software\Microsoft\Windows\CurrentVersion\Run`,
//! never as a service, which would see neither desktop nor sound of the user.

use std::fs;
use std::io;
use std::os::windows::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use windows::Win32::System::Threading::{CREATE_NEW_PROCESS_GROUP, DETACHED_PROCESS};
use windows_registry::CURRENT_USER;

use crate::system::windows::lock::{end, holder};
use crate::system::windows::places::Places;

const RUN: &str = "Software\\Microsoft\\Windows\\CurrentVersion\\Run";
const NAME: &str = "Home Alice";

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
        Ok(CURRENT_USER.create(RUN).and_then(|key| key.set_string(NAME, &command))?)
    }

    /// Has no session start it; the agent that runs goes on.
    ///
    /// # Errors
    /// The registry can't be written.
    pub fn unregister(&self) -> io::Result<()> {
        Ok(CURRENT_USER.create(RUN).and_then(|key| key.remove_value(NAME))?)
    }

    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        CURRENT_USER.open(RUN).and_then(|key| key.get_string(NAME)).is_ok()
    }

    /// Copies the program to where it stays, and makes its twin without a console.
    ///
    /// # Errors
    /// A file can't be written.
    pub fn install(&self, program: &Path) -> io::Result<()> {
        self.places.make()?;
        let bytes = fs::read(program)?;
        let twin = without_console(bytes.clone()).ok_or(io::ErrorKind::InvalidData)?;
        for (file, content) in [(&self.places.program, bytes), (&self.places.windowless, twin)] {
            if file != program && fs::read(file).ok().as_ref() != Some(&content) {
                fs::write(file, content)?;
            }
        }
        Ok(())
    }

    /// Starts it now, without a window. Returns whether it could be started.
    pub fn start(&self) -> bool {
        let mut command = Command::new(&self.places.windowless);
        command.current_dir(self.places.folder()).creation_flags((DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP).0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().is_ok()
    }

    /// Switches it off, and stops the agent that it has started. Returns whether it was on.
    ///
    /// # Errors
    /// The registry can't be written.
    pub fn off(&self) -> io::Result<bool> {
        let was_on = self.is_on();
        if was_on {
            self.unregister()?;
            let _ = holder(&self.places.lock).map(end);
        }
        Ok(was_on)
    }
}

/// Returns a program for the console as one that Windows gives none (PE format, "Optional Header Windows-Specific Fields");
/// none when these bytes are no program.
fn without_console(mut program: Vec<u8>) -> Option<Vec<u8>> {
    const WINDOWS_GUI: [u8; 2] = 2_u16.to_le_bytes();
    let at = program.get(0x3c..0x40)?.try_into().ok().map(u32::from_le_bytes)?;
    let header = usize::try_from(at).ok()?;
    if program.get(header..header.checked_add(4)?)? != b"PE\0\0" {
        return None;
    }
    // Behind the signature, the header of 20 bytes, and 68 bytes of the optional one.
    let subsystem = header + 4 + 20 + 68;
    program.get_mut(subsystem..subsystem + 2)?.copy_from_slice(&WINDOWS_GUI);
    Some(program)
}
