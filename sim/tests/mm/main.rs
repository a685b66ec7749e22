//! The accelerator's matrix unit in the step simulator: every scaling exact, a tile every `max(rows, preload_cycles)`
//! cycles, headers in the gaps.

mod bench;
mod os;
mod reference;

use bench::Bench;
use reference::{Product, Random};
use spec::{Config, Format, PeKind, Scaling};

fn config(rows: u32, cols: u32, preload: u32, formats: &[Format]) -> Config {
    let mut config = Config::from_toml(hdl::presets::preset("base").unwrap()).unwrap();
    config.array.rows = rows;
    config.array.cols = cols;
    config.array.preload_rows = preload;
    // Instructions may have more rows than a chunk has.
    config.array.chunk_rows = 3;
    config.pe.kind = if formats == POWERS { PeKind::Shift } else { PeKind::Mac };
    config.pe.formats = formats.to_vec();
    config.validate().unwrap();
    config
}

/// Every format of the Config in every scaling that its feet have.
fn kinds(config: &Config) -> Vec<(Format, Scaling)> {
    let formats = config.pe.formats.iter();
    formats.flat_map(|f| f.scalings().iter().map(|s| (*f, *s))).filter(|(_, s)| config.builds_scaling(*s)).collect()
}

/// The formats that shifters compute.
const POWERS: [Format; 2] = [Format::Pot4, Format::Pot8];
/// Every format that multipliers compute.
const ALL: [Format; 9] = [
    Format::W8a8,
    Format::W4a8,
    Format::W4a4,
    Format::Fp4a8,
    Format::Fp4,
    Format::Mxfp4a8,
    Format::Mxfp4,
    Format::Nvfp4,
    Format::Pot4,
];

#[test]
fn every_format_and_scaling_is_exact() {
    for (rows, cols, preload) in [(5, 3, 2), (8, 8, 1), (8, 8, 8), (16, 16, 2), (32, 16, 4), (40, 4, 40), (1, 1, 1)] {
        let config = config(rows, cols, preload, &ALL);
        let mut bench = Bench::new(&config, 3);
        let mut random = Random(u64::from(rows * 100 + cols));
        for kind in kinds(&config) {
            // K ends within a block, within a tile, and with neither.
            for (m, k, n) in [(1, 67, cols + 1), (3, 40, 2 * cols), (7, 64, 1), (40, 19, cols)] {
                let product = Product::random(kind, (m, k, n as usize), &mut random);
                println!("{rows} x {cols}, {preload} rows a cycle, {kind:?}, {m} x {k} x {n}");
                bench.run(&[product], 0, None);
            }
        }
    }
}

/// Commands of changing formats, scalings and sizes, each beginning before the one before it is done, with halves, banks
/// and addresses of their own; every other one adds to what the one before it left.
#[test]
fn commands_follow_each_other_in_any_mixture() {
    for (rows, cols, preload) in [(5, 3, 1), (8, 8, 2), (4, 4, 4), (16, 16, 2), (32, 16, 4)] {
        let config = config(rows, cols, preload, &ALL);
        let mut bench = Bench::new(&config, 4);
        let kinds = kinds(&config);
        for seed in 0..6 {
            let mut random = Random(seed + 100);
            let mut products: Vec<Product> = Vec::new();
            let mut act = [0, 0];
            for i in 0..24 {
                let kind = kinds[random.below(kinds.len() as u64) as usize];
                let m = if seed % 2 == 0 { 1 + random.below(3) } else { 1 + random.below(40) } as usize;
                let k = 1 + random.below(if i % 3 == 0 { 16 } else { 80 }) as usize;
                let n = 1 + random.below(2 * u64::from(cols)) as usize;
                let adds_to = products.last().filter(|_| i % 2 == 1).map(|p| (p.rows, p.n, p.bank, p.acc));
                // Two N tiles of 40 rows fit behind it; it may overlap what earlier commands wrote.
                let acc = random.below(u64::from(config.top_acc_words()).min(16384) - 80) as usize;
                let (m, n, bank, acc) = adds_to.unwrap_or((m, n, random.below(2), acc));
                let mut product = Product::random(kind, (m, k, n), &mut random);
                product.half = random.below(2);
                let words = product.k_tiles(&config) * m;
                product.act = act[product.half as usize];
                act[product.half as usize] += words;
                (product.bank, product.acc, product.add) = (bank, acc, adds_to.is_some());
                if act.iter().any(|&words| words > config.top_act_words() as usize) {
                    break;
                }
                products.push(product);
            }
            assert!(products.len() > 8, "{} products", products.len());
            bench.run(&products, 0, (seed > 2).then_some(seed));
        }
    }
}

