//! Every kind of PE in every format in one library: area and delay of a PE and of a small array.

use hdl::rtl::Design;
use hdl::unit::{array, pe};
use spec::cost::Cost;
use spec::{Config, Format};

use crate::error::Error;
use crate::job::{Job, Options, Outcome, run_all};

/// Rows and columns of the array in the table.
pub const SIDE: u32 = 4;

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// Format, which says the kind of PE.
    pub format: Format,
    /// The PE alone.
    pub pe: Cost,
    /// The array of [`SIDE`] × [`SIDE`] PEs with its skew registers.
    pub array: Cost,
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
}

/// The table of one library: a line for each format whose operands differ from those of the lines before.
///
/// `base` gives everything but the formats and the size of the array; `options` the library and the period.
///
/// # Errors
/// The first error of a run.
pub fn table(base: &Config, options: &Options, at_once: usize) -> Result<Vec<Row>, Error> {
    let mut seen = Vec::new();
    let mut formats = Vec::new();
    for format in Format::ALL {
        let operands = (format.weight(), format.act(), format.pe_kind());
        if !seen.contains(&operands) {
            seen.push(operands);
            formats.push(format);
        }
    }
    let mut jobs = Vec::new();
    for &format in &formats {
        let mut config = base.clone();
        config.pe.kind = format.pe_kind();
        config.pe.formats = vec![format];
        (config.array.rows, config.array.cols, config.array.preload_rows) = (SIDE, SIDE, 1);
        let pe = Job::new(&config, "pe", Design::new(pe::pe(&config)?))?;
        let array = Job::new(&config, "array", Design::new(array::array(&config)?))?;
        jobs.extend([(pe, options.clone()), (array, options.clone())]);
    }
    let costs = run_all(&jobs, at_once, |_, _| {}).into_iter().map(|outcome| outcome.map(|o: Outcome| o.cost));
    let costs = costs.collect::<Result<Vec<Cost>, Error>>()?;
    let pairs = costs.chunks_exact(2).zip(formats);
    Ok(pairs.map(|(pair, format)| Row { format, pe: pair[0].clone(), array: pair[1].clone() }).collect())
}
