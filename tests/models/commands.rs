//! The table of commands against a naive model: one flat list of all commands that there ever were, each
//! with its state, which every question goes through from the start.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::commands::late_answers::Item;
use crate::commands::late_answers::{Loss, Taken};
use crate::commands::person::Person;
use crate::config::agents::AgentId;
use crate::seen::{Seen, hold, must_happen};

const SECOND: Duration = Duration::from_secs(1);
const LINKS: u64 = 3;

/// A run in which one of these never happens shows nothing about it.
const MUST_HAPPEN: [&str; 27] = [
    "begun",
    "one too many",
    "the clock is woken",
    "the clock need not be woken",
    "sent",
    "not sent, since it has ended",
    "taken",
    "withdrawn",
    "not withdrawn, since it was sent or has ended",
    "answered in time",
    "answered before it was sent",
    "answered on another link",
    "answered late",
    "answered for nobody",
    "expired unsent",
    "expired, nobody's",
    "expired while the relay is stopping",
    "expired, and goes on",
    "lost under way",
    "lost at work",
    "gave way to a newer one",
    "a loss gave way",
    "some of it was told",
    "came while something was being told",
    "put back before what came meanwhile",
    "found its room taken",
    "a loss of one command was told",
];

/// Who may ask. An account and a device of the same name are two people.
fn people() -> [Option<Person>; 4] {
    [None, Some(Person::Account("a".into())), Some(Person::Device("a".into())), Some(Person::Ask)]
}

/// A link with this number. Two agents have them in turn.
fn link_of(number: u64) -> LinkId {
    LinkId::new(AgentId((number % 2) as u8), number)
}

/// One of the commands that are in one of these states.
#[derive(Debug, Clone)]
struct Which {
    index: Index,
    of: &'static [State],
}

#[derive(Debug, Clone)]
enum Operation {
    Begin { link: u64, agent: u8, person: usize, seconds: u64, is_sent: bool },
    Send(Which),
    TakeBack(Which),
    Withdraw(Which),
    Answer { which: Which, other_link: Option<u64> },
    Lose { link: u64 },
    RunTimers,
    Take { person: usize, only: Option<Which> },
    PutBack { which: Index, told: Index },
    Close,
    Wait { seconds: u64 },
}

fn which() -> impl Strategy<Value = Which> {
    use State::{AtWork, Kept, Over, Sent, Unsent};
    let of: [&[State]; 3] = [&[Unsent, Sent], &[AtWork, Kept], &[Unsent, Sent, AtWork, Kept, Over]];
    (any::<Index>(), prop::sample::select(of.to_vec())).prop_map(|(index, of)| Which { index, of })
}

/// Bounds so small that each is reached all the time, and what is done within them.
fn histories() -> impl Strategy<Value = (usize, LateLimits, Vec<Operation>)> {
    use Operation::{
        Answer, Begin, Close, Lose, PutBack, RunTimers, Send, Take, TakeBack, Wait, Withdraw,
    };
    let bounds = (1..7usize, 1..4usize, 1..60u64).prop_map(|(total, each, seconds)| {
        let lifetime = Duration::from_secs(seconds);
        LateLimits { total, each, lifetime }
    });
    let person = prop_oneof![1 => Just(0), 7 => 1..people().len()];
    let operation = prop_oneof![
        16 => (0..LINKS, 0..2u8, person, 0..6u64, prop::bool::weighted(0.7)).prop_map(
            |(link, agent, person, seconds, is_sent)| Begin { link, agent, person, seconds, is_sent }
        ),
        6 => which().prop_map(Send),
        2 => which().prop_map(TakeBack),
        2 => which().prop_map(Withdraw),
        10 => (which(), prop::option::weighted(0.2, 0..LINKS))
            .prop_map(|(which, other_link)| Answer { which, other_link }),
        2 => (0..LINKS).prop_map(|link| Lose { link }),
        10 => Just(RunTimers),
        6 => (1..people().len(), prop::option::weighted(0.2, which()))
            .prop_map(|(person, only)| Take { person, only }),
        3 => (any::<Index>(), any::<Index>()).prop_map(|(which, told)| PutBack { which, told }),
        8 => (0..5u64).prop_map(|seconds| Wait { seconds }),
    ];
    // Nothing becomes late any more once the relay is stopping, so it stops near the end, if at all.
    let end = prop::option::of(vec(operation.clone(), 0..20));
    let operations = (vec(operation, 0..150), end).prop_map(|(mut operations, end)| {
        if let Some(end) = end {
            operations.push(Close);
            operations.extend(end);
        }
        operations
    });
    (1..9usize, bounds, operations)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unsent,
    Sent,
    /// Its turn is over, and it was sent for somebody.
    AtWork,
    /// It was answered after that.
    Kept,
    /// Its answer is being told.
    Out,
    Over,
}

