//! The monitor: off and on, and how bright it is.

use std::ffi::c_void;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use windows::Win32::Devices::Display::{
    DestroyPhysicalMonitors, GetMonitorBrightness, GetNumberOfPhysicalMonitorsFromHMONITOR,
    GetPhysicalMonitorsFromHMONITOR, PHYSICAL_MONITOR, SetMonitorBrightness,
};
use windows::Win32::Foundation::{HANDLE, LPARAM, RECT, WPARAM};
use windows::Win32::Graphics::Gdi::{EnumDisplayMonitors, HDC, HMONITOR};
use windows::Win32::System::Power::{
    DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS, HPOWERNOTIFY, POWERBROADCAST_SETTING, PowerSettingRegisterNotification,
    PowerSettingUnregisterNotification,
};
use windows::Win32::System::SystemServices::GUID_CONSOLE_DISPLAY_STATE;
use windows::Win32::UI::WindowsAndMessaging::{
    DEVICE_NOTIFY_CALLBACK, HWND_BROADCAST, PBT_POWERSETTINGCHANGE, PostMessageW, SC_MONITORPOWER, WM_SYSCOMMAND,
};
use windows::core::BOOL;

use crate::action::Brightness;
use crate::message::Outcome;
use crate::system::brightness::{NO_BACKLIGHT, percent, told};
use crate::system::windows::com::within;
use crate::system::windows::{input, power, wmi};

/// How long monitors may take: their wires are slow.
const TIMEOUT: Duration = Duration::from_secs(4);

/// How long the screen may take to go off or on.
const SWITCHED_WITHIN: Duration = Duration::from_secs(2);

/// What the system has told of the screen since it was last asked to switch it (`GUID_CONSOLE_DISPLAY_STATE`).
static TOLD: Mutex<Option<u8>> = Mutex::new(None);
static CHANGED: Condvar = Condvar::new();

/// What it tells, and the same as `SC_MONITORPOWER` takes it.
const OFF: (u8, isize) = (0, 2);
const ON: (u8, isize) = (1, -1);

/// Turns the monitor off, until a key or the mouse is touched.
///
/// # Errors
/// What to say of it.
pub fn off() -> Result<(), String> {
    if power::sleeps_with_screen() {
        return Err("Этот компьютер без экрана засыпает целиком. Если так и нужно, скажите: усни.".into());
    }
    switch(OFF, || Ok(()))
}

/// Turns the monitor off where the PC then sleeps (modern standby).
///
/// # Errors
/// What to say of it.
pub fn sleep() -> Result<(), String> {
    switch(OFF, || Ok(()))
}

/// Turns the monitor on.
///
/// # Errors
/// What to say of it.
pub fn on() -> Result<(), String> {
    // Later systems hear the mouse alone.
    switch(ON, || input::send(&[input::mouse(1), input::mouse(-1)]))
}

/// Asks the screen to be so, and waits until the system says that it is. Of a system that says nothing it is believed.
fn switch((wanted, power): (u8, isize), more: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    const REFUSED: &str = "Монитор не слушается.";
    *told_now() = None;
    let hears = DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS { Callback: Some(heard), Context: std::ptr::null_mut() };
    let mut registration = std::ptr::null_mut();
    // SAFETY: what is registered lives until it is taken back, and hears with statics alone.
    let is_heard = unsafe {
        let hears = HANDLE((&raw const hears).cast_mut().cast());
        PowerSettingRegisterNotification(&GUID_CONSOLE_DISPLAY_STATE, DEVICE_NOTIFY_CALLBACK, hears, &mut registration)
    };
    // SAFETY: it takes numbers, and waits for nobody.
    let asked =
        unsafe { PostMessageW(Some(HWND_BROADCAST), WM_SYSCOMMAND, WPARAM(SC_MONITORPOWER as usize), LPARAM(power)) };
    let done = asked.map_err(|_| REFUSED.into()).and_then(|()| more());
    let now = CHANGED.wait_timeout_while(told_now(), SWITCHED_WITHIN, |now| is_heard.is_ok() && *now != Some(wanted));
    let now = *now.unwrap_or_else(PoisonError::into_inner).0;
    if is_heard.is_ok() {
        // SAFETY: it was registered above.
        let _ = unsafe { PowerSettingUnregisterNotification(HPOWERNOTIFY(registration as isize)) };
    }
    if now.is_none_or(|now| now == wanted) { done } else { done.and(Err(REFUSED.into())) }
}

unsafe extern "system" fn heard(_: *const c_void, kind: u32, setting: *const c_void) -> u32 {
    if kind == PBT_POWERSETTINGCHANGE && !setting.is_null() {
        // SAFETY: of this kind it is such a struct.
        *told_now() = Some(unsafe { (*setting.cast::<POWERBROADCAST_SETTING>()).Data[0] });
        CHANGED.notify_all();
    }
    0
}

fn told_now() -> MutexGuard<'static, Option<u8>> {
    TOLD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What became of the brightness, in percent.
pub struct Changed {
    pub before: u32,
    pub wanted: u32,
    pub now: u32,
}

/// Changes the brightness. Says what it is then: it is read back.
pub fn brightness(change: Brightness) -> Outcome {
    let changed = within(TIMEOUT, move || wmi::brightness(change).or_else(|| of_monitors(change)));
    match changed {
        Some(Some(Changed { before, wanted, now })) => {
            told(before, wanted, now).map_or_else(Outcome::failed, Outcome::done)
        }
        Some(None) => Outcome::failed(NO_BACKLIGHT),
        None => Outcome::failed("Монитор не отвечает."),
    }
}

/// Changes the brightness of every monitor that can by DDC/CI. Returns what became of the first; none when there is no
/// such monitor.
fn of_monitors(change: Brightness) -> Option<Changed> {
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
                told = told.or(changed.into_iter().next());
                let _ = DestroyPhysicalMonitors(&monitors);
            }
        }
    }
    told
}

fn of_monitor(monitor: &PHYSICAL_MONITOR, change: Brightness) -> Option<Changed> {
    let PHYSICAL_MONITOR { hPhysicalMonitor: handle, .. } = *monitor;
    let look = || {
        let [mut least, mut now, mut most] = [0; 3];
        // SAFETY: the numbers live through the call.
        let is_known = unsafe { GetMonitorBrightness(handle, &mut least, &mut now, &mut most) } != 0;
        (is_known && most > least).then(|| (least, most, percent(now.saturating_sub(least), most - least)))
    };
    let (least, most, before) = look()?;
    let wanted = change.from(before);
    if wanted != before {
        // SAFETY: it takes numbers. What has come of it is read back.
        unsafe { SetMonitorBrightness(handle, least + (most - least) * wanted / 100) };
    }
    Some(Changed { before, wanted, now: look()?.2 })
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
