//! The pairing code: whoever can run `pair` owns the server, and types what it prints into the page. Plain
//! data.

use std::time::{Duration, Instant};

use crate::config::secret::same;

/// How long a pairing code is good.
pub const PAIRING_LIFE: Duration = Duration::from_secs(300);

/// Characters of a pairing code: 60 bits.
const PAIRING_LENGTH: usize = 12;

/// Characters of one of its groups.
const PAIRING_GROUP: usize = 4;

/// Douglas Crockford's base32: no I, L, O or U, so that nothing is mistaken for something else.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The one pairing code that there may be.
#[derive(Default)]
pub struct Pairing {
    code: Option<([u8; PAIRING_LENGTH], Instant)>,
}

impl Pairing {
    /// Makes a code of these random bytes, in place of any that there is. Returns it as it is printed, in
    /// groups.
    pub fn renew(&mut self, random: [u8; PAIRING_LENGTH], now: Instant) -> String {
        let code = random.map(|byte| ALPHABET[usize::from(byte % 32)]);
        self.code = Some((code, now + PAIRING_LIFE));
        let groups: Vec<_> = code.chunks(PAIRING_GROUP).map(String::from_utf8_lossy).collect();
        groups.join("-")
    }

    /// Takes the code that somebody has typed, in any case, with or without dashes and spaces. Returns whether
    /// it is the one; then it is used up. It is compared in constant time.
    pub fn take(&mut self, typed: &str, now: Instant) -> bool {
        if self.code.is_some_and(|(_, until)| until <= now) {
            self.code = None;
        }
        let typed: Vec<u8> =
            typed.chars().filter(|c| !c.is_whitespace() && !is_dash(*c)).map(plain).collect();
        let is_right = self.code.is_some_and(|(code, _)| same(&code, &typed));
        if is_right {
            self.code = None;
        }
        is_right
    }
}

fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// Returns a typed character as the alphabet has it; 0xFF, which it has not, for one that it lacks.
fn plain(c: char) -> u8 {
    match c.to_ascii_uppercase() {
        'O' => b'0',
        'I' | 'L' => b'1',
        c => u8::try_from(c).unwrap_or(0xff),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANDOM: [u8; PAIRING_LENGTH] = [0, 1, 10, 18, 31, 32, 255, 200, 7, 8, 9, 17];

    #[test]
    fn a_code_is_three_groups_of_four_and_counts_once() {
        let (mut pairing, now) = (Pairing::default(), Instant::now());
        assert!(!pairing.take("", now) && !pairing.take("0000-0000-0000", now));
        let code = pairing.renew(RANDOM, now);
        assert_eq!(code, "01AJ-Z0Z8-789H");
        assert!(pairing.take(&code, now));
        assert!(!pairing.take(&code, now), "it is used up");
    }

    #[test]
    fn it_may_be_typed_as_people_type() {
        for typed in
            ["01aj-z0z8-789h", "01AJZ0Z8789H", " 01aj z0z8 789h ", "OLAJ—ZoZ8–789H", "0iaj z0z8 789h"]
        {
            let (mut pairing, now) = (Pairing::default(), Instant::now());
            pairing.renew(RANDOM, now);
            assert!(pairing.take(typed, now), "{typed}");
        }
    }

    #[test]
    fn a_wrong_code_is_refused_and_the_right_one_still_counts() {
        let (mut pairing, now) = (Pairing::default(), Instant::now());
        let code = pairing.renew(RANDOM, now);
        for wrong in ["", "01AJ-Z0Z8-789", "01AJ-Z0Z8-789HH", "01AJ-Z0Z8-789J", "код", "ÿÿÿÿÿÿÿÿÿÿÿÿ"]
        {
            assert!(!pairing.take(wrong, now), "{wrong}");
        }
        assert!(pairing.take(&code, now));
    }

    #[test]
    fn it_is_good_for_five_minutes_and_a_new_one_replaces_it() {
        let (mut pairing, now) = (Pairing::default(), Instant::now());
        let code = pairing.renew(RANDOM, now);
        assert!(!pairing.take(&code, now + PAIRING_LIFE));
        let old = pairing.renew(RANDOM, now);
        let new = pairing.renew([5; PAIRING_LENGTH], now);
        assert!(!pairing.take(&old, now));
        assert!(pairing.take(&new, now + PAIRING_LIFE - Duration::from_nanos(1)));
    }
}
