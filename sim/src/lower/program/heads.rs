//! The heads' own products: scores, probabilities, mixed values.
//!
//! Rows of a key head's matrix products are `g·rows + m` for its query head g and row m. Scores of key head h + 1 are
//! multiplied while the vector unit works on those of head h, and its probabilities are coded while the array multiplies
//! those of head h by the values.

use spec::isa::{Field, Op};
use spec::model::PROB_TOP_15;

use super::Lower;
use super::ops::{ACT, MAX, SUM, VB, chord};
use super::plan::{passes, s};
use crate::error::Error;

impl Lower<'_> {
    /// Scores, probabilities and mixed values of every key head, in the order that keeps array and vector unit busy.
    pub fn heads(&mut self, block: usize, first: usize, rows: usize) -> Result<(), Error> {
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
}
