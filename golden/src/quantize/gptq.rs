//! GPTQ: weights rounded one after the other, each undoing what the errors before it did to the outputs.
//!
//! With `H + damping = R·Rᵀ`, R upper triangular, a row's error `e = w - q` costs `|e·R|²`, whose term `j` depends on the
//! weights up to `j` only: each weight is rounded so that its own term is least. That is the nearest plane of Babai,
//! which GPTQ's updates of all later weights compute too.
//!
//! **Source**: arXiv 2210.17323; the equivalence: arXiv 2507.18553.

use super::gram::{Factor, Gram, dot};
use super::grid::Grid;

/// Sweeps that revisit every weight after the first rounding.
const SWEEPS: usize = 4;

/// What rounding a layer's rows needs, computed once.
pub struct Rounder<'a> {
    grid: Grid,
    gram: &'a Gram,
    factor: Factor,
    /// Inputs in the order in which their weights are rounded.
    order: Vec<usize>,
    ridge: f64,
}

impl<'a> Rounder<'a> {
    /// For inputs of these moments; weights of strong inputs are rounded first.
    pub fn new(grid: Grid, gram: &'a Gram, damping: f64) -> Self {
        let diagonal = gram.diagonal();
        let mut order: Vec<usize> = (0..gram.k).collect();
        order.sort_by(|&a, &b| diagonal[b].total_cmp(&diagonal[a]).then(a.cmp(&b)));
        let mut sum = 0.0;
        for d in &diagonal {
            sum += d;
        }
        let ridge = damping * sum / gram.k as f64;
        Self { grid, gram, factor: gram.reordered(&order).factor(damping), order, ridge }
    }

    /// Codes of a row `[k]` with these units of its blocks, and the squared error of its outputs.
    pub fn row(&self, row: &[f32], units: &[f64]) -> (Vec<i8>, f64) {
        let k = row.len();
        let block = self.grid.block(k);
        let unit = |place: usize| units[place / block];
        let mut codes = vec![0i8; k];
        let mut errors = vec![0.0; k];
        for (j, &place) in self.order.iter().enumerate() {
            let column = self.factor.column(j);
            let w = f64::from(row[place]);
            let wanted = w + dot(&errors[..j], &column[..j]) / column[j];
            let unit = unit(place);
            if unit > 0.0 {
                codes[place] = self.grid.encode(wanted / unit);
            }
            errors[j] = w - f64::from(self.grid.integer(codes[place])) * unit;
        }
        let mut error = vec![0.0; k];
        for (&place, e) in self.order.iter().zip(errors) {
            error[place] = e;
        }
        let cost = self.revisit(row, &unit, &mut codes, &mut error);
        (codes, cost)
    }

    /// Moves single codes as long as that lowers the error, at most [`SWEEPS`] times through all; gives the error.
    fn revisit(&self, row: &[f32], unit: &dyn Fn(usize) -> f64, codes: &mut [i8], error: &mut [f64]) -> f64 {
        let k = row.len();
        // slope[j] = Σ_i error[i] · H[i, j]
        let mut slope: Vec<f64> = (0..k).map(|j| self.slope(j, error)).collect();
        for _ in 0..SWEEPS {
            let mut moved = false;
            for &j in &self.order {
                let (curve, unit) = (self.gram.data[j * k + j] + self.ridge, unit(j));
                if unit == 0.0 || curve == 0.0 {
                    continue;
                }
                let wanted = f64::from(row[j]) - error[j] + slope[j] / curve;
                let code = self.grid.encode(wanted / unit);
                let new = f64::from(row[j]) - f64::from(self.grid.integer(code)) * unit;
                let change = new - error[j];
                // Of equals the old code stays: only a real gain moves it.
                if change != 0.0 && change * (2.0 * slope[j] + change * curve) < 0.0 {
                    (codes[j], error[j], moved) = (code, new, true);
                    for (s, h) in slope.iter_mut().zip(&self.gram.data[j * k..(j + 1) * k]) {
                        *s += change * h;
                    }
                    slope[j] += change * self.ridge;
                }
            }
            if !moved {
                break;
            }
        }
        dot(error, &slope)
    }

    fn slope(&self, j: usize, error: &[f64]) -> f64 {
        let k = error.len();
        dot(error, &self.gram.data[j * k..(j + 1) * k]) + self.ridge * error[j]
    }
}
