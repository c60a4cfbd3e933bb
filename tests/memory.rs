//! Memory that a load has left behind is given back.

use std::time::{Duration, Instant};

use crate::support::{Relay, turn};

#[test]
fn what_a_load_has_left_behind_is_given_back_within_half_a_minute() {
    let relay = Relay::start(&[]);
    let _agent = relay.agent().echo_for_ever("");
    let idle = relay.figure("VmRSS");
    let body = turn(&"длинно ".repeat(1000)).to_string();
    let mut clients: Vec<_> = (0..200).map(|_| relay.http()).collect();
    for _ in 0..5 {
        clients.iter_mut().for_each(|client| client.send_post(&body));
        clients.iter_mut().for_each(|client| assert_eq!(client.response().status, 200));
    }
    let loaded = relay.figure("VmRSS");
    drop(clients);
    // tiny_http's threads and their stacks end by themselves after 5 s, which is a third of it.
    let end = Instant::now() + Duration::from_secs(40);
    while relay.figure("VmRSS") > idle + (loaded - idle) / 3 {
        assert!(Instant::now() < end, "{idle} kB, {loaded} kB, still {} kB", relay.figure("VmRSS"));
        std::thread::sleep(Duration::from_millis(100));
    }
}
