//! What the tests of the tile engine share.
#![allow(dead_code, reason = "each test program uses its own part")]

use cosim::{Cosim, Options, Sources};
use golden::gemm::{Shape, random_layer};
use spec::verdict::Verdict;
use spec::{Config, Format, RequantMode};

/// A Config for an array of that size, derived from `small`, with buffers that hold `k` and `n`.
pub fn config(rows: u32, cols: u32, formats: &[Format]) -> Config {
    let mut config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
    config.array.rows = rows;
    config.array.cols = cols;
    config.pe.kind = formats[0].pe_kind();
    config.pe.formats = formats.to_vec();
    config.requant.modes = RequantMode::ALL.to_vec();
    config
}

/// One run: shape, format, mode, zero points, seeds.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Tokens, reduction, channels.
    pub shape: (usize, usize, usize),
    /// Format.
    pub format: Format,
    /// Requantisation.
    pub mode: RequantMode,
    /// Stalls.
    pub stall_seed: Option<u64>,
    /// Registers at random.
    pub random_start: Option<(u64, u64)>,
    /// Seed of the operands.
    pub seed: u64,
}

impl Run {
    /// A run without stalls, from zero.
    pub fn new(shape: (usize, usize, usize), format: Format, mode: RequantMode) -> Self {
        Self { shape, format, mode, stall_seed: None, random_start: None, seed: 1 }
    }

    /// Runs it.
    pub fn on(&self, cosim: &Cosim, options: &Options) -> Verdict {
        let (m, k, n) = self.shape;
        let zero_points = self.seed.is_multiple_of(2) && self.format.act() == spec::Operand::Int8;
        let (layer, acts) = random_layer(Shape { m, k, n }, self.format, self.mode, zero_points, self.seed).unwrap();
        let options = Options { stall_seed: self.stall_seed, random_start: self.random_start, ..options.clone() };
        cosim.run(&layer, &acts, &options, |_, _| {}).unwrap_or_else(|e| panic!("{self:?}: {e}"))
    }

    /// Runs it and wants a match with everything checked.
    pub fn matches(&self, cosim: &Cosim) {
        let verdict = self.on(cosim, &Options::default());
        assert!(verdict.matched(), "{self:?}: {:#?}", verdict.first);
        let (m, k, n) = self.shape;
        let results = (m * n + m) as u64;
        assert!(verdict.golden_values_checked > results, "{self:?}: {verdict:?}");
        assert!(verdict.cycles_checked == verdict.cycles && verdict.cycles > (m * k * n / 4096) as u64);
    }
}

/// Both models of a Config.
pub fn build(config: &Config) -> Cosim {
    config.validate().unwrap();
    Cosim::new(config, &Sources::Generated, &Options::default()).unwrap_or_else(|e| panic!("{e}"))
}

/// Every format of a Config with every mode over some shapes: from zero and without stalls, with stalls, and with stalls
/// from random registers.
pub fn sweep(config: &Config, shapes: &[(usize, usize, usize)]) {
    let cosim = build(config);
    let mut seed = 0;
    for &format in &config.pe.formats {
        for mode in RequantMode::ALL {
            for &shape in shapes {
                seed += 1;
                let base = Run { seed, ..Run::new(shape, format, mode) };
                base.matches(&cosim);
                let stalled = Run { stall_seed: Some(seed * 7), ..base };
                stalled.matches(&cosim);
                Run { random_start: Some((seed, seed + 1000)), ..stalled }.matches(&cosim);
            }
        }
    }
}
