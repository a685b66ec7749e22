//! A generated tile engine as a block of rust-hdl designs.

use hdl::rtl::{Design, Header};
use rust_hdl::prelude::*;
use sim::step::{Port, Stepper};
use spec::{Config, Problem};

use crate::error::Error;

/// The tile engine of a Config with a bus of `D` bits, between two AXI4-Streams (`spec::stream`).
///
/// In rust-hdl's simulation the step simulator runs behind the ports: every register of the engine, cycle for cycle. In
/// the generated Verilog it is an instance of the emitted modules, which stand at the end of the same text.
///
/// All modules of an engine carry the Config's `design.prefix`: two engines in one design need different prefixes.
#[derive(LogicBlock)]
pub struct Engine<const D: usize> {
    /// Clock; everything happens at its rising edge.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset, active low.
    pub rst_ni: Signal<In, Bit>,
    /// A beat of commands and operands is there.
    pub s_axis_tvalid: Signal<In, Bit>,
    /// It is taken at this edge.
    pub s_axis_tready: Signal<Out, Bit>,
    /// The beat.
    pub s_axis_tdata: Signal<In, Bits<D>>,
    /// A beat of results is there.
    pub m_axis_tvalid: Signal<Out, Bit>,
    /// It is taken at this edge.
    pub m_axis_tready: Signal<In, Bit>,
    /// The beat.
    pub m_axis_tdata: Signal<Out, Bits<D>>,
    /// It is the last of a row.
    pub m_axis_tlast: Signal<Out, Bit>,
    /// Nothing is in flight.
    pub idle_o: Signal<Out, Bit>,
    /// An unknown operation, format or mode was met since reset.
    pub error_o: Signal<Out, Bit>,
    /// Why no row enters the array; 0 if one does.
    pub stall_o: Signal<Out, Bits<3>>,
    _model: Box<Model>,
}

impl<const D: usize> Engine<D> {
    /// The engine of `config`. Its registers start at zero; hold `rst_ni` low for a cycle before the first beat.
    ///
    /// # Errors
    /// [`Error::Invalid`] if `D` is not the Config's `bus.data_bits`.
    pub fn new(config: &Config) -> Result<Self, Error> {
        if config.bus.data_bits as usize != D {
            let cure = format!("use Engine<{}>, or set bus.data_bits = {D}", config.bus.data_bits);
            return Err(Error::Invalid(Problem::new("bus.data_bits", config.bus.data_bits, D.to_string(), cure)));
        }
        Ok(Self {
            clock: Signal::default(),
            rst_ni: Signal::default(),
            s_axis_tvalid: Signal::default(),
            s_axis_tready: Signal::default(),
            s_axis_tdata: Signal::default(),
            m_axis_tvalid: Signal::default(),
            m_axis_tready: Signal::default(),
            m_axis_tdata: Signal::default(),
            m_axis_tlast: Signal::default(),
            idle_o: Signal::default(),
            error_o: Signal::default(),
            stall_o: Signal::default(),
            _model: Box::new(Model::new(config)?),
        })
    }

    /// Rising clock edges simulated so far.
    pub fn cycles(&self) -> u64 {
        self._model.stepper.cycle()
    }
}

impl<const D: usize> Logic for Engine<D> {
    /// In the pass in which a block of rust-hdl sees the clock rise, its other inputs still have their values from
    /// before the edge: what registers elsewhere drive arrives a pass later. So inputs are taken first, then the edge.
    fn update(&mut self) {
        let model = &mut *self._model;
        let controls = [self.rst_ni.val(), self.s_axis_tvalid.val(), self.m_axis_tready.val()];
        for (port, (old, new)) in model.controls.iter().zip(model.control_values.iter_mut().zip(controls)) {
            if *old != new {
                model.stepper.set(*port, new.into());
                *old = new;
            }
        }
        let beat = to_limbs(self.s_axis_tdata.val());
        if beat != model.beat {
            model.stepper.set_limbs(model.s_axis_tdata, &beat);
            model.beat = beat;
        }
        if self.clock.pos_edge() {
            model.stepper.tick();
        }
        model.stepper.settle();
        let [s_ready, m_valid, m_last, idle, error] = model.flags.map(|port| model.stepper.get(port) & 1 != 0);
        self.s_axis_tready.next = s_ready;
        self.m_axis_tvalid.next = m_valid;
        self.m_axis_tlast.next = m_last;
        self.idle_o.next = idle;
        self.error_o.next = error;
        self.stall_o.next = Bits::from(model.stepper.get(model.stall_o) & 7);
        let mut beat = [0; MAX_LIMBS];
        model.stepper.get_limbs(model.m_axis_tdata, &mut beat);
        self.m_axis_tdata.next = from_limbs(&beat);
    }

