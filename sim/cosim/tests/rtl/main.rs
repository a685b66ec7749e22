//! The hardware language against Verilator: random modules give the same outputs in every cycle, and lint clean.

mod generate;
mod interpret;
mod structure;
mod verilate;

use std::fmt::Write as _;

use hdl::rtl::Design;
use num_bigint::BigUint;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use generate::Size;
use interpret::Interpreter;
use sim::step::{Port, Stepper};

/// What a comparison looked at.
#[derive(Default, Debug)]
struct Counts {
    values: u64,
    bits: u64,
}

/// Random words, mostly uniform, sometimes all zeros, all ones or a single bit.
fn operand(rng: &mut ChaCha8Rng, width: u32) -> BigUint {
    let ones = (BigUint::from(1u32) << width) - 1u32;
    match rng.next_u32() % 12 {
        0 => BigUint::ZERO,
        1 => ones,
        2 => BigUint::from(1u32) << (rng.next_u32() % width),
        3 => BigUint::from(rng.next_u32() % 200) & ones,
        4 => &ones >> (rng.next_u32() % width),
        _ => {
            let digits: Vec<u32> = (0..width.div_ceil(32)).map(|_| rng.next_u32()).collect();
            BigUint::new(digits) & ones
        }
    }
}

fn push(words: &mut Vec<u32>, value: &BigUint, width: u32) {
    let digits = value.to_u32_digits();
    words.extend((0..width.div_ceil(32) as usize).map(|i| digits.get(i).copied().unwrap_or(0)));
}

/// Runs a random design in Verilator, in the step simulator and in the interpreter, and compares all of them.
fn compare(name: &str, seed: u64, size: Size, cycles: u32) -> Counts {
    let top = structure::top(name, seed, size);
    let design = Design::new(top.clone());
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let inputs = verilate::inputs(&top);
    let outputs = verilate::outputs(&top);

    let mut interpreter = Interpreter::new(&top);
    let mut stepper = Stepper::new(&design).unwrap();
    let reset = stepper.input("rst_ni").ok();
    let step_inputs: Vec<Port> = inputs.iter().map(|p| stepper.input(&p.name).unwrap()).collect();
    let step_outputs: Vec<Port> = outputs.iter().map(|p| stepper.output(&p.name).unwrap()).collect();
    let mut stimulus = Vec::new();
    let mut expected = Vec::new();
    let mut wrong = String::new();
    for cycle in 0..cycles {
        let rst_n = cycle >= 3 && rng.next_u32() % 16 != 0;
        stimulus.push(u32::from(rst_n));
        if let Some(reset) = reset {
            stepper.set(reset, rst_n.into());
        }
        for (port, step_port) in inputs.iter().zip(&step_inputs) {
            let value = operand(&mut rng, port.ty.width);
            push(&mut stimulus, &value, port.ty.width);
            interpreter.set(&port.name, &value);
            let mut limbs = value.to_u64_digits();
            limbs.resize(step_port.limbs(), 0);
            stepper.set_limbs(*step_port, &limbs);
        }
        interpreter.settle();
        stepper.settle();
        let values: Vec<BigUint> = outputs.iter().map(|port| interpreter.get(&port.name)).collect();
        for ((port, step_port), value) in outputs.iter().zip(&step_outputs).zip(&values) {
            let mut limbs = vec![0; step_port.limbs()];
            stepper.get_limbs(*step_port, &mut limbs);
            let got = BigUint::new(limbs.iter().flat_map(|l| [*l as u32, (*l >> 32) as u32]).collect());
            if got != *value && wrong.len() < 4000 {
                let _ =
                    writeln!(wrong, "cycle {cycle}, {} ({}): step {got:x}, interpreter {value:x}", port.name, port.ty);
            }
        }
        expected.push(values);
        interpreter.tick(rst_n);
        stepper.tick();
    }

    let folder = tempfile::tempdir().unwrap();
    let response = verilate::run(&design, folder.path(), &stimulus);
    let mut at = 0;
    let mut counts = Counts::default();
    for (cycle, values) in expected.iter().enumerate() {
        for (port, value) in outputs.iter().zip(values) {
            let words = port.ty.width.div_ceil(32) as usize;
            let got = BigUint::new(response.get(at..at + words).unwrap_or_default().to_vec());
            at += words;
            counts.values += 1;
            counts.bits += u64::from(port.ty.width);
            if got != *value && wrong.len() < 4000 {
                let _ = writeln!(
                    wrong,
                    "cycle {cycle}, {} ({}): Verilator {got:x}, interpreter {value:x}",
                    port.name, port.ty
                );
            }
        }
    }
    assert_eq!(at, response.len(), "seed {seed}: Verilator gave another number of words");
    if !wrong.is_empty() {
        let kept = folder.keep();
        panic!("seed {seed}, files in {}:\n{wrong}", kept.display());
    }
    counts
}

/// Small enough for a build of some seconds.
const SMALL: Size = Size { expressions: 24, rounds: 1, depth: 3, max_width: 160 };

#[test]
fn random_modules_equal_verilator() {
    let counts = compare("fuzz", 1, SMALL, 200);
    assert!(counts.values > 15_000, "{counts:?}");
}

#[test]
fn random_modules_lint_clean() {
    verilate::lint(&Design::new(structure::top("fuzz", 2, SMALL)));
}

/// The long run: wide signals, deep expressions, many seeds (`SEED` and `SEEDS` choose others).
#[test]
#[ignore = "takes minutes"]
fn full_random_modules_equal_verilator() {
    let number = |name: &str, or: u64| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(or);
    let (first, seeds) = (number("SEED", 1000), number("SEEDS", 12));
    let mut total = Counts::default();
    for seed in first..first + seeds {
        let max_width = [64, 200, 1000, 4096][(seed % 4) as usize];
        let size = Size { expressions: 80, rounds: 2, depth: 3 + (seed % 3) as u32, max_width };
        verilate::lint(&Design::new(structure::top("fuzz", seed, size)));
        let counts = compare("fuzz", seed, size, 400);
        total.values += counts.values;
        total.bits += counts.bits;
        eprintln!("seed {seed}: {counts:?}");
    }
    eprintln!("{total:?}");
    assert!(total.values > seeds * 50_000);
}
