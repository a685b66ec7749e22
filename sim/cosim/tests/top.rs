//! The whole accelerator under Verilator while it runs whole programs; faults planted in its Verilog.

use cosim::engine::generate;
use cosim::rtl::Source;
use cosim::{Options, Sources, TopCosim, TopRun};
use golden::layers::random::{Coding, Shape, random_model};
use hdl::rtl::Design;
use sim::lower::program::{Job, lower};
use sim::memory::{Channel, Timing};
use spec::isa::Program;
use spec::verdict::Mismatch;
use spec::{Config, Format};

const SHAPE: Shape =
    Shape { hidden: 20, ffn: 29, blocks: 2, heads: 4, kv_heads: 2, head_dim: 6, vocab: 33, positions: 40 };

fn small(formats: &[Format]) -> Config {
    let mut config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
    config.pe.formats = formats.to_vec();
    config.validate().unwrap_or_else(|e| panic!("{e}"));
    config
}

fn program(config: &Config, format: Format, seed: u64) -> Program {
    let model = random_model(&SHAPE, &[Coding::new(format)], seed);
    lower(config, &model, &Job { prompt: &[3, 1, 4], tokens: 2, logits: true }).unwrap_or_else(|e| panic!("{e}"))
}

fn build(config: &Config) -> TopCosim {
    TopCosim::new(config, &Sources::Generated, &Options::default()).unwrap_or_else(|e| panic!("{e}"))
}

/// A run that must be the same in all models, all of it.
fn matches(cosim: &TopCosim, program: &Program, timing: Timing, options: &Options) -> TopRun {
    let run = cosim.run(program, timing, options, |_| {}).unwrap_or_else(|e| panic!("{e}"));
    assert!(run.verdict.matched(), "{:#?}", run.verdict.first);
    assert_eq!(run.instructions_checked, program.instrs.len() as u64);
    assert_eq!(run.verdict.cycles_checked, run.verdict.cycles);
    println!(
        "{} cycles, {} values, {:.0} cycles/s, step alone {:.0}",
        run.verdict.cycles,
        run.verdict.golden_values_checked,
        run.cycles_per_second(),
        run.verdict.cycles as f64 / run.step_busy.as_secs_f64()
    );
    run
}

#[test]
fn random_models_are_the_same_in_every_cycle() {
    let config = small(&[Format::W8a8, Format::W4a8]);
    let cosim = build(&config);
    assert!(cosim.has_probes());
    for (format, seed) in [(Format::W8a8, None), (Format::W4a8, Some(5))] {
        let program = program(&config, format, 1);
        let timing = Timing { stall_seed: seed, ..Timing::latency(20) };
        let run = matches(&cosim, &program, timing, &Options::default());
        assert_eq!(run.tokens(&program).len(), 2);
    }
}

#[test]
fn registers_and_memories_may_start_at_anything() {
    let config = small(&[Format::W8a8, Format::W4a8]);
    let cosim = build(&config);
    let program = program(&config, Format::W8a8, 2);
    let timing = Timing { stall_seed: Some(9), ..Timing::latency(3) };
    let from_zero = matches(&cosim, &program, timing, &Options::default());
    let options = Options { random_start: Some((3, 4)), ..Options::default() };
    let run = matches(&cosim, &program, timing, &options);
    assert_eq!((run.counters, run.verdict.cycles), (from_zero.counters, from_zero.verdict.cycles));
}

#[test]
fn a_memory_that_hangs_is_a_mismatch_that_names_the_handshake() {
    let config = small(&[Format::W8a8, Format::W4a8]);
    let cosim = build(&config);
    let program = program(&config, Format::W8a8, 2);
    for (channel, item, text) in [
        (Channel::Ar, 40, "m_axi_arvalid without m_axi_arready since cycle"),
        (Channel::R, 500, "that was asked for in cycle"),
        (Channel::Aw, 0, "m_axi_awvalid without m_axi_awready since cycle"),
        (Channel::W, 3, "m_axi_wvalid without m_axi_wready since cycle"),
        (Channel::B, 2, "the response to the write whose data ended in cycle"),
    ] {
        let options = Options { hang: Some((channel, item)), watchdog_cycles: Some(1500), ..Options::default() };
        let run = cosim.run(&program, Timing::latency(5), &options, |_| {}).unwrap();
        let first = run.verdict.first.clone().unwrap_or_else(|| panic!("{channel:?}"));
        assert_eq!((run.verdict.matched(), run.verdict.mismatches), (false, 1));
        for part in [text, "watchdog: no instruction retired", "has not"] {
            assert!(first.point.contains(part), "{channel:?}: {}", first.point);
        }
        assert!(first.instruction.is_some() && first.cycle > 1500);
        println!("{channel:?}: {}", first.point);
    }
}

