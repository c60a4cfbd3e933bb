//! Tells when the PC has slept, and when its network has changed.

use std::ffi::c_void;
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::thread::{Builder, JoinHandle};

use windows::Win32::Foundation::HANDLE;
use windows::Win32::NetworkManagement::IpHelper::{
    MIB_NOTIFICATION_TYPE, MIB_UNICASTIPADDRESS_ROW, NotifyUnicastIpAddressChange,
};
use windows::Win32::Networking::WinSock::AF_UNSPEC;
use windows::Win32::System::Power::{DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS, PowerRegisterSuspendResumeNotification};
use windows::Win32::UI::WindowsAndMessaging::{DEVICE_NOTIFY_CALLBACK, PBT_APMRESUMEAUTOMATIC, PBT_APMRESUMESUSPEND};

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Woke,
    Network,
}

/// Calls `tell` of each change, for as long as the program runs.
///
/// # Errors
/// The system refuses a notice or a thread. All works without, only later.
pub fn watch(tell: impl Fn(Change) + Send + 'static) -> io::Result<JoinHandle<()>> {
    let (changed, changes) = channel();
    // The system calls for as long as the program runs, and so what it is given stays.
    let changed: &'static Sender<Change> = Box::leak(Box::new(changed));
    let context: *const c_void = std::ptr::from_ref(changed).cast();
    let thread = Builder::new().name("watch".into()).spawn(move || changes.iter().for_each(tell))?;
    let mut subscription = DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS { Callback: Some(woke), Context: context.cast_mut() };
    let mut registered = std::ptr::null_mut();
    let mut handle = HANDLE::default();
    // SAFETY: the context is a sender that lives for ever and is shared by reference alone; the system copies the parameters.
    unsafe {
        let recipient = HANDLE(std::ptr::from_mut(&mut subscription).cast());
        PowerRegisterSuspendResumeNotification(DEVICE_NOTIFY_CALLBACK, recipient, &mut registered).ok()?;
        NotifyUnicastIpAddressChange(AF_UNSPEC, Some(address_changed), Some(context), false, &mut handle).ok()?;
    }
    Ok(thread)
}

unsafe extern "system" fn woke(context: *const c_void, kind: u32, _: *const c_void) -> u32 {
    if matches!(kind, PBT_APMRESUMEAUTOMATIC | PBT_APMRESUMESUSPEND) {
        // SAFETY: the context is the sender that was registered, which lives for ever.
        unsafe { tell(context, Change::Woke) };
    }
    0
}

unsafe extern "system" fn address_changed(
    context: *const c_void,
    _: *const MIB_UNICASTIPADDRESS_ROW,
    _: MIB_NOTIFICATION_TYPE,
) {
    // SAFETY: the context is the sender that was registered, which lives for ever.
    unsafe { tell(context, Change::Network) };
}

/// # Safety
/// The context is a sender that lives for ever.
unsafe fn tell(context: *const c_void, change: Change) {
    // SAFETY: as promised by the caller; a sender may be used by several threads at once.
    let changed = unsafe { &*context.cast::<Sender<Change>>() };
    // It fails only when the thread has gone.
    let _ = changed.send(change);
}
