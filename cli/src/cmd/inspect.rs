//! `systole inspect`: what is inside a QModel file.

use std::collections::BTreeMap;
use std::path::Path;

use golden::layer::{Bytes, Stats};
use golden::load::{ModelConfig, qmodel};
use serde_json::{Value, json};
use spec::model::{QLayer, QModel};
use spec::qmodel::ActMode;
use spec::{Dyadic, Format, Scaling};

use crate::error::Error;
use crate::output::Output;
use crate::report::{Report, Table, grouped};

/// What is inside a QModel file: options, and formats, bytes and ranges of every layer
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  systole inspect fairy.q\n  systole inspect fairy.q --json\n\n\
    B/w      bytes a weight: codes, scales of blocks, alignment factors of channels\n  \
    codes    smallest and largest integer of the codes (e2m1: twice the value, pot4, pot8: 64 times)\n  \
    edge %   codes at the end of the format's range; zero %: codes that are zero\n  \
    spread   largest over smallest step of a channel; channels with step 0 are counted as silent\n  \
    input    sym or asym (with a zero point); H32: rotated by Hadamard transforms of 32")]
pub struct Args {
    /// QModel file
    file: String,
}

/// Runs the command.
///
/// # Errors
/// For a file that is no QModel, is damaged or has another version.
pub fn run(args: &Args, output: &Output) -> Result<Report, Error> {
    let path = Path::new(&args.file);
    if args.file == "fairy" || path.is_dir() {
        let cure = format!("make a file of it: systole quantize {} --format w8a8 -o FILE", args.file);
        return Err(Error::input(&args.file, "a checkpoint", "a QModel file", &cure));
    }
    let progress = output.spinner(&format!("reading {}", args.file));
    let file_bytes = std::fs::metadata(path).map_or(0, |meta| meta.len());
    let model = qmodel::read(path)?;
    let config = ModelConfig::from_json(&model.config_json, &format!("{}: config", args.file))?;
    let layers: Vec<(&QLayer, Stats)> = model.linears().map(|layer| (layer, Stats::of(layer))).collect();
    progress.finish_and_clear();
    let shape = shape(&config);
    let total = layers.iter().fold(Bytes::default(), |sum, (_, stats)| sum + stats.bytes);
    let weights: u64 = layers.iter().map(|(_, stats)| stats.weights).sum();
    let text = [
        format!("{}: QModel, version {}, {} bytes", args.file, qmodel::VERSION, grouped(file_bytes)),
        shape_text(&config),
        options_text(&model),
        layer_table(&layers),
        format_table(&layers),
        format!(
            "{} weights of linear layers in {} bytes, {} a weight:\n\
             codes {} bytes, scales {} bytes, alignment {} bytes\n\
             embedding {} bytes, rotation tables {} bytes, gains and cache factors {} bytes",
            grouped(weights),
            grouped(total.total()),
            ratio(total.total(), weights),
            grouped(total.codes),
            grouped(total.scales),
            grouped(total.alignment),
            grouped(embedding_bytes(&model)),
            grouped(rope_bytes(&model)),
            grouped(factor_bytes(&model)),
        ),
    ]
    .join("\n\n");
    let json = json!({
        "file": args.file,
        "version": qmodel::VERSION,
        "file_bytes": file_bytes,
        "shape": shape,
        "options": model.options,
        "layers": layers.iter().map(|(layer, stats)| layer_json(layer, stats)).collect::<Vec<_>>(),
        "embedding": embedding_json(&model),
        "weights": weights,
        "bytes": bytes_json(total),
        "bytes_per_weight": total.total() as f64 / weights.max(1) as f64,
        "embedding_bytes": embedding_bytes(&model),
        "rope_bytes": rope_bytes(&model),
        "factor_bytes": factor_bytes(&model),
    });
    Ok(Report::done(text, json))
}

fn shape(config: &ModelConfig) -> Value {
    json!({
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "num_key_value_heads": config.num_key_value_heads,
        "head_dim": config.head_dim,
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.max_position_embeddings,
    })
}

fn shape_text(c: &ModelConfig) -> String {
    format!(
        "shape    {} blocks, hidden {}, feed-forward {}, {} heads of {}, {} key-value heads,\n         \
         vocabulary {}, up to {} tokens",
        c.num_hidden_layers,
        c.hidden_size,
        c.intermediate_size,
        c.num_attention_heads,
        c.head_dim,
        c.num_key_value_heads,
        c.vocab_size,
        c.max_position_embeddings
    )
}

fn options_text(model: &QModel) -> String {
    let o = &model.options;
    let gains = model.blocks.iter().flat_map(|b| [&b.attn_norm, &b.ffn_norm]).chain([&model.norm]);
    let (norms, with_gain) = gains.fold((0, 0), |(all, some), n| (all + 1, some + u32::from(!n.gain.is_empty())));
    format!(
        "options  format {}, recipe {},\n         \
         exponential {}, probability of 1 = {}, sigmoid of {} bits,\n         \
         keys and values of {} bits, scale rule {}, {with_gain} of {norms} norms with a gain",
        o.format,
        o.recipe,
        o.exp.name(),
        o.prob_top,
        o.sigmoid_bits,
        o.kv_bits,
        o.scale_rule.name()
    )
}

