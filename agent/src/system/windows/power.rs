//! Sleep, lock, shutdown: the system's own.

use std::time::Duration;

use windows::Win32::Foundation::{
    ERROR_MACHINE_LOCKED, ERROR_NO_SHUTDOWN_IN_PROGRESS, ERROR_SHUTDOWN_USERS_LOGGED_ON, HANDLE, LUID,
};
use windows::Win32::Security::{
    AdjustTokenPrivileges, LUID_AND_ATTRIBUTES, LookupPrivilegeValueW, SE_PRIVILEGE_ENABLED, SE_SHUTDOWN_NAME,
    TOKEN_ADJUST_PRIVILEGES, TOKEN_PRIVILEGES, TOKEN_PRIVILEGES_ATTRIBUTES, TOKEN_QUERY,
};
use windows::Win32::System::Power::{GetPwrCapabilities, SYSTEM_POWER_CAPABILITIES, SetSuspendState};
use windows::Win32::System::Shutdown::{
    AbortSystemShutdownW, EWX_LOGOFF, ExitWindowsEx, InitiateSystemShutdownExW, LockWorkStation,
    SHTDN_REASON_FLAG_PLANNED, SHTDN_REASON_MAJOR_OTHER, SHUTDOWN_REASON,
};
use windows::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};
use windows::core::{Error, Owned, PCWSTR, w};

use crate::action::Power;
use crate::message::Outcome;
use crate::phrases::time::When;
use crate::system::later;
use crate::system::notice::notice;
use crate::system::windows::com::within;
use crate::system::windows::display;

/// How long it takes at most to know that the PC doesn't fall asleep. The answer has to leave before it does.
const REFUSED_WITHIN: Duration = Duration::from_millis(200);

const REFUSED: &str = "Система этого не разрешает.";

const REASON: SHUTDOWN_REASON = SHUTDOWN_REASON(SHTDN_REASON_MAJOR_OTHER.0 | SHTDN_REASON_FLAG_PLANNED.0);

/// Does it, or announces it.
pub fn ask(asked: Power) -> Outcome {
    match asked {
        Power::Sleep if !capabilities().sleeps() => {
            Outcome::failed("Этот компьютер спать не умеет, или сон выключен в BIOS.")
        }
        // Under modern standby the call of old hibernates, or does nothing: there the PC sleeps as its screen goes off.
        Power::Sleep if sleeps_with_screen() => match display::sleep() {
            Ok(()) => Outcome::done("Усыпляю компьютер."),
            Err(problem) => Outcome::failed(problem),
        },
        Power::Sleep => suspend(false, "Усыпляю компьютер."),
        Power::Hibernate if !capabilities().hibernates() => Outcome::failed("Гибернация на этом компьютере выключена."),
        Power::Hibernate => suspend(true, "Отправляю компьютер в гибернацию."),
        // SAFETY: it takes nothing.
        Power::Lock => match unsafe { LockWorkStation() } {
            Ok(()) => Outcome::done("Блокирую."),
            Err(_) => Outcome::failed(REFUSED),
        },
        Power::LogOff(when) => log_off(when),
        Power::Off(when) => announce(false, "Выключу компьютер", when),
        Power::Restart(when) => announce(true, "Перезагружу компьютер", when),
    }
}

/// Takes an announced shutdown or end of the session back. Returns whether there was one.
///
/// # Errors
/// There may be one still: what to say of it.
pub fn cancel() -> Result<bool, String> {
    let was_later = later::cancel();
    // SAFETY: it takes no pointers.
    match Privilege::take().and_then(|_taken| unsafe { AbortSystemShutdownW(PCWSTR::null()) }) {
        Ok(()) => Ok(true),
        Err(error) if error.code() == ERROR_NO_SHUTDOWN_IN_PROGRESS.to_hresult() => Ok(was_later),
        Err(_) if was_later => Ok(true),
        Err(_) => Err("Отменить выключение не удалось: система не разрешает.".into()),
    }
}

/// Returns what the PC can, and this user may.
///
/// # Errors
/// What to say of it.
pub fn abilities() -> Result<String, String> {
    Privilege::take().map_err(|_| REFUSED)?;
    let can = capabilities();
    let all = [(can.sleeps(), "сон"), (can.hibernates(), "гибернация"), (true, "выключение"), (true, "перезагрузка")];
    Ok(all.iter().filter(|(is_able, _)| *is_able).map(|(_, word)| *word).collect::<Vec<_>>().join(", "))
}

