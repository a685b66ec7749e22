//! Random modules over all operators, widths and signs, against a naive interpreter that works bit by bit.

use std::collections::HashMap;

use hdl::rtl::module::Conn;
use hdl::rtl::{BinOp, Bits, Design, Expr, ModuleBuilder, Node, Ty, UnOp};

use super::Stepper;
use super::random::SplitMix;
use super::wide::MAX_LIMBS;

/// Bits, lowest first.
type Value = Vec<bool>;

fn of_limbs(width: u32, limbs: &[u64]) -> Value {
    (0..width).map(|i| limbs[i as usize / 64] >> (i % 64) & 1 == 1).collect()
}

fn limbs_of(value: &[bool]) -> Vec<u64> {
    let mut limbs = vec![0; value.len().div_ceil(64)];
    for (i, _) in value.iter().enumerate().filter(|(_, bit)| **bit) {
        limbs[i / 64] |= 1 << (i % 64);
    }
    limbs
}

fn sum(a: &[bool], b: &[bool], mut carry: bool) -> Value {
    let add = |(a, b): (&bool, &bool)| {
        let total = u8::from(*a) + u8::from(*b) + u8::from(carry);
        carry = total > 1;
        total % 2 == 1
    };
    a.iter().zip(b).map(add).collect()
}

fn not(a: &[bool]) -> Value {
    a.iter().map(|b| !b).collect()
}

fn zero(a: &[bool]) -> Value {
    vec![false; a.len()]
}

fn less(a: &[bool], b: &[bool], signed: bool) -> bool {
    let (mut a, mut b) = (a.to_vec(), b.to_vec());
    if signed {
        let top = a.len() - 1;
        (a[top], b[top]) = (!a[top], !b[top]);
    }
    a.iter().rev().cmp(b.iter().rev()).is_lt()
}

/// An unsigned number, at most `u32::MAX`.
fn small(a: &[bool]) -> usize {
    if a.iter().skip(32).any(|b| *b) {
        return u32::MAX as usize;
    }
    a.iter().take(32).enumerate().map(|(i, b)| usize::from(*b) << i).sum()
}

fn eval(e: &Expr, env: &HashMap<u32, Value>) -> Value {
    let go = |e: &Expr| eval(e, env);
    let width = e.width() as usize;
    match e.node() {
        Node::Const(bits) | Node::Named(bits, _) => (0..e.width()).map(|i| bits.bit(i)).collect(),
        Node::Sig(id, _) => env[&id.0].clone(),
        Node::Elem(..) | Node::Poison(_) => panic!("{e:?}"),
        Node::Unary(op, a) => {
            let a = go(a);
            match op {
                UnOp::Not => not(&a),
                UnOp::Neg => sum(&zero(&a), &not(&a), true),
                UnOp::RedAnd => vec![a.iter().all(|b| *b)],
                UnOp::RedOr => vec![a.iter().any(|b| *b)],
                UnOp::RedXor => vec![a.iter().filter(|b| **b).count() % 2 == 1],
            }
        }
        Node::Binary(op, x, y) => {
            let (a, b) = (go(x), go(y));
            let signed = x.ty().signed;
            let each = |f: fn(bool, bool) -> bool| a.iter().zip(&b).map(|(a, b)| f(*a, *b)).collect();
            match op {
                BinOp::Add => sum(&a, &b, false),
                BinOp::Sub => sum(&a, &not(&b), true),
                BinOp::Mul => (0..width).filter(|i| b[*i]).fold(zero(&a), |total, i| {
                    let shifted: Value = (0..width).map(|k| k >= i && a[k - i]).collect();
                    sum(&total, &shifted, false)
                }),
                BinOp::And => each(|a, b| a && b),
                BinOp::Or => each(|a, b| a || b),
                BinOp::Xor => each(|a, b| a != b),
                BinOp::Eq => vec![a == b],
                BinOp::Ne => vec![a != b],
                BinOp::Lt => vec![less(&a, &b, signed)],
                BinOp::Le => vec![!less(&b, &a, signed)],
                BinOp::Shl => (0..width).map(|k| k.checked_sub(small(&b)).is_some_and(|k| a[k])).collect(),
                BinOp::Shr => {
                    let fill = signed && a[width - 1];
                    (0..width).map(|k| a.get(k.saturating_add(small(&b))).copied().unwrap_or(fill)).collect()
                }
            }
        }
        Node::Mux(c, a, b) => {
            if go(c)[0] {
                go(a)
            } else {
                go(b)
            }
        }
        Node::Slice(a, lsb) => go(a)[*lsb as usize..][..width].to_vec(),
        Node::Word(a, index) => go(a)[small(&go(index)) * width..][..width].to_vec(),
        Node::Concat(parts) => parts.iter().rev().flat_map(go).collect(),
        Node::Repeat(count, a) => (0..*count).flat_map(|_| go(a)).collect(),
        Node::Extend(a) => {
            let mut value = go(a);
            let fill = a.ty().signed && value[value.len() - 1];
            value.resize(width, fill);
            value
        }
        Node::Cast(a) => go(a),
    }
}

