//! The shipped model as a program: prompt and generated tokens give golden's logits, bit for bit, in every format.

use golden::iss::{self, order};
use golden::layers::{KvCache, Layers};
use golden::load::{Model, open};
use golden::quantize::{PtqOptions, Recipe, Windows, quantize_model};
use golden::sample::greedy;
use sim::lower::program::{Job, lower};
use spec::isa::{Instr, OutputKind, Program, Queue, SIGNAL_LSB, WAIT_LSB};
use spec::model::QModel;
use spec::{Config, Format, Scaling};

const TALE: &str = "Once upon a time there was a king who had three sons, and the youngest was called Dummling.\n\
    One day he went into the forest to cut wood, and there he met a little grey man who wished him good day.\n";

/// Tokens of the prompt.
const PROMPT: usize = 16;

fn quantized(model: &Model, options: &PtqOptions) -> QModel {
    quantize_model(model, options, &Windows::from_text(TALE, model, "tale").unwrap()).unwrap()
}

/// A preset with other formats: the model's, and INT8 for attention and head.
fn config(preset: &str, format: Format) -> Config {
    let mut config = Config::from_toml(hdl::presets::preset(preset).unwrap()).unwrap();
    config.pe.formats = if format == Format::W8a8 { vec![format] } else { vec![format, Format::W8a8] };
    config
}

/// Every logit, step and token of the program is golden's, and no order of the queues gives anything else.
fn compare(model: &Model, q: &QModel, config: &Config, tokens: usize) {
    let prompt = &model.tokenizer.encode(TALE).unwrap()[..PROMPT];
    let program = lower(config, q, &Job { prompt, tokens, logits: true }).unwrap_or_else(|e| panic!("{e}"));
    order::check(&program).unwrap_or_else(|e| panic!("{e}"));
    let run = iss::run(&program, &mut iss::Blind).unwrap_or_else(|e| panic!("{e}"));
    let layers = Layers::new(q).unwrap();
    let (mut cache, mut ids) = (KvCache::default(), prompt.to_vec());
    for token in 0..tokens {
        let logits = layers.next(&ids, &mut cache).unwrap();
        let found = |kind| run.output(kind, token as u32).unwrap();
        assert!(found(OutputKind::Logits) == logits.rows.row(0), "logits of token {token}");
        let step = i64::from(logits.steps[0].mult) | i64::from(logits.steps[0].shift as u16) << 16;
        assert_eq!(found(OutputKind::Steps), [step], "step of token {token}");
        let next = greedy(logits.rows.row(0));
        assert_eq!(found(OutputKind::Tokens), [i64::from(next)], "token {token}");
        ids = vec![next];
    }
    // In other orders of the queues, too.
    for seed in 0..2 {
        let shuffled = order::shuffled(&program, seed).unwrap();
        let other = iss::run(&shuffled, &mut iss::Blind).unwrap_or_else(|e| panic!("{e}"));
        for token in 0..tokens as u32 {
            let of =
                |run: &iss::Iss| [OutputKind::Logits, OutputKind::Tokens].map(|kind| run.output(kind, token).unwrap());
            assert!(of(&other) == of(&run), "order {seed}, token {token}");
        }
    }
}

#[test]
fn int8_on_small_and_base() {
    let model = open("fairy").unwrap();
    let options = PtqOptions { recipe: Some(Recipe::usual(Format::W8a8)), ..PtqOptions::new(Format::W8a8) };
    let q = quantized(&model, &options);
    for preset in ["small", "base"] {
        compare(&model, &q, &config(preset, Format::W8a8), 32);
    }
}

#[test]
fn every_format_with_its_first_scaling() {
    let model = open("fairy").unwrap();
    for format in Format::ALL {
        let options = PtqOptions { recipe: Some(Recipe::default()), ..PtqOptions::new(format) };
        compare(&model, &quantized(&model, &options), &config("base", format), 4);
    }
}

#[test]
fn odd_arrays_and_narrow_buses() {
    let model = open("fairy").unwrap();
    let options =
        PtqOptions { recipe: Some(Recipe::default()), scaling: Scaling::Group16, ..PtqOptions::new(Format::W4a8) };
    let q = quantized(&model, &options);
    for (rows, cols, data_bits) in [(5, 3, 32), (5, 12, 64), (8, 32, 256), (32, 16, 128)] {
        let mut config = config("base", Format::W4a8);
        (config.array.rows, config.array.cols, config.bus.data_bits) = (rows, cols, data_bits);
        config.validate().unwrap();
        compare(&model, &q, &config, 3);
    }
}

/// The program without one token: neither given nor taken. `None` if the pair of queues has fewer.
fn without_token(program: &Program, from: Queue, to: Queue, place: usize) -> Option<Program> {
    let mut program = program.clone();
    let giver = |i: &Instr| i.op().queue() == from && i.signals().any(|q| q == to);
    let taker = |i: &Instr| i.op().queue() == to && i.waits().any(|q| q == from);
    let (give, _) = program.instrs.iter().enumerate().filter(|(_, i)| giver(i)).nth(place)?;
    let (take, _) = program.instrs.iter().enumerate().filter(|(_, i)| taker(i)).nth(place)?;
    let less = |instr: Instr, lsb: u32| Instr::decode(instr.encode() & !(1 << lsb)).unwrap();
    program.instrs[give] = less(program.instrs[give], SIGNAL_LSB + to as u32);
    program.instrs[take] = less(program.instrs[take], WAIT_LSB + from as u32);
    Some(program)
}

/// A token less is found, or it was one too many: then no order gives anything else.
#[test]
fn tokens_that_are_missing_are_found() {
    let model = open("fairy").unwrap();
    let options = PtqOptions { recipe: Some(Recipe::default()), ..PtqOptions::new(Format::W8a8) };
    let q = quantized(&model, &options);
    let prompt = &model.tokenizer.encode(TALE).unwrap()[..PROMPT];
    let program = lower(&config("small", Format::W8a8), &q, &Job { prompt, tokens: 2, logits: true }).unwrap();
    let outputs = |program: &Program| {
        let run = iss::run(program, &mut iss::Blind).unwrap_or_else(|e| panic!("{e}"));
        [0, 1].map(|token| run.output(OutputKind::Logits, token).unwrap())
    };
    let expected = outputs(&program);
    let (mut found, mut needless) = (0, 0);
    for (from, to) in Queue::ALL.into_iter().flat_map(|from| Queue::ALL.map(|to| (from, to))) {
        for place in [0, 1, 5, 17, 40, 100, 333, 1000] {
            let Some(program) = without_token(&program, from, to, place) else { break };
            if order::check(&program).is_err() {
                found += 1;
                continue;
            }
            needless += 1;
            for seed in 0..3 {
                let order = order::shuffled(&program, seed).unwrap();
                assert!(outputs(&order) == expected, "{} to {}, token {place}", from.name(), to.name());
            }
        }
    }
    println!("{found} found, {needless} needless");
    assert!(found > 2 * needless, "{found} found, {needless} needless");
}
