//! Wide values (more than 64 bits): limbs, lowest first, zeros above the width whatever the sign.

use super::exec::{Instr, State};
use super::template::Class;
use hdl::rtl::ty::MAX_WIDTH;
use hdl::rtl::{BinOp, Ty};

/// A value of any class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opd {
    pub class: Class,
    pub off: u32,
    pub ty: Ty,
}

/// Part of a concatenation, from bit `lsb` on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub opd: Opd,
    pub lsb: u32,
}

/// Arithmetic on 65 to 128 bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arith {
    pub op: BinOp,
    pub a: Opd,
    pub b: Opd,
    pub dst: Opd,
}

/// What does not fit into an instruction.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    pub parts: Vec<Part>,
    pub ariths: Vec<Arith>,
    pub opds: Vec<Opd>,
    pub gathers: Vec<Gather>,
    /// The vector unit found.
    pub arch: pulp::Arch,
}

/// Lanes to bring together.
#[derive(Clone, Debug, Default)]
pub(super) struct Gather {
    /// To, from, lanes.
    pub copies: Vec<(u32, u32, u32)>,
    /// To, from.
    pub moves: Vec<(u32, u32)>,
}

/// Limbs of the widest signal.
pub(super) const MAX_LIMBS: usize = limbs(MAX_WIDTH) as usize;

pub(super) const fn limbs(width: u32) -> u32 {
    width.div_ceil(64)
}

fn mask(width: u32) -> u64 {
    if width >= 64 { u64::MAX } else { (1 << width) - 1 }
}

impl State {
    /// Limb `i` of a value's bits, zeros above its width.
    #[inline]
    pub fn limb(&self, o: Opd, i: u32) -> u64 {
        match o.class {
            Class::Half if i == 0 => u64::from(self.half[o.off as usize]) & mask(o.ty.width),
            Class::Full if i == 0 => self.full[o.off as usize] & mask(o.ty.width),
            Class::Wide if i < limbs(o.ty.width) => self.full[(o.off + i) as usize],
            _ => 0,
        }
    }

    /// Sets a value from limbs, dropping what is above its width.
    pub fn store(&mut self, o: Opd, from: impl Fn(usize) -> u64) {
        let Ty { width, signed } = o.ty;
        match o.class {
            Class::Half => {
                let pad = 32 - width;
                let x = (from(0) as u32) << pad;
                self.half[o.off as usize] = if signed { ((x as i32) >> pad) as u32 } else { x >> pad };
            }
            Class::Full => {
                let pad = 64 - width;
                let x = from(0) << pad;
                self.full[o.off as usize] = if signed { ((x as i64) >> pad) as u64 } else { x >> pad };
            }
            Class::Wide => {
                let n = limbs(width) as usize;
                for (i, limb) in self.full[o.off as usize..][..n].iter_mut().enumerate() {
                    *limb = from(i);
                }
                self.full[o.off as usize + n - 1] &= mask(width - 64 * (n as u32 - 1));
            }
        }
    }

    /// Bits of at most 128, as a signed number if the type is signed.
    fn number(&self, o: Opd) -> u128 {
        let bits = u128::from(self.limb(o, 0)) | u128::from(self.limb(o, 1)) << 64;
        if !o.ty.signed {
            return bits;
        }
        let pad = 128 - o.ty.width;
        (((bits << pad) as i128) >> pad) as u128
    }
}

/// 64 bits from bit `lsb` on.
#[inline(always)]
fn bits_at(from: &[u64], lsb: usize) -> u64 {
    let (i, s) = (lsb / 64, lsb % 64);
    let low = from.get(i).copied().unwrap_or(0) >> s;
    if s == 0 { low } else { low | from.get(i + 1).copied().unwrap_or(0) << (64 - s) }
}

pub(super) fn equal(s: &mut State, _: &Tables, i: &Instr) {
    let n = i.n as usize;
    let same = s.full[i.a as usize..][..n] == s.full[i.b as usize..][..n];
    s.half[i.dst as usize] = u32::from(same) ^ u32::from(i.sh);
}

pub(super) fn parity(s: &mut State, _: &Tables, i: &Instr) {
    let all = s.full[i.a as usize..][..i.n as usize].iter().fold(0, |x, l| x ^ l);
    s.half[i.dst as usize] = all.count_ones() & 1;
}

pub(super) fn mux(s: &mut State, _: &Tables, i: &Instr) {
    let from = if s.half[i.c as usize] != 0 { i.a } else { i.b } as usize;
    s.full.copy_within(from..from + i.n as usize, i.dst as usize);
}

