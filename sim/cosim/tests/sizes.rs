//! The preset `tiny` on small FPGAs, by yosys' count: its array on an iCE40 UP5K, all of it on an ECP5-25.

use std::collections::HashMap;
use std::time::Duration;

use hdl::rtl::{Design, Header};
use hdl::unit;
use spec::Config;
use tool::Command;

/// Logic cells of an iCE40 UP5K.
const UP5K_CELLS: u64 = 5280;
/// LUTs of 4 inputs, flip-flops, block RAMs of 18 Kbit and multipliers of 18 bits of an LFE5U-25F.
const ECP5_25: [u64; 4] = [24_288, 24_288, 56, 28];

fn tiny() -> Config {
    Config::from_toml(hdl::presets::preset("tiny").unwrap()).unwrap()
}

/// Cells by type after a synthesis flow of yosys.
fn cells(design: &Design, flow: &str, minutes: u64) -> HashMap<String, u64> {
    let folder = tempfile::tempdir().unwrap();
    let files = design.emit(&Header { generator: "a test".into(), config_hash: "0".into() }).unwrap();
    for (name, text) in &files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let top = &design.top.name;
    let script = format!("read_verilog {}; {flow} -top {top}; tee -q -o stat.txt stat", names.join(" "));
    let yosys = Command::tool(&tool::YOSYS).unwrap().args(["-q", "-p", &script]);
    let timeout = Duration::from_secs(60 * minutes);
    yosys.cwd(folder.path()).timeout(timeout).run().unwrap_or_else(|e| panic!("{e}"));
    let text = std::fs::read_to_string(folder.path().join("stat.txt")).unwrap();
    let (_, text) = text.rsplit_once("Number of cells:").expect("a table of cells");
    let cell = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_string(), words.next()?.parse().ok()?))
    };
    text.lines().skip(1).filter_map(cell).collect()
}

fn count(cells: &HashMap<String, u64>, names: &[&str]) -> u64 {
    cells.iter().filter(|(name, _)| names.iter().any(|n| name.starts_with(n))).map(|(_, count)| count).sum()
}

#[test]
fn the_array_of_tiny_fits_an_ice40_up5k_without_its_multipliers() {
    let design = Design::new(unit::array::array(&tiny()).unwrap());
    let cells = cells(&design, "synth_ice40 -device u", 10);
    // As if no LUT, carry or flip-flop shared a logic cell with another.
    let most = count(&cells, &["SB_LUT4", "SB_CARRY", "SB_DFF"]);
    println!("{most} of {UP5K_CELLS} logic cells: {cells:?}");
    assert!(most > 0 && most <= UP5K_CELLS, "{most} logic cells: {cells:?}");
    assert_eq!(count(&cells, &["SB_MAC16", "SB_RAM", "SB_SPRAM"]), 0, "{cells:?}");
}

#[test]
#[ignore = "minutes of synthesis"]
fn the_whole_of_tiny_fits_an_ecp5_25() {
    let design = Design::new(unit::top::top(&tiny()).unwrap());
    let cells = cells(&design, "synth_ecp5 -nowidelut", 60);
    // A carry cell takes two LUTs, a RAM of 16 words of 4 bits four of them and the two that its write port blocks.
    let (carries, rams) = (count(&cells, &["CCU2C"]), count(&cells, &["TRELLIS_DPR16X4"]));
    let luts = count(&cells, &["LUT4"]) + 2 * carries + 6 * rams;
    let found = [luts, count(&cells, &["TRELLIS_FF"]), count(&cells, &["DP16KD"]), count(&cells, &["MULT18X18D"])];
    println!("LUTs, flip-flops, block RAMs, multipliers: {found:?} of {ECP5_25:?}: {cells:?}");
    assert!(found.iter().zip(ECP5_25).all(|(found, most)| *found > 0 && *found <= most), "{found:?} of {ECP5_25:?}");
}
