//! The icon beside the clock, while the agent without a console runs: whether it is linked, and a menu.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::Builder;

use windows::Win32::Foundation::{HWND, LPARAM, LRESULT, POINT, WPARAM};
use windows::Win32::System::LibraryLoader::GetModuleHandleW;
use windows::Win32::UI::Shell::{
    NIF_ICON, NIF_MESSAGE, NIF_TIP, NIM_ADD, NIM_DELETE, NIM_MODIFY, NOTIFYICONDATAW, Shell_NotifyIconW,
};
use windows::Win32::UI::WindowsAndMessaging::{
    AppendMenuW, CreatePopupMenu, CreateWindowExW, DefWindowProcW, DestroyMenu, DispatchMessageW, GetCursorPos,
    GetLastActivePopup, GetMessageW, GetSystemMetrics, HICON, IMAGE_ICON, LR_SHARED, LoadImageW, MB_ICONINFORMATION,
    MB_ICONWARNING, MB_SETFOREGROUND, MF_CHECKED, MF_SEPARATOR, MF_STRING, MSG, MessageBoxW, PostMessageW,
    RegisterClassW, RegisterWindowMessageW, SM_CXSMICON, SM_CYSMICON, SetForegroundWindow, TPM_NONOTIFY, TPM_RETURNCMD,
    TrackPopupMenu, WINDOW_EX_STYLE, WM_APP, WM_ENDSESSION, WM_LBUTTONUP, WM_NULL, WM_RBUTTONUP, WNDCLASSW, WS_POPUP,
};
use windows::core::{HSTRING, PCWSTR, w};

use crate::status::{Told, say};
use crate::system::windows::autostart::Autostart;
use crate::system::windows::places::Places;
use crate::system::windows::{ask_to_end, launch};

/// The icons among the exe's resources.
const LINKED: usize = 1;
const UNLINKED: usize = 2;

/// Messages to the window: something new is told, and the mouse does something with the icon.
const TOLD: u32 = WM_APP;
const MOUSE: u32 = WM_APP + 1;

/// What the menu's items do.
const STATUS: usize = 1;
const COMMANDS: usize = 2;
const AUTOSTART: usize = 3;
const END: usize = 4;

static TRAY: OnceLock<Tray> = OnceLock::new();

struct Tray {
    places: Places,
    /// What the taskbar says when it begins anew, and has forgotten its icons.
    taskbar_created: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The hidden window's handle, once there is one.
    window: Option<isize>,
    /// There is no icon before something is told.
    told: Option<Told>,
}

/// From now on what is told shows beside the clock, if there is a taskbar; all else works without. The thread ends with the
/// program.
pub fn begin(places: &Places) {
    // SAFETY: the name is a constant.
    let taskbar_created = unsafe { RegisterWindowMessageW(w!("TaskbarCreated")) };
    let tray = TRAY.get_or_init(|| Tray { places: places.clone(), taskbar_created, state: Mutex::default() });
    let _ = Builder::new().name("tray".into()).spawn(|| tray.work());
}

/// Shows whether there is a link. It waits for nothing.
pub fn show(told: &Told) {
    let Some(tray) = TRAY.get() else { return };
    let window = tray.with_state(|state| {
        state.told = Some(told.clone());
        state.window
    });
    // The window looks by itself when it begins.
    if let Some(window) = window {
        // SAFETY: a handle and numbers; it fails when the window has gone.
        let _ = unsafe { PostMessageW(Some(handle(window)), TOLD, WPARAM(0), LPARAM(0)) };
    }
}

/// Removes the icon, which would stay until the mouse comes over it.
pub fn end() {
    let window = TRAY.get().and_then(|tray| {
        tray.with_state(|state| {
            // What is still on its way draws none.
            state.told = None;
            state.window
        })
    });
    if let Some(window) = window {
        // SAFETY: the struct tells its own size, and lives through the call.
        let _ = unsafe { Shell_NotifyIconW(NIM_DELETE, &icon(handle(window))) };
    }
}

impl Tray {
    fn with_state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes the window, and serves it. It is no message-only one, which would hear nothing of the taskbar.
    fn work(&self) -> windows::core::Result<()> {
        let class = WNDCLASSW { lpfnWndProc: Some(hear), lpszClassName: w!("HomeAliceTray"), ..Default::default() };
        // SAFETY: the names are constants; the procedure is there for as long as the program; the message is this
        // function's.
        unsafe {
            RegisterClassW(&class);
            let (no_style, name) = (WINDOW_EX_STYLE::default(), w!("Home Alice"));
            let window =
                CreateWindowExW(no_style, class.lpszClassName, name, WS_POPUP, 0, 0, 0, 0, None, None, None, None)?;
            self.with_state(|state| state.window = Some(window.0 as isize));
            self.draw(window);
            let mut message = MSG::default();
            while GetMessageW(&mut message, None, 0, 0).0 > 0 {
                DispatchMessageW(&message);
            }
        }
        Ok(())
    }

