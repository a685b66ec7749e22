//! Rows of a head to tiles of weights: transposed (keys) or as they are (values).

use std::sync::Arc;

use spec::Config;

use super::burst::{beat_bytes, lane_bits};
use super::gearbox::gearbox;
use super::head_bank::head_bank;
use super::head_reader::head_reader;
use super::module_name;
use crate::error::Error;
use crate::rtl::module::Conn;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, bits_for, index_bits};

/// Most bytes of a row of `LDH`: the longest head.
pub const HEAD_BYTES: u32 = 256;

/// Sizes of a head buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadSizes {
    /// Bytes of a column in each half, a power of two.
    pub column_bytes: u32,
    /// Most rows: the larger of R and C.
    pub rows: u32,
    /// Most tiles that a head has.
    pub tiles: u32,
}

impl HeadSizes {
    /// The sizes of a Config's buffer: heads of [`HEAD_BYTES`] fit in both modes.
    pub fn new(config: &Config) -> Self {
        let (rows, cols) = (config.array.rows, config.array.cols);
        let (transposed, direct) = (HEAD_BYTES.div_ceil(rows), HEAD_BYTES.div_ceil(cols));
        let tiles = transposed.max(direct);
        let column = (transposed * rows).max(direct * rows).max(2 * beat_bytes(config));
        Self { column_bytes: column.next_power_of_two(), rows: rows.max(cols), tiles }
    }

    /// Bits of a place in a column.
    pub fn place_bits(&self) -> u32 {
        index_bits(self.column_bytes)
    }

    /// Bits of a count of rows.
    pub fn row_bits(&self) -> u32 {
        bits_for(self.rows.into())
    }

    /// Bits of a count of tiles.
    pub fn tile_bits(&self) -> u32 {
        bits_for(self.tiles.into())
    }
}

/// Bits of `LDH`'s row length that count: 1..=[`HEAD_BYTES`].
pub const DIM_BITS: u32 = bits_for(HEAD_BYTES as u64);

