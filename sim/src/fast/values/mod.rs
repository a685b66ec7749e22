//! What a program computes, instruction by instruction in program order.
//!
//! Written from `docs/isa.md` and `docs/numerics.md`. Tokens make every order of the queues that the hardware takes give
//! the same, so program order does; a program that relies on anything else is in error.

mod codes;
mod dyadic;
mod exponential;
mod load;
mod matrix;
mod reduce;
mod row;
mod row_source;
mod scalar;
mod weights;

use std::collections::VecDeque;

use spec::Config;
use spec::isa::{Field, Instr, Op, Program, Queue};

use self::weights::Words;
use super::Seen;
use crate::error::Error;
use crate::kernels::TileProduct;

/// Where results with `to` = act go: what the last `SETA` said.
#[derive(Clone, Copy, Debug, Default)]
struct ActPlace {
    half: usize,
    /// First word, words from one tile to the next, rows of the array that a tile uses, elements of a block or 0.
    first: usize,
    stride: usize,
    used: usize,
    block: usize,
}

/// A machine's memories.
#[derive(Debug)]
pub(super) struct Values {
    rows: usize,
    cols: usize,
    preload_rows: usize,
    data_bits: usize,
    /// Memory from address 0 on.
    pub memory: Vec<u8>,
    weights: VecDeque<Words>,
    params: Vec<i32>,
    elements: Vec<i64>,
    scalars: [i64; 256],
    /// Codes `[words, R]` as they stand, and the words' scale bytes; two halves.
    acts: [Vec<u8>; 2],
    act_scales: [Vec<u8>; 2],
    /// `[words, C]`; two banks.
    accs: [Vec<i64>; 2],
    out: VecDeque<u8>,
    out_bytes: usize,
    /// Address and bytes of the stores that wait for the out stream.
    stores: VecDeque<(usize, usize)>,
    act: ActPlace,
    index: u32,
    product: TileProduct,
    /// Room for a row's results, for operands and sums of a product.
    results: Vec<i64>,
    act_words: Vec<i16>,
    tile: Vec<i16>,
    sums: Vec<i32>,
}

impl Values {
    pub fn new(config: &Config, program: &Program) -> Self {
        let (rows, cols) = (config.array.rows as usize, config.array.cols as usize);
        let machine = &program.machine;
        let (act_words, acc_words) = (machine.act_words as usize, machine.acc_words as usize);
        Self {
            rows,
            cols,
            preload_rows: config.preload_rows() as usize,
            data_bits: config.bus.data_bits as usize,
            memory: program.memory(),
            weights: VecDeque::new(),
            params: vec![0; config.vec.params as usize],
            elements: vec![0; config.vec.elements as usize],
            scalars: [0; 256],
            acts: [vec![0; act_words * rows], vec![0; act_words * rows]],
            act_scales: [vec![0; act_words], vec![0; act_words]],
            accs: [vec![0; acc_words * cols], vec![0; acc_words * cols]],
            out: VecDeque::new(),
            out_bytes: 1,
            stores: VecDeque::new(),
            act: ActPlace::default(),
            index: 0,
            product: TileProduct::new(rows, cols),
            results: Vec::new(),
            act_words: Vec::new(),
            tile: vec![0; rows * cols],
            sums: Vec::new(),
        }
    }

    /// Executes a program; gives what its timing depends on.
    pub fn run(&mut self, program: &Program) -> Result<Seen, Error> {
        let mut seen = Seen::default();
        for (at, instr) in program.instrs.iter().enumerate() {
            let done = match instr.op().queue() {
                Queue::Control => Ok(()),
                Queue::Load => {
                    if instr.find(Field::Indirect) == Some(1) {
                        seen.indices.push((at as u32, self.index));
                    }
                    self.load(instr)
                }
                Queue::Mm => self.multiply(instr),
                Queue::Store => {
                    self.stores.push_back((instr.index(Field::Addr), instr.index(Field::Bytes)));
                    self.store()
                }
                Queue::Vec if instr.op().is_row() => {
                    if instr.find(Field::Chord) == Some(1) {
                        seen.steps.push((at as u32, self.scalars[instr.index(Field::S)]));
                    }
                    self.row(instr).and_then(|()| self.store())
                }
                Queue::Vec => self.scalar(instr),
            };
            done.map_err(|what| Error::Run(format!("instruction {at}, {}: {what}", instr.op().name())))?;
        }
        match self.stores.front() {
            Some((addr, bytes)) => Err(Error::Run(format!("ST: {bytes} bytes at {addr:#x} never come"))),
            None => Ok(seen),
        }
    }

    /// Stores stand before what fills the out stream: the oldest that has all its bytes is done.
    fn store(&mut self) -> Result<(), String> {
        while let Some(&(addr, bytes)) = self.stores.front() {
            let whole = bytes.next_multiple_of(self.data_bits / 8);
            if self.out.len() < whole {
                break;
            }
            let place = self.memory.get_mut(addr..addr + bytes);
            let place = place.ok_or("it writes behind the program's memory")?;
            for (place, byte) in place.iter_mut().zip(self.out.drain(..whole)) {
                *place = byte;
            }
            self.stores.pop_front();
        }
        Ok(())
    }

    /// `SETA`, `SETO`, `SIDX`: what is kept outside S.
    fn keep(&mut self, instr: &Instr) {
        match instr.op() {
            Op::Seta => {
                self.act = ActPlace {
                    half: instr.index(Field::Half),
                    first: instr.index(Field::Base) + instr.index(Field::Row),
                    stride: instr.index(Field::Rows),
                    used: instr.index(Field::Used),
                    block: instr.index(Field::Block),
                };
            }
            Op::Seto => self.out_bytes = 1 << instr.get(Field::Width),
            _ => self.index = self.scalars[instr.index(Field::A)] as u32,
        }
    }
}

/// `round(num / den)`, halves up; `den` at least 1.
fn round_quotient(num: i128, den: i128) -> i128 {
    // Numerators that 63 bits hold are divided faster.
    match (i64::try_from(num), i64::try_from(den)) {
        (Ok(num), Ok(den)) if num.unsigned_abs() < 1 << 61 && den < 1 << 61 => {
            (2 * num + den).div_euclid(2 * den).into()
        }
        _ => (2 * num + den).div_euclid(2 * den),
    }
}

/// `round(value / 2^places)`, halves up; negative places multiply.
fn round_shift(value: i128, places: i64) -> i128 {
    match places {
        ..=0 => value
            .checked_shl((-places).min(127) as u32)
            .filter(|v| v >> -places == value)
            .unwrap_or_else(|| if value == 0 { 0 } else { i128::MAX * value.signum() }),
        1..=126 => (value + (1 << (places - 1))) >> places,
        _ => 0,
    }
}

/// Held in 64 bits.
fn saturate(value: i128) -> i64 {
    value.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}
