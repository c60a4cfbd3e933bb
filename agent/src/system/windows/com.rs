//! Calls that may take long, or for ever, each on a thread of its own that COM is there for.

use std::sync::mpsc::channel;
use std::thread::Builder;
use std::time::Duration;

use windows::Win32::System::Com::{
    COINIT_APARTMENTTHREADED, COINIT_DISABLE_OLE1DDE, CoInitializeEx, CoTaskMemFree, CoUninitialize,
};
use windows::core::PWSTR;

/// Returns what this does; none when it takes longer than this time. It is then left alone.
pub fn within<T: Send + 'static>(time: Duration, what: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (tell, told) = channel();
    let call = move || {
        // SAFETY: the thread is new, so nothing here has chosen another model.
        let is_there = unsafe { CoInitializeEx(None, COINIT_APARTMENTTHREADED | COINIT_DISABLE_OLE1DDE) }.is_ok();
        let done = what();
        if is_there {
            // SAFETY: `what` has dropped its objects: none of them may go to another thread, as `done` does.
            unsafe { CoUninitialize() };
        }
        let _ = tell.send(done);
    };
    let thread = Builder::new().name("call".into()).spawn(call).ok()?;
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
