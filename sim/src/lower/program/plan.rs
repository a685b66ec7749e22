//! How many rows a chunk has and where everything lies in act, acc, VB, PB and S.

use spec::isa::{Machine, SCALARS};
use spec::model::{PROB_TOP_15, QLayer, QModel};
use spec::qmodel::ActMode;
use spec::{Config, Dataflow, Problem};

use super::shape::Shape;
use crate::error::Error;

/// Slots of parameters of linear layers: the layer whose sums are read, the one that runs, the next one.
pub(super) const SLOTS: usize = 3;

/// Entries of S that a row has beside those of its heads.
const PER_ROW: usize = 6;

/// Entries of S.
pub(super) mod s {
    pub const ZERO: usize = 0;
    pub const ONE: usize = 1;
    pub const SEVEN: usize = 2;
    pub const EIGHT: usize = 3;
    pub const MINUS_EIGHT: usize = 4;
    pub const FIFTEEN: usize = 5;
    pub const CENTRE: usize = 6;
    pub const MINUS_TWO: usize = 7;
    /// The dyadic 1.
    pub const UNIT: usize = 8;
    /// The dyadic 1 / sqrt(2).
    pub const INV_SQRT2: usize = 9;
    /// Step of the linear layer whose sums are read.
    pub const LAYER: usize = 10;
    /// Step of the row that is coded.
    pub const WIDE: usize = 11;
    pub const EPS: usize = 12;
    /// Zero point of the head's row, and the index of its next channel.
    pub const HEAD: usize = 13;
    /// Largest logit and its index.
    pub const BEST: usize = 15;
    /// Step of a norm's rows.
    pub const NORM: usize = 17;
    /// Entries that hold nothing from one operation to the next but one: this one and 11 behind it.
    pub const T: usize = 20;
    /// Six entries a row, then one a row and head.
    pub const ROWS: usize = 32;
}

/// Where everything lies for chunks of at most `rows` rows over at most `seen` tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub rows: usize,
    /// VB: residual rows, outputs of the attention, three rows of scratch in attention and in feed-forward.
    pub x: usize,
    pub o: usize,
    pub attn: [usize; 3],
    pub ffn: [usize; 3],
    /// PB: the rotation's tables of each row, gain of a norm, factors of queries, keys and outputs, slots.
    pub rope: usize,
    pub gain: usize,
    pub q_factor: usize,
    pub k_factor: usize,
    pub o_align: usize,
    pub slot: usize,
    /// Parameters of a slot.
    pub slot_len: usize,
}

/// What a chunk takes.
#[derive(Clone, Copy, Debug)]
struct Needs {
    act: usize,
    acc: usize,
    elements: usize,
    params: usize,
    scalars: usize,
}

/// Passes of int8 that the product with probabilities takes.
pub(super) fn passes(model: &QModel) -> usize {
    if model.options.prob_top == PROB_TOP_15 { 2 } else { 1 }
}

/// Parameters that a channel of a layer has.
pub(super) fn channel_params(layer: &QLayer) -> usize {
    match layer.acts {
        ActMode::Symmetric => 1,
        ActMode::Asymmetric => 2,
    }
}

impl Plan {
    /// The largest chunk of at most `most` rows that the machine holds, over at most `seen` tokens.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the buffer that is too small for one row, and the smallest size that would do.
    pub fn new(
        config: &Config,
        machine: &Machine,
        model: &QModel,
        shape: &Shape,
        most: usize,
        seen: usize,
    ) -> Result<Self, Error> {
        // Heads give a product more rows than a chunk has: as many as the instruction, or an array that keeps sums, takes.
        let heads = (passes(model) * shape.group()).max(1);
        let held = if config.array.dataflow == Dataflow::Os { machine.rows as usize } else { 2047 };
        if held < heads {
            let cure = format!("set array.rows = {heads} or more, or array.dataflow = \"ws\"");
            let allowed = format!(">= {heads} with array.dataflow = \"os\" for this model");
            return Err(Error::invalid("array.rows", machine.rows, &allowed, &cure));
        }
        let most = most.min(machine.chunk_rows as usize).min(held / heads).max(1);
        let problem = |rows: usize| first_problem(config, machine, &needs(machine, model, shape, rows, seen), seen);
        let fits = |rows: usize| problem(rows).is_none();
        match (1..=most).rev().find(|&rows| fits(rows)) {
            Some(rows) => Ok(Self::of(machine, model, shape, rows, seen)),
            None => Err(Error::Invalid(problem(1).expect("one row does not fit"))),
        }
    }

    fn of(machine: &Machine, model: &QModel, shape: &Shape, rows: usize, seen: usize) -> Self {
        let [attn_len, ffn_len] = scratch(shape, seen);
        let x = machine.lanes as usize;
        let o = x + rows * shape.hidden;
        let attn = o + rows * shape.q_size();
        let rope = 0;
        let gain = rope + rows * shape.head_dim;
        let q_factor = gain + shape.hidden;
        let k_factor = q_factor + shape.kv_size();
        let o_align = k_factor + shape.kv_size();
        let slot = o_align + shape.q_size();
        Self {
            rows,
            x,
            o,
            attn: [0, 1, 2].map(|i| attn + i * attn_len),
            ffn: [0, 1, 2].map(|i| o + i * ffn_len),
            rope,
            gain,
            q_factor,
            k_factor,
            o_align,
            slot,
            // What is left serves the head, whose channels come in parts.
            slot_len: ((machine.params as usize - slot) / SLOTS).max(slot_least(model, shape)),
        }
    }

