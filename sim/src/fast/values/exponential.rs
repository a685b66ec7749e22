//! `e(d)`: exp(-d·step) times 2^16, by parabola or by chord.

use super::dyadic::parts;
use super::{round_quotient, round_shift};

/// From so many octaves on it is 0.
const OCTAVES: i128 = 18;
/// log2 e in 1/32768.
const LOG2_E: i128 = 47274;
/// The place behind which an octave of the chord does not grow, and the most places that it gets beside the step's.
const LAST_OCTAVE: i64 = 87;
const MOST_PLACES: i64 = 24;

/// An exponential with its step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Exponential {
    /// Octaves a unit, times 2^16 / 2^places.
    Poly { octaves: i128, places: i64 },
    /// An octave, and the places that an argument is shifted left before it is divided by it.
    Chord { octave: i128, places: u32 },
}

impl Exponential {
    /// For the step in an entry of S.
    pub fn new(step: i64, chord: bool) -> Self {
        let (mult, shift) = parts(step);
        if !chord {
            return Self::Poly { octaves: round_shift(i128::from(mult) * LOG2_E, 15), places: shift - 16 };
        }
        let m = mult + (mult >> 1) - (mult >> 4);
        // The least place for which round(2^place / m) is 16 or more: 2^(place + 1) >= 31 m.
        let least = (31 * m - 1).max(1).ilog2();
        let wanted = shift.max(i64::from(least));
        let octave = round_quotient(1 << wanted.min(LAST_OCTAVE), i128::from(m.max(1)));
        Self::Chord { octave, places: 16 + (wanted - shift).min(MOST_PLACES) as u32 }
    }

    /// `e(d)`; below 0, `d` counts as 0.
    pub fn of(&self, d: i128) -> i64 {
        let d = d.max(0);
        match *self {
            Self::Poly { octaves, places } => {
                let u = round_shift(d * octaves, places);
                let (z, f) = (u >> 16, u & 0xffff);
                if z >= OCTAVES {
                    return 0;
                }
                let v = (1_i64 << 44) - ((f as i64) << 27) - 705 * f as i64 * ((1 << 16) - f as i64);
                (v + (1 << (27 + z))) >> (28 + z)
            }
            Self::Chord { octave, places } => {
                let u = (d << places) / octave;
                let (z, f) = (u >> 16, u & 0xffff);
                if z >= OCTAVES { 0 } else { ((1_i64 << 17) - f as i64 + (1 << z)) >> (z + 1) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_zero_and_never_rising_to_zero() {
        for chord in [false, true] {
            for (mult, shift) in [(0x8000_i64, 15_i64), (0xc123, 20), (0xffff, 30), (0x9000, 12)] {
                let e = Exponential::new(mult | (shift & 0xffff) << 16, chord);
                assert_eq!(e.of(0), 1 << 16);
                let step = mult as f64 / 2_f64.powi(shift as i32);
                let most = (20.0 / step) as i128 + 2;
                let mut before = 1 << 16;
                for d in (0..most).step_by((most / 1000).max(1) as usize) {
                    let now = e.of(d);
                    let real = (-(d as f64) * step).exp();
                    assert!(now <= before, "{d}");
                    assert!((now as f64 / 65536.0 - real).abs() < if chord { 0.05 } else { 0.002 }, "{d}");
                    before = now;
                }
                assert_eq!(e.of(most), 0);
                assert_eq!(e.of(1 << 62), 0);
            }
        }
    }
}
