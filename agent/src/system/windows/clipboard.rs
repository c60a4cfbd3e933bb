//! The clipboard's text.

use std::thread::sleep;
use std::time::{Duration, Instant};

use windows::Win32::Foundation::HGLOBAL;
use windows::Win32::System::DataExchange::{
    CloseClipboard, GetClipboardData, IsClipboardFormatAvailable, OpenClipboard,
};
use windows::Win32::System::Memory::{GlobalLock, GlobalSize, GlobalUnlock};
use windows::Win32::System::Ole::CF_UNICODETEXT;

use crate::system::windows::com::within;
use crate::system::windows::wide::text;

/// How long a program may have the clipboard, and how long it may take to put its text there.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Between two looks whether it is free: nothing tells.
const PAUSE: Duration = Duration::from_millis(20);

/// Bytes of a text.
const MAX_TEXT: usize = 1024 * 1024;

const EMPTY: &str = "В буфере обмена нет текста.";
const TOO_MUCH: &str = "В буфере обмена слишком много текста.";
const SILENT: &str = "Программа, из которой скопировано, не отвечает.";

/// Returns the text in the clipboard.
///
/// # Errors
/// What to say of it.
pub fn read() -> Result<String, String> {
    let text = within(TIMEOUT * 2, || {
        let _open = Clipboard::open().ok_or("Буфер обмена занят другой программой.")?;
        read_open()
    });
    text.unwrap_or(Err(SILENT)).map_err(String::from)
}

/// The clipboard while it is open.
struct Clipboard;

impl Clipboard {
    fn open() -> Option<Self> {
        let until = Instant::now() + TIMEOUT;
        // SAFETY: it takes no pointers, and is closed by the same thread.
        while unsafe { OpenClipboard(None) }.is_err() {
            if Instant::now() > until {
                return None;
            }
            sleep(PAUSE);
        }
        Some(Self)
    }
}

impl Drop for Clipboard {
    fn drop(&mut self) {
        // SAFETY: this thread has opened it.
        let _ = unsafe { CloseClipboard() };
    }
}

fn read_open() -> Result<String, &'static str> {
    let format = CF_UNICODETEXT.0.into();
    // SAFETY: what the clipboard has is left alone by others while it is open, and not used after that. The size is that
    // of the memory, which is locked meanwhile.
    let found = unsafe {
        IsClipboardFormatAvailable(format).map_err(|_| EMPTY)?;
        let memory = HGLOBAL(GetClipboardData(format).map_err(|_| SILENT)?.0);
        let size = GlobalSize(memory);
        if size > MAX_TEXT {
            return Err(TOO_MUCH);
        }
        let start = GlobalLock(memory).cast::<u16>();
        if start.is_null() {
            return Err(EMPTY);
        }
        let found = text(std::slice::from_raw_parts(start, size / 2));
        let _ = GlobalUnlock(memory);
        found
    };
    if found.trim().is_empty() { Err(EMPTY) } else { Ok(found) }
}
