//! One lane of the vector unit: datapath, exponential, dividers, coder, result.

use std::sync::Arc;

use spec::Config;

use super::super::module_name;
use super::coder::coder;
use super::exp::exp;
use super::finish::finish;
use super::lane::lane;
use super::plan::{DEN_BITS, FACTOR_BITS, MOST_QBITS, PARAM_BITS, SHIFT_BITS, VALUE_BITS, VecPlan};
use super::quotient::{ALIGN_BITS, quotient};
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, index_bits};

/// Which result an op has: `path_i`.
pub mod path {
    /// The shifted product.
    pub const VALUE: i128 = 0;
    /// An exponential.
    pub const EXP: i128 = 1;
    /// A quotient.
    pub const QUOTIENT: i128 = 2;
    /// A 4-bit code.
    pub const CODE: i128 = 3;
    /// What comes from outside the lane.
    pub const SPECIAL: i128 = 4;
}

/// `<prefix>_vec_lane_unit`: one lane from its sources to its result.
///
/// Ports: those of [`lane`], [`exp`], [`quotient`], [`coder`] that are not within; `chord_i`, `unsigned_i`, `path_i` (see
/// [`path`]), `special_i`: constants of the op; `result_o` one cycle after what it is made of.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn lane_unit(config: &Config, plan: &VecPlan) -> Result<Arc<Module>, Error> {
    let doc = "One lane of the vector unit: its datapath, exponential, dividers and coder, and the register of\n\
               its result.";
    let (lane, finish, exp, quotient, coder) =
        (lane(config, plan)?, finish(config, plan)?, exp(config)?, quotient(config, plan)?, coder(config)?);
    let mut m = ModuleBuilder::new(module_name(config, "vec_lane_unit"), doc);
    let (value, bit) = (Ty::s(VALUE_BITS), Ty::bit());
    let num = Ty::u(plan.num_bits());
    let ports: Vec<(&str, Ty)> = vec![
        ("x_i", value),
        ("param_i", Ty::s(PARAM_BITS)),
        ("partner_i", value),
        ("negate_i", bit),
        ("magnitude_i", bit),
        ("add_i", Ty::u(3)),
        ("factor_i", Ty::u(2)),
        ("combine_i", Ty::u(2)),
        ("addend_i", value),
        ("factor_const_i", Ty::s(FACTOR_BITS)),
        ("offset_i", Ty::u(SHIFT_BITS)),
        ("chord_i", bit),
        ("unsigned_i", bit),
        ("sigmoid_i", bit),
        ("places_i", Ty::u(4)),
        ("align_i", Ty::u(ALIGN_BITS)),
        ("bias_i", num),
        ("negative_bias_i", num),
        ("den_i", Ty::u(DEN_BITS)),
        ("load_i", Ty::u(plan.dividers)),
        ("limited_i", bit),
        ("limit_i", Ty::u(16)),
        ("asymmetric_i", bit),
        ("float_i", bit),
        ("path_i", Ty::u(3)),
        ("special_i", value),
    ];
    let mut inputs: Vec<(&str, Expr)> = ports.iter().map(|&(name, ty)| (name, m.input(name, ty))).collect();
    if plan.dividers > 1 {
        inputs.push(("pick_i", m.input("pick_i", Ty::u(index_bits(plan.dividers)))));
    }
    let input = |name: &str| inputs.iter().find(|(n, _)| *n == name).map_or_else(|| Expr::u(1, 0), |(_, e)| e.clone());
    let pass = |module: &Arc<Module>, own: &[(&'static str, Expr)]| -> Vec<(String, Expr)> {
        let passed = inputs.iter().filter(|(n, _)| module.port(n).is_some() && !own.iter().any(|(o, _)| o == n));
        let passed = passed.map(|(n, e)| ((*n).to_string(), e.clone()));
        own.iter().map(|(n, e)| ((*n).to_string(), e.clone())).chain(passed).collect()
    };
    let place = |m: &mut ModuleBuilder, name: &str, module: &Arc<Module>, own: &[(&'static str, Expr)]| {
        let conns = pass(module, own);
        let conns: Vec<(&str, &Expr)> = conns.iter().map(|(n, e)| (n.as_str(), e)).collect();
        m.instance(name, module, &conns)
    };
    let lane = place(&mut m, "u_lane", &lane, &[]);
    let shifted = lane.out("shifted_o");
    let finish = place(&mut m, "u_finish", &finish, &[("shifted_i", shifted.clone())]);

    m.section("The chord's argument is a quotient, the parabola's a product");
    let whole = m.net("chord_octaves", Ty::u(super::plan::OCTAVE_BITS));
    let whole_negative = m.net("chord_negative", bit);
    let chord = input("chord_i");
    let octaves = chord.mux(&whole, &finish.out("octaves_o"));
    let negative = chord.mux(&whole_negative, &lane.out("negative_o"));
    let exp = place(&mut m, "u_exp", &exp, &[("octaves_i", octaves), ("negative_i", negative)]);
    let own = [
        ("shifted_i", shifted),
        ("negative_i", lane.out("negative_o")),
        ("exp_i", exp.out("exp_o")),
        ("exp_negative_i", exp.out("negative_o")),
    ];
    let quotient = place(&mut m, "u_quotient", &quotient, &own);
    m.assign(&whole, &quotient.out("octaves_o"));
    m.assign(&whole_negative, &quotient.out("negative_o"));
    let of_quotient = ["quotient", "inexact", "overflow", "negative"].map(|n| quotient.out(&format!("{n}_o")));
    let own = [
        ("quotient_i", of_quotient[0].clone()),
        ("inexact_i", of_quotient[1].clone()),
        ("overflow_i", of_quotient[2].clone()),
        ("negative_i", of_quotient[3].clone()),
    ];
    let coder = place(&mut m, "u_coder", &coder, &own);

    m.section("Result");
    let result = m.net("result", value);
    let path = input("path_i");
    m.comb("by the op's path", |b| {
        b.set(&result, &finish.out("value_o"));
        b.case(&path, |c| {
            let mut arm = |number: i128, e: Expr| c.arm(&path.k(number), |b| b.set(&result, &e));
            arm(path::EXP, exp.out("exp_o").extend(VALUE_BITS).as_signed());
            arm(path::QUOTIENT, quotient.out("value_o"));
            arm(path::CODE, coder.out("code_o").extend(VALUE_BITS).as_signed());
            arm(path::SPECIAL, input("special_i"));
        });
    });
    let result_q = m.pipe("result_q", &result);
    m.output_is("x_o", &lane.out("x_o"));
    m.output_is("value_o", &finish.out("value_o"));
    m.output_is("quotient_o", &of_quotient[0].slice(MOST_QBITS - 1, 0));
    m.output_is("inexact_o", &of_quotient[1]);
    m.output_is("overflow_o", &of_quotient[2]);
    m.output_is("result_o", &result_q);
    m.build()
}
