//! What an estimate needs to know of a unit: the modules that synthesis keeps apart, with what it merges into them, how
//! they stand in each other, and the longest path. Counted once, whatever its instances.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use hdl::rtl::Module;
use spec::{Config, Dataflow};

use super::census::{Census, of_module};

/// A module that stays apart: one with registers, or the top.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// Modules that differ in sizes alone ([`family`]).
    pub family: String,
    /// Instances in the whole unit.
    pub instances: u64,
    /// What one has, with the combinational modules in it.
    pub census: Census,
}

/// An instance, or all of a grid, in another module.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// Its name.
    pub name: String,
    /// Its module.
    pub module: String,
    /// Instances.
    pub count: u64,
}

/// A unit, as estimates see it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outline {
    /// Its module.
    pub top: String,
    /// Modules by name.
    pub parts: BTreeMap<String, Part>,
    /// What stands in each module.
    pub children: BTreeMap<String, Vec<Child>>,
    /// Longest path in delays of [`super::timing::Delays::default`].
    pub path: f64,
    /// Module in which it ends.
    pub path_end: String,
}

/// Modules that differ in sizes alone: the name without the prefix and without numbers; a PE's has its operands, too.
pub fn family(config: &Config, module: &str) -> String {
    let name = module.strip_prefix(config.design.prefix.as_str()).unwrap_or(module);
    let is_size = |word: &&str| word.is_empty() || word.chars().any(|c| c.is_ascii_digit());
    let words: Vec<&str> = name.split('_').filter(|word| !is_size(word)).collect();
    match words.join("_") {
        pe if pe == "pe" => format!("pe_{}", operands(config)),
        other => other,
    }
}

/// What the PEs of a Config compute with: codes of weights and activations, dataflow.
pub fn operands(config: &Config) -> String {
    let flow = if config.array.dataflow == Dataflow::Os { "_os" } else { "" };
    format!("{}_{}{flow}", config.weight_operand().name(), config.act_operand().name())
}

impl Outline {
    /// Outline of a design; its path is left at 0.
    pub fn new(config: &Config, top: &Arc<Module>) -> Self {
        let mut own = HashMap::new();
        let mut outline = Self { top: top.name.clone(), ..Self::default() };
        outline.visit(config, top, 1, &mut own);
        outline
    }

    fn visit(&mut self, config: &Config, module: &Arc<Module>, count: u64, own: &mut HashMap<String, Census>) {
        let name = &module.name;
        if let Some(part) = self.parts.get_mut(name) {
            part.instances += count;
        } else {
            let census = merged(module, own);
            let part = Part { family: family(config, name), instances: count, census };
            self.parts.insert(name.clone(), part);
        }
        let is_new = !self.children.contains_key(name);
        let mut children = Vec::new();
        for instance in module.instances().filter(|instance| instance.module.has_clock) {
            let (rows, cols) = instance.grid.unwrap_or((1, 1));
            let times = u64::from(rows) * u64::from(cols);
            self.visit(config, &instance.module, count * times, own);
            children.push(Child { name: instance.name.clone(), module: instance.module.name.clone(), count: times });
        }
        if is_new {
            self.children.insert(name.clone(), children);
        }
    }

    /// Puts a unit's modules into this one, below `above`.
    pub fn join(&mut self, above: &str, name: &str, unit: &Self) {
        for (module, part) in &unit.parts {
            match self.parts.get_mut(module) {
                Some(there) => there.instances += part.instances,
                None => _ = self.parts.insert(module.clone(), part.clone()),
            }
        }
        for (module, children) in &unit.children {
            self.children.entry(module.clone()).or_insert_with(|| children.clone());
        }
        let child = Child { name: name.into(), module: unit.top.clone(), count: 1 };
        self.children.entry(above.into()).or_default().push(child);
        if unit.path > self.path {
            (self.path, self.path_end) = (unit.path, unit.path_end.clone());
        }
    }
}

/// A module's census with those of the combinational modules in it.
fn merged(module: &Arc<Module>, own: &mut HashMap<String, Census>) -> Census {
    if let Some(census) = own.get(&module.name) {
        return census.clone();
    }
    let mut census = of_module(module);
    for instance in module.instances().filter(|instance| !instance.module.has_clock) {
        let (rows, cols) = instance.grid.unwrap_or((1, 1));
        census.add(&merged(&instance.module, own), f64::from(rows) * f64::from(cols));
    }
    own.insert(module.name.clone(), census.clone());
    census
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::census::REGISTERS;

    fn config(name: &str) -> Config {
        Config::from_toml(hdl::presets::preset(name).unwrap()).unwrap()
    }

    #[test]
    fn families_have_no_sizes_and_pes_their_operands() {
        let mut config = config("tiny");
        assert_eq!(family(&config, "systole_queue_129x16"), "queue");
        assert_eq!(family(&config, "systole_vec_lane"), "vec_lane");
        assert_eq!(family(&config, "systole_pe_17"), "pe_int8_int8");
        config.design.prefix = "my_own_chip".into();
        assert_eq!(family(&config, "my_own_chip_skew_act"), "skew_act");
    }

    #[test]
    fn an_outline_has_every_instance_and_every_register() {
        let config = config("small");
        let design = hdl::rtl::Design::new(hdl::unit::mm::mm(&config).unwrap());
        let outline = Outline::new(&config, &design.top);
        let counts = crate::hierarchy::instances(&design);
        let mut registers = 0.0;
        for (name, part) in &outline.parts {
            assert_eq!(part.instances, counts[name], "{name}");
            registers += part.census.counts[REGISTERS] * part.instances as f64;
        }
        let modules = design.modules();
        let all: f64 = modules.iter().map(|(n, m)| of_module(m).counts[REGISTERS] * counts[n] as f64).sum();
        assert_eq!(registers, all);
        let pes = outline.children["systole_array"].iter().filter(|child| child.module.starts_with("systole_pe"));
        assert_eq!(pes.map(|child| child.count).sum::<u64>(), 64);
    }
}
