//! How close whole layers come to the roofline, from the first input beat to the last result.

use sim::engine::Options;
use sim::{Simulation, simulate};
use spec::qmodel::{QActs, QLinear, Requant};
use spec::{Config, Dyadic, RequantMode, RowScale, Tensor};

fn run(preset: &str, (m, k, n): (usize, usize, usize), stall_seed: Option<u64>) -> Simulation {
    let config = Config::from_toml(hdl::presets::preset(preset).unwrap()).unwrap();
    let step = Dyadic { mult: 1 << 15, shift: 20 };
    let code = |i: usize| (i % 15) as i8 - 7;
    let layer = QLinear {
        name: "layer".into(),
        format: config.pe.formats[0],
        weight: Tensor::new(n, k, (0..n * k).map(|i| code(i * 7 + i / k)).collect()),
        align: vec![1 << 15; n],
        sum: (0..n).map(|c| (0..k).map(|i| i32::from(code((c * k + i) * 7 + c))).sum()).collect(),
        requant: Requant { mode: RequantMode::Dynamic, step },
    };
    let codes = Tensor::new(m, k, (0..m * k).map(|i| code(i * 11 + i / k)).collect());
    let acts = QActs { codes, scales: vec![RowScale { step, zp: 128 }; m] };
    simulate(&config, &layer, &acts, Options { stall_seed, ..Options::default() }, |_, _| {}).unwrap()
}

fn check(simulation: &Simulation, least: f64) {
    let (cycles, stalls) = (simulation.cycles, &simulation.stalls);
    assert!(
        (least..=1.0).contains(&simulation.utilisation),
        "{} in {cycles} cycles: {stalls:?}",
        simulation.utilisation
    );
    assert_eq!(simulation.stalls.iter().map(|(_, cycles)| cycles).sum::<u64>(), simulation.cycles);
}

#[test]
fn a_long_prefill_keeps_the_array_busy() {
    check(&run("base", (512, 576, 576), None), 0.97);
}

#[test]
fn one_token_runs_at_the_speed_of_the_bus() {
    check(&run("base", (1, 576, 576), None), 0.97);
    check(&run("small", (1, 192, 576), None), 0.95);
}

#[test]
fn stalls_cost_cycles_and_change_no_result() {
    let (free, stalled) = (run("tiny", (11, 30, 22), None), run("tiny", (11, 30, 22), Some(5)));
    assert!(stalled.cycles > free.cycles);
    assert_eq!(stalled.rows, free.rows);
}
