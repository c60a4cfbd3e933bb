//! Answers to forms that may be sent twice. On a slow line a button is pressed again, and the browser drops the first
//! answer, with which the one-time code would be lost. So an equal submission gets the same answer. An agent that joins may
//! lose its answer in the same way.

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::runtime::clock::ClockWaker;
use crate::secret::same;
use crate::sync::{Mutex, lock};

/// How long an equal submission gets the same answer.
pub const SUBMITTED_AGAIN: Duration = Duration::from_secs(10);

/// Submissions that are kept. Each needs a code that `pair`, `login` or `invite` printed, so only the owner makes them.
pub const MAX_SUBMISSIONS: usize = 8;

/// Identifies a submission by its form and whole body. The body holds the id of the page, which only that browser knows, so
/// whoever has read a used code can't make an equal one. An agent that joins may send a random text to the same end. The
/// sender's address does not count: a phone changes networks.
pub struct Submission([u8; 32]);

impl Submission {
    /// Returns the submission of the form at `place` with this body.
    pub fn of(place: &str, body: &[u8]) -> Self {
        Self(Sha256::digest([place.as_bytes(), b"\n", body].concat()).into())
    }
}

/// The answers to the last submissions.
pub struct Submissions {
    kept: Mutex<Vec<KeptSubmission>>,
    waker: ClockWaker,
}

struct KeptSubmission {
    submission: Submission,
    given: String,
    until: Instant,
}

impl Submissions {
    /// Creates it empty; `waker` wakes whoever calls [`Submissions::run_timers`].
    pub fn new(waker: ClockWaker) -> Self {
        Self { kept: Mutex::default(), waker }
    }

    /// Returns what `give` returns, and keeps it; or what an equal submission was answered.
    pub fn once(
        &self,
        submission: Submission,
        now: Instant,
        give: impl FnOnce() -> Option<String>,
    ) -> Option<String> {
        // Held during `give`: an equal submission may come at the same moment.
        let mut kept = lock(&self.kept);
        kept.retain(|kept| now < kept.until);
        if let Some(equal) = kept.iter().find(|kept| same(&kept.submission.0, &submission.0)) {
            return Some(equal.given.clone());
        }
        let given = give()?;
        if kept.len() == MAX_SUBMISSIONS {
            kept.remove(0);
        }
        kept.push(KeptSubmission { submission, given: given.clone(), until: now + SUBMITTED_AGAIN });
        drop(kept);
        self.waker.wake();
        Some(given)
    }

    /// Drops all answers.
    pub fn forget(&self) {
        lock(&self.kept).clear();
    }

    /// Drops expired answers. Returns the next deadline.
    pub fn run_timers(&self, now: Instant) -> Option<Instant> {
        let mut kept = lock(&self.kept);
        kept.retain(|kept| now < kept.until);
        kept.first().map(|kept| kept.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::clock::waker;

    const PAGE: &str = "page=0123456789abcdefABCDEF";
    const SECOND: Duration = Duration::from_secs(1);

    fn submissions() -> (Submissions, crossbeam_channel::Receiver<()>) {
        let (waker, woken) = waker();
        (Submissions::new(waker), woken)
    }

    fn submission(rest: &str) -> Submission {
        Submission::of("/x", format!("{PAGE}&{rest}").as_bytes())
    }

    fn given(text: &str) -> impl FnOnce() -> Option<String> {
        let text = text.to_owned();
        || Some(text)
    }

    #[test]
    fn an_equal_press_within_ten_seconds_is_given_the_same_and_then_nothing_is_kept() {
        let ((submissions, woken), start) = (submissions(), Instant::now());
        assert_eq!(submissions.once(submission("a"), start, given("1")).as_deref(), Some("1"));
        assert!(woken.try_recv().is_ok(), "the clock is told when to look");
        let last = start + SUBMITTED_AGAIN - Duration::from_nanos(1);
        assert_eq!(
            submissions.once(submission("a"), last, || panic!("it was given")).as_deref(),
            Some("1")
        );
        assert_eq!(
            submissions.run_timers(last),
            Some(start + SUBMITTED_AGAIN),
            "a repeat makes it no longer"
        );
        assert_eq!(submissions.run_timers(start + SUBMITTED_AGAIN), None);
        assert!(submissions.kept.lock().unwrap().is_empty());
        assert_eq!(submissions.once(submission("a"), start + SUBMITTED_AGAIN, || None), None);
    }

    #[test]
    fn what_is_not_equal_is_given_its_own() {
        let ((submissions, _rung), now) = (submissions(), Instant::now());
        submissions.once(submission("a"), now, given("1"));
        let elsewhere = Submission::of("/y", format!("{PAGE}&a").as_bytes());
        let other_page = Submission::of("/x", b"page=0123456789abcdefABCDEG&a");
        for other in [submission("b"), submission("a&"), elsewhere, other_page] {
            assert_eq!(submissions.once(other, now, || None), None);
        }
    }

    #[test]
    fn what_was_refused_is_not_kept() {
        let ((submissions, _rung), now) = (submissions(), Instant::now());
        assert_eq!(submissions.once(submission("a"), now, || None), None);
        assert_eq!(submissions.once(submission("a"), now, given("1")).as_deref(), Some("1"));
    }

    #[test]
    fn the_oldest_gives_way_when_there_are_too_many_and_all_can_be_forgotten() {
        let ((submissions, _rung), start) = (submissions(), Instant::now());
        for n in 0..=MAX_SUBMISSIONS {
            submissions.once(submission(&n.to_string()), start, given("given"));
        }
        assert_eq!(submissions.kept.lock().unwrap().len(), MAX_SUBMISSIONS);
        assert!(submissions.once(submission("1"), start, || None).is_some());
        assert!(
            submissions.once(submission("0"), start + SECOND, || None).is_none(),
            "it has given way"
        );
        submissions.forget();
        assert!(submissions.once(submission("1"), start, || None).is_none());
    }

    #[test]
    fn of_equal_presses_at_the_same_moment_one_is_given_and_the_others_the_same() {
        let ((submissions, _rung), now) = (submissions(), Instant::now());
        let times = std::sync::atomic::AtomicUsize::new(0);
        let count = || times.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let all =
                        submissions.once(submission("a"), now, || (count() == 0).then(|| "1".into()));
                    assert_eq!(all.as_deref(), Some("1"));
                });
            }
        });
        assert_eq!(times.into_inner(), 1);
    }
}
