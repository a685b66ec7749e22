//! A linear layer in exact integers, from codes to requantised rows.

use std::ops::Range;

use rayon::prelude::*;
use spec::qmodel::{QActs, QLinear, QRows, Requant};
use spec::{Operand, Problem, RowScale, Tensor};

use crate::error::Error;
use crate::op::align::align;
use crate::op::matmul::{MAX_K, complete_zero_point, decode_all, dot_ints};
use crate::op::requant::{QRow, SYMMETRIC_ZP, requantise};

/// A layer and the activations that enter it, checked and decoded once; every value on the way can be asked for.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Integers of the weights `[n, k]`.
    weight: Tensor<i16>,
    /// Integers of the activations as stored `[m, k]`.
    acts: Tensor<i16>,
    /// Step and zero point of each row `[m]`.
    scales: Vec<RowScale>,
    /// Alignment factors `[n]`.
    align: Vec<u16>,
    /// Sums of weight integers `[n]`.
    sum: Vec<i32>,
    /// How rows are requantised.
    requant: Requant,
}

/// The requantised rows `[m, n]` of a layer.
///
/// # Errors
/// [`Error::Invalid`], see [`check`].
pub fn linear(layer: &QLinear, acts: &QActs) -> Result<QRows, Error> {
    Ok(Prepared::new(layer, acts)?.rows())
}

/// Whether the integers of a layer and of its activations keep every bound that the arithmetic relies on.
///
/// # Errors
/// [`Error::Invalid`] for the first that does not: shapes that disagree, K above [`MAX_K`] (sums would leave 32 bits),
/// codes that the format does not have, alignment factors above 2^15, sums that are not the weights', steps that are
/// not normalised or whose shift leaves -128..=127, a zero point where activations are not integers.
pub fn check(layer: &QLinear, acts: &QActs) -> Result<(), Error> {
    Prepared::new(layer, acts).map(|_| ())
}

impl Prepared {
    /// Checks and decodes a layer and its activations.
    ///
    /// # Errors
    /// [`Error::Invalid`], see [`check`].
    pub fn new(layer: &QLinear, acts: &QActs) -> Result<Self, Error> {
        check_shapes(layer, acts)?;
        check_scales(layer, acts)?;
        let weight = decode_all("weight", layer.format.weight(), &layer.weight.data)?;
        let codes = decode_all("act", layer.format.act(), &acts.codes.data)?;
        let weight = Tensor::new(layer.weight.rows, layer.weight.cols, weight);
        for n in 0..weight.rows {
            let sum: i32 = weight.row(n).iter().map(|&w| i32::from(w)).sum();
            if layer.sum[n] != sum {
                let cure = "store the sum of the channel's weight integers";
                return Err(invalid(&format!("sum[{n}]"), layer.sum[n], &sum.to_string(), cure));
            }
        }
        Ok(Self {
            weight,
            acts: Tensor::new(acts.codes.rows, acts.codes.cols, codes),
            scales: acts.scales.clone(),
            align: layer.align.clone(),
            sum: layer.sum.clone(),
            requant: layer.requant,
        })
    }

    /// Shape `(m, k, n)`.
    pub fn shape(&self) -> (usize, usize, usize) {
        (self.acts.rows, self.acts.cols, self.weight.rows)
    }

    /// The sum of row (token) `row` and channel `col` over a range of K, of stored codes, exact; 32 bits.
    ///
    /// Indices from K on count as zeros, as in a tile that K does not fill.
    ///
    /// # Panics
    /// If there is no such row or channel.
    pub fn partial_sum(&self, row: usize, col: usize, k: Range<usize>) -> i32 {
        let end = k.end.min(self.acts.cols);
        let k = k.start.min(end)..end;
        dot_ints(&self.acts.row(row)[k.clone()], &self.weight.row(col)[k])
    }