    /// Shows the icon as things are; it fails where there is no taskbar, and is called again when there is one.
    fn draw(&self, window: HWND) {
        let Some(is_linked) = self.with_state(|state| state.told.as_ref().map(|told| told.linked.is_some())) else {
            return;
        };
        let mut icon = icon(window);
        icon.uFlags = NIF_ICON | NIF_MESSAGE | NIF_TIP;
        icon.uCallbackMessage = MOUSE;
        icon.hIcon = load(if is_linked { LINKED } else { UNLINKED });
        let tip = if is_linked { "Home Alice: связь есть" } else { "Home Alice: связи нет" };
        icon.szTip.iter_mut().zip(tip.encode_utf16()).for_each(|(put, unit)| *put = unit);
        // SAFETY: the struct tells its own size, and lives through the calls.
        unsafe {
            if !Shell_NotifyIconW(NIM_MODIFY, &icon).as_bool() {
                let _ = Shell_NotifyIconW(NIM_ADD, &icon);
            }
        }
    }

    /// Asks what to do, and does it.
    fn ask(&self, window: HWND) -> windows::core::Result<()> {
        let autostart = Autostart::new(&self.places);
        let is_on = autostart.is_on();
        let mut mouse = POINT::default();
        // SAFETY: the texts are constants; the menu is destroyed here; the point lives through the call. The window in front
        // and the empty message have the menu close when the user looks elsewhere (documented with TrackPopupMenu).
        let chosen = unsafe {
            // What it shows already comes to the front.
            let popup = GetLastActivePopup(window);
            if popup != window {
                return SetForegroundWindow(popup).ok();
            }
            let menu = CreatePopupMenu()?;
            let check = if is_on { MF_CHECKED } else { MF_STRING };
            AppendMenuW(menu, MF_STRING, STATUS, w!("Состояние"))?;
            AppendMenuW(menu, MF_STRING, COMMANDS, w!("Команды"))?;
            AppendMenuW(menu, check, AUTOSTART, w!("Запускать вместе с Windows"))?;
            AppendMenuW(menu, MF_SEPARATOR, 0, PCWSTR::null())?;
            AppendMenuW(menu, MF_STRING, END, w!("Выход"))?;
            GetCursorPos(&mut mouse)?;
            let _ = SetForegroundWindow(window);
            let chosen = TrackPopupMenu(menu, TPM_RETURNCMD | TPM_NONOTIFY, mouse.x, mouse.y, None, window, None);
            let _ = PostMessageW(Some(window), WM_NULL, WPARAM(0), LPARAM(0));
            let _ = DestroyMenu(menu);
            usize::try_from(chosen.0).unwrap_or(0)
        };
        match chosen {
            STATUS => self.tell(window),
            COMMANDS => _ = launch::edit(&self.places.config).inspect_err(|failed| say(&failed.told("Блокнот"))),
            AUTOSTART => {
                let changed = if is_on { autostart.unregister() } else { autostart.register() };
                _ = changed.inspect_err(|error| say(&format!("Автозапуск не меняется: {error}")));
            }
            END => ask_to_end(),
            _ => {}
        }
        Ok(())
    }

    /// Tells what `status` tells.
    fn tell(&self, window: HWND) {
        let Some(told) = self.with_state(|state| state.told.clone()) else { return };
        let sign = if told.linked.is_some() { MB_ICONINFORMATION } else { MB_ICONWARNING };
        // SAFETY: the texts live through the call.
        unsafe { MessageBoxW(Some(window), &HSTRING::from(told.text()), w!("Home Alice"), sign | MB_SETFOREGROUND) };
    }
}

/// What happens to the window. While it shows a menu or a box, this is called from within.
unsafe extern "system" fn hear(window: HWND, message: u32, with: WPARAM, what: LPARAM) -> LRESULT {
    match (TRAY.get(), message, what.0 as u32) {
        (Some(tray), MOUSE, WM_LBUTTONUP | WM_RBUTTONUP) => _ = tray.ask(window),
        (Some(tray), message, _) if message == TOLD || message == tray.taskbar_created => tray.draw(window),
        // The user logs off.
        (_, WM_ENDSESSION, _) if with.0 != 0 => ask_to_end(),
        // SAFETY: what the system has called with.
        _ => return unsafe { DefWindowProcW(window, message, with, what) },
    }
    LRESULT(0)
}

fn icon(window: HWND) -> NOTIFYICONDATAW {
    NOTIFYICONDATAW { cbSize: size_of::<NOTIFYICONDATAW>() as u32, hWnd: window, uID: 1, ..Default::default() }
}

/// Returns an icon of the exe's, which the system keeps; none when it refuses.
fn load(resource: usize) -> HICON {
    // SAFETY: a resource's number in place of a name is how the call takes it.
    unsafe {
        let (name, module) = (PCWSTR(resource as *const u16), GetModuleHandleW(None).unwrap_or_default());
        let (width, height) = (GetSystemMetrics(SM_CXSMICON), GetSystemMetrics(SM_CYSMICON));
        let loaded = LoadImageW(Some(module.into()), name, IMAGE_ICON, width, height, LR_SHARED);
        HICON(loaded.unwrap_or_default().0)
    }
}

fn handle(window: isize) -> HWND {
    HWND(window as *mut _)
}