const WIDTHS: [u32; 13] = [1, 2, 7, 16, 31, 32, 33, 63, 64, 65, 100, 127, 128];

struct Maker {
    random: SplitMix,
    builder: ModuleBuilder,
    pool: Vec<Expr>,
    /// Wires and outputs in order, with what they are.
    wires: Vec<(Expr, Expr)>,
    widths: &'static [u32],
}

impl Maker {
    fn below(&mut self, n: usize) -> usize {
        (self.random.next() % n as u64) as usize
    }

    fn ty(&mut self) -> Ty {
        let i = self.below(self.widths.len());
        Ty { width: self.widths[i], signed: self.below(2) == 1 }
    }

    fn any(&mut self) -> Expr {
        let i = self.below(self.pool.len());
        self.pool[i].clone()
    }

    /// A value of that type from something in the pool.
    fn fit(&mut self, ty: Ty) -> Expr {
        if self.below(8) == 0 {
            let limbs: Vec<u64> = (0..64).map(|_| self.random.next()).collect();
            return Expr::bits(ty, Bits::from_limbs(ty.width, &limbs));
        }
        let from = self.any();
        let sized = if from.width() > ty.width {
            let lsb = self.below((from.width() - ty.width + 1) as usize) as u32;
            from.part(lsb, ty.width)
        } else if self.below(3) == 0 {
            from.as_signed().extend(ty.width)
        } else {
            from.extend(ty.width)
        };
        if ty.signed { sized.as_signed() } else { sized.as_unsigned() }
    }

    fn bit(&mut self) -> Expr {
        self.fit(Ty::bit())
    }

    fn node(&mut self) -> Expr {
        let ty = self.ty();
        let (a, b) = (self.fit(ty), self.fit(ty));
        let arith = ty.width <= 128;
        match self.below(20) {
            0 if arith => a + b,
            1 if arith => a - b,
            2 if arith => a * b,
            3 if arith => -a,
            4 if arith => a.lt(&b),
            5 if arith => a.le(&b),
            6 | 7 if arith => {
                let width = [3, 6, 7, 9, 40, 70][self.below(6)];
                let by = self.fit(Ty::u(width));
                if self.below(2) == 0 { a.shl(&by) } else { a.shr(&by) }
            }
            8 if arith => {
                let by = self.below(140) as u32;
                if self.below(2) == 0 { a.shl_k(by) } else { a.shr_k(by) }
            }
            9 => a.eq(&b),
            10 => a.ne(&b),
            11 => [a.all(), a.any(), a.parity()][self.below(3)].clone(),
            12 => self.bit().mux(&a, &b),
            13 => !a,
            14 => {
                let parts: Vec<Expr> = (0..1 + self.below(5)).map(|_| self.any()).collect();
                let width: u32 = parts.iter().map(Expr::width).sum();
                if width <= 4096 { Expr::concat(&parts) } else { a }
            }
            15 => {
                let bits = 1 + self.below(3) as u32;
                let words: Vec<Expr> = self.pool.iter().filter(|e| e.width() % (1 << bits) == 0).cloned().collect();
                if words.is_empty() {
                    return a;
                }
                let from = words[self.below(words.len())].clone();
                let index = self.fit(Ty::u(bits));
                from.word(&index, from.width() >> bits)
            }
            16 => {
                let from = self.any();
                let count = 1 + self.below(5) as u32;
                if from.width() * count <= 4096 { from.repeat(count) } else { from }
            }
            17 => a & b,
            18 => a | b,
            _ => a ^ b,
        }
    }
}

