//! What quantization costs, for people and for scripts.

use golden::quantize::{Clipped, Measured, Windows};
use serde_json::{Map, Value, json};
use spec::model::{QLayer, QModel};

use crate::report::{Report, Table, grouped};

/// Layers a table shows; of more, those with the most error.
const TABLE_LAYERS: usize = 64;

/// A model in integers and what was measured of it.
pub struct Evaluated {
    /// The model.
    pub quantized: QModel,
    /// Over the windows.
    pub measured: Measured,
}

impl Evaluated {
    /// Bytes of all linear layers, packed.
    fn bytes(&self) -> usize {
        self.quantized.linears().map(QLayer::packed_bytes).sum()
    }

    fn bytes_per_weight(&self) -> f64 {
        let weights: usize = self.quantized.linears().map(|layer| layer.linear.weight.data.len()).sum();
        self.bytes() as f64 / weights as f64
    }

    fn delta_percent(&self) -> Option<f64> {
        let against = self.measured.against.as_ref()?;
        Some((self.measured.integer.ppl / against.float.ppl - 1.0) * 100.0)
    }

    /// What does not depend on the windows' source.
    fn json(&self) -> Map<String, Value> {
        let (q, m) = (&self.quantized, &self.measured);
        let against = m.against.as_ref();
        let layers = self.quantized.linears().enumerate().map(|(i, layer)| {
            let (error, inputs) = (against.and_then(|a| a.layers.get(i)), m.inputs.get(i));
            json!({
                "name": layer.linear.name,
                "format": layer.linear.format.name(),
                "scaling": layer.scaling.name(),
                "bytes": layer.packed_bytes(),
                "sqnr_db": error.map(|e| e.sqnr_db),
                "worst_channel": error.map(|e| e.worst),
                "worst_channel_db": error.map(|e| e.worst_db),
                "inputs_clipped": inputs.map(|i| i.count),
                "inputs": inputs.map(|i| i.all),
            })
        });
        let value = json!({
            "format": q.options.format,
            "recipe": q.options.recipe,
            "tokens": m.integer.tokens,
            "ppl_fp32": against.map(|a| a.float.ppl),
            "ppl": m.integer.ppl,
            "delta_percent": self.delta_percent(),
            "nll": m.integer.nll,
            "top1_percent": against.map(|a| a.top1 * 100.0),
            "kl": against.map(|a| a.kl),
            "entropy": m.entropy,
            "entropy_fp32": against.map(|a| a.entropy),
            "saturated": {
                "count": m.saturated.count(),
                "of": m.saturated.all,
                "keys": m.saturated.blocks.iter().map(|block| block[0]).collect::<Vec<u64>>(),
                "values": m.saturated.blocks.iter().map(|block| block[1]).collect::<Vec<u64>>(),
            },
            "bytes": self.bytes(),
            "bytes_per_weight": self.bytes_per_weight(),
            "layers": layers.collect::<Vec<Value>>(),
        });
        let Value::Object(object) = value else { unreachable!("an object was written") };
        object
    }
}

/// The report of one format.
pub fn report(model: &str, windows: &Windows, found: &Evaluated) -> Report {
    let (q, m) = (&found.quantized, &found.measured);
    let brief = format!("{:.4}", m.integer.ppl);
    let mut text = format!("perplexity {brief} ({}, recipe {})", q.options.format, q.options.recipe);
    if let (Some(against), Some(delta)) = (&m.against, found.delta_percent()) {
        text += &format!(
            " against {:.4} (FP32): {delta:+.3} %\nmost likely token as in FP32 at {:.2} % of positions, divergence \
             {:.5} nats",
            against.float.ppl,
            against.top1 * 100.0,
            against.kl
        );
        text += &format!("\nentropy of the predictions {:.4} nats, FP32 {:.4}", m.entropy, against.entropy);
    } else {
        text += &format!(", entropy of the predictions {:.4} nats", m.entropy);
    }
    text += &format!(
        "\n{} tokens predicted in {} windows of {}",
        grouped(m.integer.tokens as u64),
        windows.ids.len(),
        windows.source
    );
    text += &format!(
        "\nkeys and values that were too large for their code: {} of {}",
        grouped(m.saturated.count()),
        grouped(m.saturated.all)
    );
    let inputs = |count: &dyn Fn(&Clipped) -> u64| grouped(m.inputs.iter().map(count).sum());
    text += &format!(
        "\ninputs of linear layers that the edge of their format clipped: {} of {}",
        inputs(&|i| i.count),
        inputs(&|i| i.all)
    );
    text += &format!(
        "\nlinear layers of {} bytes, {:.3} a weight\n\n{}",
        grouped(found.bytes() as u64),
        found.bytes_per_weight(),
        layers(found)
    );
    let mut json = json!({"model": model, "windows": windows.ids.len()});
    if let Value::Object(object) = &mut json {
        object.extend(found.json());
    }
    Report { brief, ..Report::done(text, json) }
}

