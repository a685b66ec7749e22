//! Lowering of a whole model: a prompt and the tokens that follow it become a program of the accelerator.
//!
//! The prompt runs in chunks of rows, as many as the buffers hold; each generated token is a pass of one row, whose
//! embedding the machine finds itself from the most likely token of the pass before. What a forward pass computes is
//! stated in docs/numerics.md; `docs/isa.md` says what the machine does.

mod attention;
mod emit;
mod feed_forward;
mod head;
mod heads;
mod image;
mod layout;
mod linear;
mod ops;
mod pass;
mod plan;
mod roofline;
mod shape;
#[cfg(test)]
mod tests;

use spec::isa::{Machine, Op, Program};
use spec::model::{QLayer, QModel};
use spec::{Config, Dataflow, Format, Problem, Scaling};

use self::emit::Emit;
use self::layout::{Layout, Wanted};
pub use self::linear::{LinearInput, channel_layer, linear};
use self::plan::Plan;
pub use self::roofline::roofline;
pub use self::shape::Shape;
use crate::error::Error;

/// Widest residual stream: its sums of squares of 25 bits stay in 63.
const MAX_HIDDEN: usize = 8192;

/// Longest head: a row of `LDH`.
const MAX_HEAD_DIM: usize = 256;

/// What a program is to do.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// Token ids, at least one.
    pub prompt: &'a [u32],
    /// Tokens to generate, at least one: each the most likely one.
    pub tokens: usize,
    /// Whether the logits of every generated token are written to memory too.
    pub logits: bool,
}

/// A program under construction, and where everything lies.
struct Lower<'m> {
    model: &'m QModel,
    shape: Shape,
    layout: Layout,
    plan: Plan,
    e: Emit,
    /// First position of the pass: chunks behind the first one find the weights of the pass counted.
    pass: usize,
    /// The slot of parameters that is filled next.
    slot: usize,
    /// The accumulator bank that is filled next.
    bank: bool,
}

/// Lowers a model to a program for the hardware of a Config.
///
/// Any array, any buffers: the chunk of rows is the largest that fits.
///
/// # Errors
/// [`Error::Invalid`] for a job or model that the hardware cannot take: a prompt with foreign tokens or too many, formats
/// that it does not compute, accumulators too narrow for scales of blocks, buffers too small for one row (with the
/// smallest size that would do).
pub fn lower(config: &Config, model: &QModel, job: &Job) -> Result<Program, Error> {
    prompted(config, model, job, true)
}

/// As [`lower`], without what memory holds at the start: the instructions, marks and addresses, so all that cycles depend
/// on, at a small part of the cost. No simulator of values can run it.
///
/// # Errors
/// Those of [`lower`].
pub fn lower_bare(config: &Config, model: &QModel, job: &Job) -> Result<Program, Error> {
    prompted(config, model, job, false)
}

fn prompted(config: &Config, model: &QModel, job: &Job, is_filled: bool) -> Result<Program, Error> {
    let machine = Machine::new(config);
    let shape = Shape::new(model)?;
    check_job(&shape, job)?;
    check_formats(config, &machine, model, &shape)?;
    let positions = job.prompt.len() + job.tokens - 1;
    // One row over the whole sequence takes the most that one row can take.
    let token_plan = Plan::new(config, &machine, model, &shape, 1, positions)?;
    let prompt_plan = Plan::new(config, &machine, model, &shape, job.prompt.len(), job.prompt.len())?;
    let head_tiles = head_tiles(&machine, model, job.logits, prompt_plan.slot_len.min(token_plan.slot_len))?;
    let wanted = Wanted { positions, tokens: job.tokens, logits: job.logits, head_tiles, is_filled };
    let (layout, segments, outputs, written) = Layout::new(&machine, model, &shape, &wanted)?;
    let e = Emit::new(machine.clone(), written);
    let mut lower = Lower { model, shape, layout, plan: prompt_plan, e, pass: 0, slot: 0, bank: false };
    lower.e.constants(lower.layout.zero)?;
    let chunks = job.prompt.len().div_ceil(prompt_plan.rows);
    let mut first = 0;
    for ids in job.prompt.chunks(job.prompt.len().div_ceil(chunks)) {
        lower.prompt(first, ids)?;
        first += ids.len();
        lower.blocks(first - ids.len(), ids.len())?;
    }
    lower.head(first - 1, ids_in_last(job, chunks) - 1, 0)?;
    lower.plan = token_plan;
    for token in 1..job.tokens {
        lower.pass = first;
        lower.next(first)?;
        lower.blocks(first, 1)?;
        lower.head(first, 0, token)?;
        first += 1;
    }
    lower.e.push(Op::Halt, &[])?;
    let program = Program { machine, segments, instrs: lower.e.instrs, marks: lower.e.marks, outputs };
    checked(program)
}

