//! The head: the most likely token, part by part of the vocabulary.

use spec::isa::{Field, Op};
use spec::model::QLayer;

use super::Lower;
use super::ops::{ARGMAX, Coded, NONE, OUT};
use super::pass::Product;
use super::plan::s;
use crate::error::Error;

impl Lower<'_> {
    /// The head over residual row `row`: the most likely token, its index in S, is result `token`.
    pub fn head(&mut self, position: usize, row: usize, token: usize) -> Result<(), Error> {
        let (model, layer) = (self.model, &self.model.head);
        self.e.mark(position, 1, None, "lm_head")?;
        self.count_head();
        self.load_gain(self.layout.gain)?;
        let parts = self.layout.head.parts.clone();
        let mut slot = self.load(&parts[0], layer)?;
        self.norm_scalars(&model.norm)?;
        let step = self.plan.act_step(0, 0);
        let coded = Coded { half: false, rows: 1, row: 0, step, zero_point: s::HEAD };
        let z = [self.plan.attn[0], self.plan.attn[1]];
        self.normed(&model.norm, layer, row, z, &coded)?;
        if self.layout.logits.is_some() {
            self.e.push(Op::Seto, &[(Field::Width, 3)])?;
        }
        let mut before: Option<Product> = None;
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                slot = self.load(part, layer)?;
            }
            let product = self.multiply(part, layer, slot, false, 1)?;
            if let Some(before) = before.replace(product) {
                self.logits(layer, &before, token)?;
            }
        }
        if let Some(last) = before {
            self.logits(layer, &last, token)?;
        }
        if let Some((_, steps)) = &self.layout.logits {
            let addr = steps.addr as usize + token * steps.stride as usize;
            self.e.push(Op::St, &[(Field::Addr, addr), (Field::Bytes, 8)])?;
            self.e.dyadic(s::LAYER, layer.linear.requant.step)?;
            self.e.scalar(Op::Sprd, s::T, step, s::LAYER)?;
            self.e.row(Op::Vads, 1, 0, 0, s::T, &[(Field::To, OUT)])?;
        }
        let addr = self.layout.tokens as usize + token * self.e.machine.beat_bytes as usize;
        self.e.push(Op::Seto, &[(Field::Width, 2)])?;
        self.e.push(Op::St, &[(Field::Addr, addr), (Field::Bytes, 4)])?;
        self.e.row(Op::Vads, 1, 0, 0, s::BEST + 1, &[(Field::To, OUT)])?;
        self.e.push(Op::Seto, &[(Field::Width, 0)])
    }

    /// The largest of a part's logits so far; the logits to memory, if they are wanted.
    fn logits(&mut self, layer: &QLayer, product: &Product, token: usize) -> Result<(), Error> {
        let first = product.part.first;
        self.e.simm(s::HEAD + 1, first as i64)?;
        let mut to = NONE;
        if let Some((logits, _)) = &self.layout.logits {
            let addr = logits.addr as usize + token * logits.stride as usize + 8 * first;
            self.e.push(Op::St, &[(Field::Addr, addr), (Field::Bytes, 8 * product.part.n)])?;
            to = OUT;
        }
        let cont = usize::from(first > 0);
        let more = [(Field::To, to), (Field::Red, ARGMAX), (Field::D, s::BEST), (Field::Cont, cont)];
        self.aligned(layer, product, 0, s::HEAD, &more)
    }
}
