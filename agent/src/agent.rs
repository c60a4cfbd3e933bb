//! The agent that runs: its threads, put together, started and ended.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::Builder;

use notify::{EventKind, RecursiveMode, Watcher};

use crate::config::{Config, ConfigError};
use crate::desk::Queue;
use crate::link::{Event, Link, Mail};
use crate::status::{Status, say};
use crate::system::{self, Cancel, Change, Lock, Places};

/// Runs until the user or the system asks for its end.
pub fn run(places: &Places) -> ExitCode {
    match start(places) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Unable::Unusable(problem)) => {
            say(&problem);
            ExitCode::from(crate::UNUSABLE)
        }
        Err(Unable::System(error)) => {
            say(&format!("Система отказывает: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Why the agent can't run.
enum Unable {
    /// Its owner has to do something first.
    Unusable(String),
    /// The system refuses something.
    System(io::Error),
}

impl From<io::Error> for Unable {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

fn start(places: &Places) -> Result<(), Unable> {
    places.make()?;
    let config = Config::load(&places.config)
        .map_err(|error| Unable::Unusable(format!("Не запускаюсь: {error}.")))?;
    let Some(_lock) = Lock::take(&places.lock)? else {
        return Err(Unable::Unusable(
            "Агент уже работает. Что с ним, скажет home-alice-agent status.".into(),
        ));
    };
    if let Some(hint) = system::private_hint(&places.config) {
        say(&format!("Файл настроек могут читать другие, а в нём ключ: {hint}"));
    }
    let (server, key) = (config.server.clone(), config.key.clone());
    let status = Arc::new(Status::new(places.status.clone()));
    let (link, mail) = Link::new(server, key, system::uptime, system::cards)?;
    let queue =
        Arc::new(Queue::new(config, places.folder().to_owned(), Cancel::new()?, status.clone()));
    let ends = mail.clone();
    system::user_asks_to_end(move || ends.send(Event::Stop))?;
    let changes = mail.clone();
    let watched = system::watch(move |change| {
        changes.send(match change {
            Change::Woke => Event::Woke,
            Change::Network => Event::Network,
        });
    });
    if let Err(error) = watched {
        say(&format!("Сон и смены сети замечаются не сразу: {error}"));
    }
    // Held: dropping it ends the watching.
    let _watcher = watch_config(&places.config, queue.clone(), status, mail.clone())
        .inspect_err(|error| say(&format!("Новые настройки подействуют после перезапуска: {error}")));
    let worker = Builder::new().name("worker".into()).spawn({
        let queue = queue.clone();
        move || queue.work(&mail)
    })?;
    link.run(&*queue);
    queue.end();
    // It has caught its panics.
    let _ = worker.join();
    Ok(())
}

/// Has each change of the file at `path` taken up. The folder is watched: editors replace the file, and a watch on it
/// would die with the old one.
fn watch_config(
    path: &Path,
    queue: Arc<Queue>,
    status: Arc<Status>,
    mail: Mail,
) -> notify::Result<impl Watcher + use<>> {
    let config = path.to_owned();
    let mut last = crate::config::read(path).ok();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading the file is an event, too.
        let Ok(event) = event else { return };
        if matches!(event.kind, EventKind::Access(_)) || !event.paths.contains(&config) {
            return;
        }
        let text = crate::config::read(&config);
        if text.as_ref().ok() == last.as_ref() && last.is_some() {
            return;
        }
        last = text.as_ref().ok().cloned();
        match text.and_then(|text| Config::parse(&text)) {
            // An editor is about to write it.
            Err(ConfigError::Empty | ConfigError::Missing) => {}
            Err(problem) => status.config(Some(problem.to_string())),
            Ok(config) => {
                let old = queue.config();
                if (&old.server, &old.key) != (&config.server, &config.key) {
                    mail.send(Event::Moved(config.server.clone(), config.key.clone()));
                }
                queue.set_config(config);
                status.config(None);
            }
        }
    })?;
    watcher.watch(path.parent().unwrap_or(Path::new(".")), RecursiveMode::NonRecursive)?;
    Ok(watcher)
}
