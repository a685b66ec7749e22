//! Short names for instructions of the vector unit, and what several stages do alike.

use spec::Dyadic;
use spec::isa::{Field, Op};
use spec::model::{NORM_BITS, QLayer};
use spec::qmodel::ActMode;
use spec::{ExpKind, Format, Operand, ScaleRule, Scaling};

use super::emit::Emit;
use super::plan::s;
use crate::error::Error;

/// Places of `to`.
pub(super) const VB: usize = 0;
pub(super) const ACT: usize = 1;
pub(super) const OUT: usize = 2;
pub(super) const NONE: usize = 3;
/// Places of `red`.
pub(super) const ABSMAX: usize = 1;
pub(super) const MAX: usize = 2;
pub(super) const RANGE: usize = 3;
pub(super) const SUM: usize = 4;
pub(super) const SQUARES: usize = 5;
pub(super) const ARGMAX: usize = 6;

/// A dyadic as S holds it.
fn bits_of(dyadic: Dyadic) -> i64 {
    i64::from(dyadic.mult) | i64::from(dyadic.shift as u16) << 16
}

/// Place of the format in the instruction's list.
pub(super) fn format_code(format: Format) -> usize {
    Format::ALL.iter().position(|&f| f == format).unwrap_or_default()
}

/// Place of the scaling in the instruction's list.
pub(super) fn scaling_code(scaling: Scaling) -> usize {
    Scaling::ALL.iter().position(|&x| x == scaling).unwrap_or_default()
}

/// How the rows of a linear layer's input are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coding {
    pub act: Operand,
    pub format: Format,
    pub scaling: Scaling,
    pub acts: ActMode,
    pub rotation: u32,
    pub rule: ScaleRule,
}

impl Emit {
    pub fn simm(&mut self, d: usize, value: i64) -> Result<(), Error> {
        self.push_signed(Op::Simm, &[(Field::D, d as i64), (Field::Value, value)])
    }

    pub fn dyadic(&mut self, d: usize, value: Dyadic) -> Result<(), Error> {
        self.simm(d, bits_of(value))
    }

    /// A scalar operation of two operands.
    pub fn scalar(&mut self, op: Op, d: usize, a: usize, b: usize) -> Result<(), Error> {
        self.push(op, &[(Field::D, d), (Field::A, a), (Field::B, b)])
    }

    /// `S[d] = step of codes`: `S[t]·step / levels / 2^places`.
    pub fn scaled(&mut self, d: usize, t: usize, steps: [usize; 2], levels: usize, places: usize) -> Result<(), Error> {
        let [b, step] = steps;
        let fields = [
            (Field::D, d),
            (Field::A, t),
            (Field::B, b),
            (Field::S, step),
            (Field::Levels, levels),
            (Field::Places, places),
        ];
        self.push(Op::Sscl, &fields)
    }

    /// Row operation `op` of n elements from VB[a] to VB[dst] with S[s].
    pub fn row(
        &mut self,
        op: Op,
        n: usize,
        a: usize,
        dst: usize,
        s: usize,
        more: &[(Field, usize)],
    ) -> Result<(), Error> {
        let mut fields = vec![(Field::N, n), (Field::A, a), (Field::Dst, dst), (Field::S, s)];
        fields.extend_from_slice(more);
        self.push(op, &fields)
    }

    /// What every program's scalars hold from the start, and VB[0]; there is a 0 at address `zero`.
    pub fn constants(&mut self, zero: u32) -> Result<(), Error> {
        for (d, value) in [
            (s::ZERO, 0),
            (s::ONE, 1),
            (s::SEVEN, 7),
            (s::EIGHT, 8),
            (s::MINUS_EIGHT, -8),
            (s::FIFTEEN, 15),
            (s::CENTRE, 128),
            (s::MINUS_TWO, -2),
        ] {
            self.simm(d, value)?;
        }
        self.dyadic(s::UNIT, Dyadic { mult: 1 << 15, shift: 15 })?;
        self.dyadic(s::INV_SQRT2, Dyadic { mult: 46341, shift: 16 })?;
        // VB[0] holds 0.
        self.push(Op::Ldp, &[(Field::Addr, zero as usize), (Field::N, 1), (Field::Dst, 0), (Field::Type, 4)])?;
        self.push(Op::Vpar, &[(Field::N, 1), (Field::Dst, 0), (Field::B, 0)])?;
        self.push(Op::Seto, &[(Field::Width, 0)])
    }

