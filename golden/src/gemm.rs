//! Seeded random operands of a matrix product: every code, every channel kind, the same on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use spec::qmodel::{QActs, QLinear, Requant};
use spec::{Dyadic, Format, Operand, Problem, RequantMode, RowScale, Tensor};

use crate::error::Error;
use crate::num;
use crate::op::matmul::{MAX_K, decode_all};
use crate::op::requant::SYMMETRIC_ZP;

/// Most elements of each matrix of a random product.
pub const MAX_ELEMENTS: usize = 1 << 28;

/// Shape of a matrix product: `[m, k] x [k, n]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows (tokens).
    pub m: usize,
    /// Length of the reduction.
    pub k: usize,
    /// Output channels.
    pub n: usize,
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}x{}", self.m, self.k, self.n)
    }
}

impl std::str::FromStr for Shape {
    type Err = Error;

    /// Parses `MxKxN`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let sizes: Vec<usize> = text.split('x').filter_map(|size| size.parse().ok()).collect();
        match sizes[..] {
            [m, k, n] if text.split('x').count() == 3 => Self { m, k, n }.check(),
            _ => {
                let cure = "give tokens, reduction and channels, as in 512x576x576";
                Err(Error::Invalid(Problem::new("gemm", format!("{text:?}"), "MxKxN in whole numbers", cure)))
            }
        }
    }
}

impl Shape {
    /// The shape, if its sizes can be computed and held.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a size is 0, K exceeds [`MAX_K`], or a matrix exceeds [`MAX_ELEMENTS`].
    pub fn check(self) -> Result<Self, Error> {
        let Self { m, k, n } = self;
        let fits = |rows: usize, cols: usize| rows.checked_mul(cols).is_some_and(|all| all <= MAX_ELEMENTS);
        if m > 0 && n > 0 && (1..=MAX_K).contains(&k) && fits(m, k) && fits(n, k) && fits(m, n) {
            return Ok(self);
        }
        let allowed = format!("sizes from 1, K up to {MAX_K}, matrices up to {MAX_ELEMENTS} elements");
        Err(Error::Invalid(Problem::new("gemm", self, allowed, "choose other sizes")))
    }
}

/// A random layer and random activations for it; the same arguments always give the same ones.
///
/// Codes cover the format's whole range, -128 and -8 and negative zeros included, each as often as the others; some
/// rows and channels hold one extreme code throughout, or zeros. Alignment factors cover 0..=2^15 with both ends,
/// and steps are those of real layers, but for some rows whose shift is anywhere in -128..=127. With `zero_points`, rows
/// have random zero points, the extreme ones included.
///
/// # Errors
/// [`Error::Invalid`] for a shape that [`Shape::check`] refuses, and for `zero_points` where activations are not INT8.
pub fn random_layer(
    shape: Shape,
    format: Format,
    mode: RequantMode,
    zero_points: bool,
    seed: u64,
) -> Result<(QLinear, QActs), Error> {
    let Shape { m, k, n } = shape.check()?;
    if zero_points && format.act() != Operand::Int8 {
        let cure = "choose a format with INT8 activations, or symmetric activations";
        return Err(Error::Invalid(Problem::new("zero_points", format.name(), "formats with INT8 activations", cure)));
    }
    let mut rng = Random(ChaCha8Rng::seed_from_u64(seed));
    let weight = rng.tensor(n, k, format.weight());
    let ints = decode_all("weight", format.weight(), &weight.data)?;
    let layer = QLinear {
        name: format!("gemm {shape}"),
        format,
        sum: ints.chunks(k).map(|channel| channel.iter().map(|&w| i32::from(w)).sum()).collect(),
        weight,
        align: (0..n).map(|_| rng.align()).collect(),
        requant: Requant { mode, step: rng.layer_step(k, format, mode) },
    };
    let codes = rng.tensor(m, k, format.act());
    let scales = (0..m).map(|_| rng.row_scale(zero_points)).collect();
    Ok((layer, QActs { codes, scales }))
}

/// Random numbers and what is drawn with them.
struct Random(ChaCha8Rng);

impl Random {
    /// Uniform in `0..bound`, up to a bias of `bound / 2^32`.
    fn below(&mut self, bound: usize) -> usize {
        ((u64::from(self.0.next_u32()) * bound as u64) >> 32) as usize
    }

    /// True once in `times`.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// Codes `[rows, cols]`: every code equally often, in random order, then whole rows of zeros or of an extreme.
    fn tensor(&mut self, rows: usize, cols: usize, operand: Operand) -> Tensor<i8> {
        let codes: Vec<i8> = num::codes(operand).collect();
        let first = self.below(codes.len());
        let mut data: Vec<i8> = (0..rows * cols).map(|i| codes[(first + i) % codes.len()]).collect();
        for i in (1..data.len()).rev() {
            data.swap(i, self.below(i + 1));
        }
        let by_value = |&&code: &&i8| num::decode(operand, code);
        let (Some(&low), Some(&high)) = (codes.iter().min_by_key(by_value), codes.iter().max_by_key(by_value)) else {
            unreachable!("every operand has codes");
        };
        for row in data.chunks_mut(cols) {
            if self.once_in(16) {
                row.fill([low, high, 0][self.below(3)]);
            }
        }
        Tensor::new(rows, cols, data)
    }

    /// An alignment factor: the ends often, otherwise of any size down to 2^-6 of the largest.
    fn align(&mut self) -> u16 {
        match self.below(16) {
            0 => 0,
            1 => 1,
            2 | 3 => 1 << 15,
            _ => (self.below((1 << 15) + 1) >> self.below(7)) as u16,
        }
    }

    fn mantissa(&mut self) -> u16 {
        match self.below(16) {
            0 => 1 << 15,
            1 => u16::MAX,
            _ => (1 << 15) + self.below(1 << 15) as u16,
        }
    }

    /// Step and zero point of a row: a step of 2^-8 to 2^-3, as tokens of real layers have.
    fn row_scale(&mut self, zero_points: bool) -> RowScale {
        let shift = if self.once_in(16) { self.below(256) as i16 - 128 } else { 18 + self.below(6) as i16 };
        let step = Dyadic { mult: self.mantissa(), shift };
        let zp = match (zero_points, self.below(8)) {
            (false, _) => SYMMETRIC_ZP,
            (true, 0) => 0,
            (true, 1) => 255,
            (true, _) => self.below(256) as u8,
        };
        RowScale { step, zp }
    }

    /// Step of the layer: of real weights, or in static mode such that most rows use the 8 bits and some saturate.
    fn layer_step(&mut self, k: usize, format: Format, mode: RequantMode) -> Dyadic {
        let shift = match mode {
            RequantMode::Dynamic | RequantMode::Asymmetric => 26 + self.below(8) as i16,
            RequantMode::Static => {
                // A typical |A| is the root of K times a quarter of the largest product, with 8 guard bits, so about
                // 2^size. A row's shift is 18 to 23, both mantissas are about 2^15.5, and Y shall be about 2^5.
                let product = format.act().magnitude() * format.weight().magnitude();
                let size = product.ilog2() - 2 + k.ilog2() / 2 + 8;
                (size + 31 - 5) as i16 - 20
            }
        };
        Dyadic { mult: self.mantissa(), shift }
    }
}

#[cfg(test)]
mod tests;
