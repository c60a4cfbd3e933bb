//! Sleep, lock, shutdown: logind's own (org.freedesktop.login1(5)).

use std::time::{SystemTime, UNIX_EPOCH};

use crate::action::Power;
use crate::message::Outcome;
use crate::phrases::time::When;
use crate::system::later;
use crate::system::linux::bus::{Bus, BusError, Object};
use crate::system::notice::notice;

const MANAGER: Object<'static> = Object {
    name: "org.freedesktop.login1",
    path: "/org/freedesktop/login1",
    interface: "org.freedesktop.login1.Manager",
};

/// The session of this very user, also for a program that systemd has started outside of it.
pub(super) const SESSION: Object<'static> =
    Object { path: "/org/freedesktop/login1/session/auto", interface: "org.freedesktop.login1.Session", ..MANAGER };

/// Does it, or announces it.
pub fn ask(asked: Power) -> Outcome {
    let done = match asked {
        Power::Sleep => go("CanSuspend", "Suspend", "Усыпляю компьютер."),
        Power::Hibernate => go("CanHibernate", "Hibernate", "Отправляю компьютер в гибернацию."),
        Power::Lock => {
            Bus::system().and_then(|mut bus| bus.call(SESSION, "Lock", |_| {})).map(|_| Outcome::done("Блокирую."))
        }
        Power::LogOff(when) => log_off(when),
        Power::Off(when) => announce("CanPowerOff", "poweroff", "Выключу компьютер", when),
        Power::Restart(when) => announce("CanReboot", "reboot", "Перезагружу компьютер", when),
    };
    done.unwrap_or_else(|error| Outcome::failed(said(&error)))
}

fn said(error: &BusError) -> &'static str {
    match error {
        BusError::NotThere => "Питанием управлять нечем: здесь нет systemd-logind.",
        BusError::Refused | BusError::Odd => "Система этого не разрешает.",
    }
}

/// Takes an announced shutdown or end of the session back. Returns whether there was one.
///
/// # Errors
/// There may be one still: what to say of it.
pub fn cancel() -> Result<bool, String> {
    let was_later = later::cancel();
    let answer = Bus::system().and_then(|mut bus| bus.call(MANAGER, "CancelScheduledShutdown", |_| {}));
    match answer.and_then(|answer| answer.body.parser().get().map_err(|_| BusError::Odd)) {
        Ok(was_scheduled) => Ok(was_later || was_scheduled),
        // Nothing was scheduled where nobody does that.
        Err(BusError::NotThere) => Ok(was_later),
        Err(BusError::Refused | BusError::Odd) => Err("Отменить выключение не удалось: система не разрешает.".into()),
    }
}

/// Returns what the system lets this user do.
///
/// # Errors
/// What to say of it.
pub fn abilities() -> Result<String, String> {
    let ask = || {
        let mut bus = Bus::system()?;
        let all = [
            ("CanSuspend", "сон"),
            ("CanHibernate", "гибернация"),
            ("CanPowerOff", "выключение"),
            ("CanReboot", "перезагрузка"),
        ];
        let mut able = Vec::new();
        for (question, word) in all {
            if can(&mut bus, question)? {
                able.push(word);
            }
        }
        Ok(able.join(", "))
    };
    ask().map_err(|error: BusError| said(&error).to_owned())
}

/// Whether the system lets this user do it without a password.
fn can(bus: &mut Bus, question: &str) -> Result<bool, BusError> {
    let answer = bus.call(MANAGER, question, |_| {})?;
    let answer: String = answer.body.parser().get().map_err(|_| BusError::Odd)?;
    Ok(answer == "yes")
}

fn go(question: &str, method: &str, done: &str) -> Result<Outcome, BusError> {
    let mut bus = Bus::system()?;
    if !can(&mut bus, question)? {
        return Ok(Outcome::failed("Этот компьютер так не умеет, или система не разрешает."));
    }
    // Without a question to the user.
    bus.call(MANAGER, method, |body| _ = body.push_param(false))?;
    Ok(Outcome::done(done))
}

fn announce(question: &str, what: &str, done: &str, when: Option<When>) -> Result<Outcome, BusError> {
    let (wait, time) = notice(when).ok_or(BusError::Odd)?;
    let mut bus = Bus::system()?;
    if !can(&mut bus, question)? {
        return Ok(Outcome::failed("Система не разрешает выключать этот компьютер."));
    }
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + wait;
    let at = u64::try_from(at.as_micros()).map_err(|_| BusError::Odd)?;
    bus.call(MANAGER, "ScheduleShutdown", |body| _ = body.push_param2(what, at))?;
    Ok(Outcome::done(format!("{done} {time}. Чтобы остановить, скажите: отмена.")))
}

/// Ends the user's session, as logind does: what doesn't end by itself is ended.
fn log_off(when: Option<When>) -> Result<Outcome, BusError> {
    let (wait, time) = notice(when).ok_or(BusError::Odd)?;
    // Whether there is a session is known now, not when its time has come.
    Bus::system()?.property::<String>(SESSION, "State")?;
    let end = || _ = Bus::system().and_then(|mut bus| bus.call(SESSION, "Terminate", |_| {}));
    later::announce(wait, end).map_err(|_| BusError::Refused)?;
    Ok(Outcome::done(format!("Выйду из системы {time}. Чтобы остановить, скажите: отмена.")))
}