    /// A row of 16 bits of a wide one at VB[at], its largest magnitude in S[t] and its step in S[t + 1]: in place, the
    /// step of the result in S[t + 3].
    pub fn narrow(&mut self, n: usize, at: usize, t: usize) -> Result<(), Error> {
        self.scalar(Op::Snar, t + 2, t, t + 1)?;
        self.row(Op::Vshr, n, at, at, t + 2, &[(Field::Sat, 1)])
    }

    /// The norm of a residual row at VB[x], in VB[z]; `gain` is in PB, if there is any.
    ///
    /// `largest` and `shift` are the row's scalars; `red` into S[d] is over the results.
    pub fn norm(&mut self, norm: &Norm, z: usize, red: usize, d: usize) -> Result<(), Error> {
        let Norm { n, x, largest, shift, gain } = *norm;
        let t = s::T;
        self.push(Op::Slft, &[(Field::D, t), (Field::A, largest)])?;
        self.scalar(Op::Ssub, t + 1, shift, t)?;
        self.row(Op::Vshr, n, x, z, t, &[(Field::Red, SQUARES), (Field::D, t + 2)])?;
        let rms = [(Field::D, t + 3), (Field::A, t + 2), (Field::B, s::EPS), (Field::S, t + 1), (Field::Count, n)];
        self.push(Op::Srms, &rms)?;
        // |y| <= sqrt(n)·2^20·(1 + 2^-15).
        let root_bits = (usize::BITS - (n - 1).leading_zeros()).div_ceil(2);
        let qbits = (NORM_BITS + root_bits + 1) as usize;
        let quotient = [(Field::Q, 1), (Field::K, NORM_BITS as usize), (Field::Qbits, qbits)];
        let reduction = [(Field::Red, red), (Field::D, d)];
        match gain {
            None => self.row(Op::Vquo, n, z, z, t + 3, &[quotient.as_slice(), &reduction].concat()),
            Some(gain) => {
                self.row(Op::Vquo, n, z, z, t + 3, &quotient)?;
                self.row(Op::Vmlp, n, z, z, 0, &[[(Field::B, gain)].as_slice(), &reduction].concat())
            }
        }
    }
}

/// A residual row and its norm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Norm {
    pub n: usize,
    pub x: usize,
    pub largest: usize,
    pub shift: usize,
    pub gain: Option<usize>,
}

/// A coded row's place in the act buffer and its scalars.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coded {
    pub half: bool,
    pub rows: usize,
    pub row: usize,
    pub step: usize,
    pub zero_point: usize,
}

impl Coding {
    /// How the input of a layer is coded; `rule` is that of scales of MX blocks.
    pub fn of(layer: &QLayer, rule: ScaleRule) -> Self {
        Self {
            act: layer.linear.format.act(),
            format: layer.linear.format,
            scaling: layer.scaling,
            acts: layer.acts,
            rotation: layer.rotation,
            rule,
        }
    }

    /// The reduction that coding needs of the row that it codes.
    pub fn reduction(&self) -> usize {
        if self.acts == ActMode::Asymmetric { RANGE } else { ABSMAX }
    }

    /// Where the row's last operation before its coding leaves that reduction; nothing where it is rotated first.
    pub fn reduced(&self) -> (usize, usize) {
        if self.rotation > 1 { (0, 0) } else { (self.reduction(), s::T + 4) }
    }

