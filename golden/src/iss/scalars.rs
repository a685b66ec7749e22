//! Scalar operations and settings of the vector unit.

use spec::isa::{Field, Instr, Op};

use super::fault::{Result, refuse, within};
use super::scalar::{narrow, norm, residual, scale};
use super::state::{ActRow, State};
use crate::op::narrow::bits;

/// A scalar operation.
///
/// # Errors
/// For an entry of S that nothing has written, values outside of the ranges that the operation states, and results that leave
/// 64 bits.
pub fn scalar(state: &mut State, instr: &Instr) -> Result<()> {
    let get = |field: Field| state.scalar(instr.index(field));
    let (a, b) = (|| get(Field::A), || get(Field::B));
    let mut found = [0; 4];
    let count = match instr.op() {
        Op::Seta => return set_act(state, instr),
        Op::Seto => {
            state.width = Some(1 << instr.get(Field::Width));
            return Ok(());
        }
        Op::Sidx => {
            let index = within("S[a]", a()?, 0, u32::MAX.into(), "give a row of a table")?;
            state.set_index(index as u32);
            return Ok(());
        }
        Op::Sres => {
            found = residual::alignment(a()?, b()?)?;
            4
        }
        Op::Snar => {
            found[..2].copy_from_slice(&narrow::narrowing(a()?, b()?)?);
            2
        }
        op => {
            found[0] = match op {
                Op::Simm => instr.get(Field::Value),
                Op::Spar => state.params.get(instr.index(Field::B))?.into(),
                Op::Sadd => exact(a()?.checked_add(b()?))?,
                Op::Ssub => exact(a()?.checked_sub(b()?))?,
                Op::Smax => a()?.max(b()?),
                Op::Smin => a()?.min(b()?),
                Op::Sbit => bits(within("S[a]", a()?, 0, i64::MAX, "give a magnitude")? as u64).into(),
                Op::Sprd => scale::step_product(a()?, b()?)?,
                Op::Sscl => {
                    let places = instr.get(Field::Places) as i32;
                    scale::scaled(a()?, [b()?, get(Field::S)?], instr.get(Field::Levels), places)?
                }
                Op::Slft => norm::headroom(a()?)?,
                Op::Srms => norm::root_mean(a()?, b()?, get(Field::S)?, instr.get(Field::Count))?,
                Op::Sdiv => norm::mean(a()?, instr.get(Field::Imm))?,
                Op::Sdya => scale::power(a()?),
                op => unreachable!("{} is not a scalar operation", op.name()),
            };
            1
        }
    };
    state.write_scalars(instr.index(Field::D), &found[..count])
}

fn exact(result: Option<i64>) -> Result<i64> {
    result.map_or_else(|| refuse("S[d]", "beyond 64 bits", "64 bits signed", "keep scalars within 63 bits"), Ok)
}

fn set_act(state: &mut State, instr: &Instr) -> Result<()> {
    let row = ActRow::of(instr);
    within("used", row.used as i64, 1, state.machine.rows.into(), "a tile uses rows that the array has")?;
    within("row", row.row as i64, 0, row.rows as i64 - 1, "give a row of the product")?;
    state.act_row = Some(row);
    Ok(())
}
