//! Hardware units, each described once.

pub mod acc_banks;
pub mod accumulate;
pub mod array;
pub mod chunk_queue;
pub mod decode;
pub mod double_ram;
//pub mod engine;
pub mod engine_control;
pub mod foot;
pub mod matmul;
pub mod pe;
pub mod product;
pub mod ram;
pub mod skew;
pub mod unpack;
pub mod weight_fifo;

use spec::Config;

/// Module name of a unit: the Config's prefix, an underscore, the unit's name.
pub fn module_name(config: &Config, unit: &str) -> String {
    format!("{}_{unit}", config.design.prefix)
}

#[cfg(test)]
mod tests {
    use spec::Config;

    #[test]
    fn t() {
        for (name, text) in crate::presets::PRESETS {
            let c = Config::from_toml(text).unwrap();
            for r in [
                super::matmul::matmul(&c),
                super::engine_control::engine_control(&c),
                super::chunk_queue::chunk_queue(&c),
                super::acc_banks::acc_banks(&c),
                super::weight_fifo::weight_fifo(&c),
                super::unpack::unpack(&c, &super::engine_control::Options::new(&c).widths),
            ] {
                if let Err(e) = r {
                    println!("{name}: {e}");
                }
            }
        }
    }
}
