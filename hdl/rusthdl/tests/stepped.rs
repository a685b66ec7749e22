//! rust-hdl simulates its cells, `sim::step` ours, with the same random inputs: every output is compared in every cycle.
//!
//! INT8 -128 is among the inputs. rust-hdl's own widening of a `Signed` never returns for it; the references widen bits
//! instead, so nothing has to be left out.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use common::config;
use hdl::rtl::module::SignalKind;
use hdl::rtl::{Design, Module};
use hdl::unit::{pe, ram};
use hdl_rusthdl::{Int8Pe, ReadHoldRam, ShiftPe};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rust_hdl::prelude::{Block, simulate};
use sim::step::{Port, Stepper};
use spec::{Format, PeKind};

/// A rust-hdl block with the ports of a module, in that module's order.
trait Reference: Block {
    fn drive(&mut self, inputs: &[u64]);
    fn clock(&mut self, level: bool);
    fn outputs(&self) -> Vec<u64>;
}

macro_rules! reference {
    ([$($generics:tt)*] $block:ty, inputs: $($input:ident),+; outputs: $($output:ident),+) => {
        impl<$($generics)*> Reference for $block {
            fn drive(&mut self, inputs: &[u64]) {
                let mut inputs = inputs.iter().copied();
                $(self.$input.next = bits_of(inputs.next().unwrap());)+
                assert_eq!(inputs.next(), None);
            }

            fn clock(&mut self, level: bool) {
                self.clock.next = level.into();
            }

            fn outputs(&self) -> Vec<u64> {
                vec![$(value_of(self.$output.val())),+]
            }
        }
    };
}

/// Between integers and the types of rust-hdl's signals.
trait Signal: Copy {
    fn of(value: u64) -> Self;
    fn value(self) -> u64;
}

impl Signal for bool {
    fn of(value: u64) -> Self {
        value != 0
    }

    fn value(self) -> u64 {
        self.into()
    }
}

impl<const N: usize> Signal for rust_hdl::prelude::Bits<N> {
    fn of(value: u64) -> Self {
        value.into()
    }

    fn value(self) -> u64 {
        self.to_u64()
    }
}

fn bits_of<T: Signal>(value: u64) -> T {
    T::of(value)
}

fn value_of<T: Signal>(signal: T) -> u64 {
    signal.value()
}

reference!([const S: usize] Int8Pe<S>,
    inputs: act_i, swap_i, load_i, weight_i, sum_i; outputs: act_o, swap_o, load_o, sum_o);
reference!([const S: usize] ShiftPe<S>,
    inputs: act_i, swap_i, load_i, weight_i, sum_i; outputs: act_o, swap_o, load_o, sum_o);
reference!([const D: usize, const A: usize] ReadHoldRam<D, A>,
    inputs: write_i, waddr_i, wdata_i, read_i, raddr_i; outputs: rdata_o);

/// Both sides, from zero, for as many cycles as there are inputs; gives the outputs that our side showed.
fn compare(module: Arc<Module>, mut theirs: impl Reference, inputs: &[Vec<u64>]) -> BTreeSet<Vec<u64>> {
    let mut ours = Stepper::new(&Design::new(module.clone())).unwrap();
    let ports = |wanted: SignalKind| -> Vec<(String, u32)> {
        module.ports().filter(|(_, p)| p.kind == wanted).map(|(_, p)| (p.name.clone(), p.ty.width)).collect()
    };
    let port_in: Vec<Port> = ports(SignalKind::Input).iter().map(|(name, _)| ours.input(name).unwrap()).collect();
    let port_out: Vec<(Port, u64)> = ports(SignalKind::Output)
        .iter()
        .map(|(name, width)| (ours.output(name).unwrap(), u64::MAX >> (64 - width)))
        .collect();
    theirs.connect_all();
    let mut seen = BTreeSet::new();
    for (cycle, values) in inputs.iter().enumerate() {
        for (&port, &value) in port_in.iter().zip(values) {
            ours.set(port, value);
        }
        theirs.drive(values);
        theirs.clock(false);
        assert!(simulate(&mut theirs, 100), "rust-hdl did not settle in cycle {cycle}");
        ours.tick();
        ours.settle();
        theirs.clock(true);
        assert!(simulate(&mut theirs, 100), "rust-hdl did not settle in cycle {cycle}");
        let found: Vec<u64> = port_out.iter().map(|&(port, mask)| ours.get(port) & mask).collect();
        assert_eq!(found, theirs.outputs(), "cycle {cycle}, inputs {values:?}");
        seen.insert(found);
    }
    seen
}

