//! Reads files that a setting names, whole and up to a limit.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// Why a file is unusable.
#[derive(Debug)]
pub enum Unusable {
    /// It can't be read.
    Unreadable(io::Error),
    /// It is a folder, a pipe or a device, some of which never end, or block.
    NotRegular,
    /// It is longer than this many bytes.
    TooLong(u64),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "which can't be read ({error})"),
            Self::NotRegular => f.write_str("which is no regular file"),
            Self::TooLong(most) => write!(f, "which is longer than {} KiB", most / 1024),
        }
    }
}

/// Reads the regular file at `path`, of at most `most` bytes.
///
/// # Errors
/// The file is unusable.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, Unusable> {
    // Checked first, since opening a pipe waits for its writer.
    if !fs::metadata(path).map_err(Unusable::Unreadable)?.is_file() {
        return Err(Unusable::NotRegular);
    }
    let mut content = Vec::new();
    let file = File::open(path).map_err(Unusable::Unreadable)?;
    file.take(most + 1).read_to_end(&mut content).map_err(Unusable::Unreadable)?;
    match content.len() as u64 > most {
        true => Err(Unusable::TooLong(most)),
        false => Ok(content),
    }
}