/// `<prefix>_head_buffer`: two halves, one filled while the other is read.
///
/// Ports: `start_i` (while `free_o`) with `direct_i`, `rows_i`, `dim_i`, `tiles_i`; then beats of the rows: `valid_i`,
/// `ready_o`, `data_i`; `filled_o`: the last beat is in; `word_valid_o`, `word_ready_i`, `word_o`, `word_last_o`: words
/// of the tiles, in order; `empty_o`: no half is in use.
///
/// A beat a cycle in (a piece of C bytes direct), C weights a cycle out.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn head_buffer(config: &Config) -> Result<Arc<Module>, Error> {
    let sizes = HeadSizes::new(config);
    let (bytes, lane_bits, cols) = (beat_bytes(config), lane_bits(config), config.array.cols);
    let place_bits = sizes.place_bits();
    let doc = format!(
        "Head buffer: rows of at most {HEAD_BYTES} bytes become tiles of weights. Column c of a tile is a bank of\n\
         bytes, so that reading one place of all banks gives a row of weights. Transposed, a row of memory\n\
         is a column, written by whole beats. Direct, it is cut into pieces of {cols} bytes, one for each column.\n\
         Two halves: one is filled while the other is read."
    );
    let mut m = ModuleBuilder::new(module_name(config, "head_buffer"), doc);
    let start_i = m.input("start_i", Ty::bit());
    let direct_i = m.input("direct_i", Ty::bit());
    let rows_i = m.input("rows_i", Ty::u(sizes.row_bits()));
    let dim_i = m.input("dim_i", Ty::u(DIM_BITS));
    let tiles_i = m.input("tiles_i", Ty::u(sizes.tile_bits()));
    let valid_i = m.input("valid_i", Ty::bit());
    let data_i = m.input("data_i", Ty::u(8 * bytes));
    let word_ready_i = m.input("word_ready_i", Ty::bit());

    m.section("The head that is filled in");
    let filling_q = m.reg("filling_q", Ty::bit());
    let direct_q = m.pipe_if("direct_q", &start_i, &direct_i);
    let rows_q = m.pipe_if("rows_q", &start_i, &rows_i);
    let dim_q = m.pipe_if("dim_q", &start_i, &dim_i);
    let tiles_q = m.pipe_if("tiles_q", &start_i, &tiles_i);
    let row_q = m.reg("row_q", rows_q.ty());
    let beat_bits = DIM_BITS - lane_bits.min(DIM_BITS - 1);
    let beat_q = m.reg("beat_q", Ty::u(beat_bits));
    let less_one = m.wire("dim_less_one", &(&dim_q - dim_q.k(1)));
    let (last_beat, last_lane) = if lane_bits < DIM_BITS {
        (less_one.slice(DIM_BITS - 1, lane_bits), less_one.slice(lane_bits - 1, 0))
    } else {
        (Expr::u(beat_bits, 0), less_one.extend(lane_bits))
    };
    let beat_is_last = m.wire("beat_is_last", &beat_q.eq(&last_beat));
    let last_lane = m.wire("last_lane", &last_lane);
    let kept: Vec<Expr> =
        (0..bytes).rev().map(|i| (!&beat_is_last | last_lane.ge(&last_lane.k(i.into()))).repeat(8)).collect();
    let data = m.wire("data", &(&data_i & Expr::concat(&kept)));
    let gear_ready = m.net("gear_ready", Ty::bit());
    let ready = m.wire("ready", &(&filling_q & (!&direct_q | &gear_ready)));
    let taken = m.wire("taken", &(&valid_i & &ready));
    m.output_is("ready_o", &ready);
    let to_gear = m.wire("to_gear", &(&valid_i & &filling_q & &direct_q));
    let ports = [("valid_i", &to_gear), ("data_i", &data), ("last_i", &beat_is_last)];
    let gear = m.instance("u_gearbox", &gearbox(config)?, &ports);
    m.assign(&gear_ready, &gear.out("ready_o"));
    let piece_valid = gear.out("piece_valid_o");
    let beat_d = beat_is_last.mux(&beat_q.k(0), &(&beat_q + beat_q.k(1)));
    m.next_reset(&beat_q, 0, Some(&taken), &beat_d);

    m.section("Places: of a beat in its column, of a piece in every column");
    let place_q = m.reg("place_q", Ty::u(place_bits));
    let piece_q = m.reg("piece_q", Ty::u(sizes.tile_bits()));
    let row_ends =
        m.wire("row_ends", &direct_q.mux(&(&piece_valid & gear.out("piece_last_o")), &(&taken & &beat_is_last)));
    let next_row = m.wire("next_row", &(&row_q + row_q.k(1)));
    let filled = m.wire("filled", &(&row_ends & next_row.eq(&rows_q)));
    let row_step = m.wire("row_step", &(&start_i | &row_ends));
    m.next_reset(&row_q, 0, Some(&row_step), &start_i.mux(&row_q.k(0), &next_row));
    // Direct, a row starts at the place of its number, and its next piece lies R places further on.
    let row_place = if next_row.width() >= place_bits {
        m.wire("row_place", &next_row).part(0, place_bits)
    } else {
        next_row.extend(place_bits)
    };
    let place_d = m.net("place_d", place_q.ty());
    let piece_d = m.net("piece_d", piece_q.ty());
    m.comb("the next piece, or the next row", |b| {
        b.set(&place_d, &(&place_q + place_q.k(config.array.rows.into())));
        b.set(&piece_d, &(&piece_q + piece_q.k(1)));
        b.when(&row_ends, |b| {
            b.set(&place_d, &row_place);
            b.set(&piece_d, &piece_q.k(0));
        });
        b.when(&start_i, |b| {
            b.set(&place_d, &place_q.k(0));
            b.set(&piece_d, &piece_q.k(0));
        });
    });
    let place_step = m.wire("place_step", &(&start_i | &piece_valid));
    m.next_if(&place_q, &place_step, &place_d);
    m.next_if(&piece_q, &place_step, &piece_d);

    m.section("Halves");
    let half_q = m.reg("half_q", Ty::bit());
    m.next_reset(&half_q, 0, Some(&filled), &!&half_q);
    m.next_reset(&filling_q, 0, None, &(&start_i | (&filling_q & !&filled)));
    m.output_is("filled_o", &filled);
    let read = m.net("read", Ty::bit());
    let read_place = m.net("read_place", Ty::u(place_bits));
    let read_half = m.net("read_half", Ty::bit());
    let row_keep = m.net("row_keep", Ty::bit());
    let column_keep = m.net("column_keep", Ty::u(cols));
    let write_row = m.wire("write_row", &row_q);
    let one_hot: Vec<Expr> = (0..cols).rev().map(|c| write_row.eq(&write_row.k(c.into()))).collect();
    let one_hot = m.wire("one_hot", &Expr::concat(&one_hot));
    let seen_q = m.reg("seen_q", Ty::u(cols));
    let seen_step = m.wire("seen_step", &(&start_i | &row_ends));
    let seen = m.wire("seen", &(&seen_q | &one_hot | direct_q.repeat(cols)));
    m.next_if(&seen_q, &seen_step, &start_i.mux(&Expr::u(1, 0).repeat(cols), &seen));

    m.section("Columns");
    let words = 2 * sizes.column_bytes / bytes;
    let addr_bits = index_bits(words);
    let in_range = m.wire("in_range", &piece_q.lt(&tiles_q));
    let beat_addr = beat_q.extend(beat_bits.max(addr_bits));
    let beat_addr = m.wire("beat_addr", &beat_addr).part(0, addr_bits - 1);
    let addr = direct_q.mux(&place_q.slice(place_bits - 1, lane_bits), &beat_addr);
    let waddr = m.wire("waddr", &Expr::concat(&[half_q, addr]));
    let wlane = m.wire("wlane", &place_q.slice(lane_bits - 1, 0));
    let raddr = m.wire("raddr", &Expr::concat(&[read_half.clone(), read_place.slice(place_bits - 1, lane_bits)]));
    let rlane = m.wire("rlane", &read_place.slice(lane_bits - 1, 0));
    let writes = direct_q.mux(&(&piece_valid & &in_range).repeat(cols), &(&taken.repeat(cols) & &one_hot));
    let writes = m.wire("writes", &writes);
    let keeps = m.wire("keeps", &(&column_keep & row_keep.repeat(cols)));
    let piece = gear.out("piece_o");
    let whole = m.wire("whole", &!&direct_q);
    let write_nets = m.nets("column_write", Ty::bit(), cols);
    let keep_nets = m.nets("column_keeps", Ty::bit(), cols);
    let byte_nets = m.nets("column_byte", Ty::u(8), cols);
    let out_nets = m.nets("column_out", Ty::u(8), cols);
    m.split(&writes, &write_nets, 0, 1, cols);
    m.split(&keeps, &keep_nets, 0, 1, cols);
    m.split(&piece, &byte_nets, 0, 1, cols);
    let conns = [
        ("write_i", write_nets.step(0, 1, 0)),
        ("whole_i", Conn::In(whole)),
        ("waddr_i", Conn::In(waddr)),
        ("wlane_i", Conn::In(wlane)),
        ("beat_i", Conn::In(data)),
        ("byte_i", byte_nets.step(0, 1, 0)),
        ("read_i", Conn::In(read.clone())),
        ("raddr_i", Conn::In(raddr)),
        ("rlane_i", Conn::In(rlane)),
        ("keep_i", keep_nets.step(0, 1, 0)),
        ("byte_o", out_nets.step(0, 1, 0)),
    ];
    m.grid("u_column", &head_bank(config, words)?, 1, cols, &conns);
    let row = m.join("row", &out_nets, 0, 1, cols);

    m.section("The head that is read");
    let ports = [
        ("filled_i", &filled),
        ("direct_i", &direct_q),
        ("rows_i", &rows_q),
        ("dim_i", &dim_q),
        ("tiles_i", &tiles_q),
        ("columns_i", &seen),
        ("row_i", &row),
        ("word_ready_i", &word_ready_i),
    ];
    let reader = m.instance("u_reader", &head_reader(config)?, &ports);
    for (net, port) in [
        (&read, "read_o"),
        (&read_place, "place_o"),
        (&read_half, "half_o"),
        (&row_keep, "row_keep_o"),
        (&column_keep, "column_keep_o"),
    ] {
        m.assign(net, &reader.out(port));
    }
    m.output_is("free_o", &(!&filling_q & reader.out("room_o")));
    m.output_is("empty_o", &(!&filling_q & reader.out("empty_o")));
    for port in ["word_valid_o", "word_o", "word_last_o"] {
        m.output_is(port, &reader.out(port));
    }
    m.build()
}