/// One command, from its beginning on.
struct Record {
    id: String,
    /// Which PC it is about, whosever link carries it.
    agent: AgentId,
    link: LinkId,
    begun: Instant,
    person: Option<Person>,
    state: State,
    /// When this state ends by itself.
    until: Instant,
    /// The how manieth change of all brought it where it stands among those of its state.
    place: usize,
    answer: usize,
}

#[derive(Clone)]
struct Lost {
    person: Person,
    agent: AgentId,
    loss: Loss,
    until: Instant,
    place: usize,
}

struct Model {
    most: usize,
    bounds: LateLimits,
    records: Vec<Record>,
    losses: Vec<Lost>,
    closing: bool,
    changes: usize,
    came: u64,
    told: u64,
}

impl Model {
    /// All that are in one of these states, the one that has been in it for longest first.
    fn all(&self, states: &[State]) -> Vec<usize> {
        let is_in = |&number: &usize| states.contains(&self.records[number].state);
        let mut found: Vec<_> = (0..self.records.len()).filter(is_in).collect();
        found.sort_by_key(|&number| self.records[number].place);
        found
    }

    fn in_flight(&self) -> Vec<usize> {
        self.all(&[State::Unsent, State::Sent])
    }

    fn change(&mut self, number: usize, state: State, until: Instant) {
        self.changes += 1;
        let record = &mut self.records[number];
        (record.state, record.until, record.place) = (state, until, self.changes);
    }

    /// Who asked, and which PC it is about.
    fn key(&self, number: usize) -> (Option<&Person>, AgentId) {
        let record = &self.records[number];
        (record.person.as_ref(), record.agent)
    }

    /// One more, this one, is in this state; when there is no room, one gives way.
    fn make_room(&mut self, state: State, number: usize, loss: Loss, now: Instant, seen: &mut Seen) {
        let all = self.all(&[state]);
        let is_theirs = |other: &&usize| self.key(**other) == self.key(number);
        let theirs: Vec<_> = all.iter().filter(is_theirs).copied().collect();
        let gives_way = match (theirs.len() > self.bounds.each, all.len() > self.bounds.total) {
            (true, _) => theirs[0],
            (false, true) => all[0],
            (false, false) => return,
        };
        note(seen, "gave way to a newer one");
        self.give_up(gives_way, loss, now, seen);
    }

    /// A person gets no answer to this one, and will hear why.
    fn give_up(&mut self, number: usize, loss: Loss, now: Instant, seen: &mut Seen) {
        let person = self.records[number].person.clone().expect("it is somebody's");
        let agent = self.records[number].agent;
        self.change(number, State::Over, now);
        let until = now + self.bounds.lifetime;
        let place = self.changes;
        self.lose(Lost { person, agent, loss, until, place }, seen);
    }

    fn lose(&mut self, lost: Lost, seen: &mut Seen) {
        for known in &mut self.losses {
            if known.person == lost.person && known.agent == lost.agent && known.loss == lost.loss {
                known.until = known.until.max(lost.until);
                return;
            }
        }
        self.losses.push(lost);
        self.losses.sort_by_key(|lost| lost.place);
        if self.losses.len() > self.bounds.total {
            self.losses.remove(0);
            note(seen, "a loss gave way");
        }
    }

    /// What is late and whose time is over.
    fn pass(&mut self, now: Instant, seen: &mut Seen) {
        for number in self.all(&[State::AtWork]) {
            if self.records[number].until <= now {
                self.give_up(number, Loss::GivenUp, now, seen);
            }
        }
        for number in self.all(&[State::Kept]) {
            if self.records[number].until <= now {
                self.change(number, State::Over, now);
            }
        }
        self.losses.retain(|lost| lost.until > now);
    }

