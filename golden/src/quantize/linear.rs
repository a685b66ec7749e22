//! One linear layer in integers: weights per output channel, activations per token.

use rayon::prelude::*;
use spec::model::QLayer;
use spec::qmodel::{ALIGN_GUARD_BITS, ActMode, QActs, QLinear, Requant};
use spec::{Dyadic, Format, Operand, RequantMode, RowScale, Scaling, Tensor};

use super::code::{dyadic, encode, integer, round_half_up, top, value};
use crate::error::Error;

/// Alignment factor of the channel with the largest step.
const ALIGN_ONE: f64 = (1u32 << 15) as f64;

/// Quantizes the weights `[n, k]` of a layer that stands alone, with one step a channel.
///
/// Each channel is symmetric: its step is its largest magnitude over the code's largest (127, 7, 6, 1, 2). But for INT8
/// a few smaller (PoT: also larger) steps are tried and the one with the least squared error is taken, the first of
/// equals. Codes are computed with the step the hardware sees, `weight_step · align[n] / 2^15`. A channel so small that
/// its alignment factor rounds to 0 computes zeros.
///
/// `requant` of the result is that of a dynamic mode; see [`with_requant`].
///
/// # Panics
/// If `weight` does not hold whole rows of `k`.
pub fn quantize_weights(name: &str, format: Format, weight: &[f32], k: usize) -> QLayer {
    assert!(k > 0 && weight.len().is_multiple_of(k), "{name}: {} weights have no rows of {k}", weight.len());
    let operand = format.weight();
    let rows: Vec<&[f32]> = weight.chunks_exact(k).collect();
    let steps: Vec<f64> = rows.par_iter().map(|row| channel_step(operand, row)).collect();
    let weight_step = dyadic(steps.iter().copied().fold(0.0, f64::max));
    let align_of = |&step: &f64| round_half_up(step / value(weight_step) * ALIGN_ONE).min(ALIGN_ONE) as u16;
    let align: Vec<u16> = steps.iter().map(align_of).collect();
    let codes: Vec<i8> = rows
        .par_iter()
        .zip(&align)
        .flat_map_iter(|(row, &align)| {
            let step = channel_value(weight_step, align);
            row.iter().map(move |&w| if align == 0 { 0 } else { encode(operand, f64::from(w) / step) })
        })
        .collect();
    let sum = codes.chunks_exact(k).map(|row| row.iter().map(|&c| integer(operand, c)).sum()).collect();
    let step = a_step(weight_step);
    let linear = QLinear {
        name: name.to_string(),
        format,
        weight: Tensor::new(rows.len(), k, codes),
        align,
        sum,
        requant: Requant { mode: RequantMode::Dynamic, step },
    };
    let scales = Tensor::new(rows.len(), 0, vec![]);
    QLayer { linear, weight_step, scaling: Scaling::Channel, scales, acts: ActMode::Symmetric, rotation: 1 }
}

/// The layer with another requantisation; `out_amax` is the largest magnitude of its outputs in calibration, which the
/// static mode maps to 127.
///
/// # Errors
/// [`Error::Input`] if the static mode lacks a calibration.
pub fn with_requant(mut layer: QLayer, mode: RequantMode, out_amax: Option<f32>) -> Result<QLayer, Error> {
    let a_step = a_step(layer.weight_step);
    let step = match (mode, out_amax) {
        (RequantMode::Dynamic | RequantMode::Asymmetric, _) => a_step,
        // A layer whose outputs were all zero gets the step 1.
        (RequantMode::Static, Some(amax)) => dyadic(value(a_step) / value(dyadic(f64::from(amax) / 127.0))),
        (RequantMode::Static, None) => {
            let cure = "give calibration text or windows, or use the dynamic mode";
            return Err(Error::input("requantisation", "static without calibration", "calibration", cure));
        }
    };
    layer.linear.requant = Requant { mode, step };
    Ok(layer)
}

/// What one LSB of the aligned sums `A` is worth for activations of step 1.
fn a_step(weight_step: Dyadic) -> Dyadic {
    let shift = (weight_step.shift + ALIGN_GUARD_BITS as i16).min(127);
    Dyadic { shift, ..weight_step }
}

/// The step of a channel's weight integers.
fn channel_value(weight_step: Dyadic, align: u16) -> f64 {
    value(weight_step) * f64::from(align) / ALIGN_ONE
}

