//! Lowering of one linear layer: rows in memory become aligned sums and their steps in memory.
//!
//! Rows come in chunks, as many as the buffers hold; a chunk goes through the layer part by part of its channels. Weights
//! of the next part are loaded and multiplied into the other accumulator bank while the sums of a part are aligned and
//! stored, and the rows of the next chunk are coded into the other half of the activation buffer in between.

mod plan;
mod rows;

use spec::isa::{Field, Machine, Op, Output, OutputKind, Program};
use spec::model::QLayer;
use spec::qmodel::{ActMode, QActs, QLinear};
use spec::{Config, Dyadic, Operand, Problem, ScaleRule, Scaling, Tensor};

use self::plan::{LinearPlan, rows_entry};
use super::emit::Emit;
use super::image::{self, Image, Part};
use super::ops::{OUT, format_code};
use super::plan::s;
use super::roofline::linear_work;
use crate::error::Error;

/// What enters a linear layer, in memory.
#[derive(Clone, Copy, Debug)]
pub enum LinearInput<'a> {
    /// Codes `[m, k]` as the activation buffer holds them, with step and zero point of each row; for formats whose
    /// activations have no scales of blocks.
    Codes(&'a QActs),
    /// Wide rows `[m, k]` with a step each, which the machine rotates and codes as a model's rows.
    Wide {
        /// Values.
        values: &'a Tensor<i32>,
        /// What one LSB of each row is worth `[m]`.
        steps: &'a [Dyadic],
        /// How scales of MX blocks follow from their range.
        rule: ScaleRule,
    },
}

impl LinearInput<'_> {
    /// Rows M and inputs K.
    fn shape(&self) -> (usize, usize) {
        match self {
            Self::Codes(acts) => (acts.codes.rows, acts.codes.cols),
            Self::Wide { values, .. } => (values.rows, values.cols),
        }
    }
}

/// A layer of the tile engine, one step a channel, as a layer of a model.
pub fn channel_layer(linear: &QLinear, acts: ActMode) -> QLayer {
    let step = linear.requant.step;
    let guard = Scaling::Channel.guard_bits() as i16;
    QLayer {
        weight_step: Dyadic { shift: step.shift - guard, ..step },
        scaling: Scaling::Channel,
        scales: Tensor::new(linear.weight.rows, 0, vec![]),
        acts,
        rotation: 1,
        linear: linear.clone(),
    }
}

/// A linear layer under construction.
struct Lower<'a> {
    layer: &'a QLayer,
    input: LinearInput<'a>,
    plan: LinearPlan,
    parts: Vec<Part>,
    e: Emit,
    /// Address of the rows and bytes from one to the next.
    rows: u32,
    stride: usize,
    sums: Output,
    steps: Output,
    slot: usize,
    row_slot: usize,
    bank: bool,
}

/// A chunk of rows.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    first: usize,
    rows: usize,
    /// Half of the activation buffer, and set of the rows' scalars.
    half: bool,
}

/// Lowers one linear layer for the hardware of a Config.
///
/// Outputs, one row a row of the input: [`OutputKind::Logits`] its aligned sums `[n]`, [`OutputKind::Steps`] what one LSB of
/// them is worth. Both are what golden's layer of a model gives for the same codes, or for the codes of the same wide row.
///
/// # Errors
/// [`Error::Invalid`] for rows that do not fit the layer, codes where activations have scales of blocks, a format that the
/// hardware does not compute, and buffers that are too small for one row.
pub fn linear(config: &Config, layer: &QLayer, input: &LinearInput) -> Result<Program, Error> {
    let machine = Machine::new(config);
    super::check_layers(config, &machine, [layer].into_iter())?;
    check_input(layer, input)?;
    let ((m, _), n) = (input.shape(), layer.linear.weight.rows);
    let plan = LinearPlan::new(config, &machine, layer, input)?;
    let mut image = Image::new(machine.clone(), true);
    let (bytes, number) = plan::number_type(input);
    let stride = machine.whole_beats((bytes * layer.linear.weight.cols) as u32) as usize;
    let rows = image.bytes("rows", stride * m, || plan::row_bytes(input, bytes, stride))?;
    let parts = image::linear(&mut image, layer, plan.part_tiles)?.parts;
    let zero = image.add("zero", 4, vec![])?;
    let mut output = |kind, name: &str, cols: usize| {
        let stride = machine.whole_beats(8 * cols as u32);
        let addr = image.add(name, stride as usize * m, vec![])?;
        Ok::<_, Error>(Output { kind, addr, rows: m as u32, cols: cols as u32, stride })
    };
    let (sums, steps) = (output(OutputKind::Logits, "sums", n)?, output(OutputKind::Steps, "steps", 1)?);
    let outputs = vec![sums.clone(), steps.clone()];
    let e = Emit::new(machine.clone(), vec![]);
    let input = *input;
    let (slot, row_slot, bank) = (0, 0, false);
    let mut lower = Lower { layer, input, plan, parts, e, rows, stride, sums, steps, slot, row_slot, bank };
    lower.e.mark(0, m, None, "linear")?;
    let mut work = linear_work(layer, m, true);
    (work.bytes, work.written) = plan::traffic(layer, &input, bytes, work.bytes);
    lower.e.work(work);
    lower.run(zero, number)?;
    lower.e.push(Op::Halt, &[])?;
    let (instrs, marks) = (lower.e.instrs, lower.e.marks);
    let program = Program { machine, segments: image.segments, instrs, marks, outputs };
    super::checked(program)
}

