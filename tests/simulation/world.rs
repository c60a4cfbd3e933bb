//! The world around one relay: what happens in it, and what must hold after each event.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use serde_json::json;
use tungstenite::Message;

use super::agents::{Agent, MadeUpWire, Met, Socket};
use super::clients::{MadeUp, SharedNet};
use crate::agents::encoder::Protocol;
use crate::agents::link::Link;
use crate::agents::poller;
use crate::agents::reader::Reader;
use crate::commands::in_flight::LinkId;
use crate::commands::{MAX_IN_FLIGHT, MAX_LATE, REMEMBERED_FOR};
use crate::config::Config;
use crate::config::agents::AgentId;
use crate::config::credentials::KeyMatch;
use crate::dialogs::webhook;
use crate::engine::{Engine, Env};
use crate::http::exchange::Exchange;
use crate::http::exchange::Job;

/// PCs, the first of which is meant when none is named.
const NAMES: [&str; 3] = ["компьютер", "ноутбук", "сервер"];

/// Clients and people that there are.
const PORTS: u64 = 40;
const PEOPLE: u64 = 5;

thread_local! {
    static NOW: Cell<Option<Instant>> = const { Cell::new(None) };
}

fn now() -> Instant {
    NOW.get().expect("a world is there")
}

/// How often each thing happened.
#[derive(Debug, Default)]
pub struct Counts {
    turns: u64,
    replies: u64,
    answers_in_time: u64,
    late_answers_told: u64,
    too_late: u64,
    link_lost: u64,
    no_agent: u64,
    losses_told: u64,
    dropped: u64,
    replaced: u64,
    pings: u64,
    closes: u64,
    unsent: u64,
    busy: u64,
    wakes: u64,
    nobody_wakes: u64,
}

impl Counts {
    fn all(&self) -> [(&'static str, u64); 16] {
        [
            ("turns", self.turns),
            ("replies", self.replies),
            ("answers in time", self.answers_in_time),
            ("late answers told", self.late_answers_told),
            ("too late", self.too_late),
            ("link lost", self.link_lost),
            ("no agent", self.no_agent),
            ("losses told", self.losses_told),
            ("dropped", self.dropped),
            ("replaced", self.replaced),
            ("pings", self.pings),
            ("closes", self.closes),
            ("unsent", self.unsent),
            ("busy", self.busy),
            ("wakes", self.wakes),
            ("times that nobody could wake", self.nobody_wakes),
        ]
    }

    pub fn add(&mut self, other: &Self) {
        self.turns += other.turns;
        self.replies += other.replies;
        self.answers_in_time += other.answers_in_time;
        self.late_answers_told += other.late_answers_told;
        self.too_late += other.too_late;
        self.link_lost += other.link_lost;
        self.no_agent += other.no_agent;
        self.losses_told += other.losses_told;
        self.dropped += other.dropped;
        self.replaced += other.replaced;
        self.pings += other.pings;
        self.closes += other.closes;
        self.unsent += other.unsent;
        self.busy += other.busy;
        self.wakes += other.wakes;
        self.nobody_wakes += other.nobody_wakes;
    }

    /// A simulation in which something never happens shows nothing about it.
    pub fn have_all_happened(&self) {
        for (what, count) in self.all() {
            assert!(count > 0, "there were no {what}: {self:?}");
        }
    }
}

/// Numbers that follow from a seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        (!of.is_empty()).then(|| of[self.below(of.len() as u64) as usize])
    }
}

