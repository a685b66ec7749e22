//! The feed-forward half of a block.

use spec::Dyadic;
use spec::isa::{Field, Op};

use super::Lower;
use super::ops::{Coded, chord};
use super::pass::Product;
use super::plan::s;
use crate::error::Error;

impl Lower<'_> {
    /// Residual add of the attention's `output`, norm, gate, up, SwiGLU, down, residual add of a block.
    ///
    /// Weights that come next are loaded before the vector unit's work in front of them. Gives the slot of the next
    /// block's first layer, 0 where none follows.
    pub fn feed_forward(&mut self, block: usize, first: usize, rows: usize, output: &Product) -> Result<usize, Error> {
        let model = &self.model.blocks[block];
        let parts: Vec<_> = self.layout.blocks[block].linears[4..].iter().map(|l| l.parts[0].clone()).collect();
        self.e.mark(first, rows, Some(block), "gate_proj")?;
        self.count_linear(&model.gate, Some(&model.ffn_norm), first, rows);
        self.load_gain(self.layout.blocks[block].ffn_gain)?;
        let slot = self.load(&parts[0], &model.gate)?;
        self.residual(&model.o, output, self.plan.attn[0])?;
        self.norm_scalars(&model.ffn_norm)?;
        self.code_rows(block, false, rows, 0)?;
        let gate = self.multiply(&parts[0], &model.gate, slot, false, rows)?;
        self.e.mark(first, rows, Some(block), "up_proj")?;
        self.count_linear(&model.up, None, first, rows);
        let slot = self.load(&parts[1], &model.up)?;
        let same = self.coding(&model.gate) == self.coding(&model.up);
        let set = usize::from(!same);
        if !same {
            self.code_rows(block, true, rows, 1)?;
        }
        let up = self.multiply(&parts[1], &model.up, slot, !same, rows)?;
        self.e.mark(first, rows, Some(block), "down_proj")?;
        self.count_linear(&model.down, None, first, rows);
        let slot = self.load(&parts[2], &model.down)?;
        for row in 0..rows {
            self.inner(block, [&gate, &up], set, row)?;
            let coding = self.coding(&model.down);
            let (step, zero_point) = (self.plan.act_step(row, 0), self.plan.zero_point(row, 0));
            let to = Coded { half: true, rows, row, step, zero_point };
            coding.emit(&mut self.e, self.shape.ffn, self.plan.ffn[0], s::WIDE, self.plan.ffn[1], &to)?;
        }
        let down = self.multiply(&parts[2], &model.down, slot, true, rows)?;
        let next = if block + 1 < self.shape.blocks { self.load_block(block + 1)? } else { 0 };
        self.e.mark(first, rows, Some(block), "residual")?;
        self.residual(&model.down, &down, self.plan.ffn[0])?;
        Ok(next)
    }

    /// The residual stream through the norm, coded for gate or up.
    fn code_rows(&mut self, block: usize, is_up: bool, rows: usize, set: usize) -> Result<(), Error> {
        let model = &self.model.blocks[block];
        let layer = if is_up { &model.up } else { &model.gate };
        for row in 0..rows {
            let (step, zero_point) = (self.plan.act_step(row, set), self.plan.zero_point(row, set));
            let to = Coded { half: is_up, rows, row, step, zero_point };
            self.normed(&model.ffn_norm, layer, row, [self.plan.ffn[0], self.plan.ffn[1]], &to)?;
        }
        Ok(())
    }

    /// `gate·sigma(gate)·up` of a row in VB[ffn 0], its step in S[WIDE], its reduction as `down` needs it.
    fn inner(&mut self, block: usize, products: [&Product; 2], up_set: usize, row: usize) -> Result<(), Error> {
        let model = &self.model.blocks[block];
        let options = &self.model.options;
        let ([g, u, h], n, t) = (self.plan.ffn, self.shape.ffn, s::T);
        // Narrowed gate: its step in T + 3; narrowed up: in T + 11.
        for (layer, product, set, at, t) in
            [(&model.gate, products[0], 0, g, t), (&model.up, products[1], up_set, u, t + 8)]
        {
            self.e.dyadic(s::LAYER, layer.linear.requant.step)?;
            self.sums(layer, product, row, set, at, t)?;
            self.e.narrow(n, at, t)?;
            if at == g {
                let bits = options.sigmoid_bits as usize;
                self.e.row(Op::Vsig, n, g, h, t + 3, &[(Field::Imm, bits), chord(options.exp)])?;
                self.e.row(Op::Vmul, n, g, g, 0, &[(Field::B, h)])?;
            }
        }
        let (red, d) = self.coding(&model.down).reduced();
        self.e.row(Op::Vmul, n, g, g, 0, &[(Field::B, u), (Field::Red, red), (Field::D, d)])?;
        self.e.scalar(Op::Sprd, s::WIDE, t + 3, t + 11)?;
        self.e.dyadic(t + 8, Dyadic { mult: 1 << 15, shift: 15 + options.sigmoid_bits as i16 })?;
        self.e.scalar(Op::Sprd, s::WIDE, s::WIDE, t + 8)
    }
}
