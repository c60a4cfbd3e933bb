//! The devices offered to Yandex: the built-in one, or those of the file that `SMART_HOME_DEVICES` names. What Yandex
//! would silently drop is refused, with the cure. Plain data.

use std::fmt;

use data_encoding::HEXLOWER;
use serde_json::value::RawValue;
use sha1::{Digest, Sha1};

use crate::config::agents::{AgentId, Names};
use crate::config::error::ConfigError;
use crate::config::file::{self, Unusable};
use crate::config::smart_home::SmartHomeConfig;
use crate::json::without_bom;
use crate::object::{Fields, list, text};
use crate::speech::title;
use crate::text::quoted;

/// Most devices that Yandex accepts per user.
pub const MAX_DEVICES: usize = 301;

/// Longest name or room, in characters; Yandex hides a device with a longer one.
pub const MAX_NAME: usize = 25;

/// Longest device id, in characters.
pub const MAX_DEVICE_ID: usize = 64;

/// Longest command for the agent, in characters.
pub const MAX_COMMAND: usize = 256;

/// Most sources of one device: Yandex knows «один» to «десять».
pub const MAX_SOURCES: usize = 10;

/// The largest channel.
pub const MAX_CHANNEL: u16 = 999;

/// Largest devices file, in bytes.
pub const MAX_DEVICES_FILE: u64 = 256 * 1024;

const VARIABLE: &str = "SMART_HOME_DEVICES";

const BUILT_IN: &str = include_str!("built_in.json");

/// The types that suit a device that takes commands, without `devices.types.`
const TYPES: &str = "\
    media_device media_device.tv media_device.tv_box media_device.receiver switch socket other \
    light light.strip light.ceiling light.lamp light.garland thermostat thermostat.ac camera \
    cooking cooking.coffee_maker cooking.kettle cooking.multicooker openable openable.curtain \
    openable.valve humidifier purifier vacuum_cleaner washing_machine dishwasher iron \
    pet_drinking_fountain pet_feeder ventilation ventilation.fan";

/// An action that a device may offer. Each is a key of the devices file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    On,
    Off,
    Volume,
    VolumeUp,
    VolumeDown,
    VolumeUpBy,
    VolumeDownBy,
    Mute,
    Unmute,
    Pause,
    Resume,
    Channel,
    Next,
    Previous,
}

/// The placeholder for the requested number.
pub const VALUE: &str = "{value}";

/// The placeholder for the size of a step.
pub const STEP: &str = "{step}";

/// Each capability with its key, the placeholder that its command must hold, and the one that it may hold.
const KEYS: [(Capability, &str, &str, &str); 14] = [
    (Capability::On, "on", "", ""),
    (Capability::Off, "off", "", ""),
    (Capability::Volume, "volume", VALUE, VALUE),
    (Capability::VolumeUp, "volume_up", "", STEP),
    (Capability::VolumeDown, "volume_down", "", STEP),
    (Capability::VolumeUpBy, "volume_up_by", STEP, STEP),
    (Capability::VolumeDownBy, "volume_down_by", STEP, STEP),
    (Capability::Mute, "mute", "", ""),
    (Capability::Unmute, "unmute", "", ""),
    (Capability::Pause, "pause", "", ""),
    (Capability::Resume, "resume", "", ""),
    (Capability::Channel, "channel", VALUE, VALUE),
    (Capability::Next, "next", "", STEP),
    (Capability::Previous, "previous", "", STEP),
];

/// A command for an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCommand {
    /// The text, with [`VALUE`] or [`STEP`] in place of a number.
    pub text: String,
    /// The agent that receives it.
    pub agent: AgentId,
}

/// A device offered to Yandex.
#[derive(Debug, PartialEq, Eq)]
pub struct Device {
    /// Stable id; Yandex keys rooms and scenarios by it.
    pub id: String,
    /// Its name in Yandex' app.
    pub name: String,
    /// The room that Yandex suggests at first.
    pub room: Option<String>,
    /// Its type, without `devices.types.`
    pub kind: &'static str,
    /// The agent that tells whether the device is on, and receives the commands that name no other.
    pub agent: AgentId,
    commands: [Option<DeviceCommand>; KEYS.len()],
    /// The owner's own commands, as input sources.
    pub sources: Vec<DeviceCommand>,
}

