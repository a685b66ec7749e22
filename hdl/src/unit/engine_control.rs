//! Decodes the tile engine's commands and steers their payloads.

use std::sync::Arc;

use spec::{Config, RequantMode, stream};

use super::run_sizes::{RunSizes, SizeCheck};
use super::{matmul, module_name};
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, index_bits};

/// Places of the word widths in the unpacker's list, which holds each width once.
#[derive(Clone, Debug)]
pub struct Options {
    /// The widths.
    pub widths: Vec<u32>,
    /// Place of activation words of each format of the Config.
    pub acts: Vec<u32>,
    /// Place of weight words of each format of the Config.
    pub weights: Vec<u32>,
}

/// Place of command words.
pub const COMMAND: u32 = 0;
/// Place of row words.
pub const ROWS: u32 = 1;
/// Place of channel words.
pub const CHANNELS: u32 = 2;

impl Options {
    /// The widths that a Config needs, each once.
    pub fn new(config: &Config) -> Self {
        let mut widths = vec![stream::COMMAND_BITS, stream::ROW_BITS, config.lanes() * stream::CHANNEL_BITS];
        let mut place = |width: u32| {
            widths.iter().position(|&w| w == width).unwrap_or_else(|| {
                widths.push(width);
                widths.len() - 1
            }) as u32
        };
        let formats = &config.pe.formats;
        let acts = formats.iter().map(|f| place(config.array.rows * f.act().bits())).collect();
        let weight_count = config.preload_rows() * config.array.cols;
        let weights = formats.iter().map(|f| place(weight_count * f.weight().bits())).collect();
        Self { widths, acts, weights }
    }

    /// Bits of a place.
    pub fn bits(&self) -> u32 {
        index_bits(self.widths.len() as u32)
    }
}

