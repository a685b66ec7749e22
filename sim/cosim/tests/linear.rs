//! One linear layer as a program: `iss(linear(layer, rows))` gives golden's aligned sums and steps, bit for bit, on any
//! machine, and `step` gives what `iss` gives.

use golden::iss::{self, order};
use golden::layer::PreparedLayer;
use golden::layers::random::{Coding, random_layer};
use hdl::rtl::Design;
use hdl::unit::top::top;
use sim::accel::Accelerator;
use sim::lower::program::{LinearInput, linear, roofline};
use sim::memory::Timing;
use spec::isa::{Field, Instr, Op, OutputKind, Program};
use spec::model::QLayer;
use spec::qmodel::{ActMode, QActs};
use spec::{Config, Dyadic, Format, Operand, PeKind, RowScale, ScaleRule, Scaling, Tensor};

/// Numbers that look random, the same ones every time.
struct Draw(u64);

impl Draw {
    fn within(&mut self, low: i64, high: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        low + ((self.0 >> 33) % (high - low + 1) as u64) as i64
    }
}

fn config(rows: u32, cols: u32, formats: &[Format]) -> Config {
    let mut config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
    (config.array.rows, config.array.cols) = (rows, cols);
    config.array.preload_rows = 2;
    config.pe.formats = formats.to_vec();
    config.validate().unwrap_or_else(|e| panic!("{e}"));
    config
}

fn steps(m: usize, draw: &mut Draw) -> Vec<Dyadic> {
    let step = |draw: &mut Draw| Dyadic {
        mult: draw.within(1 << 15, (1 << 16) - 1) as u16,
        shift: draw.within(-3, 30) as i16,
    };
    (0..m).map(|_| step(draw)).collect()
}

/// Wide rows, now and then with large values.
fn wide(m: usize, k: usize, draw: &mut Draw) -> (Tensor<i32>, Vec<Dyadic>) {
    let top = if draw.within(0, 1) == 0 { 30_000 } else { 1 << 24 };
    let data = (0..m * k).map(|_| draw.within(-top, top) as i32).collect();
    (Tensor::new(m, k, data), steps(m, draw))
}

fn codes(layer: &QLayer, m: usize, draw: &mut Draw) -> QActs {
    let k = layer.linear.weight.cols;
    let (low, high) = match (layer.linear.format.act(), layer.acts) {
        (Operand::Int4, _) => (-7, 7),
        (Operand::E2m1, _) => (0, 15),
        (_, ActMode::Symmetric) => (-127, 127),
        (_, ActMode::Asymmetric) => (-128, 127),
    };
    let data = (0..m * k).map(|_| draw.within(low, high) as i8).collect();
    let scales = steps(m, draw).into_iter().map(|step| {
        let zp = if layer.acts == ActMode::Asymmetric { draw.within(0, 255) as u8 } else { 128 };
        RowScale { step, zp }
    });
    QActs { codes: Tensor::new(m, k, data), scales: scales.collect() }
}

fn bits(step: Dyadic) -> i64 {
    i64::from(step.mult) | i64::from(step.shift as u16) << 16
}

/// Sums and steps of every row by golden's layer.
fn expected(layer: &QLayer, input: &LinearInput) -> Vec<(Vec<i64>, Dyadic)> {
    let rule = if let LinearInput::Wide { rule, .. } = input { *rule } else { ScaleRule::Floor };
    let prepared = PreparedLayer::new(layer, rule).unwrap_or_else(|e| panic!("{e}"));
    let rows = match input {
        LinearInput::Codes(acts) => (0..acts.codes.rows)
            .map(|row| golden::op::input::InputRow {
                codes: acts.codes.row(row).to_vec(),
                scale: acts.scales[row],
                blocks: vec![],
                clipped: 0,
            })
            .collect(),
        LinearInput::Wide { values, steps, .. } => (0..values.rows)
            .map(|row| {
                let z: Vec<i64> = values.row(row).iter().map(|&v| v.into()).collect();
                prepared.input(&z, steps[row])
            })
            .collect::<Vec<_>>(),
    };
    prepared.aligned_rows(&rows)
}

