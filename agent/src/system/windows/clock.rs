//! The time here.

use windows::Win32::Foundation::SYSTEMTIME;
use windows::Win32::System::SystemInformation::GetLocalTime;

/// Returns the seconds since midnight.
pub fn local_time() -> Option<u64> {
    let now = now();
    Some(u64::from(now.wHour) * 3600 + u64::from(now.wMinute) * 60 + u64::from(now.wSecond))
}

/// Returns date and time as a file can be named by them: `2026-11-30 14-05-09`.
pub fn local_stamp() -> Option<String> {
    let SYSTEMTIME { wYear: year, wMonth: month, wDay: day, wHour: hour, wMinute: minute, wSecond: second, .. } = now();
    Some(format!("{year}-{month:02}-{day:02} {hour:02}-{minute:02}-{second:02}"))
}

fn now() -> SYSTEMTIME {
    // SAFETY: it takes nothing.
    unsafe { GetLocalTime() }
}
