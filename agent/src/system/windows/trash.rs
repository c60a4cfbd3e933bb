//! The bin: that of each disk, as the desktop shows it.

use windows::Win32::UI::Shell::{
    SHERB_NOCONFIRMATION, SHERB_NOPROGRESSUI, SHERB_NOSOUND, SHEmptyRecycleBinW, SHQUERYRBINFO, SHQueryRecycleBinW,
};
use windows::core::PCWSTR;

use crate::system::count as so_many;

/// Returns how many files and folders lie in the bin.
pub fn count() -> usize {
    let mut found = SHQUERYRBINFO { cbSize: size_of::<SHQUERYRBINFO>() as u32, ..Default::default() };
    // SAFETY: the struct lives through the call, and tells its own size.
    let asked = unsafe { SHQueryRecycleBinW(PCWSTR::null(), &mut found) };
    asked.map_or(0, |()| usize::try_from(found.i64NumItems).unwrap_or(0))
}

/// Empties the bin. Returns how much lay in it.
///
/// # Errors
/// What to say of it: something is left.
pub fn empty() -> Result<usize, String> {
    let before = count();
    // SAFETY: it takes no pointers. It also fails where nothing is in the bin, so what is left tells.
    let _ =
        unsafe { SHEmptyRecycleBinW(None, PCWSTR::null(), SHERB_NOCONFIRMATION | SHERB_NOPROGRESSUI | SHERB_NOSOUND) };
    match count() {
        0 => Ok(before),
        left => {
            let left = so_many(left as u64, ["файл", "файла", "файлов"]);
            Err(format!("Корзина очищена не вся: {left} не удаляется."))
        }
    }
}
