//! The step of a channel and the scales of its blocks.

use spec::{Operand, ScaleRule, Scaling};

use super::grid::{Grid, floor_log2};

/// How scales are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scales<'a> {
    /// From the largest magnitude of each block; MX by a rule.
    Widest(ScaleRule),
    /// By the least squared error of each block, its weights counted by their importance `[k]`.
    Search(&'a [f64]),
}

/// The units that the blocks of a row should have, not rounded; with MX powers of two.
pub fn wanted_units(grid: Grid, row: &[f32], how: Scales) -> Vec<f64> {
    let block = grid.block(row.len());
    row.chunks(block).enumerate().map(|(b, w)| block_unit(grid, w, part(how, b * block, w.len()))).collect()
}

/// The step that a channel should have: its largest block then has the largest scale there is.
///
/// `stretch` multiplies every unit; with MX it moves the channel's powers of two.
pub fn channel_step(grid: Grid, units: &[f64], stretch: f64) -> f64 {
    stretch * units.iter().copied().fold(0.0, f64::max) / grid.largest_unit()
}

/// The scales of the blocks of a channel of that step; none where the channel is one block.
pub fn row_scales(grid: Grid, row: &[f32], units: &[f64], step: f64, how: Scales, stretch: f64) -> Vec<u8> {
    if grid.scaling == Scaling::Channel {
        return Vec::new();
    }
    let block = grid.block(row.len());
    let scale = |(b, w): (usize, &[f32])| {
        if units[b] == 0.0 || step == 0.0 {
            return 0;
        }
        let near = grid.scale_for(stretch * units[b] / step);
        match (part(how, b * block, w.len()), grid.scaling) {
            // Neighbours of coarse scales differ by more than rounding does.
            (Scales::Search(importance), Scaling::Mx32 | Scaling::Nv16) => {
                let range = near.saturating_sub(1)..=(near + 1).min(grid.last_scale());
                best_scale(grid, w, importance, step, range)
            }
            _ => near,
        }
    };
    row.chunks(block).enumerate().map(scale).collect()
}

/// The part of the importance that belongs to a block.
fn part(how: Scales, first: usize, length: usize) -> Scales {
    match how {
        Scales::Search(importance) => Scales::Search(&importance[first..first + length]),
        rule => rule,
    }
}

/// Of a range of scales, the one with the least error; the first of equals.
fn best_scale(grid: Grid, w: &[f32], importance: &[f64], step: f64, range: std::ops::RangeInclusive<u8>) -> u8 {
    let mut best = (f64::INFINITY, *range.end());
    for scale in range {
        let unit = grid.unit(scale) * step;
        let error = if unit > 0.0 { block_error(grid, w, importance, unit) } else { f64::INFINITY };
        if error < best.0 {
            best = (error, scale);
        }
    }
    best.1
}

/// The unit of a block by itself, not rounded; MX: a power of two.
fn block_unit(grid: Grid, block: &[f32], how: Scales) -> f64 {
    let widest = amax(block);
    if widest == 0.0 {
        return 0.0;
    }
    let power = |exponent: i32| libm::ldexp(1.0, exponent - grid.format.weight().int_frac_bits() as i32);
    match (how, grid.scaling) {
        (Scales::Widest(rule), Scaling::Mx32) => power(mx_exponent(widest, rule)),
        (Scales::Search(_), Scaling::Mx32) => power(mx_exponent(widest, ScaleRule::NoClip)),
        (Scales::Widest(_), _) => widest / grid.top(),
        (Scales::Search(importance), _) => {
            // Powers of two are so coarse that a unit above the largest weight can be the best.
            let (first, count) =
                if matches!(grid.format.weight(), Operand::Pot4 | Operand::Pot8) { (1.25, 27) } else { (1.0, 19) };
            let mut best = (f64::INFINITY, 0.0);
            for trial in 0..count {
                let unit = widest / grid.top() * (first - 0.025 * f64::from(trial));
                let error = block_error(grid, block, importance, unit);
                if error < best.0 {
                    best = (error, unit);
                }
            }
            best.1
        }
    }
}

/// The squared error of a block rounded to that unit.
fn block_error(grid: Grid, w: &[f32], importance: &[f64], unit: f64) -> f64 {
    let mut error = 0.0;
    for (&w, &importance) in w.iter().zip(importance) {
        let w = f64::from(w);
        let miss = w - grid.nearest(w / unit) * unit;
        error += importance * miss * miss;
    }
    error
}

/// The exponent of the scale of an MX block with that largest magnitude, above 0.
pub fn mx_exponent(widest: f64, rule: ScaleRule) -> i32 {
    let floor = floor_log2(widest) - 2;
    let limit = match rule {
        ScaleRule::Floor => return floor,
        ScaleRule::NoClip => 6.0,
        ScaleRule::RoundUpToGrid => 7.0,
    };
    if widest > libm::ldexp(limit, floor) { floor + 1 } else { floor }
}

fn amax(row: &[f32]) -> f64 {
    f64::from(row.iter().fold(0.0f32, |top, w| top.max(w.abs())))
}
