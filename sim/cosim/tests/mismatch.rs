//! What is found when something is wrong: changed operators, designs that hang, processes that die.

mod support;

use std::time::Duration;

use cosim::engine::generate;
use cosim::rtl::Source;
use cosim::{Cosim, Error, Options, Sources};
use golden::gemm::{Shape, random_layer};
use golden::linear::Prepared;
use sim::engine::engine_design;
use spec::verdict::{Mismatch, Verdict};
use spec::{Config, Format, RequantMode};
use support::{Run, config};

fn tiny() -> Config {
    let mut config = config(2, 2, &[Format::W8a8]);
    config.array.chunk_rows = 3;
    config.bus.data_bits = 32;
    config
}

const RUN: Run = Run {
    shape: (8, 7, 5),
    format: Format::W8a8,
    mode: RequantMode::Dynamic,
    stall_seed: Some(3),
    random_start: None,
    seed: 2,
};

fn sources(config: &Config) -> Vec<Source> {
    generate(config, &engine_design(config).unwrap()).unwrap()
}

/// The sources with one text of one file changed.
fn changed(config: &Config, file: &str, from: &str, to: &str) -> Sources {
    let mut files = sources(config);
    let name = format!("{}_{file}.v", config.design.prefix);
    let text = &mut files.iter_mut().find(|(n, _)| *n == name).unwrap_or_else(|| panic!("no {name}")).1;
    assert!(text.contains(from), "{name} has no {from:?}:\n{text}");
    *text = text.replacen(from, to, 1);
    Sources::Given(files)
}

fn found(config: &Config, sources: &Sources, options: &Options) -> (Verdict, Mismatch) {
    let cosim = Cosim::new(config, sources, options).unwrap();
    let verdict = RUN.on(&cosim, options);
    assert!(!verdict.matched());
    let first = verdict.first.clone().expect("a mismatch says where");
    (verdict, first)
}

