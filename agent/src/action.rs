//! What can be asked of a PC. Plain data; `system` carries it out.

use std::fmt;
use std::time::Duration;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Open a site, a file or a folder as its owner would, and say this.
    Open { what: String, answer: Option<String> },
    /// Run a program, with these arguments and never by a shell.
    Run { arguments: Vec<String>, speaks: Speaks, timeout: Duration },
    /// Wake other PCs.
    Wake { cards: Vec<Mac>, answer: Option<String> },
    /// Say that the link is there.
    Check,
    /// End the own command that runs. It waits for nothing.
    Cancel,
}

impl Action {
    /// Returns what is said once it is done, as far as that is known before.
    pub fn answer(&self) -> &str {
        match self {
            Self::Open { answer, .. } => answer.as_deref().unwrap_or("Открываю."),
            Self::Run { speaks: Speaks::Text(text), .. } => text,
            Self::Run { speaks: Speaks::Output, .. } => "(первая строка, которую напечатает программа)",
            Self::Run { speaks: Speaks::Done, .. } => "Готово.",
            Self::Wake { answer, .. } => answer.as_deref().unwrap_or("Отправляю сигнал на включение."),
            Self::Check => "Связь есть.",
            Self::Cancel => "Останавливаю.",
        }
    }
}

/// What is said once a program has ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Speaks {
    /// That it is done.
    Done,
    /// The first line that it printed.
    Output,
    /// This.
    Text(String),
}

/// The address of a network card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Reads six pairs of hexadecimal digits with `:` or `-` between them; none when it is no such text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 6];
        let mut pairs = text.trim().split([':', '-']);
        for byte in &mut bytes {
            let pair =
                pairs.next().filter(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()))?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        pairs.next().is_none().then_some(Self(bytes))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_written_in_either_way() {
        let mac = Mac([0x01, 0x23, 0x45, 0xab, 0xcd, 0xef]);
        assert_eq!(Mac::parse("01:23:45:AB:cd:ef"), Some(mac));
        assert_eq!(Mac::parse(" 01-23-45-ab-cd-ef "), Some(mac));
        assert_eq!(mac.to_string(), "01:23:45:ab:cd:ef");
        for wrong in
            ["", "01:23:45:ab:cd", "01:23:45:ab:cd:ef:00", "0:23:45:ab:cd:ef", "+1:23:45:ab:cd:ef"]
        {
            assert_eq!(Mac::parse(wrong), None, "{wrong}");
        }
    }
}
