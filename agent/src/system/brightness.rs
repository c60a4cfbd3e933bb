//! How bright a screen becomes, and how that is told. Plain data logic.

use crate::action::Brightness;

/// What is said of a monitor that only its own buttons change.
pub const NO_BACKLIGHT: &str = "У этого монитора яркость меняется только кнопками на нём.";

impl Brightness {
    /// Returns the percent that it becomes. It never becomes dark.
    pub fn from(self, now: u32) -> u32 {
        let wanted = match self {
            Self::Set(to) => i64::from(to),
            Self::By(by) => i64::from(now) + i64::from(by),
        };
        u32::try_from(wanted.clamp(1, 100)).unwrap_or(1)
    }
}

/// Returns the percent of a value.
pub fn percent(value: u32, most: u32) -> u32 {
    let most = u64::from(most.max(1));
    u32::try_from((u64::from(value) * 100 + most / 2) / most).unwrap_or(100)
}

/// Returns the value of a percent: at least 1, since 0 may be dark.
#[cfg(target_os = "linux")]
pub fn value(percent: u32, most: u32) -> u32 {
    u32::try_from((u64::from(most) * u64::from(percent) + 50) / 100).unwrap_or(most).max(1)
}

/// Returns what is said of it; that it stays as it was, though something else was wanted, is a failure.
pub fn told(before: u32, wanted: u32, now: u32) -> Result<String, String> {
    match (wanted == before, now == before) {
        (true, _) => Ok(format!("Яркость уже {now}.")),
        (false, true) => Err(format!("Яркость не меняется: {now}.")),
        (false, false) => Ok(format!("Яркость {now}.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_stays_between_the_least_that_is_seen_and_the_most() {
        assert_eq!(Brightness::By(10).from(95), 100);
        assert_eq!(Brightness::By(-20).from(15), 1);
        assert_eq!(Brightness::Set(0).from(50), 1);
        assert_eq!((value(50, 937), percent(value(50, 937), 937)), (469, 50));
        assert_eq!(value(1, 15), 1);
    }
}
