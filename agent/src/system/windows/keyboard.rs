//! Keys, and text that needs none, as if they were pressed.

use std::time::Duration;

use windows::Win32::Foundation::{HWND, LPARAM, WPARAM};
use windows::Win32::Globalization::{GetLocaleInfoW, LOCALE_SLOCALIZEDLANGUAGENAME};
use windows::Win32::UI::Input::KeyboardAndMouse::{
    GetAsyncKeyState, GetKeyboardLayout, GetKeyboardLayoutList, HKL, VIRTUAL_KEY, VK_0, VK_A, VK_BACK, VK_CONTROL,
    VK_DELETE, VK_DOWN, VK_END, VK_ESCAPE, VK_F1, VK_HOME, VK_LEFT, VK_LWIN, VK_MENU, VK_NEXT, VK_PRIOR, VK_RETURN,
    VK_RIGHT, VK_RWIN, VK_SHIFT, VK_SNAPSHOT, VK_SPACE, VK_TAB, VK_UP,
};
use windows::Win32::UI::WindowsAndMessaging::{
    GUITHREADINFO, GetGUIThreadInfo, GetWindowThreadProcessId, PostMessageW, SMTO_ABORTIFHUNG, SendMessageTimeoutW,
    WM_INPUTLANGCHANGEREQUEST, WM_NULL,
};

use crate::action::{Key, Language, Power};
use crate::system::power;
use crate::system::windows::input::{key, send, unit};
use crate::system::windows::wide::text as from_wide;
use crate::system::windows::window::{foreground, process};

/// Characters of a text.
const MAX_TEXT: usize = 1_000;

/// Characters that are typed at once. A window has room for some thousands of keys that it hasn't read.
const BATCH: usize = 100;

/// How long a window may be behind.
const READ_WITHIN: Duration = Duration::from_secs(2);

/// How often it is asked for its layout, and how long it is waited between.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// Layouts that are looked at.
const MAX_LAYOUTS: usize = 32;

/// Units of a language's name.
const MAX_NAME: usize = 80;

/// Types a text into the window that is in use, whatever layout is on.
///
/// # Errors
/// What to say of it.
pub fn type_text(text: &str) -> Result<(), String> {
    if text.chars().count() > MAX_TEXT {
        return Err(format!("Столько не напечатать: больше {MAX_TEXT} знаков."));
    }
    let window = foreground().ok_or("Печатать некуда: ни одно окно не выбрано.")?;
    takes_keys(window)?;
    release_all()?;
    let text: Vec<char> = text.chars().filter(|c| !c.is_control() || *c == '\n' || *c == '\t').collect();
    for batch in text.chunks(BATCH) {
        let mut keys = Vec::new();
        for c in batch {
            match c {
                '\n' => keys.extend([key(VK_RETURN, true), key(VK_RETURN, false)]),
                '\t' => keys.extend([key(VK_TAB, true), key(VK_TAB, false)]),
                c => keys.extend(c.encode_utf16(&mut [0; 2]).iter().flat_map(|u| [unit(*u, true), unit(*u, false)])),
            }
        }
        if foreground() != Some(window) {
            return Err("Напечатано не всё: вперёд вышло другое окно.".into());
        }
        send(&keys)?;
        settle(window)?;
    }
    Ok(())
}

/// Presses keys together, and lets them go.
///
/// # Errors
/// What to say of it.
pub fn press(keys: &[Key]) -> Result<(), String> {
    match keys {
        // The system takes these two from a keyboard alone.
        [Key::Super, Key::Char('l')] => {
            let locked = power::ask(Power::Lock);
            return if locked.ok { Ok(()) } else { Err(locked.text) };
        }
        [Key::Ctrl, Key::Alt, Key::Delete] => return Err("Эти клавиши Windows принимает только от человека.".into()),
        _ => {}
    }
    if let Some(window) = foreground() {
        takes_keys(window)?;
    }
    release_all()?;
    let down = keys.iter().map(|own| key(own.code(), true));
    let up = keys.iter().rev().map(|own| key(own.code(), false));
    send(&down.chain(up).collect::<Vec<_>>())
}

/// Turns another layout on: the next, or this one. Returns what is said: which one is on then.
///
/// # Errors
/// What to say of it.
pub fn layout(to: Option<Language>) -> Result<String, String> {
    let window = focus().ok_or("Раскладка у каждого окна своя, а ни одно окно не выбрано.")?;
    let (layouts, now) = (layouts(), layout_of(window));
    let at = layouts.iter().position(|layout| *layout == now).unwrap_or(0);
    let next = match to {
        None if layouts.len() < 2 => return Err("Раскладка здесь одна.".into()),
        None => layouts[(at + 1) % layouts.len()],
        Some(asked) => {
            let (language, missing) = match asked {
                Language::Russian => (RUSSIAN, "Русской раскладки здесь нет."),
                Language::English => (ENGLISH, "Английской раскладки здесь нет."),
            };
            // The one that is on, if it is of the language.
            let mut all = layouts[at..].iter().chain(&layouts);
            *all.find(|layout| language_of(**layout) == language).ok_or(missing)?
        }
    };
    takes_keys(window)?;
    // SAFETY: it takes numbers, and a handle of a window that is gone is refused.
    let asked = unsafe { PostMessageW(Some(window), WM_INPUTLANGCHANGEREQUEST, WPARAM(0), LPARAM(next.0 as isize)) };
    // Nobody else is told of it.
    let is_on = asked.is_ok()
        && (0..LOOKS).any(|look| {
            std::thread::sleep(PAUSE * look.min(1));
            layout_of(window) == next
        });
    if !is_on {
        return Err("Раскладка не переключается.".into());
    }
    Ok(match language_of(next) {
        RUSSIAN => "Раскладка русская.".into(),
        ENGLISH => "Раскладка английская.".into(),
        UKRAINIAN => "Раскладка украинская.".into(),
        _ => format!("Раскладка {}.", name_of(next)),
    })
}

