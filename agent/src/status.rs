//! What the agent that runs tells: on the terminal or in the journal, and in a small file that `status` reads.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::link::trouble::Trouble;
use crate::system::{show, write_private};

/// Bytes of the file that `status` takes.
const MAX_STATUS: u64 = 64 * 1024;

/// What is told of an agent that has just been started.
pub const CONNECTING: &str = "подключаюсь.";

/// What is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub process: u32,
    pub version: String,
    /// Whether there is a link, or since when there is none, in Unix seconds.
    pub since: u64,
    /// The relay that it is linked to; none when it is not.
    pub linked: Option<String>,
    pub trouble: String,
}

impl Told {
    /// Returns it as it is told to whoever asks.
    pub fn text(&self) -> String {
        let time = time_since(self.since);
        let link = match &self.linked {
            Some(server) => format!("Связь есть, {time}: {server}"),
            None => format!("Связи нет, {time}: {}", self.trouble),
        };
        format!("{link}\nВерсия {}, процесс {}\n", self.version, self.process)
    }
}

/// Where it is told.
pub struct Status {
    file: PathBuf,
    told: Mutex<Told>,
}

impl Status {
    /// Tells of an agent that begins, in this file.
    pub fn new(file: PathBuf) -> Self {
        let told = Told {
            process: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            since: unix_time(),
            trouble: CONNECTING.into(),
            ..Told::default()
        };
        let status = Self { file, told: Mutex::new(told) };
        status.change(|_| {});
        status
    }

    /// There is a link, or there is none, which is said if it `is_news`.
    pub fn link(&self, state: &Result<Address, Trouble>, is_news: bool) {
        match state {
            _ if !is_news => {}
            Ok(address) => say(&format!("Связь есть: {address}")),
            Err(trouble) => {
                say(&format!("Связи нет: {}", trouble.told()));
            }
        }
        self.change(|told| {
            told.since = unix_time();
            told.linked = state.as_ref().ok().map(ToString::to_string);
            told.trouble = state.as_ref().err().map(Trouble::told).unwrap_or_default();
        });
    }

    fn change(&self, change: impl FnOnce(&mut Told)) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut told);
        show(&told);
        let json = serde_json::to_string(&*told).expect("texts and numbers always serialise");
        if let Err(error) = write_private(&self.file, &json) {
            say(&format!("Файл состояния не пишется ({error}): {}", self.file.display()));
        }
    }
}

/// Returns what the agent that is this process has told last; none when the file can't be read, or another has written it.
pub fn read(file: &Path, process: u32) -> Option<Told> {
    let mut json = String::new();
    File::open(file).ok()?.take(MAX_STATUS).read_to_string(&mut json).ok()?;
    serde_json::from_str(&json).ok().filter(|told: &Told| told.process == process)
}

/// Returns for how long it has been so, in words, in the accusative.
fn time_since(since: u64) -> String {
    let seconds = unix_time().saturating_sub(since);
    match seconds {
        0..60 => "меньше минуты".into(),
        60..3600 => format!("{} мин", seconds / 60),
        3600..86_400 => format!("{} ч", seconds / 3600),
        _ => format!("{} дн", seconds / 86_400),
    }
}

/// Says something to whoever looks at the terminal or into the journal.
pub fn say(line: &str) {
    // Nobody may be there to hear it.
    let _ = writeln!(std::io::stderr(), "{line}");
    #[cfg(windows)]
    crate::system::log::line(line);
}

fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}
