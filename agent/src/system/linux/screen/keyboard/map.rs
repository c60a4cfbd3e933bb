//! What the keys mean.

use std::collections::HashMap;

use x11rb::protocol::xkb::GetMapReply;
use x11rb::protocol::xproto::ModMask;

/// Letters by their old keysyms, from 0x6a1 on. Those of other characters are computed.
const CYRILLIC: &str =
    "ђѓёєѕіїјљњћќґўџ№ЂЃЁЄЅІЇЈЉЊЋЌҐЎЏюабцдефгхийклмнопярстужвьызшэщчъЮАБЦДЕФГХИЙКЛМНОПЯРСТУЖВЬЫЗШЭЩЧЪ";

/// A key to press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stroke {
    pub code: u8,
    /// The layout that must be on; none where it is all the same.
    pub group: Option<u8>,
    pub is_shifted: bool,
}

impl Stroke {
    /// A key that means the same in every layout.
    pub fn plain(code: u8) -> Self {
        Self { code, group: None, is_shifted: false }
    }
}

/// Returns the keysyms of a character: the one by Unicode, and the old one or the same.
pub fn keysyms(c: char) -> [u32; 2] {
    let code = u32::from(c);
    match c {
        '\n' => [0xff0d; 2],
        '\t' => [0xff09; 2],
        ' '..='~' | '\u{a0}'..='ÿ' => [code; 2],
        _ => {
            let unicode = 0x0100_0000 | code;
            let old = CYRILLIC.chars().position(|own| own == c).and_then(|at| u32::try_from(at).ok());
            [unicode, old.map_or(unicode, |at| 0x6a1 + at)]
        }
    }
}

/// Returns the strokes of each keysym that need no more than Shift, and the keys that mean nothing.
pub fn strokes(map: &GetMapReply) -> (HashMap<u32, Vec<Stroke>>, Vec<u8>) {
    let (mut strokes, mut spare) = (HashMap::<u32, Vec<Stroke>>::new(), Vec::new());
    let types = map.map.types_rtrn.as_deref().unwrap_or_default();
    for (code, key) in (map.first_key_sym..=u8::MAX).zip(map.map.syms_rtrn.iter().flatten()) {
        if key.syms.iter().all(|keysym| *keysym == 0) {
            spare.push(code);
            continue;
        }
        let (groups, width) = (key.group_info & 0x0f, usize::from(key.width));
        for (group, of_group) in (0..groups.min(4)).zip(key.syms.chunks(width.max(1))) {
            let form = types.get(usize::from(key.kt_index[usize::from(group)]));
            let shifted = form.and_then(|form| {
                let entry = form.map.iter().find(|entry| entry.active && entry.mods_mask == ModMask::SHIFT);
                entry.map(|entry| usize::from(entry.level))
            });
            for (level, is_shifted) in [(Some(0), false), (shifted, true)] {
                let keysym = level.and_then(|level| of_group.get(level)).filter(|keysym| **keysym != 0);
                if let Some(keysym) = keysym {
                    let group = (groups > 1).then_some(group);
                    strokes.entry(*keysym).or_default().push(Stroke { code, group, is_shifted });
                }
            }
        }
    }
    (strokes, spare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_has_the_keysym_of_its_set() {
        for (c, keysym) in
            [('a', 0x61), ('ё', 0x6a3), ('№', 0x6b0), ('Ё', 0x6b3), ('ю', 0x6c0), ('ф', 0x6c6), ('Ъ', 0x6ff)]
        {
            assert_eq!(keysyms(c)[1], keysym, "{c}");
        }
        assert_eq!(keysyms('😀'), [0x0101_f600; 2]);
    }
}
