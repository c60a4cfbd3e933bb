//! Players of music and video, by the system's media sessions: every one that its media overlay knows of, a browser's tab
//! among them. Those that have no session are reached by the keys for it, and tell nothing.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use windows::Foundation::TypedEventHandler;
use windows::Media::Control::{
    GlobalSystemMediaTransportControlsSession as Session, GlobalSystemMediaTransportControlsSessionManager as Manager,
    GlobalSystemMediaTransportControlsSessionPlaybackStatus as PlaybackStatus,
};
use windows::Win32::UI::Input::KeyboardAndMouse::{
    VIRTUAL_KEY, VK_MEDIA_NEXT_TRACK, VK_MEDIA_PLAY_PAUSE, VK_MEDIA_PREV_TRACK,
};
use windows::core::{Result, RuntimeType};
use windows_future::IAsyncOperation;

use crate::action::Player;
use crate::message::Outcome;
use crate::system::playing::{self, Players, Status};
use crate::system::windows::com::within_multithreaded;
use crate::system::windows::input;

/// How long a session may take for one answer.
const TIMEOUT: Duration = Duration::from_secs(1);

/// How long all of them may take.
const ALL: Duration = Duration::from_secs(5);

/// Players that are asked.
const MAX_PLAYERS: u32 = 16;

/// Asks the players.
pub fn ask(asked: Player) -> Outcome {
    let told =
        within_multithreaded(ALL, move || Sessions::find().map(|mut sessions| playing::ask(&mut sessions, asked)));
    told.flatten().unwrap_or_else(|| {
        let (key, done) = match asked {
            Player::Pause => (VK_MEDIA_PLAY_PAUSE, "Нажата клавиша паузы."),
            Player::Play => (VK_MEDIA_PLAY_PAUSE, "Нажата клавиша воспроизведения."),
            Player::Next => (VK_MEDIA_NEXT_TRACK, "Нажата клавиша следующего трека."),
            Player::Previous => (VK_MEDIA_PREV_TRACK, "Нажата клавиша предыдущего трека."),
        };
        press(key).map_or_else(Outcome::failed, |()| Outcome::done(done))
    })
}

/// Says what plays.
pub fn track() -> Outcome {
    let told = within_multithreaded(ALL, || Sessions::find().map(|mut sessions| playing::track(&mut sessions)));
    told.flatten().unwrap_or_else(|| Outcome::failed("Плееров не видно: они не рассказывают о себе Windows."))
}

fn press(key: VIRTUAL_KEY) -> std::result::Result<(), String> {
    input::send(&[input::key(key, true), input::key(key, false)])
}

struct Sessions {
    all: Vec<Session>,
    tell: Sender<()>,
    changes: Receiver<()>,
}

impl Sessions {
    /// Finds them; none where there are none, or the system has no such thing.
    fn find() -> Option<Self> {
        let sessions = soon(Manager::RequestAsync()).ok()?.GetSessions().ok()?;
        let most = sessions.Size().ok()?.min(MAX_PLAYERS);
        let all: Vec<Session> = (0..most).filter_map(|at| sessions.GetAt(at).ok()).collect();
        let (tell, changes) = channel();
        (!all.is_empty()).then_some(Self { all, tell, changes })
    }
}

/// Waits for an answer, but not for ever.
fn soon<T: RuntimeType + Send + 'static>(asked: Result<IAsyncOperation<T>>) -> Result<T> {
    let (tell, told) = channel();
    asked?.when(move |answer| _ = tell.send(answer))?;
    told.recv_timeout(TIMEOUT).unwrap_or_else(|_| Err(windows::Win32::Foundation::E_ABORT.into()))
}

impl Players for Sessions {
    type One = Session;

    fn all(&mut self) -> Vec<(Session, Status)> {
        let all = std::mem::take(&mut self.all);
        all.into_iter().filter_map(|one| self.status(&one).map(|status| (one, status))).collect()
    }

    fn tell(&mut self, one: &Session, asked: Player) -> bool {
        let (played, named) = (self.tell.clone(), self.tell.clone());
        let watched = one
            .PlaybackInfoChanged(&TypedEventHandler::new(move |_, _| {
                _ = played.send(());
                Ok(())
            }))
            .and(one.MediaPropertiesChanged(&TypedEventHandler::new(move |_, _| {
                _ = named.send(());
                Ok(())
            })));
        let asked = match asked {
            Player::Pause => one.TryPauseAsync(),
            Player::Play => one.TryPlayAsync(),
            Player::Next => one.TrySkipNextAsync(),
            Player::Previous => one.TrySkipPreviousAsync(),
        };
        watched.is_ok() && soon(asked).unwrap_or(false)
    }

    fn status(&mut self, one: &Session) -> Option<Status> {
        match one.GetPlaybackInfo().ok()?.PlaybackStatus().ok()? {
            PlaybackStatus::Playing => Some(Status::Playing),
            PlaybackStatus::Paused => Some(Status::Paused),
            PlaybackStatus::Closed => None,
            _ => Some(Status::Stopped),
        }
    }

    fn title(&mut self, one: &Session) -> Option<String> {
        let title = soon(one.TryGetMediaPropertiesAsync()).ok()?.Title().ok()?.to_string_lossy();
        Some(title).filter(|title| !title.is_empty())
    }

    fn wait_for_change(&mut self, until: Instant) -> bool {
        self.changes.recv_timeout(until.saturating_duration_since(Instant::now())).is_ok()
    }
}
