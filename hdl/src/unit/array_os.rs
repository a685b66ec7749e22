//! The output-stationary array: R x C PEs, a sum in each.

use std::sync::Arc;

use spec::Config;

use super::pe_os::pe_os;
use super::skew::{Skew, skew};
use super::{module_name, pe};
use crate::error::Error;
use crate::rtl::module::Conn;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// Cycles from `take_i` to the sums of the last row of PEs at `sum_o`.
pub fn latency_cycles(config: &Config) -> u32 {
    config.array.rows + config.array.cols + pe::latency_cycles(config) - 2
}

/// `<prefix>_array`: `sum_o[c] = Σ_k act[r][k] * weight[k][c]`, all rows `r` of an N tile one behind the other.
///
/// Ports: `weight_i` `[cols]`, the weights of one k a cycle; `act_i` `[rows]`, codes of `rows` consecutive k of one row of
/// activations, with `row_i` `[rows]` (one-hot: the row of PEs they are for); `first_i`, `take_i`; `sum_o` `[cols]` signed sums;
/// element 0 lowest. A K tile is `rows` weight words in consecutive cycles; the word for row `r` of PEs comes with weight
/// word `r`, and a row without one counts as zeros. `first_i` comes with an N tile's first weight word, `take_i` one cycle
/// behind its last. From [`latency_cycles`] after `take_i` on, the sums of rows `rows - 1`, `rows - 2`, ... 0 leave, one row a
/// cycle. N tiles may follow each other without a gap.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn array_os(config: &Config) -> Result<Arc<Module>, Error> {
    let (rows, cols) = (config.array.rows, config.array.cols);
    let (act_bits, weight_bits) = (config.act_operand().bits(), config.weight_operand().bits());
    let sum = Ty::s(config.sum_bits());
    let doc = format!(
        "Systolic array of {rows} x {cols} PEs, output-stationary: PE [r, c] adds up activation row r times\n\
         weight column c. weight_i holds the weights of one k, act_i the activations of {rows} k of the\n\
         row that row_i marks; a row without such a word counts as zeros. first_i comes with the first\n\
         weights of an N tile, take_i one cycle behind the last. {} cycles later the sums of the\n\
         last row are at sum_o, then those of the row above, up to row 0. Skew and de-skew are inside.",
        latency_cycles(config)
    );
    let pe = pe_os(config)?;
    let mut m = ModuleBuilder::new(module_name(config, "array"), doc);
    let act_i = m.input("act_i", Ty::u(rows * act_bits));
    let row_i = m.input("row_i", Ty::u(rows));
    let weight_i = m.input("weight_i", Ty::u(cols * weight_bits));
    let first_i = m.input("first_i", Ty::bit());
    let take_i = m.input("take_i", Ty::bit());

    m.section("Activations: a word a row, one code a cycle; row r starts r cycles after row 0");
    let acts = m.nets("act", Ty::u(act_bits), rows * (cols + 1));
    if rows > 1 {
        let loads = m.nets("load", Ty::bit(), rows);
        m.split(&row_i, &loads, 0, 1, rows);
        let conns =
            [("load_i", loads.step(1, 0, 0)), ("word_i", Conn::In(act_i)), ("code_o", acts.step(cols + 1, 0, 0))];
        m.grid("u_serial", &serial(config)?, rows, 1, &conns);
    } else {
        let code = m.wire("code", &(&act_i & row_i.repeat(act_bits)));
        m.assign(&acts.at(0), &code);
    }

    m.section("Weights: column c waits c cycles");
    let weights = m.nets("weight", Ty::u(weight_bits), (rows + 1) * cols);
    let skew_weight = skew(config, "skew_weight", cols, weight_bits, Skew::Rising)?;
    let skewed = m.instance("u_skew_weight", &skew_weight, &[("data_i", &weight_i)]).out("data_o");
    m.split(&skewed, &weights, 0, 1, cols);

    m.section("Row r begins and ends its sums r cycles after row 0");
    let late = |m: &mut ModuleBuilder, name: &str, value: &Expr| {
        if config.pe.product_register { m.pipe(name, value) } else { value.clone() }
    };
    let first = late(&mut m, "first_q", &first_i);
    let take = late(&mut m, "take_q", &take_i);
    let line = |m: &mut ModuleBuilder, stem: &str, value: Expr| {
        if rows == 1 {
            return value;
        }
        let line_q = m.reg(&format!("{stem}_line_q"), Ty::u(rows - 1));
        let line = m.wire(&format!("{stem}_line"), &Expr::concat(&[line_q.clone(), value]));
        m.next(&line_q, &line.part(0, rows - 1));
        line
    };
    let first_line = line(&mut m, "first", first);
    let take_line = line(&mut m, "take", take);

    m.section("Sums taken wait until the last row's is; then all of them go down together");
    let hold_q = m.reg("hold_q", Ty::u(rows));
    let go = m.wire("drains_go", &take_line.bit(rows - 1));
    m.next(&hold_q, &((&hold_q | &take_line) & (!go).repeat(rows)));
    let mut wave = |stem: &str, line: &Expr| {
        let nets = m.nets(stem, Ty::bit(), rows * (cols + 1));
        m.split(line, &nets, 0, cols + 1, rows);
        nets
    };
    let firsts = wave("first", &first_line);
    let takes = wave("take", &take_line);
    let holds = wave("hold", &hold_q);

    m.section("The drains of a column are a chain that ends below the last row");
    let drains = m.nets("drain", sum, (rows + 1) * cols);
    for c in 0..cols {
        m.assign(&drains.at(c), &drains.at(c).k(0));
    }
    let right = cols + 1;
    m.grid(
        "u_pe",
        &pe,
        rows,
        cols,
        &[
            ("act_i", acts.step(right, 1, 0)),
            ("weight_i", weights.step(cols, 1, 0)),
            ("first_i", firsts.step(right, 1, 0)),
            ("take_i", takes.step(right, 1, 0)),
            ("hold_i", holds.step(right, 1, 0)),
            ("drain_i", drains.step(cols, 1, 0)),
            ("act_o", acts.step(right, 1, 1)),
            ("weight_o", weights.step(cols, 1, cols)),
            ("first_o", firsts.step(right, 1, 1)),
            ("take_o", takes.step(right, 1, 1)),
            ("hold_o", holds.step(right, 1, 1)),
            ("drain_o", drains.step(cols, 1, cols)),
        ],
    );
    let bottom = m.join("bottom_sum", &drains, rows * cols, 1, cols);
    let deskew = skew(config, "deskew_sum", cols, sum.width, Skew::Falling)?;
    let sums = m.instance("u_deskew_sum", &deskew, &[("data_i", &bottom)]).out("data_o");
    m.output_is("sum_o", &sums);
    m.build()
}

