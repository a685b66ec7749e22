//! The register block: AXI4-Lite in front of the table in [`spec::regs`].

use std::sync::Arc;

use spec::{Config, Format, regs};

use super::counters::{RETIRED_BITS, counters};
use super::module_name;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, index_bits};

const OKAY: u64 = 0;
const SLVERR: u64 = 2;

/// The generator's version as `VERSION` reads it.
pub fn version_word() -> u32 {
    let part = |text: &str| text.parse::<u32>().unwrap_or(0) & 0xff;
    part(env!("CARGO_PKG_VERSION_MAJOR")) << 16
        | part(env!("CARGO_PKG_VERSION_MINOR")) << 8
        | part(env!("CARGO_PKG_VERSION_PATCH"))
}

/// What the configuration registers of a Config read, by name.
pub fn config_words(config: &Config) -> Vec<(&'static str, u32)> {
    let hash = u64::from_str_radix(&config.hash(), 16).unwrap_or(0);
    let formats = config.pe.formats.iter().filter_map(|f| Format::ALL.iter().position(|g| g == f));
    vec![
        ("ID", regs::ID),
        ("VERSION", version_word()),
        ("CONFIG_HASH_LO", hash as u32),
        ("CONFIG_HASH_HI", (hash >> 32) as u32),
        (
            "CONFIG_ARRAY",
            config.array.rows | config.array.cols << 8 | config.array.preload_rows << 16 | config.vec_lanes() << 24,
        ),
        ("CONFIG_BUS", config.bus.data_bits | config.dma.burst_beats << 16 | config.dma.outstanding << 25),
        ("CONFIG_FORMATS", formats.fold(0, |mask, f| mask | 1 << f)),
        ("CONFIG_CHUNK_ROWS", config.array.chunk_rows),
        ("CONFIG_ACT_WORDS", config.act_words()),
        ("CONFIG_ACC_WORDS", config.acc_words()),
        ("CONFIG_WEIGHT_WORDS", super::weight_fifo::depth(config)),
        ("CONFIG_ELEMENTS", config.vec.elements),
        ("CONFIG_PARAMS", config.vec.params),
    ]
}

