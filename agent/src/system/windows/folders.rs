//! The user's folders, where the system has them.

use std::path::PathBuf;

use windows::Win32::UI::Shell::{
    FOLDERID_Desktop, FOLDERID_Documents, FOLDERID_Downloads, FOLDERID_Music, FOLDERID_Pictures, FOLDERID_Profile,
    FOLDERID_Videos, KF_FLAG_DEFAULT, SHGetKnownFolderPath,
};
use windows::core::GUID;

use crate::action::Folder;
use crate::system::windows::com::taken;

/// Returns where a folder is, if it is there. The bin has an address.
pub fn path(folder: Folder) -> Option<PathBuf> {
    let id = match folder {
        Folder::Bin => return Some("shell:RecycleBinFolder".into()),
        Folder::Home => FOLDERID_Profile,
        Folder::Desktop => FOLDERID_Desktop,
        Folder::Downloads => FOLDERID_Downloads,
        Folder::Documents => FOLDERID_Documents,
        Folder::Music => FOLDERID_Music,
        Folder::Pictures => FOLDERID_Pictures,
        Folder::Videos => FOLDERID_Videos,
    };
    known(&id).filter(|path| path.is_dir())
}

/// Returns the user's home.
pub fn home() -> Option<PathBuf> {
    path(Folder::Home)
}

/// Returns where the system has a folder.
pub fn known(id: &GUID) -> Option<PathBuf> {
    // SAFETY: the id lives through the call.
    let path = unsafe { SHGetKnownFolderPath(id, KF_FLAG_DEFAULT, None) }.ok()?;
    Some(taken(path).into())
}
