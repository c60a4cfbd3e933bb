//! What has happened while something was held against its model.

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// How often each thing happened.
pub type Seen = BTreeMap<&'static str, usize>;

/// Runs `perform` on so many histories; it returns how many steps a history had. Returns what was seen in all.
pub fn hold<H: std::fmt::Debug>(
    cases: u32,
    histories: &impl Strategy<Value = H>,
    perform: impl Fn(H, &mut Seen) -> usize,
) -> Seen {
    let seen = RefCell::default();
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let run = TestRunner::new(config).run(histories, |history| {
        let seen = &mut *seen.borrow_mut();
        let steps = perform(history, seen);
        *seen.entry("steps").or_default() += steps;
        Ok(())
    });
    if let Err(error) = run {
        panic!("{error}");
    }
    seen.into_inner()
}

/// Fails unless all of this was seen.
pub fn must_happen(seen: &Seen, what: &[&'static str]) {
    println!("{seen:?}");
    for what in what {
        assert!(seen.contains_key(what), "never: {what}: {seen:?}");
    }
}
