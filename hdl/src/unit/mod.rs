//! Hardware units, each described once.

pub mod acc_banks;
pub mod accumulate;
pub mod amba;
pub mod array;
mod array_os;
pub mod axil_regs;
pub mod burst;
pub mod chunk_queue;
pub mod core;
pub mod counters;
pub mod decode;
pub mod decode_acts;
pub mod divider;
pub mod dma_read;
pub mod dma_write;
pub mod double_ram;
pub mod dyadic;
pub mod engine;
pub mod engine_control;
mod engine_input;
pub mod fifo;
pub mod foot;
pub mod front;
pub mod gearbox;
pub mod head_bank;
pub mod head_buffer;
pub mod head_reader;
mod instr_field;
pub mod issue_queue;
pub mod issue_queues;
pub mod load_request;
pub mod load_unit;
pub mod matmul;
mod matmul_feed;
mod matmul_feet;
mod matmul_meaning;
mod matmul_os;
mod matmul_rows;
pub mod matmul_whole;
pub mod memory_port;
pub mod minmax;
pub mod mm;
pub mod mm_plan;
pub mod multiply;
pub mod pack;
pub mod param_writer;
pub mod pe;
mod pe_os;
pub mod product;
pub mod queue;
pub mod ram;
pub mod read_arbiter;
pub mod requant;
mod requant_datapath;
pub mod requant_lane;
mod requant_pipeline;
pub mod requant_plan;
mod requant_results;
mod requant_scales;
pub mod requant_sequencer;
mod requant_stats;
pub mod row_scale;
pub mod row_stats;
pub mod run_control;
pub mod run_sizes;
pub mod scale;
pub mod sequencer;
pub mod skew;
pub mod skid;
pub mod square;
pub mod store_unit;
pub mod table;
pub mod tokens;
pub mod top;
pub mod unpack;
pub mod vec;
pub mod watchdog;
pub mod weight_fifo;

use spec::Config;

/// Module name of a unit: the Config's prefix, an underscore, the unit's name.
pub fn module_name(config: &Config, unit: &str) -> String {
    format!("{}_{unit}", config.design.prefix)
}
