//! Texts as the system's calls take and give them: UTF-16 that ends with zero.

use std::ffi::OsStr;
use std::os::windows::ffi::OsStrExt;

use windows::core::HSTRING;

/// Returns a name or a path as calls take it.
pub fn wide(text: impl AsRef<OsStr>) -> HSTRING {
    HSTRING::from_wide(&text.as_ref().encode_wide().collect::<Vec<_>>())
}

/// Returns what a call has put there, up to the zero.
pub fn text(put: &[u16]) -> String {
    String::from_utf16_lossy(put.split(|unit| *unit == 0).next().unwrap_or_default())
}