/// A module with random wires, a case block and registers; returns the registers with enable and next value.
fn make(seed: u64, widths: &'static [u32]) -> (Maker, Vec<(Expr, Expr, Expr)>) {
    let builder = ModuleBuilder::new(format!("t_random{seed}"), "Random expressions.");
    let mut m = Maker { random: SplitMix::new(seed), builder, pool: Vec::new(), wires: Vec::new(), widths };
    for i in 0..5 {
        let ty = m.ty();
        let input = m.builder.input(&format!("in{i}_i"), ty);
        m.pool.push(input);
    }
    let mut regs = Vec::new();
    for i in 0..3 {
        let ty = m.ty();
        let q = m.builder.reg(&format!("r{i}_q"), ty);
        m.pool.push(q.clone());
        regs.push(q);
    }
    for i in 0..40 {
        let e = m.node();
        let wire = m.builder.wire(&format!("w{i}"), &e);
        m.wires.push((wire.clone(), e));
        m.pool.push(wire);
    }
    let ty = m.ty();
    let selector = m.fit(Ty::u(2));
    let arms: Vec<Expr> = (0..4).map(|_| m.fit(ty)).collect();
    let cond = m.bit();
    let target = m.builder.net("choice", ty);
    m.builder.comb("Chooses.", |b| {
        b.set(&target, &arms[0]);
        b.case(&selector, |c| {
            c.arm_of(&[selector.k(0), selector.k(3)], |b| {
                b.when(&cond, |b| b.set(&target, &arms[1]));
            });
            c.arm(&selector.k(1), |b| b.set(&target, &arms[2]));
            c.default(|b| b.when_else(&cond, |b| b.set(&target, &arms[3]), |b| b.set(&target, &arms[1])));
        });
    });
    let outer = selector.eq_k(0);
    let outer = &outer | &selector.eq_k(3);
    let inner = cond.mux(&arms[3], &arms[1]);
    let value = outer.mux(&cond.mux(&arms[1], &arms[0]), &selector.eq_k(1).mux(&arms[2], &inner));
    m.wires.push((target, value));
    let mut updates = Vec::new();
    for q in regs {
        // A register that is never enabled is refused.
        let enable = m.any();
        let enable = if m.below(2) == 0 { enable.any() } else { enable.bit(0) };
        let next = m.fit(q.ty());
        m.builder.next_if(&q, &enable, &next);
        updates.push((q, enable, next));
    }
    (m, updates)
}

fn id(e: &Expr) -> u32 {
    match e.node() {
        Node::Sig(id, _) => id.0,
        _ => panic!("{e:?}"),
    }
}

