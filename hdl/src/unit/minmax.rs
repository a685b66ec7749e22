//! Minimum and maximum of a word of values: a pipelined tree.

use std::sync::Arc;

use spec::Config;

use super::module_name;
use super::requant_plan::{ALIGNED_BITS, Plan, count_of};
use crate::error::Error;
use crate::rtl::module::Conn;
use crate::rtl::{Module, ModuleBuilder, Ty};

fn pair(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = "Lower of two minima and higher of two maxima, two's complement. Latency 1 cycle.";
    let mut m = ModuleBuilder::new(module_name(config, "minmax_pair"), doc);
    let ty = Ty::s(ALIGNED_BITS);
    let [min_a, max_a, min_b, max_b] = ["min_a_i", "max_a_i", "min_b_i", "max_b_i"].map(|name| m.input(name, ty));
    let min_q = m.pipe("min_q", &min_a.lt(&min_b).mux(&min_a, &min_b));
    let max_q = m.pipe("max_q", &max_a.lt(&max_b).mux(&max_b, &max_a));
    m.output_is("min_o", &min_q);
    m.output_is("max_o", &max_q);
    m.build()
}

/// `<prefix>_minmax`: `min_o`, `max_o` of the `lanes` signed values of `data_i`, [`Plan::tree`] cycles later.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn minmax(config: &Config, plan: &Plan) -> Result<Arc<Module>, Error> {
    let doc = format!(
        "Minimum and maximum of {} values: a tree with a register after each level.\n\
         Latency {}.",
        plan.lanes,
        count_of(plan.tree(), "cycle")
    );
    let pair = pair(config)?;
    let mut m = ModuleBuilder::new(module_name(config, "minmax"), doc);
    let data_i = m.input("data_i", Ty::u(plan.lanes * ALIGNED_BITS));
    let ty = Ty::s(ALIGNED_BITS);
    let mut count = plan.lanes;
    let mut mins = m.nets("value", ty, count);
    m.split(&data_i, &mins, 0, 1, count);
    let mut maxs = mins.clone();
    let mut level = 0;
    while count > 1 {
        level += 1;
        let (pairs, next) = (count / 2, count.div_ceil(2));
        let next_mins = m.nets(&format!("min{level}"), ty, next);
        let next_maxs = m.nets(&format!("max{level}"), ty, next);
        let conns: [(&str, Conn); 6] = [
            ("min_a_i", mins.step(0, 2, 0)),
            ("max_a_i", maxs.step(0, 2, 0)),
            ("min_b_i", mins.step(0, 2, 1)),
            ("max_b_i", maxs.step(0, 2, 1)),
            ("min_o", next_mins.step(0, 1, 0)),
            ("max_o", next_maxs.step(0, 1, 0)),
        ];
        m.grid(&format!("u_level{level}"), &pair, 1, pairs, &conns);
        if count % 2 == 1 {
            // The value without a partner waits for the others.
            let min_q = m.pipe(&format!("odd_min{level}_q"), &mins.at(count - 1));
            let max_q = m.pipe(&format!("odd_max{level}_q"), &maxs.at(count - 1));
            m.assign(&next_mins.at(pairs), &min_q);
            m.assign(&next_maxs.at(pairs), &max_q);
        }
        (mins, maxs, count) = (next_mins, next_maxs, next);
    }
    m.output_is("min_o", &mins.at(0));
    m.output_is("max_o", &maxs.at(0));
    m.build()
}
