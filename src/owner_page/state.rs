//! The relay's state for the owner's page and for monitors. Gathered for each request, and never stored.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::commands::outcome::Outcome;
use crate::commands::record::RecordEntry;
use crate::commands::{MAX_IN_FLIGHT, person::Person};
use crate::config::Config;
use crate::config::keys::AgentKeys;
use crate::dialogs::phrases::time;
use crate::engine::{Engine, SeenIds};
use crate::runtime::reachability::Upgrade;
use crate::runtime::watchdog::{self, Limits};
use crate::secret::Secret;
use crate::speech::title;

/// Width and height of the plot, in its own units.
pub const PLOT: (u64, u64) = (600, 160);

/// Margin of the plot, for its labels.
const MARGIN: u64 = 12;

/// Percentage of a limit at which the relay's light turns yellow.
const MUCH: usize = 80;

/// Shown for a PC that is away while somebody tries a wrong key.
const KNOCKED: &str = "Не на связи. Кто-то стучится без верного ключа. Если это ваш компьютер, его api_key должен быть \
                       таким же, как API_KEY сервера (у других компьютеров — ключ из AGENTS).";

/// Status colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Light {
    Green,
    Yellow,
    Red,
}

impl Light {
    /// Returns the colour's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Red => "red",
        }
    }

    /// Returns its meaning, for people who do not see the colour.
    pub fn word(self) -> &'static str {
        match self {
            Self::Green => "в порядке",
            Self::Yellow => "внимание",
            Self::Red => "не работает",
        }
    }
}

/// A part of the path from Alice to a PC.
#[derive(Debug)]
pub struct Part {
    /// The part's key: `alice`, `proxy`, `relay` or `pc`.
    pub part: &'static str,
    /// The part's name on the page.
    pub name: String,
    /// The part's status.
    pub light: Light,
    /// The reason for the status.
    pub says: String,
    /// Seconds since Yandex' last request, the relay's start or the PC's connection.
    pub seconds: Option<u64>,
    /// The PC's last round trip in milliseconds.
    pub round_trip: Option<u64>,
}

/// A weakness of the credentials.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Open {
    /// The consequence, in words for the owner.
    pub says: &'static str,
    /// The line of `.env` that closes it; `None` until the relay has seen the id.
    pub line: Option<String>,
}

/// A limit and its usage.
#[derive(Debug, Serialize)]
pub struct Limit {
    /// The limit's key.
    pub limit: &'static str,
    /// The limit's name on the page.
    pub name: &'static str,
    pub used: usize,
    pub most: usize,
}

/// A command as the page shows it.
#[derive(Debug)]
pub struct CommandRow {
    /// When it arrived, in milliseconds of Unix time.
    pub at: u64,
    /// The PC's name.
    pub pc: String,
    /// Its outcome.
    pub outcome: Outcome,
    /// Milliseconds until the outcome.
    pub took: u32,
    /// Milliseconds until its late answer, if there was one.
    pub late: Option<u32>,
    /// Its position in the plot.
    pub place: (u64, u64),
}

/// The relay's state.
#[derive(Debug)]
pub struct PageState {
    /// When the relay was started, in seconds of Unix time.
    pub started: u64,
    /// Time since the start.
    pub up: Duration,
    pub parts: Vec<Part>,
    pub open: Vec<Open>,
    pub limits: Vec<Limit>,
    /// Number of turns by outcome.
    pub counts: Vec<(Outcome, u64)>,
    /// Number of late answers.
    pub late: u64,
    /// Median and 95th percentile of the last answered commands, in milliseconds.
    pub percentiles: Option<(u32, u32)>,
    pub commands: Vec<CommandRow>,
    /// The slowest of `commands`, in milliseconds.
    pub slowest: u32,
}

/// The late answers of one person.
#[derive(Debug, Serialize)]
pub struct PersonState {
    /// Number of items kept for the person.
    pub kept: usize,
    /// For how many seconds the person's oldest command has been pending.
    pub at_work: Option<u64>,
}

/// All outcomes, with their words on the page.
pub const OUTCOMES: [(Outcome, &str); Outcome::COUNT] = [
    (Outcome::Answered, "ответ вовремя"),
    (Outcome::TooLate, "не успел к сроку"),
    (Outcome::LinkLost, "связь прервалась"),
    (Outcome::Unsent, "не отправлена"),
    (Outcome::NoAgent, "компьютер не на связи"),
    (Outcome::Busy, "слишком много команд"),
    (Outcome::Stopping, "сервер останавливался"),
    (Outcome::Refused, "отказано чужому"),
    (Outcome::OwnWords, "ответил сам сервер"),
    (Outcome::News, "рассказан поздний ответ"),
    (Outcome::Lost, "рассказано о потере"),
    (Outcome::AtWork, "ещё выполнялась"),
];

