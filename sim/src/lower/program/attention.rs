//! The attention half of a block.
//!
//! Rows of a head's matrix products are `g·rows + m` for query head g of the key head and row m. Scores of key head h + 1
//! are multiplied while the vector unit works on those of head h, and its probabilities are coded while the array
//! multiplies those of head h by the values.

use spec::isa::{Field, Op};
use spec::model::PROB_TOP_15;

use super::Lower;
use super::ops::{ABSMAX, ACT, Coded, MAX, OUT, SUM, VB, chord};
use super::pass::Product;
use super::plan::{passes, s};
use crate::error::Error;

impl Lower<'_> {
    /// Norm, projections, attention and output of a block. `slot` holds the parameters of `q`.
    pub fn attention(&mut self, block: usize, first: usize, rows: usize, slot: usize) -> Result<Product, Error> {
        self.projections(block, first, rows, slot)?;
        self.e.mark(first, rows, Some(block), "attention")?;
        self.heads(block, first, rows)?;
        self.e.mark(first, rows, Some(block), "o_proj")?;
        let model = &self.model.blocks[block];
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

    /// Scores, probabilities and mixed values of every key head, in the order that keeps array and vector unit busy.
    fn heads(&mut self, block: usize, first: usize, rows: usize) -> Result<(), Error> {
        let heads = self.shape.kv_heads;
        for head in 0..heads.min(2) {
            self.scores(block, first, rows, head)?;
        }
        for head in 0..heads {
            self.probabilities(first, rows, head)?;
            if head > 0 {
                self.mixed(rows, head - 1)?;
                if head + 1 < heads {
                    self.scores(block, first, rows, head + 1)?;
                }
            }
            self.mix(block, first, rows, head)?;
        }
        self.mixed(rows, heads - 1)
    }

    /// Products of a head's queries with all keys.
    fn scores(&mut self, block: usize, first: usize, rows: usize, head: usize) -> Result<(), Error> {
        let (dim, seen) = (self.shape.head_dim, first + rows);
        let (array_rows, cols) = (self.e.machine.rows as usize, self.e.machine.cols as usize);
        let (k_tiles, m) = (dim.div_ceil(array_rows), self.shape.group() * rows);
        let keys = self.layout.blocks[block].keys[head];
        let step = cols * self.loads_together(k_tiles);
        for start in (0..seen).step_by(step) {
            let end = (start + step).min(seen);
            for token in (start..end).step_by(cols) {
                self.load_heads(keys, token, (end - token).min(cols), 0, k_tiles)?;
            }
            let fields = [
                (Field::Rows, m),
                (Field::KTiles, k_tiles),
                (Field::NTiles, (end - start).div_ceil(cols)),
                (Field::Act, head * k_tiles * m),
                (Field::Acc, start / cols * m),
                (Field::Half, 1),
                (Field::Bank, head % 2),
            ];
            self.e.push(Op::Mm, &fields)?;
        }
        Ok(())
    }

    /// Loads of so many tiles that may stand in front of one product: what the weight FIFO holds, so that none of them keeps
    /// the product from being fetched.
    fn loads_together(&self, tiles: usize) -> usize {
        let machine = &self.e.machine;
        (machine.weight_words as usize / (machine.tile_words() as usize * tiles)).max(1)
    }

    /// Tiles of some tokens of a head of the cache.
    fn load_heads(&mut self, start: u32, token: usize, tokens: usize, mode: usize, tiles: usize) -> Result<(), Error> {
        let stride = self.layout.cache_stride;
        let fields = [
            (Field::Addr, start as usize + token * stride),
            (Field::Tokens, tokens),
            (Field::Dim, self.shape.head_dim),
            (Field::Stride, stride / self.e.machine.beat_bytes as usize),
            (Field::Mode, mode),
            (Field::Tiles, tiles),
        ];
        self.e.push(Op::Ldh, &fields)
    }

    /// First act word of a head's probabilities: heads take turns where there is room for two.
    fn probability_base(&self, seen: usize, pass_rows: usize, head: usize) -> usize {
        let words = seen.div_ceil(self.e.machine.rows as usize) * pass_rows;
        if 2 * words <= self.e.machine.act_words as usize { head % 2 * words } else { 0 }
    }

    /// Softmax of every row of a key head, coded for the product with the values.
    fn probabilities(&mut self, first: usize, rows: usize, key_head: usize) -> Result<(), Error> {
        let (group, all) = (self.shape.group(), first + rows);
        let (m, z, t) = (group * rows, self.plan.attn[1], s::T);
        let top = self.model.options.prob_top;
        let pass_rows = passes(self.model) * m;
        let base = self.probability_base(all, pass_rows, key_head);
        for row in 0..m {
            let (head, token) = (key_head * group + row / rows, row % rows);
            let seen = first + token + 1;
            let step = self.plan.score_step(&self.shape, token, head);
            self.e.scalar(Op::Sadd, t, step, s::ZERO)?;
            let raw = [(Field::Imm, m), (Field::Bank, key_head % 2), (Field::Red, MAX), (Field::D, t + 1)];
            self.e.row(Op::Vraw, seen, row, z, 0, &raw)?;
            let exp = [chord(self.model.options.exp), (Field::Red, SUM), (Field::D, t + 2)];
            self.e.row(Op::Vexp, seen, z, z, t, &exp)?;
            let seta = |row: usize| {
                let used = self.e.machine.rows as usize;
                [(Field::Rows, pass_rows), (Field::Row, row), (Field::Base, base), (Field::Used, used)]
            };
            let (hi, lo) = (seta(row), seta(m + row));
            let qbits = if top == PROB_TOP_15 { 15 } else { 7 };
            let share = [(Field::Q, top.into()), (Field::Imm, top.into()), (Field::Qbits, qbits), (Field::To, VB)];
            self.e.row(Op::Vquo, seen, z, z, t + 2, &share)?;
            if seen < all {
                // Tokens behind have no share.
                self.e.row(Op::Vmls, all - seen, self.plan.x, z + seen, s::ZERO, &[])?;
            }
            self.e.push(Op::Seta, &hi)?;
            if top == PROB_TOP_15 {
                // p = 256·hi + lo: hi = round(p / 256), lo the low 8 bits as they are.
                self.e.row(Op::Vshr, all, z, 0, s::EIGHT, &[(Field::To, ACT)])?;
                self.e.push(Op::Seta, &lo)?;
            }
            self.e.row(Op::Vads, all, z, 0, s::ZERO, &[(Field::To, ACT)])?;
        }
        Ok(())
    }

    /// Products of a key head's probabilities with its values.
    ///
    /// Tiles come token by token, all their channels, so that a product takes the tokens of one K tile, or of several where
    /// the channels fill one N tile only; those behind the first add to it.
    fn mix(&mut self, block: usize, first: usize, rows: usize, head: usize) -> Result<(), Error> {
        let (array_rows, cols) = (self.e.machine.rows as usize, self.e.machine.cols as usize);
        let (seen, m) = (first + rows, passes(self.model) * self.shape.group() * rows);
        let n_tiles = self.shape.head_dim.div_ceil(cols);
        let base = self.probability_base(seen, m, head);
        let values = self.layout.blocks[block].values[head];
        let step = array_rows * if n_tiles == 1 { self.loads_together(1) } else { 1 };
        for start in (0..seen).step_by(step) {
            let end = (start + step).min(seen);
            for token in (start..end).step_by(array_rows) {
                self.load_heads(values, token, (end - token).min(array_rows), 1, n_tiles)?;
            }
            let fields = [
                (Field::Rows, m),
                (Field::KTiles, (end - start).div_ceil(array_rows)),
                (Field::NTiles, n_tiles),
                (Field::Act, base + start / array_rows * m),
                (Field::Bank, head % 2),
                (Field::Add, usize::from(start > 0)),
            ];
            self.e.push(Op::Mm, &fields)?;
        }
        Ok(())
    }

    /// The mixed values of a key head's rows, to VB.
    fn mixed(&mut self, rows: usize, key_head: usize) -> Result<(), Error> {
        let (dim, group) = (self.shape.head_dim, self.shape.group());
        let m = group * rows;
        let passes = passes(self.model);
        let z = self.plan.attn[2];
        for row in 0..m {
            let (head, token) = (key_head * group + row / rows, row % rows);
            let o = self.plan.o + token * self.shape.q_size() + head * dim;
            let raw = [(Field::Imm, passes * m), (Field::Bank, key_head % 2)];
            self.e.row(Op::Vraw, dim, row, o, 0, &raw)?;
            if passes == 2 {
                self.e.row(Op::Vraw, dim, m + row, z, 0, &raw)?;
                self.e.row(Op::Vshr, dim, o, o, s::MINUS_EIGHT, &[])?;
                self.e.row(Op::Vadd, dim, o, o, 0, &[(Field::B, z)])?;
            }
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
