//! The requantizer with its memories, a source of commands and a sink that may be slow.

use hdl::rtl::Design;
use hdl::unit::requant::requant;
use hdl::unit::run_sizes::RunSizes;
use sim::step::{Port, Stepper};
use spec::stream::row_word;
use spec::{Config, RequantMode};

use crate::data::{Chunk, Job, Rng};
use crate::reference::Beat;

/// When the sink is ready.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// Always.
    Free,
    /// In one cycle of so many, at random.
    Random(i64),
}

/// What came out, and when.
#[derive(Default)]
pub struct Outcome {
    pub beats: Vec<Beat>,
    /// Cycle of each beat.
    pub cycles: Vec<u64>,
    /// Cycle in which each command was taken.
    pub accepted: Vec<u64>,
}

pub struct Bench {
    config: Config,
    sim: Stepper,
}

impl Bench {
    pub fn new(config: &Config, seed: u64) -> Self {
        let design = Design::new(requant(config).unwrap_or_else(|e| panic!("{e}")));
        let mut sim = Stepper::new(&design).unwrap_or_else(|e| panic!("{e}"));
        sim.randomize(seed);
        Self { config: config.clone(), sim }
    }

    fn input(&self, name: &str) -> Port {
        self.sim.input(name).unwrap_or_else(|e| panic!("{e}"))
    }

    fn output(&self, name: &str) -> Port {
        self.sim.output(name).unwrap_or_else(|e| panic!("{e}"))
    }

    fn set(&mut self, name: &str, value: u64) {
        let port = self.input(name);
        self.sim.set(port, value);
    }

    /// Runs all chunks; both banks are refilled as soon as they are free, with noise in between.
    pub fn run(&mut self, job: &Job, pace: Pace, rng: &mut Rng) -> Outcome {
        let mut outcome = Outcome::default();
        let (lanes, cols) = (self.config.lanes() as usize, self.config.array.cols as usize);
        let beats: usize =
            job.chunks.iter().map(|c| c.rows.len() * (c.n_tiles * cols * 8 / 32 + c.n_tiles * cols + 1)).sum();
        let limit = 4000 + 60 * beats as u64 * 8;
        let channels: Vec<Vec<u64>> = (0..job.align.len() / lanes)
            .map(|word| {
                let value = |n: usize| u64::from(job.align[n]) | u64::from(job.sum[n] as u32 & 0xff_ffff) << 16;
                pack_bits((word * lanes..(word + 1) * lanes).map(value), 40)
            })
            .collect();
        let mut banks: [Vec<Vec<u64>>; 2] = [Vec::new(), Vec::new()];
        let mut rows: [Vec<u64>; 2] = [Vec::new(), Vec::new()];
        let (mut loaded, mut issued, mut read) = (0, 0, 0);
        let [
            acc_en,
            acc_bank,
            acc_addr,
            row_en,
            row_bank,
            row_addr,
            chan_en,
            chan_addr,
            done,
            ready,
            valid,
            data,
            last,
            busy,
        ] = [
            "acc_en_o",
            "acc_bank_o",
            "acc_addr_o",
            "row_en_o",
            "row_bank_o",
            "row_addr_o",
            "chan_en_o",
            "chan_addr_o",
            "read_done_o",
            "cmd_ready_o",
            "out_valid_o",
            "out_data_o",
            "out_last_o",
            "busy_o",
        ]
        .map(|name| self.output(name));
        let [acc_data, row_data, chan_data, cmd_valid, out_ready, reset] =
            ["acc_data_i", "row_data_i", "chan_data_i", "cmd_valid_i", "out_ready_i", "rst_ni"]
                .map(|name| self.input(name));
        self.sim.set(reset, 0);
        self.sim.set(cmd_valid, 0);
        self.sim.set(out_ready, 0);
        self.sim.tick();
        self.sim.set(reset, 1);
        let mut offered: Option<Beat> = None;
        for cycle in 0.. {
            assert!(
                cycle < limit,
                "hangs: {} of {} chunks read, {} beats",
                read,
                job.chunks.len(),
                outcome.beats.len()
            );
            while loaded < job.chunks.len() && loaded < read + 2 {
                banks[loaded % 2] = acc_words(&job.chunks[loaded], cols);
                rows[loaded % 2] = job.chunks[loaded].rows.iter().map(|row| row_word(row.scale).into()).collect();
                loaded += 1;
            }
            let wants = issued < loaded && (matches!(pace, Pace::Free) || !rng.one_in(3));
            self.sim.set(cmd_valid, wants.into());
            if wants {
                self.command(&job.chunks[issued], issued % 2);
            }
            let takes = match pace {
                Pace::Free => true,
                Pace::Random(n) => rng.one_in(n),
            };
            self.sim.set(out_ready, takes.into());
            self.sim.settle();
            if wants && self.sim.get(ready) == 1 {
                issued += 1;
                outcome.accepted.push(cycle);
            }
            let beat = (self.sim.get(valid) == 1).then(|| {
                let mut limbs = vec![0; data.limbs()];
                self.sim.get_limbs(data, &mut limbs);
                let bytes = limbs.iter().flat_map(|limb| limb.to_le_bytes());
                (bytes.take(self.config.bus.data_bits as usize / 8).collect(), self.sim.get(last) == 1)
            });
            assert!(offered.is_none() || offered == beat, "a beat changed while it waited");
            offered = beat.clone().filter(|_| !takes);
            if let Some(beat) = beat.filter(|_| takes) {
                outcome.beats.push(beat);
                outcome.cycles.push(cycle);
            }
            let acc =
                (self.sim.get(acc_en) == 1).then(|| (self.sim.get(acc_bank) as usize, self.sim.get(acc_addr) as usize));
            let row =
                (self.sim.get(row_en) == 1).then(|| (self.sim.get(row_bank) as usize, self.sim.get(row_addr) as usize));
            let channel = (self.sim.get(chan_en) == 1).then(|| self.sim.get(chan_addr) as usize);
            let finished = self.sim.get(done) == 1;
            let idle = self.sim.get(busy) == 0;
            self.sim.tick();
            if let Some((bank, addr)) = acc {
                self.sim.set_limbs(acc_data, &banks[bank][addr]);
            }
            if let Some((bank, addr)) = row {
                self.sim.set(row_data, rows[bank][addr]);
            }
            if let Some(addr) = channel {
                self.sim.set_limbs(chan_data, &channels[addr]);
            }
            if finished {
                // Whatever is still read from here now is wrong.
                banks[read % 2].iter_mut().flatten().for_each(|limb| *limb = rng.next());
                rows[read % 2].clear();
                read += 1;
            }
            if idle && read == job.chunks.len() {
                break;
            }
        }
        outcome
    }

