//! Memory that a load has left behind is given back.

use std::time::{Duration, Instant};

use crate::support;
use crate::support::{Relay, turn};

#[test]
fn what_a_load_has_left_behind_is_given_back_within_half_a_minute() {
    let relay = Relay::start(&[]);
    let _agent = relay.agent().echo_for_ever("");
    let body = turn(&"длинно ".repeat(1000)).to_string();
    let mut clients: Vec<_> = (0..200).map(|_| relay.http()).collect();
    for _ in 0..5 {
        clients.iter_mut().for_each(|client| client.send_post(&body));
        clients.iter_mut().for_each(|client| assert_eq!(client.response().status, 200));
    }
    drop(clients);
    // tiny_http keeps idle threads for 5 s, and their stacks go with them.
    support::until("the threads are gone", || relay.figure("Threads") < 30);
    let before = relay.figure("VmRSS");
    let end = Instant::now() + Duration::from_secs(40);
    while relay.figure("VmRSS") + 300 > before {
        assert!(Instant::now() < end, "{before} kB, and still {} kB", relay.figure("VmRSS"));
        std::thread::sleep(Duration::from_millis(100));
    }
}
