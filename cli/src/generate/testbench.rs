//! Test benches in Verilog-2005, for any simulator.
//!
//! They read the design through hierarchical names; the design itself carries no test ports. yosys skips them
//! (`SYNTHESIS`); Verilator, which has no delays here, gets the clock from outside.

use hdl::rtl::module::{Item, Module, SignalKind};
use hdl::rtl::{Design, index_bits};
use spec::Config;

use super::File;
use super::stimulus::Stimulus;

/// Registers whose values are shown when something goes wrong.
const MOST_SHOWN: usize = 24;

const ENGINE: &str = include_str!("engine_tb.v");
const UNIT: &str = include_str!("unit_tb.v");

/// The engine's bench, which plays a small product and compares every result beat, and its two tables.
pub fn engine(config: &Config, design: &Design, stimulus: &Stimulus) -> Vec<File> {
    let top = &design.top.name;
    let (sent, got) = (index_bits(stimulus.input.len() as u32), index_bits(stimulus.expected.len() as u32));
    let text = fill(
        ENGINE,
        &[
            ("@TOP@", top.clone()),
            ("@SHAPE@", stimulus.shape.to_string()),
            ("@FORMAT@", config.pe.formats[0].name().to_string()),
            ("@MODE@", config.requant.modes[0].name().to_string()),
            ("@GENERATOR@", super::GENERATOR.to_string()),
            ("@HASH@", config.hash()),
            ("@DATA@", config.bus.data_bits.to_string()),
            ("@SENT@", sent.to_string()),
            ("@GOT@", got.to_string()),
            ("@LAST_IN@", (stimulus.input.len() - 1).to_string()),
            ("@LAST_OUT@", (stimulus.expected.len() - 1).to_string()),
            ("@STATE@", state(design)),
        ],
    );
    let bits = config.bus.data_bits;
    vec![
        File::new(format!("tb_{top}.v"), text),
        File::new(format!("tb_{top}_in.hex"), hex(&stimulus.input, bits)),
        File::new(format!("tb_{top}_out.hex"), hex(&stimulus.expected, bits)),
    ]
}

/// The bench of any other unit, which drives random inputs and prints every output.
pub fn unit(config: &Config, design: &Design) -> Vec<File> {
    let top = &design.top;
    let ports: Vec<_> = top.ports().map(|(_, port)| port).collect();
    let range = |width: u32| if width == 1 { String::new() } else { format!("[{}:0] ", width - 1) };
    let mut declared = String::new();
    let mut driven = String::new();
    let mut connected = Vec::new();
    let (mut format, mut values) = (String::from("%0d"), String::from("cycle_q"));
    if top.has_clock {
        connected.push("    .clk_i(clk_i)".to_string());
    }
    if top.has_reset {
        connected.push("    .rst_ni(rst_nq)".to_string());
    }
    for port in &ports {
        let (name, width) = (&port.name, port.ty.width);
        connected.push(format!("    .{name}({name})"));
        if port.kind == SignalKind::Input {
            declared.push_str(&format!("  reg {}{name} = {width}'d0;\n", range(width)));
            driven.push_str(&format!("    {name} <= {};\n", random(width)));
        } else {
            declared.push_str(&format!("  wire {}{name};\n", range(width)));
            format.push_str(&format!(" {name}=%h"));
            values.push_str(&format!(", {name}"));
        }
    }
    let text = fill(
        UNIT,
        &[
            ("@TOP@", top.name.clone()),
            ("@GENERATOR@", super::GENERATOR.to_string()),
            ("@HASH@", config.hash()),
            ("@PORTS@", declared),
            ("@DRIVE@", driven),
            ("@CONNECT@", connected.join(",\n")),
            ("@SHOW@", format!("    $display(\"{format}\", {values});\n")),
            ("@STATE@", state(design)),
        ],
    );
    vec![File::new(format!("tb_{}.v", top.name), text)]
}

/// Random bits of that width.
fn random(width: u32) -> String {
    match width {
        1 => "lfsr_q[0]".to_string(),
        2..=32 => format!("lfsr_q[{}:0]", width - 1),
        _ => {
            let (words, rest) = (width / 32, width % 32);
            let whole = format!("{{{words}{{lfsr_q}}}}");
            if rest == 0 { whole } else { format!("{{lfsr_q[{}:0], {whole}}}", rest - 1) }
        }
    }
}

/// Prints the control registers of the top module and of its direct parts, by hierarchical name.
pub(super) fn state(design: &Design) -> String {
    let mut names = registers(&design.top, "u_dut");
    for instance in design.top.instances().filter(|instance| instance.grid.is_none()) {
        names.extend(registers(&instance.module, &format!("u_dut.{}", instance.name)));
    }
    names.truncate(MOST_SHOWN);
    names.iter().map(|name| format!("      $display(\"  {name} = %h\", {name});\n")).collect()
}

/// Registers with a reset, narrow enough to read.
fn registers(module: &Module, path: &str) -> Vec<String> {
    let of = |item: &Item| match item {
        Item::Reg(reg) if reg.reset.is_some() && module.signal(reg.sig).ty.width <= 64 => {
            Some(format!("{path}.{}", module.signal(reg.sig).name))
        }
        _ => None,
    };
    module.items.iter().filter_map(of).collect()
}

/// A template with its marks filled in.
pub(super) fn fill(template: &str, values: &[(&str, String)]) -> String {
    values.iter().fold(template.to_string(), |text, (key, value)| text.replace(key, value))
}

/// A table for `$readmemh`, a word a line.
fn hex(words: &[Vec<u64>], bits: u32) -> String {
    let digits = bits.div_ceil(4) as usize;
    let line = |word: &Vec<u64>| {
        let all: String = word.iter().rev().map(|limb| format!("{limb:016x}")).collect();
        format!("{}\n", &all[all.len() - digits..])
    };
    words.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_as_wide_as_the_bus() {
        assert_eq!(hex(&[vec![0x1234_5678]], 32), "12345678\n");
        assert_eq!(hex(&[vec![2, 1]], 128), format!("{:016x}{:016x}\n", 1, 2));
        assert_eq!(random(70), "{lfsr_q[5:0], {2{lfsr_q}}}");
    }
}
