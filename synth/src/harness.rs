//! A test frame for placement: a design behind three pins, for designs have more ports than devices have pins.

use hdl::rtl::Design;
use hdl::rtl::module::SignalKind;

use crate::hierarchy::DUT;

/// Name of the frame's module.
pub const NAME: &str = "systole_frame";

/// The Verilog of the frame. Inputs come from a shift register, outputs are taken by registers and folded into another
/// one, so that every path of the design lies between registers and nothing of it can be left away.
pub fn frame(design: &Design) -> String {
    let top = &design.top;
    let width =
        |kind: &SignalKind| -> u32 { top.ports().filter(|(_, p)| p.kind == *kind).map(|(_, p)| p.ty.width).sum() };
    let (inputs, outputs) = (width(&SignalKind::Input) + u32::from(top.has_reset), width(&SignalKind::Output));
    // A vector of no bits cannot be written; of one bit it would have no part to shift.
    let (in_msb, out_msb) = (inputs.max(2) - 1, outputs.max(2) - 1);
    let mut connections = Vec::new();
    let (mut in_at, mut out_at) = (0, 0);
    if top.has_clock {
        connections.push(".clk_i(clk_i)".to_string());
    }
    if top.has_reset {
        connections.push(".rst_ni(in_q[0])".to_string());
        in_at = 1;
    }
    for (_, port) in top.ports() {
        let (vector, at) = if port.kind == SignalKind::Input { ("in_q", &mut in_at) } else { ("out", &mut out_at) };
        let (low, high) = (*at, *at + port.ty.width - 1);
        *at += port.ty.width;
        connections.push(format!(".{}({vector}[{high}:{low}])", port.name));
    }
    let unused = if outputs < 2 {
        format!("  assign out[{out_msb}:{outputs}] = {}'d0;\n", out_msb + 1 - outputs)
    } else {
        String::new()
    };
    format!(
        "// Frame around {name} with three pins, for placement and timing.\n`default_nettype none\n\n\
         module {NAME} (\n  input  wire clk_i,\n  input  wire bit_i,\n  output wire bit_o\n);\n\n\
         \x20 reg [{in_msb}:0] in_q;\n  wire [{out_msb}:0] out;\n  reg [{out_msb}:0] out_q;\n  reg [{out_msb}:0] fold_q;\n\n\
         \x20 always @(posedge clk_i) begin\n    in_q <= {{in_q[{in_below}:0], bit_i}};\n    out_q <= out;\n    \
         fold_q <= out_q ^ {{fold_q[{out_below}:0], fold_q[{out_msb}]}};\n  end\n\n\
         {unused}  assign bit_o = fold_q[{out_msb}];\n\n  {name} {DUT} (\n    {connections}\n  );\n\nendmodule\n\n\
         `default_nettype wire\n",
        name = top.name,
        in_below = in_msb - 1,
        out_below = out_msb - 1,
        connections = connections.join(",\n    "),
    )
}

/// The port of the design that a register of the frame feeds or takes: `act_i[3]` for `in_q[3]`; `None` for registers
/// that have nothing to do with it.
pub fn port(design: &Design, register: &str) -> Option<String> {
    let top = &design.top;
    let (vector, bit) = register.strip_suffix(']')?.split_once('[')?;
    let (kind, mut bit) = match vector {
        "in_q" => (SignalKind::Input, bit.parse::<u32>().ok()?),
        "out_q" => (SignalKind::Output, bit.parse::<u32>().ok()?),
        _ => return None,
    };
    if kind == SignalKind::Input && top.has_reset {
        if bit == 0 {
            return Some("rst_ni".to_string());
        }
        bit -= 1;
    }
    for (_, port) in top.ports().filter(|(_, port)| port.kind == kind) {
        if bit < port.ty.width {
            let is_vector = port.ty.width > 1;
            return Some(if is_vector { format!("{}[{bit}]", port.name) } else { port.name.clone() });
        }
        bit -= port.ty.width;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_has_its_own_bits() {
        let config = spec::Config::from_toml(hdl::presets::preset("tiny").unwrap()).unwrap();
        let design = Design::new(hdl::unit::pe::pe(&config).unwrap());
        let text = frame(&design);
        for part in
            [".act_i(in_q[7:0])", ".swap_i(in_q[8:8])", ".sum_i(in_q[35:18])", "reg [35:0] in_q;", "(out[27:10])"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn registers_of_the_frame_stand_for_ports() {
        let config = spec::Config::from_toml(hdl::presets::preset("tiny").unwrap()).unwrap();
        let design = Design::new(hdl::unit::pe::pe(&config).unwrap());
        for (register, name) in [
            ("in_q[7]", Some("act_i[7]")),
            ("in_q[8]", Some("swap_i")),
            ("in_q[35]", Some("sum_i[17]")),
            ("in_q[36]", None),
            ("out_q[10]", Some("sum_o[0]")),
            ("fold_q[10]", None),
            ("in_q", None),
        ] {
            assert_eq!(port(&design, register).as_deref(), name, "{register}");
        }
    }
}
