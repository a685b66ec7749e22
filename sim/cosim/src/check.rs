//! The comparison: every output of every cycle with `step`, every valid beat and every partial sum with golden.

use golden::linear::Prepared;
use sim::engine::bench::RESET;
use sim::engine::frame::{Field, Frame};
use sim::lower::{BeatAt, EngineProgram, ResultLayout};
use spec::Config;
use spec::qmodel::QRows;
use spec::verdict::Mismatch;

use crate::locate::{SumAt, SumWalk};
use crate::mask::Mask;
use crate::probes::{SUM, SUM_ADDR, SUM_BANK, SUM_VALID};

/// One cycle of both models.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// Number of the cycle, reset included.
    pub cycle: u64,
    /// Input frame.
    pub inputs: &'a [u64],
    /// Output frame of `step`.
    pub step: &'a [u64],
    /// Output frame of Verilator.
    pub rtl: &'a [u64],
}

/// Compares a run of the tile engine cycle by cycle.
pub struct Checker<'a> {
    outputs: Frame,
    mask: Mask,
    golden: &'a Prepared,
    rows: QRows,
    layout: ResultLayout,
    /// Array rows and columns, bits of a sum.
    size: (usize, usize, u32),
    /// Channels.
    n: usize,
    sums: SumWalk<'a>,
    program: &'a EngineProgram,
    has_probes: bool,
    beat: usize,
    expected: Vec<u64>,
    ports: Ports,
    /// Values compared with golden so far.
    pub values_checked: u64,
    /// Cycles compared so far.
    pub cycles_checked: u64,
}

/// Fields that the checks read.
struct Ports {
    sum_valid: Field,
    sum_bank: Field,
    sum_addr: Field,
    sum: Field,
    valid: Field,
    data: Field,
    last: Field,
    ready: Field,
    reset: Field,
}

impl<'a> Checker<'a> {
    /// A checker for a run of `program`; `None` if the frames are not those of a tile engine with its probes.
    pub fn new(
        config: &Config,
        program: &'a EngineProgram,
        golden: &'a Prepared,
        (inputs, outputs): (&Frame, &Frame),
        has_probes: bool,
        random: bool,
    ) -> Option<Self> {
        let out = |name: &str| outputs.field(name).cloned();
        let ports = Ports {
            sum_valid: out(SUM_VALID)?,
            sum_bank: out(SUM_BANK)?,
            sum_addr: out(SUM_ADDR)?,
            sum: out(SUM)?,
            valid: out("m_axis_tvalid")?,
            data: out("m_axis_tdata")?,
            last: out("m_axis_tlast")?,
            ready: inputs.field("m_axis_tready")?.clone(),
            reset: inputs.field(RESET)?.clone(),
        };
        Some(Self {
            outputs: outputs.clone(),
            mask: Mask::engine(outputs, random),
            golden,
            rows: golden.rows(),
            layout: program.results,
            size: (config.array.rows as usize, config.array.cols as usize, config.sum_bits()),
            n: program.shape.2,
            sums: SumWalk::new(program),
            program,
            has_probes,
            beat: 0,
            expected: vec![0; ports.data.words()],
            ports,
            values_checked: 0,
            cycles_checked: 0,
        })
    }

    /// Compares one cycle; the place of the first mismatch, if there is one.
    pub fn cycle(&mut self, pair: &Pair) -> Option<Mismatch> {
        let without_probes;
        let rtl = if self.has_probes {
            pair.rtl
        } else {
            without_probes = self.with_steps_probes(pair);
            &without_probes
        };
        let pair = &Pair { rtl, ..*pair };
        if !self.mask.agrees(pair.cycle, pair.step, pair.rtl) {
            return Some(self.difference(pair));
        }
        self.cycles_checked += 1;
        if self.ports.reset.get(pair.inputs) == 0 {
            return None;
        }
        self.check_sums(pair).or_else(|| self.check_beat(pair))
    }

    /// Rtl's frame with the probes of `step`, for a design whose internal signals cannot be read.
    fn with_steps_probes(&self, pair: &Pair) -> Vec<u64> {
        let mut mask = vec![0; pair.rtl.len()];
        for field in [&self.ports.sum_valid, &self.ports.sum_bank, &self.ports.sum_addr, &self.ports.sum] {
            field.cover(&mut mask);
        }
        pair.rtl.iter().zip(pair.step).zip(mask).map(|((r, s), m)| (r & !m) | (s & m)).collect()
    }

