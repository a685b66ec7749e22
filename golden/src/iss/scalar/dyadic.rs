//! Dyadics as scalars: mantissa in bits 15..=0, shift (two's complement) in 31..=16, zeros above.

use spec::Dyadic;

use crate::iss::fault::{Result, refuse};

/// The scalar that holds a dyadic.
pub fn pack(d: Dyadic) -> i64 {
    i64::from(d.mult) | i64::from(d.shift as u16) << 16
}

/// The dyadic that a scalar holds; `name` is the scalar's in an error.
///
/// # Errors
/// For a scalar that is not 32 bits unsigned.
pub fn unpack(name: &str, scalar: i64) -> Result<Dyadic> {
    match u32::try_from(scalar) {
        Ok(bits) => Ok(Dyadic { mult: bits as u16, shift: (bits >> 16) as u16 as i16 }),
        Err(_) => refuse(name, scalar, "a dyadic: 0..=4294967295", "write the scalar as a dyadic first"),
    }
}

/// As [`unpack`], of a step: its mantissa is not 0, its shift has 8 bits.
///
/// # Errors
/// As [`unpack`]; for mantissa 0 and for shifts outside -128..=127.
pub fn unpack_step(name: &str, scalar: i64) -> Result<Dyadic> {
    let step = unpack(name, scalar)?;
    if step.mult == 0 {
        return refuse(format!("{name} mult"), 0, "1..=65535", "give a step, which is positive");
    }
    if !(-128..=127).contains(&step.shift) {
        return refuse(format!("{name} shift"), step.shift, "-128..=127", "steps have shifts of 8 bits");
    }
    Ok(step)
}