    /// [`Self::partial_sum`] of every channel `[n]`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn partial_sums(&self, row: usize, k: Range<usize>) -> Vec<i32> {
        (0..self.weight.rows).map(|col| self.partial_sum(row, col, k.clone())).collect()
    }

    /// The sum over all K, its zero point completed; 32 bits.
    ///
    /// # Panics
    /// If there is no such row or channel.
    pub fn completed_sum(&self, row: usize, col: usize) -> i32 {
        let p = self.partial_sum(row, col, 0..self.acts.cols);
        let completed = complete_zero_point(p, self.scales[row].zp, self.sum[col]);
        i32::try_from(completed).expect("with K and sums checked, a completed sum has 32 bits")
    }

    /// The aligned sums of a row `[n]`; 40 bits signed.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn aligned_row(&self, row: usize) -> Vec<i64> {
        (0..self.weight.rows).map(|col| align(self.completed_sum(row, col), self.align[col])).collect()
    }

    /// A row requantised: stored bytes `[n]`, step and zero point.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row: usize) -> QRow {
        requantise(self.requant.mode, &self.aligned_row(row), self.scales[row].step, self.requant.step)
    }

    /// All rows requantised `[m, n]`.
    pub fn rows(&self) -> QRows {
        let rows: Vec<QRow> = (0..self.acts.rows).into_par_iter().map(|m| self.row(m)).collect();
        let scales = rows.iter().map(|row| row.scale).collect();
        let codes = rows.into_iter().flat_map(|row| row.codes).collect();
        QRows { codes: Tensor::new(self.acts.rows, self.weight.rows, codes), scales }
    }
}

fn invalid(field: &str, value: impl std::fmt::Display, allowed: &str, cure: &str) -> Error {
    Error::Invalid(Problem::new(field, value, allowed, cure))
}

fn check_shapes(layer: &QLinear, acts: &QActs) -> Result<(), Error> {
    let (n, k) = (layer.weight.rows, layer.weight.cols);
    let m = acts.codes.rows;
    if k == 0 || k > MAX_K {
        return Err(invalid("weight.cols", k, &format!("1..={MAX_K}"), "split the layer along K: sums have 32 bits"));
    }
    if n == 0 {
        return Err(invalid("weight.rows", n, ">= 1", "give the layer a channel"));
    }
    if m == 0 {
        return Err(invalid("act.rows", m, ">= 1", "give at least one token"));
    }
    let equal = |field: &str, found: usize, expected: usize, cure: &str| {
        if found == expected { Ok(()) } else { Err(invalid(field, found, &expected.to_string(), cure)) }
    };
    equal("weight.data.len", layer.weight.data.len(), n.saturating_mul(k), "store rows x cols weights")?;
    equal("act.data.len", acts.codes.data.len(), m.saturating_mul(acts.codes.cols), "store rows x cols activations")?;
    equal("act.cols", acts.codes.cols, k, "activations and weights share K")?;
    equal("align.len", layer.align.len(), n, "one factor a channel")?;
    equal("sum.len", layer.sum.len(), n, "one sum a channel")?;
    equal("act.scales.len", acts.scales.len(), m, "one scale a row")
}

fn check_scales(layer: &QLinear, acts: &QActs) -> Result<(), Error> {
    let normalised = |field: &str, step: spec::Dyadic| {
        if step.mult < 1 << 15 {
            let cure = "normalise the step: shift its mantissa up to 16 bits";
            return Err(invalid(&format!("{field}.mult"), step.mult, "32768..=65535", cure));
        }
        if !(-128..=127).contains(&step.shift) {
            let cure = "a shift has 8 bits signed";
            return Err(invalid(&format!("{field}.shift"), step.shift, "-128..=127", cure));
        }
        Ok(())
    };
    normalised("requant.step", layer.requant.step)?;
    if let Some((n, factor)) = layer.align.iter().enumerate().find(|&(_, &factor)| factor > 1 << 15) {
        let cure = "align is round(2^15 · step / largest step)";
        return Err(invalid(&format!("align[{n}]"), factor, "0..=32768", cure));
    }
    for (m, scale) in acts.scales.iter().enumerate() {
        normalised(&format!("act.scales[{m}].step"), scale.step)?;
        if layer.format.act() != Operand::Int8 && scale.zp != SYMMETRIC_ZP {
            let cure = "only INT8 activations have a zero point";
            return Err(invalid(&format!("act.scales[{m}].zp"), scale.zp, "128", cure));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
