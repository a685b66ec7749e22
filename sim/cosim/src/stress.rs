//! Short layers that together reach what one layer of a model does not: every format and mode, edges of K and N, chunks
//! of all sizes, stalls, random registers, and sums that fill every bit.

use golden::gemm::{Shape, random_layer};
use golden::num;
use spec::qmodel::{QActs, QLinear};
use spec::verdict::Verdict;
use spec::{Config, Format, Operand, RequantMode};

use crate::engine::{Cosim, Options};
use crate::error::Error;

/// Longest reduction that [`golden`] takes.
const MAX_K: usize = 65_535;
/// Most multiplications of a layer with long reductions, over the number of PEs: bounds its cycles.
const MOST_CYCLES: usize = 70_000;

/// Sizes of the operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codes {
    /// Every code equally often.
    Uniform,
    /// Large codes of one sign in each row and channel, so that sums grow with K up to their highest bits.
    Large,
    /// The extreme codes, zero points and alignments that give the largest sums there are.
    Extreme,
    /// One code a row and a channel, chosen so that quotients are exact halves, whose rounding every bit below decides.
    Ties,
    /// Zeros and ones and small factors, so that ranges are small, quotients tie and steps are coarse.
    Small,
    /// Steps whose product is just below a power of two, so that its mantissa rounds up to the next one.
    Steps,
}

/// One layer and how it is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stress {
    /// Tokens, reduction, channels.
    pub shape: (usize, usize, usize),
    /// Format.
    pub format: Format,
    /// Requantisation.
    pub mode: RequantMode,
    /// How large its codes are.
    pub codes: Codes,
    /// Seed of the operands.
    pub seed: u64,
    /// Seed of the stalls.
    pub stall_seed: Option<u64>,
    /// Seeds of the registers.
    pub random_start: Option<(u64, u64)>,
}

/// The layers for a Config, short ones first.
pub fn list(config: &Config) -> Vec<Stress> {
    let (rows, cols) = (config.array.rows as usize, config.array.cols as usize);
    let chunk = config.array.chunk_rows as usize;
    let mut list = Vec::new();
    let mut add = |shape, format, mode, kind: usize| {
        let seed = list.len() as u64 + 1;
        list.push(Stress {
            shape: fit(config, shape),
            format,
            mode,
            codes: [
                Codes::Uniform,
                Codes::Uniform,
                Codes::Uniform,
                Codes::Small,
                Codes::Ties,
                Codes::Large,
                Codes::Steps,
            ][kind],
            seed,
            stall_seed: (kind == 1 || kind == 2).then_some(seed),
            random_start: (kind == 2).then_some((seed, !seed)),
        });
    };
    for &format in &config.pe.formats {
        for &mode in &config.requant.modes {
            add((5, 3 * rows + 1, 2 * cols + 1), format, mode, 0);
            add((40, 4 * rows, 2 * cols), format, mode, 4);
            add((2 * chunk + 1, rows.max(2) - 1, 3 * cols - 1), format, mode, 1);
            add((chunk + chunk / 2 + 1, 2 * rows, cols + 1), format, mode, 2);
            add((1, 5 * rows - 1, 2 * cols), format, mode, 1);
        }
    }
    for &mode in &config.requant.modes {
        // Many rows, for their steps; many channels, for tile counters and addresses.
        add((150, 3, cols + 1), config.pe.formats[0], mode, 1);
        add((60, 5, cols + 1), config.pe.formats[0], mode, 3);
        add((60, 1, cols), config.pe.formats[0], mode, 3);
        // Many rows with large ranges: their products with steps use every bit.
        add((200, 16 * rows, cols), config.pe.formats[0], mode, 5);
        add((20, rows, cols), config.pe.formats[0], mode, 6);
        // One channel: rows follow each other as fast as they can.
        add((80, 2, 1), config.pe.formats[0], mode, 0);
        add((2, 2, 40 * cols), config.pe.formats[0], mode, 0);
        for kind in [0, 1, 1] {
            add((4 * chunk, 9 * rows, 2 * cols + 1), config.pe.formats[0], mode, kind);
            // Few enough tiles for a half to be wanted while its first words are still read.
            add((5 * chunk, 2 * rows, 3 * cols + 1), config.pe.formats[0], mode, kind);
        }
    }
    // Every power of two as a count of rows, tiles, and columns of the last tile: counters and their comparisons.
    let (format, mode) = (config.pe.formats[0], config.requant.modes[0]);
    for power in (0..8).map(|bit| 1 << bit) {
        add((power.min(chunk), 2, 2), format, mode, 0);
        add((1, power * rows, 1), format, mode, 0);
        add((1, 1, power * cols), format, mode, 0);
        if power < cols {
            add((2, 2, cols + power), format, mode, 0);
        }
    }
    for seed in 1..4 {
        for &mode in &config.requant.modes {
            let (m, n) = (chunk.min(8), 4);
            let k = (MOST_CYCLES * rows * cols / m / n.max(cols)).min(MAX_K);
            let shape = fit(config, (m, k, n));
            let format = config.pe.formats[0];
            for codes in [Codes::Ties, Codes::Large, Codes::Extreme, Codes::Uniform] {
                // Ties stay exact through alignment by an odd factor over 2^7.
                let shape = if codes == Codes::Ties { (shape.0, shape.1.max(128) / 128 * 128, shape.2) } else { shape };
                let shape = fit(config, shape);
                list.push(Stress { shape, format, mode, codes, seed, stall_seed: None, random_start: None });
            }
        }
    }
    list
}

