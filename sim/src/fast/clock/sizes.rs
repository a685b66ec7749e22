//! All that the clock asks of a Config.

use hdl::unit::mm_plan::MmPlan;
use spec::{Config, Dataflow, Format, Scaling};

use super::mm::MmSizes;

/// What cycles depend on. Machines with equal sizes take the same cycles over the same program and memory, whatever else
/// their Configs say.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sizes {
    pub(super) dataflow: Dataflow,
    pub(super) rows: u32,
    pub(super) cols: u32,
    pub(super) preload_rows: u32,
    pub(super) data_bits: u32,
    pub(super) beat_bytes: u32,
    /// Formats that the hardware computes, and scalings that it has.
    pub(super) formats: Vec<Format>,
    pub(super) scalings: Vec<Scaling>,
    pub(super) mm: MmSizes,
    /// Vector unit: lanes, parameters, dividers and bits of a quotient in a cycle.
    pub(super) lanes: u32,
    pub(super) params: u32,
    pub(super) dividers: u32,
    pub(super) quotient_bits: u32,
    /// Bursts of loads and stores.
    pub(super) outstanding: u32,
    pub(super) burst_beats: u32,
}

impl Sizes {
    /// Those of the accelerator of a Config.
    pub fn new(config: &Config) -> Self {
        let plan = MmPlan::accelerator(config);
        Self {
            dataflow: config.array.dataflow,
            rows: config.array.rows,
            cols: config.array.cols,
            preload_rows: config.preload_rows(),
            data_bits: config.bus.data_bits,
            beat_bytes: config.beat_bytes(),
            formats: config.pe.formats.clone(),
            scalings: Scaling::ALL.into_iter().filter(|&scaling| config.builds_scaling(scaling)).collect(),
            mm: MmSizes {
                preload_cycles: config.preload_cycles(),
                weight_words: config.weight_words(),
                array_stages: plan.array_stages(config),
                scale_stages: plan.scale_stages(),
                flight_depth: plan.flight_depth(config),
                scale_depth: plan.scale_depth(config),
            },
            lanes: config.vec_lanes(),
            params: config.vec.params,
            dividers: config.vec.dividers,
            quotient_bits: config.vec.quotient_bits,
            outstanding: config.dma.outstanding,
            burst_beats: config.dma.burst_beats,
        }
    }
}
