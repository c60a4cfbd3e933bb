//! Keys, and text by way of them: as if they were pressed (XTEST 2.2, The X Keyboard Extension 1.0).

mod map;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use x11rb::connection::Connection;
use x11rb::protocol::Event;
use x11rb::protocol::xkb::{ConnectionExt as _, Group, ID, MapPart, NameDetail};
use x11rb::protocol::xproto::{
    ClientMessageEvent, ConnectionExt as _, EventMask, KEY_PRESS_EVENT, KEY_RELEASE_EVENT, ModMask,
};
use x11rb::protocol::xtest::ConnectionExt as _;

use crate::action::{Key, Language};
use crate::system::linux::screen::{Screen, TIMEOUT, Trouble, with};
use map::{Stroke, keysyms, strokes};

/// Characters of a text.
const MAX_TEXT: usize = 1_000;

/// How long a window may be behind.
const READ_WITHIN: Duration = Duration::from_secs(3);

/// How long typing may take in all.
const TYPED_WITHIN: Duration = Duration::from_secs(15);

/// How long keys are held that are pressed together: a window manager has to take the keyboard meanwhile, or it misses
/// the end of Alt+Tab.
const HELD: Duration = Duration::from_millis(50);

const SHIFT: u32 = 0xffe1;

/// Types a text into the window that is in use, whatever layout is on.
///
/// # Errors
/// What to say of it.
pub fn type_text(text: &str) -> Result<(), String> {
    if text.chars().count() > MAX_TEXT {
        return Err(format!("Столько не напечатать: больше {MAX_TEXT} знаков."));
    }
    with(|screen| Keyboard::with(screen, |keyboard| keyboard.write(text)))
}

/// Presses keys together, and lets them go.
///
/// # Errors
/// What to say of it.
pub fn press(keys: &[Key]) -> Result<(), String> {
    with(|screen| Keyboard::with(screen, |keyboard| keyboard.press(keys)))
}

/// Turns another layout on: the next, or this one. Returns what is said: which one is on then.
///
/// # Errors
/// What to say of it.
pub fn layout(to: Option<Language>) -> Result<String, String> {
    with(|screen| {
        let core = keyboard_of(screen)?;
        let names = screen.x.xkb_get_names(core, NameDetail::GROUP_NAMES)?.reply()?.value_list.groups;
        let mut layouts = Vec::new();
        for name in names.unwrap_or_default() {
            let name = screen.x.get_atom_name(name)?.reply()?.name;
            layouts.push(String::from_utf8_lossy(&name).into_owned());
        }
        let now = usize::from(u8::from(screen.x.xkb_get_state(core)?.reply()?.group));
        let is = |layout: &str, prefix| layout.starts_with(prefix);
        let next = match to {
            None if layouts.len() < 2 => return Err("Раскладка здесь одна.".into()),
            None => (now + 1) % layouts.len(),
            Some(asked) => {
                let (prefix, missing) = match asked {
                    Language::Russian => ("Russian", "Русской раскладки здесь нет."),
                    Language::English => ("English", "Английской раскладки здесь нет."),
                };
                // The one that is on, if it is of the language.
                let mut all = (now..layouts.len()).chain(0..layouts.len());
                all.find(|at| is(&layouts[*at], prefix)).ok_or(missing)?
            }
        };
        lock(screen, core, ModMask::from(0_u16), ModMask::from(0_u16), Some(next as u8))?;
        let on = usize::from(u8::from(screen.x.xkb_get_state(core)?.reply()?.group));
        if on != next {
            return Err("Раскладка не переключается.".into());
        }
        Ok(match layouts[on].as_str() {
            name if is(name, "Russian") => "Раскладка русская.".into(),
            name if is(name, "English") => "Раскладка английская.".into(),
            name if is(name, "Ukrainian") => "Раскладка украинская.".into(),
            name => format!("Раскладка {name}."),
        })
    })
}

/// Returns the keyboard that all windows hear.
fn keyboard_of(screen: &Screen) -> Result<u16, Trouble> {
    screen.x.xkb_use_extension(1, 0)?.reply()?;
    Ok(ID::USE_CORE_KBD.into())
}

/// Locks these modifiers, of those `affected`, and a layout.
fn lock(screen: &Screen, core: u16, affected: ModMask, locked: ModMask, group: Option<u8>) -> Result<(), Trouble> {
    let to = Group::from(group.unwrap_or_default());
    let none = ModMask::from(0_u16);
    Ok(screen.x.xkb_latch_lock_state(core, affected, locked, group.is_some(), to, none, false, 0)?.check()?)
}

/// The keyboard while it is used: nothing is held or locked, but for what this does.
struct Keyboard<'a> {
    screen: &'a Screen,
    core: u16,
    strokes: HashMap<u32, Vec<Stroke>>,
    /// Keys that mean nothing, and so can be given what the others lack.
    spare: Vec<u8>,
    bound: Vec<(char, u8)>,
    /// How many of them have been given something. Each change costs window managers some time, and so is made once.
    used: usize,
    /// The layout that is on.
    group: u8,
}

