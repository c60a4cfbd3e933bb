//! What is asked of the sound, and how it is told; the systems change it.

use crate::action::Sound;
use crate::message::Outcome;

/// What is said where there is nothing to be heard from.
pub const NO_OUTPUT: &str = "Звука нет: к компьютеру не подключены колонки или наушники.";

/// What is said where the system changes nothing.
pub const REFUSED: &str = "Система не даёт менять громкость.";

/// An output of sound.
pub trait Output {
    /// Why it can't be changed.
    type Problem;

    /// Returns the volume in percent, and whether it is muted.
    fn now(&mut self) -> Result<(u32, bool), Self::Problem>;

    /// Sets the volume.
    fn set(&mut self, percent: u32) -> Result<(), Self::Problem>;

    /// Mutes it, or not.
    fn mute(&mut self, mute: bool) -> Result<(), Self::Problem>;
}

/// Changes the sound of the output that `open` returns. Says what it is then: it is read back.
pub fn change<O: Output>(sound: Sound, open: impl FnOnce() -> Result<O, O::Problem>) -> Result<Outcome, O::Problem> {
    if let Sound::Set(101..) = sound {
        return Ok(Outcome::failed("Громкость бывает от 0 до 100."));
    }
    let mut output = open()?;
    let (percent, is_muted) = output.now()?;
    let wanted = match sound {
        Sound::Mute(mute) => {
            let state = if mute { "выключен" } else { "включён" };
            if is_muted == mute {
                return Ok(Outcome::done(format!("Звук уже {state}.")));
            }
            output.mute(mute)?;
            return Ok(match output.now()?.1 == mute {
                true => Outcome::done(format!("Звук {state}.")),
                false => Outcome::failed(REFUSED),
            });
        }
        Sound::Set(percent) => percent,
        Sound::By(step) => percent.saturating_add_signed(step).min(100.max(percent)),
    };
    if wanted == percent {
        let what = if sound == Sound::By(0) { "Громкость" } else { "Громкость уже" };
        return Ok(Outcome::done(said(what, (percent, is_muted))));
    }
    output.set(wanted)?;
    Ok(Outcome::done(said("Громкость", output.now()?)))
}

fn said(what: &str, (percent, is_muted): (u32, bool)) -> String {
    match is_muted {
        true => format!("{what} {percent}, но звук выключен."),
        false => format!("{what} {percent}."),
    }
}
