//! What the instructions of the vec queue mean, in plain integers, from the ISA's page and docs/numerics.md.

use spec::isa::{Field, Instr, Op};

/// State of the vec queue.
pub struct Model {
    pub values: Vec<i64>,
    pub params: Vec<i32>,
    pub entries: Vec<i64>,
    pub sums: [Vec<Vec<i64>>; 2],
    pub codes: [Vec<(Vec<u8>, u8)>; 2],
    pub beats: Vec<Vec<u8>>,
    pub index: u64,
    pub beat_bytes: usize,
    set: Option<Instr>,
    width: usize,
}

pub fn round(num: i128, den: i128) -> i128 {
    (2 * num + den).div_euclid(2 * den)
}

/// round(x / 2^by), exact where `by` is negative.
fn shift(x: i128, by: i64) -> i128 {
    match by {
        ..=0 => x << -by,
        1..=120 => (x + (1 << (by - 1))) >> by,
        _ => 0,
    }
}

fn bits(x: i64) -> i64 {
    i64::from(64 - (x as u64).leading_zeros())
}

fn dyadic(entry: i64) -> (i128, i64) {
    (i128::from(entry as u16), i64::from((entry >> 16) as i16))
}

fn entry_of(mult: i128, shift: i64) -> i64 {
    mult as i64 | (shift.clamp(-128, 127) as u16 as i64) << 16
}

/// Mantissa of 16 bits and shift of num / den / 2^shift.
fn normalise(num: u128, den: u128, shift: i64) -> i64 {
    // The quotient's floor has at least 18 bits and the remainder cannot change the rounding of its highest 16.
    let up = i64::from(num.leading_zeros()) - 1;
    let quotient = (num << up) / den;
    let drop = 128 - i64::from(quotient.leading_zeros()) - 16;
    let mut mult = ((quotient >> (drop - 1)) + 1) >> 1;
    let mut shift = shift + up - drop;
    if mult == 1 << 16 {
        (mult, shift) = (1 << 15, shift - 1);
    }
    entry_of(mult as i128, shift)
}

/// The exponential of -d * step, 2^16 for 1.
fn exp(d: i128, step: i64, chord: bool) -> i128 {
    let (mult, k) = dyadic(step);
    let u = if chord {
        let m = mult + (mult >> 1) - (mult >> 4);
        let j = (0..).find(|j| k + j >= 0 && k + j < 120 && round(1 << (k + j), m) >= 16).unwrap();
        let t = round(1 << (k + j), m);
        if d.leading_zeros() as i64 <= 17 + j && d > 0 { 18 << 16 } else { (d << (16 + j)) / t }
    } else {
        let c = round(mult * 47274, 1 << 15);
        if k < 16 && d > 0 && k - 16 < -40 { 18 << 16 } else { shift(d * c, if d == 0 { 0 } else { k - 16 }) }
    };
    let (z, f) = (u >> 16, u & 0xffff);
    match z {
        18.. => 0,
        _ if chord => round((1 << 17) - f, 1 << (z + 1)),
        _ => round((1 << 44) - (f << 27) - 705 * f * ((1 << 16) - f), 1 << (28 + z)),
    }
}

/// The E2M1 code nearest to num / den, ties to even.
fn e2m1(num: i128, den: i128) -> u8 {
    let halves = [0, 1, 2, 3, 4, 6, 8, 12];
    let distance = |code: usize| (2 * num.abs() - halves[code] * den).abs();
    let best = (0..8).min_by_key(|&c| (distance(c), c % 2)).unwrap();
    best as u8 | u8::from(num < 0) << 3
}

/// 2^9 times the value of an E4M3 code.
fn e4m3(code: i64) -> i128 {
    let (e, m) = (code >> 3 & 15, i128::from(code & 7));
    if e == 0 { m } else { (8 + m) << (e - 1) }
}

impl Model {
    pub fn new(elements: usize, params: usize, beat_bytes: usize) -> Self {
        Self {
            values: vec![0; elements],
            params: vec![0; params],
            entries: vec![0; 256],
            sums: [Vec::new(), Vec::new()],
            codes: [Vec::new(), Vec::new()],
            beats: Vec::new(),
            index: 0,
            beat_bytes,
            set: None,
            width: 0,
        }
    }

