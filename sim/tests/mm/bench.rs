//! Drives the unit: fills its buffers, gives it commands, reads its accumulators.

use std::collections::HashMap;

use hdl::rtl::Design;
use sim::step::{Port, Stepper};
use spec::{Config, Format, Scaling};

use super::reference::{Product, Random, pack};

/// When rows entered the array.
#[derive(Debug, Default)]
pub struct Timing {
    /// Cycles, in order, in which a row entered.
    pub rows: Vec<usize>,
    /// Cycles in which a command was done.
    pub done: Vec<usize>,
}

/// What was driven and what must come of it.
#[derive(Debug, Default)]
pub struct Record {
    /// The inputs, reset among them.
    pub names: Vec<String>,
    /// Their values in each cycle.
    pub cycles: Vec<Vec<Vec<u64>>>,
    /// Words that `acc_data_o` must show, by cycle.
    pub words: HashMap<u64, Vec<u64>>,
}

/// The unit in the step simulator.
pub struct Bench {
    /// What has been driven so far, if that is to be kept.
    pub record: Option<Record>,
    config: Config,
    sim: Stepper,
    ports: HashMap<String, Port>,
}

impl Bench {
    /// The unit of a Config, after reset, its registers and memories at random before.
    pub fn new(config: &Config, seed: u64) -> Self {
        Self::build(config, seed, None)
    }

    /// The same, all that is driven kept.
    #[allow(dead_code, reason = "only the co-simulation wants it")]
    pub fn recorded(config: &Config, seed: u64) -> Self {
        Self::build(config, seed, Some(Record::default()))
    }

    fn build(config: &Config, seed: u64, record: Option<Record>) -> Self {
        config.validate().unwrap();
        let module = hdl::unit::mm::mm(config).unwrap_or_else(|e| panic!("{e}"));
        let mut sim = Stepper::new(&Design::new(module.clone())).unwrap();
        sim.randomize(seed);
        let port = |name: &str| sim.input(name).or_else(|_| sim.output(name)).unwrap();
        let mut ports: HashMap<String, Port> = module.ports().map(|(_, p)| (p.name.clone(), port(&p.name))).collect();
        ports.insert("rst_ni".into(), port("rst_ni"));
        let mut bench = Self { record, config: config.clone(), sim, ports };
        if let Some(record) = &mut bench.record {
            record.names = bench.ports.keys().filter(|name| name.ends_with('i')).cloned().collect();
        }
        bench.quiet();
        bench.set("rst_ni", 0);
        bench.tick();
        bench.set("rst_ni", 1);
        bench
    }

    fn set(&mut self, name: &str, value: u64) {
        self.sim.set(self.ports[name], value);
    }

    fn get(&self, name: &str) -> u64 {
        self.sim.get(self.ports[name])
    }

    fn tick(&mut self) {
        if let Some(record) = &mut self.record {
            let value = |name: &String| {
                let port = self.ports[name];
                let mut limbs = vec![0; port.limbs()];
                self.sim.get_limbs(port, &mut limbs);
                limbs
            };
            record.cycles.push(record.names.iter().map(value).collect());
        }
        self.sim.tick();
    }

    fn quiet(&mut self) {
        for name in ["cmd_valid_i", "weight_valid_i", "act_write_i", "acc_read_i"] {
            self.set(name, 0);
        }
    }

    /// Writes a product's activations, some lanes at a time.
    fn fill(&mut self, product: &Product, random: &mut Random) {
        let rows = self.config.array.rows as usize;
        let lanes = self.config.vec_lanes() as usize;
        for (addr, codes, byte) in product.act_words(&self.config, random) {
            for first in (0..rows).step_by(lanes) {
                let here = |r: usize| (first..first + lanes).contains(&r);
                // What the other lanes carry must not matter.
                let codes: Vec<u64> =
                    (0..rows).map(|r| if here(r) { u64::from(codes[r]) } else { random.below(256) }).collect();
                let enables: Vec<u64> = (0..rows).map(|r| here(r).into()).collect();
                for (name, value) in [
                    ("act_write_i", 1),
                    ("act_half_i", product.half),
                    ("act_addr_i", addr as u64),
                    ("act_scale_i", u64::from(byte)),
                ] {
                    self.set(name, value);
                }
                self.sim.set_limbs(self.ports["act_codes_i"], &pack(&codes, 8, (8 * rows).div_ceil(64)));
                self.sim.set_limbs(self.ports["act_lanes_i"], &pack(&enables, 1, rows.div_ceil(64)));
                self.tick();
            }
        }
        self.quiet();
    }

