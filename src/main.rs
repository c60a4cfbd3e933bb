//! The command line of Home Alice Relay. Nothing else.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use home_alice_relay::{
    AgentKeys, AskError, Config, Invitation, ListenAddr, MAX_WAIT, Pass, Relay, RelayAddress, Shutdown,
    ShutdownReason, StartError, cannot, flush_log, one_arena, secrets, start_log, start_vital,
};

const HELP: &str = "\
Carries a voice command from Yandex Alice to your own PC, and the PC's answer back.

  home-alice-relay                        serve; configured by the environment, see docs/configuration.md
  home-alice-relay healthcheck            ask the running relay whether it is healthy
  home-alice-relay ask \"a command\"        send a turn like Alice's and print what she would say;
                                          with --wait SECONDS also an answer that comes later
  home-alice-relay invite --domain NAME   print the line that joins a PC's agent, good for 5 minutes; of
                                          several PCs name one behind it; without --domain it is for
                                          an agent on this machine
  home-alice-relay login                  print a code for the owner's page, good for 5 minutes;
                                          with --monitor a token that lets a monitor read its state
  home-alice-relay pair                   print a code for linking Smart Home, good for 5 minutes
  home-alice-relay setup --domain NAME    print what goes where: into the consoles, proxy and agent
  home-alice-relay --version | --help

healthcheck, ask, invite, login and pair find the relay by LISTEN_ADDR, or by --url http://host:port. ask,
invite, login, pair and setup need the relay's own environment: its secrets and ids let them in, and setup
prints them.
Exit codes: 0 fine; 1 it failed; 2 the command line or the environment can't be used.
";

/// The exit code for unusable input.
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    one_arena();
    let arguments = std::env::args_os().skip(1).map(OsString::into_string);
    let Ok(arguments) = arguments.collect::<Result<Vec<_>, _>>() else {
        eprint(
            "an argument is not UTF-8: let the terminal use UTF-8 (in PuTTY: Window, Translation, Remote \
             character set; otherwise `locale` must tell a name that ends in UTF-8) and type it again",
        );
        return ExitCode::from(UNUSABLE);
    };
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] => serve(),
        ["--version" | "-V"] => print(concat!("home-alice-relay ", env!("CARGO_PKG_VERSION"), "\n")),
        ["--help" | "-h" | "help"] => print(HELP),
        [command @ ("healthcheck" | "ask" | "invite" | "login" | "pair" | "setup"), options @ ..] => {
            match Options::read(options) {
                Ok(options) => run(command, options),
                Err(misuse) => misuse.tell(),
            }
        }
        _ => not_understood(),
    }
}

fn run(command: &str, options: Options<'_>) -> ExitCode {
    match (command, options) {
        ("healthcheck", Options { url, phrase: None, wait: None, domain: None, monitor: false }) => {
            healthcheck(url)
        }
        ("pair", Options { url, phrase: None, wait: None, domain: None, monitor: false }) => pair(url),
        ("login", Options { url, monitor, phrase: None, wait: None, domain: None }) => {
            login(url, if monitor { Pass::Monitor } else { Pass::Code })
        }
        ("invite", Options { phrase: pc, url, domain, wait: None, monitor: false }) => {
            invite(pc, url, domain)
        }
        (
            "setup",
            Options { domain: Some(domain), phrase: None, url: None, wait: None, monitor: false },
        ) => setup(domain),
        ("ask", Options { phrase: Some(phrase), url, wait, domain: None, monitor: false }) => {
            ask(phrase, url, wait)
        }
        _ => not_understood(),
    }
}

fn not_understood() -> ExitCode {
    eprint(&format!("this command line is not understood\n\n{HELP}"));
    ExitCode::from(UNUSABLE)
}

/// The options of a command, in any order.
#[derive(Default)]
struct Options<'a> {
    phrase: Option<&'a str>,
    url: Option<&'a str>,
    wait: Option<Duration>,
    domain: Option<&'a str>,
    monitor: bool,
}

/// Why a command line is invalid.
enum Misuse {
    /// There is no such command or option.
    NotUnderstood,
    /// The value of `--wait` is invalid.
    Wait(String),
}

impl Misuse {
    fn tell(self) -> ExitCode {
        let Self::Wait(value) = self else { return not_understood() };
        let most = MAX_WAIT.as_secs();
        eprint(&format!("--wait is {value:?}: it may be a whole number of seconds from 0 to {most}"));
        ExitCode::from(UNUSABLE)
    }
}

