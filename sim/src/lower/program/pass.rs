//! A pass: some rows from their tokens to the residual stream behind the last block.

use spec::isa::{Field, Op};
use spec::model::{QLayer, QNorm};
use spec::qmodel::ActMode;

use super::Lower;
use super::image::Part;
use super::ops::{ABSMAX, Coded, Coding, Norm, format_code, scaling_code};
use super::plan::s;
use crate::error::Error;

/// A matrix product that was emitted: the part, its parameters in PB, its sums in acc.
#[derive(Clone, Debug)]
pub(super) struct Product {
    pub part: Part,
    pub slot: usize,
    pub bank: bool,
    pub rows: usize,
}

impl Lower<'_> {
    /// The first rows of the residual stream: known tokens at positions from `first` on.
    pub fn prompt(&mut self, first: usize, ids: &[u32]) -> Result<(), Error> {
        self.e.mark(first, ids.len(), None, "embedding")?;
        self.count_embedding(ids.len());
        for (row, &id) in ids.iter().enumerate() {
            let addr = self.layout.embedding as usize + id as usize * self.layout.embedding_stride;
            let slot = self.next_slot();
            let n = self.shape.hidden + 1;
            self.e.push(Op::Ldp, &[(Field::Addr, addr), (Field::N, n), (Field::Dst, slot), (Field::Type, 2)])?;
            self.embed(row, slot)?;
        }
        self.tables(first, ids.len())
    }

    /// The row of the token that was found last, at a position.
    pub fn next(&mut self, position: usize) -> Result<(), Error> {
        self.e.mark(position, 1, None, "embedding")?;
        self.count_embedding(1);
        self.e.push(Op::Sidx, &[(Field::A, s::BEST + 1)])?;
        let slot = self.next_slot();
        let load = [
            (Field::Addr, self.layout.embedding as usize),
            (Field::N, self.shape.hidden + 1),
            (Field::Dst, slot),
            (Field::Type, 2),
            (Field::Indirect, 1),
            (Field::Stride, self.layout.embedding_stride),
        ];
        self.e.push(Op::Ldp, &load)?;
        self.embed(0, slot)?;
        self.tables(position, 1)
    }

    /// A row of the embedding table from PB to the residual stream.
    fn embed(&mut self, row: usize, slot: usize) -> Result<(), Error> {
        let (n, x) = (self.shape.hidden, self.plan.x + row * self.shape.hidden);
        let reduction = [(Field::Red, ABSMAX), (Field::D, self.plan.largest(row))];
        self.e.push(Op::Vpar, &[&[(Field::N, n), (Field::Dst, x), (Field::B, slot)], reduction.as_slice()].concat())?;
        self.e.push(Op::Spar, &[(Field::D, self.plan.shift(row)), (Field::B, slot + n)])
    }

    /// The rotation's tables of some positions.
    fn tables(&mut self, first: usize, rows: usize) -> Result<(), Error> {
        for row in 0..rows {
            let addr = self.layout.rope as usize + (first + row) * self.layout.rope_stride;
            let (n, dst) = (self.shape.head_dim, self.plan.rope + row * self.shape.head_dim);
            self.e.push(Op::Ldp, &[(Field::Addr, addr), (Field::N, n), (Field::Dst, dst), (Field::Type, 2)])?;
        }
        Ok(())
    }

    /// All blocks.
    pub fn blocks(&mut self, first: usize, rows: usize) -> Result<(), Error> {
        let mut slot = self.load_block(0)?;
        for block in 0..self.shape.blocks {
            let output = self.attention(block, first, rows, slot)?;
            slot = self.feed_forward(block, first, rows, &output)?;
        }
        Ok(())
    }

    /// Loads what a block begins with, and gives the slot of its first layer.
    pub fn load_block(&mut self, block: usize) -> Result<usize, Error> {
        let layout = &self.layout.blocks[block];
        let (gain, first) = (layout.attn_gain, layout.linears[0].parts[0].clone());
        let (kv, q) = (self.shape.kv_size(), self.shape.q_size());
        let factors = [
            (layout.q_factor, kv, self.plan.q_factor),
            (layout.k_factor, kv, self.plan.k_factor),
            (layout.o_align, q, self.plan.o_align),
        ];
        for (addr, n, dst) in factors {
            self.u16s(addr, n, dst)?;
        }
        self.load_gain(gain)?;
        self.load(&first, &self.model.blocks[block].q)
    }

    /// Loads the gain of the next norm.
    pub fn load_gain(&mut self, gain: Option<u32>) -> Result<(), Error> {
        gain.map_or(Ok(()), |addr| self.u16s(addr, self.shape.hidden, self.plan.gain))
    }

    fn u16s(&mut self, addr: u32, n: usize, dst: usize) -> Result<(), Error> {
        self.e.push(Op::Ldp, &[(Field::Addr, addr as usize), (Field::N, n), (Field::Dst, dst), (Field::Type, 3)])
    }

    fn next_slot(&mut self) -> usize {
        let slot = self.plan.slot + self.slot * self.plan.slot_len;
        self.slot = (self.slot + 1) % super::plan::SLOTS;
        slot
    }

    /// Loads parameters and weights of a part, and gives the slot of its parameters.
    pub fn load(&mut self, part: &Part, layer: &QLayer) -> Result<usize, Error> {
        let slot = self.next_slot();
        self.u16s(part.align, part.n, slot)?;
        if layer.acts == ActMode::Asymmetric {
            let dst = slot + part.n;
            let fields = [(Field::Addr, part.sums as usize), (Field::N, part.n), (Field::Dst, dst), (Field::Type, 4)];
            self.e.push(Op::Ldp, &fields)?;
        }
        let format = format_code(layer.linear.format);
        let words = [(Field::Addr, part.weights as usize), (Field::Words, part.words), (Field::Format, format)];
        self.e.push(Op::Ldw, &words)?;
        Ok(slot)
    }

    /// Multiplies coded rows by a part that was loaded, its parameters into `slot`.
    pub fn multiply(
        &mut self,
        part: &Part,
        layer: &QLayer,
        slot: usize,
        half: bool,
        rows: usize,
    ) -> Result<Product, Error> {
        let k_tiles = self.e.machine.k_tiles(layer.linear.weight.cols as u32, layer.scaling) as usize;
        let bank = self.bank;
        self.bank = !bank;
        let fields = [
            (Field::Rows, rows),
            (Field::KTiles, k_tiles),
            (Field::NTiles, part.n_tiles),
            (Field::Format, format_code(layer.linear.format)),
            (Field::Scaling, scaling_code(layer.scaling)),
            (Field::Half, usize::from(half)),
            (Field::Bank, usize::from(bank)),
        ];
        self.e.push(Op::Mm, &fields)?;
        Ok(Product { part: part.clone(), slot, bank, rows })
    }

    /// How a layer's input is coded.
    pub fn coding(&self, layer: &QLayer) -> Coding {
        Coding::of(layer, self.model.options.scale_rule)
    }

    /// Norm of residual row `from`, coded as row `to` of a layer's input.
    pub fn normed(
        &mut self,
        norm: &QNorm,
        layer: &QLayer,
        from: usize,
        z: [usize; 2],
        to: &Coded,
    ) -> Result<(), Error> {
        let coding = self.coding(layer);
        let row = Norm {
            n: self.shape.hidden,
            x: self.plan.x + from * self.shape.hidden,
            largest: self.plan.largest(from),
            shift: self.plan.shift(from),
            gain: (!norm.gain.is_empty()).then_some(self.plan.gain),
        };
        let (red, d) = coding.reduced();
        self.e.norm(&row, z[0], red, d)?;
        coding.emit(&mut self.e, row.n, z[0], s::NORM, z[1], to)
    }

    /// Scalars that a norm's rows share.
    pub fn norm_scalars(&mut self, norm: &QNorm) -> Result<(), Error> {
        self.e.dyadic(s::NORM, norm.step)?;
        self.e.dyadic(s::EPS, norm.eps)
    }

    /// Aligned sums of row `row` of a product to VB[dst]; largest magnitude to S[t], step to S[t + 1].
    pub fn sums(
        &mut self,
        layer: &QLayer,
        product: &Product,
        row: usize,
        set: usize,
        dst: usize,
        t: usize,
    ) -> Result<(), Error> {
        let more = [(Field::Dst, dst), (Field::Red, ABSMAX), (Field::D, t)];
        let zero_point = self.plan.zero_point(row, set);
        self.aligned(layer, product, row, zero_point, &more)?;
        self.e.scalar(Op::Sprd, t + 1, self.plan.act_step(row, set), s::LAYER)
    }

    /// Aligned sums of row `row` of a product, with the zero point in S[s]: `more` says where they go.
    pub fn aligned(
        &mut self,
        layer: &QLayer,
        product: &Product,
        row: usize,
        s: usize,
        more: &[(Field, usize)],
    ) -> Result<(), Error> {
        let places = 15 - layer.scaling.guard_bits();
        let mut fields = vec![
            (Field::N, product.part.n),
            (Field::A, row),
            (Field::B, product.slot),
            (Field::Imm, product.rows),
            (Field::S, s),
            (Field::K, places as usize),
            (Field::Bank, usize::from(product.bank)),
            (Field::Zp, usize::from(layer.acts == ActMode::Asymmetric)),
        ];
        fields.extend_from_slice(more);
        self.e.push(Op::Vacc, &fields)
    }

    /// Adds the sums of a layer to the residual stream, with a row of scratch at VB[y].
    pub fn residual(&mut self, layer: &QLayer, product: &Product, y: usize) -> Result<(), Error> {
        let (n, t) = (self.shape.hidden, s::T);
        self.e.dyadic(s::LAYER, layer.linear.requant.step)?;
        for row in 0..product.rows {
            let (x, shift, largest) = (self.plan.x + row * n, self.plan.shift(row), self.plan.largest(row));
            self.sums(layer, product, row, 0, y, t)?;
            self.e.narrow(n, y, t)?;
            // T + 4 and T + 5: shifts of x and y; T + 6: places of the sum; T + 7: least n.
            self.e.scalar(Op::Sres, t + 4, shift, t + 3)?;
            self.e.row(Op::Vmls, n, y, y, t + 3, &[])?;
            self.e.row(Op::Vshr, n, y, y, t + 5, &[])?;
            self.e.row(Op::Vshr, n, x, x, t + 4, &[])?;
            self.e.row(Op::Vadd, n, x, x, 0, &[(Field::B, y), (Field::Red, ABSMAX), (Field::D, t)])?;
            self.e.push(Op::Sbit, &[(Field::D, t), (Field::A, t)])?;
            self.e.scalar(Op::Ssub, t, t, s::FIFTEEN)?;
            self.e.scalar(Op::Smax, t, t, t + 7)?;
            self.e.row(Op::Vshr, n, x, x, t, &[(Field::Sat, 1), (Field::Red, ABSMAX), (Field::D, largest)])?;
            self.e.scalar(Op::Ssub, shift, t + 6, t)?;
        }
        Ok(())
    }
}
