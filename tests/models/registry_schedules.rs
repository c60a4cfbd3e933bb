//! The registry, its links and the commands under shuttle: threads that say something, hear, answer, join, leave and keep
//! time, in thousands of schedules. Run by `cargo test --features shuttle --lib schedules`.

use shuttle::thread::{JoinHandle, spawn};

use super::*;
use crate::agents::probe::{ALIVE_FOR, PROBE_TIMEOUT};
use crate::speech::Speech;
use links::{ONE, OTHER, Socket, World};

#[path = "links.rs"]
mod links;

const SCHEDULES: usize = 3_000;

/// A turn that says this many commands, one after the other, to the link that it finds.
fn turn(world: &World, commands: usize, now: Instant) -> JoinHandle<Vec<String>> {
    let world = world.clone();
    spawn(move || {
        let say = |_| world.registry.current(ONE).map(|link| world.say(&link, now));
        (0..commands).filter_map(say).collect()
    })
}

/// The agent on a link: something comes from it, unless it `is_dumb`, it answers what it has got, and leaves.
fn agent(
    world: &World,
    (link, socket): &(Arc<Link>, Socket),
    is_dumb: bool,
    now: Instant,
) -> JoinHandle<()> {
    let (world, link, socket) = (world.clone(), link.clone(), socket.clone());
    spawn(move || {
        if !is_dumb {
            world.registry.hear(&link, now);
        }
        for id in socket.got() {
            world.commands.answer(link.id, &id, Speech::new("done"), now);
        }
        world.leave(&link, now);
    })
}

/// Links come, leave and are replaced while turns on a quiet line and on one in use send to them.
fn schedule(is_dumb: bool, is_replaced: bool) {
    let world = World::new();
    let later = world.start + ALIVE_FOR;
    let first = world.come(ONE, 1);
    let turns = [turn(&world, 2, later), turn(&world, 2, world.start)];
    let reader = agent(&world, &first, is_dumb, later);
    let clock = {
        let world = world.clone();
        spawn(move || {
            world.registry.run_timers(later);
        })
    };
    let second = is_replaced.then(|| world.come(ONE, 2));
    let said = turns.map(|turn| turn.join().unwrap());
    [reader, clock].into_iter().for_each(|thread| thread.join().unwrap());
    // All is quiet, and nobody is there any more. No deadline has come.
    second.iter().for_each(|(link, _)| world.leave(link, later));
    world.registry.run_timers(later);
    let got = [Some(&first), second.as_ref()].map(|link| link.map_or(Vec::new(), |(_, s)| s.got()));
    let got = got.concat();
    for ids in said {
        for id in &ids {
            let end = world.end_of(id).unwrap_or_else(|| panic!("{id} waits for a link that has left"));
            let has_come = got.contains(id);
            assert!(
                !(end.starts_with("Unsent") && has_come),
                "{id} was carried out, and is told {end}"
            );
            assert!(has_come || !end.starts_with("Answered"), "{id} {end}");
        }
        let places: Vec<_> = ids.iter().filter_map(|id| got.iter().position(|of| of == id)).collect();
        assert!(places.is_sorted(), "{ids:?} have come as {got:?}");
    }
    assert_eq!((world.commands.in_flight(), world.registry.sizes()), (0, [0, 0]));
}

#[test]
fn each_command_is_told_once_and_truly_whenever_its_link_leaves() {
    shuttle::check_random(|| schedule(false, false), SCHEDULES);
    shuttle::check_random(|| schedule(true, false), SCHEDULES);
}

#[test]
fn each_command_is_told_once_and_truly_whenever_its_link_is_replaced() {
    shuttle::check_random(|| schedule(false, true), SCHEDULES);
    shuttle::check_random(|| schedule(true, true), SCHEDULES);
}

#[test]
fn a_link_that_leaves_hides_no_other_from_the_clock() {
    let schedule = || {
        let world = World::new();
        let later = world.start + ALIVE_FOR;
        let (leaving, _) = world.come(ONE, 1);
        let (quiet, _) = world.come(OTHER, 2);
        let id = world.say(&quiet, later);
        let reader = {
            let world = world.clone();
            spawn(move || world.leave(&leaving, later))
        };
        world.registry.run_timers(later + PROBE_TIMEOUT);
        assert_eq!(world.end_of(&id).as_deref(), Some("Unsent(Silent)"));
        reader.join().unwrap();
    };
    shuttle::check_random(schedule, SCHEDULES);
}