impl Device {
    /// Returns the command for a capability, if there is one.
    pub fn command(&self, capability: Capability) -> Option<&DeviceCommand> {
        self.commands[capability as usize].as_ref()
    }

    /// Whether any of these capabilities has a command.
    pub fn has_any(&self, of: &[Capability]) -> bool {
        of.iter().any(|capability| self.command(*capability).is_some())
    }
}

/// Why a device cannot be offered, and the cure.
pub type Problem = (String, &'static str);

/// Loads the devices of `config`'s file, or else one for each agent of `names`, and warnings about them. Returns no
/// device if Smart Home is off.
///
/// # Errors
/// The file cannot be read or used: the message tells what is wrong, where, and the cure.
pub fn load(
    config: &SmartHomeConfig,
    names: &Names,
) -> Result<(Vec<Device>, Vec<String>), ConfigError> {
    let path = match (&config.secret, &config.devices) {
        (None, None) => return Ok(Default::default()),
        (None, Some(_)) => {
            let doubt = "SMART_HOME_DEVICES is set, but Smart Home is off: set SMART_HOME_SECRET to the output \
                         of `openssl rand -hex 32`";
            return Ok((Vec::new(), vec![doubt.into()]));
        }
        (Some(_), None) => return Ok((built_in(names), Vec::new())),
        (Some(_), Some(path)) => path,
    };
    let fail = |(problem, cure): Problem| {
        ConfigError::new(VARIABLE, format!("names {}, {problem}", quoted(path)), cure)
    };
    let content = file::read(path.as_ref(), MAX_DEVICES_FILE).map_err(|error| {
        let cure = match error {
            Unusable::TooLong(_) => "it may list 301 devices",
            _ => "name a file that the relay's user may read",
        };
        fail((error.to_string(), cure))
    })?;
    let devices = parse(&content, names).map_err(fail)?;
    let is_latin =
        |(_, device): &(usize, &Device)| device.name.contains(|c: char| c.is_ascii_alphabetic());
    let doubts = devices.iter().enumerate().filter(is_latin).map(|(place, device)| {
        format!(
            "{VARIABLE}: the name of {} is in Latin letters, which Yandex may not take: write it in Russian ones",
            Which(place, Some(&device.id))
        )
    });
    let doubts = doubts.collect();
    Ok((devices, doubts))
}

/// Returns the devices for a relay without a file: one for each agent, under its name. The first keeps its id when it
/// is renamed, since Yandex keys rooms and scenarios by it; the others' ids derive from their names.
pub fn built_in(names: &Names) -> Vec<Device> {
    let one = |(agent, name): (AgentId, &str)| {
        let mut device =
            parse(BUILT_IN.as_bytes(), names).expect("the built-in device is right").remove(0);
        if names.among_several(agent).is_some() {
            device.name = title(name);
        }
        if agent != AgentId::DEFAULT {
            let digest = Sha1::digest(name);
            device.id = format!("pc-{}", HEXLOWER.encode(&digest[..6]));
        }
        device.agent = agent;
        device.commands.iter_mut().flatten().for_each(|command| command.agent = agent);
        device
    };
    names.all().map(one).collect()
}

/// Names a device of the file in messages: its position and its id.
struct Which<'a>(usize, Option<&'a str>);

impl fmt::Display for Which<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "device {}", self.0 + 1)?;
        match self.1 {
            Some(id) => write!(f, " ({})", quoted(id)),
            None => Ok(()),
        }
    }
}

/// Parses a devices file. `names` are the agents'.
pub fn parse(content: &[u8], names: &Names) -> Result<Vec<Device>, Problem> {
    let content = std::str::from_utf8(without_bom(content))
        .map_err(|_| ("which is not UTF-8".to_owned(), "write it in plain text"))?;
    let whole: &RawValue = serde_json::from_str(content).map_err(|error| {
        let problem = format!("whose line {} is broken JSON ({error})", error.line());
        (problem, "mend that line, or the one before it: a comma or a quote may be missing")
    })?;
    let listed = list(whole.get())
        .ok_or_else(|| ("which holds no list".to_owned(), "put the devices into one, as [{…}, {…}]"))?;
    if listed.is_empty() {
        return Err(("which lists no device".into(), "unset it for the built-in device"));
    }
    if listed.len() > MAX_DEVICES {
        let problem = format!("which lists {} devices", listed.len());
        return Err((problem, "Yandex takes 301 at most"));
    }
    let mut devices: Vec<Device> = Vec::with_capacity(listed.len());
    for (place, json) in listed.into_iter().enumerate() {
        let fields = Fields::of(json);
        let id = fields.as_ref().and_then(|fields| fields.text("id"));
        let device = match fields {
            Some(fields) => device(&fields, names),
            None => Err(("is no object".into(), "write it as {\"id\": …, \"name\": …}")),
        };
        let device = device.and_then(|device| match devices.iter().position(|d| d.id == device.id) {
            Some(first) => {
                Err((format!("has the id of device {}", first + 1), "give each an id of its own"))
            }
            None => Ok(device),
        });
        let told = |(problem, cure)| (format!("{} {problem}", Which(place, id.as_deref())), cure);
        devices.push(device.map_err(told)?);
    }
    Ok(devices)
}

