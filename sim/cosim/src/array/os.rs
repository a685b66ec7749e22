//! When words enter an output-stationary array, and when its sums leave.

use hdl::unit::array::latency_cycles;
use sim::engine::frame::Frame;
use spec::Config;
use spec::qmodel::{QActs, QLinear};

use super::{Leaving, Word, held};

/// A K tile every `rows` cycles, N tiles and chunks of at most `rows` tokens directly one behind the other.
pub(super) struct Schedule {
    shape: (usize, usize, usize),
    rows: usize,
    cols: usize,
    k_tiles: usize,
    /// N tiles of all chunks.
    tiles: usize,
    chunks: usize,
    /// Cycles from `take_i` to an N tile's first sums.
    latency: u64,
    pub(super) cycles: u64,
}

/// A K tile's place: its chunk's first token and tokens, its first channel, and its number along K.
struct Place {
    token: usize,
    tokens: usize,
    channel: usize,
    k_tile: usize,
}

impl Schedule {
    pub(super) fn new(config: &Config, shape: (usize, usize, usize)) -> Self {
        let (m, k, n) = shape;
        let (rows, cols) = (config.array.rows as usize, config.array.cols as usize);
        let (k_tiles, chunks) = (k.div_ceil(rows), m.div_ceil(rows));
        let tiles = n.div_ceil(cols) * chunks;
        let latency = u64::from(latency_cycles(config));
        let cycles = (tiles * k_tiles * rows) as u64 + latency + rows as u64;
        Self { shape, rows, cols, k_tiles, tiles, chunks, latency, cycles }
    }

    fn place(&self, tile: usize, k_tile: usize) -> Place {
        let token = tile % self.chunks * self.rows;
        let tokens = self.rows.min(self.shape.0 - token);
        Place { token, tokens, channel: tile / self.chunks * self.cols, k_tile }
    }

    /// K tile that enters in a cycle, and its step.
    fn entering(&self, cycle: u64) -> Option<(Place, usize)> {
        let (tile, step) = (cycle as usize / self.rows, cycle as usize % self.rows);
        (tile < self.tiles * self.k_tiles).then(|| (self.place(tile / self.k_tiles, tile % self.k_tiles), step))
    }

    /// What leaves in a cycle; row `r` of the array has token `r` of the chunk.
    pub(super) fn leaving(&self, cycle: u64) -> Option<Leaving> {
        let period = (self.k_tiles * self.rows) as u64;
        let since = cycle.checked_sub(period + self.latency)?;
        let (tile, row) = ((since / period) as usize, (since % period) as usize);
        if tile >= self.tiles || row >= self.rows {
            return None;
        }
        let place = self.place(tile, 0);
        let token = self.rows - 1 - row;
        (token < place.tokens).then(|| Leaving {
            row: place.token + token,
            n_tile: place.channel / self.cols,
            first_n: place.channel,
            k: 0..self.shape.1,
        })
    }

    pub(super) fn inputs(
        &self,
        config: &Config,
        (layer, acts): (&QLinear, &QActs),
        cycle: u64,
        frame: &Frame,
        inputs: &mut [u64],
    ) {
        let mut put = |name: &str, value: &[u64]| {
            if let Some(field) = frame.field(name) {
                field.put(inputs, value);
            }
        };
        let taken = cycle.checked_sub(1).and_then(|before| self.entering(before));
        put("take_i", &[taken.is_some_and(|(p, step)| p.k_tile + 1 == self.k_tiles && step + 1 == self.rows).into()]);
        let Some((place, step)) = self.entering(cycle) else { return };
        put("first_i", &[u64::from(place.k_tile == 0 && step == 0)]);
        let first_k = place.k_tile * self.rows;
        if step < place.tokens {
            let codes = &acts.codes.row(place.token + step)[first_k..self.shape.1.min(first_k + self.rows)];
            let mut word = Word::new(config.act_word_bits());
            for (i, &code) in codes.iter().enumerate() {
                word.put(i, config.act_operand().bits(), held(layer.format.act(), config.act_operand(), code));
            }
            put("act_i", &word.limbs);
            let mut row = Word::new(config.array.rows);
            row.put(step, 1, 1);
            put("row_i", &row.limbs);
        }
        let mut word = Word::new(config.weight_word_bits());
        for col in 0..self.cols {
            let (channel, k) = (place.channel + col, first_k + step);
            if k < self.shape.1 && channel < self.shape.2 {
                let code = layer.weight.row(channel)[k];
                word.put(
                    col,
                    config.weight_operand().bits(),
                    held(layer.format.weight(), config.weight_operand(), code),
                );
            }
        }
        put("weight_i", &word.limbs);
    }
}
