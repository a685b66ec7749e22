//! The logistic function in two branches, so that its exponential's argument is never positive.

use super::exp::{Exponential, ONE};

/// `round(2^bits · (x >= 0 ? T : E) / (T + E))` with `E = exp(-|x|)`, `T = 2^16` its 1; 0..=2^bits.
///
/// `exp` holds the step of `x`; `bits` is 8..=15, so that numerator and sum have at most 32 bits. Rounded half up, the
/// quotient exact. Error: 0.0010 with `poly`, 0.0190 with `shift` where the step is at most 2^-9, and half an LSB.
///
/// # Panics
/// If `bits` is above 31.
///
/// **Source**: DI-SwiGLU, arXiv 2405.17849, in the form of NUMERICS 2 (an element's own exponential, no row maximum).
pub fn sigmoid(x: i32, exp: &Exponential, bits: u32) -> u32 {
    assert!(bits < 32, "a sigmoid has at most 31 binary places, not {bits}");
    let e = u64::from(exp.at(x.unsigned_abs().into()));
    let top = u64::from(ONE);
    let (num, den) = (if x >= 0 { top } else { e }, top + e);
    (((num << (bits + 1)) + den) / (2 * den)) as u32
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "bounds against the real function")]
mod tests {
    use spec::{Dyadic, ExpKind};

    use super::*;

    #[test]
    fn edges() {
        for kind in ExpKind::ALL {
            let exp = Exponential::new(kind, Dyadic { mult: 1 << 15, shift: 20 });
            assert_eq!(sigmoid(0, &exp, 15), 1 << 14);
            assert_eq!([sigmoid(i32::MAX, &exp, 15), sigmoid(i32::MIN, &exp, 15)], [1 << 15, 0]);
            assert_eq!([sigmoid(i32::MAX, &exp, 8), sigmoid(i32::MIN, &exp, 8)], [256, 0]);
        }
    }

    #[test]
    fn both_branches_stay_near_never_fall_and_add_up() {
        for (kind, bound) in [(ExpKind::Poly, 0.0010), (ExpKind::Shift, 0.0190)] {
            for (bits, shift) in [(8, 26), (15, 26), (15, 24)] {
                let exp = Exponential::new(kind, Dyadic { mult: 1 << 15, shift });
                let mut last = 0;
                for x in -32767..=32767 {
                    let sigma = sigmoid(x, &exp, bits);
                    let real = 1.0 / (1.0 + libm::exp(-libm::ldexp(f64::from(x), 15 - i32::from(shift))));
                    let error = (libm::ldexp(f64::from(sigma), -(bits as i32)) - real).abs();
                    assert!(error <= bound + libm::ldexp(0.5, -(bits as i32)), "{} at {x}: {error}", kind.name());
                    assert!(sigma >= last);
                    last = sigma;
                    let both = i64::from(sigma) + i64::from(sigmoid(-x, &exp, bits)) - (1 << bits);
                    assert!((0..=1).contains(&both), "half up twice at most");
                }
            }
        }
    }
}