/// The largest layer within `shape` that the buffers hold, keeping at least half of a chunk's rows together.
fn fit(config: &Config, shape: (usize, usize, usize)) -> (usize, usize, usize) {
    let (m, k, n) = shape;
    let (rows, cols) = (config.array.rows as usize, config.array.cols as usize);
    let together = m.min(config.array.chunk_rows as usize).div_ceil(2);
    let most_k = rows * (config.act_words() as usize / together).max(1);
    let most_n = (cols * (config.acc_words() as usize / together).max(1)).min(config.buffer.channels as usize);
    (m, k.min(most_k), n.min(most_n))
}

impl Stress {
    /// The layer and its activations.
    ///
    /// # Errors
    /// [`Error::Golden`] for a shape that golden refuses.
    pub fn operands(&self) -> Result<(QLinear, QActs), Error> {
        let (m, k, n) = self.shape;
        let zero_points = self.seed.is_multiple_of(2) && self.format.act() == Operand::Int8;
        let (mut layer, mut acts) = random_layer(Shape { m, k, n }, self.format, self.mode, zero_points, self.seed)?;
        match self.codes {
            Codes::Uniform => {}
            Codes::Large => self.enlarge(&mut layer, &mut acts),
            Codes::Extreme => self.exhaust(&mut layer, &mut acts),
            Codes::Ties => self.tie(&mut layer, &mut acts),
            Codes::Small => self.shrink(&mut layer, &mut acts),
            Codes::Steps => round_up(&mut layer, &mut acts),
        }
        Ok((layer, acts))
    }

    /// Layer number `i` of the list, named by its place and how it is run; its activations; its own options.
    pub(crate) fn prepare(&self, i: usize, options: &Options) -> Result<(QLinear, QActs, Options), Error> {
        let (mut layer, acts) = self.operands()?;
        let starts = match self.random_start {
            Some((step, rtl)) => format!(", registers {step} and {rtl}"),
            None => String::new(),
        };
        let stalls = self.stall_seed.map(|seed| format!(", stalls {seed}")).unwrap_or_default();
        let (format, mode) = (self.format.name(), self.mode.name());
        layer.name = format!("stress {i}: {}, {format}, {mode}{stalls}{starts}", layer.name);
        let (stall_seed, random_start) = (self.stall_seed, self.random_start);
        Ok((layer, acts, Options { stall_seed, random_start, vcd: None, ..options.clone() }))
    }

