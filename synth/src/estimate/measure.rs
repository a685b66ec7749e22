//! Energy of a mapped array at work: uniform random activations in every cycle, a tile of uniform random weights for every
//! [`TILE_ROWS`] of them, simulated gate by gate with the library's power tables.

use std::fs;
use std::path::Path;

use spec::{Config, Dataflow};

use crate::energy::gates::{GateEnergy, GateSim};
use crate::energy::netlist::Netlist;
use crate::energy::power::PowerLibrary;
use crate::error::Error;

/// Rows of activations that a tile of weights serves.
pub const TILE_ROWS: u32 = 64;
/// Tiles that are measured.
const TILES: u32 = 8;
/// Transition of every input in ns.
const SLEW_NS: f64 = 0.02;

/// Energy of one cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// All but clock pins and leakage, in pJ.
    pub data_pj: f64,
    /// Clock pins, in pJ.
    pub clock_pj: f64,
    /// Leakage in nW.
    pub leakage_nw: f64,
}

/// Splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// So many random bits as limbs.
    fn bits(&mut self, width: u32) -> Vec<u64> {
        let mut limbs: Vec<u64> = (0..width.div_ceil(64)).map(|_| self.next()).collect();
        if let Some(last) = limbs.last_mut().filter(|_| !width.is_multiple_of(64)) {
            *last &= (1 << (width % 64)) - 1;
        }
        limbs
    }
}

/// Energy of a weight-stationary array at work; nothing for another dataflow.
///
/// `netlist` is the flattened netlist that synthesis kept, `top` its module.
///
/// # Errors
/// [`Error::Io`], [`Error::Output`] for a netlist that cannot be simulated.
pub fn measure(config: &Config, netlist: &Path, top: &str, library: &PowerLibrary) -> Result<Option<Measured>, Error> {
    if config.array.dataflow != Dataflow::Ws {
        return Ok(None);
    }
    let wrong = |problem| Error::Output { tool: "yosys".into(), problem, log: netlist.to_path_buf() };
    let text = fs::read_to_string(netlist).map_err(Error::io("read", netlist))?;
    let parsed = Netlist::from_json(&text, top).map_err(wrong)?;
    let mut gates = GateSim::new(&parsed, library, SLEW_NS).map_err(wrong)?;
    let depth = config.preload_cycles();
    let mut random = Random(1);
    let tile_rows = TILE_ROWS.max(depth + 1);
    // What was in the registers has left, and two tiles have passed, before anything is counted.
    let settled = 2 * tile_rows + config.array.rows + config.array.cols;
    let mut before = GateEnergy::default();
    for cycle in 0..settled + TILES * tile_rows {
        let row = cycle % tile_rows;
        gates.set("act_i", &random.bits(config.act_word_bits()));
        gates.set("swap_i", &[u64::from(row == 0)]);
        let mut load = vec![0; depth.div_ceil(64) as usize];
        if row < depth {
            load[(row / 64) as usize] = 1 << (row % 64);
            gates.set("weight_i", &random.bits(config.weight_word_bits()));
        }
        gates.set("load_i", &load);
        if cycle == settled {
            before = gates.energy();
        }
        gates.cycle();
    }
    let found = gates.energy();
    let cycles = (found.cycles - before.cycles) as f64;
    let data = |e: &GateEnergy| e.internal_pj + e.switching_pj + e.registers_pj;
    Ok(Some(Measured {
        data_pj: (data(&found) - data(&before)) / cycles,
        clock_pj: (found.clock_pj - before.clock_pj) / cycles,
        leakage_nw: found.leakage_nw,
    }))
}