fn check_input(layer: &QLayer, input: &LinearInput) -> Result<(), Error> {
    let exact = |field: &str, value: usize, wanted: usize| {
        let problem = || Error::invalid(field, value, &wanted.to_string(), "give rows for this layer");
        if value == wanted { Ok(()) } else { Err(problem()) }
    };
    let (m, k) = input.shape();
    if m == 0 || layer.linear.weight.rows == 0 || layer.linear.weight.cols == 0 {
        return Err(Error::invalid("rows", m, "a layer and rows that are not empty", "give a row"));
    }
    exact("rows: inputs", k, layer.linear.weight.cols)?;
    exact("layer: align", layer.linear.align.len(), layer.linear.weight.rows)?;
    exact("layer: sum", layer.linear.sum.len(), layer.linear.weight.rows)?;
    exact("layer: scales", layer.scales.data.len(), layer.linear.weight.rows * layer.scaling.blocks(k))?;
    match input {
        LinearInput::Codes(acts) => {
            let has_blocks = layer.linear.format.act() != Operand::Int8 && layer.scaling != Scaling::Channel;
            if has_blocks {
                let cure = "give wide rows: the vector unit writes scales of blocks only where it codes";
                let problem = Problem::new("rows", "codes", "wide rows where blocks of activations have scales", cure);
                return Err(Error::Invalid(problem));
            }
            exact("rows: scales", acts.scales.len(), m)
        }
        LinearInput::Wide { steps, .. } => exact("rows: steps", steps.len(), m),
    }
}

