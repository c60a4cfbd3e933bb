//! Tries what this PC can do, harmlessly, each thing undone; the report may be pasted into an issue: it holds no name,
//! no key and no address.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::action::{Brightness, Key, Sound};
use crate::config::{Config, ConfigError};
use crate::message::Outcome;
use crate::status;
use crate::system::{
    self, Cancel, Ended, Places, display, keyboard, players, power, programs, report, screenshot, sound, window,
};

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
        Tried { what: "своя программа", seen: program() },
        Tried { what: "зависшая программа", seen: hanging_program() },
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
    // What this PC lacks is no fault.
    for (what, seen) in hands() {
        report += &match seen {
            Ok(seen) => format!("✔ {what}: {seen}\n"),
            Err(problem) => format!("– {what}: {problem}\n"),
        };
    }
    (report, tried.iter().all(|tried| tried.seen.is_ok()))
}

/// Tries what the agent's words lead to.
fn hands() -> [(&'static str, Result<String, String>); 10] {
    let told = |Outcome { ok, text, .. }: Outcome| if ok { Ok(text) } else { Err(text) };
    // Titles are nobody else's business.
    let seen = |outcome: Outcome| told(outcome).map(|_| "видно".to_owned());
    let screenshot = screenshot::take().and_then(|path| {
        fs::remove_file(path).map(|()| "снят и удалён".into()).map_err(|error| format!("не удаляется ({error})"))
    });
    [
        ("звук", told(sound::change(Sound::By(0)))),
        ("что играет", seen(players::track())),
        ("питание", power::abilities()),
        ("заряд", told(report::battery())),
        ("система", told(report::system())),
        ("программы", Ok(format!("найдено {}", programs::programs().len()))),
        ("окна", window::all().map(|windows| format!("видно {}", windows.len()))),
        ("клавиатура", keyboard::press(&[Key::Shift]).map(|()| "клавиша нажимается".into())),
        ("яркость", told(display::brightness(Brightness::By(0)))),
        ("снимок экрана", screenshot),
    ]
}

fn settings(config: &Result<Config, ConfigError>) -> Result<String, String> {
    match config {
        Ok(config) => Ok(format!("своих команд {}", config.commands.len())),
        // What is wrong there may hold words of the file.
        Err(ConfigError::Wrong { line, .. }) => {
            Err(format!("ошибка в строке {line}, её назовёт home-alice-agent status"))
        }
        Err(error) => Err(error.to_string()),
    }
}

fn files(places: &Places) -> Result<String, String> {
    let tried = places.make().and_then(|()| system::try_to_write(&places.config, "x"));
    tried.map(|()| "пишутся и удаляются".into()).map_err(|error| format!("не пишутся ({error})"))
}

/// Tries a program for so long.
fn run(arguments: &[String], timeout: Duration) -> Result<(Ended, Vec<u8>), String> {
    let refused = |error: std::io::Error| format!("не запускается ({error})");
    let cancel = Cancel::new().map_err(refused)?;
    system::program::run(arguments, Path::new("/"), timeout, &cancel).map_err(refused)
}

fn program() -> Result<String, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    match run(&[own.to_string_lossy().into_owned(), "--version".into()], Duration::from_secs(10))? {
        (Ended::Well, output) if output.starts_with(crate::NAME_AND_VERSION.as_bytes()) => {
            Ok("запускается, ответ прочитан".into())
        }
        (ended, _) => Err(format!("закончилась не так: {ended:?}")),
    }
}

fn hanging_program() -> Result<String, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    match run(&[own.to_string_lossy().into_owned(), "--wait".into()], Duration::from_millis(200))? {
        (Ended::TimedOut, _) => Ok("остановлена в срок".into()),
        (ended, _) => Err(format!("закончилась не так: {ended:?}")),
    }
}

fn cards() -> Result<String, String> {
    match system::cards().len() {
        0 => Err("не найдены: этот компьютер не разбудить по сети".into()),
        many => Ok(format!("найдено {many}")),
    }
}

fn link(places: &Places, config: Result<Config, ConfigError>) -> Result<String, String> {
    // Why there is none may hold names.
    let broken = || "нет; почему, скажет home-alice-agent status".to_owned();
    if let Some(process) = system::holder(&places.lock) {
        let told = status::read(&places.status, process).filter(|told| told.linked.is_some());
        return told.map(|_| "есть, у агента, который работает".into()).ok_or_else(broken);
    }
    let config = config.map_err(|_| "нет настроек".to_owned())?;
    crate::join::try_link(config).map(|()| "есть".into()).map_err(|_| broken())
}
