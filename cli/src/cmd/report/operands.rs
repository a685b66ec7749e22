//! Operands on which the energy of PEs is measured, and that energy from the registers' activity.

use golden::load::{self, Model, shipped};
use golden::quantize::code::{encode, top};
use golden::quantize::quantized_layer;
use hdl::rtl::Design;
use sim::engine::Bench;
use sim::step::activity::Grain;
use spec::qmodel::ActMode;
use spec::{Config, Format, Operand, RequantMode};
use synth::energy::{Choice, Technology, census, energy};
use synth::pes::{Operands, SIDE, config, stream};

use crate::error::Error;
use crate::workload;

/// Tiles of weights.
pub const TILES: usize = 16;
/// Rows of activations that pass each tile: tokens.
pub const TOKENS: usize = 48;
/// The layer of the shipped model whose operands are the real ones, and the text whose activations enter it.
const LAYER: &str = "model.layers.1.mlp.down_proj";
const PROMPT: &str = "Once upon a time there was a king who had three daughters, and the youngest was so beautiful";

/// Dynamic energy in pJ of the last operands of each format, from the registers' activity in the step simulator.
///
/// # Errors
/// For a format that the hardware cannot have.
pub fn by_activity(
    base: &Config,
    work: &[(Format, Vec<Operands>)],
    technology: &Technology,
) -> Result<Vec<f64>, Error> {
    let mut found = Vec::new();
    for (format, operands) in work {
        let Some(operands) = operands.last() else { continue };
        let config = config(base, *format)?;
        let design = Design::new(hdl::unit::array::array(&config)?);
        let mut bench = Bench::new(&design, &[])?;
        bench.stepper.count_activity(Some(Grain::Grids));
        let (mut inputs, mut outputs) = (vec![0; bench.inputs.words], vec![0; bench.outputs.words]);
        for cycle in stream::inputs(&config, operands).map_err(Error::Input)? {
            inputs.fill(0);
            for field in &bench.inputs.fields {
                let port = cycle.ports.iter().find(|(name, _)| *name == field.name);
                field.put(&mut inputs, &[port.map_or(0, |(_, value)| *value)]);
            }
            bench.cycle(&inputs, &mut outputs);
        }
        let activity = bench.stepper.activity().unwrap_or_default();
        let energy = energy(&activity, technology, &census(&design), &Choice::default())?;
        found.push(energy.total.total_pj() - energy.total.leakage_pj);
    }
    Ok(found)
}

/// Uniform, Gaussian and real operands of a format.
///
/// # Errors
/// For a format that the layer cannot have.
pub fn operands(text: &Text, format: Format) -> Result<Vec<Operands>, Error> {
    let side = SIDE as usize;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut both = |name: &str, code: &mut dyn FnMut(&mut Random, Operand) -> i8| Operands {
        name: name.to_string(),
        weights: (0..TILES * side * side).map(|_| code(&mut random, format.weight())).collect(),
        acts: (0..TILES * TOKENS * side).map(|_| code(&mut random, format.act())).collect(),
        tokens: TOKENS,
    };
    let uniform = both("uniform", &mut |random, operand| {
        let codes: Vec<i8> = golden::num::codes(operand).collect();
        codes[(random.unit() * codes.len() as f64) as usize]
    });
    // A third of the largest code: about what a row of some hundred values has after scaling to its largest one.
    let gaussian =
        both("gaussian", &mut |random, operand| encode(operand, random.normal() * f64::from(top(operand)) / 3.0));
    Ok(vec![uniform, gaussian, text.operands(format)?])
}

/// The shipped model, and the tokens whose activations are the real operands.
pub struct Text {
    model: Model,
    ids: Vec<u32>,
}

impl Text {
    /// Reads the model and the text.
    ///
    /// # Errors
    /// Never, unless the model inside the program is broken.
    pub fn new() -> Result<Self, Error> {
        let model = load::open(shipped::NAME)?;
        let ids = workload::ids(&model, "--tokens", PROMPT, Some(TOKENS))?;
        Ok(Self { model, ids })
    }

    /// Tiles of a layer of the shipped model, spread over its weights, with the activations of a text.
    fn operands(&self, format: Format) -> Result<Operands, Error> {
        let side = SIDE as usize;
        let (requant, acts) = (RequantMode::Dynamic, ActMode::Symmetric);
        let (layer, acts) = quantized_layer(&self.model, LAYER, format, requant, acts, &self.ids)?;
        let (n, k) = (layer.weight.rows, layer.weight.cols);
        let mut operands = Operands { name: "real".into(), weights: Vec::new(), acts: Vec::new(), tokens: TOKENS };
        for tile in 0..TILES {
            let (row, col) = (tile * (k - side) / TILES, tile * (n - side) / TILES);
            for r in 0..side {
                operands.weights.extend((0..side).map(|c| layer.weight.data[(col + c) * k + row + r]));
            }
            for token in 0..TOKENS {
                operands.acts.extend_from_slice(&acts.codes.data[token * k + row..][..side]);
            }
        }
        Ok(operands)
    }
}

/// Numbers for operands, the same on every machine.
struct Random(u64);

impl Random {
    /// Uniform in 0..1.
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Normal, of twelve uniform ones.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}