impl<'a> Keyboard<'a> {
    /// Uses the keyboard, and leaves it as it was found.
    fn with(screen: &'a Screen, what: impl FnOnce(&mut Self) -> Result<(), Trouble>) -> Result<(), Trouble> {
        let core = keyboard_of(screen)?;
        release_all(screen)?;
        let state = screen.x.xkb_get_state(core)?.reply()?;
        if u16::from(state.base_mods) != 0 {
            return Err("На клавиатуре зажата клавиша: отпустите её и повторите.".into());
        }
        let parts = MapPart::KEY_TYPES | MapPart::KEY_SYMS;
        let none = MapPart::from(0_u16);
        let map = screen.x.xkb_get_map(core, parts, none, 0, 0, 0, 0, 0, 0, 0, 0, 0_u16.into(), 0, 0, 0, 0, 0, 0)?;
        let (strokes, spare) = strokes(&map.reply()?);
        let group = state.group.into();
        let mut keyboard = Keyboard { screen, core, strokes, spare, bound: Vec::new(), used: 0, group };
        // Num Lock changes nothing of what is used.
        let locks = ModMask::SHIFT | ModMask::LOCK | ModMask::CONTROL;
        lock(screen, core, locks, ModMask::from(0_u16), None)?;
        let done = what(&mut keyboard);
        if matches!(done, Err(Trouble::Lost)) {
            return done;
        }
        let unbound = keyboard.unbind();
        lock(screen, core, locks, state.locked_mods & locks, Some(state.locked_group.into()))?;
        done.and(unbound)
    }

    fn write(&mut self, text: &str) -> Result<(), Trouble> {
        let window = self.screen.active().ok().flatten();
        if window.is_none() && self.screen.need_manager().is_ok() {
            return Err("Печатать некуда: ни одно окно не выбрано.".into());
        }
        let until = Instant::now() + TYPED_WITHIN;
        let text: Vec<char> = text.chars().filter(|c| !c.is_control() || *c == '\n' || *c == '\t').collect();
        let mut rest = &text[..];
        while !rest.is_empty() {
            let (length, missing) = self.batch(rest);
            if length == 0 {
                return Err("Этих знаков на клавиатуре нет.".into());
            }
            if Instant::now() > until {
                return Err("Напечатано не всё: слишком много разных знаков.".into());
            }
            // All of them first: a window reads what keys mean when it hears of a change, and may be late.
            self.bind(missing)?;
            for c in &rest[..length] {
                let known = keysyms(*c).into_iter().find_map(|keysym| self.find(keysym));
                let bound = || self.bound.iter().find(|(own, _)| own == c).map(|(_, code)| Stroke::plain(*code));
                let Some(stroke) = known.or_else(bound) else { continue };
                self.group(stroke.group)?;
                let shift = if stroke.is_shifted { self.find(SHIFT) } else { None };
                self.chord(shift.into_iter().chain([stroke]), Duration::ZERO)?;
            }
            self.settle(window)?;
            rest = &rest[length..];
        }
        Ok(())
    }

    /// Returns how many of the characters can be typed at once, and those of them that need a spare key.
    fn batch(&self, text: &[char]) -> (usize, Vec<char>) {
        let mut missing = Vec::new();
        for (at, c) in text.iter().enumerate() {
            if missing.contains(c) || keysyms(*c).iter().any(|keysym| self.strokes.contains_key(keysym)) {
                continue;
            }
            if missing.len() == self.spare.len() {
                return (at, missing);
            }
            missing.push(*c);
        }
        (text.len(), missing)
    }

    fn press(&mut self, keys: &[Key]) -> Result<(), Trouble> {
        let mut all = Vec::new();
        for key in keys {
            let stroke = self.find(key.keysym()).filter(|stroke| !stroke.is_shifted);
            all.push(stroke.or_else(|| key.position().map(Stroke::plain)).ok_or("На клавиатуре нет такой клавиши.")?);
        }
        if let Some(group) = all.iter().find_map(|stroke| stroke.group) {
            self.group(Some(group))?;
        }
        self.chord(all.into_iter(), HELD)
    }

    /// Returns the best way to a keysym: without a change of the layout, and without Shift.
    fn find(&self, keysym: u32) -> Option<Stroke> {
        let ways = self.strokes.get(&keysym)?;
        let cost = |way: &&Stroke| (way.group.is_some_and(|group| group != self.group), way.is_shifted);
        ways.iter().min_by_key(cost).copied()
    }

    fn group(&mut self, to: Option<u8>) -> Result<(), Trouble> {
        if let Some(to) = to.filter(|to| *to != self.group) {
            lock(self.screen, self.core, ModMask::from(0_u16), ModMask::from(0_u16), Some(to))?;
            self.group = to;
        }
        Ok(())
    }