/// A command that adds to a word which the command before it wrote a cycle earlier, and whose own words lie one further.
#[test]
fn words_that_overlap_add_up() {
    for (rows, preload) in [(4, 1), (4, 2), (4, 4), (2, 1)] {
        let config = config(rows, 3, preload, &[Format::W8a8]);
        let mut bench = Bench::new(&config, 5);
        for m in 1..5 {
            let mut random = Random(m as u64);
            let kind = (Format::W8a8, Scaling::Channel);
            // Zeros first in every word, then products each of which adds from one word further on.
            let mut clear = Product::random(kind, (m + 8, 1, 3), &mut random);
            clear.act = 100;
            let mut products = vec![clear];
            for i in 0..8 {
                let mut product = Product::random(kind, (m, rows as usize, 3), &mut random);
                (product.add, product.acc, product.act) = (true, i, i * m);
                products.push(product);
            }
            bench.run(&products, 20, None);
        }
    }
}

/// The first rows of tiles by the rule of the unit, counted from the first one: a tile's weights begin to enter when the
/// previous tile begins and after all words before them have been read, a word a cycle; a tile begins when the previous
/// one's rows are through and at least a cycle after its weights began to enter.
fn tile_starts(config: &Config, products: &[Product]) -> Vec<i64> {
    let depth = i64::from(config.preload_cycles());
    let least = if depth == 1 { 1 } else { 2 };
    let (mut starts, mut preload, mut rows) = (Vec::new(), -1, 0);
    for product in products {
        let tiles = product.k_tiles(config);
        for tile in 0..product.n_tiles(config) * tiles {
            let block = product.block_tiles(config);
            let header =
                if block > 0 && (tile % tiles).is_multiple_of(block) { product.header_words(config) } else { 0 };
            if let Some(&last) = starts.last() {
                preload = (preload + depth + header as i64).max(last);
                starts.push((last + rows).max(preload + 1).max(last + least));
            } else {
                starts.push(0);
            }
            rows = product.rows as i64;
        }
    }
    starts
}

#[test]
fn tiles_come_as_fast_as_rows_and_weights_allow() {
    let kinds = [
        (Format::W8a8, Scaling::Channel),
        (Format::W4a8, Scaling::Group32),
        (Format::W4a8, Scaling::Group16),
        (Format::Mxfp4a8, Scaling::Mx32),
    ];
    for (rows, cols, preload) in [(5, 3, 1), (8, 8, 1), (8, 8, 8), (16, 16, 2), (32, 16, 4), (4, 12, 2)] {
        let config = config(rows, cols, preload, &[Format::W8a8, Format::W4a8, Format::Mxfp4a8]);
        let depth = config.preload_cycles() as usize;
        for kind in kinds {
            for m in [1, 2, depth, depth + 1, depth + 2, 2 * depth, 40] {
                let mut bench = Bench::new(&config, 6);
                let mut random = Random(9);
                let shape = (m, 96, 3 * cols as usize);
                let mut products =
                    vec![Product::random(kind, shape, &mut random), Product::random(kind, shape, &mut random)];
                products[1].half = 1;
                products[1].bank = 1;
                // The weight buffer is full before the first command.
                let timing = bench.run(&products, 300, None);
                let wanted: Vec<i64> = tile_starts(&config, &products);
                let first = timing.rows[0] as i64;
                let found: Vec<i64> = timing.rows.iter().step_by(m).map(|&cycle| cycle as i64 - first).collect();
                assert_eq!(found, wanted, "{rows} x {cols}, {preload} rows a cycle, {kind:?}, M = {m}");
                // Where the rows leave room for the headers, these cost nothing.
                let (tiles, blocks) = (wanted.len(), products[0].block_tiles(&config));
                if m >= depth + products[0].header_words(&config) && (depth > 1 || m > 1) {
                    assert_eq!(wanted[tiles - 1], ((tiles - 1) * m) as i64, "{blocks} tiles a block");
                }
            }
        }
    }
}

/// From the cycle in which a row enters to the one in which its last sums are written.
#[test]
fn the_last_word_is_written_a_fixed_time_after_its_row() {
    for (formats, scales) in [(&ALL[..1], 0), (&ALL[..], 2)] {
        let config = config(8, 8, 2, formats);
        let kind = (Format::W8a8, Scaling::Channel);
        let product = Product::random(kind, (3, 20, 9), &mut Random(1));
        let timing = Bench::new(&config, 7).run(&[product], 0, None);
        let array = 8 + 8 + usize::from(config.pe.product_register);
        let last_row = timing.rows[timing.rows.len() - 1];
        assert_eq!(timing.done[0] - last_row, 1 + array + scales + 1);
    }
}

#[test]
fn formats_of_one_code_need_no_decoder() {
    for formats in [
        &[Format::Mxfp4, Format::Nvfp4][..],
        &[Format::W4a4],
        &[Format::Mxfp4a8],
        &[Format::Fp4, Format::W4a8],
        &POWERS,
    ] {
        let config = config(16, 4, 1, formats);
        let mut bench = Bench::new(&config, 8);
        for kind in kinds(&config) {
            let mut random = Random(2);
            let products = [(2, 70, 6), (9, 33, 4)].map(|shape| Product::random(kind, shape, &mut random));
            bench.run(&products[..1], 0, None);
            bench.run(&products[1..], 0, None);
        }
    }
}
