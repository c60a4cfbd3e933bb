//! The command line of Home Alice Agent. Nothing else.

mod action;
mod address;
mod agent;
mod clock;
mod config;
mod desk;
mod join;
mod link;
mod message;
mod phrases;
mod scenarios;
mod selftest;
mod status;
mod system;
#[cfg(windows)]
mod welcome;

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use crate::action::Action;
use crate::address::Address;
use crate::config::{Config, ConfigError};
use crate::desk::unknown;
use crate::phrases::own::Own;
use crate::status::say;
use crate::system::find::{Found, find_for};
use crate::system::{Autostart, Cancel, NoAutostart, Places};

/// The agent's name and version, as the relay and a report have them.
const NAME_AND_VERSION: &str = concat!("home-alice-agent ", env!("CARGO_PKG_VERSION"));

const HELP: &str = include_str!("help.txt");

/// The skill's name that DEPLOYMENT.md has.
const SKILL: &str = "Домашний компьютер";

/// The question and the advice.
const WITH_SESSION: &str = if cfg!(windows) {
    "Запускать вместе с Windows"
} else {
    "Запускать вместе с сеансом"
};

/// Something has to be mended first.
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (is_as_root, arguments) = match arguments.as_slice() {
        ["--as-root", rest @ ..] => (true, rest),
        all => (false, all),
    };
    match arguments {
        ["--version" | "-V"] => return print(&format!("{NAME_AND_VERSION}\n")),
        ["--help" | "-h" | "help"] => return print(HELP),
        // For `selftest`: a program that hangs.
        ["--wait"] => loop {
            std::thread::park();
        },
        _ => {}
    }
    if system::is_root() && !is_as_root {
        return unusable(
            "От root агент не работает: команды Алисы выполнялись бы с правами root. Запустите его от своего \
             пользователя, без sudo. Если так надо: home-alice-agent --as-root …",
        );
    }
    let Some(places) = Places::of_user() else {
        return unusable("Нет домашней папки: задайте переменную HOME (в Windows LOCALAPPDATA).");
    };
    match arguments {
        [] => run(&places),
        ["join", server, code @ ..] if !code.is_empty() => join(server, &code.join(" "), &places),
        ["say", "-"] => with_own(&places, say_each),
        ["say", phrase] => with_own(&places, |own| say_phrase(phrase, false, own, &places)),
        ["say", "--do", phrase] | ["say", phrase, "--do"] => {
            with_own(&places, |own| say_phrase(phrase, true, own, &places))
        }
        ["commands"] => with_own(&places, |own| commands(own, &places)),
        ["scenarios"] => with_own(&places, |own| scenarios(SKILL, own)),
        ["scenarios", "--skill", skill] => with_own(&places, |own| scenarios(skill, own)),
        ["status"] => status(&places),
        ["autostart", "on"] => autostart_on(&places),
        ["autostart", "off"] => autostart_off(&places),
        ["selftest"] => {
            let (report, is_well) = selftest::selftest(&places);
            print(&report);
            exit(is_well)
        }
        ["uninstall"] => uninstall(false, &places),
        ["uninstall", "--yes"] => uninstall(true, &places),
        _ => unusable(&format!("Такой команды нет.\n\n{HELP}")),
    }
}

/// Works, until the user or the system asks for the end.
#[cfg(not(windows))]
fn run(places: &Places) -> ExitCode {
    agent::run(places)
}

/// Works, until the user or the system asks for the end; by a double click it is talked with its user instead, and works
/// without a window.
#[cfg(windows)]
fn run(places: &Places) -> ExitCode {
    if system::console::is_own() {
        return welcome::talk(places);
    }
    if !system::log::is_read() {
        system::log::begin(places);
        system::tray::begin(places);
    }
    let ended = agent::run(places);
    system::tray::end();
    ended
}

fn join(server: &str, code: &str, places: &Places) -> ExitCode {
    match join_and_tell(server, code, places) {
        Ok(true) => return status(places),
        Ok(false) => {}
        Err(code) => return code,
    }
    if !io::stdin().is_terminal() {
        return print(&format!("{WITH_SESSION}: home-alice-agent autostart on. Запустить сейчас: home-alice-agent\n"));
    }
    match ask(&format!("{WITH_SESSION}? [Д/н] "), true) {
        true => autostart_on(places),
        false => print("Запустить: home-alice-agent\n"),
    }
}

