//! The exponential by shifts of I-ViT, which Shiftmax and ShiftGELU share.

use spec::Dyadic;

/// Largest sum of exponentials; they saturate there.
pub const SUM_TOP: i64 = (1 << 31) - 1;

/// `2^n / step · exp(x · step)`, nearly: a power of two chosen by the quotient, a chord for the remainder.
#[derive(Clone, Copy, Debug)]
pub struct ShiftExp {
    /// `-x0`: LSBs of an octave of the argument times log2 e.
    t: i64,
    n: u32,
}

impl ShiftExp {
    /// For arguments whose step is `step · num / den`: `t = ceil(1 / step)`, held in 1..=2^31; `n` at most 30.
    ///
    /// # Panics
    /// If the step's mantissa, `num` or `den` is 0, or `n` is above 30.
    pub fn new(step: Dyadic, (num, den): (u32, u32), n: u32) -> Self {
        assert!(step.mult > 0 && num > 0 && den > 0 && n <= 30, "a positive step, at most 30 places");
        let per_lsb = u128::from(step.mult) * u128::from(num);
        let t = match step.shift {
            ..0 => 1,
            // 2^80 over 48 bits is above the limit already.
            k => (u128::from(den) << k.min(80)).div_ceil(per_lsb),
        };
        Self { t: t.clamp(1, 1 << 31) as i64, n }
    }

    /// LSBs of an octave: the result for 0 is `t · 2^n`.
    pub fn t(&self) -> i64 {
        self.t
    }

    /// `x' = x + (x >> 1) - (x >> 4)`, at least `-n·t`; `q = floor(-x' / t)`, `r = x' + t·q`;
    /// `e = floor((r/2 + t) · 2^(n - q))`, saturated at [`SUM_TOP`].
    ///
    /// `|x| <= 2^33`; a positive `x` gives a negative q. The result is 1..=2^31 - 1, never falling with `x`; floors as
    /// named. Error for `x <= 0`: 0.07 of the result for 0 where t is 60 or more, of which 0.043 are the chord's, 0.01
    /// the rounding of t and the rest that of `log2 e = 1.4375`.
    ///
    /// **Source**: I-ViT, arXiv 2207.01405 (ShiftExp), with its authors' order of floors.
    pub fn at(&self, x: i64) -> i64 {
        let x = (x + (x >> 1) - (x >> 4)).max(-i64::from(self.n) * self.t);
        let q = (-x).div_euclid(self.t);
        let doubled = 2 * self.t + x + self.t * q;
        match i64::from(self.n) - q - 1 {
            // 33 bits by 30
            up @ 0..=30 => (doubled << up).min(SUM_TOP),
            31.. => SUM_TOP,
            // q <= n
            _ => (doubled >> 1).min(SUM_TOP),
        }
    }
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "bounds against the real exponential")]
mod tests {
    use num_bigint::BigInt;
    use num_rational::BigRational;
    use proptest::prelude::*;

    use super::super::exact::{ceil, floor, power};
    use super::*;

    #[test]
    fn one_is_the_largest_and_values_never_fall() {
        for shift in [15, 19, 21, 25] {
            let exp = ShiftExp::new(Dyadic { mult: 40000, shift }, (1, 1), 15);
            assert_eq!(exp.at(0), exp.t() << 15);
            assert_eq!(exp.at(-(1 << 33)), exp.t(), "15 octaves down");
            assert!((-20000..20000).all(|x| exp.at(x) <= exp.at(x + 1)));
        }
        assert_eq!(ShiftExp::new(Dyadic { mult: 1, shift: 127 }, (1, 1), 30).at(1 << 33), SUM_TOP);
        assert_eq!(ShiftExp::new(Dyadic { mult: 65535, shift: -128 }, (1, 1), 0).at(-5), 1);
    }

    #[test]
    fn error_is_that_of_chord_and_constants() {
        for (shift, bound) in [(21, 0.07), (24, 0.05), (28, 0.05)] {
            let step = libm::ldexp(1.0, 15 - shift);
            let exp = ShiftExp::new(Dyadic { mult: 1 << 15, shift: shift as i16 }, (1, 1), 15);
            let one = exp.at(0) as f64;
            let largest = (0..(8.0 / step) as i64)
                .map(|d| (exp.at(-d) as f64 / one - libm::exp(-(d as f64) * step)).abs())
                .fold(0.0, f64::max);
            assert!(largest <= bound, "step 2^{}: {largest}", 15 - shift);
        }
    }

    proptest! {
        #[test]
        fn equals_the_formulas(
            x in -(1_i64 << 33)..=1 << 33, down in 0..33_u32, mult in 1_u16.., shift in -20..60_i16, n in 0..=30_u32,
        ) {
            let x = x >> down;
            let exp = ShiftExp::new(Dyadic { mult, shift }, (1702, 1000), n);
            let inverse = ceil(BigInt::from(1000) * power(shift.into()), BigInt::from(mult) * 1702 * power((-shift).into()));
            let t = inverse.clamp(1.into(), power(31));
            prop_assert_eq!(BigInt::from(exp.t()), t.clone());
            let wide = BigInt::from(x) + floor(x, 2) - floor(x, 16);
            let wide = wide.max(-BigInt::from(n) * &t);
            let q = floor(-&wide, t.clone());
            let r = wide + &t * &q;
            let places = i32::try_from(BigInt::from(n) - q).unwrap_or(1000).min(1000);
            let e = BigRational::new(2 * t + r, 2.into()) * BigRational::new(power(places), power(-places));
            prop_assert_eq!(BigInt::from(exp.at(x)), e.floor().to_integer().min(SUM_TOP.into()));
        }
    }
}
