//! Reductions over the results of a row operation.

/// Places in `red`.
const ABSMAX: i64 = 1;
const MAX: i64 = 2;
const RANGE: i64 = 3;
const SUM: i64 = 4;
const SQUARES: i64 = 5;
const ARGMAX: i64 = 6;

/// What is written to S[d], and to S[d + 1].
pub(super) type Reduced = (i64, Option<i64>);

/// The reduction by its place in `red`; `old` is what S[d] and S[d + 1] hold, with `cont`; `base` the index of element 0.
pub(super) fn reduce(red: i64, row: &[i64], old: Option<(i64, i64)>, base: i64) -> Option<Reduced> {
    let saturated = |sum: i128| super::saturate(sum);
    let negated = |x: i64| x.checked_neg().unwrap_or(i64::MAX);
    let most = |start: i64, value: &dyn Fn(i64) -> i64| row.iter().fold(start, |so_far, &x| so_far.max(value(x)));
    match red {
        ABSMAX => Some((most(old.map_or(0, |o| o.0), &|x| x.max(negated(x))), None)),
        MAX => Some((most(old.map_or(i64::MIN, |o| o.0), &|x| x), None)),
        RANGE => {
            let (high, low) = old.unwrap_or((0, 0));
            Some((most(high.max(0), &|x| x), Some(most(low.max(0), &negated))))
        }
        SUM => {
            let sum: i128 = row.iter().map(|&x| i128::from(x)).sum();
            Some((saturated(sum + i128::from(old.map_or(0, |o| o.0))), None))
        }
        SQUARES => {
            let sum: i128 = row.iter().map(|&x| i128::from(x) * i128::from(x)).sum();
            Some((saturated(sum + i128::from(old.map_or(0, |o| o.0))), None))
        }
        ARGMAX => {
            let mut best = old;
            for (i, &x) in row.iter().enumerate() {
                if best.is_none_or(|(value, _)| x > value) {
                    best = Some((x, base.wrapping_add(i as i64)));
                }
            }
            best.map(|(value, place)| (value, Some(place)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reduction_starts_or_goes_on() {
        let row = [-3, 5, 5, -9];
        assert_eq!(reduce(0, &row, None, 0), None);
        assert_eq!(reduce(ABSMAX, &row, None, 0), Some((9, None)));
        assert_eq!(reduce(MAX, &[-3, -9], None, 0), Some((-3, None)));
        assert_eq!(reduce(RANGE, &row, None, 0), Some((5, Some(9))));
        assert_eq!(reduce(RANGE, &row, Some((7, 1)), 0), Some((7, Some(9))));
        assert_eq!(reduce(SUM, &row, Some((10, 0)), 0), Some((8, None)));
        assert_eq!(reduce(SQUARES, &row, None, 0), Some((9 + 25 + 25 + 81, None)));
        assert_eq!(reduce(ARGMAX, &row, None, 100), Some((5, Some(101))));
        assert_eq!(reduce(ARGMAX, &row, Some((5, 7)), 100), Some((5, Some(7))));
    }
}
