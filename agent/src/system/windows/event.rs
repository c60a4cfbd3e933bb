//! Events of the system's, and waiting for them and for the ends of processes.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::time::Duration;

use windows::Win32::Foundation::{HANDLE, WAIT_OBJECT_0, WAIT_TIMEOUT};
use windows::Win32::System::Threading::{
    CreateEventW, INFINITE, OpenProcess, PROCESS_SYNCHRONIZE, ResetEvent, SetEvent, WaitForMultipleObjects,
    WaitForSingleObject,
};
use windows::core::HSTRING;

/// Something that is told once, and stays told until it is reset.
pub struct Event(OwnedHandle);

impl Event {
    /// Not told yet.
    ///
    /// # Errors
    /// The system refuses it.
    pub fn new() -> io::Result<Self> {
        Self::named("")
    }

    /// That by which this process of the agent's is asked to end. Whoever comes first makes it.
    ///
    /// # Errors
    /// The system refuses it, as it does another user's.
    pub fn of_end(process: u32) -> io::Result<Self> {
        Self::named(&format!("Local\\home-alice-agent-end-{process}"))
    }

    fn named(name: &str) -> io::Result<Self> {
        let wide = HSTRING::from(name);
        let named = (!name.is_empty()).then_some(&wide);
        // SAFETY: the name lives as long as the call; the handle is this one's alone.
        unsafe {
            let handle = match named {
                Some(name) => CreateEventW(None, true, false, name),
                None => CreateEventW(None, true, false, windows::core::PCWSTR::null()),
            }?;
            Ok(Self(OwnedHandle::from_raw_handle(handle.0)))
        }
    }

    /// Tells it.
    ///
    /// # Errors
    /// The system refuses.
    pub fn set(&self) -> io::Result<()> {
        // SAFETY: the handle is an event's.
        unsafe { Ok(SetEvent(handle(&self.0))?) }
    }

    /// Takes it back.
    pub fn reset(&self) {
        // SAFETY: the handle is an event's.
        let _ = unsafe { ResetEvent(handle(&self.0)) };
    }

    /// Waits until it is told.
    pub fn wait(&self) {
        // SAFETY: the handle is an event's.
        unsafe { WaitForSingleObject(handle(&self.0), INFINITE) };
    }

    /// Waits for a process to end, or for this, for so long. Returns which of them it was, if any: 0 or 1.
    ///
    /// # Errors
    /// The system refuses to wait.
    pub fn or_end_of(&self, process: &impl AsRawHandle, time: Duration) -> io::Result<Option<u32>> {
        let both = [HANDLE(process.as_raw_handle()), handle(&self.0)];
        // SAFETY: both handles live as long as the call.
        let woken = unsafe { WaitForMultipleObjects(&both, false, milliseconds(time)) };
        match woken {
            WAIT_TIMEOUT => Ok(None),
            woken if woken.0 < WAIT_OBJECT_0.0 + 2 => Ok(Some(woken.0 - WAIT_OBJECT_0.0)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Returns whether a process ends within this time.
///
/// # Errors
/// It is not there, or another user's.
pub fn process_ends_within(process: u32, time: Duration) -> io::Result<bool> {
    // SAFETY: the handle is this function's alone.
    unsafe {
        let process = OwnedHandle::from_raw_handle(OpenProcess(PROCESS_SYNCHRONIZE, false, process)?.0);
        Ok(WaitForSingleObject(handle(&process), milliseconds(time)) == WAIT_OBJECT_0)
    }
}

fn handle(owned: &OwnedHandle) -> HANDLE {
    HANDLE(owned.as_raw_handle())
}

fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(INFINITE - 1)
}
