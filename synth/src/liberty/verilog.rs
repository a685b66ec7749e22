//! The cells of a library as Verilog, for simulation of netlists.

use super::function::Function;
use super::library::{Cell, Library};

/// Modules of the cells named, from their functions: zero delay, no timing checks; flip-flops start as if
/// zeros had been taken.
///
/// # Errors
/// The name of a cell that the library does not have, or whose outputs have no function.
pub fn models<'a>(library: &Library, names: impl IntoIterator<Item = &'a str>) -> Result<String, String> {
    let mut text = String::from("`default_nettype none\n");
    for name in names {
        let cell = library.cells.get(name).ok_or_else(|| format!("cell {name} is not in library {}", library.name))?;
        text.push_str(&model(cell)?);
    }
    text.push_str("\n`default_nettype wire\n");
    Ok(text)
}

fn model(cell: &Cell) -> Result<String, String> {
    let ports: Vec<String> = cell
        .pins
        .iter()
        .map(|pin| format!("  {} wire {}", if pin.is_output { "output" } else { "input " }, pin.name))
        .collect();
    let mut text = format!("\nmodule {} (\n{}\n);\n", cell.name, ports.join(",\n"));
    if let Some(state) = &cell.state {
        let (q, qn) = (&state.names.0, &state.names.1);
        text.push_str(&format!("  reg {q};\n  wire {qn} = ~{q};\n"));
        if !state.is_latch {
            // As if zeros had been taken: registers that store the complement start with a one.
            let first = u8::from(state.next.eval(&|_| false));
            text.push_str(&format!("  initial {q} = 1'b{first};\n"));
        }
        let clear = state.clear.as_ref().map(|f| (f, "1'b0"));
        let preset = state.preset.as_ref().map(|f| (f, "1'b1"));
        let forced: Vec<(&Function, &str)> = clear.into_iter().chain(preset).collect();
        let mut body = String::new();
        for (condition, value) in &forced {
            body.push_str(&format!("if ({condition}) {q} <= {value};\n    else "));
        }
        let next = &state.next;
        if state.is_latch {
            body.push_str(&format!("if ({}) {q} <= {next};", state.clock));
            text.push_str(&format!("  always @* begin\n    {body}\n  end\n"));
        } else {
            body.push_str(&format!("{q} <= {next};"));
            let mut wires = format!("  wire clock_x = {};\n", state.clock);
            let mut events = "posedge clock_x".to_string();
            for (i, (condition, _)) in forced.iter().enumerate() {
                wires.push_str(&format!("  wire forced{i}_x = {condition};\n"));
                events.push_str(&format!(" or posedge forced{i}_x"));
            }
            text.push_str(&format!("{wires}  always @({events}) begin\n    {body}\n  end\n"));
        }
    }
    for pin in cell.pins.iter().filter(|pin| pin.is_output) {
        let function =
            pin.function.as_ref().ok_or_else(|| format!("cell {}: pin {} has no function", cell.name, pin.name))?;
        text.push_str(&format!("  assign {} = {function};\n", pin.name));
    }
    text.push_str("endmodule\n");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::super::library::tests::DEMO;
    use super::*;

    #[test]
    fn gates_and_registers_are_written() {
        let library = Library::parse(DEMO).unwrap();
        let text = models(&library, ["NAND2", "DFF"]).unwrap();
        assert!(text.contains("assign Y = ~(A & B);"), "{text}");
        assert!(text.contains("wire clock_x = CK;\n  always @(posedge clock_x) begin\n    IQ <= D;"), "{text}");
        assert!(text.contains("assign QN = IQN;"), "{text}");
        assert!(models(&library, ["AND9"]).unwrap_err().contains("AND9"));
    }
}