fn device(fields: &Fields<'_>, names: &Names) -> Result<Device, Problem> {
    no_key_twice(fields, "")?;
    let required = |key: &str| match (fields.get(key), fields.text(key)) {
        (_, Some(text)) => Ok(text.into_owned()),
        (None, _) => Err((format!("has no \"{key}\""), "give it one")),
        (Some(_), None) => Err((format!("has no text in \"{key}\""), "put it into quotes")),
    };
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let id = required("id")?;
    if id.is_empty() || id.len() > MAX_DEVICE_ID || !id.bytes().all(is_plain) {
        return Err(("has an unfit id".into(), "use 1 to 64 of A-Z, a-z, 0-9, -, _ and ."));
    }
    let name = required("name")?;
    spoken("name", &name)?;
    let room = fields.get("room").map(|_| required("room")).transpose()?;
    room.iter().try_for_each(|room| spoken("room", room))?;
    let kind = required("type")?;
    let bare = kind.strip_prefix("devices.types.").unwrap_or(&kind);
    let kind = TYPES.split(' ').find(|known| *known == bare).ok_or_else(|| {
        let problem = format!("has the unknown type {}", quoted(&kind));
        (problem, "media_device suits a computer; others are switch, socket, media_device.tv and other")
    })?;
    let agent = agent(fields, names)?.unwrap_or(AgentId::DEFAULT);
    let (commands, sources) = Default::default();
    let mut device = Device { id, name, room, kind, agent, commands, sources };
    let read = DeviceReader { names, agent };
    for (key, json) in &fields.0 {
        if let Some((capability, _, must, may)) = KEYS.iter().find(|(_, own, ..)| own == key) {
            device.commands[*capability as usize] = Some(read.command(key, json, must, may)?);
        } else if key == "sources" {
            device.sources = read.sources(json)?;
        } else if !["id", "name", "room", "type", "agent"].contains(&&**key) {
            let problem = format!("has the unknown key {}", quoted(key));
            return Err((problem, "docs/smart-home.md lists them; check the spelling"));
        }
    }
    if device.commands.iter().all(Option::is_none) && device.sources.is_empty() {
        return Err(("has no command".into(), "give it one, as \"off\": \"спящий режим\""));
    }
    Ok(device)
}

/// Checks that an object has each key once: of two, one would be ignored silently. `place` says where in the device it
/// is.
fn no_key_twice(fields: &Fields<'_>, place: &str) -> Result<(), Problem> {
    match fields.repeated() {
        None => Ok(()),
        Some(key) => Err((format!("has the key {} twice{place}", quoted(key)), "keep one of them")),
    }
}

/// Returns the agent that an object names, if any.
fn agent(fields: &Fields<'_>, names: &Names) -> Result<Option<AgentId>, Problem> {
    if fields.get("agent").is_none() {
        return Ok(None);
    }
    let known = fields.text("agent").and_then(|name| names.find(&name));
    known.map(Some).ok_or_else(|| {
        let problem = "has an agent that there is not".to_owned();
        (
            problem,
            "write it as AGENTS has it; the one of API_KEY is \"компьютер\", or what AGENT_NAME says",
        )
    })
}

/// Reads the commands of one device.
struct DeviceReader<'a> {
    names: &'a Names,
    /// The agent of commands that name none.
    agent: AgentId,
}

