//! Variables of the environment that look like the relay's and aren't: a slip of the pen must not leave a
//! door open in silence.

use std::ffi::OsString;

/// Every variable that the relay reads.
const KNOWN: [&str; 18] = [
    "LISTEN_ADDR",
    "WEBHOOK_SECRET",
    "WEBHOOK_SECRET_FILE",
    "API_KEY",
    "API_KEY_FILE",
    "AGENTS",
    "AGENTS_FILE",
    "AGENT_NAME",
    "SMART_HOME_SECRET",
    "SMART_HOME_SECRET_FILE",
    "SMART_HOME_DEVICES",
    "ALICE_USER_IDS",
    "ALICE_SKILL_ID",
    "REPLY_TIMEOUT_MS",
    "HEARTBEAT_SECS",
    "AFTER_ONE_PHRASE",
    "LATE_ANSWERS",
    "LOG_LEVEL",
];

/// Characters to change, put in or leave out until a misspelt name is a known one. Short names, which others
/// may use as well, have half of it.
const SLIPS: usize = 2;

/// Returns a warning for each of these `names` that is nearly one the relay reads, without its value.
pub fn warnings(names: impl Iterator<Item = OsString>) -> Vec<String> {
    names
        .filter_map(|name| {
            let name = name.into_string().ok()?;
            let meant = meant(&name)?;
            Some(format!("{name} is no variable of the relay's and does nothing: write {meant}"))
        })
        .collect()
}

/// Returns the known variable that `name` was meant to be, if it is none itself.
fn meant(name: &str) -> Option<&'static str> {
    if KNOWN.contains(&name) {
        return None;
    }
    let upper = name.to_uppercase();
    let near = |known: &&str| {
        let allowed = if known.len() < 10 { SLIPS / 2 } else { SLIPS };
        known.len().abs_diff(upper.len()) <= allowed && distance(&upper, known) <= allowed
    };
    KNOWN.into_iter().find(near)
}

/// Returns how many characters must be changed, put in or left out to make `b` of `a` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.chars().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[row.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_nearly_a_known_one_is_told_with_the_right_one() {
        for (name, right) in [
            ("WEBHOOK_SECERT", "WEBHOOK_SECRET"),
            ("WEBHOOKSECRET", "WEBHOOK_SECRET"),
            ("webhook_secret", "WEBHOOK_SECRET"),
            ("WEBHOOK_SECRETS", "WEBHOOK_SECRET"),
            ("ALICE_USER_ID", "ALICE_USER_IDS"),
            ("ALICE_SKILL_IDS", "ALICE_SKILL_ID"),
            ("APIKEY", "API_KEY"),
            ("API_KEYS", "API_KEY"),
            ("REPLY_TIMEOUT", ""),
            ("LISTEN_ADRESS", ""),
            ("LISTEN_ADR", "LISTEN_ADDR"),
        ] {
            let told = warnings([OsString::from(name)].into_iter());
            match right {
                "" => assert_eq!(told.len(), 0, "{told:?}"),
                right => assert!(told[0].starts_with(name) && told[0].ends_with(right), "{told:?}"),
            }
        }
    }

    #[test]
    fn what_is_right_or_somebody_elses_is_not_told() {
        let others =
            ["PATH", "HOME", "APP_KEYS", "MY_KEY", "LOG_LEVELS_OF", "AGENTS", "LANG", "RELAY_FAULT"];
        let names = KNOWN.iter().chain(&others).map(OsString::from);
        assert_eq!(warnings(names), Vec::<String>::new());
    }

    #[test]
    fn every_variable_that_the_relay_reads_is_known() {
        let sources =
            [include_str!("mod.rs"), include_str!("credentials.rs"), include_str!("smart_home.rs")];
        let is_variable = |text: &&str| {
            text.contains('_') && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        };
        for name in sources.iter().flat_map(|source| source.split('"')).filter(is_variable) {
            assert!(KNOWN.contains(&name), "{name}");
        }
    }

    #[test]
    fn the_distance_is_the_number_of_slips() {
        for (a, b, slips) in [("", "", 0), ("", "AB", 2), ("KITTEN", "SITTING", 3), ("AB", "BA", 2)] {
            assert_eq!((distance(a, b), distance(b, a)), (slips, slips), "{a} {b}");
        }
    }
}
