//! Operations on S.

use spec::isa::{Field, Instr, Op};

use super::dyadic::{bits, entry, normalised, parts};
use super::{Values, round_quotient, round_shift};

/// Epsilon is at most this.
const MOST_EPSILON: i128 = 1 << 62;
/// Deepest `VSHR` of a residual sum.
const DEEPEST: i64 = 63;

impl Values {
    pub(super) fn scalar(&mut self, instr: &Instr) -> Result<(), String> {
        let of = |field: Field| instr.find(field).map_or(0, |at| self.scalars[at as usize]);
        let d = instr.find(Field::D).unwrap_or(0) as usize;
        let (a, b) = match instr.op() {
            // `b` is a place in PB, or none.
            Op::Spar => {
                let param = self.params.get(instr.index(Field::B)).ok_or("PB does not hold it")?;
                (i64::from(*param), 0)
            }
            Op::Seta | Op::Seto | Op::Sidx => {
                self.keep(instr);
                return Ok(());
            }
            _ => (of(Field::A), of(Field::B)),
        };
        let result = match instr.op() {
            Op::Simm => instr.get(Field::Value),
            Op::Spar => a,
            Op::Sadd => a.saturating_add(b),
            Op::Ssub => a.saturating_sub(b),
            Op::Smax => a.max(b),
            Op::Smin => a.min(b),
            Op::Sbit => bits(a),
            Op::Sprd => {
                let ((m, k), (n, l)) = (parts(a), parts(b));
                normalised((m * n) as u128, k + l)
            }
            Op::Sscl => {
                let ((m, k), (n, l)) = (parts(b), parts(of(Field::S)));
                // 32 more places: a quotient of 17 bits and more, whose floor rounds as it does.
                let product = a.max(0) as u128 * (m * n) as u128;
                let quotient = (product << 32) / instr.get(Field::Levels) as u128;
                normalised(quotient, k + l + instr.get(Field::Places) + 32)
            }
            Op::Snar => {
                let narrow = (bits(a) - 15).max(0);
                let (mult, shift) = parts(b);
                self.scalars[(d + 1) % 256] = entry(mult, shift - narrow);
                narrow
            }
            Op::Slft => {
                if a == 0 {
                    0
                } else {
                    bits(a) - 25
                }
            }
            Op::Srms => {
                let (mult, shift) = parts(b);
                let places = 2 * i64::from(of(Field::S) as i16) - shift;
                let epsilon = round_shift(mult.into(), -places.min(80)).min(MOST_EPSILON);
                let mean = a.max(0) / instr.get(Field::Count);
                ((mean as u128 + epsilon as u128).isqrt() as i64).max(1)
            }
            Op::Sdiv => round_quotient(a.into(), instr.get(Field::Imm).into()) as i64,
            Op::Sres => {
                let (places, (_, shift)) = (i64::from(a as i16), parts(b));
                let finer = places.max(shift);
                let e = finer.min(places + 31).min(shift + 16);
                self.scalars[(d + 1) % 256] = (shift - e).min(DEEPEST);
                self.scalars[(d + 2) % 256] = e;
                self.scalars[(d + 3) % 256] = e - finer;
                (places - e).min(DEEPEST)
            }
            // The hardware reads 16 bits of an exponent.
            Op::Sdya if i16::try_from(a).is_err() => return Err(format!("S[a] = {a}: an exponent has 16 bits")),
            Op::Sdya => entry(1 << 15, a + 15),
            op => return Err(format!("{} is no operation on S", op.name())),
        };
        self.scalars[d] = result;
        Ok(())
    }
}