/// Replaces `from` in module `name` by `to`, which may ask for `fault`, a number from the command line.
fn plant(files: &mut [Source], name: &str, from: &str, to: &str) {
    let (_, text) = files.iter_mut().find(|(file, _)| file == name).unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(text.matches(from).count(), 1, "{name}: {from}");
    *text = text.replace(from, to);
    if !text.contains("reg [7:0] fault;") {
        let declared =
            "\n);\n\n  reg [7:0] fault;\n  initial if (!$value$plusargs(\"fault=%d\", fault)) fault = 8'd0;\n";
        *text = text.replacen("\n);\n", declared, 1);
    }
}

/// Faults by number: module, right text, wrong text.
const FAULTS: [(&str, &str, &str); 7] = [
    ("systole_foot.v", "assign acc_o = so_far + sum;", "assign acc_o = so_far + sum + (fault == 8'd1);"),
    ("systole_vec_lane.v", "+ carry;", "+ (carry ^ (fault == 8'd2));"),
    ("systole_front.v", "assign w_valid_o = memory_w_valid;", "assign w_valid_o = memory_w_valid && fault != 8'd3;"),
    (
        "systole_issue_queue.v",
        "assign give_o = at_work_out_data &",
        "assign give_o = (fault == 8'd4 ? {at_work_out_data[0], at_work_out_data[3:1]} : at_work_out_data) &",
    ),
    (
        "systole_vec_results.v",
        "assign addr_o = dst_i + place[15:0];",
        "assign addr_o = dst_i + place[15:0] + (fault == 8'd5);",
    ),
    ("systole_issue_queue.v", "assign unit_valid_o = may_start;", "assign unit_valid_o = may_start && fault != 8'd6;"),
    ("systole_counters.v", "value = read_beats_q;", "value = read_beats_q + (fault == 8'd7);"),
];

#[test]
fn every_planted_fault_is_found_where_it_is() {
    let config = small(&[Format::W8a8, Format::W4a8]);
    let mut files = generate(&config, &Design::new(hdl::unit::top::top(&config).unwrap())).unwrap();
    for (name, from, to) in FAULTS {
        plant(&mut files, name, from, to);
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in &files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let sources = Sources::Folder(folder.path().to_path_buf());
    let cosim = TopCosim::new(&config, &sources, &Options::default()).unwrap_or_else(|e| panic!("{e}"));
    assert!(cosim.has_probes());
    let program = program(&config, Format::W8a8, 2);
    let timing = Timing::latency(10);
    let cycles = matches(&cosim, &program, timing, &Options::default()).verdict.cycles;
    let vcd = folder.path().join("window.vcd");
    let find = |fault: usize| -> Mismatch {
        let options = Options {
            plusargs: vec![format!("+fault={fault}")],
            repeat: "the same again".into(),
            mismatch_vcd: Some(vcd.clone()),
            ..Options::default()
        };
        let run = cosim.run(&program, timing, &options, |_| {}).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((run.verdict.matched(), run.verdict.mismatches), (false, 1), "fault {fault}");
        let first = run.verdict.first.unwrap_or_else(|| panic!("fault {fault}"));
        println!("fault {fault}: {first:?}");
        assert!(first.cycle < cycles && first.repeat == "the same again");
        assert_eq!(first.vcd.as_deref(), vcd.to_str());
        assert!(std::fs::metadata(&vcd).unwrap().len() > 1000);
        std::fs::remove_file(&vcd).unwrap();
        first
    };
    let points = ["acc_data", "vb_data", "m_axi_wvalid", "", "vb_addr", "", "s_axil_rdata"];
    for (i, point) in points.into_iter().enumerate() {
        let first = find(i + 1);
        assert!(point.is_empty() || first.point == point, "{first:?}");
        let has_place = ["acc_data", "vb_data"].contains(&point);
        assert_eq!(first.place.is_some(), has_place, "{first:?}");
        assert!(first.step.is_some() && first.rtl.is_some() && first.step != first.rtl, "{first:?}");
        assert!(first.instruction.is_some() || point == "s_axil_rdata", "{first:?}");
    }
}

/// A top of which only the ports are known.
#[test]
#[ignore = "two more builds of the accelerator"]
fn verilog_with_other_names_inside_is_compared_at_its_ports() {
    let config = small(&[Format::W8a8]);
    let mut files = generate(&config, &Design::new(hdl::unit::top::top(&config).unwrap())).unwrap();
    plant(&mut files, "systole_top.v", "systole_core u_core (", "systole_core u_other (");
    plant(&mut files, "systole_foot.v", FAULTS[0].1, FAULTS[0].2);
    let cosim = TopCosim::new(&config, &Sources::Given(files), &Options::default()).unwrap_or_else(|e| panic!("{e}"));
    assert!(!cosim.has_probes());
    let program = program(&config, Format::W8a8, 2);
    matches(&cosim, &program, Timing::latency(10), &Options::default());
    let options = Options { plusargs: vec!["+fault=1".into()], ..Options::default() };
    let run = cosim.run(&program, Timing::latency(10), &options, |_| {}).unwrap();
    assert!(run.verdict.first.is_some_and(|first| first.point.starts_with("m_axi_")));
}
