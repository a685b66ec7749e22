//! `systole quantize`: a checkpoint to a QModel file.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use golden::load::{self, Model, qmodel};
use golden::quantize::mixed::{self, Ladder, Point, Target};
use golden::quantize::{PtqOptions, Recipe, Technique, Windows, measure, quantize_showing, self_written};
use serde_json::{Value, json};
use spec::model::{QLayer, QModel};
use spec::qmodel::ActMode;
use spec::{Format, Scaling};

use crate::args::numeric::{self, Choice};
use crate::error::Error;
use crate::output::Output;
use crate::report::{Report, Table, grouped};

/// Quantize a model to one self-contained QModel file
#[derive(clap::Args)]
#[command(after_help = after_help())]
pub struct Args {
    /// Hugging Face directory of a Llama model, or `fairy`, the model inside this program
    model: String,
    /// Number format of weights and activations; `mixed` chooses codes for each layer's weights
    #[arg(long, value_name = "FORMAT", value_parser = numeric::choice())]
    format: Choice,
    /// `best`, chosen by measurement on the calibration text, `plain`, or techniques joined by +
    #[arg(long, value_name = "NAME", default_value = "best")]
    recipe: String,
    /// Text or windows JSON to calibrate on; by default text that the model writes itself
    #[arg(long, value_name = "FILE")]
    calib: Option<PathBuf>,
    /// What scales the weights beside the step of their channel; by default the first that the format has
    #[arg(long, value_name = "SCALING", value_parser = scalings())]
    scaling: Option<Scaling>,
    /// Format of the head; by default w8a8
    #[arg(long, value_name = "FORMAT", value_parser = numeric::any_format())]
    head: Option<Format>,
    /// How the INT8 inputs of linear layers are coded
    #[arg(long, value_name = "MODE", value_parser = numeric::acts(), default_value = "symmetric")]
    acts: ActMode,
    /// Bits of cached keys and values
    #[arg(long, value_name = "BITS", default_value = "8", value_parser = PossibleValuesParser::new(["4", "8"]).map(|b| b.parse::<u32>().expect("4 or 8")))]
    kv_bits: u32,
    /// With `mixed`: most bytes of all linear layers; by default as many as w4a8 has
    #[arg(long, value_name = "N", conflicts_with = "target_ppl")]
    target_bytes: Option<u64>,
    /// With `mixed`: the fewest bytes whose perplexity on the calibration text is at most this
    #[arg(long, value_name = "X")]
    target_ppl: Option<f64>,
    /// With `mixed`: print bytes, divergence on the calibration text and perplexity of this many choices from the fewest
    /// bytes to the most; one with more perplexity than the one before gives way to it
    #[arg(long, value_name = "POINTS", value_parser = clap::value_parser!(u64).range(2..=64))]
    curve: Option<u64>,
    /// With `--curve`: windows JSON or text on which perplexity is measured; by default the calibration text
    #[arg(long, value_name = "FILE", requires = "curve")]
    windows: Option<PathBuf>,
    /// Seed of the calibration text that the model writes
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// File to write
    #[arg(short, long, value_name = "FILE", required_unless_present = "curve")]
    output: Option<PathBuf>,
}

fn scalings() -> impl TypedValueParser<Value = Scaling> {
    let known = |name: String| Scaling::ALL.into_iter().find(|s| s.name() == name);
    PossibleValuesParser::new(Scaling::ALL.map(Scaling::name)).map(move |n| known(n).expect("only listed names pass"))
}

fn after_help() -> String {
    let techniques: Vec<String> = Technique::ALL.iter().map(|t| format!("  {:<8} {}", t.name(), t.about())).collect();
    let usual: Vec<String> =
        Format::ALL.iter().map(|&f| format!("  {:<8} {}", f.name(), Recipe::usual(f).name())).collect();
    format!(
        "Techniques of --recipe:\n{}\n\nWhere `best` starts, turning techniques on and off (mixed as w4a8):\n{}\n\nExamples:\n  \
         systole quantize fairy --format w8a8 -o fairy.q\n  \
         systole quantize ~/models/SmolLM2-135M --format w4a8 --calib tales.txt -o smol.q\n  \
         systole quantize fairy --format w4a8 --recipe plain -o plain.q\n  \
         systole quantize fairy --format mixed --target-bytes 500000 -o mixed.q\n  \
         systole quantize fairy --format mixed --curve 7 --windows tales.txt",
        techniques.join("\n"),
        usual.join("\n")
    )
}

