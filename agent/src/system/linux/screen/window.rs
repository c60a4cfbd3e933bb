//! Windows, by what their manager offers to a taskbar (EWMH 1.5).

use std::path::Path;

use x11rb::connection::Connection;
use x11rb::protocol::xproto::{AtomEnum, ClientMessageEvent, ConnectionExt, EventMask};

use crate::system::linux::screen::{Screen, Trouble, with};
use crate::system::taskbar::Window;

/// Windows that are looked at.
const MAX_WINDOWS: usize = 200;

/// Characters of a title.
const MAX_TITLE: usize = 200;

/// A request is from a taskbar or the like, and not from the program that is in use.
const FROM_PAGER: u32 = 2;

/// WM_STATE of a window that is minimised (ICCCM 4.1.3.1).
const ICONIC: u32 = 3;

/// Returns the windows, the topmost first.
///
/// # Errors
/// What to say of it.
pub fn all() -> Result<Vec<Window>, String> {
    with(Screen::windows)
}

/// Returns the window that is in use.
///
/// # Errors
/// What to say of it.
pub fn active() -> Result<Option<Window>, String> {
    with(|screen| {
        screen.need_manager()?;
        screen.active()?.map(|id| screen.window(id)).transpose()
    })
}

/// Brings a window to the front, also one that is minimised.
///
/// # Errors
/// What to say of it.
pub fn activate(id: u32) -> Result<(), String> {
    with(|screen| {
        screen.need_manager()?;
        screen.watch(screen.root, EventMask::PROPERTY_CHANGE)?;
        screen.bring(id)?;
        // Or its own question, which it can't be used without.
        let is_front = || match screen.active()? {
            Some(active) => Ok(active == id || screen.numbers(active, "WM_TRANSIENT_FOR")? == [id]),
            None => Ok(false),
        };
        need(screen.until(is_front)?, "Окно не выходит вперёд.")
    })
}

/// Asks windows to close, as their own button does. Returns how many are there still: they may ask whether to save.
///
/// # Errors
/// What to say of it.
pub fn close(ids: &[u32]) -> Result<usize, String> {
    with(|screen| {
        screen.need_manager()?;
        screen.watch(screen.root, EventMask::PROPERTY_CHANGE)?;
        for id in ids {
            screen.ask(*id, "_NET_CLOSE_WINDOW", [0, FROM_PAGER, 0, 0, 0])?;
        }
        let mut left = ids.len();
        screen.until(|| {
            let all = screen.numbers(screen.root, "_NET_CLIENT_LIST")?;
            left = ids.iter().filter(|id| all.contains(id)).count();
            Ok(left == 0)
        })?;
        Ok(left)
    })
}

/// Minimises windows.
///
/// # Errors
/// What to say of it.
pub fn minimise(ids: &[u32]) -> Result<(), String> {
    with(|screen| {
        screen.need_manager()?;
        screen.minimise(ids)
    })
}

/// Minimises all windows: shows the desktop, where the manager can do so.
///
/// # Errors
/// What to say of it.
pub fn minimise_all() -> Result<(), String> {
    with(|screen| {
        screen.need_manager()?;
        let can = screen.numbers(screen.root, "_NET_SUPPORTED")?.contains(&screen.atom("_NET_SHOWING_DESKTOP")?);
        if can {
            return screen.show_desktop(true);
        }
        let ids: Vec<u32> = screen.windows()?.iter().map(|window| window.id).collect();
        screen.minimise(&ids)
    })
}

/// Shows again what [`minimise_all`] has hidden, or else all that is minimised.
///
/// # Errors
/// What to say of it.
pub fn restore_all() -> Result<(), String> {
    with(|screen| {
        screen.need_manager()?;
        if screen.numbers(screen.root, "_NET_SHOWING_DESKTOP")? == [1] {
            return screen.show_desktop(false);
        }
        let mut ids: Vec<u32> = screen.windows()?.iter().map(|window| window.id).collect();
        ids.retain(|id| screen.is_iconic(*id));
        // The topmost last.
        for id in ids.iter().rev() {
            screen.watch(*id, EventMask::PROPERTY_CHANGE)?;
            screen.bring(*id)?;
        }
        let are_back = screen.until(|| Ok(!ids.iter().any(|id| screen.is_iconic(*id))))?;
        need(are_back, "Окна не разворачиваются.")
    })
}

/// Makes a window as large as the screen lets it.
///
/// # Errors
/// What to say of it.
pub fn maximise(id: u32) -> Result<(), String> {
    with(|screen| screen.add_state(id, ["_NET_WM_STATE_MAXIMIZED_VERT", "_NET_WM_STATE_MAXIMIZED_HORZ"]))
}

/// Lets a window have the whole screen, without its frame and panels.
///
/// # Errors
/// What to say of it.
pub fn fullscreen(id: u32) -> Result<(), String> {
    with(|screen| screen.add_state(id, ["_NET_WM_STATE_FULLSCREEN"; 2]))
}

fn need(holds: bool, or_else: &str) -> Result<(), Trouble> {
    if holds { Ok(()) } else { Err(or_else.into()) }
}

impl Screen {
    /// It fails where nobody manages windows: requests would then change nothing, without an error.
    pub(super) fn need_manager(&self) -> Result<(), Trouble> {
        const CHECK: &str = "_NET_SUPPORTING_WM_CHECK";
        let manager = self.numbers(self.root, CHECK)?;
        let is_there = manager.first().is_some_and(|id| self.numbers(*id, CHECK).is_ok_and(|own| own == manager));
        need(is_there, "Окнами здесь никто не управляет: нет оконного менеджера.")
    }

