//! Rows of a chunk in the activation buffer, and their products with a part of the layer.

use spec::isa::{Field, Op};

use super::super::image::Part;
use super::super::ops::{ACT, Coded, Coding, format_code, scaling_code};
use super::super::plan::s;
use super::plan::rows_entry;
use super::{Chunk, LinearInput, Lower};
use crate::error::Error;

/// Inputs that lie together in a half of the activation buffer.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: usize,
    inputs: usize,
    half: bool,
}

impl Lower<'_> {
    /// The inputs of a chunk's rows by halves of the activation buffer.
    fn spans(&self, chunk: Chunk) -> Vec<Span> {
        let k = self.layer.linear.weight.cols;
        match self.plan.split {
            None => vec![Span { first: 0, inputs: k, half: chunk.half }],
            Some(inputs) => {
                let rest = Span { first: inputs, inputs: k - inputs, half: true };
                vec![Span { first: 0, inputs, half: false }, rest]
            }
        }
    }

    /// Row `row` of a chunk to the activation buffer; its step and zero point to S where the machine makes them.
    pub fn code(&mut self, chunk: Chunk, row: usize, number: usize) -> Result<(), Error> {
        let n = self.layer.linear.weight.cols;
        let slot = self.plan.row_slots[self.row_slot];
        self.row_slot = (self.row_slot + 1) % self.plan.row_slots.len();
        let addr = self.rows as usize + (chunk.first + row) * self.stride;
        self.e.push(Op::Ldp, &[(Field::Addr, addr), (Field::N, n), (Field::Dst, slot), (Field::Type, number)])?;
        match self.input {
            LinearInput::Codes(_) => {
                let used = self.e.machine.used_rows(self.layer.scaling) as usize;
                for span in self.spans(chunk) {
                    let seta = [
                        (Field::Rows, chunk.rows),
                        (Field::Row, row),
                        (Field::Used, used),
                        (Field::Block, self.layer.scaling.block().unwrap_or(0)),
                        (Field::Half, usize::from(span.half)),
                    ];
                    self.e.push(Op::Seta, &seta)?;
                    let fields = [(Field::N, span.inputs), (Field::B, slot + span.first), (Field::To, ACT)];
                    self.e.push(Op::Vpar, &fields)?;
                }
                Ok(())
            }
            LinearInput::Wide { steps, rule, .. } => {
                let (step, zero_point) = rows_entry(chunk.half, self.plan.rows, row);
                let to = Coded { half: chunk.half, rows: chunk.rows, row, step, zero_point };
                let coding = Coding::of(self.layer, rule);
                let (red, d) = coding.reduced();
                let [z, scratch] = self.plan.z;
                let fields = [(Field::N, n), (Field::Dst, z), (Field::B, slot), (Field::Red, red), (Field::D, d)];
                self.e.push(Op::Vpar, &fields)?;
                self.e.dyadic(s::WIDE, steps[chunk.first + row])?;
                coding.emit(&mut self.e, n, z, s::WIDE, scratch, &to)
            }
        }
    }

    /// Multiplies a chunk by a part that was loaded, and gives the bank of its sums: in one product, or with rows in both
    /// halves of the activation buffer in two for each N tile, the second added to the first.
    pub fn multiply(&mut self, chunk: Chunk, part: &Part) -> Result<bool, Error> {
        let layer = self.layer;
        let bank = self.bank;
        self.bank = !bank;
        let spans = self.spans(chunk);
        let (products, n_tiles) = if spans.len() == 1 { (1, part.n_tiles) } else { (part.n_tiles, 1) };
        for product in 0..products {
            for span in &spans {
                let fields = [
                    (Field::Rows, chunk.rows),
                    (Field::KTiles, self.e.machine.k_tiles(span.inputs as u32, layer.scaling) as usize),
                    (Field::NTiles, n_tiles),
                    (Field::Acc, product * chunk.rows),
                    (Field::Format, format_code(layer.linear.format)),
                    (Field::Scaling, scaling_code(layer.scaling)),
                    (Field::Half, usize::from(span.half)),
                    (Field::Bank, usize::from(bank)),
                    (Field::Add, usize::from(span.first > 0)),
                ];
                self.e.push(Op::Mm, &fields)?;
            }
        }
        Ok(bank)
    }
}
