//! Internal signals of the tile engine that are compared beside its ports.

use hdl::rtl::ty::index_bits;
use sim::engine::Probe;
use spec::Config;

/// A row of sums leaves the array for the accumulators.
pub const SUM_VALID: &str = "sum_valid";
/// Accumulator bank of these sums.
pub const SUM_BANK: &str = "sum_bank";
/// Accumulator word of these sums.
pub const SUM_ADDR: &str = "sum_addr";
/// The sums, column 0 lowest.
pub const SUM: &str = "sum";

/// The probes of a tile engine: the sums that leave the array and where they go.
pub fn engine_probes(config: &Config) -> Vec<Probe> {
    let probe = |name: &str, signal: &str, width: u32| Probe {
        name: name.to_string(),
        path: format!("u_matmul.u_accumulate.{signal}"),
        width,
    };
    vec![
        probe(SUM_VALID, "valid_i", 1),
        probe(SUM_BANK, "bank_i", 1),
        probe(SUM_ADDR, "addr", index_bits(config.acc_words())),
        probe(SUM, "sum_i", config.array.cols * config.sum_bits()),
    ]
}
