//! The page's HTML. It holds the state, so that it also works without a script; the script keeps it up to date.

use std::time::{Duration, UNIX_EPOCH};

use crate::http::page::{escaped, locked_up};
use crate::http::response::Response;
use crate::owner_page::state::{CommandRow, Light, Limit, Open, PLOT, PageState, Part, word};
use crate::owner_page::values::Group;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The sources of the page's Content-Security-Policy: nothing inline, and nothing from elsewhere.
const SOURCES: &str = "style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; \
                       require-trusted-types-for 'script'";

/// Returns the page of a relay at `domain`. `token` is its CSRF token.
pub fn page(state: &PageState, values: &[Group], domain: &str, token: &str) -> Response {
    let all = |each: &mut dyn Iterator<Item = String>| each.collect::<String>();
    let summary = state.summary();
    let summary = summary
        .iter()
        .map(|(name, text)| ["<div><dt>", name, "</dt><dd>", &escaped(text), "</dd></div>"].concat());
    let filled = [
        ("{version}", env!("CARGO_PKG_VERSION").to_owned()),
        ("{started}", time(Duration::from_secs(state.started))),
        ("{token}", escaped(token)),
        ("{domain}", escaped(domain)),
        ("{width}", PLOT.0.to_string()),
        ("{height}", PLOT.1.to_string()),
        ("{slowest}", state.slowest.to_string()),
        ("{invite_hidden}", hidden(!state.parts.iter().any(is_away))),
        ("{open_hidden}", hidden(state.open.is_empty())),
        ("{parts}", all(&mut state.parts.iter().map(part))),
        ("{open}", all(&mut state.open.iter().map(open))),
        ("{dots}", all(&mut state.commands.iter().map(dot))),
        ("{summary}", all(&mut summary.into_iter())),
        ("{rows}", all(&mut state.commands.iter().rev().map(row))),
        ("{limits}", all(&mut state.limits.iter().map(limit))),
        ("{values}", all(&mut values.iter().map(group))),
    ];
    let html = filled.iter().fold(PAGE.to_owned(), |html, (place, text)| html.replace(place, text));
    locked_up(200, html.into_bytes(), SOURCES)
}

/// Returns the page's style sheet.
pub fn style() -> Response {
    file("text/css; charset=utf-8", STYLE)
}

/// Returns the page's script.
pub fn script() -> Response {
    file("text/javascript; charset=utf-8", SCRIPT)
}

fn file(content_type: &'static str, text: &str) -> Response {
    Response::new(200, content_type, text.as_bytes().to_vec())
        .with("X-Content-Type-Options", "nosniff")
        .with("Cross-Origin-Resource-Policy", "same-origin")
}

fn hidden(is_hidden: bool) -> String {
    if is_hidden { " hidden".into() } else { String::new() }
}

/// Whether the part is a PC that is not connected.
fn is_away(part: &Part) -> bool {
    part.part == "pc" && part.light == Light::Red
}

fn part(part: &Part) -> String {
    let words = [part.light.name(), &escaped(&part.name), part.light.word(), &escaped(&part.says)];
    let [light, name, word, says] = words;
    ["<li class=\"", light, "\"><b>", name, "</b><i>", word, "</i><span>", says, "</span></li>"]
        .concat()
}

fn open(open: &Open) -> String {
    let line = match &open.line {
        Some(line) => copyable(line),
        None => "<p class=\"dim\">Скажите навыку что-нибудь: строка появится здесь.</p>".into(),
    };
    ["<li>", open.says, &line, "</li>"].concat()
}

fn dot(shown: &CommandRow) -> String {
    let (x, y) = (shown.place.0.to_string(), shown.place.1.to_string());
    let class = shown.outcome.name();
    ["<circle class=\"", class, "\" cx=\"", &x, "\" cy=\"", &y, "\" r=\"4\"/>"].concat()
}

fn row(shown: &CommandRow) -> String {
    let late = shown.late.map(|late| late.to_string()).unwrap_or_default();
    let at = time(Duration::from_millis(shown.at));
    let cells = [&*at, &escaped(&shown.pc), word(shown.outcome), &shown.took.to_string(), &late];
    let cells: String = cells.iter().map(|cell| ["<td>", cell, "</td>"].concat()).collect();
    ["<tr>", &cells, "</tr>"].concat()
}

