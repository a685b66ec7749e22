//! Codes to the PEs' operands, at the edge of the array, where several formats share it.

use std::sync::Arc;

use spec::{Config, Operand};

use super::module_name;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, index_bits};

/// `<prefix>_decode_<code>`: one code to the operand `to` of the same value (or, for INT8, of its integer); combinational.
///
/// Ports: `code_i`, `value_o`. `to` is what [`Config::weight_operand`] or [`Config::act_operand`] gives for formats that do
/// not share a code.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn decode_code(config: &Config, code: Operand, to: Operand) -> Result<Arc<Module>, Error> {
    let doc = format!("One {} code as {}. Combinational.", code.name(), to.name());
    let mut m = ModuleBuilder::new(module_name(config, &format!("decode_{}", code.name())), doc);
    let code_i = m.input("code_i", Ty::u(code.bits()));
    let value = match (code, to) {
        (Operand::Int8 | Operand::Int4, _) => code_i.as_signed().extend(8),
        (Operand::E2m1, _) => table(&mut m, &code_i, [0, 1, 2, 3, 4, 6, 8, 12]),
        // The second term is zero.
        (Operand::Pot4, Operand::Pot8) => code_i.extend(8),
        (Operand::Pot4, _) => table(&mut m, &code_i, [0, 64, 32, 16, 8, 4, 2, 1]),
        (Operand::Pot8, _) => unreachable!("only sums of two powers hold all of them"),
    };
    m.output_is("value_o", &value.as_unsigned());
    m.build()
}

/// Sign and magnitude: the magnitude's integer from a table of 8.
fn table(m: &mut ModuleBuilder, code: &Expr, magnitudes: [i128; 8]) -> Expr {
    let index = m.wire("index", &code.slice(2, 0));
    let magnitude = m.net("magnitude", Ty::s(8));
    m.comb("magnitude", |b| {
        b.set(&magnitude, &magnitude.k(0));
        b.case(&index, |c| {
            for (i, &value) in magnitudes.iter().enumerate().skip(1) {
                c.arm(&index.k(i as i128), |b| b.set(&magnitude, &magnitude.k(value)));
            }
        });
    });
    code.bit(3).mux(&-&magnitude, &magnitude)
}

/// `<prefix>_<name>`: `count` codes of the format's operand (`operands[format_i]`) to `count` operands of the PEs.
///
/// Ports: `word_i` (codes of the widest operand; narrower ones stand packed in its low bits), `format_i`, `word_o`.
/// Combinational.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn decode(
    config: &Config,
    name: &str,
    operands: &[Operand],
    to: Operand,
    count: u32,
) -> Result<Arc<Module>, Error> {
    let widest = operands.iter().map(|o| o.bits()).max().unwrap_or(to.bits());
    let doc = format!("{count} codes of the chosen format to {count} {} operands. Combinational.", to.name());
    let mut m = ModuleBuilder::new(module_name(config, name), doc);
    let word_i = m.input("word_i", Ty::u(count * widest));
    let format_i = m.input("format_i", Ty::u(index_bits(operands.len() as u32)));
    let mut decoded: Vec<(Operand, Expr)> = Vec::new();
    for &operand in operands {
        if decoded.iter().any(|(o, _)| *o == operand) {
            continue;
        }
        let codes = m.wire(&format!("{}_codes", operand.name()), &word_i.part(0, count * operand.bits()));
        let word = if operand == to {
            codes
        } else {
            let cell = decode_code(config, operand, to)?;
            let from = m.nets(&format!("{}_code", operand.name()), Ty::u(operand.bits()), count);
            let value = m.nets(&format!("{}_value", operand.name()), Ty::u(to.bits()), count);
            m.split(&codes, &from, 0, 1, count);
            let conns = [("code_i", from.step(0, 1, 0)), ("value_o", value.step(0, 1, 0))];
            m.grid(&format!("u_{}", operand.name()), &cell, 1, count, &conns);
            m.join(&format!("{}_word", operand.name()), &value, 0, 1, count)
        };
        decoded.push((operand, word));
    }
    let word = m.net("word", Ty::u(count * to.bits()));
    m.comb("by format", |b| {
        b.set(&word, &decoded[0].1);
        b.case(&format_i, |c| {
            for (i, operand) in operands.iter().enumerate() {
                if let Some((_, value)) = decoded.iter().skip(1).find(|(o, _)| o == operand) {
                    c.arm(&format_i.k(i as i128), |b| b.set(&word, value));
                }
            }
        });
    });
    m.output_is("word_o", &word);
    m.build()
}