    fn enlarge(&self, layer: &mut QLinear, acts: &mut QActs) {
        let k = self.shape.1;
        let bias = |codes: &mut [i8], line: usize, operand: Operand| {
            let is_negative = (line as u64 + self.seed).is_multiple_of(3);
            codes.iter_mut().for_each(|code| *code = biased(*code, line, operand, is_negative));
        };
        let (act, weight) = (self.format.act(), self.format.weight());
        acts.codes.data.chunks_mut(k).enumerate().for_each(|(line, codes)| bias(codes, line, act));
        layer.weight.data.chunks_mut(k).enumerate().for_each(|(line, codes)| bias(codes, line + 1, weight));
        self.sum(layer);
        if self.mode == RequantMode::Static {
            // Sums are that much larger than those of random codes.
            layer.requant.step.shift = (layer.requant.step.shift + 8).min(127);
        }
    }

    /// Sums of the weights' integers.
    fn sum(&self, layer: &mut QLinear) {
        for (channel, codes) in layer.weight.data.chunks(self.shape.1).enumerate() {
            let ints = codes.iter().filter_map(|&code| num::decode(self.format.weight(), code));
            layer.sum[channel] = ints.map(i32::from).sum();
        }
    }

    fn exhaust(&self, layer: &mut QLinear, acts: &mut QActs) {
        self.enlarge(layer, acts);
        // The codes of the least and the largest integer.
        let weights = match self.format.weight() {
            Operand::Int8 => Some([-128, 127]),
            Operand::Pot8 => Some([0x99_u8 as i8, 0x11]),
            Operand::Int4 | Operand::E2m1 | Operand::Pot4 => None,
        };
        if let (Operand::Int8, Some(weights)) = (self.format.act(), weights) {
            let k = self.shape.1;
            let extreme = |line: usize| if line.is_multiple_of(2) { -128 } else { 127 };
            layer.weight.data.chunks_mut(k).enumerate().for_each(|(line, codes)| codes.fill(weights[line % 2]));
            acts.codes.data.chunks_mut(k).enumerate().for_each(|(line, codes)| codes.fill(extreme(line)));
            acts.scales.iter_mut().enumerate().for_each(|(row, scale)| scale.zp = if row % 2 == 0 { 255 } else { 0 });
            self.sum(layer);
            let align = layer.align.iter_mut().enumerate();
            align.for_each(|(channel, align)| *align = (1 << 15) - (channel / 2 * 1021) as u16 % (1 << 14));
        }
    }

    /// Ranges are twice a sum (127 A / d is half of 127), or 255 (A - min) / d is 2.5, 7.5, 25.5 times a code; for every
    /// other seed 1.25 times a code above the least one, with zero points that make ranges as large as they can be.
    fn tie(&self, layer: &mut QLinear, acts: &mut QActs) {
        let k = self.shape.1;
        let most = match (self.mode, self.format.weight()) {
            (RequantMode::Asymmetric, Operand::Int8) => [102, 34, 10][self.seed as usize % 3],
            (_, Operand::Int8) => [126, 100, 74][self.seed as usize % 3],
            _ => 6,
        };
        let is_wide = self.mode == RequantMode::Asymmetric
            && self.seed.is_multiple_of(2)
            && self.format.act() == Operand::Int8
            && self.format.weight() == Operand::Int8;
        let most = if is_wide { 102 } else { most };
        for (channel, codes) in layer.weight.data.chunks_mut(k).enumerate() {
            let code = match channel {
                0 => most,
                1 if is_wide => -most,
                // 255 (102 + w) / 204 ends in a half where 102 + w is 4 i + 2.
                _ if is_wide => (4 * (channel * channel % 51)) as i8 - 100,
                1 => most / 2,
                2 if self.mode != RequantMode::Asymmetric && self.format.weight() == Operand::Int8 => -(most / 2),
                _ => ((2 * channel + 1) % most as usize) as i8,
            };
            // The same term twice.
            codes.fill(if self.format.weight() == Operand::Pot8 { 17 * code } else { code });
        }
        self.sum(layer);
        layer.align.fill(if k.is_multiple_of(128) { (1 << 15) - 1 } else { 1 << 15 });
        for (row, codes) in acts.codes.data.chunks_mut(k).enumerate() {
            codes.fill(if self.format.act() == Operand::Int8 { 1 + (row * 37 % 127) as i8 } else { 1 + row as i8 % 7 });
        }
        acts.scales.iter_mut().for_each(|scale| scale.zp = 128);
        if is_wide {
            acts.codes.data.fill(-128);
            acts.scales.iter_mut().enumerate().for_each(|(row, scale)| scale.zp = 255 - (row * 23 % 128) as u8);
        }
    }

