//! Powers of two as scales of blocks (E8M0): which power a block's largest magnitude asks for.
//!
//! **Source**: OCP Microscaling Formats (MX) Specification 1.0, clauses 5.4.1 and 6.3, for E2M1, whose largest value is
//! `6 = 1.5 · 2^2`; the other rules: NUMERICS 4.

use spec::ScaleRule;

/// The exponent e of the scale `2^e` of a block whose largest magnitude is `a`, in units of a: -2..=62.
///
/// Exact. A magnitude of 0 counts as 1.
pub fn exponent(rule: ScaleRule, a: u64) -> i32 {
    let a = a.max(1);
    let floor = a.ilog2() as i32 - 2;
    // a / 2^floor lies in [4, 8): `a > times · 2^floor`, both sides times 4.
    let above = |times: u128| 4 * u128::from(a) > times << a.ilog2();
    match rule {
        ScaleRule::Floor => floor,
        ScaleRule::NoClip => floor + i32::from(above(6)),
        ScaleRule::RoundUpToGrid => floor + i32::from(above(7)),
    }
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;
    use num_rational::BigRational;
    use proptest::prelude::*;

    use super::*;

    fn power(e: i32) -> BigRational {
        let two_to = BigRational::from_integer(BigInt::from(1) << e.unsigned_abs());
        if e < 0 { two_to.recip() } else { two_to }
    }

    fn int(value: u64) -> BigRational {
        BigRational::from_integer(value.into())
    }

    #[test]
    fn rules_differ_where_they_should() {
        let all = |a| ScaleRule::ALL.map(|rule| exponent(rule, a));
        assert_eq!(all(4), [0, 0, 0]);
        assert_eq!(all(6), [0, 0, 0]);
        assert_eq!(all(7), [0, 1, 0]);
        assert_eq!(all(8), [1, 1, 1]);
        assert_eq!(all(15), [1, 2, 2]);
        assert_eq!(all(1), [-2, -2, -2]);
        assert_eq!(all(0), all(1));
        assert_eq!(all(u64::MAX), [61, 62, 62]);
    }

    proptest! {
        #[test]
        fn each_rule_is_what_its_text_says(bits in 1..=64_u32, low in any::<u64>()) {
            let a = low >> (64 - bits) | 1 << (bits - 1);
            let (floor, up) = (exponent(ScaleRule::Floor, a), exponent(ScaleRule::RoundUpToGrid, a));
            prop_assert!(power(floor + 2) <= int(a) && int(a) < power(floor + 3));
            let no_clip = exponent(ScaleRule::NoClip, a);
            prop_assert!(int(a) <= int(6) * power(no_clip), "nothing is clipped");
            prop_assert!(int(a) > int(6) * power(no_clip - 1), "and no smaller power does that");
            prop_assert_eq!(up, floor + i32::from(int(a) > int(7) * power(floor)));
        }
    }
}
