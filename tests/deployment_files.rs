//! The files of the deployment agree with the code and with each other.

use std::collections::BTreeSet;
use std::path::Path;

use home_alice_relay::limits::{MAX_DESCRIPTORS, MAX_RESIDENT, MAX_THREADS, PLACEHOLDER};

const CARGO: &str = include_str!("../Cargo.toml");
const CI: &str = include_str!("../.github/workflows/ci.yml");
const CHANGELOG: &str = include_str!("../CHANGELOG.md");
const CODE: [&str; 3] = [
    include_str!("../src/config/mod.rs"),
    include_str!("../src/config/credentials.rs"),
    include_str!("../src/config/smart_home.rs"),
];
const COMPOSE: &str = include_str!("../docker-compose.yml");
const CONFIGURATION: &str = include_str!("../docs/configuration.md");
const DEPLOYMENT: &str = include_str!("../DEPLOYMENT.md");
const HOST_PORT: &str = include_str!("../deploy/host-port.yml");
const DOCKERFILE: &str = include_str!("../Dockerfile");
const ENV: &str = include_str!("../.env.example");
const PROXY: &str = include_str!("../deploy/npm-advanced.conf");
const SECRET_FILES: &str = include_str!("../deploy/secret-files.yml");
/// What NPM includes in every location.
const PROXY_OF_NPM: &str = include_str!("nginx/proxy.conf");
const SETTINGS: &str = include_str!("settings/compose.py");
const UNIT: &str = include_str!("../deploy/home-alice-relay.service");

/// What stands between `before` and `after`, the first time that it does.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before:?}"));
    rest.split_once(after).unwrap_or_else(|| panic!("no {after:?} behind {before:?}")).0
}

fn number(text: &str) -> usize {
    text.trim().parse().unwrap_or_else(|_| panic!("{text:?} is not a number"))
}

#[test]
fn the_placeholder_of_the_example_is_the_one_that_is_refused() {
    for name in ["WEBHOOK_SECRET", "API_KEY"] {
        assert_eq!(between(ENV, &format!("\n{name}="), "\n"), PLACEHOLDER);
    }
}

#[test]
fn every_variable_that_the_relay_reads_can_be_set_in_the_env_file() {
    // Whatever is quoted and looks like one.
    let is_variable = |text: &&str| {
        text.contains('_') && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    };
    let read: BTreeSet<_> = CODE.iter().flat_map(|code| code.split('"')).filter(is_variable).collect();
    assert!(read.len() >= 10, "{read:?}");
    // The first cell of the table of variables may name a second one.
    let table = between(CONFIGURATION, "\n## Settings", "\n## ");
    let rows: Vec<_> = table.lines().filter_map(|line| line.split(" | ").next()).collect();
    let mut missing = Vec::new();
    for name in read {
        let mut must = |is_there: bool, place: &str| {
            if !is_there {
                missing.push(format!("{place} lacks {name}"));
            }
        };
        must(rows.iter().any(|row| row.contains(&format!("`{name}`"))), "docs/configuration.md");
        if name.ends_with("_FILE") {
            must(SECRET_FILES.contains(&format!("{name}: /files/")), "deploy/secret-files.yml");
        } else {
            must(ENV.contains(&format!("{name}=")), ".env.example");
            must(COMPOSE.contains(&format!("      {name}:")), "docker-compose.yml");
            must(SETTINGS.contains(&format!("    \"{name}\": ")), "tests/settings/compose.py");
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("; "));
}

#[test]
fn service_container_image_and_port_are_called_the_same_everywhere() {
    let service = between(COMPOSE, "\nservices:\n  ", ":\n");
    assert_eq!(service, env!("CARGO_PKG_NAME"));
    assert_eq!(between(COMPOSE, "container_name: ", "\n"), service);
    assert_eq!(between(COMPOSE, "${RELAY_IMAGE:-", "}"), service);
    for (file, text) in [("secret-files.yml", SECRET_FILES), ("host-port.yml", HOST_PORT)] {
        assert_eq!(between(text, "\nservices:\n  ", ":\n"), service, "{file}");
    }
    let listen = between(COMPOSE, "${LISTEN_ADDR-", "}");
    assert_eq!(between(ENV, "#LISTEN_ADDR=", "\n"), listen);
    assert!(DOCKERFILE.contains(&format!("\nENV LISTEN_ADDR={listen} ")));
    assert_eq!(format!(":{}", between(DOCKERFILE, "EXPOSE ", "\n")), listen);
    assert!(HOST_PORT.contains(&format!("\"127.0.0.1:8080{listen}\"")));
}

#[test]
fn the_lines_for_the_proxy_are_the_ones_that_were_tried_with_nginx() {
    assert_eq!(between(DEPLOYMENT, "<!-- block: advanced -->\n```nginx\n", "```"), PROXY);
}

/// The code of every file of `src` that may look into a request, without its tests.
fn code_of_sources() -> Vec<String> {
    let mut code = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            code.push(text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned());
        }
    }
    code
}

