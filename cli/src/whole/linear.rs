//! One linear layer as a program of the accelerator, and what golden says of it.

use golden::gemm::Shape;
use golden::layer::PreparedLayer;
use golden::layers::random::{Coding, random_layer};
use golden::layers::{KvCache, Layers, Observe, WideRow};
use golden::op::input::InputRow;
use sim::lower::program::{LinearInput, linear};
use spec::isa::Program;
use spec::model::{QLayer, QModel};
use spec::qmodel::{ActMode, QActs};
use spec::{Config, Dyadic, Format, Operand, RowScale, ScaleRule, Scaling, Tensor};

use super::{Expected, Written};
use crate::args::work::random;
use crate::error::Error;

/// A program of one layer and what it must write: sums, and the step of each row.
pub struct Linear {
    /// The program.
    pub program: Program,
    /// Golden's sums and steps.
    pub expected: Expected,
}

/// How the rows that enter a random layer are given.
enum Rows {
    Codes(QActs),
    Wide(Tensor<i32>, Vec<Dyadic>),
}

/// A product of random operands, in the format's first scaling that the hardware has.
///
/// # Errors
/// For a product that the hardware cannot take.
pub fn gemm(config: &Config, shape: Shape, format: Format, seed: u64) -> Result<Linear, Error> {
    let scalings = format.scalings();
    let scaling = scalings.iter().copied().find(|scaling| config.builds_scaling(*scaling)).unwrap_or(scalings[0]);
    let layer = random_layer(shape.n, shape.k, Coding { scaling, ..Coding::new(format) }, seed);
    let mut random = random(seed);
    let count = shape.m * shape.k;
    let step = Dyadic { mult: 1 << 15, shift: 20 };
    let steps = vec![step; shape.m];
    let rows = if format.act() == Operand::Int8 || layer.scaling == Scaling::Channel {
        let mut code = || match format.act() {
            Operand::Int4 => (random() % 15) as i8 - 7,
            Operand::E2m1 => (random() % 16) as i8,
            _ => ((random() % 255) as i16 - 127) as i8,
        };
        let codes = Tensor::new(shape.m, shape.k, (0..count).map(|_| code()).collect());
        Rows::Codes(QActs { codes, scales: vec![RowScale { step, zp: 128 }; shape.m] })
    } else {
        let values = (0..count).map(|_| (random() % 60_001) as i32 - 30_000).collect();
        Rows::Wide(Tensor::new(shape.m, shape.k, values), steps.clone())
    };
    let rule = ScaleRule::Floor;
    let prepared = PreparedLayer::new(&layer, rule)?;
    let inputs: Vec<InputRow> = match &rows {
        Rows::Codes(acts) => (0..shape.m).map(|row| coded(acts.codes.row(row), acts.scales[row])).collect(),
        Rows::Wide(values, steps) => (0..shape.m)
            .map(|row| {
                let z: Vec<i64> = values.row(row).iter().map(|&v| v.into()).collect();
                prepared.input(&z, steps[row])
            })
            .collect(),
    };
    let input = match &rows {
        Rows::Codes(acts) => LinearInput::Codes(acts),
        Rows::Wide(values, steps) => LinearInput::Wide { values, steps, rule },
    };
    let program = linear(config, &layer, &input)?;
    Ok(Linear { program, expected: expected(prepared.aligned_rows(&inputs).into_iter()) })
}

fn coded(codes: &[i8], scale: RowScale) -> InputRow {
    InputRow { codes: codes.to_vec(), scale, blocks: vec![], clipped: 0 }
}

/// A layer of a model with the rows that enter it when a prompt is read.
///
/// # Errors
/// For a prompt that golden refuses, rows with scales of blocks, and what the hardware cannot take.
pub fn of_model(config: &Config, q: &QModel, name: &str, prompt: &[u32]) -> Result<Linear, Error> {
    let layers = Layers::new(q)?;
    let mut seen = Seen { name, rows: Vec::new(), sums: Vec::new() };
    layers.forward(prompt, &mut KvCache::default(), &mut seen)?;
    let layer: &QLayer = q
        .linears()
        .find(|l| l.linear.name == name)
        .ok_or_else(|| Error::input("--layer", name, "a layer of the model", "see `systole inspect`"))?;
    if seen.rows.iter().any(|row| !row.blocks.is_empty()) {
        let cure = "leave --layer away: the whole model codes them itself";
        let allowed = "formats whose activations have one scale a row";
        return Err(Error::input("--format", layer.linear.format.name(), allowed, cure));
    }
    let k = layer.linear.weight.cols;
    let codes = Tensor::new(seen.rows.len(), k, seen.rows.iter().flat_map(|row| row.codes.clone()).collect());
    let acts = QActs { codes, scales: seen.rows.iter().map(|row| row.scale).collect() };
    debug_assert!(layer.acts == ActMode::Asymmetric || acts.scales.iter().all(|s| s.zp == 128));
    let program = linear(config, layer, &LinearInput::Codes(&acts))?;
    Ok(Linear { program, expected: expected(seen.sums.into_iter().map(|row| (row.values, row.step))) })
}

fn expected(rows: impl Iterator<Item = (Vec<i64>, Dyadic)>) -> Expected {
    let (logits, steps): (Vec<_>, Vec<_>) =
        rows.map(|(sums, step)| (sums, i64::from(step.mult) | i64::from(step.shift as u16) << 16)).unzip();
    Expected { written: Written { tokens: Vec::new(), logits, steps }, is_ended: false }
}

/// Inputs and sums of one layer.
struct Seen<'a> {
    name: &'a str,
    rows: Vec<InputRow>,
    sums: Vec<WideRow>,
}

impl Observe for Seen<'_> {
    fn linear(&mut self, layer: &str, inputs: &[InputRow], sums: &[WideRow]) {
        if layer == self.name {
            self.rows = inputs.to_vec();
            self.sums = sums.to_vec();
        }
    }
}
