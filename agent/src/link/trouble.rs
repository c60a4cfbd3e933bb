//! Why there is no link: each wrong state by its name, and the words that tell its owner what to do.

use std::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError};

/// Why there is no link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    Name,
    NoNetwork,
    Refused,
    Timeout,
    /// The connection broke while it was made.
    Broken(String),
    /// The system's root certificates can't be read; which file was named.
    NoRoots(Option<String>),
    Certificate(Certificate),
    NotTls,
    /// TLS fails for another reason.
    Tls(String),
    /// What answers speaks no HTTP, or TLS alone.
    NotHttp,
    Key,
    Forbidden,
    Path,
    NoWebSocket,
    /// The relay behind the proxy doesn't answer, with this status.
    RelayDown(u16),
    /// It leads elsewhere.
    Redirect(String),
    OldRelay,
    /// Something else answers, with this status.
    NotRelay(u16),
    Replaced,
    Stopped,
    /// The link was there, and broke.
    Lost,
    Silent,
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// It is too old, or not good yet: one of the two clocks may be wrong.
    Time,
    Name,
    Issuer,
    SelfSigned,
    /// It is of a form that nobody should use any more.
    Form,
}

impl Trouble {
    /// Names a failure to connect.
    pub fn of_connect(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::Timeout,
            io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable => Self::NoNetwork,
            _ => Self::Broken(error.to_string()),
        }
    }

    /// Names a failure of a connection that was made.
    pub fn of_io(error: &io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(tls) => Self::of_tls(tls),
            None => Self::of_connect(error),
        }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        use CertificateError as C;
        let certificate = match error {
            rustls::Error::InvalidMessage(_) => return Self::NotTls,
            rustls::Error::AlertReceived(AlertDescription::HandshakeFailure) => Certificate::Form,
            rustls::Error::InvalidCertificate(wrong) => match wrong {
                C::Expired | C::ExpiredContext { .. } | C::NotValidYet | C::NotValidYetContext { .. } => {
                    Certificate::Time
                }
                C::NotValidForName | C::NotValidForNameContext { .. } => Certificate::Name,
                C::UnknownIssuer | C::BadSignature => Certificate::Issuer,
                other if format!("{other:?}").contains("CaUsedAsEndEntity") => Certificate::SelfSigned,
                _ => Certificate::Form,
            },
            other => return Self::Tls(other.to_string()),
        };
        Self::Certificate(certificate)
    }

    /// Returns it as it is told, with a proxy that the environment names where that may be the reason: the agent uses none.
    pub fn told(&self) -> String {
        let names = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy", "HTTP_PROXY"];
        let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match names.iter().find(|name| is_set(name)).filter(|_| self.is_of_network()) {
            None => format!("{self}."),
            Some(name) => format!(
                "{self}. В окружении задан прокси ({name}), а агент подключается напрямую: откройте ему выход в сеть."
            ),
        }
    }

    /// Whether it may pass when the network changes.
    pub fn is_of_network(&self) -> bool {
        use Trouble::{Broken, Lost, Name, NoNetwork, Refused, Silent, Timeout};
        matches!(self, Name | NoNetwork | Refused | Timeout | Broken(_) | Lost | Silent)
    }

    /// Names what an HTTP status in place of a WebSocket means (docs/agents.md, "The connection").
    pub fn of_status(status: u16, location: Option<&str>) -> Self {
        match (status, location) {
            (401, _) => Self::Key,
            (403, _) => Self::Forbidden,
            (404 | 405, _) => Self::Path,
            (426, _) => Self::NoWebSocket,
            (502..=504, _) => Self::RelayDown(status),
            (300..=399, Some(to)) => Self::Redirect(to.chars().filter(|c| !c.is_control()).take(200).collect()),
            _ => Self::NotRelay(status),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "имя сервера не находится. Проверьте сеть и имя в строке server",
            Self::NoNetwork => "нет сети. Как только она появится, связь восстановится сама",
            Self::Refused => {
                "на сервере никто не слушает этот порт. Проверьте, запущены ли там прокси и home-alice-relay"
            }
            Self::Timeout => "сервер не отвечает. Проверьте сеть, имя в строке server и файрвол сервера",
            Self::Broken(error) => return write!(f, "соединение обрывается ({error}). Проверьте прокси на сервере"),
            Self::NoRoots(None) => "в системе нет корневых сертификатов. Установите пакет ca-certificates",
            Self::NoRoots(Some(file)) => {
                return write!(
                    f,
                    "в файле {file} (переменная SSL_CERT_FILE) нет ни одного сертификата. Нужен файл PEM в UTF-8, \
                     либо уберите переменную"
                );
            }
            Self::Certificate(Certificate::Time) => {
                "срок сертификата сервера не подходит к часам. Проверьте дату на этом компьютере, потом продлите \
                 сертификат на сервере"
            }
            Self::Certificate(Certificate::Name) => {
                "сертификат сервера выдан на другое имя. Проверьте имя в строке server и сертификат в прокси"
            }
            Self::Certificate(Certificate::Issuer) => {
                "сертификат сервера подписан неизвестно кем. Получите в прокси сертификат Let's Encrypt, либо \
                 добавьте свой центр в систему этого компьютера"
            }
            Self::Certificate(Certificate::SelfSigned) => {
                "сертификат сервера самоподписанный. Получите в прокси сертификат Let's Encrypt"
            }
            Self::Certificate(Certificate::Form) => {
                "сертификат или шифры сервера такие, каким больше не доверяют. Получите в прокси новый сертификат \
                 Let's Encrypt"
            }
            Self::NotTls => "на этом порту нет TLS. Адрес wss:// ведёт на порт 443 прокси, а не на сам сервер",
            Self::Tls(error) => return write!(f, "TLS не получается ({error}). Проверьте прокси на сервере"),
            Self::NotHttp => "по этому адресу не говорят по HTTP. Если там TLS, адрес начинается с wss://",
            Self::Key => "ключ не подходит. Получите на сервере новую строку командой invite и выполните её здесь",
            Self::Forbidden => "прокси никого не пускает (код 403). Уберите с этого хоста Access List",
            Self::Path => "по этому пути ничего нет. Адрес в строке server кончается на /ws",
            Self::NoWebSocket => "прокси не пропускает WebSocket. В Nginx Proxy Manager включите «Websockets Support»",
            Self::RelayDown(status) => {
                return write!(f, "прокси отвечает {status}: home-alice-relay за ним не работает. Запустите его");
            }
            Self::Redirect(to) => {
                return write!(f, "сервер отправляет на {to}. Напишите в строке server адрес с wss://");
            }
            Self::OldRelay => "home-alice-relay на сервере слишком старый. Обновите его",
            Self::NotRelay(status) => {
                return write!(f, "там отвечает не home-alice-relay (код {status}). Проверьте адрес в строке server");
            }
            Self::Replaced => {
                "с этим же ключом подключился другой компьютер. Остановите агента там, либо дайте ему свою строку \
                 в AGENTS"
            }
            Self::Stopped => "сервер остановился. Как только он запустится, связь восстановится сама",
            Self::Lost => "связь прервалась. Подключаюсь снова",
            Self::Silent => "от сервера ничего не приходит. Подключаюсь снова",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_cure() {
        for (status, trouble) in [
            (401, Trouble::Key),
            (403, Trouble::Forbidden),
            (404, Trouble::Path),
            (426, Trouble::NoWebSocket),
            (502, Trouble::RelayDown(502)),
            (200, Trouble::NotRelay(200)),
            (301, Trouble::NotRelay(301)),
        ] {
            assert_eq!(Trouble::of_status(status, None), trouble);
        }
        let redirect = Trouble::of_status(301, Some("https://a.b/ws\r\n"));
        assert_eq!(redirect, Trouble::Redirect("https://a.b/ws".into()));
    }
}