    fn windows(&self) -> Result<Vec<Window>, Trouble> {
        self.need_manager()?;
        let mut all = self.numbers(self.root, "_NET_CLIENT_LIST_STACKING")?;
        if all.is_empty() {
            all = self.numbers(self.root, "_NET_CLIENT_LIST")?;
        }
        let passed_over = ["_NET_WM_WINDOW_TYPE_DOCK", "_NET_WM_WINDOW_TYPE_DESKTOP", "_NET_WM_STATE_SKIP_TASKBAR"]
            .map(|name| self.atom(name));
        let [dock, desktop, skip] = passed_over;
        let passed_over = [dock?, desktop?, skip?];
        let mut windows = Vec::new();
        for id in all.into_iter().rev().take(MAX_WINDOWS) {
            let marks = self.numbers(id, "_NET_WM_WINDOW_TYPE").and_then(|mut marks| {
                marks.extend(self.numbers(id, "_NET_WM_STATE")?);
                Ok(marks)
            });
            match marks.and_then(|marks| Ok((marks, self.window(id)?))) {
                Ok((marks, window)) if !passed_over.iter().any(|mark| marks.contains(mark)) => windows.push(window),
                Err(Trouble::Lost) => return Err(Trouble::Lost),
                // Or it has just been closed.
                _ => {}
            }
        }
        Ok(windows)
    }

    fn window(&self, id: u32) -> Result<Window, Trouble> {
        let class = self.property(id, "WM_CLASS")?.value;
        let class = latin(&class).replace('\0', " ").trim().to_owned();
        let process = self.numbers(id, "_NET_WM_PID")?.first().copied();
        let file =
            process.and_then(|process| Path::new("/proc").join(process.to_string()).join("exe").read_link().ok());
        let program = file.and_then(|file| Some(file.file_name()?.to_string_lossy().into_owned()));
        Ok(Window { id, title: self.title(id)?, class, program })
    }

    /// Returns the title in the first form that can be read: old programs write theirs in sets of characters of old.
    fn title(&self, id: u32) -> Result<String, Trouble> {
        let utf8 = self.atom("UTF8_STRING")?;
        for name in ["_NET_WM_NAME", "_NET_WM_VISIBLE_NAME", "WM_NAME"] {
            let found = self.property(id, name)?;
            let text = match found.type_ {
                form if form == utf8 => String::from_utf8_lossy(&found.value).into_owned(),
                form if form == u32::from(AtomEnum::STRING) => latin(&found.value),
                _ => continue,
            };
            let text: String = text.chars().filter(|c| !c.is_control()).take(MAX_TITLE).collect();
            if !text.trim().is_empty() {
                return Ok(text.trim().to_owned());
            }
        }
        Ok(String::new())
    }

    pub(super) fn active(&self) -> Result<Option<u32>, Trouble> {
        Ok(self.numbers(self.root, "_NET_ACTIVE_WINDOW")?.first().copied().filter(|id| *id != 0))
    }

    fn is_iconic(&self, id: u32) -> bool {
        self.numbers(id, "WM_STATE").is_ok_and(|state| state.first() == Some(&ICONIC))
    }

    /// Asks the windows' manager for something.
    fn ask(&self, window: u32, request: &str, data: [u32; 5]) -> Result<(), Trouble> {
        let request = ClientMessageEvent::new(32, window, self.atom(request)?, data);
        let to = EventMask::SUBSTRUCTURE_NOTIFY | EventMask::SUBSTRUCTURE_REDIRECT;
        self.x.send_event(false, self.root, to, request)?;
        Ok(self.x.flush()?)
    }

    fn bring(&self, id: u32) -> Result<(), Trouble> {
        need(self.numbers(self.root, "_NET_CLIENT_LIST")?.contains(&id), "Этого окна больше нет.")?;
        self.ask(id, "_NET_ACTIVE_WINDOW", [FROM_PAGER, 0, 0, 0, 0])
    }

    fn minimise(&self, ids: &[u32]) -> Result<(), Trouble> {
        for id in ids {
            // One that is gone needs nothing.
            if self.watch(*id, EventMask::PROPERTY_CHANGE).is_ok() {
                self.ask(*id, "WM_CHANGE_STATE", [ICONIC, 0, 0, 0, 0])?;
            }
        }
        let all = || Ok(ids.iter().all(|id| self.is_iconic(*id) || self.numbers(*id, "WM_STATE").is_err()));
        need(self.until(all)?, "Не все окна сворачиваются.")
    }

    fn show_desktop(&self, is_shown: bool) -> Result<(), Trouble> {
        self.watch(self.root, EventMask::PROPERTY_CHANGE)?;
        self.ask(self.root, "_NET_SHOWING_DESKTOP", [is_shown.into(), 0, 0, 0, 0])?;
        let is_done = self.until(|| Ok(self.numbers(self.root, "_NET_SHOWING_DESKTOP")? == [u32::from(is_shown)]))?;
        need(is_done, "Окна остались как были.")
    }

    fn add_state(&self, id: u32, states: [&str; 2]) -> Result<(), Trouble> {
        const ADD: u32 = 1;
        self.need_manager()?;
        let states = [self.atom(states[0])?, self.atom(states[1])?];
        self.watch(id, EventMask::PROPERTY_CHANGE).map_err(|_| "Этого окна больше нет.")?;
        self.ask(id, "_NET_WM_STATE", [ADD, states[0], states[1], FROM_PAGER, 0])?;
        let is_so = self.until(|| {
            let now = self.numbers(id, "_NET_WM_STATE")?;
            Ok(states.iter().all(|state| now.contains(state)))
        })?;
        need(is_so, "Это окно так не умеет.")
    }
}

/// Reads Latin-1, in which each byte is a character.
fn latin(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}
