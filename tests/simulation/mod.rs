//! The whole relay from one seed, in one thread: made-up clients, agents, clocks and losses drive the very
//! functions that the threads call.
//!
//! `SIMULATION_EVENTS` (a million) are spread over seeds that begin with `SIMULATION_SEED` (1). A run that
//! fails prints its seed; with that seed, and SIMULATION_EVENTS of one run alone, it fails again.

mod agents;
mod clients;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use world::World;

/// Events of one seed, and after that until all is quiet.
const EVENTS_EACH: u64 = 20_000;

#[test]
fn every_turn_has_one_reply_of_its_own_whatever_happens() {
    let setting = |name: &str, default: u64| {
        std::env::var(name).ok().map_or(default, |value| value.parse().expect("a number"))
    };
    let events = setting("SIMULATION_EVENTS", 1_000_000);
    let first = setting("SIMULATION_SEED", 1);
    let mut all = world::Counts::default();
    for seed in first..first + events.div_ceil(EVENTS_EACH) {
        let run = || {
            let mut world = World::new(seed);
            for _ in 0..EVENTS_EACH.min(events) {
                world.event();
            }
            world.come_to_rest();
            world.counts
        };
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(counts) => all.add(&counts),
            Err(panic) => {
                eprintln!("run it again: SIMULATION_SEED={seed} SIMULATION_EVENTS={EVENTS_EACH}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!("{all:?}");
    if events >= 100_000 {
        all.have_all_happened();
    }
}