    fn offer(&mut self, product: &Product, tag: u64) {
        let place = |found: Option<usize>| found.unwrap() as u64;
        for (name, value) in [
            ("cmd_rows_i", product.rows as u64),
            ("cmd_k_tiles_i", product.k_tiles(&self.config) as u64),
            ("cmd_n_tiles_i", product.n_tiles(&self.config) as u64),
            ("cmd_half_i", product.half),
            ("cmd_bank_i", product.bank),
            ("cmd_act_i", product.act as u64),
            ("cmd_acc_i", product.acc as u64),
            ("cmd_add_i", product.add.into()),
            ("cmd_format_i", place(Format::ALL.iter().position(|f| *f == product.format))),
            ("cmd_scaling_i", place(Scaling::ALL.iter().position(|s| *s == product.scaling))),
            ("cmd_tag_i", tag),
        ] {
            // Hardware of one format or without scales does not ask for them.
            if self.ports.contains_key(name) {
                self.set(name, value);
            }
        }
    }

    /// Runs products back to back and checks every accumulator that they write, and that `done` comes with the last
    /// word. `lead` cycles of weights come before the first command; with `stalls`, weights and commands come late.
    pub fn run(&mut self, products: &[Product], lead: usize, stalls: Option<u64>) -> Timing {
        let mut random = Random(products.len() as u64);
        for product in products {
            self.fill(product, &mut random);
        }
        let mut weights: Vec<Vec<u64>> = products.iter().flat_map(|p| p.weight_words(&self.config)).collect();
        weights.reverse();
        let mut late = Random(stalls.unwrap_or(0));
        let mut is_late = |odds: u64| stalls.is_some() && late.below(odds) != 0;
        let mut timing = Timing::default();
        let mut next = 0;
        for cycle in 0.. {
            assert!(cycle < 200_000, "the unit hangs after {} of {} commands", timing.done.len(), products.len());
            let has_word = !weights.is_empty() && !is_late(3);
            self.set("weight_valid_i", has_word.into());
            if let (true, Some(word)) = (has_word, weights.last()) {
                self.sim.set_limbs(self.ports["weight_data_i"], word);
            }
            let offered = cycle >= lead && next < products.len() && !is_late(7);
            self.set("cmd_valid_i", offered.into());
            if offered {
                self.offer(&products[next], (next % 16) as u64);
            }
            self.sim.settle();
            if has_word && self.get("weight_ready_o") == 1 {
                weights.pop();
            }
            next += usize::from(offered && self.get("cmd_ready_o") == 1);
            if self.get("row_o") == 1 {
                timing.rows.push(cycle);
            }
            if self.get("done_o") == 1 {
                assert_eq!(self.get("done_tag_o"), (timing.done.len() % 16) as u64);
                timing.done.push(cycle);
            }
            self.tick();
            if timing.done.len() == products.len() {
                break;
            }
        }
        self.quiet();
        self.sim.settle();
        assert_eq!(self.get("idle_o"), 1);
        assert!(weights.is_empty(), "weights are left over");
        self.check(products);
        timing
    }

    /// Compares every accumulator written with what the products add up to.
    fn check(&mut self, products: &[Product]) {
        let mut expected: HashMap<(u64, usize, usize), i128> = HashMap::new();
        for product in products {
            for (word, column, value) in product.sums(&self.config) {
                let sum = expected.entry((product.bank, word, column)).or_default();
                *sum = if product.add { *sum + value } else { value };
            }
        }
        let bits = self.config.top_acc_bits() as usize;
        let mut words: Vec<(u64, usize)> = expected.keys().map(|&(bank, word, _)| (bank, word)).collect();
        words.sort_unstable();
        words.dedup();
        let mut limbs = vec![0; (bits * self.config.array.cols as usize).div_ceil(64)];
        for (bank, word) in words {
            self.set("acc_read_i", 1);
            self.set("acc_bank_i", bank);
            self.set("acc_addr_i", word as u64);
            self.tick();
            self.sim.settle();
            self.sim.get_limbs(self.ports["acc_data_o"], &mut limbs);
            for column in 0..self.config.array.cols as usize {
                let bit = |i: usize| i128::from(limbs[(column * bits + i) / 64] >> ((column * bits + i) % 64) & 1);
                let raw: i128 = (0..bits).map(|i| bit(i) << i).sum();
                let found = raw << (128 - bits) >> (128 - bits);
                let wanted = expected[&(bank, word, column)];
                assert_eq!(found, wanted, "bank {bank}, word {word}, column {column}");
            }
            if let Some(record) = &mut self.record {
                record.words.insert(record.cycles.len() as u64, limbs.clone());
            }
        }
        self.quiet();
        self.tick();
    }
}
