//! The texts of programs that print no UTF-8. Plain data.

/// How a program's output is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Cp1251,
    Cp866,
}

/// The upper half of the code page of Russian Windows.
const CP1251: &str = "ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏђ‘’“”•–—�™љ›њќћџ\u{a0}ЎўЈ¤Ґ¦§Ё©Є«¬\u{ad}®Ї°±Ііґµ¶·ё№є»јЅѕї\
                      АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдежзийклмнопрстуфхцчшщъыьэюя";

/// The upper half of the code page of its console.
const CP866: &str = "АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдежзийклмноп░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
                     └┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀рстуфхцчшщъыьэюяЁёЄєЇїЎў°∙·√№¤■\u{a0}";

impl Encoding {
    /// Returns the one that is called so.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "utf-8" => Some(Self::Utf8),
            "cp1251" => Some(Self::Cp1251),
            "cp866" => Some(Self::Cp866),
            _ => None,
        }
    }

    /// Returns the text of these bytes.
    pub fn decode(self, bytes: &[u8]) -> String {
        let upper = match self {
            Self::Utf8 => return String::from_utf8_lossy(bytes).into_owned(),
            Self::Cp1251 => CP1251,
            Self::Cp866 => CP866,
        };
        let upper: Vec<char> = upper.chars().collect();
        bytes
            .iter()
            .map(|byte| upper.get(usize::from(*byte).wrapping_sub(128)).copied().unwrap_or(char::from(*byte)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_russian_text_is_read_in_each() {
        assert_eq!(Encoding::Cp1251.decode(b"\xcf\xf0\xe8\xe2\xe5\xf2, \xb8\xe6 1"), "Привет, ёж 1");
        assert_eq!(Encoding::Cp866.decode(b"\x8f\xe0\xa8\xa2\xa5\xe2, \xf1\xa6 1"), "Привет, ёж 1");
        assert_eq!(Encoding::Utf8.decode("ёж".as_bytes()), "ёж");
        assert!(CP1251.chars().count() == 128 && CP866.chars().count() == 128);
    }
}
