//! Keeps, of what a fuzz target has found, the smallest input for every outcome of the parser, as test data:
//!
//! ```text
//! cargo run --manifest-path fuzz/Cargo.toml --bin keep -- turn|agent|head
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use home_alice_relay::wire::{Answer, Head, Hello, Reading, Turn, read};

fn main() -> std::io::Result<()> {
    let target = std::env::args().nth(1).unwrap_or_default();
    let outcome = match target.as_str() {
        "turn" => of_turn,
        "agent" => of_answer,
        "head" => of_head,
        _ => panic!("say turn, agent or head"),
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let kept = root.join("../tests/corpus").join(&target);
    let mut smallest: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for folder in [root.join("corpus").join(&target), kept.clone()] {
        for file in std::fs::read_dir(folder)? {
            let input = std::fs::read(file?.path())?;
            let best = smallest.entry(outcome(&input)).or_insert_with(|| input.clone());
            if (input.len(), &input) < (best.len(), best) {
                *best = input;
            }
        }
    }
    std::fs::remove_dir_all(&kept)?;
    std::fs::create_dir(&kept)?;
    for (number, input) in smallest.values().enumerate() {
        std::fs::write(kept.join(format!("{number:03}")), input)?;
    }
    println!("{} outcomes", smallest.len());
    Ok(())
}

/// An error's words, without where in the input it was and what it found there.
fn words(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let text = text.split(" at line").next().unwrap_or_default();
    let quoted = |part: (usize, &str)| (part.0 % 2 == 0).then(|| part.1.to_owned());
    let text: String = text.split(['"', '`']).enumerate().filter_map(quoted).collect();
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}

fn of_turn(input: &[u8]) -> String {
    match Turn::parse(input) {
        Ok(turn) => {
            let some = (turn.skill_id.is_some(), turn.user_id.is_some(), turn.command.is_empty());
            format!("{some:?} {} {} {}", turn.new_session, turn.is_ping, turn.version == "1.0")
        }
        Err(error) => words(&error),
    }
}

fn of_answer(input: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(input) else { return "not UTF-8".into() };
    match Answer::parse(text, None) {
        Ok(Answer { speech, .. }) => {
            let button = speech.buttons().first().map(|first| {
                (first.url.is_some(), first.payload.is_some(), first.hide)
            });
            format!("{} {:?} {button:?}", speech.tts().is_some(), speech.end_session())
        }
        Err(error) => match Hello::parse(text) {
            Some(Hello { version, macs }) => {
                format!("hello {} {:?}", version.is_some(), macs.map(|macs| macs.len()))
            }
            None => words(&error),
        },
    }
}

/// What a connection's bytes are read as.
fn of_head(input: &[u8]) -> String {
    match read(input) {
        Reading::Request(Head { length, ending, expects, .. }) => {
            format!("{ending:?} {expects} {}", length > 0)
        }
        Reading::Refusal(refusal) => format!("{} {} {}", refusal.status, refusal.why, refusal.is_head),
        Reading::More => "more".into(),
    }
}