    fn check_sums(&mut self, pair: &Pair) -> Option<Mismatch> {
        if self.ports.sum_valid.get(pair.rtl) == 0 {
            return None;
        }
        let Some(at) = self.sums.at() else {
            return Some(self.at_signal(pair, &self.ports.sum_valid, Some("no more sums".into())));
        };
        for (field, expected) in [(&self.ports.sum_addr, at.addr), (&self.ports.sum_bank, at.chunk % 2)] {
            if field.get(pair.rtl) != expected as u64 {
                return Some(self.at_signal(pair, field, Some(expected.to_string())));
            }
        }
        let limbs = self.ports.sum.get_limbs(pair.rtl);
        for col in 0..self.size.1 {
            if element(&limbs, col, self.size.2) != self.golden_sum(&at, col) {
                return Some(self.at_sum(pair, &at, col));
            }
        }
        self.values_checked += (self.n - at.n_tile * self.size.1).min(self.size.1) as u64;
        self.sums.advance();
        None
    }

    fn golden_sum(&self, at: &SumAt, col: usize) -> i64 {
        let channel = at.n_tile * self.size.1 + col;
        // Columns past N hold zero weights.
        if channel >= self.n {
            return 0;
        }
        let first_k = at.k_tile * self.size.0;
        self.golden.partial_sum(at.row, channel, first_k..first_k + self.size.0).into()
    }

    fn check_beat(&mut self, pair: &Pair) -> Option<Mismatch> {
        if self.ports.valid.get(pair.rtl) == 0 || self.ports.ready.get(pair.inputs) == 0 {
            return None;
        }
        let Some(at) = self.layout.at(self.beat) else {
            return Some(self.at_signal(pair, &self.ports.valid, Some("no more results".into())));
        };
        self.layout.encode(&self.rows, self.beat, &mut self.expected);
        if self.ports.data.get_limbs(pair.rtl) != self.expected {
            return Some(self.at_beat(pair));
        }
        let is_last = u64::from(matches!(at, BeatAt::Scale { .. }));
        if self.ports.last.get(pair.rtl) != is_last {
            return Some(self.at_signal(pair, &self.ports.last, Some(is_last.to_string())));
        }
        self.values_checked += at.values();
        self.beat += 1;
        None
    }

    /// Result beats compared so far.
    pub fn beats(&self) -> u64 {
        self.beat as u64
    }

    /// The tile whose sums come next.
    pub fn tile(&self) -> String {
        self.sums.at().map_or_else(|| "after the last".into(), |at| at.tile())
    }

    /// What is missing after a run that seemed complete.
    pub fn missing(&self) -> Option<String> {
        if let Some(at) = self.sums.at() {
            return Some(format!("sums of tile {}, row {} never left the array", at.tile(), at.row));
        }
        let beats = self.layout.beats();
        (self.beat < beats).then(|| format!("{} of {beats} result beats came", self.beat))
    }

    /// Where `step` and Verilator differ: the first that does of sums, result stream, other outputs.
    fn difference(&self, pair: &Pair) -> Mismatch {
        let ports = &self.ports;
        let first = [&ports.sum_valid, &ports.sum_addr, &ports.sum_bank, &ports.sum, &ports.valid, &ports.data];
        let found = first.into_iter().chain(&self.outputs.fields).find(|f| self.mask.differs(f, pair.step, pair.rtl));
        match found {
            Some(field) if field.name == SUM => match self.sums.at() {
                Some(at) => {
                    let (step, rtl) = (field.get_limbs(pair.step), field.get_limbs(pair.rtl));
                    let bits = self.size.2;
                    let col = (0..self.size.1).find(|&c| element(&step, c, bits) != element(&rtl, c, bits));
                    self.at_sum(pair, &at, col.unwrap_or(0))
                }
                None => self.at_signal(pair, field, None),
            },
            Some(field) if field.name == ports.data.name => self.at_beat(pair),
            Some(field) => self.at_signal(pair, field, None),
            None => Mismatch { cycle: after_reset(pair.cycle), ..Mismatch::default() },
        }
    }

