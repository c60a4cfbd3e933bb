//! A command's life, under one lock: its responder is completed exactly once. Knows no HTTP, no Alice and no socket.

pub mod in_flight;
pub mod late_answers;
pub mod outcome;
pub mod person;
pub mod record;
pub mod table;

use std::time::{Duration, Instant};

use crate::commands::in_flight::{Command, LinkId, NewCommand};
use crate::commands::late_answers::{Item, LateLimits};
use crate::commands::outcome::Outcome;
use crate::commands::person::Person;
use crate::commands::record::Record;
use crate::commands::table::{AnswerFor, Expired, Table};
use crate::config::agents::{AgentId, Names};
use crate::runtime::clock::ClockWaker;
use crate::runtime::log_limit::target;
use crate::speech::Speech;
use crate::sync::{Mutex, MutexGuard, lock};
use crate::text::quoted;

/// Commands in flight at once; one more is answered as busy. Each belongs to an open request.
pub const MAX_IN_FLIGHT: usize = 256;

/// Most pending commands; also most late answers, and most losses to tell.
pub const MAX_LATE: usize = 256;

/// Most pending commands of one person and one agent; also most late answers.
pub const MAX_LATE_EACH: usize = 16;

/// How long a command may be pending past its turn, and how long its answer is kept.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(600);

/// A responder is completed with this. The command itself may go on ([`Completion::TooLate`]).
#[derive(Debug)]
pub enum Completion {
    /// The agent answered in time.
    Answered(Speech),
    /// The link broke, and the agent may have received the command.
    LinkLost,
    /// The command was not sent, and never will be.
    Unsent(UnsentReason),
    /// The deadline passed. Tells whether the answer will be kept if it comes.
    TooLate { will_be_kept: bool },
    /// Too many commands were in flight, so it was not registered.
    Busy,
}

/// Why a command was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnsentReason {
    /// The link broke first.
    LinkLost,
    /// The agent gave no sign of life, and has nothing else to do.
    Silent,
    /// Not sent before the deadline: the agent gave no sign of life, and may be busy with another command.
    Busy,
}

impl Completion {
    /// Returns the outcome that the log and the reply's header field name.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Answered(_) => Outcome::Answered,
            Self::LinkLost => Outcome::LinkLost,
            Self::Unsent(_) => Outcome::Unsent,
            Self::TooLate { .. } => Outcome::TooLate,
            Self::Busy => Outcome::Busy,
        }
    }
}

/// Identifies the command that a responder is completed for.
#[derive(Debug, Clone, Copy)]
pub struct CommandRef<'a> {
    pub id: &'a str,
    /// The person who asked.
    pub person: Option<&'a Person>,
}

/// Completes a turn of the skill, or a part of an action of Smart Home.
pub trait Responder: Send {
    /// Called once with the completion. `of` is `None` if the command was rejected before it was registered.
    fn complete(
        self: Box<Self>,
        ended: Completion,
        of: Option<CommandRef<'_>>,
        commands: &Commands,
        now: Instant,
    );
}

/// All commands of the relay.
pub struct Commands {
    /// How the last of them ended, and counts of all outcomes.
    pub record: Record,
    table: Mutex<Table<Box<dyn Responder>, Speech>>,
    /// The PCs' names, for the log.
    pub names: Names,
    waker: ClockWaker,
}

impl Commands {
    /// Creates an empty table. `prefix` begins every id; `waker` wakes whoever calls [`Commands::run_timers`].
    pub fn new(prefix: String, names: Names, waker: ClockWaker) -> Self {
        let limits = LateLimits { total: MAX_LATE, each: MAX_LATE_EACH, lifetime: REMEMBERED_FOR };
        let table = Mutex::new(Table::new(prefix, MAX_IN_FLIGHT, limits));
        Self { record: Record::default(), table, names, waker }
    }

    /// Registers a command. Must precede sending, or the answer could arrive first. Returns its id, or `None` if
    /// [`MAX_IN_FLIGHT`] commands are in flight; the responder has then been completed.
    pub fn begin(&self, new: NewCommand<Box<dyn Responder>>) -> Option<String> {
        let (agent, now) = (new.agent, new.begun);
        let begun = self.lock().begin(new);
        match begun {
            Ok(begun) => {
                if begun.wake_clock {
                    self.waker.wake();
                }
                Some(begun.id)
            }
            Err(responder) => {
                self.record.ended(agent, Outcome::Busy, now, now);
                responder.complete(Completion::Busy, None, self, now);
                None
            }
        }
    }

