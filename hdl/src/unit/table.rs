//! The units that a Config alone describes, by name.

use std::sync::Arc;

use spec::Config;

use super::{
    acc_banks, accumulate, array, axil_regs, chunk_queue, core, engine, engine_control, foot, front, head_buffer,
    issue_queues, load_unit, matmul, mm, pe, product, requant, run_control, sequencer, store_unit, top, vec,
    weight_fifo,
};
use crate::error::Error;
use crate::rtl::Module;

/// Describes a unit for a Config.
pub type Build = fn(&Config) -> Result<Arc<Module>, Error>;

/// Name of each unit, as `--unit` takes it, and its description.
pub const UNITS: [(&str, Build); 24] = [
    ("top", top::top),
    ("engine", engine::engine),
    ("array", array::array),
    ("mm", mm::mm),
    ("matmul", matmul::matmul),
    ("requant", requant::requant),
    ("pe", pe::pe),
    ("product", product::product),
    ("foot", foot::foot),
    ("accumulate", accumulate::accumulate),
    ("acc_banks", acc_banks::acc_banks),
    ("chunk_queue", chunk_queue::chunk_queue),
    ("engine_control", engine_control::engine_control),
    ("weight_fifo", weight_fifo::weight_fifo),
    ("core", core::core),
    ("front", front::front),
    ("sequencer", sequencer::sequencer),
    ("issue_queues", issue_queues::issue_queues),
    ("load_unit", load_unit::load_unit),
    ("head_buffer", head_buffer::head_buffer),
    ("store_unit", store_unit::store_unit),
    ("vector", vec::vector::vector),
    ("axil_regs", axil_regs::axil_regs),
    ("run_control", run_control::run_control),
];

/// The unit of that name.
pub fn find(name: &str) -> Option<Build> {
    UNITS.iter().find(|(unit, _)| *unit == name).map(|(_, build)| *build)
}
