//! Activity: bit flips of registers and ports, accesses of memories. Off, it costs nothing; on, idle places cost a
//! comparison of their block.

use std::collections::HashMap;

use hdl::rtl::module::SignalKind;
use spec::activity::{Activity, Counts, MemoryActivity, UnitActivity};

use super::exec::State;
use super::flatten::Flat;
use super::flips::{Flips, Slot};
use super::template::{Class, Ref};
use super::wide::{Opd, limbs};
use super::{Port, Stepper};

/// Where the flips of a signal stand.
#[derive(Clone, Copy, Debug)]
enum At {
    Half(Slot),
    Full(Slot),
    /// So many places of the 64-bit arena.
    Wide(u32, u32),
}

/// The class of a counted signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Register,
    Input,
    Output,
    /// Memory of the unit.
    Memory(u32),
}

/// A signal of a unit.
#[derive(Clone, Copy, Debug)]
struct Item {
    unit: u32,
    what: What,
    at: At,
}

#[derive(Clone, Copy, Debug, Default)]
struct Access {
    unit: u32,
    memory: u32,
    reads: u64,
    writes: u64,
    written_bits: u64,
}

/// Counters of a design.
#[derive(Clone, Debug)]
pub(super) struct Counting {
    units: Vec<UnitActivity>,
    half: Flips<u32>,
    full: Flips<u64>,
    items: Vec<Item>,
    access: Vec<Access>,
    top: String,
    samples: u64,
}

/// How finely units are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// The instances of a grid as one unit.
    Grids,
    /// Every instance.
    Instances,
}

impl Counting {
    pub fn new(stepper: &Stepper, grain: Grain) -> Self {
        let flat = &stepper.flat;
        let (mut units, mut items, mut found) = (Vec::<UnitActivity>::new(), Vec::new(), Vec::new());
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let mut access = vec![Access::default(); stepper.state.mems.len()];
        let mem_of: HashMap<(bool, u32), usize> =
            stepper.state.mems.iter().enumerate().map(|(i, m)| ((m.out.class == Class::Half, m.out.off), i)).collect();
        for inst in 0..flat.insts.len() as u32 {
            let path = unit_path(flat, inst, grain);
            let module = &flat.templates[flat.insts[inst as usize].template as usize].module;
            let unit = *numbers.entry(path.clone()).or_insert_with(|| {
                units.push(UnitActivity { path, module: module.name.clone(), ..UnitActivity::default() });
                units.len() as u32 - 1
            });
            units[unit as usize].instances += 1;
            let is_first = units[unit as usize].instances == 1;
            let mut memories = 0;
            for (_, kind, port) in stepper.counted_of(inst) {
                let what = match kind {
                    SignalKind::Reg => What::Register,
                    SignalKind::Input => What::Input,
                    SignalKind::Output | SignalKind::Wire => What::Output,
                    SignalKind::MemOut => {
                        memories += 1;
                        What::Memory(memories - 1)
                    }
                };
                let of = &mut units[unit as usize];
                let bits = u64::from(port.width());
                match what {
                    What::Register => of.registers.bits += bits,
                    What::Input => of.inputs.bits += bits,
                    What::Output => of.outputs.bits += bits,
                    What::Memory(memory) => {
                        let Some(&number) = mem_of.get(&(port.0.class == Class::Half, port.0.off)) else { continue };
                        access[number] = Access { unit, memory, ..Access::default() };
                        let mem = &stepper.state.mems[number];
                        if is_first {
                            let (word_bits, words) = (mem.width, mem.depth);
                            of.memories.push(MemoryActivity { word_bits, words, ..MemoryActivity::default() });
                        }
                        of.memories[memory as usize].memories += 1;
                    }
                }
                found.push((unit, what, port.0));
            }
        }
        let (mut half, mut full) = (Vec::new(), Vec::new());
        for (_, _, opd) in &found {
            match opd.class {
                Class::Half => half.push((opd.off, opd.ty.width)),
                Class::Full => full.push((opd.off, opd.ty.width)),
                Class::Wide => full.extend((0..limbs(opd.ty.width)).map(|k| (opd.off + k, 64))),
            }
        }
        let (half, full) = (Flips::new(half, &stepper.state.half), Flips::new(full, &stepper.state.full));
        for (unit, what, opd) in found {
            let at = at(&half, &full, opd);
            items.push(Item { unit, what, at });
        }
        let top = flat.templates[0].module.name.clone();
        Self { units, half, full, items, access, top, samples: 0 }
    }

