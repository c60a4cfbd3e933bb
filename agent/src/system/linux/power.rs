//! Sleep, lock, shutdown: logind's own (org.freedesktop.login1(5)).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::action::Power;
use crate::message::Outcome;
use crate::phrases::time::When;
use crate::system::linux::bus::{Bus, BusError, Object};
use crate::system::linux::local_time;
use crate::system::{count, later};

const MANAGER: Object<'static> = Object {
    name: "org.freedesktop.login1",
    path: "/org/freedesktop/login1",
    interface: "org.freedesktop.login1.Manager",
};

/// The session of this very user, also for a program that systemd has started outside of it.
pub(super) const SESSION: Object<'static> =
    Object { path: "/org/freedesktop/login1/session/auto", interface: "org.freedesktop.login1.Session", ..MANAGER };

/// How long a shutdown is announced that was said to happen at once: what can lose work can be undone.
const NOTICE: Duration = Duration::from_secs(60);

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

/// Returns how long it is announced, and the time as it is said.
fn notice(when: Option<When>) -> Option<(Duration, String)> {
    let Some(When::At { minute, or_half_a_day_later }) = when else {
        let wait = match when {
            Some(When::After(wait)) => wait.max(NOTICE),
            _ => NOTICE,
        };
        return Some((wait, format!("через {}", words(wait))));
    };
    let now = local_time()?;
    let wait = until(minute, or_half_a_day_later, now).max(NOTICE);
    let minutes = (now + wait.as_secs()) / 60 % (24 * 60);
    Some((wait, format!("в {}:{:02}", minutes / 60, minutes % 60)))
}

/// Returns how long it is until the clock shows this minute of the day; `now` are the seconds of the day.
fn until(minute: u32, or_half_a_day_later: bool, now: u64) -> Duration {
    const DAY: u64 = 24 * 60 * 60;
    let to = |minute: u64| (minute * 60 + DAY - now - 1) % DAY + 1;
    let first = to(u64::from(minute));
    let second = to(u64::from(minute) + 12 * 60);
    Duration::from_secs(if or_half_a_day_later { first.min(second) } else { first })
}

/// Returns a time in words, in the accusative.
pub fn words(time: Duration) -> String {
    let minutes = time.as_secs().div_ceil(60);
    let hours = (minutes / 60 > 0).then(|| count(minutes / 60, ["час", "часа", "часов"]));
    let rest = (minutes % 60 > 0).then(|| count(minutes % 60, ["минуту", "минуты", "минут"]));
    [hours, rest].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_the_day_is_the_next_one() {
        let hours = |h: f64| (h * 3600.0) as u64;
        for (minute, or_later, now, left) in [
            (22 * 60, false, hours(20.0), hours(2.0)),
            (22 * 60, false, hours(22.0), hours(24.0)),
            (22 * 60, false, hours(23.0), hours(23.0)),
            (10 * 60, true, hours(9.0), hours(1.0)),
            (10 * 60, true, hours(11.0), hours(11.0)),
            (10 * 60, true, hours(23.5), hours(10.5)),
        ] {
            assert_eq!(until(minute, or_later, now).as_secs(), left, "{minute} at {now}");
        }
    }

    #[test]
    fn a_time_is_told_in_russian() {
        for (seconds, told) in
            [(60, "1 минуту"), (61, "2 минуты"), (1800, "30 минут"), (3600, "1 час"), (9000, "2 часа 30 минут")]
        {
            assert_eq!(words(Duration::from_secs(seconds)), told);
        }
    }
}