impl Lower<'_> {
    fn run(&mut self, zero: u32, number: usize) -> Result<(), Error> {
        let chunks = self.chunks();
        if matches!(self.input, LinearInput::Wide { .. }) {
            self.e.constants(zero)?;
        }
        for row in 0..chunks[0].rows {
            self.code(chunks[0], row, number)?;
        }
        let mut before: Option<(Chunk, Part, usize, bool)> = None;
        for (index, &chunk) in chunks.iter().enumerate() {
            let parts = self.parts.clone();
            for (place, part) in parts.iter().enumerate() {
                self.weights(part)?;
                let bank = self.multiply(chunk, part)?;
                let slot = self.params(part)?;
                if index == 0 && place == 0 {
                    self.once(zero)?;
                }
                if place == 0 {
                    self.row_steps(chunk)?;
                }
                if let Some((chunk, part, slot, bank)) = before.replace((chunk, part.clone(), slot, bank)) {
                    self.store(chunk, &part, slot, bank)?;
                }
                // Rows of the next chunk, in shares; behind the last part where they take the same place.
                if let Some(&next) = chunks.get(index + 1) {
                    let share = |place: usize| match self.plan.split {
                        None => place * next.rows / parts.len(),
                        Some(_) => place / parts.len() * next.rows,
                    };
                    for row in share(place)..share(place + 1) {
                        self.code(next, row, number)?;
                    }
                }
            }
        }
        let (chunk, part, slot, bank) = before.expect("a layer has a part");
        self.store(chunk, &part, slot, bank)
    }

    /// Chunks of about equal size.
    fn chunks(&self) -> Vec<Chunk> {
        let m = self.input.shape().0;
        let count = m.div_ceil(self.plan.rows);
        let start = |index: usize| index * m / count;
        (0..count).map(|i| Chunk { first: start(i), rows: start(i + 1) - start(i), half: i % 2 == 1 }).collect()
    }

    /// What every row needs once: VB[0] = 0 and the step of the layer.
    fn once(&mut self, zero: u32) -> Result<(), Error> {
        if matches!(self.input, LinearInput::Codes(_)) {
            let dst = self.plan.zero;
            self.e
                .push(Op::Ldp, &[(Field::Addr, zero as usize), (Field::N, 1), (Field::Dst, dst), (Field::Type, 4)])?;
            self.e.push(Op::Vpar, &[(Field::N, 1), (Field::Dst, 0), (Field::B, dst)])?;
        }
        self.e.dyadic(s::LAYER, self.layer.linear.requant.step)?;
        self.e.push(Op::Seto, &[(Field::Width, 3)])
    }

    /// Steps of the sums of a chunk to memory; zero points of codes to S.
    fn row_steps(&mut self, chunk: Chunk) -> Result<(), Error> {
        for row in 0..chunk.rows {
            let (step, zero_point) = rows_entry(chunk.half, self.plan.rows, row);
            if let LinearInput::Codes(acts) = self.input {
                let scale = acts.scales[chunk.first + row];
                self.e.dyadic(step, scale.step)?;
                if self.layer.acts == ActMode::Asymmetric {
                    self.e.simm(zero_point, scale.zp.into())?;
                }
            }
            let addr = self.steps.addr as usize + (chunk.first + row) * self.steps.stride as usize;
            self.e.push(Op::St, &[(Field::Addr, addr), (Field::Bytes, 8)])?;
            self.e.scalar(Op::Sprd, s::T, step, s::LAYER)?;
            self.e.row(Op::Vads, 1, 0, 0, s::T, &[(Field::To, OUT)])?;
        }
        Ok(())
    }

    /// Loads the weights of a part.
    fn weights(&mut self, part: &Part) -> Result<(), Error> {
        let format = format_code(self.layer.linear.format);
        let words = [(Field::Addr, part.weights as usize), (Field::Words, part.words), (Field::Format, format)];
        self.e.push(Op::Ldw, &words)
    }

    /// Loads the parameters of a part, and gives their slot: behind its product, which does not need them.
    fn params(&mut self, part: &Part) -> Result<usize, Error> {
        let slot = self.plan.slots[self.slot];
        self.slot = (self.slot + 1) % self.plan.slots.len();
        let align = [(Field::Addr, part.align as usize), (Field::N, part.n), (Field::Dst, slot), (Field::Type, 3)];
        self.e.push(Op::Ldp, &align)?;
        if self.layer.acts == ActMode::Asymmetric {
            let dst = slot + part.n;
            let sums = [(Field::Addr, part.sums as usize), (Field::N, part.n), (Field::Dst, dst), (Field::Type, 4)];
            self.e.push(Op::Ldp, &sums)?;
        }
        Ok(slot)
    }

    /// Aligned sums of a chunk's product with a part to memory.
    fn store(&mut self, chunk: Chunk, part: &Part, slot: usize, bank: bool) -> Result<(), Error> {
        let places = 15 - self.layer.scaling.guard_bits();
        for row in 0..chunk.rows {
            let addr = self.sums.addr as usize + (chunk.first + row) * self.sums.stride as usize + 8 * part.first;
            self.e.push(Op::St, &[(Field::Addr, addr), (Field::Bytes, 8 * part.n)])?;
            let (_, zero_point) = rows_entry(chunk.half, self.plan.rows, row);
            let is_asymmetric = self.layer.acts == ActMode::Asymmetric;
            let fields = [
                (Field::N, part.n),
                (Field::A, row),
                (Field::B, slot),
                (Field::Imm, chunk.rows),
                (Field::S, if is_asymmetric { zero_point } else { 0 }),
                (Field::K, places as usize),
                (Field::Bank, usize::from(bank)),
                (Field::Zp, usize::from(is_asymmetric)),
                (Field::To, OUT),
            ];
            self.e.push(Op::Vacc, &fields)?;
        }
        Ok(())
    }
}
