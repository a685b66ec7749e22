//! Configurations whose cells are compared.

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