    fn chord(&self, keys: impl Iterator<Item = Stroke>, held: Duration) -> Result<(), Trouble> {
        let codes: Vec<u8> = keys.map(|stroke| stroke.code).collect();
        for code in &codes {
            fake(self.screen, KEY_PRESS_EVENT, *code)?;
        }
        if !held.is_zero() {
            self.screen.x.flush()?;
            std::thread::sleep(held);
        }
        for code in codes.iter().rev() {
            fake(self.screen, KEY_RELEASE_EVENT, *code)?;
        }
        Ok(self.screen.x.flush()?)
    }

    /// Gives spare keys these characters.
    fn bind(&mut self, characters: Vec<char>) -> Result<(), Trouble> {
        self.used = self.used.max(characters.len());
        self.bound = characters.into_iter().zip(self.spare.iter().copied()).collect();
        for (c, code) in &self.bound {
            let [keysym, _] = keysyms(*c);
            // Twice, or a letter would be two: small, and with Shift.
            self.screen.x.change_keyboard_mapping(1, *code, 2, &[keysym, keysym])?.check()?;
        }
        Ok(())
    }

    fn unbind(&self) -> Result<(), Trouble> {
        for code in &self.spare[..self.used] {
            self.screen.x.change_keyboard_mapping(1, *code, 2, &[0, 0])?.check()?;
        }
        Ok(())
    }

    /// Waits until the window has read what was typed: until then the keys must mean what they do. It tells, since it
    /// answers in its turn when it is asked whether it is alive (EWMH, `_NET_WM_PING`).
    fn settle(&self, window: Option<u32>) -> Result<(), Trouble> {
        let Screen { x, root } = self.screen;
        let (ping, protocols) = (self.screen.atom("_NET_WM_PING")?, self.screen.atom("WM_PROTOCOLS")?);
        let answers = |window: &u32| self.screen.numbers(*window, "WM_PROTOCOLS").is_ok_and(|all| all.contains(&ping));
        let Some(window) = window.filter(answers) else {
            if !self.bound.is_empty() {
                std::thread::sleep(TIMEOUT);
            }
            return Ok(());
        };
        self.screen.watch(*root, EventMask::SUBSTRUCTURE_NOTIFY)?;
        let data = [ping, std::process::id(), window, 0, 0];
        x.send_event(false, window, EventMask::NO_EVENT, ClientMessageEvent::new(32, window, protocols, data))?;
        let until = Instant::now() + READ_WITHIN;
        loop {
            match self.screen.event(until)? {
                Some(Event::ClientMessage(told)) if told.format == 32 && told.data.as_data32()[..3] == data[..3] => {
                    return Ok(());
                }
                Some(_) => {}
                None => return Err("Окно не отвечает: напечатанное может появиться не сразу.".into()),
            }
        }
    }
}

/// Lets go of the keys that a program holds, and that change what others mean.
fn release_all(screen: &Screen) -> Result<(), Trouble> {
    let down = screen.x.query_keymap()?.reply()?.keys;
    for code in screen.x.get_modifier_mapping()?.reply()?.keycodes {
        if code != 0 && down[usize::from(code / 8)] & (1 << (code % 8)) != 0 {
            fake(screen, KEY_RELEASE_EVENT, code)?;
        }
    }
    Ok(())
}

fn fake(screen: &Screen, event: u8, code: u8) -> Result<(), Trouble> {
    screen.x.xtest_fake_input(event, code, x11rb::CURRENT_TIME, x11rb::NONE, 0, 0, 0)?;
    Ok(())
}

impl Key {
    fn keysym(self) -> u32 {
        match self {
            Self::Ctrl => 0xffe3,
            Self::Alt => 0xffe9,
            Self::Shift => SHIFT,
            Self::Super => 0xffeb,
            Self::Enter => 0xff0d,
            Self::Escape => 0xff1b,
            Self::Tab => 0xff09,
            Self::Space => 0x20,
            Self::Backspace => 0xff08,
            Self::Delete => 0xffff,
            Self::Home => 0xff50,
            Self::Left => 0xff51,
            Self::Up => 0xff52,
            Self::Right => 0xff53,
            Self::Down => 0xff54,
            Self::PageUp => 0xff55,
            Self::PageDown => 0xff56,
            Self::End => 0xff57,
            Self::PrintScreen => 0xff61,
            Self::F(number) => 0xffbd + u32::from(number),
            Self::Char(c) => u32::from(c),
        }
    }

    /// Returns where a letter or digit is on an English keyboard, for one that has none of its own.
    fn position(self) -> Option<u8> {
        const ROWS: [(u8, &str); 4] = [(10, "1234567890"), (24, "qwertyuiop"), (38, "asdfghjkl"), (52, "zxcvbnm")];
        let Self::Char(c) = self else { return None };
        ROWS.into_iter().find_map(|(first, row)| Some(first + u8::try_from(row.find(c)?).ok()?))
    }
}
