//! Hardware units, each described once.

pub mod acc_banks;
pub mod accumulate;
pub mod array;
pub mod chunk_queue;
pub mod decode;
pub mod double_ram;
pub mod engine_control;
pub mod foot;
pub mod matmul;
pub mod pe;
pub mod product;
pub mod ram;
pub mod skew;
pub mod unpack;
pub mod weight_fifo;

use spec::Config;

/// Module name of a unit: the Config's prefix, an underscore, the unit's name.
pub fn module_name(config: &Config, unit: &str) -> String {
    format!("{}_{unit}", config.design.prefix)
}
