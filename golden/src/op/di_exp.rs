//! The exponential by shifts of I-LLM, in its authors' form: a quotient, a chord, a shift.

use spec::Dyadic;

/// `exp(-d · step)` as `e / one`, with guard bits.
///
/// `golden::op::exp` has the same chord with 2^16 for 1 in every row; this is the page's own, whose 1 follows the step.
#[derive(Clone, Copy, Debug)]
pub struct DiExp {
    /// LSBs of an octave.
    t: u64,
    guard: u32,
}

impl DiExp {
    /// `t = round(2^k / (m + (m >> 1) - (m >> 4)))`, at least 1; steps from 2^-40 on, `guard` 0..=16.
    ///
    /// # Panics
    /// If the step or the guard bits are outside their range.
    pub fn new(step: Dyadic, guard: u32) -> Self {
        let mult = u128::from(step.mult);
        let m = mult + (mult >> 1) - (mult >> 4);
        let k = step.shift;
        assert!(mult > 0 && k <= 56 && mult << 40 >= 1 << k.max(0) && guard <= 16, "2^-40 and up, 16 places: {step:?}");
        let t = if k < 0 { 0 } else { ((2_u128 << k) + m) / (2 * m) };
        Self { t: t.max(1) as u64, guard }
    }

    /// What stands for 1: `t · 2^guard`, 57 bits at most.
    pub fn one(&self) -> u64 {
        self.t << self.guard
    }

    /// `q = floor(d / t)`, `r = d - q·t`, `e = ((t << F) - ((r << F) >> 1)) >> q`, F the guard bits; rounded down.
    ///
    /// Never rises with `d`. Error of 1, with 16 guard bits: 0.046 where t is 16 or more, 0.14 at steps of 0.5 to 1, where
    /// t is 1 and the exponential an octave an LSB. Without guard bits another `1/t`, and nothing is left below it.
    ///
    /// **Source**: DI-Exp, arXiv 2405.17849; guard bits from NUMERICS 2.
    pub fn at(&self, d: u64) -> u64 {
        let (q, r) = (d / self.t, d % self.t);
        if q > 63 { 0 } else { (self.one() - ((r << self.guard) >> 1)) >> q }
    }
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "bounds against the real exponential")]
mod tests {
    use num_bigint::BigInt;
    use proptest::prelude::*;

    use super::super::exact::{floor, half_up, power};
    use super::*;

    /// Largest error of 1 over 16 units of the argument.
    fn worst(exp: &DiExp, step: Dyadic) -> f64 {
        let step = libm::ldexp(f64::from(step.mult), -i32::from(step.shift));
        (0..(16.0 / step) as u64)
            .map(|d| (exp.at(d) as f64 / exp.one() as f64 - libm::exp(-(d as f64) * step)).abs())
            .fold(0.0, f64::max)
    }

    #[test]
    fn eight_bit_input_needs_guard_bits() {
        // c = 15 over 255 codes, with a mantissa of 8 bits: t = 12.
        let step = Dyadic { mult: 241, shift: 12 };
        let without = DiExp::new(step, 0);
        assert_eq!(without.one(), 12);
        assert_eq!(without.at(48), 0, "exp(-2.82) = 0.06 is below 1/12");
        assert!(DiExp::new(step, 16).at(48) > 0);
    }

    #[test]
    fn errors_stay_within_what_is_stated() {
        for shift in 20..36 {
            for mult in [1 << 15, 45000, 65535] {
                let step = Dyadic { mult, shift };
                let exp = DiExp::new(step, 16);
                let bound = if exp.t >= 16 { 0.046 + 0.5 / exp.t as f64 } else { 0.14 };
                assert!(worst(&exp, step) <= bound, "{step:?}: {}", worst(&exp, step));
            }
        }
        for mult in [1 << 15, 40000, 50000, 65535] {
            let step = Dyadic { mult, shift: 16 };
            assert!(worst(&DiExp::new(step, 16), step) <= 0.14);
        }
    }

    proptest! {
        #[test]
        fn equals_the_formulas(
            mult in 1_u16.., shift in -20..=40_i16, guard in 0..=16_u32, d in any::<u64>(), down in 0..64_u32,
        ) {
            let exp = DiExp::new(Dyadic { mult, shift }, guard);
            let d = d >> down;
            let m = mult + BigInt::from(mult >> 1) - (mult >> 4);
            let t = half_up(power(shift.into()), m * power((-shift).into())).max(1.into());
            let q = floor(d, t.clone());
            let r = d - &q * &t;
            let q = u32::try_from(q.min(1000.into())).unwrap();
            let e = (t << guard) - floor(r << guard, 2);
            prop_assert_eq!(BigInt::from(exp.at(d)), floor(e, BigInt::from(1) << q));
            prop_assert!(exp.at(d) >= exp.at(d.saturating_add(1)));
        }
    }
}
