//! Activity, SAIF and energy of simulations; energy from activity beside that of the netlist, gate by gate.

use std::path::Path;

use hdl::rtl::{Design, Header};
use serde_json::Value;
use sim::engine::Bench;
use sim::step::activity::Grain;
use spec::energy::Energy;
use spec::{Activity, Config, Format};
use synth::energy::gates::{GateEnergy, GateSim};
use synth::energy::netlist::Netlist;
use synth::energy::power::PowerLibrary;
use synth::energy::{Choice, Technology, census, energy};

fn simulate(args: &[&str]) -> Value {
    let mut command = assert_cmd::Command::cargo_bin("systole").unwrap();
    let output = command.args(["simulate", "--json"]).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_product_has_activity_saif_and_energy() {
    let folder = tempfile::tempdir().unwrap();
    let (activity, saif) = (folder.path().join("a.json"), folder.path().join("a.saif"));
    let files = ["--activity", activity.to_str().unwrap(), "--saif", saif.to_str().unwrap()];
    let gemm = ["--preset", "tiny", "--gemm", "20x30x10", "--technology", "sky130", "--window", "100"];
    let found = simulate(&[&gemm[..], &files].concat());
    let activity: Activity = serde_json::from_slice(&std::fs::read(&activity).unwrap()).unwrap();
    let energy: Energy = serde_json::from_value(found["energy"].clone()).unwrap();
    assert_eq!(energy.cycles, activity.cycles);
    assert_eq!(energy.windows.len() as u64, activity.cycles.div_ceil(100));
    let total = energy.total.total_pj();
    let sum: f64 = energy.units.iter().map(|u| u.energy.total_pj()).sum();
    let windows: f64 = energy.windows.iter().map(|w| w.energy.total_pj()).sum();
    assert!((sum / total - 1.0).abs() < 1e-9 && (windows / total - 1.0).abs() < 1e-9, "{sum} {windows} {total}");
    assert!(energy.total.memories_pj > 0.0 && energy.total.dram_pj == 0.0 && !energy.has_glitches);
    let saif = std::fs::read_to_string(&saif).unwrap();
    assert!(saif.contains(&format!("(DURATION {})", 1000 * activity.cycles)));
    // The file has every register's toggles; those of ports come on top.
    let toggles: u64 = saif.split("(TC ").skip(1).map(|t| t.split(')').next().unwrap().parse::<u64>().unwrap()).sum();
    let classes = activity.classes();
    assert!(toggles >= classes.registers + classes.memory_outputs + classes.buses, "{toggles} {classes:?}");
}

#[test]
fn a_model_has_energy_by_operator_layer_and_token() {
    let found = simulate(&[
        "--preset",
        "small",
        "--model",
        "fairy",
        "--prompt",
        "The king",
        "--tokens",
        "2",
        "--technology",
        "nangate45",
        "--dram",
        "hbm2",
    ]);
    let energy: Energy = serde_json::from_value(found["energy"].clone()).unwrap();
    let total = energy.total.total_pj();
    for list in [&energy.operators, &energy.layers, &energy.tokens] {
        assert!(list.len() > 1, "{list:?}");
        let sum: f64 = list.iter().map(|n| n.energy.total_pj()).sum();
        // What moves outside the program's sections belongs to none of them: some hundred pJ.
        assert!((sum / total - 1.0).abs() < 1e-5, "{sum} of {total}");
    }
    // Every weight is read once a token at least.
    assert!(energy.total.dram_pj > 0.0 && energy.dram == "hbm2");
}

#[test]
fn what_cannot_be_used_is_refused() {
    for (args, word) in [
        (["--technology", "moon", "--dram", "ddr4"], "nangate45"),
        (["--technology", "asap7", "--dram", "core"], "hbm2"),
        (["--technology", "asap7", "--freq-mhz", "0"], "MHz"),
    ] {
        let mut command = assert_cmd::Command::cargo_bin("systole").unwrap();
        let output = command.args(["simulate", "--preset", "tiny", "--gemm", "2x2x2"]).args(args).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && text.contains(word), "{text}");
    }
}

