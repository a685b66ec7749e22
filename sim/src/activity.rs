//! Activity of a run in parts: windows of equal length, and sections of its program.

use spec::activity::{Activity, Counts, Part};

use crate::error::Error;
use crate::step::activity::Grain;
use crate::step::{Port, Stepper};

/// A moment of a run: all counts until then.
#[derive(Clone, Debug, Default)]
struct Mark {
    cycle: u64,
    dram_read_bytes: u64,
    dram_written_bytes: u64,
    units: Vec<Counts>,
}

impl Mark {
    fn part_since(&self, earlier: &Self, section: Option<u32>) -> Part {
        let units = self.units.iter().zip(&earlier.units);
        Part {
            start_cycle: earlier.cycle,
            cycles: self.cycle - earlier.cycle,
            section,
            dram_read_bytes: self.dram_read_bytes - earlier.dram_read_bytes,
            dram_written_bytes: self.dram_written_bytes - earlier.dram_written_bytes,
            units: units.map(|(now, then)| now.since(*then)).collect(),
        }
    }
}

/// Handshakes of the master that moves data.
#[derive(Clone, Copy, Debug)]
struct Beats {
    read: [Port; 2],
    write: [Port; 2],
    bytes: u64,
}

/// Cuts the activity of a run into parts.
///
/// Show it every cycle just before its clock edge; what it costs in a cycle is two comparisons, and a walk over all
/// counters where a part ends.
#[derive(Debug)]
pub struct Recorder {
    window_cycles: u64,
    beats: Option<Beats>,
    now: Mark,
    window: Mark,
    windows: Vec<Part>,
    begun: Mark,
    section: Option<u32>,
    sections: Vec<Part>,
}

impl Recorder {
    /// Starts to count: from the next cycle on, in windows of `window_cycles` (0: none). A design with an AXI master
    /// `m_axi_*` also gets its bytes counted, in whole beats.
    ///
    /// # Errors
    /// None today.
    pub fn start(stepper: &mut Stepper, window_cycles: u64) -> Result<Self, Error> {
        stepper.count_activity(Some(Grain::Grids));
        let both = |valid: &str, ready: &str| {
            let port = |name: &str| stepper.signal(name).ok();
            Some([port(valid)?, port(ready)?])
        };
        let data = stepper.signal("m_axi_rdata").ok();
        let beats = both("m_axi_rvalid", "m_axi_rready")
            .zip(both("m_axi_wvalid", "m_axi_wready"))
            .zip(data)
            .map(|((read, write), data)| Beats { read, write, bytes: u64::from(data.width()) / 8 });
        let now = Mark { units: stepper.activity_counts(), ..Mark::default() };
        Ok(Self {
            window_cycles,
            beats,
            window: now.clone(),
            windows: Vec::new(),
            begun: now.clone(),
            now,
            section: None,
            sections: Vec::new(),
        })
    }

    /// A cycle, just before its clock edge, and the section of the program that it belongs to, if any.
    pub fn see(&mut self, stepper: &Stepper, section: Option<u32>) {
        if section != self.section {
            self.end_section(stepper);
            self.section = section;
        }
        if self.window_cycles > 0 && self.now.cycle == self.window.cycle + self.window_cycles {
            self.end_window(stepper);
        }
        if let Some(beats) = &self.beats {
            let taken = |ports: [Port; 2]| ports.iter().all(|p| stepper.get(*p) == 1);
            self.now.dram_read_bytes += if taken(beats.read) { beats.bytes } else { 0 };
            self.now.dram_written_bytes += if taken(beats.write) { beats.bytes } else { 0 };
        }
        self.now.cycle += 1;
    }

    fn end_section(&mut self, stepper: &Stepper) {
        if self.now.cycle > self.begun.cycle {
            self.now.units = stepper.activity_counts();
            self.sections.push(self.now.part_since(&self.begun, self.section));
        }
        self.begun.clone_from(&self.now);
    }

    fn end_window(&mut self, stepper: &Stepper) {
        if self.now.cycle > self.window.cycle {
            self.now.units = stepper.activity_counts();
            self.windows.push(self.now.part_since(&self.window, None));
        }
        self.window.clone_from(&self.now);
    }

    /// All of it, when the last clock edge has come; counting stops. Without sections there is no list of them.
    pub fn finish(mut self, stepper: &mut Stepper, config_hash: &str) -> Activity {
        let has_sections = self.section.is_some() || !self.sections.is_empty();
        if has_sections {
            self.end_section(stepper);
        }
        if self.window_cycles > 0 {
            self.end_window(stepper);
        }
        let activity = stepper.activity().unwrap_or_default();
        stepper.count_activity(None);
        Activity {
            config_hash: config_hash.into(),
            dram_read_bytes: self.now.dram_read_bytes,
            dram_written_bytes: self.now.dram_written_bytes,
            window_cycles: self.window_cycles,
            windows: self.windows,
            sections: self.sections,
            ..activity
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdl::rtl::{Design, ModuleBuilder, Ty};

    /// A counter of 8 bits and a child that follows it.
    fn stepper() -> Stepper {
        let mut m = ModuleBuilder::new("m", "Test.");
        let on = m.input("on_i", Ty::bit());
        let count = m.reg("count_q", Ty::u(8));
        m.next_if(&count, &on, &(&count + count.k(1)));
        m.output_is("count_o", &count);
        Stepper::new(&Design::new(m.build().unwrap())).unwrap()
    }

    #[test]
    fn windows_and_sections_add_up_to_the_run() {
        let mut stepper = stepper();
        let on = stepper.input("on_i").unwrap();
        let mut recorder = Recorder::start(&mut stepper, 10).unwrap();
        for cycle in 0..37u32 {
            stepper.set(on, u64::from(cycle % 5 != 0));
            stepper.settle();
            recorder.see(&stepper, (cycle >= 3).then_some(cycle / 12));
            stepper.tick();
        }
        let activity = recorder.finish(&mut stepper, "hash");
        assert_eq!(activity.cycles, 37);
        let lengths = |parts: &[Part]| parts.iter().map(|p| p.cycles).collect::<Vec<_>>();
        assert_eq!(lengths(&activity.windows), [10, 10, 10, 7]);
        assert_eq!(lengths(&activity.sections), [3, 9, 12, 12, 1]);
        let sections: Vec<_> = activity.sections.iter().map(|p| p.section).collect();
        assert_eq!(sections, [None, Some(0), Some(1), Some(2), Some(3)]);
        for parts in [&activity.windows, &activity.sections] {
            for (number, unit) in activity.units.iter().enumerate() {
                let sum = parts.iter().fold(Counts::default(), |sum, part| sum.plus(part.units[number]));
                assert_eq!(sum, unit.counts());
            }
        }
        // 28 counts before the last sample, of which 14 flip one bit, 7 two, ...; the register drives the output.
        let unit = &activity.units[0];
        let expected: u32 = (0..28u32).map(|n| (n ^ (n + 1)).count_ones()).sum();
        assert_eq!(unit.registers.toggles, u64::from(expected));
        assert_eq!(unit.outputs.toggles, u64::from(expected));
        assert_eq!(unit.inputs.toggles, 15);
        assert!(stepper.activity().is_none());
    }
}
