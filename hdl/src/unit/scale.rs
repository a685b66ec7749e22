//! Block scales at the foot of a column: a tile's partial sum times what the bytes of its column and row stand for.

use std::sync::Arc;

use spec::Config;

use super::mm_plan::{MmPlan, Scales};
use super::module_name;
use super::multiply::multiply;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// Cycles from `sum_i` to `scaled_o`.
pub const LATENCY_CYCLES: u32 = 2;
/// Bits of a shift: E4M3 scales shift by up to 14 each, powers of two by up to 24.
pub const SHIFT_BITS: u32 = 5;
/// Binary places of sums where activations have powers of two too.
pub const MX_PLACES: u32 = 24;
/// Binary places of sums where activations have none.
pub const MX_A8_PLACES: u32 = 22;

/// The kinds of scales, numbered: none, an unsigned factor, a power of two, E4M3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The sum as it is.
    Channel,
    /// `S·w·a`.
    Group,
    /// `S·2^(F - w - a)`, nothing where `w + a > F`.
    Mx,
    /// `S·e(w)·e(a)`.
    Nv,
}

/// Bits of a [`Kind`].
pub const KIND_BITS: u32 = 2;

impl Kind {
    /// Its number as a constant of `like`'s type.
    pub fn of(self, like: &Expr) -> Expr {
        like.k(self as i128)
    }
}

/// E4M3 without its sign, times 2^9: a factor of 4 bits and a shift of 0..=14.
fn e4m3(m: &mut ModuleBuilder, stem: &str, code: &Expr) -> (Expr, Expr) {
    let exponent = m.wire(&format!("{stem}_exponent"), &code.slice(6, 3));
    let normal = m.wire(&format!("{stem}_normal"), &exponent.any());
    let factor = m.wire(&format!("{stem}_e4m3"), &Expr::concat(&[normal.clone(), code.slice(2, 0)]));
    let less = m.wire(&format!("{stem}_shift"), &normal.mux(&(&exponent - exponent.k(1)), &exponent.k(0)));
    (factor, less.extend(SHIFT_BITS))
}

/// What a row's scale byte gives to all columns.
pub struct RowScale {
    /// Factor, [`Scales::act_factor`] bits, where there are any.
    pub factor: Option<Expr>,
    /// Shift left; with a power of two, what is left for the columns.
    pub shift: Option<Expr>,
}

impl RowScale {
    /// From `kind` and, where activations can have blocks, whether the command's do and the row's byte; combinational.
    pub fn describe(m: &mut ModuleBuilder, scales: Scales, kind: &Expr, byte: Option<&(Expr, Expr)>) -> Self {
        if scales.act_factor == 0 && !scales.shifts() {
            return Self { factor: None, shift: None };
        }
        let factor = (scales.act_factor > 0).then(|| m.net("row_factor", Ty::u(scales.act_factor)));
        let shift = scales.shifts().then(|| m.net("row_left", Ty::u(SHIFT_BITS)));
        let byte = byte.map(|(blocks, byte)| (blocks, m.wire("row_byte", &(byte & blocks.repeat(8)))));
        let nv = byte.as_ref().filter(|_| scales.nv).map(|(_, byte)| e4m3(m, "row", byte));
        let mx = scales.mx.then(|| match &byte {
            Some((blocks, byte)) => {
                let places = blocks.mux(&byte.k(MX_PLACES.into()), &byte.k(MX_A8_PLACES.into()));
                let places = m.wire("row_places", &places);
                let room = m.wire("row_room", &(&places - byte));
                (byte.le(&places), room.part(0, SHIFT_BITS))
            }
            None => (Expr::u(1, 1), Expr::u(SHIFT_BITS, MX_A8_PLACES.into())),
        });
        m.comb("what the row's scale byte stands for", |b| {
            if let Some(factor) = &factor {
                b.set(factor, &factor.k(1));
            }
            if let Some(shift) = &shift {
                b.set(shift, &shift.k(0));
            }
            b.case(kind, |c| {
                // With 8 bits, groups of activations are among them.
                if let (Some(factor), Some((blocks, byte))) = (factor.as_ref().filter(|f| f.width() == 8), &byte) {
                    c.arm(&Kind::Group.of(kind), |b| b.when(blocks, |b| b.set(factor, byte)));
                }
                if let (Some(shift), Some((counts, room))) = (&shift, &mx) {
                    c.arm(&Kind::Mx.of(kind), |b| {
                        b.set(shift, room);
                        if let Some(factor) = &factor {
                            b.set(factor, &counts.extend(factor.width()));
                        }
                    });
                }
                if let (Some(factor), Some(shift), Some((value, less))) = (&factor, &shift, &nv) {
                    c.arm(&Kind::Nv.of(kind), |b| {
                        b.set(factor, &value.extend(factor.width()));
                        b.set(shift, less);
                    });
                }
            });
        });
        Self { factor, shift }
    }
}

