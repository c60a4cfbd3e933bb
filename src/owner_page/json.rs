//! The state as JSON: for the page's script, and less of it for a monitor.

use serde_json::{Map, Value, json};

use crate::owner_page::state::{CommandRow, Part, PersonState, State, word};

/// Returns what a monitor is told: states, counters and times. No secret, id, answer, name or token is in it.
pub fn for_monitor(state: &State) -> Value {
    let mut counts: Map<_, _> =
        state.counts.iter().map(|(outcome, count)| (outcome.name().to_owned(), json!(count))).collect();
    counts.insert("answered-late".into(), json!(state.late));
    let limits = state.limits.iter().map(|limit| {
        json!({ "limit": limit.limit, "name": limit.name, "used": limit.used, "most": limit.most })
    });
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "started": state.started,
        "up": state.up.as_secs(),
        "parts": state.parts.iter().map(figures).collect::<Vec<_>>(),
        "counts": counts,
        "median_ms": state.percentiles.map(|(median, _)| median),
        "p95_ms": state.percentiles.map(|(_, high)| high),
        "limits": limits.collect::<Vec<_>>(),
    })
}

/// Returns what the page is told.
pub fn for_page(state: &State, person: &PersonState) -> Value {
    let part = |part: &Part| {
        let mut told = figures(part);
        told["name"] = json!(part.name);
        told["word"] = json!(part.light.word());
        told["says"] = json!(part.says);
        told
    };
    let open = state.open.iter().map(|open| json!({ "says": open.says, "line": open.line }));
    let mut all = for_monitor(state);
    all["parts"] = state.parts.iter().map(part).collect();
    all["open"] = open.collect();
    all["summary"] = json!(state.summary());
    all["commands"] = state.commands.iter().map(command).collect();
    all["slowest_ms"] = json!(state.slowest);
    all["you"] = json!({ "kept": person.kept, "at_work": person.at_work });
    all
}

fn figures(part: &Part) -> Value {
    let Part { part, light, seconds, round_trip, .. } = part;
    json!({ "part": part, "light": light.name(), "seconds": seconds, "round_trip_ms": round_trip })
}

fn command(row: &CommandRow) -> Value {
    let CommandRow { at, pc, outcome, took, late, place: (x, y) } = row;
    let (how, word) = (outcome.name(), word(*outcome));
    json!({ "at": at, "pc": pc, "how": how, "word": word, "ms": took, "late_ms": late, "x": x, "y": y })
}
