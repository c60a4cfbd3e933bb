//! The credentials: the agents' keys, the webhook's secret, and the owner's ids.

use data_encoding::HEXLOWER;
use sha1::{Digest, Sha1};

use crate::config::agents::{AgentId, Agents};
use crate::config::error::ConfigError;
use crate::config::file;
use crate::config::keys::{AgentKeys, MAX_KEYS};
use crate::secret::{SHORT_SECRET, Secret};
use crate::text::quoted;
use crate::tokens::signed::derived;

/// Largest file with a secret or with all agents, in bytes.
pub const MAX_SECRET_FILE: u64 = 8 * 1024;

/// Most Yandex users whose turns are admitted: a household.
pub const MAX_USER_IDS: usize = 32;

/// The webhook's path; `WEBHOOK_SECRET`, if set, follows after a slash.
pub const WEBHOOK_PATH: &str = "/alice/webhook";

/// The header field in which `ask` sends [`Credentials::ask_token`].
pub const ASK_FIELD: &str = "Relay-Ask";

/// The placeholder for a secret in `.env.example`. Never accepted as a secret.
pub const PLACEHOLDER: &str = "put-the-output-of-openssl-rand-hex-32-here";

/// The value of `WEBHOOK_SECRET` that leaves the webhook open, as if unset. Compose files need it, since some versions
/// of podman-compose don't pass on an empty variable.
pub const OPEN: &str = "open";

/// The value of `ALICE_USER_IDS` and `ALICE_SKILL_ID` that admits anyone, as if unset.
pub const ANY: &str = "any";

/// The value of `AGENTS` that adds no agent, as if unset.
pub const NONE: &str = "none";

/// The value of a secret's variable when its `_FILE` variable names the file that holds it.
pub const FILE: &str = "file";

/// The shell command that adds a `WEBHOOK_SECRET` to `.env`. The last of several lines counts there; the leading line
/// break is for a file whose last line has none.
pub const LOCK: &str = r#"printf '\nWEBHOOK_SECRET=%s\n' "$(openssl rand -hex 32)" >> .env"#;

const CURE: &str = "put the output of `openssl rand -hex 32` there";

/// Decides which agents, skills and users are let in.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The keys of the first agent (`API_KEY`, `API_KEY_FILE`).
    pub keys: AgentKeys,
    /// The other agents, and the names of all (`AGENTS`, `AGENTS_FILE`, `AGENT_NAME`).
    pub agents: Agents,
    /// The secret at the end of the webhook's path (`WEBHOOK_SECRET`, `WEBHOOK_SECRET_FILE`).
    pub webhook: Option<Secret>,
    /// The only skill whose turns are admitted (`ALICE_SKILL_ID`).
    pub skill_id: Option<String>,
    /// The Yandex users whose turns are admitted; all if empty (`ALICE_USER_IDS`).
    pub user_ids: Vec<String>,
}

/// The key that an agent presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyMatch {
    /// The agent that it belongs to.
    pub agent: AgentId,
    /// Its position among that agent's keys, from 1.
    pub position: usize,
    /// The number of that agent's keys.
    pub of: usize,
}