/// Languages, as the lower bits of a layout have them.
const ENGLISH: usize = 0x09;
const RUSSIAN: usize = 0x19;
const UKRAINIAN: usize = 0x22;

fn language_of(layout: HKL) -> usize {
    layout.0 as usize & 0x3ff
}

/// Returns a language's name in the language of the system.
fn name_of(layout: HKL) -> String {
    let mut put = [0; MAX_NAME];
    // SAFETY: the buffer tells its size.
    unsafe { GetLocaleInfoW(layout.0 as usize as u32 & 0xffff, LOCALE_SLOCALIZEDLANGUAGENAME, Some(&mut put)) };
    from_wide(&put)
}

fn layouts() -> Vec<HKL> {
    let mut put = [HKL::default(); MAX_LAYOUTS];
    // SAFETY: the buffer tells its size.
    let count = unsafe { GetKeyboardLayoutList(Some(&mut put)) };
    put[..usize::try_from(count).unwrap_or(0)].to_vec()
}

fn layout_of(window: HWND) -> HKL {
    // SAFETY: a handle of a window that is gone is refused, and thread 0 is this one.
    unsafe { GetKeyboardLayout(GetWindowThreadProcessId(window, None)) }
}

/// Returns the window that has the keyboard: of a packaged app it is another program's than the one around it.
fn focus() -> Option<HWND> {
    let mut found = GUITHREADINFO { cbSize: size_of::<GUITHREADINFO>() as u32, ..Default::default() };
    // SAFETY: the struct lives through the call, and tells its own size.
    let focus = unsafe { GetGUIThreadInfo(0, &mut found) }.ok().map(|()| found.hwndFocus);
    let window = foreground()?;
    Some(focus.filter(|focus| !focus.is_invalid()).unwrap_or(window))
}

fn takes_keys(window: HWND) -> Result<(), String> {
    match process(window).is_above() {
        false => Ok(()),
        true => Err("Это окно открыто от имени администратора: клавиш от агента оно не примет.".into()),
    }
}

/// Lets go of the keys that are held, and that change what others mean.
fn release_all() -> Result<(), String> {
    // SAFETY: it takes a number.
    let is_down = |key: &VIRTUAL_KEY| unsafe { GetAsyncKeyState(key.0.into()) } < 0;
    let held = [VK_SHIFT, VK_CONTROL, VK_MENU, VK_LWIN, VK_RWIN].into_iter().filter(is_down);
    send(&held.map(|held| key(held, false)).collect::<Vec<_>>())
}

/// Waits until the window answers: then it is not far behind.
fn settle(window: HWND) -> Result<(), String> {
    let time = READ_WITHIN.as_millis() as u32;
    // SAFETY: the message has nothing in it.
    let answer = unsafe { SendMessageTimeoutW(window, WM_NULL, WPARAM(0), LPARAM(0), SMTO_ABORTIFHUNG, time, None) };
    if answer.0 == 0 {
        Err("Окно не отвечает: напечатанное может появиться не сразу.".into())
    } else {
        Ok(())
    }
}

impl Key {
    fn code(self) -> VIRTUAL_KEY {
        let from = |first: VIRTUAL_KEY, by: u8| VIRTUAL_KEY(first.0 + u16::from(by));
        match self {
            Self::Ctrl => VK_CONTROL,
            Self::Alt => VK_MENU,
            Self::Shift => VK_SHIFT,
            Self::Super => VK_LWIN,
            Self::Enter => VK_RETURN,
            Self::Escape => VK_ESCAPE,
            Self::Tab => VK_TAB,
            Self::Space => VK_SPACE,
            Self::Backspace => VK_BACK,
            Self::Delete => VK_DELETE,
            Self::Home => VK_HOME,
            Self::End => VK_END,
            Self::PageUp => VK_PRIOR,
            Self::PageDown => VK_NEXT,
            Self::Left => VK_LEFT,
            Self::Right => VK_RIGHT,
            Self::Up => VK_UP,
            Self::Down => VK_DOWN,
            Self::PrintScreen => VK_SNAPSHOT,
            Self::F(number) => from(VK_F1, number.saturating_sub(1)),
            Self::Char(digit @ '0'..='9') => from(VK_0, digit as u8 - b'0'),
            Self::Char(letter @ 'a'..='z') => from(VK_A, letter as u8 - b'a'),
            // There are no others (`phrases::keys`).
            Self::Char(_) => VK_SPACE,
        }
    }
}
