//! The exact dot product, and its completion where activations have a zero point.

use spec::{Format, Operand, Problem};

use crate::error::Error;
use crate::num;

/// Longest reduction: with it no sum leaves 32 bits, its zero point completed (`255 · 128 · 65535 < 2^31`).
pub const MAX_K: usize = 65_535;

/// `Σ_k act[k] · weight[k]` over the integers of the codes, exact: in LSBs of the format's product.
///
/// A tile's partial sum is the dot product over its range of K. No rounding; cannot overflow, K being at most
/// [`MAX_K`].
///
/// # Errors
/// [`Error::Invalid`] if the lengths differ, K exceeds [`MAX_K`], or a code is not one of the format's.
///
/// **Source**: `P[m,n]` of a linear layer, spec::qmodel.
pub fn dot(format: Format, acts: &[i8], weights: &[i8]) -> Result<i32, Error> {
    if acts.len() != weights.len() || acts.len() > MAX_K {
        let value = format!("{} activations, {} weights", acts.len(), weights.len());
        let allowed = format!("as many of each, at most {MAX_K}");
        return Err(Error::Invalid(Problem::new("k", value, allowed, "give both the same range of K")));
    }
    Ok(dot_ints(&decode_all("act", format.act(), acts)?, &decode_all("weight", format.weight(), weights)?))
}

/// [`dot`] over integers that are already decoded.
///
/// # Panics
/// If the sum leaves 32 bits, which integers of codes cannot reach with K at most [`MAX_K`].
pub fn dot_ints(acts: &[i16], weights: &[i16]) -> i32 {
    acts.iter().zip(weights).map(|(&a, &w)| i32::from(a) * i32::from(w)).sum()
}

/// The exact integers of a tensor's codes; `field` names the tensor in an error.
///
/// # Errors
/// [`Error::Invalid`] for the first code that the operand does not have.
pub fn decode_all(field: &str, operand: Operand, codes: &[i8]) -> Result<Vec<i16>, Error> {
    let decoded = codes.iter().enumerate().map(|(i, &code)| num::decode(operand, code).ok_or((i, code)));
    decoded.collect::<Result<_, _>>().map_err(|(i, code)| {
        let range = num::codes(operand);
        let allowed = format!("{}..={} ({})", range.start(), range.end(), operand.name());
        Error::Invalid(Problem::new(format!("{field}[{i}]"), code, allowed, "quantize to the layer's format"))
    })
}

/// `P' = P + (128 - zp) · sum`: the sum a row with a zero point stands for.
///
/// Activations are stored as `q - 128` and mean `q - zp`, so that each product lacks `(128 - zp) · weight`; `sum` is
/// the channel's sum of weight integers. Exact; within 32 bits where `sum` is that sum and K is at most [`MAX_K`].
///
/// **Source**: NUMERICS 1, asymmetric activations.
pub fn complete_zero_point(p: i32, zp: u8, sum: i32) -> i64 {
    i64::from(p) + (128 - i64::from(zp)) * i64::from(sum)
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_pair_of_codes_multiplies_as_its_values_do() {
        for format in Format::PLAIN {
            for a in num::codes(format.act()) {
                for w in num::codes(format.weight()) {
                    let product =
                        num::decode(format.act(), a).unwrap() as i64 * num::decode(format.weight(), w).unwrap() as i64;
                    assert_eq!(i64::from(dot(format, &[a], &[w]).unwrap()), product);
                }
            }
        }
    }

    #[test]
    fn longest_extreme_rows_fit() {
        let (a, w) = (vec![-128; MAX_K], vec![-128; MAX_K]);
        let p = dot(Format::W8a8, &a, &w).unwrap();
        assert_eq!(p, (1 << 30) - (1 << 14));
        let sum = -128 * MAX_K as i32;
        assert!(sum >= -(1 << 23), "a channel's sum fits 24 bits");
        // q = 0 with zp = 255, and q = 255 with zp = 0
        let low = complete_zero_point(p, 255, sum);
        assert_eq!(low, 255 * 128 * MAX_K as i64);
        assert!(low < 1 << 31);
        let high = complete_zero_point(dot(Format::W8a8, &vec![127; MAX_K], &w).unwrap(), 0, sum);
        assert_eq!(high, -low);
    }

    #[test]
    fn bad_input_is_refused_with_its_place() {
        let message = dot(Format::W4a8, &[0, 0], &[7, 8]).unwrap_err().to_string();
        assert!(message.starts_with("weight[1] = 8: allowed -8..=7 (int4)"), "{message}");
        assert!(dot(Format::Fp4, &[-1], &[0]).unwrap_err().to_string().starts_with("act[0] = -1"));
        assert!(dot(Format::W8a8, &[1, 2], &[1]).is_err());
        assert!(dot(Format::W8a8, &vec![0; MAX_K + 1], &vec![0; MAX_K + 1]).is_err());
    }

    proptest! {
        /// Completion gives the sum over `q - zp`, the real meaning of stored codes.
        #[test]
        fn completion_is_the_sum_over_codes_less_zero_point(
            pairs in prop::collection::vec((any::<i8>(), any::<i8>()), 1..200),
            zp in any::<u8>(),
        ) {
            let (acts, weights): (Vec<i8>, Vec<i8>) = pairs.iter().copied().unzip();
            let p = dot(Format::W8a8, &acts, &weights).unwrap();
            let sum = weights.iter().map(|&w| i32::from(w)).sum();
            let meant: BigInt = pairs.iter()
                .map(|&(a, w)| (BigInt::from(a) + 128 - BigInt::from(zp)) * BigInt::from(w))
                .sum();
            prop_assert_eq!(BigInt::from(complete_zero_point(p, zp, sum)), meant);
        }

        /// Partial sums over any split of K add up to the whole.
        #[test]
        fn partial_sums_add_up(pairs in prop::collection::vec((0..16_i8, 0..16_i8), 1..100), cut in 0..100_usize) {
            let (acts, weights): (Vec<i8>, Vec<i8>) = pairs.iter().copied().unzip();
            let cut = cut.min(acts.len());
            let low = dot(Format::Fp4, &acts[..cut], &weights[..cut]).unwrap();
            let high = dot(Format::Fp4, &acts[cut..], &weights[cut..]).unwrap();
            prop_assert_eq!(low + high, dot(Format::Fp4, &acts, &weights).unwrap());
        }
    }
}