impl Credentials {
    /// Reads the credentials; `text` looks up a variable.
    ///
    /// # Errors
    /// The first invalid variable. The message never holds a secret.
    pub fn read(
        text: impl Fn(&'static str) -> Result<Option<String>, ConfigError>,
    ) -> Result<Self, ConfigError> {
        let keys = agent_keys(secret(&text, "API_KEY", "API_KEY_FILE")?)?;
        let webhook = match secret(&text, "WEBHOOK_SECRET", "WEBHOOK_SECRET_FILE")? {
            None => None,
            // Not from a file: the word is too short for a secret, and a file means that the owner wants one.
            Some(("WEBHOOK_SECRET", value)) if value == OPEN => None,
            Some((name, value)) => Some(webhook_secret(name, value)?),
        };
        let others: Vec<_> = keys.all().iter().chain(&webhook).collect();
        // Empty counts as unset for a variable that only lets somebody in.
        let is_set = |name| {
            let is_some = |value: &String| !["", NONE].contains(&value.trim());
            text(name).map(|value| value.filter(is_some))
        };
        let agents = secret(is_set, "AGENTS", "AGENTS_FILE")?;
        Ok(Self {
            agents: Agents::read(is_set("AGENT_NAME")?, agents, &others)?,
            keys,
            webhook,
            skill_id: match text("ALICE_SKILL_ID")? {
                None => None,
                Some(value) if value.trim() == ANY => None,
                Some(value) => Some(id("ALICE_SKILL_ID", &value)?),
            },
            user_ids: match text("ALICE_USER_IDS")? {
                None => Vec::new(),
                Some(value) if value.trim() == ANY => Vec::new(),
                Some(value) if value.split(',').count() > MAX_USER_IDS => {
                    let problem = format!("holds more than {MAX_USER_IDS} ids");
                    return Err(ConfigError::new("ALICE_USER_IDS", problem, "keep those in use"));
                }
                Some(value) => value
                    .split(',')
                    .map(|value| id("ALICE_USER_IDS", value))
                    .collect::<Result<_, _>>()?,
            },
        })
    }

    /// Returns the token of `ask`: a digest of all credentials. It opens nothing, since all who can make it could pass
    /// for the owner anyway.
    ///
    /// SHA-1 is there for the WebSocket handshake (RFC 6455, 4.2.2). This relies only on its being one-way; collisions
    /// are of no use here.
    pub fn ask_token(&self) -> Secret {
        let digest = Sha1::digest(self.all());
        Secret::new(HEXLOWER.encode(&digest))
    }

    /// Returns the secret that the owner page's tokens are derived from, made of all credentials. `None` without
    /// `WEBHOOK_SECRET`: from an agent's key alone, every agent could make them.
    pub fn owner_secret(&self) -> Option<Secret> {
        self.webhook.as_ref()?;
        Some(derived(&self.all(), "home-alice-relay owner's page"))
    }

    /// Joins all credentials for digests. Different credentials give different texts, since no value holds a space or a
    /// line break.
    fn all(&self) -> String {
        let keys = match &self.keys {
            AgentKeys::Configured(keys) => keys.as_slice(),
            // Known to this process alone.
            AgentKeys::Generated(_) => &[],
        };
        let mut all = String::new();
        let mut add = |name: &str, value: &str| {
            for part in [name, " ", value, "\n"] {
                all.push_str(part);
            }
        };
        keys.iter().for_each(|key| add("key", key.reveal()));
        for extra in self.agents.extra() {
            extra.keys.all().iter().for_each(|key| add("agent", key.reveal()));
        }
        self.webhook.iter().for_each(|secret| add("webhook", secret.reveal()));
        self.skill_id.iter().for_each(|id| add("skill", id));
        self.user_ids.iter().for_each(|id| add("user", id));
        all
    }

    /// Returns the keys of every agent.
    fn keys_of_all(&self) -> impl Iterator<Item = (AgentId, &AgentKeys)> {
        let extra = self.agents.extra().iter().map(|extra| &extra.keys);
        (0..).map(AgentId).zip([&self.keys].into_iter().chain(extra))
    }

    /// Returns an agent's newest key; `None` if it is random, and so ends with this run.
    pub fn lasting_key(&self, agent: AgentId) -> Option<&Secret> {
        match self.keys_of_all().find(|(own, _)| *own == agent)?.1 {
            AgentKeys::Configured(keys) => keys.first(),
            AgentKeys::Generated(_) => None,
        }
    }

    /// Returns the match of a presented key. Compares every key of every agent, in constant time.
    pub fn agent(&self, shown: &[u8]) -> Option<KeyMatch> {
        self.keys_of_all().fold(None, |found, (agent, keys)| match keys.position(shown) {
            Some(position) => Some(KeyMatch { agent, position, of: keys.all().len() }),
            None => found,
        })
    }

    /// Returns the webhook's path, with `WEBHOOK_SECRET` if set.
    pub fn webhook_path(&self) -> String {
        match &self.webhook {
            None => WEBHOOK_PATH.to_owned(),
            Some(secret) => format!("{WEBHOOK_PATH}/{}", secret.reveal()),
        }
    }

    /// Whether `path` is exactly the webhook's.
    pub fn is_webhook(&self, path: &str) -> bool {
        match &self.webhook {
            None => path == WEBHOOK_PATH,
            Some(secret) => path
                .strip_prefix(WEBHOOK_PATH)
                .and_then(|rest| rest.strip_prefix('/'))
                .is_some_and(|shown| secret.matches(shown.as_bytes())),
        }
    }

    /// Returns every secret, to be kept out of logs and messages.
    pub fn secrets(&self) -> Vec<Secret> {
        let extra = self.agents.extra().iter().flat_map(|extra| extra.keys.all());
        let all = self.keys.all().iter().chain(extra).chain(&self.webhook);
        all.cloned().chain([self.ask_token()]).collect()
    }

    /// Returns warnings about suspicious but accepted settings, each with its fix and without the value.
    pub fn doubts(&self) -> Vec<String> {
        let of_keys = self.doubts_of_keys().into_iter().map(ToOwned::to_owned);
        of_keys.chain(self.agents.names().doubts()).collect()
    }

    fn doubts_of_keys(&self) -> Vec<&'static str> {
        let AgentKeys::Configured(keys) = &self.keys else { return Vec::new() };
        let any = |is_odd: &dyn Fn(&str) -> bool| keys.iter().any(|key| is_odd(key.reveal()));
        let mut doubts = Vec::new();
        if any(&|key| key.starts_with(['"', '\'', '«']) || key.ends_with(['"', '\'', '»'])) {
            doubts.push("API_KEY has quotes around it, which count as a part of it: remove them");
        }
        if any(&|key| key.starts_with("API_KEY=")) {
            doubts.push("API_KEY begins with `API_KEY=`, which counts as a part of it: remove that");
        }
        if any(&|key| !key.is_ascii()) {
            doubts.push(
                "API_KEY holds other characters than ASCII, which few agents can send: use the output of \
                 `openssl rand -hex 32`",
            );
        }
        if any(&|key| key.contains(['&', '#', '%', '+', '?'])) {
            doubts.push(
                "API_KEY holds a character that `?key=` can't carry as it is: use the output of \
                 `openssl rand -hex 32`",
            );
        }
        if self.webhook.iter().any(|secret| any(&|key| secret.matches(key.as_bytes()))) {
            doubts.push(
                "API_KEY and WEBHOOK_SECRET are the same, so whoever learns one knows both: use another \
                 output of `openssl rand -hex 32` for one of them",
            );
        }
        doubts
    }

