//! The gated activation of the feed-forward layer.

use spec::{Dyadic, ExpKind};

use super::exp::Exponential;
use super::narrow::Narrow;
use super::scale::{power_of_two, product};
use super::sigmoid::sigmoid;

/// `h = gate · sigma(gate) · up`, with the step `gate.step · up.step / 2^sigmoid_bits`.
///
/// `gate` and `up` `[n]`, `|h| <= 32767² · 2^sigmoid_bits`: 46 bits signed with 15 of them. The products are exact; the
/// sigmoid has `sigmoid_bits` (8..=15) binary places and the error of [`sigmoid`].
///
/// # Panics
/// If the rows have different lengths, or the mantissa of a step is 0.
///
/// **Source**: DI-SwiGLU, arXiv 2405.17849; NUMERICS 2.
pub fn swiglu(gate: &Narrow, up: &Narrow, kind: ExpKind, sigmoid_bits: u32) -> (Vec<i64>, Dyadic) {
    assert_eq!(gate.codes.len(), up.codes.len(), "both branches have one value a channel");
    let exp = Exponential::new(kind, gate.step);
    let value = |(&g, &u): (&i16, &i16)| i64::from(g) * i64::from(sigmoid(g.into(), &exp, sigmoid_bits)) * i64::from(u);
    let h = gate.codes.iter().zip(&up.codes).map(value).collect();
    (h, product(product(gate.step, up.step), power_of_two(sigmoid_bits as i32)))
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "bounds against the real function")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(codes: Vec<i16>, mult: u16, shift: i16) -> Narrow {
        Narrow { codes, step: Dyadic { mult, shift } }
    }

    #[test]
    fn worked_examples() {
        let (h, step) = swiglu(&row(vec![0, 2, -2], 1 << 15, 15), &row(vec![9, 3, 3], 1 << 15, 16), ExpKind::Poly, 8);
        assert_eq!(step, Dyadic { mult: 1 << 15, shift: 24 });
        // sigma(2) = 0.8808 = 225.5 / 256, sigma(-2) = 0.1192 = 30.5 / 256
        assert!(h[0] == 0 && (h[1] == 6 * 225 || h[1] == 6 * 226) && (h[2] == -6 * 30 || h[2] == -6 * 31), "{h:?}");
        let (h, _) = swiglu(&row(vec![32767], 1 << 15, 15), &row(vec![-32767], 1 << 15, 15), ExpKind::Poly, 15);
        assert_eq!(h, [-(32767_i64 * 32767) << 15]);
    }

    proptest! {
        #[test]
        fn stays_near_the_real_function(
            pairs in prop::collection::vec((-32767..=32767_i16, -32767..=32767_i16), 1..50), shift in 24..34_i16,
        ) {
            let (g, u): (Vec<i16>, Vec<i16>) = pairs.iter().copied().unzip();
            for (kind, bound) in [(ExpKind::Poly, 0.0011), (ExpKind::Shift, 0.0191)] {
                let (h, step) = swiglu(&row(g.clone(), 50000, shift), &row(u.clone(), 40000, 30), kind, 15);
                let value = |d: Dyadic| libm::ldexp(f64::from(d.mult), -i32::from(d.shift));
                for ((&g, &u), &h) in g.iter().zip(&u).zip(&h) {
                    let g = f64::from(g) * value(Dyadic { mult: 50000, shift });
                    let u = f64::from(u) * value(Dyadic { mult: 40000, shift: 30 });
                    let real = g * u / (1.0 + libm::exp(-g));
                    prop_assert!((h as f64 * value(step) - real).abs() <= (g * u).abs() * bound);
                }
            }
        }
    }
}
