//! Functions of one value: exponentials, sigmoids, GELUs, the square root.

use spec::{Dyadic, ExpKind};

use super::{Table, real, step};
use crate::op::di_exp::DiExp;
use crate::op::exp::{Exponential, ONE};
use crate::op::i_exp::IExp;
use crate::op::i_gelu::i_gelu;
use crate::op::isqrt::isqrt;
use crate::op::narrow::Narrow;
use crate::op::shift_exp::ShiftExp;
use crate::op::shiftgelu::shiftgelu;
use crate::op::sigmoid::sigmoid;
use crate::op::swiglu::swiglu;
use crate::quantize::code::value;

/// `ln 2 / 65536`: an octave is 65536 LSBs.
const OCTAVE: Dyadic = Dyadic { mult: 45426, shift: 32 };

const I_BERT_EXP: &str = "arXiv 2101.01321, 3.5";
const I_BERT_GELU: &str = "arXiv 2101.01321, table 1";

/// Exponentials of `-d · step`, `d` from 0 up to so many LSBs.
pub fn exponentials(table: &mut Table) {
    let fine = [step(12)];
    // 32/64, 33/64, ... 63/64
    let coarse: Vec<Dyadic> = (32..64).map(|i| Dyadic { mult: 1024 * i, shift: 16 }).collect();
    let cases = [
        (&[OCTAVE][..], 65536, "one octave, step 2^-16 of it"),
        (&fine[..], 65536, "0..16, step 2^-12"),
        (&coarse[..], 32, "0..16, steps 0.5 to 1"),
    ];
    for kind in ExpKind::ALL {
        for (steps, top, inputs) in cases {
            let of = |step| {
                let exp = Exponential::new(kind, step);
                move |d| f64::from(exp.at(d)) / f64::from(ONE)
            };
            table.add("exponential", kind.name(), inputs, "1", sweep(steps, top, of));
            if kind == ExpKind::Poly {
                table.published(0.0019, I_BERT_EXP);
            }
        }
    }
    let paper = |guard| {
        move |step| {
            let exp = DiExp::new(step, guard);
            move |d| exp.at(d) as f64 / exp.one() as f64
        }
    };
    // 15 / 255 with the paper's mantissa of 8 bits
    let byte = [Dyadic { mult: 241, shift: 12 }];
    table.add("DI-Exp", "I-LLM, no guard bits", "0..15, 255 steps", "1", sweep(&byte, 255, paper(0)));
    table.add("DI-Exp", "16 guard bits", "0..15, 255 steps", "1", sweep(&byte, 255, paper(16)));
    table.add("DI-Exp", "16 guard bits", "0..16, step 2^-12", "1", sweep(&fine, 65536, paper(16)));
    table.add("DI-Exp", "16 guard bits", "0..16, steps 0.5 to 1", "1", sweep(&coarse, 32, paper(16)));
    for (steps, top, inputs) in [(fine, 65536, "0..16, step 2^-12"), ([step(4)], 256, "0..16, step 2^-4")] {
        let of = |step| {
            let exp = IExp::new(step);
            move |d| exp.at(d) as f64 * value(exp.unit())
        };
        table.add("i-exp", "I-BERT", inputs, "1", sweep(&steps, top, of));
        if top == 65536 {
            table.published(0.0019, I_BERT_EXP);
        }
        let of = |step| {
            let exp = ShiftExp::new(step, (1, 1), 15);
            move |d| exp.at(-(d as i64)) as f64 / exp.at(0) as f64
        };
        table.add("ShiftExp", "I-ViT, n = 15", inputs, "1", sweep(&steps, top, of));
    }
}

/// Results and real exponentials for `d` in 0..=top, at each step.
fn sweep<'a, F: Fn(u64) -> f64 + 'a>(
    steps: &'a [Dyadic],
    top: u64,
    of: impl Fn(Dyadic) -> F + 'a,
) -> impl Iterator<Item = (f64, f64)> + 'a {
    steps.iter().flat_map(move |&step| {
        let found = of(step);
        (0..=top).map(move |d| (found(d), libm::exp(-real(d as i64, step))))
    })
}

/// Sigmoids and what is built on them.
pub fn sigmoids(table: &mut Table) {
    let fine = step(11);
    let all = || -32767..=32767_i16;
    for kind in ExpKind::ALL {
        let exp = Exponential::new(kind, fine);
        for (bits, options) in [(15, ["poly, 15 bits", "shift, 15 bits"]), (8, ["poly, 8 bits", "shift, 8 bits"])] {
            let pair = |x: i16| {
                let found = libm::ldexp(f64::from(sigmoid(x.into(), &exp, bits)), -(bits as i32));
                (found, logistic(real(x.into(), fine)))
            };
            table.add("sigmoid", options[kind as usize], "-16..16, step 2^-11", "1", all().map(pair));
        }
    }
    for kind in ExpKind::ALL {
        let gate = Narrow { codes: all().collect(), step: fine };
        let up = Narrow { codes: vec![1; gate.codes.len()], step: step(0) };
        let (h, unit) = swiglu(&gate, &up, kind, 15);
        let pair = |(x, h): (i16, &i64)| {
            let x = real(x.into(), fine);
            (real(*h, unit), x * logistic(x))
        };
        table.add("SwiGLU, up = 1", kind.name(), "-16..16, step 2^-11", "1", all().zip(&h).map(pair));
    }
    let x: Vec<i16> = (-127..128).collect();
    let (y, unit) = shiftgelu(&x, step(4), 8);
    let pair = |(&x, &y): (&i16, &i32)| (real(y.into(), unit), gelu(real(x.into(), step(4))));
    table.add("ShiftGELU", "I-ViT, 8 bits", "-8..8, step 2^-4", "1", x.iter().zip(&y).map(pair));
    let x: Vec<i16> = (-32767..=32767).collect();
    let (y, unit) = i_gelu(&x, step(12));
    let pair = |(&x, &y): (&i16, &i64)| (real(y, unit), gelu(real(x.into(), step(12))));
    table.add("i-GELU", "I-BERT", "-8..8, step 2^-12", "1", x.iter().zip(&y).map(pair));
    table.published(0.018, I_BERT_GELU);
    let root = |x: u64| libm::floor(libm::sqrt(x as f64));
    let squares = 0..=1_u64 << 16;
    let exact = squares.clone().map(|x| (f64::from(isqrt(x)), root(x)));
    table.add("square root", "digit by digit", "0..=65536, all", "1", exact);
    table.add("square root", "I-ViT, 10 Newton steps", "0..=65536, all", "1", squares.map(|x| (newton(x), root(x))));
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

fn gelu(x: f64) -> f64 {
    x / 2.0 * (1.0 + libm::erf(x / libm::sqrt(2.0)))
}

/// The root as I-ViT's authors compute it: ten steps from 2^16.
fn newton(x: u64) -> f64 {
    (0..10).fold(1 << 16, |k: u64, _| (k + x / k.max(1)) / 2) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_newton_steps_do_not_get_below_64() {
        assert!((0..=1 << 16).all(|x| newton(x) >= 64.0));
        assert_eq!(newton(1 << 30), 32768.0);
    }
}
