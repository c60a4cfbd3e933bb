//! Windows.

pub mod autostart;
pub mod clipboard;
mod clock;
mod com;
pub mod console;
pub mod display;
pub mod event;
pub mod folders;
mod input;
pub mod keyboard;
pub mod launch;
pub mod lock;
pub mod log;
pub mod places;
pub mod players;
pub mod power;
mod process;
pub mod program;
pub mod programs;
pub mod report;
pub mod screenshot;
pub mod sound;
pub mod trash;
pub mod tray;
pub mod watch;
mod wide;
pub mod window;
mod wmi;

use std::io;
use std::sync::OnceLock;
use std::thread::{Builder, JoinHandle};

use windows::Win32::Globalization::{MULTI_BYTE_TO_WIDE_CHAR_FLAGS, MultiByteToWideChar};
use windows::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows::Win32::System::SystemInformation::GetTickCount64;
use windows::core::BOOL;
use windows_registry::LOCAL_MACHINE;

use event::Event;

/// The code page of consoles in Russian.
const DOS: u32 = 866;

pub use clock::{local_stamp, local_time};

/// Returns the milliseconds of a clock that nobody can set and that runs on in sleep.
pub fn uptime() -> u64 {
    // SAFETY: it takes nothing.
    unsafe { GetTickCount64() }
}

/// Whether the program runs as the superuser. Windows asks its user before a program may do more than others.
pub fn is_root() -> bool {
    false
}

/// Whether an interface is a card of this PC's own: those that other programs make say so by their names.
pub fn is_real_card(name: &str) -> bool {
    let name = name.to_lowercase();
    !["virtual", "vethernet", "vmware", "hyper-v", "tap", "tun", "wsl", "loopback", "bluetooth"]
        .iter()
        .any(|other| name.contains(other))
}

/// Asks this agent to end, when somebody wants it.
static END: OnceLock<Event> = OnceLock::new();

/// Calls `end` when the user or another of the agent's programs asks it to end. A second time ends it at once.
///
/// # Errors
/// The system refuses.
pub fn user_asks_to_end(end: impl Fn() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let asked = Event::of_end(std::process::id())?;
    let _ = END.set(asked);
    // SAFETY: the handler is there for as long as the program.
    unsafe { SetConsoleCtrlHandler(Some(asked_by_console), true)? };
    Builder::new().name("signals".into()).spawn(move || {
        let Some(asked) = END.get() else { return };
        asked.wait();
        asked.reset();
        end();
        asked.wait();
        std::process::exit(1);
    })
}

/// Asks this agent to end, as another of its programs does.
pub fn ask_to_end() {
    let _ = END.get().map(Event::set);
}

unsafe extern "system" fn asked_by_console(what: u32) -> BOOL {
    ask_to_end();
    if !matches!(what, CTRL_C_EVENT | CTRL_BREAK_EVENT) {
        // The console closes: the program is ended as soon as this returns, or some seconds later.
        loop {
            std::thread::park();
        }
    }
    true.into()
}

/// Returns what this system is, for a report.
pub fn describe() -> String {
    let key = LOCAL_MACHINE.open("SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion");
    let text = |name: &str| key.as_ref().ok().and_then(|key| key.get_string(name).ok()).unwrap_or_default();
    format!("Windows {} {}.{} x86_64", text("DisplayVersion"), text("CurrentMajorVersionNumber"), text("CurrentBuild"))
}

/// Returns what a program has printed as text, where it is not UTF-8: consoles have a code page of their own. The system's
/// calls would name the agent's, which is UTF-8 by its manifest.
pub fn decode(output: &[u8]) -> String {
    let pages = LOCAL_MACHINE.open("SYSTEM\\CurrentControlSet\\Control\\Nls\\CodePage");
    let page = pages.and_then(|key| key.get_string("OEMCP")).ok().and_then(|page| page.parse().ok()).unwrap_or(DOS);
    let flags = MULTI_BYTE_TO_WIDE_CHAR_FLAGS(0);
    // SAFETY: the lengths are those of the texts.
    let wide = unsafe {
        let length = MultiByteToWideChar(page, flags, output, None);
        let mut wide = vec![0; usize::try_from(length).unwrap_or(0)];
        MultiByteToWideChar(page, flags, output, Some(&mut wide));
        wide
    };
    String::from_utf16_lossy(&wide)
}
