//! Whole models on the whole accelerator under Verilator: a prompt of 16 tokens and generated ones, every output of every
//! cycle, every instruction's writes. Minutes to hours; one at a time: `cargo test --test top_models -- --ignored NAME`.

use std::path::Path;
use std::time::Duration;

use cosim::{Options, Sources, TopCosim};
use golden::layers::{KvCache, Layers};
use golden::load::{Model, open};
use golden::quantize::{PtqOptions, Recipe, Windows, quantize_model};
use golden::sample::greedy;
use sim::lower::program::{Job, lower};
use sim::memory::Timing;
use spec::model::QModel;
use spec::{Config, Format};

const TALE: &str = "Once upon a time there was a king who had three sons, and the youngest was called Dummling.\n\
    One day he went into the forest to cut wood, and there he met a little grey man who wished him good day.\n";

/// Tokens of the prompt, and generated ones.
const PROMPT: usize = 16;
const TOKENS: usize = 32;

/// Formats that every model runs in.
const FORMATS: [Format; 3] = [Format::W8a8, Format::W4a8, Format::Mxfp4a8];

/// The model of that name in the folder beside the repository, or nothing with a message.
fn beside(name: &str) -> Option<Model> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/models").join(name);
    if folder.is_dir() {
        return Some(open(folder.to_str().unwrap()).unwrap());
    }
    println!("skipped: there is no {}", folder.display());
    None
}

/// The model in the folder that `SYSTOLE_HELD_OUT` names, or nothing with a message.
fn held_out() -> Option<Model> {
    let folder = std::env::var("SYSTOLE_HELD_OUT").ok();
    if folder.is_none() {
        println!("skipped: SYSTOLE_HELD_OUT names no model");
    }
    folder.map(|folder| open(&folder).unwrap())
}

fn fairy() -> Model {
    open("fairy").unwrap()
}

fn quantized(model: &Model, format: Format) -> QModel {
    let options = PtqOptions { recipe: Some(Recipe::usual(format)), ..PtqOptions::new(format) };
    quantize_model(model, &options, &Windows::from_text(TALE, model, "tale").unwrap()).unwrap()
}

/// A preset that offers INT8 and a format.
fn preset(name: &str, format: Format) -> Config {
    let mut config = Config::from_toml(hdl::presets::preset(name).unwrap()).unwrap();
    config.pe.formats = if format == Format::W8a8 { vec![format] } else { vec![format, Format::W8a8] };
    config.validate().unwrap_or_else(|e| panic!("{e}"));
    config
}

/// `base` with another array and bus.
fn array(rows: u32, cols: u32, data_bits: u32, format: Format) -> Config {
    let mut config = preset("base", format);
    (config.array.rows, config.array.cols, config.bus.data_bits) = (rows, cols, data_bits);
    config.validate().unwrap_or_else(|e| panic!("{e}"));
    config
}

/// Runs a model in a format; every token must be what the model itself says.
fn speaks(model: &Model, (config, format): (&Config, Format), tokens: usize, timing: Timing, options: &Options) {
    let q = quantized(model, format);
    let prompt = &model.tokenizer.encode(TALE).unwrap()[..PROMPT];
    let program = lower(config, &q, &Job { prompt, tokens, logits: false }).unwrap_or_else(|e| panic!("{e}"));
    let building = Options { build_timeout: Duration::from_secs(3 * 3600), ..options.clone() };
    let cosim = TopCosim::new(config, &Sources::Generated, &building).unwrap_or_else(|e| panic!("{e}"));
    let name = format!("{} x {} {}", config.array.rows, config.array.cols, format.name());
    let mut shown = 0;
    let run = cosim.run(&program, timing, options, |progress| {
        if progress.cycles >= shown {
            let (done, all) = progress.instructions;
            println!("{name}: cycle {}, instruction {done} of {all}", progress.cycles);
            shown += 1 << 20;
        }
    });
    let run = run.unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(run.verdict.matched(), "{name}: {:#?}", run.verdict.first);
    assert_eq!(run.instructions_checked, program.instrs.len() as u64, "{name}");
    let layers = Layers::new(&q).unwrap();
    let (mut cache, mut ids, mut expected) = (KvCache::default(), prompt.to_vec(), Vec::new());
    for _ in 0..tokens {
        let next = greedy(layers.next(&ids, &mut cache).unwrap().rows.row(0));
        expected.push(next);
        ids = vec![next];
    }
    assert_eq!(run.tokens(&program), expected, "{name}");
    println!(
        "{name}: match; {} tokens, {} cycles, {} values, {} instructions, mismatches: {}; {:.0?}, {:.0} cycles/s, step \
         alone {:.0}",
        tokens,
        run.verdict.cycles,
        run.verdict.golden_values_checked,
        run.instructions_checked,
        run.verdict.mismatches,
        run.elapsed,
        run.cycles_per_second(),
        run.verdict.cycles as f64 / run.step_busy.as_secs_f64(),
    );
}

