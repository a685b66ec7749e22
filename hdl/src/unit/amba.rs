//! AMBA's names at a top: ports of an AXI4 memory master and of an AXI4-Lite slave, and the nets behind them.

use spec::Config;

use super::burst::{ADDR_BITS, lane_bits};
use crate::rtl::connect::Outputs;
use crate::rtl::{Expr, ModuleBuilder, Ty};

/// What comes in at an AXI4 master, under the plain names of a memory port's inputs.
#[derive(Clone, Debug)]
pub struct Inputs(Vec<(&'static str, Expr)>);

impl Inputs {
    /// The inputs by the names of an instance's ports.
    pub fn ports(&self) -> impl Iterator<Item = (&'static str, &Expr)> {
        self.0.iter().map(|(name, expr)| (*name, expr))
    }
}

/// Bits of an AXI4 identifier: every burst has identifier 0, so that answers come in order (AXI4, A5.3).
const ID_BITS: u32 = 1;

/// Inputs `m_axi_*` of a top. The identifiers of answers are taken and not looked at: there is one.
pub fn m_axi_inputs(m: &mut ModuleBuilder, config: &Config) -> Inputs {
    let ports = [
        ("m_axi_arready", "ar_ready_i", 1),
        ("m_axi_rvalid", "r_valid_i", 1),
        ("m_axi_rdata", "r_data_i", config.bus.data_bits),
        ("m_axi_rresp", "r_resp_i", 2),
        ("m_axi_rlast", "r_last_i", 1),
        ("m_axi_awready", "aw_ready_i", 1),
        ("m_axi_wready", "w_ready_i", 1),
        ("m_axi_bvalid", "b_valid_i", 1),
        ("m_axi_bresp", "b_resp_i", 2),
    ];
    for name in ["m_axi_rid", "m_axi_bid"] {
        m.ignored_input(name, Ty::u(ID_BITS));
    }
    Inputs(ports.into_iter().map(|(name, plain, bits)| (plain, m.input(name, Ty::u(bits)))).collect())
}

/// Outputs `m_axi_*` of a top, from its memory port: incrementing bursts of whole beats, normal non-cacheable bufferable
/// memory (AXI4, A4.5), unprivileged secure data accesses, not exclusive, without quality of service, identifier 0.
pub fn m_axi_outputs(m: &mut ModuleBuilder, config: &Config, port: &Outputs) {
    let fixed = [
        ("id", ID_BITS, 0),
        ("size", 3, u64::from(lane_bits(config))),
        ("burst", 2, 1),
        ("lock", 1, 0),
        ("cache", 4, 3),
        ("prot", 3, 0),
        ("qos", 4, 0),
    ];
    for channel in ["ar", "aw"] {
        for (name, bits) in [("valid", 1), ("addr", ADDR_BITS), ("len", 8)] {
            let value = port.out(&format!("{channel}_{name}_o"));
            debug_assert_eq!(value.width(), bits);
            m.output_is(&format!("m_axi_{channel}{name}"), &value);
        }
        for (name, bits, value) in fixed {
            m.output_is(&format!("m_axi_{channel}{name}"), &Expr::u(bits, value));
        }
    }
    for (name, plain) in [
        ("m_axi_rready", "r_ready_o"),
        ("m_axi_wvalid", "w_valid_o"),
        ("m_axi_wdata", "w_data_o"),
        ("m_axi_wstrb", "w_strb_o"),
        ("m_axi_wlast", "w_last_o"),
        ("m_axi_bready", "b_ready_o"),
    ] {
        m.output_is(name, &port.out(plain));
    }
}

/// Inputs `s_axil_*` of a top, under the plain names of the register block's inputs. Protection bits are taken and not
/// looked at: every access may read and write every register.
pub fn s_axil_inputs(m: &mut ModuleBuilder) -> Inputs {
    let ports = [
        ("s_axil_awvalid", "aw_valid_i", 1),
        ("s_axil_awaddr", "aw_addr_i", spec::regs::ADDR_BITS),
        ("s_axil_wvalid", "w_valid_i", 1),
        ("s_axil_wdata", "w_data_i", 32),
        ("s_axil_wstrb", "w_strb_i", 4),
        ("s_axil_bready", "b_ready_i", 1),
        ("s_axil_arvalid", "ar_valid_i", 1),
        ("s_axil_araddr", "ar_addr_i", spec::regs::ADDR_BITS),
        ("s_axil_rready", "r_ready_i", 1),
    ];
    for name in ["s_axil_awprot", "s_axil_arprot"] {
        m.ignored_input(name, Ty::u(3));
    }
    Inputs(ports.into_iter().map(|(name, plain, bits)| (plain, m.input(name, Ty::u(bits)))).collect())
}

/// Outputs `s_axil_*` of a top, from its register block.
pub fn s_axil_outputs(m: &mut ModuleBuilder, block: &Outputs) {
    for (name, plain) in [
        ("s_axil_awready", "aw_ready_o"),
        ("s_axil_wready", "w_ready_o"),
        ("s_axil_bvalid", "b_valid_o"),
        ("s_axil_bresp", "b_resp_o"),
        ("s_axil_arready", "ar_ready_o"),
        ("s_axil_rvalid", "r_valid_o"),
        ("s_axil_rdata", "r_data_o"),
        ("s_axil_rresp", "r_resp_o"),
    ] {
        m.output_is(name, &block.out(plain));
    }
}
