//! Which cells drive a load soonest: buffers, other strengths of a gate, and trees of buffers.

use std::collections::BTreeMap;

use crate::cells::Settings;
use crate::liberty::library::{ArcKind, Cell, Library, Pin};
use crate::liberty::{Function, trim};

/// Groups of sinks that are tried, each behind a buffer of its own.
const GROUPS: [usize; 14] = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64];
/// The same for the level above.
const ABOVE: [usize; 6] = [1, 2, 4, 8, 16, 32];
/// Part of the best gain that a smaller choice must have.
const ENOUGH: f64 = 0.9;
/// Loads of a buffer by its own input that are tried.
const GAINS: std::ops::RangeInclusive<f64> = 1.5..=40.0;
/// How much more than its usual load an input may have before it is given buffers.
const MUCH: f64 = 1.5;

/// What hangs on a net.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Capacitance of its pins in fF.
    pub ff: f64,
    /// Its pins: wires are counted by them.
    pub pins: usize,
}

impl std::ops::AddAssign for Load {
    fn add_assign(&mut self, other: Self) {
        self.ff += other.ff;
        self.pins += other.pins;
    }
}

impl Load {
    /// One of so many equal parts, rounded up to whole pins.
    fn part(self, parts: usize) -> Self {
        Self { ff: self.ff / parts as f64, pins: self.pins.div_ceil(parts) }
    }
}

/// A cell by the output that drives.
#[derive(Clone, Copy, Debug)]
pub struct Stage<'a> {
    /// Cell.
    pub cell: &'a Cell,
    /// Output.
    pub output: &'a Pin,
}

impl<'a> Stage<'a> {
    /// The input of a buffer.
    pub fn input(&self) -> &'a Pin {
        self.cell.pins.iter().find(|pin| !pin.is_output).unwrap_or(self.output)
    }
}

/// Buffers in equal groups.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Index in [`Drives::buffers`].
    pub buffer: usize,
    /// How many.
    pub groups: usize,
}

/// What is done for a net.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// Cell that takes the driver's place.
    pub cell: Option<String>,
    /// Levels of buffers, those at the sinks first.
    pub levels: Vec<Level>,
}

/// The cells of a library that drive.
pub struct Drives<'a> {
    library: &'a Library,
    settings: &'a Settings,
    /// Buffers, smallest first, without those that a smaller one beats in input and delay.
    pub buffers: Vec<Stage<'a>>,
    /// Transition in the library's unit that inputs are taken to have.
    slew: f64,
    /// Buffer that gains the most drive for its time, and the load in fF at which it does.
    usual: usize,
    most_ff: f64,
}

impl<'a> Drives<'a> {
    /// The cells that may be used; `None` if there is no buffer among them.
    pub fn new(library: &'a Library, settings: &'a Settings) -> Option<Self> {
        let mut drives = Self { library, settings, buffers: Vec::new(), slew: 0.0, usual: 0, most_ff: 0.0 };
        let mut all: Vec<Stage<'_>> = library.cells.values().filter(|c| drives.is_used(c)).filter_map(buffer).collect();
        all.sort_by(|a, b| a.cell.area.total_cmp(&b.cell.area).then_with(|| a.cell.name.cmp(&b.cell.name)));
        let first = *all.first()?;
        let usual = Load { ff: 4.0 * first.input().cap_ff, pins: 4 };
        drives.slew = drives.pass(first, 0.0, usual).1;
        let much = Load { ff: 16.0 * usual.ff, pins: 64 };
        for stage in all {
            let time = |s: Stage<'_>, load: Load| drives.pass(s, drives.slew, load).0;
            let is_beaten = drives.buffers.iter().any(|other| {
                other.input().cap_ff <= stage.input().cap_ff
                    && [usual, much].iter().all(|l| time(*other, *l) <= time(stage, *l))
            });
            if !is_beaten {
                drives.buffers.push(stage);
            }
        }
        (drives.usual, drives.most_ff) = drives.best_load();
        Some(drives)
    }

    fn is_used(&self, cell: &Cell) -> bool {
        !self.settings.exclude.iter().any(|pattern| trim::matches(pattern, &cell.name))
    }

