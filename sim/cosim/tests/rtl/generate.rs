//! Random modules: expressions over every node and operator, all widths, both signs, on top of random structure.

use std::collections::BTreeMap;
use std::sync::Arc;

use hdl::rtl::{Bits, Expr, Module, ModuleBuilder, Ty};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Widest operand of arithmetic and of comparisons of order.
const ARITH: u32 = 128;

/// How large the modules get.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Expressions with a port of their own.
    pub expressions: u32,
    /// Arrays, blocks and memories of each module.
    pub rounds: u32,
    /// Levels of operators.
    pub depth: u32,
    /// Widest signal.
    pub max_width: u32,
}

/// A module under construction and what its expressions may use.
pub struct Generator {
    pub m: ModuleBuilder,
    pub rng: ChaCha8Rng,
    pub size: Size,
    /// Named values by type.
    named: BTreeMap<Ty, Vec<Expr>>,
    /// Registers that still need a next value.
    pub open: Vec<Expr>,
    /// Signals to show at the end, so that each is read.
    pub shown: Vec<Expr>,
    count: u32,
}

impl Generator {
    pub fn new(name: &str, seed: u64, size: Size) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let m = ModuleBuilder::new(name, "Random logic for a comparison of simulators.");
        Self { m, rng, size, named: BTreeMap::new(), open: Vec::new(), shown: Vec::new(), count: 0 }
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u32) -> u32 {
        self.rng.next_u32() % n.max(1)
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }

    /// A name not used yet.
    pub fn name(&mut self, stem: &str) -> String {
        self.count += 1;
        format!("{stem}{}", self.count)
    }

    /// Makes a named value available to expressions.
    pub fn offer(&mut self, value: &Expr) {
        self.named.entry(value.ty()).or_default().push(value.clone());
    }

    /// A random type: small widths often, the borders of machine words often.
    pub fn ty(&mut self, max: u32) -> Ty {
        let max = max.min(self.size.max_width);
        let width = match self.below(8) {
            0 => 1,
            1..=3 => 1 + self.below(16),
            4 => [31, 32, 33, 63, 64, 65, 95, 96, 97, 127, 128, 129][self.below(12) as usize],
            5 | 6 => 1 + self.below(ARITH),
            _ => 1 + self.below(max),
        };
        Ty { width: width.clamp(1, max), signed: self.one_in(2) }
    }

    pub fn input(&mut self) -> Expr {
        let (name, max) = (self.name("in") + "_i", self.size.max_width);
        let ty = self.ty(max);
        let port = self.m.input(&name, ty);
        self.offer(&port);
        self.shown.push(port.clone());
        port
    }

    /// A wire, to be read by who makes it.
    pub fn wire(&mut self, value: &Expr) -> Expr {
        let name = self.name("w");
        let wire = self.m.wire(&name, value);
        self.offer(&wire);
        if self.one_in(4) {
            self.shown.push(wire.clone());
        }
        wire
    }

    fn constant(&mut self, ty: Ty) -> Expr {
        let limbs: Vec<u64> = match self.below(6) {
            0 => vec![],
            1 => vec![1],
            2 => vec![u64::MAX; 64],
            3 => (0..64)
                .map(|i| if i == (ty.width as usize - 1) / 64 { 1 << ((ty.width - 1) % 64) } else { 0 })
                .collect(),
            4 => vec![u64::from(self.rng.next_u32() & 0xff)],
            _ => (0..64).map(|_| self.rng.next_u64()).collect(),
        };
        let bits = Bits::from_limbs(ty.width, &limbs);
        if ty.width <= 100 && self.one_in(8) {
            let low = i128::from(bits.limbs()[0]) | i128::from(bits.limbs().get(1).copied().unwrap_or(0)) << 64;
            let value = if ty.signed && bits.bit(ty.width - 1) { low - (1 << ty.width) } else { low };
            let name = self.name("Constant");
            return self.m.constant(&name, ty, value);
        }
        Expr::bits(ty, bits)
    }

    /// A named value of exactly that type, made if there is none.
    fn leaf(&mut self, ty: Ty, depth: u32) -> Expr {
        let known = self.named.get(&ty).map_or(0, Vec::len) as u32;
        if known > 0 && !self.one_in(4) {
            let at = self.below(known) as usize;
            return self.named[&ty][at].clone();
        }
        if self.one_in(6) {
            return self.constant(ty);
        }
        // A slice of something wide enough, or something narrower extended.
        let wide: Vec<Ty> = self.named.keys().copied().filter(|t| t.width >= ty.width).collect();
        if !wide.is_empty() && !self.one_in(5) {
            let from = wide[self.below(wide.len() as u32) as usize];
            let at = self.below(self.named[&from].len() as u32) as usize;
            let base = self.named[&from][at].clone();
            let lsb = self.below(base.width() - ty.width + 1);
            let slice = base.part(lsb, ty.width);
            return if ty.signed { slice.as_signed() } else { slice };
        }
        let narrow: Vec<Ty> =
            self.named.keys().copied().filter(|t| t.width <= ty.width && t.signed == ty.signed).collect();
        if narrow.is_empty() || depth > 8 {
            return self.constant(ty);
        }
        let from = narrow[self.below(narrow.len() as u32) as usize];
        let at = self.below(self.named[&from].len() as u32) as usize;
        self.named[&from][at].extend(ty.width)
    }

    /// A bit of some signal.
    pub fn leaf_signal(&mut self) -> Expr {
        let at = self.below(self.shown.len() as u32) as usize;
        let signal = self.shown[at].clone();
        let bit = self.below(signal.width());
        signal.bit(bit)
    }

    /// A random expression of that type.
    pub fn expr(&mut self, ty: Ty, depth: u32) -> Expr {
        if depth == 0 || self.one_in(9) {
            return self.leaf(ty, depth);
        }
        let d = depth - 1;
        if ty == Ty::bit() && !self.one_in(3) {
            return self.predicate(d);
        }
        match self.below(16) {
            0 => !self.expr(ty, d),
            1 => self.expr(ty, d) & &self.expr(ty, d),
            2 => self.expr(ty, d) | &self.expr(ty, d),
            3 => self.expr(ty, d) ^ &self.expr(ty, d),
            4 => self.expr(Ty::bit(), d).mux(&self.expr(ty, d), &self.expr(ty, d)),
            5 if !ty.signed => self.expr(Ty::s(ty.width), d).as_unsigned(),
            5 => self.expr(Ty::u(ty.width), d).as_signed(),
            6..=11 if ty.width <= ARITH => self.arithmetic(ty, d),
            6 | 7 | 12 => {
                let from = Ty { width: 1 + self.below(ty.width), signed: ty.signed };
                self.expr(from, d).extend(ty.width)
            }
            8 | 13 => self.word(ty, d),
            9 | 14 => {
                let wide = Ty { width: (ty.width + self.below(9)).min(4096), signed: self.one_in(2) };
                let base = self.expr(wide, d);
                let base = self.wire(&base);
                let lsb = self.below(wide.width - ty.width + 1);
                let slice = base.part(lsb, ty.width);
                if ty.signed { slice.as_signed() } else { slice }
            }
            _ => self.concatenation(ty, d),
        }
    }

    fn arithmetic(&mut self, ty: Ty, d: u32) -> Expr {
        match self.below(7) {
            0 => -self.expr(ty, d),
            1 => self.expr(ty, d) + &self.expr(ty, d),
            2 => self.expr(ty, d) - &self.expr(ty, d),
            3 => self.expr(ty, d) * &self.expr(ty, d),
            4 if ty.width > 1 => {
                // The way units multiply: both operands widened to the product.
                let half = Ty { width: ty.width.div_ceil(2), signed: ty.signed };
                self.expr(half, d).extend(ty.width) * &self.expr(half, d).extend(ty.width)
            }
            left => {
                let width = match self.below(6) {
                    0 => 1 + self.below(ARITH),
                    1 => 33,
                    n => (hdl::rtl::index_bits(ty.width) + n).max(3) - 2,
                };
                let amount = self.expr(Ty::u(width), d);
                let value = self.expr(ty, d);
                if left == 5 { value.shl(&amount) } else { value.shr(&amount) }
            }
        }
    }

    fn predicate(&mut self, d: u32) -> Expr {
        let max = self.size.max_width;
        match self.below(8) {
            n @ 0..=3 => {
                let ty = self.ty(ARITH);
                let (a, b) = (self.expr(ty, d), self.expr(ty, d));
                match n {
                    0 => a.lt(&b),
                    1 => a.le(&b),
                    2 => a.gt(&b),
                    _ => a.ge(&b),
                }
            }
            n @ (4 | 5) => {
                let ty = self.ty(max);
                let (a, b) = (self.expr(ty, d), self.expr(ty, d));
                if n == 4 { a.eq(&b) } else { a.ne(&b) }
            }
            n => {
                let ty = self.ty(max);
                let a = self.expr(ty, d);
                match (n, self.one_in(2)) {
                    (6, _) => a.parity(),
                    (_, true) => a.any(),
                    (_, false) => a.all(),
                }
            }
        }
    }

    fn word(&mut self, ty: Ty, d: u32) -> Expr {
        let most = (self.size.max_width / ty.width).max(1).ilog2().min(5);
        if most == 0 {
            return self.leaf(ty, d);
        }
        let index_width = 1 + self.below(most);
        let base = self.expr(Ty::u(ty.width << index_width), d.min(1));
        let base = self.wire(&base);
        let low = self.leaf_signal();
        let index = match index_width {
            1 => low,
            // The rest has a name, for Verilator computes what it can of an index before it looks for unused bits.
            more => {
                let rest = self.expr(Ty::u(more - 1), d);
                Expr::concat(&[self.wire(&rest), low])
            }
        };
        let word = base.word(&index, ty.width);
        if ty.signed { word.as_signed() } else { word }
    }

    fn concatenation(&mut self, ty: Ty, d: u32) -> Expr {
        if ty.width == 1 {
            return self.leaf(ty, d);
        }
        let divisors: Vec<u32> = (2..=ty.width.min(64)).filter(|n| ty.width.is_multiple_of(*n)).collect();
        let value = if self.one_in(3) && !divisors.is_empty() {
            let count = divisors[self.below(divisors.len() as u32) as usize];
            let part = Ty { width: ty.width / count, signed: self.one_in(2) };
            self.expr(part, d).repeat(count)
        } else {
            let mut rest = ty.width;
            let mut parts = Vec::new();
            while rest > 0 && parts.len() < 3 {
                let part = Ty { width: 1 + self.below(rest), signed: self.one_in(2) };
                rest -= part.width;
                parts.push(self.expr(part, d));
            }
            if rest > 0 {
                parts.push(self.expr(Ty::u(rest), d.min(1)));
            }
            Expr::concat(&parts)
        };
        if ty.signed { value.as_signed() } else { value }
    }

    /// A register, its next value still open.
    pub fn reg(&mut self) -> Expr {
        let (name, max) = (self.name("r") + "_q", self.size.max_width);
        let ty = self.ty(max);
        let q = self.m.reg(&name, ty);
        self.offer(&q);
        self.shown.push(q.clone());
        self.open.push(q.clone());
        q
    }

    /// Gives every open register a next value: with or without reset and enable.
    pub fn close_registers(&mut self) {
        for q in std::mem::take(&mut self.open) {
            let next = self.expr(q.ty(), self.size.depth);
            let reset = if q.ty().signed && q.width() < 100 { -1 } else { i128::from(self.below(2)) };
            let kind = self.below(4);
            let enable = if kind % 2 == 1 { self.expr(Ty::bit(), 2) | &self.leaf_signal() } else { Expr::u(1, 1) };
            match kind {
                0 => self.m.next(&q, &next),
                1 => self.m.next_if(&q, &enable, &next),
                2 => self.m.next_reset(&q, reset, None, &next),
                _ => self.m.next_reset(&q, reset, Some(&enable), &next),
            }
        }
    }

    /// Ports for random expressions and for every signal made so far; sometimes for a part of it only.
    pub fn finish(mut self) -> Arc<Module> {
        self.close_registers();
        for _ in 0..self.size.expressions {
            let max = self.size.max_width;
            let ty = self.ty(max);
            let value = self.expr(ty, self.size.depth);
            let name = self.name("y") + "_o";
            self.m.output_is(&name, &value);
        }
        for signal in std::mem::take(&mut self.shown) {
            let name = self.name("show") + "_o";
            let part = if self.one_in(4) { signal.part(self.size.depth.min(signal.width() - 1), 1) } else { signal };
            self.m.output_is(&name, &part);
        }
        self.m.build().unwrap_or_else(|e| panic!("a generated module must be sound: {e}"))
    }
}
