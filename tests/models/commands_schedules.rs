//! The commands under shuttle: two turns of one person that are told what is kept, while more comes, in thousands of
//! schedules. Run by `cargo test --features shuttle --lib schedules`.

use std::sync::Arc;

use shuttle::thread::spawn;

use super::*;
use crate::runtime::clock::waker;

const SCHEDULES: usize = 4_000;

const LINK: LinkId = LinkId::new(AgentId::DEFAULT, 1);

struct Nobody;

impl Responder for Nobody {
    fn complete(self: Box<Self>, _: Completion, _: Option<CommandRef<'_>>, _: &Commands, _: Instant) {}
}

/// A command that misses its turn. Returns its id.
fn be_late(commands: &Commands, now: Instant) -> String {
    let responder: Box<dyn Responder> = Box::new(Nobody);
    let (agent, person) = (LINK.agent, Some(Person::Ask));
    let new = NewCommand { agent, link: LINK, begun: now, deadline: now, person, responder };
    let id = commands.begin(new).unwrap();
    commands.send(&id, now, || Ok::<(), ()>(()));
    commands.run_timers(now);
    id
}

/// One turn, which has room for so many items. Returns those that it has told.
fn turn(commands: &Commands, room: usize, now: Instant) -> Vec<String> {
    let mut told = Vec::new();
    commands.offer(&Person::Ask, None, now, &mut |items| {
        shuttle::thread::yield_now();
        told = items.iter().take(room).map(|item| format!("{item:?}")).collect();
        told.len()
    });
    told
}

#[test]
fn each_late_answer_is_told_once_whoever_asks_meanwhile() {
    let schedule = || {
        let (waker, _) = waker();
        let commands = Arc::new(Commands::new("p".into(), Names::default(), waker));
        let now = Instant::now();
        let ids: Vec<_> = (0..4).map(|_| be_late(&commands, now)).collect();
        let answer = |commands: &Commands, number: usize| {
            commands.answer(LINK, &ids[number], Speech::new(&format!("answer {number}")), now);
        };
        (0..2).for_each(|number| answer(&commands, number));
        let turns = [1, 2].map(|room| {
            let commands = commands.clone();
            spawn(move || turn(&commands, room, now))
        });
        answer(&commands, 2);
        commands.lose(LINK, now);
        let mut told = turns.map(|turn| turn.join().unwrap()).concat();
        told.extend(turn(&commands, usize::MAX, now));
        assert_eq!(told.len(), 4, "three answers and the loss of the fourth: {told:?}");
        for what in ["answer 0", "answer 1", "answer 2", "Loss"] {
            assert_eq!(told.iter().filter(|item| item.contains(what)).count(), 1, "{what}: {told:?}");
        }
        assert_eq!(commands.sizes(), [0; 4]);
    };
    shuttle::check_random(schedule, SCHEDULES);
}
