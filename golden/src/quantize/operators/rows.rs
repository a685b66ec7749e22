//! Operators of rows: softmax, norms, and those whose only error is their rounding.

use std::num::NonZeroU16;

use spec::model::{NORM_BITS, PROB_TOP_8, PROB_TOP_15, ROPE_BITS};
use spec::{Dyadic, ExpKind, RequantMode};

use super::{Table, real, step};
use crate::op::clipped_softmax::clipped_softmax;
use crate::op::hadamard;
use crate::op::i_layer_norm::{self, i_layer_norm};
use crate::op::narrow::{Narrow, narrow};
use crate::op::norm::{layer_norm, rms_norm};
use crate::op::requant::requantise;
use crate::op::residual::{self, Residual};
use crate::op::rope;
use crate::op::shiftmax::shiftmax;
use crate::op::softmax::softmax;
use crate::op::stochastic::{self, Lfsr};
use crate::quantize::code::value;

/// Rows of each operator, and their length.
const ROWS: usize = 200;
const LENGTH: usize = 256;

/// Scores of 3 units' standard deviation.
pub fn softmaxes(table: &mut Table) {
    let rows = |table: &mut Table, deviation| -> Vec<Vec<i32>> {
        (0..ROWS).map(|_| table.normal(LENGTH, deviation).iter().map(|&x| x as i32).collect()).collect()
    };
    let inputs = "200 rows of 256, deviation 3, step 2^-10";
    let fine = rows(table, 3.0 * 1024.0);
    let (low, high) = (PROB_TOP_8, PROB_TOP_15);
    let poly = |s: &[i32], top| softmax(s, step(10), ExpKind::Poly, top);
    let shift = |s: &[i32], top| softmax(s, step(10), ExpKind::Shift, top);
    let clipped = |s: &[i32], clip| clipped_softmax(s, step(10), clip, 16, high);
    probabilities(table, "softmax", "poly, 15 bits", inputs, &fine, step(10), high, |s| poly(s, high));
    probabilities(table, "softmax", "poly, 8 bits", inputs, &fine, step(10), low, |s| poly(s, low));
    probabilities(table, "softmax", "shift, 15 bits", inputs, &fine, step(10), high, |s| shift(s, high));
    probabilities(table, "DI-ClippedSoftmax", "c = 15", inputs, &fine, step(10), high, |s| clipped(s, Some(15)));
    probabilities(table, "DI-ClippedSoftmax", "no clip", inputs, &fine, step(10), high, |s| clipped(s, None));
    let coarse = rows(table, 3.0 * 16.0);
    let inputs = "200 rows of 256, deviation 3, step 2^-4";
    probabilities(table, "Shiftmax", "I-ViT, 8 bits", inputs, &coarse, step(4), 128, |s| shiftmax(s, step(4), 8));
}

/// The errors of a softmax whose 1 is `top`.
fn probabilities(
    table: &mut Table,
    operator: &'static str,
    options: &'static str,
    inputs: &'static str,
    rows: &[Vec<i32>],
    step: Dyadic,
    top: u16,
    of: impl Fn(&[i32]) -> Vec<u16>,
) {
    let mut pairs = Vec::new();
    for row in rows {
        let max = row.iter().max().copied().unwrap_or(0);
        let exps: Vec<f64> = row.iter().map(|&s| libm::exp(real((s - max).into(), step))).collect();
        let sum: f64 = exps.iter().sum();
        pairs.extend(of(row).iter().zip(&exps).map(|(&p, e)| (f64::from(p) / f64::from(top), e / sum)));
    }
    table.add(operator, options, inputs, "1", pairs);
}

/// Norms of rows of 16 bits, and of 8 with a mean; epsilon is 1e-5.
pub fn norms(table: &mut Table) {
    const EPS: Dyadic = Dyadic { mult: 42950, shift: 32 };
    let wide: Vec<Vec<i16>> = (0..ROWS).map(|_| row(table, 4000.0, 0)).collect();
    let byte: Vec<Vec<i16>> = (0..ROWS).map(|_| row(table, 20.0, 30)).collect();
    let quotient =
        |y: Vec<i32>| -> Vec<f64> { y.iter().map(|&y| libm::ldexp(f64::from(y), -(NORM_BITS as i32))).collect() };
    let inputs = "200 rows of 256, 16 bits, deviation 4000";
    let found = |x: &[i16]| quotient(rms_norm(x, 12, EPS));
    table.add("RMSNorm", "", inputs, "1", norm_pairs(&wide, 12, EPS, false, found));
    let found = |x: &[i16]| quotient(layer_norm(x, 12, EPS));
    table.add("LayerNorm", "", inputs, "1", norm_pairs(&wide, 12, EPS, true, found));
    let found = |x: &[i16]| {
        let unit = value(i_layer_norm::step(x.len()));
        i_layer_norm(x).iter().map(|&y| f64::from(y) * unit).collect()
    };
    let none = Dyadic { mult: 0, shift: 0 };
    table.add("I-LayerNorm", "I-ViT, exact root", inputs, "1", norm_pairs(&wide, 12, none, true, found));
    let inputs = "200 rows of 256, 8 bits, deviation 20, mean 30";
    table.add("I-LayerNorm", "I-ViT, exact root", inputs, "1", norm_pairs(&byte, 4, none, true, found));
    let found = |x: &[i16]| quotient(layer_norm(x, 4, EPS));
    table.add("LayerNorm", "", inputs, "1", norm_pairs(&byte, 4, EPS, true, found));
}

