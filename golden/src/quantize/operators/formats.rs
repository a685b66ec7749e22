//! What coding a row in a format costs.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use spec::qmodel::ActMode;
use spec::{Format, Operand, ScaleRule, Scaling};

use super::{normal, step};
use crate::num::{self, e4m3};
use crate::op::input::{Coding, InputRow, input};
use crate::quantize::code::value;

/// Rows of Gaussian data, and their length.
const ROWS: usize = 64;
const LENGTH: usize = 4096;

/// Signal over quantization noise of Gaussian rows in one format.
#[derive(Clone, Debug, PartialEq)]
pub struct FormatError {
    /// Code of the values, and what scales them.
    pub name: String,
    /// How scales or zero points are chosen; empty where there is no choice.
    pub options: &'static str,
    /// Signal over noise, dB.
    pub sqnr_db: f64,
    /// The same in a floating-point simulation of the format, where there is one.
    pub simulated_db: Option<f64>,
}

/// The error of every format of activations, coded on the run as a linear layer's input is, over 64 rows of 4096.
pub fn format_errors(seed: u64) -> Vec<FormatError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let rows: Vec<Vec<i64>> = (0..ROWS).map(|_| normal(&mut rng, LENGTH, 1e6)).collect();
    let coding = |format: Format, scaling: Scaling, acts, rule| Coding { format, scaling, acts, rule, rotation: 1 };
    let (symmetric, floor) = (ActMode::Symmetric, ScaleRule::Floor);
    let mx = |rule| coding(Format::Mxfp4, Scaling::Mx32, symmetric, rule);
    let cases = [
        (coding(Format::W8a8, Scaling::Channel, symmetric, floor), "symmetric", None),
        (coding(Format::W8a8, Scaling::Channel, ActMode::Asymmetric, floor), "asymmetric", None),
        (coding(Format::W4a4, Scaling::Channel, symmetric, floor), "", None),
        (coding(Format::W4a4, Scaling::Group32, symmetric, floor), "", Some(20.3)),
        (coding(Format::W4a4, Scaling::Group16, symmetric, floor), "", Some(21.4)),
        (coding(Format::Fp4, Scaling::Channel, symmetric, floor), "", None),
        (mx(ScaleRule::Floor), ScaleRule::Floor.name(), Some(18.8)),
        (mx(ScaleRule::NoClip), ScaleRule::NoClip.name(), None),
        (mx(ScaleRule::RoundUpToGrid), ScaleRule::RoundUpToGrid.name(), None),
        (coding(Format::Nvfp4, Scaling::Nv16, symmetric, floor), "", Some(20.4)),
    ];
    let measured = cases.iter().map(|(coding, options, simulated_db)| {
        let name = format!("{} {}", coding.format.act().name(), coding.scaling.name());
        FormatError { name, options, sqnr_db: sqnr_db(&rows, coding), simulated_db: *simulated_db }
    });
    measured.collect()
}

fn sqnr_db(rows: &[Vec<i64>], coding: &Coding) -> f64 {
    let (mut signal, mut noise) = (0.0, 0.0);
    for z in rows {
        let coded = input(z, step(0), coding);
        for (i, &z) in z.iter().enumerate() {
            let (z, found) = (z as f64, decoded(&coded, coding, i));
            signal += z * z;
            noise += (found - z) * (found - z);
        }
    }
    10.0 * libm::log10(signal / noise)
}

/// What the code of element `i` stands for.
fn decoded(row: &InputRow, coding: &Coding, i: usize) -> f64 {
    let operand = coding.format.act();
    let int = num::decode(operand, row.codes[i]).map_or(0.0, f64::from);
    let zp = if operand == Operand::Int8 { 128.0 - f64::from(row.scale.zp) } else { 0.0 };
    let block = || row.blocks[i / coding.scaling.block().unwrap_or(1)];
    let factor = match coding.scaling {
        _ if row.blocks.is_empty() => 1.0,
        Scaling::Channel => 1.0,
        Scaling::Group32 | Scaling::Group16 => f64::from(block()),
        Scaling::Mx32 => libm::ldexp(1.0, -i32::from(block())),
        Scaling::Nv16 => e4m3::decode(block()).map_or(0.0, f64::from),
    };
    (int + zp) * factor * value(row.scale.step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_reach_the_simulated_figures() {
        for row in format_errors(1) {
            assert!(row.simulated_db.is_none_or(|db| row.sqnr_db > db - 0.3), "{row:?}");
            assert!((12.0..45.0).contains(&row.sqnr_db), "{row:?}");
        }
    }
}
