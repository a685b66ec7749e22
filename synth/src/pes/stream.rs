//! Operands on their way through a weight-stationary array whose weights enter a row a cycle.

use hdl::unit::array::latency_cycles;
use spec::Config;

use super::SIDE;
use crate::energy::gates::GateSim;
use crate::energy::netlist::{Net, Netlist};

const ROWS: usize = SIDE as usize;

/// Operands of matrix products on an array of [`SIDE`] × [`SIDE`], tile after tile.
#[derive(Clone, Debug)]
pub struct Operands {
    /// What they are: `uniform`, ...
    pub name: String,
    /// Codes of weights `[tiles, rows, cols]`, columns fastest.
    pub weights: Vec<i8>,
    /// Codes of activations `[tiles, tokens, rows]`, rows fastest; at least [`SIDE`] tokens.
    pub acts: Vec<i8>,
    /// Rows of activations of each tile.
    pub tokens: usize,
}

impl Operands {
    /// Tiles of weights.
    pub fn tiles(&self) -> usize {
        self.weights.len() / (ROWS * ROWS)
    }

    /// Products of weights and activations.
    pub fn macs(&self) -> u64 {
        (self.acts.len() * ROWS) as u64
    }
}

/// Codes of so many bits side by side, the first lowest.
fn packed(codes: &[i8], bits: u32) -> u64 {
    let mask = (1u64 << bits) - 1;
    codes.iter().enumerate().fold(0, |word, (i, &code)| word | (code as u64 & mask) << (i as u32 * bits))
}

/// What an array's input ports have in one cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Port and value: `act_i`, `swap_i`, `weight_i`, `load_i`.
    pub ports: [(&'static str, u64); 4],
}

/// Inputs of all tiles without a pause: while one tile's activations pass, the next tile's weights enter; then as many
/// cycles as the last sums need.
///
/// # Errors
/// Operands whose sizes do not fit each other.
pub fn inputs<'a>(config: &Config, operands: &'a Operands) -> Result<impl Iterator<Item = Inputs> + use<'a>, String> {
    let (tiles, tokens) = (operands.tiles(), operands.tokens);
    let fits = operands.weights.len() == tiles * ROWS * ROWS && operands.acts.len() == tiles * tokens * ROWS;
    if tokens < ROWS || !fits {
        return Err(format!("operands {}: {tiles} tiles of {tokens} tokens do not fit the array", operands.name));
    }
    let (act_bits, weight_bits) = (config.act_operand().bits(), config.weight_operand().bits());
    let steps = tiles * tokens;
    // The first tile's weights enter before its first activations.
    Ok((0..ROWS + steps + latency_cycles(config) as usize).map(move |cycle| {
        let step = cycle.checked_sub(ROWS).filter(|&step| step < steps);
        let acts = step.map_or(0, |step| packed(&operands.acts[step * ROWS..][..ROWS], act_bits));
        let swaps = step.is_some_and(|step| step % tokens == 0);
        let (tile, row) = match cycle.checked_sub(ROWS) {
            None => (0, cycle),
            Some(at) => (at / tokens + 1, at % tokens),
        };
        let loaded = (row < ROWS && tile < tiles).then(|| &operands.weights[(tile * ROWS + row) * ROWS..][..ROWS]);
        let (weights, load) = loaded.map_or((0, 0), |codes| (packed(codes, weight_bits), 1 << row));
        Inputs { ports: [("act_i", acts), ("swap_i", u64::from(swaps)), ("weight_i", weights), ("load_i", load)] }
    }))
}

/// Runs [`inputs`] through a netlist. The result is the sums `[tiles, tokens, cols]`, columns fastest.
///
/// # Errors
/// As [`inputs`]; a netlist without sums.
pub(super) fn run(
    config: &Config,
    netlist: &Netlist,
    gates: &mut GateSim,
    operands: &Operands,
) -> Result<Vec<i64>, String> {
    let outputs = netlist.outputs.iter().find(|(name, _)| name == "sum_o");
    let (_, sum_nets) = outputs.ok_or("the array has no sum_o")?;
    let first = ROWS + latency_cycles(config) as usize;
    let mut sums = Vec::with_capacity(operands.acts.len());
    for (cycle, inputs) in inputs(config, operands)?.enumerate() {
        for (port, value) in inputs.ports {
            gates.set(port, &[value]);
        }
        gates.cycle();
        if cycle >= first {
            sums.extend(sum_nets.chunks(sum_nets.len() / ROWS).map(|nets| signed(gates, nets)));
        }
    }
    Ok(sums)
}

/// The signed integer on nets, lowest bit first.
fn signed(gates: &GateSim, nets: &[Net]) -> i64 {
    let unused = 64 - nets.len() as u32;
    (gates.get(nets) << unused) as i64 >> unused
}