fn run(seed: u64, lanes: u32, widths: &'static [u32], cycles: u32) {
    let (mut m, regs) = make(seed, widths);
    let outs: Vec<(Expr, Expr)> = m.wires.clone();
    for (i, (wire, _)) in outs.iter().enumerate() {
        m.builder.output_is(&format!("y{i}_o"), wire);
    }
    for (i, e) in m.pool[..8].to_vec().iter().enumerate() {
        m.builder.output_is(&format!("z{i}_o"), e);
    }
    let dut = m.builder.build().unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    let mut top = ModuleBuilder::new("t_top", "Lanes.");
    let mut conns = Vec::new();
    for (_, port) in dut.ports() {
        let nets = top.nets(&format!("n_{}", port.name), port.ty, lanes);
        for lane in 0..lanes {
            if port.name.ends_with("_i") {
                let input = top.input(&format!("{}{lane}", port.name), port.ty);
                top.assign(&nets.at(lane), &input);
            } else {
                top.output_is(&format!("{}{lane}", port.name), &nets.at(lane));
            }
        }
        let conn: Conn = nets.step(lanes, 1, 0);
        conns.push((port.name.clone(), conn));
    }
    let conns: Vec<(&str, Conn)> = conns.iter().map(|(n, c)| (n.as_str(), c.clone())).collect();
    top.grid("u_dut", &dut, 1, lanes, &conns);
    let top = top.build().unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    let mut s = Stepper::new(&Design::new(top)).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    s.randomize(seed);
    let signal = |s: &Stepper, path: &str| s.signal(path).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    let read = |s: &Stepper, path: &str| {
        let port = signal(s, path);
        let mut limbs = vec![0; port.limbs()];
        s.get_limbs(port, &mut limbs);
        of_limbs(port.width(), &limbs)
    };
    let mut random = SplitMix::new(!seed);
    let mut state: Vec<Vec<Value>> =
        (0..lanes).map(|lane| (0..3).map(|r| read(&s, &format!("u_dut[0][{lane}].r{r}_q"))).collect()).collect();
    let mut held: HashMap<(u32, usize), Vec<u64>> = HashMap::new();
    for cycle in 0..cycles {
        let mut envs = Vec::new();
        // Quiet cycles, in which little or nothing changes, let instructions be skipped.
        let quiet = cycle % 16 > 5;
        for lane in 0..lanes {
            let mut env = HashMap::new();
            for (i, input) in m.pool[..5].iter().enumerate() {
                let hold = quiet && !random.next().is_multiple_of(10);
                // Corners half of the time.
                let limbs: Vec<u64> = match random.next() % 6 {
                    0 => vec![0; MAX_LIMBS],
                    1 => vec![u64::MAX; MAX_LIMBS],
                    2 => limbs_of(&(0..input.width()).map(|b| b + 1 == input.width()).collect::<Value>()),
                    _ => (0..MAX_LIMBS).map(|_| random.next()).collect(),
                };
                let limbs = if hold { held[&(lane, i)].clone() } else { limbs };
                held.insert((lane, i), limbs.clone());
                let port = s.input(&format!("in{i}_i{lane}")).unwrap_or_else(|e| panic!("{e}"));
                s.set_limbs(port, &limbs);
                env.insert(id(input), of_limbs(input.width(), &limbs));
            }
            for ((q, ..), value) in regs.iter().zip(&state[lane as usize]) {
                env.insert(id(q), value.clone());
            }
            for (wire, e) in &outs {
                let value = eval(e, &env);
                env.insert(id(wire), value);
            }
            envs.push(env);
        }
        s.settle();
        for (lane, env) in envs.iter().enumerate() {
            for (i, (wire, e)) in outs.iter().enumerate() {
                let got = read(&s, &format!("u_dut[0][{lane}].y{i}_o"));
                assert!(
                    got == env[&id(wire)],
                    "seed {seed}, {lanes} lanes, cycle {cycle}, lane {lane}, wire {i} ({:?} of {})",
                    e.node(),
                    e.ty()
                );
            }
            for (r, (_, enable, next)) in regs.iter().enumerate() {
                if eval(enable, env)[0] {
                    state[lane][r] = eval(next, env);
                }
            }
        }
        s.tick();
        for lane in 0..lanes {
            for r in 0..3 {
                let got = read(&s, &format!("u_dut[0][{lane}].r{r}_q"));
                assert!(got == state[lane as usize][r], "seed {seed}, cycle {cycle}, lane {lane}, register {r}");
            }
        }
    }
}

#[test]
fn random_modules_of_one_instance() {
    for seed in 0..150 {
        run(seed, 1, &WIDTHS, 6);
    }
}

#[test]
fn random_modules_of_many_instances() {
    for seed in 1000..1060 {
        run(seed, 3, &WIDTHS, 4);
        run(seed, 9, &WIDTHS, 4);
    }
}

#[test]
fn random_modules_of_narrow_signals() {
    for seed in 2000..2060 {
        run(seed, 7, &[1, 3, 8, 12, 16, 20, 32], 6);
    }
}

#[test]
fn random_modules_of_very_wide_signals() {
    for seed in 3000..3030 {
        run(seed, 1, &[1, 8, 64, 129, 512, 1000, 4095, 4096, 4160], 3);
    }
}

#[test]
fn random_modules_with_quiet_cycles() {
    for seed in 4000..4010 {
        run(seed, 1, &WIDTHS, 150);
        run(seed, 6, &[1, 5, 16, 32, 40], 100);
    }
}
