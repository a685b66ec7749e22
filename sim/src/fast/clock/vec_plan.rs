//! How long the vector unit's instructions take.

use spec::isa::{Field, Instr, Op, Queue};

use super::sizes::Sizes;
use super::vec::{RowWork, VecWork};

/// Most lanes, most bits of a quotient.
const MOST_LANES: u32 = 16;
const MOST_QBITS: u32 = 32;
/// Cycles from the issue of a word to its shifted product; of an exponential.
const SHIFTED: u32 = 6;
const EXP: u32 = 3;
/// Bits of the first quotient: an exponential's octaves, a 4-bit code, an E4M3 code.
const OCTAVE_QBITS: u32 = 21;
const E4M3_QBITS: u32 = 19;

/// `to` and `red` of a row operation.
const TO_ACT: i64 = 1;
const TO_OUT: i64 = 2;
const RANGE: i64 = 3;
const ARGMAX: i64 = 6;

#[derive(Clone, Copy, Debug)]
pub(super) struct VecPlan {
    lanes: u32,
    dividers: u32,
    quotient_bits: u32,
}

impl VecPlan {
    pub fn new(sizes: &Sizes) -> Self {
        let quotient_bits = sizes.quotient_bits;
        Self {
            lanes: sizes.lanes.min(MOST_LANES),
            dividers: sizes.dividers.min(MOST_QBITS.div_ceil(quotient_bits)),
            quotient_bits,
        }
    }

    /// Cycles of a division with a quotient of so many bits.
    fn steps(&self, qbits: u32) -> u32 {
        qbits.max(1).div_ceil(self.quotient_bits)
    }

    fn tree(&self) -> u32 {
        self.lanes.ilog2()
    }

    /// `step`: the dyadic step of an exponential by the chord.
    pub fn work(&self, instr: &Instr, step: Option<i64>) -> Result<VecWork, String> {
        let op = instr.op();
        debug_assert!(op.queue() == Queue::Vec);
        if op.is_row() {
            return self.row(instr, step);
        }
        // Entries of S that are read, the long arithmetic, results that are written.
        let (entries, long, writes) = match op {
            Op::Seta => return Ok(VecWork::Fixed(2)),
            Op::Seto => return Ok(VecWork::SetOut(instr.get(Field::Width) as u32)),
            Op::Simm | Op::Spar => (0, None, 1),
            Op::Sadd | Op::Ssub | Op::Smax | Op::Smin => (2, None, 1),
            Op::Sbit | Op::Slft => (1, Some(BITS), 1),
            Op::Sidx | Op::Sdya => (1, None, 1),
            Op::Sdiv => (1, Some(ROUND), 1),
            Op::Sprd => (2, Some(PRODUCT), 1),
            Op::Snar => (2, Some(BITS), 2),
            Op::Sres => (2, None, 4),
            Op::Sscl => (3, Some(SCALE), 1),
            Op::Srms => (3, Some(RMS), 1),
            _ => return Err("its length is not known".into()),
        };
        Ok(VecWork::Fixed(1 + entries + arith(long) + writes))
    }

