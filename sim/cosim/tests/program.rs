//! Programs mean what the model means: `iss(lower(QModel))` gives the logits of `layers(QModel)`, bit for bit, on any
//! machine, and no order of the queues gives anything else.

use golden::iss::{self, order};
use golden::layers::random::{Coding, Shape, random_model};
use golden::layers::{Blind, KvCache, Layers};
use golden::load::open;
use golden::quantize::{PtqOptions, Recipe, Windows, quantize_model};
use golden::sample::greedy;
use sim::lower::program::{Job, lower, roofline};
use spec::isa::{OutputKind, Shown, assemble, disassemble};
use spec::model::{PROB_TOP_8, QModel};
use spec::qmodel::ActMode;
use spec::{Config, ExpKind, Format, ScaleRule};

const SHAPE: Shape =
    Shape { hidden: 20, ffn: 29, blocks: 2, heads: 4, kv_heads: 2, head_dim: 6, vocab: 33, positions: 40 };

/// `small` with another array, other formats and buffers that hold the models of these tests.
fn config(rows: u32, cols: u32, formats: &[Format]) -> Config {
    let mut config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
    (config.array.rows, config.array.cols) = (rows, cols);
    config.array.preload_rows = 2;
    config.pe.formats = formats.to_vec();
    config.validate().unwrap_or_else(|e| panic!("{e}"));
    config
}

/// The machine's logits, steps and tokens beside those of the model; what it writes in any order.
fn compare(model: &QModel, config: &Config, prompt: &[u32], tokens: usize) {
    let program = lower(config, model, &Job { prompt, tokens, logits: true }).unwrap_or_else(|e| panic!("{e}"));
    order::check(&program).unwrap_or_else(|e| panic!("{e}"));
    let text = disassemble(&program, Shown::Everything);
    assert!(assemble(&text).unwrap_or_else(|e| panic!("{e}")) == program, "the text gives the program back");
    let run = iss::run(&program, &mut iss::Blind).unwrap_or_else(|e| panic!("{e}"));
    let layers = Layers::new(model).unwrap();
    let (mut cache, mut ids) = (KvCache::default(), prompt.to_vec());
    for token in 0..tokens {
        let logits = layers.forward(&ids, &mut cache, &mut Blind).unwrap();
        let last = ids.len() - 1;
        let expected = logits.rows.row(last);
        let found = run.output(OutputKind::Logits, token as u32).unwrap();
        assert_eq!(found, expected, "logits of token {token}");
        let step = logits.steps[last];
        let bits = i64::from(step.mult) | i64::from(step.shift as u16) << 16;
        assert_eq!(run.output(OutputKind::Steps, token as u32).unwrap(), [bits], "step of token {token}");
        let next = greedy(expected);
        assert_eq!(run.output(OutputKind::Tokens, token as u32).unwrap(), [i64::from(next)], "token {token}");
        ids = vec![next];
    }
}

/// Formats that hardware for a model needs: INT8 for the attention, and its own.
fn formats(codings: &[Coding]) -> Vec<Format> {
    let mut formats = vec![Format::W8a8];
    formats.extend(codings.iter().map(|c| c.format).filter(|&f| f != Format::W8a8));
    formats.dedup();
    formats
}

#[test]
fn a_small_model_in_int8() {
    let model = random_model(&SHAPE, &[Coding::new(Format::W8a8)], 1);
    compare(&model, &config(8, 8, &[Format::W8a8]), &[3, 1, 4, 1, 5], 4);
}

#[test]
fn every_format_scaling_zero_point_and_rotation() {
    let shape = Shape { hidden: 40, ffn: 72, ..SHAPE };
    // Products of two powers of two do not fit the multiplier of INT8 that the attention needs beside them.
    for format in Format::ALL.into_iter().filter(|&f| f != Format::Pot8) {
        for &scaling in format.scalings() {
            for (seed, is_rotated) in [(2, false), (3, true)] {
                let zero_point = format.act() == spec::Operand::Int8 && scaling != spec::Scaling::Mx32;
                let modes = if zero_point { ActMode::ALL.to_vec() } else { vec![ActMode::Symmetric] };
                for acts in modes {
                    let coding = Coding { format, scaling, acts, is_rotated };
                    let model = random_model(&shape, &[coding], seed);
                    let mut config = config(8, 8, &formats(&[coding]));
                    if scaling.block().is_some() && format == Format::W8a8 {
                        config.pe.formats.push(Format::W4a8);
                    }
                    compare(&model, &config, &[7, 30, 2], 2);
                }
            }
        }
    }
}

