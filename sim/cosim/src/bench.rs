//! The generated test bench: a design behind one input and one output vector, its probes beside its outputs.

use hdl::rtl::module::{Design, SignalKind};
use sim::engine::bench::{Probe, RESET, frames};
use sim::engine::frame::{Field, Frame};

/// A design as the shim sees it.
#[derive(Clone, Debug)]
pub struct TestBench {
    /// Name of its module.
    pub name: String,
    /// Its Verilog.
    pub text: String,
    /// Input frame.
    pub inputs: Frame,
    /// Output frame.
    pub outputs: Frame,
}

/// Words of a vector of the bench: at least two, since Verilator keeps vectors above 64 bits as arrays, others not.
pub fn vector_words(frame: &Frame) -> usize {
    frame.words.max(2)
}

impl TestBench {
    /// A bench for a design; `probes` are read by hierarchical name, or tied to zero if `with_probes` is false.
    pub fn new(design: &Design, probes: &[Probe], with_probes: bool) -> Self {
        Self::of(design, probes, |i| with_probes.then(|| format!("u_dut.{}", probes[i].path)))
    }

    /// A bench whose probe `i` is what `probed` says in terms of the design `u_dut`, or tied to zero.
    pub(crate) fn of(design: &Design, probes: &[Probe], probed: impl Fn(usize) -> Option<String>) -> Self {
        let top = &design.top;
        let (inputs, outputs) = frames(design, probes);
        let name = format!("tb_{}", top.name);
        let slice = |f: &Field| match f.width {
            1 => format!("in_i[{}]", f.lsb()),
            width => format!("in_i[{}:{}]", f.lsb() + width - 1, f.lsb()),
        };
        let mut connections = Vec::new();
        if top.has_clock {
            connections.push(".clk_i(clk_i)".to_string());
        }
        let mut wires = String::new();
        for field in &inputs.fields {
            if field.name == RESET || top.port(&field.name).is_some() {
                connections.push(format!(".{}({})", field.name, slice(field)));
            }
        }
        for (i, field) in outputs.fields.iter().enumerate() {
            let width = field.width;
            match probes.iter().position(|p| p.name == field.name) {
                Some(place) => {
                    let value = probed(place).unwrap_or_else(|| format!("{width}'b0"));
                    wires.push_str(&format!("  wire [{}:0] field{i} = {value};\n", width - 1));
                }
                None => {
                    debug_assert!(top.port(&field.name).is_some_and(|(_, s)| s.kind == SignalKind::Output));
                    wires.push_str(&format!("  wire [{}:0] field{i};\n", width - 1));
                    connections.push(format!(".{}(field{i})", field.name));
                }
            }
        }
        let text = format!(
            "// Test bench of {top}: inputs and outputs as one vector each, for replay in batches.\n\
             `default_nettype none\n\n\
             module {name} (\n  input  wire clk_i,\n  input  wire [{in_msb}:0] in_i,\n  output wire [{out_msb}:0] out_o\n);\n\n\
             {wires}\n  {top} u_dut (\n    {connections}\n  );\n\n  assign out_o = {packed};\n\n\
             endmodule\n\n`default_nettype wire\n",
            top = top.name,
            in_msb = vector_words(&inputs) * 64 - 1,
            out_msb = vector_words(&outputs) * 64 - 1,
            connections = connections.join(",\n    "),
            packed = packed(&outputs),
        );
        Self { name, text, inputs, outputs }
    }
}

/// The concatenation that puts every field in its place, zeros between them.
fn packed(frame: &Frame) -> String {
    let mut parts = Vec::new();
    let mut next_bit = 0;
    let pad = |parts: &mut Vec<String>, bits: u32| {
        if bits > 0 {
            parts.push(format!("{bits}'b0"));
        }
    };
    for (i, field) in frame.fields.iter().enumerate() {
        pad(&mut parts, field.lsb() - next_bit);
        parts.push(format!("field{i}"));
        next_bit = field.lsb() + field.width;
    }
    pad(&mut parts, vector_words(frame) as u32 * 64 - next_bit);
    parts.reverse();
    format!("{{{}}}", parts.join(", "))
}
