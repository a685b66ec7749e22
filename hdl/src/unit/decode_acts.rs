//! Activation codes of 8 bits, as they stand in the accelerator's buffer, to the PEs' operands.

use std::sync::Arc;

use spec::{Config, Operand};

use super::decode::decode_code;
use super::mm_plan::decodes_acts;
use super::module_name;
use crate::error::Error;
use crate::rtl::{Module, ModuleBuilder, Ty};

/// `<prefix>_decode_act`: one code of 8 bits to one operand; combinational.
///
/// Ports: `code_i`, `operand_o`; where [`decodes_acts`], `e2m1_i`: the code is E2M1, else it is the integer itself.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn decode_act(config: &Config) -> Result<Arc<Module>, Error> {
    let to = config.act_operand();
    let doc = format!("One activation code of 8 bits to one {} operand. Combinational.", to.name());
    let mut m = ModuleBuilder::new(module_name(config, "decode_act"), doc);
    let code_i = m.input("code_i", Ty::u(8));
    if decodes_acts(config) {
        let e2m1_i = m.input("e2m1_i", Ty::bit());
        let low = m.wire("low", &code_i.part(0, 4));
        let cell = decode_code(config, Operand::E2m1, to)?;
        let value = m.instance("u_e2m1", &cell, &[("code_i", &low)]).out("value_o");
        m.output_is("operand_o", &e2m1_i.mux(&value, &code_i));
    } else {
        m.output_is("operand_o", &code_i.part(0, to.bits()));
    }
    m.build()
}
