//! Static codes: a wide value by a fixed ratio, as keys and values enter the cache.

use spec::Dyadic;

/// `round(a · mult / 2^shift)`, rounded half up, held within ±2^46 where the ratio is 1 or more and the result
/// larger; the caller saturates to its code.
///
/// `|a| < 2^62` and a normalised ratio. The result is exact below 2^46 in magnitude, and no code is that large.
///
/// **Source**: NUMERICS 1, static steps of keys and values.
pub fn fixed(a: i64, ratio: Dyadic) -> i64 {
    const LIMIT: i128 = 1 << 46;
    // |a · mult| < 2^78.
    let wide = i128::from(a) * i128::from(ratio.mult);
    let rounded = match ratio.shift {
        ..=0 => wide << ratio.shift.unsigned_abs().min(48),
        // Beyond 79 places nothing but zero is left.
        shift @ 1.. => {
            let shift = shift.min(80);
            (wide + (1 << (shift - 1))) >> shift
        }
    };
    rounded.clamp(-LIMIT, LIMIT) as i64
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;
    use num_rational::BigRational;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn halves_go_up_and_extremes_are_held() {
        let half = Dyadic { mult: 1 << 15, shift: 16 };
        assert_eq!([3, 1, -1, -3].map(|a| fixed(a, half)), [2, 1, 0, -1]);
        for shift in [-128, -49, 0] {
            let ratio = Dyadic { mult: u16::MAX, shift };
            assert_eq!(fixed((1 << 62) - 1, ratio), 1 << 46);
            assert_eq!(fixed(1 - (1 << 62), ratio), -(1 << 46));
            assert_eq!(fixed(0, ratio), 0);
        }
        assert_eq!(fixed((1 << 62) - 1, Dyadic { mult: u16::MAX, shift: 127 }), 0);
        assert_eq!(fixed(1 - (1 << 62), Dyadic { mult: u16::MAX, shift: 127 }), 0);
    }

    proptest! {
        #[test]
        fn equals_the_exact_rational(a in -(1_i64 << 62) + 1..1 << 62, bits in 0..63_u32, mult in 1_u16 << 15.., shift in -128..=127_i16) {
            let a = a >> bits;
            let two_to = BigRational::from_integer(BigInt::from(1) << shift.unsigned_abs());
            let ratio = BigRational::from_integer(mult.into()) * if shift < 0 { two_to } else { two_to.recip() };
            let half = BigRational::new(1.into(), 2.into());
            let exact = (BigRational::from_integer(a.into()) * ratio + half).floor().to_integer();
            let limit = BigInt::from(1_i64 << 46);
            prop_assert_eq!(BigInt::from(fixed(a, Dyadic { mult, shift })), exact.clamp(-limit.clone(), limit));
        }
    }
}
