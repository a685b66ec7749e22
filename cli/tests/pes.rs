//! `report pes`: a netlist whose sums are those of golden, and what the table says.

mod common;

use common::{json, run};
use golden::num::decode;
use hdl::rtl::Design;
use spec::{Config, Format, Operand};
use synth::energy::power::PowerLibrary;
use synth::pes::{self, Operands};
use tempfile::tempdir;

const LIBRARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../synth/tests/demo.lib");

#[test]
fn sums_of_the_netlist_are_the_products_and_the_table_has_every_figure() {
    if tool::SYNTH_YOSYS.find().is_err() {
        eprintln!("skipped: yosys is not installed ({})", tool::SYNTH_YOSYS.install());
        return;
    }
    let folder = tempdir().unwrap();
    let args = ["report", "pes", "--liberty", LIBRARY, "--format", "w4a4", "--technology", "generic45"];
    let (code, value) = json(folder.path(), &args);
    assert_eq!(code, 0, "{value}");
    let row = &value["libraries"][0]["rows"][0];
    for field in ["pe_area_um2", "area_um2_per_mac", "period_ns", "gmacs_per_mm2"] {
        assert!(row[field].as_f64() > Some(0.0), "{field}: {value}");
    }
    let energy = row["energy"].as_array().unwrap();
    let names: Vec<&str> = energy.iter().map(|of| of["operands"].as_str().unwrap()).collect();
    assert_eq!(names, ["uniform", "gaussian", "real"]);
    let pj: Vec<f64> = energy.iter().map(|of| of["pj_per_mac"].as_f64().unwrap()).collect();
    // Random codes flip more bits than those of a bell or of text.
    assert!(pj[0] > pj[1] && pj[0] > pj[2] && pj[2] > 0.0, "{pj:?}");
    assert_eq!(value["published"].as_array().unwrap().len(), 4);
    assert!(value["libraries"][0]["activity"]["rows"][0]["ratio"].as_f64() > Some(0.0), "{value}");

    // The same netlist, kept from the command's run.
    let base = Config::from_toml(hdl::presets::preset("base").unwrap()).unwrap();
    let config = pes::config(&base, Format::W4a4).unwrap();
    let design = Design::new(hdl::unit::array::array(&config).unwrap());
    let mut options = synth::Options::asic(LIBRARY.as_ref());
    options.store = Some(concat!(env!("CARGO_TARGET_TMPDIR"), "/models/synth").into());
    options.propagates = true;
    let outcome = synth::run(&synth::Job::new(&config, "array", design).unwrap(), &options).unwrap();
    assert!(outcome.was_kept, "{}", outcome.folder.display());
    let (tiles, tokens, side) = (5, 7, pes::SIDE as usize);
    let code = |i: usize| (i * i * 7 + i * 3) as i8 % 8;
    let operands = Operands {
        name: "test".into(),
        weights: (0..tiles * side * side).map(code).collect(),
        acts: (1..=tiles * tokens * side).map(code).collect(),
        tokens,
    };
    let library = PowerLibrary::load(LIBRARY.as_ref()).unwrap();
    let netlist = pes::netlist(&outcome).unwrap();
    let (energy, sums) = pes::energy(&config, &netlist, &library, &operands).unwrap();
    let int = |code: i8| i64::from(decode(Operand::Int4, code).unwrap());
    let mut wanted = Vec::new();
    for step in 0..tiles * tokens {
        let weights = &operands.weights[step / tokens * side * side..];
        for col in 0..side {
            let product = |row: usize| int(operands.acts[step * side + row]) * int(weights[row * side + col]);
            wanted.push((0..side).map(product).sum::<i64>());
        }
    }
    assert_eq!(sums, wanted);
    assert!(wanted.iter().any(|&sum| sum < -50) && wanted.iter().any(|&sum| sum > 50), "{wanted:?}");
    assert_eq!(energy.macs, (tiles * tokens * side * side) as u64);
    // The library has no internal power, only capacitances.
    assert!(energy.gates.switching_pj > 0.0 && energy.gates.internal_pj == 0.0, "{energy:?}");
    let short = Operands { tokens: 3, ..operands };
    assert!(pes::energy(&config, &netlist, &library, &short).unwrap_err().contains("3 tokens"));
}

#[test]
fn what_cannot_be_in_the_table_is_refused() {
    let folder = tempdir().unwrap();
    for (args, problem) in [
        (&["report", "pes"][..], "--liberty"),
        (&["report", "pes", "--liberty", "none.lib"], "none.lib"),
        (&["report", "pes", "--liberty", LIBRARY, "--set", "array.dataflow=os"], "array.dataflow"),
        (&["report", "pes", "--liberty", LIBRARY, "--technology", "moon"], "moon"),
    ] {
        let (code, _, stderr) = run(folder.path(), args);
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains(problem), "{stderr}");
    }
}
