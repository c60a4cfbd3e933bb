//! The agent that runs: its threads, put together, started and ended.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use notify::{EventKind, RecursiveMode, Watcher};

use crate::config::{self, Config, ConfigError};
use crate::desk::{Lane, Queue};
use crate::link::{Event, Link, Mail};
use crate::status::{Status, say};
use crate::system::{self, Cancel, Change, Lock, Places};

/// How long the link has for its goodbye.
const FAREWELL: Duration = Duration::from_secs(2);

/// Runs until the user or the system asks for its end.
pub fn run(places: &Places) -> ExitCode {
    start(places).map_or_else(
        |Unable(why, code)| {
            say(&why);
            ExitCode::from(code)
        },
        |()| ExitCode::SUCCESS,
    )
}

/// Why the agent can't run, in words, and the exit code.
struct Unable(String, u8);

impl From<io::Error> for Unable {
    fn from(error: io::Error) -> Self {
        Self(format!("Система отказывает: {error}"), 1)
    }
}

/// How the agent comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Asked,
    Goodbye,
    /// The link's thread has failed.
    Fault,
}

fn start(places: &Places) -> Result<(), Unable> {
    places.make()?;
    let unusable = |error| Unable(format!("Не запускаюсь: {error}."), crate::UNUSABLE);
    let text = config::read(&places.config).map_err(unusable)?;
    let config = Config::parse(&text).map_err(unusable)?;
    let Some(_lock) = Lock::take(&places.lock)? else {
        return Err(Unable("Агент уже работает. Что с ним, скажет home-alice-agent status.".into(), crate::UNUSABLE));
    };
    if let Some(hint) = system::private_hint(&places.config) {
        say(&format!("Файл настроек могут читать другие, а в нём ключ: {hint}"));
    }
    let (server, key) = (config.server.clone(), config.key.clone());
    let status = Arc::new(Status::new(places.status.clone()));
    let (link, mail) = Link::new(server, key, system::uptime, system::cards)?;
    let queue = Arc::new(Queue::new(config, places.folder().to_owned(), Cancel::new()?, status));
    let (ending, ended) = channel();
    let (ends, asked) = (mail.clone(), ending.clone());
    system::user_asks_to_end(move || {
        ends.send(Event::Stop);
        let _ = asked.send(Ending::Asked);
    })?;
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
    let changes = Changes { path: places.config.clone(), last: Some(text), queue: queue.clone(), mail: mail.clone() };
    let _watcher =
        changes.watch().inspect_err(|error| say(&format!("Новые настройки подействуют после перезапуска: {error}")));
    let worker = |name: &str, lane| {
        let (queue, mail) = (queue.clone(), mail.clone());
        Builder::new().name(name.into()).spawn(move || queue.work(lane, &mail))
    };
    let workers = [worker("worker", Lane::Ordinary)?, worker("urgent", Lane::Urgent)?];
    Builder::new().name("link".into()).spawn({
        let queue = queue.clone();
        move || {
            let is_fault = catch_unwind(AssertUnwindSafe(|| link.run(&*queue))).is_err();
            let _ = ending.send(if is_fault { Ending::Fault } else { Ending::Goodbye });
        }
    })?;
    let mut ending = ended.recv();
    if ending == Ok(Ending::Asked) {
        // It says goodbye, unless it is in the middle of connecting: the program's end is its end then.
        ending = ended.recv_timeout(FAREWELL).or(ending);
    }
    queue.end();
    // They have caught their panics.
    workers.into_iter().for_each(|worker| _ = worker.join());
    match ending {
        Ok(Ending::Asked | Ending::Goodbye) => Ok(()),
        // systemd starts the agent again.
        Ok(Ending::Fault) | Err(_) => Err(io::Error::other("поток связи упал").into()),
    }
}

/// Takes up what stands in the config, whenever it changes.
struct Changes {
    path: PathBuf,
    /// The text that was looked at last.
    last: Option<String>,
    queue: Arc<Queue>,
    mail: Mail,
}

impl Changes {
    /// Has each change taken up. The folder is watched: editors replace the file, and a watch on it would die with the old
    /// one.
    fn watch(self) -> notify::Result<impl Watcher + use<>> {
        let (path, changes) = (self.path.clone(), Arc::new(Mutex::new(self)));
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        let look = {
            let changes = changes.clone();
            move || changes.lock().unwrap_or_else(PoisonError::into_inner).look()
        };
        let (watched, look_again) = (folder.clone(), look.clone());
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            match event {
                // Reading the file is an event, too.
                Ok(event) if matches!(event.kind, EventKind::Access(_)) => {}
                Ok(event) if event.paths.contains(&watched) => {
                    say("Папка настроек исчезла или заменена: новые настройки подействуют после перезапуска.");
                }
                Ok(event) if !event.need_rescan() && !event.paths.contains(&path) => {}
                _ => look(),
            }
        })?;
        watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        // What changed while the agent started.
        look_again();
        Ok(watcher)
    }

    fn look(&mut self) {
        let text = config::read(&self.path);
        if text.is_ok() && text.as_ref().ok() == self.last.as_ref() {
            return;
        }
        self.last = text.as_ref().ok().cloned();
        match text.and_then(|text| Config::parse(&text)) {
            // An editor is about to write it.
            Err(ConfigError::Empty | ConfigError::Missing) => {}
            Err(problem) => say(&format!("Работают прежние настройки: {problem}.")),
            Ok(config) => {
                let old = self.queue.config();
                if (&old.server, &old.key) != (&config.server, &config.key) {
                    self.mail.send(Event::Moved(config.server.clone(), config.key.clone()));
                }
                self.queue.set_config(config);
                say("Настройки прочитаны заново.");
            }
        }
    }
}
