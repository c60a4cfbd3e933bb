//! Volume and mute of the output that is the default one at this moment, by Core Audio.

use std::time::Duration;

use windows::Win32::Foundation::ERROR_NOT_FOUND;
use windows::Win32::Media::Audio::Endpoints::IAudioEndpointVolume;
use windows::Win32::Media::Audio::{IMMDeviceEnumerator, MMDeviceEnumerator, eMultimedia, eRender};
use windows::Win32::System::Com::{CLSCTX_ALL, CoCreateInstance};
use windows::core::Error;

use crate::action::Sound;
use crate::message::Outcome;
use crate::system::volume::{self, Output};
use crate::system::windows::com::within;

/// How long the system may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Changes the sound. Says what it is then: it is read back.
pub fn change(sound: Sound) -> Outcome {
    let changed = within(TIMEOUT, move || {
        volume::change(sound, Speakers::open).unwrap_or_else(|error| {
            Outcome::failed(match error {
                error if error.code() == ERROR_NOT_FOUND.to_hresult() => volume::NO_OUTPUT,
                _ => volume::REFUSED,
            })
        })
    });
    changed.unwrap_or_else(|| Outcome::failed("Звук не отвечает."))
}

struct Speakers(IAudioEndpointVolume);

impl Speakers {
    fn open() -> Result<Self, Error> {
        // SAFETY: COM is there, and the objects don't leave this thread.
        unsafe {
            let devices: IMMDeviceEnumerator = CoCreateInstance(&MMDeviceEnumerator, None, CLSCTX_ALL)?;
            Ok(Self(devices.GetDefaultAudioEndpoint(eRender, eMultimedia)?.Activate(CLSCTX_ALL, None)?))
        }
    }
}

impl Output for Speakers {
    type Problem = Error;

    fn now(&mut self) -> Result<(u32, bool), Error> {
        // SAFETY: they take nothing.
        let (volume, is_muted) = unsafe { (self.0.GetMasterVolumeLevelScalar()?, self.0.GetMute()?) };
        Ok(((volume * 100.0).round() as u32, is_muted.as_bool()))
    }

    fn set(&mut self, percent: u32) -> Result<(), Error> {
        // SAFETY: no pointer is given.
        unsafe { self.0.SetMasterVolumeLevelScalar(percent as f32 / 100.0, std::ptr::null()) }
    }

    fn mute(&mut self, mute: bool) -> Result<(), Error> {
        // SAFETY: no pointer is given.
        unsafe { self.0.SetMute(mute, std::ptr::null()) }
    }
}
