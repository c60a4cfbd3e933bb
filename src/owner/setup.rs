//! `setup`: lists the values that the owner copies into the consoles, the proxy and the agent.

use crate::config::Config;
use crate::config::agents::ExtraAgent;
use crate::config::credentials::LOCK;
use crate::config::keys::AgentKeys;
use crate::tokens::signed::client_secret;

/// Returns the values for each place, for a relay at `domain`. They hold every secret but `SMART_HOME_SECRET`, which is
/// typed nowhere.
pub fn setup(config: &Config, domain: &str) -> String {
    let (api_key, key_cure) = match &config.credentials.keys {
        AgentKeys::Configured(keys) => (keys[0].reveal(), ""),
        AgentKeys::Generated(_) => ("(another one in each run)", NO_KEY),
    };
    let webhook_cure = if config.credentials.webhook.is_none() { NO_WEBHOOK } else { "" };
    let smart_home = match &config.smart_home.secret {
        Some(secret) => SMART_HOME.replace("{secret}", client_secret(secret).reveal()),
        None => NO_SMART_HOME.to_owned(),
    };
    let all = config.credentials.agents.extra();
    let invitations: String = all.iter().map(invitation).collect();
    let extra: String = all.iter().map(extra).collect();
    let text = [ALWAYS, &smart_home].concat();
    [
        ("{invitations}", &*invitations),
        ("{domain}", domain),
        ("{forward}", &*forward(config)),
        ("{port}", &config.listen.port.to_string()),
        ("{webhook_cure}", webhook_cure),
        ("{lock}", LOCK),
        ("{key_cure}", key_cure),
        ("{webhook}", &config.credentials.webhook_path()),
        ("{extra}", &*extra),
        // Last, since a key may hold any text, such as a placeholder.
        ("{api_key}", api_key),
    ]
    .into_iter()
    .fold(text, |text, (place, value)| text.replace(place, value))
}

const ALWAYS: &str = "\
The skill, in the Dialogs console, https://dialogs.yandex.ru/developer
  Webhook URL:                       https://{domain}{webhook}
{webhook_cure}
The agent on the PC, in its config
  server_url:                        wss://{domain}/ws
  api_key:                           {api_key}
{extra}{key_cure}  In place of all these values home-alice-agent takes the line that this prints, good for 5 minutes:
    docker exec home-alice-relay /home-alice-relay invite --domain {domain}
{invitations}
The proxy host, in Nginx Proxy Manager
  Details, Domain Names:             {domain}
  Details, Scheme:                   http
  Details, Forward Hostname / IP:    {forward}
  Details, Forward Port:             {port}
  Details, Cache Assets:             off
  Details, Block Common Exploits:    off
  Details, Websockets Support:       on
  SSL, SSL Certificate:              Request a new SSL Certificate
  SSL, Force SSL:                    on
  SSL, HTTP/2 Support:               on
  Advanced:                          the lines of deploy/npm-advanced.conf

Smart Home, in the same console: «Создать диалог», «Умный дом»
";

const NO_WEBHOOK: &str = "  \
  THE DOOR IS OPEN: WEBHOOK_SECRET is not set, so whoever finds this address commands the PC. Where .env is:
    {lock}
  Start the relay again (docker-compose up -d), and run this again
";

const NO_KEY: &str = "  \
  API_KEY is not set: set it to the output of `openssl rand -hex 32`, start the relay again, and run this
  again
";

const SMART_HOME: &str = "  \
  «Настройки»
    Название:                        Мой компьютер, or two Russian words of your own
    Backend, Endpoint URL:           https://{domain}/smart-home
    Тип доступа:                     Приватный
  «Связка аккаунтов»
    Идентификатор приложения:        home-alice
    Секрет приложения:               {secret}
    URL авторизации:                 https://{domain}/smart-home/authorize
    URL для получения токена:        https://{domain}/smart-home/token
    URL для обновления токена:       https://{domain}/smart-home/token
    Идентификатор группы действий:   (leave it empty)
  Save and publish. Then link it in the app «Дом с Алисой», with the code that `home-alice-relay pair` prints
";

const NO_SMART_HOME: &str = "  \
  Smart Home is off: set SMART_HOME_SECRET to the output of `openssl rand -hex 32`, start the relay again,
  and run this again
";

/// Returns the line with the key of one of several PCs.
fn extra(extra: &ExtraAgent) -> String {
    let label = format!("api_key of «{}»:", extra.name());
    format!("  {label:<35}{}\n", extra.keys.all()[0].reveal())
}

/// Returns the command that invites the agent of one of several PCs.
fn invitation(extra: &ExtraAgent) -> String {
    format!(
        "    docker exec home-alice-relay /home-alice-relay invite --domain {{domain}} {}\n",
        extra.name()
    )
}

/// Returns the host at which the proxy reaches the relay.
pub fn forward(config: &Config) -> String {
    match config.listen.host {
        Some(host) => host.to_string(),
        None => "home-alice-relay in Docker, else this machine's address".into(),
    }
}