    /// Returns one line on what leaves the relay open and how to close it; `None` if nothing does.
    pub fn open(&self) -> Option<String> {
        let mut open = Vec::new();
        if self.webhook.is_none() {
            open.push(format!(
                "whoever learns the webhook's address can command the computer (set WEBHOOK_SECRET to the \
                 output of `openssl rand -hex 32` and let the skill's address end in \
                 {WEBHOOK_PATH}/ and it)"
            ));
        }
        if self.user_ids.is_empty() {
            open.push("anyone may speak to the skill (set ALICE_USER_IDS to your own id)".into());
        }
        if self.skill_id.is_none() {
            open.push("any skill with that address counts (set ALICE_SKILL_ID to yours)".into());
        }
        if self.keys.all().iter().any(Secret::is_short) {
            open.push(format!(
                "an agent's key is shorter than {SHORT_SECRET} characters (use `openssl rand -hex 32`)"
            ));
        }
        (!open.is_empty()).then(|| format!("Open: {}. See SECURITY.md", open.join("; ")))
    }
}

/// Parses one id, without the white space around it. Refuses what can't be an id of Yandex, since it would admit
/// nobody.
fn id(variable: &'static str, value: &str) -> Result<String, ConfigError> {
    let problem = match value.trim() {
        "" => {
            return Err(ConfigError::new(
                variable,
                "holds an empty id",
                format!("remove the line, or put the id there, or `{ANY}`"),
            ));
        }
        ANY => format!("holds `{ANY}` beside ids"),
        id if id.bytes().all(|b| b.is_ascii_graphic() && !b"\"'`<>/=".contains(&b)) => {
            return Ok(id.to_owned());
        }
        _ => format!("is {}", quoted(value)),
    };
    let cure = "copy the id alone from the relay's log, without quotes, a name or an address";
    Err(ConfigError::new(variable, problem, cure))
}

