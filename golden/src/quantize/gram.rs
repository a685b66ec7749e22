//! Second moments of the inputs of a linear layer, and the triangular factor that rounding and regression need.

use rayon::prelude::*;
use spec::Tensor;

/// `H = Σ x·xᵀ` over all tokens `[k, k]`, symmetric.
#[derive(Clone, Debug)]
pub struct Gram {
    /// Width of the inputs.
    pub k: usize,
    /// The moments, row-major.
    pub data: Vec<f64>,
}

/// `Σ a·bᵀ` over the tokens of all pairs of windows: `[a.cols, b.cols]`, row-major.
pub fn moments(a: &[Tensor<f32>], b: &[Tensor<f32>]) -> Vec<f64> {
    let (rows, cols) = (a[0].cols, b[0].cols);
    let turned: Vec<(Tensor<f32>, Tensor<f32>)> = a.iter().zip(b).map(|(a, b)| (turn(a), turn(b))).collect();
    let mut all = vec![0.0; rows * cols];
    all.par_chunks_exact_mut(cols).enumerate().for_each(|(i, out)| {
        for (a, b) in &turned {
            for (j, sum) in out.iter_mut().enumerate() {
                *sum += dot32(a.row(i), b.row(j));
            }
        }
    });
    all
}

fn turn(x: &Tensor<f32>) -> Tensor<f32> {
    let mut data = vec![0.0; x.data.len()];
    for (t, row) in x.data.chunks_exact(x.cols).enumerate() {
        for (c, &v) in row.iter().enumerate() {
            data[c * x.rows + t] = v;
        }
    }
    Tensor::new(x.cols, x.rows, data)
}

/// Sixteen interleaved sums in single precision, added up in double.
fn dot32(a: &[f32], b: &[f32]) -> f64 {
    let mut total = 0.0;
    // Short runs keep the error of single precision far below what calibration can know.
    for (a, b) in a.chunks(256).zip(b.chunks(256)) {
        let mut sums = [0.0f32; 16];
        let (a16, b16) = (a.chunks_exact(16), b.chunks_exact(16));
        let tail = a16.remainder().iter().zip(b16.remainder());
        for (x, y) in tail {
            total += f64::from(x * y);
        }
        for (x, y) in a16.zip(b16) {
            for i in 0..16 {
                sums[i] += x[i] * y[i];
            }
        }
        for s in sums {
            total += f64::from(s);
        }
    }
    total
}

/// Four interleaved sums in double precision, then those in order.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0f64; 4];
    let (a4, b4) = (a.chunks_exact(4), b.chunks_exact(4));
    let mut rest = 0.0;
    for (x, y) in a4.remainder().iter().zip(b4.remainder()) {
        rest += x * y;
    }
    for (x, y) in a4.zip(b4) {
        for i in 0..4 {
            sums[i] += x[i] * y[i];
        }
    }
    sums.iter().fold(rest, |total, s| total + s)
}

impl Gram {
    /// The moments of inputs, window by window.
    pub fn new(x: &[Tensor<f32>]) -> Self {
        Self { k: x[0].cols, data: moments(x, x) }
    }

    /// The diagonal.
    pub fn diagonal(&self) -> Vec<f64> {
        self.data.iter().step_by(self.k + 1).copied().collect()
    }

    /// The moments with inputs in another order.
    pub fn reordered(&self, order: &[usize]) -> Self {
        let data = order.iter().flat_map(|&i| order.iter().map(move |&j| self.data[i * self.k + j])).collect();
        Self { k: self.k, data }
    }

    /// The factor of `H + damping · mean(diagonal) · 1`.
    pub fn factor(&self, damping: f64) -> Factor {
        let diagonal = self.diagonal();
        let mut sum = 0.0;
        for d in &diagonal {
            sum += d;
        }
        let mean = sum / self.k as f64;
        // Inputs that are all zero leave nothing to weigh: any positive number will do.
        let ridge = if mean > 0.0 { damping * mean } else { 1.0 };
        Factor::new(self, ridge)
    }
}

/// `H + ridge · 1 = R · Rᵀ` with R upper triangular.
#[derive(Clone, Debug)]
pub struct Factor {
    k: usize,
    /// R, row-major.
    upper: Vec<f64>,
    /// R transposed, row-major.
    lower: Vec<f64>,
}

