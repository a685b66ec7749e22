//! The accumulator memory: two banks, so that requantising one chunk overlaps computing the next.

use std::sync::Arc;

use spec::Config;

use super::mm_plan::MmPlan;
use super::module_name;
use super::ram::{addr_bits, ram};
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// `<prefix>_acc_banks`: two banks of accumulator words, read by the multiply unit and by the requantizer.
///
/// Ports: `write_i`, `wbank_i`, `waddr_i`, `wdata_i`; `mm_read_i`, `mm_bank_i`, `mm_addr_i`, `mm_data_o`; `rq_read_i`,
/// `rq_bank_i`, `rq_addr_i`, `rq_data_o`; data one cycle after the read. The readers never use the same bank at once.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn acc_banks(config: &Config) -> Result<Arc<Module>, Error> {
    banks(config, &MmPlan::engine(config))
}

/// [`acc_banks`] of a plan's width and depth.
pub(super) fn banks(config: &Config, plan: &MmPlan) -> Result<Arc<Module>, Error> {
    let doc = "Accumulator banks: the multiply unit works in one while the requantizer reads the other.\n\
               Read latency 1 cycle. A bank belongs to one of them at a time.";
    let bank = ram(config, plan.acc_word_bits(config), plan.acc_words)?;
    let mut m = ModuleBuilder::new(module_name(config, "acc_banks"), doc);
    let addr = Ty::u(addr_bits(plan.acc_words));
    let write_i = m.input("write_i", Ty::bit());
    let wbank_i = m.input("wbank_i", Ty::bit());
    let waddr_i = m.input("waddr_i", addr);
    let wdata_i = m.input("wdata_i", Ty::u(plan.acc_word_bits(config)));
    let mm_read_i = m.input("mm_read_i", Ty::bit());
    let mm_bank_i = m.input("mm_bank_i", Ty::bit());
    let mm_addr_i = m.input("mm_addr_i", addr);
    let rq_read_i = m.input("rq_read_i", Ty::bit());
    let rq_bank_i = m.input("rq_bank_i", Ty::bit());
    let rq_addr_i = m.input("rq_addr_i", addr);
    let mut words = Vec::new();
    for i in 0..2 {
        let mut chosen = |name: &str, enable: &Expr, bank: &Expr| {
            let here = if i == 1 { bank.clone() } else { !bank };
            m.wire(&format!("{name}{i}"), &(enable & here))
        };
        let write = chosen("write", &write_i, &wbank_i);
        let mm_read = chosen("mm_read", &mm_read_i, &mm_bank_i);
        let rq_read = chosen("rq_read", &rq_read_i, &rq_bank_i);
        let read = m.wire(&format!("read{i}"), &(&mm_read | &rq_read));
        let raddr = m.wire(&format!("raddr{i}"), &rq_read.mux(&rq_addr_i, &mm_addr_i));
        let ports =
            [("write_i", &write), ("waddr_i", &waddr_i), ("wdata_i", &wdata_i), ("read_i", &read), ("raddr_i", &raddr)];
        words.push(m.instance(&format!("u_bank{i}"), &bank, &ports).out("rdata_o"));
    }
    let mm_bank_q = m.pipe_if("mm_bank_q", &mm_read_i, &mm_bank_i);
    let rq_bank_q = m.pipe_if("rq_bank_q", &rq_read_i, &rq_bank_i);
    m.output_is("mm_data_o", &mm_bank_q.mux(&words[1], &words[0]));
    m.output_is("rq_data_o", &rq_bank_q.mux(&words[1], &words[0]));
    m.build()
}