/// Returns an outcome's words.
pub fn word(outcome: Outcome) -> &'static str {
    OUTCOMES.iter().find(|(own, _)| *own == outcome).map_or("", |(_, word)| word)
}

impl PageState {
    /// Gathers the state `now`. `started` is the relay's start in milliseconds of Unix time.
    pub fn gather(engine: &Engine, limits: Limits, started: u64, now: Instant) -> Self {
        let up = now.saturating_duration_since(engine.reachability.started());
        let limits = used(engine, limits);
        let record = &engine.commands.record;
        let names = &engine.names;
        let last = record.last();
        let (percentiles, slowest) = (percentiles(&last), last.iter().map(shown_took).max());
        let slowest = slowest.unwrap_or(0);
        let begun = engine.reachability.started();
        let at = |entry: &RecordEntry| {
            let after = entry.begun.saturating_duration_since(begun).as_millis();
            started + u64::try_from(after).unwrap_or(0)
        };
        let span = last.first().map(at).zip(last.last().map(at)).unwrap_or_default();
        let commands = last.iter().map(|entry| CommandRow {
            at: at(entry),
            pc: title(names.of(entry.agent)),
            outcome: entry.outcome,
            took: entry.took,
            late: entry.late,
            place: place(at(entry), span, shown_took(entry), slowest),
        });
        Self {
            started: started / 1000,
            up,
            parts: parts(engine, &limits, now),
            open: open(&engine.config, engine.seen_ids.get()),
            limits,
            counts: OUTCOMES.map(|(outcome, _)| (outcome, record.how_many(outcome))).into(),
            late: record.how_many_late(),
            percentiles,
            commands: commands.collect(),
            slowest,
        }
    }

    /// Returns the counters of the page's summary, with their words.
    pub fn summary(&self) -> Vec<(&'static str, String)> {
        let many = |outcomes: &[Outcome]| {
            let counted = self.counts.iter().filter(|(outcome, _)| outcomes.contains(outcome));
            counted.map(|(_, count)| count).sum::<u64>().to_string()
        };
        let milliseconds = |which: fn((u32, u32)) -> u32| {
            self.percentiles.map_or("—".into(), |both| format!("{} мс", which(both)))
        };
        let unsent = [Outcome::Unsent, Outcome::NoAgent, Outcome::Busy, Outcome::Stopping];
        vec![
            ("Ответов вовремя", many(&[Outcome::Answered])),
            ("Не успели к сроку", many(&[Outcome::TooLate])),
            ("Поздних ответов", self.late.to_string()),
            ("Потеряно со связью", many(&[Outcome::LinkLost])),
            ("Не отправлено", many(&unsent)),
            ("Отказано чужим", many(&[Outcome::Refused])),
            ("Медиана", milliseconds(|(median, _)| median)),
            ("95-й процентиль", milliseconds(|(_, high)| high)),
        ]
    }
}

impl PersonState {
    /// Gathers the state of this person's late answers.
    pub fn gather(engine: &Engine, person: &Person, now: Instant) -> Self {
        let at_work = engine.commands.oldest_pending(person, None);
        Self {
            kept: engine.commands.count_kept(person, now),
            at_work: at_work.map(|(begun, _)| now.saturating_duration_since(begun).as_secs()),
        }
    }
}

fn parts(engine: &Engine, limits: &[Limit], now: Instant) -> Vec<Part> {
    let since = |at: Instant| now.saturating_duration_since(at);
    let plain = |part, name: &str, light, says: String, seconds| Part {
        part,
        name: name.to_owned(),
        light,
        says,
        seconds,
        round_trip: None,
    };
    let alice = match engine.reachability.last_turn().map(since) {
        None => plain("alice", "Алиса", Light::Yellow, "Ещё не обращалась.".into(), None),
        Some(ago) => {
            let says = format!("Последний запрос {} назад.", time(ago));
            plain("alice", "Алиса", Light::Green, says, Some(ago.as_secs()))
        }
    };
    let (light, says) = proxy(engine.reachability.is_forwarded(), engine.reachability.last_upgrade());
    let proxy = plain("proxy", "Прокси", light, says.into(), None);
    let up = since(engine.reachability.started());
    let (light, says) = match limits.iter().find(|limit| limit.used * 100 >= limit.most * MUCH) {
        None => (Light::Green, format!("Работает {}.", time(up))),
        Some(Limit { name, .. }) => {
            (Light::Yellow, format!("Работает {}. Почти исчерпано: {name}.", time(up)))
        }
    };
    let relay = plain("relay", "Сервер", light, says, Some(up.as_secs()));
    let names = &engine.names;
    let pcs = names.all().map(|(agent, name)| match engine.registry.current(agent) {
        None => {
            let says =
                if engine.reachability.had_wrong_key(now) { KNOCKED } else { "Не на связи." };
            plain("pc", &title(name), Light::Red, says.into(), None)
        }
        Some(link) => {
            let (connected, silent) = (since(link.opened()), since(link.heard()));
            let round_trip = link.round_trip();
            let (light, mut says) = pc(connected, silent, engine.config.heartbeat, round_trip);
            let version = engine.registry.version(agent);
            if !version.is_empty() {
                says += " Агент: ";
                says += &version;
            }
            let round_trip = round_trip.and_then(|took| u64::try_from(took.as_millis()).ok());
            let seconds = Some(connected.as_secs());
            Part { round_trip, ..plain("pc", &title(name), light, says, seconds) }
        }
    });
    [alice, proxy, relay].into_iter().chain(pcs).collect()
}