/// Runs the command.
///
/// # Errors
/// For a model or calibration that cannot be used, a target that cannot be kept, or a file that cannot be written.
pub fn run(args: &Args, output: &Output) -> Result<Report, Error> {
    let wants_mixed = args.target_bytes.is_some() || args.target_ppl.is_some() || args.curve.is_some();
    if wants_mixed && args.format != Choice::Mixed {
        let cure = "use --format mixed, or leave the target out";
        return Err(Error::input("--format", "one format for all layers", "mixed, with a target or a curve", cure));
    }
    let started = std::time::Instant::now();
    let model = {
        let progress = output.spinner(&format!("reading {}", args.model));
        let model = load::open(&args.model)?;
        progress.finish_and_clear();
        model
    };
    let options = options(args)?;
    let calibration = calibration(args, &model, output)?;
    if args.format != Choice::Mixed {
        return write(args, &model, &options, &calibration, output, started);
    }
    let progress = output.bar(model.config.linears().len() as u64, "measuring layers");
    let ladder = Ladder::new(&model, &calibration, &mut |done, _| progress.set_position(done as u64))?;
    progress.finish_and_clear();
    if let Some(points) = args.curve {
        return curve(args, &model, &options, &calibration, &ladder, points, output);
    }
    let target = match (args.target_bytes, args.target_ppl) {
        (_, Some(ppl)) => Target::Ppl(ppl),
        (Some(bytes), None) => Target::Bytes(bytes),
        (None, None) => Target::Bytes(mixed::bytes(&model, &PtqOptions::new(Format::W4a8))),
    };
    let progress = output.spinner("choosing a recipe and formats of layers");
    let options = mixed::choose(&model, &options, &calibration, &ladder, target)?;
    progress.finish_and_clear();
    write(args, &model, &options, &calibration, output, started)
}

fn options(args: &Args) -> Result<PtqOptions, Error> {
    let format = match args.format {
        Choice::Even(format) => format,
        Choice::Mixed => Format::W4a8,
    };
    let usual = PtqOptions::new(format);
    Ok(PtqOptions {
        scaling: args.scaling.unwrap_or(usual.scaling),
        head: args.head.unwrap_or(usual.head),
        recipe: Recipe::from_name(&args.recipe)?,
        acts: args.acts,
        kv_bits: args.kv_bits,
        ..usual
    })
}

fn calibration(args: &Args, model: &Model, output: &Output) -> Result<Windows, Error> {
    if let Some(path) = &args.calib {
        return Ok(Windows::from_any(path, model)?);
    }
    let progress = output.bar(0, "the model writes calibration text");
    let windows = self_written(model, args.seed, &|done, of| {
        progress.set_length(of as u64);
        progress.set_position(done as u64);
    })?;
    progress.finish_and_clear();
    Ok(windows)
}

/// Quantizes and counts layers on a bar.
fn quantized(
    model: &Model,
    options: &PtqOptions,
    calibration: &Windows,
    output: &Output,
    label: &str,
) -> Result<QModel, Error> {
    let progress = output.bar(model.config.linears().len() as u64, label);
    let quantized = quantize_showing(model, options, calibration, &mut |done, of| {
        progress.set_length(of as u64);
        progress.set_position(done as u64);
    })?;
    progress.finish_and_clear();
    Ok(quantized)
}