/// A row of normal codes.
fn row(table: &mut Table, deviation: f64, mean: i64) -> Vec<i16> {
    table.normal(LENGTH, deviation).iter().map(|&x| (x + mean).clamp(-32767, 32767) as i16).collect()
}

/// Results and real norms of rows of `x / 2^shift`.
fn norm_pairs(
    rows: &[Vec<i16>],
    shift: i32,
    eps: Dyadic,
    centre: bool,
    of: impl Fn(&[i16]) -> Vec<f64>,
) -> Vec<(f64, f64)> {
    let mut pairs = Vec::new();
    for row in rows {
        let x: Vec<f64> = row.iter().map(|&x| libm::ldexp(f64::from(x), -shift)).collect();
        let n = x.len() as f64;
        let mean = if centre { x.iter().sum::<f64>() / n } else { 0.0 };
        let square = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
        let rms = libm::sqrt(square + value(eps));
        pairs.extend(of(row).into_iter().zip(&x).map(|(y, x)| (y, (x - mean) / rms)));
    }
    pairs
}

/// Operators that are exact but for a rounding: in LSBs of their results.
pub fn exact_operators(table: &mut Table) {
    let inputs = "51 200 values, 16 bits, deviation 8000";
    let rows: Vec<Vec<i16>> = (0..ROWS).map(|_| row(table, 8000.0, 0)).collect();
    let others: Vec<Vec<i16>> = (0..ROWS).map(|_| row(table, 8000.0, 0)).collect();
    let both = || rows.iter().zip(&others);

    let mut pairs = Vec::new();
    for (i, x) in rows.iter().enumerate() {
        let (c, s) = (libm::cos(i as f64), libm::sin(i as f64));
        let coded = |v: f64| libm::floor(libm::ldexp(v, ROPE_BITS as i32) + 0.5) as i16;
        let found = rope::rotate(x, 2, &[coded(c)], &[coded(s)]);
        for (found, x) in found.chunks_exact(2).zip(x.chunks_exact(2)) {
            let (a, b) = (f64::from(x[0]), f64::from(x[1]));
            pairs.extend([(f64::from(found[0]), a * c - b * s), (f64::from(found[1]), b * c + a * s)]);
        }
    }
    table.add("RoPE", "tables of 14 places", inputs, "LSB", pairs);

    let mut pairs = Vec::new();
    for (x, y) in both() {
        let (x, y) = (
            Residual { codes: x.clone(), shift: 12 },
            Narrow { codes: y.clone(), step: Dyadic { mult: 40503, shift: 29 } },
        );
        let sum = residual::add(&x, &y);
        let lsb = libm::ldexp(1.0, -sum.shift);
        for ((x, y), code) in x.codes.iter().zip(&y.codes).zip(&sum.codes) {
            let exact = libm::ldexp(f64::from(*x), -12) + libm::ldexp(f64::from(*y) * 40503.0, -29);
            pairs.push((f64::from(*code), exact / lsb));
        }
    }
    table.add("residual add", "", inputs, "LSB", pairs);

    let wide: Vec<Vec<i64>> = (0..ROWS).map(|_| table.normal(LENGTH, 1e9)).collect();
    let inputs = "51 200 sums, deviation 10^9";
    let mut pairs = Vec::new();
    for a in &wide {
        let row = narrow(a, step(0));
        pairs.extend(row.codes.iter().zip(a).map(|(&c, &a)| (f64::from(c), a as f64 / value(row.step))));
    }
    table.add("narrowing", "16 bits", inputs, "LSB", pairs);

    for (mode, options) in
        [(RequantMode::Dynamic, "8 bits, symmetric"), (RequantMode::Asymmetric, "8 bits, asymmetric")]
    {
        let mut pairs = Vec::new();
        for a in &wide {
            let row = requantise(mode, a, step(0), step(0));
            let code = |c: i8| f64::from(i16::from(c) + 128 - i16::from(row.scale.zp));
            pairs.extend(row.codes.iter().zip(a).map(|(&c, &a)| (code(c), a as f64 / value(row.scale.step))));
        }
        table.add("requantisation", options, inputs, "LSB", pairs);
    }

    let mut pairs = Vec::new();
    for a in &wide {
        let mut rotated = a.clone();
        hadamard::hadamard(&mut rotated, 32);
        let unit = value(hadamard::step(step(0), 32));
        for (block, found) in a.chunks_exact(32).zip(rotated.chunks_exact(32)) {
            for (i, found) in found.iter().enumerate() {
                let signed = |(j, &a): (usize, &i64)| if (i & j).count_ones() % 2 == 0 { a } else { -a };
                let sum: i64 = block.iter().enumerate().map(signed).sum();
                pairs.push((*found as f64 * unit / 1e9, sum as f64 / libm::sqrt(32.0) / 1e9));
            }
        }
    }
    table.add("Hadamard", "blocks of 32", inputs, "deviation", pairs);

    // Of each value the mean over the register's whole period.
    let mut lfsr = Lfsr::new(NonZeroU16::MIN);
    let pairs = (0..64_i64).map(|i| {
        let a = 37 * i;
        let sum: i64 = (0..65535).map(|_| stochastic::round(a, 12, 8, &mut lfsr)).sum();
        (sum as f64 / 65535.0, a as f64 / 4096.0)
    });
    let pairs: Vec<(f64, f64)> = pairs.collect();
    table.add("stochastic rounding", "8 random bits", "64 values, mean of a whole period", "LSB", pairs);
}