    fn row(&self, instr: &Instr, step: Option<i64>) -> Result<VecWork, String> {
        let op = instr.op();
        let flag = |field| instr.find(field).unwrap_or(0) != 0;
        let lanes = self.lanes;
        let n = instr.get(Field::N) as u32;
        let to = instr.find(Field::To).unwrap_or(TO_ACT);
        let (is_out, is_ordered) = (to == TO_OUT, to == TO_OUT || to == TO_ACT);
        let chord = flag(Field::Chord);
        let imm = instr.find(Field::Imm).unwrap_or(0) as u32;
        let in_blocks = op == Op::Vcod && matches!(instr.get(Field::Kind), 1 | 3 | 4);
        if (op == Op::Vblk || in_blocks) && !(imm == 16 || imm == 32) {
            return Err(format!("imm = {imm}: blocks have 16 or 32 elements"));
        }

        let mut work =
            RowWork { slots: 1, elements: n, result_elements: lanes, result_words: 1, is_out, ..RowWork::default() };
        let words = n.div_ceil(lanes);
        (work.words, work.slots) = match op {
            Op::Vadd | Op::Vmul => (words, 2),
            Op::Vacc if flag(Field::Zp) => (words, 3),
            Op::Vrop if is_ordered => (2 * n, 2),
            Op::Vrop => (words, 4),
            Op::Vhad if 1 << instr.get(Field::K) >= lanes as i64 => {
                if !n.is_multiple_of(2 << instr.get(Field::K)) {
                    return Err(format!("n = {n}: a multiple of {}", 2_i64 << instr.get(Field::K)));
                }
                if is_ordered { (words, 2) } else { (words / 2, 3) }
            }
            Op::Vexn | Op::Ve4m => (n, 1),
            _ => (words, 1),
        };
        let first = match op {
            Op::Vquo => Some(instr.get(Field::Qbits) as u32),
            Op::Vexp | Op::Vsig => Some(OCTAVE_QBITS),
            Op::Vcod => Some(CODE_QBITS),
            Op::Ve4m => Some(E4M3_QBITS),
            _ => None,
        };
        let first_steps = first.map_or(0, |qbits| self.steps(qbits));
        let own_steps = self.steps((imm & 31) + 1);
        let interval = |steps: u32| steps.div_ceil(self.dividers);
        work.pause = match op {
            Op::Vquo | Op::Vcod | Op::Ve4m => interval(first_steps),
            Op::Vexp if chord => interval(first_steps),
            Op::Vsig if chord => 2,
            Op::Vsig => interval(own_steps),
            _ => 1,
        } - 1;
        work.is_serial = op == Op::Vsig && chord;
        work.latency = 1 + match op {
            Op::Vexp if chord => SHIFTED + 2 + first_steps + EXP,
            Op::Vexp => SHIFTED + EXP,
            Op::Vquo | Op::Vcod => SHIFTED + 2 + first_steps,
            Op::Vsig if chord => SHIFTED + 2 + first_steps + EXP + 2 + own_steps,
            Op::Vsig => SHIFTED + EXP + 2 + own_steps,
            Op::Vexn => SHIFTED + 2,
            Op::Ve4m => SHIFTED + 2 + first_steps + 2,
            Op::Vblk => self.tree() + 4,
            _ => SHIFTED,
        };
        if op == Op::Vblk {
            work.result_words = imm / lanes;
            work.elements = n.div_ceil(imm);
        }
        if op == Op::Vrop {
            work.elements = 2 * n;
        }
        if matches!(op, Op::Vblk | Op::Vexn | Op::Ve4m) || (op == Op::Vrop && is_ordered) {
            work.result_elements = 1;
        }
        if in_blocks {
            work.block_words = imm / lanes;
        }
        let red = instr.find(Field::Red).unwrap_or(0);
        if red != 0 {
            work.settle = self.tree() + 1;
            work.writes = if matches!(red, RANGE | ARGMAX) { 2 } else { 1 };
        }
        let entries = match op {
            _ if red != 0 && flag(Field::Cont) => 4,
            _ if red == ARGMAX => 2,
            Op::Vshr | Op::Vmls | Op::Vads | Op::Vfix | Op::Vsig | Op::Ve4m => 1,
            Op::Vquo | Op::Vexp | Op::Vcod => 2,
            Op::Vacc if flag(Field::Zp) => 1,
            _ => 0,
        };
        let long = match op {
            Op::Vexp | Op::Vsig if chord => {
                let step = step.ok_or("the chord's time depends on values: run with them")?;
                Some(chord_cycles(step)?)
            }
            Op::Vexp | Op::Vsig => Some(TIMES),
            _ => None,
        };
        Ok(VecWork::Row(1 + entries + arith(long), work))
    }
}

/// Cycles of the long arithmetic, from its start to its end.
const BITS: u32 = 4;
const PRODUCT: u32 = 8;
const SCALE: u32 = 30;
const ROUND: u32 = 35;
const RMS: u32 = 54;
const TIMES: u32 = 2;
/// Bits of the quotient of a 4-bit code.
const CODE_QBITS: u32 = hdl::unit::vec::coder::CODE_QBITS;

/// Cycles that the long arithmetic adds to an instruction.
fn arith(long: Option<u32>) -> u32 {
    long.map_or(0, |cycles| cycles + 1)
}

/// Cycles of DI-Exp's octave for a step: a quotient of as many bits as it has places.
fn chord_cycles(step: i64) -> Result<u32, String> {
    let (mult, shift) = (step & 0xffff, i64::from((step >> 16) as i16));
    let chord = mult + (mult >> 1) - (mult >> 4);
    let threshold = 31 * chord - 1;
    if threshold <= 0 {
        return Err(format!("step {step:#x}: a mantissa of 0"));
    }
    let least = i64::from(threshold.ilog2());
    let octave = shift.max(least).min(87);
    Ok(6 + (octave >> 1 & 63) as u32)
}
