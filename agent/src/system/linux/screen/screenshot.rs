//! A picture of the whole screen, in a file.

use std::path::PathBuf;

use x11rb::connection::Connection;
use x11rb::image::{Image, PixelLayout};
use x11rb::protocol::xproto::ConnectionExt;

use crate::action::Folder;
use crate::system::linux::folders::path;
use crate::system::linux::places::home;
use crate::system::linux::screen::{Screen, Trouble, with};
use crate::system::picture;

/// Takes a picture of the screen. Returns the file that it is in.
///
/// # Errors
/// What to say of it.
pub fn take() -> Result<PathBuf, String> {
    let folder = path(Folder::Pictures).or_else(home).ok_or("Снимок сохранить некуда: нет домашней папки.")?;
    with(|screen| {
        let size = screen.x.get_geometry(screen.root)?.reply()?;
        picture::save(&folder, (size.width.into(), size.height.into()), |top, height, rows| {
            // What a screen may be high fits.
            let (top, height) = (top as i16, height as u16);
            let (image, visual) = Image::get(&screen.x, screen.root, 0, top, size.width, height)?;
            let layout = layout(screen, visual)?;
            for (x, y) in (0..height).flat_map(|y| (0..size.width).map(move |x| (x, y))) {
                let (red, green, blue) = layout.decode(image.get_pixel(x, y));
                rows.extend([red, green, blue].map(|part| (part >> 8) as u8));
            }
            Ok(())
        })
    })
}

/// Returns where a pixel's colours are in it.
fn layout(screen: &Screen, visual: u32) -> Result<PixelLayout, Trouble> {
    let depths = screen.x.setup().roots.iter().flat_map(|root| &root.allowed_depths);
    let mut visuals = depths.flat_map(|depth| &depth.visuals);
    let visual = visuals.find(|own| own.visual_id == visual).ok_or(Trouble::Refused)?;
    PixelLayout::from_visual_type(*visual).map_err(|_| Trouble::Refused)
}
