//! All that an instruction can see or change; every write is shown to an observer that wants it.

use spec::isa::{Field, Instr, Machine, Program, SCALARS};
use spec::trace::{Store, Written};

use super::fault::{Result, refuse};
use super::memory::cells::Cells;
use super::memory::dram::Dram;
use super::memory::fifo::Fifo;
use super::memory::out::OutStream;

/// Memories and registers.
#[derive(Clone, Debug)]
pub struct State<'p> {
    pub machine: &'p Machine,
    pub dram: Dram,
    pub fifo: Fifo,
    pub params: Cells<i32>,
    pub vector: Cells<i64>,
    pub scalars: Cells<i64>,
    /// Halves: codes, R a word, and a scale byte a word.
    pub act: [(Cells<i8>, Cells<u8>); 2],
    /// Banks: sums, C a word.
    pub acc: [Cells<i64>; 2],
    pub out: OutStream,
    /// Index register of the load unit.
    pub index: Option<u32>,
    /// Where act codes go.
    pub act_row: Option<ActRow>,
    /// Bytes of an element on the out stream.
    pub width: Option<usize>,
    /// What the instruction wrote, where an observer wants it.
    pub log: Option<Vec<Written>>,
    /// Words that entered the FIFO, bytes that entered the out stream.
    entered: [u64; 2],
}

/// Where the codes of a row go in the act buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActRow {
    pub half: bool,
    /// Word of tile 0, row 0.
    pub base: usize,
    /// Words from one tile to the next.
    pub rows: usize,
    pub row: usize,
    /// Lanes that a tile uses.
    pub used: usize,
    /// Elements of a block, which tiles do not cross; 0 for none.
    pub block: usize,
}

impl ActRow {
    /// What SETA says.
    pub fn of(instr: &Instr) -> Self {
        Self {
            half: instr.flag(Field::Half),
            base: instr.index(Field::Base),
            rows: instr.index(Field::Rows),
            row: instr.index(Field::Row),
            used: instr.index(Field::Used),
            block: instr.index(Field::Block),
        }
    }

    /// Tile and lane of element `k`.
    pub fn place(&self, k: usize) -> (usize, usize) {
        match self.block {
            0 => (k / self.used, k % self.used),
            block => {
                let within = k % block;
                (k / block * block.div_ceil(self.used) + within / self.used, within % self.used)
            }
        }
    }

    /// Tiles of a row of `n` elements, at least one.
    pub fn tiles(&self, n: usize) -> usize {
        self.place(n - 1).0 + 1
    }

    /// Act word of a tile.
    pub fn word(&self, tile: usize) -> usize {
        self.base + tile * self.rows + self.row
    }
}

impl<'p> State<'p> {
    /// The machine before the first instruction of a program.
    pub fn new(program: &'p Program) -> Self {
        let machine = &program.machine;
        let (rows, cols) = (machine.rows as usize, machine.cols as usize);
        let (act, acc) = (machine.act_words as usize, machine.acc_words as usize);
        let half = || (Cells::new("act", act * rows), Cells::new("act scales", act));
        Self {
            machine,
            dram: Dram::new(&program.segments),
            fifo: Fifo::default(),
            params: Cells::new("PB", machine.params as usize),
            vector: Cells::new("VB", machine.elements as usize),
            scalars: Cells::new("S", SCALARS),
            act: [half(), half()],
            acc: [(); 2].map(|()| Cells::new("acc", acc * cols)),
            out: OutStream::new(machine.beat_bytes as usize),
            index: None,
            act_row: None,
            width: None,
            log: None,
            entered: [0; 2],
        }
    }

    fn note(&mut self, store: Store, at: usize, values: impl Iterator<Item = i64>) {
        if let Some(log) = &mut self.log {
            log.push(Written { store, at: at as u64, values: values.collect() });
        }
    }

    pub fn write_dram(&mut self, addr: u64, bytes: &[u8]) -> Result<()> {
        self.dram.write(addr, bytes)?;
        self.note(Store::Dram, addr as usize, bytes.iter().map(|&b| b.into()));
        Ok(())
    }

    pub fn write_params(&mut self, at: usize, values: &[i32]) -> Result<()> {
        self.params.write(at, values)?;
        self.note(Store::Param, at, values.iter().map(|&v| v.into()));
        Ok(())
    }

    pub fn write_vector(&mut self, at: usize, values: &[i64]) -> Result<()> {
        self.vector.write(at, values)?;
        self.note(Store::Vector, at, values.iter().copied());
        Ok(())
    }

    pub fn write_scalars(&mut self, at: usize, values: &[i64]) -> Result<()> {
        self.scalars.write(at, values)?;
        self.note(Store::Scalar, at, values.iter().copied());
        Ok(())
    }

    /// Writes one act word: R codes and a scale byte.
    pub fn write_act(&mut self, half: bool, word: usize, codes: &[i8], scale: u8) -> Result<()> {
        let (cells, scales) = &mut self.act[usize::from(half)];
        scales.write(word, &[scale])?;
        cells.write(word * codes.len(), codes)?;
        self.note(Store::Act { half }, word, codes.iter().map(|&c| c.into()).chain([scale.into()]));
        Ok(())
    }

    /// Writes acc words from `word` on, C sums each.
    pub fn write_acc(&mut self, bank: bool, word: usize, sums: &[i64]) -> Result<()> {
        self.acc[usize::from(bank)].write(word * self.machine.cols as usize, sums)?;
        self.note(Store::Acc { bank }, word, sums.iter().copied());
        Ok(())
    }

    /// Adds words of codes to the weight FIFO.
    pub fn push_weights(&mut self, operand: spec::Operand, words: usize, codes: &[u8]) {
        self.fifo.push(operand, words, codes.iter().copied());
        self.note(Store::Fifo, self.entered[0] as usize, codes.iter().map(|&c| c.into()));
        self.entered[0] += words as u64;
    }

    /// Adds the bytes of one operation to the out stream.
    pub fn push_out(&mut self, bytes: &[u8]) {
        self.out.push(bytes);
        self.note(Store::Out, self.entered[1] as usize, bytes.iter().map(|&b| b.into()));
        self.entered[1] += bytes.len() as u64;
    }

    pub fn set_index(&mut self, index: u32) {
        self.index = Some(index);
        self.note(Store::Index, 0, [i64::from(index)].into_iter());
    }

    /// An entry of S.
    pub fn scalar(&self, at: usize) -> Result<i64> {
        self.scalars.get(at)
    }

    /// What must be used up at the end of a program.
    pub fn finish(&self) -> Result<()> {
        if self.fifo.words() > 0 {
            let value = format!("{} words", self.fifo.words());
            return refuse("weight FIFO", value, "empty at the end", "load no more weights than are multiplied");
        }
        if self.out.bytes() > 0 {
            let value = format!("{} bytes", self.out.bytes());
            return refuse("out stream", value, "empty at the end", "store all bytes that operations write");
        }
        Ok(())
    }
}
