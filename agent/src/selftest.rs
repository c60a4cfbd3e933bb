//! Tries what this PC can do, harmlessly, each thing undone; the report may be pasted into an issue: it holds no name,
//! no key and no address.

use std::path::Path;
use std::time::Duration;

use crate::config::{Config, ConfigError};
use crate::status;
use crate::system::{self, Cancel, Ended, Places, write_private};

/// What was tried: whether it went well, and what was seen.
struct Tried {
    what: &'static str,
    seen: Result<String, String>,
}

/// Returns the report, and whether all went well.
pub fn selftest(places: &Places) -> (String, bool) {
    let config = Config::load(&places.config);
    let tried = [
        Tried { what: "настройки", seen: settings(&config) },
        Tried { what: "файлы агента", seen: files(places) },
        Tried { what: "своя программа", seen: program(places.folder()) },
        Tried { what: "зависшая программа", seen: hanging_program(places.folder()) },
        Tried { what: "сетевые карты", seen: cards() },
        Tried { what: "связь", seen: link(places, config) },
    ];
    let mut report = format!("{}, {}\n", crate::NAME_AND_VERSION, system::describe());
    for Tried { what, seen } in &tried {
        report += &match seen {
            Ok(seen) => format!("✔ {what}: {seen}\n"),
            Err(problem) => format!("✘ {what}: {problem}\n"),
        };
    }
    (report, tried.iter().all(|tried| tried.seen.is_ok()))
}

fn settings(config: &Result<Config, ConfigError>) -> Result<String, String> {
    let config = config.as_ref().map_err(ToString::to_string)?;
    Ok(format!("своих команд {}", config.commands.len()))
}

fn files(places: &Places) -> Result<String, String> {
    let tried = places.status.with_extension("selftest");
    let problem = |error: std::io::Error| format!("не пишутся ({error})");
    places.make().map_err(problem)?;
    write_private(&tried, "x").map_err(problem)?;
    std::fs::remove_file(&tried).map_err(problem)?;
    Ok("пишутся и удаляются".into())
}

fn program(folder: &Path) -> Result<String, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let arguments = [own.to_string_lossy().into_owned(), "--version".into()];
    let folder = if folder.is_dir() { folder } else { Path::new("/") };
    let cancel = Cancel::new().map_err(|error| error.to_string())?;
    match system::program::run(&arguments, folder, Duration::from_secs(10), &cancel) {
        Ok((Ended::Well, output)) if output.starts_with(crate::NAME_AND_VERSION.as_bytes()) => {
            Ok("запускается, ответ прочитан".into())
        }
        Ok((ended, _)) => Err(format!("закончилась не так: {ended:?}")),
        Err(error) => Err(format!("не запускается ({error})")),
    }
}

fn hanging_program(folder: &Path) -> Result<String, String> {
    let arguments = ["sleep".to_owned(), "60".into()];
    let folder = if folder.is_dir() { folder } else { Path::new("/") };
    let cancel = Cancel::new().map_err(|error| error.to_string())?;
    match system::program::run(&arguments, folder, Duration::from_millis(200), &cancel) {
        Ok((Ended::TimedOut, _)) => Ok("остановлена в срок".into()),
        Ok((ended, _)) => Err(format!("закончилась не так: {ended:?}")),
        Err(error) => Err(format!("не запускается ({error})")),
    }
}

fn cards() -> Result<String, String> {
    match system::cards().len() {
        0 => Err("не найдены: этот компьютер не разбудить по сети".into()),
        many => Ok(format!("найдено {many}")),
    }
}

fn link(places: &Places, config: Result<Config, ConfigError>) -> Result<String, String> {
    if system::is_held(&places.lock) {
        let told = status::read(&places.status).ok_or("агент работает, но не пишет состояния")?;
        return match told.linked {
            Some(_) => Ok("есть, у агента, который работает".into()),
            None => Err(told.trouble),
        };
    }
    let config = config.map_err(|_| "нет настроек".to_owned())?;
    crate::join::try_link(config).map(|()| "есть".into()).map_err(|trouble| trouble.to_string())
}
