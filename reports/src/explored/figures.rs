//! The plots of a sweep.

use super::{Explored, Found, Point};
use crate::chart::{Axes, Axis, Chart, Figure, Mark, Series};

/// Settings that are drawn; the data of all are in the tables.
const MOST_SETTINGS: usize = 4;

/// A figure of a point: name of files, label of its axis, whether its axis is logarithmic.
#[derive(Clone, Copy)]
struct Quantity {
    name: &'static str,
    label: &'static str,
    log: bool,
    of: fn(&Found) -> Option<f64>,
}

const AREA: Quantity =
    Quantity { name: "area", label: "area of logic and memories, mm²", log: true, of: |f| Some(f.area_mm2) };
const TIME: Quantity = Quantity { name: "time", label: "time of a token, µs", log: true, of: |f| Some(f.latency_us) };
const ENERGY: Quantity =
    Quantity { name: "energy", label: "energy of a token with DRAM, µJ", log: true, of: |f| Some(f.energy_uj) };
const PERPLEXITY: Quantity = Quantity { name: "perplexity", label: "perplexity", log: false, of: |f| f.perplexity };

impl Explored {
    /// All plots, in the order of the page.
    pub fn figures(&self) -> Vec<Figure> {
        let settings = self.settings();
        let is_single = settings.len() == 1;
        let mut figures = Vec::new();
        for (number, (setting, points)) in settings.iter().take(MOST_SETTINGS).enumerate() {
            for (x, y) in [(AREA, ENERGY), (AREA, TIME), (ENERGY, PERPLEXITY), (AREA, PERPLEXITY)] {
                let suffix = if is_single { String::new() } else { format!("-{}", number + 1) };
                figures.extend(self.plot(setting, points, (x, y), &suffix));
            }
        }
        figures
    }

    /// The points of a setting over two figures, by format; nothing where no point has both.
    fn plot(&self, setting: &str, points: &[&Point], (x, y): (Quantity, Quantity), suffix: &str) -> Option<Figure> {
        let place = |point: &Point| {
            let found = point.found.as_ref()?;
            Some(((x.of)(found)?, (y.of)(found)?))
        };
        let others = points.iter().filter(|p| !p.is_front).filter_map(|p| place(p));
        let others: Vec<(f64, f64, String)> = others.map(|(x, y)| (x, y, String::new())).collect();
        let front = Self::front(points);
        // Labels for the points that no other beats in these two figures, with the fields in which they differ.
        let places: Vec<(f64, f64)> = front.iter().filter_map(|p| place(p)).collect();
        let is_edge = |p: &Point| {
            place(p)
                .is_some_and(|(px, py)| !places.iter().any(|&(ox, oy)| ox <= px && oy <= py && (ox < px || oy < py)))
        };
        let edge: Vec<&Point> = front.iter().copied().filter(|p| is_edge(p)).collect();
        let differs = |field: &usize| edge.iter().any(|p| p.values.get(*field) != edge[0].values.get(*field));
        let told: Vec<usize> = (0..self.fields.len()).filter(differs).collect();
        let has_models = points.iter().any(|p| p.model != points[0].model);
        let name =
            |p: &Point| if has_models { format!("{} {}", short_model(&p.model), p.format) } else { p.format.clone() };
        let mut series = Vec::new();
        if !others.is_empty() {
            series.push(Series { name: "beaten by others".into(), points: others, mark: Mark::Cloud });
        }
        let mut names: Vec<String> = Vec::new();
        for point in points {
            let wanted = name(point);
            if names.contains(&wanted) {
                continue;
            }
            let of = |p: &&Point| {
                let (x, y) = place(p)?;
                let values = || told.iter().filter_map(|&field| p.values.get(field)).map(|v| v.trim_matches('"'));
                let label = if is_edge(p) { values().collect::<Vec<_>>().join("/") } else { String::new() };
                Some((x, y, label))
            };
            let points: Vec<_> = front.iter().filter(|p| name(p) == wanted).filter_map(of).collect();
            if !points.is_empty() {
                series.push(Series { name: wanted.clone(), points, mark: Mark::Dots });
            }
            names.push(wanted);
        }
        if series.is_empty() {
            return None;
        }
        let axis = |q: Quantity| Axis { label: q.label.into(), log: q.log };
        let told: Vec<&str> = told.iter().map(|&field| self.fields[field].as_str()).collect();
        let labels = if told.is_empty() { String::new() } else { format!(" Labels: {}.", told.join(" / ")) };
        Some(Figure {
            name: format!("{}-{}{suffix}", x.name, y.name),
            title: format!("{} against {}: {setting}", capital(y.name), x.name),
            caption: format!(
                "Large dots: no other point is at least as good in area, time, energy and perplexity and better in one. \
                 Small grey dots: the others.{labels}"
            ),
            chart: Chart::Axes(Axes { x: axis(x), y: axis(y), series }),
        })
    }
}

fn capital(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}

fn short_model(model: &str) -> &str {
    std::path::Path::new(model).file_name().and_then(|name| name.to_str()).unwrap_or(model)
}
