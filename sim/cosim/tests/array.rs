//! Output-stationary arrays alone: every output of every cycle beside Verilator, every sum beside golden.

use cosim::Sources;
use cosim::array::cosim_array;
use golden::gemm::{Shape, random_layer};
use spec::{Config, Dataflow, Format, RequantMode};

fn config(rows: u32, cols: u32, format: Format) -> Config {
    let mut config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
    config.array.rows = rows;
    config.array.cols = cols;
    config.array.dataflow = Dataflow::Os;
    config.array.preload_rows = 1;
    config.pe.kind = format.pe_kind();
    config.pe.formats = vec![format];
    config
}

#[test]
fn sums_that_stay_are_exact_in_every_shape() {
    let formats = [Format::W8a8, Format::Pot4, Format::Fp4, Format::W8a8];
    for (i, (rows, cols)) in [(1, 1), (1, 7), (5, 3), (8, 8)].into_iter().enumerate() {
        let format = formats[i];
        let mut config = config(rows, cols, format);
        config.pe.product_register = i % 2 == 1;
        config.validate().unwrap();
        let (r, c) = (rows as usize, cols as usize);
        // One token and one tile; chunks and tiles that are full; tokens, K and N off the tiles.
        for (m, k, n) in [(1, 1, 1), (2 * r, 3 * r, 2 * c), (2 * r + 1, 2 * r + 3, 2 * c + 1)] {
            let (layer, acts) = random_layer(Shape { m, k, n }, format, RequantMode::Dynamic, false, i as u64).unwrap();
            let verdict = cosim_array(&config, &Sources::Generated, &layer, &acts).unwrap();
            assert!(verdict.matched(), "{rows} x {cols}, {format:?}, {m} x {k} x {n}: {:#?}", verdict.first);
            assert_eq!(verdict.golden_values_checked, (m * n) as u64, "{rows} x {cols}, {m} x {k} x {n}");
        }
    }
}
