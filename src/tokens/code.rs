//! One-time codes that a person types into a page, or behind `join` on a PC. Only whoever can run `pair`, `login` or
//! `invite` on the server can read one. Plain data.

use std::time::{Duration, Instant};

use crate::secret::same;

/// How long a code is good.
pub const TYPED_CODE_LIFE: Duration = Duration::from_secs(300);

/// Characters of a code: 60 bits.
const CODE_LENGTH: usize = 12;

/// Characters of one of its groups.
const CODE_GROUP: usize = 4;

/// Douglas Crockford's base32: no I, L, O or U, so that nothing is mistaken for something else.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A one-time code; a new one replaces the last.
#[derive(Default)]
pub struct OneTimeCode {
    code: Option<([u8; CODE_LENGTH], Instant)>,
}

impl OneTimeCode {
    /// Replaces the code by one of these random bytes. Returns it in groups, as it is printed.
    pub fn renew(&mut self, random: [u8; CODE_LENGTH], now: Instant) -> String {
        let code = random.map(|byte| ALPHABET[usize::from(byte % 32)]);
        self.code = Some((code, now + TYPED_CODE_LIFE));
        let groups: Vec<_> = code.chunks(CODE_GROUP).map(String::from_utf8_lossy).collect();
        groups.join("-")
    }

    /// Compares a typed code, in any case, with or without dashes and spaces, in constant time. A match uses it up.
    pub fn take(&mut self, typed: &str, now: Instant) -> bool {
        if self.code.is_some_and(|(_, until)| until <= now) {
            self.code = None;
        }
        let typed = typed.chars().filter(|c| !c.is_whitespace() && !is_dash(*c)).map(plain);
        // One character too many makes a code wrong; the rest need not be read.
        let typed: Vec<u8> = typed.take(CODE_LENGTH + 1).collect();
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

/// Returns a typed character as the alphabet has it, or 0xFF, which it has not.
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

    const RANDOM: [u8; CODE_LENGTH] = [0, 1, 10, 18, 31, 32, 255, 200, 7, 8, 9, 17];

    #[test]
    fn a_code_is_three_groups_of_four_and_counts_once() {
        let (mut code_of, now) = (OneTimeCode::default(), Instant::now());
        assert!(!code_of.take("", now) && !code_of.take("0000-0000-0000", now));
        let code = code_of.renew(RANDOM, now);
        assert_eq!(code, "01AJ-Z0Z8-789H");
        assert!(code_of.take(&code, now));
        assert!(!code_of.take(&code, now), "it is used up");
    }

    #[test]
    fn it_may_be_typed_as_people_type() {
        for typed in
            ["01aj-z0z8-789h", "01AJZ0Z8789H", " 01aj z0z8 789h ", "OLAJ—ZoZ8–789H", "0iaj z0z8 789h"]
        {
            let (mut code_of, now) = (OneTimeCode::default(), Instant::now());
            code_of.renew(RANDOM, now);
            assert!(code_of.take(typed, now), "{typed}");
        }
    }

    #[test]
    fn a_wrong_code_is_refused_and_the_right_one_still_counts() {
        let (mut code_of, now) = (OneTimeCode::default(), Instant::now());
        let code = code_of.renew(RANDOM, now);
        for wrong in ["", "01AJ-Z0Z8-789", "01AJ-Z0Z8-789HH", "01AJ-Z0Z8-789J", "код", "ÿÿÿÿÿÿÿÿÿÿÿÿ"]
        {
            assert!(!code_of.take(wrong, now), "{wrong}");
        }
        assert!(code_of.take(&code, now));
    }

    #[test]
    fn it_is_good_for_five_minutes_and_a_new_one_replaces_it() {
        let (mut code_of, now) = (OneTimeCode::default(), Instant::now());
        let code = code_of.renew(RANDOM, now);
        assert!(!code_of.take(&code, now + TYPED_CODE_LIFE));
        let old = code_of.renew(RANDOM, now);
        let new = code_of.renew([5; CODE_LENGTH], now);
        assert!(!code_of.take(&old, now));
        assert!(code_of.take(&new, now + TYPED_CODE_LIFE - Duration::from_nanos(1)));
    }
}
