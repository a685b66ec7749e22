//! The vector unit in the step simulator against plain integers.

mod model;
mod program;
mod unit;

use model::Model;
use program::Random;
use spec::isa::{Field, Instr, Op};
use unit::{Unit, config};

/// Both, with the same random contents.
struct Pair {
    unit: Unit,
    model: Model,
}

impl Pair {
    fn new(config: &spec::Config, seed: u64) -> Self {
        let mut unit = Unit::new(config);
        let mut model = Model::new(1024, 512, config.bus.data_bits as usize / 8);
        let mut random = Random::new(seed);
        for i in 0..1024 {
            model.values[i] = random.signed(30);
            unit.set_value(i, model.values[i]);
        }
        for i in 0..512 {
            model.params[i] = random.signed(16) as i32;
            unit.set_param(i, model.params[i]);
        }
        for i in 0..256 {
            model.entries[i] = random.signed(20);
            unit.set_entry(i, model.entries[i]);
        }
        for word in unit.sums.iter_mut().flatten().flatten() {
            *word = random.signed(36);
        }
        model.sums = unit.sums.clone();
        model.codes = unit.codes.clone();
        Self { unit, model }
    }

    fn entry(&mut self, at: usize, value: i64) {
        self.unit.set_entry(at, value);
        self.model.entries[at] = value;
    }

    fn value(&mut self, at: usize, value: i64) {
        self.unit.set_value(at, value);
        self.model.values[at] = value;
    }

    fn param(&mut self, at: usize, value: i32) {
        self.unit.set_param(at, value);
        self.model.params[at] = value;
    }

    /// Executes in both and compares everything.
    fn run(&mut self, op: Op, fields: &[(Field, i64)]) -> u32 {
        let instr = Instr::new(op, fields).unwrap();
        let cycles = self.unit.execute(&instr);
        self.model.execute(&instr);
        let what = || format!("{op:?} {fields:?} on {} lanes", self.unit.plan.lanes);
        for i in 0..1024 {
            assert_eq!(self.unit.value(i), self.model.values[i], "VB[{i}] after {}", what());
        }
        for i in 0..256 {
            assert_eq!(self.unit.entry(i), self.model.entries[i], "S[{i}] after {}", what());
        }
        for half in 0..2 {
            for (i, (found, wanted)) in self.unit.codes[half].iter().zip(&self.model.codes[half]).enumerate() {
                assert_eq!(found, wanted, "act word {i} of half {half} after {}", what());
            }
        }
        assert_eq!(self.unit.beats.len(), self.model.beats.len(), "beats after {}", what());
        for (found, wanted) in self.unit.beats.iter().zip(&self.model.beats) {
            assert_eq!(&found[..wanted.len()], wanted, "beat after {}", what());
        }
        self.unit.beats.clear();
        self.model.beats.clear();
        assert_eq!(self.unit.index(), self.model.index, "IDX after {}", what());
        cycles
    }
}

/// Array, lanes, dividers and their bits, bus.
type Shape = ((u32, u32), u32, (u32, u32), u32);

const SHAPES: [Shape; 6] = [
    ((8, 8), 8, (8, 1), 64),
    ((5, 3), 8, (1, 1), 32),
    ((12, 4), 4, (2, 3), 512),
    ((16, 32), 16, (3, 8), 128),
    ((6, 10), 2, (4, 2), 32),
    ((40, 8), 8, (32, 1), 256),
];

fn everywhere(seed: u64, test: impl Fn(&mut Pair, &mut Random)) {
    for (i, (array, lanes, dividers, bus)) in SHAPES.into_iter().enumerate() {
        let mut pair = Pair::new(&config(array, lanes, dividers, bus), seed + i as u64);
        test(&mut pair, &mut Random::new(seed + 100 + i as u64));
    }
}

#[test]
fn random_instructions_of_each_op() {
    everywhere(1, |pair, random| {
        for op in Op::ALL.iter().copied().filter(|op| op.queue() == spec::isa::Queue::Vec) {
            for _ in 0..12 {
                program::instruction(pair, op, random);
            }
        }
    });
}

/// Cycles from the one in which an instruction is taken until the next can be taken: what start and end cost, and a word
/// of eight elements a cycle.
#[test]
fn a_word_a_cycle_and_short_starts() {
    let mut pair = Pair::new(&config((8, 8), 8, (8, 1), 64), 5);
    let mut cycles = |op: Op, n: i64, more: &[(Field, i64)]| {
        for i in 0..n as usize {
            pair.value(i, i as i64 - 40);
            pair.value(512 + i, 3 * i as i64);
        }
        pair.entry(1, 3);
        pair.entry(2, 0);
        let fields = [(Field::N, n), (Field::A, 0), (Field::S, 1), (Field::Dst, 300)];
        let known = fields.into_iter().filter(|(f, _)| op.spec().field(*f).is_some());
        pair.run(op, &known.chain(more.iter().copied()).collect::<Vec<_>>())
    };
    for (op, more, slots) in [
        (Op::Vshr, vec![], 1),
        (Op::Vmls, vec![], 1),
        (Op::Vadd, vec![(Field::B, 512)], 2),
        (Op::Vmlp, vec![(Field::B, 0)], 1),
        (Op::Vquo, vec![(Field::Q, 127), (Field::Imm, 127), (Field::Qbits, 8)], 1),
        (Op::Vquo, vec![(Field::Q, 127), (Field::Imm, 127), (Field::Qbits, 16)], 2),
    ] {
        let (short, long) = (cycles(op, 8, &more), cycles(op, 80, &more));
        assert_eq!(long - short, 9 * slots, "{op:?}");
        let start = if op == Op::Vquo { 18 + 8 * slots } else { 14 };
        assert!(short <= start, "{op:?} takes {short} cycles for one word");
    }
}
