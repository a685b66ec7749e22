//! What row operations compute.

use spec::isa::{Field, Instr, Op};

use super::codes::{e4m3_code, exponent};
use super::dyadic::parts;
use super::exponential::Exponential;
use super::{Values, round_quotient, round_shift, saturate};

/// Cosines and sines have so many binary places.
const ROTARY_PLACES: i64 = 14;

fn within<'a, T>(what: &str, list: &'a [T], first: usize, count: usize) -> Result<&'a [T], String> {
    list.get(first..first + count).ok_or_else(|| format!("{what} has {} elements, not {}", list.len(), first + count))
}

impl Values {
    fn vb(&self, first: usize, count: usize) -> Result<&[i64], String> {
        within("VB", &self.elements, first, count)
    }

    fn pb(&self, first: usize, count: usize) -> Result<&[i32], String> {
        within("PB", &self.params, first, count)
    }

    /// The results of a row operation that takes one element to one.
    fn map(&self, out: &mut Vec<i64>, instr: &Instr, f: impl Fn(i64) -> i64) -> Result<(), String> {
        out.extend(self.vb(instr.index(Field::A), instr.index(Field::N))?.iter().map(|&x| f(x)));
        Ok(())
    }

    /// The sums of `VACC` and `VRAW`.
    fn sums<'a>(&'a self, instr: &Instr) -> Result<impl Iterator<Item = i64> + 'a, String> {
        let (a, step, n) = (instr.index(Field::A), instr.index(Field::Imm), instr.index(Field::N));
        let bank = &self.accs[instr.index(Field::Bank)];
        let last = a + (n - 1) / self.cols * step;
        if (last + 1) * self.cols > bank.len() {
            return Err(format!("acc has {} words, not {}", bank.len() / self.cols, last + 1));
        }
        let cols = self.cols;
        Ok((0..n).map(move |i| bank[(a + i / cols * step) * cols + i % cols]))
    }

    /// The results of a row operation, into `out`.
    pub(super) fn source(&self, instr: &Instr, out: &mut Vec<i64>) -> Result<(), String> {
        let n = instr.index(Field::N);
        let s = |more: usize| self.scalars[(instr.find(Field::S).unwrap_or(0) as usize + more) % 256];
        let index = |field| instr.index(field);
        match instr.op() {
            Op::Vacc => {
                let k = instr.get(Field::K);
                let factors = self.pb(index(Field::B), n)?;
                let zero = i128::from(128 - s(0));
                let completed = if instr.flag(Field::Zp) { self.pb(index(Field::B) + n, n)? } else { &[] };
                for (i, sum) in self.sums(instr)?.enumerate() {
                    let p = i128::from(sum) + completed.get(i).map_or(0, |&w| zero * i128::from(w));
                    out.push(saturate(round_shift(p * i128::from(factors[i]), k)));
                }
            }
            Op::Vraw => out.extend(self.sums(instr)?),
            Op::Vpar => out.extend(self.pb(index(Field::B), n)?.iter().map(|&x| i64::from(x))),
            Op::Vshr => {
                let shift = s(0).clamp(-40, 63);
                let most = if instr.flag(Field::Sat) { 32767 } else { i64::MAX };
                self.map(out, instr, |x| saturate(round_shift(x.into(), shift)).clamp(-most, most))?;
            }
            Op::Vmlp => {
                let (a, b) = (self.vb(index(Field::A), n)?, self.pb(index(Field::B), n)?);
                out.extend(a.iter().zip(b).map(|(&a, &b)| saturate(i128::from(a) * i128::from(b))));
            }
            Op::Vmul => {
                let (a, b) = (self.vb(index(Field::A), n)?, self.vb(index(Field::B), n)?);
                out.extend(a.iter().zip(b).map(|(&a, &b)| saturate(i128::from(a) * i128::from(b))));
            }
            Op::Vmls => {
                let factor = i128::from(s(0) & 0xffff);
                self.map(out, instr, |x| saturate(i128::from(x) * factor))?;
            }
            Op::Vadd => {
                let (a, b) = (self.vb(index(Field::A), n)?, self.vb(index(Field::B), n)?);
                out.extend(a.iter().zip(b).map(|(&a, &b)| a.saturating_add(b)));
            }
            Op::Vads => {
                let added = s(0);
                self.map(out, instr, |x| x.saturating_add(added))?;
            }
            Op::Vfix => {
                let (mult, shift) = parts(s(0));
                let most = i128::from(instr.get(Field::Imm));
                self.map(out, instr, |x| {
                    round_shift(i128::from(x) * i128::from(mult), shift).clamp(-most, most) as i64
                })?;
            }
            Op::Vquo => self.quotients(instr, (s(0), s(1)), out)?,
            Op::Vexp => {
                let (e, largest) = (Exponential::new(s(0), instr.flag(Field::Chord)), s(1));
                self.map(out, instr, |x| e.of(i128::from(largest) - i128::from(x)))?;
            }
            Op::Vsig => {
                let e = Exponential::new(s(0), instr.flag(Field::Chord));
                let places = instr.get(Field::Imm);
                self.map(out, instr, |g| {
                    let e = e.of(g.unsigned_abs().into());
                    let share = if g >= 0 { 1 << 16 } else { e };
                    round_quotient(i128::from(share) << places, i128::from((1 << 16) + e)) as i64
                })?;
            }
            Op::Vrop => {
                let (pairs, turns) = (self.vb(index(Field::A), 2 * n)?, self.pb(index(Field::B), 2 * n)?);
                let wide = |i: usize| (i128::from(pairs[i]), i128::from(turns[i]));
                out.resize(2 * n, 0);
                for i in 0..n {
                    let ((p, c), (q, t)) = (wide(i), wide(n + i));
                    out[i] = saturate(round_shift(p * c - q * t, ROTARY_PLACES));
                    out[n + i] = saturate(round_shift(q * c + p * t, ROTARY_PLACES));
                }
            }
            Op::Vhad => {
                let distance = 1_usize << instr.get(Field::K);
                let row = self.vb(index(Field::A), n)?;
                if !n.is_multiple_of(2 * distance) {
                    return Err(format!("n = {n}: a multiple of {}", 2 * distance));
                }
                out.extend((0..n).map(|i| match i & distance {
                    0 => row[i].saturating_add(row[i + distance]),
                    _ => row[i - distance].saturating_sub(row[i]),
                }));
            }
            Op::Vblk => {
                let row = self.vb(index(Field::A), n)?;
                let largest = |block: &[i64]| block.iter().map(|x| x.checked_abs().unwrap_or(i64::MAX)).max();
                out.extend(row.chunks(index(Field::Imm).max(1)).filter_map(largest));
            }
            Op::Vexn => {
                let rule = instr.get(Field::Rule);
                self.map(out, instr, |m| exponent(m, rule))?;
            }
            Op::Ve4m => {
                let largest = s(0);
                self.map(out, instr, |x| e4m3_code(x, largest))?;
            }
            op => return Err(format!("{} is no row operation", op.name())),
        }
        Ok(())
    }

    fn quotients(&self, instr: &Instr, (den, added): (i64, i64), out: &mut Vec<i64>) -> Result<(), String> {
        if den < 1 {
            return Err(format!("a divisor of {den}"));
        }
        let (added, less) = if instr.flag(Field::Asym) { (i128::from(added), 128) } else { (0, 0) };
        let factor = i128::from(instr.get(Field::Q)) << instr.get(Field::K);
        let limit = i128::from(instr.get(Field::Imm));
        let quotients = self.vb(instr.index(Field::A), instr.index(Field::N))?.iter();
        let quotients = quotients.map(|&x| round_quotient((i128::from(x) + added) * factor, den.into()));
        // Magnitudes beyond these bits are not told apart.
        let most = (1_i128 << instr.get(Field::Qbits)) - 1;
        for quotient in quotients {
            if quotient.abs() > most && (limit == 0 || limit > most) {
                return Err(format!("a quotient of {quotient} does not fit {} bits", instr.get(Field::Qbits)));
            }
            let held = if limit == 0 { quotient } else { quotient.clamp(-limit, limit) };
            out.push(held as i64 - less);
        }
        Ok(())
    }
}
