//! Stochastic rounding, and the shift register that drives it.

use std::num::NonZeroU16;

/// Feedback of the register: x^16 + x^14 + x^13 + x^11 + 1.
const TAPS: u16 = 0xB400;

/// A Galois shift register of 16 bits: every state but 0, each once in 65535 steps.
///
/// Each lane has its own, with its own seed, and steps for valid samples only: results do not depend on stalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lfsr(NonZeroU16);

impl Lfsr {
    /// A register in that state.
    pub fn new(seed: NonZeroU16) -> Self {
        Self(seed)
    }

    /// The state.
    pub fn state(&self) -> u16 {
        self.0.get()
    }

    /// The bit that leaves at the low end; the state moves down and, if the bit is 1, is XORed with 0xB400.
    pub fn bit(&mut self) -> u16 {
        let low = self.state() & 1;
        let next = (self.state() >> 1) ^ if low == 1 { TAPS } else { 0 };
        self.0 = NonZeroU16::new(next).expect("the state is 0 after 0 only: the taps include the highest bit");
        low
    }

    /// The next `r` bits, 0..=16, the first one highest.
    ///
    /// # Panics
    /// If `r` is above 16.
    pub fn bits(&mut self, r: u32) -> u16 {
        assert!(r <= 16, "at most 16 bits at once, not {r}");
        (0..r).fold(0, |bits, _| bits << 1 | self.bit())
    }
}

/// `a / 2^n` rounded up or down at random: `floor((a + R) / 2^n)`, R of `r` random bits at the top of the `n` that are
/// discarded and, below them, half of one's LSB.
///
/// `|a| < 2^62`, `n` 0..=62, `r` 0..=16; `r = 0` rounds half up. Where `r >= n`, the highest n of the bits are taken and
/// no half. The register moves `r` steps whatever `n` is. Over all R the mean is within `2^-(r+1)` of `a / 2^n`, and
/// equal to it where `r >= n`; each result is one of the two integers next to it.
///
/// # Panics
/// If `r` or `n` is outside its range.
///
/// **Source**: NUMERICS 7; Gupta et al., arXiv 1502.02551, with finitely many random bits.
pub fn round(a: i64, n: u32, r: u32, lfsr: &mut Lfsr) -> i64 {
    assert!(n <= 62, "at most 62 places are discarded, not {n}");
    (a + addend(lfsr.bits(r), n, r)) >> n
}

/// What is added before the floor.
fn addend(random: u16, n: u32, r: u32) -> i64 {
    let random = i64::from(random);
    if r >= n { random >> (r - n) } else { (random << (n - r)) + (1 << (n - r - 1)) }
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;
    use num_rational::BigRational;
    use proptest::prelude::*;

    use super::*;

    fn lfsr(seed: u16) -> Lfsr {
        Lfsr::new(NonZeroU16::new(seed).unwrap())
    }

    #[test]
    fn register_visits_every_state() {
        let mut register = lfsr(1);
        assert_eq!(register.bit(), 1);
        assert_eq!(register.state(), 0xB400);
        let mut seen = vec![false; 1 << 16];
        for _ in 0..65535 {
            assert!(!std::mem::replace(&mut seen[usize::from(register.state())], true));
            register.bit();
        }
        assert_eq!(register.state(), 0xB400, "the period is 65535");
        assert_eq!(lfsr(0xB400).bits(12), lfsr(0xB400).bits(16) >> 4);
    }

    #[test]
    fn no_random_bits_round_half_up() {
        for a in -40..40 {
            assert_eq!(round(a, 3, 0, &mut lfsr(7)), (a + 4).div_euclid(8));
            assert_eq!(round(a, 0, 5, &mut lfsr(7)), a);
        }
        assert_eq!(round(-(1 << 61), 62, 16, &mut lfsr(7)).abs() & !1, 0);
    }

    /// All random numbers, all discarded fields: the bias is bounded as stated, and 0 where there are enough bits.
    #[test]
    fn bias_is_below_half_of_the_lowest_random_bit() {
        for n in 0..=9 {
            for r in 0..=9 {
                for a in -(2_i64 << n)..2 << n {
                    let sum: i64 = (0..1 << r).map(|random| (a + addend(random, n, r)) >> n).sum();
                    // sum / 2^r - a / 2^n, times 2^(n + r)
                    let bias = ((sum << n) - (a << r)).abs();
                    assert!(2 * bias <= 1 << n, "n {n}, r {r}, a {a}: {bias}");
                    assert!(r < n || bias == 0);
                }
            }
        }
    }

    /// Over the register's whole period the mean is that over all numbers, but for the state 0 that is never seen.
    #[test]
    fn mean_over_the_period() {
        for (a, n, r) in [(12345, 10, 8), (-777, 6, 16), (5, 4, 3)] {
            let mut register = lfsr(0xACE1);
            let sum: i64 = (0..65535).map(|_| round(a, n, r, &mut register)).sum();
            let bias = ((sum << n) - a * 65535).abs();
            // 65535 · 2^-(r+1), and two of a state's worth, in units of 2^-n
            assert!(bias <= (65535 << n >> (r + 1)) + (2 << n), "{bias}");
        }
    }

    proptest! {
        #[test]
        fn result_is_next_to_the_quotient(
            a in -(1_i64 << 62) + 1..1 << 62, n in 0..=62_u32, r in 0..=16_u32, seed in 1_u16..,
        ) {
            let found = BigRational::from_integer(round(a, n, r, &mut lfsr(seed)).into());
            let exact = BigRational::new(a.into(), BigInt::from(1) << n);
            prop_assert!(found == exact.floor() || found == exact.ceil());
        }
    }
}
