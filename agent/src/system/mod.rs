//! Carrying an action out: what the systems share, and for each what it does in its own way.

mod brightness;
pub mod cancel;
mod cards;
pub mod encoding;
pub mod find;
pub mod later;
#[cfg(target_os = "linux")]
mod linux;
mod notice;
mod picture;
mod playing;
mod taskbar;
mod telling;
mod volume;

use std::path::Path;
use std::time::Duration;

use crate::action::{Action, Desktop, Report, Speaks};
use crate::message::Outcome;
use crate::system::encoding::Encoding;
use crate::system::taskbar::Window;

pub use cancel::{Cancel, Ended};
pub use cards::{cards, is_online};
#[cfg(windows)]
#[allow(unsafe_code, reason = "the system's own calls, each with its reasoning")]
mod windows;

#[cfg(windows)]
pub use windows::{
    autostart::{Autostart, NoAutostart},
    clipboard, console, decode, describe, display,
    event::Event,
    folders, is_real_card, is_root, keyboard,
    launch::{default_program, open},
    local_stamp, local_time,
    lock::{Lock, end, holder},
    log,
    places::{Places, private_hint, try_to_write, write_private},
    players, power, program, programs, report, screenshot, sound, trash, tray,
    tray::show,
    uptime, user_asks_to_end,
    watch::{Change, watch},
    window,
};

#[cfg(target_os = "linux")]
pub use linux::{
    autostart::{Autostart, NoAutostart},
    decode, describe,
    event::Event,
    folders, is_real_card, is_root,
    launch::{default_program, open},
    local_stamp, local_time,
    lock::{Lock, end, holder},
    places::{Places, private_hint, try_to_write, write_private},
    players, power, program, programs, report,
    screen::{clipboard, display, keyboard, screenshot, window},
    show, sound, trash, uptime, user_asks_to_end,
    watch::{Change, watch},
};

/// Characters of what a program says that are told.
const MAX_SAID: usize = 500;

/// What is said where nothing runs and nothing is announced.
pub const NOTHING_TO_CANCEL: &str = "Отменять нечего.";

/// Carries an action out. A program runs in `folder` until `cancel` says otherwise.
pub fn carry_out(action: &Action, folder: &Path, cancel: &Cancel) -> Outcome {
    match action {
        Action::Open { what, .. } => match open(what, folder) {
            Ok(()) => Outcome::done(action.answer()),
            Err(problem) => Outcome::failed(problem),
        },
        Action::Run { arguments, speaks, timeout } => match program::run(arguments, folder, *timeout, cancel) {
            Ok((ended, output)) => tell(&ended, &output, speaks, *timeout),
            Err(error) => Outcome::failed(match error.kind() {
                std::io::ErrorKind::NotFound => format!("Нет программы {}.", arguments[0]),
                std::io::ErrorKind::PermissionDenied => {
                    format!("Программу {} нельзя запустить.", arguments[0])
                }
                _ => format!("Программа {} не запускается: {error}.", arguments[0]),
            }),
        },
        Action::Wake { cards, .. } => match cards::wake(cards) {
            0 => Outcome::failed("Сигнал на включение отправить некуда: нет локальной сети."),
            _ => Outcome::done(action.answer()),
        },
        Action::Sound(sound) => sound::change(*sound),
        Action::Player(asked) => players::ask(*asked),
        Action::Power(asked) => power::ask(*asked),
        Action::Start { id, name } => told(programs::start(id), || format!("Открываю {name}.")),
        Action::Close { name, windows } => close(name, windows),
        Action::Switch { name, window: id } => told(window::activate(*id), || format!("Открываю {name}.")),
        Action::Minimise { name, windows } => told(window::minimise(windows), || format!("Сворачиваю {name}.")),
        Action::Desktop(asked) => desktop(*asked, action),
        Action::Type(text) => told(keyboard::type_text(text), || action.answer().into()),
        Action::Press(keys) => told(keyboard::press(keys), || action.answer().into()),
        Action::Layout(language) => keyboard::layout(*language).map_or_else(Outcome::failed, Outcome::done),
        Action::Brightness(asked) => display::brightness(*asked),
        Action::Report(asked) => match asked {
            Report::Battery => report::battery(),
            Report::System => report::system(),
            Report::Programs => report::running_programs(),
            Report::Clipboard => clipboard::read().map_or_else(Outcome::failed, Outcome::done),
            Report::Track => players::track(),
            Report::Skills => Outcome::done(action.answer()),
        },
        Action::EmptyBin => told(trash::empty(), || action.answer().into()),
        Action::Refuse(why) => Outcome::failed(*why),
        // They are asked about before, or found.
        Action::Named(..) | Action::AskToEmptyBin => Outcome::failed("Сначала это нужно найти."),
        Action::Awake | Action::Check => Outcome::done(action.answer()),
        // What runs is another command's, and this one doesn't wait for it.
        Action::Cancel => match (cancel.ask(), power::cancel()) {
            (_, Err(problem)) => Outcome::failed(problem),
            (_, Ok(true)) => Outcome::done("Отменено."),
            (true, Ok(false)) => Outcome::done(action.answer()),
            (false, Ok(false)) => Outcome::done(NOTHING_TO_CANCEL),
        },
    }
}

