//! The matrix-multiply unit in the step simulator: exact sums, and a tile every `max(rows, preload_cycles)` cycles.

use hdl::rtl::Design;
use hdl::unit::run_sizes::RunSizes;
use sim::step::{Port, Stepper};
use spec::Config;

/// A small deterministic generator of operands.
struct Random(u64);

impl Random {
    fn byte(&mut self) -> i8 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 56) as i8
    }
}

fn config(rows: u32, cols: u32, preload_rows: u32, product_register: bool) -> Config {
    let mut config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
    config.array.rows = rows;
    config.array.cols = cols;
    config.array.preload_rows = preload_rows;
    config.pe.formats = vec![spec::Format::W8a8];
    config.pe.product_register = product_register;
    config.validate().unwrap();
    config
}

fn pack(values: impl Iterator<Item = u64>, bits: u32) -> Vec<u64> {
    let mut limbs = Vec::new();
    for (i, value) in values.enumerate() {
        for b in 0..bits as usize {
            let place = i * bits as usize + b;
            if place / 64 == limbs.len() {
                limbs.push(0);
            }
            limbs[place / 64] |= (value >> b & 1) << (place % 64);
        }
    }
    limbs
}

/// Runs `chunks` equal commands of `m` rows back to back, the first offered in cycle `from_cycle`, with weights and
/// accumulator banks always ready; checks every accumulator and returns the cycles from the first row of the first chunk
/// to the last row of the last.
fn run(config: &Config, (m, k_tiles, n_tiles): (usize, usize, usize), chunks: usize, from_cycle: usize) -> usize {
    let sizes = RunSizes::new(config);
    let (rows, cols) = (config.array.rows as usize, config.array.cols as usize);
    let (depth, bands) = (config.preload_cycles() as usize, config.preload_rows() as usize);
    let mut random = Random(7);
    let acts: Vec<Vec<i8>> = (0..k_tiles * m).map(|_| (0..rows).map(|_| random.byte()).collect()).collect();
    let weights: Vec<Vec<i8>> =
        (0..n_tiles * k_tiles).map(|_| (0..rows * cols).map(|_| random.byte()).collect()).collect();
    let weight_word = |word: usize| {
        let (tile, step) = (&weights[word / depth % weights.len()], word % depth);
        let byte = |band: usize, c: usize| {
            let r = band * depth + step;
            if r < rows { u64::from(tile[r * cols + c] as u8) } else { 0 }
        };
        pack((0..bands * cols).map(|i| byte(i / cols, i % cols)), 8)
    };

    let design = Design::new(hdl::unit::matmul::matmul(config).unwrap());
    let mut sim = Stepper::new(&design).unwrap();
    let port = |name: &str| -> Port { sim.input(name).or_else(|_| sim.output(name)).unwrap() };
    let [rst, cmd_valid, cmd_ready, cmd_bank, tile_ready, pop, weight, act_read, act_addr, act] = [
        "rst_ni",
        "cmd_valid_i",
        "cmd_ready_o",
        "cmd_bank_i",
        "tile_ready_i",
        "pop_o",
        "weight_i",
        "act_read_o",
        "act_addr_o",
        "act_i",
    ]
    .map(port);
    let [read, rbank, raddr, rdata, write, wbank, waddr, wdata, row, done] =
        ["read_o", "rbank_o", "raddr_o", "rdata_i", "write_o", "wbank_o", "waddr_o", "wdata_o", "row_o", "done_o"]
            .map(port);
    for (name, value, bits) in [
        ("cmd_rows_i", m, sizes.row),
        ("cmd_k_tiles_i", k_tiles, sizes.k_tiles),
        ("cmd_n_tiles_i", n_tiles, sizes.n_tiles),
    ] {
        let field = sim.input(name).unwrap();
        sim.set(field, value as u64 % (1 << bits));
    }
    sim.set(rst, 0);
    sim.tick();
    sim.set(rst, 1);
    sim.set(tile_ready, 1);

    let limbs = (config.acc_word_bits() as usize).div_ceil(64);
    let mut memory = vec![vec![vec![0u64; limbs]; n_tiles * m]; 2];
    let (mut popped, mut sent, mut finished, mut first, mut last) = (0, 0, 0, None, 0);
    let mut word = vec![0u64; limbs];
    for cycle in 0..1_000_000 {
        let offered = cycle >= from_cycle && sent < chunks;
        sim.set(cmd_valid, u64::from(offered));
        sim.set(cmd_bank, (sent % 2) as u64);
        sim.settle();
        if sim.get(row) == 1 {
            first.get_or_insert(cycle);
            last = cycle;
        }
        let taken = offered && sim.get(cmd_ready) == 1;
        let weight_next = (sim.get(pop) == 1).then(|| weight_word(popped));
        let act_next = (sim.get(act_read) == 1)
            .then(|| pack(acts[sim.get(act_addr) as usize].iter().map(|&v| u64::from(v as u8)), 8));
        let read_next = (sim.get(read) == 1).then(|| memory[sim.get(rbank) as usize][sim.get(raddr) as usize].clone());
        if sim.get(write) == 1 {
            sim.get_limbs(wdata, &mut word);
            memory[sim.get(wbank) as usize][sim.get(waddr) as usize].copy_from_slice(&word);
        }
        finished += sim.get(done) as usize;
        sim.tick();
        sent += usize::from(taken);
        if let Some(limbs) = weight_next {
            popped += 1;
            sim.set_limbs(weight, &limbs);
        }
        if let Some(limbs) = act_next {
            sim.set_limbs(act, &limbs);
        }
        if let Some(limbs) = read_next {
            sim.set_limbs(rdata, &limbs);
        }
        if finished == chunks {
            break;
        }
    }
    assert_eq!(finished, chunks, "the unit hangs");

    for bank in memory.iter().take(chunks) {
        for (n, tile) in bank.chunks(m).enumerate() {
            for (i, word) in tile.iter().enumerate() {
                for c in 0..cols {
                    let term = |k: usize, r: usize| {
                        i32::from(acts[k * m + i][r]) * i32::from(weights[n * k_tiles + k][r * cols + c])
                    };
                    let want: i32 =
                        (0..k_tiles).flat_map(|k| (0..rows).map(move |r| (k, r))).map(|(k, r)| term(k, r)).sum();
                    let got = (word[c / 2] >> (32 * (c % 2))) as i32;
                    assert_eq!(got, want, "row {i}, n tile {n}, column {c}");
                }
            }
        }
    }
    last - first.unwrap() + 1
}