/// `<prefix>_serial`: a row's word of activations, one code a cycle, then zeros.
///
/// Ports: `load_i`, `word_i` `[rows]`, `code_o`: code 0 in the cycle of `load_i`, code `i` after `i` cycles.
fn serial(config: &Config) -> Result<Arc<Module>, Error> {
    let (rows, bits) = (config.array.rows, config.act_operand().bits());
    let doc = format!(
        "A word of {rows} codes of one row of activations, lowest first, one a cycle from load_i on, then\n\
         zeros, with which its sums do not change."
    );
    let mut m = ModuleBuilder::new(module_name(config, "serial"), doc);
    let load_i = m.input("load_i", Ty::bit());
    let word_i = m.input("word_i", Ty::u(rows * bits));
    let rest_q = m.reg("rest_q", Ty::u((rows - 1) * bits));
    let shifted = if rows > 2 {
        Expr::concat(&[Expr::u(bits, 0), rest_q.part(bits, (rows - 2) * bits)])
    } else {
        Expr::u(bits, 0)
    };
    m.next(&rest_q, &load_i.mux(&word_i.part(bits, (rows - 1) * bits), &shifted));
    m.output_is("code_o", &load_i.mux(&word_i.part(0, bits), &rest_q.part(0, bits)));
    m.build()
}
