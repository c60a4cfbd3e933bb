//! The relay's state as JSON: all of it for the page's script, less for a monitor.

use serde::{Serialize, Serializer};

use crate::json;
use crate::owner_page::state::{CommandRow, Limit, Open, PageState, Part, PersonState, word};

/// The fields of a monitor's JSON, then those of the page alone.
#[derive(Serialize)]
struct StateJson<'a> {
    version: &'static str,
    started: u64,
    up: u64,
    parts: Vec<PartJson<'a>>,
    #[serde(serialize_with = "as_object")]
    counts: Vec<(&'static str, u64)>,
    median_ms: Option<u32>,
    p95_ms: Option<u32>,
    limits: &'a [Limit],
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<&'a [Open]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<Vec<(&'static str, String)>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commands: Option<Vec<CommandJson<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slowest_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    you: Option<&'a PersonState>,
}

#[derive(Serialize)]
struct PartJson<'a> {
    part: &'static str,
    light: &'static str,
    seconds: Option<u64>,
    round_trip_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    word: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    says: Option<&'a str>,
}

#[derive(Serialize)]
struct CommandJson<'a> {
    at: u64,
    pc: &'a str,
    how: &'static str,
    word: &'static str,
    ms: u32,
    late_ms: Option<u32>,
    x: u64,
    y: u64,
}

/// Encodes the state for a monitor: states, counters and times, but no secret, id, answer, name or token.
pub fn for_monitor(state: &PageState) -> String {
    json::of(&of(state, None))
}

/// Encodes the state for the page.
pub fn for_page(state: &PageState, person: &PersonState) -> String {
    json::of(&of(state, Some(person)))
}

fn of<'a>(state: &'a PageState, page_of: Option<&'a PersonState>) -> StateJson<'a> {
    let is_page = page_of.is_some();
    let part = |part: &'a Part| PartJson {
        part: part.part,
        light: part.light.name(),
        seconds: part.seconds,
        round_trip_ms: part.round_trip,
        name: is_page.then_some(&part.name),
        word: is_page.then(|| part.light.word()),
        says: is_page.then_some(&part.says),
    };
    let counts = state.counts.iter().map(|(outcome, count)| (outcome.name(), *count));
    StateJson {
        version: env!("CARGO_PKG_VERSION"),
        started: state.started,
        up: state.up.as_secs(),
        parts: state.parts.iter().map(part).collect(),
        counts: counts.chain([("answered-late", state.late)]).collect(),
        median_ms: state.percentiles.map(|(median, _)| median),
        p95_ms: state.percentiles.map(|(_, high)| high),
        limits: &state.limits,
        open: is_page.then_some(&state.open),
        summary: is_page.then(|| state.summary()),
        commands: is_page.then(|| state.commands.iter().map(command).collect()),
        slowest_ms: is_page.then_some(state.slowest),
        you: page_of,
    }
}

fn command(row: &CommandRow) -> CommandJson<'_> {
    let CommandRow { at, pc, outcome, took, late, place: (x, y) } = row;
    let (how, word) = (outcome.name(), word(*outcome));
    CommandJson { at: *at, pc, how, word, ms: *took, late_ms: *late, x: *x, y: *y }
}

fn as_object<S: Serializer>(counts: &[(&'static str, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(counts.iter().copied())
}