    /// Sends a command by `write`, unless it has ended. If `write` fails, the command was not sent, and its responder is
    /// completed.
    pub fn send<E>(&self, id: &str, now: Instant, write: impl FnOnce() -> Result<(), E>) {
        if self.lock().in_flight.send(id) && write().is_err() {
            let unsent = self.lock().in_flight.take(id);
            unsent.into_iter().for_each(|command| {
                self.complete(command, Completion::Unsent(UnsentReason::LinkLost), now)
            });
        }
    }

    /// Withdraws a command that has not been sent, and completes its responder.
    pub fn withdraw(&self, id: &str, why: UnsentReason, now: Instant) {
        let unsent = self.lock().in_flight.withdraw(id);
        unsent.into_iter().for_each(|command| self.complete(command, Completion::Unsent(why), now));
    }

    /// Takes the agent's answer on `link`.
    pub fn answer(&self, link: LinkId, id: &str, speech: Speech, now: Instant) {
        let answered = self.lock().answer(link, id, speech, now);
        match answered {
            AnswerFor::InTime(command, speech) => {
                self.complete(command, Completion::Answered(speech), now)
            }
            AnswerFor::Late(agent, begun) => {
                self.record.answered_late(agent, begun, now);
                self.say(id, agent, "answered late", begun, now);
            }
            AnswerFor::Nobody => {
                log::debug!("an answer that no command waits for: {}", quoted(id));
            }
        }
    }

    /// Ends every command of a link that has ended.
    pub fn lose(&self, link: LinkId, now: Instant) {
        let lost = self.lock().lose(link, now);
        for (command, was_sent) in lost {
            let ended = if was_sent {
                Completion::LinkLost
            } else {
                Completion::Unsent(UnsentReason::LinkLost)
            };
            self.complete(command, ended, now);
        }
    }

    /// Ends the commands whose deadline has passed. Returns the next deadline.
    pub fn run_timers(&self, now: Instant) -> Option<Instant> {
        let (expired, next) = self.lock().run_timers(now);
        for Expired { command, was_sent, will_be_kept } in expired {
            let ended = match was_sent {
                true => Completion::TooLate { will_be_kept },
                false => Completion::Unsent(UnsentReason::Busy),
            };
            self.complete(command, ended, now);
        }
        next
    }