fn below(random: &mut ChaCha8Rng, bound: u64) -> u64 {
    random.next_u64() % bound
}

/// Random inputs of a PE: extreme operands in a quarter of the cycles, any sum.
fn pe_inputs(seed: u64, cycles: usize, weight_bits: u32, sum_bits: u32) -> Vec<Vec<u64>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let operand = |bits: u32, random: &mut ChaCha8Rng| match below(random, 8) {
        0 => 1 << (bits - 1),
        1 => (1 << (bits - 1)) - 1,
        _ => below(random, 1 << bits),
    };
    (0..cycles)
        .map(|_| {
            let act = operand(8, &mut random);
            let weight = operand(weight_bits, &mut random);
            let (swap, load) = (below(&mut random, 3) / 2, below(&mut random, 2));
            vec![act, swap, load, weight, below(&mut random, 1 << sum_bits)]
        })
        .collect()
}

const CYCLES: usize = 20_000;

#[test]
fn the_int8_pe_is_equal_in_every_cycle_minus_128_included() {
    for product_register in [true, false] {
        let inputs = pe_inputs(1, CYCLES, 8, 18);
        assert!(inputs.iter().any(|i| i[0] == 0x80) && inputs.iter().any(|i| i[2] == 1 && i[3] == 0x80));
        let module = pe::pe(&config(PeKind::Mac, Format::W8a8, 4, product_register)).unwrap();
        assert!(compare(module, Int8Pe::<18>::new(product_register), &inputs).len() > CYCLES / 2);
    }
    // 20 bits of sum: 16 rows.
    let module = pe::pe(&config(PeKind::Mac, Format::W8a8, 16, true)).unwrap();
    assert!(compare(module, Int8Pe::<20>::new(true), &pe_inputs(2, CYCLES, 8, 20)).len() > CYCLES / 2);
}

#[test]
fn the_shift_pe_is_equal_in_every_cycle_minus_128_included() {
    for product_register in [true, false] {
        let module = pe::pe(&config(PeKind::Shift, Format::Pot4, 4, product_register)).unwrap();
        let inputs = pe_inputs(3, CYCLES, 4, 17);
        assert!(compare(module, ShiftPe::<17>::new(product_register), &inputs).len() > CYCLES / 2);
    }
}

#[test]
fn the_ram_is_equal_in_every_cycle() {
    let module = ram::ram(&config(PeKind::Mac, Format::W8a8, 4, true), 32, 16).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(4);
    // Every fourth read is of the word being written.
    let inputs: Vec<Vec<u64>> = (0..CYCLES)
        .map(|_| {
            let (write, read, waddr) = (below(&mut random, 2), below(&mut random, 2), below(&mut random, 16));
            let raddr = if below(&mut random, 4) == 0 { waddr } else { below(&mut random, 16) };
            vec![write, waddr, below(&mut random, 1 << 32), read, raddr]
        })
        .collect();
    assert!(compare(module, ReadHoldRam::<32, 4>::default(), &inputs).len() > CYCLES / 8);
}

#[test]
#[should_panic(expected = "cycle")]
fn a_difference_is_seen() {
    // A register more on one side.
    let module = pe::pe(&config(PeKind::Mac, Format::W8a8, 4, true)).unwrap();
    compare(module, Int8Pe::<18>::new(false), &pe_inputs(5, 100, 8, 18));
}