    /// Those whose turn is over, and whether the answer will be kept.
    fn run_timers(&mut self, now: Instant, seen: &mut Seen) -> Vec<(String, bool)> {
        let mut expired = Vec::new();
        for number in self.in_flight() {
            let Record { id, until, person, state, .. } = &self.records[number];
            if *until > now {
                continue;
            }
            let (id, person, state) = (id.clone(), person.clone(), *state);
            let fate = match (state, &person) {
                (State::Unsent, _) => "expired unsent",
                (_, None) => "expired, nobody's",
                (_, Some(_)) if self.closing => "expired while the relay is stopping",
                (_, Some(_)) => "expired, and goes on",
            };
            note(seen, fate);
            let goes_on = fate == "expired, and goes on";
            match person.filter(|_| goes_on) {
                Some(_) => {
                    self.change(number, State::AtWork, now + self.bounds.lifetime);
                    self.make_room(State::AtWork, number, Loss::GivenUp, now, seen);
                }
                None => self.change(number, State::Over, now),
            }
            expired.push((id, goes_on));
        }
        self.pass(now, seen);
        expired
    }

    /// When the first of all these is over by itself.
    fn next(&self) -> Option<Instant> {
        let is_watched = |record: &&Record| !matches!(record.state, State::Out | State::Over);
        let records = self.records.iter().filter(is_watched);
        let records = records.map(|record| record.until);
        records.chain(self.losses.iter().map(|lost| lost.until)).min()
    }

    fn oldest_pending(&self, person: &Person, only: Option<&str>) -> Option<(Instant, AgentId)> {
        let mut begun: Vec<_> = Vec::new();
        for number in self.all(&[State::AtWork]) {
            let record = &self.records[number];
            if record.person.as_ref() == Some(person) && only.is_none_or(|id| id == record.id) {
                begun.push((record.begun, record.agent));
            }
        }
        begun.into_iter().min()
    }

    fn sizes(&self) -> [usize; 4] {
        let late = [State::AtWork, State::Kept].map(|state| self.all(&[state]).len());
        [self.in_flight().len(), late[0], late[1], self.losses.len()]
    }
}

fn note(seen: &mut Seen, what: &'static str) {
    *seen.entry(what).or_default() += 1;
}

/// The table and its model, and the clock that looks after the table.
struct Both<'a> {
    /// Who waits is a number, and an answer is one.
    table: Table<usize, usize>,
    model: Model,
    now: Instant,
    /// When the clock looks again, as far as it was told.
    alarm: Option<Instant>,
    /// How often each of those who wait was told an end.
    ends: Vec<usize>,
    answers: usize,
    /// What turns are telling.
    out: Vec<Out>,
    seen: &'a mut Seen,
}

/// What a turn is telling: as the table gave it out, and as the model knows it.
struct Out {
    taken: Taken<usize>,
    answers: Vec<usize>,
    losses: Vec<Lost>,
}

impl<'a> Both<'a> {
    fn new(most: usize, bounds: LateLimits, seen: &'a mut Seen) -> Self {
        let (records, losses) = (Vec::new(), Vec::new());
        let (closing, changes, came, told) = (false, 0, 0, 0);
        let model = Model { most, bounds, records, losses, closing, changes, came, told };
        let table = Table::new("p".into(), most, bounds);
        let (now, ends) = (Instant::now(), Vec::new());
        Self { table, model, now, alarm: None, ends, answers: 0, out: Vec::new(), seen }
    }

    /// Returns the id of one of the commands, and its number in the model.
    fn pick(&self, which: &Which) -> Option<(usize, String)> {
        let meant = self.model.all(which.of);
        let number = (!meant.is_empty()).then(|| *which.index.get(&meant))?;
        Some((number, self.model.records[number].id.clone()))
    }

    /// Who waited for this command is told how it ended.
    fn end(&mut self, number: usize, command: &Command<usize>) {
        let record = &self.model.records[number];
        assert_eq!(
            (&command.id, command.agent, command.link, command.begun, &command.person),
            (&record.id, record.agent, record.link, record.begun, &record.person)
        );
        self.ends[command.responder] += 1;
        assert_eq!(self.ends[command.responder], 1, "{} ended twice", command.id);
    }

