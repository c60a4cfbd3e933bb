//! One connection against a model: a client that pipelines, a thread that reads, workers that answer.

use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// What may happen, in any order. What can't happen at a moment is passed over.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// The thread that reads does what is next; a request says whether it is the last.
    Read { is_last: bool },
    /// A worker is about to write the answer.
    BeginResponse,
    /// One that was written is out.
    ResponseSent,
    /// The client ends, or room is needed.
    Cut,
    /// Time passes.
    Wait,
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => any::<bool>().prop_map(|x| Event::Read { is_last: x }),
        4 => Just(Event::Read { is_last: false }),
        6 => Just(Event::BeginResponse),
        5 => Just(Event::ResponseSent),
        1 => Just(Event::Cut),
        2 => Just(Event::Wait),
    ]
}

/// What a bystander knows.
#[derive(Default)]
struct Model {
    /// The request that is with the relay.
    in_flight: Option<u8>,
    /// What tiny_http has not heard of it.
    unheard: VecDeque<u8>,
    writing: usize,
    /// Nothing comes any more: cut, told, or the last answer is out.
    is_over: bool,
    is_told: bool,
    /// The request under way, or the last one, ends the connection, as tiny_http knows.
    is_last: bool,
    count: u8,
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_request_is_with_the_relay_at_a_time_and_nothing_comes_behind_the_end(
        events in proptest::collection::vec(any_event(), 0..60),
    ) {
        let start = Instant::now();
        let (mut now, mut since) = (start, start);
        let mut connection = Connection::new(start);
        let mut model = Model::default();
        for event in events {
            match event {
                Event::Wait => now += Duration::from_secs(1),
                Event::Cut => {
                    connection.cut();
                    model.is_over = true;
                }
                Event::BeginResponse if model.in_flight.is_some() && model.unheard.is_empty() => {
                    model.in_flight = None;
                    let goes_on = connection.begin_response(now);
                    prop_assert_eq!(goes_on, !(model.is_over || model.is_last));
                    if goes_on {
                        since = now;
                        model.writing += 1;
                    } else {
                        prop_assert_eq!(connection.finish(), model.is_told || model.is_last);
                        model.is_over = true;
                    }
                }
                Event::ResponseSent if model.writing > 0 => {
                    connection.response_sent();
                    model.writing -= 1;
                }
                Event::Read { is_last } => match connection.next() {
                    NextStep::Give => {
                        let mut buffer = [MaybeUninit::uninit(); 2];
                        let taken = connection.give(&mut buffer);
                        prop_assert!(taken > 0 && taken <= 2);
                        model.unheard.drain(..taken);
                        prop_assert!(!model.is_over);
                    }
                    NextStep::Wait => {
                        prop_assert!(model.in_flight.is_some() || model.writing == MAX_WRITING);
                        prop_assert!(model.unheard.is_empty() && !model.is_over);
                    }
                    NextStep::Read => {
                        prop_assert!(model.in_flight.is_none() && model.writing < MAX_WRITING);
                        prop_assert!(!(model.is_over || model.is_last));
                        prop_assert_eq!(connection.begin_reading().since, since);
                        model.count += 1;
                        let ending = if is_last { Ending::Closes } else { Ending::Stays };
                        let (head, body) = (vec![model.count; 3], vec![model.count]);
                        connection.deliver(Delivery { head, body, ending, ..Delivery::default() });
                        (model.in_flight, model.is_last) = (Some(model.count), is_last);
                        model.unheard = [model.count; 3].into();
                        prop_assert_eq!(connection.take_body().0, [model.count]);
                    }
                    NextStep::End => {
                        prop_assert!(model.is_over);
                        // What tiny_http has not heard the whole head of is nobody's.
                        if !model.unheard.is_empty() {
                            (model.in_flight, model.unheard) = (None, VecDeque::new());
                        }
                        prop_assert_eq!(connection.tell_end(), model.in_flight.is_none());
                        model.is_told = true;
                    }
                },
                _ => {}
            }
            let waits = model.in_flight.is_none() && !model.is_over;
            prop_assert_eq!(connection.waits_since(), waits.then_some(since));
            prop_assert_eq!(connection.is_writing(), model.writing > 0 && !model.is_over);
        }
    }
}

#[test]
fn what_comes_before_its_turn_is_kept_and_read_first() {
    let start = Instant::now();
    let mut connection = Connection::new(start);
    let (head, body, behind, ending) = (vec![1], Vec::new(), vec![2], Ending::Stays);
    connection.deliver(Delivery { head, body, behind, ending, upgrades: false });
    assert!(!connection.has_nothing_behind());
    connection.keep(&[3], start);
    assert_eq!(connection.give(&mut [MaybeUninit::uninit(); 9]), 1);
    let later = start + Duration::from_secs(5);
    assert!(connection.begin_response(later));
    let Start { early, began, since, has_asked } = connection.begin_reading();
    assert_eq!((early, began, since, has_asked), (vec![2, 3], later, later, true));
    assert!(connection.has_nothing_behind());
}

#[test]
fn what_is_held_is_let_go_of_with_the_body() {
    let mut connection = Connection::new(Instant::now());
    let (head, body, behind, ending) = (vec![1], vec![0; 1000], vec![0; 10], Ending::Stays);
    let request = Delivery { head, body, behind, ending, upgrades: false };
    assert_eq!(request.held(), 1011);
    connection.deliver(request);
    connection.give(&mut [MaybeUninit::uninit()]);
    assert_eq!(connection.take_body(), (vec![0; 1000], 10));
    connection.cut();
    connection.deliver(Delivery { body: vec![0; 1000], ..Delivery::default() });
    assert_eq!(
        (connection.take_body().0.len(), connection.next()),
        (0, NextStep::End),
        "it came too late"
    );
}
