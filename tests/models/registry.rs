//! Links that come, leave and are replaced while commands are on their way to them.

use super::*;
use crate::agents::probe::{ALIVE_FOR, PROBE_TIMEOUT};
use links::{ONE, OTHER, World};

#[path = "links.rs"]
mod links;

#[test]
fn a_command_for_a_link_that_has_just_left_is_told_so_at_once() {
    for quiet_for in [Duration::ZERO, ALIVE_FOR] {
        for is_replaced in [false, true] {
            let world = World::new();
            let (link, socket) = world.come(ONE, 1);
            let now = world.start + quiet_for;
            match is_replaced {
                true => drop(world.come(ONE, 2)),
                false => world.leave(&link, now),
            }
            let id = world.say(&link, now);
            assert_eq!(world.end_of(&id).as_deref(), Some("Unsent(LinkLost)"), "{quiet_for:?}");
            world.registry.hear(&link, now);
            assert!(socket.got().is_empty(), "it must not happen later");
        }
    }
}

#[test]
fn a_link_that_was_silent_or_is_told_goodbye_takes_no_command() {
    let world = World::new();
    let (link, _) = world.come(ONE, 1);
    let later = world.start + Duration::from_secs(60);
    world.registry.run_timers(later);
    let id = world.say(&link, later);
    assert_eq!(world.end_of(&id).as_deref(), Some("Unsent(LinkLost)"));
    let (link, _) = world.come(ONE, 2);
    world.registry.stop(later);
    let id = world.say(&link, later);
    assert_eq!(world.end_of(&id).as_deref(), Some("Unsent(LinkLost)"));
}

#[test]
fn commands_that_waited_go_out_in_order_before_those_that_come_later() {
    let world = World::new();
    let (link, socket) = world.come(ONE, 1);
    let later = world.start + ALIVE_FOR;
    let mut ids = vec![world.say(&link, later), world.say(&link, later)];
    assert!(socket.got().is_empty());
    world.registry.hear(&link, later);
    ids.push(world.say(&link, later));
    assert_eq!(socket.got(), ids);
}

#[test]
fn each_quiet_link_gives_up_its_own_commands() {
    let world = World::new();
    let links = [ONE, OTHER].map(|agent| world.come(agent, agent.0.into()).0);
    let later = world.start + ALIVE_FOR;
    let ids = links.map(|link| world.say(&link, later));
    world.registry.run_timers(later + PROBE_TIMEOUT);
    for id in ids {
        assert_eq!(world.end_of(&id).as_deref(), Some("Unsent(Silent)"));
    }
}
