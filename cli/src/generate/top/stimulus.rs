//! A small program for the top's test bench, and what the instruction-set simulator says that it writes.

use golden::gemm::Shape as Product;
use golden::iss;
use golden::layers::random::{Coding, Shape, random_model};
use hdl::rtl::index_bits;
use sim::lower::program::{Job, lower};
use spec::isa::{Program, image};
use spec::{Config, Format};

use crate::error::Error;
use crate::whole::gemm;

/// Seed of the random model.
const SEED: u64 = 1;
/// The model: one block whose layers have edges on most arrays.
const SHAPE: Shape =
    Shape { hidden: 10, ffn: 7, blocks: 1, heads: 2, kv_heads: 1, head_dim: 4, vocab: 11, positions: 4 };

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

/// A layer of random weights, one column wider than a tile, in the Config's first format.
fn product(config: &Config) -> Result<(String, Program), Error> {
    let format = config.pe.formats[0];
    let (k, n) = (config.array.rows as usize, config.array.cols as usize + 1);
    let layer = gemm(config, Product { m: 2, k, n }, format, SEED)?;
    Ok((format!("a matrix product in {}", format.name()), layer.program))
}

/// Bits of an index below `count`.
pub fn bits(count: u32) -> u32 {
    index_bits(count.max(2))
}
