//! What the PC tells of itself: its battery, its load, and what runs.

use std::thread::sleep;
use std::time::Duration;

use windows::Win32::Foundation::FILETIME;
use windows::Win32::Storage::FileSystem::GetDiskFreeSpaceExW;
use windows::Win32::System::Power::{GetSystemPowerStatus, SYSTEM_POWER_STATUS};
use windows::Win32::System::SystemInformation::{GlobalMemoryStatusEx, MEMORYSTATUSEX};
use windows::Win32::System::Threading::GetSystemTimes;

use crate::message::Outcome;
use crate::system::telling::{self, Battery, load};
use crate::system::windows::folders::home;
use crate::system::windows::programs;
use crate::system::windows::wide::wide;

/// How long the processor is looked at.
const LOOK: Duration = Duration::from_millis(300);

/// What `SYSTEM_POWER_STATUS` has where nothing is known.
const UNKNOWN: u8 = 255;
const UNKNOWN_TIME: u32 = u32::MAX;

const CHARGES: u8 = 8;
const NO_BATTERY: u8 = 128;

/// Tells of the battery.
pub fn battery() -> Outcome {
    let mut found = SYSTEM_POWER_STATUS::default();
    // SAFETY: the struct lives through the call.
    let asked = unsafe { GetSystemPowerStatus(&mut found) };
    let SYSTEM_POWER_STATUS { BatteryFlag: flags, BatteryLifePercent: percent, BatteryLifeTime: left, .. } = found;
    match (asked, flags) {
        (Ok(()), UNKNOWN) | (Err(_), _) => Outcome::failed("Заряда не видно: Windows его не знает."),
        (Ok(()), flags) if flags & NO_BATTERY != 0 => Outcome::done(telling::NO_BATTERY),
        _ if percent > 100 => Outcome::failed("Заряда не видно: Windows его не знает."),
        _ => {
            let does = match (flags & CHARGES != 0, found.ACLineStatus, percent) {
                (true, ..) => Battery::Charges,
                (_, 0, _) => Battery::Drains,
                (_, _, 100) => Battery::IsFull,
                _ => Battery::Rests,
            };
            let left = if left == UNKNOWN_TIME || does != Battery::Drains { 0 } else { left };
            telling::battery(percent.into(), does, Duration::from_secs(left.into()))
        }
    }
}

/// Tells of the processor, the memory, the disk, and since when all that runs.
pub fn system() -> Outcome {
    let before = processor();
    sleep(LOOK);
    let load = before.zip(processor()).map(|(before, now)| load(before, now));
    // How long it runs Windows doesn't tell: behind a shutdown of its fast kind the clock goes on.
    telling::system(load, memory(), free(), None)
}

/// Names the programs that run.
pub fn running_programs() -> Outcome {
    let programs = programs::programs();
    let running = programs::running(&programs);
    telling::programs(&running.iter().map(|program| &*program.name).collect::<Vec<_>>())
}

/// Returns how long the processor has worked, and for how long that was counted.
fn processor() -> Option<(u64, u64)> {
    let [mut idle, mut kernel, mut user] = [FILETIME::default(); 3];
    // SAFETY: the times live through the call.
    unsafe { GetSystemTimes(Some(&mut idle), Some(&mut kernel), Some(&mut user)) }.ok()?;
    let [idle, kernel, user] =
        [idle, kernel, user].map(|time| u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime));
    // The kernel's time has the idle one in it.
    let all = kernel + user;
    Some((all.saturating_sub(idle), all))
}

/// Returns how much memory is in use, in percent.
fn memory() -> Option<u64> {
    let mut found = MEMORYSTATUSEX { dwLength: size_of::<MEMORYSTATUSEX>() as u32, ..Default::default() };
    // SAFETY: the struct lives through the call, and tells its own size.
    unsafe { GlobalMemoryStatusEx(&mut found) }.ok().map(|()| found.dwMemoryLoad.into())
}

/// Returns the bytes that the user's files may still take.
fn free() -> Option<u64> {
    let (home, mut free) = (wide(home()?), 0);
    // SAFETY: both live through the call.
    unsafe { GetDiskFreeSpaceExW(&home, Some(&mut free), None, None) }.ok().map(|()| free)
}
