//! Normalisation of steps: a positive ratio as a 16-bit mantissa and a shift.

use spec::Dyadic;

use crate::num::round_half_up;

/// The normalised step of `t / (q · 2^e)`: mantissa in `[2^15, 2^16)`, rounded half up to 16 significant bits (where
/// that gives 2^16, the mantissa is 2^15 and the shift one less); shift clamped to -128..=127.
///
/// `0 < t < 2^104`, `0 < q < 2^16`.
///
/// # Panics
/// If `t` or `q` is outside its range.
///
/// **Source**: NUMERICS 1, types; the new scale of DI-MatMul (arXiv 2405.17849).
pub fn normalise(t: u128, q: u32, e: i32) -> Dyadic {
    assert!(0 < t && t < 1 << 104 && 0 < q && q < 1 << 16, "a step is the ratio of positive integers, not {t} / {q}");
    let (mut num, mut den, mut shift) = (t, u128::from(q), e);
    while num < den << 15 {
        num <<= 1;
        shift += 1;
    }
    while num >= den << 16 {
        den <<= 1;
        shift -= 1;
    }
    let mut mult = round_half_up(num as i128, den as i128);
    if mult == 1 << 16 {
        mult = 1 << 15;
        shift -= 1;
    }
    Dyadic { mult: mult as u16, shift: shift.clamp(-128, 127) as i16 }
}

/// The step `a · b`, normalised: mantissa within half a unit of the exact product, shift clamped to -128..=127.
///
/// # Panics
/// If a mantissa is 0.
///
/// **Source**: NUMERICS 2, the new scale of DI-MatMul (arXiv 2405.17849).
pub fn product(a: Dyadic, b: Dyadic) -> Dyadic {
    normalise(u128::from(a.mult) * u128::from(b.mult), 1, i32::from(a.shift) + i32::from(b.shift))
}

/// The step `1 / 2^shift`, normalised and exact while `shift` is in -143..=112; beyond, clamped as [`normalise`] does.
///
/// **Source**: steps of the residual stream, `spec::model`.
pub fn power_of_two(shift: i32) -> Dyadic {
    normalise(1, 1, shift.clamp(-256, 256))
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

    #[test]
    fn powers_of_two_are_exact() {
        for log in 0..104 {
            assert_eq!(normalise(1 << log, 1, 40), Dyadic { mult: 1 << 15, shift: 55 - log });
        }
    }

    #[test]
    fn halves_go_up_and_carry() {
        // 17 bits whose last is the half
        assert_eq!(normalise(0x1_0001, 1, 0), Dyadic { mult: 0x8001, shift: -1 });
        assert_eq!(normalise(0x1_ffff, 1, 0), Dyadic { mult: 0x8000, shift: -2 });
        assert_eq!(normalise(0x3_fffd, 1, 0), Dyadic { mult: 0xffff, shift: -2 });
        assert_eq!(normalise(0x3_fffe, 1, 0), Dyadic { mult: 0x8000, shift: -3 });
    }

    #[test]
    fn shift_is_clamped() {
        assert_eq!(normalise(1 << 15, 1, 127).shift, 127);
        assert_eq!(normalise(1 << 15, 1, 128).shift, 127);
        assert_eq!(normalise(1 << 15, 1, -128).shift, -128);
        assert_eq!(normalise(1 << 15, 1, -129).shift, -128);
    }

    #[test]
    fn powers_and_their_products() {
        assert_eq!(power_of_two(0), Dyadic { mult: 1 << 15, shift: 15 });
        assert_eq!(power_of_two(-143), Dyadic { mult: 1 << 15, shift: -128 });
        assert_eq!(power_of_two(112), Dyadic { mult: 1 << 15, shift: 127 });
        assert_eq!([power_of_two(i32::MIN).shift, power_of_two(i32::MAX).shift], [-128, 127]);
        let step = Dyadic { mult: 54321, shift: 20 };
        assert_eq!(product(step, power_of_two(0)), step);
        assert_eq!(product(step, power_of_two(7)), Dyadic { mult: 54321, shift: 27 });
    }

    proptest! {
        #[test]
        fn products_are_exact_to_16_bits(a in 1_u16.., b in 1_u16.., ka in -50..50_i16, kb in -50..50_i16) {
            let product = product(Dyadic { mult: a, shift: ka }, Dyadic { mult: b, shift: kb });
            let exact = u64::from(a) * u64::from(b);
            // Both over 2^64: the product's mantissa has 16 bits, so that its unit is exact / 2^15 at most.
            let found = BigInt::from(product.mult) << (64 + ka + kb - product.shift);
            let error: BigInt = found - (BigInt::from(exact) << 64);
            let sign_free = if error < BigInt::from(0) { -error } else { error };
            prop_assert!(product.mult >= 1 << 15 && sign_free << 16 <= BigInt::from(exact) << 64);
        }

        /// Of all normalised ratios the result is the one whose half-up interval holds the value.
        #[test]
        fn value_lies_within_half_a_unit(
            bits in 1..104_u32, low in any::<u128>(), q in prop::sample::select(vec![1_u32, 127, 255]), e in -40..40_i32,
        ) {
            let t = (low % (1 << (bits - 1))) | 1 << (bits - 1);
            let step = normalise(t, q, e);
            prop_assert!(step.mult >= 1 << 15);
            let value = BigRational::new(BigInt::from(t), BigInt::from(q)) * power(-e);
            let error = value * power(step.shift.into()) - BigRational::from_integer(BigInt::from(step.mult));
            let half = BigRational::new(1.into(), 2.into());
            // Below 2^15 a unit is half as wide: only a mantissa that was carried there may lie that much above.
            let over = if step.mult == 1 << 15 { BigRational::new(1.into(), 4.into()) } else { half.clone() };
            prop_assert!(error < half && error >= -over, "{t} / ({q} · 2^{e}) -> {step:?}");
        }
    }
}
