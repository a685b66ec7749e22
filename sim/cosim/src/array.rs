//! Co-simulation of the systolic array alone, on the tiles of a linear layer.

use std::cell::Cell;
use std::ops::Range;

use golden::linear::Prepared;
use golden::num;
use hdl::rtl::module::Design;
use hdl::unit::array::latency_cycles;
use sim::engine::frame::Frame;
use spec::qmodel::{QActs, QLinear};
use spec::verdict::Verdict;
use spec::{Config, Dataflow, Operand};

use crate::engine::{Sources, generate};
use crate::error::Error;
use crate::rtl::read_sources;
use crate::unit::drive;

mod os;

/// Cycle in which the first tile's activations begin to enter; an array has at most 128 rows, so all its weights have
/// come by then.
const FIRST_SWAP: u64 = 128;

/// Runs all tiles of a layer through the array of `config`, one directly behind the other, and compares every output of
/// every cycle between Verilog and step simulator, and every partial sum with golden.
///
/// # Errors
/// [`Error::Golden`] for a layer that is inconsistent, [`Error::Sim`] for one in a format that the array does not have,
/// [`Error::Tool`] if a tool is missing or fails.
pub fn cosim_array(config: &Config, sources: &Sources, layer: &QLinear, acts: &QActs) -> Result<Verdict, Error> {
    let golden = Prepared::new(layer, acts)?;
    if !config.pe.formats.contains(&layer.format) {
        let allowed: Vec<&str> = config.pe.formats.iter().map(|f| f.name()).collect();
        let cure = "choose one of them, or add the format to pe.formats";
        let problem = spec::Problem::new("format", layer.format.name(), allowed.join(", "), cure);
        return Err(sim::Error::Invalid(problem).into());
    }
    let design = Design::new(hdl::unit::array::array(config)?);
    let files = match sources {
        Sources::Generated => generate(config, &design)?,
        Sources::Folder(folder) => read_sources(folder)?,
        Sources::Given(files) => files.clone(),
    };
    let schedule = match config.array.dataflow {
        Dataflow::Ws => When::Ws(Schedule::new(config, golden.shape())),
        Dataflow::Os => When::Os(os::Schedule::new(config, golden.shape())),
    };
    let wrong = Cell::new(None);
    let stimulus = |cycle: u64, frame: &Frame, inputs: &mut [u64]| {
        schedule.inputs(config, (layer, acts), cycle, frame, inputs);
        cycle < schedule.cycles()
    };
    let judge = |cycle: u64, _: (&Frame, &[u64]), (frame, outputs): (&Frame, &[u64])| {
        let Some(leaving) = schedule.leaving(cycle) else { return Ok(0) };
        let sums = frame.field("sum_o").map(|field| field.get_limbs(outputs)).unwrap_or_default();
        let mut checked = 0;
        let Leaving { row, first_n, .. } = leaving;
        for col in first_n..golden.shape().2.min(first_n + config.array.cols as usize) {
            let expected = i64::from(golden.partial_sum(row, col, leaving.k.clone()));
            let bits = config.sum_bits();
            let found = signed(&sums, (col - first_n) as u32 * bits, bits);
            if found != expected {
                wrong.set(Some(col));
                return Err(("sum_o".to_string(), expected.to_string()));
            }
            checked += 1;
        }
        Ok(checked)
    };
    let mut verdict = drive(&design, &files, stimulus, judge)?;
    if let Some(first) = &mut verdict.first {
        first.layer.clone_from(&layer.name);
        // Without a wrong sum the place is that of the sums that leave in this cycle.
        if let Some(leaving) = schedule.leaving(first.cycle) {
            first.tile = format!("0/{}/{}", leaving.n_tile, leaving.k.start / config.array.rows as usize);
            (first.row, first.col) = (Some(leaving.row as u64), wrong.get().map(|col| col as u64));
        }
    }
    Ok(verdict)
}

/// The sums that leave in a cycle: those of a row (token) over a range of the reduction, from a first channel on.
struct Leaving {
    row: usize,
    n_tile: usize,
    first_n: usize,
    k: Range<usize>,
}

/// When what enters and leaves, by dataflow.
enum When {
    Ws(Schedule),
    Os(os::Schedule),
}

impl When {
    fn cycles(&self) -> u64 {
        match self {
            Self::Ws(schedule) => schedule.cycles,
            Self::Os(schedule) => schedule.cycles,
        }
    }

    fn leaving(&self, cycle: u64) -> Option<Leaving> {
        match self {
            Self::Ws(schedule) => {
                let (tile, row) = schedule.leaving(cycle)?;
                let (first_n, first_k) = schedule.corner(tile);
                Some(Leaving { row, n_tile: tile / schedule.k_tiles, first_n, k: first_k..first_k + schedule.rows })
            }
            Self::Os(schedule) => schedule.leaving(cycle),
        }
    }

    fn inputs(&self, config: &Config, work: (&QLinear, &QActs), cycle: u64, frame: &Frame, inputs: &mut [u64]) {
        match self {
            Self::Ws(schedule) => schedule.inputs(config, work, cycle, frame, inputs),
            Self::Os(schedule) => schedule.inputs(config, work, cycle, frame, inputs),
        }
    }
}

