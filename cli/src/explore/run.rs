//! Runs a sweep: model by model and format by format, points on all threads, each noted in the journal when it is done.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rayon::ThreadPool;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use synth::estimate::Estimator;

use super::bench::Bench;
use super::journal::{Entry, Journal};
use super::models::Opened;
use super::points::Point;
use super::sweep::Sweep;
use crate::error::Error;
use crate::output::Output;

/// Name of the journal in the folder of a sweep.
const JOURNAL: &str = "journal.jsonl";

/// Measures every point that the journal in `folder` does not have, and gives the journal.
///
/// # Errors
/// For a technology or text that cannot be used, and a journal that cannot be written. Points and models that cannot be
/// measured are no errors.
pub fn run(sweep: &Sweep, folder: &Path, pool: &ThreadPool, output: &Output) -> Result<Journal, Error> {
    let failed = |e| Error::Input(format!("{}: cannot make this folder: {e}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let estimators: Vec<Estimator> =
        sweep.points.technologies.iter().map(|name| Estimator::new(name)).collect::<Result<_, _>>()?;
    let hash: String = Sha256::digest(&sweep.identity)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let path = folder.join(JOURNAL);
    let journal = Journal::open(&path, &hash)?;
    let count = sweep.points.len();
    if let Some((&last, _)) = journal.points.last_key_value().filter(|(last, _)| **last >= count) {
        return Err(Error::input("journal", format!("point {last}"), &format!("0..{count}"), "give another folder"));
    }
    if !journal.points.is_empty() {
        output.remark(&format!("{} of {count} points are in {} already", journal.points.len(), path.display()));
    }
    let bar = output.run_bar(count as u64);
    bar.set_position(journal.points.len() as u64);
    bar.reset_eta();
    let journal = Mutex::new(journal);
    let formats = sweep.points.formats.len();
    let together = count / (sweep.models.len() * formats);
    for (place, source) in sweep.models.iter().enumerate() {
        let mut opened = None;
        for (number, &format) in sweep.points.formats.iter().enumerate() {
            let first = (place * formats + number) * together;
            let (missing, is_judged) = {
                let journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
                let missing: Vec<Point> = (first..first + together)
                    .filter(|index| !journal.points.contains_key(index))
                    .map(|index| sweep.points.point(index))
                    .collect();
                (missing, journal.models.contains_key(&(place, number)))
            };
            if missing.is_empty() && is_judged {
                continue;
            }
            bar.set_message(format!("{source} in {}", format.name()));
            let note = |entry: Entry| journal.lock().unwrap_or_else(PoisonError::into_inner).add(entry);
            // A model that cannot be used is known by its first format, and tried once only.
            let ready = opened.get_or_insert_with(|| pool.install(|| Opened::new(sweep, source, output)));
            let quantized = match ready {
                Ok(opened) => pool.install(|| opened.integers(format, output)).map(|q| (&*opened, q)),
                Err(error) => Err(Error::Input(error.to_string())),
            };
            let (opened, q) = match quantized {
                Ok(both) => both,
                Err(error) => {
                    for point in &missing {
                        note(Entry::Point(point.index, Err(error.to_string())))?;
                        bar.inc(1);
                    }
                    note(Entry::Model(place, number, Err(error.to_string())))?;
                    continue;
                }
            };
            if !is_judged {
                let judged = pool.install(|| opened.judged(&q)).map_err(|e| e.to_string());
                note(Entry::Model(place, number, judged))?;
            }
            let found: HashMap<_, _> = sweep
                .points
                .works
                .iter()
                .map(|&work| (work, opened.found(&q, work).map_err(|e| e.to_string())))
                .collect();
            let bench = Bench::new(&sweep.points, &estimators, opened, &q, &found);
            let measure = |point: &Point| -> Result<(), Error> {
                let values = bench.measure(point).map_err(|e| e.to_string());
                note(Entry::Point(point.index, values))?;
                bar.inc(1);
                Ok(())
            };
            pool.install(|| missing.par_iter().try_for_each(measure))?;
        }
    }
    bar.finish_and_clear();
    let journal = journal.into_inner().unwrap_or_else(PoisonError::into_inner);
    // In order, so that nothing tells how often it ran and on how many threads.
    report::write_file(&path, &journal.sorted()).map_err(|e| Error::Input(e.to_string()))?;
    Ok(journal)
}
