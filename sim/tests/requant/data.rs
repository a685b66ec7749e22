//! Random chunks, with the extremes: largest sums, all zero, one channel, ties.

use spec::{Config, Dyadic, RequantMode, RowScale};

/// SplitMix64.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `low..=high`.
    pub fn range(&mut self, low: i64, high: i64) -> i64 {
        low + (self.next() % (high - low + 1) as u64) as i64
    }

    pub fn one_in(&mut self, n: i64) -> bool {
        self.range(1, n) == 1
    }
}

/// What the engine around the requantizer holds.
pub struct Job {
    pub align: Vec<u16>,
    pub sum: Vec<i32>,
    pub chunks: Vec<Chunk>,
}

pub struct Chunk {
    pub mode: RequantMode,
    pub step: Dyadic,
    pub n_tiles: usize,
    pub last_cols: usize,
    pub rows: Vec<Row>,
}

pub struct Row {
    pub scale: RowScale,
    /// Accumulators of all tiles' columns, used or not.
    pub acc: Vec<i32>,
}

fn dyadic(rng: &mut Rng, low: i64, high: i64) -> Dyadic {
    let mult = match rng.range(0, 5) {
        0 => 1 << 15,
        1 => u16::MAX,
        _ => rng.range(1 << 15, (1 << 16) - 1) as u16,
    };
    Dyadic { mult, shift: rng.range(low, high) as i16 }
}

fn aligned_sum(rng: &mut Rng, kind: i64) -> i32 {
    match kind {
        0 => 0,
        1 => rng.range(-3, 3) as i32,
        2 => rng.range(-300, 300) as i32,
        3 => rng.next() as i32,
        4 => [i32::MAX, i32::MIN, i32::MIN + 1, 0][rng.range(0, 3) as usize],
        5 => rng.range(-(1 << 20), -1) as i32,
        6 => rng.range(0, 1 << 20) as i32,
        _ => i32::from(rng.one_in(20)) * rng.range(-9, 9) as i32,
    }
}

pub fn chunks(config: &Config, count: usize, rng: &mut Rng) -> Job {
    let cols = config.array.cols as usize;
    let channels = config.channel_words() as usize * config.lanes() as usize;
    let zero_points = config.requant.modes.contains(&RequantMode::Asymmetric);
    let align = (0..channels)
        .map(|_| match rng.range(0, 7) {
            0 => 0,
            1 | 2 => 1 << 15,
            3 | 4 => 1 << 7,
            5 => 1 << 6,
            _ => rng.range(1, 1 << 15) as u16,
        })
        .collect();
    let sum: Vec<i32> = (0..channels).map(|_| rng.range(-(1 << 23), (1 << 23) - 1) as i32).collect();
    let mut list = Vec::new();
    for i in 0..count {
        let mode = config.requant.modes[i % config.requant.modes.len()];
        let most_rows = i64::from(config.array.chunk_rows.min(8));
        let rows = if rng.one_in(4) { 1 } else { rng.range(1, most_rows) };
        let most_tiles = (i64::from(config.acc_words()) / rows).min((channels / cols) as i64);
        let n_tiles = if rng.one_in(4) { 1 } else { rng.range(1, most_tiles) };
        let row = |rng: &mut Rng| {
            let zp = if zero_points { rng.range(0, 255) as u8 } else { 128 };
            let zp = if rng.one_in(3) { 128 } else { zp };
            let kind = rng.range(0, 7);
            let acc = (0..n_tiles as usize * cols)
                .map(|n| {
                    let sums = aligned_sum(rng, kind);
                    let sums = if zp == 128 { sums } else { sums.max(i32::MIN + 1) };
                    sums.wrapping_sub((128 - i32::from(zp)) * sum[n])
                })
                .collect();
            let step = match mode {
                RequantMode::Static => dyadic(rng, -2, 40),
                _ => dyadic(rng, -128, 127),
            };
            Row { scale: RowScale { step, zp }, acc }
        };
        let rows = (0..rows).map(|_| row(rng)).collect();
        let step = match mode {
            RequantMode::Static => dyadic(rng, 0, 40),
            _ => dyadic(rng, -128, 127),
        };
        list.push(Chunk { mode, step, n_tiles: n_tiles as usize, last_cols: rng.range(1, cols as i64) as usize, rows });
    }
    Job { align, sum, chunks: list }
}
