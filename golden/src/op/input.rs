//! Input of a linear layer: a wide row is rotated, then coded in the layer's format with what its range asks for.
//!
//! One function a format; every quotient is exact. `T = max(1, max |z|)` over the row, `a[b] = max |z|` over block b.
//!
//! **Source**: dynamic quantisation, DI-MatMul, arXiv 2405.17849; formats: NUMERICS 1 and 4.

use spec::qmodel::ActMode;
use spec::{Dyadic, Format, Operand, Problem, RowScale, ScaleRule, Scaling};

use crate::error::{Error, no_problems};
use crate::num::{Quotient, e2m1, e4m3, e8m0};
use crate::op::hadamard;
use crate::op::requant::{self, SYMMETRIC_ZP};
use crate::op::scale::normalise;

/// Largest magnitude of a row's values, after its rotation.
pub const MAX_Z: u64 = 1 << 60;

/// How rows are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coding {
    /// Its activations' codes.
    pub format: Format,
    /// Whether and how blocks of activations are scaled, where the format gives them scales.
    pub scaling: Scaling,
    /// Zero point or none; INT8 only.
    pub acts: ActMode,
    /// How MX scales follow from a block's range.
    pub rule: ScaleRule,
    /// Length of the Hadamard transforms, a power of two that divides K; 1 for none.
    pub rotation: usize,
}

/// A coded row: value `k` is `int(codes[k]) · scale(blocks[k / block]) · scale.step`, less the zero point where there is
/// one; `int` is [`crate::num::decode`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputRow {
    /// Codes `[k]` as the hardware stores them: INT8 and INT4 as their value (`q - 128` where there is a zero point), E2M1
    /// as its code 0..=15.
    pub codes: Vec<i8>,
    /// Step and zero point.
    pub scale: RowScale,
    /// Scale of each block `[scaling.blocks(k)]`, empty where activations have none: groups their factor 1..=255, MX how
    /// many binary places below the row's largest scale, NV an E4M3 code 1..=0x7e.
    pub blocks: Vec<u8>,
    /// Codes that the format's edge clipped: INT4 whose quotient rounds beyond ±7, E2M1 whose value is 7 or more. Without
    /// blocks there are none, for T has the largest code.
    pub clipped: usize,
}

impl Coding {
    /// Whether rows of `k` values can be coded so.
    ///
    /// # Errors
    /// [`Error::Input`] with all problems: a scaling that the format does not have, a zero point where activations are
    /// not INT8 or blocks have powers of two, a rotation that is not a power of two that divides K.
    pub fn check(&self, k: usize) -> Result<(), Error> {
        let mut problems = Vec::new();
        let mut note = |field: &str, value: String, allowed: String, cure: &str| {
            problems.push(Problem::new(field, value, allowed, cure));
        };
        let scalings = self.format.scalings();
        if !scalings.contains(&self.scaling) {
            let names: Vec<&str> = scalings.iter().map(|s| s.name()).collect();
            let allowed = format!("{} ({})", names.join(", "), self.format.name());
            note("scaling", self.scaling.name().into(), allowed, "choose a scaling of the format");
        }
        let can_complete = self.format.act() == Operand::Int8 && self.scaling != Scaling::Mx32;
        if self.acts == ActMode::Asymmetric && !can_complete {
            let allowed = format!("symmetric ({})", self.format.name());
            let cure = "only INT8 activations, with weights whose sums are integers, have a zero point";
            note("acts", self.acts.name().into(), allowed, cure);
        }
        if !self.rotation.is_power_of_two() || !k.is_multiple_of(self.rotation) {
            let allowed = format!("a power of two that divides K = {k}");
            note("rotation", self.rotation.to_string(), allowed, "rotate in blocks that fill the row");
        }
        no_problems(problems)
    }
}

/// Codes a row z, `z` `[k]`, whose LSB is worth `step`.
///
/// `|z| <= 2^60 / rotation`. Codes saturate at the format's edge; a row of zeros gives zeros and the step of T = 1.
///
/// # Panics
/// If a value is too large, or the mantissa of `step` is 0; if [`Coding::check`] refuses the rotation.
pub fn input(z: &[i64], step: Dyadic, coding: &Coding) -> InputRow {
    if coding.rotation == 1 {
        return quantise(z, step, coding);
    }
    let mut rotated = z.to_vec();
    hadamard::hadamard(&mut rotated, coding.rotation);
    quantise(&rotated, hadamard::step(step, coding.rotation), coding)
}

/// [`input`] of a row that is rotated already.
fn quantise(z: &[i64], step: Dyadic, coding: &Coding) -> InputRow {
    let top = largest(z);
    assert!(top <= MAX_Z, "inputs of linear layers have 60 bits, not {top}");
    match (coding.format.act(), coding.scaling) {
        (Operand::Int8, _) => int8(z, step, coding.acts),
        (Operand::Int4, scaling) => match scaling.block() {
            None => int4(z, step),
            Some(block) => int4_groups(z, step, top, block),
        },
        (Operand::E2m1, Scaling::Mx32) => mx(z, step, top, coding.rule),
        (Operand::E2m1, Scaling::Nv16) => nv(z, step, top),
        (Operand::E2m1, Scaling::Channel | Scaling::Group32 | Scaling::Group16) => fp4(z, step, top),
        (Operand::Pot4 | Operand::Pot8, _) => unreachable!("no format has power-of-two activations"),
    }
}

fn largest(z: &[i64]) -> u64 {
    z.iter().map(|z| z.unsigned_abs()).max().unwrap_or(0)
}

