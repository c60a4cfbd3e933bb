//! What the PC tells of itself: its battery, its load, and what runs.

use std::thread::sleep;
use std::time::Duration;

use crate::message::Outcome;
use crate::system::count;
use crate::system::linux::bus::{Bus, BusError, Double, Object};
use crate::system::linux::places::home;
use crate::system::linux::power::words;
use crate::system::linux::{keyfile, programs, uptime};

/// What UPower puts together of all batteries. It is there also where no battery is.
const BATTERY: Object<'static> = Object {
    name: "org.freedesktop.UPower",
    path: "/org/freedesktop/UPower/devices/DisplayDevice",
    interface: "org.freedesktop.UPower.Device",
};

/// How long the processor is looked at.
const LOOK: Duration = Duration::from_millis(300);

/// Programs that are named.
const MAX_NAMED: usize = 8;

/// Bytes of a file of the kernel's that are read.
const MAX_FILE: u64 = 64 * 1024;

const PERCENT: [&str; 3] = ["процент", "процента", "процентов"];
const GIGABYTES: [&str; 3] = ["гигабайт", "гигабайта", "гигабайт"];

/// Tells of the battery.
pub fn battery() -> Outcome {
    charge().unwrap_or_else(|_| Outcome::failed("Заряда не видно: здесь нет службы UPower."))
}

fn charge() -> Result<Outcome, BusError> {
    let mut bus = Bus::system()?;
    if !bus.property::<bool>(BATTERY, "IsPresent")? {
        return Ok(Outcome::done("Батареи здесь нет."));
    }
    let percentage = bus.property::<Double>(BATTERY, "Percentage")?.0;
    let state = bus.property::<u32>(BATTERY, "State")?;
    let mut left =
        |property| Ok::<_, BusError>(Duration::from_secs(bus.property::<i64>(BATTERY, property)?.max(0) as u64));
    let (left, of) = match state {
        1 => (left("TimeToFull")?, "полный через"),
        2 => (left("TimeToEmpty")?, "хватит на"),
        _ => (Duration::ZERO, ""),
    };
    let time = if left.is_zero() { String::new() } else { format!(", {of} {}", words(left)) };
    let state = match state {
        1 => ", заряжается",
        4 => ", батарея полная",
        _ => "",
    };
    let percent = count(percentage.clamp(0.0, 100.0).round() as u64, PERCENT);
    Ok(Outcome::done(format!("Заряд {percent}{state}{time}.")))
}

/// Tells of the processor, the memory, the disk, and since when all that runs.
pub fn system() -> Outcome {
    let kernel = |file| keyfile::read(std::path::Path::new(file), MAX_FILE).unwrap_or_default();
    let before = processor(&kernel("/proc/stat"));
    sleep(LOOK);
    let load = before.zip(processor(&kernel("/proc/stat"))).map(|(before, now)| load(before, now));
    let told = [
        load.map(|load| format!("процессор занят на {}", count(load, PERCENT))),
        memory(&kernel("/proc/meminfo")).map(|used| format!("память на {used}")),
        free().map(|free| format!("на диске свободно {}", count(free, GIGABYTES))),
        Some(format!("компьютер работает {}", long(uptime() / 1000))),
    ];
    let told = told.into_iter().flatten().collect::<Vec<_>>().join(", ");
    Outcome::done(format!("{}.", capitalised(&told)))
}

/// Names the programs that run.
pub fn running_programs() -> Outcome {
    let programs = programs::programs();
    let running = programs::running(&programs);
    let names: Vec<&str> = running.iter().map(|program| &*program.name).collect();
    Outcome::done(match names.as_slice() {
        [] => "Из программ ничего не запущено.".into(),
        [name] => format!("Запущено: {name}."),
        names => format!("Запущены: {}.", listed(names)),
    })
}

fn listed(names: &[&str]) -> String {
    match names.len().checked_sub(MAX_NAMED) {
        Some(more @ 1..) => format!("{} и ещё {more}", names[..MAX_NAMED].join(", ")),
        _ => names.join(", "),
    }
}

/// Returns how long the processor has worked, and for how long that was counted (proc_stat(5)).
fn processor(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    // Those of guests are in the user's time.
    let times: Vec<u64> = line.split_whitespace().take(8).map_while(|time| time.parse().ok()).collect();
    let idle = times.get(3)? + times.get(4)?;
    let all = times.iter().sum::<u64>();
    Some((all - idle, all))
}

/// Returns how busy it was between two looks, in percent.
fn load(before: (u64, u64), now: (u64, u64)) -> u64 {
    // What waits for a disk may be counted back.
    let (busy, all) = (now.0.saturating_sub(before.0), now.1.saturating_sub(before.1));
    (busy * 100).checked_div(all).unwrap_or(0).min(100)
}

/// Returns how much memory is in use, in percent (proc_meminfo(5)).
fn memory(meminfo: &str) -> Option<u64> {
    let of = |key: &str| -> Option<u64> {
        let value = meminfo.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        value.split_whitespace().next()?.parse().ok()
    };
    let (all, free) = (of("MemTotal")?, of("MemAvailable")?);
    (all.saturating_sub(free) * 100).checked_div(all)
}

/// Returns the gigabytes that the user's files may still take.
fn free() -> Option<u64> {
    let disk = rustix::fs::statvfs(home()?).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize) / 1_000_000_000)
}

/// Returns a time of seconds in words that may be days.
fn long(seconds: u64) -> String {
    const DAY: u64 = 24 * 60 * 60;
    let days = (seconds >= DAY).then(|| count(seconds / DAY, ["день", "дня", "дней"]));
    // With days nobody asks for the minutes.
    let rest = if days.is_some() { seconds % DAY / 3600 * 3600 } else { seconds.max(60) };
    let rest = Some(words(Duration::from_secs(rest))).filter(|rest| !rest.is_empty());
    days.into_iter().chain(rest).collect::<Vec<_>>().join(" ")
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_tells_is_read() {
        let before = processor("cpu  100 10 40 800 50 0 0 0 70 0\ncpu0 1 2 3 4 5").unwrap();
        assert_eq!(before, (150, 1000));
        assert_eq!(load(before, (162, 1100)), 12);
        assert_eq!(load(before, before), 0);
        assert_eq!(load(before, (140, 1100)), 0);
        assert_eq!(processor("cpu  1 2"), None);
        assert_eq!(memory("MemTotal:  200 kB\nMemFree: 1 kB\nMemAvailable:  114 kB\n"), Some(43));
        assert_eq!(memory(""), None);
    }

    #[test]
    fn it_is_told_so_that_it_can_be_spoken() {
        for (seconds, told) in
            [(0, "1 минуту"), (3 * 3600, "3 часа"), (86_400, "1 день"), (5 * 86_400 + 7300, "5 дней 2 часа")]
        {
            assert_eq!(long(seconds), told);
        }
        assert_eq!(listed(&["a"; 8]), ["a"; 8].join(", "));
        assert_eq!(listed(&["a"; 11]), format!("{} и ещё 3", ["a"; 8].join(", ")));
        assert_eq!(capitalised("я сам"), "Я сам");
    }
}