    pub fn execute(&mut self, instr: &Instr) {
        match instr.op() {
            Op::Seta => self.set = Some(*instr),
            Op::Seto => self.width = 1 << instr.get(Field::Width),
            op if op.is_row() => self.row(instr),
            _ => self.scalar(instr),
        }
    }

    fn row(&mut self, i: &Instr) {
        let field = |f: Field| i.find(f).unwrap_or(0);
        let at = |f: Field| field(f) as usize;
        let (n, a, b, s, imm, k) =
            (at(Field::N), at(Field::A), at(Field::B), at(Field::S), at(Field::Imm), field(Field::K));
        let (s0, s1) = (i128::from(self.entries[s]), i128::from(self.entries[(s + 1) % 256]));
        let (v, p) = (|at: usize| i128::from(self.values[at]), |at: usize| i128::from(self.params[at]));
        let acc = |j: usize| {
            let bank = &self.sums[at(Field::Bank)];
            let cols = bank[0].len();
            i128::from(bank[a + j / cols * imm][j % cols])
        };
        let each = |f: &dyn Fn(usize) -> i128| (0..n).map(f).collect::<Vec<_>>();
        let (mult, step_shift) = dyadic(s0 as i64);
        let x = match i.op() {
            Op::Vacc => each(&|j| {
                let zero = if i.flag(Field::Zp) { (128 - s0) * p(b + n + j) } else { 0 };
                shift((acc(j) + zero) * p(b + j), k)
            }),
            Op::Vraw => each(&|j| acc(j)),
            Op::Vpar => each(&|j| p(b + j)),
            Op::Vshr => {
                let x = each(&|j| shift(v(a + j), (s0 as i64).clamp(-40, 63)));
                let sat = i.flag(Field::Sat);
                x.into_iter().map(|x| if sat { x.clamp(-32767, 32767) } else { x }).collect()
            }
            Op::Vmlp => each(&|j| v(a + j) * p(b + j)),
            Op::Vmul => each(&|j| v(a + j) * v(b + j)),
            Op::Vmls => each(&|j| v(a + j) * i128::from(s0 as u16)),
            Op::Vadd => each(&|j| v(a + j) + v(b + j)),
            Op::Vads => each(&|j| v(a + j) + s0),
            Op::Vfix => each(&|j| {
                let x = v(a + j) * mult;
                let x = if step_shift < -40 { x.clamp(-1, 1) << 40 } else { shift(x, step_shift) };
                x.clamp(-(imm as i128), imm as i128)
            }),
            Op::Vquo => each(&|j| {
                let asym = i.flag(Field::Asym);
                let x = v(a + j) + if asym { s1 } else { 0 };
                let x = round((x * i128::from(i.get(Field::Q))) << k, s0);
                let limit = if imm == 0 { i128::MAX } else { imm as i128 };
                x.clamp(-limit, limit) - if asym { 128 } else { 0 }
            }),
            Op::Vexp => each(&|j| exp(s1 - v(a + j), s0 as i64, i.flag(Field::Chord))),
            Op::Vsig => each(&|j| {
                let g = v(a + j);
                let e = exp(g.abs(), s0 as i64, i.flag(Field::Chord));
                round((if g >= 0 { 1 << 16 } else { e }) << imm, (1 << 16) + e)
            }),
            Op::Vrop => {
                let turn = |j: usize| (v(a + j), v(a + n + j), p(b + j), p(b + n + j));
                let first = each(&|j| {
                    let (p, q, c, t) = turn(j);
                    shift(p * c - q * t, 14)
                });
                let second = each(&|j| {
                    let (p, q, c, t) = turn(j);
                    shift(q * c + p * t, 14)
                });
                [first, second].concat()
            }
            Op::Vhad => each(&|j| {
                let other = v(a + (j ^ (1 << k)));
                if j >> k & 1 == 0 { v(a + j) + other } else { other - v(a + j) }
            }),
            Op::Vblk => (0..n.div_ceil(imm))
                .map(|j| (j * imm..n.min((j + 1) * imm)).map(|j| v(a + j).abs()).max().unwrap())
                .collect(),
            Op::Vcod => return self.code(i, (n, a, b, imm), (s0, s1)),
            Op::Vexn => each(&|j| match self.values[a + j] {
                0 => -258,
                m => {
                    let (floor, m) = (i128::from(bits(m)) - 3, i128::from(m));
                    let above =
                        |parts: i128| 4 * m > if floor < 0 { (4 * parts) >> -floor } else { (4 * parts) << floor };
                    match i.get(Field::Rule) {
                        0 => floor,
                        1 => floor + i128::from(above(6)),
                        _ => floor + i128::from(above(7)),
                    }
                }
            }),
            Op::Ve4m => each(&|j| {
                // Ties to even: of two codes at the same distance the even one.
                let value = 448 * 512 * v(a + j);
                (1..=0x7e).min_by_key(|&c| ((value - e4m3(c) * s0).abs(), c & 1)).map_or(0, i128::from)
            }),
            op => panic!("{op:?} is not a row op"),
        };
        self.reduce(i, &x, s1);
        match field(Field::To) {
            0 => x.iter().enumerate().for_each(|(j, &x)| self.values[at(Field::Dst) + j] = i64::try_from(x).unwrap()),
            1 => self.write_codes(&x.iter().map(|&x| x as u8).collect::<Vec<_>>(), &|_| 0),
            2 => {
                let bytes: Vec<u8> = x.iter().flat_map(|x| x.to_le_bytes().into_iter().take(self.width)).collect();
                self.beats.extend(bytes.chunks(self.beat_bytes).map(<[u8]>::to_vec));
            }
            _ => {}
        }
    }