    /// The buffer that gains the most drive for its time, and its load then; of about equal ones that which takes more, so
    /// that trees are flat.
    fn best_load(&self) -> (usize, f64) {
        let mut tried = Vec::new();
        for (i, stage) in self.buffers.iter().enumerate() {
            for gain in 2..=24u32 {
                let load = Load { ff: stage.input().cap_ff * f64::from(gain), pins: gain as usize };
                tried.push((self.pass(*stage, self.slew, load).0 / f64::from(gain).ln(), i, load.ff));
            }
        }
        let least = tried.iter().map(|t| t.0).fold(f64::INFINITY, f64::min);
        let good = tried.into_iter().filter(|t| t.0 <= 1.05 * least);
        good.max_by(|a, b| a.2.total_cmp(&b.2)).map_or((0, 1.0), |(_, i, load)| (i, load))
    }

    /// Delay and transition of the slowest edge at an output behind inputs of that transition, in the library's unit.
    fn pass(&self, stage: Stage<'_>, slew: f64, load: Load) -> (f64, f64) {
        let wire = self.library.wire.as_ref().map_or(0.0, |wire| wire.load_ff(load.pins));
        let load = (load.ff + wire) / self.library.cap_ff;
        let mut slowest = (0.0f64, 0.0f64);
        for arc in &stage.output.arcs {
            let slew = match arc.kind {
                ArcKind::Through { .. } => slew,
                ArcKind::Launch => 0.0,
                ArcKind::Setup => continue,
            };
            for side in 0..2 {
                let at =
                    |table: &Option<crate::liberty::Table>| table.as_ref().map_or(0.0, |table| table.at(slew, load));
                slowest = (slowest.0.max(at(&arc.delay[side])), slowest.1.max(at(&arc.slew[side])));
            }
        }
        slowest
    }

