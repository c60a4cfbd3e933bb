//! A picture of the screen, in a file; the systems have its pixels.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use png::{BitDepth, ColorType, Compression, Encoder, EncodingError};

use crate::system::local_stamp;

/// Pixels that are held at once: a strip of this many is read, and written, and then the next.
const STRIP: u32 = 256 * 1024;

/// Files of one second.
const MAX_FILES: u32 = 100;

/// Saves a picture of this width and height. `read` is asked for the rows from one on, so many, and puts the red, green
/// and blue of each pixel into what it is given. Returns the file.
///
/// # Errors
/// What to say of it.
pub fn save<E: for<'a> From<&'a str>>(
    folder: &Path,
    (width, height): (u32, u32),
    mut read: impl FnMut(u32, u32, &mut Vec<u8>) -> Result<(), E>,
) -> Result<PathBuf, E> {
    let failed = |error: EncodingError| E::from(&*format!("Снимок не сохраняется: {error}."));
    let (file, path) = create(folder).map_err(|error| failed(error.into()))?;
    let write = || {
        let mut encoder = Encoder::new(BufWriter::new(file), width, height);
        encoder.set_color(ColorType::Rgb);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_compression(Compression::Fast);
        let mut writer = encoder.write_header().map_err(failed)?;
        let mut picture = writer.stream_writer().map_err(failed)?;
        let at_once = (STRIP / width.max(1)).max(1);
        let mut strip = Vec::new();
        for top in (0..height).step_by(at_once as usize) {
            strip.clear();
            read(top, at_once.min(height - top), &mut strip)?;
            picture.write_all(&strip).map_err(|error| failed(error.into()))?;
        }
        picture.finish().map_err(failed)?;
        writer.finish().map_err(failed)
    };
    let written = write();
    if written.is_err() {
        // What there is of it is no picture.
        let _ = fs::remove_file(&path);
    }
    written.map(|()| path)
}

/// Creates a file that is named by the time, for the user alone and in nobody's place.
fn create(folder: &Path) -> io::Result<(File, PathBuf)> {
    let stamp = local_stamp().unwrap_or_default();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
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
