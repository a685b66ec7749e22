//! AMBA's names at a top: the ports of an AXI4 memory master and of an AXI4-Lite slave, channel by channel.

use spec::Config;

use super::burst::{ADDR_BITS, lane_bits};
use crate::rtl::connect::Outputs;
use crate::rtl::{Expr, ModuleBuilder, Ty};

/// Bits of an AXI4 identifier: every burst has identifier 0, so that answers come in order (AXI4, A5.3).
const ID_BITS: u32 = 1;

/// Where a port leads.
#[derive(Clone, Copy)]
enum Role {
    /// An input, under this name of an inner module's.
    To(&'static str),
    /// An output, from this one of an inner module's.
    From(&'static str),
    /// An output that never changes.
    Is(u64),
    /// An input that is not looked at.
    Ignored,
}

use Role::{From, Ignored, Is, To};

/// A signal of a channel: name, bits, role.
type Wire<'a> = (&'a str, u32, Role);

/// The ports of an interface.
#[derive(Clone, Debug)]
pub struct Interface {
    inputs: Vec<(&'static str, Expr)>,
    outputs: Vec<(Expr, &'static str)>,
    fixed: Vec<(Expr, u64)>,
}

impl Interface {
    fn declare(m: &mut ModuleBuilder, prefix: &str, channels: &[(&str, &[Wire])]) -> Self {
        let mut ports = Self { inputs: Vec::new(), outputs: Vec::new(), fixed: Vec::new() };
        for (channel, signals) in channels {
            for &(signal, bits, role) in *signals {
                let (name, ty) = (format!("{prefix}_{channel}{signal}"), Ty::u(bits));
                match role {
                    To(plain) => ports.inputs.push((plain, m.input(&name, ty))),
                    From(plain) => ports.outputs.push((m.output(&name, ty), plain)),
                    Is(value) => ports.fixed.push((m.output(&name, ty), value)),
                    Ignored => m.ignored_input(&name, ty),
                }
            }
        }
        ports
    }

    /// The inputs by the names of an inner module's.
    pub fn ports(&self) -> impl Iterator<Item = (&'static str, &Expr)> {
        self.inputs.iter().map(|(name, expr)| (*name, expr))
    }

    /// Drives the outputs from an inner module's.
    pub fn drive(&self, m: &mut ModuleBuilder, inner: &Outputs) {
        for (port, plain) in &self.outputs {
            m.assign(port, &inner.out(plain));
        }
        for (port, value) in &self.fixed {
            m.assign(port, &Expr::u(port.width(), *value));
        }
    }
}

/// Ports `m_axi_*` of a top, from its memory port: incrementing bursts of whole beats, normal non-cacheable bufferable
/// memory (AXI4, A4.5), unprivileged secure data accesses, not exclusive, without quality of service, identifier 0. The
/// identifiers of answers are not looked at: there is one.
pub fn m_axi(m: &mut ModuleBuilder, config: &Config) -> Interface {
    let (data, size) = (config.bus.data_bits, u64::from(lane_bits(config)));
    let address = |valid, ready, addr, len| {
        [
            ("valid", 1, From(valid)),
            ("ready", 1, To(ready)),
            ("id", ID_BITS, Is(0)),
            ("addr", ADDR_BITS, From(addr)),
            ("len", 8, From(len)),
            ("size", 3, Is(size)),
            ("burst", 2, Is(1)),
            ("lock", 1, Is(0)),
            ("cache", 4, Is(3)),
            ("prot", 3, Is(0)),
            ("qos", 4, Is(0)),
        ]
    };
    let write = [
        ("valid", 1, From("w_valid_o")),
        ("ready", 1, To("w_ready_i")),
        ("data", data, From("w_data_o")),
        ("strb", data / 8, From("w_strb_o")),
        ("last", 1, From("w_last_o")),
    ];
    let response = [
        ("valid", 1, To("b_valid_i")),
        ("ready", 1, From("b_ready_o")),
        ("id", ID_BITS, Ignored),
        ("resp", 2, To("b_resp_i")),
    ];
    let read = [
        ("valid", 1, To("r_valid_i")),
        ("ready", 1, From("r_ready_o")),
        ("id", ID_BITS, Ignored),
        ("data", data, To("r_data_i")),
        ("resp", 2, To("r_resp_i")),
        ("last", 1, To("r_last_i")),
    ];
    let channels: [(&str, &[_]); 5] = [
        ("aw", &address("aw_valid_o", "aw_ready_i", "aw_addr_o", "aw_len_o")),
        ("w", &write),
        ("b", &response),
        ("ar", &address("ar_valid_o", "ar_ready_i", "ar_addr_o", "ar_len_o")),
        ("r", &read),
    ];
    Interface::declare(m, "m_axi", &channels)
}

/// Ports `s_axil_*` of a top, from its register block. Protection bits are not looked at: every access may read and write
/// every register.
pub fn s_axil(m: &mut ModuleBuilder) -> Interface {
    let address = |valid, ready, addr| {
        [
            ("valid", 1, To(valid)),
            ("ready", 1, From(ready)),
            ("addr", spec::regs::ADDR_BITS, To(addr)),
            ("prot", 3, Ignored),
        ]
    };
    let write = [
        ("valid", 1, To("w_valid_i")),
        ("ready", 1, From("w_ready_o")),
        ("data", 32, To("w_data_i")),
        ("strb", 4, To("w_strb_i")),
    ];
    let response = [("valid", 1, From("b_valid_o")), ("ready", 1, To("b_ready_i")), ("resp", 2, From("b_resp_o"))];
    let read = [
        ("valid", 1, From("r_valid_o")),
        ("ready", 1, To("r_ready_i")),
        ("data", 32, From("r_data_o")),
        ("resp", 2, From("r_resp_o")),
    ];
    let channels: [(&str, &[_]); 5] = [
        ("aw", &address("aw_valid_i", "aw_ready_o", "aw_addr_i")),
        ("w", &write),
        ("b", &response),
        ("ar", &address("ar_valid_i", "ar_ready_o", "ar_addr_i")),
        ("r", &read),
    ];
    Interface::declare(m, "s_axil", &channels)
}
