//! What an op needs before its words: constants, lengths of its divisions, distance of its words.

use std::sync::Arc;

use spec::Config;
use spec::isa::Op;

use super::super::module_name;
use super::constants::constants;
use super::divide_control::{COUNT_BITS, divide_plan};
use super::issue::{any, is};
use super::plan::{DEN_BITS, EXP_BITS, FACTOR_BITS, SHIFT_BITS, VALUE_BITS, VecPlan};
use super::quotient::ALIGN_BITS;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_vec_setup`: constants of the op under way (see [`constants`]) and its divisions.
///
/// Ports: `instr_i`, `prepare_i`, `s0_i`, `s1_i`, `block_i`, `octaves_i`, `den_i`, `places_i`; the constants; `steps_o` of the
/// first division, `own_steps_o`, `own_align_o` of a sigmoid's; `interval_o`: cycles from one word to the next; `serial_o`:
/// each word is made alone.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn setup(config: &Config, plan: &VecPlan) -> Result<Arc<Module>, Error> {
    let doc = "Constants of the op under way, the lengths of its divisions, and the distance of its words.";
    let (constants, plans) = (constants(config, plan)?, divide_plan(config, plan)?);
    let mut m = ModuleBuilder::new(module_name(config, "vec_setup"), doc);
    let instr_i = m.input("instr_i", Ty::u(128));
    let prepare_i = m.input("prepare_i", Ty::bit());
    let [s0_i, s1_i, block_i] = ["s0_i", "s1_i", "block_i"].map(|name| m.input(name, Ty::s(VALUE_BITS)));
    let octaves_i = m.input("octaves_i", Ty::u(EXP_BITS));
    let den_i = m.input("den_i", Ty::u(DEN_BITS));
    let places_i = m.input("places_i", Ty::u(5));
    let mut field = |name: &str, lsb: u32, bits: u32| m.wire(name, &instr_i.part(lsb, bits));
    let [op, k, q, qbits, chord, imm] = [
        field("op", 0, 8),
        field("k", 112, 5),
        field("q", 64, 15),
        field("qbits_field", 123, 5),
        field("chord", 123, 1),
        field("imm", 80, 5),
    ];

    m.section("Divisions: the op's first, and a sigmoid's own");
    let first_qbits = m.net("first_qbits", Ty::u(COUNT_BITS));
    let first = m.instance("u_first_division", &plans, &[("qbits_i", &first_qbits)]);
    let own_qbits = m.wire("own_qbits", &(imm.extend(COUNT_BITS) + Expr::u(COUNT_BITS, 1)));
    let own = m.instance("u_own_division", &plans, &[("qbits_i", &own_qbits)]);
    let align = first.out("align_o");
    let ports = [
        ("prepare_i", &prepare_i),
        ("op_i", &op),
        ("k_i", &k),
        ("q_i", &q),
        ("qbits_i", &qbits),
        ("chord_i", &chord),
        ("s0_i", &s0_i),
        ("s1_i", &s1_i),
        ("block_i", &block_i),
        ("octaves_i", &octaves_i),
        ("den_i", &den_i),
        ("places_i", &places_i),
        ("align_i", &align),
    ];
    let constants = m.instance("u_constants", &constants, &ports);
    m.assign(&first_qbits, &constants.out("qbits_o"));
    let sigmoid = m.wire("sigmoid", &is(&op, Op::Vsig));
    let divides = any(&op, &[Op::Vquo, Op::Vcod, Op::Ve4m]) | (is(&op, Op::Vexp) & &chord);
    let divides = m.wire("divides", &divides);
    let serial = m.wire("serial", &(&sigmoid & &chord));
    let interval = m.output("interval_o", Ty::u(COUNT_BITS));
    m.comb("cycles from one word to the next; a sigmoid by the chord is made alone", |b| {
        b.set(&interval, &interval.k(1));
        b.when(&divides, |b| b.set(&interval, &first.out("interval_o")));
        b.when(&sigmoid, |b| b.set(&interval, &own.out("interval_o")));
        b.when(&serial, |b| b.set(&interval, &interval.k(2)));
    });
    m.output_is("serial_o", &serial);
    m.output_is("steps_o", &first.out("steps_o"));
    m.output_is("own_steps_o", &own.out("steps_o"));
    m.output_is("own_align_o", &own.out("align_o"));
    let num = Ty::u(plan.num_bits());
    for (name, ty) in [
        ("block_factor_o", Ty::u(8)),
        ("offset_o", Ty::u(SHIFT_BITS)),
        ("factor_o", Ty::s(FACTOR_BITS)),
        ("addend_o", Ty::s(VALUE_BITS)),
        ("den_o", Ty::u(DEN_BITS)),
        ("bias_o", num),
        ("negative_bias_o", num),
        ("scale_o", Ty::u(8)),
    ] {
        let port = m.output(name, ty);
        m.assign(&port, &constants.out(name));
    }
    debug_assert!(own.out("align_o").width() == ALIGN_BITS, "alignments have their own width");
    m.build()
}