fn write(
    args: &Args,
    model: &Model,
    options: &PtqOptions,
    calibration: &Windows,
    output: &Output,
    started: std::time::Instant,
) -> Result<Report, Error> {
    let name = options.name();
    let q = quantized(model, options, calibration, output, &format!("quantizing to {name}"))?;
    let bytes = qmodel::to_bytes(&q);
    let path = args.output.as_ref().expect("clap requires it where no curve is asked for");
    tool::write_atomic(path, &bytes)?;
    let weights: u64 = q.linears().map(|l| l.linear.weight.data.len() as u64).sum();
    let weight_bytes: usize = q.linears().map(QLayer::packed_bytes).sum();
    let layers = q.linears().count();
    let file = path.display().to_string();
    let mut text = format!(
        "{file}: {layers} linear layers, {} weights in {name} by recipe {}, {:.3} bytes a weight, {} bytes",
        grouped(weights),
        q.options.recipe,
        weight_bytes as f64 / weights as f64,
        grouped(bytes.len() as u64)
    );
    let formats: Vec<_> = q.linears().map(|l| (&l.linear.name, l.linear.format.name(), l.scaling.name())).collect();
    if args.format == Choice::Mixed {
        let mut table = Table::new(&["layer", "format", "scaling"]);
        for (name, format, scaling) in &formats {
            table.row([name.to_string(), format.to_string(), scaling.to_string()]);
        }
        text = format!("{}\n\n{text}", table.render());
    }
    let layer =
        |(name, format, scaling): &(&String, &str, &str)| json!({"name": name, "format": format, "scaling": scaling});
    let json = json!({
        "file": file,
        "model": args.model,
        "format": name,
        "recipe": q.options.recipe,
        "acts": args.acts.name(),
        "calibration": calibration.source,
        "layers": layers,
        "weights": weights,
        "weight_bytes": weight_bytes,
        "bytes_per_weight": weight_bytes as f64 / weights as f64,
        "bytes": bytes.len(),
        "seconds": started.elapsed().as_secs_f64(),
        "formats": formats.iter().map(layer).collect::<Vec<_>>(),
    });
    Ok(Report::done(text, json))
}

/// Bytes and perplexity of mixed models, evenly spaced in bytes: of each and those before it, all of which have no more
/// bytes, the one with the lowest perplexity.
fn curve(
    args: &Args,
    model: &Model,
    options: &PtqOptions,
    calibration: &Windows,
    ladder: &Ladder,
    points: u64,
    output: &Output,
) -> Result<Report, Error> {
    let windows = match &args.windows {
        Some(path) => Windows::from_any(path, model)?,
        None => calibration.clone(),
    };
    let weights: u64 = model.config.linears().iter().map(|&(_, n, k)| n as u64 * k as u64).sum();
    let mut table = Table::new(&["bytes", "bytes a weight", "layers in 8 bits", "divergence", "perplexity"]);
    let mut found: Vec<(f64, [String; 5], Value)> = Vec::new();
    let progress = output.bar(points, "choosing points");
    let curve =
        mixed::curve(model, options, calibration, ladder, points, &mut |done| progress.set_position(done as u64))?;
    progress.finish_and_clear();
    let mut recipe = String::new();
    for (point, Point { options, bytes, kl }) in curve.iter().enumerate() {
        let (bytes, wide) = (*bytes, options.layers.iter().filter(|g| g.format == Format::W8a8).count());
        let q = quantized(model, options, calibration, output, &format!("point {} of {points}", point + 1))?;
        recipe.clone_from(&q.options.recipe);
        let ppl = measure(&q, None, &windows)?.integer.ppl;
        let row = [
            grouped(bytes),
            format!("{:.3}", bytes as f64 / weights as f64),
            wide.to_string(),
            format!("{kl:.5}"),
            format!("{ppl:.4}"),
        ];
        let json = json!({
            "weight_bytes": bytes,
            "bytes_per_weight": bytes as f64 / weights as f64,
            "layers_8_bits": wide,
            "kl_calibration": kl,
            "ppl": ppl,
        });
        let before = found.last().filter(|(least, ..)| *least <= ppl).cloned();
        found.push(before.unwrap_or((ppl, row, json)));
    }
    found.iter().for_each(|(_, row, _)| table.row(row.clone()));
    let found: Vec<Value> = found.into_iter().map(|(.., json)| json).collect();
    let json = json!({
        "model": args.model,
        "format": Choice::Mixed.name(),
        "recipe": recipe,
        "windows": windows.source,
        "curve": found,
    });
    Ok(Report::done(table.render(), json))
}