#[test]
fn a_tile_takes_the_rows_or_the_preload_whichever_is_longer() {
    let shapes = [
        (1, 1, 1),
        (1, 7, 1),
        (5, 3, 1),
        (5, 3, 2),
        (5, 3, 5),
        (8, 8, 3),
        (4, 32, 2),
        (16, 16, 2),
        (32, 16, 4),
        (3, 1, 3),
    ];
    for (rows, cols, preload) in shapes {
        for register in [false, true] {
            let config = config(rows, cols, preload, register);
            for m in [1, 2, 3, 4, 7, 16] {
                let tiles = 3 * 4 * 2;
                let cycles = run(&config, (m, 3, 4), 2, 0);
                let tile = m.max(config.preload_cycles() as usize);
                // The last tile ends with its last row, not with its preload time.
                assert_eq!(cycles, (tiles - 1) * tile + m, "{rows} x {cols}, {preload} rows a cycle, M = {m}");
            }
        }
    }
}

/// Single rows, so that each K tile meets the word that the one before it wrote: in the next cycle where a tile takes one
/// cycle, and where its weights came long before the command and it could.
#[test]
fn single_rows_add_up_however_early_their_weights_come() {
    for preload in [1, 2, 4] {
        let config = config(4, 3, preload, false);
        assert_eq!(config.preload_cycles(), 4 / preload);
        for wait_cycles in [0, 1, 2, 3, 50] {
            for k_tiles in [1, 2, 3, 7] {
                run(&config, (1, k_tiles, 3), 3, wait_cycles);
            }
        }
    }
}

/// A chunk whose rows and tiles each fit but not together says so in the cycle in which it would go on past the end.
#[test]
fn a_chunk_that_runs_past_a_buffer_says_so() {
    for (m, k_tiles, n_tiles, overruns) in [(4, 4, 1, false), (4, 5, 1, true), (1, 1, 8, false), (4, 1, 4, true)] {
        let mut config = config(4, 3, 1, false);
        config.array.chunk_rows = 4;
        // Sixteen words of activations and twelve of sums in each half.
        config.buffer.act_bytes = 2 * 16 * 4;
        config.buffer.acc_bytes = 2 * 12 * 3 * 4;
        config.validate().unwrap();
        assert_eq!((config.act_words(), config.acc_words()), (16, 12));
        let sizes = RunSizes::new(&config);
        let mut sim = Stepper::new(&Design::new(hdl::unit::matmul::matmul(&config).unwrap())).unwrap();
        for (name, value) in [
            ("rst_ni", 0),
            ("cmd_valid_i", 0),
            ("tile_ready_i", 1),
            ("cmd_rows_i", m % (1 << sizes.row)),
            ("cmd_k_tiles_i", k_tiles % (1 << sizes.k_tiles)),
            ("cmd_n_tiles_i", n_tiles % (1 << sizes.n_tiles)),
        ] {
            let input = sim.input(name).unwrap();
            sim.set(input, value);
        }
        sim.tick();
        let [rst, valid] = ["rst_ni", "cmd_valid_i"].map(|name| sim.input(name).unwrap());
        let [overrun, done] = ["overrun_o", "done_o"].map(|name| sim.output(name).unwrap());
        sim.set(rst, 1);
        let (mut finished, mut seen) = (false, 0);
        for cycle in 0..400 {
            sim.set(valid, u64::from(cycle == 0));
            sim.settle();
            seen += sim.get(overrun);
            finished |= sim.get(done) == 1;
            sim.tick();
        }
        assert!(finished, "{m} rows, {k_tiles} x {n_tiles} tiles");
        assert_eq!(seen > 0, overruns, "{m} rows, {k_tiles} x {n_tiles} tiles");
    }
}