    fn number_of(&self, id: &str) -> usize {
        self.model.records.iter().position(|record| record.id == id).expect("it was begun")
    }

    fn perform(&mut self, operation: &Operation) {
        match operation {
            Operation::Begin { link, agent, person, seconds, is_sent } => {
                let deadline = self.now + Duration::from_secs(*seconds);
                let (link, agent) = (link_of(*link), AgentId(*agent));
                let begun = self.begin(link, agent, people()[*person].clone(), deadline);
                if let Some(number) = begun.filter(|_| *is_sent) {
                    self.send(number);
                }
            }
            Operation::Send(which) => {
                let Some((number, _)) = self.pick(which) else { return };
                self.send(number);
            }
            Operation::TakeBack(which) => {
                let Some((number, id)) = self.pick(which) else { return };
                let taken = self.table.in_flight.take(&id);
                assert_eq!(taken.is_some(), self.model.in_flight().contains(&number));
                if let Some(command) = taken {
                    self.end(number, &command);
                    self.model.change(number, State::Over, self.now);
                    note(self.seen, "taken");
                }
            }
            Operation::Withdraw(which) => {
                let Some((number, id)) = self.pick(which) else { return };
                let withdrawn = self.table.in_flight.withdraw(&id);
                let is_unsent = self.model.records[number].state == State::Unsent;
                assert_eq!(withdrawn.is_some(), is_unsent);
                if let Some(command) = withdrawn {
                    self.end(number, &command);
                    self.model.change(number, State::Over, self.now);
                }
                let not = "not withdrawn, since it was sent or has ended";
                note(self.seen, if is_unsent { "withdrawn" } else { not });
            }
            Operation::Answer { which, other_link } => {
                let Some((number, _)) = self.pick(which) else { return };
                let link = other_link.map_or(self.model.records[number].link, link_of);
                self.answer(number, link);
            }
            Operation::Lose { link } => self.lose(link_of(*link)),
            Operation::RunTimers => self.run_timers(),
            Operation::Take { person, only } => {
                let person = people()[*person].clone().expect("the first alone is nobody");
                let only = only.as_ref().and_then(|which| self.pick(which)).map(|(_, id)| id);
                self.take(&person, only.as_deref());
            }
            Operation::PutBack { which, told } => {
                if !self.out.is_empty() {
                    let place = which.index(self.out.len());
                    self.put_back(place, &|count| told.index(count + 1));
                }
            }
            Operation::Close => {
                self.table.close();
                self.model.closing = true;
            }
            Operation::Wait { seconds } => self.now += Duration::from_secs(*seconds),
        }
        self.agree();
    }

    /// Returns its number in the model.
    fn begin(
        &mut self,
        link: LinkId,
        agent: AgentId,
        person: Option<Person>,
        deadline: Instant,
    ) -> Option<usize> {
        let (begun, responder) = (self.now, self.ends.len());
        self.ends.push(0);
        let new = NewCommand { agent, link, begun, deadline, person: person.clone(), responder };
        let is_room = self.model.in_flight().len() < self.model.most;
        match self.table.begin(new) {
            Ok(Begun { id, wake_clock }) => {
                assert!(is_room, "one too many is under way");
                assert!(self.model.records.iter().all(|record| record.id != id), "{id} comes twice");
                let number = self.model.records.len();
                let state = State::Unsent;
                let (until, place, answer) = (deadline, 0, 0);
                let record = Record { id, agent, link, begun, person, state, until, place, answer };
                self.model.records.push(record);
                self.model.change(number, state, deadline);
                let would_be_late = self.alarm.is_none_or(|alarm| alarm > deadline);
                assert_eq!(wake_clock, would_be_late, "alarm {:?}, {deadline:?}", self.alarm);
                if wake_clock {
                    self.alarm = Some(deadline);
                }
                let woken =
                    if wake_clock { "the clock is woken" } else { "the clock need not be woken" };
                note(self.seen, "begun");
                note(self.seen, woken);
                Some(number)
            }
            Err(handed_back) => {
                assert!(!is_room, "there is room");
                assert_eq!(handed_back, responder);
                self.ends[responder] += 1;
                note(self.seen, "one too many");
                None
            }
        }
    }