#[test]
fn a_changed_pe_is_found_at_its_sum() {
    let config = tiny();
    let folder = std::env::temp_dir().join(format!("systole-mismatch-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let options = Options {
        mismatch_vcd: Some(folder.join("window.vcd")),
        vcd: Some(folder.join("all.vcd")),
        repeat: "systole cosim again".into(),
        ..Options::default()
    };
    let (verdict, first) = found(&config, &changed(&config, "product", ") * $signed(", ") + $signed("), &options);
    assert_eq!((first.point.as_str(), first.tile.as_str()), ("sum", "0/0/0"), "{first:?}");
    assert!(first.row == Some(0) && first.col.is_some_and(|c| c < 2), "{first:?}");
    assert!(first.golden == first.step && first.rtl != first.step, "{first:?}");
    assert_eq!((first.layer.as_str(), first.repeat.as_str()), ("gemm 8x7x5", "systole cosim again"));
    assert_eq!((verdict.mismatches, verdict.golden_values_checked), (1, 0));
    for file in ["window.vcd", "all.vcd"] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        assert!(text.contains("$scope module step") && text.contains("$scope module rtl"));
        let stamp = format!("#{}\n", first.cycle * 10);
        assert!(text.contains(&stamp), "{file} shows cycle {}", first.cycle);
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_changed_requantizer_is_found_at_its_value() {
    let config = tiny();
    let sources = changed(&config, "requant_lane", "less_128 + 8'd1", "less_128 - 8'd1");
    let (_, first) = found(&config, &sources, &Options::default());
    assert_eq!((first.point.as_str(), first.row), ("m_axis_tdata", Some(0)), "{first:?}");
    let col = first.col.expect("a value has a column");
    assert_eq!(first.tile, format!("0/{}", col / 2));
    let value = |text: &Option<String>| text.as_ref().and_then(|t| t.parse::<i32>().ok()).unwrap();
    assert_eq!((value(&first.rtl) - value(&first.step)).rem_euclid(256), 254, "{first:?}");
    assert_eq!(first.golden, first.step);
}

#[test]
fn changed_control_is_found_in_the_first_cycle_that_differs() {
    let config = tiny();
    // Rows of a tile end one too early or never: the second row of a chunk of three is where it shows.
    let sources = changed(&config, "matmul_rows", "row_last = row_q == last_row_q", "row_last = row_q != last_row_q");
    let (verdict, first) = found(&config, &sources, &Options::default());
    assert!(first.tile.starts_with("0/0/"), "{first:?}");
    assert!(first.row.is_some_and(|r| r < 3) && first.step != first.rtl, "{first:?}");
    assert!(verdict.golden_values_checked <= 6, "{verdict:?}");
}

#[test]
fn a_design_that_never_answers_is_a_mismatch() {
    let config = tiny();
    let name = format!("{}_engine", config.design.prefix);
    let mut files = sources(&config);
    let text = &mut files.iter_mut().find(|(n, _)| *n == format!("{name}.v")).unwrap().1;
    *text = text.replace("assign s_axis_tready = ", "assign s_axis_tready = 1'b0 & ");
    let (_, first) = found(&config, &Sources::Given(files), &Options::default());
    assert_eq!(first.point, "s_axis_tready");
}

#[test]
fn a_wrong_design_of_ours_is_a_mismatch_too() {
    let config = tiny();
    let cosim = support::build(&config);
    let (m, k, n) = RUN.shape;
    let make = |seed| random_layer(Shape { m, k, n }, RUN.format, RUN.mode, false, seed).unwrap();
    let (layer, acts) = make(4);
    // Golden is told of another weight: sums differ, though both models of the hardware agree.
    let mut other = layer.clone();
    let weight = &mut other.weight.data[3 * k + 6];
    let change = if *weight > 0 { -1 } else { 1 };
    *weight += change;
    other.sum[3] += i32::from(change);
    let row = (0..m).find(|&r| acts.codes.row(r)[6] != 0).unwrap();
    let golden = Prepared::new(&other, &acts).unwrap();
    let verdict = cosim.run_against(&golden, &layer, &acts, &Options::default(), |_, _| {}).unwrap();
    let first = verdict.first.unwrap();
    assert_eq!((first.point.as_str(), first.col, first.row), ("sum", Some(3), Some(row as u64)));
    assert!(first.tile.ends_with("/1/3") && first.step == first.rtl && first.golden != first.step, "{first:?}");
}

#[test]
fn verilog_that_does_not_compile_is_a_failed_tool() {
    let config = tiny();
    let sources = changed(&config, "engine", "endmodule", "endmodul");
    let error = Cosim::new(&config, &sources, &Options::default()).err().expect("does not compile");
    assert!(error.is_tool() && error.to_string().contains("syntax error"), "{error}");
}

/// Replaces the requantizer by something that stops the process in its first cycle.
fn sabotaged(config: &Config, statement: &str) -> Result<Verdict, Error> {
    let sources = changed(config, "engine", "endmodule", &format!("  initial $c(\"{statement}\");\nendmodule"));
    let options = Options { batch_timeout: Duration::from_secs(3), ..Options::default() };
    let cosim = Cosim::new(config, &sources, &options)?;
    let (m, k, n) = RUN.shape;
    let (layer, acts) = random_layer(Shape { m, k, n }, RUN.format, RUN.mode, false, 1).unwrap();
    cosim.run(&layer, &acts, &options, |_, _| {})
}

#[test]
fn a_process_that_dies_is_a_failed_tool_with_its_signal() {
    let error = sabotaged(&tiny(), "__builtin_trap();").unwrap_err();
    assert!(error.is_tool() && error.to_string().contains("signal"), "{error}");
}

#[test]
fn a_process_that_does_not_answer_is_a_failed_tool() {
    let error = sabotaged(&tiny(), "volatile int x = 1; while (x) {}").unwrap_err();
    assert!(error.is_tool() && error.to_string().contains("did not finish in 3 s"), "{error}");
}

#[test]
fn folders_are_read_as_they_stand() {
    let folder = std::env::temp_dir().join(format!("systole-folder-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let config = tiny();
    let options = Options::default();
    let error = Cosim::new(&config, &Sources::Folder(folder.clone()), &options).err().expect("there is no Verilog");
    assert!(!error.is_tool() && error.to_string().contains("no Verilog files"), "{error}");
    for (name, text) in sources(&config) {
        std::fs::write(folder.join(name), text).unwrap();
    }
    std::fs::write(folder.join("tb_other.v"), "not Verilog at all").unwrap();
    let cosim = Cosim::new(&config, &Sources::Folder(folder.clone()), &options).unwrap();
    assert!(cosim.has_probes());
    RUN.matches(&cosim);
    std::fs::remove_dir_all(&folder).unwrap();
}