fn speaks_in(model: &Model, preset_name: &str, format: Format) {
    let config = preset(preset_name, format);
    speaks(model, (&config, format), TOKENS, Timing::latency(30), &Options::default());
}

#[test]
#[ignore = "a whole model: minutes"]
fn fairy_small_w8a8() {
    speaks_in(&fairy(), "small", Format::W8a8);
}

#[test]
#[ignore = "a whole model: minutes"]
fn fairy_small_w4a8() {
    speaks_in(&fairy(), "small", Format::W4a8);
}

#[test]
#[ignore = "a whole model: minutes"]
fn fairy_small_mxfp4a8() {
    speaks_in(&fairy(), "small", Format::Mxfp4a8);
}

#[test]
#[ignore = "a whole model: minutes"]
fn fairy_base_w8a8() {
    speaks_in(&fairy(), "base", Format::W8a8);
}

#[test]
#[ignore = "a whole model: minutes"]
fn fairy_base_w4a8() {
    speaks_in(&fairy(), "base", Format::W4a8);
}

#[test]
#[ignore = "a whole model: minutes"]
fn fairy_base_mxfp4a8() {
    speaks_in(&fairy(), "base", Format::Mxfp4a8);
}

#[test]
#[ignore = "whole models: many minutes"]
fn stories_small() {
    let Some(model) = beside("stories260K") else { return };
    FORMATS.iter().for_each(|&format| speaks_in(&model, "small", format));
}

#[test]
#[ignore = "whole models: many minutes"]
fn stories_base() {
    let Some(model) = beside("stories260K") else { return };
    FORMATS.iter().for_each(|&format| speaks_in(&model, "base", format));
}

#[test]
#[ignore = "whole models: many minutes"]
fn held_out_small_and_base() {
    let Some(model) = held_out() else { return };
    speaks_in(&model, "small", Format::W4a8);
    speaks_in(&model, "base", Format::W8a8);
}

#[test]
#[ignore = "whole models: many minutes"]
fn other_arrays_with_stalls() {
    let model = fairy();
    for (i, (rows, cols, data_bits)) in [(5, 3, 32), (5, 12, 64), (8, 32, 256), (32, 16, 128)].into_iter().enumerate() {
        let format = FORMATS[i % 3];
        let timing = Timing { stall_seed: Some(i as u64), ..Timing::latency(30) };
        speaks(&model, (&array(rows, cols, data_bits, format), format), 4, timing, &Options::default());
    }
}

#[test]
#[ignore = "whole models: many minutes"]
fn three_latencies_and_half_the_bandwidth() {
    let model = fairy();
    let config = preset("base", Format::W4a8);
    for (latency, beats_per_cycles) in [(1, (1, 1)), (100, (1, 1)), (400, (1, 2))] {
        let timing = Timing { beats_per_cycles, ..Timing::latency(latency) };
        speaks(&model, (&config, Format::W4a8), 4, timing, &Options::default());
    }
}

#[test]
#[ignore = "whole models: many minutes"]
fn other_formats() {
    let model = fairy();
    for format in [Format::Mxfp4, Format::Nvfp4, Format::Pot4, Format::W4a4] {
        let config = preset("base", format);
        speaks(&model, (&config, format), 4, Timing::latency(30), &Options::default());
    }
}

#[test]
#[ignore = "eight runs of a whole model: many minutes"]
fn eight_random_starts() {
    let model = fairy();
    let config = preset("small", Format::W8a8);
    for seed in 0..8 {
        let options = Options { random_start: Some((seed, seed + 1000)), ..Options::default() };
        let timing = Timing { stall_seed: Some(seed), ..Timing::latency(30) };
        speaks(&model, (&config, Format::W8a8), 2, timing, &options);
    }
}
