//! Widths of a command's counts inside the engine: as many bits as the Config's buffers need, and the check that a
//! command asks for no more.

use spec::{Config, stream};

use crate::rtl::{Expr, ModuleBuilder, Ty, bits_for, index_bits};

/// Bits of each count of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunSizes {
    /// Rows.
    pub rows: u32,
    /// Place of a row in its chunk, or rows less one.
    pub row: u32,
    /// Columns used in the last N tile.
    pub last_cols: u32,
    /// Tiles along K, modulo a power of two: 0 stands for that power.
    pub k_tiles: u32,
    /// Tiles along N, modulo a power of two: 0 stands for that power.
    pub n_tiles: u32,
}

impl RunSizes {
    /// The widths for a Config.
    pub fn new(config: &Config) -> Self {
        Self {
            rows: bits_for(config.max_rows().into()),
            row: index_bits(config.max_rows()),
            last_cols: bits_for(config.array.cols.into()),
            k_tiles: index_bits(config.max_k_tiles()),
            n_tiles: index_bits(config.max_n_tiles()),
        }
    }

    /// The fields of a `Run` command that a chunk keeps, as wide as here.
    pub fn fields(&self) -> [stream::Field; 7] {
        let narrow = |field: stream::Field, bits: u32| stream::Field { bits, ..field };
        [
            stream::MODE,
            narrow(stream::ROWS, self.rows),
            narrow(stream::LAST_COLS, self.last_cols),
            narrow(stream::K_TILES, self.k_tiles),
            narrow(stream::N_TILES, self.n_tiles),
            stream::MULT,
            stream::SHIFT,
        ]
    }
}

/// What a payload writes, counted down and up, and whether the command asks for what the buffers hold.
pub(super) struct SizeCheck {
    /// Words left.
    pub left_q: Expr,
    /// Address of the next word.
    pub addr_q: Expr,
    /// The count is one of a payload.
    pub count_fits_q: Expr,
    /// Before its first word: the payload ends within its buffer.
    pub fits: Expr,
    /// The counts of a `Run` are each at least 1 and at most what the buffers hold.
    pub run_fits_q: Expr,
}

impl SizeCheck {
    /// Checks the command taken with `take`, whose op is then `op_q`.
    pub fn describe(m: &mut ModuleBuilder, config: &Config, op_q: &Expr, take: &Expr, command: &Expr) -> Self {
        m.section("Whether its counts are possible");
        let field = |f: stream::Field| command.part(f.lsb, f.bits);
        let mut in_range = |f: stream::Field, most: u32| {
            let value = field(f);
            let present = m.wire(&format!("some_{}", f.name), &value.any());
            if most >> f.bits == 0 && most + 1 < 1 << f.bits {
                present & value.le(&value.k(most.into()))
            } else {
                present
            }
        };
        let run_fits = in_range(stream::ROWS, config.max_rows())
            & in_range(stream::LAST_COLS, config.array.cols)
            & in_range(stream::K_TILES, config.max_k_tiles())
            & in_range(stream::N_TILES, config.max_n_tiles());
        let run_fits_q = m.pipe_if("run_fits_q", take, &run_fits);
        let buffers = [
            (stream::OP_CHANNELS, config.channel_words()),
            (stream::OP_ROWS, config.array.chunk_rows),
            (stream::OP_ACTS, config.act_words()),
        ];
        let deepest = buffers.iter().map(|(_, words)| *words).max().unwrap_or(1);
        let left_q = m.reg("left_q", Ty::u(bits_for(config.max_payload_words().into())));
        let addr_q = m.reg("addr_q", Ty::u(index_bits(deepest.max(2))));
        let above = |f: stream::Field, bits: u32| {
            if bits < f.bits { command.part(f.lsb + bits, f.bits - bits).any() } else { Expr::u(1, 0) }
        };
        let count_fits_q = m.pipe_if("count_fits_q", take, &!above(stream::COUNT, left_q.width()));
        let base_fits_q = m.pipe_if("base_fits_q", take, &!above(stream::BASE, addr_q.width()));
        let bits = left_q.width() + 1;
        let room = m.net("room", Ty::u(bits));
        m.comb("words of the buffer", |b| {
            b.set(&room, &room.k(buffers[0].1.into()));
            b.case(op_q, |c| {
                for (op, words) in &buffers[1..] {
                    c.arm(&op_q.k((*op).into()), |b| b.set(&room, &room.k((*words).into())));
                }
            });
        });
        let end = m.wire("payload_end", &(addr_q.extend(bits) + left_q.extend(bits)));
        let fits = m.wire("payload_fits", &(&count_fits_q & &base_fits_q & end.le(&room)));
        Self { left_q, addr_q, count_fits_q, fits, run_fits_q }
    }
}
