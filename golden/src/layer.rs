//! A linear layer of a model in integers, checked and decoded once: from a token's codes to its aligned sums.
//!
//! The meaning of every step stands in [`crate::op::matmul`], [`crate::op::foot`] and [`crate::op::align`]; here the same
//! sums are formed over prepared integers. Where products are scaled by group factors, these are multiplied into the
//! integers beforehand, which leaves the exact sum as it is.

mod check;
mod stats;

use rayon::prelude::*;
use spec::model::QLayer;
use spec::{Dyadic, Format, ScaleRule, Scaling};

pub use self::check::problems;
pub use self::stats::{Bytes, Stats};
use crate::error::{Error, no_problems};
use crate::num::{self, e4m3};
use crate::op::align::{align, align_wide};
use crate::op::foot::mx_places;
use crate::op::input::{Coding, InputRow, input};
use crate::op::matmul::complete_zero_point;
use crate::op::scale::product;

/// Products whose sum cannot leave 32 bits where both integers carry group factors: `256 · (255 · 128) · 128 < 2^31`, and
/// `256 · (255 · 8)^2`.
const RUN: usize = 256;

/// Products of one token from which on its channels are shared out among threads.
const PARALLEL_FROM: usize = 1 << 18;

/// Tokens that go through the weights together.
const TOKENS: usize = 4;

/// A layer that keeps every bound the arithmetic relies on, with decoded weights.
#[derive(Clone, Debug)]
pub struct PreparedLayer {
    name: String,
    coding: Coding,
    n: usize,
    k: usize,
    /// Length of a row of `weight`: K, filled with zeros to whole blocks where blocks have scales of their own.
    row: usize,
    /// Integers of the weights `[n, row]`, times their group's factor where there are groups.
    weight: Vec<i16>,
    /// MX: binary places of each block below the largest; NV: integers of its E4M3 scale `[n, blocks]`; otherwise empty.
    scales: Vec<i32>,
    /// Alignment factors `[n]`.
    align: Vec<u16>,
    /// Sums of weight integers `[n]`, group factors counted.
    sum: Vec<i32>,
    /// What one LSB of an aligned sum is worth for activations of step 1.
    step: Dyadic,
    /// Integers of activation codes, by the byte that holds the code.
    act_ints: Vec<i16>,
}

/// A coded row, prepared as the weights are.
struct Acts {
    ints: Vec<i16>,
    scales: Vec<i32>,
    zp: u8,
}

impl PreparedLayer {
    /// Checks and decodes a layer; `rule` is the model's for scales of MX blocks.
    ///
    /// # Errors
    /// [`Error::Input`] with every problem of [`problems`].
    pub fn new(layer: &QLayer, rule: ScaleRule) -> Result<Self, Error> {
        no_problems(problems(layer))?;
        let linear = &layer.linear;
        let (n, k) = (linear.weight.rows, linear.weight.cols);
        let operand = linear.format.weight();
        let blocks = layer.scaling.blocks(k);
        let block = layer.scaling.block().unwrap_or(k);
        let (folds, row) = match layer.scaling {
            Scaling::Channel => (false, k),
            Scaling::Group32 | Scaling::Group16 => (true, k),
            Scaling::Mx32 | Scaling::Nv16 => (false, blocks * block),
        };
        let mut weight = vec![0; n * row];
        let channels = weight.par_chunks_mut(row).zip(linear.weight.data.par_chunks(k)).enumerate();
        channels.for_each(|(c, (ints, codes))| {
            for (i, (int, &code)) in ints.iter_mut().zip(codes).enumerate() {
                let factor = if folds { i16::from(layer.scales.data[c * blocks + i / block]) } else { 1 };
                *int = decoded(operand, code) * factor;
            }
        });
        let scale = |&scale: &u8| match layer.scaling {
            Scaling::Nv16 => e4m3::decode(scale).expect("scales were checked"),
            _ => scale.into(),
        };
        let scales = if folds { vec![] } else { layer.scales.data.iter().map(scale).collect() };
        let act_ints = (0..=u8::MAX).map(|byte| num::decode(linear.format.act(), byte as i8).unwrap_or(0)).collect();
        let coding = Coding {
            format: linear.format,
            scaling: layer.scaling,
            acts: layer.acts,
            rule,
            rotation: layer.rotation as usize,
        };
        Ok(Self {
            name: linear.name.clone(),
            coding,
            n,
            k,
            row,
            weight,
            scales,
            align: linear.align.clone(),
            sum: linear.sum.clone(),
            step: linear.requant.step,
            act_ints,
        })
    }

