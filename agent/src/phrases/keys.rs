//! Keys as they are said: «контрол си», «альт ф4», «стрелку вниз». Plain data.

use crate::action::Key;
use crate::phrases::numbers::number;

/// Keys that are pressed together: nobody has more fingers for them.
const MAX_KEYS: usize = 5;

/// Letters as their English names are heard.
const LETTERS: &str = "a а эй b бэ би c с ц си це цэ d д ди дэ e е f ф эф g г джи h эйч аш i ай j джей k к кей l эл m м эм \
                       n эн o о p п пи q кью ку r ар эр s эс t т ти u ю v в ви вэ ве w дабл y игрек уай z з зет зэт x х икс";

/// Returns the keys that these words name, all of them; none when one of the words is no key.
pub fn keys(spoken: &[String]) -> Option<Vec<Key>> {
    let words: Vec<&str> = spoken.iter().flat_map(|word| word.split('+')).filter(|word| !word.is_empty()).collect();
    let mut rest = &words[..];
    let mut keys = Vec::new();
    while !rest.is_empty() {
        let (key, used) = key(rest)?;
        rest = &rest[used..];
        keys.extend(key);
    }
    (1..=MAX_KEYS).contains(&keys.len()).then_some(keys)
}

/// Returns the key that words begin with, none for «плюс» between two, and how many words it takes.
fn key(words: &[&str]) -> Option<(Option<Key>, usize)> {
    let one = match *words.first()? {
        "плюс" | "клавишу" | "клавиши" if words.len() > 1 => return Some((None, 1)),
        "пожалуйста" => return Some((None, 1)),
        "контрол" | "контрл" | "контроль" | "ctrl" | "ктрл" | "control" => Key::Ctrl,
        "альт" | "alt" => Key::Alt,
        "шифт" | "shift" => Key::Shift,
        "виндоус" | "виндовс" | "вин" | "win" | "супер" | "пуск" => Key::Super,
        "энтер" | "ентер" | "интер" | "enter" | "ввод" => Key::Enter,
        "эскейп" | "искейп" | "эск" | "esc" | "escape" => Key::Escape,
        "таб" | "tab" | "табуляцию" | "табуляция" => Key::Tab,
        "пробел" | "space" => Key::Space,
        "бэкспейс" | "бекспейс" | "backspace" | "забой" => Key::Backspace,
        "делит" | "дел" | "delete" | "del" | "делете" => Key::Delete,
        "хоум" | "home" => Key::Home,
        "энд" | "end" => Key::End,
        "вверх" | "наверх" => Key::Up,
        "вниз" => Key::Down,
        "влево" => Key::Left,
        "вправо" => Key::Right,
        "стрелку" | "стрелка" | "стрелочку" if words.len() > 1 => return Some((None, 1)),
        "пейдж" | "пэйдж" | "page" => match *words.get(1)? {
            "ап" | "up" => return Some((Some(Key::PageUp), 2)),
            "даун" | "down" => return Some((Some(Key::PageDown), 2)),
            _ => return None,
        },
        "принтскрин" | "принт" | "printscreen" => Key::PrintScreen,
        word => {
            let digits = word.trim_start_matches(['f', 'ф']);
            let function = |number: u32| u8::try_from(number).ok().filter(|n| (1..=12).contains(n)).map(Key::F);
            if let ("ф" | "эф" | "f", Some((number, used))) = (word, number(&words[1..])) {
                return Some((Some(function(number)?), used + 1));
            }
            match (word.len() - digits.len(), digits.parse()) {
                (1.., Ok(number)) => function(number)?,
                (0, Ok(digit @ 0..10)) => Key::Char(char::from_digit(digit, 10)?),
                _ => Key::Char(letter(word)?),
            }
        }
    };
    Some((Some(one), 1))
}

fn letter(word: &str) -> Option<char> {
    let mut latin = None;
    for name in LETTERS.split(' ') {
        if name.is_ascii() {
            latin = name.chars().next();
        }
        if name == word {
            return latin;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phrases::words::words;

    #[test]
    fn keys_are_named_as_people_say_them() {
        use Key::{Alt, Char, Ctrl, Down, Enter, F, Shift, Super};
        for (said, expected) in [
            ("энтер", vec![Enter]),
            ("контрол а пожалуйста", vec![Ctrl, Char('a')]),
            ("контрол си", vec![Ctrl, Char('c')]),
            ("контрол с", vec![Ctrl, Char('c')]),
            ("ctrl+shift+t", vec![Ctrl, Shift, Char('t')]),
            ("контрол плюс шифт плюс эс", vec![Ctrl, Shift, Char('s')]),
            ("альт ф4", vec![Alt, F(4)]),
            ("альт эф четыре", vec![Alt, F(4)]),
            ("стрелку вниз", vec![Down]),
            ("вин д", vec![Super, Char('d')]),
        ] {
            assert_eq!(keys(&words(said)), Some(expected), "{said}");
        }
        for other in ["", "на тормоз", "пожалуйста", "ф13", "плюс", "красную кнопку", "стрелку"]
        {
            assert_eq!(keys(&words(other)), None, "{other}");
        }
    }
}