/// What the instruction-set simulator gives beside golden's layer.
fn compare(config: &Config, layer: &QLayer, input: &LinearInput) -> Program {
    let program = linear(config, layer, input).unwrap_or_else(|e| panic!("{e}"));
    order::check(&program).unwrap_or_else(|e| panic!("{e}"));
    let run = iss::run(&program, &mut iss::Blind).unwrap_or_else(|e| panic!("{e}"));
    for (row, (sums, step)) in expected(layer, input).iter().enumerate() {
        assert_eq!(&run.output(OutputKind::Logits, row as u32).unwrap(), sums, "row {row}");
        assert_eq!(run.output(OutputKind::Steps, row as u32).unwrap(), [bits(*step)], "step of row {row}");
    }
    program
}

/// Every form of input that a layer takes.
fn compare_all(config: &Config, layer: &QLayer, m: usize, draw: &mut Draw) -> Vec<Program> {
    let mut programs = Vec::new();
    if layer.linear.format.act() == Operand::Int8 || layer.scaling == Scaling::Channel {
        programs.push(compare(config, layer, &LinearInput::Codes(&codes(layer, m, draw))));
    }
    let (values, steps) = wide(m, layer.linear.weight.cols, draw);
    let rule = ScaleRule::ALL[draw.within(0, 2) as usize];
    programs.push(compare(config, layer, &LinearInput::Wide { values: &values, steps: &steps, rule }));
    programs
}

#[test]
fn every_format_scaling_zero_point_and_rotation() {
    let mut draw = Draw(1);
    for format in Format::ALL {
        for &scaling in format.scalings() {
            let zero_point = format.act() == Operand::Int8 && scaling != Scaling::Mx32;
            for (acts, is_rotated) in [(ActMode::Symmetric, true), (ActMode::Asymmetric, false)] {
                if acts == ActMode::Asymmetric && !zero_point {
                    continue;
                }
                let mut config = config(8, 8, &[Format::W8a8]);
                config.pe.kind = format.pe_kind();
                config.pe.formats = vec![format];
                if !config.builds_scaling(scaling) && config.pe.kind == PeKind::Mac {
                    config.pe.formats.push(Format::W4a8);
                }
                if !config.builds_scaling(scaling) {
                    continue;
                }
                config.validate().unwrap_or_else(|e| panic!("{e}"));
                let layer = random_layer(45, 72, Coding { format, scaling, acts, is_rotated }, 7);
                for m in [1, 21] {
                    compare_all(&config, &layer, m, &mut draw);
                }
            }
        }
    }
}

#[test]
fn arrays_and_buses_of_any_shape() {
    let mut draw = Draw(2);
    for (rows, cols) in [(5, 3), (5, 12), (8, 32), (32, 16), (1, 1), (33, 7)] {
        for data_bits in [32, 128, 512] {
            for format in [Format::W8a8, Format::W4a8, Format::Mxfp4] {
                let mut config = config(rows, cols, &[format]);
                config.bus.data_bits = data_bits;
                config.array.preload_rows = 1 + rows / 4;
                let layer = random_layer(50, 36, Coding::new(format), u64::from(rows * cols));
                for m in [1, 11] {
                    compare_all(&config, &layer, m, &mut draw);
                }
            }
        }
    }
}

