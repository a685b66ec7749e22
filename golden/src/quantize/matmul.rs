//! The matrix product of the FP32 reference: fast without any choice made at run time, every sum in order of k.

use rayon::prelude::*;
use spec::Tensor;

/// Tokens of a tile.
const TOKENS: usize = 8;
/// Outputs of a tile.
const OUTS: usize = 4;
/// Outputs that a token alone forms at once: as many sums as hide the time of an addition.
const ALONE: usize = 8;

/// `y[m, n] = Σ_k x[m, k] · w[n, k]`, summed in single precision from k = 0 up; `w` is row-major `[n, k]`.
///
/// An element of `y` depends on one row of `x` and one of `w` only, so that a token alone gives the same bits as among
/// others.
///
/// # Panics
/// If `w` does not hold whole rows of `x.cols` elements.
pub fn linear(x: &Tensor<f32>, w: &[f32]) -> Tensor<f32> {
    let k = x.cols;
    assert!(k > 0 && w.len().is_multiple_of(k), "weights of {} elements have no rows of {k}", w.len());
    let n = w.len() / k;
    let mut y = Tensor::filled(x.rows, n, 0.0);
    if x.rows == 1 {
        for (first, out) in (0..n).step_by(ALONE).zip(y.data.chunks_mut(ALONE)) {
            let rows = std::array::from_fn(|o| &w[(first + o.min(out.len() - 1)) * k..][..k]);
            out.copy_from_slice(&alone(x.row(0), rows)[..out.len()]);
        }
        return y;
    }
    y.data.par_chunks_mut(TOKENS * n).enumerate().for_each(|(panel, out)| {
        let rows = out.len() / n;
        // Tokens side by side, so that one weight meets all of them in one vector.
        let mut xt = vec![[0.0; TOKENS]; k];
        for t in 0..rows {
            for (at, &value) in xt.iter_mut().zip(x.row(panel * TOKENS + t)) {
                at[t] = value;
            }
        }
        for first in (0..n).step_by(OUTS) {
            let outs = OUTS.min(n - first);
            let row = |o: usize| &w[(first + o.min(outs - 1)) * k..][..k];
            let sums = tile(&xt, [row(0), row(1), row(2), row(3)]);
            for o in 0..outs {
                for t in 0..rows {
                    out[t * n + first + o] = sums[o][t];
                }
            }
        }
    });
    y
}

fn alone(x: &[f32], w: [&[f32]; ALONE]) -> [f32; ALONE] {
    let mut sums = [0.0; ALONE];
    for (i, &x) in x.iter().enumerate() {
        for o in 0..ALONE {
            sums[o] += x * w[o][i];
        }
    }
    sums
}

fn tile(xt: &[[f32; TOKENS]], w: [&[f32]; OUTS]) -> [[f32; TOKENS]; OUTS] {
    let mut sums = [[0.0; TOKENS]; OUTS];
    let weights = w[0].iter().zip(w[1]).zip(w[2]).zip(w[3]);
    for (x, (((&w0, &w1), &w2), &w3)) in xt.iter().zip(weights) {
        for t in 0..TOKENS {
            sums[0][t] += x[t] * w0;
            sums[1][t] += x[t] * w1;
            sums[2][t] += x[t] * w2;
            sums[3][t] += x[t] * w3;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_sum_in_order_for_all_edge_shapes() {
        for (m, n, k) in [(1, 1, 1), (1, 21, 33), (1, 8, 7), (3, 5, 7), (8, 4, 16), (9, 6, 33), (17, 3, 2)] {
            let value = |i: usize| ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0;
            let x = Tensor::new(m, k, (0..m * k).map(value).collect());
            let w: Vec<f32> = (0..n * k).map(|i| value(i + 77)).collect();
            let y = linear(&x, &w);
            for i in 0..m {
                for j in 0..n {
                    let mut sum = 0.0;
                    for l in 0..k {
                        sum += x.at(i, l) * w[j * k + l];
                    }
                    assert_eq!(*y.at(i, j), sum, "{m} x {n} x {k} at {i}, {j}");
                }
            }
        }
    }
}
