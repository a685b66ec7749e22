//! Random instructions, and the contents that they need to be sensible.

use spec::isa::{Field, Op};

use super::Pair;

/// A small deterministic generator.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def0)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// `low..=high`.
    pub fn within(&mut self, low: i64, high: i64) -> i64 {
        low + (self.next() % (high - low + 1) as u64) as i64
    }

    /// A number whose magnitude has at most `bits` bits, all sizes equally likely, the extremes often.
    pub fn signed(&mut self, bits: u32) -> i64 {
        let size = self.next() as u32 % (bits + 1);
        let top = ((1u64 << size) - 1) as i64;
        let magnitude = match self.next() % 4 {
            0 => top,
            _ => (self.next() & top as u64) as i64,
        };
        if self.next() & 1 == 1 { -magnitude } else { magnitude }
    }

    pub fn magnitude(&mut self, bits: u32) -> i64 {
        self.signed(bits).abs()
    }

    pub fn dyadic(&mut self, low: i64, high: i64) -> i64 {
        self.within(32768, 65535) | (self.within(low, high) as u16 as i64) << 16
    }
}

/// Runs one random instruction of that operation, after putting sensible numbers where it reads.
pub fn instruction(pair: &mut Pair, op: Op, random: &mut Random) {
    if op.is_row() {
        return row(pair, op, random);
    }
    let mut fields = Vec::new();
    let [a, b, s] = [10, 20, 30];
    match op {
        Op::Seta => return seta(pair, random, 0),
        Op::Seto => fields.push((Field::Width, random.within(0, 3))),
        Op::Simm => fields.push((Field::Value, random.signed(63))),
        Op::Sscl => {
            pair.entry(a, random.magnitude(62).max(1));
            pair.entry(b, random.dyadic(-128, 127));
            pair.entry(s, random.dyadic(-40, 40));
            fields.push((Field::Levels, random.magnitude(16).max(1)));
            fields.push((Field::Places, random.within(-128, 127)));
        }
        Op::Sprd => {
            pair.entry(a, random.dyadic(-128, 127));
            pair.entry(b, random.dyadic(-128, 127));
        }
        Op::Snar | Op::Sbit => {
            pair.entry(a, random.magnitude(62));
            pair.entry(b, random.dyadic(-128, 127));
        }
        Op::Slft => pair.entry(a, random.magnitude(25)),
        Op::Srms => {
            pair.entry(a, random.magnitude(63));
            let mult = if random.next().is_multiple_of(4) { 0 } else { random.within(32768, 65535) };
            pair.entry(b, mult | (random.within(-128, 127) as u16 as i64) << 16);
            pair.entry(s, random.within(-20, 50));
            fields.push((Field::Count, random.magnitude(16).max(1)));
        }
        Op::Sdiv => {
            pair.entry(a, random.signed(63));
            fields.push((Field::Imm, random.magnitude(16).max(1)));
        }
        Op::Sres => {
            pair.entry(a, random.within(-128, 127));
            pair.entry(b, random.dyadic(-128, 127));
        }
        Op::Sdya => pair.entry(a, random.within(-200, 200)),
        Op::Sidx => pair.entry(a, random.magnitude(32)),
        Op::Spar => {}
        _ => {
            pair.entry(a, random.signed(63));
            pair.entry(b, random.signed(63));
        }
    }
    for (field, at) in
        [(Field::A, a as i64), (Field::B, b as i64), (Field::S, s as i64), (Field::D, random.within(40, 250))]
    {
        if op.spec().field(field).is_some() {
            fields.push((field, at));
        }
    }
    pair.run(op, &fields);
}

fn seta(pair: &mut Pair, random: &mut Random, block: i64) {
    let rows = i64::from(pair.unit.plan.rows);
    let used = if block == 0 { rows } else { rows.min(block) };
    let fields = [
        (Field::Rows, 3),
        (Field::Row, random.within(0, 2)),
        (Field::Base, random.within(0, 20)),
        (Field::Used, used),
        (Field::Block, block),
        (Field::Half, random.within(0, 1)),
    ];
    pair.run(Op::Seta, &fields);
}

fn fill(pair: &mut Pair, random: &mut Random, at: i64, n: i64, bits: u32) {
    for i in at..at + n {
        let value = random.signed(bits);
        pair.value(i as usize, value);
    }
}