/// `<prefix>_axil_regs`: the registers behind an AXI4-Lite slave.
///
/// Ports: the five channels `aw_*`, `w_*`, `b_*`, `ar_*`, `r_*`; `start_o`, `soft_reset_o` (one cycle), `program_addr_o`,
/// `program_length_o`, `watchdog_o`, `irq_o`; `busy_i`, `done_i` (one cycle), `error_i` with `error_code_i`,
/// `error_addr_i`, `error_detail_i` (the first since the last start is kept), `tag_i`; what is counted: `run_i`,
/// `cause_i`, `read_i`, `write_i`, `retired_i`.
///
/// An address and its data may come in any order. One write at a time, one read at a time, both at once.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn axil_regs(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = "Registers behind AXI4-Lite. A write takes effect when both its address and its data are here;\n\
               unknown, misaligned and read-only addresses are answered with SLVERR. Reading the low word\n\
               of a counter keeps the high one for the next read.";
    let mut m = ModuleBuilder::new(module_name(config, "axil_regs"), doc);
    let writes = Writes::describe(&mut m);

    m.section("Control");
    let busy_i = m.input("busy_i", Ty::bit());
    let done_i = m.input("done_i", Ty::bit());
    let error_i = m.input("error_i", Ty::bit());
    let control = writes.to(&mut m, "CONTROL");
    let start = m.wire("start", &(&control & writes.data.bit(0) & !&busy_i));
    let soft_reset = m.wire("soft_reset", &(&control & writes.data.bit(1)));
    let start_q = m.pipe_reset("start_q", 0, &start);
    let soft_reset_q = m.pipe_reset("soft_reset_q", 0, &soft_reset);
    m.output_is("start_o", &start_q);
    m.output_is("soft_reset_o", &soft_reset_q);
    let mut words: Vec<(u32, Expr)> = config_words(config)
        .into_iter()
        .filter_map(|(name, value)| Some((regs::register(name)?.offset, Expr::u(32, value.into()))))
        .collect();
    let offset = |name: &str| regs::register(name).map_or(0, |r| r.offset);
    words.push((offset("CONTROL"), Expr::u(32, 0)));
    for (name, port) in
        [("PROGRAM_ADDR", "program_addr_o"), ("PROGRAM_LENGTH", "program_length_o"), ("WATCHDOG", "watchdog_o")]
    {
        let q = writes.register(&mut m, name, 32);
        m.output_is(port, &q);
        words.push((offset(name), q));
    }

    m.section("State and events");
    let clear = m.wire("clear", &(&start | &soft_reset));
    let sticky = |m: &mut ModuleBuilder, name: &str, event: &Expr| {
        let q = m.reg(name, Ty::bit());
        m.next_reset(&q, 0, None, &(!&clear & (&q | event)));
        q
    };
    let done_q = sticky(&mut m, "done_q", &done_i);
    let error_q = sticky(&mut m, "error_q", &error_i);
    let first_error = m.wire("first_error", &(&error_i & !&error_q));
    let mut kept = Vec::new();
    for (name, bits) in [("error_code", 8), ("error_addr", 32), ("error_detail", 32)] {
        let value = m.input(&format!("{name}_i"), Ty::u(bits));
        kept.push(m.pipe_if(&format!("{name}_q"), &first_error, &value));
    }
    let code = error_q.mux(&kept[0], &kept[0].k(0));
    let low = Expr::concat(&[Expr::u(5, 0), error_q, done_q, busy_i]);
    let status = m.wire("status", &Expr::concat(&[Expr::u(16, 0), code, low]));
    words.push((offset("STATUS"), status));
    words.push((offset("ERROR_ADDR"), kept[1].clone()));
    words.push((offset("ERROR_DETAIL"), kept[2].clone()));
    words.push((offset("TAG"), m.input("tag_i", Ty::u(32))));
    let events = m.wire("events", &Expr::concat(&[first_error, done_i]));
    let enable_q = writes.register(&mut m, "IRQ_ENABLE", 2);
    let pending_q = m.reg("irq_status_q", Ty::u(2));
    let clears = writes.to(&mut m, "IRQ_STATUS");
    let written = m.wire("irq_cleared", &clears.repeat(2));
    let written = &written & writes.data.part(0, 2);
    m.next_reset(&pending_q, 0, None, &((&pending_q & !written) | events));
    words.push((offset("IRQ_ENABLE"), enable_q.extend(32)));
    words.push((offset("IRQ_STATUS"), pending_q.extend(32)));
    let irq = m.pipe_reset("irq_q", 0, &(&pending_q & &enable_q).any());
    m.output_is("irq_o", &irq);

    let reads = Reads::describe(&mut m);
    m.section("Counters");
    let count_inputs = [
        ("run_i", 1),
        ("cause_i", index_bits(regs::STALLS.len() as u32)),
        ("read_i", 1),
        ("write_i", 1),
        ("retired_i", RETIRED_BITS),
    ];
    let count_inputs: Vec<_> = count_inputs.iter().map(|(name, bits)| (*name, m.input(name, Ty::u(*bits)))).collect();
    let mut ports: Vec<_> = count_inputs.iter().map(|(name, port)| (*name, port)).collect();
    let index_bits = index_bits(regs::COUNTER_COUNT as u32);
    let first = reads.addr.slice(3 + index_bits - 1, 3);
    let index = m.wire("counter_index", &(&first - first.k(i128::from(regs::FIRST_COUNTER / 8) % (1 << index_bits))));
    ports.push(("clear_i", &start));
    ports.push(("index_i", &index));
    let value = m.instance("u_counters", &counters(config)?, &ports).out("value_o");
    let low_read = m.net("low_read", Ty::bit());
    let keep_high = m.wire("keep_high", &(&reads.enable & &low_read));
    let high_q = m.pipe_if("high_q", &keep_high, &value.slice(regs::COUNTER_BITS - 1, 32));

    m.section("The word that is read");
    let word = m.net("word", Ty::u(32));
    let known = m.net("known", Ty::bit());
    let label = |offset: u32| reads.addr.k(offset.into());
    m.comb("by address; counters last", |b| {
        b.set(&word, &word.k(0));
        b.set(&known, &known.k(1));
        b.set(&low_read, &low_read.k(0));
        b.case(&reads.addr, |c| {
            for (offset, value) in &words {
                c.arm(&label(*offset), |b| b.set(&word, value));
            }
            let counters = 0..regs::COUNTER_COUNT as u32;
            let low: Vec<_> = counters.clone().map(|i| label(regs::counter_offset(i))).collect();
            let high: Vec<_> = counters.map(|i| label(regs::counter_offset(i) + 4)).collect();
            c.arm_of(&low, |b| {
                b.set(&word, &value.slice(31, 0));
                b.set(&low_read, &low_read.k(1));
            });
            c.arm_of(&high, |b| b.set(&word, &high_q.extend(32)));
            c.default(|b| b.set(&known, &known.k(0)));
        });
    });
    reads.answer(&mut m, &word, &known);
    m.build()
}

/// The write side: address and data wait for each other, then one cycle writes.
struct Writes {
    /// A write takes effect; its response follows.
    enable: Expr,
    addr: Expr,
    data: Expr,
    strobes: Expr,
}