/// `t · step / (levels · 2^places)`, normalised, of a symmetric row.
fn scale(t: u64, step: Dyadic, levels: u32, places: i32) -> RowScale {
    let step = normalise(u128::from(t) * u128::from(step.mult), levels, i32::from(step.shift) + places);
    RowScale { step, zp: SYMMETRIC_ZP }
}

/// INT8: `round(127·z / T)`, step `step·T / 127`; with a zero point `round(255·(z - min) / range)`.
fn int8(z: &[i64], step: Dyadic, acts: ActMode) -> InputRow {
    const ONE: Dyadic = Dyadic { mult: 1 << 15, shift: 15 };
    let row = match acts {
        ActMode::Symmetric => requant::dynamic(z, step, ONE),
        ActMode::Asymmetric => requant::asymmetric(z, step, ONE),
    };
    InputRow { codes: row.codes, scale: row.scale, blocks: vec![], clipped: 0 }
}

/// INT4: `round(7·z / T)`, step `step·T / 7`.
fn int4(z: &[i64], step: Dyadic) -> InputRow {
    const ONE: Dyadic = Dyadic { mult: 1 << 15, shift: 15 };
    let row = requant::symmetric(z, step, ONE, 7);
    InputRow { codes: row.codes, scale: row.scale, blocks: vec![], clipped: 0 }
}

/// INT4 in groups: factor `g = max(1, round(255·a / T))`, code `round(z·255·7 / (T·g))` saturated at ±7, step
/// `step·T / (255·7)`.
fn int4_groups(z: &[i64], step: Dyadic, top: u64, block: usize) -> InputRow {
    let t = top.max(1);
    let factors = Quotient::new(255, t.into(), t);
    let (mut codes, mut blocks, mut clipped) = (Vec::with_capacity(z.len()), Vec::new(), 0);
    for part in z.chunks(block) {
        let g = factors.of(largest(part) as i64).max(1);
        let ratio = Quotient::new(255 * 7, i128::from(t) * i128::from(g), t);
        codes.extend(part.iter().map(|&z| {
            let wanted = ratio.of(z);
            clipped += usize::from(wanted.abs() > 7);
            wanted.clamp(-7, 7) as i8
        }));
        blocks.push(g as u8);
    }
    InputRow { codes, scale: scale(t, step, 255 * 7, 0), blocks, clipped }
}

/// E2M1: twice the value is `12·z / T`, to the nearest, ties to the even code; step `step·T / 12`.
fn fp4(z: &[i64], step: Dyadic, top: u64) -> InputRow {
    let t = top.max(1);
    let limits = e2m1::limits(6, t.into());
    let codes = z.iter().map(|&z| e2m1::code(z, &limits)).collect();
    InputRow { codes, scale: scale(t, step, 12, 0), blocks: vec![], clipped: 0 }
}

/// MX: the block's scale `2^e` by the rule, code E2M1 of `z / 2^e` (saturating at 6), `max e - e` places below the row's
/// largest; step `step · 2^(max e) / 2`, in half units as E2M1's integers are.
///
/// A block of zeros has no range; it is given 255 places, which never counts.
fn mx(z: &[i64], step: Dyadic, top: u64, rule: ScaleRule) -> InputRow {
    let highest = e8m0::exponent(rule, top);
    let (mut codes, mut blocks, mut clipped) = (Vec::with_capacity(z.len()), Vec::new(), 0);
    for part in z.chunks(32) {
        let a = largest(part);
        let e = e8m0::exponent(rule, a);
        let (num, den) = (1 << (-e).max(0), 1 << e.max(0));
        let limits = e2m1::limits(num, den);
        clipped += beyond(part, a, e2m1::beyond(num, den));
        codes.extend(part.iter().map(|&z| e2m1::code(z, &limits)));
        blocks.push(if a == 0 { u8::MAX } else { (highest - e) as u8 });
    }
    InputRow { codes, scale: scale(1, step, 1, 1 - highest), blocks, clipped }
}

/// How many magnitudes, none of them above `a`, are `least` or more.
fn beyond(part: &[i64], a: u64, least: u64) -> usize {
    if a < least { 0 } else { part.iter().filter(|z| z.unsigned_abs() >= least).count() }
}

/// NV: the block's scale is the E4M3 code nearest to `448·a / T`, at least the smallest; with `e = 2^9` times its value
/// the code is E2M1 of `z·6·448·2^9 / (T·e)` (saturating at 6); step `step·T / (2·6·448·2^9)`, in half units.
fn nv(z: &[i64], step: Dyadic, top: u64) -> InputRow {
    let t = top.max(1);
    let (mut codes, mut blocks, mut clipped) = (Vec::with_capacity(z.len()), Vec::new(), 0);
    for part in z.chunks(16) {
        let a = largest(part);
        let block = e4m3::nearest(448 * u128::from(a), t.into()).max(1);
        let e = e4m3::decode(block).expect("nearest gives codes of numbers");
        let (num, den) = (6 * e4m3::MAX_INT as u128, u128::from(t) * e as u128);
        let limits = e2m1::limits(num, den);
        clipped += beyond(part, a, e2m1::beyond(num, den));
        codes.extend(part.iter().map(|&z| e2m1::code(z, &limits)));
        blocks.push(block);
    }
    // 2 · 6 · 448 · 2^9 = 21 · 2^17
    InputRow { codes, scale: scale(t, step, 21, 17), blocks, clipped }
}

#[cfg(test)]
mod tests;
