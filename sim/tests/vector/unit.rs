//! The vector unit in the step simulator with the memories around it.

use hdl::rtl::Design;
use hdl::unit::vec::plan::VecPlan;
use hdl::unit::vec::vector::vector;
use sim::step::{Memory, Port, Stepper};
use spec::Config;
use spec::isa::Instr;

/// A Config whose array is `rows` by `cols`, with those lanes, dividers and quotient bits, and a bus of `bus` bits.
pub fn config((rows, cols): (u32, u32), lanes: u32, (dividers, quotient_bits): (u32, u32), bus: u32) -> Config {
    let mut config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
    config.array.rows = rows;
    config.array.cols = cols;
    config.vec.lanes = lanes;
    config.vec.dividers = dividers;
    config.vec.quotient_bits = quotient_bits;
    config.vec.elements = 1024;
    config.vec.params = 512;
    config.bus.data_bits = bus;
    config.pe.formats = vec![spec::Format::Nvfp4];
    config.validate().unwrap();
    config
}

/// The unit, and what is outside of it.
pub struct Unit {
    pub plan: VecPlan,
    sim: Stepper,
    values: Vec<Memory>,
    params: Vec<Memory>,
    file: Memory,
    rst: Port,
    valid: Port,
    ready: Port,
    instr: Port,
    retired: Port,
    acc: [Port; 4],
    act: [Port; 6],
    out: [Port; 3],
    index: Port,
    /// `[bank][word][column]`.
    pub sums: [Vec<Vec<i64>>; 2],
    /// `[half][word]`: codes, scale byte.
    pub codes: [Vec<(Vec<u8>, u8)>; 2],
    /// Beats of the out stream.
    pub beats: Vec<Vec<u8>>,
    /// Takes beats in the cycles in which this pattern has a one.
    pub ready_pattern: u32,
    acc_read: Option<(usize, usize)>,
    cycle: u32,
}

impl Unit {
    pub fn new(config: &Config) -> Self {
        let plan = VecPlan::new(config);
        let sim = Stepper::new(&Design::new(vector(config).unwrap())).unwrap();
        let input = |name: &str| sim.input(name).unwrap();
        let output = |name: &str| sim.output(name).unwrap();
        let banks = |path: &str| -> Vec<Memory> {
            (0..plan.lanes).map(|i| sim.memory(&format!("{path}.u_bank[0][{i}].mem")).unwrap()).collect()
        };
        let mut unit = Self {
            values: banks("u_sources.u_values"),
            params: banks("u_sources.u_params"),
            file: sim.memory("u_scalars.u_file.mem").unwrap(),
            rst: input("rst_ni"),
            valid: input("instr_valid_i"),
            ready: output("instr_ready_o"),
            instr: input("instr_i"),
            retired: output("retired_o"),
            acc: [output("acc_read_o"), output("acc_bank_o"), output("acc_addr_o"), input("acc_data_i")],
            act: ["write", "half", "addr", "lanes", "codes", "scale"].map(|n| output(&format!("act_{n}_o"))),
            out: [output("out_valid_o"), input("out_ready_i"), output("out_data_o")],
            index: output("index_o"),
            sums: [0, 1].map(|_| vec![vec![0; plan.cols as usize]; 64]),
            codes: [0, 1].map(|_| vec![(vec![0xa5; plan.rows as usize], 0xa5); 256]),
            beats: Vec::new(),
            ready_pattern: u32::MAX,
            acc_read: None,
            cycle: 0,
            plan,
            sim,
        };
        unit.sim.set(unit.rst, 0);
        unit.sim.tick();
        unit.sim.set(unit.rst, 1);
        unit
    }

