//! A small program for the top's test bench, and what the instruction-set simulator says that it writes.

use golden::iss;
use golden::layers::random::{Coding, Shape, random_model};
use hdl::rtl::index_bits;
use sim::lower::program::{Job, lower};
use spec::isa::{Field, Instr, Machine, Op, Output, OutputKind, Program, Queue, Segment, image};
use spec::{Config, Format};

use crate::error::Error;

/// Seed of the random model.
const SEED: u64 = 1;
/// The model: one block whose layers have edges on most arrays.
const SHAPE: Shape =
    Shape { hidden: 10, ffn: 7, blocks: 1, heads: 2, kv_heads: 1, head_dim: 4, vocab: 11, positions: 4 };
/// Numbers of the fallback's memory: codes that every format has, in each of their nibbles.
const NIBBLES: [u8; 7] = [1, 0xf, 3, 0, 0xd, 2, 6];

/// A program with its results.
pub struct Stimulus {
    /// What it is, for people.
    pub what: String,
    /// The program.
    pub program: Program,
    /// Address, bytes and value of every result.
    pub results: Vec<(u32, u32, u64)>,
}

impl Stimulus {
    /// A block of a random model in the Config's first format that a model can have, or a matrix product where the Config
    /// does not hold one.
    ///
    /// # Errors
    /// Those of the instruction-set simulator.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let (what, program) = model(config).map_or_else(|| product(config), Ok)?;
        let run = iss::run(&program, &mut iss::Blind)?;
        let mut results = Vec::new();
        for output in &program.outputs {
            let bytes = output.kind.bytes();
            for row in 0..output.rows {
                for (col, value) in run.output(output.kind, row)?.into_iter().enumerate() {
                    let addr = output.addr + row * output.stride + col as u32 * bytes;
                    results.push((addr, bytes, if bytes == 4 { u64::from(value as u32) } else { value as u64 }));
                }
            }
        }
        Ok(Self { what, program, results })
    }

    /// The memory before the start, a beat a line, the program at its end; then how many beats that are.
    pub fn memory_hex(&self, beat_bytes: usize) -> (String, u32) {
        let mut memory = self.program.memory();
        memory.resize(image::code_addr(&self.program) as usize, 0);
        self.program.instrs.iter().for_each(|instr| memory.extend(instr.encode().to_le_bytes()));
        // The fetch unit reads whole bursts, beyond the last instruction.
        memory.resize(memory.len().next_multiple_of(image::PAGE_BYTES as usize), 0);
        let line = |beat: &[u8]| beat.iter().rev().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
        let (addr, count) = (image::code_addr(&self.program), self.program.instrs.len());
        let first = format!("// program at {addr:08x}, {count} instructions\n");
        (first + &memory.chunks(beat_bytes).map(line).collect::<String>(), (memory.len() / beat_bytes) as u32)
    }

    /// The results: address, bytes, value.
    pub fn results_hex(&self) -> String {
        self.results.iter().map(|(addr, bytes, value)| format!("{addr:08x}{bytes:02x}{value:016x}\n")).collect()
    }
}

/// One block of a random model, two tokens of prompt, one generated.
fn model(config: &Config) -> Option<(String, Program)> {
    let format = *config.pe.formats.iter().find(|f| **f != Format::W8a8).or(config.pe.formats.first())?;
    let model = random_model(&SHAPE, &[Coding::new(format)], SEED);
    let program = lower(config, &model, &Job { prompt: &[3, 1], tokens: 1, logits: true }).ok()?;
    Some((format!("a block of a random model in {} with its head", format.name()), program))
}

/// A product of one row with the weights of one tile, its sums to memory.
fn product(config: &Config) -> Result<(String, Program), Error> {
    let machine = Machine::new(config);
    let format = config.pe.formats[0];
    let place = |i: usize| NIBBLES[i % NIBBLES.len()];
    // As if no word shared a beat.
    let weights = machine.tile_words() * machine.whole_beats(machine.word_bits(format).div_ceil(8));
    let acts: Vec<u8> = (0..machine.rows as usize).map(|i| place(i) & 7).collect();
    let acts_at = weights;
    let out_at = acts_at + machine.whole_beats(machine.rows);
    let segment = |name: &str, addr, len, data| Segment { name: name.into(), addr, len, data };
    let bytes = 8 * machine.cols;
    let segments = vec![
        segment("weights", 0, weights, (0..weights as usize).map(|i| place(2 * i) << 4 | place(2 * i + 1)).collect()),
        segment("acts", acts_at, machine.whole_beats(machine.rows), acts),
        segment("sums", out_at, machine.whole_beats(bytes), Vec::new()),
    ];
    let code = Format::ALL.iter().position(|f| *f == format).unwrap_or(0) as i64;
    let op = |op, fields: &[(Field, i64)]| Instr::new(op, fields).map_err(|problem| Error::Input(problem.to_string()));
    let (rows, cols) = (i64::from(machine.rows), i64::from(machine.cols));
    let instrs = vec![
        op(Op::Ldp, &[(Field::Addr, acts_at.into()), (Field::N, rows)])?.signalling(Queue::Vec),
        op(Op::Ldw, &[(Field::Words, machine.tile_words().into()), (Field::Format, code)])?,
        op(Op::Seta, &[(Field::Rows, 1), (Field::Used, rows)])?,
        op(Op::Vpar, &[(Field::N, rows), (Field::To, 1)])?.waiting(Queue::Load).signalling(Queue::Mm),
        op(Op::Mm, &[(Field::Rows, 1), (Field::KTiles, 1), (Field::NTiles, 1), (Field::Format, code)])?
            .waiting(Queue::Vec)
            .signalling(Queue::Vec),
        op(Op::St, &[(Field::Addr, out_at.into()), (Field::Bytes, bytes.into())])?,
        op(Op::Seto, &[(Field::Width, 3)])?,
        op(Op::Vraw, &[(Field::N, cols), (Field::Imm, 1), (Field::To, 2)])?.waiting(Queue::Mm),
        op(Op::Halt, &[])?,
    ];
    let outputs = vec![Output { kind: OutputKind::Logits, addr: out_at, rows: 1, cols: machine.cols, stride: bytes }];
    let program = Program { machine, segments, instrs, marks: Vec::new(), outputs };
    Ok((format!("a matrix product in {}", format.name()), program))
}

/// Bits of an index below `count`.
pub fn bits(count: u32) -> u32 {
    index_bits(count.max(2))
}
