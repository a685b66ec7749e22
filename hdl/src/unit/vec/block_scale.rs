//! Scales of blocks: the exponent of an MX block, the E4M3 code of an NV block.

use std::sync::Arc;

use spec::Config;

use super::super::module_name;
use super::normalise::{NORMAL_BITS, ZEROS_BITS, normalise};
use super::plan::{MOST_QBITS, VALUE_BITS};
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// Exponent of a block of zeros.
pub const NO_EXPONENT: i128 = -258;
/// Bits of twice the largest scale in units of 2^-9: 2 * 448 * 2^9.
pub const CODE_QBITS: u32 = 19;
/// The code of 448.
const LARGEST: i128 = 0x7e;

/// `<prefix>_vec_block_scale`: `scale_o`, two cycles after its operand.
///
/// Ports: `code_i` (constant: an E4M3 code of `quotient_i`, `inexact_i`, `overflow_i`, which is twice the scale in units of
/// 2^-9; else an exponent of `value_i` by `rule_i`: 0 floor, 1 no clip, 2 round up to the grid); `scale_o`.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn block_scale(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = "Scale of a block. MX: the exponent of its largest magnitude a, 2^p <= a < 2^(p+1), less 2, or 1\n\
               where a is above 1.5 * 2^p (no clip) or 1.75 * 2^p (round up to the grid). NV: the nearest\n\
               E4M3 code, ties to even, 1..0x7e. Latency 2 cycles.";
    let normaliser = normalise(config)?;
    let mut m = ModuleBuilder::new(module_name(config, "vec_block_scale"), doc);
    let value_i = m.input("value_i", Ty::u(VALUE_BITS));
    let quotient_i = m.input("quotient_i", Ty::u(MOST_QBITS));
    let inexact_i = m.input("inexact_i", Ty::bit());
    let overflow_i = m.input("overflow_i", Ty::bit());
    let code_i = m.input("code_i", Ty::bit());
    let rule_i = m.input("rule_i", Ty::u(2));
    let what = m.wire("what", &code_i.mux(&quotient_i.extend(NORMAL_BITS), &value_i.extend(NORMAL_BITS)));
    let normal = m.instance("u_normalise", &normaliser, &[("value_i", &what)]);
    let (value, zeros) = (normal.out("normal_o"), normal.out("zeros_o"));

    m.section("The low bits and what else is known of the operand go along");
    let known = Expr::concat(&[overflow_i, inexact_i, quotient_i.slice(3, 0)]);
    let known1_q = m.pipe("known1_q", &known);
    let known_q = m.pipe("known_q", &known1_q);

    m.section("Exponent");
    let top = NORMAL_BITS - 1;
    let below = m.wire("below", &value.slice(top - 3, 0).any());
    let no_clip = value.bit(top - 1) & (value.bit(top - 2) | &below);
    let to_grid = value.bit(top - 1) & value.bit(top - 2) & &below;
    let up = m.net("up", Ty::bit());
    m.comb("whether the next power of two is taken", |b| {
        b.set(&up, &up.k(0));
        b.case(&rule_i, |c| {
            c.arm(&rule_i.k(1), |b| b.set(&up, &no_clip));
            c.arm(&rule_i.k(2), |b| b.set(&up, &to_grid));
        });
    });
    let small = Ty::s(10);
    let place = m.wire("place", &(Expr::lit(small, i128::from(top)) - zeros.extend(10).as_signed()));
    let exponent = m.wire("exponent", &(&place - place.k(2) + up.extend(10).as_signed()));
    let exponent = value.bit(top).mux(&exponent, &exponent.k(NO_EXPONENT));

    m.section("Code: four bits rounded to even, and the octave above 8 units");
    let tiny = m.wire("tiny", &zeros.gt(&Expr::u(ZEROS_BITS, u64::from(top) - 4)));
    let mantissa =
        m.wire("mantissa", &tiny.mux(&Expr::concat(&[Expr::u(1, 0), known_q.slice(3, 1)]), &value.slice(top, top - 3)));
    let half = m.wire("half", &tiny.mux(&known_q.bit(0), &value.bit(top - 4)));
    let inexact = known_q.bit(4);
    let rest = m.wire("rest", &(&inexact | (!&tiny & value.slice(top - 5, 0).any())));
    let round = m.wire("round", &(&half & (&rest | mantissa.bit(0))));
    let octave = m.wire("octave", &(&place - place.k(4)));
    let octave = tiny.mux(&octave.k(0), &octave);
    let octave = m.wire("octaves", &octave);
    let eighths = m.wire("eighths", &Expr::concat(&[octave.slice(6, 0), Expr::u(3, 0)]).as_signed());
    let code = m.wire("code", &(&eighths + mantissa.extend(10).as_signed() + round.extend(10).as_signed()));
    let scale = m.output("scale_o", small);
    m.comb("code in its range, or exponent", |b| {
        b.set(&scale, &exponent);
        b.when(&code_i, |b| {
            b.set(&scale, &code);
            b.when(&code.lt(&code.k(1)), |b| b.set(&scale, &scale.k(1)));
            b.when(&(code.gt(&code.k(LARGEST)) | known_q.bit(5)), |b| b.set(&scale, &scale.k(LARGEST)));
        });
    });
    m.build()
}