fn params(pair: &mut Pair, random: &mut Random, at: i64, n: i64) {
    for i in at..at + n {
        let value = random.signed(16);
        pair.param(i as usize, value as i32);
    }
}

fn row(pair: &mut Pair, op: Op, random: &mut Random) {
    let lanes = i64::from(pair.unit.plan.lanes);
    let mut n = match random.next() % 4 {
        0 => random.within(1, 4),
        1 => lanes * random.within(1, 4),
        _ => random.within(1, 90),
    };
    let (a, mut b, dst) = (random.within(0, 300), random.within(400, 700), random.within(0, 800));
    let s = random.within(0, 60);
    let (s0, s1) = (s as usize, s as usize + 1);
    let mut fields = vec![];
    let mut bits = 40;
    match op {
        Op::Vacc | Op::Vraw => {
            let cols = i64::from(pair.unit.plan.cols);
            n = n.min(cols * 15);
            fields.extend([(Field::A, random.within(0, 20)), (Field::Imm, random.within(1, 3))]);
            fields.push((Field::Bank, random.within(0, 1)));
            b = random.within(0, 300);
            if op == Op::Vacc {
                fields.push((Field::K, [7, 23, 31, 0][random.next() as usize % 4]));
                fields.push((Field::Zp, random.within(0, 1)));
                for i in 0..n {
                    pair.param((b + i) as usize, random.magnitude(16) as i32);
                    pair.param((b + n + i) as usize, random.signed(30) as i32);
                }
                pair.entry(s0, random.within(0, 255));
            }
        }
        Op::Vpar => b = random.within(0, 300),
        Op::Vshr => {
            let by = random.within(-50, 70);
            bits = if by < 0 { 62 - by.unsigned_abs().min(40) as u32 } else { 63 };
            pair.entry(s0, if random.next().is_multiple_of(8) { random.magnitude(62) } else { by });
            fields.push((Field::Sat, random.within(0, 1)));
        }
        Op::Vmlp => {
            b = random.within(0, 300);
            params(pair, random, b, n);
        }
        Op::Vmul => fill(pair, random, b, n, 16),
        Op::Vmls => pair.entry(s0, random.signed(40)),
        Op::Vadd => {
            bits = 62;
            fill(pair, random, b, n, 62);
        }
        Op::Vads => {
            bits = 62;
            pair.entry(s0, random.signed(62));
        }
        Op::Vfix => {
            bits = 50;
            pair.entry(s0, random.dyadic(-128, 127));
            fields.push((Field::Imm, random.within(0, 65535)));
        }
        Op::Vquo => {
            let qbits = random.within(1, 32);
            let (q, k) = ([1, 127, 255, 32639, 7][random.next() as usize % 5], random.within(0, 20));
            let den = random.magnitude(62).max(1);
            pair.entry(s0, den);
            let asym = random.within(0, 1);
            let offset = if asym == 1 { random.signed(40) } else { 0 };
            pair.entry(s1, offset);
            // The rounded quotient's magnitude fits its bits.
            let most = ((1i128 << qbits) - 1) * i128::from(den) / (i128::from(q) << k);
            let most = most.min(1 << 62) as i64;
            for i in a..a + n {
                let x = if most == 0 { 0 } else { random.signed(62) % (most + 1) };
                let x = i128::from(x) - i128::from(offset);
                pair.value(i as usize, x as i64);
            }
            fields.extend([(Field::Q, q), (Field::K, k), (Field::Asym, asym), (Field::Qbits, qbits)]);
            fields.push((Field::Imm, if random.next() & 1 == 1 { 0 } else { random.magnitude(16) }));
            bits = 0;
        }
        Op::Vexp | Op::Vsig => {
            let chord = random.within(0, 1);
            fields.push((Field::Chord, chord));
            let shift = if random.next().is_multiple_of(3) { random.within(-60, 70) } else { random.within(5, 40) };
            pair.entry(s0, random.dyadic(shift, shift));
            bits = if shift > 0 { (shift as u32 + 6).min(50) } else { 20 };
            if op == Op::Vexp {
                fill(pair, random, a, n, bits);
                let most = (a..a + n).map(|i| pair.model.values[i as usize]).max().unwrap();
                pair.entry(s1, most);
                bits = 0;
            } else {
                fields.push((Field::Imm, random.within(8, 15)));
            }
        }
        Op::Vrop => {
            bits = 40;
            n = n.min(80);
            b = random.within(0, 300);
            params(pair, random, b, 2 * n);
        }
        Op::Vhad => {
            let k = random.within(0, 6);
            fields.push((Field::K, k));
            n = random.within(1, 4).min(256 >> (k + 1)).max(1) << (k + 1);
        }
        Op::Vblk => fields.push((Field::Imm, if random.next() & 1 == 1 { 16 } else { 32 })),
        Op::Vcod => return code(pair, random, (a, b, s), n),
        Op::Vexn => {
            bits = 0;
            for i in a..a + n {
                let value = random.magnitude(62);
                pair.value(i as usize, value);
            }
            fields.push((Field::Rule, random.within(0, 2)));
        }
        Op::Ve4m => {
            bits = 0;
            let most = random.magnitude(60).max(1);
            pair.entry(s0, most);
            for i in a..a + n {
                let value = if random.next().is_multiple_of(6) { most } else { random.magnitude(60) % (most + 1) };
                pair.value(i as usize, value);
            }
        }
        _ => {}
    }
    if bits > 0 {
        let elements = if op == Op::Vrop { 2 * n } else { n };
        fill(pair, random, a, elements, bits);
    }
    if op.spec().field(Field::A).is_some() && !fields.iter().any(|(f, _)| *f == Field::A) {
        fields.push((Field::A, a));
    }
    if op.spec().field(Field::B).is_some() {
        fields.push((Field::B, b));
    }
    let to = random.within(0, 3);
    // In place, or apart from what is read.
    let dst = match random.next() % 3 {
        0 if !matches!(op, Op::Vacc | Op::Vraw | Op::Vpar | Op::Vblk) => a,
        _ if op == Op::Vhad => 700,
        _ if dst < 700 => 800,
        _ => dst,
    };
    let red = random.within(0, 6);
    // Squares are of 26 bits.
    let saturated = fields.contains(&(Field::Sat, 1));
    let small = saturated || matches!(op, Op::Vexp | Op::Vsig | Op::Ve4m | Op::Vexn);
    let red = if red == 5 && !small { 6 } else { red };
    if matches!(op, Op::Vquo | Op::Vexp) && red == 6 && pair.model.entries[s1] != 0 {
        fields.push((Field::Red, 2));
    } else {
        fields.push((Field::Red, red));
    }
    if to == 1 {
        let block = [0, 16, 32][random.next() as usize % 3];
        seta(pair, random, block);
    }
    if to == 2 {
        let width = random.within(0, 3);
        pair.run(Op::Seto, &[(Field::Width, width)]);
    }
    pair.unit.ready_pattern = if random.next() & 1 == 1 { u32::MAX } else { random.next() as u32 | 1 };
    fields.extend([(Field::N, n), (Field::Dst, dst), (Field::To, to), (Field::D, random.within(70, 250))]);
    fields.push((Field::Cont, random.within(0, 1)));
    if op.spec().field(Field::S).is_some() {
        fields.push((Field::S, s));
    }
    pair.run(op, &fields);
}

