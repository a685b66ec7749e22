//! Energy and power of an estimated design.

use spec::Config;

use super::estimator::Estimate;
use crate::energy::technology::{Memories, Technology};

/// What a program does on the accelerator.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// Cycles.
    pub cycles: u64,
    /// Products that are added.
    pub macs: u64,
    /// Bytes of DRAM read.
    pub read_bytes: u64,
    /// Bytes of DRAM written.
    pub write_bytes: u64,
}

impl Estimate {
    /// Energy of a program in pJ: its products with the accesses of memories that they need, clock and leakage of all of its
    /// cycles, and DRAM (LPDDR4). What the other units compute is left out but for their clock and leakage.
    pub fn energy_pj(&self, work: &Work) -> f64 {
        let (cycles, macs) = (work.cycles as f64, work.macs as f64);
        // mW over MHz are nJ.
        let leakage_pj = 1e3 * self.leakage_mw / self.freq_mhz;
        macs * (self.mac_data_pj + self.mac_sram_pj)
            + cycles * (self.clock_pj_per_cycle + leakage_pj)
            + 8.0 * (work.read_bytes as f64 * self.dram_pj_per_bit.0 + work.write_bytes as f64 * self.dram_pj_per_bit.1)
    }
}

/// Energy in pJ of the memories of the matrix unit in a cycle in which all PEs work: a word of activations is read, one of
/// sums read and one written, and a word of weights as often as tiles of `array.chunk_rows` rows need them.
pub(super) fn sram_pj(config: &Config, memories: &Memories, technology: &Technology) -> f64 {
    let access = |bits: u32, words: u32| {
        let (bits, words) = (f64::from(bits), f64::from(words.max(1)));
        bits * memories.sram.bit_pj(bits * words, technology)
    };
    let depth = f64::from(config.preload_cycles());
    let weight_share = depth / depth.max(f64::from(config.array.chunk_rows));
    access(8 * (config.array.rows + 1), config.top_act_words())
        + 2.0 * access(config.array.cols * config.top_acc_bits(), config.top_acc_words())
        + weight_share * access(config.weight_word_bits(), config.weight_words())
}
