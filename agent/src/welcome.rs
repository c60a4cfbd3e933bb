//! What a double click leads to: a console that asks for the line from the server, and an agent that works without a window.

use std::fs;
use std::io;
use std::process::ExitCode;

use crate::config::{Config, ConfigError};
use crate::system::{self, Autostart, Places};
use crate::{WITH_SESSION, ask, autostart_on, failure, join, join_and_tell, print, status};

/// Joins this PC if it isn't yet, has the agent work without a window, and tells how it is.
pub fn talk(places: &Places) -> ExitCode {
    let told = match Config::load(&places.config) {
        Err(ConfigError::Missing) => first_time(places),
        _ if system::holder(&places.lock).is_some() && !is_other(places) => {
            print("Агент уже работает.\n");
            status(places)
        }
        // Also a newer one, in the place of what is installed.
        Ok(_) => go_on(places),
        Err(problem) => failure(&format!("Не запускаюсь: {problem}.")),
    };
    let goes_on = system::holder(&places.lock).is_some();
    print(if goes_on {
        "Enter закроет это окно; агент работает и без него.\n"
    } else {
        "Enter закроет это окно.\n"
    });
    line();
    told
}

fn first_time(places: &Places) -> ExitCode {
    print("Home Alice: этот компьютер будет делать то, что сказано Алисе.\n\n");
    loop {
        print(
            "Получите на сервере строку: docker exec home-alice-relay /home-alice-relay invite --domain ваш-домен\n\
             Вставьте её сюда (правой кнопкой мыши) и нажмите Enter: ",
        );
        let Some(line) = line() else { return ExitCode::FAILURE };
        let words: Vec<&str> = line.split_whitespace().filter(|word| !is_command(word)).collect();
        match words.as_slice() {
            [] => return ExitCode::FAILURE,
            [server, code @ ..] if !code.is_empty() => {
                if join_and_tell(server, &code.join(" "), places).is_ok() {
                    break;
                }
            }
            _ => _ = print("Это не вся строка: в ней адрес и код.\n"),
        }
    }
    match ask(&format!("{WITH_SESSION}? [Д/н] "), true) {
        true => autostart_on(places),
        false => go_on(places),
    }
}

/// Whether a word of the line is the command itself, which is typed here already.
fn is_command(word: &str) -> bool {
    let name = word.trim_start_matches(".\\").trim_start_matches("./");
    matches!(name, "home-alice-agent" | "home-alice-agent.exe" | "join")
}

/// Installs the program, if it isn't yet, and starts it without a window.
fn go_on(places: &Places) -> ExitCode {
    if let Some(Err(error)) = system::holder(&places.lock).map(system::end) {
        return failure(&format!("Прежний агент не завершается: {error}"));
    }
    let autostart = Autostart::new(places);
    let installed = std::env::current_exe().and_then(|program| autostart.install(&program));
    if let Err(error) = installed {
        return failure(&format!("Программа не копируется в {}: {error}", places.folder().display()));
    }
    if !autostart.start() {
        return failure("Агент не запускается.");
    }
    join::await_start(places);
    status(places)
}

/// Whether this is another program than the one that is installed.
fn is_other(places: &Places) -> bool {
    let own = std::env::current_exe().and_then(fs::read);
    own.is_ok_and(|own| fs::read(&places.program).is_ok_and(|installed| installed != own))
}

fn line() -> Option<String> {
    let mut line = String::new();
    io::stdin().read_line(&mut line).ok().filter(|read| *read > 0).map(|_| line)
}
