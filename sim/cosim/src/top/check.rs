//! The comparison, cycle by cycle: every output and probe of both models, every instruction's writes with golden.

use sim::engine::frame::Frame;
use spec::isa::{Field, Op, Program};
use spec::verdict::Mismatch;

use super::fault::Fault;
use super::fields::Fields;
use super::golden::GoldenStream;
use super::probes::TopProbe;
use super::state::{Memories, Progressed};
use crate::check::Pair;
use crate::error::Error;
use crate::mask::Mask;

/// Payloads of ports, which after a random start are anything until they are valid.
const PAYLOADS: [(&str, &[&str]); 5] = [
    ("m_axi_arvalid", &["m_axi_araddr", "m_axi_arlen"]),
    ("m_axi_awvalid", &["m_axi_awaddr", "m_axi_awlen"]),
    ("m_axi_wvalid", &["m_axi_wdata", "m_axi_wstrb", "m_axi_wlast"]),
    ("s_axil_bvalid", &["s_axil_bresp"]),
    ("s_axil_rvalid", &["s_axil_rdata", "s_axil_rresp"]),
];

/// Compares a run of a program.
pub struct TopChecker<'p> {
    pub(super) program: &'p Program,
    pub(super) fields: Fields,
    pub(super) outputs: Frame,
    /// Outputs that are ports; probes follow.
    pub(super) ports: usize,
    pub(super) mask: Mask,
    pub(super) has_probes: bool,
    pub(super) golden: GoldenStream<'p>,
    pub(super) progress: Progressed,
    pub(super) memories: Memories,
    tag: u64,
    /// Values compared with golden so far.
    pub values_checked: u64,
    /// Cycles compared so far.
    pub cycles_checked: u64,
}

impl<'p> TopChecker<'p> {
    /// A checker of a program's run; `random` after random starts.
    ///
    /// # Errors
    /// [`Error::Golden`] for a program that is none, [`Error::Sim`] for frames that are not those of an accelerator.
    pub fn new(
        program: &'p Program,
        probes: &[TopProbe],
        (inputs, outputs): (&Frame, &Frame),
        has_probes: bool,
        random: bool,
    ) -> Result<Self, Error> {
        let missing =
            || sim::Error::Run("the design lacks ports of the accelerator: give it the accelerator's top".into());
        let fields = Fields::new(inputs, outputs).ok_or_else(missing)?;
        let ports = outputs.fields.len() - probes.len();
        let names: Vec<&str> = outputs.fields[..ports].iter().map(|f| f.name.as_str()).collect();
        let groups = if random { &PAYLOADS[..] } else { &[] };
        // Registers hold anything until the first clock edge in reset.
        let from_cycle = if random { sim::accel::RESET_CYCLES } else { 0 };
        let mask = Mask::gated(outputs, groups, from_cycle, |f| has_probes || names.contains(&f.name.as_str()));
        Ok(Self {
            program,
            fields,
            outputs: outputs.clone(),
            ports,
            mask,
            has_probes,
            golden: GoldenStream::new(program)?,
            progress: Progressed::new(program),
            memories: Memories::new(&program.machine),
            tag: 0,
            values_checked: 0,
            cycles_checked: 0,
        })
    }

    /// Compares one cycle; the first mismatch, if there is one.
    ///
    /// # Errors
    /// [`Error::Golden`] for a program that does what it must not.
    pub fn cycle(&mut self, pair: &Pair) -> Result<Option<Mismatch>, Error> {
        if !self.mask.agrees(pair.cycle, pair.step, pair.rtl) {
            return self.difference(pair).map(Some);
        }
        self.cycles_checked += 1;
        if self.fields.reset.get(pair.inputs) == 0 {
            return Ok(None);
        }
        let fault = self.events(pair)?;
        Ok(fault.map(|fault| self.tell(pair.cycle, fault)))
    }

    fn events(&mut self, pair: &Pair) -> Result<Option<Fault>, Error> {
        let frame = pair.step;
        for queue in 0..4 {
            if self.fields.starts[queue].get(frame) == 1 {
                self.progress.started[queue] += 1;
                if self.progress.started[queue] > self.progress.lists[queue].len() {
                    return Ok(Some(Fault::of(None, "an instruction starts that the program does not have")));
                }
            }
        }
        if let Some(fault) = self.writes(pair)? {
            return Ok(Some(fault));
        }
        for queue in 0..4 {
            if self.fields.retires[queue].get(frame) == 1
                && let Some(fault) = self.retires(queue)?
            {
                return Ok(Some(fault));
            }
        }
        Ok(self.control(frame))
    }

    /// Instructions that fetch itself executes: they retire in order, and `INFO` sets the tag.
    fn control(&mut self, frame: &[u64]) -> Option<Fault> {
        let tag = self.fields.tag.get(frame);
        if tag != self.tag {
            let (golden, found) = (Some(self.tag.to_string()), Some(tag.to_string()));
            return Some(Fault { golden, found, ..Fault::of(self.progress.oldest_of(4), "tag") });
        }
        if self.fields.control_retires.get(frame) == 1 {
            let Some(at) = self.progress.oldest_of(4) else {
                return Some(Fault::of(None, "control: an instruction retires that the program does not have"));
            };
            let instr = &self.program.instrs[at];
            if instr.op() == Op::Info {
                self.tag = instr.get(Field::Tag) as u64;
                self.values_checked += 1;
            }
            self.progress.retired[4] += 1;
        }
        None
    }

    /// Instructions that have retired.
    pub fn retired(&self) -> u64 {
        self.progress.count()
    }

    /// The mark of the oldest instruction that has not retired.
    pub fn mark(&self) -> Option<&spec::isa::Mark> {
        self.mark_of(self.progress.oldest()?)
    }

    /// What is missing after a run that seemed complete.
    ///
    /// # Errors
    /// [`Error::Golden`] for a program that does what it must not.
    pub fn missing(&mut self, cycle: u64) -> Result<Option<Mismatch>, Error> {
        self.golden.finish()?;
        if self.progress.oldest().is_some() {
            return Ok(Some(self.tell_end(cycle, "the run ended, and not all instructions have retired")));
        }
        Ok(self.leftover().map(|fault| self.tell(cycle, fault)))
    }

    /// The first byte of the segments that differs from what golden leaves there, and how many do.
    pub fn memory(&self, mut read: impl FnMut(u32, &mut [u8]), cycle: u64) -> Result<Option<Mismatch>, Error> {
        let mut found = Vec::new();
        for segment in &self.program.segments {
            let golden = self.golden.iss().memory(segment.addr, segment.len as usize)?;
            found.resize(golden.len(), 0);
            read(segment.addr, &mut found);
            if let Some(i) = golden.iter().zip(&found).position(|(a, b)| a != b) {
                let place = format!("DRAM {:#x}, byte {i} of {}", segment.addr as usize + i, segment.name);
                let fault = Fault {
                    place: Some(place),
                    golden: Some(golden[i].to_string()),
                    found: Some(found[i].to_string()),
                    ..Fault::of(None, "memory at the end")
                };
                return Ok(Some(self.tell(cycle, fault)));
            }
        }
        Ok(None)
    }
}