impl Factor {
    fn new(gram: &Gram, ridge: f64) -> Self {
        let k = gram.k;
        let mut upper = vec![0.0; k * k];
        for j in (0..k).rev() {
            let own = &upper[j * k + j + 1..(j + 1) * k];
            // Rounding may take away what a nearly singular matrix has left.
            let pivot = (gram.data[j * k + j] + ridge - dot(own, own)).max(ridge * 1e-3);
            let pivot = libm::sqrt(pivot);
            let (above, below) = upper.split_at_mut(j * k);
            above.par_chunks_exact_mut(k).enumerate().for_each(|(i, row)| {
                let sum = dot(&row[j + 1..], &below[j + 1..k]);
                row[j] = (gram.data[i * k + j] - sum) / pivot;
            });
            upper[j * k + j] = pivot;
        }
        let mut lower = vec![0.0; k * k];
        for i in 0..k {
            for j in i..k {
                lower[j * k + i] = upper[i * k + j];
            }
        }
        Self { k, upper, lower }
    }

    /// Column `j` of R down to the diagonal: `R[0..=j, j]`.
    pub fn column(&self, j: usize) -> &[f64] {
        &self.lower[j * self.k..j * self.k + j + 1]
    }

    /// Solves `x · R · Rᵀ = b` in place.
    pub fn solve(&self, b: &mut [f64]) {
        let k = self.k;
        for i in (0..k).rev() {
            let row = &self.upper[i * k..(i + 1) * k];
            b[i] = (b[i] - dot(&b[i + 1..], &row[i + 1..])) / row[i];
        }
        for j in 0..k {
            let column = self.column(j);
            b[j] = (b[j] - dot(&b[..j], &column[..j])) / column[j];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two windows of inputs that depend on one another.
    fn windows() -> Vec<Tensor<f32>> {
        let value = |i: usize| ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0;
        let window = |first: usize, rows: usize| {
            let row = |t: usize| (0..7).map(move |c| value(first + 5 * t + c) + value(first + 3 * t) * c as f32);
            Tensor::new(rows, 7, (0..rows).flat_map(row).collect())
        };
        vec![window(0, 20), window(900, 301)]
    }

    #[test]
    fn moments_are_the_sums_of_products() {
        let x = windows();
        let gram = Gram::new(&x);
        for i in 0..7 {
            for j in 0..7 {
                let rows = x.iter().flat_map(|x| x.data.chunks_exact(7));
                let sum: f64 = rows.map(|row| f64::from(row[i]) * f64::from(row[j])).sum();
                assert!((gram.data[7 * i + j] - sum).abs() < 1e-4 * sum.abs().max(1.0), "{i}, {j}");
            }
        }
    }

    #[test]
    fn a_factor_gives_the_moments_back_and_solves_them() {
        let gram = Gram::new(&windows());
        let factor = gram.factor(0.02);
        let ridge = 0.02 * gram.diagonal().iter().sum::<f64>() / 7.0;
        let right = |i: usize, j: usize| gram.data[7 * i + j] + if i == j { ridge } else { 0.0 };
        for i in 0..7 {
            for j in 0..7 {
                let r = |row: usize, column: usize| factor.column(column).get(row).copied().unwrap_or(0.0);
                let product: f64 = (0..7).map(|c| r(i, c) * r(j, c)).sum();
                assert!((product - right(i, j)).abs() < 1e-8 * right(i, i), "{i}, {j}");
            }
        }
        let x: Vec<f64> = (0..7).map(|i| f64::from(i) - 2.5).collect();
        let mut b: Vec<f64> = (0..7).map(|j| (0..7).map(|i| x[i] * right(i, j)).sum()).collect();
        factor.solve(&mut b);
        assert!(b.iter().zip(&x).all(|(b, x)| (b - x).abs() < 1e-6), "{b:?}");
    }

    #[test]
    fn inputs_that_are_all_zero_still_have_a_factor() {
        let gram = Gram::new(&[Tensor::filled(4, 3, 0.0)]);
        assert_eq!(gram.factor(0.01).column(2), [0.0, 0.0, 1.0]);
    }
}
