//! The monitor: off and on (DPMS 1.2), and how bright it is.

use std::fs;
use std::path::{Path, PathBuf};

use x11rb::protocol::dpms::{ConnectionExt as _, DPMSMode};
use x11rb::protocol::randr::ConnectionExt as _;
use x11rb::protocol::xproto::{AtomEnum, PropMode};

use crate::action::Brightness;
use crate::message::Outcome;
use crate::system::brightness::{NO_BACKLIGHT, percent, told, value};
use crate::system::linux::bus::Bus;
use crate::system::linux::power::SESSION;
use crate::system::linux::screen::{Screen, Trouble, with};

const BACKLIGHTS: &str = "/sys/class/backlight";

/// Turns the monitor off, until a key or the mouse is touched.
///
/// # Errors
/// What to say of it.
pub fn off() -> Result<(), String> {
    with(|screen| screen.power(DPMSMode::OFF))
}

/// Turns the monitor on.
///
/// # Errors
/// What to say of it.
pub fn on() -> Result<(), String> {
    with(|screen| screen.power(DPMSMode::ON))
}

/// Changes the brightness. Says what it is then: it is read back.
pub fn brightness(change: Brightness) -> Outcome {
    let told = match backlight(Path::new(BACKLIGHTS)) {
        Some(backlight) => backlight.change(change),
        None => with(|screen| screen.brighten(change)),
    };
    match told {
        Ok(text) => Outcome::done(text),
        Err(problem) => Outcome::failed(problem),
    }
}

/// A backlight that the kernel knows of (sysfs-class-backlight).
struct Backlight {
    folder: PathBuf,
    most: u32,
}

/// Returns the best one: the kernel's own advice is to take the firmware's, then the platform's, then a raw one.
fn backlight(folder: &Path) -> Option<Backlight> {
    let rank = |folder: &Path| {
        let kind = fs::read_to_string(folder.join("type")).unwrap_or_default();
        ["firmware", "platform", "raw"].iter().position(|own| kind.trim() == *own).unwrap_or(3)
    };
    let folders = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let all = folders.filter_map(|folder| Some(Backlight { most: number(&folder, "max_brightness")?, folder }));
    all.filter(|one| one.most > 0).min_by_key(|one| (rank(&one.folder), one.folder.clone()))
}

fn number(folder: &Path, name: &str) -> Option<u32> {
    fs::read_to_string(folder.join(name)).ok()?.trim().parse().ok()
}

impl Backlight {
    fn now(&self) -> Option<u32> {
        number(&self.folder, "brightness")
    }

    /// Changes it by logind, which lets the one at the screen do so.
    fn change(&self, change: Brightness) -> Result<String, String> {
        let before = self.now().ok_or(NO_BACKLIGHT)?;
        let wanted = change.from(percent(before, self.most));
        if wanted == percent(before, self.most) {
            return told(wanted, wanted, wanted);
        }
        let name = self.folder.file_name().unwrap_or_default().to_string_lossy();
        let asked = Bus::system().and_then(|mut bus| {
            bus.call(SESSION, "SetBrightness", |body| {
                // Texts and a number always fit.
                _ = body.push_param3("backlight", &*name, value(wanted, self.most));
            })
        });
        asked.map_err(|_| "Система не разрешает менять яркость.")?;
        let now = self.now().unwrap_or(before);
        told(percent(before, self.most), wanted, percent(now, self.most))
    }
}

impl Screen {
    fn power(&self, level: DPMSMode) -> Result<(), Trouble> {
        const NONE: &str = "Этот экран выключать нельзя: он не умеет DPMS.";
        let is_capable = match self.x.dpms_capable() {
            Ok(cookie) => cookie.reply()?.capable,
            Err(_) => false,
        };
        if !is_capable {
            return Err(NONE.into());
        }
        if !self.x.dpms_info()?.reply()?.state {
            // Then it is to go off by this alone, and never after a time.
            self.x.dpms_set_timeouts(0, 0, 0)?.check()?;
            self.x.dpms_enable()?.check()?;
        }
        self.x.dpms_force_level(level)?.check()?;
        let is_done = self.x.dpms_info()?.reply()?.power_level == level;
        if is_done { Ok(()) } else { Err("Монитор не слушается.".into()) }
    }

    /// Changes the brightness of the first output that can (RandR 1.6, "Backlight").
    fn brighten(&self, change: Brightness) -> Result<String, Trouble> {
        let name = self.atom("Backlight")?;
        let outputs = self.x.randr_get_screen_resources_current(self.root)?.reply()?.outputs;
        for output in outputs {
            let now = || {
                let found =
                    self.x.randr_get_output_property(output, name, AtomEnum::ANY, 0, 1, false, false)?.reply()?;
                let value = found.data.first_chunk::<4>().map(|bytes| u32::from_ne_bytes(*bytes));
                Ok::<_, Trouble>(value.filter(|_| found.format == 32))
            };
            let Ok(range) = self.x.randr_query_output_property(output, name)?.reply() else { continue };
            let (true, [least, most], Some(before)) = (range.range, &*range.valid_values, now()?) else { continue };
            let (least, most) = (u32::try_from(*least).unwrap_or(0), u32::try_from(*most).unwrap_or(0));
            let wanted = change.from(percent(before, most));
            if wanted != percent(before, most) {
                let data = value(wanted, most).max(least).to_ne_bytes();
                let form = AtomEnum::INTEGER.into();
                self.x.randr_change_output_property(output, name, form, 32, PropMode::REPLACE, 1, &data)?.check()?;
            }
            let after = now()?.unwrap_or(before);
            return told(percent(before, most), wanted, percent(after, most)).map_err(Trouble::Told);
        }
        Err(NO_BACKLIGHT.into())
    }
}
