//! The flows on a small unit with whatever tools are installed; a missing tool skips what needs it, and says so.

use std::path::Path;

use hdl::rtl::Design;
use spec::Config;
use spec::cost::Cost;
use synth::{Job, Options, Target};

fn pe() -> Job {
    let config = Config::from_toml(hdl::presets::preset("tiny").unwrap()).unwrap();
    Job::new(&config, "pe", Design::new(hdl::unit::pe::pe(&config).unwrap())).unwrap()
}

fn is_missing(tool: &tool::Tool) -> bool {
    let missing = tool.find().is_err();
    if missing {
        eprintln!("skipped: {} is not installed ({})", tool.name, tool.install());
    }
    missing
}

fn run(options: Options, folder: &Path) -> Cost {
    let options = Options { store: Some(folder.to_path_buf()), ..options };
    let job = pe();
    let outcome = synth::run(&job, &options).unwrap_or_else(|e| panic!("{e}"));
    assert!(!outcome.was_kept && outcome.folder.join("cost.json").is_file());
    let again = synth::run(&job, &options).unwrap();
    assert!(again.was_kept && again.cost == outcome.cost);
    assert_eq!((outcome.cost.unit.as_str(), outcome.cost.config_hash.as_str()), ("pe", job.config_hash.as_str()));
    outcome.cost
}

#[test]
fn a_processing_element_on_ice40() {
    if is_missing(&tool::SYNTH_YOSYS) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let cost = run(Options::new(Target::Ice40), folder.path());
    // 8 + 2 registers to the right, 16 of weights, 16 of the product, 18 of the sum; a multiplier of 8 x 8 bits.
    assert_eq!(cost.ffs, 60);
    let luts = cost.luts.unwrap();
    assert!((100..400).contains(&luts), "{luts}");
    assert_eq!(luts, cost.modules.iter().map(|row| row.luts).sum::<u64>());
    assert_eq!((cost.dsps, cost.brams, cost.area_um2), (Some(0), Some(0), None));
    if is_missing(&tool::NEXTPNR_ICE40) {
        assert!(cost.freq_mhz.is_none() && cost.remarks.iter().any(|remark| remark.contains("nextpnr-ice40")));
        return;
    }
    let freq = cost.freq_mhz.unwrap();
    assert!((40.0..300.0).contains(&freq), "{freq}");
    let path = cost.worst_path.unwrap();
    assert!((path.period_ns.unwrap() - 1000.0 / freq).abs() < 0.05 * 1000.0 / freq, "{path:?}");
    assert!(path.unit.starts_with("systole_"), "{path:?}");
    assert!(!cost.utilisation.is_empty());
}

#[test]
fn a_processing_element_in_a_cell_library() {
    if is_missing(&tool::SYNTH_YOSYS) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/demo.lib");
    let cost = run(Options::asic(&library), folder.path());
    assert_eq!(cost.ffs, 60);
    // 60 registers of 6 µm².
    assert_eq!(cost.seq_area_um2, Some(360.0));
    let area = cost.area_um2.unwrap();
    assert!((700.0..4000.0).contains(&area), "{area}");
    assert!((area - cost.modules.iter().map(|row| row.area_um2).sum::<f64>()).abs() < 1e-6);
    let own = cost.own_period_ns.unwrap();
    assert!((0.3..10.0).contains(&own), "{own}");
    let path = cost.worst_path.as_ref().unwrap();
    if is_missing(&tool::STA) {
        assert_eq!(cost.timing.as_deref(), Some("systole"));
        return;
    }
    assert_eq!(cost.timing.as_deref(), Some("opensta"));
    let sta = path.period_ns.unwrap();
    assert!((own - sta).abs() <= 0.02 * sta, "own {own} ns, OpenSTA {sta} ns");
    assert!((cost.freq_mhz.unwrap() - 1000.0 / sta).abs() < 1e-6);
}

/// Targets whose placer gives no pin a place by itself.
fn with_pins(target: Target) {
    let Some(placer) = target.placer() else { return };
    if is_missing(&tool::SYNTH_YOSYS) || is_missing(&placer) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let cost = run(Options::new(target), folder.path());
    assert_eq!((cost.dsps, cost.brams), (Some(1), Some(0)));
    assert!(cost.remarks.is_empty(), "{:?}", cost.remarks);
    let freq = cost.freq_mhz.unwrap();
    assert!((50.0..1000.0).contains(&freq), "{freq}");
    assert!(cost.worst_path.unwrap().unit.starts_with("systole_"));
    assert!(cost.utilisation.iter().any(|used| used.resource.contains("MULT")));
}

#[test]
fn a_processing_element_on_gowin() {
    with_pins(Target::Gowin);
}

#[test]
#[ignore = "half a minute of CPU in nextpnr's first router"]
fn a_processing_element_on_nexus() {
    with_pins(Target::Nexus);
}

#[test]
fn what_cannot_be_synthesised_is_named() {
    if is_missing(&tool::SYNTH_YOSYS) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = |options: Options| {
        let options = Options { store: Some(folder.path().to_path_buf()), ..options };
        synth::run(&pe(), &options).unwrap_err()
    };
    let error = run(Options::new(Target::Asic));
    assert!(!error.is_tool() && error.to_string().contains("--liberty"), "{error}");
    let error = run(Options::asic(Path::new("/nonexistent.lib")));
    assert!(!error.is_tool() && error.to_string().contains("/nonexistent.lib"), "{error}");
    let broken = folder.path().join("broken.lib");
    std::fs::write(&broken, "library (x) {").unwrap();
    let error = run(Options::asic(&broken));
    assert!(!error.is_tool() && error.to_string().contains("broken.lib: line 1"), "{error}");
}
