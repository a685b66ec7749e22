//! VEXP and VSIG: exponentials and sigmoids of a row.

use spec::{Dyadic, ExpKind};

use crate::iss::fault::{Result, refuse, within};
use crate::op::exp::Exponential;
use crate::op::sigmoid;

fn exponential(kind: ExpKind, step: Dyadic) -> Result<Exponential> {
    if step.mult == 0 {
        return refuse("S[s]", "a step of 0", "a dyadic whose mantissa is 1 or more", "give the step of the row");
    }
    within("S[s] shift", step.shift.into(), -128, 127, "steps have shifts of 8 bits")?;
    Ok(Exponential::new(kind, step))
}

/// `e(top - a)`, `e(d) = round(2^16 · exp(-d · step))` as [`Exponential::at`] has it; 0..=2^16.
///
/// # Errors
/// For a value above `top`, or a step of 0.
pub fn exponentials(a: &[i64], top: i64, kind: ExpKind, step: Dyadic) -> Result<Vec<i64>> {
    let exp = exponential(kind, step)?;
    let at = |(i, &a): (usize, &i64)| match u64::try_from(i128::from(top) - i128::from(a)) {
        Ok(d) => Ok(exp.at(d).into()),
        Err(_) => {
            refuse(format!("VB[a + {i}]"), a, format!("at most S[s + 1] = {top}"), "subtract from the row's maximum")
        }
    };
    a.iter().enumerate().map(at).collect()
}

/// `sigma(a)` with `bits` binary places, as [`sigmoid::sigmoid`] has it; 0..=2^bits.
///
/// `a` of 32 bits signed, `bits` 8..=15.
///
/// # Errors
/// For a value or number of bits outside its range, or a step of 0.
pub fn sigmoids(a: &[i64], bits: i64, kind: ExpKind, step: Dyadic) -> Result<Vec<i64>> {
    let exp = exponential(kind, step)?;
    let bits = within("imm", bits, 8, 15, "give the sigmoid's binary places")? as u32;
    let at = |(i, &a): (usize, &i64)| match i32::try_from(a) {
        Ok(a) => Ok(sigmoid::sigmoid(a, &exp, bits).into()),
        Err(_) => refuse(format!("VB[a + {i}]"), a, "32 bits signed", "narrow the row first"),
    };
    a.iter().enumerate().map(at).collect()
}