impl Writes {
    fn describe(m: &mut ModuleBuilder) -> Self {
        m.section("Writes: address and data wait for each other");
        let aw_valid_i = m.input("aw_valid_i", Ty::bit());
        let aw_addr_i = m.input("aw_addr_i", Ty::u(regs::ADDR_BITS));
        let w_valid_i = m.input("w_valid_i", Ty::bit());
        let w_data_i = m.input("w_data_i", Ty::u(32));
        let w_strb_i = m.input("w_strb_i", Ty::u(4));
        let b_ready_i = m.input("b_ready_i", Ty::bit());
        let aw_held_q = m.reg("aw_held_q", Ty::bit());
        let w_held_q = m.reg("w_held_q", Ty::bit());
        let b_valid_q = m.reg("b_valid_q", Ty::bit());
        let aw_taken = m.wire("aw_taken", &(&aw_valid_i & !&aw_held_q));
        let w_taken = m.wire("w_taken", &(&w_valid_i & !&w_held_q));
        let enable = m.wire("write", &(&aw_held_q & &w_held_q & (&b_ready_i | !&b_valid_q)));
        let addr = m.pipe_if("waddr_q", &aw_taken, &aw_addr_i);
        let data = m.pipe_if("wdata_q", &w_taken, &w_data_i);
        let strobes = m.pipe_if("wstrb_q", &w_taken, &w_strb_i);
        m.next_reset(&aw_held_q, 0, None, &(&aw_taken | (&aw_held_q & !&enable)));
        m.next_reset(&w_held_q, 0, None, &(&w_taken | (&w_held_q & !&enable)));
        m.next_reset(&b_valid_q, 0, None, &(&enable | (&b_valid_q & !&b_ready_i)));
        m.output_is("aw_ready_o", &!&aw_held_q);
        m.output_is("w_ready_o", &!&w_held_q);
        m.output_is("b_valid_o", &b_valid_q);
        let writable = regs::REGISTERS.iter().filter(|r| r.access != regs::Access::Read);
        let labels: Vec<_> = writable.map(|r| addr.k(r.offset.into())).collect();
        let known = m.net("writable", Ty::bit());
        m.comb("may it be written", |b| {
            b.set(&known, &known.k(0));
            b.case(&addr, |c| c.arm_of(&labels, |b| b.set(&known, &known.k(1))));
        });
        let resp = m.pipe_if("b_resp_q", &enable, &known.mux(&Expr::u(2, OKAY), &Expr::u(2, SLVERR)));
        m.output_is("b_resp_o", &resp);
        Self { enable, addr, data, strobes }
    }

    /// Whether register `name` is written, its lowest byte included.
    fn to(&self, m: &mut ModuleBuilder, name: &str) -> Expr {
        let offset = regs::register(name).map_or(0, |r| r.offset);
        let hit = &self.enable & self.addr.eq_k(offset.into()) & self.strobes.bit(0);
        m.wire(&format!("{}_hit", name.to_lowercase()), &hit)
    }

    /// A register of `bits` bits that is read and written by bytes.
    fn register(&self, m: &mut ModuleBuilder, name: &str, bits: u32) -> Expr {
        let (offset, reset) = regs::register(name).map_or((0, 0), |r| (r.offset, r.reset));
        let lower = name.to_lowercase();
        let q = m.reg(&format!("{lower}_q"), Ty::u(bits));
        let hit = m.wire(&format!("{lower}_write"), &(&self.enable & self.addr.eq_k(offset.into())));
        let bytes: Vec<Expr> = (0..bits.div_ceil(8))
            .rev()
            .map(|i| {
                let width = (bits - 8 * i).min(8);
                self.strobes.bit(i).mux(&self.data.part(8 * i, width), &q.part(8 * i, width))
            })
            .collect();
        m.next_reset(&q, reset.into(), Some(&hit), &Expr::concat(&bytes));
        q
    }
}

/// The read side: the address is kept, the word follows one cycle later.
struct Reads {
    /// The word goes to the answer.
    enable: Expr,
    addr: Expr,
    valid_q: Expr,
}

impl Reads {
    fn describe(m: &mut ModuleBuilder) -> Self {
        m.section("Reads");
        let ar_valid_i = m.input("ar_valid_i", Ty::bit());
        let ar_addr_i = m.input("ar_addr_i", Ty::u(regs::ADDR_BITS));
        let r_ready_i = m.input("r_ready_i", Ty::bit());
        let held_q = m.reg("ar_held_q", Ty::bit());
        let valid_q = m.reg("r_valid_q", Ty::bit());
        let taken = m.wire("ar_taken", &(&ar_valid_i & !&held_q));
        let addr = m.pipe_if("raddr_q", &taken, &ar_addr_i);
        let enable = m.wire("read", &(&held_q & (&r_ready_i | !&valid_q)));
        m.next_reset(&held_q, 0, None, &(&taken | (&held_q & !&enable)));
        m.next_reset(&valid_q, 0, None, &(&enable | (&valid_q & !&r_ready_i)));
        m.output_is("ar_ready_o", &!&held_q);
        Self { enable, addr, valid_q }
    }

    fn answer(&self, m: &mut ModuleBuilder, word: &Expr, known: &Expr) {
        let data = m.pipe_if("r_data_q", &self.enable, word);
        let resp = m.pipe_if("r_resp_q", &self.enable, &known.mux(&Expr::u(2, OKAY), &Expr::u(2, SLVERR)));
        m.output_is("r_valid_o", &self.valid_q);
        m.output_is("r_data_o", &data);
        m.output_is("r_resp_o", &resp);
    }
}