/// The table of layers.
fn layers(found: &Evaluated) -> String {
    let Some(against) = &found.measured.against else {
        return "give --reference CHECKPOINT to see what quantization cost, and the error of each layer".into();
    };
    let mut table = Table::new(&["layer", "format", "scaling", "SQNR dB", "worst channel", "its dB", "clipped %"]);
    let inputs = &found.measured.inputs;
    let mut rows: Vec<_> = found.quantized.linears().zip(&against.layers).zip(inputs).collect();
    let all = rows.len();
    if all > TABLE_LAYERS {
        rows.sort_by(|a, b| a.0.1.sqnr_db.total_cmp(&b.0.1.sqnr_db));
        rows.truncate(TABLE_LAYERS);
    }
    for ((layer, error), inputs) in &rows {
        table.row([
            error.name.clone(),
            layer.linear.format.name().to_string(),
            layer.scaling.name().to_string(),
            format!("{:.1}", error.sqnr_db),
            error.worst.to_string(),
            format!("{:.1}", error.worst_db),
            format!("{:.3}", inputs.count as f64 * 100.0 / inputs.all.max(1) as f64),
        ]);
    }
    let rest = if all > rows.len() {
        format!("\nof {all} layers those with the most error; --json has all",)
    } else {
        String::new()
    };
    table.render() + &rest
}

/// The report of several formats.
pub fn compare(model: &str, windows: &Windows, all: &[Evaluated]) -> Report {
    let float = all.iter().find_map(|found| found.measured.against.as_ref()).map(|against| against.float);
    let mut table = Table::new(&["format", "ppl", "delta %", "top-1 %", "divergence", "bytes", "bytes a weight"]);
    for found in all {
        let against = found.measured.against.as_ref();
        let cell = |value: Option<f64>, places: usize| value.map_or("-".into(), |v| format!("{v:.places$}"));
        table.row([
            found.quantized.options.format.clone(),
            cell(Some(found.measured.integer.ppl), 4),
            found.delta_percent().map_or("-".into(), |delta| format!("{delta:+.3}")),
            cell(against.map(|a| a.top1 * 100.0), 2),
            cell(against.map(|a| a.kl), 5),
            grouped(found.bytes() as u64),
            format!("{:.3}", found.bytes_per_weight()),
        ]);
    }
    let tokens = float.map_or(0, |float| float.tokens);
    let options = all.iter().map(|found| &found.quantized.options);
    let recipes: Vec<String> = options.map(|o| format!("{}: recipe {}\n", o.format, o.recipe)).collect();
    let text = format!(
        "{}\n\n{}\nFP32 {:.4}; {} tokens predicted in {} windows of {}",
        table.render(),
        recipes.concat(),
        float.map_or(f64::NAN, |float| float.ppl),
        grouped(tokens as u64),
        windows.ids.len(),
        windows.source
    );
    let json = json!({
        "model": model,
        "windows": windows.ids.len(),
        "tokens": tokens,
        "ppl_fp32": float.map(|float| float.ppl),
        "formats": all.iter().map(|found| Value::Object(found.json())).collect::<Vec<Value>>(),
    });
    Report::done(text, json)
}
