//! Softmax of I-LLM over scores of 8 bits, with its clip.

use spec::Dyadic;

use super::di_exp::DiExp;
use super::scale::normalise;

/// Scores to 8 bits within `clip` of their maximum, DI-Exp, shares of `top`.
///
/// `scores` `[t]` with a step. `R = min(max - min, round(clip / step))`, at least 1 (without a clip the whole range);
/// `d = 255 - max(0, round((S - max + R)·255 / R))`, of step `R·step / 255`, normalised; `e` by [`DiExp`] with `guard`
/// bits; `p = round(e·top / Σ e)`, 0..=top. Rounded half up, quotients exact. Scores below the clip count as at it.
/// Error beside real softmax: that of DI-Exp twice at most, of the codes (`R·step / 510` in the exponent) and of the
/// clipped ones (`exp(-clip)` each).
///
/// # Panics
/// If the step's mantissa is 0, `guard` above 16, or `R·step / 255` below 2^-40.
///
/// **Source**: DI-ClippedSoftmax, arXiv 2405.17849 (c = 15); NUMERICS 2. The models' own
/// softmax, [`super::softmax`], reads scores of 32 bits and needs no clip.
pub fn clipped_softmax(scores: &[i32], step: Dyadic, clip: Option<u32>, guard: u32, top: u16) -> Vec<u16> {
    assert!(step.mult > 0, "a step is positive");
    let wide = || scores.iter().map(|&s| i64::from(s));
    let (Some(max), Some(min)) = (wide().max(), wide().min()) else { return Vec::new() };
    let range = clip.map_or(max - min, |clip| (max - min).min(lsbs(clip, step))).max(1);
    let exp = DiExp::new(normalise(range as u128 * u128::from(step.mult), 255, step.shift.into()), guard);
    // 33 bits by 8
    let code = |s: i64| (2 * 255 * (s - max + range) + range).div_euclid(2 * range).max(0);
    let exps: Vec<u128> = wide().map(|s| exp.at((255 - code(s)) as u64).into()).collect();
    let sum: u128 = exps.iter().sum();
    exps.iter().map(|e| ((2 * e * u128::from(top) + sum) / (2 * sum)) as u16).collect()
}

/// `round(clip / step)`, at most 2^33.
fn lsbs(clip: u32, step: Dyadic) -> i64 {
    let mult = u128::from(step.mult);
    let count = match step.shift {
        down @ ..=0 => (2 * u128::from(clip) + (mult << -down.max(-80))) / (mult << (1 - down.max(-80))),
        up => ((u128::from(clip) << (up.min(80) + 1)) + mult) / (2 * mult),
    };
    count.min(1 << 33) as i64
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "bounds against real softmax")]
mod tests {
    use num_bigint::BigInt;
    use proptest::prelude::*;
    use spec::model::PROB_TOP_15;

    use super::super::exact::half_up;
    use super::*;

    #[test]
    fn worked_examples() {
        let step = Dyadic { mult: 1 << 15, shift: 19 };
        assert!(clipped_softmax(&[], step, Some(15), 16, 127).is_empty());
        assert_eq!(clipped_softmax(&[4, 4], step, Some(15), 16, 127), [64, 64]);
        // 11 of 16: x · 1.4375 is nearly an octave.
        let p = clipped_softmax(&[0, -11], step, None, 16, PROB_TOP_15);
        assert!((21600..21900).contains(&p[0]), "{p:?}");
        // 240 LSBs are 15 units: what lies below is clipped there.
        assert_eq!(lsbs(15, step), 240);
        assert_eq!(
            clipped_softmax(&[0, -240], step, Some(15), 16, PROB_TOP_15),
            clipped_softmax(&[0, -9999], step, Some(15), 16, PROB_TOP_15)
        );
        let coarse = Dyadic { mult: 1 << 15, shift: -128 };
        assert_eq!(clipped_softmax(&[i32::MIN, i32::MAX], coarse, Some(15), 16, 127), [0, 127]);
        assert_eq!(lsbs(15, Dyadic { mult: 1 << 15, shift: 127 }), 1 << 33);
    }

    /// A row with an outlier far below: without a clip the others share few codes.
    #[test]
    fn clip_keeps_the_codes_for_what_matters() {
        let step = Dyadic { mult: 1 << 15, shift: 23 };
        let scores: Vec<i32> = (0..20).map(|i| -20 * i).chain([-100_000]).collect();
        let real: Vec<f64> = scores.iter().map(|&s| libm::exp(f64::from(s) / 256.0)).collect();
        let total: f64 = real.iter().sum();
        let worst = |clip| {
            let p = clipped_softmax(&scores, step, clip, 16, PROB_TOP_15);
            p.iter().zip(&real).map(|(p, r)| (f64::from(*p) / 32639.0 - r / total).abs()).fold(0.0, f64::max)
        };
        assert!(worst(Some(15)) < 0.01 && worst(None) > 0.02, "{} {}", worst(Some(15)), worst(None));
    }

    proptest! {
        #[test]
        fn equals_the_formulas_and_stays_near(
            scores in prop::collection::vec(-4000..4000_i32, 1..100), shift in 20..25_i16, clip in 4..20_u32,
        ) {
            let step = Dyadic { mult: 40000, shift };
            let p = clipped_softmax(&scores, step, Some(clip), 16, PROB_TOP_15);
            let (max, min) = (scores.iter().max().unwrap(), scores.iter().min().unwrap());
            let range = half_up(BigInt::from(clip) << shift, 40000).min((max - min).into()).max(1.into());
            let exp = DiExp::new(normalise(u128::try_from(&range * 40000).unwrap(), 255, shift.into()), 16);
            let code = |s: &i32| 255 - half_up((s - max + &range) * 255, range.clone()).max(0.into());
            let exps: Vec<BigInt> = scores.iter().map(|s| exp.at(u64::try_from(code(s)).unwrap()).into()).collect();
            let sum: BigInt = exps.iter().sum();
            let value = |s: i32| libm::exp(libm::ldexp(f64::from(s - max) * 40000.0, -i32::from(shift)));
            let total: f64 = scores.iter().map(|&s| value(s)).sum();
            let clipped = scores.len() as f64 * libm::exp(-f64::from(clip));
            for ((p, e), &s) in p.iter().zip(&exps).zip(&scores) {
                prop_assert_eq!(BigInt::from(*p), half_up(e * PROB_TOP_15, sum.clone()));
                let error = (f64::from(*p) / f64::from(PROB_TOP_15) - value(s) / total).abs();
                prop_assert!(error <= 0.12 + clipped, "{error}");
            }
        }
    }
}