/// Joins, and tries the link. Returns whether an agent runs already, which then has it.
fn join_and_tell(server: &str, code: &str, places: &Places) -> Result<bool, ExitCode> {
    let server = Address::parse(server).map_err(|problem| unusable(&format!("Адрес не годится: {problem}.")))?;
    let running = system::holder(&places.lock);
    let before = running.and_then(|process| status::read(&places.status, process));
    let old = Config::load(&places.config).ok();
    let name = join::join(&server, code, places).map_err(|problem| failure(&format!("Не получилось: {problem}.")))?;
    let name = if name.is_empty() { "компьютер" } else { &name };
    print(&format!("Этот компьютер подключён как «{name}». Настройки: {}\n", places.config.display()));
    if let Some(process) = running {
        print("Агент уже работает и подключается сам.\n");
        if Config::load(&places.config).ok() != old {
            join::await_agent(places, process, before);
        }
        return Ok(true);
    }
    let config = Config::load(&places.config).map_err(|problem| unusable(&format!("Но {problem}.")))?;
    join::try_link(config).map_err(|trouble| failure(&format!("Но связи нет: {}", trouble.told())))?;
    print("Связь есть.\n");
    Ok(false)
}

/// Does something with the owner's own commands; there are none where there is no config yet.
fn with_own(places: &Places, act: impl FnOnce(&[Own]) -> ExitCode) -> ExitCode {
    match Config::load(&places.config) {
        Ok(config) => act(&config.commands),
        Err(ConfigError::Missing) => act(&[]),
        Err(problem) => unusable(&format!("Не получилось: {problem}.")),
    }
}

fn say_phrase(phrase: &str, is_to_be_done: bool, own: &[Own], places: &Places) -> ExitCode {
    let understood = phrases::understand(phrase, own);
    let named = understood.as_ref().map(Action::to_string).unwrap_or_default();
    let action = match find_for(phrase, understood, own) {
        Found::Action(action) => action,
        Found::Choice(question, _) => return print(&format!("Понято: {named}\nВопрос: {question}\n")),
        Found::Told(outcome) => {
            print(&format!("Понято: {named}\nОтвет: {}\n", outcome.text));
            return exit(outcome.ok);
        }
        Found::Nothing(why) => return failure(&why.unwrap_or_else(|| unknown(phrase))),
    };
    print(&format!("Понято: {action}\n"));
    if !is_to_be_done {
        return print(&format!("Ответ: {}\n", action.answer()));
    }
    let cancel = match Cancel::new() {
        Ok(cancel) => Arc::new(cancel),
        Err(error) => return failure(&format!("Система отказывает: {error}")),
    };
    let asked = cancel.clone();
    if let Err(error) = system::user_asks_to_end(move || _ = (asked.ask(), system::later::cancel())) {
        return failure(&format!("Система отказывает: {error}"));
    }
    let outcome = system::carry_out(&action, places.folder(), &cancel);
    print(&format!("{}: {}\n", if outcome.ok { "Сделано" } else { "Не сделано" }, outcome.text));
    // What was announced happens in this process.
    system::later::wait();
    exit(outcome.ok)
}

/// Says how each line of the input is understood, before its names are looked up.
fn say_each(own: &[Own]) -> ExitCode {
    for phrase in io::stdin().lock().lines() {
        let Ok(phrase) = phrase else {
            return failure("Фразы нужны в UTF-8, по одной в строке.");
        };
        let understood = phrases::understand(&phrase, own).map_or("-".into(), |action| action.to_string());
        print(&format!("{phrase} | {understood}\n"));
    }
    ExitCode::SUCCESS
}

fn commands(own: &[Own], places: &Places) -> ExitCode {
    let mut text = String::from("Свои команды\n");
    for command in own {
        let says: Vec<&str> = command.says.iter().map(|say| &*say.written).collect();
        text += &format!("  {:<40} {}\n", says.join(" | "), command.does);
    }
    if own.is_empty() {
        text += &format!("  пока нет; их пишут в {}\n", places.config.display());
    }
    text += "Встроенные\n";
    for (example, action) in phrases::examples() {
        text += &format!("  {example:<40} {action}\n");
    }
    print(&text)
}