    /// Offers `tell` what is kept for the person, or only what became of the command `only`: the answers, oldest first,
    /// then the losses. `tell` returns how many it has told; these are dropped. It is not called when there is nothing to
    /// tell. No lock is held meanwhile, and no other turn is offered the same.
    pub fn offer(
        &self,
        person: &Person,
        only: Option<&str>,
        now: Instant,
        tell: &mut dyn FnMut(&[Item<'_, Speech>]) -> usize,
    ) {
        let taken = self.lock().late.take(person, only, now);
        let items = taken.items();
        if items.is_empty() {
            return;
        }
        let told = tell(&items);
        let is_all_told = told == items.len();
        drop(items);
        self.lock().late.put_back(taken, told, now);
        if !is_all_told {
            // `run_timers` may have run meanwhile, and not seen when they expire.
            self.waker.wake();
        }
    }

    /// As [`late_answers::LateAnswers::has_unread`].
    pub fn has_unread(&self, person: &Person) -> bool {
        self.lock().late.has_unread(person)
    }

    /// As [`late_answers::LateAnswers::oldest_pending`].
    pub fn oldest_pending(&self, person: &Person, only: Option<&str>) -> Option<(Instant, AgentId)> {
        self.lock().late.oldest_pending(person, only)
    }

    /// As [`late_answers::LateAnswers::count_kept`].
    pub fn count_kept(&self, person: &Person, now: Instant) -> usize {
        self.lock().late.count_kept(person, now)
    }

    /// Returns the number of commands in flight.
    pub fn in_flight(&self) -> usize {
        self.lock().in_flight.len()
    }

    /// As [`Table::is_busy`].
    pub fn is_busy(&self, link: LinkId, now: Instant) -> bool {
        self.lock().is_busy(link, now)
    }

    /// The relay is stopping: a command that times out from now on does not become pending.
    pub fn close(&self) {
        self.lock().close();
    }

    /// Logs how many answers were late and how many of them were told.
    pub fn sum_up(&self) {
        let (came, told) = {
            let table = self.lock();
            (table.late.came, table.late.told)
        };
        if came > 0 {
            log::info!("{came} late answers came, {told} of them were delivered");
        }
    }

    fn complete(&self, command: Command<Box<dyn Responder>>, ended: Completion, now: Instant) {
        let Command { id, agent, person, begun, responder, .. } = command;
        self.record.ended(agent, ended.outcome(), begun, now);
        self.say(&id, agent, ended.outcome().name(), begun, now);
        responder.complete(ended, Some(CommandRef { id: &id, person: person.as_ref() }), self, now);
    }

    fn say(&self, id: &str, agent: AgentId, how: &str, begun: Instant, now: Instant) {
        let milliseconds = now.saturating_duration_since(begun).as_millis();
        match self.names.among_several(agent) {
            None => {
                log::info!(target: target::COMMANDS, "Command {id}: {how} after {milliseconds} ms");
            }
            Some(name) => log::info!(
                target: target::COMMANDS,
                "Command {id} ({name}): {how} after {milliseconds} ms"
            ),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table<Box<dyn Responder>, Speech>> {
        lock(&self.table)
    }

    /// As [`Table::sizes`].
    #[cfg(test)]
    pub fn sizes(&self) -> [usize; 4] {
        self.lock().sizes()
    }
}

#[cfg(all(test, feature = "shuttle"))]
#[path = "../../tests/models/commands_schedules.rs"]
mod schedules;

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use crossbeam_channel::{Receiver, Sender, unbounded};

    use super::*;
    use crate::runtime::clock::waker;

    /// Tells a test how its command ended.
    struct MadeUp(Sender<Outcome>);

    impl Responder for MadeUp {
        fn complete(
            self: Box<Self>,
            ended: Completion,
            of: Option<CommandRef<'_>>,
            _: &Commands,
            _: Instant,
        ) {
            assert_eq!(of.is_some(), ended.outcome() != Outcome::Busy);
            self.0.send(ended.outcome()).unwrap();
        }
    }

    struct World {
        commands: Commands,
        woken: Receiver<()>,
        ends: (Sender<Outcome>, Receiver<Outcome>),
        now: Instant,
    }

    const LINK: LinkId = LinkId::new(AgentId::DEFAULT, 7);

    fn world() -> World {
        let (waker, woken) = waker();
        let commands = Commands::new("p".into(), Names::default(), waker);
        World { commands, woken, ends: unbounded(), now: Instant::now() }
    }

    impl World {
        fn begin(&self) -> Option<String> {
            self.begin_for(None)
        }

        fn begin_for(&self, person: Option<Person>) -> Option<String> {
            let responder = Box::new(MadeUp(self.ends.0.clone()));
            let (begun, deadline) = (self.now, self.now + Duration::from_secs(4));
            let agent = LINK.agent;
            self.commands.begin(NewCommand { agent, link: LINK, begun, deadline, person, responder })
        }

        /// A command that has missed its turn. Returns its id, and when that was.
        fn be_late(&self) -> (String, Instant) {
            let id = self.begin_for(Some(Person::Ask)).unwrap();
            self.commands.send(&id, self.now, || Ok::<(), ()>(()));
            let deadline = self.now + Duration::from_secs(4);
            self.commands.run_timers(deadline);
            assert_eq!(self.ended(), [Outcome::TooLate]);
            (id, deadline)
        }

        fn ended(&self) -> Vec<Outcome> {
            self.ends.1.try_iter().collect()
        }
    }

    #[test]
    fn a_command_that_can_not_be_sent_is_told_so_at_once() {
        let world = world();
        let id = world.begin().unwrap();
        world.commands.send(&id, world.now, || Err(()));
        assert_eq!(world.ended(), [Outcome::Unsent]);
        assert_eq!(world.commands.sizes(), [0; 4]);
        let outcomes: Vec<_> = world.commands.record.last().iter().map(|e| e.outcome).collect();
        assert_eq!(outcomes, [Outcome::Unsent]);
    }

    #[test]
    fn a_command_that_has_ended_is_not_sent() {
        let world = world();
        let id = world.begin().unwrap();
        world.commands.lose(LINK, world.now);
        assert_eq!(world.ended(), [Outcome::Unsent], "it had not been sent");
        world
            .commands
            .send(&id, world.now, || -> Result<(), ()> { panic!("it must not happen later") });
        assert!(world.ended().is_empty());
    }

    #[test]
    fn only_what_was_not_sent_can_be_withdrawn() {
        let world = world();
        let ids: Vec<_> = (0..2).map(|_| world.begin().unwrap()).collect();
        world.commands.send(&ids[0], world.now, || Ok::<(), ()>(()));
        ids.iter().for_each(|id| world.commands.withdraw(id, UnsentReason::Silent, world.now));
        assert_eq!(world.ended(), [Outcome::Unsent]);
        world.commands.lose(LINK, world.now);
        assert_eq!(world.ended(), [Outcome::LinkLost]);
    }

    #[test]
    fn each_command_is_told_once_how_it_ended() {
        let world = world();
        assert!(world.woken.try_recv().is_err());
        let ids: Vec<_> = (0..2).map(|_| world.begin().unwrap()).collect();
        assert!(world.woken.try_recv().is_ok(), "the clock is woken for the deadline");
        ids.iter().for_each(|id| world.commands.send(id, world.now, || Ok::<(), ()>(())));
        for _ in 0..2 {
            world.commands.answer(LINK, &ids[0], "done".into(), world.now);
        }
        assert_eq!(world.ended(), [Outcome::Answered]);
        assert_eq!(world.commands.run_timers(world.now), Some(world.now + Duration::from_secs(4)));
        assert_eq!(world.commands.run_timers(world.now + Duration::from_secs(4)), None);
        assert_eq!(world.ended(), [Outcome::TooLate]);
    }

    #[test]
    fn one_command_too_many_is_told_that_the_computer_is_busy() {
        let world = world();
        for _ in 0..MAX_IN_FLIGHT {
            assert!(world.begin().is_some());
        }
        assert!(world.begin().is_none());
        assert_eq!(world.ended(), [Outcome::Busy]);
    }

    #[test]
    fn what_missed_its_turn_is_busy_and_then_offered() {
        let world = world();
        let (id, later) = world.be_late();
        assert_eq!(
            world.commands.oldest_pending(&Person::Ask, None),
            Some((world.now, AgentId::DEFAULT))
        );
        world.commands.answer(LINK, &id, "done".into(), later);
        assert_eq!(world.commands.oldest_pending(&Person::Ask, None), None);
        let mut heard = Vec::new();
        world.commands.offer(&Person::Ask, None, later, &mut |items| {
            heard = items.iter().map(|item| format!("{item:?}")).collect();
            items.len()
        });
        assert!(matches!(&heard[..], [answer] if answer.contains("done")), "{heard:?}");
        assert_eq!(world.commands.sizes(), [0; 4]);
    }

    #[test]
    fn commands_go_on_while_a_turn_is_told_something() {
        let world = world();
        let (id, later) = world.be_late();
        world.commands.answer(LINK, &id, "done".into(), later);
        assert!(world.woken.try_recv().is_ok());
        world.commands.offer(&Person::Ask, None, later, &mut |_| {
            let id = world.begin().unwrap();
            world.commands.answer(LINK, &id, "not sent".into(), later);
            world.commands.offer(&Person::Ask, None, later, &mut |items| panic!("{items:?}"));
            world.commands.run_timers(later);
            0
        });
        assert!(world.woken.try_recv().is_ok(), "the clock has not seen what was put back");
        assert!(world.commands.has_unread(&Person::Ask));
    }

    #[test]
    fn what_misses_its_turn_while_the_relay_stops_is_not_at_work() {
        let world = world();
        world.commands.close();
        world.be_late();
        assert_eq!(world.commands.oldest_pending(&Person::Ask, None), None);
    }

    thread_local! {
        /// What this thread has said, once somebody wants to know. Each test has a thread of its own.
        static SAID: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
    }

    struct Kept;

    impl log::Log for Kept {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            SAID.with_borrow(Option::is_some)
        }

        fn log(&self, record: &log::Record<'_>) {
            let line = record.args().to_string();
            SAID.with_borrow_mut(|said| said.get_or_insert_default().push(line));
        }

        fn flush(&self) {}
    }

    #[test]
    fn how_each_command_ended_is_said_and_at_the_end_how_many_were_late() {
        log::set_logger(&Kept).unwrap();
        log::set_max_level(log::LevelFilter::Info);
        let said = || SAID.replace(Some(Vec::new())).unwrap_or_default();
        said();
        let world = world();
        world.commands.sum_up();
        assert!(said().is_empty(), "nothing was late");
        let (id, later) = world.be_late();
        assert_eq!(said(), ["Command p-0: too-late after 4000 ms"]);
        world.commands.answer(LINK, &id, "done".into(), later + Duration::from_secs(1));
        assert_eq!(said(), ["Command p-0: answered late after 5000 ms"]);
        world.commands.sum_up();
        assert_eq!(said(), ["1 late answers came, 0 of them were delivered"]);
    }
}
