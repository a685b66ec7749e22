//! The unit with sums that stay in the PEs: exact, a weight word a cycle, tiles and commands without a gap.

use spec::{Config, Dataflow, Format, PeKind, Scaling};

use super::bench::Bench;
use super::reference::{Product, Random};

/// Formats with one step a channel that multipliers compute beside each other.
const PLAIN: [Format; 6] = [Format::W8a8, Format::W4a8, Format::W4a4, Format::Fp4a8, Format::Fp4, Format::Pot4];
const SHAPES: [(u32, u32); 8] = [(1, 1), (1, 7), (2, 2), (3, 1), (5, 3), (8, 8), (16, 4), (4, 33)];

fn config(rows: u32, cols: u32, formats: &[Format]) -> Config {
    let mut config = Config::from_toml(hdl::presets::preset("base").unwrap()).unwrap();
    config.array.rows = rows;
    config.array.cols = cols;
    config.array.dataflow = Dataflow::Os;
    config.array.preload_rows = 1;
    config.pe.kind = if formats.contains(&Format::Pot8) { PeKind::Shift } else { PeKind::Mac };
    config.pe.formats = formats.to_vec();
    config.validate().unwrap();
    config
}

/// A product of random operands in one of the formats.
fn product(config: &Config, random: &mut Random, (m, k, n): (usize, usize, usize)) -> Product {
    let format = config.pe.formats[random.below(config.pe.formats.len() as u64) as usize];
    Product::random((format, Scaling::Channel), (m, k, n), random)
}

#[test]
fn every_shape_and_format_is_exact() {
    for (rows, cols) in SHAPES {
        for (i, formats) in
            [&PLAIN[..], &[Format::W8a8], &[Format::Fp4], &[Format::Pot4, Format::Pot8]].into_iter().enumerate()
        {
            let mut config = config(rows, cols, formats);
            config.pe.product_register = i % 2 == 1;
            let mut bench = Bench::new(&config, 3);
            let mut random = Random(u64::from(rows * 100 + cols));
            for (m, k, n) in [(1, 1, 1), (rows, 3 * rows + 1, cols + 1), (1 + rows / 2, 70, 3 * cols)] {
                let product = product(&config, &mut random, (m as usize, k as usize, n as usize));
                bench.run(&[product], 0, None);
            }
        }
    }
}

/// Commands of changing formats and sizes one behind the other, with and without stalls; every other one adds to what an
/// earlier one left, not always from its first word on.
#[test]
fn commands_follow_each_other_in_any_mixture() {
    for (rows, cols) in SHAPES {
        let config = config(rows, cols, &PLAIN);
        let mut bench = Bench::new(&config, 4);
        for seed in 0..6 {
            let mut random = Random(seed + 100);
            let mut products: Vec<Product> = Vec::new();
            let mut act = [0, 0];
            for i in 0..24 {
                let m = 1 + random.below(rows.into()) as usize;
                let k = 1 + random.below(if i % 3 == 0 { rows.into() } else { 80 }) as usize;
                let n = 1 + random.below(2 * u64::from(cols)) as usize;
                let adds_to = products.last().filter(|_| i % 2 == 1).map(|p| (p.rows, p.n, p.bank, p.acc));
                let (m, n, bank, acc) = adds_to.unwrap_or((m, n, random.below(2), random.below(100) as usize));
                let mut product = product(&config, &mut random, (m, k, n));
                product.half = random.below(2);
                product.act = act[product.half as usize];
                act[product.half as usize] += product.k_tiles(&config) * m;
                (product.bank, product.acc, product.add) = (bank, acc, adds_to.is_some());
                products.push(product);
            }
            bench.run(&products, 0, (seed > 2).then_some(seed));
        }
    }
}

/// The word that a command's last sum is still being added to is the one that the next command's first sum adds to.
#[test]
fn words_that_overlap_add_up() {
    for (rows, cols) in [(4, 3), (2, 3), (1, 3), (5, 1)] {
        let config = config(rows, cols, &[Format::W8a8]);
        let mut bench = Bench::new(&config, 5);
        for m in 1..=rows as usize {
            let mut random = Random(m as u64);
            let kind = (Format::W8a8, Scaling::Channel);
            let mut products = Vec::new();
            for acc in (0..m + 8).step_by(rows as usize) {
                let mut clear = Product::random(kind, (rows as usize, 1, 1), &mut random);
                (clear.act, clear.acc) = (100 + acc, acc);
                products.push(clear);
            }
            for i in 0..8 {
                let mut product = Product::random(kind, (m, rows as usize, 1), &mut random);
                (product.add, product.acc, product.act) = (true, i, i * m);
                products.push(product);
            }
            bench.run(&products, 20, None);
        }
    }
}

#[test]
fn a_tile_takes_a_cycle_a_row_of_the_array() {
    for (rows, cols) in SHAPES {
        let mut config = config(rows, cols, &[Format::W8a8]);
        for registered in [false, true] {
            config.pe.product_register = registered;
            let mut random = Random(9);
            let shape = (rows as usize, 4 * rows as usize, 2 * cols as usize);
            let mut products = vec![product(&config, &mut random, shape), product(&config, &mut random, shape)];
            products[1].half = 1;
            products[1].bank = 1;
            let timing = Bench::new(&config, 6).run(&products, 300, None);
            let steps = 2 * 4 * 2 * rows as usize;
            assert_eq!(timing.rows.len(), steps);
            // The weight buffer's tiles and what comes a word a cycle behind them are enough: no step waits.
            assert_eq!(timing.rows[steps - 1] - timing.rows[0], steps - 1, "{rows} x {cols}");
            // Array and drain, one cycle to read the accumulators, one to write them.
            let latency = 2 * rows as usize + cols as usize + 1 + usize::from(registered) + 1;
            assert_eq!(timing.done[1] - timing.rows[steps - 1], latency, "{rows} x {cols}");
        }
    }
}