#[test]
fn arrays_of_any_shape() {
    let codings = [Coding::new(Format::W4a8), Coding::new(Format::W8a8), Coding::new(Format::Mxfp4)];
    let shape = Shape { hidden: 36, ffn: 50, heads: 6, kv_heads: 2, head_dim: 10, ..SHAPE };
    for (rows, cols) in [(5, 3), (5, 12), (8, 32), (32, 16), (1, 1), (16, 16), (33, 7)] {
        for data_bits in [32, 128, 512] {
            let model = random_model(&shape, &codings, u64::from(rows * cols));
            let mut config = config(rows, cols, &formats(&codings));
            config.bus.data_bits = data_bits;
            config.array.preload_rows = 1 + rows / 4;
            compare(&model, &config, &[9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 11], 3);
        }
    }
}

#[test]
fn options_of_a_model() {
    for (exp, prob_top, sigmoid_bits, kv_bits, scale_rule) in [
        (ExpKind::Shift, PROB_TOP_8, 8, 4, ScaleRule::NoClip),
        (ExpKind::Poly, PROB_TOP_8, 11, 8, ScaleRule::RoundUpToGrid),
        (ExpKind::Shift, spec::model::PROB_TOP_15, 15, 4, ScaleRule::Floor),
    ] {
        let codings = [Coding::new(Format::Mxfp4), Coding { is_rotated: true, ..Coding::new(Format::W4a4) }];
        let mut model = random_model(&SHAPE, &codings, 4);
        model.options.exp = exp;
        model.options.prob_top = prob_top;
        model.options.sigmoid_bits = sigmoid_bits;
        model.options.kv_bits = kv_bits;
        model.options.scale_rule = scale_rule;
        compare(&model, &config(8, 4, &formats(&codings)), &[20, 21, 22, 23], 3);
    }
}

/// A field of a Config.
type Size = fn(&mut Config) -> &mut u32;

#[test]
fn small_buffers_make_small_chunks() {
    let codings = [Coding { acts: ActMode::Asymmetric, ..Coding::new(Format::W4a8) }, Coding::new(Format::W8a8)];
    let model = random_model(&SHAPE, &codings, 5);
    let prompt: Vec<u32> = (0..20).map(|i| i * 7 % 33).collect();
    let mut config = config(4, 4, &formats(&codings));
    let roomy = lower(&config, &model, &Job { prompt: &prompt, tokens: 2, logits: true }).unwrap();
    config.buffer.weight_tiles = 2;
    // Each buffer is shrunk to what its refusal names, which then does.
    let sizes: [(&str, Size); 4] = [
        ("buffer.act_bytes", |c| &mut c.buffer.act_bytes),
        ("buffer.acc_bytes", |c| &mut c.buffer.acc_bytes),
        ("vec.elements", |c| &mut c.vec.elements),
        ("vec.params", |c| &mut c.vec.params),
    ];
    for (field, size) in sizes {
        *size(&mut config) = 64;
        let message =
            lower(&config, &model, &Job { prompt: &prompt, tokens: 2, logits: true }).unwrap_err().to_string();
        let least = message.strip_prefix(&format!("{field} = ")).and_then(|m| m.split(&[' ', ';'][..]).nth(3));
        let least: u32 = least.and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{field}: {message}"));
        *size(&mut config) = least - 1;
        assert!(lower(&config, &model, &Job { prompt: &prompt, tokens: 2, logits: true }).is_err(), "{field}");
        *size(&mut config) = least;
    }
    let small = lower(&config, &model, &Job { prompt: &prompt, tokens: 2, logits: true }).unwrap();
    assert!(small.instrs.len() > roomy.instrs.len());
    // More chunks are the same work, and need the same bytes.
    assert_eq!(work(&small, 0), work(&roomy, 0));
    assert_eq!(roofline(&small), roofline(&roomy));
    compare(&model, &config, &prompt, 2);
}

/// MACs and compulsory bytes, read and written, of the sections that begin at positions from `first` on.
fn work(program: &spec::isa::Program, first: u32) -> (u64, u64, u64) {
    let sections = program.marks.iter().filter(|mark| mark.token >= first);
    sections.fold((0, 0, 0), |(macs, read, written), mark| {
        (macs + mark.macs, read + mark.compulsory_bytes, written + mark.compulsory_written)
    })
}