impl DeviceReader<'_> {
    /// Reads a command, which is a text, or an object that also names an agent. `must` is the placeholder that it has
    /// to hold, `may` the one that it can hold.
    fn command(
        &self,
        key: &str,
        json: &RawValue,
        must: &str,
        may: &str,
    ) -> Result<DeviceCommand, Problem> {
        let fields = Fields::of(json);
        let (own, agent) = match &fields {
            None => (text(json), self.agent),
            Some(fields) => {
                no_key_twice(fields, &format!(" in \"{key}\""))?;
                if let Some((odd, _)) =
                    fields.0.iter().find(|(key, _)| !["agent", "text"].contains(&&**key))
                {
                    let problem = format!("has the unknown key {} in \"{key}\"", quoted(odd));
                    return Err((problem, "a command has \"text\" and \"agent\"; check the spelling"));
                }
                (fields.text("text"), agent(fields, self.names)?.unwrap_or(self.agent))
            }
        };
        let text = own.ok_or_else(|| {
            (format!("has no text in \"{key}\""), "put it into quotes, or leave it out")
        })?;
        let text = text.trim().to_owned();
        let length = text.chars().count();
        if length == 0 || length > MAX_COMMAND || text.contains(char::is_control) {
            let cure = "write 1 to 256 characters on one line, or leave it out";
            return Err((format!("has an unfit text in \"{key}\""), cure));
        }
        if !text.contains(must) {
            return Err((format!("has no {must} in \"{key}\""), "put it where the number belongs"));
        }
        match [VALUE, STEP].into_iter().find(|place| *place != may && text.contains(place)) {
            Some(other) => Err((format!("has {other} in \"{key}\""), "there is no such number there")),
            None => Ok(DeviceCommand { text, agent }),
        }
    }

    fn sources(&self, json: &RawValue) -> Result<Vec<DeviceCommand>, Problem> {
        let listed = list(json.get()).ok_or_else(|| {
            ("has sources that are no list".to_owned(), "write them as [\"…\", \"…\"]")
        })?;
        if listed.len() > MAX_SOURCES {
            let problem = format!("has {} sources", listed.len());
            return Err((problem, "Yandex knows ten, «один» to «десять»"));
        }
        listed.into_iter().map(|json| self.command("sources", json, "", "")).collect()
    }
}