fn limit(limit: &Limit) -> String {
    let (used, most) = (limit.used.to_string(), limit.most.to_string());
    let meter = ["<meter max=\"", &most, "\" value=\"", &used, "\" aria-label=\"", limit.name, "\">"];
    ["<li>", limit.name, ": ", &used, " из ", &most, " ", &meter.concat(), "</meter></li>"].concat()
}

fn group(group: &Group) -> String {
    let values = group.values.iter();
    let values = values
        .map(|(name, value)| ["<dt>", &escaped(name), "</dt><dd>", &copyable(value), "</dd>"].concat());
    ["<h3>", group.place, "</h3><dl>", &values.collect::<String>(), "</dl>"].concat()
}

fn copyable(text: &str) -> String {
    let button = "</code><button type=\"button\" class=\"script\">Копировать</button></div>";
    ["<div class=\"copy\"><code>", &escaped(text), button].concat()
}

/// Formats a Unix time as RFC 3339.
fn time(since: Duration) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::outcome::Outcome;
    use crate::http::response::Ending;

    const MARKUP: &str = "<script>alert(1)</script>\"'&{token}";

    fn shown(answer: Response) -> String {
        String::from_utf8(answer.into_bytes(Ending::Stays, false)).unwrap()
    }

    fn state() -> PageState {
        PageState {
            started: 1_700_000_000,
            up: Duration::from_secs(60),
            parts: vec![Part {
                part: "pc",
                name: MARKUP.into(),
                light: Light::Green,
                says: MARKUP.into(),
                seconds: None,
                round_trip: None,
            }],
            open: vec![
                Open { says: "Открыто.", line: Some(MARKUP.into()) },
                Open { says: "Открыто.", line: None },
            ],
            limits: vec![Limit { limit: "threads", name: "потоки", used: 1, most: 2 }],
            counts: vec![(Outcome::Answered, 1)],
            late: 0,
            percentiles: Some((1, 2)),
            commands: vec![CommandRow {
                at: 1_700_000_000_000,
                pc: MARKUP.into(),
                outcome: Outcome::Answered,
                took: 7,
                late: None,
                place: (1, 2),
            }],
            slowest: 7,
        }
    }

    #[test]
    fn what_comes_from_outside_is_text_and_nothing_is_left_to_be_filled_in() {
        let values = [Group { place: "Прокси", values: vec![(MARKUP.into(), MARKUP.into())] }];
        let page = shown(page(&state(), &values, MARKUP, "the-token"));
        assert!(!page.contains("<script>") && !page.contains('{'), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;&#123;token}"));
        assert_eq!(page.matches("the-token").count(), 1, "{page}");
        assert!(page.contains("<p id=\"invite\" class=\"dim\" hidden>"), "{page}");
        assert!(page.contains("<time id=\"started\" datetime=\"2023-11-14T22:13:20Z\">"), "{page}");
    }

    #[test]
    fn nothing_stands_inline_and_nothing_comes_from_elsewhere() {
        for part in [" style=", "<style", "onclick", "http://", "https://", "import"] {
            assert!(!PAGE.contains(part), "{part}");
        }
        assert!(!SCRIPT.contains("innerHTML") && !SCRIPT.contains("eval") && !STYLE.contains("url("));
        assert_eq!(PAGE.matches("<script").count(), 1);
        assert!(!SOURCES.contains("unsafe"));
    }

    #[test]
    fn the_three_files_are_small() {
        assert!(PAGE.len() + STYLE.len() + SCRIPT.len() <= 30_000);
    }

    #[test]
    fn every_place_of_the_script_is_in_the_page() {
        for rest in SCRIPT.split("at('").skip(1).chain(SCRIPT.split("draw('").skip(1)) {
            let id = rest.split('\'').next().unwrap();
            assert!(PAGE.contains(&format!("id=\"{id}\"")), "{id}");
        }
    }
}
