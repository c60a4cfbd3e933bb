//! Players of music and video, by MPRIS 2.2: every one that the desktop knows of, a browser's tab among them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rustbus::wire::unmarshal::traits::Variant;

use crate::action::Player;
use crate::message::Outcome;
use crate::system::linux::bus::{Bus, BusError, Object};

const PREFIX: &str = "org.mpris.MediaPlayer2.";

/// How long a player may take to do what it was asked.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Players that are asked.
const MAX_PLAYERS: usize = 16;

const NO_PLAYERS: &str = "Плееров не видно: рабочий стол о них не рассказывает.";

/// Asks the players. Says what they do then: it is read back, since they answer the same whatever happened.
pub fn ask(asked: Player) -> Outcome {
    let Ok((players, mut bus)) = found() else { return Outcome::failed(NO_PLAYERS) };
    let with = |status: &'static str| players.iter().filter(move |(_, own)| own == status).map(|(name, _)| &**name);
    let first = with("Playing").chain(with("Paused")).next();
    match asked {
        Player::Pause => {
            let playing: Vec<&str> = with("Playing").collect();
            match (playing.as_slice(), with("Paused").next()) {
                ([], None) => Outcome::failed("Ничего не играет."),
                ([], Some(_)) => Outcome::done("Уже на паузе."),
                (playing, _) => {
                    let is_paused = playing.iter().all(|name| becomes(&mut bus, name, "Pause", "Playing", false));
                    told(is_paused, "Пауза.", "Плеер не останавливается.")
                }
            }
        }
        Player::Play => match (with("Playing").next(), with("Paused").chain(with("Stopped")).next()) {
            (Some(_), _) => Outcome::done("Уже играет."),
            (None, None) => Outcome::failed("Играть нечему: откройте плеер."),
            (None, Some(name)) => {
                let plays = becomes(&mut bus, name, "Play", "Playing", true);
                told(plays, "Играет.", "Плеер не играет.")
            }
        },
        Player::Next | Player::Previous => {
            let Some(name) = first else { return Outcome::failed("Ничего не играет.") };
            let method = if asked == Player::Next { "Next" } else { "Previous" };
            switch(&mut bus, name, method)
        }
    }
}

/// Says what plays.
pub fn track() -> Outcome {
    let Ok((players, mut bus)) = found() else { return Outcome::failed(NO_PLAYERS) };
    let playing = players.iter().find(|(_, status)| status == "Playing");
    let title = playing.map(|(name, _)| title(&mut bus, object(name)));
    match title {
        None => Outcome::failed("Ничего не играет."),
        Some(None) => Outcome::failed("Плеер не говорит, что играет."),
        Some(Some(title)) => Outcome::done(format!("Играет {title}.")),
    }
}

fn told(is_done: bool, done: &str, failed: &str) -> Outcome {
    if is_done { Outcome::done(done) } else { Outcome::failed(failed) }
}

fn object(name: &str) -> Object<'_> {
    Object { name, path: "/org/mpris/MediaPlayer2", interface: "org.mpris.MediaPlayer2.Player" }
}

fn found() -> Result<(Vec<(String, String)>, Bus), BusError> {
    let mut bus = Bus::session()?;
    Ok((players(&mut bus)?, bus))
}

/// Returns every player's name and what it does: `Playing`, `Paused` or `Stopped`. One that doesn't answer is passed over.
fn players(bus: &mut Bus) -> Result<Vec<(String, String)>, BusError> {
    let names = bus.names(PREFIX)?.into_iter().take(MAX_PLAYERS);
    let with_status = |name: String| {
        let status = bus.property(object(&name), "PlaybackStatus").ok()?;
        Some((name, status))
    };
    Ok(names.filter_map(with_status).collect())
}

/// Calls a method, and waits until the player has this status, or hasn't it any more. Returns whether it came so.
fn becomes(bus: &mut Bus, name: &str, method: &str, status: &str, is_wanted: bool) -> bool {
    let player = object(name);
    if bus.watch(player).and_then(|()| bus.call(player, method, |_| {})).is_err() {
        return false;
    }
    let until = Instant::now() + TIMEOUT;
    loop {
        match bus.property::<String>(player, "PlaybackStatus") {
            Ok(now) if (now == status) == is_wanted => return true,
            Ok(_) if bus.wait_for_change(until) => {}
            _ => return false,
        }
    }
}

/// Goes to another track, and says which one it is then.
fn switch(bus: &mut Bus, name: &str, method: &str) -> Outcome {
    let player = object(name);
    let before = title(bus, player);
    if bus.watch(player).and_then(|()| bus.call(player, method, |_| {})).is_err() {
        return Outcome::failed("Этот плеер не переключает.");
    }
    let until = Instant::now() + TIMEOUT;
    loop {
        let now = title(bus, player);
        match now {
            Some(now) if before.as_ref() != Some(&now) => {
                return Outcome::done(format!("Играет {now}."));
            }
            _ if bus.wait_for_change(until) => {}
            // Some players name no track.
            None => return Outcome::done("Переключаю."),
            Some(_) => return Outcome::failed("Трек остался тот же: возможно, он последний."),
        }
    }
}

/// Returns what plays, if the player says so.
fn title(bus: &mut Bus, player: Object<'_>) -> Option<String> {
    let properties = Object { interface: "org.freedesktop.DBus.Properties", ..player };
    let answer = bus.call(properties, "Get", |body| _ = body.push_param2(player.interface, "Metadata")).ok()?;
    let metadata: Variant<'_, '_> = answer.body.parser().get().ok()?;
    let metadata: HashMap<String, Variant<'_, '_>> = metadata.get().ok()?;
    let title: String = metadata.get("xesam:title")?.get().ok()?;
    Some(title.chars().filter(|c| !c.is_control()).take(MAX_TITLE).collect())
}

/// Characters of a title.
const MAX_TITLE: usize = 200;
