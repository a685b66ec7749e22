//! Reductions: one or two numbers of a row of results.

use crate::iss::fault::{Result, refuse};

/// Which numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduce {
    /// `max |x|`.
    MaxAbs,
    /// `max x`.
    Max,
    /// `max(0, max x)` and `max(0, max -x)`.
    Range,
    /// `Σ x`.
    Sum,
    /// `Σ x²`.
    Squares,
    /// `max x` and the place of the first largest.
    ArgMax,
}

impl Reduce {
    /// Scalars that it writes: 1 or 2.
    pub fn count(self) -> usize {
        match self {
            Self::MaxAbs | Self::Max | Self::Sum | Self::Squares => 1,
            Self::Range | Self::ArgMax => 2,
        }
    }
}

/// The reduction of `x` `[n]`; the place of element `i` is `i + first`. `old` holds what was there, where the row continues one.
///
/// # Errors
/// For a maximum of no elements, and a result that leaves 64 bits.
pub fn reduce(kind: Reduce, x: &[i64], first: i64, old: Option<[i64; 2]>) -> Result<[i64; 2]> {
    let single = |value: i64| [value, 0];
    let largest = || match (x.iter().copied().max(), old) {
        (Some(max), Some([old, _])) => Ok(max.max(old)),
        (Some(max), None) => Ok(max),
        (None, Some([old, _])) => Ok(old),
        (None, None) => refuse("n", 0, ">= 1", "a maximum needs an element"),
    };
    let [low, high] = old.unwrap_or([0, 0]);
    match kind {
        Reduce::MaxAbs => {
            let most = x.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0);
            held(i128::from(most).max(low.into())).map(single)
        }
        Reduce::Max => largest().map(single),
        Reduce::Range => {
            let up = x.iter().copied().fold(low.max(0), i64::max);
            let down = x.iter().fold(i128::from(high).max(0), |down, &x| down.max(-i128::from(x)));
            Ok([up, held(down)?])
        }
        Reduce::Sum => held(i128::from(low) + x.iter().map(|&x| i128::from(x)).sum::<i128>()).map(single),
        Reduce::Squares => {
            let mut sum = i128::from(low);
            for &x in x {
                sum = held(sum + i128::from(x).saturating_mul(x.into()))?.into();
            }
            Ok(single(sum as i64))
        }
        Reduce::ArgMax => {
            let mut best = old;
            for (i, &x) in x.iter().enumerate() {
                if best.is_none_or(|[max, _]| x > max) {
                    best = Some([x, first.saturating_add(i as i64)]);
                }
            }
            best.map_or_else(|| refuse("n", 0, ">= 1", "a maximum needs an element"), Ok)
        }
    }
}

fn held(value: i128) -> Result<i64> {
    i64::try_from(value).or_else(|_| refuse("reduction", value, "64 bits signed", "shift the row down first"))
}