/// Checks a name or a room for what Yandex would replace or hide.
fn spoken(what: &str, name: &str) -> Result<(), Problem> {
    let is_russian = |c: char| matches!(c, 'а'..='я' | 'А'..='Я' | 'ё' | 'Ё');
    let is_latin = |c: char| c.is_ascii_alphabetic();
    let is_letter = |c: char| is_russian(c) || is_latin(c);
    let fail = |problem: &str, cure| Err((format!("has a {what} {problem}"), cure));
    if name.chars().count() > MAX_NAME {
        return fail("of more than 25 characters", "shorten it");
    }
    if let Some(odd) = name.chars().find(|c| !is_letter(*c) && !c.is_ascii_digit() && *c != ' ') {
        return fail(&format!("with {odd:?} in it"), "use Russian letters, digits and spaces");
    }
    if !name.contains(is_letter) {
        return fail("without a letter", "write a word that can be spoken");
    }
    if name.contains(is_russian) && name.contains(is_latin) {
        return fail("that mixes Russian and Latin letters", "write all of it in Russian ones");
    }
    let pairs = || name.chars().zip(name.chars().skip(1));
    if pairs().any(|(a, b)| a.is_ascii_digit() != b.is_ascii_digit() && a != ' ' && b != ' ') {
        return fail("with a letter beside a digit", "put a space between them");
    }
    if name.trim() != name || pairs().any(|pair| pair == (' ', ' ')) {
        return fail("with a space too many", "put one between two words, and none around them");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::agents::Agents;

    fn read(content: &[u8]) -> Result<Vec<Device>, Problem> {
        parse(content, &Names::default())
    }

    fn problem(json: &str) -> String {
        let (problem, cure) = read(json.as_bytes()).unwrap_err();
        format!("{problem}: {cure}")
    }

    fn with(more: &str) -> String {
        let base = [("id", "pc"), ("name", "Компьютер"), ("type", "media_device"), ("off", "спи")];
        let base = base.map(|(key, value)| (format!("\"{key}\":"), format!("\"{key}\":\"{value}\"")));
        let base = base.into_iter().filter(|(key, _)| !more.contains(key)).map(|(_, field)| field);
        let fields: Vec<_> = base.collect();
        format!("[{{{}{more}}}]", fields.join(","))
    }

    #[test]
    fn the_example_is_the_built_in_device_written_out() {
        let example = include_bytes!("../../examples/smart-home.json");
        assert_eq!(read(example).unwrap(), built_in(&Names::default()));
    }

    #[test]
    fn every_key_is_read_and_stands_in_the_order_of_what_it_does() {
        for (place, (capability, key, must, _)) in KEYS.iter().enumerate() {
            assert_eq!(*capability as usize, place, "{key}");
            let json = format!(r#"[{{"id":"a","name":"Дом","type":"other","{key}":"давай {must}"}}]"#);
            let devices = read(json.as_bytes()).unwrap();
            assert_eq!(devices[0].command(*capability).unwrap().text, format!("давай {must}").trim());
            assert_eq!(devices[0].commands.iter().flatten().count(), 1);
        }
    }

    #[test]
    fn a_file_may_have_a_byte_order_mark_and_whole_types_and_rooms_and_sources() {
        let json = "\u{feff}".to_owned()
            + r#"[{"id":"tv","name":"Экран 2","room":"Зал","type":"devices.types.media_device.tv",
                "sources":["открой почту","кино"]}]"#;
        let devices = read(json.as_bytes()).unwrap();
        assert_eq!((devices[0].kind, devices[0].room.as_deref()), ("media_device.tv", Some("Зал")));
        assert_eq!(devices[0].sources[1].text, "кино");
    }

    #[test]
    fn a_device_that_yandex_would_drop_is_refused_with_its_number_id_and_cure() {
        for (more, told) in [
            (r#","name":"Очень длинное имя компьютера""#, "name of more than 25 characters: shorten"),
            (r#","name":"Лампочка1""#, "letter beside a digit: put a space"),
            (r#","name":"1лампочка""#, "letter beside a digit"),
            (r#","name":"Мой PC""#, "mixes Russian and Latin"),
            (r#","name":"Комп-два""#, "with '-' in it: use Russian letters"),
            (r#","name":"Їжак""#, "with 'Ї' in it"),
            (r#","name":"12""#, "without a letter"),
            (r#","name":"""#, "without a letter"),
            (r#","name":"Мой  дом""#, "a space too many"),
            (r#","name":" Дом""#, "a space too many"),
            (r#","name":5"#, "no text in \"name\": put it into quotes"),
            (r#","room":"Зал2""#, "a room with a letter beside a digit"),
            (r#","type":"computer""#, "the unknown type \"computer\": media_device suits"),
            (r#","volum":"громкость""#, "the unknown key \"volum\""),
            (r#","mute":"тихо","mute":"тихо""#, "the key \"mute\" twice: keep one"),
            (r#","on":"a","mute":"b","\u006fn":"c""#, "the key \"on\" twice"),
            (r#","on":{"text":"a","text":"b"}"#, "the key \"text\" twice in \"on\""),
            (
                r#","sources":["a",{"text":"b","agent":"компьютер","text":"c"}]"#,
                "\"text\" twice in \"sources\"",
            ),
            (r#","agent":5"#, "has an agent that there is not"),
            (r#","agent":"ноутбук""#, "has an agent that there is not"),
            (r#","on":{"agent":"сервер","text":"разбуди"}"#, "has an agent that there is not"),
            (r#","on":{"text":"разбуди","agnet":"x"}"#, "the unknown key \"agnet\" in \"on\""),
            (r#","on":{"agent":"компьютер"}"#, "no text in \"on\""),
            (r#","volume":"громкость""#, "no {value} in \"volume\": put it"),
            (r#","volume_up_by":"громче""#, "no {step} in \"volume_up_by\""),
            (r#","mute":"тихо {value}""#, "{value} in \"mute\""),
            (r#","volume":"громкость {value} {step}""#, "{step} in \"volume\""),
            (r#","on":"""#, "an unfit text in \"on\""),
            (r#","on":"a\nb""#, "an unfit text in \"on\""),
            (r#","on":5"#, "no text in \"on\""),
            (r#","sources":"кино""#, "sources that are no list"),
            (r#","sources":[5]"#, "no text in \"sources\""),
            (r#","sources":["1","1","1","1","1","1","1","1","1","1","1"]"#, "has 11 sources"),
        ] {
            let problem = problem(&with(more));
            assert!(
                problem.starts_with("device 1 (\"pc\") has ") && problem.contains(told),
                "{problem}"
            );
        }
    }

    fn several() -> Names {
        let entries = "ноутбук=0123456789abcdef;сервер=fedcba9876543210".to_owned();
        Agents::read(Some("десктоп".into()), Some(("AGENTS", entries)), &[]).unwrap().names()
    }

    #[test]
    fn without_a_file_each_agent_is_a_device_under_its_name_and_the_first_keeps_its_id() {
        let devices = built_in(&several());
        let told: Vec<_> = devices.iter().map(|d| (d.name.as_str(), d.agent.0)).collect();
        assert_eq!(told, [("Десктоп", 0), ("Ноутбук", 1), ("Сервер", 2)]);
        assert_eq!(devices[0].id, "pc");
        assert!(devices[1].id.starts_with("pc-") && devices[1].id != devices[2].id);
        for device in &devices {
            assert_eq!(device.command(Capability::Mute).unwrap().agent, device.agent);
        }
        let one = built_in(&Names::default());
        assert_eq!((one.len(), one[0].name.as_str()), (1, "Компьютер"));
    }

    #[test]
    fn a_device_and_a_single_command_may_say_which_agent_they_are() {
        let json = r#"[{"id":"a","name":"Ноут","type":"other","agent":"Ноутбук","off":"спи",
            "on":{"agent":"сервер","text":"разбуди ноутбук"},"sources":["кино",{"text":"музыка"}]}]"#;
        let device = parse(json.as_bytes(), &several()).unwrap().remove(0);
        assert_eq!(device.agent, AgentId(1));
        assert_eq!(device.command(Capability::Off).unwrap().agent, AgentId(1));
        assert_eq!(device.command(Capability::On).unwrap().agent, AgentId(2));
        assert!(device.sources.iter().all(|source| source.agent == AgentId(1)));
    }

    #[test]
    fn what_is_no_list_of_devices_is_told_with_the_place() {
        assert!(problem("{}").contains("no list"), "{}", problem("{}"));
        assert!(problem("[]").contains("no device"));
        assert!(problem("[5]").starts_with("device 1 is no object"));
        assert!(problem(r#"[{"id":5}]"#).starts_with("device 1 has no text in \"id\""));
        assert!(problem(r#"[{}]"#).starts_with("device 1 has no \"id\""));
        assert!(problem(r#"[{"id":"a b"}]"#).starts_with("device 1 (\"a b\") has an unfit id"));
        assert!(problem(r#"[{"id":"a"}]"#).contains("has no \"name\""));
        assert!(problem(r#"[{"id":"a","name":"Дом"}]"#).contains("has no \"type\""));
        assert!(problem(r#"[{"id":"a","name":"Дом","type":"other"}]"#).contains("has no command"));
        assert!(problem("[\n{\"id\":\"a\"\n\"name\":\"b\"}]").contains("line 3"));
        assert!(problem("[{\"id\": \"a\",}\n]").contains("line 1"));
        let one = with("");
        let two = format!("[{},{}]", &one[1..one.len() - 1], &one[1..one.len() - 1]);
        assert!(problem(&two).starts_with("device 2 (\"pc\") has the id of device 1"));
        let many: Vec<_> = (0..302)
            .map(|n| format!(r#"{{"id":"{n}","name":"Дом","type":"other","off":"спи"}}"#))
            .collect();
        assert!(problem(&format!("[{}]", many.join(","))).contains("302 devices"));
        assert_eq!(read(format!("[{}]", many[..301].join(",")).as_bytes()).unwrap().len(), 301);
        assert!(read(b"\xff").unwrap_err().0.contains("UTF-8"));
    }

    #[test]
    fn the_limits_of_a_name_and_a_command_are_those_that_are_told() {
        let named = |name: &str| read(with(&format!(r#","name":"{name}""#)).as_bytes()).is_ok();
        assert!(named(&"я".repeat(25)) && !named(&"я".repeat(26)));
        let on = |text: &str| read(with(&format!(r#","on":"{text}""#)).as_bytes()).is_ok();
        assert!(on(&"я".repeat(256)) && !on(&"я".repeat(257)));
        let id = |id: &str| read(with(&format!(r#","id":"{id}""#)).as_bytes()).is_ok();
        assert!(id(&"a".repeat(64)) && !id(&"a".repeat(65)));
    }
}
