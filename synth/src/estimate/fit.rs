//! Fits of linear models without negative coefficients.

/// Coefficients that are never negative, for which `rows · x` comes nearest to `targets`: the sum of squares of relative
/// errors, with a slight pull to 0 so that counts that never differ do not share at random.
///
/// Targets must be above 0.
pub fn fit<const N: usize>(rows: &[[f64; N]], targets: &[f64]) -> [f64; N] {
    fit_near(rows, targets, &[0.0; N], 1e-7 * rows.len() as f64)
}

/// [`fit`] with a pull to other coefficients: the larger `pull`, the less a few rows move them.
///
/// Coordinate descent (Franc, Hlaváč and Navara, "Sequential coordinate-wise algorithm for the non-negative least squares
/// problem", CAIP 2005); deterministic.
pub fn fit_near<const N: usize>(rows: &[[f64; N]], targets: &[f64], near: &[f64; N], pull: f64) -> [f64; N] {
    // Every column at a largest value of 1, every row over its target.
    let mut scale = [0.0f64; N];
    let relative: Vec<[f64; N]> =
        rows.iter().zip(targets).map(|(row, target)| row.map(|count| count / target)).collect();
    for row in &relative {
        for (largest, value) in scale.iter_mut().zip(row) {
            *largest = largest.max(value.abs());
        }
    }
    let mut gram = [[0.0; N]; N];
    let mut right = [0.0; N];
    for row in &relative {
        for i in (0..N).filter(|&i| scale[i] > 0.0) {
            right[i] += row[i] / scale[i];
            for j in (0..N).filter(|&j| scale[j] > 0.0) {
                gram[i][j] += row[i] / scale[i] * row[j] / scale[j];
            }
        }
    }
    let mut goal = [0.0f64; N];
    for i in 0..N {
        goal[i] = near[i] * scale[i];
    }
    let mut x = goal;
    for _ in 0..20_000 {
        let mut moved = 0.0f64;
        for i in (0..N).filter(|&i| scale[i] > 0.0) {
            let slope: f64 = (0..N).map(|j| gram[i][j] * x[j]).sum::<f64>() + pull * (x[i] - goal[i]) - right[i];
            let next = (x[i] - slope / (gram[i][i] + pull)).max(0.0);
            moved = moved.max((next - x[i]).abs());
            x[i] = next;
        }
        if moved < 1e-10 {
            break;
        }
    }
    for i in 0..N {
        x[i] = if scale[i] > 0.0 { x[i] / scale[i] } else { near[i] };
    }
    x
}

/// Mean and largest relative error of estimates, in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Errors {
    /// Mean of the magnitudes.
    pub mean_percent: f64,
    /// Largest magnitude.
    pub worst_percent: f64,
    /// How many were compared.
    pub count: usize,
}

/// Errors of estimates against what was measured; nothing where there is nothing to compare.
pub fn errors(pairs: impl IntoIterator<Item = (f64, f64)>) -> Option<Errors> {
    let all: Vec<f64> = pairs.into_iter().map(|(estimate, found)| 100.0 * (estimate / found - 1.0).abs()).collect();
    (!all.is_empty()).then(|| Errors {
        mean_percent: all.iter().sum::<f64>() / all.len() as f64,
        worst_percent: all.iter().copied().fold(0.0, f64::max),
        count: all.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_model_is_found() {
        let rows: Vec<[f64; 3]> =
            (1..30).map(|i| [f64::from(i), f64::from(i * i % 17), if i % 3 == 0 { 1.0 } else { 0.0 }]).collect();
        let truth = [2.5, 0.0, 40.0];
        let targets: Vec<f64> = rows.iter().map(|r| r.iter().zip(truth).map(|(a, b)| a * b).sum()).collect();
        let found = fit(&rows, &targets);
        for (a, b) in found.iter().zip(truth) {
            assert!((a - b).abs() < 0.02 * (1.0 + b), "{found:?}");
        }
    }

    #[test]
    fn few_rows_stay_near_what_is_known() {
        let near = fit_near(&[[1.0, 1.0]], &[4.0], &[1.0, 2.0], 0.01);
        // The one row is met, and what it does not say is shared.
        assert!((near[0] + near[1] - 4.0).abs() < 0.01 && (near[0] - 1.5).abs() < 0.01, "{near:?}");
        let far = fit_near(&[[1.0, 0.0]], &[4.0], &[1.0, 2.0], 1e6);
        assert!((far[0] - 1.0).abs() < 1e-3 && far[1] == 2.0, "{far:?}");
    }

    #[test]
    fn coefficients_are_never_negative() {
        let found = fit(&[[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]], &[3.0, 2.0, 1.0]);
        assert!(found.iter().all(|x| *x >= 0.0), "{found:?}");
    }

    #[test]
    fn errors_of_nothing_are_nothing() {
        assert_eq!(errors([]), None);
        let found = errors([(11.0, 10.0), (9.5, 10.0)]).unwrap();
        assert!((found.mean_percent - 7.5).abs() < 1e-9 && (found.worst_percent - 10.0).abs() < 1e-9);
    }
}
