//! When each stage of the lanes holds a word of an op.

use std::sync::Arc;

use spec::Config;
use spec::isa::Op;

use super::super::module_name;
use super::issue::{any, is};
use super::lane_unit::path;
use super::plan::{EXP_CYCLES, SHIFTED_STAGE};
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_vec_flow`: follows words from issue to result.
///
/// Ports: the op's fields `op_i`, `chord_i`; `emit_i` (a word with a result is issued), `block_valid_i` (a block's largest
/// magnitude is there), `divided_i` (dividers finish); `load_i` (to the dividers), `sigmoid_i` (the numerator of a sigmoid is
/// made), `own_load_o` of it, `path_o` (see [`path`]), `valid_o`: results are there.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn flow(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = "Follows the words of an op through the lanes: products are shifted in stage 6; from there a word\n\
               is a result, or goes through the exponential, the dividers, or both. The chord's exponential\n\
               comes after a division, the sigmoid's division after an exponential.";
    let mut m = ModuleBuilder::new(module_name(config, "vec_flow"), doc);
    let op_i = m.input("op_i", Ty::u(8));
    let chord_i = m.input("chord_i", Ty::bit());
    let emit_i = m.input("emit_i", Ty::bit());
    let block_valid_i = m.input("block_valid_i", Ty::bit());
    let divided_i = m.input("divided_i", Ty::bit());
    let line = |m: &mut ModuleBuilder, stem: &str, stages: u32, source: &Expr| {
        let q = m.reg(&format!("{stem}_q"), Ty::u(stages));
        m.next_reset(&q, 0, None, &Expr::concat(&[q.slice(stages - 2, 0), source.clone()]));
        m.wire(&format!("{stem}_out"), &q.bit(stages - 1))
    };
    let shifted = line(&mut m, "issued", SHIFTED_STAGE, &emit_i);
    let sigmoid = m.wire("is_sigmoid", &is(&op_i, Op::Vsig));
    let exponential = m.wire("is_exponential", &(&sigmoid | is(&op_i, Op::Vexp)));
    let chord = m.wire("is_chord", &(&exponential & &chord_i));
    let quotient_q = m.pipe_reset("quotient_q", 0, &divided_i);
    let second_q = m.reg("second_q", Ty::bit());
    let exp_in = chord_i.mux(&(&quotient_q & !&second_q), &shifted) & &exponential;
    let exp_out = line(&mut m, "exponential", EXP_CYCLES, &exp_in);
    let own = m.wire("own", &(&exp_out & &sigmoid));
    let divides = any(&op_i, &[Op::Vquo, Op::Vcod, Op::Ve4m]) | &chord;
    let numerator = m.wire("numerator", &((&shifted & &divides) | &own));
    let load_q = m.pipe_reset("load_q", 0, &numerator);
    let own_load_q = m.pipe_reset("own_load_q", 0, &own);
    m.section("A sigmoid by the chord goes through the dividers twice");
    m.next_reset(&second_q, 0, Some(&(&own | &quotient_q)), &(&own & &chord));
    let final_quotient = m.wire("final_quotient", &(&quotient_q & (!&chord | (&sigmoid & &second_q))));
    let coded = is(&op_i, Op::Ve4m);
    let scale_in = coded.mux(&quotient_q, &shifted) & any(&op_i, &[Op::Vexn, Op::Ve4m]);
    let scale = line(&mut m, "scale", 2, &scale_in);

    let path = m.output("path_o", Ty::u(3));
    let there = m.net("there", Ty::bit());
    m.comb("by op", |b| {
        b.set(&path, &path.k(path::VALUE));
        b.set(&there, &shifted);
        let mut arm = |cond: Expr, number: i128, valid: &Expr| {
            b.when(&cond, |b| {
                b.set(&path, &path.k(number));
                b.set(&there, valid);
            });
        };
        arm(is(&op_i, Op::Vexp), path::EXP, &exp_out);
        arm(any(&op_i, &[Op::Vquo, Op::Vsig]), path::QUOTIENT, &final_quotient);
        arm(is(&op_i, Op::Vcod), path::CODE, &final_quotient);
        arm(any(&op_i, &[Op::Vexn, Op::Ve4m]), path::SPECIAL, &scale);
        arm(is(&op_i, Op::Vblk), path::SPECIAL, &block_valid_i);
    });
    let valid_q = m.pipe_reset("valid_q", 0, &there);
    m.output_is("load_o", &load_q);
    m.output_is("own_load_o", &own_load_q);
    m.output_is("sigmoid_o", &own);
    m.output_is("valid_o", &valid_q);
    m.build()
}
