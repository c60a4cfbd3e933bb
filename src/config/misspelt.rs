//! Warns of environment variables that look like the relay's but are not: a misspelt one must not silently leave the
//! relay open.

use std::ffi::OsString;

/// All variables that the relay reads.
const KNOWN: [&str; 17] = [
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
    "LOG_LEVEL",
];

/// A variable that earlier releases read.
const GONE: &str = "LATE_ANSWERS";

/// The values of [`GONE`] that mean nothing: the second is the compose file's.
const UNSET: [&str; 2] = ["", "none"];

/// Returns a warning, without the value, for each variable that is nearly one of the relay's, or is no longer read.
pub fn warnings(variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<String> {
    let warning = |(name, value): (OsString, OsString)| {
        let name = name.into_string().ok()?;
        if name == GONE {
            let is_set = !UNSET.iter().any(|unset| value == *unset);
            let warning =
                format!("{GONE} is no longer read: late answers are always kept. Remove the line");
            return is_set.then_some(warning);
        }
        let meant = meant(&name)?;
        Some(format!("{name} is not a known variable and is ignored. Did you mean {meant}?"))
    };
    variables.filter_map(warning).collect()
}

/// Returns the known variable that is most like `name`, unless `name` is one: three quarters of its letters must agree
/// at both ends together, or `name` must be more than half of its beginning. Underscores don't count.
fn meant(name: &str) -> Option<&'static str> {
    if KNOWN.contains(&name) {
        return None;
    }
    let name = letters(name);
    let alike = KNOWN.into_iter().filter_map(|known| {
        let own = letters(known);
        let (start, end) =
            (common(own.iter(), name.iter()), common(own.iter().rev(), name.iter().rev()));
        let shared = (start + end).min(own.len()).min(name.len());
        let is_slip = start > 0 && shared * 4 >= own.len() * 3 && name.len() <= own.len() * 4 / 3;
        let is_cut_short = start == name.len() && start * 2 > own.len();
        let unlike = own.len().max(name.len()) - shared;
        (is_slip || is_cut_short).then_some((unlike, known))
    });
    alike.min_by_key(|(unlike, _)| *unlike).map(|(_, known)| known)
}

fn letters(name: &str) -> Vec<char> {
    name.to_uppercase().chars().filter(|letter| *letter != '_').collect()
}

/// Returns the number of leading letters that two names share.
fn common<'a>(a: impl Iterator<Item = &'a char>, b: impl Iterator<Item = &'a char>) -> usize {
    a.zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warned<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        warnings(names.into_iter().map(|name| (name.into(), "x".into())))
    }

    #[test]
    fn a_name_that_is_nearly_a_known_one_is_told_with_the_right_one() {
        for (name, right) in [
            ("WEBHOOK_SECERT", "WEBHOOK_SECRET"),
            ("WEBHOOKSECRET", "WEBHOOK_SECRET"),
            ("webhook_secret", "WEBHOOK_SECRET"),
            ("WEBHOOK_SECRETS", "WEBHOOK_SECRET"),
            ("WEBHOK_SECRET", "WEBHOOK_SECRET"),
            ("WEBHOOK_SECRET_FIL", "WEBHOOK_SECRET_FILE"),
            ("WEBHOOK", "WEBHOOK_SECRET"),
            ("ALICE_USER_ID", "ALICE_USER_IDS"),
            ("ALICE_USERS_IDS", "ALICE_USER_IDS"),
            ("ALICE_SKILL_IDS", "ALICE_SKILL_ID"),
            ("APIKEY", "API_KEY"),
            ("API_KEYS", "API_KEY"),
            ("AGENT", "AGENTS"),
            ("AGENTS_NAME", "AGENT_NAME"),
            ("REPLY_TIMEOUT", "REPLY_TIMEOUT_MS"),
            ("REPLY_TIMEOUT_SECS", "REPLY_TIMEOUT_MS"),
            ("HEARTBEAT", "HEARTBEAT_SECS"),
            ("HEARTBEAT_SECONDS", "HEARTBEAT_SECS"),
            ("SMARTHOME_SECRET", "SMART_HOME_SECRET"),
            ("LISTEN_ADRESS", "LISTEN_ADDR"),
            ("LISTEN_ADDRESS", "LISTEN_ADDR"),
            ("LISTEN_ADR", "LISTEN_ADDR"),
            ("LOG_LEVLE", "LOG_LEVEL"),
        ] {
            let told = warned([name]);
            let question = format!("Did you mean {right}?");
            assert!(told.len() == 1 && told[0].ends_with(&question), "{name}: {told:?}");
        }
    }

    #[test]
    fn what_is_right_or_somebody_elses_is_not_told() {
        let others = [
            "PATH",
            "HOME",
            "APP_KEYS",
            "MY_KEY",
            "API_URL",
            "AWS_API_KEY",
            "LOG_LEVELS_OF",
            "LOG_FILE",
            "LISTEN_PID",
            "LISTEN_FDS",
            "LANG",
            "RELAY_FAULT",
            "RELAY_IMAGE",
            "NPM_NETWORK",
            "_",
            "",
        ];
        assert_eq!(warned(KNOWN.into_iter().chain(others)), Vec::<String>::new());
    }

    #[test]
    fn a_variable_of_earlier_releases_is_told_unless_it_means_nothing() {
        let warned = |value: &str| warnings([("LATE_ANSWERS".into(), value.into())].into_iter());
        assert!(warned("drop")[0].contains("no longer read") && warned("keep").len() == 1);
        assert_eq!((warned("").len(), warned("none").len()), (0, 0));
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
}