fn scenarios(skill: &str, own: &[Own]) -> ExitCode {
    let own = own.iter().flat_map(|own| &own.says).filter(|say| !say.is_catch_all()).map(|say| &*say.written);
    let built_in = phrases::examples().map(|(example, _)| example);
    let list = scenarios::scenarios(own.chain(built_in), skill);
    let lines = list.lines.iter().map(|(said, asks)| format!("{said} — {asks}\n"));
    let printed = print(&lines.collect::<String>());
    list.doubts.iter().for_each(|doubt| say(&format!("Внимание: {doubt}.")));
    printed
}

fn status(places: &Places) -> ExitCode {
    let problem = match Config::load(&places.config) {
        Ok(_) => String::new(),
        Err(problem) => format!("Внимание: {problem}.\n"),
    };
    let Some(process) = system::holder(&places.lock) else {
        print("Агент не работает. Запустить: home-alice-agent\n");
        print(&problem);
        return ExitCode::FAILURE;
    };
    let Some(told) = status::read(&places.status, process) else {
        return failure("Агент работает, но не пишет файл состояния: проверьте место на диске.");
    };
    print(&told.text());
    print(&problem);
    exit(told.linked.is_some())
}

fn autostart_on(places: &Places) -> ExitCode {
    if let Err(problem) = Config::load(&places.config) {
        return unusable(&format!("Сначала подключите этот компьютер: {problem}."));
    }
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return failure(&format!("Неизвестно, где лежит эта программа: {error}")),
    };
    let autostart = Autostart::new(places);
    if let Err(problem) = autostart.on(&program) {
        return failure(&match problem {
            NoAutostart::NoSystemd => {
                "Здесь нет systemd: добавьте home-alice-agent в автозапуск в настройках рабочего стола.".into()
            }
            NoAutostart::Files(error) => format!("Автозапуск не записывается: {error}"),
        });
    }
    let runs = system::holder(&places.lock).is_some();
    print(match (runs, !runs && autostart.start()) {
        (true, _) => "Агент уже работает и будет запускаться сам.\n",
        (false, true) => "Агент запущен и будет запускаться сам.\n",
        (false, false) => "Агент будет запускаться вместе с сеансом, начиная со следующего. Сейчас: home-alice-agent\n",
    })
}

fn autostart_off(places: &Places) -> ExitCode {
    match Autostart::new(places).off() {
        Ok(true) => print("Автозапуск выключен, агент не работает.\n"),
        Ok(false) => print("Автозапуск и не был включён.\n"),
        Err(error) => failure(&format!("Автозапуск не убирается: {error}")),
    }
}

fn uninstall(is_sure: bool, places: &Places) -> ExitCode {
    if !is_sure {
        if !io::stdin().is_terminal() {
            return unusable("Удаление спрашивает, а спросить некого: home-alice-agent uninstall --yes");
        }
        if !ask("Удалить настройки, свои команды и автозапуск? [д/Н] ", false) {
            return print("Ничего не удалено.\n");
        }
    }
    if let Err(error) = Autostart::new(places).off() {
        return failure(&format!("Автозапуск не убирается: {error}"));
    }
    if let Some(Err(error)) = system::holder(&places.lock).map(system::end) {
        return failure(&format!("Агент ещё работает ({error}): остановите его и повторите."));
    }
    let left = match places.remove() {
        Ok(left) => left.or_else(|| std::env::current_exe().ok().filter(|program| program.exists())),
        Err((file, error)) => return failure(&format!("Не удаляется {}: {error}", file.display())),
    };
    let program = left.map(|path| path.display().to_string()).unwrap_or_default();
    print(&format!("Удалено. Осталась сама программа: {program}\n"))
}

/// Asks a question; an empty answer is the default.
fn ask(question: &str, default: bool) -> bool {
    print(question);
    let mut answer = String::new();
    // Whoever has gone says neither.
    if !io::stdin().lock().read_line(&mut answer).is_ok_and(|read| read > 0) {
        return false;
    }
    match answer.trim().to_lowercase().chars().next() {
        None => default,
        Some(first) => matches!(first, 'д' | 'y'),
    }
}

fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn exit(is_well: bool) -> ExitCode {
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn failure(text: &str) -> ExitCode {
    say(text);
    ExitCode::FAILURE
}

fn unusable(text: &str) -> ExitCode {
    say(text);
    ExitCode::from(UNUSABLE)
}