    /// Entry of S with the binary places of a residual row.
    pub fn shift(&self, row: usize) -> usize {
        s::ROWS + PER_ROW * row
    }

    /// Entry of S with the largest magnitude of a residual row.
    pub fn largest(&self, row: usize) -> usize {
        s::ROWS + PER_ROW * row + 1
    }

    /// Entry of S with the step of a row's codes, of two sets.
    pub fn act_step(&self, row: usize, set: usize) -> usize {
        s::ROWS + PER_ROW * row + 2 + 2 * set
    }

    /// Entry of S with the zero point of a row's codes, of two sets.
    pub fn zero_point(&self, row: usize, set: usize) -> usize {
        self.act_step(row, set) + 1
    }

    /// Entry of S with the step of a row's scores in a head.
    pub fn score_step(&self, shape: &Shape, row: usize, head: usize) -> usize {
        s::ROWS + PER_ROW * self.rows + row * shape.heads + head
    }
}

/// Elements of a scratch row in attention and in feed-forward.
fn scratch(shape: &Shape, seen: usize) -> [usize; 2] {
    let attn = shape.hidden.max(shape.q_size()).max(shape.kv_size()).max(seen);
    [attn, shape.hidden.max(shape.ffn)]
}

/// Least parameters of a slot: a whole layer of a block, or an embedding row with its shift.
fn slot_least(model: &QModel, shape: &Shape) -> usize {
    let layers = model.blocks.iter().flat_map(|b| b.linears());
    let most = layers.map(|l| channel_params(l) * l.linear.weight.rows).max().unwrap_or(0);
    most.max(shape.hidden + 1)
}

fn needs(machine: &Machine, model: &QModel, shape: &Shape, rows: usize, seen: usize) -> Needs {
    let (array_rows, cols) = (machine.rows as usize, machine.cols as usize);
    let per_row = |words: usize| words * rows;
    let heads = shape.heads;
    let k_tiles = |l: &QLayer| machine.k_tiles(l.linear.weight.cols as u32, l.scaling) as usize;
    let blocks = || model.blocks.iter().flat_map(|b| b.linears());
    let pass_rows = passes(model) * shape.group();
    let inputs = blocks().map(k_tiles).max().unwrap_or(0).max(heads * shape.head_dim.div_ceil(array_rows));
    let act = per_row(inputs.max(seen.div_ceil(array_rows) * pass_rows)).max(k_tiles(&model.head));
    let outputs = blocks().map(|l| l.linear.weight.rows.div_ceil(cols)).max().unwrap_or(0);
    let scores = seen.div_ceil(cols) * shape.group();
    let mixed = shape.head_dim.div_ceil(cols) * pass_rows;
    let [attn_len, ffn_len] = scratch(shape, seen);
    let outer = rows * shape.q_size() + 3 * attn_len;
    let fixed = rows * shape.head_dim + shape.hidden + 2 * shape.kv_size() + shape.q_size();
    Needs {
        act,
        acc: per_row(outputs.max(scores).max(mixed)).max(1),
        elements: machine.lanes as usize + rows * shape.hidden + outer.max(3 * ffn_len),
        params: fixed + SLOTS * slot_least(model, shape).max(cols * channel_params(&model.head)),
        scalars: s::ROWS + rows * (PER_ROW + heads),
    }
}

/// The first memory that is too small.
fn first_problem(config: &Config, machine: &Machine, needs: &Needs, seen: usize) -> Option<Problem> {
    let refuse = |field: &str, value: usize, needed: usize| {
        let allowed = format!(">= {needed} for one row of this model over {seen} tokens");
        Some(Problem::new(field, value, allowed, format!("set {field} = {needed} or more")))
    };
    let act_bytes = |words: usize| 2 * words * (machine.rows as usize + 1);
    let acc_bytes = |words: usize| 2 * words * (machine.cols * machine.acc_bits).div_ceil(8) as usize;
    if needs.act > machine.act_words as usize {
        return refuse("buffer.act_bytes", config.buffer.act_bytes as usize, act_bytes(needs.act));
    }
    if needs.acc > machine.acc_words as usize {
        return refuse("buffer.acc_bytes", config.buffer.acc_bytes as usize, acc_bytes(needs.acc));
    }
    if needs.elements > machine.elements as usize {
        return refuse("vec.elements", machine.elements as usize, needs.elements);
    }
    if needs.params > machine.params as usize {
        return refuse("vec.params", machine.params as usize, needs.params);
    }
    if needs.scalars > SCALARS {
        let allowed = format!("at most {} query heads", SCALARS - s::ROWS - PER_ROW);
        let heads = needs.scalars - s::ROWS - PER_ROW;
        return Some(Problem::new("num_attention_heads", heads, allowed, "take a model with fewer heads"));
    }
    None
}
