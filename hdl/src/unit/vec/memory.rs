//! A memory of elements in as many banks as there are lanes: a word of elements from any element on.

use std::sync::Arc;

use spec::Config;

use super::super::module_name;
use super::super::ram::{addr_bits, ram};
use super::rotate::{rotate_down, rotate_up};
use crate::error::Error;
use crate::rtl::module::Conn;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_<name>`: `elements` elements of `width` bits in `lanes` banks; element `e` is in bank `e mod lanes`.
///
/// Ports: `write_i` (one bit a lane), `waddr_i`, `wdata_i`: lane `i` is element `waddr_i + i`; `read_i`, `raddr_i`; one cycle
/// later `rdata_o`, likewise, until the next read. Addresses have [`super::plan::ADDR_BITS`] bits.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn vec_memory(
    config: &Config,
    name: &str,
    (width, elements, lanes): (u32, u32, u32),
    addr: u32,
) -> Result<Arc<Module>, Error> {
    let doc = format!(
        "Memory of {elements} elements of {width} bits in {lanes} banks: element e is in bank e mod {lanes},\n\
         so a word of {lanes} elements may start anywhere. Read latency 1 cycle."
    );
    let depth = elements.div_ceil(lanes).max(2);
    let bank = ram(config, width, depth)?;
    let mut m = ModuleBuilder::new(module_name(config, name), doc);
    let write_i = m.input("write_i", Ty::u(lanes));
    let waddr_i = m.input("waddr_i", Ty::u(addr));
    let wdata_i = m.input("wdata_i", Ty::u(lanes * width));
    let read_i = m.input("read_i", Ty::bit());
    let raddr_i = m.input("raddr_i", Ty::u(addr));
    let levels = lanes.trailing_zeros();
    let row_bits = addr_bits(depth);

    m.section("Banks below the first element's are one row further on");
    let rows = |m: &mut ModuleBuilder, stem: &str, at: &Expr| {
        let nets = m.nets(&format!("{stem}_row"), Ty::u(row_bits), lanes);
        let wide = m.wire(&format!("{stem}_wide"), &at.extend(levels + row_bits.max(addr)));
        let row = wide.part(levels, row_bits);
        let next = (lanes > 1).then(|| m.wire(&format!("{stem}_next"), &(&row + row.k(1))));
        for j in 0..lanes {
            let value = match &next {
                Some(next) => at.slice(levels - 1, 0).gt(&Expr::u(levels, j.into())).mux(next, &row),
                None => row.clone(),
            };
            m.assign(&nets.at(j), &value);
        }
        nets
    };
    let wrows = rows(&mut m, "write", &waddr_i);
    let rrows = rows(&mut m, "read", &raddr_i);

    let (enables, data) = if lanes == 1 {
        (write_i, wdata_i)
    } else {
        let turn = m.wire("write_turn", &waddr_i.slice(levels - 1, 0));
        let enables = rotate_up(&mut m, "enables", &write_i, lanes, &turn);
        (enables, rotate_up(&mut m, "wdata", &wdata_i, lanes, &turn))
    };
    let enable_nets = m.nets("enable", Ty::bit(), lanes);
    m.split(&enables, &enable_nets, 0, 1, lanes);
    let data_nets = m.nets("bank_wdata", Ty::u(width), lanes);
    m.split(&data, &data_nets, 0, 1, lanes);
    let out_nets = m.nets("bank_rdata", Ty::u(width), lanes);
    let conns = [
        ("write_i", enable_nets.step(0, 1, 0)),
        ("waddr_i", wrows.step(0, 1, 0)),
        ("wdata_i", data_nets.step(0, 1, 0)),
        ("read_i", Conn::In(read_i.clone())),
        ("raddr_i", rrows.step(0, 1, 0)),
        ("rdata_o", out_nets.step(0, 1, 0)),
    ];
    m.grid("u_bank", &bank, 1, lanes, &conns);
    let mut out = m.join("banks", &out_nets, 0, 1, lanes);
    if lanes > 1 {
        m.section("The first element comes first");
        let turn_q = m.pipe_if("turn_q", &read_i, &raddr_i.slice(levels - 1, 0));
        out = rotate_down(&mut m, "rdata", &out, lanes, &turn_q);
    }
    m.output_is("rdata_o", &out);
    m.build()
}
