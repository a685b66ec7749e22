//! The requantizer's scales: those of its inputs' rows, and those that it gives to the rows it makes.

use std::sync::Arc;

use spec::Config;
use spec::stream::ROW_BITS;

use super::dyadic::MAX_SHIFT;
use super::module_name;
use super::requant_pipeline::PerParity;
use super::requant_plan::{Plan, RANGE_BITS, choose};
use super::row_scale::row_scale;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_requant_scales`: scale and zero point of each row's inputs, and the row's own scale.
///
/// Ports: `start_i` (a command is taken) with `mult_i`, `shift_i` and, where there is a choice, `asymmetric_i`, `fixed_i`
/// held from then on; `fetch_i`, `fetch_odd_i` (a row is fetched, its parity), `fetched_i`, `fetched_odd_i` and
/// `row_data_i` one cycle later; dynamic modes: `range_done_i`, `range_odd_i` (a row's range is there), `even_range_i`,
/// `odd_range_i`; parities of words to requantise, with the stage (see [`Plan`]): `ratio_mult_odd_i` (`aligned - 1`) and
/// `ratio_shift_odd_i` (`aligned`; mode `static`), `result_odd_i` (`out`). `ready_o`: the scales of even and odd row are known;
/// `mult_o`, `shift_o` (`out`); `zero_offset_o` (2; 128 - zero point of the inputs); `ratio_mult_o` (`aligned`), `ratio_shift_o`
/// (`aligned + 1`).
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub(super) fn requant_scales(config: &Config, plan: &Plan) -> Result<Arc<Module>, Error> {
    let doc = "Scales of the requantizer: takes those of the inputs' rows and makes those of the\n\
               requantised rows, one after the other. Two rows are under way, an even and an odd one.";
    let mut m = ModuleBuilder::new(module_name(config, "requant_scales"), doc);
    let bit = |m: &mut ModuleBuilder, name: &str| m.input(name, Ty::bit());
    let start_i = bit(&mut m, "start_i");
    let mult_i = m.input("mult_i", Ty::u(16));
    let shift_i = m.input("shift_i", Ty::u(8));
    let asymmetric_i = plan.both_dynamic().then(|| bit(&mut m, "asymmetric_i"));
    let fixed_i = plan.both_rules().then(|| bit(&mut m, "fixed_i"));
    let fetch = ["fetch_i", "fetch_odd_i"].map(|name| bit(&mut m, name));
    let fetched = ["fetched_i", "fetched_odd_i"].map(|name| bit(&mut m, name));
    let row_data_i = m.input("row_data_i", Ty::u(ROW_BITS));
    let measured = plan.measured().then(|| ["range_done_i", "range_odd_i"].map(|name| bit(&mut m, name)));
    let range = Ty::u(RANGE_BITS);
    let ranges =
        plan.measured().then(|| PerParity::of_both(["even_range_i", "odd_range_i"].map(|n| m.input(n, range))));
    let result_odd_i = bit(&mut m, "result_odd_i");

    m.section("Scale and zero point of each row's inputs");
    let mut keep = |stem: &str, value: &Expr| PerParity::new(&mut m, stem, &fetched[0], &fetched[1], value);
    let row_mults = keep("row_mult", &row_data_i.slice(15, 0));
    let row_shifts = keep("row_shift", &row_data_i.slice(23, 16));
    if plan.asymmetric {
        let zero_point = row_data_i.slice(31, 24).extend(9).as_signed();
        let value = m.wire("zero_offset", &(Expr::s(9, 128) - zero_point));
        let offset = PerParity::new(&mut m, "zero_offset", &fetched[0], &fetched[1], &value);
        let zero_offset_q = m.pipe("zero_offset_q", &offset.of(&fetched[1]));
        m.output_is("zero_offset_o", &zero_offset_q);
    }

    m.section("Scales of the requantised rows, in the order of the rows");
    let turn_q = m.reg("turn_q", Ty::bit());
    let scale_start = m.net("scale_start", Ty::bit());
    let mut either = |name: &str, part: usize| {
        let at_once = plan.fixed.then(|| fetched[part].clone());
        let value = choose(fixed_i.as_ref(), at_once, measured.as_ref().map(|m| m[part].clone()));
        m.wire(name, &value)
    };
    let (set, odd) = (either("scale_known", 0), either("scale_known_odd", 1));
    let pending = PerParity::flag(&mut m, "scale_pending", (&set, &odd), (&scale_start, &turn_q));
    let range = ranges.map(|ranges| ranges.of(&turn_q));
    let (row_mult, row_shift) = (row_mults.of(&turn_q), row_shifts.of(&turn_q));
    let mut inputs = vec![
        ("start_i", &scale_start),
        ("row_mult_i", &row_mult),
        ("row_shift_i", &row_shift),
        ("step_mult_i", &mult_i),
        ("step_shift_i", &shift_i),
    ];
    inputs.extend(range.iter().map(|range| ("range_i", range)));
    inputs.extend(asymmetric_i.iter().map(|flag| ("asymmetric_i", flag)));
    inputs.extend(fixed_i.iter().map(|flag| ("fixed_i", flag)));
    let unit = m.instance("u_row_scale", &row_scale(config, plan)?, &inputs);
    m.assign(&scale_start, &(pending.of(&turn_q) & unit.out("idle_o")));
    let done = unit.out("done_o");
    m.next_if(&turn_q, &(&start_i | &done), &(&done & !&turn_q));
    let mults = PerParity::new(&mut m, "scale_mult", &done, &turn_q, &unit.out("mult_o"));
    let shifts = PerParity::new(&mut m, "scale_shift", &done, &turn_q, &unit.out("shift_o"));
    let ready = PerParity::flag(&mut m, "scale_ready", (&done, &turn_q), (&fetch[0], &fetch[1]));
    m.output_is("ready_o", &ready.both());
    m.output_is("mult_o", &mults.of(&result_odd_i));
    m.output_is("shift_o", &shifts.of(&result_odd_i));
    if plan.fixed {
        ratio(&mut m, &mults, &shifts);
    }
    m.build()
}

/// The fixed ratio of each word's row: its mantissa and its shift, limited to 0..=56.
fn ratio(m: &mut ModuleBuilder, mults: &PerParity, shifts: &PerParity) {
    m.section("Fixed ratio of a word's row");
    let ratio_mult_odd_i = m.input("ratio_mult_odd_i", Ty::bit());
    let ratio_shift_odd_i = m.input("ratio_shift_odd_i", Ty::bit());
    let mult_q = m.pipe("ratio_mult_q", &mults.of(&ratio_mult_odd_i));
    let shift = m.wire("row_ratio_shift", &shifts.of(&ratio_shift_odd_i));
    let limited = m.net("limited_shift", Ty::u(6));
    m.comb("a negative shift saturates every A but 0, a long one rounds every A to 0", |b| {
        b.set(&limited, &shift.slice(5, 0));
        b.when(&shift.gt(&shift.k(MAX_SHIFT.into())), |b| b.set(&limited, &limited.k(MAX_SHIFT.into())));
        b.when(&shift.sign(), |b| b.set(&limited, &limited.k(0)));
    });
    let shift_q = m.pipe("ratio_shift_q", &limited);
    m.output_is("ratio_mult_o", &mult_q);
    m.output_is("ratio_shift_o", &shift_q);
}
