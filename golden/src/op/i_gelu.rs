//! GELU of I-BERT, `x/2 · (1 + L(x / sqrt(2)))` with a polynomial L for erf.

use spec::Dyadic;

use super::scale::product;

/// `y` and its step: `y = x · (C + sgn(x) · (C - (B - min(|x|, B))²))`, with `B = ceil(2.501744 / step)` and
/// `C = ceil(2 / (0.2888 · step²))`; step `0.0722 · step³`.
///
/// `L(x) = sgn(x)·(1 - 0.2888·(1.769 - min(|x|, 1.769))²)`, at `x / sqrt(2)`. `x` `[n]`, steps in 2^-20..=1; `y` fits 60
/// bits. Exact but for the constants, which are rounded away from zero as their authors' floors of negative numbers do.
/// Error beside real GELU: 0.0190 where the step is at most 2^-10.
///
/// # Panics
/// If the step is outside 2^-20..=1.
///
/// **Source**: i-GELU, I-BERT, arXiv 2101.01321, section 3.4, with the constants printed there.
pub fn i_gelu(x: &[i16], step: Dyadic) -> (Vec<i64>, Dyadic) {
    let (mult, k) = (u128::from(step.mult), u32::from(step.shift.unsigned_abs()));
    let allowed = step.shift >= 0 && k <= 36 && mult > 0 && mult <= 1 << k && mult << 20 >= 1 << k;
    assert!(allowed, "a step in 2^-20..=1, not {step:?}");
    let b = (2_501_744_u128 << k).div_ceil(1_000_000 * mult) as i64;
    let c = (20_000_u128 << (2 * k)).div_ceil(2888 * mult * mult) as i64;
    let value = |&x: &i16| {
        let x = i64::from(x);
        x * (c + x.signum() * (c - (b - x.abs().min(b)).pow(2)))
    };
    // round(2^19 · 0.0722)
    let unit = product(product(step, product(step, step)), Dyadic { mult: 37854, shift: 19 });
    (x.iter().map(value).collect(), unit)
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "bounds against the real function")]
mod tests {
    use num_bigint::BigInt;
    use proptest::prelude::*;

    use super::super::exact::{ceil, power};
    use super::*;

    #[test]
    fn errors_stay_within_what_is_stated() {
        for shift in [25, 27] {
            let step = Dyadic { mult: 1 << 15, shift };
            let x: Vec<i16> = (i16::MIN..=i16::MAX).collect();
            let (y, unit) = i_gelu(&x, step);
            let unit = libm::ldexp(f64::from(unit.mult), -i32::from(unit.shift));
            for (&x, y) in x.iter().zip(y) {
                let x = libm::ldexp(f64::from(x), 15 - i32::from(shift));
                let real = x / 2.0 * (1.0 + libm::erf(x / libm::sqrt(2.0)));
                // Beside the polynomial, the 16-bit mantissa of the step
                let error = (y as f64 * unit - real).abs();
                assert!(error <= 0.0190 + x.abs() / 16384.0, "{x}: {error}");
            }
        }
    }

    #[test]
    fn edges_fit() {
        let (y, _) = i_gelu(&[i16::MIN, i16::MAX, 0], Dyadic { mult: 1 << 15, shift: 35 });
        assert!(y.iter().all(|y| y.abs() < 1 << 60) && y[2] == 0);
        let (y, _) = i_gelu(&[i16::MIN, i16::MAX], Dyadic { mult: 1 << 15, shift: 15 });
        assert_eq!(y, [0, 32767 * 2 * 7]);
    }

    proptest! {
        #[test]
        fn equals_the_formulas(x in any::<i16>(), mult in 1_u16 << 15.., shift in 16..=35_i16) {
            let (y, _) = i_gelu(&[x], Dyadic { mult, shift });
            let (m, k) = (BigInt::from(mult), i32::from(shift));
            // floor(b / S), floor(c / (a·S²)) with negative b, a; S = step / sqrt(2)
            let b = -ceil(2_501_744 * power(k), 1_000_000 * &m);
            let c = -ceil(20_000 * power(2 * k), 2888 * &m * &m);
            let size = BigInt::from(x).magnitude().clone();
            let clipped = BigInt::from(size).min(-&b);
            let erf = ((&clipped + &b) * (&clipped + &b) + &c) * BigInt::from(x.signum());
            // floor(1 / S_erf) is c again; S_erf is negative.
            prop_assert_eq!(BigInt::from(y[0]), -(erf + c) * x);
        }
    }
}
