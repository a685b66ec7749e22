//! VCOD: a row in codes of 4 bits, and the scale byte of each of its blocks.

use super::block::NO_EXPONENT;
use crate::iss::fault::{Result, refuse};
use crate::num::{Quotient, e2m1, e4m3};

/// Which codes, and how their blocks are scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// INT4, one step a row.
    Int4,
    /// INT4 in groups of that many, with a factor each.
    Int4Groups(usize),
    /// E2M1, one step a row.
    E2m1,
    /// E2M1 in blocks of 32, with a power of two each.
    Mx,
    /// E2M1 in blocks of 16, with an E4M3 scale each.
    Nv,
}

impl Kind {
    /// Elements that share a scale; `None` where the whole row does.
    pub fn block(self) -> Option<usize> {
        match self {
            Self::Int4 | Self::E2m1 => None,
            Self::Int4Groups(block) => Some(block),
            Self::Mx => Some(32),
            Self::Nv => Some(16),
        }
    }
}

/// A coded row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coded {
    /// Codes `[n]`: INT4 as its value, E2M1 as 0..=15.
    pub codes: Vec<i64>,
    /// Scale byte of each block; empty where the whole row shares a step.
    pub scales: Vec<u8>,
}

/// Codes of `z` `[n]`; `scales` `[blocks]` are the factors, exponents or E4M3 codes of its blocks.
///
/// `top` is T, the largest magnitude of the row (1 at least); `highest` the largest exponent, for [`Kind::Mx`]. Codes saturate at
/// the format's edge, ties of E2M1 go to the even code. See [`crate::op::input`].
///
/// # Errors
/// For a T below 1, and a scale that is outside its range.
pub fn code(z: &[i64], kind: Kind, top: i64, highest: i64, scales: &[i64]) -> Result<Coded> {
    if top < 1 {
        return refuse("S[s]", top, ">= 1", "give max(1, max |z|) of the row");
    }
    let block = kind.block().unwrap_or(z.len()).max(1);
    let (mut codes, mut bytes) = (Vec::with_capacity(z.len()), Vec::new());
    for (j, part) in z.chunks(block).enumerate() {
        let scale = scales.get(j).copied().unwrap_or(0);
        match kind {
            Kind::Int4 => int4(part, 7, top.into(), &mut codes),
            Kind::Int4Groups(_) => {
                let g = bounded(j, scale, 0, 255)?.max(1);
                int4(part, 255 * 7, i128::from(top) * i128::from(g), &mut codes);
                bytes.push(g as u8);
            }
            Kind::E2m1 => fp4(part, 6, top as u128, &mut codes),
            Kind::Mx => {
                if highest < scale {
                    return refuse(
                        "S[s + 1]",
                        highest,
                        format!(">= {scale}, of block {j}"),
                        "give the largest exponent",
                    );
                }
                if scale == NO_EXPONENT && part.iter().all(|&z| z == 0) {
                    codes.extend(part);
                } else {
                    let e = bounded(j, scale, -2, 62)?;
                    fp4(part, 1 << (-e).max(0), 1 << e.max(0), &mut codes);
                }
                bytes.push(highest.saturating_sub(scale).min(255) as u8);
            }
            Kind::Nv => {
                let code = bounded(j, scale, 1, e4m3::MAX_CODE.into())? as u8;
                let e = e4m3::decode(code).unwrap_or(1);
                fp4(part, 6 * e4m3::MAX_INT as u128, top as u128 * e as u128, &mut codes);
                bytes.push(code);
            }
        }
    }
    Ok(Coded { codes, scales: bytes })
}

fn bounded(j: usize, scale: i64, low: i64, high: i64) -> Result<i64> {
    if (low..=high).contains(&scale) {
        return Ok(scale);
    }
    refuse(format!("VB[b + {j}]"), scale, format!("{low}..={high}"), "give the scale of the block")
}

/// `clamp(round(z · num / den), ±7)`.
fn int4(part: &[i64], num: i64, den: i128, codes: &mut Vec<i64>) {
    let largest = part.iter().map(|z| z.unsigned_abs()).max().unwrap_or(0);
    let ratio = Quotient::new(num, den, largest);
    // A quotient beyond 64 bits is beyond 7 too.
    let held = |z: i64| z.clamp((-den).max(i64::MIN.into()) as i64, den.min(i64::MAX.into()) as i64);
    codes.extend(part.iter().map(|&z| ratio.of(held(z)).clamp(-7, 7)));
}

/// E2M1 codes nearest to `z · num / den`.
fn fp4(part: &[i64], num: u128, den: u128, codes: &mut Vec<i64>) {
    let limits = e2m1::limits(num, den);
    codes.extend(part.iter().map(|&z| i64::from(e2m1::code(z, &limits))));
}
