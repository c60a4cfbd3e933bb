//! The processes of this session, and what they are.

use std::path::Path;

use windows::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_SUCCESS, HANDLE};
use windows::Win32::Security::{
    GetSidSubAuthority, GetSidSubAuthorityCount, GetTokenInformation, TOKEN_MANDATORY_LABEL, TOKEN_QUERY,
    TokenIntegrityLevel,
};
use windows::Win32::Storage::Packaging::Appx::GetPackageFamilyName;
use windows::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows::Win32::System::RemoteDesktop::ProcessIdToSessionId;
use windows::Win32::System::Threading::{
    GetCurrentProcessId, OpenProcess, OpenProcessToken, PROCESS_NAME_WIN32, PROCESS_QUERY_LIMITED_INFORMATION,
    QueryFullProcessImageNameW,
};
use windows::core::{Error, Owned, PWSTR};

use crate::system::windows::wide::text;

/// Processes that are looked at.
const MAX_PROCESSES: usize = 10_000;

/// Units of a path, and of a package's name.
const MAX_PATH: usize = 1024;

/// A process of this session.
pub struct Process(u32);

impl Process {
    /// Returns the one with this id.
    pub fn of(id: u32) -> Self {
        Self(id)
    }

    /// Returns the name of its file, without the extension.
    pub fn name(&self) -> Option<String> {
        let process = self.open().ok()?;
        let (mut put, mut size) = ([0; MAX_PATH], MAX_PATH as u32);
        // SAFETY: the size is that of the buffer.
        unsafe { QueryFullProcessImageNameW(*process, PROCESS_NAME_WIN32, PWSTR(put.as_mut_ptr()), &mut size) }.ok()?;
        Some(stem(&text(&put)))
    }

    /// Returns the package that it is of, if it is of one.
    pub fn package(&self) -> Option<String> {
        let process = self.open().ok()?;
        let (mut put, mut size) = ([0; MAX_PATH], MAX_PATH as u32);
        // SAFETY: the size is that of the buffer.
        let found = unsafe { GetPackageFamilyName(*process, &mut size, Some(PWSTR(put.as_mut_ptr()))) };
        (found == ERROR_SUCCESS).then(|| text(&put))
    }

    /// Whether it has more rights than this program: then it takes no keys and no requests from it.
    pub fn is_above(&self) -> bool {
        let own = Self(own()).level().unwrap_or(u32::MAX);
        match self.level() {
            Ok(level) => level > own,
            Err(error) => error.code() == ERROR_ACCESS_DENIED.to_hresult(),
        }
    }

    fn open(&self) -> Result<Owned<HANDLE>, Error> {
        // SAFETY: what is opened is nobody else's.
        unsafe { Ok(Owned::new(OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, false, self.0)?)) }
    }

    /// Returns its integrity level.
    fn level(&self) -> Result<u32, Error> {
        let process = self.open()?;
        // The label, and behind it what it points to.
        let mut label = [0_u64; 16];
        // SAFETY: the size is that of the buffer, which is aligned for the label; the label's pointer is into it.
        unsafe {
            let mut token = HANDLE::default();
            OpenProcessToken(*process, TOKEN_QUERY, &mut token)?;
            let (token, size) = (Owned::new(token), size_of_val(&label) as u32);
            GetTokenInformation(*token, TokenIntegrityLevel, Some(label.as_mut_ptr().cast()), size, &mut 0)?;
            let sid = (*label.as_ptr().cast::<TOKEN_MANDATORY_LABEL>()).Label.Sid;
            let last = u32::from(*GetSidSubAuthorityCount(sid)).saturating_sub(1);
            Ok(*GetSidSubAuthority(sid, last))
        }
    }
}

fn own() -> u32 {
    // SAFETY: it takes nothing.
    unsafe { GetCurrentProcessId() }
}

/// Returns the processes of this session, each with the name of its file, without the extension.
pub fn all() -> Vec<(Process, String)> {
    let mut found = Vec::new();
    let mut entry = PROCESSENTRY32W { dwSize: size_of::<PROCESSENTRY32W>() as u32, ..Default::default() };
    let session = |id| {
        let mut session = u32::MAX;
        // SAFETY: the number lives through the call.
        unsafe { ProcessIdToSessionId(id, &mut session) }.ok().map(|()| session)
    };
    let here = session(own());
    // SAFETY: the entry tells its own size, and the snapshot lives as long as it is walked through.
    unsafe {
        let Ok(snapshot) = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0) else { return found };
        let snapshot = Owned::new(snapshot);
        let mut next = Process32FirstW(*snapshot, &mut entry);
        while next.is_ok() && found.len() < MAX_PROCESSES {
            if session(entry.th32ProcessID) == here {
                found.push((Process(entry.th32ProcessID), stem(&text(&entry.szExeFile))));
            }
            next = Process32NextW(*snapshot, &mut entry);
        }
    }
    found
}

/// Returns the name of a program's file, without the extension.
pub fn stem(path: &str) -> String {
    Path::new(path).file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Returns the package of an app with this id; of what has none the id itself.
pub fn package(app: &str) -> &str {
    app.split('!').next().unwrap_or(app)
}
