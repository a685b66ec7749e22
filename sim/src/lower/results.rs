//! Which row and columns each result beat of the tile engine carries.

use spec::qmodel::QRows;
use spec::stream::{Packing, packing, row_word, unpack_row_word};
use spec::{Config, RowScale};

/// What one result beat carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeatAt {
    /// Bytes of a row: columns `first_col..first_col + cols`, the first in the lowest bits, the rest of the beat zero.
    Values {
        /// Row (token).
        row: usize,
        /// Column (output channel) of the lowest byte.
        first_col: usize,
        /// Columns.
        cols: usize,
    },
    /// The row's scale in the lowest 32 bits; the last beat of the row's packet.
    Scale {
        /// Row (token).
        row: usize,
    },
}

impl BeatAt {
    /// The row.
    pub fn row(self) -> usize {
        match self {
            Self::Values { row, .. } | Self::Scale { row } => row,
        }
    }

    /// Values that the beat carries; a scale counts as one.
    pub fn values(self) -> u64 {
        match self {
            Self::Values { cols, .. } => cols as u64,
            Self::Scale { .. } => 1,
        }
    }
}

/// Layout of the result stream of one layer: packets of rows `0..m`, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResultLayout {
    m: usize,
    n: usize,
    lanes: usize,
    bus_bytes: usize,
    packing: Packing,
    value_beats: usize,
}

impl ResultLayout {
    /// Layout of `m` rows of `n` values.
    pub fn new(config: &Config, m: usize, n: usize) -> Self {
        let lanes = config.lanes() as usize;
        let packing = packing(config.bus.data_bits, 8 * config.lanes());
        let value_beats = packing.beats(n.div_ceil(lanes) as u64) as usize;
        Self { m, n, lanes, bus_bytes: config.bus.data_bits as usize / 8, packing, value_beats }
    }

    /// Beats of one row's packet, its scale included.
    pub fn beats_per_row(&self) -> usize {
        self.value_beats + 1
    }

    /// Beats of all rows.
    pub fn beats(&self) -> usize {
        self.m * self.beats_per_row()
    }

    /// What beat `beat` carries; `None` past the last.
    pub fn at(&self, beat: usize) -> Option<BeatAt> {
        let row = beat / self.beats_per_row();
        let within = beat % self.beats_per_row();
        if row >= self.m {
            return None;
        }
        if within == self.value_beats {
            return Some(BeatAt::Scale { row });
        }
        let (first_col, most) = if self.packing.beats_per_word > 1 {
            let parts = self.packing.beats_per_word as usize;
            let first_byte = within % parts * self.bus_bytes;
            (within / parts * self.lanes + first_byte, self.bus_bytes.min(self.lanes - first_byte))
        } else {
            let most = self.packing.words_per_beat as usize * self.lanes;
            (within * most, most)
        };
        // A last word with few columns leaves nothing for its upper beats.
        Some(BeatAt::Values { row, first_col, cols: most.min(self.n.saturating_sub(first_col)) })
    }

    /// The data of beat `beat` for results `rows`, into `limbs` (lowest bits first).
    ///
    /// # Panics
    /// If there is no such beat, or `limbs` is shorter than a beat.
    pub fn encode(&self, rows: &QRows, beat: usize, limbs: &mut [u64]) {
        limbs.fill(0);
        match self.at(beat).expect("a beat of this layout") {
            BeatAt::Scale { row } => limbs[0] = row_word(rows.scales[row]).into(),
            BeatAt::Values { row, first_col, cols } => {
                if cols > 0 {
                    for (i, &code) in rows.codes.row(row)[first_col..first_col + cols].iter().enumerate() {
                        limbs[i / 8] |= u64::from(code as u8) << (i % 8 * 8);
                    }
                }
            }
        }
    }

    /// Puts the data of beat `beat` into `rows`.
    ///
    /// # Panics
    /// If there is no such beat, or `limbs` is shorter than a beat.
    pub fn decode(&self, beat: usize, limbs: &[u64], rows: &mut QRows) {
        match self.at(beat).expect("a beat of this layout") {
            BeatAt::Scale { row } => rows.scales[row] = unpack_row_word(limbs[0] as u32),
            BeatAt::Values { row, first_col, cols } => {
                for i in 0..cols {
                    rows.codes.data[row * self.n + first_col + i] = (limbs[i / 8] >> (i % 8 * 8)) as i8;
                }
            }
        }
    }

    /// Rows to be filled by [`Self::decode`].
    pub fn empty_rows(&self) -> QRows {
        let scale = RowScale { step: spec::Dyadic { mult: 0, shift: 0 }, zp: 0 };
        QRows { codes: spec::Tensor::filled(self.m, self.n, 0), scales: vec![scale; self.m] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lower::engine::tests::config;

    #[test]
    fn every_value_is_in_exactly_one_beat_and_comes_back() {
        for (cols, lanes, data_bits) in [(8, 4, 64), (7, 7, 32), (16, 16, 32), (5, 5, 64), (1, 1, 512), (32, 16, 128)] {
            for (m, n) in [(1, 1), (3, 40), (2, 33), (1, 7)] {
                let mut config = config(3, cols);
                config.requant.lanes = lanes;
                config.bus.data_bits = data_bits;
                let layout = ResultLayout::new(&config, m, n);
                let mut rows = layout.empty_rows();
                for (i, code) in rows.codes.data.iter_mut().enumerate() {
                    *code = (i * 37 + 5) as i8;
                }
                for (i, scale) in rows.scales.iter_mut().enumerate() {
                    scale.step = spec::Dyadic { mult: 40000 + i as u16, shift: i as i16 - 3 };
                    scale.zp = 200 + i as u8;
                }
                let mut seen = vec![0; m * n];
                let mut back = layout.empty_rows();
                let mut limbs = vec![0; (data_bits as usize).div_ceil(64)];
                for beat in 0..layout.beats() {
                    if let Some(BeatAt::Values { row, first_col, cols }) = layout.at(beat) {
                        (first_col..first_col + cols).for_each(|c| seen[row * n + c] += 1);
                    }
                    layout.encode(&rows, beat, &mut limbs);
                    layout.decode(beat, &limbs, &mut back);
                }
                assert!(seen.iter().all(|&times| times == 1), "{cols} {lanes} {data_bits} {m}x{n}");
                assert_eq!(back, rows);
                assert_eq!(layout.at(layout.beats()), None);
            }
        }
    }
}
