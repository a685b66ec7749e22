//! The points of a sweep, in order.

use serde::{Deserialize, Serialize};
use spec::Config;
use toml::{Table, Value};

use super::axis::Field;
use super::sweep::MOST_POINTS;
use crate::args::numeric::Choice;
use crate::args::set;
use crate::error::Error;

/// What a point's accelerator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Workload {
    /// One token, after so many whose keys and values are there.
    Decode {
        /// Tokens before it.
        context: u32,
    },
    /// A prompt of random tokens (those of `systole simulate --prompt-tokens`), and so many generated ones.
    Prompt {
        /// Tokens of the prompt.
        prompt: u32,
        /// Tokens that are generated.
        tokens: u32,
    },
}

impl Workload {
    /// Tokens that energy and time are divided by: those of prompt and answer.
    pub fn tokens(self) -> u32 {
        match self {
            Self::Decode { .. } => 1,
            Self::Prompt { prompt, tokens } => prompt + tokens,
        }
    }

    /// For people.
    pub fn name(self) -> String {
        match self {
            Self::Decode { context } => format!("a token after {context}"),
            Self::Prompt { prompt, tokens } => format!("{prompt} of prompt, {tokens} generated"),
        }
    }
}

/// One point of a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Place in the sweep.
    pub index: usize,
    /// Place of its model in the sweep's list.
    pub model: usize,
    /// Place of its number format in the sweep's list.
    pub format: usize,
    /// Place of its technology in the sweep's list.
    pub technology: usize,
    /// Cycles from a request to the memory's first beat.
    pub mem_latency: u32,
    /// What it does.
    pub work: Workload,
    /// Values of the fields that vary, in the order of [`Points::fields`].
    pub values: Vec<String>,
}

/// A sweep's axes. The last field varies fastest; then work, memory, technologies, formats, models.
#[derive(Debug)]
pub struct Points {
    base: Table,
    models: usize,
    /// Number formats.
    pub formats: Vec<Choice>,
    /// Technologies: names or files.
    pub technologies: Vec<String>,
    latencies: Vec<u32>,
    /// What is done.
    pub works: Vec<Workload>,
    axes: Vec<Field>,
    len: usize,
}

impl Points {
    /// Points of these axes over a configuration's text.
    ///
    /// # Errors
    /// For too many points.
    pub fn new(
        base: &str,
        models: usize,
        formats: Vec<Choice>,
        technologies: Vec<String>,
        latencies: Vec<u32>,
        works: Vec<Workload>,
        axes: Vec<Field>,
    ) -> Result<Self, Error> {
        let sizes = [models, formats.len(), technologies.len(), latencies.len(), works.len()];
        let sizes = sizes.into_iter().chain(axes.iter().map(|axis| axis.values.len()));
        let len = sizes.fold(1_usize, usize::saturating_mul);
        if len > MOST_POINTS {
            let value = if len == usize::MAX { "more than can be counted".into() } else { len.to_string() };
            return Err(Error::input("points", value, &format!("1..={MOST_POINTS}"), "vary less, or in larger steps"));
        }
        let base = toml::from_str(base).map_err(|e| Error::Input(e.to_string()))?;
        Ok(Self { base, models, formats, technologies, latencies, works, axes, len })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Names of the fields that vary.
    pub fn fields(&self) -> Vec<&str> {
        self.axes.iter().flat_map(|axis| axis.names.iter().map(String::as_str)).collect()
    }

    /// Point `index`.
    pub fn point(&self, index: usize) -> Point {
        let mut rest = index;
        let mut digit = |count: usize| {
            let found = rest % count;
            rest /= count;
            found
        };
        let mut places: Vec<usize> = self.axes.iter().rev().map(|axis| digit(axis.values.len())).collect();
        places.reverse();
        let values = self.axes.iter().zip(places).flat_map(|(axis, place)| axis.values[place].clone()).collect();
        Point {
            index,
            work: self.works[digit(self.works.len())],
            mem_latency: self.latencies[digit(self.latencies.len())],
            technology: digit(self.technologies.len()),
            format: digit(self.formats.len()),
            model: digit(self.models),
            values,
        }
    }

    /// The hardware of a point; formats that it lacks are to be added by who runs a model.
    ///
    /// # Errors
    /// What is wrong with it: such a point is left out of the sweep.
    pub fn config(&self, point: &Point) -> Result<Config, Error> {
        let mut table = self.base.clone();
        for (field, text) in self.fields().iter().zip(&point.values) {
            let (section, name) = field.split_once('.').unwrap_or(("", field));
            if let Some(Value::Table(section)) = table.get_mut(section) {
                section.insert(name.to_string(), set::parse(text, false));
            }
        }
        Ok(Config::from_toml(&table.to_string())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spec::Format;

    fn points() -> Points {
        let field = |name: &str, values: &[&str]| {
            let list = Value::Array(values.iter().map(|v| set::parse(v, false)).collect());
            Field::new(name, &list).unwrap()
        };
        let axes = vec![field("array.rows", &["4", "8"]), field("array.cols", &["4", "8", "12"])];
        let formats = vec![Choice::Even(Format::W8a8), Choice::Even(Format::W4a8)];
        let works = vec![Workload::Decode { context: 0 }, Workload::Decode { context: 9 }];
        let base = hdl::presets::preset("small").unwrap();
        Points::new(base, 1, formats, vec!["nangate45".into()], vec![30], works, axes).unwrap()
    }

    #[test]
    fn every_combination_comes_once_and_in_order() {
        let points = points();
        assert_eq!(points.len(), 2 * 2 * 2 * 3);
        let all: Vec<Point> = (0..points.len()).map(|i| points.point(i)).collect();
        assert_eq!((all[11].format, all[12].format), (0, 1));
        assert_eq!((all[5].work, all[6].work), (Workload::Decode { context: 0 }, Workload::Decode { context: 9 }));
        assert_eq!(
            (points.fields(), &all[1].values[..]),
            (vec!["array.rows", "array.cols"], ["4", "8"].map(String::from).as_slice())
        );
        let mut seen: Vec<String> = all.iter().map(|p| format!("{} {:?} {:?}", p.format, p.work, p.values)).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), all.len());
        let config = points.config(&all[23]).unwrap();
        assert_eq!((config.array.rows, config.array.cols), (8, 12));
    }
}
