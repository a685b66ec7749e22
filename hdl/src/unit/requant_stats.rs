//! The requantizer's row statistics: range and bias of each row, and the dividers' turns.

use std::sync::Arc;

use spec::Config;

use super::minmax::minmax;
use super::module_name;
use super::requant_pipeline::PerParity;
use super::requant_plan::{ALIGNED_BITS, Plan};
use super::row_stats::row_stats;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, index_bits};

/// `<prefix>_requant_stats`: measures rows, and gives their words and dividers what belongs to their row.
///
/// Ports, with the stage in which each belongs to its word (see [`Plan`]): `aligned_i` `[lanes]` (`aligned`), `valid_i`,
/// `first_i` (a word to measure, the row's first; `reduced`), `range_done_i`, `range_odd_i` (the row's last word, its
/// parity; `reduced` + [`super::row_stats::RANGE_CYCLES`]), `bias_done_i`, `bias_odd_i` (`reduced` + [`super::row_stats::BIAS_CYCLES`]); words to requantise:
/// `word_odd_i` (`aligned`), `divide_i`, `divide_odd_i` (`load - 1`), with several dividers `divided_i`
/// (`load + steps`); `asymmetric_i` if both dynamic modes are built. `even_range_o`, `odd_range_o`; `bias_o`
/// (`aligned + 1`), `den_o` `[dividers]`, `load_o` (one-hot, `load`; where a division takes several cycles), `pick_o` (divider,
/// `load + steps`; where there are several).
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub(super) fn requant_stats(config: &Config, plan: &Plan) -> Result<Arc<Module>, Error> {
    let doc = "Row statistics of the requantizer: the range of each row, which divides its words, and the\n\
               constant part of their numerators. Two rows are under way, an even and an odd one.";
    let mut m = ModuleBuilder::new(module_name(config, "requant_stats"), doc);
    let bit = |m: &mut ModuleBuilder, name: &str| m.input(name, Ty::bit());
    let aligned_i = m.input("aligned_i", Ty::u(plan.lanes * ALIGNED_BITS));
    let [valid_i, first_i] = ["valid_i", "first_i"].map(|name| bit(&mut m, name));
    let range_done = ["range_done_i", "range_odd_i"].map(|name| bit(&mut m, name));
    let bias_done = ["bias_done_i", "bias_odd_i"].map(|name| bit(&mut m, name));
    let word_odd_i = bit(&mut m, "word_odd_i");
    let [divide_i, divide_odd_i] = ["divide_i", "divide_odd_i"].map(|name| bit(&mut m, name));
    let divided_i = (plan.dividers > 1).then(|| bit(&mut m, "divided_i"));
    let asymmetric_i = plan.both_dynamic().then(|| bit(&mut m, "asymmetric_i"));

    m.section("Range and bias of both rows under way");
    let tree = m.instance("u_minmax", &minmax(config, plan)?, &[("data_i", &aligned_i)]);
    let (min, max) = (tree.out("min_o"), tree.out("max_o"));
    let mut inputs = vec![("valid_i", &valid_i), ("first_i", &first_i), ("min_i", &min), ("max_i", &max)];
    inputs.extend(asymmetric_i.iter().map(|flag| ("asymmetric_i", flag)));
    let stats = m.instance("u_row_stats", &row_stats(config, plan)?, &inputs);
    let mut keep =
        |stem: &str, [done, odd]: &[Expr; 2], port: &str| PerParity::new(&mut m, stem, done, odd, &stats.out(port));
    let ranges = keep("range", &range_done, "range_o");
    let biases = keep("bias", &bias_done, "bias_o");
    let bias_q = m.pipe("bias_q", &biases.of(&word_odd_i));
    m.output_is("even_range_o", &ranges.even());
    m.output_is("odd_range_o", &ranges.odd());
    m.output_is("bias_o", &bias_q);

    m.section("Dividers take turns; each keeps the range of the row it works on");
    let range = m.wire("range", &ranges.of(&divide_odd_i));
    let hot = if plan.dividers > 1 {
        let turn_q = turn(&mut m, plan, "load_turn_q", &divide_i);
        let hot: Vec<_> = (0..plan.dividers).rev().map(|i| &divide_i & turn_q.eq_k(i.into())).collect();
        m.wire("load_next", &Expr::concat(&hot))
    } else {
        m.wire("load_next", &divide_i)
    };
    let held: Vec<_> = (0..plan.dividers).rev().map(|i| m.pipe_if(&format!("den{i}_q"), &hot.bit(i), &range)).collect();
    m.output_is("den_o", &Expr::concat(&held));
    if plan.steps() > 1 {
        let load_q = m.pipe_reset("load_q", 0, &hot);
        m.output_is("load_o", &load_q);
    }
    if let Some(divided_i) = &divided_i {
        let pick_q = turn(&mut m, plan, "pick_turn_q", divided_i);
        m.output_is("pick_o", &pick_q);
    }
    m.build()
}

/// Which divider is next.
fn turn(m: &mut ModuleBuilder, plan: &Plan, name: &str, step: &Expr) -> Expr {
    let q = m.reg(name, Ty::u(index_bits(plan.dividers)));
    let wrap = q.eq_k(i128::from(plan.dividers) - 1);
    m.next_reset(&q, 0, Some(step), &wrap.mux(&q.k(0), &(&q + q.k(1))));
    q
}
