//! Row operations: what they read, what they compute, where their results go.

use spec::isa::{Field, Instr, Op};
use spec::{ExpKind, ScaleRule};

use super::fault::{Result, refuse};
use super::row::code::{Coded, Kind};
use super::row::quotient::Quotients;
use super::row::reduce::{Reduce, reduce};
use super::row::{align, arith, block, code, curve, fix, hadamard, quotient, rope, shift};
use super::scalar::dyadic::{unpack, unpack_step};
use super::state::State;

/// Where results go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// VB.
    Vector,
    /// The act buffer, 8 bits each.
    Act,
    /// The out stream.
    Out,
    /// Nowhere.
    None,
}

impl To {
    /// Where the results of an instruction go; VCOD's to the act buffer always.
    pub fn of(instr: &Instr) -> Self {
        match instr.find(Field::To) {
            Some(0) => Self::Vector,
            Some(2) => Self::Out,
            Some(3) => Self::None,
            _ => Self::Act,
        }
    }
}

/// Elements that a row operation reads of VB: first, how many. Those of blocks are counted in `b`.
pub fn reads(instr: &Instr) -> Vec<(usize, usize)> {
    let n = instr.index(Field::N);
    let a = |n| (instr.index(Field::A), n);
    let b = |n| (instr.index(Field::B), n);
    match instr.op() {
        Op::Vacc | Op::Vraw | Op::Vpar => vec![],
        Op::Vmul | Op::Vadd => vec![a(n), b(n)],
        Op::Vrop => vec![a(2 * n)],
        Op::Vcod => match kind(instr).ok().and_then(Kind::block) {
            Some(block) => vec![a(n), b(n.div_ceil(block))],
            None => vec![a(n)],
        },
        _ => vec![a(n)],
    }
}

/// Results of a row operation.
pub fn results(instr: &Instr) -> usize {
    let n = instr.index(Field::N);
    match instr.op() {
        Op::Vrop => 2 * n,
        Op::Vblk => n.div_ceil(instr.index(Field::Imm).max(1)),
        _ => n,
    }
}

/// Acc words that VACC and VRAW read: bank, first word, words from one to the next, how many.
pub fn acc_words(instr: &Instr, cols: usize) -> Option<(bool, usize, usize, usize)> {
    let words = instr.index(Field::N).div_ceil(cols);
    matches!(instr.op(), Op::Vacc | Op::Vraw)
        .then(|| (instr.flag(Field::Bank), instr.index(Field::A), instr.index(Field::Imm), words))
}

/// Parameters that a row operation reads of PB: first, how many.
pub fn param_reads(instr: &Instr) -> Option<(usize, usize)> {
    let n = instr.index(Field::N);
    let count = match instr.op() {
        Op::Vacc if instr.flag(Field::Zp) => 2 * n,
        Op::Vacc | Op::Vpar | Op::Vmlp => n,
        Op::Vrop => 2 * n,
        _ => return None,
    };
    Some((instr.index(Field::B), count))
}

/// A row operation.
///
/// # Errors
/// For places outside of a memory or never written, values outside of the ranges that the operation states, and results that
/// overlap what is read without starting with it.
pub fn row(state: &mut State, instr: &Instr) -> Result<()> {
    if To::of(instr) == To::Vector {
        check_overlap(instr)?;
    }
    if instr.op() == Op::Vcod {
        let coded = coded(state, instr)?;
        return to_act(state, &coded.codes, Some(&coded.scales));
    }
    let x = computed(state, instr)?;
    reduced(state, instr, &x)?;
    match To::of(instr) {
        To::Vector => state.write_vector(instr.index(Field::Dst), &x),
        To::Act => to_act(state, &x, None),
        To::Out => to_out(state, &x),
        To::None => Ok(()),
    }
}

