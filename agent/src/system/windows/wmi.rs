//! The brightness of a notebook's own screen, which WMI has.

use windows::Win32::System::Com::{
    CLSCTX_INPROC_SERVER, CoCreateInstance, CoSetProxyBlanket, EOAC_NONE, RPC_C_AUTHN_LEVEL_CALL,
    RPC_C_IMP_LEVEL_IMPERSONATE,
};
use windows::Win32::System::Rpc::{RPC_C_AUTHN_WINNT, RPC_C_AUTHZ_NONE};
use windows::Win32::System::Variant::VARIANT;
use windows::Win32::System::Wmi::{
    IWbemClassObject, IWbemLocator, IWbemServices, WBEM_FLAG_FORWARD_ONLY, WBEM_FLAG_RETURN_IMMEDIATELY,
    WBEM_FLAG_RETURN_WBEM_COMPLETE, WbemLocator,
};
use windows::core::{BSTR, Result, w};

use crate::action::Brightness;
use crate::system::windows::display::Changed;

/// Milliseconds for one answer.
const TIMEOUT: i32 = 1_000;

const METHODS: &str = "WmiMonitorBrightnessMethods";

/// Changes it. Returns what became of it; none where there is no such screen.
pub fn brightness(change: Brightness) -> Option<Changed> {
    let wmi = Wmi::connect().ok()?;
    let before = wmi.now()?;
    let wanted = change.from(before);
    if wanted != before {
        // What has come of it is read back.
        let _ = wmi.set(wanted);
    }
    Some(Changed { before, wanted, now: wmi.now()? })
}

struct Wmi(IWbemServices);

impl Wmi {
    fn connect() -> Result<Self> {
        let none = BSTR::new();
        // SAFETY: COM is there, and the objects don't leave this thread.
        unsafe {
            let locator: IWbemLocator = CoCreateInstance(&WbemLocator, None, CLSCTX_INPROC_SERVER)?;
            let all = locator.ConnectServer(&BSTR::from("ROOT\\WMI"), &none, &none, &none, 0, &none, None)?;
            let (call, impersonate) = (RPC_C_AUTHN_LEVEL_CALL, RPC_C_IMP_LEVEL_IMPERSONATE);
            CoSetProxyBlanket(&all, RPC_C_AUTHN_WINNT, RPC_C_AUTHZ_NONE, None, call, impersonate, None, EOAC_NONE)?;
            Ok(Self(all))
        }
    }

    /// Returns the first object of a class.
    fn first(&self, class: &str) -> Option<IWbemClassObject> {
        let (query, mut found) = (BSTR::from(format!("SELECT * FROM {class}")), [None]);
        // SAFETY: the list and the number live through the calls.
        unsafe {
            let flags = WBEM_FLAG_FORWARD_ONLY | WBEM_FLAG_RETURN_IMMEDIATELY;
            let all = self.0.ExecQuery(&BSTR::from("WQL"), &query, flags, None).ok()?;
            all.Next(TIMEOUT, &mut found, &mut 0).ok().ok()?;
        }
        let [first] = found;
        first
    }

    fn now(&self) -> Option<u32> {
        let mut value = VARIANT::default();
        // SAFETY: the value lives through the call.
        unsafe { self.first("WmiMonitorBrightness")?.Get(w!("CurrentBrightness"), 0, &mut value, None, None) }.ok()?;
        u32::try_from(&value).ok()
    }

    fn set(&self, percent: u32) -> Result<()> {
        let missing = || windows::core::Error::from(windows::Win32::Foundation::E_FAIL);
        let (mut path, mut class, mut input) = (VARIANT::default(), None, None);
        // SAFETY: all that is filled lives through the calls, and the objects don't leave this thread.
        unsafe {
            self.first(METHODS).ok_or_else(missing)?.Get(w!("__PATH"), 0, &mut path, None, None)?;
            self.0.GetObject(&METHODS.into(), WBEM_FLAG_RETURN_WBEM_COMPLETE, None, Some(&mut class), None)?;
            class.ok_or_else(missing)?.GetMethod(w!("WmiSetBrightness"), 0, &mut input, std::ptr::null_mut())?;
            let input = input.ok_or_else(missing)?.SpawnInstance(0)?;
            input.Put(w!("Timeout"), 0, &VARIANT::from(0), 0)?;
            input.Put(w!("Brightness"), 0, &VARIANT::from(percent as u8), 0)?;
            let (path, method) = (BSTR::try_from(&path)?, BSTR::from("WmiSetBrightness"));
            self.0.ExecMethod(&path, &method, WBEM_FLAG_RETURN_WBEM_COMPLETE, None, &input, None, None)
        }
    }
}