/// Returns a secret and the variable it came from: its own, or the one that names a file. The value [`FILE`] refers to
/// the latter, for a Compose file that always sets the former.
pub(super) fn secret(
    text: impl Fn(&'static str) -> Result<Option<String>, ConfigError>,
    variable: &'static str,
    file_variable: &'static str,
) -> Result<Option<(&'static str, String)>, ConfigError> {
    let value = text(variable)?;
    let says_file = value.as_ref().is_some_and(|value| value.trim() == FILE);
    match (value.filter(|_| !says_file), text(file_variable)?) {
        (Some(_), Some(_)) => {
            let problem = format!("and {file_variable} are both set");
            Err(ConfigError::new(variable, problem, "remove one of them"))
        }
        (Some(value), None) => Ok(Some((variable, value))),
        (None, Some(path)) => Ok(Some((file_variable, secret_file(file_variable, &path)?))),
        (None, None) if says_file => {
            let problem = format!("is `{FILE}`, but {file_variable} is not set");
            let cure = format!("name the file in {file_variable}, or put the secret itself here");
            Err(ConfigError::new(variable, problem, cure))
        }
        (None, None) => Ok(None),
    }
}

/// Returns the first line of a file: editors and `echo` end a file with a line break.
fn secret_file(variable: &'static str, path: &str) -> Result<String, ConfigError> {
    let unusable = |problem: &dyn std::fmt::Display| {
        // A value without a slash may be the secret itself, put into the wrong variable.
        let name = if path.contains('/') { quoted(path) } else { "a file".into() };
        ConfigError::new(
            variable,
            format!("names {name}, {problem}"),
            "name a file that holds the secret and that the relay's user may read",
        )
    };
    let content = file::read(path.as_ref(), MAX_SECRET_FILE).map_err(|error| unusable(&error))?;
    let content = String::from_utf8(content).map_err(|_| unusable(&"which is not UTF-8"))?;
    Ok(content.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']).to_owned())
}

fn agent_keys(found: Option<(&'static str, String)>) -> Result<AgentKeys, ConfigError> {
    let Some((variable, value)) = found else {
        let key = Secret::random().map_err(|error| {
            let problem = format!("is not set, and no random key can be made ({error})");
            ConfigError::new("API_KEY", problem, CURE)
        })?;
        return Ok(AgentKeys::Generated(key));
    };
    let keys: Vec<_> = value.split(',').collect();
    if keys.len() > MAX_KEYS {
        let problem = format!("holds more than {MAX_KEYS} keys");
        return Err(ConfigError::new(
            variable,
            problem,
            "keep the new one and the old one, as new,old",
        ));
    }
    for key in &keys {
        check(variable, key)?;
    }
    if keys.len() == 2 && keys[0] == keys[1] {
        return Err(ConfigError::new(variable, "holds the same key twice", "keep one of them"));
    }
    Ok(AgentKeys::Configured(keys.into_iter().map(|key| Secret::new(key.to_owned())).collect()))
}

/// Checks that a secret can stand in a path.
pub(super) fn webhook_secret(variable: &'static str, value: String) -> Result<Secret, ConfigError> {
    check(variable, &value)?;
    if !value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        Err(ConfigError::new(variable, "holds other characters than A-Z, a-z, 0-9, - and _", CURE))
    } else if value.len() < SHORT_SECRET {
        let problem = format!("is shorter than {SHORT_SECRET} characters");
        Err(ConfigError::new(variable, problem, CURE))
    } else {
        Ok(Secret::new(value))
    }
}

/// Checks the rules for every secret.
fn check(variable: &'static str, value: &str) -> Result<(), ConfigError> {
    let problem = if value.is_empty() {
        "holds an empty secret"
    } else if value == PLACEHOLDER {
        "still holds the placeholder of .env.example"
    } else if value.contains(|c: char| c.is_whitespace() || c.is_control()) {
        let problem = "holds white space or a control character, such as a space or a Windows line ending behind it";
        return Err(ConfigError::new(variable, problem, format!("{CURE}, and nothing else")));
    } else {
        return Ok(());
    };
    Err(ConfigError::new(variable, problem, CURE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef";
    const WEBHOOK: &str = "abcdefgh-_234567";

    fn read(pairs: &[(&'static str, &str)]) -> Result<Credentials, ConfigError> {
        Credentials::read(|name| {
            Ok(pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        })
    }

    fn token(pairs: &[(&'static str, &str)]) -> String {
        read(pairs).unwrap().ask_token().reveal().to_owned()
    }

    #[test]
    fn a_secret_that_is_none_is_refused_without_being_repeated() {
        for variable in ["API_KEY", "WEBHOOK_SECRET"] {
            for value in
                ["", PLACEHOLDER, "hush hush hush hush", "hushhushhushhush\t", "hushhushhushhush\r"]
            {
                let error = read(&[(variable, value)]).unwrap_err().to_string();
                assert!(error.starts_with(variable) && error.contains("openssl"), "{error}");
                assert!(!error.contains("hush"), "{error}");
                let is_white = value.starts_with("hush");
                assert_eq!(error.contains("a space or a Windows line ending behind it"), is_white);
            }
        }
        for value in ["hush-hush-hush_", "hushhushhushhush/", "hushhushhushhush=", "тихотихотихотихо"]
        {
            let error = read(&[("WEBHOOK_SECRET", value)]).unwrap_err().to_string();
            assert!(error.starts_with("WEBHOOK_SECRET") && !error.contains(value), "{error}");
        }
        assert!(read(&[("WEBHOOK_SECRET", WEBHOOK)]).is_ok());
    }

    #[test]
    fn a_secret_may_be_in_a_file_but_not_in_both_places() {
        for (variable, file_variable) in
            [("API_KEY", "API_KEY_FILE"), ("WEBHOOK_SECRET", "WEBHOOK_SECRET_FILE")]
        {
            let error = read(&[(variable, KEY), (file_variable, "/x")]).unwrap_err().to_string();
            assert!(error.contains(variable) && error.contains(file_variable), "{error}");
            let error = read(&[(file_variable, "/no/such/file")]).unwrap_err().to_string();
            assert!(error.contains(file_variable) && error.contains("/no/such/file"), "{error}");
            let error = read(&[(file_variable, KEY)]).unwrap_err().to_string();
            assert!(error.contains(file_variable) && !error.contains(KEY), "{error}");
        }
    }

    #[test]
    fn the_word_file_leaves_a_secret_to_the_file_and_nothing_open() {
        let path = std::env::temp_dir().join(format!("relay-secret-{}", std::process::id()));
        std::fs::write(&path, format!("{WEBHOOK}\n")).unwrap();
        let file = path.to_str().unwrap();
        let both = read(&[("WEBHOOK_SECRET", "file"), ("WEBHOOK_SECRET_FILE", file)]);
        let key = read(&[("API_KEY", " file "), ("API_KEY_FILE", file)]);
        let agents = read(&[("API_KEY", KEY), ("AGENTS", FILE), ("AGENTS_FILE", "/no/such/file")]);
        std::fs::remove_file(&path).unwrap();
        assert!(both.unwrap().webhook.unwrap().matches(WEBHOOK.as_bytes()));
        assert_eq!(key.unwrap().keys.position(WEBHOOK.as_bytes()), Some(1));
        assert!(agents.unwrap_err().to_string().starts_with("AGENTS_FILE"));
        for (variable, file_variable) in [
            ("API_KEY", "API_KEY_FILE"),
            ("WEBHOOK_SECRET", "WEBHOOK_SECRET_FILE"),
            ("AGENTS", "AGENTS_FILE"),
        ] {
            let error = read(&[(variable, FILE)]).unwrap_err().to_string();
            let says = format!("{variable} is `file`, but {file_variable} is not set");
            assert!(error.starts_with(&says), "{error}");
        }
    }

    #[test]
    fn two_keys_count_and_each_knows_its_position() {
        let keys = |value| read(&[("API_KEY", value)]).map(|credentials| credentials.keys);
        let both = keys("new,old").unwrap();
        assert_eq!(both.position(b"new"), Some(1));
        assert_eq!(both.position(b"old"), Some(2));
        for wrong in ["", "new,old", "ne", "olds", ","] {
            assert_eq!(both.position(wrong.as_bytes()), None, "{wrong}");
        }
        for value in ["new,", ",old", "a,b,c", "same,same", "new, old"] {
            assert!(keys(value).is_err(), "{value}");
        }
    }

    #[test]
    fn a_key_that_is_hardly_meant_is_let_in_and_doubted_without_being_repeated() {
        let doubts = |pairs: &[(&'static str, &str)]| read(pairs).unwrap().doubts();
        assert!(doubts(&[("API_KEY", KEY), ("WEBHOOK_SECRET", WEBHOOK)]).is_empty());
        assert!(doubts(&[]).is_empty());
        for (value, cure) in [
            ("\"0123456789abcdef\"", "remove them"),
            ("«0123456789abcdef»", "remove them"),
            ("API_KEY=0123456789abcdef", "remove that"),
            ("ключключключключ", "ASCII"),
            ("0123456789abcdef&x", "can't carry"),
            ("0123456789abcdef%41", "can't carry"),
            ("fine-0123456789abcd,0123456789#bcdef", "can't carry"),
        ] {
            let doubts = doubts(&[("API_KEY", value)]);
            assert!(doubts.iter().any(|doubt| doubt.contains(cure)), "{value}: {doubts:?}");
            assert!(!doubts.iter().any(|doubt| doubt.contains("0123")), "{doubts:?}");
            assert_eq!(read(&[("API_KEY", value)]).unwrap().keys.position(b"no"), None);
        }
        let both = [("API_KEY", WEBHOOK), ("WEBHOOK_SECRET", WEBHOOK)];
        assert!(doubts(&both)[0].contains("are the same"));
    }

    #[test]
    fn ids_are_lists_of_something() {
        let ids = |value| read(&[("ALICE_USER_IDS", value)]).map(|credentials| credentials.user_ids);
        assert_eq!(ids("A1,B2 , C3").unwrap(), ["A1", "B2", "C3"]);
        for value in ["", ",", "A1,", "A 1", "имя", &"A,".repeat(MAX_USER_IDS + 1)] {
            assert!(ids(value).is_err(), "{value}");
        }
        for value in ["", " ", "a b"] {
            assert!(read(&[("ALICE_SKILL_ID", value)]).is_err(), "{value}");
        }
    }

    #[test]
    fn what_no_id_can_be_is_refused_with_the_cure() {
        for (variable, value) in [
            ("ALICE_USER_IDS", "\"A1\""),
            ("ALICE_USER_IDS", "'A1','B2'"),
            ("ALICE_USER_IDS", "«A1»"),
            ("ALICE_USER_IDS", "ALICE_USER_IDS=A1"),
            ("ALICE_USER_IDS", "<A1>"),
            ("ALICE_USER_IDS", "any,A1"),
            ("ALICE_SKILL_ID", "https://dialogs.yandex.ru/developer/skills/3ad36498"),
            ("ALICE_SKILL_ID", "dialogs.yandex.ru/3ad36498"),
        ] {
            let error = read(&[(variable, value)]).unwrap_err().to_string();
            assert!(error.starts_with(variable) && error.contains("without quotes"), "{error}");
        }
    }

    #[test]
    fn open_and_any_open_exactly_as_absence_does() {
        let words = [("WEBHOOK_SECRET", OPEN), ("ALICE_USER_IDS", ANY), ("ALICE_SKILL_ID", ANY)];
        let key = ("API_KEY", KEY);
        for set in 0..8 {
            let told: Vec<_> =
                (0..3).filter(|bit| set & (1 << bit) != 0).map(|bit| words[bit]).chain([key]).collect();
            let (with_words, without) = (read(&told).unwrap(), read(&[key]).unwrap());
            assert_eq!(with_words.open(), without.open(), "{told:?}");
            assert_eq!(with_words.webhook_path(), WEBHOOK_PATH);
            assert_eq!(with_words.ask_token().reveal(), without.ask_token().reveal());
            assert_eq!((with_words.skill_id, with_words.user_ids), (None, vec![]));
        }
        // The word alone, as it is written, and no other place for it.
        for value in ["Open", "OPEN", "open,", "opened"] {
            assert!(read(&[("WEBHOOK_SECRET", value)]).is_err(), "{value}");
        }
        let path = std::env::temp_dir().join(format!("relay-open-{}", std::process::id()));
        std::fs::write(&path, OPEN).unwrap();
        let read_file = read(&[("WEBHOOK_SECRET_FILE", path.to_str().unwrap())]);
        std::fs::remove_file(&path).unwrap();
        assert!(read_file.unwrap_err().to_string().contains("shorter than 16"));
        assert!(read(&[words[0], ("WEBHOOK_SECRET_FILE", "/x")]).is_err());
    }

    #[test]
    fn asks_token_takes_every_setting_and_repeats_none() {
        let all = [
            ("API_KEY", "0123456789abcdef,fedcba9876543210"),
            ("WEBHOOK_SECRET", WEBHOOK),
            ("ALICE_SKILL_ID", "skill"),
            ("ALICE_USER_IDS", "me,you"),
        ];
        let whole = token(&all);
        assert_eq!(whole, token(&all), "another process with this environment makes the same");
        for left_out in 0..all.len() {
            let mut some = all.to_vec();
            some.remove(left_out);
            assert_ne!(whole, token(&some), "{left_out}");
        }
        assert_ne!(whole, token(&[all[0], all[1], all[2], ("ALICE_USER_IDS", "me")]));
        assert_ne!(token(&[("ALICE_SKILL_ID", "a")]), token(&[("ALICE_USER_IDS", "a")]));
        for (_, value) in all {
            assert!(!whole.contains(value));
        }
    }

    #[test]
    fn the_owners_secret_takes_every_setting_and_needs_a_lock() {
        let all = [
            ("API_KEY", "0123456789abcdef"),
            ("WEBHOOK_SECRET", WEBHOOK),
            ("ALICE_SKILL_ID", "skill"),
            ("ALICE_USER_IDS", "me"),
        ];
        let secret = |pairs: &[(&'static str, &str)]| {
            read(pairs).unwrap().owner_secret().map(|secret| secret.reveal().to_owned())
        };
        let whole = secret(&all).unwrap();
        assert_eq!(Some(&whole), secret(&all).as_ref());
        assert_ne!(whole, token(&all));
        for left_out in [0, 2, 3] {
            let mut some = all.to_vec();
            some.remove(left_out);
            assert_ne!(Some(&whole), secret(&some).as_ref(), "{left_out}");
        }
        assert_eq!(secret(&[all[0], all[2], all[3]]), None);
        assert_eq!(secret(&[all[0], ("WEBHOOK_SECRET", OPEN)]), None);
    }

    #[test]
    fn each_agent_is_known_by_any_of_its_keys_and_by_no_others() {
        let agents = "ноутбук=key-of-the-notebook;сервер=new-key-of-the-server,old-key-of-the-server";
        let credentials = read(&[("API_KEY", KEY), ("AGENTS", agents)]).unwrap();
        let shown =
            |key: &str| credentials.agent(key.as_bytes()).map(|s| (s.agent.0, s.position, s.of));
        assert_eq!(shown(KEY), Some((0, 1, 1)));
        assert_eq!(shown("key-of-the-notebook"), Some((1, 1, 1)));
        assert_eq!(shown("old-key-of-the-server"), Some((2, 2, 2)));
        for wrong in ["", "key-of-the-noteboo", "ноутбук", agents] {
            assert_eq!(shown(wrong), None, "{wrong}");
        }
        let hidden: Vec<_> = credentials.secrets().iter().map(|s| s.reveal().to_owned()).collect();
        assert!(hidden.contains(&"old-key-of-the-server".to_owned()));
        assert_ne!(token(&[("API_KEY", KEY)]), token(&[("API_KEY", KEY), ("AGENTS", agents)]));
    }

    #[test]
    fn settings_of_further_agents_that_are_empty_are_as_if_they_were_not_set() {
        for empty in ["", " ", NONE] {
            let settings = [("API_KEY", KEY), ("AGENTS", empty), ("AGENT_NAME", empty)];
            let credentials = read(&settings).unwrap();
            assert_eq!(credentials.agents.names(), crate::config::agents::Names::default());
            assert_eq!(token(&settings[..1]), token(&settings));
        }
    }

    #[test]
    fn no_secret_is_in_the_debug_output() {
        let credentials = read(&[("API_KEY", KEY), ("WEBHOOK_SECRET", WEBHOOK)]).unwrap();
        let token = credentials.ask_token();
        for text in [format!("{credentials:?}"), format!("{credentials:#?}"), format!("{token:?}")] {
            for secret in [KEY, WEBHOOK, token.reveal()] {
                assert!(!text.contains(secret), "{text}");
            }
        }
    }

    #[test]
    fn what_stands_open_is_told_with_its_cure_until_nothing_does() {
        let open = |pairs: &[(&'static str, &str)]| read(pairs).unwrap().open();
        let ids = [("ALICE_SKILL_ID", "s"), ("ALICE_USER_IDS", "u")];
        let line = open(&[]).unwrap();
        for cure in ["WEBHOOK_SECRET", "ALICE_SKILL_ID", "ALICE_USER_IDS"] {
            assert!(line.contains(&format!("set {cure}")), "{line}");
        }
        assert!(open(&ids).unwrap().contains("WEBHOOK_SECRET"));
        let line = open(&[("WEBHOOK_SECRET", WEBHOOK), ids[1]]).unwrap();
        assert!(line.contains("ALICE_SKILL_ID") && !line.contains("WEBHOOK_SECRET"), "{line}");
        assert_eq!(open(&[("WEBHOOK_SECRET", WEBHOOK), ids[0], ids[1]]), None);
        let line = open(&[("API_KEY", "short"), ("WEBHOOK_SECRET", WEBHOOK), ids[0], ids[1]]).unwrap();
        assert!(line.contains("shorter than 16"), "{line}");
    }
}