    fn command(&mut self, chunk: &Chunk, bank: usize) {
        let mode = RequantMode::ALL.iter().position(|&mode| mode == chunk.mode).expect("a mode");
        if self.config.requant.modes.len() > 1 {
            self.set("cmd_mode_i", mode as u64);
        }
        self.set("cmd_bank_i", bank as u64);
        self.set("cmd_rows_i", chunk.rows.len() as u64);
        self.set("cmd_last_cols_i", chunk.last_cols as u64);
        let bits = RunSizes::new(&self.config).n_tiles;
        self.set("cmd_n_tiles_i", chunk.n_tiles as u64 % (1 << bits));
        self.set("cmd_mult_i", chunk.step.mult.into());
        self.set("cmd_shift_i", u64::from(chunk.step.shift as u8));
    }
}

/// A chunk's accumulator words: `n_tile * rows + row`, column 0 lowest.
fn acc_words(chunk: &Chunk, cols: usize) -> Vec<Vec<u64>> {
    (0..chunk.n_tiles)
        .flat_map(|tile| chunk.rows.iter().map(move |row| &row.acc[tile * cols..(tile + 1) * cols]))
        .map(|accs| pack_bits(accs.iter().map(|&acc| u64::from(acc as u32)), 32))
        .collect()
}

/// Values of `bits` bits, the first in the lowest bits, as limbs.
fn pack_bits(values: impl Iterator<Item = u64>, bits: usize) -> Vec<u64> {
    let mut limbs = Vec::new();
    for (i, value) in values.enumerate() {
        let (limb, shift) = (i * bits / 64, i * bits % 64);
        limbs.resize(limbs.len().max((i * bits + bits).div_ceil(64)), 0);
        limbs[limb] |= value << shift;
        if shift + bits > 64 {
            limbs[limb + 1] |= value >> (64 - shift);
        }
    }
    limbs
}