/// Whether the PC is asleep as soon as its screen is off (modern standby).
pub fn sleeps_with_screen() -> bool {
    capabilities().0.AoAc
}

struct Capabilities(SYSTEM_POWER_CAPABILITIES);

impl Capabilities {
    fn sleeps(&self) -> bool {
        self.0.SystemS1 || self.0.SystemS2 || self.0.SystemS3 || self.0.AoAc
    }

    fn hibernates(&self) -> bool {
        self.0.SystemS4 && self.0.HiberFilePresent
    }
}

fn capabilities() -> Capabilities {
    let mut found = SYSTEM_POWER_CAPABILITIES::default();
    // SAFETY: the struct lives through the call. Where it fails it has found nothing.
    let _ = unsafe { GetPwrCapabilities(&mut found) };
    Capabilities(found)
}

/// Lets the PC sleep. The call comes back when it is awake again.
fn suspend(hibernates: bool, done: &str) -> Outcome {
    let suspend = move || {
        let _taken = Privilege::take();
        // SAFETY: it takes no pointers.
        unsafe { SetSuspendState(hibernates, false, false) }
    };
    match within(REFUSED_WITHIN, suspend) {
        Some(false) => Outcome::failed(REFUSED),
        _ => Outcome::done(done),
    }
}

/// Has the system announce it. Programs that ask whether to save something are asked, and not ended.
fn announce(restarts: bool, done: &str, when: Option<When>) -> Outcome {
    let Some((wait, time)) = notice(when) else { return Outcome::failed(REFUSED) };
    // Of two the later one counts.
    let _ = cancel();
    let text = w!("Так сказали Алисе. Чтобы остановить, скажите ей: отмена.");
    let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
    // SAFETY: the text lives as long as the program.
    let asked = Privilege::take().and_then(|_taken| unsafe {
        InitiateSystemShutdownExW(PCWSTR::null(), text, seconds, false, restarts, REASON)
    });
    match asked {
        Ok(()) => Outcome::done(format!("{done} {time}. Чтобы остановить, скажите: отмена.")),
        Err(error) if error.code() == ERROR_MACHINE_LOCKED.to_hresult() => {
            Outcome::failed("Компьютер заблокирован: сначала войдите в него.")
        }
        Err(error) if error.code() == ERROR_SHUTDOWN_USERS_LOGGED_ON.to_hresult() => {
            Outcome::failed("На компьютере работает кто-то ещё: выключать его нельзя.")
        }
        Err(_) => Outcome::failed("Система не разрешает выключать этот компьютер."),
    }
}

/// Ends the user's session. Programs that ask whether to save something are asked, and not ended.
fn log_off(when: Option<When>) -> Outcome {
    // SAFETY: it takes no pointers.
    let end = || _ = unsafe { ExitWindowsEx(EWX_LOGOFF, REASON) };
    match notice(when).map(|(wait, time)| (later::announce(wait, end), time)) {
        Some((Ok(()), time)) => Outcome::done(format!("Выйду из системы {time}. Чтобы остановить, скажите: отмена.")),
        _ => Outcome::failed(REFUSED),
    }
}

/// The right to end the system, for as long as this lives.
struct Privilege {
    token: Owned<HANDLE>,
    id: LUID,
}

impl Privilege {
    fn take() -> Result<Self, Error> {
        let (mut token, mut id) = (HANDLE::default(), LUID::default());
        // SAFETY: both live through the calls, and the token is nobody else's.
        let token = unsafe {
            LookupPrivilegeValueW(PCWSTR::null(), SE_SHUTDOWN_NAME, &mut id)?;
            OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &mut token)?;
            Owned::new(token)
        };
        let taken = Self { token, id };
        taken.set(SE_PRIVILEGE_ENABLED)?;
        Ok(taken)
    }

    fn set(&self, attributes: TOKEN_PRIVILEGES_ATTRIBUTES) -> Result<(), Error> {
        let one = LUID_AND_ATTRIBUTES { Luid: self.id, Attributes: attributes };
        let wanted = TOKEN_PRIVILEGES { PrivilegeCount: 1, Privileges: [one] };
        // SAFETY: the struct lives through the call.
        unsafe { AdjustTokenPrivileges(*self.token, false, Some(&wanted), 0, None, None) }?;
        // It also says that all is well where the user hasn't the right.
        match Error::from_thread() {
            error if error.code().is_err() => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Privilege {
    fn drop(&mut self) {
        let _ = self.set(TOKEN_PRIVILEGES_ATTRIBUTES(0));
    }
}