/// `model.layers.3.mlp.down_proj` as `3.down`.
fn short(name: &str) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    match parts[..] {
        ["model", "layers", block, _, layer] => format!("{block}.{}", layer.trim_end_matches("_proj")),
        _ => name.to_string(),
    }
}

fn layer_table(layers: &[(&QLayer, Stats)]) -> String {
    let mut table = Table::new(&[
        "layer", "n x k", "format", "scaling", "input", "bytes", "B/w", "codes", "edge %", "zero %", "spread",
    ]);
    for (layer, stats) in layers {
        let linear = &layer.linear;
        let mut input = if layer.acts == ActMode::Asymmetric { "asym".to_string() } else { "sym".to_string() };
        if layer.rotation > 1 {
            input.push_str(&format!(" H{}", layer.rotation));
        }
        table.row([
            short(&linear.name),
            format!("{}x{}", linear.weight.rows, linear.weight.cols),
            linear.format.name().to_string(),
            layer.scaling.name().to_string(),
            input,
            stats.bytes.total().to_string(),
            ratio(stats.bytes.total(), stats.weights),
            format!("{}..{}", stats.ints.0, stats.ints.1),
            percent(stats.at_edge, stats.weights),
            percent(stats.zeros, stats.weights),
            stats.align.map_or("-".to_string(), |(least, most)| spread(least, most)),
        ]);
    }
    let silent: u64 = layers.iter().map(|(_, stats)| stats.silent).sum();
    let note = if silent > 0 { format!("\n{silent} channels are silent: their step is 0") } else { String::new() };
    table.render() + &note
}

/// Layers, weights and bytes of each format.
fn format_table(layers: &[(&QLayer, Stats)]) -> String {
    let mut formats: BTreeMap<(Format, Scaling), (u64, u64, Bytes)> = BTreeMap::new();
    for (layer, stats) in layers {
        let (count, weights, bytes) = formats.entry((layer.linear.format, layer.scaling)).or_default();
        (*count, *weights, *bytes) = (*count + 1, *weights + stats.weights, *bytes + stats.bytes);
    }
    let mut table = Table::new(&["format", "scaling", "layers", "weights", "bytes", "B/w"]);
    for ((format, scaling), (count, weights, bytes)) in formats {
        let numbers = [count.to_string(), grouped(weights), grouped(bytes.total()), ratio(bytes.total(), weights)];
        table.row([format.name().to_string(), scaling.name().to_string()].into_iter().chain(numbers));
    }
    table.render()
}

fn layer_json(layer: &QLayer, stats: &Stats) -> Value {
    let linear = &layer.linear;
    let step = |factor: u16| real(layer.weight_step) * f64::from(factor) / 32768.0;
    json!({
        "name": linear.name,
        "n": linear.weight.rows,
        "k": linear.weight.cols,
        "format": linear.format.name(),
        "scaling": layer.scaling.name(),
        "acts": layer.acts.name(),
        "rotation": layer.rotation,
        "bytes": bytes_json(stats.bytes),
        "bytes_per_weight": stats.bytes.total() as f64 / stats.weights.max(1) as f64,
        "int_min": stats.ints.0,
        "int_max": stats.ints.1,
        "codes_at_edge": stats.at_edge,
        "zero_codes": stats.zeros,
        "silent_channels": stats.silent,
        "channel_step_min": stats.align.map(|(least, _)| step(least)),
        "channel_step_max": stats.align.map(|(_, most)| step(most)),
        "scale_min": stats.scales.map(|(least, _)| least),
        "scale_max": stats.scales.map(|(_, most)| most),
    })
}

fn bytes_json(bytes: Bytes) -> Value {
    json!({
        "codes": bytes.codes,
        "scales": bytes.scales,
        "alignment": bytes.alignment,
        "total": bytes.total(),
    })
}

fn embedding_json(model: &QModel) -> Value {
    let table = &model.embedding;
    json!({
        "code_min": table.codes.data.iter().min(),
        "code_max": table.codes.data.iter().max(),
        "shift_min": table.shift.iter().min(),
        "shift_max": table.shift.iter().max(),
    })
}

fn embedding_bytes(model: &QModel) -> u64 {
    (2 * model.embedding.codes.data.len() + model.embedding.shift.len()) as u64
}

fn rope_bytes(model: &QModel) -> u64 {
    2 * (model.rope.cos.data.len() + model.rope.sin.data.len()) as u64
}

/// Gains of norms and factors of caches, two bytes each.
fn factor_bytes(model: &QModel) -> u64 {
    let of_block = |b: &spec::model::QBlock| {
        let cache = b.cache.k_factor.len() + b.cache.q_factor.len() + b.cache.o_align.len();
        b.attn_norm.gain.len() + b.ffn_norm.gain.len() + cache
    };
    2 * (model.blocks.iter().map(of_block).sum::<usize>() + model.norm.gain.len()) as u64
}

fn real(step: Dyadic) -> f64 {
    f64::from(step.mult) * f64::from(-step.shift).exp2()
}

fn ratio(part: u64, whole: u64) -> String {
    format!("{:.3}", part as f64 / whole.max(1) as f64)
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.2}", 100.0 * part as f64 / whole.max(1) as f64)
}

/// How many times the one factor the other is.
fn spread(least: u16, most: u16) -> String {
    format!("{:.1}", f64::from(most) / f64::from(least))
}
