//! What a unit's outline depends on: every other field of the Config is set to one value, so that Configs which differ in
//! those alone share an outline. Sizes of buffers are put back where it is used.

use spec::{Config, Dataflow, Format, PeKind};

use super::census::MEMORY_BITS;
use super::outline::Outline;
use crate::asic::MOST_FLOP_BITS;

/// Words of each half of the activation buffer, and of each accumulator bank, with which outlines are made: no other
/// memory has so many. Addresses have 11 and 10 bits then; what a few bits more or less cost is left out where it is lost
/// beside the rest.
const ACT_WORDS: u32 = 2039;
const ACC_WORDS: u32 = 1021;

/// PEs beside which the width of addresses is lost.
const LARGE_ARRAY: u32 = 128;
/// Most words of either that instructions can address.
const ADDRESSED_WORDS: u32 = 1 << 14;

/// The Config with which a unit's outline is made.
pub fn canonical(config: &Config, unit: &str) -> Config {
    let mut canon = config.clone();
    match unit {
        "front" => {
            without_vector(&mut canon);
            canon.vec.lanes = config.vec_lanes();
            canon.vec.params = config.vec.params;
            without_buffers(&mut canon);
            canon.array.dataflow = Dataflow::Ws;
            canon.pe.product_register = false;
        }
        "vector" => {
            canon.vec.lanes = config.vec_lanes();
            let format = match config.top_acc_bits() {
                32 => Format::W8a8,
                48 => Format::Mxfp4a8,
                _ => Format::Nvfp4,
            };
            (canon.pe.kind, canon.pe.formats) = (PeKind::Mac, vec![format]);
            canon.pe.product_register = false;
            canon.array.dataflow = Dataflow::Ws;
            canon.array.preload_rows = 1;
            without_buffers(&mut canon);
            (canon.dma.outstanding, canon.dma.burst_beats) = (1, 16);
        }
        "mm" | "array" => {
            without_vector(&mut canon);
            (canon.bus.data_bits, canon.dma.outstanding, canon.dma.burst_beats) = (64, 1, 16);
            // Sums that stay are as wide as the activation buffer is long; beside few PEs addresses count.
            let is_large = config.array.rows * config.array.cols >= LARGE_ARRAY;
            if config.array.dataflow == Dataflow::Ws && (is_large || unit == "array") {
                let tiles = canon.buffer.weight_tiles;
                without_buffers(&mut canon);
                canon.buffer.weight_tiles = if unit == "mm" { tiles } else { 2 };
            }
        }
        "axil_regs" | "run_control" => {
            without_vector(&mut canon);
            without_buffers(&mut canon);
            (canon.bus.data_bits, canon.dma.outstanding, canon.dma.burst_beats) = (64, 1, 16);
            (canon.array.rows, canon.array.cols, canon.array.preload_rows) = (4, 4, 1);
            canon.array.dataflow = Dataflow::Ws;
            (canon.pe.kind, canon.pe.formats) = (PeKind::Mac, vec![Format::W8a8]);
            canon.pe.product_register = false;
            without_buffers(&mut canon);
        }
        _ => return canon,
    }
    canon.array.chunk_rows = 16;
    canon.requant.lanes = 1;
    canon.requant.dividers = 1;
    canon.requant.quotient_bits = 1;
    canon
}

fn without_vector(canon: &mut Config) {
    canon.vec.lanes = 1;
    canon.vec.elements = 1024;
    canon.vec.params = 1024;
    canon.vec.dividers = 1;
    canon.vec.quotient_bits = 1;
}

fn without_buffers(canon: &mut Config) {
    canon.buffer.act_bytes = 2 * ACT_WORDS * (canon.array.rows + 1);
    canon.buffer.acc_bytes = 2 * ACC_WORDS * (canon.array.cols * canon.top_acc_bits()).div_ceil(8);
    canon.buffer.weight_tiles = 2;
    canon.buffer.channels = 4096;
}

