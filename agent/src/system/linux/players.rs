//! Players of music and video, by MPRIS 2.2: every one that the desktop knows of, a browser's tab among them.

use std::collections::HashMap;
use std::time::Instant;

use rustbus::wire::unmarshal::traits::Variant;

use crate::action::Player;
use crate::message::Outcome;
use crate::system::linux::bus::{Bus, Object};
use crate::system::playing::{self, Players, Status};

const PREFIX: &str = "org.mpris.MediaPlayer2.";

/// Players that are asked.
const MAX_PLAYERS: usize = 16;

/// Asks the players.
pub fn ask(asked: Player) -> Outcome {
    with(|players| playing::ask(players, asked))
}

/// Says what plays.
pub fn track() -> Outcome {
    with(playing::track)
}

fn with(what: impl FnOnce(&mut Mpris) -> Outcome) -> Outcome {
    let found = Bus::session().and_then(|mut bus| Ok(Mpris { names: bus.names(PREFIX)?, bus }));
    found.map_or_else(
        |_| Outcome::failed("Плееров не видно: рабочий стол о них не рассказывает."),
        |mut players| what(&mut players),
    )
}

struct Mpris {
    bus: Bus,
    names: Vec<String>,
}

fn object(name: &str) -> Object<'_> {
    Object { name, path: "/org/mpris/MediaPlayer2", interface: "org.mpris.MediaPlayer2.Player" }
}

impl Players for Mpris {
    type One = String;

    fn all(&mut self) -> Vec<(String, Status)> {
        let names: Vec<String> = self.names.drain(..).take(MAX_PLAYERS).collect();
        names.into_iter().filter_map(|name| self.status(&name).map(|status| (name, status))).collect()
    }

    fn tell(&mut self, name: &String, asked: Player) -> bool {
        let method = match asked {
            Player::Pause => "Pause",
            Player::Play => "Play",
            Player::Next => "Next",
            Player::Previous => "Previous",
        };
        let player = object(name);
        self.bus.watch(player).and_then(|()| self.bus.call(player, method, |_| {})).is_ok()
    }

    fn status(&mut self, name: &String) -> Option<Status> {
        match self.bus.property::<String>(object(name), "PlaybackStatus").ok()?.as_str() {
            "Playing" => Some(Status::Playing),
            "Paused" => Some(Status::Paused),
            "Stopped" => Some(Status::Stopped),
            _ => None,
        }
    }

    fn title(&mut self, name: &String) -> Option<String> {
        let player = object(name);
        let properties = Object { interface: "org.freedesktop.DBus.Properties", ..player };
        let answer =
            self.bus.call(properties, "Get", |body| _ = body.push_param2(player.interface, "Metadata")).ok()?;
        let metadata: Variant<'_, '_> = answer.body.parser().get().ok()?;
        let metadata: HashMap<String, Variant<'_, '_>> = metadata.get().ok()?;
        metadata.get("xesam:title")?.get().ok()
    }

    fn wait_for_change(&mut self, until: Instant) -> bool {
        self.bus.wait_for_change(until)
    }
}
