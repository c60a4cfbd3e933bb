//! Keys and the mouse, as if they were pressed and moved.

use windows::Win32::UI::Input::KeyboardAndMouse::{
    INPUT, INPUT_0, INPUT_KEYBOARD, INPUT_MOUSE, KEYBD_EVENT_FLAGS, KEYBDINPUT, KEYEVENTF_EXTENDEDKEY, KEYEVENTF_KEYUP,
    KEYEVENTF_UNICODE, MAPVK_VK_TO_VSC, MOUSEEVENTF_MOVE, MOUSEINPUT, MapVirtualKeyW, SendInput, VIRTUAL_KEY,
    VK_DELETE, VK_DOWN, VK_END, VK_HOME, VK_LEFT, VK_LWIN, VK_NEXT, VK_PRIOR, VK_RIGHT, VK_SNAPSHOT, VK_UP,
};

/// Keys that older keyboards had only among the digits.
const EXTENDED: [VIRTUAL_KEY; 11] =
    [VK_DELETE, VK_DOWN, VK_END, VK_HOME, VK_LEFT, VK_LWIN, VK_NEXT, VK_PRIOR, VK_RIGHT, VK_SNAPSHOT, VK_UP];

/// Returns a key that goes down or up.
pub fn key(key: VIRTUAL_KEY, is_down: bool) -> INPUT {
    let mut flags = if is_down { KEYBD_EVENT_FLAGS(0) } else { KEYEVENTF_KEYUP };
    if EXTENDED.contains(&key) {
        flags |= KEYEVENTF_EXTENDEDKEY;
    }
    // SAFETY: it takes numbers.
    let scan = unsafe { MapVirtualKeyW(key.0.into(), MAPVK_VK_TO_VSC) };
    keyboard(KEYBDINPUT { wVk: key, wScan: scan as u16, dwFlags: flags, ..Default::default() })
}

/// Returns a part of a character, which goes down or up whatever the keys mean.
pub fn unit(unit: u16, is_down: bool) -> INPUT {
    let flags = if is_down { KEYEVENTF_UNICODE } else { KEYEVENTF_UNICODE | KEYEVENTF_KEYUP };
    keyboard(KEYBDINPUT { wScan: unit, dwFlags: flags, ..Default::default() })
}

/// Returns a move of the mouse by so many pixels to the right.
pub fn mouse(by: i32) -> INPUT {
    let mi = MOUSEINPUT { dx: by, dwFlags: MOUSEEVENTF_MOVE, ..Default::default() };
    INPUT { r#type: INPUT_MOUSE, Anonymous: INPUT_0 { mi } }
}

fn keyboard(ki: KEYBDINPUT) -> INPUT {
    INPUT { r#type: INPUT_KEYBOARD, Anonymous: INPUT_0 { ki } }
}

/// Sends them, with nothing of others in between.
///
/// # Errors
/// What to say of it.
pub fn send(all: &[INPUT]) -> Result<(), String> {
    // SAFETY: the size is that of what is given.
    let sent = unsafe { SendInput(all, size_of::<INPUT>() as i32) };
    if sent as usize == all.len() {
        Ok(())
    } else {
        Err("Windows не принимает клавиши: экран заблокирован.".into())
    }
}