/// The field names that `code` asks a request for, in lower case; constants by their value.
fn fields_read(code: &[String]) -> BTreeSet<String> {
    let all = code.concat();
    let mut read = BTreeSet::new();
    for asks in ["field(", "fields(", "equiv(", "has(", "has_token(", "header(", "named("] {
        for (place, _) in all.match_indices(asks) {
            let argument = all[place + asks.len()..].trim_start();
            if let Some(literal) = argument.strip_prefix('"') {
                read.insert(literal.split('"').next().unwrap().to_ascii_lowercase());
                continue;
            }
            let end = argument.find(|c: char| !(c.is_ascii_uppercase() || c == '_'));
            let constant = &argument[..end.unwrap_or(0)];
            if constant.len() > 1 {
                read.insert(
                    between(&all, &format!("{constant}: &str = \""), "\"").to_ascii_lowercase(),
                );
            }
        }
    }
    read
}

#[test]
fn the_lines_for_the_proxy_pass_on_every_field_that_the_relay_reads() {
    assert!(PROXY.contains("proxy_pass_request_headers off;"));
    let lines = PROXY.lines().chain(PROXY_OF_NPM.lines()).filter_map(|line| {
        let (name, value) = line.trim().strip_prefix("proxy_set_header ")?.split_once(' ')?;
        Some((name.to_ascii_lowercase(), value))
    });
    let mut passed = BTreeSet::new();
    for (name, value) in lines {
        // By its own value, if it is not one that nginx knows better.
        let own = format!("$http_{};", name.replace('-', "_"));
        let is_npms = name == "host" || name.starts_with("x-forwarded-") || name == "x-real-ip";
        assert!(is_npms || value == own, "{name} {value}");
        assert!(passed.insert(name.clone()), "{name} would be sent twice");
    }
    // nginx's own, and what `ask`, `invite`, `login` and `pair` say to the relay directly.
    let never = [
        "content-length",
        "transfer-encoding",
        "expect",
        "te",
        "relay-ask",
        "relay-command",
        "relay-connection",
        "relay-invite",
        "relay-login",
        "relay-pair",
    ];
    for name in never {
        assert!(!passed.contains(name), "{name} is not the proxy's to pass on");
    }
    let read = fields_read(&code_of_sources());
    for certain in ["authorization", "upgrade", "x-real-ip", "x-forwarded-for", "relay-ask", "host"] {
        assert!(read.contains(certain), "{certain} is not seen to be read: {read:?}");
    }
    let lost: Vec<_> = read
        .iter()
        .filter(|name| !passed.contains(*name) && !never.contains(&name.as_str()))
        // It stands in answers alone.
        .filter(|name| *name != "relay-outcome")
        .collect();
    assert!(
        lost.is_empty(),
        "deploy/npm-advanced.conf doesn't pass on {lost:?}, which the relay reads"
    );
}

#[test]
fn a_field_is_seen_to_be_read_however_it_is_asked_for() {
    let code = [
        "const NEW_FIELD: &str = \"X-New\";",
        "request.field(NEW_FIELD); exchange.field(\n    \"X-Broken\");",
        "header.field.equiv(\"X-Equal\"); self.field(name)",
    ];
    let read = fields_read(&code.map(str::to_owned));
    assert_eq!(Vec::from_iter(read), ["x-broken", "x-equal", "x-new"]);
}

