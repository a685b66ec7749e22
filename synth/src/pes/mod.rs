//! Every kind of PE in every format in one library: area, delay and energy of a PE in a small array.

pub mod stream;

use std::fs;

use hdl::rtl::Design;
use hdl::unit::{array, pe};
use spec::cost::Cost;
use spec::{Config, Dataflow, Format, Problem};

pub use self::stream::Operands;
use crate::asic;
use crate::cells::settings;
use crate::energy::gates::{GateEnergy, GateSim};
use crate::energy::netlist::Netlist;
use crate::energy::power::PowerLibrary;
use crate::error::Error;
use crate::job::{Job, Options, Outcome, run_all};

/// Rows and columns of the array in the table.
pub const SIDE: u32 = 4;
/// Part of the library's usual period that a transition takes, for its tables of internal energy.
const SLEW_SHARE: f64 = 1.0 / 40.0;

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// Format, which says the kind of PE.
    pub format: Format,
    /// The PE alone.
    pub pe: Cost,
    /// The array of [`SIDE`] × [`SIDE`] PEs with its skew registers.
    pub array: Cost,
    /// Energy of the array's netlist for each of the operands.
    pub energy: Vec<Energy>,
}

/// Energy of an array's netlist: zero-delay, so without glitches; without wires and clock tree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Energy {
    /// Products computed.
    pub macs: u64,
    /// What the gates took.
    pub gates: GateEnergy,
}

impl Energy {
    /// Dynamic energy of a product in pJ, its share of skew registers and clock pins included.
    pub fn pj_per_mac(&self) -> f64 {
        self.gates.dynamic_pj() / self.macs.max(1) as f64
    }

    /// Of that, the clock pins.
    pub fn clock_pj_per_mac(&self) -> f64 {
        self.gates.clock_pj / self.macs.max(1) as f64
    }
}

impl Row {
    /// Area of the array in µm² for each PE, without the skew registers.
    pub fn area_um2(&self) -> Option<f64> {
        let pes = f64::from(SIDE * SIDE);
        Some((self.array.area_um2? - self.array.skew_area_um2.unwrap_or(0.0)) / pes)
    }

    /// Clock period of the array in ns.
    pub fn period_ns(&self) -> Option<f64> {
        self.array.worst_path.as_ref()?.period_ns
    }

    /// Products a second and mm², in 10^9: a PE's at the array's period over its area.
    pub fn gmacs_per_mm2(&self) -> Option<f64> {
        Some(1e6 / (self.period_ns()? * self.area_um2()?))
    }

    /// Leakage at the array's period in pJ a product.
    pub fn leakage_pj_per_mac(&self) -> Option<f64> {
        let leakage_nw = self.energy.first()?.gates.leakage_nw;
        Some(leakage_nw * self.period_ns()? * 1e-6 / f64::from(SIDE * SIDE))
    }
}

/// The formats whose operands differ from those of the ones before.
pub fn formats() -> Vec<Format> {
    let mut seen = Vec::new();
    let mut formats = Vec::new();
    for format in Format::ALL {
        let operands = (format.weight(), format.act(), format.pe_kind());
        if !seen.contains(&operands) {
            seen.push(operands);
            formats.push(format);
        }
    }
    formats
}

/// `base` with this format alone and an array of [`SIDE`] × [`SIDE`].
///
/// # Errors
/// If it is not weight-stationary.
pub fn config(base: &Config, format: Format) -> Result<Config, Error> {
    if base.array.dataflow != Dataflow::Ws {
        let cure = "leave it at ws: the table is of weight-stationary arrays";
        return Err(Error::Invalid(Problem::new("array.dataflow", base.array.dataflow.name(), "ws", cure)));
    }
    let mut config = base.clone();
    config.pe.kind = format.pe_kind();
    config.pe.formats = vec![format];
    (config.array.rows, config.array.cols, config.array.preload_rows) = (SIDE, SIDE, 1);
    Ok(config)
}

/// The table of one library: a line for each of `work`, a format and the operands on which its energy is measured.
///
/// `base` gives everything but the formats and the size of the array; `options` the library and the period.
///
/// # Errors
/// The first error of a run.
pub fn table(
    base: &Config,
    options: &Options,
    work: &[(Format, Vec<Operands>)],
    at_once: usize,
) -> Result<Vec<Row>, Error> {
    // The plain arrays that others tabulate are flat.
    let options = &Options { propagates: true, ..options.clone() };
    let mut jobs = Vec::new();
    let mut configs = Vec::new();
    for (format, _) in work {
        let config = config(base, *format)?;
        let pe = Job::new(&config, "pe", Design::new(pe::pe(&config)?))?;
        let array = Job::new(&config, "array", Design::new(array::array(&config)?))?;
        jobs.extend([(pe, options.clone()), (array, options.clone())]);
        configs.push(config);
    }
    let path = options.liberty.clone().unwrap_or_default();
    let library = PowerLibrary::load(&path)?;
    let outcomes = run_all(&jobs, at_once, |_, _| {}).into_iter().collect::<Result<Vec<Outcome>, Error>>()?;
    let mut rows = Vec::new();
    for ((pair, config), (format, operands)) in outcomes.chunks_exact(2).zip(&configs).zip(work) {
        let netlist = netlist(&pair[1])?;
        let wrong = |problem: String| Error::Liberty { path: path.clone(), problem };
        let energies = operands.iter().map(|o| energy(config, &netlist, &library, o).map(|(energy, _)| energy));
        rows.push(Row {
            format: *format,
            pe: pair[0].cost.clone(),
            array: pair[1].cost.clone(),
            energy: energies.collect::<Result<_, String>>().map_err(wrong)?,
        });
    }
    Ok(rows)
}

/// The flat netlist of a result for a cell library.
///
/// # Errors
/// [`Error::Io`], [`Error::Output`].
pub fn netlist(outcome: &Outcome) -> Result<Netlist, Error> {
    let path = outcome.folder.join(asic::FLAT);
    let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let wrong = |problem: String| Error::Output { tool: "yosys".to_string(), problem, log: path.clone() };
    Netlist::from_json(&text, &outcome.cost.top).map_err(wrong)
}

/// Runs operands through the netlist of an array: its energy, and the sums `[tiles, tokens, cols]`, columns fastest.
///
/// # Errors
/// A cell that cannot be simulated.
pub fn energy(
    config: &Config,
    netlist: &Netlist,
    library: &PowerLibrary,
    operands: &Operands,
) -> Result<(Energy, Vec<i64>), String> {
    let slew_ns = f64::from(settings(&library.library).period_ps) * 1e-3 * SLEW_SHARE;
    let mut gates = GateSim::new(netlist, library, slew_ns)?;
    let sums = stream::run(config, netlist, &mut gates, operands)?;
    Ok((Energy { macs: operands.macs(), gates: gates.energy() }, sums))
}
