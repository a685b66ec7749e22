//! Two readers on one read channel.

use std::sync::Arc;

use spec::Config;

use super::burst::ADDR_BITS;
use super::module_name;
use super::queue::queue;
use super::skid::skid;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_read_arbiter`: bursts of two readers on one ID; answers go back in the order of the addresses.
///
/// Ports: `a_ar_*`, `a_r_*` and `b_ar_*`, `b_r_*` to the readers, `a` first; `ar_*`, `r_*` to memory. Up to `bursts` of both
/// are under way.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn read_arbiter(config: &Config, bursts: u32) -> Result<Arc<Module>, Error> {
    let data_bits = config.bus.data_bits;
    let doc = "Two readers on one memory port: reader a goes first. The order of the addresses is kept, so\n\
               that answers find back on one ID. One cycle for an address, none for data.";
    let mut m = ModuleBuilder::new(module_name(config, "read_arbiter"), doc);
    let addr_ty = Ty::u(ADDR_BITS);
    let client = |m: &mut ModuleBuilder, name: &str| {
        let valid = m.input(&format!("{name}_ar_valid_i"), Ty::bit());
        let addr = m.input(&format!("{name}_ar_addr_i"), addr_ty);
        let len = m.input(&format!("{name}_ar_len_i"), Ty::u(8));
        let r_ready = m.input(&format!("{name}_r_ready_i"), Ty::bit());
        (valid, Expr::concat(&[len, addr]), r_ready)
    };
    let (a_valid, a_burst, a_r_ready) = client(&mut m, "a");
    let (b_valid, b_burst, b_r_ready) = client(&mut m, "b");
    let ar_ready_i = m.input("ar_ready_i", Ty::bit());
    let r_valid_i = m.input("r_valid_i", Ty::bit());
    let r_data_i = m.input("r_data_i", Ty::u(data_bits));
    let r_resp_i = m.input("r_resp_i", Ty::u(2));
    let r_last_i = m.input("r_last_i", Ty::bit());

    m.section("Addresses");
    let free = m.net("free", Ty::bit());
    let any = m.wire("any_valid", &(&a_valid | &b_valid));
    let granted = m.wire("granted", &(&any & &free));
    let is_b = m.wire("is_b", &!&a_valid);
    let burst = m.wire("burst", &a_valid.mux(&a_burst, &b_burst));
    let ports = [("in_valid_i", &granted), ("in_data_i", &burst), ("out_ready_i", &ar_ready_i)];
    let out = m.instance("u_address", &skid(config, ADDR_BITS + 8)?, &ports);
    let r_ends = m.net("r_ends", Ty::bit());
    let ports = [("in_valid_i", &granted), ("in_data_i", &is_b), ("out_ready_i", &r_ends)];
    let order = m.instance("u_order", &queue(config, 1, bursts)?, &ports);
    m.assign(&free, &(out.out("in_ready_o") & order.out("in_ready_o")));
    m.output_is("a_ar_ready_o", &free);
    m.output_is("b_ar_ready_o", &(&free & &is_b));
    let address = out.out("out_data_o");
    m.output_is("ar_valid_o", &out.out("out_valid_o"));
    m.output_is("ar_addr_o", &address.part(0, ADDR_BITS));
    m.output_is("ar_len_o", &address.part(ADDR_BITS, 8));

    m.section("Data, to the reader of the oldest burst");
    let expected = order.out("out_valid_o");
    let to_b = order.out("out_data_o");
    let reader_ready = m.wire("reader_ready", &to_b.mux(&b_r_ready, &a_r_ready));
    let r_ready = m.wire("r_ready", &(&expected & &reader_ready));
    m.assign(&r_ends, &(&r_valid_i & &reader_ready & &r_last_i));
    m.output_is("r_ready_o", &r_ready);
    let offered = m.wire("offered", &(&r_valid_i & &expected));
    m.output_is("a_r_valid_o", &(&offered & !&to_b));
    m.output_is("b_r_valid_o", &(&offered & &to_b));
    m.output_is("r_data_o", &r_data_i);
    m.output_is("r_resp_o", &r_resp_i);
    m.output_is("r_last_o", &r_last_i);
    m.build()
}
