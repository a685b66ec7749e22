//! Writer of the activation buffer: where each code of a row goes.

use std::sync::Arc;

use spec::Config;

use super::super::module_name;
use super::super::ram::addr_bits;
use super::plan::VecPlan;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// Bits of an act address in an instruction.
pub const ACT_ADDR_BITS: u32 = 14;

/// `<prefix>_vec_act_writer`: words of codes to lanes of act words, tile after tile.
///
/// Ports: `set_i` with `half_i`, `base_i`, `row_i`, `rows_i`, `used_i` (rows of the array a tile uses), `block_i` (0 or
/// its elements); `start_i` (an op begins: element 0 of the row); `valid_i`, `mask_i`, `single_i` (the word has one element),
/// `codes_i`, `scale_i`: one cycle later `write_o`, `half_o`, `addr_o`, `lanes_o` (enables), `codes_o`, `scale_o`. A tile's
/// first word enables all lanes, those without a code with 0.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn act_writer(config: &Config, plan: &VecPlan) -> Result<Arc<Module>, Error> {
    let doc = "Codes of a row into act words: word base + tile * rows + row, lane after lane. A tile ends\n\
               after used_i lanes or with its block; its first word fills the other lanes with 0.\n\
               Latency 1 cycle.";
    let (lanes, rows) = (plan.lanes, plan.rows);
    let mut m = ModuleBuilder::new(module_name(config, "vec_act_writer"), doc);
    let set_i = m.input("set_i", Ty::bit());
    let half_i = m.input("half_i", Ty::bit());
    let base_i = m.input("base_i", Ty::u(ACT_ADDR_BITS));
    let row_i = m.input("row_i", Ty::u(11));
    let rows_i = m.input("rows_i", Ty::u(11));
    let used_i = m.input("used_i", Ty::u(8));
    let block_i = m.input("block_i", Ty::u(8));
    let start_i = m.input("start_i", Ty::bit());
    let valid_i = m.input("valid_i", Ty::bit());
    let mask_i = m.input("mask_i", Ty::u(lanes));
    let single_i = m.input("single_i", Ty::bit());
    let codes_i = m.input("codes_i", Ty::u(8 * lanes));
    let scale_i = m.input("scale_i", Ty::u(8));

    m.section("SETA");
    let half_q = m.pipe_if("half_q", &set_i, &half_i);
    let first_q = m.pipe_if("first_q", &set_i, &(&base_i + &row_i.extend(ACT_ADDR_BITS)));
    let rows_q = m.pipe_if("rows_q", &set_i, &rows_i);
    let used_q = m.pipe_if("used_q", &set_i, &used_i);
    let block_q = m.pipe_if("block_q", &set_i, &block_i);

    m.section("Next lane of the tile, elements of the block that came before this word, address of the tile");
    let lane_q = m.reg("lane_q", Ty::u(8));
    let place_q = m.reg("place_q", Ty::u(8));
    let addr_q = m.reg("addr_q", Ty::u(ACT_ADDR_BITS));
    let step = m.wire("step", &single_i.mux(&lane_q.k(1), &lane_q.k(lanes.into())));
    let next_lane = m.wire("next_lane", &(&lane_q + &step));
    let next_place = m.wire("next_place", &(&place_q + &step));
    let block_ends = m.wire("block_ends", &(block_q.any() & next_place.eq(&block_q)));
    let tile_ends = m.wire("tile_ends", &(next_lane.eq(&used_q) | &block_ends));
    let moves = m.wire("moves", &(&start_i | &valid_i));
    m.next_if(&lane_q, &moves, &(&start_i | &tile_ends).mux(&lane_q.k(0), &next_lane));
    m.next_if(&place_q, &moves, &(&start_i | &block_ends).mux(&place_q.k(0), &next_place));
    let next_addr = m.wire("next_addr", &(&addr_q + &rows_q.extend(ACT_ADDR_BITS)));
    let addr_moves = m.wire("addr_moves", &(&start_i | (&valid_i & &tile_ends)));
    m.next_if(&addr_q, &addr_moves, &start_i.mux(&first_q, &next_addr));

    m.section("Lanes of the act word: those of this word, and in a tile's first word all");
    let opens = m.wire("opens", &!lane_q.any());
    let mut enables = Vec::new();
    let mut codes = Vec::new();
    let masked: Vec<_> =
        (0..lanes).map(|i| m.wire(&format!("code{i}"), &(codes_i.part(8 * i, 8) & mask_i.bit(i).repeat(8)))).collect();
    for r in 0..rows {
        let lane = Expr::u(8, r.into());
        let own = m.wire(&format!("own{r}"), &(lane.ge(&lane_q) & lane.lt(&next_lane)));
        let code = single_i.mux(&masked[0], &masked[(r % lanes) as usize]);
        codes.push(code & own.repeat(8));
        enables.push(&own | &opens);
    }
    enables.reverse();
    codes.reverse();
    let write_q = m.pipe_reset("write_q", 0, &valid_i);
    let out_addr_q = m.pipe("out_addr_q", &addr_q);
    let lanes_q = m.pipe("lanes_q", &Expr::concat(&enables));
    let codes_q = m.pipe("codes_q", &Expr::concat(&codes));
    let scale_q = m.pipe("scale_q", &scale_i);
    m.output_is("write_o", &write_q);
    m.output_is("half_o", &half_q);
    m.output_is("addr_o", &out_addr_q.part(0, addr_bits(plan.act_words).min(ACT_ADDR_BITS)));
    m.output_is("lanes_o", &lanes_q);
    m.output_is("codes_o", &codes_q);
    m.output_is("scale_o", &scale_q);
    m.build()
}
