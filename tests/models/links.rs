//! Links, their registry and the commands on them, over sockets that a test has made up.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::agents::encoder::{CommandEncoder, Protocol};
use crate::agents::link::Link;
use crate::agents::outbox::{Outbox, Wire};
use crate::agents::probe::{PROBE_TIMEOUT, QueuedCommand};
use crate::agents::registry::Registry;
use crate::commands::in_flight::{LinkId, NewCommand};
use crate::commands::{CommandRef, Commands, Completion, Responder};
use crate::config::agents::{AgentId, Agents};
use crate::config::credentials::KeyMatch;
use crate::runtime::clock::waker;
use crate::sync::{Mutex, lock};

/// Two PCs.
pub const ONE: AgentId = AgentId(0);
pub const OTHER: AgentId = AgentId(1);

/// How long a command may take.
pub const PATIENCE: Duration = Duration::from_secs(4);

/// The ids of the commands that an agent has got, in order.
#[derive(Clone, Default)]
pub struct Socket(Arc<Mutex<Vec<String>>>);

impl Socket {
    pub fn got(&self) -> Vec<String> {
        lock(&self.0).clone()
    }
}

impl Wire for Socket {
    /// Takes everything: whole frames, each shorter than 126 bytes.
    fn send(&self, mut bytes: &[u8]) -> io::Result<usize> {
        let (sent, mut got) = (bytes.len(), lock(&self.0));
        while let [head, length, rest @ ..] = bytes {
            let (payload, behind) = rest.split_at(usize::from(*length));
            if *head == 0x81 {
                got.push(String::from_utf8(payload.to_vec()).unwrap());
            }
            bytes = behind;
        }
        Ok(sent)
    }

    fn abort(&self) {}

    fn await_room(&self, _: &Arc<Outbox>) -> bool {
        true
    }
}

/// What was told of commands: their ids and how they ended.
type Ends = Arc<Mutex<Vec<(String, String)>>>;

struct MadeUp(Ends);

impl Responder for MadeUp {
    fn complete(
        self: Box<Self>,
        ended: Completion,
        of: Option<CommandRef<'_>>,
        _: &Commands,
        _: Instant,
    ) {
        lock(&self.0).push((of.unwrap().id.to_owned(), format!("{ended:?}")));
    }
}

#[derive(Clone)]
pub struct World {
    pub registry: Arc<Registry>,
    pub commands: Arc<Commands>,
    ends: Ends,
    pub start: Instant,
}

impl World {
    pub fn new() -> Self {
        let (waker, _) = waker();
        let entries = Some(("AGENTS", "ноутбук=0123456789abcdef".to_owned()));
        let names = Agents::read(None, entries, &[]).unwrap().names();
        let commands = Arc::new(Commands::new("p".into(), names, waker.clone()));
        let heartbeat = Duration::from_secs(20);
        let registry = Registry::new(heartbeat, commands.clone(), CommandEncoder::new(None), waker);
        let (registry, ends) = (Arc::new(registry), Ends::default());
        Self { registry, commands, ends, start: Instant::now() }
    }

    /// An agent comes.
    pub fn come(&self, agent: AgentId, number: u64) -> (Arc<Link>, Socket) {
        let (id, socket) = (LinkId::new(agent, number), Socket::default());
        let wire = Box::new(socket.clone());
        let link = Arc::new(Link::new(id, "peer".into(), wire, Protocol::V1, self.start));
        let shown = KeyMatch { agent, position: 1, of: 1 };
        assert!(self.registry.join(link.clone(), shown, self.start).is_some());
        link.outbox.open();
        (link, socket)
    }

    /// The reader of a link comes to its end.
    pub fn leave(&self, link: &Arc<Link>, now: Instant) {
        self.registry.link_ended(link, "the end", now);
        self.registry.reader_ended(link);
    }

    /// Sends a command on a link that was the agent's a moment ago. Returns its id, which is all that it says.
    pub fn say(&self, link: &Link, now: Instant) -> String {
        let (agent, deadline) = (link.id.agent, now + PATIENCE);
        let responder: Box<dyn Responder> = Box::new(MadeUp(self.ends.clone()));
        let new = NewCommand { agent, link: link.id, begun: now, deadline, person: None, responder };
        let id = self.commands.begin(new).unwrap();
        let (message, patience) = (id.clone(), PROBE_TIMEOUT);
        let unsent = QueuedCommand { id: id.clone(), message, since: now, patience, deadline };
        self.registry.send(link, unsent, now);
        id
    }

    /// Returns how this command ended, if it has; none ends twice.
    pub fn end_of(&self, id: &str) -> Option<String> {
        let ends = lock(&self.ends);
        let mut its = ends.iter().filter(|(of, _)| of == id).map(|(_, how)| how.clone());
        let end = its.next();
        assert_eq!(its.next(), None, "{id} was told {end:?} before");
        end
    }
}
