//! What a sweep found, as it is shown.

use std::collections::HashMap;

use report::{Explored, Found, ModelFormat, Point};

use super::front::front;
use super::journal::Journal;
use super::sweep::Sweep;

/// Points in order, with the fronts of each technology, memory and work.
pub fn explored(sweep: &Sweep, journal: &Journal, title: &str, command: String) -> Explored {
    let points = &sweep.points;
    let formats: Vec<&str> = points.formats.iter().map(|format| format.name()).collect();
    let perplexity = |place: (usize, usize)| journal.models.get(&place)?.as_ref().ok()?.perplexity;
    let mut settings: HashMap<_, Vec<(usize, [f64; 4])>> = HashMap::new();
    let mut shown: Vec<Point> = (0..points.len())
        .map(|index| {
            let point = points.point(index);
            let values = journal.points.get(&index);
            let found = values.and_then(|values| values.as_ref().ok()).map(|v| Found {
                config_hash: v.config_hash.clone(),
                cycles: v.cycles,
                roofline_cycles: v.roofline_cycles,
                area_mm2: v.area_mm2,
                freq_mhz: v.freq_mhz,
                latency_us: v.latency_us,
                energy_uj: v.energy_uj,
                power_mw: v.power_mw,
                perplexity: perplexity((point.model, point.format)),
            });
            if let Some(found) = &found {
                let setting = (point.technology, point.mem_latency, point.work);
                settings.entry(setting).or_default().push((index, found.compared()));
            }
            Point {
                index,
                model: sweep.models[point.model].clone(),
                format: formats[point.format].to_string(),
                technology: points.technologies[point.technology].clone(),
                mem_latency: point.mem_latency,
                work: point.work.name(),
                values: point.values,
                found,
                reason: values.and_then(|values| values.as_ref().err()).cloned(),
                is_front: false,
            }
        })
        .collect();
    for members in settings.values() {
        let figures: Vec<Vec<f64>> = members.iter().map(|(_, figures)| figures.to_vec()).collect();
        for ((index, _), is_front) in members.iter().zip(front(&figures)) {
            shown[*index].is_front = is_front;
        }
    }
    let models = journal.models.iter().map(|(&(model, format), judged)| {
        let named = ModelFormat {
            model: sweep.models[model].clone(),
            format: formats[format].to_string(),
            ..ModelFormat::default()
        };
        match judged {
            Ok(judged) => ModelFormat {
                recipe: judged.recipe.clone(),
                perplexity: judged.perplexity,
                perplexity_fp32: judged.perplexity_fp32,
                over: judged.over.clone(),
                ..named
            },
            Err(reason) => ModelFormat { reason: Some(reason.clone()), ..named },
        }
    });
    Explored {
        title: title.into(),
        origin: vec![("command".into(), command), ("systole".into(), env!("CARGO_PKG_VERSION").into())],
        remarks: vec![
            "Area, frequency and energy are estimates (systole estimate tells their errors); cycles are the fast \
             simulator's, equal to the hardware's. Time and energy are those of a token, of prompt and answer together."
                .into(),
        ],
        fields: points.fields().iter().map(ToString::to_string).collect(),
        models: models.collect(),
        points: shown,
    }
}
