//! Made-up agents: the sockets under their links, the commands they have got, and what they answer.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::world::{asks_to_switch_on, pc_of};

use crate::agents::outbox::{Outbox, Wire};
use crate::agents::reader::Reader;

/// The socket under a link.
#[derive(Default)]
pub struct Socket {
    /// How much it takes; none is everything.
    pub room: Option<usize>,
    pub broken: bool,
    /// Ended by the relay.
    pub abort: bool,
    /// What waits for it to take more.
    pub awaited: Option<Arc<Outbox>>,
    /// What has come and is not yet a whole frame.
    received: Vec<u8>,
}

pub struct MadeUpWire(pub Arc<Mutex<Socket>>);

impl Wire for MadeUpWire {
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut socket = self.0.lock().unwrap();
        if socket.broken || socket.abort {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let sent = socket.room.unwrap_or(usize::MAX).min(bytes.len());
        socket.room = socket.room.map(|room| room - sent);
        socket.received.extend_from_slice(&bytes[..sent]);
        Ok(sent)
    }

    fn abort(&self) {
        self.0.lock().unwrap().abort = true;
    }

    fn await_room(&self, outbox: &Arc<Outbox>) -> bool {
        let mut socket = self.0.lock().unwrap();
        assert!(socket.awaited.is_none(), "it is waited for twice");
        socket.awaited = Some(outbox.clone());
        true
    }
}

/// What an agent meets on its link.
#[derive(Debug, PartialEq, Eq)]
pub enum Met {
    Command(String, u64),
    /// A command to wake another PC.
    Wake,
    Time,
    Ping,
    Close(u16),
}

/// An agent on a link.
pub struct Agent {
    pub reader: Reader,
    pub socket: Arc<Mutex<Socket>>,
    /// Commands that it has not answered: their ids, and the turns they are of.
    pub at_work: VecDeque<(String, u64)>,
    /// Commands that it has answered.
    pub answered: Vec<String>,
    /// It may be asked to wake others.
    pub has_said_its_cards: bool,
    /// It answers nothing, not even a ping.
    pub silent: bool,
}

impl Agent {
    /// Reads what has come. Every command is this PC's of those with these names, or wakes another one, and is one that
    /// `carried_out` does not hold yet.
    pub fn read(&mut self, carried_out: &mut BTreeSet<u64>, names: &[&str]) -> Vec<Met> {
        let mut met = Vec::new();
        let mut socket = self.socket.lock().unwrap();
        while let Some((opcode, payload, length)) = frame(&socket.received) {
            let payload = payload.to_vec();
            socket.received.drain(..length);
            met.push(match opcode {
                1 => {
                    let command: Value = serde_json::from_slice(&payload).expect("a command is JSON");
                    if command.get("now").is_some() && command.get("id").is_none() {
                        met.push(Met::Time);
                        continue;
                    }
                    let text = command["text"].as_str().expect("a command has a text");
                    let turn = match command["session"]["id"].as_str() {
                        Some(number) => number,
                        None => text.strip_prefix("команда ").expect("as it was said"),
                    };
                    let turn: u64 = turn.parse().expect("a turn's number");
                    let is_own = pc_of(names, turn) == self.reader.link.id.agent;
                    match asks_to_switch_on(names, turn) {
                        true => assert!(text == "включись" || text == "включи компьютер", "{text}"),
                        false => assert_eq!(text, format!("команда {turn}")),
                    }
                    let wakes = command.get("wake").is_some();
                    assert_eq!(is_own, !wakes, "said to another PC: {command}");
                    assert!(!wakes || (asks_to_switch_on(names, turn) && self.has_said_its_cards));
                    assert!(carried_out.insert(turn), "turn {turn} reaches an agent twice");
                    let id = command["id"].as_str().expect("a command has an id").to_owned();
                    self.at_work.push_back((id.clone(), turn));
                    if wakes { Met::Wake } else { Met::Command(id, turn) }
                }
                8 => Met::Close(u16::from_be_bytes([payload[0], payload[1]])),
                9 => Met::Ping,
                other => panic!("a frame with opcode {other}"),
            });
        }
        met
    }

    /// Whether the relay has ended its connection.
    pub fn is_cut(&self) -> bool {
        self.socket.lock().unwrap().abort
    }
}

/// The first whole frame of a server: its opcode, its payload, and how long all of it is.
fn frame(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let [first, second, ..] = *bytes else { return None };
    assert!(first & 0x70 == 0 && first & 0x80 != 0, "whole frames, without extensions");
    let (start, length) = match second {
        0..=125 => (2, usize::from(second)),
        126 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        _ => panic!("a server's frame is not masked, and none of ours is so long"),
    };
    let end = start + length;
    Some((first & 0x0f, bytes.get(start..end)?, end))
}