/// Results may take the place of what is read, element for element; any other overlap would depend on the lanes.
fn check_overlap(instr: &Instr) -> Result<()> {
    let (dst, count) = (instr.index(Field::Dst), results(instr));
    for (from, n) in reads(instr) {
        if dst != from && dst < from + n && from < dst + count {
            let allowed = format!("{from}, or clear of {from}..{}", from + n);
            return refuse("dst", dst, allowed, "results take the place of operands, or are apart from them");
        }
    }
    Ok(())
}

fn computed(state: &State, instr: &Instr) -> Result<Vec<i64>> {
    let n = instr.index(Field::N);
    let a = || state.vector.read(instr.index(Field::A), n);
    let b = || state.vector.read(instr.index(Field::B), n);
    let params = |count| state.params.read(instr.index(Field::B), count);
    let s = |offset| state.scalar(instr.index(Field::S) + offset);
    let imm = || instr.get(Field::Imm);
    let exp = || if instr.flag(Field::Chord) { ExpKind::Shift } else { ExpKind::Poly };
    match instr.op() {
        Op::Vacc => {
            let sums = acc(state, instr)?;
            let zero_point = match instr.flag(Field::Zp) {
                true => Some((s(0)?, &params(2 * n)?[n..])),
                false => None,
            };
            align::align(&sums, params(n)?, instr.get(Field::K) as u32, zero_point)
        }
        Op::Vraw => acc(state, instr),
        Op::Vpar => Ok(params(n)?.iter().map(|&p| p.into()).collect()),
        Op::Vshr => shift::shift(a()?, s(0)?, instr.flag(Field::Sat)),
        Op::Vmlp => arith::multiply(a()?, params(n)?.iter().map(|&p| p.into()), "PB[b]"),
        Op::Vmul => arith::multiply(a()?, b()?.iter().copied(), "VB[b]"),
        Op::Vmls => arith::scale(a()?, s(0)? as u16),
        Op::Vadd => arith::add(a()?, b()?.iter().copied()),
        Op::Vads => arith::add(a()?, std::iter::repeat_n(s(0)?, n)),
        Op::Vfix => fix::fix(a()?, unpack("S[s]", s(0)?)?, imm()),
        Op::Vquo => {
            let q = Quotients {
                factor: instr.get(Field::Q) << instr.get(Field::K),
                den: s(0)?,
                limit: imm(),
                bits: instr.get(Field::Qbits) as u32,
                offset: if instr.flag(Field::Asym) { Some(s(1)?) } else { None },
            };
            quotient::quotient(a()?, &q)
        }
        Op::Vexp => curve::exponentials(a()?, s(1)?, exp(), unpack_step("S[s]", s(0)?)?),
        Op::Vsig => curve::sigmoids(a()?, imm(), exp(), unpack_step("S[s]", s(0)?)?),
        Op::Vrop => rope::rotate(state.vector.read(instr.index(Field::A), 2 * n)?, params(2 * n)?),
        Op::Vhad => hadamard::butterfly(a()?, instr.get(Field::K) as u32),
        Op::Vblk => block::largest(a()?, instr.index(Field::Imm)),
        Op::Vexn => block::exponents(a()?, ScaleRule::ALL[instr.index(Field::Rule)]),
        Op::Ve4m => block::e4m3_scales(a()?, s(0)?),
        op => unreachable!("{} is not a row operation", op.name()),
    }
}

/// Sums `[n]` of a row of acc.
fn acc(state: &State, instr: &Instr) -> Result<Vec<i64>> {
    let cols = state.machine.cols as usize;
    let Some((bank, first, stride, words)) = acc_words(instr, cols) else { return Ok(Vec::new()) };
    let mut sums = Vec::with_capacity(words * cols);
    for word in 0..words {
        sums.extend_from_slice(state.acc[usize::from(bank)].read((first + word * stride) * cols, cols)?);
    }
    sums.truncate(instr.index(Field::N));
    Ok(sums)
}