    fn send(&mut self, number: usize) {
        let record = &mut self.model.records[number];
        let may_be = matches!(record.state, State::Unsent | State::Sent);
        if may_be {
            record.state = State::Sent;
        }
        assert_eq!(self.table.in_flight.send(&record.id), may_be);
        note(self.seen, if may_be { "sent" } else { "not sent, since it has ended" });
    }

    fn answer(&mut self, number: usize, link: LinkId) {
        self.answers += 1;
        let record = &self.model.records[number];
        let (id, is_own_link) = (record.id.clone(), record.link == link);
        let turn = (record.agent, record.begun);
        let answered = self.table.answer(link, &id, self.answers, self.now);
        match (answered, record.state) {
            (AnswerFor::InTime(command, answer), State::Sent) if is_own_link => {
                assert_eq!(answer, self.answers);
                self.end(number, &command);
                self.model.change(number, State::Over, self.now);
                note(self.seen, "answered in time");
            }
            (AnswerFor::Late(agent, since), State::AtWork) if is_own_link => {
                assert_eq!((agent, since), turn);
                assert!(record.person.is_some(), "nobody's is not at work");
                self.model.records[number].answer = self.answers;
                self.model.change(number, State::Kept, self.now + self.model.bounds.lifetime);
                self.model.make_room(State::Kept, number, Loss::Evicted, self.now, self.seen);
                if !self.out.is_empty() {
                    note(self.seen, "came while something was being told");
                }
                self.model.came += 1;
                note(self.seen, "answered late");
            }
            (AnswerFor::Nobody, State::Unsent) => note(self.seen, "answered before it was sent"),
            (AnswerFor::Nobody, State::Kept | State::Out | State::Over) => {
                note(self.seen, "answered for nobody")
            }
            (AnswerFor::Nobody, _) if !is_own_link => note(self.seen, "answered on another link"),
            (answered, state) => panic!("{answered:?} for {id}, which is {state:?}, on {link:?}"),
        }
    }

    fn lose(&mut self, link: LinkId) {
        let lost = self.table.lose(link, self.now);
        let is_its = |model: &Model, number: &usize| model.records[*number].link == link;
        for number in self.model.all(&[State::AtWork]) {
            if is_its(&self.model, &number) {
                self.model.give_up(number, Loss::LinkLost, self.now, self.seen);
                note(self.seen, "lost at work");
            }
        }
        let mut expected = self.model.in_flight();
        expected.retain(|number| is_its(&self.model, number));
        assert_eq!(lost.len(), expected.len());
        for (number, (command, was_sent)) in expected.into_iter().zip(&lost) {
            assert_eq!(*was_sent, self.model.records[number].state == State::Sent);
            self.end(number, command);
            self.model.change(number, State::Over, self.now);
            note(self.seen, "lost under way");
        }
    }

    fn run_timers(&mut self) {
        let (expired, next) = self.table.run_timers(self.now);
        for Expired { command, was_sent, .. } in &expired {
            assert!(command.deadline <= self.now, "{} expired early", command.id);
            let record = &self.model.records[self.number_of(&command.id)];
            assert_eq!(*was_sent, record.state == State::Sent, "{}", command.id);
            self.end(self.number_of(&command.id), command);
        }
        let fates: Vec<_> = expired.into_iter().map(|e| (e.command.id, e.will_be_kept)).collect();
        assert_eq!(fates, self.model.run_timers(self.now, self.seen));
        assert_eq!(next, self.model.next());
        assert!(next.is_none_or(|next| next > self.now), "there would be no end of looking");
        self.alarm = next;
    }

