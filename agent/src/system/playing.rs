//! What is asked of players of music and video, and how it is told; the systems find them.

use std::time::{Duration, Instant};

use crate::action::Player;
use crate::message::Outcome;

/// How long a player may take to do what it was asked.
const TIMEOUT: Duration = Duration::from_secs(1);

/// What a player does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Playing,
    Paused,
    Stopped,
}

/// The players of a PC.
pub trait Players {
    /// One of them.
    type One: Clone;

    /// Returns all of them, each with what it does. One that doesn't answer is passed over.
    fn all(&mut self) -> Vec<(Self::One, Status)>;

    /// Asks one. Returns whether it could be asked; from then on its changes are heard.
    fn tell(&mut self, one: &Self::One, asked: Player) -> bool;

    /// Returns what it does.
    fn status(&mut self, one: &Self::One) -> Option<Status>;

    /// Returns what plays, if the player says so.
    fn title(&mut self, one: &Self::One) -> Option<String>;

    /// Waits for a change of one that was asked. Returns whether there was one.
    fn wait_for_change(&mut self, until: Instant) -> bool;
}

/// Asks the players. Says what they do then: it is read back, since they answer the same whatever happened.
pub fn ask<P: Players>(all: &mut P, asked: Player) -> Outcome {
    let players = all.all();
    let with = |status| players.iter().filter(move |(_, own)| *own == status).map(|(one, _)| one);
    let first = with(Status::Playing).chain(with(Status::Paused)).next();
    match asked {
        Player::Pause => match (with(Status::Playing).next(), with(Status::Paused).next()) {
            (None, None) => Outcome::failed("Ничего не играет."),
            (None, Some(_)) => Outcome::done("Уже на паузе."),
            (Some(_), _) => {
                let is_paused = with(Status::Playing).all(|one| becomes(all, one, asked, false));
                told(is_paused, "Пауза.", "Плеер не останавливается.")
            }
        },
        Player::Play => {
            match (with(Status::Playing).next(), with(Status::Paused).chain(with(Status::Stopped)).next()) {
                (Some(_), _) => Outcome::done("Уже играет."),
                (None, None) => Outcome::failed("Играть нечему: откройте плеер."),
                (None, Some(one)) => told(becomes(all, one, asked, true), "Играет.", "Плеер не играет."),
            }
        }
        Player::Next | Player::Previous => match first {
            Some(one) => switch(all, one, asked),
            None => Outcome::failed("Ничего не играет."),
        },
    }
}

/// Says what plays.
pub fn track<P: Players>(all: &mut P) -> Outcome {
    let players = all.all();
    let playing = players.iter().find(|(_, status)| *status == Status::Playing);
    match playing.map(|(one, _)| title(all, one)) {
        None => Outcome::failed("Ничего не играет."),
        Some(None) => Outcome::failed("Плеер не говорит, что играет."),
        Some(Some(title)) => Outcome::done(format!("Играет {title}.")),
    }
}

fn told(is_done: bool, done: &str, failed: &str) -> Outcome {
    if is_done { Outcome::done(done) } else { Outcome::failed(failed) }
}

/// Asks a player, and waits until it plays, or doesn't any more. Returns whether it came so.
fn becomes<P: Players>(all: &mut P, one: &P::One, asked: Player, plays: bool) -> bool {
    if !all.tell(one, asked) {
        return false;
    }
    let until = Instant::now() + TIMEOUT;
    loop {
        match all.status(one) {
            Some(now) if (now == Status::Playing) == plays => return true,
            Some(_) if all.wait_for_change(until) => {}
            _ => return false,
        }
    }
}

/// Goes to another track, and says which one it is then.
fn switch<P: Players>(all: &mut P, one: &P::One, asked: Player) -> Outcome {
    let before = title(all, one);
    if !all.tell(one, asked) {
        return Outcome::failed("Этот плеер не переключает.");
    }
    let until = Instant::now() + TIMEOUT;
    loop {
        match title(all, one) {
            Some(now) if before.as_ref() != Some(&now) => return Outcome::done(format!("Играет {now}.")),
            _ if all.wait_for_change(until) => {}
            // Some players name no track.
            None => return Outcome::done("Переключаю."),
            Some(_) => return Outcome::failed("Трек остался тот же: возможно, он последний."),
        }
    }
}

/// Returns a title as it can be spoken.
fn title<P: Players>(all: &mut P, one: &P::One) -> Option<String> {
    Some(all.title(one)?.chars().filter(|c| !c.is_control()).take(MAX_TITLE).collect())
}

/// Characters of a title.
const MAX_TITLE: usize = 200;
