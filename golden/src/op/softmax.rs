//! Softmax of a row of attention scores.

use spec::{Dyadic, ExpKind};

use super::exp::Exponential;

/// `p = round(e · top / Σ e)` with `e = 2^16 · exp(-(max S - S) · step)`; `top` stands for 1.
///
/// `scores` `[t]` are those of the positions that a token sees: others are not in the row. Shape `[t]`, 0..=top. A
/// row has at least one `e = 2^16`; its sum stays below 2^64 for fewer than 2^47 positions. Rounded half up, quotients
/// exact; the probabilities add up to `top` within t/2. Error beside real softmax: that of the exponential
/// ([`Exponential::at`]) twice at most, and half an LSB.
///
/// # Panics
/// If the step's mantissa is 0.
///
/// **Source**: DI-ClippedSoftmax, arXiv 2405.17849, without the clip, as the scores have 32 bits; NUMERICS 2.
pub fn softmax(scores: &[i32], step: Dyadic, kind: ExpKind, top: u16) -> Vec<u16> {
    let Some(max) = scores.iter().copied().max() else { return Vec::new() };
    let exp = Exponential::new(kind, step);
    let exps: Vec<u32> = scores.iter().map(|&s| exp.at((i64::from(max) - i64::from(s)) as u64)).collect();
    shares(&exps, top)
}

/// `round(e · top / Σ e)` of every element; at least one is not 0.
pub(crate) fn shares(exps: &[u32], top: u16) -> Vec<u16> {
    let sum: u64 = exps.iter().map(|&e| u64::from(e)).sum();
    // e · top < 2^33
    let share = |e: u32| (2 * u64::from(e) * u64::from(top) + sum) / (2 * sum);
    exps.iter().map(|&e| if e == 0 { 0 } else { share(e) as u16 }).collect()
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "bounds against real softmax")]
mod tests {
    use proptest::prelude::*;
    use spec::model::{PROB_TOP_8, PROB_TOP_15};

    use super::*;

    const STEP: Dyadic = Dyadic { mult: 1 << 15, shift: 22 };

    #[test]
    fn worked_examples() {
        for kind in ExpKind::ALL {
            assert!(softmax(&[], STEP, kind, PROB_TOP_15).is_empty());
            assert_eq!(softmax(&[-7], STEP, kind, PROB_TOP_15), [PROB_TOP_15]);
            assert_eq!(softmax(&[3, 3], STEP, kind, PROB_TOP_15), [16320, 16320]);
            assert_eq!(softmax(&[i32::MAX, i32::MIN], STEP, kind, PROB_TOP_8), [PROB_TOP_8, 0]);
            // One octave is 88.7 LSBs.
            let p = softmax(&[0, -89], STEP, kind, PROB_TOP_15);
            assert!((21700..21800).contains(&p[0]) && (10840..10940).contains(&p[1]), "{p:?}");
        }
    }

    proptest! {
        #[test]
        fn adds_up_keeps_order_and_stays_near(
            scores in prop::collection::vec(-3000..3000_i32, 1..300),
            kind in prop::sample::select(ExpKind::ALL.to_vec()),
            top in prop::sample::select(vec![PROB_TOP_8, PROB_TOP_15]),
            shift in 18..26_i16,
        ) {
            let step = Dyadic { mult: 50000, shift };
            let p = softmax(&scores, step, kind, top);
            let sum: i64 = p.iter().map(|&p| i64::from(p)).sum();
            prop_assert!((sum - i64::from(top)).abs() * 2 <= p.len() as i64);
            for i in 1..p.len() {
                prop_assert!((scores[i] > scores[i - 1]) <= (p[i] >= p[i - 1]));
            }
            let max = scores.iter().max().unwrap();
            let real: Vec<f64> =
                scores.iter().map(|s| libm::exp(libm::ldexp(f64::from(s - max) * 50000.0, -i32::from(shift)))).collect();
            let total: f64 = real.iter().sum();
            let bound = match kind { ExpKind::Poly => 0.004, ExpKind::Shift => 0.125 } + 0.5 / f64::from(top);
            for (p, real) in p.iter().zip(&real) {
                prop_assert!((f64::from(*p) / f64::from(top) - real / total).abs() <= bound);
            }
        }
    }
}