pub struct World {
    pub counts: Counts,
    chance: Chance,
    engine: Engine,
    woken: Receiver<()>,
    /// When the clock wants to be called by itself.
    next_look: Option<Instant>,
    net: SharedNet,
    agents: Vec<Agent>,
    /// What the PCs are called.
    names: &'static [&'static str],
    next_link: u64,
    carried_out: BTreeSet<u64>,
    /// Nothing new begins any more.
    calm: bool,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let start = Instant::now();
        NOW.set(Some(start));
        let mut chance = Chance(seed);
        let reply_timeout = Duration::from_millis(100 + chance.below(5000));
        let is_several = chance.one_in(2);
        let names = if is_several { &NAMES[..] } else { &NAMES[..1] };
        let config = Config::read(|name| match name {
            "API_KEY" => Some("a-key-of-this-world".into()),
            "AGENTS" if is_several => {
                Some("ноутбук=key-of-the-notebook;сервер=key-of-the-server".into())
            }
            "REPLY_TIMEOUT_MS" => Some(reply_timeout.as_millis().to_string().into()),
            "HEARTBEAT_SECS" => Some("5".into()),
            _ => None,
        });
        let net = SharedNet::new(start, reply_timeout);
        let poller = poller::channel(1).expect("the system gives a descriptor").0;
        let env = Env { now: start, poller, wake: Box::new(|| {}) };
        let (engine, woken) = Engine::new(config.expect("it is right"), env).expect("random bytes");
        Self {
            counts: Counts::default(),
            chance,
            engine,
            woken,
            next_look: Some(start),
            net,
            agents: Vec::new(),
            names,
            next_link: 0,
            carried_out: BTreeSet::new(),
            calm: false,
        }
    }

    /// One thing happens, and then what follows from it.
    pub fn event(&mut self) {
        match self.chance.below(100) {
            0..20 => self.client(),
            20..48 => self.agent(),
            48..80 => self.hand_over(),
            80..88 => _ = self.worker(),
            _ => self.time_passes(),
        }
        self.clock();
        self.check();
    }

    fn client(&mut self) {
        let port = 1000 + self.chance.below(PORTS) as u16;
        let open: Vec<u64> = {
            let net = self.net.lock();
            let of_port = net.connections.values().filter(|c| c.peer.port() == port);
            of_port.filter(|c| !c.gone && !c.shut).map(|c| c.number).collect()
        };
        let Some(&connection) = open.first() else {
            self.net.lock().connect(port);
            return;
        };
        match self.chance.below(20) {
            // A reset, and the port is somebody else's at once, or later.
            0 if self.chance.one_in(4) => {
                self.net.lock().connections.get_mut(&connection).unwrap().gone = true;
                if self.chance.one_in(2) {
                    self.net.lock().connect(port);
                }
            }
            3 if self.chance.one_in(60) => {
                // A heap of turns one behind the other.
                for _ in 0..70 {
                    self.say(connection);
                }
            }
            _ => self.say(connection),
        }
    }

    fn say(&mut self, connection: u64) {
        let person = self.chance.below(PEOPLE) as u32;
        let command = !self.chance.one_in(5);
        self.net.lock().say(connection, person, command);
        self.counts.turns += 1;
    }

    /// tiny_http hands one request over, of any connection whose turn it is.
    fn hand_over(&mut self) {
        let to_be_read = self.net.lock().to_be_read();
        let Some(connection) = self.chance.pick(&to_be_read) else { return };
        let (peer, number) = self.net.lock().read(connection);
        let request = MadeUp { net: self.net.clone(), peer, connection, number };
        self.serve(number, Exchange::new(Box::new(request), self.engine.workers.clone()));
    }

    /// A worker takes what was handed over.
    fn worker(&mut self) -> bool {
        match self.engine.workers.ready() {
            Some(Job::Response(exchange, answer, is_last)) => exchange.respond_and(answer, is_last),
            Some(Job::Request(..)) => {
                panic!("nothing of that kind is in this world")
            }
            None => return false,
        }
        true
    }

    fn serve(&mut self, number: u64, exchange: Exchange) {
        let body = {
            let mut net = self.net.lock();
            let turn = net.turns.get_mut(&number).unwrap();
            turn.served = Some(now());
            let command =
                if turn.command { said_to(self.names, number) } else { "готово".into() };
            json!({
                "session": {
                    "session_id": number.to_string(), "user": { "user_id": turn.person.to_string() },
                },
                "request": { "command": command },
            })
        };
        webhook::serve(&self.engine, exchange, body.to_string().as_bytes(), now());
    }

    fn agent(&mut self) {
        if self.agents.len() < self.names.len() || (!self.calm && self.chance.one_in(500)) {
            if !self.calm {
                self.agent_comes();
            }
            return;
        }
        let number = self.chance.below(self.agents.len() as u64) as usize;
        let met = self.agents[number].read(&mut self.carried_out, self.names);
        self.counts.wakes += met.iter().filter(|met| **met == Met::Wake).count() as u64;
        self.counts.pings += met.iter().filter(|met| **met == Met::Ping).count() as u64;
        let is_closed = met.iter().any(|met| matches!(met, Met::Close(_)));
        self.counts.closes += u64::from(is_closed);
        let agent = &mut self.agents[number];
        let is_over = agent.is_cut() || (is_closed && !self.chance.one_in(3));
        if !agent.silent && met.contains(&Met::Ping) {
            self.engine.registry.hear(&agent.reader.link, now());
        }
        if is_over || self.chance.one_in(700) {
            return self.agent_goes(number);
        }
        match self.chance.below(12) {
            0 => self.room_for(number),
            1 if self.chance.one_in(10) => agent.silent = true,
            _ if agent.silent => {}
            2 if self.chance.one_in(20) => agent.socket.lock().unwrap().broken = true,
            3 if self.chance.one_in(4) => self.hello(number),
            3 => self.nonsense(number),
            4..7 => self.answer(number),
            _ => {}
        }
    }

    fn agent_comes(&mut self) {
        let socket = Arc::new(Mutex::new(Socket::default()));
        let place = self.chance.below(self.names.len() as u64) as u8;
        let id = LinkId::new(AgentId(place), self.next_link);
        self.next_link += 1;
        let wire = Box::new(MadeUpWire(socket.clone()));
        // Of several PCs a turn that switches one on is known by its session alone.
        let protocol = if self.names.len() > 1 { Protocol::V2 } else { Protocol::V1 };
        let mut link = Link::new(id, format!("agent {}", id.number), wire, protocol, now());
        link.from = Some([192, 0, 2, self.chance.below(2) as u8].into());
        let link = Arc::new(link);
        let before = self.engine.registry.current(id.agent);
        let registry = self.engine.registry.clone();
        let shown = KeyMatch { agent: id.agent, position: 1, of: 1 };
        assert!(registry.join(link.clone(), shown, now()).is_some());
        self.counts.replaced += u64::from(before.is_some());
        if self.chance.one_in(2) {
            // A turn may come between the agent's joining and the end of its handshake.
            self.hand_over();
        }
        link.outbox.open();
        let reader = Reader::new(link, registry);
        let (at_work, answered) = (Default::default(), Vec::new());
        let (has_said_its_cards, silent) = (false, false);
        self.agents.push(Agent { reader, socket, at_work, answered, has_said_its_cards, silent });
        if self.chance.one_in(2) {
            self.hello(self.agents.len() - 1);
        }
    }

    /// The agent's reader comes to its connection's end.
    fn agent_goes(&mut self, number: usize) {
        let mut agent = self.agents.swap_remove(number);
        // What lies in its socket may still be carried out.
        agent.read(&mut self.carried_out, self.names);
        agent.reader.leave("its connection ended", now());
        agent.reader.registry.reader_ended(&agent.reader.link);
        agent.socket.lock().unwrap().awaited = None;
    }

    /// The agent's socket takes so much more, or everything again.
    fn room_for(&mut self, number: usize) {
        let some = self.chance.below(40) as usize;
        let all = self.chance.one_in(2);
        let socket = self.agents[number].socket.clone();
        let awaited = {
            let mut socket = socket.lock().unwrap();
            socket.room = (!all).then_some(some);
            socket.awaited.take()
        };
        let Some(outbox) = awaited else { return };
        if let Some((_, true)) = outbox.resume() {
            socket.lock().unwrap().awaited = Some(outbox);
        }
    }

    fn answer(&mut self, number: usize) {
        let agent = &mut self.agents[number];
        // Any of those at work, mostly the oldest.
        let place = match self.chance.one_in(4) {
            true => self.chance.below(agent.at_work.len().max(1) as u64) as usize,
            false => 0,
        };
        let Some((id, turn)) = agent.at_work.remove(place) else { return };
        agent.answered.push(id.clone());
        let tts = self.chance.one_in(3).then(|| format!("отв+ет {turn}"));
        self.message(
            number,
            &json!({ "id": id, "text": format!("ответ {turn}"), "tts": tts }).to_string(),
        );
    }

    /// An agent tells of itself.
    fn hello(&mut self, number: usize) {
        let macs = if self.chance.one_in(4) { vec![] } else { vec!["00:00:5e:00:53:01"] };
        self.agents[number].has_said_its_cards = true;
        self.message(number, &json!({ "agent": "made up", "macs": macs }).to_string());
    }

    /// An answer twice, to a command of another link, to none, or no answer at all.
    fn nonsense(&mut self, number: usize) {
        let of_others = self.agents.iter().flat_map(|a| a.at_work.iter().map(|(id, _)| id.clone()));
        let own: Vec<_> = self.agents[number].at_work.iter().map(|(id, _)| id.clone()).collect();
        let mut ids: Vec<_> = of_others.filter(|id| !own.contains(id)).collect();
        ids.extend(self.agents[number].answered.last().cloned());
        ids.push("none".into());
        let id = ids.swap_remove(self.chance.below(ids.len() as u64) as usize);
        let message = match self.chance.one_in(3) {
            true => "no answer".to_owned(),
            false => json!({ "id": id, "text": "nobody must hear this" }).to_string(),
        };
        self.message(number, &message);
    }

    fn message(&mut self, number: usize, text: &str) {
        let agent = &mut self.agents[number];
        self.engine.registry.hear(&agent.reader.link, now());
        assert_eq!(agent.reader.take(Message::text(text.to_owned()), now()), None);
    }

    /// Threads are quick: before time passes, they have done what there is to do.
    fn time_passes(&mut self) {
        while self.worker() {}
        // What was served may have woken the clock.
        self.clock();
        let step = match self.chance.below(20) {
            0 => self.chance.below(if self.calm { 100_000 } else { 12_000 }),
            1..4 => self.chance.below(1000),
            _ => self.chance.below(40),
        };
        let mut end = now() + Duration::from_millis(step);
        // No thread sleeps past what the clock has to do.
        if let Some(look) = self.next_look {
            end = end.min(look.max(now()));
        }
        NOW.set(Some(end));
        self.net.lock().now = end;
    }

    fn clock(&mut self) {
        let is_rung = self.woken.try_recv().is_ok();
        if is_rung || self.next_look.is_some_and(|look| look <= now()) {
            self.next_look = self.engine.run_timers(now());
            // What the clock has decided is told before time goes on.
            while self.worker() {}
        }
    }

    fn check(&mut self) {
        let [in_flight, working, answers, losses] = self.engine.commands.sizes();
        assert!(in_flight <= MAX_IN_FLIGHT && working <= MAX_LATE && answers <= MAX_LATE);
        assert!(losses <= MAX_LATE);
        let [links, closing] = self.engine.registry.sizes();
        let most = self.names.len();
        assert!(links <= most && closing <= most * crate::agents::registry::MAX_CLOSING);
        if self.chance.one_in(500) {
            self.forget();
        }
    }

    /// Counts the turns that are over, and forgets them and their connections.
    fn forget(&mut self) {
        let net = self.net.clone();
        let mut net = net.lock();
        let is_over = |turn: &super::clients::Turn| turn.reply.is_some() || turn.dropped;
        let old = now().checked_sub(3 * REMEMBERED_FOR);
        let done: Vec<u64> = net
            .turns
            .iter()
            .filter(|(_, turn)| {
                is_over(turn) && turn.served.is_none_or(|at| old.is_some_and(|o| at < o))
            })
            .map(|(number, _)| *number)
            .collect();
        for number in done {
            let turn = net.turns.remove(&number).unwrap();
            self.count(number, &turn);
        }
        let still_needed: BTreeSet<u64> = net.turns.keys().copied().collect();
        net.connections.retain(|_, c| {
            !(c.gone || c.shut) || c.open.iter().any(|number| still_needed.contains(number))
        });
    }

    fn count(&mut self, number: u64, turn: &super::clients::Turn) {
        let Some((said, _)) = &turn.reply else {
            self.counts.dropped += 1;
            return;
        };
        let is_told_unsent = ["не отправлена", "не на связи", "разбудить некому"];
        let is_told_unsent = is_told_unsent.iter().any(|words| said.contains(words));
        assert!(
            !(is_told_unsent && self.carried_out.contains(&number)),
            "turn {number} was carried out, and is told: {said}"
        );
        let counts = &mut self.counts;
        counts.replies += 1;
        let answers = said.matches("ответ ").count() as u64;
        if turn.command && answers > 0 {
            counts.answers_in_time += 1;
            counts.late_answers_told += answers - 1;
        } else {
            counts.late_answers_told += answers;
        }
        let says = |words: &str| u64::from(said.contains(words));
        counts.too_late += says("ещё выполняет команду") + says("команда ещё выполняется.");
        counts.link_lost += says("прервалась. Возможно");
        counts.unsent += says("команда не отправлена");
        counts.busy += says("занят или спит");
        counts.no_agent += says("не на связи");
        counts.nobody_wakes += says("разбудить некому");
        counts.losses_told += says("прервалась, пока") + says("так и не") + says("пропала");
    }

    /// Everybody goes, and when all is quiet nothing is left anywhere.
    pub fn come_to_rest(&mut self) {
        self.calm = true;
        // Turns that stand one behind the other wait one after the other.
        let mut steps = 0;
        while self.net.lock().connections.values().any(|c| c.waits()) {
            steps += 1;
            assert!(steps < 1_000_000, "turns wait for ever");
            match self.chance.below(4) {
                0 => self.hand_over(),
                1 => self.agent(),
                2 => _ = self.worker(),
                _ => self.time_passes(),
            }
            self.clock();
        }
        while !self.agents.is_empty() {
            self.agent_goes(0);
        }
        for _ in 0..3 {
            self.time_passes();
            let later = now() + 2 * REMEMBERED_FOR;
            NOW.set(Some(later));
            self.net.lock().now = later;
            self.next_look = Some(later);
            self.clock();
            for connection in self.net.lock().connections.values_mut() {
                connection.gone = true;
            }
        }
        assert_eq!(self.engine.commands.sizes(), [0; 4], "commands are left");
        assert_eq!(self.engine.registry.sizes(), [0; 2], "links are left");
        let turns = std::mem::take(&mut self.net.lock().turns);
        for (number, turn) in &turns {
            assert!(turn.reply.is_some() || turn.dropped, "turn {number} has no reply: {turn:?}");
            self.count(*number, turn);
        }
    }
}

/// Returns whose turn this is, when there are these PCs: each has some.
pub fn pc_of(names: &[&str], turn: u64) -> AgentId {
    AgentId((turn % names.len() as u64) as u8)
}

/// Whether a turn asks for its PC to be switched on.
pub fn asks_to_switch_on(names: &[&str], turn: u64) -> bool {
    names.len() > 1 && turn % 16 >= 14
}

/// Returns a command's words, with the PC that is meant at its beginning, at its end, or not named at all.
fn said_to(names: &[&str], turn: u64) -> String {
    let name = names[usize::from(pc_of(names, turn).0)];
    match turn % 4 {
        _ if names.len() == 1 => format!("команда {turn}"),
        _ if asks_to_switch_on(names, turn) => match pc_of(names, turn) {
            AgentId::DEFAULT => "включи компьютер".into(),
            _ => format!("{name} включись"),
        },
        0 | 1 if pc_of(names, turn) == AgentId::DEFAULT => format!("команда {turn}"),
        0 => format!("{name} команда {turn}"),
        1 => format!("на {name}е команда {turn}"),
        _ => format!("команда {turn} на {name}е"),
    }
}