fn kind(instr: &Instr) -> Result<Kind> {
    let block = instr.index(Field::Imm);
    let kind = match instr.index(Field::Kind) {
        0 => Kind::Int4,
        1 => Kind::Int4Groups(block),
        2 => Kind::E2m1,
        3 => Kind::Mx,
        _ => Kind::Nv,
    };
    match kind.block() {
        Some(wanted) if wanted != block || !matches!(block, 16 | 32) => {
            let allowed = if kind == Kind::Int4Groups(block) { "16, 32".to_string() } else { wanted.to_string() };
            refuse("imm", block, allowed, "give the length of the kind's blocks")
        }
        _ => Ok(kind),
    }
}

fn coded(state: &State, instr: &Instr) -> Result<Coded> {
    let (n, kind) = (instr.index(Field::N), kind(instr)?);
    let z = state.vector.read(instr.index(Field::A), n)?;
    let scales = match kind.block() {
        Some(block) => state.vector.read(instr.index(Field::B), n.div_ceil(block))?,
        None => &[],
    };
    let s = instr.index(Field::S);
    let highest = if kind == Kind::Mx { state.scalar(s + 1)? } else { 0 };
    code::code(z, kind, state.scalar(s)?, highest, scales)
}

/// Puts the reduction of the results into S.
fn reduced(state: &mut State, instr: &Instr, x: &[i64]) -> Result<()> {
    let kind = match instr.get(Field::Red) {
        0 => return Ok(()),
        1 => Reduce::MaxAbs,
        2 => Reduce::Max,
        3 => Reduce::Range,
        4 => Reduce::Sum,
        5 => Reduce::Squares,
        _ => Reduce::ArgMax,
    };
    let d = instr.index(Field::D);
    let old = match (instr.flag(Field::Cont), kind.count()) {
        (false, _) => None,
        (true, 1) => Some([state.scalar(d)?, 0]),
        (true, _) => Some([state.scalar(d)?, state.scalar(d + 1)?]),
    };
    let first = if kind == Reduce::ArgMax { state.scalar(instr.index(Field::S) + 1)? } else { 0 };
    let found = reduce(kind, x, first, old)?;
    state.write_scalars(d, &found[..kind.count()])
}

/// Codes of a row to the act buffer, the low 8 bits of each; `scales` are the scale bytes of blocks, 0 elsewhere.
fn to_act(state: &mut State, x: &[i64], scales: Option<&[u8]>) -> Result<()> {
    let Some(to) = state.act_row else {
        return refuse("to", "act", "act, after SETA", "say first where act codes go");
    };
    let rows = state.machine.rows as usize;
    let mut words = vec![(vec![0_i8; rows], 0_u8); to.tiles(x.len())];
    for (k, &x) in x.iter().enumerate() {
        let (tile, lane) = to.place(k);
        words[tile].0[lane] = x as i8;
        if let Some(&scale) = scales.and_then(|scales| scales.get(k.checked_div(to.block)?)) {
            words[tile].1 = scale;
        }
    }
    for (tile, (codes, scale)) in words.iter().enumerate() {
        state.write_act(to.half, to.word(tile), codes, *scale)?;
    }
    Ok(())
}

/// Elements to the out stream, in as many bytes as SETO says.
fn to_out(state: &mut State, x: &[i64]) -> Result<()> {
    let Some(width) = state.width else {
        return refuse("to", "out", "out, after SETO", "say first how many bytes an element has");
    };
    let mut bytes = Vec::with_capacity(x.len() * width);
    for (i, &x) in x.iter().enumerate() {
        let is_held = width == 8 || (-(1_i64 << (8 * width - 1))..1 << (8 * width)).contains(&x);
        if !is_held {
            return refuse(
                format!("x[{i}]"),
                x,
                format!("{width} bytes"),
                "store wider elements, or hold the result first",
            );
        }
        bytes.extend_from_slice(&x.to_le_bytes()[..width]);
    }
    state.push_out(&bytes);
    Ok(())
}
