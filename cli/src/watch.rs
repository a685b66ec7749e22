//! What a simulation is watched for beside its results: activity, SAIF, energy.

use std::path::PathBuf;

use hdl::rtl::Design;
use sim::activity::Recorder;
use sim::step::Stepper;
use sim::step::saif::Saif;
use spec::activity::Activity;
use spec::energy::{Energy, Named, Split, shares};
use spec::profile::Profile;
use synth::energy::{Choice, Memories, Technology, attribute, census, energy};

use crate::error::Error;
use crate::report::{Report, Table, grouped};

/// Units of the table; the others are one row.
const MOST_UNITS: usize = 12;
/// Picoseconds of a cycle in SAIF files where no clock is given.
const PERIOD_PS: u64 = 1000;

/// What to watch.
#[derive(clap::Args, Clone, Default)]
pub struct WatchArgs {
    /// Write what moved, unit by unit, as JSON: toggles of registers and ports, accesses of memories, bytes of DRAM
    #[arg(long, value_name = "FILE")]
    activity: Option<PathBuf>,
    /// Write the switching activity of every bit of registers and ports (SAIF 2.0, backward)
    #[arg(long, value_name = "FILE")]
    saif: Option<PathBuf>,
    /// Energy in this technology: generic45, nangate45, sky130, asap7, osu018, a file like those, or one of `systole
    /// fit`, which serves estimates too
    #[arg(long, value_name = "NAME|FILE")]
    technology: Option<String>,
    /// Kind of DRAM: ddr4, lpddr4, lpddr5, hbm2, gddr5
    #[arg(long, value_name = "NAME", default_value = "lpddr4", requires = "technology")]
    dram: String,
    /// Clock in MHz; the technology's own without
    #[arg(long, value_name = "MHZ")]
    freq_mhz: Option<f64>,
    /// Activity and power in windows of so many cycles
    #[arg(long, value_name = "CYCLES", default_value = "0")]
    window: u64,
}

impl WatchArgs {
    /// With a technology, and windows, where none were given.
    pub fn with(&self, technology: &str, window: u64) -> Self {
        let mut with = self.clone();
        with.technology.get_or_insert_with(|| technology.into());
        if with.window == 0 {
            with.window = window;
        }
        with
    }
}

/// A simulation being watched.
pub struct Watch<'a> {
    args: &'a WatchArgs,
    technology: Option<Technology>,
    recorder: Option<Recorder>,
    saif: Option<Saif>,
    activity: Option<Activity>,
}

/// The technology of that name, or of a file whose name ends in `.toml`.
///
/// # Errors
/// For a name that is not known, or a file that cannot be used.
pub fn technology(name: &str) -> Result<Technology, Error> {
    Technology::load(name).map_err(|e| Error::Input(e.to_string()))
}

impl<'a> Watch<'a> {
    /// Prepares to watch.
    ///
    /// # Errors
    /// For a technology, DRAM or clock that cannot be used.
    pub fn new(args: &'a WatchArgs) -> Result<Self, Error> {
        let bad = |e: synth::Error| Error::Input(e.to_string());
        let technology = args.technology.as_deref().map(technology).transpose()?;
        if technology.is_some() {
            Memories::load().dram(&args.dram).map_err(bad)?;
        }
        if let Some(mhz) = args.freq_mhz.filter(|mhz| !(1e-3..=1e5).contains(mhz)) {
            return Err(Error::input("--freq-mhz", mhz, "0.001..=100000", "give a clock in MHz"));
        }
        Ok(Self { args, technology, recorder: None, saif: None, activity: None })
    }

    /// Whether there is anything to watch.
    pub fn is_wanted(&self) -> bool {
        self.args.activity.is_some() || self.args.saif.is_some() || self.technology.is_some()
    }

    /// Begins with the next cycle.
    ///
    /// # Errors
    /// Those of [`Recorder::start`].
    pub fn start(&mut self, stepper: &mut Stepper) -> Result<(), sim::Error> {
        if self.args.activity.is_some() || self.technology.is_some() {
            self.recorder = Some(Recorder::start(stepper, self.args.window)?);
        }
        self.saif = self.args.saif.is_some().then(|| Saif::new(stepper));
        Ok(())
    }

    /// A cycle, just before its clock edge, and the section of the program that has it.
    pub fn see(&mut self, stepper: &Stepper, section: Option<u32>) {
        if let Some(recorder) = &mut self.recorder {
            recorder.see(stepper, section);
        }
        if let Some(saif) = &mut self.saif {
            saif.sample(stepper);
        }
    }

