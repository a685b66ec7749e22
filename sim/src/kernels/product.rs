//! Products of rows of activations and a tile of weights.

use pulp::{Arch, WithSimd};

/// `sums[m][c] += Σ_r acts[m][r] · weights[r][c]`, exact as long as 32 bits hold the sums.
#[derive(Clone, Copy, Debug)]
pub struct TileProduct {
    arch: Arch,
    /// Rows R of the array.
    rows: usize,
    /// Columns C.
    cols: usize,
}

struct Run<'a> {
    rows: usize,
    cols: usize,
    acts: &'a [i16],
    weights: &'a [i16],
    sums: &'a mut [i32],
}

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { rows, cols, acts, weights, sums } = self;
        for (act_row, sum_row) in acts.chunks_exact(rows).zip(sums.chunks_exact_mut(cols)) {
            match cols {
                8 => fixed::<8>(act_row, weights, sum_row),
                16 => fixed::<16>(act_row, weights, sum_row),
                32 => fixed::<32>(act_row, weights, sum_row),
                _ => {
                    for (&act, weight_row) in act_row.iter().zip(weights.chunks_exact(cols)) {
                        add(act, weight_row, sum_row);
                    }
                }
            }
        }
    }
}

/// A row of sums stays in registers.
#[inline(always)]
fn fixed<const C: usize>(acts: &[i16], weights: &[i16], sums: &mut [i32]) {
    let mut own = [0; C];
    own.copy_from_slice(&sums[..C]);
    for (&act, weight_row) in acts.iter().zip(weights.chunks_exact(C)) {
        add(act, weight_row, &mut own);
    }
    sums[..C].copy_from_slice(&own);
}

#[inline(always)]
fn add(act: i16, weights: &[i16], sums: &mut [i32]) {
    for (sum, &weight) in sums.iter_mut().zip(weights) {
        *sum = sum.wrapping_add(i32::from(act) * i32::from(weight));
    }
}

impl TileProduct {
    /// For tiles of `rows` x `cols` weights, the column running fastest.
    pub fn new(rows: usize, cols: usize) -> Self {
        Self { arch: Arch::new(), rows, cols }
    }

    /// Adds the products of `acts` `[rows of the product, R]` and `weights` `[R, C]` to `sums` `[rows of the product, C]`;
    /// the shortest says how many rows there are.
    pub fn add(&self, acts: &[i16], weights: &[i16], sums: &mut [i32]) {
        self.arch.dispatch(Run { rows: self.rows, cols: self.cols, acts, weights, sums });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_of_products_of_any_shape() {
        for (rows, cols) in [(1, 1), (5, 3), (8, 8), (3, 16), (32, 32), (7, 40)] {
            for m in [1, 4] {
                let value = |i: usize, k: usize| ((i * 37 + k * 11) % 257) as i16 - 128;
                let acts: Vec<i16> = (0..m * rows).map(|i| value(i, 1)).collect();
                let weights: Vec<i16> = (0..rows * cols).map(|i| value(i, 2)).collect();
                let mut sums: Vec<i32> = (0..m * cols).map(|i| i as i32).collect();
                TileProduct::new(rows, cols).add(&acts, &weights, &mut sums);
                for (i, &sum) in sums.iter().enumerate() {
                    let (row, col) = (i / cols, i % cols);
                    let terms = (0..rows).map(|r| i32::from(acts[row * rows + r]) * i32::from(weights[r * cols + col]));
                    assert_eq!(sum, i as i32 + terms.sum::<i32>(), "{rows}x{cols}, row {row}, column {col}");
                }
            }
        }
    }
}
