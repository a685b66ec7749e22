//! A design with a memory behind its AXI4 channels.

use std::sync::Arc;

use hdl::rtl::{Design, Module};
use sim::engine::Bench;
use sim::engine::bench::RESET;
use sim::memory::{AxiMemory, AxiPorts, Sample, SparseMemory, Timing, Violation};
use spec::Config;

/// Bus widths, each with the memory timings of the tests.
pub const WIDTHS: [u32; 5] = [32, 64, 128, 256, 512];

/// Three latencies, each without and with stalls, and a slow one.
pub fn timings(seed: u64) -> Vec<Timing> {
    let mut timings = Vec::new();
    for latency_cycles in [1, 30, 150] {
        timings.push(Timing::latency(latency_cycles));
        timings.push(Timing { stall_seed: Some(seed + u64::from(latency_cycles)), ..Timing::latency(latency_cycles) });
    }
    timings.push(Timing { beats_per_cycles: (2, 5), ..Timing::latency(10) });
    timings
}

/// A Config with that bus.
pub fn config(data_bits: u32) -> Config {
    let mut config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
    config.bus.data_bits = data_bits;
    config
}

/// SplitMix64.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// A memory in which every byte follows from its address and a seed, over the given stretches.
pub fn noise(stretches: &[(u32, u32)], seed: u64) -> SparseMemory {
    let mut memory = SparseMemory::filled(0xee);
    let mut rng = Rng(seed);
    for &(addr, bytes) in stretches {
        let content: Vec<u8> = (0..bytes).map(|_| rng.next() as u8).collect();
        memory.write(addr, &content);
    }
    memory
}

/// Changes the signals of a cycle.
pub type Tamper = Box<dyn FnMut(u64, &mut Sample)>;

pub struct Rig {
    pub bench: Bench,
    pub memory: AxiMemory,
    ports: AxiPorts,
    inputs: Vec<u64>,
    outputs: Vec<u64>,
    /// Changes what the monitor sees, to prove that it does.
    pub tamper: Option<Tamper>,
    pub violation: Option<Violation>,
}

impl Rig {
    pub fn new(module: Arc<Module>, memory: SparseMemory, timing: Timing) -> Self {
        let bench = Bench::new(&Design::new(module), &[]).unwrap_or_else(|e| panic!("{e}"));
        let ports = AxiPorts::plain(&bench.inputs, &bench.outputs);
        let memory = AxiMemory::new(memory, ports.beat_bytes, timing);
        let (inputs, outputs) = (vec![0; bench.inputs.words], vec![0; bench.outputs.words]);
        let mut rig = Self { bench, memory, ports, inputs, outputs, tamper: None, violation: None };
        rig.bench.stepper.randomize(timing.stall_seed.unwrap_or(9));
        rig.reset(true);
        rig
    }

    /// Two cycles of reset, of the memory's side too if asked.
    pub fn reset(&mut self, memory_too: bool) {
        for _ in 0..2 {
            self.inputs.fill(0);
            self.bench.cycle(&self.inputs, &mut self.outputs);
        }
        if memory_too {
            self.memory.reset();
        }
    }

    /// Sets an input for the cycle to come.
    pub fn set(&mut self, name: &str, value: u64) {
        self.set_limbs(name, &[value]);
    }

    pub fn set_limbs(&mut self, name: &str, value: &[u64]) {
        let field = self.bench.inputs.field(name).unwrap_or_else(|| panic!("no input {name}"));
        field.put(&mut self.inputs, value);
    }

    /// One cycle with what was set; the protocol is watched.
    pub fn cycle(&mut self) {
        let reset = self.bench.inputs.field(RESET).expect("a reset").clone();
        reset.put(&mut self.inputs, &[1]);
        self.ports.put(self.memory.drive(), &mut self.inputs);
        self.bench.cycle(&self.inputs, &mut self.outputs);
        let (ports, outputs, tamper) = (&self.ports, &self.outputs, &mut self.tamper);
        let cycle = self.memory.cycle();
        let checked = self.memory.observe(|sample| {
            ports.take(outputs, sample);
            if let Some(tamper) = tamper {
                tamper(cycle, sample);
            }
        });
        if let Err(violation) = checked {
            assert!(self.tamper.is_some(), "{violation}");
            self.violation.get_or_insert(violation);
        }
        self.inputs.fill(0);
    }

    /// One cycle without the memory: of a design that is no master.
    pub fn cycle_alone(&mut self) {
        let reset = self.bench.inputs.field(RESET).expect("a reset").clone();
        reset.put(&mut self.inputs, &[1]);
        self.bench.cycle(&self.inputs, &mut self.outputs);
        self.inputs.fill(0);
    }

    /// An output of the last cycle.
    pub fn get(&self, name: &str) -> u64 {
        self.bench.outputs.field(name).unwrap_or_else(|| panic!("no output {name}")).get(&self.outputs)
    }

    /// An output in bytes, the last one filled with zeros.
    pub fn bytes_up(&self, name: &str) -> Vec<u8> {
        let field = self.bench.outputs.field(name).unwrap_or_else(|| panic!("no output {name}"));
        let limbs = field.get_limbs(&self.outputs);
        limbs.iter().flat_map(|limb| limb.to_le_bytes()).take(field.width.div_ceil(8) as usize).collect()
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        let field = self.bench.outputs.field(name).unwrap_or_else(|| panic!("no output {name}"));
        let limbs = field.get_limbs(&self.outputs);
        limbs.iter().flat_map(|limb| limb.to_le_bytes()).take(field.width as usize / 8).collect()
    }
}

/// Limbs of a beat.
pub fn limbs(bytes: &[u8]) -> Vec<u64> {
    let mut limbs = vec![0; 8];
    for (i, byte) in bytes.iter().enumerate() {
        limbs[i / 8] |= u64::from(*byte) << (8 * (i % 8));
    }
    limbs
}
