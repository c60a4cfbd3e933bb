//! A picture of all screens, in a file.

use std::path::PathBuf;

use windows::Win32::Graphics::Gdi::{
    BI_RGB, BITMAPINFO, BITMAPINFOHEADER, BitBlt, CreateCompatibleDC, CreateDIBSection, DIB_RGB_COLORS, DeleteDC,
    DeleteObject, GdiFlush, GetDC, HBITMAP, HDC, ReleaseDC, SRCCOPY, SelectObject,
};
use windows::Win32::UI::HiDpi::{DPI_AWARENESS_CONTEXT_PER_MONITOR_AWARE, SetThreadDpiAwarenessContext};
use windows::Win32::UI::WindowsAndMessaging::{
    GetSystemMetrics, SM_CXVIRTUALSCREEN, SM_CYVIRTUALSCREEN, SM_XVIRTUALSCREEN, SM_YVIRTUALSCREEN,
};

use crate::action::Folder;
use crate::system::picture;
use crate::system::windows::folders::{home, path};

const NOT_SEEN: &str = "Экран сейчас не снять: он заблокирован или выключен.";

/// Takes a picture of the screens. Returns the file that it is in.
///
/// # Errors
/// What to say of it.
pub fn take() -> Result<PathBuf, String> {
    let folder = path(Folder::Pictures).or_else(home).ok_or("Снимок сохранить некуда: нет домашней папки.")?;
    // SAFETY: they take numbers. Pixels are real ones from here on, on this thread, and then as before.
    let (before, [left, top, width, height]) = unsafe {
        let before = SetThreadDpiAwarenessContext(DPI_AWARENESS_CONTEXT_PER_MONITOR_AWARE);
        let all = [SM_XVIRTUALSCREEN, SM_YVIRTUALSCREEN, SM_CXVIRTUALSCREEN, SM_CYVIRTUALSCREEN];
        (before, all.map(|one| GetSystemMetrics(one)))
    };
    let strips = Strips::new((left, top), (width, height));
    let size = (width.unsigned_abs(), height.unsigned_abs());
    let taken =
        strips.and_then(|mut strips| picture::save(&folder, size, |top, rows, put| strips.read(top, rows, put)));
    // SAFETY: it takes what another call of it has returned.
    unsafe { SetThreadDpiAwarenessContext(before) };
    taken
}

/// A screen that is read by strips.
struct Strips {
    screen: HDC,
    memory: HDC,
    at: (i32, i32),
    width: i32,
}

impl Strips {
    fn new(at: (i32, i32), (width, height): (i32, i32)) -> Result<Self, String> {
        if width < 1 || height < 1 {
            return Err(NOT_SEEN.into());
        }
        // SAFETY: both are given back at the end.
        let (screen, memory) = unsafe {
            let screen = GetDC(None);
            (screen, CreateCompatibleDC(Some(screen)))
        };
        let strips = Self { screen, memory, at, width };
        if screen.is_invalid() || memory.is_invalid() { Err(NOT_SEEN.into()) } else { Ok(strips) }
    }

    /// Reads so many rows from this one on.
    fn read(&mut self, top: u32, rows: u32, put: &mut Vec<u8>) -> Result<(), String> {
        let (top, rows) = (top as i32, rows as i32);
        let header = BITMAPINFOHEADER {
            biSize: size_of::<BITMAPINFOHEADER>() as u32,
            biWidth: self.width,
            // The topmost row first.
            biHeight: -rows,
            biPlanes: 1,
            biBitCount: 32,
            biCompression: BI_RGB.0,
            ..Default::default()
        };
        let (info, mut bits) = (BITMAPINFO { bmiHeader: header, ..Default::default() }, std::ptr::null_mut());
        // SAFETY: the bits are those of the bitmap, four bytes a pixel, and are read before it goes, once the system has
        // drawn what it was asked to.
        unsafe {
            let bitmap = CreateDIBSection(Some(self.memory), &info, DIB_RGB_COLORS, &mut bits, None, 0);
            let Bitmap(bitmap) = &Bitmap(bitmap.map_err(|_| NOT_SEEN)?);
            let before = SelectObject(self.memory, (*bitmap).into());
            let (left, top) = (self.at.0, self.at.1 + top);
            let copied = BitBlt(self.memory, 0, 0, self.width, rows, Some(self.screen), left, top, SRCCOPY);
            let is_drawn = copied.is_ok() && GdiFlush().as_bool() && !bits.is_null();
            if is_drawn {
                let pixels = std::slice::from_raw_parts(bits.cast::<[u8; 4]>(), (self.width * rows) as usize);
                put.extend(pixels.iter().flat_map(|[blue, green, red, _]| [*red, *green, *blue]));
            }
            SelectObject(self.memory, before);
            if is_drawn { Ok(()) } else { Err(NOT_SEEN.into()) }
        }
    }
}

impl Drop for Strips {
    fn drop(&mut self) {
        // SAFETY: both are this one's own.
        unsafe {
            let _ = DeleteDC(self.memory);
            ReleaseDC(None, self.screen);
        }
    }
}

struct Bitmap(HBITMAP);

impl Drop for Bitmap {
    fn drop(&mut self) {
        // SAFETY: it is this one's own, and selected nowhere any more.
        let _ = unsafe { DeleteObject(self.0.into()) };
    }
}
