//! The accelerator's matrix unit: the Verilog of a Config of all formats beside the step simulator, every output of every
//! cycle, and every accumulator word against plain integers.

// The test of the step simulator drives it and says what its sums are.
#[path = "../../tests/mm/bench.rs"]
#[allow(dead_code, reason = "each test program uses its own part")]
mod bench;
#[path = "../../tests/mm/reference.rs"]
#[allow(dead_code, reason = "each test program uses its own part")]
mod reference;

use bench::Bench;
use hdl::rtl::{Design, Header};
use reference::{Product, Random};
use sim::engine::frame::Frame;
use spec::{Config, Dataflow, Format, Scaling};

#[test]
fn every_format_and_scaling_in_verilator() {
    let mut config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
    config.array.chunk_rows = 32;
    config.pe.formats = Format::ALL.into_iter().filter(|f| *f != Format::Pot8).collect();
    let mut random = Random(11);
    let mut products: Vec<Product> = Vec::new();
    let mut act = 0;
    for format in &config.pe.formats {
        for scaling in format.scalings() {
            let shape = [(1, 67, 9), (5, 40, 16), (12, 33, 7)][products.len() % 3];
            let mut product = Product::random((*format, *scaling), shape, &mut random);
            (product.act, product.acc, product.bank) = (act, 24 * (products.len() / 2), (products.len() % 2) as u64);
            act += product.k_tiles(&config) * product.rows;
            products.push(product);
        }
    }
    // Each adds a product of its own format to what it finds, the last ones to what the first ones left.
    let mut again = products[..4].to_vec();
    again.iter_mut().for_each(|product| product.add = true);
    products.extend(again);
    in_verilator(&config, &products);
}

#[test]
fn sums_that_stay_in_verilator() {
    for (rows, cols) in [(5, 3), (8, 8)] {
        let mut config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
        (config.array.rows, config.array.cols) = (rows, cols);
        config.array.dataflow = Dataflow::Os;
        config.array.preload_rows = 1;
        config.pe.formats = vec![Format::W8a8, Format::W4a4, Format::Fp4];
        let mut random = Random(12);
        let mut products: Vec<Product> = Vec::new();
        let mut act = 0;
        for format in [&config.pe.formats[..], &config.pe.formats[..]].concat() {
            for shape in [(1, 67, 9), (5, 5, 16), (3, 33, 7)] {
                let mut product = Product::random((format, Scaling::Channel), shape, &mut random);
                (product.act, product.acc, product.bank) =
                    (act, 30 * (products.len() / 2), (products.len() % 2) as u64);
                act += product.k_tiles(&config) * product.rows;
                products.push(product);
            }
        }
        let mut again = products[..6].to_vec();
        again.iter_mut().for_each(|product| product.add = true);
        products.extend(again);
        in_verilator(&config, &products);
    }
}

/// Runs products in `step` and repeats the run in Verilator.
fn in_verilator(config: &Config, products: &[Product]) {
    let mut bench = Bench::recorded(config, 1);
    bench.run(products, 0, Some(3));
    let record = bench.record.take().unwrap();

    let design = Design::new(hdl::unit::mm::mm(config).unwrap());
    let sources = design.emit(&Header::default()).unwrap();
    let stimulus = |cycle: u64, frame: &Frame, inputs: &mut [u64]| {
        let values = record.cycles.get(cycle as usize);
        for (name, value) in record.names.iter().zip(values.into_iter().flatten()) {
            frame.field(name).unwrap().put(inputs, value);
        }
        values.is_some()
    };
    let judge = |cycle: u64, _: (&Frame, &[u64]), (frame, outputs): (&Frame, &[u64])| {
        let Some(word) = record.words.get(&cycle) else { return Ok(0) };
        let found = frame.field("acc_data_o").unwrap().get_limbs(outputs);
        if &found == word { Ok(u64::from(config.array.cols)) } else { Err(("acc_data_o".into(), format!("{word:x?}"))) }
    };
    let verdict = cosim::unit::drive(&design, &sources, stimulus, judge).unwrap();
    assert!(verdict.matched(), "{:?}", verdict.first);
    assert_eq!(verdict.cycles_checked, record.cycles.len() as u64);
    assert!(verdict.golden_values_checked > 700, "{verdict:?}");
}
