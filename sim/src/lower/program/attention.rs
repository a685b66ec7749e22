//! The attention half of a block: projections before the heads' own products, the output behind them.

use spec::isa::{Field, Op};

use super::Lower;
use super::ops::{ABSMAX, ACT, Coded, OUT};
use super::pass::Product;
use super::plan::s;
use crate::error::Error;

impl Lower<'_> {
    /// Norm, projections, attention and output of a block. `slot` holds the parameters of `q`.
    pub fn attention(&mut self, block: usize, first: usize, rows: usize, slot: usize) -> Result<Product, Error> {
        self.projections(block, first, rows, slot)?;
        self.e.mark(first, rows, Some(block), "attention")?;
        self.count_attention(block, first, rows);
        self.heads(block, first, rows)?;
        self.e.mark(first, rows, Some(block), "o_proj")?;
        let model = &self.model.blocks[block];
        self.count_linear(&model.o, None, first, rows);
        let part = self.layout.blocks[block].linears[3].parts[0].clone();
        let slot = self.load(&part, &model.o)?;
        self.e.dyadic(s::WIDE, model.cache.o_step)?;
        for row in 0..rows {
            self.output(block, rows, row)?;
        }
        self.multiply(&part, &model.o, slot, true, rows)
    }

    /// Queries to the act buffer, keys and values to the cache.
    fn projections(&mut self, block: usize, first: usize, rows: usize, slot: usize) -> Result<(), Error> {
        let model = &self.model.blocks[block];
        let layers = [&model.q, &model.k, &model.v];
        self.norm_scalars(&model.attn_norm)?;
        let mut before: Option<(usize, Product)> = None;
        for (index, layer) in layers.into_iter().enumerate() {
            self.e.mark(first, rows, Some(block), ["q_proj", "k_proj", "v_proj"][index])?;
            self.count_linear(layer, (index == 0).then_some(&model.attn_norm), first, rows);
            let part = self.layout.blocks[block].linears[index].parts[0].clone();
            let slot = if index == 0 { slot } else { self.load(&part, layer)? };
            if index == 0 || self.coding(layer) != self.coding(layers[index - 1]) {
                // The rows' scalars are those of the layer before until its sums are used.
                if let Some((index, product)) = before.take() {
                    self.use_projection(block, first, index, &product)?;
                }
                for row in 0..rows {
                    let (step, zero_point) = (self.plan.act_step(row, 0), self.plan.zero_point(row, 0));
                    let to = Coded { half: false, rows, row, step, zero_point };
                    self.normed(&model.attn_norm, layer, row, [self.plan.attn[0], self.plan.attn[1]], &to)?;
                }
            }
            let product = self.multiply(&part, layer, slot, false, rows)?;
            if let Some((index, product)) = before.replace((index, product)) {
                self.use_projection(block, first, index, &product)?;
            }
        }
        before.map_or(Ok(()), |(index, product)| self.use_projection(block, first, index, &product))
    }

    fn use_projection(&mut self, block: usize, first: usize, index: usize, product: &Product) -> Result<(), Error> {
        let layer = self.model.blocks[block].linears()[index];
        self.e.dyadic(s::LAYER, layer.linear.requant.step)?;
        for row in 0..product.rows {
            let z = self.plan.attn[0];
            self.sums(layer, product, row, 0, z, s::T)?;
            match index {
                0 => self.queries(block, product.rows, row)?,
                1 => self.keys(block, first, row)?,
                _ => self.values(block, first, row)?,
            }
        }
        Ok(())
    }

    /// Narrows and rotates the heads of the row at VB[attn 0]; its step is in S[T + 3] behind.
    fn rotated(&mut self, row: usize, heads: usize) -> Result<(), Error> {
        let (z, dim) = (self.plan.attn[0], self.shape.head_dim);
        self.e.narrow(heads * dim, z, s::T)?;
        let table = self.plan.rope + row * dim;
        for head in 0..heads {
            let at = z + head * dim;
            self.e.row(Op::Vrop, dim / 2, at, at, 0, &[(Field::B, table)])?;
        }
        Ok(())
    }

    /// Codes the queries of a row, a step a head.
    fn queries(&mut self, block: usize, rows: usize, row: usize) -> Result<(), Error> {
        let (z, dim, group) = (self.plan.attn[0], self.shape.head_dim, self.shape.group());
        self.rotated(row, self.shape.heads)?;
        let array_rows = self.e.machine.rows as usize;
        let words = dim.div_ceil(array_rows) * group * rows;
        let t = s::T;
        for head in 0..self.shape.heads {
            let (key_head, at) = (head / group, z + head * dim);
            let factors = self.plan.q_factor + key_head * dim;
            self.e.row(Op::Vmlp, dim, at, at, 0, &[(Field::B, factors), (Field::Red, ABSMAX), (Field::D, t + 4)])?;
            self.e.scalar(Op::Smax, t + 4, t + 4, s::ONE)?;
            let seta = [
                (Field::Rows, group * rows),
                (Field::Row, head % group * rows + row),
                (Field::Base, key_head * words),
                (Field::Used, array_rows),
                (Field::Half, 1),
            ];
            self.e.push(Op::Seta, &seta)?;
            self.e.row(
                Op::Vquo,
                dim,
                at,
                0,
                t + 4,
                &[(Field::Q, 127), (Field::Imm, 127), (Field::Qbits, 7), (Field::To, ACT)],
            )?;
            self.e.dyadic(t + 5, self.model.blocks[block].cache.score_step[key_head])?;
            self.e.scaled(self.plan.score_step(&self.shape, row, head), t + 4, [t + 3, t + 5], 127, 0)?;
        }
        Ok(())
    }

    fn keys(&mut self, block: usize, first: usize, row: usize) -> Result<(), Error> {
        self.rotated(row, self.shape.kv_heads)?;
        let z = self.plan.attn[0];
        self.e.row(Op::Vmlp, self.shape.kv_size(), z, z, 0, &[(Field::B, self.plan.k_factor)])?;
        self.cache(block, true, first + row, s::T + 3)
    }

    fn values(&mut self, block: usize, first: usize, row: usize) -> Result<(), Error> {
        self.cache(block, false, first + row, s::T + 1)
    }

    /// Static codes of the row at VB[attn 0], whose step is in S[step], to the cache at a position.
    fn cache(&mut self, block: usize, is_key: bool, position: usize, step: usize) -> Result<(), Error> {
        let (dim, cache) = (self.shape.head_dim, &self.model.blocks[block].cache);
        let top = if self.model.options.kv_bits == 4 { 7 } else { 127 };
        for head in 0..self.shape.kv_heads {
            let layout = &self.layout.blocks[block];
            let (start, ratio) = if is_key {
                (layout.keys[head], cache.k_ratio[head])
            } else {
                (layout.values[head], cache.v_ratio[head])
            };
            let addr = start as usize + position * self.layout.cache_stride;
            self.e.push(Op::St, &[(Field::Addr, addr), (Field::Bytes, dim)])?;
            self.e.dyadic(s::T + 4, ratio)?;
            self.e.scalar(Op::Sprd, s::T + 4, step, s::T + 4)?;
            let more = [(Field::Imm, top), (Field::To, OUT)];
            self.e.row(Op::Vfix, dim, self.plan.attn[0] + head * dim, 0, s::T + 4, &more)?;
        }
        Ok(())
    }

    /// A row of mixed values, aligned and coded for `o`.
    fn output(&mut self, block: usize, rows: usize, row: usize) -> Result<(), Error> {
        let n = self.shape.q_size();
        let (o, z) = (self.plan.o + row * n, self.plan.attn[0]);
        let coding = self.coding(&self.model.blocks[block].o);
        self.e.row(Op::Vmlp, n, o, z, 0, &[(Field::B, self.plan.o_align)])?;
        let (red, d) = coding.reduced();
        self.e.row(Op::Vshr, n, z, z, s::SEVEN, &[(Field::Red, red), (Field::D, d)])?;
        let (step, zero_point) = (self.plan.act_step(row, 0), self.plan.zero_point(row, 0));
        coding.emit(&mut self.e, n, z, s::WIDE, self.plan.attn[1], &Coded { half: true, rows, row, step, zero_point })
    }
}