fn code(pair: &mut Pair, random: &mut Random, (a, b, s): (i64, i64, i64), n: i64) {
    let kind = random.within(0, 4);
    let block = match kind {
        1 => [16, 32][random.next() as usize % 2],
        3 => 32,
        4 => 16,
        _ => 0,
    };
    seta(pair, random, block);
    let most = random.magnitude(if kind == 3 { 50 } else { 60 }).max(1);
    let size = 64 - most.leading_zeros();
    let spread = random.within(0, size.into()) as u32;
    for i in a..a + n {
        let value = match random.next() % 4 {
            0 => most >> random.within(0, spread.into()),
            _ => random.signed(size) % (most + 1),
        };
        pair.value(i as usize, value);
    }
    let blocks = if block == 0 { 0 } else { (n + block - 1) / block };
    let mut largest = -258;
    for j in 0..blocks {
        let value = match kind {
            1 => random.within(0, 255),
            3 => random.within(-2, i64::from(size)),
            _ => random.within(1, 0x7e),
        };
        largest = largest.max(value);
        pair.value((b + j) as usize, value);
    }
    pair.entry(s as usize, most);
    pair.entry(s as usize + 1, largest);
    let fields = [(Field::N, n), (Field::A, a), (Field::B, b), (Field::S, s), (Field::Imm, block), (Field::Kind, kind)];
    pair.run(Op::Vcod, &fields);
}