/// `n` limbs of the `b` limbs at `a`, shifted right by `sh`; `sh2` bits of the last limb are not wanted.
pub(super) fn field(s: &mut State, _: &Tables, i: &Instr) {
    let n = i.n as usize;
    let (low, high) = s.full.split_at_mut(i.dst as usize);
    let from = &low[i.a as usize..][..i.b as usize];
    let out = &mut high[..n];
    let shift = u32::from(i.sh);
    if shift == 0 {
        out.copy_from_slice(&from[..n]);
    } else {
        for (limb, pair) in out.iter_mut().zip(from.windows(2)) {
            *limb = pair[0] >> shift | pair[1] << (64 - shift);
        }
        if from.len() == n {
            out[n - 1] = from[n - 1] >> shift;
        }
    }
    out[n - 1] &= u64::MAX >> i.sh2;
}

/// One limb of those at `a` and `a + 1`, shifted right by `sh`, which is not 0; `sh2` bits of it are not wanted.
pub(super) fn field1(s: &mut State, _: &Tables, i: &Instr) {
    let (low, high) = (s.full[i.a as usize], s.full[i.a as usize + 1]);
    s.full[i.dst as usize] = (low >> i.sh | high << (64 - i.sh)) & u64::MAX >> i.sh2;
}

/// Two limbs of the two at `a`, shifted right by `sh`, which is not 0; `sh2` bits of the upper are not wanted.
pub(super) fn field2(s: &mut State, _: &Tables, i: &Instr) {
    let (low, high) = (s.full[i.a as usize], s.full[i.a as usize + 1]);
    s.full[i.dst as usize] = low >> i.sh | high << (64 - i.sh);
    s.full[i.dst as usize + 1] = high >> i.sh & u64::MAX >> i.sh2;
}

/// Word number `b` of the `n` limbs at `a`; result `opds[c]`.
pub(super) fn word(s: &mut State, t: &Tables, i: &Instr) {
    let dst = t.opds[i.c as usize];
    let lsb = s.half[i.b as usize] as usize * dst.ty.width as usize;
    extract(s, i, dst, lsb);
}

#[inline(always)]
fn extract(s: &mut State, i: &Instr, dst: Opd, lsb: usize) {
    if dst.class != Class::Wide {
        let bits = bits_at(&s.full[i.a as usize..][..i.n as usize], lsb);
        return s.store(dst, |_| bits);
    }
    let (low, high) = s.full.split_at_mut(dst.off as usize);
    let from = &low[i.a as usize..][..i.n as usize];
    let n = limbs(dst.ty.width) as usize;
    for (k, limb) in high[..n].iter_mut().enumerate() {
        *limb = bits_at(from, lsb + 64 * k);
    }
    high[n - 1] &= mask(dst.ty.width - 64 * (n as u32 - 1));
}

/// Parts `a..b` into `n` limbs.
pub(super) fn concat(s: &mut State, t: &Tables, i: &Instr) {
    let dst = i.dst as usize;
    s.full[dst..dst + i.n as usize].fill(0);
    for part in &t.parts[i.a as usize..i.b as usize] {
        let mut lsb = part.lsb as usize;
        for k in 0..limbs(part.opd.ty.width) {
            let limb = s.limb(part.opd, k);
            s.full[dst + lsb / 64] |= limb << (lsb % 64);
            let carried = if lsb.is_multiple_of(64) { 0 } else { limb >> (64 - lsb % 64) };
            if carried != 0 {
                s.full[dst + lsb / 64 + 1] |= carried;
            }
            lsb += 64;
        }
    }
}

/// Parts `a..b`, all unsigned and of up to 32 bits, into `n` limbs.
pub(super) fn concat_half(s: &mut State, t: &Tables, i: &Instr) {
    let out = &mut s.full[i.dst as usize..][..i.n as usize];
    let (mut limb, mut used, mut at) = (0, 0, 0);
    for part in &t.parts[i.a as usize..i.b as usize] {
        let bits = u64::from(s.half[part.opd.off as usize]);
        let width = part.opd.ty.width;
        limb |= bits << used;
        used += width;
        if used >= 64 {
            out[at] = limb;
            at += 1;
            used -= 64;
            limb = if used == 0 { 0 } else { bits >> (width - used) };
        }
    }
    if used > 0 {
        out[at] = limb;
    }
}

/// `sh` bits of each of `c` lanes at `a`, of up to 32 bits, into `n` limbs.
pub(super) fn join(s: &mut State, _: &Tables, i: &Instr) {
    let width = u32::from(i.sh);
    let out = &mut s.full[i.dst as usize..][..i.n as usize];
    let (mut limb, mut used, mut at) = (0, 0, 0);
    for lane in &s.half[i.a as usize..][..i.c as usize] {
        let bits = u64::from(*lane) & mask(width);
        limb |= bits << used;
        used += width;
        if used >= 64 {
            out[at] = limb;
            at += 1;
            used -= 64;
            limb = if used == 0 { 0 } else { bits >> (width - used) };
        }
    }
    if used > 0 {
        out[at] = limb;
    }
}