    /// One clock cycle with everything that the unit reads and writes.
    fn tick(&mut self) {
        if let Some((bank, word)) = self.acc_read.take() {
            let limbs = pack(&self.sums[bank][word], self.plan.acc_bits);
            self.sim.set_limbs(self.acc[3], &limbs);
        }
        self.sim.set(self.out[1], u64::from(self.ready_pattern >> (self.cycle % 32) & 1));
        self.cycle += 1;
        self.sim.settle();
        if self.sim.get(self.acc[0]) == 1 {
            self.acc_read = Some((self.sim.get(self.acc[1]) as usize, self.sim.get(self.acc[2]) as usize));
        }
        if self.sim.get(self.act[0]) == 1 {
            let half = self.sim.get(self.act[1]) as usize;
            let word = &mut self.codes[half][self.sim.get(self.act[2]) as usize];
            let (lanes, codes) = (limbs(&self.sim, self.act[3]), limbs(&self.sim, self.act[4]));
            for r in 0..self.plan.rows as usize {
                if lanes[r / 64] >> (r % 64) & 1 == 1 {
                    word.0[r] = (codes[r / 8] >> (r % 8 * 8)) as u8;
                }
            }
            word.1 = self.sim.get(self.act[5]) as u8;
        }
        if self.sim.get(self.out[0]) == 1 && self.ready_pattern >> ((self.cycle - 1) % 32) & 1 == 1 {
            let beat = limbs(&self.sim, self.out[2]);
            let bytes = beat.iter().flat_map(|l| l.to_le_bytes()).take(self.plan.beat_bits as usize / 8);
            self.beats.push(bytes.collect());
        }
        self.sim.tick();
    }

    /// Executes an instruction, and gives the cycles from the one in which it is taken until the next can be.
    pub fn execute(&mut self, instr: &Instr) -> u32 {
        let bits = instr.encode();
        self.sim.set(self.valid, 1);
        self.sim.set_limbs(self.instr, &[bits as u64, (bits >> 64) as u64]);
        self.sim.settle();
        assert_eq!(self.sim.get(self.ready), 1, "the unit is busy");
        self.tick();
        self.sim.set(self.valid, 0);
        self.sim.set_limbs(self.instr, &[0, 0]);
        for cycles in 1..100_000 {
            self.sim.settle();
            let retired = self.sim.get(self.retired) == 1;
            self.tick();
            if retired {
                return cycles + 1;
            }
        }
        panic!("{instr:?} hangs");
    }

    /// Element of the vector memory.
    pub fn value(&self, at: usize) -> i64 {
        let lanes = self.values.len();
        self.sim.peek(self.values[at % lanes], (at / lanes) as u32)[0] as i64
    }

    pub fn set_value(&mut self, at: usize, value: i64) {
        let lanes = self.values.len();
        self.sim.poke(self.values[at % lanes], (at / lanes) as u32, &[value as u64]);
    }

    pub fn set_param(&mut self, at: usize, value: i32) {
        let lanes = self.params.len();
        self.sim.poke(self.params[at % lanes], (at / lanes) as u32, &[value as u32 as u64]);
    }

    /// Entry of the scalar file.
    pub fn entry(&self, at: usize) -> i64 {
        self.sim.peek(self.file, at as u32)[0] as i64
    }

    pub fn set_entry(&mut self, at: usize, value: i64) {
        self.sim.poke(self.file, at as u32, &[value as u64]);
    }

    pub fn index(&self) -> u64 {
        self.sim.get(self.index)
    }
}

fn limbs(sim: &Stepper, port: Port) -> Vec<u64> {
    let mut limbs = vec![0; port.limbs()];
    sim.get_limbs(port, &mut limbs);
    limbs
}

fn pack(values: &[i64], bits: u32) -> Vec<u64> {
    let mut limbs = vec![0; (values.len() * bits as usize).div_ceil(64)];
    for (i, value) in values.iter().enumerate() {
        for b in 0..bits as usize {
            let place = i * bits as usize + b;
            limbs[place / 64] |= (*value as u64 >> b & 1) << (place % 64);
        }
    }
    limbs
}
