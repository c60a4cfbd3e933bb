//! The map in src/lib.rs is true: each room uses only those below it, and no files use each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::documents::{files, read};
use crate::support::markdown::root;

/// The rooms in the order of the map, from the top.
fn map() -> Vec<String> {
    let text = read(&root().join("src/lib.rs"));
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | `"));
    rows.map(|row| row.split('`').next().unwrap().to_owned()).collect()
}

/// A file as a path of modules: `http::gate`, and `http` for `http/mod.rs`.
fn module(file: &Path) -> String {
    let path = file.strip_prefix(root().join("src")).unwrap().with_extension("");
    let path = path.to_str().unwrap().replace('/', "::");
    path.strip_suffix("::mod").unwrap_or(&path).to_owned()
}

/// Every path behind `crate::` in what of a file is no test and no comment.
fn paths(text: &str) -> Vec<String> {
    let code = text.split("\n#[cfg(test)]").next().unwrap().split("\n#[cfg(all(test").next().unwrap();
    let code: Vec<_> = code.lines().map(|line| line.split("//").next().unwrap()).collect();
    let code = code.join("\n");
    let mut paths = Vec::new();
    for (place, _) in code.match_indices("crate::") {
        let rest = &code[place + "crate::".len()..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
        let (path, behind) = rest.split_at(end.unwrap_or(rest.len()));
        paths.push(path.trim_end_matches(':').to_owned());
        if let Some(group) = behind.strip_prefix('{') {
            let group = group.split('}').next().unwrap();
            paths.extend(group.split(',').map(|one| format!("{path}{}", one.trim())));
        }
    }
    paths
}

/// Which modules each module uses.
fn uses() -> BTreeMap<String, BTreeSet<String>> {
    let sources = files("src", "rs");
    let modules: BTreeSet<_> = sources.iter().map(|file| module(file)).collect();
    let used = |own: &str, path: String| {
        let mut path = path.as_str();
        while !modules.contains(path) {
            path = path.rsplit_once("::")?.0;
        }
        (path != own).then(|| path.to_owned())
    };
    let of = |file: &std::path::PathBuf| {
        let own = module(file);
        let all = paths(&read(file)).into_iter().filter_map(|path| used(&own, path)).collect();
        (own, all)
    };
    // It only names what is public, or begins the program.
    sources.iter().map(of).filter(|(own, _)| own != "lib" && own != "main").collect()
}

fn room(module: &str) -> &str {
    module.split("::").next().unwrap()
}

#[test]
fn every_room_is_on_the_map() {
    let map: BTreeSet<_> = map().into_iter().collect();
    let rooms: BTreeSet<_> = uses().keys().map(|module| room(module).to_owned()).collect();
    assert_eq!(map, rooms);
}

#[test]
fn each_room_uses_only_those_below_it() {
    let map = map();
    let height = |module: &str| map.iter().position(|own| own == room(module)).unwrap();
    let mut count = 0;
    for (module, used) in uses() {
        for used in used {
            count += 1;
            let is_below = room(&module) == room(&used) || height(&module) < height(&used);
            assert!(is_below, "{module} uses {used}, which the map has above it");
        }
    }
    assert!(count > 300, "{count}");
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let mut left = uses();
    loop {
        let modules: BTreeSet<_> = left.keys().cloned().collect();
        let is_free = |used: &BTreeSet<String>| used.is_disjoint(&modules);
        let free: Vec<_> = modules.iter().filter(|module| is_free(&left[*module])).cloned().collect();
        if free.is_empty() {
            break;
        }
        free.iter().for_each(|module| drop(left.remove(module)));
    }
    assert_eq!(left, BTreeMap::new(), "each of these uses another one of them");
}
