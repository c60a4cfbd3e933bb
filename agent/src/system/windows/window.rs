//! Windows that the taskbar shows.

use std::time::{Duration, Instant};

use windows::Win32::Foundation::{HWND, LPARAM, RECT, WPARAM};
use windows::Win32::Graphics::Dwm::{DWMWA_CLOAKED, DwmGetWindowAttribute};
use windows::Win32::Graphics::Gdi::{GetMonitorInfoW, MONITOR_DEFAULTTONEAREST, MONITORINFO, MonitorFromWindow};
use windows::Win32::Storage::EnhancedStorage::PKEY_AppUserModel_ID;
use windows::Win32::System::Com::StructuredStorage::PropVariantToStringAlloc;
use windows::Win32::UI::Accessibility::{HWINEVENTHOOK, SetWinEventHook, UnhookWinEvent};
use windows::Win32::UI::Input::KeyboardAndMouse::{VK_F11, VK_MENU};
use windows::Win32::UI::Shell::PropertiesSystem::{IPropertyStore, SHGetPropertyStoreForWindow};
use windows::Win32::UI::WindowsAndMessaging::{
    DispatchMessageW, EVENT_OBJECT_LOCATIONCHANGE, EVENT_SYSTEM_FOREGROUND, EnumWindows, GA_ROOT, GA_ROOTOWNER,
    GW_OWNER, GWL_EXSTYLE, GWL_STYLE, GetAncestor, GetClassNameW, GetForegroundWindow, GetWindow, GetWindowLongW,
    GetWindowRect, GetWindowTextW, GetWindowThreadProcessId, IsIconic, IsWindow, IsWindowVisible, IsZoomed, MSG,
    MsgWaitForMultipleObjects, PM_REMOVE, PeekMessageW, PostMessageW, QS_ALLINPUT, SHOW_WINDOW_CMD, SW_MAXIMIZE,
    SW_MINIMIZE, SW_RESTORE, SetForegroundWindow, ShowWindowAsync, WINDOW_EX_STYLE, WINDOW_STYLE,
    WINEVENT_OUTOFCONTEXT, WM_CLOSE, WS_EX_APPWINDOW, WS_EX_NOACTIVATE, WS_EX_TOOLWINDOW, WS_MAXIMIZEBOX,
};
use windows::core::BOOL;

use crate::system::taskbar::Window;
use crate::system::windows::com::{taken, within};
use crate::system::windows::input;
use crate::system::windows::process::{Process, package};
use crate::system::windows::wide::text;

/// How long a window may take to do what it was asked.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long all of them may take to tell what they are.
const ALL: Duration = Duration::from_secs(5);

/// After which it is looked again: not every change is told.
const LOOK: Duration = Duration::from_millis(100);

/// Windows that are looked at.
const MAX_WINDOWS: usize = 200;

/// Characters of a title and of a class, as the system has them.
const MAX_TITLE: usize = 256;

/// What shows the windows of packaged apps, which are other programs.
const FRAME: &str = "ApplicationFrameHost";

const GONE: &str = "Этого окна больше нет.";
const CANNOT: &str = "Это окно так не умеет.";

/// Returns the windows, the topmost first.
///
/// # Errors
/// What to say of it.
pub fn all() -> Result<Vec<Window>, String> {
    told(|| Ok(handles().into_iter().map(describe).collect()))
}

/// Returns the window that is in use.
///
/// # Errors
/// What to say of it.
pub fn active() -> Result<Option<Window>, String> {
    told(|| Ok(foreground().map(describe)))
}

/// Brings a window to the front, also one that is minimised.
///
/// # Errors
/// What to say of it.
pub fn activate(id: u32) -> Result<(), String> {
    told(move || {
        let window = present(id)?;
        if is_iconic(window) {
            show(window, SW_RESTORE);
        }
        // Only a program that has got the last input may bring a window to the front: a mouse that stays where it is, or
        // else a key, is this one's.
        let mouse = vec![input::mouse(0)];
        let key = vec![input::key(VK_MENU, true), input::key(VK_MENU, false)];
        for help in [mouse, key] {
            let _ = input::send(&help);
            // SAFETY: a handle of a window that is gone is refused.
            let _ = unsafe { SetForegroundWindow(window) };
            // SAFETY: likewise.
            if until(TIMEOUT / 2, || !is_iconic(window) && unsafe { GetAncestor(front(), GA_ROOTOWNER) } == window) {
                return Ok(());
            }
        }
        Err("Окно не выходит вперёд.".into())
    })
}

/// Asks windows to close, as their own button does. Returns how many are there still: they may ask whether to save.
///
/// # Errors
/// What to say of it.
pub fn close(ids: &[u32]) -> Result<usize, String> {
    let ids = ids.to_vec();
    told(move || {
        let windows: Vec<HWND> = ids.iter().map(|id| handle(*id)).collect();
        for window in &windows {
            // SAFETY: it takes no pointers here, and a handle of a window that is gone is refused.
            let asked = unsafe { PostMessageW(Some(*window), WM_CLOSE, WPARAM(0), LPARAM(0)) };
            if asked.is_err() && is_there(*window) && process(*window).is_above() {
                return Err("Это окно открыто от имени администратора: агенту его не закрыть.".into());
            }
        }
        let left = || windows.iter().filter(|window| is_there(**window)).count();
        until(TIMEOUT, || left() == 0);
        Ok(left())
    })
}