    fn reduce(&mut self, i: &Instr, x: &[i128], base: i128) {
        let (red, d) = (i.find(Field::Red).unwrap_or(0), i.find(Field::D).unwrap_or(0) as usize);
        let cont = i.find(Field::Cont) == Some(1);
        let old = [self.entries[d], self.entries[(d + 1) % 256]].map(i128::from);
        let before = |start: i128| if cont { old[0] } else { start };
        let max = *x.iter().max().unwrap();
        let min = *x.iter().min().unwrap();
        let mut put =
            |i: usize, x: i128| self.entries[(d + i) % 256] = x.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        match red {
            0 => {}
            1 => put(0, before(0).max(max).max(-min)),
            2 => put(0, if cont { max.max(old[0]) } else { max }),
            3 => {
                put(0, before(0).max(max).max(0));
                put(1, (if cont { old[1] } else { 0 }).max(-min).max(0));
            }
            4 => put(0, before(0) + x.iter().sum::<i128>()),
            5 => put(0, before(0) + x.iter().map(|x| x * x).sum::<i128>()),
            _ => {
                let keeps = cont && old[0] >= max;
                put(0, if keeps { old[0] } else { max });
                let place = x.iter().position(|&x| x == max).unwrap() as i128;
                put(1, if keeps { old[1] } else { place + base });
            }
        }
    }

    fn code(&mut self, i: &Instr, (n, a, b, imm): (usize, usize, usize, usize), (t, largest): (i128, i128)) {
        let kind = i.get(Field::Kind);
        let scale = |j: usize| if matches!(kind, 0 | 2) { 0 } else { self.values[b + j / imm] };
        let codes: Vec<u8> = (0..n)
            .map(|j| {
                let (z, e) = (i128::from(self.values[a + j]), scale(j));
                match kind {
                    0 => round(7 * z, t).clamp(-7, 7) as u8,
                    1 => round(z * 255 * 7, t * i128::from(e.max(1))).clamp(-7, 7) as u8,
                    2 => e2m1(6 * z, t),
                    3 if e == -258 => e2m1(z, 1),
                    3 => e2m1(4 * z, if e < 0 { 4 >> -e } else { 4 << e }),
                    _ => e2m1(z * 6 * 448 * 512, t * e4m3(e)),
                }
            })
            .collect();
        let scales: Vec<u8> = (0..n.div_ceil(imm.max(1)))
            .map(|j| match kind {
                1 => scale(j * imm).max(1) as u8,
                3 => (largest - i128::from(scale(j * imm))).min(255) as u8,
                4 => scale(j * imm) as u8,
                _ => 0,
            })
            .collect();
        self.write_codes(&codes, &|j| scales[j / imm.max(1)]);
    }

