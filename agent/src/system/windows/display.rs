//! The monitor: off and on, and how bright it is.

use std::time::Duration;

use windows::Win32::Devices::Display::{
    DestroyPhysicalMonitors, GetMonitorBrightness, GetNumberOfPhysicalMonitorsFromHMONITOR,
    GetPhysicalMonitorsFromHMONITOR, PHYSICAL_MONITOR, SetMonitorBrightness,
};
use windows::Win32::Foundation::{LPARAM, RECT, WPARAM};
use windows::Win32::Graphics::Gdi::{EnumDisplayMonitors, HDC, HMONITOR};
use windows::Win32::UI::WindowsAndMessaging::{HWND_BROADCAST, PostMessageW, SC_MONITORPOWER, WM_SYSCOMMAND};
use windows::core::BOOL;

use crate::action::Brightness;
use crate::message::Outcome;
use crate::system::brightness::{NO_BACKLIGHT, percent, told};
use crate::system::windows::com::within;
use crate::system::windows::{input, power, wmi};

/// How long monitors may take: their wires are slow.
const TIMEOUT: Duration = Duration::from_secs(4);

/// What `SC_MONITORPOWER` takes.
const OFF: isize = 2;
const ON: isize = -1;

/// Turns the monitor off, until a key or the mouse is touched.
///
/// # Errors
/// What to say of it.
pub fn off() -> Result<(), String> {
    if power::sleeps_with_screen() {
        return Err("Этот компьютер без экрана засыпает целиком. Если так и нужно, скажите: усни.".into());
    }
    switch(OFF)
}

/// Turns the monitor on.
///
/// # Errors
/// What to say of it.
pub fn on() -> Result<(), String> {
    switch(ON)?;
    // Later systems hear the mouse alone.
    input::send(&[input::mouse(1), input::mouse(-1)])
}

fn switch(to: isize) -> Result<(), String> {
    let (command, to) = (WPARAM(SC_MONITORPOWER as usize), LPARAM(to));
    // SAFETY: it takes numbers, and waits for nobody.
    unsafe { PostMessageW(Some(HWND_BROADCAST), WM_SYSCOMMAND, command, to) }
        .map_err(|_| "Монитор не слушается.".into())
}

/// Changes the brightness. Says what it is then: it is read back.
pub fn brightness(change: Brightness) -> Outcome {
    let changed = within(TIMEOUT, move || wmi::brightness(change).or_else(|| of_monitors(change)));
    match changed {
        Some(Some((before, now))) => Outcome::done(told(before, now)),
        Some(None) => Outcome::failed(NO_BACKLIGHT),
        None => Outcome::failed("Монитор не отвечает."),
    }
}

/// Changes the brightness of every monitor that can by DDC/CI. Returns that of the first before and after; none when there is
/// no such monitor.
fn of_monitors(change: Brightness) -> Option<(u32, u32)> {
    let mut told = None;
    for handle in handles() {
        let mut count = 0;
        // SAFETY: the number lives through the call.
        if unsafe { GetNumberOfPhysicalMonitorsFromHMONITOR(handle, &mut count) }.is_err() {
            continue;
        }
        let mut monitors = vec![PHYSICAL_MONITOR::default(); count as usize];
        // SAFETY: the list has room for as many as there are, and they are given back.
        unsafe {
            if GetPhysicalMonitorsFromHMONITOR(handle, &mut monitors).is_ok() {
                let changed: Vec<_> = monitors.iter().filter_map(|one| of_monitor(one, change)).collect();
                told = told.or(changed.first().copied());
                let _ = DestroyPhysicalMonitors(&monitors);
            }
        }
    }
    told
}

fn of_monitor(monitor: &PHYSICAL_MONITOR, change: Brightness) -> Option<(u32, u32)> {
    let PHYSICAL_MONITOR { hPhysicalMonitor: handle, .. } = *monitor;
    let look = || {
        let [mut least, mut now, mut most] = [0; 3];
        // SAFETY: the numbers live through the call.
        let is_known = unsafe { GetMonitorBrightness(handle, &mut least, &mut now, &mut most) } != 0;
        (is_known && most > least).then(|| (least, most, percent(now.saturating_sub(least), most - least)))
    };
    let (least, most, before) = look()?;
    let wanted = change.from(before);
    if wanted == before {
        return Some((before, before));
    }
    // SAFETY: it takes numbers.
    let is_set = unsafe { SetMonitorBrightness(handle, least + (most - least) * wanted / 100) } != 0;
    Some((before, look()?.2)).filter(|_| is_set)
}

fn handles() -> Vec<HMONITOR> {
    unsafe extern "system" fn each(monitor: HMONITOR, _: HDC, _: *mut RECT, all: LPARAM) -> BOOL {
        // SAFETY: it is the list that is given below, which nothing else has meanwhile.
        unsafe { &mut *(all.0 as *mut Vec<HMONITOR>) }.push(monitor);
        true.into()
    }
    let mut all: Vec<HMONITOR> = Vec::new();
    // SAFETY: the list lives through the call.
    let _ = unsafe { EnumDisplayMonitors(None, None, Some(each), LPARAM(&raw mut all as isize)) };
    all
}
