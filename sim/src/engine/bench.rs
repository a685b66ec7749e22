//! A design in the step simulator with its inputs, outputs and probes gathered into frames.

use hdl::rtl::module::{Design, SignalKind};

use super::frame::Frame;
use crate::error::Error;
use crate::step::{Port, Stepper};

/// Name of the reset input in input frames.
pub const RESET: &str = "rst_ni";

/// An internal signal to be observed beside the outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Its name in output frames.
    pub name: String,
    /// Hierarchical path below the top, the same in the step simulator and in the Verilog.
    pub path: String,
    /// Width in bits.
    pub width: u32,
}

/// A stepped design: one frame of inputs in, one frame of outputs (probes last) out, each cycle.
#[derive(Debug)]
pub struct Bench {
    /// The simulator; its signals may be read between cycles.
    pub stepper: Stepper,
    /// Input frames: reset first, then the inputs in the order of the ports.
    pub inputs: Frame,
    /// Output frames: the outputs in the order of the ports, then the probes.
    pub outputs: Frame,
    input_ports: Vec<Port>,
    output_ports: Vec<Port>,
    limbs: Vec<u64>,
}

/// Input and output frames of a design with those probes.
pub fn frames(design: &Design, probes: &[Probe]) -> (Frame, Frame) {
    let ports = |kind: SignalKind| {
        let ports = design.top.ports().filter(move |(_, s)| s.kind == kind);
        ports.map(|(_, s)| (s.name.clone(), s.ty.width)).collect::<Vec<_>>()
    };
    let reset = design.top.has_reset.then(|| (RESET.to_string(), 1));
    let inputs = Frame::new(reset.into_iter().chain(ports(SignalKind::Input)));
    let probes = probes.iter().map(|p| (p.name.clone(), p.width));
    let outputs = Frame::new(ports(SignalKind::Output).into_iter().chain(probes));
    (inputs, outputs)
}

impl Bench {
    /// A bench for a design, registers and memories at zero.
    ///
    /// # Errors
    /// Those of [`Stepper::new`], and [`Error::NotFound`] for a probe that is not there.
    pub fn new(design: &Design, probes: &[Probe]) -> Result<Self, Error> {
        let stepper = Stepper::new(design)?;
        let (inputs, outputs) = frames(design, probes);
        let input_ports = inputs.fields.iter().map(|f| stepper.input(&f.name)).collect::<Result<_, _>>()?;
        let ports = outputs.fields.len() - probes.len();
        let mut output_ports =
            outputs.fields[..ports].iter().map(|f| stepper.output(&f.name)).collect::<Result<Vec<_>, _>>()?;
        for probe in probes {
            output_ports.push(stepper.signal(&probe.path)?);
        }
        let widest = outputs.fields.iter().map(super::frame::Field::words).max().unwrap_or(1);
        Ok(Self { stepper, inputs, outputs, input_ports, output_ports, limbs: vec![0; widest] })
    }

    /// One clock cycle: applies `inputs`, gives the outputs before the clock edge in `outputs`, and the edge.
    pub fn cycle(&mut self, inputs: &[u64], outputs: &mut [u64]) {
        self.cycle_seen(inputs, outputs, |_| {});
    }

    /// [`Self::cycle`] with a look at every signal just before the clock edge.
    pub fn cycle_seen(&mut self, inputs: &[u64], outputs: &mut [u64], see: impl FnOnce(&Stepper)) {
        self.cycle_given(inputs, outputs, |stepper, _| see(stepper));
    }

    /// [`Self::cycle_seen`] with a look at the outputs, too.
    pub fn cycle_given(&mut self, inputs: &[u64], outputs: &mut [u64], see: impl FnOnce(&Stepper, &[u64])) {
        for (field, &port) in self.inputs.fields.iter().zip(&self.input_ports) {
            if field.width <= 64 {
                self.stepper.set(port, field.get(inputs));
            } else {
                self.stepper.set_limbs(port, &inputs[field.word..field.word + field.words()]);
            }
        }
        self.stepper.settle();
        outputs.fill(0);
        for (field, &port) in self.outputs.fields.iter().zip(&self.output_ports) {
            if field.width <= 64 {
                field.put(outputs, &[self.stepper.get(port)]);
            } else {
                let words = field.words();
                self.stepper.get_limbs(port, &mut self.limbs[..words]);
                field.put(outputs, &self.limbs[..words]);
            }
        }
        see(&self.stepper, outputs);
        self.stepper.tick();
    }
}