    /// A turn is about to tell a person something.
    fn take(&mut self, person: &Person, only: Option<&str>) {
        let model = &mut self.model;
        // While nothing at all is kept nothing is looked at, not even what has been at work for too long.
        if model.sizes()[2..] != [0, 0] {
            model.pass(self.now, self.seen);
        }
        let mut answers = model.all(&[State::Kept]);
        answers.retain(|&number| {
            let record = &model.records[number];
            record.person.as_ref() == Some(person) && only.is_none_or(|id| record.id == id)
        });
        let may_share_a_loss = match only {
            None => true,
            Some(id) => answers.is_empty() && model.oldest_pending(person, Some(id)).is_none(),
        };
        let mut losses = model.losses.clone();
        losses.retain(|lost| lost.person == *person && may_share_a_loss);
        model.losses.retain(|lost| !(lost.person == *person && may_share_a_loss));
        let expected: Vec<_> = answers
            .iter()
            .map(|&number| Item::Answer(model.records[number].agent, &model.records[number].answer))
            .chain(losses.iter().map(|lost| Item::Loss(lost.agent, lost.loss)))
            .collect();
        let taken = self.table.late.take(person, only, self.now);
        assert_eq!(taken.items(), expected);
        if expected.is_empty() {
            return;
        }
        if only.is_some() && !losses.is_empty() {
            note(self.seen, "a loss of one command was told");
        }
        answers.iter().for_each(|&number| model.records[number].state = State::Out);
        self.out.push(Out { taken, answers, losses });
    }

    /// The turn has told some of it. The clock looks at what it has put back.
    fn put_back(&mut self, place: usize, how_many: &dyn Fn(usize) -> usize) {
        let Out { taken, answers, losses } = self.out.remove(place);
        let count = answers.len() + losses.len();
        let told = how_many(count);
        if (1..count).contains(&told) {
            note(self.seen, "some of it was told");
        }
        self.table.late.put_back(taken, told, self.now);
        let model = &mut self.model;
        for (place, number) in answers.iter().copied().enumerate() {
            if place < told {
                model.change(number, State::Over, self.now);
                model.told += 1;
                continue;
            }
            model.records[number].state = State::Kept;
            if model.all(&[State::Kept]).last() != Some(&number) {
                note(self.seen, "put back before what came meanwhile");
            }
            model.make_room(State::Kept, number, Loss::Evicted, self.now, self.seen);
            if model.records[number].state == State::Over {
                note(self.seen, "found its room taken");
            }
        }
        let untold = losses.into_iter().skip(told.saturating_sub(answers.len()));
        untold.for_each(|lost| model.lose(lost, self.seen));
        self.run_timers();
    }

    /// What must hold after each step.
    fn agree(&self) {
        let Self { table, model, .. } = self;
        assert_eq!(table.sizes(), model.sizes());
        let [in_flight, at_work, kept, losses] = table.sizes();
        assert!(in_flight <= model.most);
        assert!([at_work, kept, losses].iter().all(|size| *size <= model.bounds.total));
        for person in people().iter().flatten() {
            for state in [State::AtWork, State::Kept] {
                for agent in [AgentId(0), AgentId(1)] {
                    let all = model.all(&[state]).into_iter();
                    let theirs = all.filter(|&number| model.key(number) == (Some(person), agent));
                    assert!(theirs.count() <= model.bounds.each);
                }
            }
            assert_eq!(table.late.oldest_pending(person, None), model.oldest_pending(person, None));
            for Record { id, .. } in &model.records {
                assert_eq!(
                    table.late.oldest_pending(person, Some(id)),
                    model.oldest_pending(person, Some(id))
                );
            }
        }
        assert_eq!((table.late.came, table.late.told), (model.came, model.told));
        if let Some(next) = model.next() {
            assert!(self.alarm.is_some_and(|alarm| alarm <= next), "the clock looks too late");
        }
        for record in &model.records {
            assert!(matches!(record.state, State::AtWork | State::Kept) <= record.person.is_some());
        }
    }

    /// Nothing happens any more but that time passes.
    fn come_to_rest(&mut self) {
        while !self.out.is_empty() {
            self.put_back(0, &|_| 0);
        }
        for _ in 0..3 {
            self.now += 60 * SECOND;
            self.run_timers();
            self.agree();
        }
        assert_eq!(self.alarm, None);
        assert_eq!(self.table.sizes(), [0; 4]);
        assert!(self.ends.iter().all(|ends| *ends == 1), "somebody still waits: {:?}", self.ends);
    }
}

#[test]
fn whatever_happens_the_table_does_what_a_flat_list_of_all_commands_would() {
    let seen = hold(512, &histories(), |(most, bounds, operations), seen| {
        let mut both = Both::new(most, bounds, seen);
        operations.iter().for_each(|operation| both.perform(operation));
        both.come_to_rest();
        operations.len()
    });
    must_happen(&seen, &MUST_HAPPEN);
}
