//! Calls that may take long, or for ever, each on a thread of its own that COM is there for.

use std::sync::Once;
use std::sync::mpsc::channel;
use std::thread::Builder;
use std::time::Duration;

use windows::Win32::System::Com::{
    COINIT_APARTMENTTHREADED, COINIT_DISABLE_OLE1DDE, CoIncrementMTAUsage, CoInitializeEx, CoTaskMemFree,
    CoUninitialize,
};
use windows::core::PWSTR;

/// Returns what this does on a thread of its own, in an apartment of its own; none when it takes longer than this time. It is
/// then left alone.
pub fn within<T: Send + 'static>(time: Duration, what: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    within_multithreaded(time, || {
        // SAFETY: the thread is new, so nothing here has chosen another model.
        let is_there = unsafe { CoInitializeEx(None, COINIT_APARTMENTTHREADED | COINIT_DISABLE_OLE1DDE) }.is_ok();
        let done = what();
        if is_there {
            // SAFETY: `what` has dropped its objects: none of them may go to another thread, as `done` does.
            unsafe { CoUninitialize() };
        }
        done
    })
}

/// As [`within`], in the apartment that all share: there nobody has to serve messages while it waits.
pub fn within_multithreaded<T: Send + 'static>(time: Duration, what: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    // The apartment of all stays as long as the program: with the last one COM would unload what `windows` keeps for later.
    static APARTMENT: Once = Once::new();
    // SAFETY: it takes nothing, and what it returns is never given back.
    APARTMENT.call_once(|| _ = unsafe { CoIncrementMTAUsage() });
    let (tell, told) = channel();
    let thread = Builder::new().name("call".into()).spawn(move || _ = tell.send(what())).ok()?;
    let done = told.recv_timeout(time).ok()?;
    // What is told is all that it had to do.
    let _ = thread.join();
    Some(done)
}

/// Returns a text that the system has made for its caller.
pub fn taken(text: PWSTR) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the calls that return such a text end it with zero, and leave it to their caller.
    unsafe {
        let own = String::from_utf16_lossy(text.as_wide());
        CoTaskMemFree(Some(text.as_ptr().cast()));
        own
    }
}