    fn connect(&mut self) {
        self.s_axis_tready.connect();
        self.m_axis_tvalid.connect();
        self.m_axis_tdata.connect();
        self.m_axis_tlast.connect();
        self.idle_o.connect();
        self.error_o.connect();
        self.stall_o.connect();
    }

    fn hdl(&self) -> Verilog {
        Verilog::Wrapper(Wrapper { code: self._model.instance.clone(), cores: self._model.modules.clone() })
    }
}

/// Limbs of the widest bus a Config allows, 512 bits.
const MAX_LIMBS: usize = 8;

fn to_limbs<const D: usize>(value: Bits<D>) -> [u64; MAX_LIMBS] {
    std::array::from_fn(|k| if k * 64 < D { value.get_bits::<64>(k * 64).to_u64() } else { 0 })
}

fn from_limbs<const D: usize>(limbs: &[u64; MAX_LIMBS]) -> Bits<D> {
    let mut value = Bits::<D>::from(limbs[0] & if D < 64 { (1 << D) - 1 } else { u64::MAX });
    for (k, &limb) in limbs.iter().enumerate().skip(1).filter(|(k, _)| k * 64 < D) {
        value = value | (Bits::<D>::from(limb) << (64 * k as u64));
    }
    value
}

/// The simulated engine, what its inputs were last set to, and its Verilog.
struct Model {
    stepper: Stepper,
    /// `rst_ni`, `s_axis_tvalid`, `m_axis_tready`.
    controls: [Port; 3],
    control_values: [bool; 3],
    s_axis_tdata: Port,
    beat: [u64; MAX_LIMBS],
    /// `s_axis_tready`, `m_axis_tvalid`, `m_axis_tlast`, `idle_o`, `error_o`.
    flags: [Port; 5],
    stall_o: Port,
    m_axis_tdata: Port,
    /// The instance, inside rust-hdl's wrapper module.
    instance: String,
    /// All modules of the engine.
    modules: String,
}

impl Model {
    fn new(config: &Config) -> Result<Self, Error> {
        let design = Design::new(hdl::unit::engine::engine(config)?);
        let stepper = Stepper::new(&design)?;
        let generator = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_string();
        let header = Header { generator, config_hash: config.hash() };
        let files = design.emit(&header)?;
        let mut pins = vec!["  .clk_i (clock)".to_string(), "  .rst_ni (rst_ni)".to_string()];
        pins.extend(design.top.ports().map(|(_, port)| format!("  .{0} ({0})", port.name)));
        Ok(Self {
            controls: [stepper.input("rst_ni")?, stepper.input("s_axis_tvalid")?, stepper.input("m_axis_tready")?],
            control_values: [false; 3],
            s_axis_tdata: stepper.input("s_axis_tdata")?,
            beat: [0; MAX_LIMBS],
            flags: [
                stepper.output("s_axis_tready")?,
                stepper.output("m_axis_tvalid")?,
                stepper.output("m_axis_tlast")?,
                stepper.output("idle_o")?,
                stepper.output("error_o")?,
            ],
            stall_o: stepper.output("stall_o")?,
            m_axis_tdata: stepper.output("m_axis_tdata")?,
            stepper,
            instance: format!("{} u_engine (\n{}\n);\n", design.top.name, pins.join(",\n")),
            modules: files.into_iter().map(|(_, text)| text + "\n").collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_of_every_bus_width_come_back() {
        fn check<const D: usize>() {
            let mut limbs = [0; MAX_LIMBS];
            for (k, limb) in limbs.iter_mut().enumerate().filter(|(k, _)| k * 64 < D) {
                *limb = 0x8123_4567_89AB_CDEF_u64.rotate_left(k as u32 * 7) & if D < 64 { 0xFFFF_FFFF } else { !0 };
            }
            assert_eq!(to_limbs(from_limbs::<D>(&limbs)), limbs);
        }
        check::<32>();
        check::<64>();
        check::<128>();
        check::<256>();
        check::<512>();
    }
}
