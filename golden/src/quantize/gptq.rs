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
        let (mut codes, mut error, _) = self.pass(row, units);
        let block = self.grid.block(row.len());
        let cost = self.revisit(row, &|place| units[place / block], &mut codes, &mut error);
        (codes, cost)
    }

    /// The squared error of a row's outputs after one pass, without the sweeps that [`Rounder::row`] adds: what says
    /// which units are better.
    pub fn cost(&self, row: &[f32], units: &[f64]) -> f64 {
        self.pass(row, units).2
    }

    /// Each weight once: codes and errors `[k]`, and the squared error of the outputs.
    fn pass(&self, row: &[f32], units: &[f64]) -> (Vec<i8>, Vec<f64>, f64) {
        let k = row.len();
        let block = self.grid.block(k);
        let (mut codes, mut error) = (vec![0i8; k], vec![0.0; k]);
        let (mut errors, mut cost) = (vec![0.0; k], 0.0);
        for (j, &place) in self.order.iter().enumerate() {
            let column = self.factor.column(j);
            let w = f64::from(row[place]);
            let before = dot(&errors[..j], &column[..j]);
            let unit = units[place / block];
            if unit > 0.0 {
                codes[place] = self.grid.encode((w + before / column[j]) / unit);
            }
            errors[j] = w - f64::from(self.grid.integer(codes[place])) * unit;
            error[place] = errors[j];
            let term = before + errors[j] * column[j];
            cost += term * term;
        }
        (codes, error, cost)
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

#[cfg(test)]
mod tests {
    use spec::{Format, Scaling, Tensor};

    use super::*;

    const K: usize = 6;

    fn correlated() -> Gram {
        let value = |i: usize| ((i * 2_654_435_761) % 997) as f32 / 500.0 - 1.0;
        let row = |t: usize| (0..K).map(move |c| value(31 * t + c) + 2.0 * value(7 * t) * (c % 3) as f32);
        Gram::new(&[Tensor::new(200, K, (0..200).flat_map(row).collect())])
    }

    #[test]
    fn the_cost_is_that_of_the_codes_and_near_the_least_there_is() {
        let grid = Grid { format: Format::W4a8, scaling: Scaling::Channel };
        let gram = correlated();
        let rounder = Rounder::new(grid, &gram, 0.01);
        let cost = |row: &[f32], codes: &[i8], unit: f64| {
            let e: Vec<f64> = row.iter().zip(codes).map(|(&w, &c)| f64::from(w) - f64::from(c) * unit).collect();
            let product = |i: usize| (0..K).map(|j| e[i] * e[j] * gram.data[K * i + j]).sum::<f64>();
            (0..K).map(product).sum::<f64>() + rounder.ridge * e.iter().map(|e| e * e).sum::<f64>()
        };
        let (mut of_found, mut of_least) = (0.0, 0.0);
        for seed in 0..20 {
            let row: Vec<f32> = (0..K).map(|k| ((seed * 7919 + k * 104_729) % 1000) as f32 / 500.0 - 1.0).collect();
            let unit = 0.3;
            let (codes, found) = rounder.row(&row, &[unit]);
            assert!((found - cost(&row, &codes, unit)).abs() < 1e-9 * found.max(1.0));
            // The sweeps only ever lower the error of the first pass.
            let (first, _, of_pass) = rounder.pass(&row, &[unit]);
            assert!((of_pass - cost(&row, &first, unit)).abs() < 1e-9 * of_pass.max(1.0));
            assert!(found <= of_pass * (1.0 + 1e-9) && rounder.cost(&row, &[unit]) == of_pass);
            let nearest: Vec<i8> = row.iter().map(|&w| grid.encode(f64::from(w) / unit)).collect();
            assert!(found <= cost(&row, &nearest, unit) + 1e-9, "seed {seed}");
            // Of all codes within one of the nearest, none is better by much.
            let mut least = f64::INFINITY;
            for choice in 0..3usize.pow(K as u32) {
                let step = |k: usize| (choice / 3usize.pow(k as u32) % 3) as i8 - 1;
                let codes: Vec<i8> = nearest.iter().enumerate().map(|(k, &c)| (c + step(k)).clamp(-7, 7)).collect();
                least = least.min(cost(&row, &codes, unit));
            }
            assert!(found < 2.5 * least, "seed {seed}: {found} against {least}");
            (of_found, of_least) = (of_found + found, of_least + least);
        }
        assert!(of_found < 1.25 * of_least, "{of_found} against {of_least}");
    }

    #[test]
    fn blocks_without_a_unit_keep_zeros() {
        let grid = Grid { format: Format::Nvfp4, scaling: Scaling::Nv16 };
        let gram = Gram::new(&[Tensor::new(20, 20, (0..400).map(|i| (i % 13) as f32 - 6.0).collect())]);
        let (codes, _) = Rounder::new(grid, &gram, 0.01).row(&[0.5; 20], &[0.1, 0.0]);
        assert!(codes[..16].iter().any(|&c| c != 0) && codes[16..].iter().all(|&c| c == 0));
    }
}
