//! The exponential by a polynomial of I-BERT, in its authors' form: the step carries the scale.

use spec::Dyadic;

use super::scale::product;

/// `exp(-d · step)` as `e · unit`, for steps in 2^-30..=2^-1.
#[derive(Clone, Copy, Debug)]
pub struct IExp {
    /// LSBs of ln 2, `floor(ln 2 / step)`.
    ln2: u64,
    /// `floor(1.353 / step)`.
    b: u64,
    /// `floor(0.344 / (0.3585 · step²))`.
    c: u64,
    step: Dyadic,
}

impl IExp {
    /// For arguments with that step; `ln 2` counts as 0.6931, as its authors have it.
    ///
    /// # Panics
    /// If the step is outside 2^-30..=2^-1.
    pub fn new(step: Dyadic) -> Self {
        let (mult, k) = (u128::from(step.mult), u32::from(step.shift.unsigned_abs()));
        let allowed = step.shift > 0 && k <= 46 && mult << 1 <= 1 << k && mult << 30 >= 1 << k;
        assert!(allowed, "a step in 2^-30..=2^-1, not {step:?}");
        let over = |num: u128, den: u128| ((num << k) / (den * mult)) as u64;
        let c = ((3440 << (2 * k)) / (3585 * mult * mult)) as u64;
        Self { ln2: over(6931, 10_000), b: over(1353, 1000), c, step }
    }

    /// `z = floor(d / ln2)`, `r = d - z·ln2`, `e = ((b - r)² + c) >> z`: the polynomial `0.3585·(x + 1.353)² + 0.344`.
    ///
    /// Fits 62 bits; rounded down. Error beside the real exponential, of 1: 0.0022 where the step is at most 2^-12, 0.21
    /// at a step of 1/16, from the floors of `ln2`, `b` and `c`.
    ///
    /// **Source**: i-exp, I-BERT, arXiv 2101.01321, section 3.5, with the constants printed there.
    pub fn at(&self, d: u64) -> u64 {
        let (z, r) = (d / self.ln2, d % self.ln2);
        if z > 63 { 0 } else { ((self.b - r).pow(2) + self.c) >> z }
    }

    /// What one LSB of the result is worth: `0.3585 · step²`.
    pub fn unit(&self) -> Dyadic {
        // round(2^17 · 0.3585)
        product(product(self.step, self.step), Dyadic { mult: 46989, shift: 17 })
    }
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "bounds against the real exponential")]
mod tests {
    use num_bigint::BigInt;
    use proptest::prelude::*;

    use super::super::exact::{floor, power};
    use super::*;

    #[test]
    fn edges_of_the_steps() {
        assert_eq!(IExp::new(Dyadic { mult: 1 << 15, shift: 16 }).at(0), 4 + 3);
        assert!(IExp::new(Dyadic { mult: 1 << 15, shift: 45 }).at(0) < 1 << 62);
        assert_eq!(IExp::new(Dyadic { mult: 1 << 15, shift: 16 }).at(u64::MAX), 0);
    }

    #[test]
    #[should_panic(expected = "a step in 2^-30..=2^-1")]
    fn coarser_steps_have_no_octave() {
        IExp::new(Dyadic { mult: 32769, shift: 16 });
    }

    #[test]
    fn errors_stay_within_what_is_stated() {
        for (shift, bound) in [(19, 0.21), (23, 0.02), (27, 0.0022), (31, 0.0022)] {
            let exp = IExp::new(Dyadic { mult: 1 << 15, shift });
            let unit = libm::ldexp(f64::from(exp.unit().mult), -i32::from(exp.unit().shift));
            let step = libm::ldexp(1.0, 15 - i32::from(shift));
            let largest = (0..(10.0 / step) as u64)
                .map(|d| (exp.at(d) as f64 * unit - libm::exp(-(d as f64) * step)).abs())
                .fold(0.0, f64::max);
            assert!(largest <= bound, "{shift}: {largest}");
        }
    }

    proptest! {
        #[test]
        fn equals_the_formulas(mult in 1_u16 << 15.., shift in 17..45_i16, d in any::<u64>(), down in 0..64_u32) {
            let exp = IExp::new(Dyadic { mult, shift });
            let d = BigInt::from(d >> down);
            let (m, k) = (BigInt::from(mult), i32::from(shift));
            let ln2 = floor(6931 * power(k), 10_000 * &m);
            let b = floor(1353 * power(k), 1000 * &m);
            let c = floor(3440 * power(2 * k), 3585 * &m * &m);
            let z = floor(d.clone(), ln2.clone());
            let x = &d - &z * &ln2;
            let z = u32::try_from(z.min(1000.into())).unwrap();
            let exact = floor((&b - &x) * (&b - &x) + c, BigInt::from(1) << z);
            prop_assert_eq!(BigInt::from(exp.at(u64::try_from(d).unwrap())), exact);
        }
    }
}
