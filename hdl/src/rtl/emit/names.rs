//! Names within one module: what is taken, and new ones derived from it.

use std::collections::BTreeSet;

use crate::rtl::module::{Item, Module};

/// The names taken in a module.
#[derive(Debug)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// Every name the module's description declares.
    pub(super) fn of(module: &Module) -> Self {
        let mut taken: BTreeSet<String> = module.signals.iter().map(|s| s.name.clone()).collect();
        taken.extend(module.arrays.iter().map(|a| a.name.clone()));
        taken.extend(module.constants.iter().map(|(name, _)| name.clone()));
        taken.extend(module.items.iter().filter_map(|item| match item {
            Item::Memory(memory) => Some(memory.name.clone()),
            Item::Instance(instance) => Some(instance.name.clone()),
            _ => None,
        }));
        taken.extend(["clk_i".to_string(), "rst_ni".to_string(), module.name.clone()]);
        Self(taken)
    }

    /// `wanted`, or the first free one of `wanted_1`, `wanted_2`, ...
    pub(super) fn fresh(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_string();
        let mut number = 0;
        while !self.0.insert(name.clone()) {
            number += 1;
            name = format!("{wanted}_{number}");
        }
        name
    }

    /// The first free one of `stem0`, `stem1`, ...
    pub(super) fn numbered(&mut self, stem: &str) -> String {
        let mut number = 0;
        loop {
            let name = format!("{stem}{number}");
            if self.0.insert(name.clone()) {
                return name;
            }
            number += 1;
        }
    }
}
