//! Mixed precision: each linear layer gets the weights it needs, the whole stays within a number of bytes.
//!
//! How much a layer matters is measured once: the divergence of the model's predictions when that layer alone is in 4
//! bits. What other codes for it would cost follows from their rounding error, weighted by `diag(X·Xᵀ)`. Levels are then
//! bought in the order of what a byte gains, so that a larger number of bytes never means a coarser layer.

mod ladder;

use spec::Format;

pub use self::ladder::{LEVELS, Ladder};
use super::choose::settled;
use super::eval::Windows;
use super::grid::Grid;
use super::measure::measure;
use super::ptq::{PtqOptions, quantize_model};
use crate::error::Error;
use crate::load::model::Model;

/// What is to be kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// Bytes of all linear layers, at most.
    Bytes(u64),
    /// Perplexity on the calibration windows, at most.
    Ppl(f64),
}

/// Bytes of a linear layer `[n, k]`, as [`spec::model::QLayer::packed_bytes`] has them with symmetric activations: codes
/// (whole bytes a channel), scales of blocks, 2 for each channel's alignment.
pub fn layer_bytes(grid: Grid, n: usize, k: usize) -> u64 {
    let codes = (k * grid.format.weight().bits() as usize).div_ceil(8);
    (n * (codes + grid.scaling.blocks(k) + 2)) as u64
}

/// Bytes of all linear layers in the formats of the options.
pub fn bytes(model: &Model, options: &PtqOptions) -> u64 {
    let layers = model.config.linears();
    options.codings(model).iter().zip(layers).map(|(coding, (_, n, k))| layer_bytes(coding.grid, n, k)).sum()
}

/// Options for a mixed model: those given, with a recipe and a format for each layer that keeps the target.
///
/// A target of bytes is compared with `w4a8` where that fits too: the one whose predictions on the calibration windows
/// diverge less from the checkpoint's is taken. A target of perplexity takes the fewest bytes that keep it, found by
/// halving.
///
/// # Errors
/// As [`Ladder::new`] and [`Ladder::within`]; [`Error::Input`] if no choice keeps the perplexity.
pub fn choose(
    model: &Model,
    options: &PtqOptions,
    calibration: &Windows,
    ladder: &Ladder,
    target: Target,
) -> Result<PtqOptions, Error> {
    let options = settled(model, options, calibration, &mut || {})?;
    let target = match target {
        Target::Bytes(target) => return Ok(Point::within(model, &options, calibration, ladder, target, 0)?.options),
        Target::Ppl(target) => target,
    };
    let after = |steps: usize| PtqOptions { layers: ladder.after(steps), ..options.clone() };
    let ppl = |steps: usize| -> Result<f64, Error> {
        Ok(measure(&quantize_model(model, &after(steps), calibration)?, None, calibration)?.integer.ppl)
    };
    let best = ppl(ladder.len())?;
    if best > target {
        let allowed = format!("at least {best:.4}, all layers in 8 bits");
        return Err(Error::input("target perplexity", target, allowed, "give a higher one"));
    }
    let (mut low, mut high) = (0, ladder.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        if ppl(middle)? <= target { high = middle } else { low = middle + 1 }
    }
    Ok(after(high))
}

/// A mixed model within a number of bytes.
#[derive(Clone, Debug)]
pub struct Point {
    /// How it is quantized.
    pub options: PtqOptions,
    /// Bytes of its linear layers.
    pub bytes: u64,
    /// Divergence of its predictions on the calibration windows from the checkpoint's, in nats.
    pub kl: f64,
}

impl Point {
    fn new(model: &Model, options: PtqOptions, calibration: &Windows) -> Result<Self, Error> {
        let q = quantize_model(model, &options, calibration)?;
        let kl = measure(&q, Some(model), calibration)?.against.map_or(f64::INFINITY, |against| against.kl);
        Ok(Self { bytes: bytes(model, &options), options, kl })
    }

    /// The better one of what the ladder has and of `w4a8`, where that fits but has more bytes than `known`.
    fn within(
        model: &Model,
        options: &PtqOptions,
        calibration: &Windows,
        ladder: &Ladder,
        target: u64,
        known: u64,
    ) -> Result<Self, Error> {
        let with = |layers: Vec<Grid>| PtqOptions { layers, ..options.clone() };
        let own = Self::new(model, with(ladder.within(target)?), calibration)?;
        let even = PtqOptions { head: options.head, acts: options.acts, ..PtqOptions::new(Format::W4a8) };
        let even = with(even.codings(model).into_iter().map(|coding| coding.grid).collect());
        if !(known + 1..=target).contains(&bytes(model, &even)) {
            return Ok(own);
        }
        let even = Self::new(model, even, calibration)?;
        Ok(if even.kl < own.kl { even } else { own })
    }
}

/// Mixed models from the fewest bytes to the most, evenly spaced: each within its bytes the best that was found, so that
/// the divergence on the calibration windows never rises; `done` is told how many are.
///
/// # Errors
/// As [`choose`].
///
/// # Panics
/// With fewer than two points.
pub fn curve(
    model: &Model,
    options: &PtqOptions,
    calibration: &Windows,
    ladder: &Ladder,
    points: u64,
    done: &mut dyn FnMut(usize),
) -> Result<Vec<Point>, Error> {
    assert!(points > 1, "a curve has two ends");
    let options = settled(model, options, calibration, &mut || {})?;
    let (least, most) = (ladder.bytes(&ladder.after(0)), ladder.bytes(&ladder.after(ladder.len())));
    let (mut curve, mut known): (Vec<Point>, u64) = (Vec::new(), 0);
    for point in 0..points {
        let target = least + (most - least) * point / (points - 1);
        let found = Point::within(model, &options, calibration, ladder, target, known)?;
        known = target;
        let before = curve.last().filter(|before| before.kl <= found.kl);
        curve.push(before.cloned().unwrap_or(found));
        done(curve.len());
    }
    Ok(curve)
}
