//! Block sums at the foot of a column: products of one block are summed exactly, scaled, and added up.
//!
//! P is in units of the format's product, times the units of the scales; every operation is exact, so that the order of
//! blocks is of no matter. Where no block has a scale, P is the dot product of [`crate::op::matmul`].
//!
//! **Source**: NUMERICS 4, block sums; OCP Microscaling Formats (MX) Specification 1.0, clause 6.2 (dot product of
//! blocks).

use spec::{Format, Operand, Scaling};

use crate::num::e4m3;
use crate::op::matmul::{self, dot_ints};

/// Most bits of P, its sign included.
pub const SUM_BITS: u32 = 58;

/// Longest reduction of a scaling whose sums must fit [`SUM_BITS`]: E4M3 scales of 448 on both sides, and 6 times 6 in
/// every product, reach 2^57 soon after it. All other scalings have [`matmul::MAX_K`].
pub const MAX_K_NV: usize = 19_008;

/// Longest reduction that the scaling allows: with it no P leaves [`SUM_BITS`], nor a zero point's completion.
pub const fn max_k(scaling: Scaling) -> usize {
    match scaling {
        Scaling::Channel | Scaling::Group32 | Scaling::Group16 | Scaling::Mx32 => matmul::MAX_K,
        Scaling::Nv16 => MAX_K_NV,
    }
}

/// F: how many binary places below the largest scales of a row and a channel an MX block still counts.
///
/// P's unit is `2^-F` products; F = 24 where activations have scales too, 22 where they are INT8 and wider.
pub const fn mx_places(format: Format) -> u32 {
    match format.act() {
        Operand::Int8 => 22,
        Operand::Int4 | Operand::E2m1 | Operand::Pot4 | Operand::Pot8 => 24,
    }
}

/// Exact sums of the products of each block along K; the last block may be shorter.
///
/// `acts`, `weights` `[k]`: integers of codes. At most 20 bits signed a sum (INT8 times INT8, blocks of 32).
pub fn block_sums(acts: &[i16], weights: &[i16], block: usize) -> Vec<i32> {
    acts.chunks(block).zip(weights.chunks(block)).map(|(a, w)| dot_ints(a, w)).collect()
}

/// Groups: `P = Σ_b g_w[b] · g_a[b] · S[b]`; `acts` is empty where activations have no groups, `g_a` is 1 then.
///
/// `sums`, `weights`, `acts` `[blocks]`. With K up to 65535 at most 39 bits signed; 40 after the completion of a
/// zero point, whose extreme is `255 · 255 · 128 · K`.
///
/// # Panics
/// If the lengths differ.
pub fn group(sums: &[i32], weights: &[u8], acts: &[u8]) -> i64 {
    check_lengths(sums, weights, acts);
    let act = |b: usize| acts.get(b).map_or(1, |&g| i64::from(g));
    sums.iter().zip(weights).enumerate().map(|(b, (&s, &w))| i64::from(s) * i64::from(w) * act(b)).sum()
}

/// MX: `P = Σ_b S[b] << (F - d)` with `d = d_w[b] + d_a[b]`, nothing where d exceeds F.
///
/// `sums`, `weights`, `acts` `[blocks]`: block sums and how many binary places each scale lies below the largest of its
/// channel or row; `acts` is empty where activations have no blocks. With K up to 65535 at most 49 bits signed (`mxfp4`,
/// F = 24) or 50 (`mxfp4a8`, F = 22); with K = 14336, 46 and 48.
///
/// # Panics
/// If the lengths differ.
pub fn mx(sums: &[i32], weights: &[u8], acts: &[u8], places: u32) -> i64 {
    check_lengths(sums, weights, acts);
    let act = |b: usize| acts.get(b).map_or(0, |&d| u32::from(d));
    let scaled = |(b, (&s, &w)): (usize, (&i32, &u8))| {
        places.checked_sub(u32::from(w) + act(b)).map_or(0, |shift| i64::from(s) << shift)
    };
    sums.iter().zip(weights).enumerate().map(scaled).sum()
}

/// NV: `P = Σ_b S[b] · e_w[b] · e_a[b]`, e being `2^9` times the value of a positive E4M3 code.
///
/// `sums`, `weights`, `acts` `[blocks]`; 58 bits signed with K up to [`MAX_K_NV`].
///
/// # Panics
/// If the lengths differ or a code is above 0x7e.
pub fn nv(sums: &[i32], weights: &[u8], acts: &[u8]) -> i64 {
    assert_eq!(sums.len(), acts.len(), "one scale a block of activations");
    check_lengths(sums, weights, acts);
    let e = |code: u8| i64::from(e4m3::decode(code).expect("scales are positive E4M3 codes"));
    sums.iter().zip(weights).zip(acts).map(|((&s, &w), &a)| i64::from(s) * (e(w) * e(a))).sum()
}

fn check_lengths(sums: &[i32], weights: &[u8], acts: &[u8]) {
    assert_eq!(sums.len(), weights.len(), "one scale a block of weights");
    assert!(acts.is_empty() || acts.len() == sums.len(), "one scale a block of activations, or none");
}

#[cfg(test)]
mod tests;