    /// A mismatch of a row of sums in one column.
    fn at_sum(&self, pair: &Pair, at: &SumAt, col: usize) -> Mismatch {
        let value = |frame: &[u64]| element(&self.ports.sum.get_limbs(frame), col, self.size.2).to_string();
        Mismatch {
            cycle: after_reset(pair.cycle),
            point: SUM.into(),
            tile: at.tile(),
            row: Some(at.row as u64),
            col: Some((at.n_tile * self.size.1 + col) as u64),
            golden: Some(self.golden_sum(at, col).to_string()),
            step: Some(value(pair.step)),
            rtl: Some(value(pair.rtl)),
            ..Mismatch::default()
        }
    }

    /// A mismatch in the data of the result beat that is on its way.
    fn at_beat(&self, pair: &Pair) -> Mismatch {
        let data = &self.ports.data;
        let Some(at) = self.layout.at(self.beat) else { return self.at_signal(pair, data, None) };
        let mut expected = vec![0; data.words()];
        self.layout.encode(&self.rows, self.beat, &mut expected);
        let chunk = self.program.chunk_of(at.row()).unwrap_or_default();
        let (step, rtl) = (data.get_limbs(pair.step), data.get_limbs(pair.rtl));
        let byte = |limbs: &[u64], i: usize| (limbs[i / 8] >> (i % 8 * 8)) as i8;
        let wrong = |i: &usize| byte(&step, *i) != byte(&rtl, *i) || byte(&rtl, *i) != byte(&expected, *i);
        let base = Mismatch {
            cycle: after_reset(pair.cycle),
            point: data.name.clone(),
            tile: chunk.to_string(),
            row: Some(at.row() as u64),
            ..Mismatch::default()
        };
        match at {
            BeatAt::Values { first_col, cols, .. } if (0..cols).any(|i| wrong(&i)) => {
                let i = (0..cols).find(wrong).unwrap_or(0);
                let col = first_col + i;
                Mismatch {
                    tile: format!("{chunk}/{}", col / self.size.1),
                    col: Some(col as u64),
                    golden: Some(byte(&expected, i).to_string()),
                    step: Some(byte(&step, i).to_string()),
                    rtl: Some(byte(&rtl, i).to_string()),
                    ..base
                }
            }
            _ => {
                let hex = |limbs: &[u64]| {
                    let mut frame = vec![0; pair.step.len()];
                    data.put(&mut frame, limbs);
                    Some(data.hex(&frame))
                };
                Mismatch { golden: hex(&expected), step: hex(&step), rtl: hex(&rtl), ..base }
            }
        }
    }

    /// A mismatch of a signal that carries no tensor element; its tile is the one that is being computed.
    fn at_signal(&self, pair: &Pair, field: &Field, golden: Option<String>) -> Mismatch {
        let at = self.sums.at();
        Mismatch {
            cycle: after_reset(pair.cycle),
            point: field.name.clone(),
            tile: self.tile(),
            row: at.map(|at| at.row as u64),
            golden,
            step: Some(field.hex(pair.step)),
            rtl: Some(field.hex(pair.rtl)),
            ..Mismatch::default()
        }
    }
}

/// Number of a cycle after reset, from 0.
pub fn after_reset(cycle: u64) -> u64 {
    cycle.saturating_sub(sim::engine::run::RESET_CYCLES)
}

/// Signed element `index` of a packed vector of elements of `bits`.
pub(crate) fn element(limbs: &[u64], index: usize, bits: u32) -> i64 {
    let lsb = index * bits as usize;
    let (limb, shift) = (lsb / 64, lsb % 64);
    let high = limbs.get(limb + 1).map_or(0, |&next| u128::from(next) << 64);
    let value = ((u128::from(limbs[limb]) | high) >> shift) as u64;
    ((value << (64 - bits)) as i64) >> (64 - bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_signed_and_may_straddle_limbs() {
        let limbs = [1 << 63 | 0b101, 0b1, 0];
        assert_eq!(element(&limbs, 0, 4), 5);
        assert_eq!(element(&limbs, 0, 3), -3);
        assert_eq!(element(&limbs, 21, 3), 3);
        assert_eq!(element(&[u64::MAX], 3, 16), -1);
    }
}
