//! What integers cost: the error of each operator beside the real function of the same integers, and the published one.

mod formats;
mod functions;
mod rows;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use spec::Dyadic;

pub use formats::{FormatError, format_errors};

use super::code::value;

/// The error of one operator over one set of inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct OperatorError {
    /// The operator.
    pub operator: &'static str,
    /// Its options.
    pub options: &'static str,
    /// What it was given.
    pub inputs: &'static str,
    /// What the errors are measured in: `1` absolute, `LSB` of the result, ...
    pub unit: &'static str,
    /// Results measured.
    pub count: u64,
    /// Largest error.
    pub largest: f64,
    /// Mean error.
    pub mean: f64,
    /// The largest error that its source states, where it states one.
    pub published: Option<Published>,
}

/// A published largest error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Published {
    /// The error, in the row's unit.
    pub largest: f64,
    /// Where it stands.
    pub source: &'static str,
}

/// The errors of every operator; `seed` chooses the rows of those that are not measured on all their inputs.
pub fn operator_errors(seed: u64) -> Vec<OperatorError> {
    let mut table = Table { rng: ChaCha8Rng::seed_from_u64(seed), rows: Vec::new() };
    functions::exponentials(&mut table);
    functions::sigmoids(&mut table);
    rows::softmaxes(&mut table);
    rows::norms(&mut table);
    rows::exact_operators(&mut table);
    table.rows
}

/// The rows so far, and where random inputs come from.
struct Table {
    rng: ChaCha8Rng,
    rows: Vec<OperatorError>,
}

impl Table {
    /// Adds the errors of pairs of a result and the real value.
    fn add(
        &mut self,
        operator: &'static str,
        options: &'static str,
        inputs: &'static str,
        unit: &'static str,
        pairs: impl IntoIterator<Item = (f64, f64)>,
    ) {
        let (mut count, mut largest, mut sum) = (0_u32, 0.0_f64, 0.0);
        for (found, real) in pairs {
            let error = (found - real).abs();
            (count, largest, sum) = (count + 1, largest.max(error), sum + error);
        }
        let mean = sum / f64::from(count.max(1));
        let published = None;
        let count = u64::from(count);
        self.rows.push(OperatorError { operator, options, inputs, unit, count, largest, mean, published });
    }

    /// States the published error of the last row.
    fn published(&mut self, largest: f64, source: &'static str) {
        if let Some(row) = self.rows.last_mut() {
            row.published = Some(Published { largest, source });
        }
    }

    /// Integers of a normal distribution with that standard deviation.
    fn normal(&mut self, count: usize, deviation: f64) -> Vec<i64> {
        normal(&mut self.rng, count, deviation)
    }
}

/// As [`Table::normal`]: Box and Muller's transform of pairs of uniform numbers of 53 bits.
fn normal(rng: &mut ChaCha8Rng, count: usize, deviation: f64) -> Vec<i64> {
    let mut uniform = || libm::ldexp(((rng.next_u64() >> 11) + 1) as f64, -53);
    let mut one = || {
        let radius = libm::sqrt(-2.0 * libm::log(uniform()));
        libm::floor(deviation * radius * libm::cos(2.0 * std::f64::consts::PI * uniform()) + 0.5) as i64
    };
    (0..count).map(|_| one()).collect()
}

/// The step `2^-places`.
fn step(places: i16) -> Dyadic {
    Dyadic { mult: 1 << 15, shift: 15 + places }
}

/// The real value of an integer.
fn real(x: i64, step: Dyadic) -> f64 {
    x as f64 * value(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_the_same_for_the_same_seed_and_differ_for_another() {
        let table = operator_errors(1);
        assert_eq!(table, operator_errors(1));
        assert_ne!(table, operator_errors(2));
        assert!(table.iter().all(|row| row.count > 0 && row.mean <= row.largest && row.largest.is_finite()));
    }

    /// What the published figures say holds here, where the operator is the published one.
    #[test]
    fn published_figures_are_met() {
        for row in operator_errors(1) {
            if let Some(published) = row.published {
                // Published figures have two digits.
                assert!(row.largest <= published.largest * 1.025, "{row:?}");
            }
        }
    }
}
