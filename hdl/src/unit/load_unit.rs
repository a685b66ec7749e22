//! The load queue's unit: weights to the weight FIFO, heads to tiles, parameters to their memory.

use std::sync::Arc;

use spec::isa::{Field, INSTR_BITS};
use spec::{Config, Format};

use super::burst::beat_addr_bits;
use super::head_buffer::{DIM_BITS, HeadSizes, head_buffer};
use super::load_request::{HEAD, KIND_BITS, PARAMS, WORDS, has_heads, load_request, work_bits, work_field};
use super::module_name;
use super::param_writer::{PARAM_ADDR_BITS, PARAM_BITS, param_writer};
use super::queue::queue;
use super::unpack::unpack_as;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, index_bits};

/// Instructions whose data are asked for ahead of the one at work.
const AHEAD: u32 = 4;

/// `<prefix>_load_unit`: executes `LDW`, `LDH`, `LDP` in order.
///
/// Ports: `instr_valid_i`, `instr_ready_o`, `instr_i`; `index_i` (IDX); `cmd_*` and `beat_valid_i`, `beat_ready_o`, `beat_i`
/// to the reader of memory; `weight_valid_o`, `weight_ready_i`, `weight_o`: words for the weight FIFO, the codes of
/// their format as they stand in memory, in the low bits; `param_write_o` (a bit a lane), `param_addr_o`,
/// `param_data_o`; `retire_o`: an instruction's last word is in its memory; `error_o` (sticky).
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn load_unit(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = "Load unit. Reads are asked for up to four instructions ahead; their beats come in order and go\n\
               to the unpacker (weights), the head buffer, or the parameter memory. Words of a head leave\n\
               while the next head comes; other instructions wait for them, so that all retire in order.";
    let mut m = ModuleBuilder::new(module_name(config, "load_unit"), doc);
    let (data_bits, beat_bits) = (config.bus.data_bits, beat_addr_bits(config));
    let weight_bits = config.weight_word_bits();
    let instr_valid_i = m.input("instr_valid_i", Ty::bit());
    let instr_i = m.input("instr_i", Ty::u(INSTR_BITS));
    let index_i = m.input("index_i", Ty::u(32));
    let cmd_ready_i = m.input("cmd_ready_i", Ty::bit());
    let beat_valid_i = m.input("beat_valid_i", Ty::bit());
    let beat_i = m.input("beat_i", Ty::u(data_bits));
    let weight_ready_i = m.input("weight_ready_i", Ty::bit());

    m.section("Ahead: reads of memory, and what to do with their beats");
    let work_ready = m.net("work_ready", Ty::bit());
    let ports = [
        ("instr_valid_i", &instr_valid_i),
        ("instr_i", &instr_i),
        ("index_i", &index_i),
        ("work_ready_i", &work_ready),
        ("cmd_ready_i", &cmd_ready_i),
    ];
    let request = m.instance("u_request", &load_request(config)?, &ports);
    for port in ["instr_ready_o", "cmd_valid_o", "cmd_beat_o", "cmd_count_o", "error_o"] {
        m.output_is(port, &request.out(port));
    }
    debug_assert_eq!(request.out("cmd_beat_o").width(), beat_bits);
    let start = m.net("start", Ty::bit());
    let ports =
        [("in_valid_i", &request.out("work_valid_o")), ("in_data_i", &request.out("work_o")), ("out_ready_i", &start)];
    let works = m.instance("u_works", &queue(config, work_bits(), AHEAD)?, &ports);
    m.assign(&work_ready, &works.out("in_ready_o"));
    let work = works.out("out_data_o");

    m.section("The work at hand; others than heads wait until the words of all heads have left");
    let [idle, words, head, params] = m.states(["Idle", "Words", "Head", "Params"]);
    let state_q = m.reg("state_q", idle.ty());
    let state_d = m.net("state_d", idle.ty());
    let in_words = m.wire("in_words", &state_q.eq(&words));
    let in_params = m.wire("in_params", &state_q.eq(&params));
    let head_free = m.net("head_free", Ty::bit());
    let head_empty = m.net("head_empty", Ty::bit());
    let kind = m.wire("kind", &work.part(0, KIND_BITS));
    let allowed = m.wire("allowed", &kind.eq_k(HEAD.into()).mux(&head_free, &head_empty));
    m.assign(&start, &(&state_q.eq(&idle) & works.out("out_valid_o") & &allowed));
    let start_of = |m: &mut ModuleBuilder, name: &str, of: u32| m.wire(name, &(&start & kind.eq_k(of.into())));
    let start_words = start_of(&mut m, "start_words", WORDS);
    let start_head = start_of(&mut m, "start_head", HEAD);
    let start_params = start_of(&mut m, "start_params", PARAMS);

    m.section("Weights");
    let mut widths: Vec<u32> = Vec::new();
    let mut options = Vec::new();
    for format in &config.pe.formats {
        let width = config.preload_rows() * config.array.cols * format.weight().bits();
        let place = widths.iter().position(|w| *w == width).unwrap_or_else(|| {
            widths.push(width);
            widths.len() - 1
        });
        options.push((Format::ALL.iter().position(|f| f == format).unwrap_or(0), place));
    }
    let format = work_field(&work, WORDS, Field::Format);
    let option = m.net("option", Ty::u(index_bits(widths.len() as u32)));
    if widths.len() > 1 {
        m.comb("width of the format's words", |b| {
            b.set(&option, &option.k(0));
            b.case(&format, |c| {
                for (number, place) in options.iter().filter(|(_, place)| *place > 0) {
                    c.arm(&format.k(*number as i128), |b| b.set(&option, &option.k(*place as i128)));
                }
            });
        });
    } else {
        m.assign(&option, &option.k(0));
    }
    let option_q = m.pipe_if("option_q", &start_words, &option);
    let count = work_field(&work, WORDS, Field::Words);
    let left_q = m.reg("left_q", count.ty());
    let last_word = m.wire("last_word", &left_q.eq_k(1));
    let for_words = m.wire("beat_for_words", &(&beat_valid_i & &in_words));
    let ports = [
        ("s_valid_i", &for_words),
        ("s_data_i", &beat_i),
        ("option_i", &option_q),
        ("last_i", &last_word),
        ("ready_i", &weight_ready_i),
        ("accept_i", &in_words),
    ];
    let unpacked = m.instance("u_unpack", &unpack_as(config, "unpack_weights", &widths)?, &ports);
    let word_taken = m.wire("word_taken", &(unpacked.out("valid_o") & &weight_ready_i));
    let left_step = m.wire("left_step", &(&start_words | &word_taken));
    m.next_if(&left_q, &left_step, &start_words.mux(&count, &(&left_q - left_q.k(1))));
    let words_end = m.wire("words_end", &(&word_taken & &last_word));
    let raw_word = unpacked.out("word_o").extend(weight_bits);

    m.section("Heads");
    let (head_ready, filled, head_valid, head_word, head_last) = if has_heads(config) {
        let sizes = HeadSizes::new(config);
        let narrow = |m: &mut ModuleBuilder, field: Field, bits: u32| {
            let wide = work_field(&work, HEAD, field);
            let wide = m.wire(&format!("head_{}", field.name()), &wide);
            if wide.width() > bits { wide.part(0, bits) } else { wide.extend(bits) }
        };
        let direct = work_field(&work, HEAD, Field::Mode);
        let rows = narrow(&mut m, Field::Tokens, sizes.row_bits());
        let dim = narrow(&mut m, Field::Dim, DIM_BITS);
        let tiles = narrow(&mut m, Field::Tiles, sizes.tile_bits());
        let in_head = m.wire("in_head", &state_q.eq(&head));
        let for_head = m.wire("beat_for_head", &(&beat_valid_i & &in_head));
        let ports = [
            ("start_i", &start_head),
            ("direct_i", &direct),
            ("rows_i", &rows),
            ("dim_i", &dim),
            ("tiles_i", &tiles),
            ("valid_i", &for_head),
            ("data_i", &beat_i),
            ("word_ready_i", &weight_ready_i),
        ];
        let buffer = m.instance("u_heads", &head_buffer(config)?, &ports);
        m.assign(&head_free, &buffer.out("free_o"));
        m.assign(&head_empty, &buffer.out("empty_o"));
        (
            buffer.out("ready_o"),
            buffer.out("filled_o"),
            buffer.out("word_valid_o"),
            buffer.out("word_o"),
            buffer.out("word_last_o"),
        )
    } else {
        // The array holds no INT8 weights, so such instructions are refused.
        m.assign(&head_free, &Expr::u(1, 0));
        m.assign(&head_empty, &Expr::u(1, 1));
        (Expr::u(1, 0), start_head.clone(), Expr::u(1, 0), raw_word.clone(), Expr::u(1, 0))
    };
    let weight_valid = m.wire("weight_valid", &in_words.mux(&unpacked.out("valid_o"), &head_valid));
    m.output_is("weight_valid_o", &weight_valid);
    m.output_is("weight_o", &in_words.mux(&raw_word, &head_word));
    let head_end = m.wire("head_end", &(&head_valid & &head_last & &weight_ready_i));

    m.section("Parameters");
    let for_params = m.wire("beat_for_params", &(&beat_valid_i & &in_params));
    let ports = [
        ("start_i", &start_params),
        ("count_i", &work_field(&work, PARAMS, Field::N)),
        ("dst_i", &work_field(&work, PARAMS, Field::Dst)),
        ("type_i", &work_field(&work, PARAMS, Field::Type)),
        ("valid_i", &for_params),
        ("data_i", &beat_i),
    ];
    let writer = m.instance("u_params", &param_writer(config)?, &ports);
    let params_end = writer.out("done_o");
    for (port, from, bits) in [
        ("param_write_o", "write_o", config.vec_lanes()),
        ("param_addr_o", "addr_o", PARAM_ADDR_BITS),
        ("param_data_o", "data_o", config.vec_lanes() * PARAM_BITS),
    ] {
        debug_assert_eq!(writer.out(from).width(), bits);
        m.output_is(port, &writer.out(from));
    }

    m.section("Control");
    let beat_ready = m.net("beat_ready", Ty::bit());
    m.comb("next state, and who takes the beat", |b| {
        b.set(&state_d, &state_q);
        b.set(&beat_ready, &beat_ready.k(0));
        b.case(&state_q, |c| {
            c.arm(&idle, |b| {
                b.when(&start_words, |b| b.set(&state_d, &words));
                b.when(&start_head, |b| b.set(&state_d, &head));
                b.when(&start_params, |b| b.set(&state_d, &params));
            });
            c.arm(&words, |b| {
                b.set(&beat_ready, &unpacked.out("s_ready_o"));
                b.when(&words_end, |b| b.set(&state_d, &idle));
            });
            c.arm(&head, |b| {
                b.set(&beat_ready, &head_ready);
                b.when(&filled, |b| b.set(&state_d, &idle));
            });
            c.arm(&params, |b| {
                b.set(&beat_ready, &writer.out("ready_o"));
                b.when(&params_end, |b| b.set(&state_d, &idle));
            });
            c.default(|b| b.set(&state_d, &idle));
        });
    });
    m.next_reset(&state_q, 0, None, &state_d);
    m.output_is("beat_ready_o", &beat_ready);
    m.output_is("retire_o", &(&words_end | &head_end | &params_end));
    m.build()
}
