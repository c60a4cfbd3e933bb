//! Which program, window, folder or site of this PC a name means.

use crate::action::{Action, Deed};
use crate::message::{Outcome, cut};
use crate::phrases::choice::{Choice, MAX_ITEMS};
use crate::phrases::is_too_long;
use crate::phrases::names::{Known, known, pick};
use crate::phrases::own::{self, Own};
use crate::phrases::words::words;
use crate::system::programs::{self, Program};
use crate::system::window::{self, Window};
use crate::system::{count, default_program, folders, trash};

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
                let choice = Choice { items: vec![("Да".into(), Action::EmptyBin)] };
                Found::Choice(format!("В корзине {things}. Удалить насовсем?"), choice)
            }
        },
        other => Found::Action(other),
    }
}

fn open(asked: &[String]) -> Found {
    let all = programs::programs();
    let mut called: Vec<(String, Action)> = Vec::new();
    for program in called_so(asked, &all) {
        let action = Action::Start { id: program.id.clone(), name: program.name.clone() };
        if called.iter().all(|(name, _)| *name != program.name) {
            called.push((program.name.clone(), action));
        }
    }
    if !called.is_empty() {
        return one_of(called, "Что открыть");
    }
    let answer = Some(format!("Открываю {}.", asked.join(" ")));
    let places = known(asked).filter_map(|known| match known {
        Known::Folder(folder) => folders::path(folder).map(|path| path.to_string_lossy().into_owned()),
        Known::Site(site) => Some(site.to_owned()),
        _ => None,
    });
    match places.into_iter().next() {
        Some(what) => Found::Action(Action::Open { what, answer }),
        None => missing(asked),
    }
}

/// Returns what is said where nothing has this name: some names are known, though what they name isn't here.
fn missing(asked: &[String]) -> Found {
    Found::Nothing(known(asked).next().map(|_| format!("Здесь этого нет: {}.", asked.join(" "))))
}

/// Returns the programs that the words mean: those of a kind, or those with this name.
fn called_so(asked: &[String], all: &[Program]) -> Vec<Program> {
    let named = |asked: &[String]| {
        let found = pick(asked, all, |program| program.names.iter().map(String::as_str).collect());
        found.into_iter().cloned().collect::<Vec<_>>()
    };
    let by_kind = known(asked).map(|known| match known {
        Known::Kind(mime) if mime.contains('/') => default_program(mime).into_iter().collect(),
        Known::Kind(category) => {
            all.iter().filter(|program| program.categories.iter().any(|own| own == category)).cloned().collect()
        }
        Known::Program(name) => named(&words(name)),
        Known::Folder(_) | Known::Site(_) => Vec::new(),
    });
    by_kind.into_iter().find(|found| !found.is_empty()).unwrap_or_else(|| named(asked))
}

fn windows_of(deed: Deed, asked: &[String]) -> Found {
    let all = programs::programs();
    let called = called_so(asked, &all);
    let open = match window::all() {
        Ok(open) => open,
        Err(problem) => return Found::Nothing(Some(problem)),
    };
    let mut meant: Vec<&Window> = open.iter().filter(|window| called.iter().any(|p| belongs(window, p))).collect();
    if meant.is_empty() {
        meant = pick(asked, &open, |window| classes(window).collect());
    }
    if meant.is_empty() {
        meant = match deed {
            // Half a title is too little for what can't be undone.
            Deed::Close => pick(asked, &open, |window| window.title.split(['-', '—', '|', '–']).collect())
                .into_iter()
                .filter(|window| window.title.split(['-', '—', '|', '–']).any(|part| words(part).len() == asked.len()))
                .collect(),
            _ => pick(asked, &open, |window| vec![&window.title]),
        };
    }
    let name = |window: &Window| {
        let program = called.iter().chain(&all).find(|program| belongs(window, program));
        let name = program.map(|program| &program.name).map(String::as_str).or(classes(window).last());
        cut(name.unwrap_or(&window.title), MAX_NAME).to_owned()
    };
    match (meant.as_slice(), called.first(), deed) {
        ([], None, _) => missing(asked),
        ([], Some(program), _) => Found::Told(Outcome::failed(format!("Окна «{}» нет.", program.name))),
        ([window], ..) if deed == Deed::Switch => {
            Found::Action(Action::Switch { name: name(window), window: window.id })
        }
        (several, _, Deed::Switch) => {
            let item = |window: &&Window| {
                let title = cut(&window.title, MAX_NAME).to_owned();
                (title.clone(), Action::Switch { name: title, window: window.id })
            };
            one_of(several.iter().map(item).collect(), "На какое окно")
        }
        (several, ..) => {
            let mut groups: Vec<(String, Vec<u32>)> = Vec::new();
            for window in several {
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
            one_of(groups.into_iter().map(act).collect(), "Какую программу")
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
fn one_of(mut items: Vec<(String, Action)>, question: &str) -> Found {
    if items.len() == 1 {
        return Found::Action(items.remove(0).1);
    }
    items.truncate(MAX_ITEMS);
    let names: Vec<&str> = items.iter().map(|(name, _)| &**name).collect();
    let (last, others) = names.split_last().unwrap_or((&"", &[]));
    Found::Choice(format!("{question}: {} или {last}?", others.join(", ")), Choice { items })
}
