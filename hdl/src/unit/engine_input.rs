//! The tile engine's input: packets of the stream become words for its buffers, and chunks to compute.

use std::sync::Arc;

use spec::{Config, Operand, stream};

use super::engine_control::{Options, engine_control};
use super::{decode, matmul, module_name, unpack};
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, index_bits};

/// `<prefix>_engine_input`: beats to words, words to their targets.
///
/// Ports: stream `s_valid_i`, `s_ready_o`, `s_data_i`; `weight_ready_i`, `acts_busy_i`, `busy_i`, `requant_busy_i`,
/// `overrun_i` and, from `rows_o` to `idle_o`, the outputs of [`engine_control`]; the word that is steered, as each target takes
/// it: `act_word_o` `[rows]` and `weight_word_o` `[preload_rows, cols]` operands of the PEs, `row_word_o`, `channel_word_o`.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub(super) fn engine_input(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = "Input of the tile engine: cuts the beats of the stream into words of the width that is\n\
               wanted next, obeys commands and steers the words of payloads to the buffers.";
    let mut m = ModuleBuilder::new(module_name(config, "engine_input"), doc);
    let s_valid_i = m.input("s_valid_i", Ty::bit());
    let s_data_i = m.input("s_data_i", Ty::u(config.bus.data_bits));
    let statuses = [("weight_ready_i", 1), ("acts_busy_i", 2), ("busy_i", 2), ("requant_busy_i", 1)];
    let overrun = matmul::overruns(config).then_some(("overrun_i", 1));
    let statuses: Vec<(&str, Expr)> =
        statuses.into_iter().chain(overrun).map(|(name, bits)| (name, m.input(name, Ty::u(bits)))).collect();

    let options = Options::new(config);
    let option = m.net("option", Ty::u(options.bits()));
    let [last_word, word_ready, word_accept] =
        ["last_word", "word_ready", "word_accept"].map(|name| m.net(name, Ty::bit()));
    let inputs = [
        ("s_valid_i", &s_valid_i),
        ("s_data_i", &s_data_i),
        ("option_i", &option),
        ("last_i", &last_word),
        ("ready_i", &word_ready),
        ("accept_i", &word_accept),
    ];
    let words = m.instance("u_unpack", &unpack::unpack(config, &options.widths)?, &inputs);
    m.output_is("s_ready_o", &words.out("s_ready_o"));
    let word = words.out("word_o");
    let command = m.wire("command", &word.part(0, stream::COMMAND_BITS));
    let valid = words.out("valid_o");
    let mut inputs = vec![("valid_i", &valid), ("command_i", &command)];
    inputs.extend(statuses.iter().map(|(name, value)| (*name, value)));
    let module = engine_control(config)?;
    let control = m.instance("u_control", &module, &inputs);
    let to_unpack =
        [("option_o", &option), ("last_o", &last_word), ("ready_o", &word_ready), ("accept_o", &word_accept)];
    for (port, net) in to_unpack {
        m.assign(net, &control.out(port));
    }

    m.section("The word as its target takes it");
    let format = control.out("format_o");
    let acts: Vec<Operand> = config.pe.formats.iter().map(|f| f.act()).collect();
    let act_word = operands(&mut m, config, &format, "acts", &word, &acts, config.act_operand(), config.array.rows)?;
    m.output_is("act_word_o", &act_word);
    let weights: Vec<Operand> = config.pe.formats.iter().map(|f| f.weight()).collect();
    let count = config.preload_rows() * config.array.cols;
    let weight_word = operands(&mut m, config, &format, "weights", &word, &weights, config.weight_operand(), count)?;
    m.output_is("weight_word_o", &weight_word);
    m.output_is("row_word_o", &word.part(0, stream::ROW_BITS));
    m.output_is("channel_word_o", &word.part(0, config.lanes() * stream::CHANNEL_BITS));
    for (_, port) in module.ports().filter(|(_, port)| port.name.ends_with("_o")) {
        if port.name != "format_o" && !to_unpack.iter().any(|(name, _)| *name == port.name) {
            m.output_is(&port.name, &control.out(&port.name));
        }
    }
    m.build()
}

/// The payload word as operands of the PEs: as it is, or decoded where the formats' codes differ from the PEs'.
fn operands(
    m: &mut ModuleBuilder,
    config: &Config,
    format: &Expr,
    name: &str,
    word: &Expr,
    codes: &[Operand],
    to: Operand,
    count: u32,
) -> Result<Expr, Error> {
    if codes.iter().all(|&code| code == to) {
        return Ok(word.part(0, count * to.bits()));
    }
    let widest = codes.iter().map(|code| code.bits()).max().unwrap_or(to.bits());
    let decode = decode::decode(config, &format!("decode_{name}"), codes, to, count)?;
    let codes_word = word.part(0, count * widest);
    let format = format.part(0, index_bits(codes.len() as u32));
    let inputs = [("word_i", &codes_word), ("format_i", &format)];
    Ok(m.instance(&format!("u_decode_{name}"), &decode, &inputs).out("word_o"))
}