impl<'a> Options<'a> {
    fn read(mut arguments: &[&'a str]) -> Result<Self, Misuse> {
        let mut options = Self::default();
        while let [first, rest @ ..] = arguments {
            arguments = match (*first, rest) {
                ("--url", [url, rest @ ..]) if options.url.is_none() => {
                    options.url = Some(url);
                    rest
                }
                ("--monitor", rest) if !options.monitor => {
                    options.monitor = true;
                    rest
                }
                ("--domain", [domain, rest @ ..]) if options.domain.is_none() => {
                    options.domain = Some(domain);
                    rest
                }
                ("--wait", [seconds, rest @ ..]) if options.wait.is_none() => {
                    let wait = seconds.parse().map(Duration::from_secs);
                    let wait = wait.ok().filter(|wait| *wait <= MAX_WAIT);
                    options.wait = Some(wait.ok_or_else(|| Misuse::Wait((*seconds).to_owned()))?);
                    rest
                }
                (phrase, rest) if options.phrase.is_none() && !phrase.starts_with("--") => {
                    options.phrase = Some(phrase);
                    rest
                }
                _ => return Err(Misuse::NotUnderstood),
            };
        }
        Ok(options)
    }
}

fn serve() -> ExitCode {
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(error) => {
            eprint(&error.to_string());
            return ExitCode::from(UNUSABLE);
        }
    };
    // First of all: a signal before this would meet the default action, which PID 1 lacks.
    let signals = Signals::new([SIGTERM, SIGINT]);
    let (shutdown, ended) = Shutdown::new();
    let mut is_unusable = false;
    let relay = start_log(config.log_level, secrets(&config), &shutdown)
        .and(signals.map_err(|error| cannot("receive signals (sigaction, a socket pair)", &error)))
        .and_then(|signals| handle_signals(signals, &shutdown))
        .map_err(|error| error.to_string())
        .and_then(|()| {
            // Before anything else is logged.
            config.open_door().iter().for_each(|warning| log::warn!("{warning}"));
            Relay::start(&config, &shutdown).map_err(|error| {
                is_unusable = matches!(error, StartError::Devices(_));
                error.to_string()
            })
        });
    let relay = match relay {
        Ok(relay) => relay,
        Err(problem) => {
            eprint(&problem);
            return if is_unusable { ExitCode::from(UNUSABLE) } else { ExitCode::FAILURE };
        }
    };
    introduce(&config, &relay);
    let code = match ended.recv() {
        Ok(ShutdownReason::Requested) | Err(_) => {
            relay.stop();
            ExitCode::SUCCESS
        }
        Ok(ShutdownReason::Failed(cause)) => {
            let last_words = format!("{cause}; ending, for the supervisor to start the relay again");
            log::error!("{last_words}");
            if !flush_log() {
                // The log itself may have failed.
                eprint(&last_words);
            }
            ExitCode::FAILURE
        }
    };
    flush_log();
    code
}

/// Tells the user what is important about who is let in.
fn introduce(config: &Config, relay: &Relay) {
    let credentials = &config.credentials;
    if let AgentKeys::Generated(key) = &credentials.keys {
        // After the log's lines, though it is not part of the log.
        flush_log();
        print(&format!(
            "No API_KEY is set, so this run has a random one. For the agent's config:\n\
             server_url: ws://{}/ws\n\
             api_key: {}\n",
            relay.address(),
            key.reveal()
        ));
        log::warn!("The agent's key changes at every start: set API_KEY to keep one");
    }
    if let Some(doubt) = config.listen.doubt(std::env::var_os("container").as_deref()) {
        log::warn!("{doubt}");
    }
    Config::misspelt().iter().for_each(|warning| log::warn!("{warning}"));
    credentials.doubts().iter().for_each(|doubt| log::warn!("{doubt}"));
    if let Some(open) = credentials.open() {
        log::warn!("{open}");
    }
}

/// The first signal asks the relay to end, a second one ends it at once.
fn handle_signals(mut signals: Signals, shutdown: &Shutdown) -> io::Result<()> {
    let requester = shutdown.clone();
    start_vital(shutdown, "signals", move || {
        let mut signals = signals.forever();
        if signals.next().is_some() {
            requester.request();
        }
        if let Some(signal) = signals.next() {
            std::process::exit(128 + signal);
        }
        Err("no signal can come any more".into())
    })
}

fn target(url: Option<&str>) -> Result<RelayAddress, AskError> {
    match (url, std::env::var("LISTEN_ADDR")) {
        (Some(url), _) => RelayAddress::of_url(url),
        (None, Ok(listen)) => RelayAddress::of_listener(&listen.parse()?),
        (None, Err(_)) => RelayAddress::of_listener(&ListenAddr::default()),
    }
}

fn healthcheck(url: Option<&str>) -> ExitCode {
    match target(url).and_then(home_alice_relay::healthcheck) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(&error),
    }
}