/// One decoded token alone: `token` at position `position`, over keys and values that memory holds in the cache's segments
/// (0 unless they are filled). Gives the most likely token that follows, as [`lower`] does.
///
/// # Errors
/// Those of [`lower`].
pub fn decode(config: &Config, model: &QModel, token: u32, position: usize, logits: bool) -> Result<Program, Error> {
    alone(config, model, token, position, logits, true)
}

/// As [`decode`], without what memory holds at the start: see [`lower_bare`].
///
/// # Errors
/// Those of [`lower`].
pub fn decode_bare(config: &Config, model: &QModel, token: u32, position: usize) -> Result<Program, Error> {
    alone(config, model, token, position, false, false)
}

fn alone(
    config: &Config,
    model: &QModel,
    token: u32,
    position: usize,
    logits: bool,
    is_filled: bool,
) -> Result<Program, Error> {
    let machine = Machine::new(config);
    let shape = Shape::new(model)?;
    let prompt = vec![token; position + 1];
    check_job(&shape, &Job { prompt: &prompt, tokens: 1, logits })?;
    check_formats(config, &machine, model, &shape)?;
    let plan = Plan::new(config, &machine, model, &shape, 1, position + 1)?;
    let head_tiles = head_tiles(&machine, model, logits, plan.slot_len)?;
    let wanted = Wanted { positions: position + 1, tokens: 1, logits, head_tiles, is_filled };
    let (layout, segments, outputs, written) = Layout::new(&machine, model, &shape, &wanted)?;
    let e = Emit::new(machine.clone(), written);
    let mut lower = Lower { model, shape, layout, plan, e, pass: position, slot: 0, bank: false };
    lower.e.constants(lower.layout.zero)?;
    lower.prompt(position, &[token])?;
    lower.blocks(position, 1)?;
    lower.head(position, 0, 0)?;
    lower.e.push(Op::Halt, &[])?;
    checked(Program { machine, segments, instrs: lower.e.instrs, marks: lower.e.marks, outputs })
}

/// A program that passes its check.
fn checked(program: Program) -> Result<Program, Error> {
    match program.check() {
        Err(spec::Error::Invalid(problems)) => Err(Error::Invalid(problems.into_iter().next().expect("a problem"))),
        Err(spec::Error::Syntax(text)) => unreachable!("a program has no syntax: {text}"),
        Ok(()) | Err(_) => Ok(program),
    }
}

/// Tokens of the last chunk of the prompt.
fn ids_in_last(job: &Job, chunks: usize) -> usize {
    let size = job.prompt.len().div_ceil(chunks);
    job.prompt.len() - (job.prompt.len() - 1) / size * size
}

