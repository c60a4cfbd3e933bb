//! Which program, window, folder or site of this PC a name means.

use crate::action::{Action, Deed};
use crate::message::{Outcome, cut};
use crate::phrases::choice::{Choice, MAX_ITEMS};
use crate::phrases::is_too_long;
use crate::phrases::names::{Known, Like, known, pick};
use crate::phrases::own::{self, Own};
use crate::phrases::words::words;
use crate::system::programs::{self, Program};
use crate::system::taskbar::Window;
use crate::system::{count, default_program, folders, trash, window};

/// Characters of a name that is said.
const MAX_NAME: usize = 60;

/// What an action comes to on this PC.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    Action(Action),
    /// Ask this: several could be meant.
    Choice(String, Choice),
    /// Nothing is to be done, but to say this.
    Told(Outcome),
    /// Nothing here has this name; there may be something to say of it.
    Nothing(Option<String>),
}

/// Finds what a phrase comes to that was understood so. What is nothing here is for the owner's command for all phrases.
pub fn find_for(phrase: &str, action: Option<Action>, commands: &[Own]) -> Found {
    let found = action.map_or(Found::Nothing(None), find);
    let for_all = || own::find(&words(phrase), commands, true).filter(|_| !is_too_long(phrase));
    match found {
        Found::Nothing(_) => for_all().map_or(found, Found::Action),
        found => found,
    }
}

/// Finds what an action's name means here. Any other action is what it is.
fn find(action: Action) -> Found {
    match action {
        Action::Named(Deed::Open, name) => open(&words(&name)),
        Action::Named(deed, name) => windows_of(deed, &words(&name)),
        Action::AskToEmptyBin => match trash::count() {
            0 => Found::Told(Outcome::done("Корзина и так пуста.")),
            number => {
                let things = count(number as u64, ["файл", "файла", "файлов"]);
                let choice = Choice { items: vec![("Да".into(), Action::EmptyBin)], deed: None };
                Found::Choice(format!("В корзине {things}. Удалить насовсем?"), choice)
            }
        },
        other => Found::Action(other),
    }
}

fn open(asked: &[String]) -> Found {
    let all = programs::programs();
    let place = |what: String, name: String| {
        Found::Action(Action::Open { what, answer: Some(format!("Открываю {name}.")) })
    };
    let mut places = known(asked).filter_map(|known| match known {
        Known::Folder(folder) => {
            let path = folders::path(folder)?;
            Some((false, place(path.to_string_lossy().into_owned(), format!("папку «{}»", folder.name()))))
        }
        Known::Site(site) => Some((true, place(site.to_owned(), asked.join(" ")))),
        _ => None,
    });
    let place = places.next();
    let called = surely_called(asked, &all);
    let called = match &place {
        // What a folder or a site is called comes before a part of a program's name.
        Some((false, _)) => called,
        Some((true, _)) => or(called, || aliased(asked, &all)),
        None => or(or(called, || aliased(asked, &all)), || named(asked, &all, Like::Part)),
    };
    let mut items: Vec<(String, Action)> = Vec::new();
    for program in called {
        if items.iter().all(|(name, _)| *name != program.name) {
            items.push((program.name.clone(), Action::Start { id: program.id, name: program.name }));
        }
    }
    match (items.is_empty(), place) {
        (true, Some((_, place))) => place,
        (true, None) => missing(asked),
        _ => one_of(items, "Что открыть", Deed::Open),
    }
}

/// Returns what is said where nothing has this name: some names are known, though what they name isn't here.
fn missing(asked: &[String]) -> Found {
    Found::Nothing(known(asked).next().map(|_| format!("Здесь этого нет: {}.", asked.join(" "))))
}

fn or(found: Vec<Program>, otherwise: impl FnOnce() -> Vec<Program>) -> Vec<Program> {
    if found.is_empty() { otherwise() } else { found }
}

/// Returns the programs with this very name, or else those of this kind.
fn surely_called(asked: &[String], all: &[Program]) -> Vec<Program> {
    let of_kind = || {
        let by_kind = known(asked).map(|known| match known {
            Known::Kind(mime) if mime.contains('/') => default_program(mime).into_iter().collect(),
            Known::Kind(category) => {
                all.iter().filter(|program| program.categories.iter().any(|own| own == category)).cloned().collect()
            }
            _ => Vec::new(),
        });
        by_kind.into_iter().find(|found| !found.is_empty()).unwrap_or_default()
    };
    let told = || cloned(pick(asked, all, Like::Whole, |program| texts(&program.kinds)));
    or(or(named(asked, all, Like::Whole), of_kind), told)
}