/// Unsigned elements of `W` bits, a divisor of 64, of the limbs at `a` into `n` lanes of 32 bits.
pub(super) fn split_even<const W: usize>(s: &mut State, _: &Tables, i: &Instr) {
    let lanes = &mut s.half[i.dst as usize..][..i.n as usize];
    let mask = (u64::MAX >> (64 - W)) as u32;
    let limbs = &s.full[i.a as usize..];
    let mut chunks = lanes.chunks_exact_mut(64 / W);
    for (lanes, limb) in chunks.by_ref().zip(limbs) {
        for (k, lane) in lanes.iter_mut().enumerate() {
            *lane = (limb >> (k * W)) as u32 & mask;
        }
    }
    let rest = chunks.into_remainder();
    if let Some(limb) = limbs.get(i.n as usize / (64 / W)) {
        for (k, lane) in rest.iter_mut().enumerate() {
            *lane = (limb >> (k * W)) as u32 & mask;
        }
    }
}

/// Elements of `n` limbs at `a` into `b` lanes of the type of `opds[c]`, from there on.
pub(super) fn split(s: &mut State, t: &Tables, i: &Instr) {
    let mut dst = t.opds[i.c as usize];
    let width = dst.ty.width;
    if dst.class == Class::Half {
        let from = &s.full[i.a as usize..][..i.n as usize];
        let pad = 32 - width;
        for (k, lane) in s.half[dst.off as usize..][..i.b as usize].iter_mut().enumerate() {
            let (at, shift) = (k * width as usize / 64, k as u32 * width % 64);
            let mut bits = from[at] >> shift;
            if shift + width > 64 {
                bits |= from[at + 1] << (64 - shift);
            }
            let x = (bits as u32) << pad;
            *lane = if dst.ty.signed { ((x as i32) >> pad) as u32 } else { x >> pad };
        }
        return;
    }
    for k in 0..i.b {
        extract(s, i, dst, (k * width) as usize);
        dst.off += if dst.class == Class::Wide { limbs(width) } else { 1 };
    }
}

/// `opds[a]` extended to `opds[b]` by its sign or by zeros.
pub(super) fn extend(s: &mut State, t: &Tables, i: &Instr) {
    let (from, to) = (t.opds[i.a as usize], t.opds[i.b as usize]);
    let width = from.ty.width;
    let top = (width - 1) / 64;
    let negative = from.ty.signed && s.limb(from, top) >> ((width - 1) % 64) & 1 == 1;
    let fill = if negative { u64::MAX } else { 0 };
    for k in 0..limbs(to.ty.width) {
        let limb = match k.cmp(&top) {
            std::cmp::Ordering::Less => s.limb(from, k),
            std::cmp::Ordering::Equal => s.limb(from, k) | fill & !mask(width - 64 * top),
            std::cmp::Ordering::Greater => fill,
        };
        s.full[(to.off + k) as usize] = limb;
    }
    let n = limbs(to.ty.width);
    s.full[(to.off + n - 1) as usize] &= mask(to.ty.width - 64 * (n - 1));
}

/// The shift amount `opds[a]`, at most `u32::MAX`.
pub(super) fn amount(s: &mut State, t: &Tables, i: &Instr) {
    let from = t.opds[i.a as usize];
    let high = (1..limbs(from.ty.width)).any(|k| s.limb(from, k) != 0);
    let low = s.limb(from, 0).min(u64::from(u32::MAX)) as u32;
    s.half[i.dst as usize] = if high { u32::MAX } else { low };
}

/// `ariths[a]`.
pub(super) fn arith(s: &mut State, t: &Tables, i: &Instr) {
    let Arith { op, a, b, dst } = t.ariths[i.a as usize];
    let (x, signed) = (s.number(a), a.ty.signed);
    let y = s.number(b);
    let shift = y.min(255) as u32;
    let less = if signed { (x as i128) < (y as i128) } else { x < y };
    let value = match op {
        BinOp::Add => x.wrapping_add(y),
        BinOp::Sub => x.wrapping_sub(y),
        BinOp::Mul => x.wrapping_mul(y),
        BinOp::And => x & y,
        BinOp::Or => x | y,
        BinOp::Xor => x ^ y,
        BinOp::Eq => (x == y).into(),
        BinOp::Ne => (x != y).into(),
        BinOp::Lt => less.into(),
        BinOp::Le => (less || x == y).into(),
        BinOp::Shl if shift > 127 => 0,
        BinOp::Shl => x << shift,
        BinOp::Shr if signed => ((x as i128) >> shift.min(127)) as u128,
        BinOp::Shr if shift > 127 => 0,
        BinOp::Shr => x >> shift,
    };
    s.store(dst, |k| if k == 0 { value as u64 } else { (value >> 64) as u64 });
}