fn check_job(shape: &Shape, job: &Job) -> Result<(), Error> {
    let cure = "give a shorter prompt or generate fewer tokens";
    if job.prompt.is_empty() || job.tokens == 0 {
        let value = format!("{} of prompt, {} to generate", job.prompt.len(), job.tokens);
        return Err(Error::invalid("tokens", value, "at least one of each", "give a prompt and generate a token"));
    }
    let last = job.prompt.len() + job.tokens - 1;
    if last > shape.positions {
        return Err(Error::invalid("tokens", last, &format!("1..={}", shape.positions), cure));
    }
    match job.prompt.iter().position(|&id| id as usize >= shape.vocab) {
        None => Ok(()),
        Some(at) => {
            let allowed = format!("0..={}", shape.vocab - 1);
            Err(Error::invalid(&format!("token {at}"), job.prompt[at], &allowed, "use the model's own tokenizer"))
        }
    }
}

fn check_formats(config: &Config, machine: &Machine, model: &QModel, shape: &Shape) -> Result<(), Error> {
    let names = || machine.formats.iter().map(|f| f.name()).collect::<Vec<_>>().join(", ");
    if !machine.formats.contains(&Format::W8a8) {
        let cure = "add \"w8a8\" to pe.formats: attention multiplies keys and values in it";
        return Err(Error::invalid("pe.formats", names(), "w8a8 and those of the model", cure));
    }
    if shape.hidden > MAX_HIDDEN {
        let cure = "take a smaller model: a norm's sum of squares has 63 bits";
        return Err(Error::invalid("hidden_size", shape.hidden, &format!("1..={MAX_HIDDEN}"), cure));
    }
    if shape.head_dim > MAX_HEAD_DIM {
        let cure = "take a model with shorter heads: the load unit holds a row of that length";
        return Err(Error::invalid("head_dim", shape.head_dim, &format!("2..={MAX_HEAD_DIM}"), cure));
    }
    check_layers(config, machine, model.linears())
}

/// Formats and scalings that the hardware computes.
fn check_layers<'a>(config: &Config, machine: &Machine, layers: impl Iterator<Item = &'a QLayer>) -> Result<(), Error> {
    let names = || machine.formats.iter().map(|f| f.name()).collect::<Vec<_>>().join(", ");
    for layer in layers {
        let format = layer.linear.format;
        if !machine.formats.contains(&format) {
            let cure = format!("add {:?} to pe.formats for {}", format.name(), layer.linear.name);
            return Err(Error::Invalid(Problem::new(
                "pe.formats",
                names(),
                format!("a list with {}", format.name()),
                cure,
            )));
        }
        let bits = match layer.scaling {
            Scaling::Channel => 32,
            Scaling::Group32 | Scaling::Group16 | Scaling::Mx32 => 48,
            Scaling::Nv16 => 64,
        };
        if machine.acc_bits < bits {
            let value = format!("{} of {}", layer.scaling.name(), layer.linear.name);
            let cure = match config.array.dataflow {
                Dataflow::Os => "quantize without groups, or set array.dataflow = \"ws\"",
                Dataflow::Ws => "quantize without groups, or add a format with scales of blocks to pe.formats",
            };
            return Err(Error::invalid("scaling", value, "channel, with accumulators of 32 bits", cure));
        }
    }
    Ok(())
}

/// N tiles of a part of the head: what an accumulator bank and a slot of parameters hold.
fn head_tiles(machine: &Machine, model: &QModel, logits: bool, slot_len: usize) -> Result<usize, Error> {
    let cols = machine.cols as usize;
    let tiles = (machine.acc_words as usize).min(slot_len / (cols * plan::channel_params(&model.head)));
    if !logits {
        return Ok(tiles.max(1));
    }
    // The logits of a part are written from a beat on.
    let beat = machine.beat_bytes as usize;
    let step = (1..=beat).find(|tiles| (tiles * cols * 8).is_multiple_of(beat)).unwrap_or(beat);
    if tiles < step {
        let needed = 3 * step * cols * plan::channel_params(&model.head);
        let allowed = format!("{needed} more");
        return Err(Error::invalid("vec.params", machine.params, &allowed, "enlarge it, or do without the logits"));
    }
    Ok(tiles / step * step)
}
