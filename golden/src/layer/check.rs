//! Whether the integers of a layer keep every bound that the arithmetic relies on.

use std::fmt::Display;

use spec::model::QLayer;
use spec::{Dyadic, Problem, RequantMode, ScaleRule, Scaling};

use crate::error::Error;
use crate::num::{self, e4m3};
use crate::op::foot;
use crate::op::input::Coding;

const CURE: &str = "quantize the model again";

/// Everything that is wrong with a layer: shapes that disagree, K too long for its sums, codes or scales that the format
/// does not have, alignment factors above 2^15, sums that are not the weights', steps that are not normalised or do not
/// fit each other, a coding that [`Coding::check`] refuses. Of each tensor the first bad element is named.
pub fn problems(layer: &QLayer) -> Vec<Problem> {
    let mut found = Found { name: &layer.linear.name, problems: Vec::new() };
    if found.shapes(layer) {
        found.elements(layer);
    }
    found.steps(layer);
    let k = layer.linear.weight.cols;
    // The rule is an option of the model; any of them is allowed.
    let coding = Coding {
        format: layer.linear.format,
        scaling: layer.scaling,
        acts: layer.acts,
        rule: ScaleRule::Floor,
        rotation: layer.rotation as usize,
    };
    match coding.check(k) {
        Ok(()) => {}
        Err(Error::Input(problems)) => {
            for problem in problems {
                found.note(&problem.field, problem.value, problem.allowed);
            }
        }
        Err(other) => found.note("coding", other, "a coding that can be computed"),
    }
    found.problems
}

struct Found<'a> {
    name: &'a str,
    problems: Vec<Problem>,
}

impl Found<'_> {
    fn note(&mut self, field: &str, value: impl Display, allowed: impl Into<String>) {
        self.problems.push(Problem::new(format!("{}: {field}", self.name), value, allowed, CURE));
    }

    fn equal(&mut self, field: &str, value: usize, allowed: usize) -> bool {
        if value != allowed {
            self.note(field, value, allowed.to_string());
        }
        value == allowed
    }

    /// Whether every tensor has the shape that N, K and scaling ask for.
    fn shapes(&mut self, layer: &QLayer) -> bool {
        let linear = &layer.linear;
        let (n, k) = (linear.weight.rows, linear.weight.cols);
        let most = foot::max_k(layer.scaling);
        let mut good = true;
        if !(1..=most).contains(&k) {
            self.note("weight.cols", k, format!("1..={most} with scaling {}", layer.scaling.name()));
            good = false;
        }
        if n == 0 {
            self.note("weight.rows", n, ">= 1");
            good = false;
        }
        let blocks = layer.scaling.blocks(k);
        good &= self.equal("weight.data.len", linear.weight.data.len(), n.saturating_mul(k));
        good &= self.equal("align.len", linear.align.len(), n);
        good &= self.equal("sum.len", linear.sum.len(), n);
        good &= self.equal("scales.rows", layer.scales.rows, n);
        good &= self.equal("scales.cols", layer.scales.cols, blocks);
        good & self.equal("scales.data.len", layer.scales.data.len(), n.saturating_mul(blocks))
    }

    /// Elements of tensors whose shapes are right.
    fn elements(&mut self, layer: &QLayer) {
        let linear = &layer.linear;
        let operand = linear.format.weight();
        let k = linear.weight.cols;
        let place = |i: usize| format!("weight[{}, {}]", i / k, i % k);
        let codes = &linear.weight.data;
        if let Some(i) = codes.iter().position(|&code| num::decode(operand, code).is_none()) {
            let range = num::codes(operand);
            self.note(&place(i), codes[i], format!("{}..={} ({})", range.start(), range.end(), operand.name()));
            return;
        }
        if let Some(i) = linear.align.iter().position(|&factor| factor > 1 << 15) {
            self.note(&format!("align[{i}]"), linear.align[i], "0..=32768");
        }
        if layer.scaling == Scaling::Nv16
            && let Some(i) = layer.scales.data.iter().position(|&code| code > e4m3::MAX_CODE)
        {
            let cols = layer.scales.cols;
            self.note(&format!("scales[{}, {}]", i / cols, i % cols), layer.scales.data[i], "0..=126 (e4m3)");
        }
        for (n, &sum) in linear.sum.iter().enumerate() {
            let actual = channel_sum(layer, n);
            if i64::from(sum) != actual {
                self.note(&format!("sum[{n}]"), sum, format!("{actual}, the sum of its weight integers"));
                return;
            }
        }
    }

    fn steps(&mut self, layer: &QLayer) {
        let requant = layer.linear.requant;
        let both = [("weight_step", layer.weight_step), ("requant.step", requant.step)];
        let bad = both.map(|(field, step)| self.step(field, step)).contains(&false);
        if bad {
            return;
        }
        let shift = i32::from(layer.weight_step.shift) + layer.scaling.guard_bits();
        let expected = Dyadic { shift: shift.clamp(-128, 127) as i16, ..layer.weight_step };
        if requant.mode == RequantMode::Static {
            let allowed = "dynamic, asymmetric: a model has no fixed steps of outputs";
            self.note("requant.mode", requant.mode.name(), allowed);
        } else if requant.step != expected {
            let text = |step: Dyadic| format!("{} / 2^{}", step.mult, step.shift);
            let allowed = format!("{}, weight_step over the guard bits", text(expected));
            self.note("requant.step", text(requant.step), allowed);
        }
    }

    fn step(&mut self, field: &str, step: Dyadic) -> bool {
        let good = step.mult >= 1 << 15 && (-128..=127).contains(&step.shift);
        if !good {
            let value = format!("{} / 2^{}", step.mult, step.shift);
            self.note(field, value, "32768..=65535 / 2^(-128..=127)");
        }
        good
    }
}

/// Sum of a channel's weight integers, each times its group's factor where there are groups.
fn channel_sum(layer: &QLayer, n: usize) -> i64 {
    let operand = layer.linear.format.weight();
    let int = |&code: &i8| i64::from(num::decode(operand, code).expect("codes were checked"));
    let codes = layer.linear.weight.row(n);
    match layer.scaling {
        Scaling::Group32 | Scaling::Group16 => {
            let groups = codes.chunks(layer.scaling.block().unwrap_or(codes.len())).zip(layer.scales.row(n));
            groups.map(|(codes, &g)| i64::from(g) * codes.iter().map(int).sum::<i64>()).sum()
        }
        Scaling::Channel | Scaling::Mx32 | Scaling::Nv16 => codes.iter().map(int).sum(),
    }
}
