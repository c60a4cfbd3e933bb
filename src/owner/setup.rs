//! What goes where: the values that the owner copies into the consoles, the proxy and the agent.

use crate::config::Config;
use crate::config::credentials::AgentKeys;
use crate::net::listener::reachable;
use crate::smart_home::PATH;
use crate::smart_home::linking::CLIENT_ID;
use crate::smart_home::seal::client_secret;

/// Returns the domain, if it is one by its form: as in `home.example.org`, without `https://` and a path.
pub fn domain(text: &str) -> Option<&str> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_sound = text.len() <= 253 && text.contains('.') && text.split('.').all(is_label);
    is_sound.then_some(text)
}

/// Returns what to put where, for a relay with this `config` at `domain`. It holds every secret but
/// `SMART_HOME_SECRET`, which is typed nowhere.
pub fn setup(config: &Config, domain: &str) -> String {
    let mut text = String::new();
    let mut add = |lines: &[&str]| {
        lines.iter().for_each(|line| text.push_str(line));
        text.push('\n');
    };
    add(&[
        "The skill, in the Dialogs console (https://dialogs.yandex.ru/developer), a skill in «Диалоги»",
    ]);
    add(&["  Webhook URL:                       https://", domain, &config.credentials.webhook_path()]);
    if config.credentials.webhook.is_none() {
        add(&[
            "  ! WEBHOOK_SECRET is not set, so whoever learns this address commands the PC: set it to the",
        ]);
        add(&["    output of `openssl rand -hex 32`, start the relay again, and run this again"]);
    }
    add(&["\nThe agent on the PC, in its config"]);
    add(&["  server_url:                        wss://", domain, "/ws"]);
    match &config.credentials.keys {
        AgentKeys::Configured(keys) => {
            add(&["  api_key:                           ", keys[0].reveal()]);
        }
        AgentKeys::Generated(_) => {
            add(&[
                "  api_key:                           (API_KEY is not set: each run has another one)",
            ]);
            add(&[
                "  ! set API_KEY to the output of `openssl rand -hex 32`, start the relay again, and run this again",
            ]);
        }
    }
    add(&["\nThe proxy host, in Nginx Proxy Manager"]);
    add(&["  Details, Domain Names:             ", domain]);
    add(&["  Details, Scheme:                   http"]);
    add(&["  Details, Forward Hostname / IP:    ", &forward(config)]);
    add(&["  Details, Forward Port:             ", &config.listen.port.to_string()]);
    add(&["  Details, Cache Assets:             off"]);
    add(&["  Details, Block Common Exploits:    off"]);
    add(&["  Details, Websockets Support:       on"]);
    add(&["  SSL, SSL Certificate:              Request a new SSL Certificate"]);
    add(&["  SSL, Force SSL:                    on"]);
    add(&["  Advanced:                          the lines of deploy/npm-advanced.conf"]);
    add(&["\nSmart Home, in the same console, «Создать диалог», «Умный дом»"]);
    let Some(secret) = &config.smart_home.secret else {
        add(&[
            "  ! Smart Home is off: set SMART_HOME_SECRET to the output of `openssl rand -hex 32`, start the",
        ]);
        add(&["    relay again, and run this again"]);
        return text;
    };
    let base = ["https://", domain, PATH].concat();
    add(&["  «Настройки»"]);
    add(&["    Название:                        Home Alice, or two words of your own"]);
    add(&["    Backend, Endpoint URL:           ", &base]);
    add(&["    Тип доступа:                     Приватный"]);
    add(&["  «Связка аккаунтов»"]);
    add(&["    Идентификатор приложения:        ", CLIENT_ID]);
    add(&["    Секрет приложения:               ", client_secret(secret).reveal()]);
    add(&["    URL авторизации:                 ", &base, "/authorize"]);
    add(&["    URL для получения токена:        ", &base, "/token"]);
    add(&["    URL для обновления токена:       ", &base, "/token"]);
    add(&["    Идентификатор группы действий:   (leave it empty)"]);
    add(&[
        "  Save, publish, and link it in the app «Дом с Алисой»; `home-alice-relay pair` prints the code for that",
    ]);
    text
}

/// Returns where the proxy finds the relay.
fn forward(config: &Config) -> String {
    match config.listen.host {
        Some(host) => host.to_string(),
        None => {
            let here = reachable(std::net::SocketAddr::from(([0, 0, 0, 0], config.listen.port)));
            format!(
                "home-alice-relay in Docker, else this machine's address ({} from itself)",
                here.ip()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_a_name_with_a_dot_and_nothing_around_it() {
        for right in
            ["your-domain.com", "home.example.org", "xn--80ak6aa92e.com", "дом.рф", "192.0.2.1"]
        {
            assert_eq!(domain(right), Some(right));
        }
        for wrong in [
            "",
            "com",
            "https://a.b",
            "a.b/",
            "a.b:80",
            "a..b",
            ".a.b",
            "a b.c",
            "-a.b",
            "a-.b",
            "a_b.c\n",
        ] {
            assert_eq!(domain(wrong), None, "{wrong}");
        }
    }
}