/// Where few rows fit half of the activation buffer, their codes take both halves, in two products for each N tile.
#[test]
fn long_rows_in_both_halves_of_the_buffer() {
    let mut draw = Draw(5);
    for format in [Format::W8a8, Format::W4a8, Format::Mxfp4a8] {
        let mut config = config(4, 4, &[format]);
        config.buffer.act_bytes = 2 * 36 * 5;
        config.bus.data_bits = 32;
        for (k, acts) in [(120, ActMode::Symmetric), (88, ActMode::Asymmetric)] {
            if format == Format::Mxfp4a8 && acts == ActMode::Asymmetric {
                continue;
            }
            let layer = random_layer(30, k, Coding { acts, ..Coding::new(format) }, 3);
            let acts = codes(&layer, 7, &mut draw);
            let program = compare(&config, &layer, &LinearInput::Codes(&acts));
            let adds = |i: &&Instr| i.op() == Op::Mm && i.get(Field::Add) == 1;
            assert!(program.instrs.iter().any(|i| adds(&i)), "{format:?}: no product is added");
            compare(&config, &layer, &LinearInput::Codes(&codes(&layer, 1, &mut draw)));
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_with_what_would() {
    let mut draw = Draw(3);
    let layer = random_layer(50, 90, Coding::new(Format::W8a8), 1);
    let acts = codes(&layer, 5, &mut draw);
    let mut config = config(4, 4, &[Format::W8a8]);
    for field in ["buffer.act_bytes", "vec.params"] {
        let size = |config: &mut Config, value: Option<u32>| {
            let place = if field == "vec.params" { &mut config.vec.params } else { &mut config.buffer.act_bytes };
            value.map_or(*place, |value| std::mem::replace(place, value))
        };
        size(&mut config, Some(64));
        let message = linear(&config, &layer, &LinearInput::Codes(&acts)).unwrap_err().to_string();
        let least = message.strip_prefix(&format!("{field} = ")).and_then(|m| m.split(&[' ', ';'][..]).nth(3));
        let least: u32 = least.and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{field}: {message}"));
        size(&mut config, Some(least - 1));
        assert!(linear(&config, &layer, &LinearInput::Codes(&acts)).is_err(), "{field}");
        size(&mut config, Some(least));
    }
    compare(&config, &layer, &LinearInput::Codes(&acts));
    let other = random_layer(50, 91, Coding::new(Format::W8a8), 1);
    let message = linear(&config, &other, &LinearInput::Codes(&acts)).unwrap_err().to_string();
    assert!(message.contains("rows: inputs = 90"), "{message}");
    let blocks = random_layer(50, 90, Coding::new(Format::W4a4), 1);
    config.pe.formats = vec![Format::W4a4];
    let message = linear(&config, &blocks, &LinearInput::Codes(&acts)).unwrap_err().to_string();
    assert!(message.contains("give wide rows"), "{message}");
}

/// The same in the step simulator, on odd arrays and with stalls.
#[test]
fn step_gives_what_the_instruction_set_gives() {
    let mut draw = Draw(4);
    for (rows, cols, format, seed) in
        [(5, 3, Format::W8a8, Some(1)), (5, 12, Format::W4a8, None), (8, 8, Format::Mxfp4, Some(2))]
    {
        let config = config(rows, cols, &[format]);
        let layer = random_layer(50, 72, Coding::new(format), 5);
        let design = Design::new(top(&config).unwrap());
        let timing = Timing { stall_seed: seed, ..Timing::latency(20) };
        let mut accelerator = Accelerator::new(&design, timing).unwrap();
        for m in [1, 19] {
            for program in compare_all(&config, &layer, m, &mut draw) {
                let run = iss::run(&program, &mut iss::Blind).unwrap();
                accelerator.start(&program).unwrap();
                accelerator.finish_run(1_000_000, &mut |_| {}).unwrap_or_else(|e| panic!("{e}"));
                for kind in [OutputKind::Logits, OutputKind::Steps] {
                    for row in 0..m as u32 {
                        assert_eq!(
                            accelerator.output(&program, kind, row),
                            run.output(kind, row).ok(),
                            "{kind:?} {row}"
                        );
                    }
                }
                let cycles = accelerator.counters().unwrap().get("cycles").unwrap();
                assert!(roofline(&program) <= cycles, "{cycles} cycles");
            }
        }
    }
}