/// Maps an array and runs it and the simulator on the same random inputs; every output of every cycle must agree.
fn both(liberty: &Path, format: Format) -> (Activity, GateEnergy, Design) {
    let mut config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
    (config.array.rows, config.array.cols) = (3, 5);
    config.pe.kind = format.pe_kind();
    config.pe.formats = vec![format];
    config.validate().unwrap_or_else(|e| panic!("{e}"));
    let design = Design::new(hdl::unit::array::array(&config).unwrap());
    let top = &design.top.name;
    let folder = tempfile::tempdir().unwrap();
    let mut files = String::new();
    for (name, text) in design.emit(&Header::default()).unwrap() {
        std::fs::write(folder.path().join(&name), text).unwrap();
        files += &format!("{name} ");
    }
    let liberty_path = liberty.display();
    let script = format!(
        "read_verilog {files}; synth -flatten -top {top}; dfflibmap -liberty {liberty_path}; opt; \
         abc -liberty {liberty_path}; hilomap; setundef -zero; opt_clean -purge; write_json netlist.json"
    );
    let timeout = std::time::Duration::from_secs(1200);
    tool::Command::tool(&tool::YOSYS)
        .unwrap()
        .args(["-q", "-p", &script])
        .cwd(folder.path())
        .timeout(timeout)
        .run()
        .unwrap();
    let text = std::fs::read_to_string(folder.path().join("netlist.json")).unwrap();
    let netlist = Netlist::from_json(&text, top).unwrap();
    let library = PowerLibrary::load(liberty).unwrap();
    let mut gates = GateSim::new(&netlist, &library, 0.1).unwrap();
    let mut bench = Bench::new(&design, &[]).unwrap();
    bench.stepper.count_activity(Some(Grain::Grids));
    let mut state = 99u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let (mut inputs, mut outputs) = (vec![0; bench.inputs.words], vec![0; bench.outputs.words]);
    for cycle in 0..800 {
        inputs.fill(0);
        for field in &bench.inputs.fields {
            let mut limbs: Vec<u64> = (0..field.words()).map(|_| random()).collect();
            if field.width % 64 != 0 {
                *limbs.last_mut().unwrap() &= (1 << (field.width % 64)) - 1;
            }
            field.put(&mut inputs, &limbs);
            gates.set(&field.name, &limbs);
        }
        bench.cycle(&inputs, &mut outputs);
        gates.cycle();
        // Without a reset, what was in the registers has left after some tens of cycles.
        for field in bench.outputs.fields.iter().filter(|_| cycle > 60) {
            let (_, nets) = netlist.outputs.iter().find(|(name, _)| *name == field.name).unwrap();
            for (k, limb) in field.get_limbs(&outputs).iter().enumerate() {
                let part = &nets[64 * k..nets.len().min(64 * k + 64)];
                assert_eq!(gates.get(part), *limb, "{} in cycle {cycle}", field.name);
            }
        }
    }
    let activity = bench.stepper.activity().unwrap();
    (activity, gates.energy(), design)
}

#[test]
fn energy_from_activity_is_that_of_the_netlist_within_a_fifth() {
    // Debian's package of the library that the technology file was fitted to.
    let liberty = Path::new("/usr/share/qflow/tech/osu018/osu018_stdcells.lib");
    if !liberty.exists() || tool::YOSYS.find().is_err() {
        eprintln!("skipped: apt-get install -y yosys qflow-tech-osu018");
        return;
    }
    let technology = Technology::find("osu018").unwrap();
    for format in [Format::W8a8, Format::Fp4] {
        let (activity, gates, design) = both(liberty, format);
        let found = energy(&activity, &technology, &census(&design), &Choice::default()).unwrap();
        let dynamic = found.total.total_pj() - found.total.leakage_pj;
        let ratio = dynamic / gates.dynamic_pj();
        let flips = activity.classes().registers as f64 / gates.register_toggles as f64;
        println!(
            "{format:?}: {dynamic:.0} pJ from activity, {:.0} from the netlist, {ratio:.3}; {gates:?}",
            gates.dynamic_pj()
        );
        assert!((0.8..1.2).contains(&ratio), "{format:?}: {ratio}");
        // Synthesis merges registers that are equal and moves none.
        assert!((0.99..1.15).contains(&flips), "{format:?}: {flips}");
    }
}