    /// Name in the checkpoint.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Output channels N.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Inputs K.
    pub fn k(&self) -> usize {
        self.k
    }

    /// How its inputs are coded.
    pub fn coding(&self) -> &Coding {
        &self.coding
    }

    /// A wide row `[k]` coded as this layer's input, see [`input`].
    ///
    /// # Panics
    /// As [`input`].
    pub fn input(&self, z: &[i64], step: Dyadic) -> InputRow {
        input(z, step, &self.coding)
    }

    /// The aligned sums `[n]` of one token, and what their LSB is worth.
    ///
    /// `A = round(P · align / 2^(15 - guard))` with P exact and its zero point completed: 40 bits signed with one step a
    /// channel, 48 with groups, 42 with MX and NV blocks.
    ///
    /// # Panics
    /// If the row is not of this layer's [`Coding`] and K.
    ///
    /// **Source**: NUMERICS 1 and 4.
    pub fn aligned(&self, row: &InputRow) -> (Vec<i64>, Dyadic) {
        let acts = self.acts(row);
        let step = product(row.scale.step, self.step);
        let aligned = |channel: usize| self.align_sum(channel, self.p(channel, &acts), acts.zp);
        if self.n * self.k < PARALLEL_FROM {
            return ((0..self.n).map(aligned).collect(), step);
        }
        ((0..self.n).into_par_iter().with_min_len(64).map(aligned).collect(), step)
    }

    /// [`Self::aligned`] of many tokens.
    ///
    /// # Panics
    /// As [`Self::aligned`].
    pub fn aligned_rows(&self, rows: &[InputRow]) -> Vec<(Vec<i64>, Dyadic)> {
        let some = |rows: &[InputRow]| match rows {
            [one] => vec![self.aligned(one)],
            rows => self.some_rows(rows),
        };
        // Few tokens a thread keep the weights' row in the nearest cache while all of them use it.
        rows.par_chunks(TOKENS).flat_map_iter(some).collect()
    }

    fn some_rows(&self, rows: &[InputRow]) -> Vec<(Vec<i64>, Dyadic)> {
        let acts: Vec<Acts> = rows.iter().map(|row| self.acts(row)).collect();
        let mut sums: Vec<Vec<i64>> = rows.iter().map(|_| Vec::with_capacity(self.n)).collect();
        for channel in 0..self.n {
            for (acts, sums) in acts.iter().zip(&mut sums) {
                sums.push(self.align_sum(channel, self.p(channel, acts), acts.zp));
            }
        }
        sums.into_iter().zip(rows).map(|(sums, row)| (sums, product(row.scale.step, self.step))).collect()
    }