#[test]
fn the_builder_is_named_the_same_everywhere_and_new_enough() {
    let image = between(DOCKERFILE, "ARG RUST_IMAGE=", "\n");
    assert_eq!(between(COMPOSE, "${RUST_IMAGE:-", "}"), image);
    assert_eq!(between(ENV, "#RUST_IMAGE=", "\n"), image);
    assert_eq!(between(CI, "image: rust:", "-"), between(image, "rust:", "-"));
    let minor = |version: &str| number(version.split('.').nth(1).expect("a minor version"));
    assert!(minor(image) >= minor(between(CARGO, "rust-version = \"", "\"")));
}

#[test]
fn the_newest_release_of_the_changelog_is_the_version_of_the_package() {
    let (unreleased, released) =
        CHANGELOG.split_once("\n## [Unreleased]\n").expect("a heading for what is not released yet");
    assert!(!unreleased.contains("\n## "), "something stands above what is not released yet");
    let heading = between(released, "\n## [", "\n");
    let (version, date) = heading.split_once("] - ").expect("a version and its date");
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
    assert_eq!(date.split('-').map(str::len).collect::<Vec<_>>(), [4, 2, 2], "{date}");
}

#[test]
fn the_version_is_written_in_no_second_place_of_the_deployment() {
    for (file, text) in [("Dockerfile", DOCKERFILE), ("docker-compose.yml", COMPOSE), ("unit", UNIT)] {
        assert!(!text.contains(env!("CARGO_PKG_VERSION")), "{file} keeps the version too");
        assert!(!text.contains("image.version"), "{file} keeps the version too");
    }
}

#[test]
fn the_relay_reaches_its_own_limits_before_those_of_its_container_or_unit() {
    let mega = |text: &str| number(text.trim_end_matches(['m', 'M'])) * 1024 * 1024;
    let soft = between(COMPOSE, "soft: ", "\n");
    for (descriptors, tasks, memory) in [
        (soft, between(COMPOSE, "pids_limit: ", "\n"), between(COMPOSE, "mem_limit: ", "\n")),
        (
            between(UNIT, "LimitNOFILE=", "\n"),
            between(UNIT, "TasksMax=", "\n"),
            between(UNIT, "MemoryMax=", "\n"),
        ),
    ] {
        // The watchdog takes nine tenths of what the system allows.
        assert!(number(descriptors) / 10 * 9 > MAX_DESCRIPTORS);
        assert!(number(tasks) > MAX_THREADS);
        assert!(mega(memory) > MAX_RESIDENT);
    }
}

#[test]
fn the_icon_has_the_size_that_yandex_wants() {
    let png = std::fs::read("deploy/icon.png").unwrap();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    // The header's chunk comes first: width and height.
    assert_eq!((&png[12..16], &png[16..24]), (&b"IHDR"[..], &[0, 0, 0, 224, 0, 0, 0, 224][..]));
}

#[test]
fn the_documents_call_the_skill_by_a_name_that_yandex_takes() {
    let is_russian = |word: &str| word.chars().all(|c| matches!(c, 'а'..='я' | 'А'..='Я' | 'ё' | 'Ё'));
    for (path, quotations) in [
        ("README.md", 0),
        ("docs/ru/README.md", 0),
        ("docs/late-answers.md", 0),
        ("docs/ru/late-answers.md", 0),
        ("DEPLOYMENT.md", 1),
        ("docs/ru/DEPLOYMENT.md", 1),
        ("docs/next-steps.md", 0),
        ("docs/ru/next-steps.md", 0),
    ] {
        let text = std::fs::read_to_string(path).unwrap();
        // The user's own phrase is quoted once.
        assert_eq!(text.matches("попроси Home Alice").count(), quotations, "{path}");
        let named = text.split("попроси ").skip(1).filter(|rest| !rest.starts_with("Home Alice"));
        for rest in named.filter(|rest| !rest.starts_with('*')) {
            let name: Vec<_> = rest.split(' ').take(2).collect();
            let forbidden = ["алиса", "яндекс", "станция", "умный", "дом"];
            assert!(
                name.iter().all(|word| is_russian(word) && !forbidden.contains(&&*word.to_lowercase())),
                "{path}: {name:?}"
            );
        }
    }
}