/// The weights `[n, k]` that the integers of a layer with one step a channel stand for.
pub fn dequantize(layer: &QLayer) -> Vec<f32> {
    let (linear, operand) = (&layer.linear, layer.linear.format.weight());
    let row = |n: usize| {
        let step = channel_value(layer.weight_step, linear.align[n]);
        linear.weight.row(n).iter().map(move |&code| (f64::from(integer(operand, code)) * step) as f32)
    };
    (0..linear.weight.rows).into_par_iter().flat_map_iter(row).collect()
}

/// Factors of the largest step that are tried for a channel.
fn trials(operand: Operand) -> impl Iterator<Item = f64> {
    let (first, count) = match operand {
        Operand::Int8 => (1.0, 1),
        Operand::Int4 | Operand::E2m1 => (1.0, 17),
        // Powers of two are so coarse that a step above the largest weight can be the best.
        Operand::Pot4 | Operand::Pot8 => (1.25, 27),
    };
    (0..count).map(move |i| first - 0.025 * f64::from(i))
}

/// The real step of the integers of a channel.
fn channel_step(operand: Operand, row: &[f32]) -> f64 {
    let widest = amax(row) / f64::from(top(operand));
    if widest == 0.0 {
        return 0.0;
    }
    let mut best = (f64::INFINITY, widest);
    for factor in trials(operand) {
        let step = widest * factor;
        let mut error = 0.0;
        for &w in row {
            let w = f64::from(w);
            let miss = w - f64::from(integer(operand, encode(operand, w / step))) * step;
            error += miss * miss;
        }
        if error < best.0 {
            best = (error, step);
        }
    }
    best.1
}

/// Quantizes activations `[m, k]`, each row with its own step, which is rounded before codes are computed with it.
///
/// A row of zeros has step 1. The step belongs to the integers of the code (E2M1: twice the value).
///
/// # Errors
/// [`Error::Input`] if E2M1 activations are to have a zero point, or one is not finite.
pub fn quantize_acts(x: &Tensor<f32>, format: Format, mode: ActMode) -> Result<QActs, Error> {
    let operand = format.act();
    if mode == ActMode::Asymmetric && operand != Operand::Int8 {
        let allowed = "symmetric, because its activations are not INT8";
        let cure = "use symmetric activations or another format";
        return Err(Error::input(format!("activations of {}", format.name()), mode.name(), allowed, cure));
    }
    if let Some(place) = x.data.iter().position(|v| !v.is_finite()) {
        let field = format!("activation [{}, {}]", place / x.cols, place % x.cols);
        let cure = "the model overflows single precision: check its weights";
        return Err(Error::input(field, x.data[place], "finite numbers", cure));
    }
    let mut codes = Vec::with_capacity(x.data.len());
    let mut scales = Vec::with_capacity(x.rows);
    for row in x.data.chunks_exact(x.cols) {
        scales.push(match mode {
            ActMode::Symmetric => symmetric(operand, row, &mut codes),
            ActMode::Asymmetric => asymmetric(row, &mut codes),
        });
    }
    Ok(QActs { codes: Tensor::new(x.rows, x.cols, codes), scales })
}

fn symmetric(operand: Operand, row: &[f32], codes: &mut Vec<i8>) -> RowScale {
    let step = dyadic(amax(row) / f64::from(top(operand)));
    codes.extend(row.iter().map(|&x| encode(operand, f64::from(x) / value(step))));
    RowScale { step, zp: 128 }
}

fn asymmetric(row: &[f32], codes: &mut Vec<i8>) -> RowScale {
    let low = row.iter().copied().fold(0.0, f32::min);
    let high = row.iter().copied().fold(0.0, f32::max);
    let step = dyadic((f64::from(high) - f64::from(low)) / 255.0);
    let zp = round_half_up(-f64::from(low) / value(step)).clamp(0.0, 255.0);
    let code = |&x: &f32| (round_half_up(f64::from(x) / value(step)) + zp).clamp(0.0, 255.0) - 128.0;
    codes.extend(row.iter().map(|x| code(x) as i8));
    RowScale { step, zp: zp as u8 }
}

fn amax(row: &[f32]) -> f64 {
    f64::from(row.iter().fold(0.0f32, |top, x| top.max(x.abs())))
}
