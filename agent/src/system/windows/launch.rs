//! Opening a site, a file, a folder or a program by the program that its owner chose for it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use windows::Win32::UI::Shell::{
    ASSOCF_NONE, ASSOCSTR, ASSOCSTR_APPID, ASSOCSTR_EXECUTABLE, AssocQueryStringW, SE_ERR_NOASSOC, SEE_MASK_FLAG_NO_UI,
    SEE_MASK_NOASYNC, SHELLEXECUTEINFOW, ShellExecuteExW,
};
use windows::Win32::UI::WindowsAndMessaging::SW_SHOWNORMAL;
use windows::core::{HSTRING, PCWSTR, PWSTR};

use crate::system::scheme;
use crate::system::windows::com::within;
use crate::system::windows::folders::home;
use crate::system::windows::programs::{self, Program};
use crate::system::windows::wide::{text, wide};

/// How long a program may take to start.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Units of what an association tells.
const MAX_TEXT: usize = 1024;

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
    execute(wide(what)).map_err(|failed| match (failed, &*scheme) {
        (Failed::Unknown, "http" | "https") => "Открыть нечем: установите браузер.".to_owned(),
        (Failed::Unknown, _) => format!("Открыть нечем: нет программы для адресов {scheme}."),
        (failed, _) => failed.told(what),
    })
}

/// Opens a file or a folder.
///
/// # Errors
/// What to say of it; none when it isn't there.
pub fn open_path(path: &Path) -> Result<(), Option<String>> {
    if !path.exists() {
        return Err(None);
    }
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    execute(wide(path)).map_err(|failed| {
        Some(match (failed, path.extension()) {
            (Failed::Unknown, Some(kind)) => {
                format!("Открыть нечем: для файлов {} нет программы.", kind.to_string_lossy())
            }
            (failed, _) => failed.told(&name),
        })
    })
}

/// Opens a text in Notepad, whatever else its owner has for it.
///
/// # Errors
/// Why it doesn't open.
pub fn edit(file: &Path) -> Result<(), Failed> {
    let notepad = windows_folder().ok_or(Failed::Unknown)?.join("notepad.exe");
    execute_with(wide(notepad), wide(format!("\"{}\"", file.display())))
}

/// Returns the program that opens what is of this type.
pub fn default_program(mime: &str) -> Option<Program> {
    let of = match (mime, mime.strip_prefix("x-scheme-handler/")) {
        (_, Some(scheme)) => scheme,
        ("inode/directory", _) => return programs::by_file(&windows_folder()?.join("explorer.exe")),
        ("text/plain", _) => ".txt",
        _ => return None,
    };
    let app = association(ASSOCSTR_APPID, of).and_then(|app| programs::by_app(&app));
    app.or_else(|| programs::by_file(Path::new(&association(ASSOCSTR_EXECUTABLE, of)?)))
}

/// Why something doesn't open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// No program is known for it.
    Unknown,
    Refused,
    Late,
}

impl Failed {
    /// Returns what is said of it.
    pub fn told(self, name: &str) -> String {
        match self {
            Self::Unknown => format!("Открыть нечем: для этого нет программы: {name}."),
            Self::Refused => format!("{name} не запускается."),
            Self::Late => format!("{name} ещё не открывается: возможно, Windows о чём-то спрашивает на экране."),
        }
    }
}

/// Opens it as a double click would.
///
/// # Errors
/// Why it doesn't open.
pub fn execute(what: HSTRING) -> Result<(), Failed> {
    execute_with(what, HSTRING::new())
}

fn execute_with(what: HSTRING, arguments: HSTRING) -> Result<(), Failed> {
    let opened = within(TIMEOUT, move || {
        let folder = home().map(wide).unwrap_or_default();
        let mut info = SHELLEXECUTEINFOW {
            cbSize: size_of::<SHELLEXECUTEINFOW>() as u32,
            fMask: SEE_MASK_FLAG_NO_UI | SEE_MASK_NOASYNC,
            lpFile: PCWSTR(what.as_ptr()),
            lpParameters: PCWSTR(arguments.as_ptr()),
            lpDirectory: PCWSTR(folder.as_ptr()),
            nShow: SW_SHOWNORMAL.0,
            ..Default::default()
        };
        // SAFETY: the struct tells its own size, and lives through the call with all that it points to.
        let opened = unsafe { ShellExecuteExW(&mut info) };
        opened.map_err(|_| if info.hInstApp.0 as u32 == SE_ERR_NOASSOC { Failed::Unknown } else { Failed::Refused })
    });
    opened.unwrap_or(Err(Failed::Late))
}

/// Returns what the system has for a scheme or a kind of file.
fn association(what: ASSOCSTR, of: &str) -> Option<String> {
    let of = wide(of);
    let found = within(TIMEOUT, move || {
        let (mut put, mut size) = ([0; MAX_TEXT], MAX_TEXT as u32);
        // SAFETY: the size is that of the buffer.
        let found = unsafe {
            AssocQueryStringW(ASSOCF_NONE, what, &of, PCWSTR::null(), Some(PWSTR(put.as_mut_ptr())), &mut size)
        };
        found.is_ok().then(|| text(&put))
    });
    found.flatten().filter(|found| !found.is_empty())
}

fn windows_folder() -> Option<PathBuf> {
    std::env::var_os("SystemRoot").map(PathBuf::from)
}

fn path(what: &str, folder: &Path) -> PathBuf {
    match what.strip_prefix("~/").or_else(|| what.strip_prefix("~\\")).zip(home()) {
        Some((rest, home)) => home.join(rest),
        None => folder.join(what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_from_its_folder_or_from_the_home() {
        assert_eq!(path("a.mp3", Path::new("C:\\x")), Path::new("C:\\x\\a.mp3"));
        assert_eq!(path("D:\\a.mp3", Path::new("C:\\x")), Path::new("D:\\a.mp3"));
        for own in ["~/Музыка", "~\\Музыка"] {
            assert_eq!(path(own, Path::new("C:\\x")), home().unwrap().join("Музыка"));
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_said() {
        assert_eq!(open("нет.mp3", Path::new("C:\\")).unwrap_err(), "Нет такого файла: нет.mp3.");
    }
}
