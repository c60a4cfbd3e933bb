//! The values that the owner copies into the consoles, the proxy and the agent. As `setup` prints them, but each secret
//! is replaced by its name, so a stolen cookie yields none.

use crate::config::Config;
use crate::owner::{domain, setup};

/// Values for one place.
pub struct Group {
    /// The place.
    pub place: &'static str,
    /// Names and values of the fields.
    pub values: Vec<(String, String)>,
}

/// Returns the domain of a `Host` field, or a placeholder if it is not a domain by its form.
pub fn domain(host: &str) -> String {
    let name = host.split(':').next().unwrap_or_default();
    let is_name = |name: &String| name.bytes().any(|b| b.is_ascii_alphabetic());
    domain::domain(name).ok().filter(is_name).unwrap_or_else(|| "your-domain.com".into())
}

/// Returns the values for each place, for a relay at `domain`.
pub fn values(config: &Config, domain: &str) -> Vec<Group> {
    let group = |place, values: &[(&str, &str)]| Group {
        place,
        values: values.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
    };
    let https = |path: &str| ["https://", domain, path].concat();
    let server = ["wss://", domain, "/ws"].concat();
    let mut agent = group("Конфиг агента", &[("server_url", &server), ("api_key", "<API_KEY>")]);
    for extra in config.credentials.agents.extra() {
        let key = format!("<ключ «{}» из AGENTS>", extra.name());
        agent.values.push((format!("api_key для «{}»", extra.name()), key));
    }
    let endpoint = https("/smart-home");
    let (authorize, token) = (https("/smart-home/authorize"), https("/smart-home/token"));
    let smart_home: &[(&str, &str)] = match &config.smart_home.secret {
        None => &[("В .env, чтобы включить", "SMART_HOME_SECRET=<вывод openssl rand -hex 32>")],
        Some(_) => &[
            ("Endpoint URL", &endpoint),
            ("Идентификатор приложения", "home-alice"),
            ("Секрет приложения", "<Секрет приложения>"),
            ("URL авторизации", &authorize),
            ("URL для получения токена", &token),
            ("URL для обновления токена", &token),
        ],
    };
    vec![
        group("Яндекс Диалоги", &[("Webhook URL", &https("/alice/webhook/<WEBHOOK_SECRET>"))]),
        group("Умный дом", smart_home),
        agent,
        group(
            "Nginx Proxy Manager",
            &[
                ("Domain Names", domain),
                ("Scheme", "http"),
                ("Forward Hostname / IP", &setup::forward(config)),
                ("Forward Port", &config.listen.port.to_string()),
                ("Websockets Support", "on"),
                ("Force SSL", "on"),
                ("Advanced", "строки из deploy/npm-advanced.conf"),
            ],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRETS: [(&str, &str); 4] = [
        ("API_KEY", "0123456789abcdef"),
        ("WEBHOOK_SECRET", "abcdefgh-_234567"),
        ("SMART_HOME_SECRET", "smart-home-secret_b71fd0c2"),
        ("AGENTS", "ноутбук=key-of-the-notebook"),
    ];

    #[test]
    fn each_value_is_the_one_that_setup_prints_and_no_secret_is_among_them() {
        let of = |name| SECRETS.iter().find(|(own, _)| *own == name).map(|(_, value)| value.into());
        let config = Config::read(of).unwrap();
        let printed = setup::setup(&config, "home.example.org");
        let secrets: Vec<_> = crate::secrets(&config);
        for Group { values, .. } in values(&config, "home.example.org") {
            for (name, value) in values {
                assert!(!secrets.iter().any(|secret| value.contains(secret.reveal())), "{name}");
                let plain =
                    value.replace("<WEBHOOK_SECRET>", SECRETS[1].1).replace("<API_KEY>", SECRETS[0].1);
                assert!(plain.contains(['<', 'с']) || printed.contains(&plain), "{name}: {plain}");
            }
        }
    }

    #[test]
    fn a_domain_is_taken_from_the_host_only_if_it_is_one() {
        assert_eq!(domain("home.example.org"), "home.example.org");
        assert_eq!(domain("home.example.org:8443"), "home.example.org");
        for host in ["", "localhost:8080", "127.0.0.1:8080", "[::1]", "<script>.x", "a\"b.c"] {
            assert_eq!(domain(host), "your-domain.com", "{host}");
        }
    }
}
