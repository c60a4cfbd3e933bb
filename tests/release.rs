//! The scripts of the release workflow, which can't be run whole here.

use std::path::Path;
use std::process::{Command, Output};

const CHANGELOG: &str = include_str!("../CHANGELOG.md");

fn script(name: &str, arguments: &[&str]) -> Output {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci").join(name);
    Command::new(path).args(arguments).output().expect("the script runs")
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn the_notes_of_a_release_are_its_section_of_the_changelog() {
    let told = script("release-notes", &[concat!("v", env!("CARGO_PKG_VERSION"))]);
    assert!(told.status.success(), "{}", text(told.stderr));
    let notes = text(told.stdout);
    let heading = concat!("\n## [", env!("CARGO_PKG_VERSION"), "] - ");
    let (_, rest) = CHANGELOG.split_once(heading).expect("a section of the version");
    let (_, section) = rest.split_once('\n').expect("lines below the heading");
    let section = section.split("\n## ").next().unwrap();
    assert_eq!(notes.trim(), section.trim());
    assert!(!notes.trim().is_empty());
}

#[test]
fn a_tag_that_is_not_the_version_of_the_package_makes_no_release() {
    for tag in ["v0.0.1", env!("CARGO_PKG_VERSION"), concat!("v", env!("CARGO_PKG_VERSION"), ".1"), ""]
    {
        let told = script("release-notes", &[tag]);
        assert_eq!(told.status.code(), Some(1), "{tag:?}");
        assert!(told.stdout.is_empty(), "{tag:?}");
    }
}

#[test]
fn the_archive_of_a_release_has_the_binary_its_licences_and_its_unit() {
    let folder = std::env::temp_dir().join(format!("release-{}", std::process::id()));
    let binary = env!("CARGO_BIN_EXE_home-alice-relay");
    let made = script("release-archive", &[binary, "x86_64", folder.to_str().unwrap()]);
    assert!(made.status.success(), "{}", text(made.stderr));
    let name = concat!("home-alice-relay-", env!("CARGO_PKG_VERSION"), "-linux-x86_64");
    let archive = folder.join(format!("{name}.tar.gz"));
    let unpacked = Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(&folder).status();
    assert!(unpacked.expect("tar runs").success());
    let mut files: Vec<_> = std::fs::read_dir(folder.join(name))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let version = Command::new(folder.join(name).join("home-alice-relay")).arg("--version").output();
    std::fs::remove_dir_all(&folder).unwrap();
    let expected = ["LICENSE", "THIRD-PARTY-NOTICES", "home-alice-relay", "home-alice-relay.service"];
    assert_eq!(files, expected);
    let version = text(version.expect("the relay runs").stdout);
    assert_eq!(version, concat!("home-alice-relay ", env!("CARGO_PKG_VERSION"), "\n"));
}
