//! A picture of the whole screen, in a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use png::{BitDepth, ColorType, Compression, Encoder};
use x11rb::connection::Connection;
use x11rb::image::{Image, PixelLayout};
use x11rb::protocol::xproto::ConnectionExt;

use crate::action::Folder;
use crate::system::linux::clock::local_stamp;
use crate::system::linux::folders::path;
use crate::system::linux::places::home;
use crate::system::linux::screen::{Screen, Trouble, with};

/// Pixels that are held at once: a strip of this many is read, and written, and then the next.
const STRIP: u32 = 256 * 1024;

/// Files of one second.
const MAX_FILES: u32 = 100;

/// Takes a picture of the screen. Returns the file that it is in.
///
/// # Errors
/// What to say of it.
pub fn take() -> Result<PathBuf, String> {
    let folder = path(Folder::Pictures).or_else(home).ok_or("Снимок сохранить некуда: нет домашней папки.")?;
    with(|screen| {
        let failed = |error: io::Error| Trouble::Told(format!("Снимок не сохраняется: {error}."));
        let (file, path) = create(&folder).map_err(failed)?;
        let taken = write(screen, file);
        if taken.is_err() {
            // What there is of it is no picture.
            let _ = fs::remove_file(&path);
        }
        taken.map(|()| path)
    })
}

/// Creates a file that is named by the time, for the user alone and in nobody's place.
fn create(folder: &Path) -> io::Result<(File, PathBuf)> {
    let stamp = local_stamp().unwrap_or_default();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    for number in 1..=MAX_FILES {
        let more = if number == 1 { String::new() } else { format!(" ({number})") };
        let file = folder.join(format!("Снимок {stamp}{more}.png"));
        match options.open(&file) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            opened => return Ok((opened?, file)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn write(screen: &Screen, file: File) -> Result<(), Trouble> {
    let size = screen.x.get_geometry(screen.root)?.reply()?;
    let mut encoder = Encoder::new(BufWriter::new(file), size.width.into(), size.height.into());
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fast);
    let mut writer = encoder.write_header().map_err(unwritten)?;
    let mut picture = writer.stream_writer().map_err(unwritten)?;
    let at_once = (STRIP / u32::from(size.width.max(1))).clamp(1, u32::from(u16::MAX)) as u16;
    let mut row = Vec::with_capacity(usize::from(size.width) * 3);
    for top in (0..size.height).step_by(at_once.into()) {
        let height = at_once.min(size.height - top);
        // What a screen may be high fits.
        let (image, visual) = Image::get(&screen.x, screen.root, 0, top as i16, size.width, height)?;
        let layout = layout(screen, visual)?;
        for y in 0..height {
            row.clear();
            for x in 0..size.width {
                let (red, green, blue) = layout.decode(image.get_pixel(x, y));
                row.extend([red, green, blue].map(|part| (part >> 8) as u8));
            }
            picture.write_all(&row).map_err(|error| unwritten(error.into()))?;
        }
    }
    picture.finish().map_err(unwritten)?;
    writer.finish().map_err(unwritten)
}

fn unwritten(error: png::EncodingError) -> Trouble {
    Trouble::Told(format!("Снимок не сохраняется: {error}."))
}

/// Returns where a pixel's colours are in it.
fn layout(screen: &Screen, visual: u32) -> Result<PixelLayout, Trouble> {
    let depths = screen.x.setup().roots.iter().flat_map(|root| &root.allowed_depths);
    let mut visuals = depths.flat_map(|depth| &depth.visuals);
    let visual = visuals.find(|own| own.visual_id == visual).ok_or(Trouble::Refused)?;
    PixelLayout::from_visual_type(*visual).map_err(|_| Trouble::Refused)
}
