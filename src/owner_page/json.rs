//! The state as JSON: for the page's script, and less of it for a monitor.

use std::fmt::Display;

use crate::object::{list_of, object_of, quoted};
use crate::owner_page::state::{OfPerson, Part, Shown, State, word};

/// Returns what a monitor is told: states, counters and times. No secret, id, answer, name or token is in it.
pub fn for_monitor(state: &State) -> String {
    object_of(&common(state, &|part| object_of(&figures(part))))
}

/// Returns what the page is told.
pub fn for_page(state: &State, of_person: &OfPerson) -> String {
    let mut fields = common(state, &|part| {
        let mut fields = figures(part);
        fields.push(("name", quoted(&part.name)));
        fields.push(("word", quoted(part.light.word())));
        fields.push(("says", quoted(&part.says)));
        object_of(&fields)
    });
    let open = state.open.iter().map(|open| {
        let line = open.line.as_deref().map_or("null".into(), quoted);
        object_of(&[("says", quoted(open.says)), ("line", line)])
    });
    fields.push(("open", list_of(open)));
    let summary = state.summary().into_iter();
    let summary = summary.map(|(name, text)| list_of([quoted(name), quoted(&text)].into_iter()));
    fields.push(("summary", list_of(summary)));
    fields.push(("commands", list_of(state.commands.iter().map(command))));
    fields.push(("slowest_ms", state.slowest.to_string()));
    let of_person = [("kept", of_person.kept.to_string()), ("at_work", optional(of_person.at_work))];
    fields.push(("you", object_of(&of_person)));
    object_of(&fields)
}

fn common(state: &State, part: &dyn Fn(&Part) -> String) -> Vec<(&'static str, String)> {
    let mut counts: Vec<_> =
        state.counts.iter().map(|(outcome, count)| (outcome.name(), count.to_string())).collect();
    counts.push(("answered-late", state.late.to_string()));
    let limits = state.limits.iter().map(|limit| {
        object_of(&[
            ("limit", quoted(limit.limit)),
            ("name", quoted(limit.name)),
            ("used", limit.used.to_string()),
            ("most", limit.most.to_string()),
        ])
    });
    vec![
        ("version", quoted(env!("CARGO_PKG_VERSION"))),
        ("started", state.started.to_string()),
        ("up", state.up.as_secs().to_string()),
        ("parts", list_of(state.parts.iter().map(part))),
        ("counts", object_of(&counts)),
        ("median_ms", optional(state.percentiles.map(|(median, _)| median))),
        ("p95_ms", optional(state.percentiles.map(|(_, high)| high))),
        ("limits", list_of(limits)),
    ]
}

fn figures(part: &Part) -> Vec<(&'static str, String)> {
    vec![
        ("part", quoted(part.part)),
        ("light", quoted(part.light.name())),
        ("seconds", optional(part.seconds)),
        ("round_trip_ms", optional(part.round_trip)),
    ]
}

fn command(shown: &Shown) -> String {
    object_of(&[
        ("at", shown.at.to_string()),
        ("pc", quoted(&shown.pc)),
        ("how", quoted(shown.outcome.name())),
        ("word", quoted(word(shown.outcome))),
        ("ms", shown.took.to_string()),
        ("late_ms", optional(shown.late)),
        ("x", shown.place.0.to_string()),
        ("y", shown.place.1.to_string()),
    ])
}

fn optional(value: Option<impl Display>) -> String {
    value.map_or("null".into(), |value| value.to_string())
}
