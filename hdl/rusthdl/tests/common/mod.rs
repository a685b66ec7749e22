//! Configurations whose cells are compared, and their Verilog.

use std::sync::Arc;

use hdl::rtl::{Design, Header, Module};
use spec::{Config, Format, PeKind};

/// The smallest preset with another PE.
pub fn config(kind: PeKind, format: Format, rows: u32, product_register: bool) -> Config {
    let mut config = Config::from_toml(hdl::presets::preset("tiny").unwrap()).unwrap();
    config.array.rows = rows;
    config.pe.kind = kind;
    config.pe.formats = vec![format];
    config.pe.product_register = product_register;
    config.validate().unwrap();
    config
}

/// The Verilog of a module and of everything below it.
pub fn verilog(module: &Arc<Module>) -> String {
    let files = Design::new(module.clone()).emit(&Header::default()).unwrap();
    files.into_iter().map(|(_, text)| text).collect()
}