    /// Rotates and codes the row at VB[z] whose step is in `wide`, with one row of scratch for scales.
    ///
    /// Its reduction is in S[T + 4], unless it is rotated.
    pub fn emit(&self, e: &mut Emit, n: usize, z: usize, wide: usize, scratch: usize, to: &Coded) -> Result<(), Error> {
        let t = s::T + 4;
        let mut wide = wide;
        if self.rotation > 1 {
            let stages = self.rotation.trailing_zeros() as usize;
            for k in 0..stages {
                let last = [(Field::Red, self.reduction()), (Field::D, t)];
                let more: &[(Field, usize)] = if k + 1 == stages { &last } else { &[] };
                e.row(Op::Vhad, n, z, z, 0, &[&[(Field::K, k)], more].concat())?;
            }
            let halves = s::T + 6;
            e.dyadic(halves, Dyadic { mult: 1 << 15, shift: 15 + (stages / 2) as i16 })?;
            e.scalar(Op::Sprd, s::T + 7, wide, halves)?;
            if stages % 2 == 1 {
                e.scalar(Op::Sprd, s::T + 7, s::T + 7, s::INV_SQRT2)?;
            }
            wide = s::T + 7;
        }
        if self.acts == ActMode::Asymmetric {
            e.scalar(Op::Sadd, t, t, t + 1)?;
        }
        e.scalar(Op::Smax, t, t, s::ONE)?;
        let block = self.scaling.block().unwrap_or(0);
        let used = e.machine.used_rows(self.scaling) as usize;
        let blocks = n.div_ceil(block.max(1));
        let seta = [
            (Field::Rows, to.rows),
            (Field::Row, to.row),
            (Field::Used, used),
            (Field::Block, block),
            (Field::Half, usize::from(to.half)),
        ];
        e.push(Op::Seta, &seta)?;
        let code = |e: &mut Emit, kind: usize| {
            let fields = [
                (Field::N, n),
                (Field::A, z),
                (Field::B, scratch),
                (Field::S, t),
                (Field::Imm, block),
                (Field::Kind, kind),
            ];
            e.push(Op::Vcod, &fields)
        };
        let largest = |e: &mut Emit| e.row(Op::Vblk, n, z, scratch, 0, &[(Field::Imm, block)]);
        let levels = match (self.act, self.scaling) {
            (Operand::Int8, _) => return self.int8(e, n, z, wide, to),
            (Operand::Int4, Scaling::Group32 | Scaling::Group16) => {
                largest(e)?;
                e.row(Op::Vquo, blocks, scratch, scratch, t, &[(Field::Q, 255), (Field::Imm, 255), (Field::Qbits, 8)])?;
                code(e, 1)?;
                (255 * 7, 0)
            }
            (Operand::Int4, _) => {
                code(e, 0)?;
                (7, 0)
            }
            (_, Scaling::Mx32) => {
                largest(e)?;
                let rule = ScaleRule::ALL.iter().position(|&r| r == self.rule).unwrap_or_default();
                e.row(
                    Op::Vexn,
                    blocks,
                    scratch,
                    scratch,
                    0,
                    &[(Field::Rule, rule), (Field::Red, MAX), (Field::D, t + 1)],
                )?;
                e.scalar(Op::Smax, t + 1, t + 1, s::MINUS_TWO)?;
                code(e, 3)?;
                // The step of E2M1's half units: wide·2^(largest exponent) / 2.
                e.scalar(Op::Ssub, t, s::ONE, t + 1)?;
                e.push(Op::Sdya, &[(Field::D, t), (Field::A, t)])?;
                return e.scalar(Op::Sprd, to.step, wide, t);
            }
            (_, Scaling::Nv16) => {
                largest(e)?;
                e.row(Op::Ve4m, blocks, scratch, scratch, t, &[])?;
                code(e, 4)?;
                // 2·6·448·2^9 = 21·2^17
                (21, 17)
            }
            (_, Scaling::Channel | Scaling::Group32 | Scaling::Group16) => {
                code(e, 2)?;
                (12, 0)
            }
        };
        e.scaled(to.step, t, [wide, s::UNIT], levels.0, levels.1)
    }

    /// Codes of 8 bits; T or the range is in S[T + 4], -min in S[T + 5].
    fn int8(&self, e: &mut Emit, n: usize, z: usize, wide: usize, to: &Coded) -> Result<(), Error> {
        let t = s::T + 4;
        if self.acts == ActMode::Symmetric {
            e.row(Op::Vquo, n, z, 0, t, &[(Field::Q, 127), (Field::Imm, 127), (Field::Qbits, 7), (Field::To, ACT)])?;
            return e.scaled(to.step, t, [wide, s::UNIT], 127, 0);
        }
        let fields = [(Field::Q, 255), (Field::Asym, 1), (Field::Imm, 255), (Field::Qbits, 8)];
        e.row(Op::Vquo, n, z, 0, t, &[fields.as_slice(), &[(Field::To, ACT)]].concat())?;
        // The code of 0, 128 less.
        let zero = [(Field::To, NONE), (Field::Red, MAX), (Field::D, to.zero_point)];
        e.row(Op::Vquo, 1, 0, 0, t, &[fields.as_slice(), &zero].concat())?;
        e.scalar(Op::Sadd, to.zero_point, to.zero_point, s::CENTRE)?;
        e.scaled(to.step, t, [wide, s::UNIT], 255, 0)
    }
}

/// The flag of an exponential that is a chord.
pub(super) fn chord(kind: ExpKind) -> (Field, usize) {
    (Field::Chord, usize::from(kind == ExpKind::Shift))
}
