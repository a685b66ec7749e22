//! The longest path of each module on real nextpnr output: the longest of them is nextpnr's own, and every end is a
//! register or port that the Verilog has.

use hdl::rtl::Design;
use spec::Config;
use synth::{Job, Options, Target};

/// One PE of the smallest preset.
fn pe() -> Job {
    let config = Config::from_toml(hdl::presets::preset("tiny").unwrap()).unwrap();
    Job::new(&config, "pe", Design::new(hdl::unit::pe::pe(&config).unwrap())).unwrap()
}

fn on(target: Target) {
    let tools = [tool::SYNTH_YOSYS, target.placer().unwrap()];
    if let Some(tool) = tools.iter().find(|tool| tool.find().is_err()) {
        eprintln!("skipped: {} is not installed ({})", tool.name, tool.install());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let options = Options { store: Some(folder.path().to_path_buf()), ..Options::new(target) };
    let job = pe();
    let cost = synth::run(&job, &options).unwrap_or_else(|e| panic!("{e}")).cost;
    assert!(cost.remarks.is_empty(), "{:?}", cost.remarks);
    let whole = cost.worst_path.as_ref().unwrap();
    let period = whole.period_ns.unwrap();
    assert!((period - 1000.0 / cost.freq_mhz.unwrap()).abs() < 0.002 * period, "{target}: {whole:?}");
    let paths: Vec<_> = cost.modules.iter().filter_map(|row| Some((row, row.worst_path.as_ref()?))).collect();
    let longest = paths.iter().filter_map(|(_, path)| path.period_ns).fold(0.0, f64::max);
    assert!((longest - period).abs() < 0.002 * period, "{target}: {longest} ns, nextpnr {period} ns");
    let text: String = job.files.iter().map(|(_, text)| text.as_str()).collect();
    let blocks = cost.dsps.unwrap() + cost.brams.unwrap();
    for (row, path) in &paths {
        assert_eq!(path.unit, row.module);
    }
    for path in paths.iter().map(|(_, path)| *path).chain([whole]) {
        for end in [&path.start, &path.end] {
            assert!(blocks > 0 || !end.contains('/'), "{target}: {end}");
            // `u_product.x_q[3]` or, in a multiplier or memory, `x_q/PIN`.
            let name = end.rsplit('.').next().unwrap().split(['[', '/']).next().unwrap();
            assert!(text.contains(&format!(" {name};")) || text.contains(&format!(" {name},")), "{target}: {end}");
            assert!(name.ends_with("_q") || name.ends_with("_i") || name.ends_with("_o"), "{target}: {end}");
        }
    }
    // The product of a PE is combinational: all registers are the PE's own, whatever names synthesis left them.
    let flops: Vec<_> = cost.modules.iter().filter(|row| row.ffs > 0).map(|row| row.module.as_str()).collect();
    assert_eq!(flops, ["systole_pe"], "{target}");
}

#[test]
fn on_ice40_each_module_has_its_longest_path() {
    on(Target::Ice40);
}

#[test]
fn on_ecp5_each_module_has_its_longest_path() {
    on(Target::Ecp5);
}

#[test]
fn on_gowin_each_module_has_its_longest_path() {
    on(Target::Gowin);
}

#[test]
#[ignore = "half a minute of CPU in nextpnr's first router"]
fn on_nexus_each_module_has_its_longest_path() {
    on(Target::Nexus);
}
