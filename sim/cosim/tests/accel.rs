//! The whole accelerator runs a program: what it writes to memory is what the instruction-set simulator writes.

use golden::iss;
use golden::layers::random::{Coding, Shape, random_model};
use golden::load::open;
use golden::quantize::{PtqOptions, Recipe, Windows, quantize_model};
use hdl::rtl::Design;
use hdl::unit::top::top;
use sim::accel::Accelerator;
use sim::lower::program::{Job, lower};
use sim::memory::Timing;
use spec::isa::{OutputKind, Program};
use spec::{Config, Format};

const TALE: &str = "Once upon a time there was a king who had three sons, and the youngest was called Dummling.\n\
    One day he went into the forest to cut wood, and there he met a little grey man who wished him good day.\n";

fn small(formats: &[Format]) -> Config {
    let mut config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
    config.pe.formats = formats.to_vec();
    config.validate().unwrap_or_else(|e| panic!("{e}"));
    config
}

/// Runs a program in both and compares all outputs; prints the counters.
fn compare(config: &Config, program: &Program, timing: Timing, most: u64) {
    let run = iss::run(program, &mut iss::Blind).unwrap_or_else(|e| panic!("{e}"));
    let design = Design::new(top(config).unwrap_or_else(|e| panic!("{e}")));
    let mut accelerator = Accelerator::new(&design, timing).unwrap_or_else(|e| panic!("{e}"));
    accelerator.start(program).unwrap_or_else(|e| panic!("{e}"));
    let ended = accelerator.finish_run(most, &mut |_| {});
    let counters = accelerator.counters().unwrap();
    println!("{counters:?}");
    ended.unwrap_or_else(|e| panic!("{e}"));
    for kind in [OutputKind::Tokens, OutputKind::Steps, OutputKind::Logits] {
        let rows = program.output(kind).map_or(0, |o| o.rows);
        for row in 0..rows {
            let (found, expected) = (accelerator.output(program, kind, row).unwrap(), run.output(kind, row).unwrap());
            let differ = found.iter().zip(&expected).filter(|(a, b)| a != b).count();
            assert_eq!(differ, 0, "{kind:?}, row {row}: {differ} of {}", expected.len());
        }
    }
    assert_eq!(counters.get("cycles"), Some(counters.causes()), "{counters:?}");
    assert_eq!(counters.get("instructions"), Some(program.instrs.len() as u64));
}

#[test]
fn a_small_random_model() {
    let shape = Shape { hidden: 20, ffn: 29, blocks: 2, heads: 4, kv_heads: 2, head_dim: 6, vocab: 33, positions: 40 };
    let model = random_model(&shape, &[Coding::new(Format::W8a8)], 1);
    let config = small(&[Format::W8a8]);
    let program = lower(&config, &model, &Job { prompt: &[3, 1, 4], tokens: 2, logits: true }).unwrap();
    compare(&config, &program, Timing::latency(20), 2_000_000);
}

#[test]
fn the_shipped_model_in_int8() {
    let model = open("fairy").unwrap();
    let options = PtqOptions { recipe: Some(Recipe::usual(Format::W8a8)), ..PtqOptions::new(Format::W8a8) };
    let q = quantize_model(&model, &options, &Windows::from_text(TALE, &model, "tale").unwrap()).unwrap();
    let config = small(&[Format::W8a8]);
    let prompt = &model.tokenizer.encode(TALE).unwrap()[..3];
    let program = lower(&config, &q, &Job { prompt, tokens: 2, logits: true }).unwrap();
    compare(&config, &program, Timing::latency(20), 20_000_000);
}