    /// The driver of inputs.
    pub fn edge(&self) -> Option<Stage<'a>> {
        let cell = self.library.cells.get(&self.settings.driver)?;
        cell.pins.iter().find(|pin| pin.is_output).map(|output| Stage { cell, output })
    }

    /// The output of a cell of the library.
    pub fn stage(&self, cell: &str, output: &str) -> Option<Stage<'a>> {
        let cell = self.library.cells.get(cell)?;
        cell.pin(output).map(|output| Stage { cell, output })
    }

    /// The cell, and larger ones with the same pins and functions.
    fn strengths(&self, cell: &'a Cell) -> Vec<&'a Cell> {
        let larger = self.library.cells.values().filter(|other| other.area > cell.area && self.is_used(other));
        std::iter::once(cell).chain(larger.filter(|other| is_alike(cell, other))).collect()
    }

    /// Time in the library's unit from the driver's inputs to behind the next gate.
    fn time(&self, driver: Stage<'_>, stays: Load, moves: Load, levels: &[Level]) -> f64 {
        let mut loads = Vec::with_capacity(levels.len() + 1);
        let mut load = moves;
        for level in levels {
            loads.push(load.part(level.groups));
            let cap = self.buffers[level.buffer].input().cap_ff;
            load = Load { ff: cap * level.groups as f64, pins: level.groups };
        }
        load += stays;
        let (mut time, mut slew) = self.pass(driver, self.slew, load);
        for (level, load) in levels.iter().zip(loads).rev() {
            let (delay, next) = self.pass(self.buffers[level.buffer], slew, load);
            time += delay;
            slew = next;
        }
        let next = self.buffers[0];
        time + self.pass(next, slew, Load { ff: 4.0 * next.input().cap_ff, pins: 4 }).0
    }

    /// What drives `moves` soonest, and what it gains in ns: another strength of the driver (if `is_free`), buffers
    /// between it and the sinks; `stays` hangs on the driver itself. Of about equal choices it is the smallest.
    pub fn choose(&self, driver: Stage<'a>, is_free: bool, stays: Load, moves: Load, sinks: usize) -> (Choice, f64) {
        let before = self.time(driver, stays, moves, &[]);
        let strengths = if is_free { self.strengths(driver.cell) } else { vec![driver.cell] };
        let mut found: Vec<(f64, f64, Choice)> = Vec::new();
        let trees = self.trees(moves, sinks);
        for cell in strengths {
            let Some(output) = cell.pin(&driver.output.name) else { continue };
            let stage = Stage { cell, output };
            let behind = self.behind(driver.cell, cell);
            for levels in &trees {
                let buffers = levels.iter().map(|l| self.buffers[l.buffer].cell.area * l.groups as f64).sum::<f64>();
                let time = self.time(stage, stays, moves, levels) + behind;
                let cell = (cell.name != driver.cell.name).then(|| cell.name.clone());
                found.push((before - time, buffers + stage.cell.area, Choice { cell, levels: levels.clone() }));
            }
        }
        let most = found.iter().map(|f| f.0).fold(0.0, f64::max);
        let enough = found.into_iter().filter(|f| f.0 >= ENOUGH * most);
        let best = enough.min_by(|a, b| a.1.total_cmp(&b.1).then(b.0.total_cmp(&a.0)));
        best.map_or((Choice::default(), 0.0), |(gain, _, choice)| (choice, gain * self.library.time_ns))
    }

    /// What larger inputs cost the gate before them.
    fn behind(&self, from: &Cell, to: &Cell) -> f64 {
        let cap = |cell: &Cell| cell.pins.iter().filter(|pin| !pin.is_output).map(|pin| pin.cap_ff).fold(0.0, f64::max);
        let usual = Load { ff: 4.0 * self.buffers[0].input().cap_ff, pins: 4 };
        let more = Load { ff: usual.ff + cap(to) - cap(from), ..usual };
        let Some(stage) = self.edge().or(self.buffers.first().copied()) else { return 0.0 };
        self.pass(stage, self.slew, more).0 - self.pass(stage, self.slew, usual).0
    }

    /// Trees of up to three levels that are worth trying for a load of so many sinks, the one without buffers first.
    fn trees(&self, moves: Load, sinks: usize) -> Vec<Vec<Level>> {
        let mut trees = vec![Vec::new()];
        for first in self.levels(moves, sinks, &GROUPS) {
            trees.push(vec![first]);
            for second in self.levels(self.inputs(first), first.groups / 2, &ABOVE) {
                trees.push(vec![first, second]);
                let third = self.usual(self.inputs(second));
                if (2..=second.groups / 2).contains(&third.groups) {
                    trees.push(vec![first, second, third]);
                }
            }
        }
        trees
    }

    fn levels(&self, load: Load, most: usize, groups: &[usize]) -> Vec<Level> {
        let usual = self.usual(load).groups;
        let mut groups: Vec<usize> = groups.iter().copied().chain([usual]).filter(|groups| *groups <= most).collect();
        groups.sort_unstable();
        groups.dedup();
        let all = (0..self.buffers.len()).flat_map(|buffer| groups.iter().map(move |&groups| Level { buffer, groups }));
        all.filter(|l| GAINS.contains(&(load.ff / l.groups as f64 / self.buffers[l.buffer].input().cap_ff))).collect()
    }

    /// What the buffers of a level are for the one above.
    fn inputs(&self, level: Level) -> Load {
        Load { ff: self.buffers[level.buffer].input().cap_ff * level.groups as f64, pins: level.groups }
    }

    /// As many of the usual buffers as a load needs.
    fn usual(&self, load: Load) -> Level {
        Level { buffer: self.usual, groups: (load.ff / self.most_ff).ceil().max(1.0) as usize }
    }

    /// Buffers that make a load of so many sinks one that a buffer of a tree can drive, whatever drives it.
    pub fn bounded(&self, load: Load, sinks: usize) -> Vec<Level> {
        let (mut levels, mut load, mut most) = (Vec::new(), load, sinks);
        while load.ff > MUCH * self.most_ff && most > 1 {
            let level = self.usual(load);
            let level = Level { groups: level.groups.min(most), ..level };
            levels.push(level);
            (load, most) = (self.inputs(level), level.groups / 2);
        }
        levels
    }
}

/// A cell whose only output is its only input.
fn buffer(cell: &Cell) -> Option<Stage<'_>> {
    let [a, b] = cell.pins.as_slice() else { return None };
    let (input, output) = if a.is_output { (b, a) } else { (a, b) };
    let is_pair = !input.is_output && output.is_output && !output.arcs.is_empty() && input.cap_ff > 0.0;
    let is_buffer = cell.state.is_none() && output.function == Some(Function::Pin(input.name.clone()));
    (is_pair && is_buffer).then_some(Stage { cell, output })
}

/// Whether two cells are the same but for size.
fn is_alike(a: &Cell, b: &Cell) -> bool {
    let pins = |cell: &Cell| -> BTreeMap<String, (bool, Option<Function>)> {
        cell.pins.iter().map(|pin| (pin.name.clone(), (pin.is_output, pin.function.clone()))).collect()
    };
    a.pins.len() == b.pins.len() && a.state == b.state && pins(a) == pins(b)
}
