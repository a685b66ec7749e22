//! The scalar file and what is computed of its entries.

use std::sync::Arc;

use spec::Config;
use spec::isa::Op;

use super::super::module_name;
use super::super::ram::ram;
use super::issue::{any, is};
use super::plan::{DEN_BITS, EXP_BITS, PARAM_BITS, VALUE_BITS};
use super::scalar_alu::{MOST_RESULTS, scalar_alu};
use super::scalar_arith::{arith, scalar_arith};
use super::sequence::ENTRY_BITS;
use crate::error::Error;
use crate::rtl::{Module, ModuleBuilder, Ty};

/// `<prefix>_vec_scalars`: S, the entries that an instruction reads, the long arithmetic, and what is written into S.
///
/// Ports: the instruction's fields; reads and writes of S as [`super::sequence`] has them; `first_i`, `second_i`: a row's
/// reduction; `param_i`: PB[b]; `block_factor_i`; `entry0_o` to `entry3_o`, `arith_done_o`, `octaves_o`, `den_o`, `places_o`
/// (see [`scalar_arith`]), `last_result_o`, `writes_o` (see [`scalar_alu`]).
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn scalars(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = "Scalar file of 256 entries, the entries that the instruction under way has read, and what is\n\
               computed of them. Read latency 1 cycle.";
    let (file, long, alu) = (ram(config, VALUE_BITS, 1 << ENTRY_BITS)?, scalar_arith(config)?, scalar_alu(config)?);
    let mut m = ModuleBuilder::new(module_name(config, "vec_scalars"), doc);
    let (value, bit) = (Ty::s(VALUE_BITS), Ty::bit());
    let op_i = m.input("op_i", Ty::u(8));
    let imm_i = m.input("imm_i", Ty::u(16));
    let places_i = m.input("places_i", Ty::s(8));
    let value_i = m.input("value_i", value);
    let chord_i = m.input("chord_i", bit);
    let scalar_i = m.input("scalar_i", bit);
    let read_i = m.input("read_i", bit);
    let read_addr_i = m.input("read_addr_i", Ty::u(ENTRY_BITS));
    let entry_i = m.input("entry_i", Ty::u(4));
    let write_i = m.input("write_i", bit);
    let write_addr_i = m.input("write_addr_i", Ty::u(ENTRY_BITS));
    let result_i = m.input("result_i", Ty::u(2));
    let first_i = m.input("first_i", value);
    let second_i = m.input("second_i", value);
    let param_i = m.input("param_i", Ty::s(PARAM_BITS));
    let block_factor_i = m.input("block_factor_i", Ty::u(8));
    let start_i = m.input("arith_start_i", bit);

    m.section("File and entries");
    let result = m.net("result", value);
    let data = m.wire("data", &result.as_unsigned());
    let ports = [
        ("write_i", &write_i),
        ("waddr_i", &write_addr_i),
        ("wdata_i", &data),
        ("read_i", &read_i),
        ("raddr_i", &read_addr_i),
    ];
    let read = m.instance("u_file", &file, &ports).out("rdata_o").as_signed();
    let s = [0, 1, 2, 3].map(|i| m.pipe_if(&format!("entry{i}_q"), &entry_i.bit(i), &read));
    for (i, entry) in s.iter().enumerate() {
        m.output_is(&format!("entry{i}_o"), entry);
    }

    m.section("Long arithmetic: of entries, or of a row's step, or of its largest magnitude and a block's scale");
    let op = m.net("op", Ty::u(3));
    m.comb("what is computed", |b| {
        b.set(&op, &op.k(arith::BITS));
        let mut when = |ops: &[Op], number: i128| b.when(&any(&op_i, ops), |b| b.set(&op, &op.k(number)));
        when(&[Op::Sscl], arith::SCALE);
        when(&[Op::Sprd], arith::PRODUCT);
        when(&[Op::Sdiv], arith::ROUND);
        when(&[Op::Srms], arith::RMS);
        when(&[Op::Vcod], arith::TIMES);
        b.when(&any(&op_i, &[Op::Vexp, Op::Vsig]), |b| {
            b.set(&op, &chord_i.mux(&op.k(arith::CHORD), &op.k(arith::POLY)));
        });
    });
    let x = m.wire("x", &s[0].as_unsigned());
    let y = m.wire("y", &scalar_i.mux(&s[1], &s[0]).as_unsigned());
    let z = m.wire("z", &is(&op_i, Op::Sprd).mux(&s[0], &s[2]).as_unsigned());
    let divisor = m.wire("divisor", &scalar_i.mux(&imm_i, &block_factor_i.extend(16)));
    let ports = [
        ("start_i", &start_i),
        ("op_i", &op),
        ("x_i", &x),
        ("y_i", &y),
        ("z_i", &z),
        ("small_i", &divisor),
        ("places_i", &places_i),
    ];
    let long = m.instance("u_arith", &long, &ports);
    m.output_is("arith_done_o", &long.out("done_o"));
    m.output_is("octaves_o", &long.out("octaves_o"));
    m.output_is("den_o", &long.out("den_o"));
    m.output_is("places_o", &long.out("places_o"));
    debug_assert!(long.out("octaves_o").width() == EXP_BITS && long.out("den_o").width() == DEN_BITS);

    m.section("What is written: a reduction, or a scalar result");
    let low = m.wire("op_low", &op_i.slice(3, 0));
    let [bits, step, quotient, root] = ["bits_o", "step_o", "quotient_o", "root_o"].map(|name| long.out(name));
    let ports = [
        ("op_i", &low),
        ("x_i", &s[0]),
        ("y_i", &s[1]),
        ("value_i", &value_i),
        ("param_i", &param_i),
        ("bits_i", &bits),
        ("step_i", &step),
        ("quotient_i", &quotient),
        ("root_i", &root),
    ];
    let alu = m.instance("u_alu", &alu, &ports);
    m.comb("by place", |b| {
        b.set(&result, &result_i.bit(0).mux(&second_i, &first_i));
        b.when(&scalar_i, |b| {
            b.set(&result, &alu.out("result0_o"));
            b.case(&result_i, |c| {
                for i in 1..MOST_RESULTS {
                    c.arm(&result_i.k(i.into()), |b| b.set(&result, &alu.out(&format!("result{i}_o"))));
                }
            });
        });
    });
    m.output_is("last_result_o", &alu.out("last_o"));
    m.output_is("writes_o", &alu.out("writes_o"));
    m.build()
}