fn proxy(is_forwarded: bool, upgrade: Upgrade) -> (Light, &'static str) {
    match (is_forwarded, upgrade) {
        (_, Upgrade::Lost) => {
            (Light::Red, "Агент пришёл, но не как WebSocket: включите «Websockets Support».")
        }
        (true, Upgrade::Came) => (Light::Green, "Передаёт запросы и WebSocket."),
        (true, Upgrade::Never) => (Light::Yellow, "Передаёт запросы. WebSocket ещё не приходил."),
        (false, _) => (Light::Yellow, "Через прокси ещё ничего не пришло."),
    }
}

fn pc(
    connected: Duration,
    silent: Duration,
    heartbeat: Duration,
    round_trip: Option<Duration>,
) -> (Light, String) {
    let connected = time(connected);
    if silent > heartbeat + heartbeat / 2 {
        return (Light::Yellow, format!("На связи {connected}, но молчит {}.", time(silent)));
    }
    match round_trip {
        None => (Light::Green, format!("На связи {connected}.")),
        Some(took) => {
            let says = format!("На связи {connected}. Ответ на ping за {} мс.", took.as_millis());
            (Light::Green, says)
        }
    }
}

/// Returns the weaknesses of the credentials. `told` are the ids that the log has told: they came with
/// `WEBHOOK_SECRET`.
fn open(config: &Config, told: Option<&SeenIds>) -> Vec<Open> {
    let credentials = &config.credentials;
    let line = |name: &str, id: Option<&String>| id.map(|id| format!("{name}={id}"));
    let mut open = Vec::new();
    if credentials.user_ids.is_empty() {
        let line = line("ALICE_USER_IDS", told.and_then(|ids| ids.user.as_ref()));
        open.push(Open { says: "С навыком может говорить любой.", line });
    }
    if credentials.skill_id.is_none() {
        let line = line("ALICE_SKILL_ID", told.and_then(|ids| ids.skill.as_ref()));
        open.push(Open {
            says: "Подойдёт любой навык с этим адресом.", line
        });
    }
    let new_key = |rest| Some(format!("API_KEY=<вывод openssl rand -hex 32>{rest}"));
    match &credentials.keys {
        AgentKeys::Generated(_) => open.push(Open {
            says: "Ключ агента не задан и меняется при каждом запуске.",
            line: new_key(""),
        }),
        AgentKeys::Configured(keys) if keys.iter().any(Secret::is_short) => open.push(Open {
            says: "Ключ агента короче 16 символов. Старый уберите, когда агент получит новый.",
            line: new_key(",<старый ключ>"),
        }),
        AgentKeys::Configured(_) => {}
    }
    open
}

fn used(engine: &Engine, most: Limits) -> Vec<Limit> {
    let commands = Limit {
        limit: "commands",
        name: "команды в работе",
        used: engine.commands.in_flight(),
        most: MAX_IN_FLIGHT,
    };
    // Omits what the system does not tell.
    let process = watchdog::usage().ok().map(|used| {
        let limit = |limit, name, used, most| Limit { limit, name, used, most };
        [
            limit("memory", "память, КБ", used.resident / 1024, most.resident / 1024),
            limit("threads", "потоки", used.threads, most.threads),
            limit("descriptors", "дескрипторы", used.descriptors, most.descriptors),
        ]
    });
    process.into_iter().flatten().chain([commands]).collect()
}

/// Returns how long a command took for the plot: until its answer, if there was one.
fn shown_took(entry: &RecordEntry) -> u32 {
    entry.late.unwrap_or(entry.took)
}

/// Returns the median and the 95th percentile of the commands that were answered, be it late.
fn percentiles(last: &[RecordEntry]) -> Option<(u32, u32)> {
    let is_answered = |entry: &&RecordEntry| entry.outcome == Outcome::Answered || entry.late.is_some();
    let mut took: Vec<_> = last.iter().filter(is_answered).map(shown_took).collect();
    took.sort_unstable();
    // The nearest rank.
    let at = |percent: usize| took.get((took.len() * percent).div_ceil(100).saturating_sub(1));
    at(50).zip(at(95)).map(|(median, high)| (*median, *high))
}