    /// Integers of a row's codes, prepared as the weights are.
    fn acts(&self, row: &InputRow) -> Acts {
        let blocks = if self.coding.format.acts_have_blocks() { self.coding.scaling.blocks(self.k) } else { 0 };
        assert_eq!((row.codes.len(), row.blocks.len()), (self.k, blocks), "{}: codes and scales of a row", self.name);
        let mut ints = Vec::with_capacity(self.row);
        ints.extend(row.codes.iter().map(|&code| self.act_ints[usize::from(code as u8)]));
        ints.resize(self.row, 0);
        let scales = match self.coding.scaling {
            Scaling::Channel => vec![],
            Scaling::Group32 | Scaling::Group16 => {
                let block = self.coding.scaling.block().unwrap_or(self.k);
                for (part, &g) in ints.chunks_mut(block).zip(&row.blocks) {
                    part.iter_mut().for_each(|int| *int *= i16::from(g));
                }
                vec![]
            }
            Scaling::Mx32 if blocks == 0 => vec![0; self.scales.len() / self.n],
            Scaling::Mx32 => row.blocks.iter().map(|&places| places.into()).collect(),
            Scaling::Nv16 => {
                let e = |&code: &u8| e4m3::decode(code).expect("scales of a row are positive E4M3 codes");
                row.blocks.iter().map(e).collect()
            }
        };
        Acts { ints, scales, zp: row.scale.zp }
    }

    /// P of a channel, its zero point not completed.
    fn p(&self, channel: usize, acts: &Acts) -> i64 {
        let weight = &self.weight[channel * self.row..][..self.row];
        let blocks = acts.scales.len();
        let scales = || self.scales[channel * blocks..][..blocks].iter().zip(&acts.scales);
        match self.coding.scaling {
            Scaling::Channel => dot(&acts.ints, weight).into(),
            Scaling::Group32 | Scaling::Group16 => {
                acts.ints.chunks(RUN).zip(weight.chunks(RUN)).map(|(a, w)| i64::from(dot(a, w))).sum()
            }
            Scaling::Mx32 => {
                let places = places_of(self.coding.format);
                let scaled = |(s, (&w, &a)): (i32, (&i32, &i32))| {
                    let shift = places - w - a;
                    if shift < 0 { 0 } else { i64::from(s) << shift }
                };
                block_sums(&acts.ints, weight, 32).zip(scales()).map(scaled).sum()
            }
            Scaling::Nv16 => {
                let scaled = |(s, (&w, &a)): (i32, (&i32, &i32))| i64::from(s) * (i64::from(w) * i64::from(a));
                block_sums(&acts.ints, weight, 16).zip(scales()).map(scaled).sum()
            }
        }
    }

    /// The zero point completed, and aligned.
    fn align_sum(&self, channel: usize, p: i64, zp: u8) -> i64 {
        let factor = self.align[channel];
        match self.coding.scaling {
            Scaling::Channel => {
                let p = i32::try_from(p).expect("with K checked, a dot product has 32 bits");
                let completed = complete_zero_point(p, zp, self.sum[channel]);
                align(i32::try_from(completed).expect("with sums checked, a completed sum has 32 bits"), factor)
            }
            Scaling::Group32 | Scaling::Group16 => {
                let completed = p + (128 - i64::from(zp)) * i64::from(self.sum[channel]);
                align_wide(completed, factor, self.coding.scaling.guard_bits())
            }
            Scaling::Mx32 | Scaling::Nv16 => align_wide(p, factor, self.coding.scaling.guard_bits()),
        }
    }
}

/// The integer of a code that was checked.
fn decoded(operand: spec::Operand, code: i8) -> i16 {
    num::decode(operand, code).expect("codes were checked")
}

fn places_of(format: Format) -> i32 {
    mx_places(format) as i32
}

/// Exact sums of the products of each block.
fn block_sums<'a>(acts: &'a [i16], weights: &'a [i16], block: usize) -> impl Iterator<Item = i32> + 'a {
    acts.chunks_exact(block).zip(weights.chunks_exact(block)).map(|(a, w)| dot(a, w))
}

/// The sum of products; exact, for what was checked keeps it within 32 bits.
///
/// Additions that do not check for overflow go through vector units, and so does a loop whose length is not known: for
/// the lengths of blocks it would be unrolled into single products, at a third of the speed.
#[inline(never)]
fn dot(acts: &[i16], weights: &[i16]) -> i32 {
    acts.iter().zip(weights).fold(0, |sum: i32, (&a, &w)| sum.wrapping_add(i32::from(a) * i32::from(w)))
}

#[cfg(test)]
mod tests;