/// When each tile's weights and activations enter: a tile every `period` cycles, its weights from the cycle on in which
/// the tile before it swaps.
struct Schedule {
    shape: (usize, usize, usize),
    rows: usize,
    cols: usize,
    k_tiles: usize,
    tiles: usize,
    depth: u64,
    period: u64,
    latency: u64,
    cycles: u64,
}

impl Schedule {
    fn new(config: &Config, shape: (usize, usize, usize)) -> Self {
        let (m, k, n) = shape;
        let (rows, cols) = (config.array.rows as usize, config.array.cols as usize);
        let (k_tiles, n_tiles) = (k.div_ceil(rows), n.div_ceil(cols));
        let depth = u64::from(config.preload_cycles());
        let period = depth.max(m as u64);
        let (tiles, latency) = (k_tiles * n_tiles, u64::from(latency_cycles(config)));
        let cycles = FIRST_SWAP + tiles as u64 * period + latency;
        Self { shape, rows, cols, k_tiles, tiles, depth, period, latency, cycles }
    }

    /// First channel and first place in the reduction of a tile.
    fn corner(&self, tile: usize) -> (usize, usize) {
        (tile / self.k_tiles * self.cols, tile % self.k_tiles * self.rows)
    }

    /// Tile and row (token) of the activations that enter in a cycle.
    fn entering(&self, cycle: u64) -> Option<(usize, usize)> {
        let since = cycle.checked_sub(FIRST_SWAP)?;
        let (tile, row) = ((since / self.period) as usize, (since % self.period) as usize);
        (tile < self.tiles && row < self.shape.0).then_some((tile, row))
    }

    /// Tile and row of the sums that leave in a cycle.
    fn leaving(&self, cycle: u64) -> Option<(usize, usize)> {
        self.entering(cycle.checked_sub(self.latency)?)
    }

    /// Tile whose weights enter in a cycle, and which row of every band: the first tile's at once, each other's from the
    /// swap of the tile before it on.
    fn loading(&self, cycle: u64) -> Option<(usize, usize)> {
        let (tile, step) = match cycle.checked_sub(FIRST_SWAP) {
            None => (0, cycle),
            Some(since) => (since / self.period + 1, since % self.period),
        };
        (tile < self.tiles as u64 && step < self.depth).then_some((tile as usize, step as usize))
    }

    fn inputs(&self, config: &Config, work: (&QLinear, &QActs), cycle: u64, frame: &Frame, inputs: &mut [u64]) {
        let (layer, acts) = work;
        let mut put = |name: &str, value: &[u64]| {
            if let Some(field) = frame.field(name) {
                field.put(inputs, value);
            }
        };
        if let Some((tile, row)) = self.entering(cycle) {
            let (_, first_k) = self.corner(tile);
            let codes = &acts.codes.row(row)[first_k..self.shape.1.min(first_k + self.rows)];
            let mut word = Word::new(config.act_word_bits());
            for (i, &code) in codes.iter().enumerate() {
                word.put(i, config.act_operand().bits(), held(layer.format.act(), config.act_operand(), code));
            }
            put("act_i", &word.limbs);
            put("swap_i", &[u64::from(row == 0)]);
        }
        if let Some((tile, step)) = self.loading(cycle) {
            let (first_n, first_k) = self.corner(tile);
            let mut word = Word::new(config.weight_word_bits());
            for band in 0..config.preload_rows() as usize {
                let row = band * self.depth as usize + step;
                for col in 0..self.cols {
                    let (channel, at) = (first_n + col, first_k + row);
                    if row < self.rows && at < self.shape.1 && channel < self.shape.2 {
                        let code = layer.weight.row(channel)[at];
                        let bits = held(layer.format.weight(), config.weight_operand(), code);
                        word.put(band * self.cols + col, config.weight_operand().bits(), bits);
                    }
                }
            }
            put("weight_i", &word.limbs);
            let mut load = Word::new(config.preload_cycles());
            load.put(step, 1, 1);
            put("load_i", &load.limbs);
        }
    }
}

/// The bits in which a PE holds a code: the code itself, or its integer where the PE serves several codes.
fn held(own: Operand, pe: Operand, code: i8) -> u64 {
    let is_held_as_code = own == pe || pe == Operand::Pot8;
    let value = if is_held_as_code { i64::from(code) } else { num::decode(own, code).map_or(0, i64::from) };
    value as u64 & ((1 << pe.bits()) - 1)
}

/// A wide word, elements lowest first.
struct Word {
    limbs: Vec<u64>,
}

impl Word {
    fn new(bits: u32) -> Self {
        Self { limbs: vec![0; bits.div_ceil(64) as usize] }
    }

    /// Puts an element of `bits` bits, a divisor of 64.
    fn put(&mut self, index: usize, bits: u32, value: u64) {
        let at = index * bits as usize;
        self.limbs[at / 64] |= value << (at % 64);
    }
}

/// A signed field of at most 64 bits.
fn signed(limbs: &[u64], lsb: u32, bits: u32) -> i64 {
    let (word, shift) = ((lsb / 64) as usize, lsb % 64);
    let low = limbs.get(word).copied().unwrap_or(0) >> shift;
    let high = if shift == 0 { 0 } else { limbs.get(word + 1).copied().unwrap_or(0) << (64 - shift) };
    (((low | high) << (64 - bits)) as i64) >> (64 - bits)
}