/// `<prefix>_engine_control`: one packet at a time: command, wait until its target is free, payload.
///
/// Ports: `valid_i`, `ready_o`, `command_i` (the word as a command), `accept_o`, `option_o`, `last_o` (to the
/// unpacker);
/// `weight_ready_i`, `acts_busy_i`, `busy_i` `[2]`, `requant_busy_i`; write strobes `rows_o`, `channels_o`, `acts_o`,
/// `weights_o` with `half_o`, `format_o`, `addr_o`; `run_o` and the fields of `Run`, as wide as in [`RunSizes`];
/// `overrun_i`, where [`matmul::overruns`]; `waiting_o`, `idle_o`, `error_o`.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn engine_control(config: &Config) -> Result<Arc<Module>, Error> {
    let options = Options::new(config);
    let doc = "Control of the tile engine's input: takes a command, waits until what it overwrites is no\n\
               longer needed, then steers the words of its payload. A command with an unknown op, format or\n\
               mode, or with a count that is 0 or more than the buffers hold, is skipped and sets error_o\n\
               until reset; so does a chunk that goes on past the end of a buffer.";
    let mut m = ModuleBuilder::new(module_name(config, "engine_control"), doc);
    let valid_i = m.input("valid_i", Ty::bit());
    let command_i = m.input("command_i", Ty::u(stream::COMMAND_BITS));
    let weight_ready_i = m.input("weight_ready_i", Ty::bit());
    let acts_busy_i = m.input("acts_busy_i", Ty::u(2));
    let busy_i = m.input("busy_i", Ty::u(2));
    let requant_busy_i = m.input("requant_busy_i", Ty::bit());

    m.section("The command");
    let [command, hold, payload] = m.states(["Command", "Hold", "Payload"]);
    let state_q = m.reg("state_q", command.ty());
    let in_command = m.wire("in_command", &state_q.eq(&command));
    let in_hold = m.wire("in_hold", &state_q.eq(&hold));
    let in_payload = m.wire("in_payload", &state_q.eq(&payload));
    let take = m.wire("take", &(&valid_i & &in_command));
    let mut keep = |name: &str, f: stream::Field| m.pipe_if(name, &take, &command_i.part(f.lsb, f.bits));
    let op_q = keep("op_q", stream::OP);
    let half_q = keep("half_q", stream::HALF);
    let format_q = keep("format_q", stream::FORMAT);
    let [mode_q, rows_q, last_cols_q, k_tiles_q, n_tiles_q, mult_q, shift_q] =
        RunSizes::new(config).fields().map(|f| keep(&format!("{}_q", f.name), f));
    let size = SizeCheck::describe(&mut m, config, &op_q, &take, &command_i);
    let (left_q, addr_q) = (&size.left_q, &size.addr_q);

    m.section("Which target, and whether it may be overwritten");
    let half_busy = m.wire("half_busy", &half_q.mux(&busy_i.bit(1), &busy_i.bit(0)));
    let half_acts_busy = m.wire("half_acts_busy", &half_q.mux(&acts_busy_i.bit(1), &acts_busy_i.bit(0)));
    let nothing_in_flight = m.wire("nothing_in_flight", &!(busy_i.any() | &requant_busy_i));
    let good_format = m.wire("good_format", &format_q.lt(&format_q.k(config.pe.formats.len() as i128)));
    let modes = RequantMode::ALL.iter().enumerate().filter(|(_, mode)| config.requant.modes.contains(mode));
    let known_mode = modes.map(|(i, _)| mode_q.eq_k(i as i128)).reduce(|a, b| a | b).unwrap_or(Expr::u(1, 0));
    let good_run = m.wire("good_run", &(known_mode & &size.run_fits_q));
    let known = m.net("known", Ty::bit());
    let free = m.net("free", Ty::bit());
    let option = m.net("payload_option", Ty::u(options.bits()));
    let ready = m.net("payload_ready", Ty::bit());
    let by_format = |places: &[u32]| {
        let mut chosen = option.k(places[0].into());
        for (i, &place) in places.iter().enumerate().skip(1) {
            chosen = format_q.eq_k(i as i128).mux(&option.k(place.into()), &chosen);
        }
        chosen
    };
    let acts_option = m.wire("acts_option", &by_format(&options.acts));
    let weights_option = m.wire("weights_option", &by_format(&options.weights));
    m.comb("by op: is it known, may it go on, how wide are its words, can they be taken", |b| {
        b.set(&known, &known.k(0));
        b.set(&free, &free.k(1));
        b.set(&option, &option.k(COMMAND.into()));
        b.set(&ready, &ready.k(1));
        b.case(&op_q, |c| {
            c.arm(&op_q.k(stream::OP_CHANNELS.into()), |b| {
                b.set(&known, &size.fits);
                b.set(&free, &nothing_in_flight);
                b.set(&option, &option.k(CHANNELS.into()));
            });
            c.arm(&op_q.k(stream::OP_ROWS.into()), |b| {
                b.set(&known, &size.fits);
                b.set(&free, &!&half_busy);
                b.set(&option, &option.k(ROWS.into()));
            });
            c.arm(&op_q.k(stream::OP_ACTS.into()), |b| {
                b.set(&known, &(&good_format & &size.fits));
                b.set(&free, &!&half_acts_busy);
                b.set(&option, &acts_option);
            });
            c.arm(&op_q.k(stream::OP_WEIGHTS.into()), |b| {
                b.set(&known, &(&good_format & &size.count_fits_q));
                b.set(&option, &weights_option);
                b.set(&ready, &weight_ready_i);
            });
            c.arm(&op_q.k(stream::OP_RUN.into()), |b| {
                b.set(&known, &good_run);
                b.set(&free, &!&half_busy);
            });
        });
    });

    m.section("State");
    let none_left = m.wire("none_left", &left_q.eq_k(0));
    let last = m.wire("last_word", &left_q.eq_k(1));
    let is_run = m.wire("is_run", &op_q.eq_k(stream::OP_RUN.into()));
    let word = m.wire("word_taken", &(&valid_i & &in_payload & &ready));
    let state_d = m.net("state_d", state_q.ty());
    m.comb("next state", |b| {
        b.set(&state_d, &state_q);
        b.case(&state_q, |c| {
            c.arm(&command, |b| b.when(&valid_i, |b| b.set(&state_d, &hold)));
            c.arm(&hold, |b| {
                b.when_else(
                    &known,
                    |b| {
                        b.when(&free, |b| {
                            let skip = &is_run | &none_left;
                            b.when_else(&skip, |b| b.set(&state_d, &command), |b| b.set(&state_d, &payload));
                        });
                    },
                    |b| b.set(&state_d, &command),
                );
            });
            c.arm(&payload, |b| b.when(&(&word & &last), |b| b.set(&state_d, &command)));
            c.default(|b| b.set(&state_d, &command));
        });
    });
    m.next_reset(&state_q, 0, None, &state_d);
    let count = command_i.part(stream::COUNT.lsb, left_q.width());
    let base = command_i.part(stream::BASE.lsb, addr_q.width());
    let step = m.wire("step", &(&take | &word));
    m.next_if(left_q, &step, &take.mux(&count, &(left_q - left_q.k(1))));
    m.next_if(addr_q, &step, &take.mux(&base, &(addr_q + addr_q.k(1))));

    m.section("To the unpacker, the targets, the chunk queue");
    m.output_is("ready_o", &(&in_command | (&in_payload & &ready)));
    m.output_is("accept_o", &!&in_hold);
    m.output_is("option_o", &in_payload.mux(&option, &option.k(COMMAND.into())));
    m.output_is("last_o", &(&in_command | &last));
    for (port, op) in [
        ("rows_o", stream::OP_ROWS),
        ("channels_o", stream::OP_CHANNELS),
        ("acts_o", stream::OP_ACTS),
        ("weights_o", stream::OP_WEIGHTS),
    ] {
        let valid = &valid_i & &in_payload & op_q.eq_k(op.into());
        m.output_is(port, &valid);
    }
    m.output_is("half_o", &half_q);
    m.output_is("format_o", &format_q);
    m.output_is("addr_o", addr_q);
    m.output_is("run_o", &(&in_hold & &is_run & &known & &free));
    let run = [
        ("mode_o", &mode_q),
        ("run_rows_o", &rows_q),
        ("last_cols_o", &last_cols_q),
        ("k_tiles_o", &k_tiles_q),
        ("n_tiles_o", &n_tiles_q),
        ("mult_o", &mult_q),
        ("shift_o", &shift_q),
    ];
    for (port, value) in run {
        m.output_is(port, value);
    }
    m.section("Status");
    let error_q = m.reg("error_q", Ty::bit());
    let refused = m.wire("refused", &(&in_hold & !&known));
    let overrun = matmul::overruns(config).then(|| m.input("overrun_i", Ty::bit()));
    let error = overrun.map_or_else(|| refused.clone(), |overrun| &refused | overrun);
    m.next_reset(&error_q, 0, None, &(&error_q | error));
    m.output_is("error_o", &error_q);
    m.output_is("waiting_o", &(&in_hold & &known & !&free));
    m.output_is("idle_o", &(&in_command & &nothing_in_flight));
    m.build()
}