/// The outline with the sizes of the Config's own buffers.
pub fn restored(mut outline: Outline, config: &Config, unit: &str) -> Outline {
    if unit != "mm" || config.array.dataflow == Dataflow::Os {
        return outline;
    }
    let act_words = config.top_act_words().min(ADDRESSED_WORDS);
    let acc_words = config.top_acc_words().min(ADDRESSED_WORDS);
    let act = (ACT_WORDS, 8 * (config.array.rows + 1), act_words);
    let acc = (ACC_WORDS, config.array.cols * config.top_acc_bits(), acc_words);
    let mut renamed = Vec::new();
    for (name, part) in &mut outline.parts {
        for memory in &mut part.census.memories {
            let found = [act, acc].into_iter().find(|(words, width, _)| *memory == (*words, *width));
            if let Some((from, _, words)) = found {
                memory.0 = words;
                renamed.push((name.clone(), name.replace(&format!("x{from}"), &format!("x{words}"))));
            }
        }
        // What is small is made of flip-flops.
        let counts = &mut part.census.counts;
        part.census.memories.retain(|(words, width)| {
            let bits = u64::from(*words) * u64::from(*width);
            if bits <= MOST_FLOP_BITS {
                counts[MEMORY_BITS] += bits as f64;
            }
            bits > MOST_FLOP_BITS
        });
    }
    for (from, to) in renamed {
        if let Some(part) = outline.parts.remove(&from) {
            outline.parts.insert(to.clone(), part);
        }
        if let Some(children) = outline.children.remove(&from) {
            outline.children.insert(to.clone(), children);
        }
        for child in outline.children.values_mut().flatten().filter(|child| child.module == from) {
            child.module.clone_from(&to);
        }
    }
    outline
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::units::{built, of_unit};

    /// Random Configs that the accelerator can be built for.
    fn configs(count: usize) -> Vec<Config> {
        let mut state = 7u64;
        let mut draw = |list: &[u32]| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            list[(state >> 33) as usize % list.len()]
        };
        let mut found = Vec::new();
        while found.len() < count {
            let preset = ["tiny", "small", "base", "fp4"][draw(&[0, 1, 2, 3]) as usize];
            let mut c = Config::from_toml(hdl::presets::preset(preset).unwrap()).unwrap();
            c.array.rows = draw(&[1, 2, 3, 4, 8, 12, 16]);
            c.array.cols = draw(&[1, 2, 4, 5, 8, 16]);
            c.array.preload_rows = draw(&[1, 1, 2]);
            c.array.chunk_rows = draw(&[4, 32, 100]);
            if draw(&[0, 0, 0, 1]) == 1 {
                (c.array.dataflow, c.array.preload_rows) = (Dataflow::Os, 1);
            }
            c.pe.product_register = draw(&[0, 1]) == 1;
            if draw(&[0, 1]) == 1 {
                let format = Format::ALL[draw(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) as usize];
                (c.pe.kind, c.pe.formats) = (format.pe_kind(), vec![format]);
            }
            c.buffer.act_bytes = draw(&[1000, 8192, 65536, 100_000]);
            c.buffer.acc_bytes = draw(&[16384, 65536, 300_000]);
            c.buffer.weight_tiles = draw(&[2, 4, 5]);
            c.vec.lanes = draw(&[1, 2, 4, 8]);
            c.vec.elements = draw(&[512, 2048, 16384]);
            c.vec.params = draw(&[512, 2048]);
            c.vec.dividers = draw(&[1, 4, 8]);
            c.vec.quotient_bits = draw(&[1, 2]);
            c.bus.data_bits = draw(&[32, 64, 128]);
            c.dma.outstanding = draw(&[1, 4, 8]);
            c.dma.burst_beats = draw(&[4, 16]);
            c.requant.lanes = draw(&[1, 4]);
            if c.validate().is_ok() && c.check_accelerator().is_ok() {
                found.push(c);
            }
        }
        found
    }

    #[test]
    fn what_is_left_out_changes_nothing_but_addresses() {
        for config in configs(24) {
            for unit in ["front", "vector", "mm", "axil_regs", "run_control", "array"] {
                let (whole, kept) = (built(&config, unit).unwrap(), of_unit(&config, unit).unwrap());
                let said = format!("{unit} of {}", config.to_toml());
                if matches!(unit, "array" | "run_control") {
                    assert_eq!(whole, kept, "{said}");
                    continue;
                }
                let memories = |outline: &Outline| {
                    let parts = outline.parts.values();
                    let mut all: Vec<_> =
                        parts.flat_map(|p| p.census.memories.iter().map(|m| (*m, p.instances))).collect();
                    all.sort_unstable();
                    all
                };
                assert_eq!(memories(&whole), memories(&kept), "{said}");
                let sum = |outline: &Outline| -> Vec<f64> {
                    let of = |i: usize| outline.parts.values().map(|p| p.census.counts[i] * p.instances as f64).sum();
                    (0..super::super::census::KINDS.len()).map(of).collect()
                };
                let (a, b) = (sum(&whole), sum(&kept));
                let total: f64 = a.iter().sum();
                let apart: f64 = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).sum();
                assert!(apart < 0.02 * total, "{apart} of {total}: {a:?} {b:?} {said}");
                assert!((whole.path / kept.path - 1.0).abs() < 0.05, "{} {} {said}", whole.path, kept.path);
            }
        }
    }
}