    /// The last clock edge has come.
    pub fn end(&mut self, stepper: &mut Stepper) {
        self.activity = self.recorder.take().map(|recorder| recorder.finish(stepper, ""));
    }

    /// Writes the files and tells the energy, if it was wanted.
    ///
    /// # Errors
    /// For a file that cannot be written.
    pub fn tell(
        self,
        design: &Design,
        config_hash: &str,
        profile: Option<&Profile>,
        report: &mut Report,
    ) -> Result<Option<Energy>, Error> {
        if let (Some(path), Some(saif)) = (&self.args.saif, &self.saif) {
            let period_ps = self.args.freq_mhz.map_or(PERIOD_PS, |mhz| (1e6 / mhz).round().max(1.0) as u64);
            tool::write_atomic_with(path, |file| saif.write(file, period_ps).map_err(std::io::Error::other))?;
        }
        let Some(mut activity) = self.activity else { return Ok(None) };
        activity.config_hash = config_hash.into();
        if let Some(path) = &self.args.activity {
            let text = serde_json::to_string(&activity).map_err(|e| Error::Input(e.to_string()))?;
            tool::write_atomic(path, format!("{text}\n").as_bytes())?;
        }
        let Some(technology) = &self.technology else { return Ok(None) };
        let choice = Choice { dram: self.args.dram.clone(), freq_mhz: self.args.freq_mhz };
        let wrong = |e: synth::Error| Error::Input(e.to_string());
        let mut found = energy(&activity, technology, &census(design), &choice).map_err(wrong)?;
        if let Some(profile) = profile {
            attribute(&mut found, profile);
        }
        let json = serde_json::to_value(&found).map_err(|e| Error::Input(e.to_string()))?;
        report.add("energy", json, &text(&found, technology));
        Ok(Some(found))
    }
}

/// Energy with a unit that suits it.
fn amount(pj: f64) -> String {
    match pj {
        p if p >= 1e9 => format!("{:.3} mJ", p / 1e9),
        p if p >= 1e6 => format!("{:.3} uJ", p / 1e6),
        p if p >= 1e3 => format!("{:.3} nJ", p / 1e3),
        p => format!("{p:.3} pJ"),
    }
}

fn table(head: &'static str, rows: &[(String, f64)]) -> String {
    let mut table = Table::new(&[head, "energy", "share %"]);
    let values: Vec<f64> = rows.iter().map(|(_, pj)| *pj).collect();
    for ((name, pj), share) in rows.iter().zip(shares(&values)) {
        table.row([name.clone(), amount(*pj), format!("{share:.1}")]);
    }
    table.render()
}

/// Units by the first two instances of their paths, the largest first.
fn units(energy: &Energy) -> Vec<(String, f64)> {
    let mut groups: Vec<(String, f64)> = Vec::new();
    for unit in &energy.units {
        let name = match unit.name.as_str() {
            "" => "top itself".to_string(),
            path => path.split('.').take(2).collect::<Vec<_>>().join("."),
        };
        let pj = unit.energy.total_pj();
        match groups.iter_mut().find(|(n, _)| *n == name) {
            Some((_, sum)) => *sum += pj,
            None => groups.push((name, pj)),
        }
    }
    groups.sort_by(|a, b| b.1.total_cmp(&a.1));
    if groups.len() > MOST_UNITS {
        let rest: f64 = groups.split_off(MOST_UNITS - 1).iter().map(|(_, pj)| pj).sum();
        groups.push(("others".into(), rest));
    }
    groups
}

fn text(energy: &Energy, technology: &Technology) -> String {
    let named = |list: &[Named]| list.iter().map(|n| (n.name.clone(), n.energy.total_pj())).collect::<Vec<_>>();
    let kinds = |split: &Split| split.parts().map(|(name, pj)| (name.to_string(), pj)).to_vec();
    let mut parts = vec![
        format!(
            "Energy in {} with {} at {} MHz: {} in {} cycles, {:.3} mW",
            technology.title,
            energy.dram,
            energy.freq_mhz,
            amount(energy.total.total_pj()),
            grouped(energy.cycles),
            energy.power_mw
        ),
        table("kind", &kinds(&energy.total)),
        table("unit", &units(energy)),
    ];
    for (head, list) in [("operator", &energy.operators), ("layer", &energy.layers), ("token", &energy.tokens)] {
        if !list.is_empty() {
            parts.push(table(head, &named(list)));
        }
    }
    parts.push(energy.remarks.iter().map(|r| format!("- {r}")).collect::<Vec<_>>().join("\n"));
    parts.join("\n\n")
}
