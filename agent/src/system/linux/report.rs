//! What the PC tells of itself: its battery, its load, and what runs.

use std::thread::sleep;
use std::time::Duration;

use crate::message::Outcome;
use crate::system::linux::bus::{Bus, BusError, Double, Object};
use crate::system::linux::places::home;
use crate::system::linux::{keyfile, programs, uptime};
use crate::system::telling::{self, Battery, load};

/// What UPower puts together of all batteries. It is there also where no battery is.
const BATTERY: Object<'static> = Object {
    name: "org.freedesktop.UPower",
    path: "/org/freedesktop/UPower/devices/DisplayDevice",
    interface: "org.freedesktop.UPower.Device",
};

/// How long the processor is looked at.
const LOOK: Duration = Duration::from_millis(300);

/// Bytes of a file of the kernel's that are read.
const MAX_FILE: u64 = 64 * 1024;

/// Tells of the battery.
pub fn battery() -> Outcome {
    charge().unwrap_or_else(|_| Outcome::failed("Заряда не видно: здесь нет службы UPower."))
}

fn charge() -> Result<Outcome, BusError> {
    let mut bus = Bus::system()?;
    if !bus.property::<bool>(BATTERY, "IsPresent")? {
        return Ok(Outcome::done(telling::NO_BATTERY));
    }
    let percentage = bus.property::<Double>(BATTERY, "Percentage")?.0;
    let state = bus.property::<u32>(BATTERY, "State")?;
    let mut left =
        |property| Ok::<_, BusError>(Duration::from_secs(bus.property::<i64>(BATTERY, property)?.max(0) as u64));
    let (does, left) = match state {
        1 => (Battery::Charges, left("TimeToFull")?),
        2 => (Battery::Drains, left("TimeToEmpty")?),
        4 => (Battery::IsFull, Duration::ZERO),
        _ => (Battery::Rests, Duration::ZERO),
    };
    Ok(telling::battery(percentage.clamp(0.0, 100.0).round() as u64, does, left))
}

/// Tells of the processor, the memory, the disk, and since when all that runs.
pub fn system() -> Outcome {
    let kernel = |file| keyfile::read(std::path::Path::new(file), MAX_FILE).unwrap_or_default();
    let before = processor(&kernel("/proc/stat"));
    sleep(LOOK);
    let load = before.zip(processor(&kernel("/proc/stat"))).map(|(before, now)| load(before, now));
    telling::system(load, memory(&kernel("/proc/meminfo")), free(), Some(uptime() / 1000))
}

/// Names the programs that run.
pub fn running_programs() -> Outcome {
    let programs = programs::programs();
    let running = programs::running(&programs);
    telling::programs(&running.iter().map(|program| &*program.name).collect::<Vec<_>>())
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

/// Returns how much memory is in use, in percent (proc_meminfo(5)).
fn memory(meminfo: &str) -> Option<u64> {
    let of = |key: &str| -> Option<u64> {
        let value = meminfo.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        value.split_whitespace().next()?.parse().ok()
    };
    let (all, free) = (of("MemTotal")?, of("MemAvailable")?);
    (all.saturating_sub(free) * 100).checked_div(all)
}

/// Returns the bytes that the user's files may still take.
fn free() -> Option<u64> {
    let disk = rustix::fs::statvfs(home()?).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_tells_is_read() {
        let before = processor("cpu  100 10 40 800 50 0 0 0 70 0\ncpu0 1 2 3 4 5").unwrap();
        assert_eq!(before, (150, 1000));
        assert_eq!(processor("cpu  1 2"), None);
        assert_eq!(memory("MemTotal:  200 kB\nMemFree: 1 kB\nMemAvailable:  114 kB\n"), Some(43));
        assert_eq!(memory(""), None);
    }
}