/// Returns a command's position in the plot.
fn place(at: u64, (first, last): (u64, u64), took: u32, slowest: u32) -> (u64, u64) {
    let (width, height) = (PLOT.0 - 2 * MARGIN, PLOT.1 - 2 * MARGIN);
    let x = at.saturating_sub(first) * width / last.saturating_sub(first).max(1);
    let y = u64::from(took) * height / u64::from(slowest.max(1));
    (MARGIN + x.min(width), MARGIN + height - y.min(height))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::agents::AgentId;

    fn config(pairs: &[(&'static str, &str)]) -> Config {
        let of = |name| pairs.iter().find(|(own, _)| *own == name).map(|(_, value)| value.into());
        Config::read(of).unwrap()
    }

    fn entry(outcome: Outcome, took: u32, late: Option<u32>) -> RecordEntry {
        RecordEntry { begun: Instant::now(), agent: AgentId::DEFAULT, outcome, took, late }
    }

    #[test]
    fn every_way_to_end_has_words_of_its_own() {
        let mut words: Vec<_> = OUTCOMES.iter().map(|(outcome, _)| word(*outcome)).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Outcome::COUNT);
        assert!(!words.contains(&""));
    }

    #[test]
    fn what_stands_open_is_told_with_its_line() {
        let (key, lock) = (("API_KEY", "0123456789abcdef"), ("WEBHOOK_SECRET", "abcdefgh-_234567"));
        let ids = SeenIds { skill: Some("s1".into()), user: Some("u1".into()) };
        let lines = |pairs: &[(&'static str, &str)], told| -> Vec<_> {
            open(&config(pairs), told).into_iter().map(|open| open.line).collect()
        };
        assert_eq!(lines(&[key, lock], None), [None, None]);
        assert_eq!(
            lines(&[key, lock], Some(&ids)),
            [Some("ALICE_USER_IDS=u1".into()), Some("ALICE_SKILL_ID=s1".into())]
        );
        let closed = [lock, ("ALICE_USER_IDS", "u"), ("ALICE_SKILL_ID", "s")];
        assert!(lines(&[&closed[..], &[key]].concat(), Some(&ids)).is_empty());
        let generated = Some("API_KEY=<вывод openssl rand -hex 32>".to_owned());
        assert_eq!(lines(&closed, None), [generated]);
        let short = lines(&[&closed[..], &[("API_KEY", "short")]].concat(), None);
        assert!(matches!(&short[..], [Some(line)] if line.ends_with(",<старый ключ>")), "{short:?}");
    }

    #[test]
    fn the_proxy_is_seen_by_what_came_through_it() {
        assert_eq!(proxy(false, Upgrade::Never).0, Light::Yellow);
        assert_eq!(proxy(true, Upgrade::Never).0, Light::Yellow);
        assert_eq!(proxy(true, Upgrade::Came).0, Light::Green);
        assert_eq!(proxy(true, Upgrade::Lost).0, Light::Red);
    }

    #[test]
    fn a_pc_that_is_silent_for_longer_than_its_heartbeat_is_yellow() {
        let second = Duration::from_secs(1);
        let of = |silent| pc(100 * second, silent * second, 20 * second, None).0;
        assert_eq!([of(0), of(30), of(31)], [Light::Green, Light::Green, Light::Yellow]);
        let (_, says) = pc(second, second, second, Some(second / 4));
        assert_eq!(says, "На связи 1 секунду. Ответ на ping за 250 мс.");
    }

    #[test]
    fn percentiles_are_of_what_was_answered_and_by_the_nearest_rank() {
        assert_eq!(percentiles(&[]), None);
        assert_eq!(percentiles(&[entry(Outcome::TooLate, 4000, None)]), None);
        let all: Vec<_> = (1..=100).rev().map(|took| entry(Outcome::Answered, took, None)).collect();
        assert_eq!(percentiles(&all), Some((50, 95)));
        let late = entry(Outcome::TooLate, 4000, Some(9000));
        assert_eq!(percentiles(&[late, entry(Outcome::LinkLost, 1, None)]), Some((9000, 9000)));
    }

    #[test]
    fn every_place_is_within_the_plot() {
        for (at, span, took, slowest) in [
            (0, (0, 0), 0, 0),
            (5, (5, 9), 0, 7),
            (9, (5, 9), 7, 7),
            (u64::MAX / 1000, (0, 9), u32::MAX, 1),
        ] {
            let (x, y) = place(at, span, took, slowest);
            assert!((MARGIN..=PLOT.0 - MARGIN).contains(&x), "{x}");
            assert!((MARGIN..=PLOT.1 - MARGIN).contains(&y), "{y}");
        }
        assert_eq!(place(9, (5, 9), 7, 7), (PLOT.0 - MARGIN, MARGIN), "the newest and slowest");
    }
}
