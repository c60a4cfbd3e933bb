//! Opening a site, a file or a folder as its owner would, by `xdg-open` of xdg-utils, which every desktop has.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::system::linux::ends_within;
use crate::system::linux::places::home;

/// How long it is waited for whether the opening fails. Some desktops' `xdg-open` lasts as long as what it opens.
const FAILS_WITHIN: Duration = Duration::from_secs(2);

/// What has been opened and was running when it was last looked at. It is looked at with each that is opened further.
static OPENED: Mutex<Vec<Child>> = Mutex::new(Vec::new());

/// Opens what an own command names: an address with its scheme, or a path, from `~` or else from `folder` on.
///
/// # Errors
/// What to say of it.
pub fn open(what: &str, folder: &Path) -> Result<(), String> {
    let target = if is_address(what) { PathBuf::from(what) } else { path(what, folder) };
    if !is_address(what) && !target.exists() {
        return Err(format!("Нет такого файла: {what}."));
    }
    let mut command = Command::new("xdg-open");
    command.arg(target).current_dir(folder).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|_| "Открыть нечем: установите xdg-utils.".to_owned())?;
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    opened.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    match wait(&mut child) {
        Some(true) => Ok(()),
        Some(false) => Err(format!("Открыть не получается: {what}.")),
        None => {
            opened.push(child);
            Ok(())
        }
    }
}

/// Returns whether it ended well; none when it goes on.
fn wait(child: &mut Child) -> Option<bool> {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw)?;
    let process = pidfd_open(id, PidfdFlags::empty()).ok()?;
    let is_over = ends_within(&process, FAILS_WITHIN).ok()?;
    is_over.then(|| child.wait().is_ok_and(|status| status.success()))
}

fn is_address(what: &str) -> bool {
    let scheme = what.split_once(':').map_or("", |(scheme, _)| scheme);
    scheme.len() > 1 && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

fn path(what: &str, folder: &Path) -> PathBuf {
    match what.strip_prefix("~/").zip(home()) {
        Some((rest, home)) => home.join(rest),
        None => folder.join(what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_from_a_path() {
        for address in ["https://a.b/", "mailto:a@b.c", "steam://run/1", "tg:resolve"] {
            assert!(is_address(address), "{address}");
        }
        for path in ["/home/a:b", "~/Музыка", "a.mp3", "./x:y", "C:\\x"] {
            assert!(!is_address(path), "{path}");
        }
        assert_eq!(path("a.mp3", Path::new("/x")), Path::new("/x/a.mp3"));
        assert_eq!(path("/a.mp3", Path::new("/x")), Path::new("/a.mp3"));
    }

    #[test]
    fn a_file_that_is_not_there_is_said() {
        assert_eq!(open("нет.mp3", Path::new("/")).unwrap_err(), "Нет такого файла: нет.mp3.");
    }
}