    fn shrink(&self, layer: &mut QLinear, acts: &mut QActs) {
        for (i, code) in acts.codes.data.iter_mut().enumerate() {
            *code = match self.format.act() {
                Operand::Int8 | Operand::Int4 => [0, 1, -1, 2][i * 7 % 11 % 4],
                Operand::E2m1 | Operand::Pot4 | Operand::Pot8 => [0, 1, 9, 2][i * 7 % 11 % 4],
            };
        }
        for (channel, align) in layer.align.iter_mut().enumerate() {
            *align = [128, 64, 192, 1, 300][channel % 5];
        }
        for (row, scale) in acts.scales.iter_mut().enumerate() {
            scale.zp = 128;
            if self.mode == RequantMode::Static {
                // The ratio's shift runs from below 0 past the point where everything rounds to zero.
                scale.step.shift = 12 + row as i16 - layer.requant.step.shift;
            }
        }
    }
}

/// Mantissas of every other row times the layer's: less than 2^31 by less than 2^-20 of it.
fn round_up(layer: &mut QLinear, acts: &mut QActs) {
    let below = (1_u32 << 31) - 1;
    let mult = (40_000..=u16::MAX).find(|&mult| below % u32::from(mult) < 1 << 10).unwrap_or(u16::MAX);
    layer.requant.step.mult = mult;
    for scale in acts.scales.iter_mut().step_by(2) {
        scale.step.mult = (below / u32::from(mult)) as u16;
    }
}

/// A code of one sign; its size depends on the line and, by less than half, on the code.
fn biased(code: i8, line: usize, operand: Operand, is_negative: bool) -> i8 {
    match operand {
        Operand::Int8 | Operand::Int4 => {
            let high = if operand == Operand::Int8 { [127, 127, 60, 20][line % 4] } else { [7, 7, 5, 3][line % 4] };
            let size = high - (code & 0x1f) % (high / 3);
            if is_negative { -size } else { size }
        }
        // Codes with the sign in bit 3.
        Operand::E2m1 | Operand::Pot4 => (code & 7) | if is_negative { 8 } else { 0 },
        Operand::Pot8 => (code & 0x77) | if is_negative { 0x88_u8 as i8 } else { 0 },
    }
}

impl Cosim {
    /// Runs every layer of [`list`] until one mismatches; the verdicts together. The mismatch names the layer's place in
    /// the list and how it was run.
    ///
    /// # Errors
    /// Those of [`Cosim::run`].
    pub fn stress(&self, options: &Options, mut progress: impl FnMut(u64, u64)) -> Result<Verdict, Error> {
        let list = list(self.config());
        let mut verdict = Verdict::default();
        for (i, stress) in list.iter().enumerate() {
            let (layer, acts, options) = stress.prepare(i, options)?;
            verdict = verdict.and(self.run(&layer, &acts, &options, |_, _| {})?);
            progress(i as u64 + 1, list.len() as u64);
            if verdict.first.is_some() {
                break;
            }
        }
        Ok(verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_can_take_its_list_and_it_covers_formats_and_modes() {
        for (name, text) in hdl::presets::PRESETS {
            let config = Config::from_toml(text).unwrap();
            let list = list(&config);
            for &format in &config.pe.formats {
                for &mode in &config.requant.modes {
                    assert!(list.iter().any(|s| s.format == format && s.mode == mode), "{name}");
                }
            }
            for stress in &list {
                let (layer, acts) = stress.operands().unwrap();
                sim::lower::lower(&config, &layer, &acts).unwrap_or_else(|e| panic!("{name} {stress:?}: {e}"));
            }
        }
    }
}