/// `<prefix>_scale`: `scaled_o = sum_i` scaled by its column's and its row's byte, two cycles later.
///
/// Ports: `sum_i` (signed, `Config::sum_bits`), `kind_i` ([`Kind`]), `weight_i` (the column's byte); where built,
/// `row_factor_i`, `row_shift_i` ([`RowScale`]); `scaled_o` (signed, accumulator width). Exact; E4M3's sign is not read
/// and its NaN computes as the number after 448. The product stands in a module of its own, between two registers.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn scale(config: &Config, plan: &MmPlan) -> Result<Arc<Module>, Error> {
    let scales = plan.scales;
    let kinds = [
        (scales.group, "\n1 a group, times its factor and, where activations have groups, the row's;"),
        (scales.mx, "\n2 powers of two, shifted by what the bytes leave of the binary places, or nothing;"),
        (scales.nv, "\n3 times the E4M3 scales of column and row, each times 2^9;"),
    ];
    let built: String = kinds.iter().filter(|(built, _)| *built).map(|(_, kind)| *kind).collect();
    let doc = format!(
        "Block scales of one column: a tile's partial sum times a factor, shifted left. kind_i:\n\
         0 the sum as it is;{built}\n\
         no other kind is built. Latency {LATENCY_CYCLES} cycles."
    );
    let mut m = ModuleBuilder::new(module_name(config, "scale"), doc);
    let sum_i = m.input("sum_i", Ty::s(config.sum_bits()));
    let kind_i = m.input("kind_i", Ty::u(KIND_BITS));
    let weight_i = m.input("weight_i", Ty::u(8));
    let row_factor_i = (scales.act_factor > 0).then(|| m.input("row_factor_i", Ty::u(scales.act_factor)));
    let row_shift_i = scales.shifts().then(|| m.input("row_shift_i", Ty::u(SHIFT_BITS)));

    m.section("Factor and shift");
    let factor = m.net("weight_factor", Ty::u(scales.weight_factor()));
    let shift = row_shift_i.as_ref().map(|_| m.net("shift", Ty::u(SHIFT_BITS)));
    let nv = scales.nv.then(|| e4m3(&mut m, "weight", &weight_i));
    let mx = row_shift_i.as_ref().filter(|_| scales.mx).map(|room| {
        let low = m.wire("weight_low", &weight_i.part(0, SHIFT_BITS));
        let counts = m.wire("weight_counts", &(!weight_i.slice(7, SHIFT_BITS).any() & low.le(room)));
        (counts, m.wire("shift_left", &(room - &low)))
    });
    m.comb("what the column's scale byte stands for", |b| {
        b.set(&factor, &factor.k(1));
        if let Some(shift) = &shift {
            b.set(shift, &shift.k(0));
        }
        b.case(&kind_i, |c| {
            if scales.group {
                c.arm(&Kind::Group.of(&kind_i), |b| b.set(&factor, &weight_i));
            }
            if let (Some(shift), Some((counts, left))) = (&shift, &mx) {
                c.arm(&Kind::Mx.of(&kind_i), |b| {
                    b.set(&factor, &counts.extend(factor.width()));
                    b.set(shift, left);
                });
            }
            if let (Some(shift), Some((value, less)), Some(row)) = (&shift, &nv, &row_shift_i) {
                c.arm(&Kind::Nv.of(&kind_i), |b| {
                    b.set(&factor, &value.extend(factor.width()));
                    b.set(shift, &(row + less));
                });
            }
        });
    });
    let both = match &row_factor_i {
        Some(row) => {
            let both = multiply(config, factor.ty(), row.ty(), scales.factor())?;
            m.instance("u_factors", &both, &[("a_i", &factor), ("b_i", row)]).out("product_o")
        }
        None => factor,
    };

    m.section("The product, between two registers");
    let sum_q = m.pipe("sum_q", &sum_i);
    let factor_q = m.pipe("factor_q", &both);
    let signed = m.wire("factor", &factor_q.extend(scales.factor() + 1).as_signed());
    let product = multiply(config, sum_q.ty(), signed.ty(), config.sum_bits() + scales.factor())?;
    let product = m.instance("u_product", &product, &[("a_i", &sum_q), ("b_i", &signed)]).out("product_o");
    let product_q = m.pipe("product_q", &product);
    let wide = m.wire("wide", &product_q.extend(plan.addend_bits));
    let scaled = match shift {
        Some(shift) => {
            let shift_q = m.pipe("shift_q", &shift);
            let last_shift_q = m.pipe("last_shift_q", &shift_q);
            wide.shl(&last_shift_q)
        }
        None => wide,
    };
    m.output_is("scaled_o", &scaled);
    m.build()
}
