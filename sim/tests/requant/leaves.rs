//! The divider and the scale unit alone.

use hdl::rtl::Design;
use hdl::unit::requant_plan::Plan;
use hdl::unit::{divider, row_scale};
use sim::step::Stepper;

use crate::config;
use crate::data::Rng;
use crate::reference::normalise;

fn stepper(module: Result<std::sync::Arc<hdl::rtl::Module>, hdl::Error>) -> Stepper {
    Stepper::new(&Design::new(module.expect("builds"))).expect("simulates")
}

/// Divides each pair, the divisions back to back; gives the quotients.
fn divide(quotient_bits: u32, pairs: &[(u64, u64)]) -> Vec<u64> {
    let config = config(4, 4, 8, quotient_bits, 64, 1);
    let plan = Plan::new(&config);
    let mut sim = stepper(divider::divider(&config, &plan));
    sim.randomize(quotient_bits.into());
    let load = sim.input("load_i").ok();
    let [num, den] = ["num_i", "den_i"].map(|name| sim.input(name).expect("a port"));
    let quotient = sim.output("quotient_o").expect("a port");
    let mut quotients = Vec::new();
    for &(n, d) in pairs {
        sim.set(den, d);
        for step in 0..plan.steps() {
            if let Some(load) = load {
                sim.set(load, (step == 0).into());
            }
            // The numerator is there in the first cycle only.
            sim.set(num, if step == 0 { n } else { !n & ((1 << 48) - 1) });
            sim.settle();
            sim.tick();
        }
        sim.settle();
        quotients.push(sim.get(quotient));
    }
    quotients
}

#[test]
fn quotients_are_exact() {
    let mut pairs: Vec<(u64, u64)> = (1..40).flat_map(|d| (0..256 * d).map(move |n| (n, d))).collect();
    let mut rng = Rng(1);
    let most = (1u64 << 40) - 1;
    for _ in 0..3000 {
        let d = [most, 1 << 39, (1 << 39) + 1, 1 + rng.next() % most, 1 + ((rng.next() % most) >> (rng.next() % 40))]
            [rng.range(0, 4) as usize];
        let q = rng.next() % 256;
        let r = [0, d - 1, rng.next() % d][rng.range(0, 2) as usize];
        pairs.push((q * d + r, d));
    }
    for quotient_bits in 1..=8 {
        for (got, (n, d)) in divide(quotient_bits, &pairs).into_iter().zip(&pairs) {
            assert_eq!(got, n / d, "{n} / {d}, {quotient_bits} bits a cycle");
        }
    }
}

#[test]
fn scales_are_rounded_half_up() {
    let config = config(4, 4, 8, 1, 64, 7);
    let mut sim = stepper(row_scale::row_scale(&config, &Plan::new(&config)));
    let names = [
        "start_i",
        "range_i",
        "row_mult_i",
        "row_shift_i",
        "step_mult_i",
        "step_shift_i",
        "asymmetric_i",
        "fixed_i",
        "rst_ni",
    ];
    let [start, range, row_mult, row_shift, step_mult, step_shift, asymmetric, fixed, reset] =
        names.map(|name| sim.input(name).expect("a port"));
    let [done, idle, mult, shift] =
        ["done_o", "idle_o", "mult_o", "shift_o"].map(|name| sim.output(name).expect("a port"));
    sim.set(reset, 0);
    sim.tick();
    sim.set(reset, 1);
    let mut rng = Rng(2);
    let (mut carries, mut clamps) = (0, 0);
    for _ in 0..20_000 {
        let mut d = match rng.range(0, 4) {
            0 => 1,
            1 => (1 << 40) - 1,
            2 => 1 << rng.range(0, 39),
            _ => 1 + ((rng.next() % ((1 << 40) - 1)) >> rng.range(0, 39)),
        };
        let mut mantissa = || match rng.range(0, 9) {
            0 => 1 << 15,
            1 => (1 << 16) - 1,
            _ => rng.range(1 << 15, (1 << 16) - 1) as u64,
        };
        let (m1, mut m2) = (mantissa(), mantissa());
        let (k1, k2) = (rng.range(-128, 127), rng.range(-128, 127));
        let mode = rng.range(0, 2);
        let q = [127u8, 255, 1][mode as usize];
        if rng.one_in(10) {
            // Just below a power of two: the mantissa rounds to 2^16.
            m2 = if mode == 2 { ((1 << 31) / m1.max(1 << 15)).min(65535) } else { m2 };
            d = ((i128::from(q) << (31 + rng.range(28, 31))) / i128::from(m1 * m2)) as u64 % (1 << 40);
            d = d.max(1);
        }
        let total = i128::from(m1 * m2) * if mode == 2 { 1 } else { i128::from(d) };
        for (port, value) in
            [(range, d), (row_mult, m1), (step_mult, m2), (asymmetric, (mode == 1).into()), (fixed, (mode == 2).into())]
        {
            sim.set(port, value);
        }
        sim.set(row_shift, k1 as u64 & 0xff);
        sim.set(step_shift, k2 as u64 & 0xff);
        sim.set(start, 1);
        sim.settle();
        assert_eq!(sim.get(idle), 1);
        sim.tick();
        sim.set(start, 0);
        for cycle in 1..=row_scale::CYCLES {
            sim.settle();
            assert_eq!(sim.get(done), u64::from(cycle == row_scale::CYCLES));
            if cycle < row_scale::CYCLES {
                sim.tick();
            }
        }
        let wanted = normalise(total, q.into(), k1 + k2);
        let got = (sim.get(mult), sim.get(shift) as u8 as i8);
        assert_eq!(got, (wanted.mult.into(), wanted.shift as i8), "{d} * {m1} * {m2} / {q}, {k1} + {k2}");
        carries += u32::from(wanted.mult == 1 << 15);
        clamps += u32::from(wanted.shift == 127 || wanted.shift == -128);
        sim.tick();
    }
    assert!(carries > 300 && clamps > 100, "{carries} {clamps}");
}
