//! Volume and mute of the output that is the default one at this moment, by PulseAudio's protocol, which PipeWire speaks
//! too.

use std::fs;
use std::io::{self, BufReader};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use pulseaudio::protocol::{
    self, AuthParams, AuthReply, ChannelVolume, Command, CommandReply, DEFAULT_SINK, GetSinkInfo, Prop, Props,
    ProtocolError, PulseError, SetClientNameReply, SetDeviceMuteParams, SetDeviceVolumeParams, SinkInfo, Volume,
};
use rustix::event::Timespec;

use crate::action::Sound;
use crate::message::Outcome;
use crate::system::volume::{self, Output};

/// How long the server may take for one answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes of a cookie.
const COOKIE: usize = 256;

/// Changes the sound. Says what it is then: it is read back.
pub fn change(sound: Sound) -> Outcome {
    match volume::change(sound, Server::connect) {
        Ok(outcome) => outcome,
        Err(NoSound::NoServer) => Outcome::failed("Звука на этом компьютере нет: звуковой сервер не запущен."),
        Err(NoSound::NoOutput) => Outcome::failed(volume::NO_OUTPUT),
        Err(NoSound::Refused) => Outcome::failed(volume::REFUSED),
    }
}

/// Why the sound can't be changed.
enum NoSound {
    NoServer,
    NoOutput,
    Refused,
}

impl From<ProtocolError> for NoSound {
    fn from(error: ProtocolError) -> Self {
        match error {
            ProtocolError::ServerError(PulseError::NoEntity) => Self::NoOutput,
            ProtocolError::Io(_) => Self::NoServer,
            _ => Self::Refused,
        }
    }
}

/// Returns the volume of the loudest channel.
fn percent(sink: &SinkInfo) -> u32 {
    let loudest = sink.cvolume.channels().iter().map(Volume::as_u32).max().unwrap_or(0);
    let norm = u64::from(Volume::NORM.as_u32());
    u32::try_from((u64::from(loudest) * 100 + norm / 2) / norm).unwrap_or(100)
}

fn of_percent(percent: u32) -> Volume {
    Volume::from_u32_clamped((Volume::NORM.as_u32() * percent + 50) / 100)
}

/// A connection to the server.
struct Server {
    stream: BufReader<UnixStream>,
    version: u16,
    requests: u32,
}

impl Server {
    fn connect() -> Result<Self, NoSound> {
        let cookie = cookie();
        match Self::connect_with(&cookie) {
            // A server that knows its user by other means may take a moment for it.
            Err(ProtocolError::ServerError(PulseError::AccessDenied)) => {
                pause();
                Ok(Self::connect_with(&cookie)?)
            }
            other => Ok(other?),
        }
    }

    fn connect_with(cookie: &[u8]) -> Result<Self, ProtocolError> {
        let path = pulseaudio::socket_path_from_env().or_else(user_socket);
        let path = path.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let stream = BufReader::new(stream);
        let mut server = Self { stream, version: protocol::MAX_VERSION, requests: 0 };
        let auth = AuthParams {
            version: protocol::MAX_VERSION,
            supports_shm: false,
            supports_memfd: false,
            cookie: cookie.to_owned(),
        };
        let reply: AuthReply = server.ask(&Command::Auth(auth))?;
        server.version = reply.version.min(protocol::MAX_VERSION);
        let mut name = Props::new();
        name.set(Prop::ApplicationName, c"home-alice-agent");
        server.ask::<SetClientNameReply>(&Command::SetClientName(name))?;
        Ok(server)
    }

    /// Returns the output that is the default one.
    fn sink(&mut self) -> Result<SinkInfo, ProtocolError> {
        self.ask(&Command::GetSinkInfo(GetSinkInfo { index: None, name: Some(DEFAULT_SINK.to_owned()) }))
    }

    fn ask<R: CommandReply>(&mut self, command: &Command) -> Result<R, ProtocolError> {
        self.write(command)?;
        Ok(protocol::read_reply_message(&mut self.stream, self.version)?.1)
    }

    fn tell(&mut self, command: &Command) -> Result<(), ProtocolError> {
        self.write(command)?;
        protocol::read_ack_message(&mut self.stream).map(drop)
    }

    fn write(&mut self, command: &Command) -> Result<(), ProtocolError> {
        self.requests += 1;
        protocol::write_command_message(self.stream.get_mut(), self.requests, command, self.version)
    }
}

impl Output for Server {
    type Problem = NoSound;

    fn now(&mut self) -> Result<(u32, bool), NoSound> {
        let sink = self.sink()?;
        Ok((percent(&sink), sink.muted))
    }

    fn set(&mut self, percent: u32) -> Result<(), NoSound> {
        let sink = self.sink()?;
        let mut volume = ChannelVolume::empty();
        // Each channel, or the others would be set to nothing.
        sink.cvolume.channels().iter().for_each(|_| volume.push(of_percent(percent)));
        let device = SetDeviceVolumeParams { device_index: Some(sink.index), device_name: None, volume };
        Ok(self.tell(&Command::SetSinkVolume(device))?)
    }

    fn mute(&mut self, mute: bool) -> Result<(), NoSound> {
        let device_index = Some(self.sink()?.index);
        Ok(self.tell(&Command::SetSinkMute(SetDeviceMuteParams { device_index, device_name: None, mute }))?)
    }
}

/// Returns where systemd has the user's server when the environment doesn't say so.
fn user_socket() -> Option<PathBuf> {
    let user = rustix::process::getuid().as_raw();
    Some(PathBuf::from(format!("/run/user/{user}/pulse/native"))).filter(|path| path.exists())
}

/// Returns what lets this user in. A server that knows the user of its socket takes any of the right length.
fn cookie() -> Vec<u8> {
    let own = std::env::var_os("XDG_CONFIG_HOME").map(|folder| PathBuf::from(folder).join("pulse/cookie"));
    let paths = own.into_iter().chain(pulseaudio::cookie_path_from_env());
    paths.filter_map(|path| fs::read(path).ok()).find(|c| c.len() == COOKIE).unwrap_or(vec![0; COOKIE])
}

/// Waits for some milliseconds: nothing tells when the server knows the user.
fn pause() {
    let moment = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
    let _ = rustix::event::poll(&mut [], Some(&moment));
}