/// A decoded token means each weight of the model once, and the keys and values of the tokens before it.
#[test]
fn compulsory_work_of_a_token() {
    let model = random_model(&SHAPE, &[Coding { acts: ActMode::Asymmetric, ..Coding::new(Format::W4a8) }], 8);
    let config = config(4, 3, &[Format::W8a8, Format::W4a8]);
    let program = lower(&config, &model, &Job { prompt: &[1, 2, 3], tokens: 2, logits: false }).unwrap();
    let (macs, bytes, written) = work(&program, 3);
    let weights: usize = model.linears().map(|l| l.linear.weight.data.len()).sum();
    let (q, kv) = (SHAPE.heads * SHAPE.head_dim, SHAPE.kv_heads * SHAPE.head_dim);
    assert_eq!(macs as usize, weights + SHAPE.blocks * 4 * 2 * q);
    let packed: usize = model.linears().map(|l| l.packed_bytes()).sum();
    let gains: usize = model.blocks.iter().flat_map(|b| [&b.attn_norm, &b.ffn_norm]).map(|n| 2 * n.gain.len()).sum();
    let cache = SHAPE.blocks * (3 * 2 * kv + 2 * (2 * kv + SHAPE.kv_heads));
    let token = 2 * (SHAPE.hidden + 1) + 2 * SHAPE.head_dim + 2 * model.norm.gain.len();
    assert_eq!(bytes as usize, packed + gains + cache + token);
    assert_eq!(written as usize, SHAPE.blocks * 2 * kv + 4);
}

/// The shipped model, on three machines and in three formats.
#[test]
fn the_shipped_model() {
    let model = open("fairy").unwrap();
    let text = "Once upon a time there was a king who had three daughters, and the youngest was the fairest of all.";
    let windows = Windows::from_text(text, &model, "text").unwrap();
    let prompt = model.tokenizer.encode("Once upon a time there was a king").unwrap();
    for format in [Format::W8a8, Format::W4a8, Format::Mxfp4a8] {
        let options = PtqOptions { recipe: Some(Recipe::default()), ..PtqOptions::new(format) };
        let quantized = quantize_model(&model, &options, &windows).unwrap();
        for name in ["tiny", "small", "base"] {
            let mut config = Config::from_toml(hdl::presets::preset(name).unwrap()).unwrap();
            config.pe.formats = vec![Format::W8a8];
            if format != Format::W8a8 {
                config.pe.formats.push(format);
            }
            compare(&quantized, &config, &prompt, 4);
        }
    }
}

#[test]
fn what_a_machine_cannot_run_is_refused() {
    let group = Coding { scaling: spec::Scaling::Group32, ..Coding::new(Format::W8a8) };
    let (plain, grouped) = (random_model(&SHAPE, &[Coding::new(Format::W4a8)], 6), random_model(&SHAPE, &[group], 6));
    let message = |model: &QModel, config: &Config, prompt: &[u32], tokens: usize| {
        lower(config, model, &Job { prompt, tokens, logits: false }).unwrap_err().to_string()
    };
    let both = config(8, 8, &[Format::W8a8, Format::W4a8]);
    assert!(message(&plain, &both, &[], 1).contains("tokens = 0 of prompt"));
    assert!(message(&plain, &both, &[1], 0).contains("0 to generate"));
    assert!(message(&plain, &both, &[1, 33], 1).contains("token 1 = 33: allowed 0..=32"));
    assert!(message(&plain, &both, &[1; 20], 22).contains("tokens = 41: allowed 1..=40"));
    let int8 = config(8, 8, &[Format::W8a8]);
    assert!(message(&plain, &int8, &[1], 1).contains("add \"w4a8\" to pe.formats"));
    assert!(message(&grouped, &int8, &[1], 1).contains("scaling = group32"));
    assert!(message(&plain, &config(8, 8, &[Format::W4a8]), &[1], 1).contains("add \"w8a8\" to pe.formats"));
    let long = random_model(&Shape { head_dim: 258, ..SHAPE }, &[Coding::new(Format::W8a8)], 6);
    assert!(message(&long, &both, &[1], 1).contains("head_dim = 258: allowed 2..=256"));
    let mut damaged = plain.clone();
    damaged.blocks[1].o.linear.align.pop();
    assert!(message(&damaged, &both, &[1], 1).contains("model.layers.1.self_attn.o_proj: align"));
    // The whole sequence but its last token has a position.
    compare(&plain, &both, &[1; 39], 2);
}