fn ask(phrase: &str, url: Option<&str>, wait: Option<Duration>) -> ExitCode {
    let said = target(url).and_then(|target| {
        let credentials = Config::from_env()?.credentials;
        let said = home_alice_relay::ask(target, &credentials, phrase)?;
        match wait {
            Some(patience) if said.will_be_kept() => {
                print(&format!("{}\n", said.text));
                home_alice_relay::wait(target, &credentials, &said, patience)
            }
            _ => Ok(said),
        }
    });
    match said {
        Ok(said) => {
            let printed = print(&format!("{}\n", said.text));
            if said.by_agent() {
                return printed;
            }
            let outcome = said.outcome.as_deref().unwrap_or("unknown");
            let cure = match outcome {
                "refused" => ". Run ask with the relay's own environment",
                _ => "",
            };
            eprint(&format!("the relay answers, but no agent did: {outcome}{cure}"));
            ExitCode::FAILURE
        }
        Err(error) => failure(&error),
    }
}

fn pair(url: Option<&str>) -> ExitCode {
    let code = target(url).and_then(|target| {
        let Some(secret) = Config::from_env()?.smart_home.secret else {
            let problem = "SMART_HOME_SECRET is not set, so Smart Home is off: set it to the output of \
                           `openssl rand -hex 32` and start the relay again, or run pair with the relay's \
                           own environment";
            return Err(AskError::Address(problem.into()));
        };
        home_alice_relay::pair(target, &secret)
    });
    match code {
        Ok(code) => print(&format!(
            "{code}\n\n\
             This is the pairing code. It is good once, for 5 minutes, and instead of any before it.\n\
             In the app «Дом с Алисой»: +, «Устройство умного дома», the skill by its name, «Привязать к\n\
             Яндексу». Type the code on the page that opens. Give it to nobody.\n"
        )),
        Err(error) => failure(&error),
    }
}

fn login(url: Option<&str>, pass: Pass) -> ExitCode {
    let given = target(url).and_then(|target| {
        let Some(secret) = Config::from_env()?.credentials.owner_secret() else {
            let problem = "WEBHOOK_SECRET is not set, so there is no owner's page: set it to the output of \
                           `openssl rand -hex 32` and start the relay again, or run login with the relay's own \
                           environment";
            return Err(AskError::Address(problem.into()));
        };
        home_alice_relay::login(target, &secret, pass)
    });
    match (given, pass) {
        (Ok(code), Pass::Code) => print(&format!(
            "{code}\n\n\
             This is the code for the owner's page. It is good once, for 5 minutes, and instead of any before\n\
             it. Open https://your-domain/owner and type it in. Give it to nobody.\n"
        )),
        (Ok(token), Pass::Monitor) => print(&format!(
            "{token}\n\n\
             This token lets a monitor read states, counters and times, and nothing else, for 400 days:\n\
             curl -H 'Authorization: Bearer TOKEN' https://your-domain/owner/state\n"
        )),
        (Err(error), _) => failure(&error),
    }
}

/// Returns the domain in DNS' form.
fn domain(text: &str) -> Result<String, AskError> {
    let domain = home_alice_relay::domain(text)
        .map_err(|problem| AskError::Address(format!("--domain is {text:?}: {problem}")))?;
    if !text.is_ascii() {
        eprint(&format!("{text} is {domain} in DNS, and stands so wherever it must be typed"));
    }
    Ok(domain)
}

fn setup(text: &str) -> ExitCode {
    match domain(text).and_then(|domain| Ok((Config::from_env()?, domain))) {
        Ok((config, domain)) => print(&home_alice_relay::setup(&config, &domain)),
        Err(error) => failure(&error),
    }
}

fn invite(pc: Option<&str>, url: Option<&str>, text: Option<&str>) -> ExitCode {
    let invited = text.map(domain).transpose().and_then(|domain| {
        let (target, credentials) = (target(url)?, Config::from_env()?.credentials);
        home_alice_relay::invite(target, &credentials, domain.as_deref(), pc)
    });
    match invited {
        Ok(Invitation { line, pc }) => print(&format!(
            "{line}\n\n\
             This line joins the agent of the PC «{pc}»: type it there. It is good once, for 5 minutes, and instead of\n\
             any before it for this PC. It brings the PC's key, so give it to nobody.\n"
        )),
        Err(error) => failure(&error),
    }
}

fn failure(error: &AskError) -> ExitCode {
    eprint(&error.to_string());
    match error {
        AskError::Address(_) => ExitCode::from(UNUSABLE),
        _ => ExitCode::FAILURE,
    }
}

/// Prints a result. Returns success, or failure if it can't be printed.
fn print(text: &str) -> ExitCode {
    let mut stdout = io::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint(&format!("what was asked for can't be written to standard output: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn eprint(text: &str) {
    let _ = writeln!(io::stderr(), "home-alice-relay: {text}");
}
