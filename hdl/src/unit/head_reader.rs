//! Reads the head buffer: walks the tiles of a head and gathers the rows of weights of each word.

use std::sync::Arc;

use spec::Config;

use super::head_buffer::{DIM_BITS, HeadSizes};
use super::module_name;
use super::queue::queue;
use super::skid::skid;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, bits_for, index_bits};

/// `<prefix>_head_reader`: one row of weights a cycle, `preload_rows` rows a word.
///
/// Ports: `filled_i` with `direct_i`, `rows_i`, `dim_i`, `tiles_i`, `columns_i` (columns in use): a half is full; `room_o`:
/// another may be filled; `empty_o`; `read_o`, `place_o`, `half_o`, one cycle later `row_keep_o`, `column_keep_o` and
/// `row_i`; `word_valid_o`, `word_ready_i`, `word_o`, `word_last_o` (the head's last).
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn head_reader(config: &Config) -> Result<Arc<Module>, Error> {
    let sizes = HeadSizes::new(config);
    let (rows, cols) = (config.array.rows, config.array.cols);
    let (bands, steps) = (config.preload_rows(), config.preload_cycles());
    let place_bits = sizes.place_bits();
    let doc = format!(
        "Reader of the head buffer. Word s of a tile holds rows s, {steps} + s, ... of it, {bands} in all; each row\n\
         is one place of all columns, read in a cycle. Rows and columns that the head does not have read as 0."
    );
    let mut m = ModuleBuilder::new(module_name(config, "head_reader"), doc);
    let filled_i = m.input("filled_i", Ty::bit());
    let fields =
        [("direct", 1), ("rows", sizes.row_bits()), ("dim", DIM_BITS), ("tiles", sizes.tile_bits()), ("columns", cols)];
    let inputs: Vec<Expr> = fields.iter().map(|(name, bits)| m.input(&format!("{name}_i"), Ty::u(*bits))).collect();
    let row_i = m.input("row_i", Ty::u(8 * cols));
    let word_ready_i = m.input("word_ready_i", Ty::bit());

    m.section("Heads to read; two are in use while one is read and the other full");
    let head = Expr::concat(&inputs.iter().rev().cloned().collect::<Vec<_>>());
    let head_bits = head.width();
    let head_ends = m.net("head_ends", Ty::bit());
    let ports = [("in_valid_i", &filled_i), ("in_data_i", &head), ("out_ready_i", &head_ends)];
    let heads = m.instance("u_heads", &queue(config, head_bits, 2)?, &ports);
    let active = heads.out("out_valid_o");
    let head = heads.out("out_data_o");
    m.output_is("room_o", &heads.out("in_ready_o"));
    let mut lsb = 0;
    let mut field = |bits: u32| {
        lsb += bits;
        head.part(lsb - bits, bits)
    };
    let [direct, rows_used, dim, tiles, columns] = fields.map(|(_, bits)| field(bits));

    m.section("The walk: tile, word, band");
    let stall = m.net("stall", Ty::bit());
    let read = m.wire("read", &(&active & !&stall));
    let counter = |m: &mut ModuleBuilder, name: &str, count: u32, step: &Expr| {
        let q = m.reg(&format!("{name}_q"), Ty::u(index_bits(count)));
        let last = m.wire(&format!("{name}_is_last"), &q.eq_k(i128::from(count) - 1));
        m.next_reset(&q, 0, Some(step), &last.mux(&q.k(0), &(&q + q.k(1))));
        (q, last)
    };
    let band_last = if bands > 1 { counter(&mut m, "band", bands, &read).1 } else { Expr::u(1, 1) };
    let word_step = m.wire("word_step", &(&read & &band_last));
    let (step_q, step_last) =
        if steps > 1 { counter(&mut m, "step", steps, &word_step) } else { (Expr::u(1, 0), Expr::u(1, 1)) };
    let tile_step = m.wire("tile_step", &(&word_step & &step_last));
    let tile_q = m.reg("tile_q", tiles.ty());
    let next_tile = m.wire("next_tile", &(&tile_q + tile_q.k(1)));
    let tile_last = m.wire("tile_is_last", &next_tile.eq(&tiles));
    m.next_reset(&tile_q, 0, Some(&tile_step), &tile_last.mux(&tile_q.k(0), &next_tile));
    m.assign(&head_ends, &(&tile_step & &tile_last));
    let half_q = m.reg("half_q", Ty::bit());
    m.next_reset(&half_q, 0, Some(&head_ends), &!&half_q);
    // Place of the row in its column, and of the row in its tile; one bit more, so that rows past the head are seen.
    let wide = place_bits + 1;
    let base_q = m.reg("base_q", Ty::u(wide));
    let base_d = tile_last.mux(&base_q.k(0), &(&base_q + base_q.k(rows.into())));
    m.next_reset(&base_q, 0, Some(&tile_step), &base_d);
    let lane_ty = Ty::u(bits_for((bands * steps).into()).max(step_q.width() + 1));
    let lane_q = m.reg("lane_q", lane_ty);
    let next_step = step_last.mux(&lane_q.k(0), &(step_q.extend(lane_ty.width) + lane_q.k(1)));
    let lane_d = if bands > 1 { band_last.mux(&next_step, &(&lane_q + lane_q.k(steps.into()))) } else { next_step };
    m.next_reset(&lane_q, 0, Some(&read), &lane_d);
    let sum_bits = wide.max(lane_ty.width) + 1;
    let place = m.wire("place", &(base_q.extend(sum_bits) + lane_q.extend(sum_bits)));
    let within = |a: &Expr, b: &Expr| {
        let bits = a.width().max(b.width());
        a.extend(bits).lt(&b.extend(bits))
    };
    let used = direct.mux(&within(&lane_q, &rows_used), &within(&place, &dim));
    let keep = m.wire("keep", &(within(&lane_q, &Expr::u(bits_for(rows.into()), rows.into())) & used));
    m.output_is("read_o", &read);
    m.output_is("place_o", &place.part(0, place_bits));
    m.output_is("half_o", &half_q);

    m.section("The row that comes back, and the word that it completes");
    let moves = m.wire("moves", &!&stall);
    let valid_q = m.reg("valid_q", Ty::bit());
    m.next_reset(&valid_q, 0, Some(&moves), &active);
    let ends_q = m.pipe_if("ends_q", &moves, &band_last);
    let last_q = m.pipe_if("last_q", &moves, &(&tile_step & &tile_last));
    let keep_q = m.pipe_if("keep_q", &moves, &keep);
    let columns_q = m.pipe_if("columns_q", &moves, &columns);
    m.output_is("row_keep_o", &keep_q);
    m.output_is("column_keep_o", &columns_q);
    let word = if bands > 1 {
        let kept_q = m.reg("kept_q", Ty::u(8 * cols * (bands - 1)));
        let shifted = if bands > 2 {
            Expr::concat(&[row_i.clone(), kept_q.slice(kept_q.width() - 1, 8 * cols)])
        } else {
            row_i.clone()
        };
        let keep_row = m.wire("keep_row", &(&valid_q & &moves));
        m.next_if(&kept_q, &keep_row, &shifted);
        Expr::concat(&[row_i, kept_q])
    } else {
        row_i
    };
    let complete = m.wire("complete", &(&valid_q & &ends_q));
    let word = m.wire("word", &Expr::concat(&[last_q, word]));
    let ports = [("in_valid_i", &complete), ("in_data_i", &word), ("out_ready_i", &word_ready_i)];
    let out = m.instance("u_out", &skid(config, word.width())?, &ports);
    m.assign(&stall, &(&complete & !out.out("in_ready_o")));
    let out_valid = out.out("out_valid_o");
    m.output_is("word_valid_o", &out_valid);
    let out_word = out.out("out_data_o");
    m.output_is("word_o", &out_word.slice(word.width() - 2, 0));
    m.output_is("word_last_o", &out_word.bit(word.width() - 1));
    m.output_is("empty_o", &(heads.out("empty_o") & !&valid_q & !&out_valid));
    m.build()
}