/// Returns the programs that have another name in `names.txt`.
fn aliased(asked: &[String], all: &[Program]) -> Vec<Program> {
    let by_name = known(asked).map(|known| match known {
        Known::Program(name) => named(&words(name), all, Like::Word),
        _ => Vec::new(),
    });
    by_name.into_iter().find(|found| !found.is_empty()).unwrap_or_default()
}

fn named(asked: &[String], all: &[Program], least: Like) -> Vec<Program> {
    cloned(pick(asked, all, least, |program| texts(&program.names)))
}

fn cloned(programs: Vec<&Program>) -> Vec<Program> {
    programs.into_iter().cloned().collect()
}

fn texts(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

fn windows_of(deed: Deed, asked: &[String]) -> Found {
    let all = programs::programs();
    let called = or(or(surely_called(asked, &all), || aliased(asked, &all)), || named(asked, &all, Like::Beginning));
    let open = match window::all() {
        Ok(open) => open,
        // What is no name here is no reason to tell of the screen.
        Err(_) if deed == Deed::Close && called.is_empty() => return missing(asked),
        Err(problem) => return Found::Nothing(Some(problem)),
    };
    let mut meant: Vec<&Window> = open.iter().filter(|window| called.iter().any(|p| belongs(window, p))).collect();
    if meant.is_empty() {
        meant = pick(asked, &open, Like::Beginning, |window| classes(window).collect());
    }
    if meant.is_empty() {
        // Some words of a title are too little for what can't be undone.
        let (parts, least) = match deed {
            Deed::Switch => (&[][..], Like::Part),
            _ => (&['-', '—', '|', '–'][..], Like::Whole),
        };
        meant = pick(asked, &open, least, |window| window.title.split(parts).collect());
    }
    let name = |window: &Window| {
        let program = called.iter().chain(&all).find(|program| belongs(window, program));
        let name = program.map(|program| program.name.as_str()).or(classes(window).last());
        cut(name.unwrap_or(&window.title), MAX_NAME).to_owned()
    };
    let switch = |window: &&Window| {
        let title = cut(&window.title, MAX_NAME).to_owned();
        (title, Action::Switch { name: name(window), window: window.id })
    };
    match (meant.is_empty(), called.first()) {
        (true, None) => missing(asked),
        (true, Some(program)) => Found::Told(Outcome::failed(format!("Окна «{}» нет.", program.name))),
        (false, _) if deed == Deed::Switch => one_of(meant.iter().map(switch).collect(), "На какое окно", deed),
        (false, _) => {
            let mut groups: Vec<(String, Vec<u32>)> = Vec::new();
            for window in meant {
                let name = name(window);
                match groups.iter_mut().find(|(own, _)| *own == name) {
                    Some((_, windows)) => windows.push(window.id),
                    None => groups.push((name, vec![window.id])),
                }
            }
            let act = |(name, windows): (String, Vec<u32>)| match deed {
                Deed::Minimise => (name.clone(), Action::Minimise { name, windows }),
                _ => (name.clone(), Action::Close { name, windows }),
            };
            one_of(groups.into_iter().map(act).collect(), "Какую программу", deed)
        }
    }
}

/// Whether a window is this program's.
fn belongs(window: &Window, program: &Program) -> bool {
    let own = || [&program.id].into_iter().chain(&program.class).chain(&program.names);
    classes(window).any(|class| own().any(|own| own.eq_ignore_ascii_case(class)))
}

/// Returns what the window says of the program that it is of, and what that program is.
fn classes(window: &Window) -> impl Iterator<Item = &str> {
    window.program.as_deref().into_iter().chain(window.class.split_whitespace())
}

/// Returns the only one of these, or asks which.
fn one_of(mut items: Vec<(String, Action)>, question: &str, deed: Deed) -> Found {
    if items.len() == 1 {
        return Found::Action(items.remove(0).1);
    }
    if items.len() > MAX_ITEMS {
        let many = count(items.len() as u64, ["такая", "таких", "таких"]);
        return Found::Told(Outcome::failed(format!("Здесь {many}: скажите имя полностью.")));
    }
    // Equal names are told apart by their places.
    for place in 1..items.len() {
        let same = items[..place].iter().filter(|(name, _)| *name == items[place].0).count();
        if same > 0 {
            items[place].0 += &format!(" ({})", same + 1);
        }
    }
    let names: Vec<&str> = items.iter().map(|(name, _)| &**name).collect();
    let (last, others) = names.split_last().unwrap_or((&"", &[]));
    Found::Choice(format!("{question}: {} или {last}?", others.join(", ")), Choice { items, deed: Some(deed) })
}
