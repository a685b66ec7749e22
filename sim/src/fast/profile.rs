//! Cycles and bytes by section of the program, as [`crate::accel::profile`] attributes them.

use spec::isa::Program;
use spec::profile::{Profile, Section};

use super::clock::Spent;
use crate::accel::profile::Order;

/// Attributes cycles to sections.
#[derive(Debug)]
pub(super) struct Attribution {
    order: Order,
    sections: Vec<Section>,
    /// The section of the cycle, of loads, of stores: they change where something retires.
    now: usize,
    loads: usize,
    stores: usize,
    beat_bytes: u64,
    macs_per_cycle: u64,
}

impl Attribution {
    pub fn new(program: &Program) -> Self {
        let (order, sections) = Order::new(program);
        let machine = &program.machine;
        let mut new = Self {
            order,
            sections,
            now: 0,
            loads: 0,
            stores: 0,
            beat_bytes: machine.beat_bytes.into(),
            macs_per_cycle: u64::from(machine.rows) * u64::from(machine.cols),
        };
        new.look();
        new
    }

    fn look(&mut self) {
        self.now = self.order.section();
        self.loads = self.order.loading();
        self.stores = self.order.storing();
    }

    /// A cycle of the run.
    pub fn add(&mut self, spent: &Spent) {
        let section = &mut self.sections[self.now];
        section.cycles += 1;
        section.stalls[spent.cause] += 1;
        if spent.read {
            self.sections[if spent.fetched { self.now } else { self.loads }].read_bytes += self.beat_bytes;
        }
        if spent.write {
            self.sections[self.stores].write_bytes += self.beat_bytes;
        }
        if spent.retires.contains(&true) {
            for (queue, _) in spent.retires.iter().enumerate().filter(|(_, retires)| **retires) {
                self.order.retire_in(queue);
            }
            self.look();
        }
    }

    pub fn profile(self, config_hash: &str) -> Profile {
        Profile::new(self.sections, config_hash.into(), self.macs_per_cycle, self.beat_bytes)
    }
}