/// Does something with the screen, or with the windows on it.
fn desktop(asked: Desktop, action: &Action) -> Outcome {
    let done = || action.answer().to_owned();
    let with_active = |act: &dyn Fn(Window) -> Outcome| match window::active() {
        Ok(Some(window)) => act(window),
        Ok(None) => Outcome::failed("Открытого окна нет."),
        Err(problem) => Outcome::failed(problem),
    };
    match asked {
        Desktop::ScreenOff => told(display::off(), done),
        Desktop::ScreenOn => told(display::on(), done),
        Desktop::MinimiseAll => told(window::minimise_all(), done),
        Desktop::RestoreAll => told(window::restore_all(), done),
        Desktop::Screenshot => told(screenshot::take(), done),
        Desktop::MinimiseThis => with_active(&|window| told(window::minimise(&[window.id]), done)),
        Desktop::MaximiseThis => with_active(&|window| told(window::maximise(window.id), done)),
        Desktop::FullscreenThis => with_active(&|window| told(window::fullscreen(window.id), done)),
        Desktop::CloseThis => with_active(&|window| close(&window.title, &[window.id])),
    }
}

fn close(name: &str, windows: &[u32]) -> Outcome {
    match window::close(windows) {
        Ok(0) => Outcome::done(format!("Закрываю {name}.")),
        Ok(_) => Outcome::failed(format!("{name} не закрывается: возможно, о чём-то спрашивает на экране.")),
        Err(problem) => Outcome::failed(problem),
    }
}

fn told<T>(result: Result<T, String>, done: impl FnOnce() -> String) -> Outcome {
    result.map_or_else(Outcome::failed, |_| Outcome::done(done()))
}

/// Returns what is said of a program that has ended.
fn tell(ended: &Ended, output: &[u8], speaks: &Speaks, timeout: Duration) -> Outcome {
    let encoding = if let Speaks::Output(encoding) = speaks { *encoding } else { None };
    let said = first_line(output, encoding);
    match (ended, speaks) {
        (Ended::Well, Speaks::Text(text)) => Outcome::done(text.as_str()),
        (Ended::Well, Speaks::Output(_)) if !said.is_empty() => Outcome::done(said),
        (Ended::Well, _) => Outcome::done("Готово."),
        (Ended::Badly(_), Speaks::Output(_)) if !said.is_empty() => Outcome::failed(said),
        (Ended::Badly(Some(code)), _) => Outcome::failed(format!("Программа закончилась с ошибкой {code}.")),
        (Ended::Badly(None), _) => Outcome::failed("Программу остановил кто-то другой."),
        (Ended::TimedOut, _) => {
            let time = count(timeout.as_secs(), ["секунду", "секунды", "секунд"]);
            Outcome::failed(format!("Программа не успела за {time} и остановлена."))
        }
        (Ended::Cancelled, _) => Outcome::failed("Остановлено."),
    }
}

/// Returns the scheme of an address; none when it is a path.
fn scheme(what: &str) -> Option<&str> {
    let (scheme, _) = what.split_once(':')?;
    let is_one = scheme.len() > 1 && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    is_one.then_some(scheme)
}

/// Returns so many of something: Russian has three forms, as for 1 and 21, 2 and 34, 5 and 11.
fn count(number: u64, forms: [&str; 3]) -> String {
    let form = match (number % 10, number % 100) {
        (_, 11..=14) => 2,
        (1, _) => 0,
        (2..=4, _) => 1,
        _ => 2,
    };
    format!("{number} {}", forms[form])
}

/// Returns the first line that has something in it, as it can be spoken.
fn first_line(output: &[u8], encoding: Option<Encoding>) -> String {
    let text = match (encoding, std::str::from_utf8(output)) {
        (Some(encoding), _) => encoding.decode(output),
        (None, Ok(text)) => text.to_owned(),
        // It was cut within a letter.
        (None, Err(error)) if error.error_len().is_none() => Encoding::Utf8.decode(&output[..error.valid_up_to()]),
        (None, Err(_)) => decode(output),
    };
    let lines = text.lines().map(|line| line.chars().filter(|c| !c.is_control()).collect::<String>());
    let mut lines = lines.map(|line| line.trim().chars().take(MAX_SAID).collect::<String>());
    lines.find(|line| !line.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_program_is_its_first_line_a_text_or_why_it_failed() {
        let said = |ended, output: &str, speaks| {
            let Outcome { ok, text, .. } = tell(&ended, output.as_bytes(), &speaks, Duration::from_secs(20));
            (ok, text)
        };
        assert_eq!(said(Ended::Well, "\n \u{1b}Фильм\r\nдва", Speaks::Output(None)), (true, "Фильм".into()));
        assert_eq!(said(Ended::Well, "", Speaks::Output(None)), (true, "Готово.".into()));
        assert_eq!(said(Ended::Well, "x", Speaks::Done), (true, "Готово.".into()));
        assert_eq!(said(Ended::Well, "x", Speaks::Text("Да.".into())), (true, "Да.".into()));
        assert_eq!(said(Ended::Badly(Some(3)), "нет его", Speaks::Output(None)), (false, "нет его".into()));
        assert!(said(Ended::Badly(Some(3)), "", Speaks::Output(None)).1.contains("ошибкой 3"));
        assert!(said(Ended::TimedOut, "x", Speaks::Output(None)).1.contains("20"));
        assert_eq!(first_line(&[0xef, b'x'], Some(Encoding::Cp1251)), "пx");
        assert_eq!(first_line(&"ёж".as_bytes()[..3], None), "ё");
        assert_eq!(first_line("ё".repeat(900).as_bytes(), None).chars().count(), MAX_SAID);
    }

    #[test]
    fn an_address_is_told_from_a_path() {
        for (address, expected) in
            [("https://a.b/", "https"), ("mailto:a@b.c", "mailto"), ("steam://run/1", "steam"), ("tg:resolve", "tg")]
        {
            assert_eq!(scheme(address), Some(expected), "{address}");
        }
        for path in ["/home/a:b", "~/Музыка", "a.mp3", "./x:y", "C:\\x"] {
            assert_eq!(scheme(path), None, "{path}");
        }
    }
}