/// Minimises windows.
///
/// # Errors
/// What to say of it.
pub fn minimise(ids: &[u32]) -> Result<(), String> {
    let ids = ids.to_vec();
    told(move || {
        let windows: Vec<HWND> = ids.iter().map(|id| handle(*id)).collect();
        let all = || windows.iter().all(|window| is_iconic(*window) || !is_there(*window));
        need(show_until(&windows, SW_MINIMIZE, all), "Не все окна сворачиваются.")
    })
}

/// Minimises all windows.
///
/// # Errors
/// What to say of it.
pub fn minimise_all() -> Result<(), String> {
    told(|| {
        let windows = handles();
        let all = || windows.iter().all(|window| is_iconic(*window) || !is_there(*window));
        need(show_until(&windows, SW_MINIMIZE, all), "Не все окна сворачиваются.")
    })
}

/// Shows again all that is minimised.
///
/// # Errors
/// What to say of it.
pub fn restore_all() -> Result<(), String> {
    told(|| {
        let mut windows = handles();
        windows.retain(|window| is_iconic(*window));
        // Each after the other, the topmost last.
        windows.reverse();
        let is_back = |window: &HWND| show_until(&[*window], SW_RESTORE, || !is_iconic(*window));
        need(windows.iter().all(is_back), "Окна не разворачиваются.")
    })
}

/// Makes a window as large as the screen lets it.
///
/// # Errors
/// What to say of it.
pub fn maximise(id: u32) -> Result<(), String> {
    told(move || maximised(present(id)?))
}

/// Lets a window have the whole screen, if its program knows the usual key for that, or else makes it as large as the screen
/// lets it.
///
/// # Errors
/// What to say of it.
pub fn fullscreen(id: u32) -> Result<(), String> {
    told(move || {
        let window = present(id)?;
        if fills_screen(window) {
            return Ok(());
        }
        if front() == window && !process(window).is_above() {
            input::send(&[input::key(VK_F11, true), input::key(VK_F11, false)])?;
            if until(TIMEOUT / 2, || fills_screen(window)) {
                return Ok(());
            }
        }
        maximised(window)
    })
}

/// Returns the window that has the keyboard; none when that is the desktop or the taskbar.
pub fn foreground() -> Option<HWND> {
    // SAFETY: a handle of a window that is gone is refused.
    let window = unsafe { GetAncestor(front(), GA_ROOT) };
    let is_desktop = ["Progman", "WorkerW", "Shell_TrayWnd"].contains(&&*class(window));
    (is_there(window) && !is_desktop).then_some(window)
}

/// Returns the process that a window is of.
pub fn process(window: HWND) -> Process {
    let mut id = 0;
    // SAFETY: the number lives through the call.
    unsafe { GetWindowThreadProcessId(window, Some(&mut id)) };
    Process::of(id)
}

fn told<T: Send + 'static>(what: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    within(ALL, what).unwrap_or_else(|| Err("Экран не отвечает.".into()))
}

fn need(holds: bool, or_else: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(or_else.into()) }
}

/// Returns a window's number: of a handle no more than 32 bits count.
fn id(window: HWND) -> u32 {
    window.0 as usize as u32
}

fn handle(id: u32) -> HWND {
    HWND(id as i32 as isize as *mut _)
}

fn present(id: u32) -> Result<HWND, String> {
    let window = handle(id);
    if is_there(window) { Ok(window) } else { Err(GONE.into()) }
}

/// Returns the windows that the taskbar shows, the topmost first.
fn handles() -> Vec<HWND> {
    unsafe extern "system" fn each(window: HWND, all: LPARAM) -> BOOL {
        // SAFETY: it is the list that is given below, which nothing else has meanwhile.
        let all = unsafe { &mut *(all.0 as *mut Vec<HWND>) };
        if is_on_taskbar(window) {
            all.push(window);
        }
        (all.len() < MAX_WINDOWS).into()
    }
    let mut all: Vec<HWND> = Vec::new();
    // SAFETY: the list lives through the call. That it may have been stopped is no failure.
    let _ = unsafe { EnumWindows(Some(each), LPARAM(&raw mut all as isize)) };
    all
}

fn is_on_taskbar(window: HWND) -> bool {
    let mut cloaked = 0_u32;
    // SAFETY: they take a handle, and a number that lives through the call.
    unsafe {
        let style = WINDOW_EX_STYLE(GetWindowLongW(window, GWL_EXSTYLE) as u32);
        let is_own = GetWindow(window, GW_OWNER).is_err() && !style.contains(WS_EX_TOOLWINDOW);
        let is_shown = style.contains(WS_EX_APPWINDOW) || is_own && !style.contains(WS_EX_NOACTIVATE);
        let size = size_of_val(&cloaked) as u32;
        let _ = DwmGetWindowAttribute(window, DWMWA_CLOAKED, (&raw mut cloaked).cast(), size);
        is_shown && cloaked == 0 && is_there(window) && !title(window).is_empty()
    }
}