    /// Takes the values before a clock edge.
    #[inline]
    pub fn sample(&mut self, state: &State) {
        if self.samples == 0 {
            self.half.rebase(&state.half);
            self.full.rebase(&state.full);
        } else {
            self.half.update(&state.half);
            self.full.update(&state.full);
        }
        self.samples += 1;
        for (access, mem) in self.access.iter_mut().zip(&state.mems) {
            access.reads += u64::from(state.half[mem.read_enable as usize] != 0);
            if state.half[mem.write_enable as usize] != 0 {
                access.writes += 1;
                access.written_bits += mem.lanes.map_or(u64::from(mem.width), |lanes| {
                    let ones: u32 = (0..limbs(lanes.ty.width)).map(|k| state.limb(lanes, k).count_ones()).sum();
                    u64::from(ones * (mem.width / lanes.ty.width))
                });
            }
        }
    }

    fn flips(&self, at: At) -> u64 {
        match at {
            At::Half(slot) => self.half.of(slot),
            At::Full(slot) => self.full.of(slot),
            At::Wide(off, n) => (off..off + n).map(|place| self.full.at(place)).sum(),
        }
    }

    /// Counts so far of each unit.
    pub fn counts(&self) -> Vec<Counts> {
        let mut counts = vec![Counts::default(); self.units.len()];
        for item in &self.items {
            let (of, flips) = (&mut counts[item.unit as usize], self.flips(item.at));
            match item.what {
                What::Register => of.registers += flips,
                What::Input => of.inputs += flips,
                What::Output => of.outputs += flips,
                What::Memory(_) => of.memory_outputs += flips,
            }
        }
        for a in &self.access {
            let of = &mut counts[a.unit as usize];
            of.reads += a.reads;
            of.writes += a.writes;
            of.read_bits += a.reads * u64::from(self.units[a.unit as usize].memories[a.memory as usize].word_bits);
            of.written_bits += a.written_bits;
        }
        counts
    }

    /// All counts so far.
    pub fn activity(&self) -> Activity {
        let mut units = self.units.clone();
        for item in &self.items {
            let (of, flips) = (&mut units[item.unit as usize], self.flips(item.at));
            match item.what {
                What::Register => of.registers.toggles += flips,
                What::Input => of.inputs.toggles += flips,
                What::Output => of.outputs.toggles += flips,
                What::Memory(memory) => of.memories[memory as usize].output_toggles += flips,
            }
        }
        for a in &self.access {
            let of = &mut units[a.unit as usize].memories[a.memory as usize];
            of.reads += a.reads;
            of.writes += a.writes;
            of.read_bits += a.reads * u64::from(of.word_bits);
            of.written_bits += a.written_bits;
        }
        Activity { top: self.top.clone(), cycles: self.samples, units, ..Activity::default() }
    }
}

fn at(half: &Flips<u32>, full: &Flips<u64>, opd: Opd) -> At {
    match opd.class {
        Class::Half => At::Half(half.slot(opd.off, opd.ty.width)),
        Class::Full => At::Full(full.slot(opd.off, opd.ty.width)),
        Class::Wide => At::Wide(opd.off, limbs(opd.ty.width)),
    }
}

