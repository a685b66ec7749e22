//! `--unit`: which part of the hardware.

use std::sync::Arc;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use hdl::rtl::{Design, Module};
use hdl::unit;
use spec::Config;

use crate::error::Error;

type Build = fn(&Config) -> Result<Arc<Module>, hdl::Error>;

/// A unit that a Config alone describes.
#[derive(Clone, Copy, Debug)]
pub struct Unit {
    /// Name on the command line.
    pub name: &'static str,
    build: Build,
}

/// The whole accelerator: what runs whole models.
pub const TOP: &str = "top";
/// The tile engine: what runs linear layers.
pub const ENGINE: &str = "engine";
/// The systolic array alone.
pub const ARRAY: &str = "array";

const UNITS: &[Unit] = &[
    Unit { name: TOP, build: unit::top::top },
    Unit { name: ENGINE, build: unit::engine::engine },
    Unit { name: ARRAY, build: unit::array::array },
    Unit { name: "mm", build: unit::mm::mm },
    Unit { name: "matmul", build: unit::matmul::matmul },
    Unit { name: "requant", build: unit::requant::requant },
    Unit { name: "pe", build: unit::pe::pe },
    Unit { name: "product", build: unit::product::product },
    Unit { name: "foot", build: unit::foot::foot },
    Unit { name: "accumulate", build: unit::accumulate::accumulate },
    Unit { name: "acc_banks", build: unit::acc_banks::acc_banks },
    Unit { name: "chunk_queue", build: unit::chunk_queue::chunk_queue },
    Unit { name: "engine_control", build: unit::engine_control::engine_control },
    Unit { name: "weight_fifo", build: unit::weight_fifo::weight_fifo },
    Unit { name: "core", build: unit::core::core },
    Unit { name: "front", build: unit::front::front },
    Unit { name: "sequencer", build: unit::sequencer::sequencer },
    Unit { name: "issue_queues", build: unit::issue_queues::issue_queues },
    Unit { name: "load_unit", build: unit::load_unit::load_unit },
    Unit { name: "head_buffer", build: unit::head_buffer::head_buffer },
    Unit { name: "store_unit", build: unit::store_unit::store_unit },
    Unit { name: "vector", build: unit::vec::vector::vector },
    Unit { name: "axil_regs", build: unit::axil_regs::axil_regs },
    Unit { name: "run_control", build: unit::run_control::run_control },
];

/// Parses the name of a unit.
pub fn unit() -> impl TypedValueParser<Value = Unit> {
    let parser = PossibleValuesParser::new(UNITS.iter().map(|u| u.name));
    parser.map(|name| *UNITS.iter().find(|u| u.name == name).expect("only listed names are let through"))
}

impl Unit {
    /// The unit for a Config.
    ///
    /// # Errors
    /// If the description does not hold together for this Config.
    pub fn design(&self, config: &Config) -> Result<Design, Error> {
        Ok(Design::new((self.build)(config)?))
    }
}