    fn write_codes(&mut self, codes: &[u8], scale: &dyn Fn(usize) -> u8) {
        let set = self.set.expect("SETA came first");
        let at = |f: Field| set.index(f);
        let (used, block) = (at(Field::Used), at(Field::Block));
        for (j, &code) in codes.iter().enumerate() {
            let (tile, lane) = match block {
                0 => (j / used, j % used),
                _ => (j / block * block.div_ceil(used) + j % block / used, j % block % used),
            };
            let word = &mut self.codes[at(Field::Half)][at(Field::Base) + tile * at(Field::Rows) + at(Field::Row)];
            if lane == 0 {
                word.0.fill(0);
            }
            word.0[lane] = code;
            word.1 = scale(j);
        }
    }

    fn scalar(&mut self, i: &Instr) {
        let at = |f: Field| i.find(f).unwrap_or(0) as usize;
        let s = |f: Field| self.entries[at(f) % 256];
        let (a, b, third) = (s(Field::A), s(Field::B), s(Field::S));
        let (wide_a, wide_b) = (i128::from(a), i128::from(b));
        let ((mult_a, shift_a), (mult_b, shift_b), (mult_s, shift_s)) = (dyadic(a), dyadic(b), dyadic(third));
        let held = |x: i128| x.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        let results = match i.op() {
            Op::Simm => vec![i.get(Field::Value)],
            Op::Spar => vec![i64::from(self.params[at(Field::B)])],
            Op::Sadd => vec![held(wide_a + wide_b)],
            Op::Ssub => vec![held(wide_a - wide_b)],
            Op::Smax => vec![a.max(b)],
            Op::Smin => vec![a.min(b)],
            Op::Sbit => vec![bits(a)],
            Op::Sprd => vec![normalise((mult_a * mult_b) as u128, 1, shift_a + shift_b)],
            Op::Sscl => {
                let num = wide_a * mult_b * mult_s;
                let shift = shift_b + shift_s + i.get(Field::Places);
                vec![normalise(num as u128, i.get(Field::Levels) as u128, shift)]
            }
            Op::Snar => {
                let n = (bits(a) - 15).max(0);
                vec![n, mult_b as i64 | ((shift_b - n).clamp(-128, 127) as u16 as i64) << 16]
            }
            Op::Slft => vec![if a == 0 { 0 } else { bits(a) - 25 }],
            Op::Srms => {
                let by = 2 * third - shift_b;
                let epsilon = if mult_b == 0 {
                    0
                } else if by > 62 {
                    1 << 62
                } else {
                    shift(mult_b, -by).min(1 << 62)
                };
                let square = wide_a / i128::from(i.get(Field::Count)) + epsilon;
                let (mut low, mut high) = (0i128, 1i128 << 33);
                while low + 1 < high {
                    let middle = (low + high) / 2;
                    if middle * middle <= square { low = middle } else { high = middle }
                }
                vec![low.max(1) as i64]
            }
            Op::Sdiv => vec![round(wide_a, i.get(Field::Imm).into()) as i64],
            Op::Sres => {
                let (x, y) = (a, shift_b);
                let e = x.max(y).min(x + 31).min(y + 16);
                vec![(x - e).min(63), (y - e).min(63), e, e - x.max(y)]
            }
            Op::Sdya => vec![entry_of(1 << 15, a + 15)],
            Op::Sidx => {
                self.index = a as u32 as u64;
                return;
            }
            op => panic!("{op:?} is not a scalar op"),
        };
        for (j, x) in results.into_iter().enumerate() {
            self.entries[(at(Field::D) + j) % 256] = x;
        }
    }
}
