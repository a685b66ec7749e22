//! What a sweep found: points with their figures, those that no other beats, and how it is shown.

mod figures;
mod page;
mod text;

use serde::{Deserialize, Serialize};

pub use page::write_explored;

/// A sweep and its points.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explored {
    /// Title.
    pub title: String,
    /// Where it comes from, in order: command, version.
    pub origin: Vec<(String, String)>,
    /// What a reader must know.
    pub remarks: Vec<String>,
    /// Names of the fields that vary.
    pub fields: Vec<String>,
    /// Models in formats.
    pub models: Vec<ModelFormat>,
    /// Every point of the sweep, in order.
    pub points: Vec<Point>,
}

/// A model in a number format.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFormat {
    /// Model as it was named.
    pub model: String,
    /// Number format.
    pub format: String,
    /// Recipe that it was quantized by.
    pub recipe: String,
    /// Perplexity in integers.
    pub perplexity: Option<f64>,
    /// That of the checkpoint in FP32.
    pub perplexity_fp32: Option<f64>,
    /// What both were taken over.
    pub over: String,
    /// Why there is no such model, if there is none.
    pub reason: Option<String>,
}

/// A point of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Place in the sweep.
    pub index: usize,
    /// Model as it was named.
    pub model: String,
    /// Number format.
    pub format: String,
    /// Technology of area, frequency and energy.
    pub technology: String,
    /// Cycles from a request to the memory's first beat.
    pub mem_latency: u32,
    /// What the accelerator does, in words.
    pub work: String,
    /// Values of the fields that vary.
    pub values: Vec<String>,
    /// What was found.
    pub found: Option<Found>,
    /// Why nothing was.
    pub reason: Option<String>,
    /// Whether no other point with the same technology, memory and work is at least as good in area, time, energy and
    /// perplexity, and better in one.
    pub is_front: bool,
}

/// Figures of a point.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// Hash of the configuration.
    pub config_hash: String,
    /// Cycles of the work.
    pub cycles: u64,
    /// Its fewest cycles.
    pub roofline_cycles: u64,
    /// Area of logic and memories in mm².
    pub area_mm2: f64,
    /// Clock in MHz.
    pub freq_mhz: f64,
    /// Time of a token in µs.
    pub latency_us: f64,
    /// Energy of a token in µJ, DRAM included.
    pub energy_uj: f64,
    /// Power with every multiplier busy, in mW, without DRAM.
    pub power_mw: f64,
    /// Perplexity of the model in its format.
    pub perplexity: Option<f64>,
}

impl Found {
    /// What the front compares; smaller is better. A perplexity that is not known is the worst.
    pub fn compared(&self) -> [f64; 4] {
        [self.area_mm2, self.latency_us, self.energy_uj, self.perplexity.unwrap_or(f64::INFINITY)]
    }

    /// Area times time times energy: the order of points that no other beats.
    pub fn product(&self) -> f64 {
        self.area_mm2 * self.latency_us * self.energy_uj
    }
}

impl Point {
    /// Technology, memory and work: points are compared where these are equal.
    pub fn setting(&self) -> String {
        let technology = std::path::Path::new(&self.technology)
            .file_stem()
            .map_or_else(|| self.technology.clone(), |stem| stem.to_string_lossy().into_owned());
        format!("{technology}, memory latency {} cycles, {}", self.mem_latency, self.work)
    }
}

impl Explored {
    /// The points of each setting, in the order in which they come first.
    pub fn settings(&self) -> Vec<(String, Vec<&Point>)> {
        let mut settings: Vec<(String, Vec<&Point>)> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for point in &self.points {
            let key = (&point.technology, point.mem_latency, &point.work);
            let place = *places.entry(key).or_insert_with(|| {
                settings.push((point.setting(), Vec::new()));
                settings.len() - 1
            });
            settings[place].1.push(point);
        }
        settings
    }

    /// The front of some points, best product of area, time and energy first; then by place in the sweep.
    pub fn front<'a>(points: &[&'a Point]) -> Vec<&'a Point> {
        let mut front: Vec<(&Found, &Point)> =
            points.iter().filter(|p| p.is_front).filter_map(|p| Some((p.found.as_ref()?, *p))).collect();
        front.sort_by(|a, b| a.0.product().total_cmp(&b.0.product()).then(a.1.index.cmp(&b.1.index)));
        front.into_iter().map(|(_, point)| point).collect()
    }
}

#[cfg(test)]
mod tests;