/// Path of an instance without its last dot; grid places as `[*]`, if grids are one unit.
fn unit_path(flat: &Flat, inst: u32, grain: Grain) -> String {
    let path = flat.inst_path(inst);
    let path = path.strip_suffix('.').unwrap_or(&path);
    if grain == Grain::Instances {
        return path.into();
    }
    let mut text = String::new();
    let mut is_inside = false;
    for c in path.chars() {
        match c {
            '[' => {
                is_inside = true;
                text.push_str("[*]");
            }
            ']' => is_inside = false,
            c if !is_inside => text.push(c),
            _ => {}
        }
    }
    text
}

/// Whether an output is the output of an instance inside.
fn inside(flat: &Flat, inst: u32, sig: u32) -> bool {
    let Some(value) = flat.known(inst, sig) else { return false };
    let children = &flat.insts[inst as usize].children;
    let template = &flat.templates[flat.insts[inst as usize].template as usize];
    children.iter().zip(&template.children).any(|(first, child)| {
        let n = child.grid.map_or(1, |(rows, cols)| rows * cols);
        let outputs = child.module.signals.iter().enumerate().filter(|(_, s)| s.kind == SignalKind::Output);
        outputs.into_iter().any(|(out, _)| (*first..first + n).any(|c| flat.known(c, out as u32) == Some(value)))
    })
}

/// A signal that [`Stepper::activity`] counts, and its flips.
#[derive(Clone, Debug)]
pub struct Counted {
    /// Hierarchical path.
    pub path: String,
    /// What it is; never a wire.
    pub kind: SignalKind,
    /// Bits.
    pub width: u32,
    /// Whether it can never change.
    pub is_constant: bool,
    /// Flips so far.
    pub toggles: u64,
}

impl Stepper {
    /// Starts to count activity, from nothing, or stops. The first cycle after this is the sample from which flips count.
    pub fn count_activity(&mut self, grain: Option<Grain>) {
        self.counting = grain.map(|grain| Box::new(Counting::new(self, grain)));
    }

    /// What moved since [`Self::count_activity`]; nothing, if it is off. A cycle counts when its clock edge has come.
    pub fn activity(&self) -> Option<Activity> {
        self.counting.as_ref().map(|c| c.activity())
    }

    /// The counts of [`Self::activity`] alone, in the order of its units; empty, if it is off.
    pub fn activity_counts(&self) -> Vec<Counts> {
        self.counting.as_ref().map_or_else(Vec::new, |c| c.counts())
    }

    /// The registers, read data of memories, inputs and outputs that are counted, instance by instance; nothing, if
    /// counting is off.
    pub fn counted(&self) -> impl Iterator<Item = Counted> + '_ {
        let counting = self.counting.as_ref();
        counting.into_iter().flat_map(move |counting| {
            (0..self.flat.insts.len() as u32).flat_map(move |inst| {
                let path = self.flat.inst_path(inst);
                self.counted_of(inst).map(move |(name, kind, port)| {
                    let sig =
                        self.flat.templates[self.flat.insts[inst as usize].template as usize].module.signals.iter();
                    let sig = sig.enumerate().find(|(_, s)| s.name == name).map_or(0, |(i, _)| i as u32);
                    Counted {
                        path: format!("{path}{name}"),
                        kind: kind.clone(),
                        width: port.width(),
                        is_constant: self.flat.known(inst, sig).is_some_and(|v| self.flat.is_const(v)),
                        toggles: counting.flips(at(&counting.half, &counting.full, port.0)),
                    }
                })
            })
        })
    }

    /// Name, kind and place of the signals of an instance that are counted.
    fn counted_of(&self, inst: u32) -> impl Iterator<Item = (&str, &SignalKind, Port)> + '_ {
        let module = &self.flat.templates[self.flat.insts[inst as usize].template as usize].module;
        module.signals.iter().enumerate().filter_map(move |(sig, signal)| {
            let is_counted = match signal.kind {
                SignalKind::Wire => false,
                SignalKind::Output => !inside(&self.flat, inst, sig as u32),
                _ => true,
            };
            let port = is_counted.then(|| self.port(inst, Ref::Sig(sig as u32)).ok()).flatten()?;
            Some((signal.name.as_str(), &signal.kind, port))
        })
    }
}
