//! The time here, which only the C library knows: it reads the zone's file.

#![allow(unsafe_code, reason = "localtime_r(3) fills a struct that is given to it")]

/// Returns the seconds since midnight; none where the system can't tell.
pub fn local_time() -> Option<u64> {
    let tm = now()?;
    u64::try_from(tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec).ok()
}

/// Returns date and time as a file can be named by them: `2026-11-30 14-05-09`.
pub fn local_stamp() -> Option<String> {
    let tm = now()?;
    let (year, month, day) = (tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
    Some(format!("{year}-{month:02}-{day:02} {:02}-{:02}-{:02}", tm.tm_hour, tm.tm_min, tm.tm_sec))
}

fn now() -> Option<libc::tm> {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime).tv_sec;
    let mut tm = std::mem::MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both pointers are to values of these types that live through the call, and it keeps neither.
    let filled = unsafe { libc::localtime_r(&now, tm.as_mut_ptr()) };
    if filled.is_null() {
        return None;
    }
    // SAFETY: it has filled the struct, as its result says.
    Some(unsafe { tm.assume_init() })
}