fn describe(window: HWND) -> Window {
    let process = process(window);
    let app = process.package().or_else(|| Some(package(&app_of(window)?).to_owned()));
    let program = process.name().filter(|name| name != FRAME);
    Window { id: id(window), title: title(window), class: app.unwrap_or_else(|| class(window)), program }
}

/// Returns the id of the app that a window is of, if it has one.
fn app_of(window: HWND) -> Option<String> {
    // SAFETY: COM is there, and the objects don't leave this thread.
    let app = unsafe {
        let store: IPropertyStore = SHGetPropertyStoreForWindow(window).ok()?;
        PropVariantToStringAlloc(&store.GetValue(&PKEY_AppUserModel_ID).ok()?).ok()?
    };
    Some(taken(app)).filter(|app| !app.is_empty())
}

fn title(window: HWND) -> String {
    let mut put = [0; MAX_TITLE];
    // SAFETY: the buffer tells its size. For windows of others it asks the system, and never them.
    unsafe { GetWindowTextW(window, &mut put) };
    text(&put)
}

fn class(window: HWND) -> String {
    let mut put = [0; MAX_TITLE];
    // SAFETY: the buffer tells its size.
    unsafe { GetClassNameW(window, &mut put) };
    text(&put)
}

fn front() -> HWND {
    // SAFETY: it takes nothing.
    unsafe { GetForegroundWindow() }
}

/// Whether a window can be seen, or would be if it weren't minimised. Some programs only hide it when it is closed.
fn is_there(window: HWND) -> bool {
    // SAFETY: they take any handle.
    unsafe { IsWindow(Some(window)).as_bool() && IsWindowVisible(window).as_bool() }
}

fn is_iconic(window: HWND) -> bool {
    // SAFETY: it takes any handle.
    unsafe { IsIconic(window) }.as_bool()
}

fn show(window: HWND, how: SHOW_WINDOW_CMD) {
    // SAFETY: it takes any handle, and waits for nobody.
    let _ = unsafe { ShowWindowAsync(window, how) };
}

fn show_until(windows: &[HWND], how: SHOW_WINDOW_CMD, holds: impl Fn() -> bool) -> bool {
    windows.iter().for_each(|window| show(*window, how));
    until(TIMEOUT, holds)
}

fn maximised(window: HWND) -> Result<(), String> {
    // SAFETY: it takes any handle.
    let style = WINDOW_STYLE(unsafe { GetWindowLongW(window, GWL_STYLE) } as u32);
    need(style.contains(WS_MAXIMIZEBOX), CANNOT)?;
    // SAFETY: likewise.
    need(show_until(&[window], SW_MAXIMIZE, || unsafe { IsZoomed(window) }.as_bool()), CANNOT)
}

fn fills_screen(window: HWND) -> bool {
    let mut own = RECT::default();
    let mut monitor = MONITORINFO { cbSize: size_of::<MONITORINFO>() as u32, ..Default::default() };
    // SAFETY: both live through the calls, and the second tells its own size.
    let are_known = unsafe {
        GetWindowRect(window, &mut own).is_ok()
            && GetMonitorInfoW(MonitorFromWindow(window, MONITOR_DEFAULTTONEAREST), &mut monitor).as_bool()
    };
    are_known && own == monitor.rcMonitor
}

/// Waits until something holds, looking again as windows change. Returns whether it does within this time.
fn until(time: Duration, holds: impl Fn() -> bool) -> bool {
    /// The event has woken who waits, and that is all.
    unsafe extern "system" fn heard(_: HWINEVENTHOOK, _: u32, _: HWND, _: i32, _: i32, _: u32, _: u32) {}
    let until = Instant::now() + time;
    let (first, last) = (EVENT_SYSTEM_FOREGROUND, EVENT_OBJECT_LOCATIONCHANGE);
    // SAFETY: the function does nothing, and the hook is taken off by the thread that has set it.
    let hook = unsafe { SetWinEventHook(first, last, None, Some(heard), 0, 0, WINEVENT_OUTOFCONTEXT) };
    let holds = loop {
        let left = until.saturating_duration_since(Instant::now());
        if holds() || left.is_zero() {
            break holds();
        }
        let mut message = MSG::default();
        // SAFETY: the message lives through the calls.
        unsafe {
            MsgWaitForMultipleObjects(None, false, left.min(LOOK).as_millis() as u32, QS_ALLINPUT);
            while PeekMessageW(&mut message, None, 0, 0, PM_REMOVE).as_bool() {
                DispatchMessageW(&message);
            }
        }
    };
    // SAFETY: as above.
    let _ = unsafe { UnhookWinEvent(hook) };
    holds
}
