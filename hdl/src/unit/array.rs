//! The systolic array: R x C PEs with skew and de-skew inside; this file describes the weight-stationary one.

use std::sync::Arc;

use spec::{Config, Dataflow};

use super::array_os::{self, array_os};
use super::skew::{Skew, skew};
use super::{module_name, pe};
use crate::error::Error;
use crate::rtl::connect::Nets;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// Cycles from `act_i` to the sums of that row of activations at `sum_o`; output-stationary, from `take_i` to the first sums.
pub fn latency_cycles(config: &Config) -> u32 {
    if config.array.dataflow == Dataflow::Os {
        return array_os::latency_cycles(config);
    }
    pe::latency_cycles(config) + config.array.rows - 1 + config.array.cols - 1
}

/// `<prefix>_array`, [`array_os`] or weight-stationary: `sum_o[c] = Σ_r act_i[r] * weight[r][c]` for each row of activations, one row a cycle.
///
/// Ports: `act_i` `[rows]`, `swap_i` (first row of a tile), `weight_i` `[preload_rows, cols]`, `load_i`
/// `[preload_cycles]` (one-hot: which row of every band `weight_i` holds), `sum_o` `[cols]` signed sums; element 0
/// lowest. Rows are cut into `preload_rows` bands of `preload_cycles` rows; band `i` hears of a load `i *
/// preload_cycles` cycles later, so that weights follow the diagonal wave of the activations: tile `t + 1` may start to
/// load in the cycle in which tile `t` swaps, and must start to load at least one cycle before it swaps itself.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn array(config: &Config) -> Result<Arc<Module>, Error> {
    if config.array.dataflow == Dataflow::Os {
        return array_os(config);
    }
    let (rows, cols) = (config.array.rows, config.array.cols);
    let (bands, depth) = (config.preload_rows(), config.preload_cycles());
    let (act_bits, weight_bits) = (config.act_operand().bits(), config.weight_operand().bits());
    let doc = format!(
        "Systolic array of {rows} x {cols} PEs, weight-stationary, one row of activations a cycle.\n\
         Latency {} cycles from act_i to sum_o; skew and de-skew are inside.\n\
         load_i[s] marks weight_i as row s of each of the {bands} bands of {depth} rows. A tile's weights\n\
         may start to enter in the cycle of the previous tile's swap_i; its own swap_i comes at\n\
         least one cycle after its load_i[0].",
        latency_cycles(config)
    );
    let mut m = ModuleBuilder::new(module_name(config, "array"), doc);
    let act_i = m.input("act_i", Ty::u(rows * act_bits));
    let swap_i = m.input("swap_i", Ty::bit());
    let weight_i = m.input("weight_i", Ty::u(bands * cols * weight_bits));
    let load_i = m.input("load_i", Ty::u(depth));

    m.section("Activations and swaps: row r waits r cycles, then passes one column a cycle");
    let acts = m.nets("act", Ty::u(act_bits), rows * (cols + 1));
    let swaps = m.nets("swap", Ty::bit(), rows * (cols + 1));
    let skew_act = skew(config, "skew_act", rows, act_bits, Skew::Rising)?;
    let skewed = m.instance("u_skew_act", &skew_act, &[("data_i", &act_i)]).out("data_o");
    m.split(&skewed, &acts, 0, cols + 1, rows);
    let swap_line = if rows == 1 {
        swap_i
    } else {
        let swap_q = m.reg("swap_q", Ty::u(rows - 1));
        let line = m.wire("swap_line", &Expr::concat(&[swap_q.clone(), swap_i]));
        m.next(&swap_q, &line.part(0, rows - 1));
        line
    };
    m.split(&swap_line, &swaps, 0, cols + 1, rows);

    m.section("Weights: each band has its own column buses; column c waits c cycles");
    let loads = m.nets("load", Ty::bit(), rows * (cols + 1));
    let weights = m.nets("weight", Ty::u(weight_bits), bands * cols);
    let skew_weight = skew(config, "skew_weight", cols, weight_bits, Skew::Rising)?;
    let mut load = load_i;
    for band in 0..bands {
        let first = band * depth;
        let used = depth.min(rows - first);
        let word = m.wire(&format!("band{band}_weight"), &weight_i.part(band * cols * weight_bits, cols * weight_bits));
        let word = delay(&mut m, &format!("band{band}_weight"), &word, first);
        let skewed = m.instance(&format!("u_skew_weight{band}"), &skew_weight, &[("data_i", &word)]).out("data_o");
        m.split(&skewed, &weights, band * cols, 1, cols);
        if band > 0 {
            let used_load = if used == depth { load.clone() } else { m.wire("last_band_load", &load.part(0, used)) };
            load = delay(&mut m, &format!("band{band}_load"), &used_load, depth);
        }
        m.split(&load, &loads, first * (cols + 1), cols + 1, used);
    }

    m.section("Sums enter as zero above row 0, are as wide as their row needs, and leave below the last row");
    let stride = cols + 1;
    let runs = runs(config);
    let mut sums: Option<Sums> = None;
    for &Run { band, first, count, bits } in &runs {
        let here = match sums {
            Some(sums) if sums.bits == bits => sums,
            above => {
                let rows: u32 = runs.iter().filter(|run| run.bits == bits).map(|run| run.count).sum();
                let nets = m.nets(&format!("sum_{bits}"), Ty::s(bits), (rows + 1) * cols);
                match above {
                    Some(above) => {
                        let ports = [("sum_i", above.nets.step(0, 1, above.last)), ("sum_o", nets.step(0, 1, 0))];
                        m.grid(&format!("u_widen_{bits}"), &widen(config, above.bits, bits)?, 1, cols, &ports);
                    }
                    None => (0..cols).for_each(|c| m.assign(&nets.at(c), &nets.at(c).k(0))),
                }
                Sums { nets, bits, last: 0 }
            }
        };
        m.grid(
            &format!("u_row{first}_pe"),
            &pe::pe_of(config, bits)?,
            count,
            cols,
            &[
                ("act_i", acts.step(stride, 1, first * stride)),
                ("swap_i", swaps.step(stride, 1, first * stride)),
                ("load_i", loads.step(stride, 1, first * stride)),
                ("weight_i", weights.step(0, 1, band * cols)),
                ("sum_i", here.nets.step(cols, 1, here.last)),
                ("act_o", acts.step(stride, 1, first * stride + 1)),
                ("swap_o", swaps.step(stride, 1, first * stride + 1)),
                ("load_o", loads.step(stride, 1, first * stride + 1)),
                ("sum_o", here.nets.step(cols, 1, here.last + cols)),
            ],
        );
        sums = Some(Sums { last: here.last + count * cols, ..here });
    }
    let sums = sums.expect("an array has rows");
    let bottom = m.join("bottom_sum", &sums.nets, sums.last, 1, cols);
    let deskew = skew(config, "deskew_sum", cols, config.sum_bits(), Skew::Falling)?;
    let sum = m.instance("u_deskew_sum", &deskew, &[("data_i", &bottom)]).out("data_o");
    m.output_is("sum_o", &sum);
    m.build()
}

