//! The numbers of Yandex' requests, in thousandths; they may come as 30, 30.0 or 3e1. No floating point, since
//! formatting it would add a tenth to what Smart Home adds to the binary. Plain data.

use std::fmt;

/// A number in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(pub i64);

impl Number {
    /// Parses a JSON number (RFC 8259, 6), cut to thousandths. Returns `None` if it is invalid or too large.
    pub fn parse(json: &str) -> Option<Self> {
        let (mantissa, exponent) = match json.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (json, 0),
        };
        let (negative, digits) = match mantissa.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, mantissa),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return None;
        }
        // More digits make no difference to any number that is asked for.
        let fraction = &fraction[..fraction.len().min(9)];
        let mut value = 0_i64;
        for digit in whole.bytes().chain(fraction.bytes()) {
            value = value.checked_mul(10)?.checked_add(i64::from(digit.checked_sub(b'0')?))?;
        }
        // 10 to the 3rd: thousandths.
        let mut shift = exponent.saturating_add(3).saturating_sub(fraction.len() as i32);
        while shift != 0 && value != 0 {
            value = if shift > 0 { value.checked_mul(10)? } else { value / 10 };
            shift -= shift.signum();
        }
        Some(Self(if negative { -value } else { value }))
    }
}

/// Omits the fraction of a whole number.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let (whole, rest) = (self.0.unsigned_abs() / 1000, self.0.unsigned_abs() % 1000);
        write!(f, "{whole}")?;
        if rest == 0 {
            return Ok(());
        }
        let digits = format!("{rest:03}");
        write!(f, ".{}", digits.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_read_as_json_writes_them_and_printed_without_an_empty_fraction() {
        for (json, shown) in [
            ("30", "30"),
            ("30.0", "30"),
            ("3e1", "30"),
            ("3.0E+1", "30"),
            ("300e-1", "30"),
            ("-3", "-3"),
            ("0", "0"),
            ("-0.0", "0"),
            ("2.5", "2.5"),
            ("-0.05", "-0.05"),
            ("0.33333333333333333333333333", "0.333"),
            ("0e999999999", "0"),
            ("1e-999999999", "0"),
            ("1.123456789e-2147483648", "0"),
            ("1.5e-2147483645", "0"),
        ] {
            assert_eq!(Number::parse(json).map(|n| n.to_string()).as_deref(), Some(shown), "{json}");
        }
        for json in
            ["", "-", "null", "true", "\"30\"", "[]", "1e999", "99999999999999999999", "1e99999999999"]
        {
            assert_eq!(Number::parse(json), None, "{json}");
        }
    }

    proptest! {
        #[test]
        fn every_thousandth_comes_back(thousandths in -1_000_000_000_i64..1_000_000_000) {
            let number = Number(thousandths);
            prop_assert_eq!(Number::parse(&number.to_string()), Some(number));
        }

        #[test]
        fn nothing_makes_it_fail(json in "\\PC*") {
            let _ = Number::parse(&json);
        }

        #[test]
        fn no_number_makes_it_fail(
            digits in "-?[0-9]{1,20}(\\.[0-9]{0,20})?",
            exponent in prop_oneof![any::<i32>(), -30..30, Just(i32::MIN), Just(i32::MAX)],
            sign in "[eE]",
        ) {
            let read = Number::parse(&format!("{digits}{sign}{exponent}"));
            prop_assert!(exponent > -40 || read.is_none_or(|number| number == Number(0)), "{read:?}");
        }

        #[test]
        fn it_agrees_with_floating_point(value in -100_000.0_f64..100_000.0) {
            let read = Number::parse(&serde_json::to_string(&value).unwrap()).unwrap();
            prop_assert!((read.0 as f64 / 1000.0 - value).abs() < 0.001_1);
        }
    }
}
