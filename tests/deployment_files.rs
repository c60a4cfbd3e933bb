//! The files of the deployment agree with the code and with each other.

use std::collections::BTreeSet;

use home_alice_relay::limits::{MAX_DESCRIPTORS, MAX_RESIDENT, MAX_THREADS, PLACEHOLDER};

const CARGO: &str = include_str!("../Cargo.toml");
const CODE: [&str; 2] =
    [include_str!("../src/config/mod.rs"), include_str!("../src/config/credentials.rs")];
const COMPOSE: &str = include_str!("../docker-compose.yml");
const DEPLOYMENT: &str = include_str!("../DEPLOYMENT.md");
const DOCKERFILE: &str = include_str!("../Dockerfile");
const ENV: &str = include_str!("../.env.example");
const PROXY: &str = include_str!("../deploy/npm-advanced.conf");
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
    for name in read {
        if name == "LISTEN_ADDR" {
            assert!(DOCKERFILE.contains("ENV LISTEN_ADDR="), "the image does not set it");
        } else if name.ends_with("_FILE") {
            let line = format!("      {name}: /");
            assert!(DEPLOYMENT.contains(&line), "DEPLOYMENT.md does not show {name}");
        } else {
            assert!(ENV.contains(&format!("{name}=")), ".env.example does not show {name}");
            let line = format!("      {name}:");
            assert!(COMPOSE.contains(&line), "docker-compose.yml does not pass {name} on");
        }
    }
}

#[test]
fn the_lines_for_the_proxy_are_the_ones_that_were_tried_with_nginx() {
    assert_eq!(between(DEPLOYMENT, "<!-- block: advanced -->\n```nginx\n", "```"), PROXY);
}

#[test]
fn the_builder_is_named_the_same_everywhere_and_new_enough() {
    let image = between(DOCKERFILE, "ARG RUST_IMAGE=", "\n");
    assert_eq!(between(COMPOSE, "${RUST_IMAGE:-", "}"), image);
    assert_eq!(between(ENV, "#RUST_IMAGE=", "\n"), image);
    let minor = |version: &str| number(version.split('.').nth(1).expect("a minor version"));
    assert!(minor(image) >= minor(between(CARGO, "rust-version = \"", "\"")));
}

#[test]
fn the_image_says_which_version_it_is() {
    let label = between(DOCKERFILE, "org.opencontainers.image.version=\"", "\"");
    assert_eq!(label, env!("CARGO_PKG_VERSION"));
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