/// Rows of one band whose sums have one width.
#[derive(Clone, Copy)]
struct Run {
    band: u32,
    first: u32,
    count: u32,
    bits: u32,
}

/// Sums of one width, those that enter their first row at the beginning.
struct Sums {
    nets: Nets,
    bits: u32,
    /// Element of the sums that leave the last row described.
    last: u32,
}

/// The array's rows from the first to the last; a sum of row `r` is one of `r + 1` products.
fn runs(config: &Config) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for row in 0..config.array.rows {
        let (band, bits) = (row / config.preload_cycles(), config.sum_bits_of(u64::from(row) + 1));
        match runs.last_mut() {
            Some(run) if (run.band, run.bits) == (band, bits) => run.count += 1,
            _ => runs.push(Run { band, first: row, count: 1, bits }),
        }
    }
    runs
}

/// `<prefix>_widen_<from>_<to>`: a sum on its way to a row with wider ones; combinational.
fn widen(config: &Config, from: u32, to: u32) -> Result<Arc<Module>, Error> {
    let doc = format!("A sum of {from} bits in {to} bits. Combinational.");
    let name = format!("widen_{from}_{to}");
    let mut m = ModuleBuilder::new(module_name(config, &name), doc);
    let sum_i = m.input("sum_i", Ty::s(from));
    m.output_is("sum_o", &sum_i.extend(to));
    m.build()
}

/// `value` delayed by `cycles`, one shift register.
fn delay(m: &mut ModuleBuilder, stem: &str, value: &Expr, cycles: u32) -> Expr {
    let mut value = value.clone();
    for stage in 0..cycles {
        value = m.pipe(&format!("{stem}_d{}_q", stage + 1), &value);
    }
    value
}
