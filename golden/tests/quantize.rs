//! Quantized layers of the shipped model against the FP32 model, and the forward pass against itself.

use std::ops::ControlFlow;

use golden::layers::{KvCache, Layers, WideRow};
use golden::load::model::{Model, Weights, open};
use golden::op::input::InputRow;
use golden::quantize::code::{dyadic, integer, value};
use golden::quantize::eval::{Windows, perplexity};
use golden::quantize::forward::{Cache, Llama, Observe};
use golden::quantize::linear::{dequantize, quantize_acts, quantize_weights};
use golden::quantize::{PtqOptions, layer_inputs, quantize_model, quantized_layer};
use spec::qmodel::{ActMode, QActs};
use spec::{Format, RequantMode, RowScale, Tensor};

const PROMPT: &str = "Once upon a time there was a king who had three sons, and the youngest was called";

fn fairy() -> Model {
    open("fairy").unwrap()
}

fn message<T>(result: Result<T, golden::Error>) -> String {
    result.err().expect("bad input was accepted").to_string()
}

#[test]
fn tokens_one_by_one_give_the_bits_of_all_at_once() {
    let model = fairy();
    let ids = model.tokenizer.encode(PROMPT).unwrap();
    assert!(ids.len() > 20);
    let llama = Llama::new(&model).unwrap();
    let all = llama.forward(&ids, &mut Cache::default()).unwrap();
    let mut cache = Cache::default();
    for (t, &id) in ids.iter().enumerate() {
        let one = llama.forward(&[id], &mut cache).unwrap();
        assert_eq!(one.data, all.row(t), "token {t}");
    }
    assert_eq!(cache.tokens(), ids.len());
}

#[test]
fn the_shipped_model_tells_the_tale_that_pytorch_tells() {
    let model = fairy();
    let mut ids = model.tokenizer.encode("Once upon a time there was a").unwrap();
    let (llama, mut cache) = (Llama::new(&model).unwrap(), Cache::default());
    let mut logits = llama.forward(&ids, &mut cache).unwrap();
    for _ in 0..48 {
        let last = logits.row(logits.rows - 1);
        let best = (0..last.len()).max_by(|&a, &b| last[a].total_cmp(&last[b])).unwrap() as u32;
        ids.push(best);
        logits = llama.forward(&[best], &mut cache).unwrap();
    }
    let expected = "Once upon a time there was a poor woman who had been able to come to the castle.\n\
                    'What are you doing there?' asked the old woman.\n'It is";
    assert_eq!(model.tokenizer.decode(&ids).unwrap(), expected);
}

#[test]
fn perplexity_is_that_of_the_logits() {
    let model = fairy();
    let windows = Windows::from_text(PROMPT, &model, "prompt").unwrap();
    let found = perplexity(&model, &windows).unwrap();
    let ids = &windows.ids[0];
    let logits = Llama::new(&model).unwrap().forward(&ids[..ids.len() - 1], &mut Cache::default()).unwrap();
    let loss = |t: usize| {
        let row: Vec<f64> = logits.row(t).iter().map(|&x| f64::from(x)).collect();
        row.iter().map(|x| x.exp()).sum::<f64>().ln() - row[ids[t + 1] as usize]
    };
    let mean = (0..logits.rows).map(loss).sum::<f64>() / logits.rows as f64;
    assert_eq!(found.tokens, logits.rows);
    assert!((found.nll - mean).abs() < 1e-9 && (found.ppl - mean.exp()).abs() < 1e-6);
    assert!((2.0..40.0).contains(&found.ppl), "a trained model predicts this prompt: {}", found.ppl);
}

/// The FP32 output of a layer.
fn outputs(model: &Model, layer: &str, ids: &[u32]) -> Tensor<f32> {
    struct Output<'a>(&'a str, Option<Tensor<f32>>);
    impl Observe for Output<'_> {
        fn output(&mut self, layer: &str, y: &Tensor<f32>) -> ControlFlow<()> {
            if layer == self.0 {
                self.1 = Some(y.clone());
            }
            ControlFlow::Continue(())
        }
    }
    let mut seen = Output(layer, None);
    let _ = Llama::new(model).unwrap().observe(ids, &mut Cache::default(), &mut seen).unwrap();
    seen.1.unwrap()
}

const LAYERS: [&str; 4] =
    ["model.layers.0.self_attn.k_proj", "model.layers.1.mlp.down_proj", "model.layers.3.mlp.up_proj", "lm_head"];

/// The real values that codes of activations stand for, `[m, k]`.
fn real_acts(format: Format, acts: &QActs) -> Tensor<f64> {
    let row = |m: usize| {
        let RowScale { step, zp } = acts.scales[m];
        let offset = 128 - i32::from(zp);
        let real = move |&c: &i8| f64::from(integer(format.act(), c) + offset) * value(step);
        acts.codes.row(m).iter().map(real).collect::<Vec<_>>()
    };
    Tensor::new(acts.codes.rows, acts.codes.cols, (0..acts.codes.rows).flat_map(row).collect())
}

/// The product of what the codes stand for, in double precision `[m, n]`.
fn product(x: &Tensor<f64>, w: &[f32]) -> Tensor<f64> {
    let row = |m: usize| {
        w.chunks_exact(x.cols)
            .map(move |w| x.row(m).iter().zip(w).map(|(x, &w)| x * f64::from(w)).sum::<f64>())
            .collect::<Vec<_>>()
    };
    Tensor::new(x.rows, w.len() / x.cols, (0..x.rows).flat_map(row).collect())
}

#[test]
fn integer_layers_are_the_product_of_what_their_codes_stand_for() {
    let model = fairy();
    let ids = model.tokenizer.encode(PROMPT).unwrap();
    for format in Format::PLAIN {
        for layer in LAYERS {
            let exact = outputs(&model, layer, &ids);
            let amax = exact.data.iter().fold(0.0f32, |top, y| top.max(y.abs()));
            let weight = tensor(&model, layer);
            let expected_weight = dequantize(&quantize_weights(layer, format, &weight.data, weight.cols));
            for mode in RequantMode::ALL {
                for acts in ActMode::ALL {
                    if acts == ActMode::Asymmetric && format == Format::Fp4 {
                        continue;
                    }
                    let (q, codes) = quantized_layer(&model, layer, format, mode, acts, &ids).unwrap();
                    assert_eq!((q.weight.rows, codes.codes.rows), (exact.cols, ids.len()));
                    let rows = golden::linear::linear(&q, &codes).unwrap();
                    let expected = product(&real_acts(format, &codes), &expected_weight);
                    // Half a step of rounding, of the zero point too; steps have 16 bits, A has guard bits.
                    let most = if mode == RequantMode::Asymmetric { 1.02 } else { 0.52 };
                    for (m, scale) in rows.scales.iter().enumerate() {
                        let fixed = value(dyadic(f64::from(amax) / 127.0));
                        let step = if mode == RequantMode::Static { fixed } else { value(scale.step) };
                        for n in 0..exact.cols {
                            let code = *rows.codes.at(m, n);
                            let off = f64::from(i32::from(code) + 128 - i32::from(scale.zp)) - expected.at(m, n) / step;
                            let saturated = mode == RequantMode::Static && code.abs() == 127;
                            let place = format!("{} {layer} {} {} [{m}, {n}]", format.name(), mode.name(), acts.name());
                            assert!(off.abs() < most || saturated, "{place}: off by {off} steps");
                        }
                    }
                }
            }
        }
    }
}

/// The weights of a linear layer of the shipped model, whose head is the embedding table.
fn tensor(model: &Model, layer: &str) -> Tensor<f32> {
    let Weights::Float(tensors) = &model.weights else { panic!("the shipped model is not quantized") };
    let name = if layer == "lm_head" { "model.embed_tokens" } else { layer };
    let t = &tensors[&format!("{name}.weight")];
    Tensor::new(t.shape[0], t.shape[1], t.data.clone())
}

/// Root of the squared error of codes over the root of the values' square.
fn relative_error(exact: &[f32], found: impl Iterator<Item = f64>) -> f64 {
    let (mut error, mut power) = (0.0, 0.0);
    for (&x, y) in exact.iter().zip(found) {
        let x = f64::from(x);
        error += (x - y) * (x - y);
        power += x * x;
    }
    (error / power).sqrt()
}

#[test]
fn codes_are_as_close_to_the_checkpoint_as_their_bits_allow() {
    let model = fairy();
    let ids = model.tokenizer.encode(PROMPT).unwrap();
    // Errors of weights per channel: Gaussian rows of this length lose about 1 % in 8 bits, 10 to 15 % in 4.
    for (format, most) in [
        (Format::W8a8, 0.01),
        (Format::W4a8, 0.13),
        (Format::Fp4a8, 0.13),
        (Format::Fp4, 0.13),
        (Format::Pot4, 0.2),
        (Format::Pot8, 0.045),
    ] {
        for layer in LAYERS {
            let weight = tensor(&model, layer);
            let q = quantize_weights(layer, format, &weight.data, weight.cols);
            let error = relative_error(&weight.data, dequantize(&q).into_iter().map(f64::from));
            assert!(error < most, "weights of {} {layer}: {error}", format.name());
            assert_eq!(q.linear.align.iter().max(), Some(&(1 << 15)));

            let exact = layer_inputs(&model, layer, &ids).unwrap();
            for mode in [ActMode::Symmetric, ActMode::Asymmetric] {
                if mode == ActMode::Asymmetric && format == Format::Fp4 {
                    continue;
                }
                let acts = quantize_acts(&exact, format, mode).unwrap();
                let real = real_acts(format, &acts);
                for m in 0..exact.rows {
                    // Between the two largest E2M1 values, 4 and 6, half the distance is two integer steps.
                    let half = if format == Format::Fp4 { 2.0 } else { 0.5 };
                    let bound = value(acts.scales[m].step) * half * if mode == ActMode::Asymmetric { 2.0 } else { 1.0 };
                    for k in 0..exact.cols {
                        let off = (f64::from(*exact.at(m, k)) - real.at(m, k)).abs();
                        assert!(off <= bound * 1.01, "{} {layer} [{m}, {k}]: {off} above {bound}", format.name());
                    }
                }
            }
        }
    }
}

#[test]
fn rows_of_zeros_and_tiny_channels_have_defined_codes() {
    let zeros = Tensor::filled(2, 4, 0.0);
    for format in Format::PLAIN {
        let acts = quantize_acts(&zeros, format, ActMode::Symmetric).unwrap();
        assert!(acts.codes.data.iter().all(|&c| c == 0));
        assert_eq!(acts.scales[0], RowScale { step: dyadic(1.0), zp: 128 });
        // A channel of zeros, one whose alignment rounds to 0, and a layer of zeros only.
        let q = quantize_weights("w", format, &[1.0, -1.0, 0.0, 0.0, 1e-9, -1e-9], 2).linear;
        assert_eq!((q.align[0], q.align[1], q.align[2]), (1 << 15, 0, 0));
        assert_eq!(q.weight.data[2..], [0; 4]);
        let q = quantize_weights("w", format, &[0.0; 4], 2).linear;
        assert_eq!((&q.weight.data[..], &q.align[..], &q.sum[..]), (&[0; 4][..], &[0, 0][..], &[0, 0][..]));
        assert!(
            golden::linear::check(&q, &quantize_acts(&Tensor::filled(1, 2, 0.0), format, ActMode::Symmetric).unwrap())
                .is_ok()
        );
    }
    let acts = quantize_acts(&zeros, Format::W8a8, ActMode::Asymmetric).unwrap();
    assert!(acts.codes.data.iter().all(|&c| c == -128));
    assert_eq!(acts.scales[0].zp, 0);
    let bad = quantize_acts(&Tensor::new(1, 2, vec![0.0, f32::INFINITY]), Format::W8a8, ActMode::Symmetric);
    assert!(message(bad).contains("activation [0, 1] = inf"));
}

#[test]
fn a_layers_inputs_do_not_depend_on_later_tokens() {
    let model = fairy();
    let ids = model.tokenizer.encode(PROMPT).unwrap();
    let all = layer_inputs(&model, "model.layers.2.mlp.down_proj", &ids).unwrap();
    let first = layer_inputs(&model, "model.layers.2.mlp.down_proj", &ids[..5]).unwrap();
    assert_eq!((all.rows, all.cols, first.rows), (ids.len(), 384, 5));
    assert_eq!(first.data, all.data[..5 * 384]);
}

/// The tile engine's view of a QModel's layer gives the sums that its forward pass has.
#[test]
fn a_qmodels_layer_is_the_one_of_its_forward_pass() {
    struct Sums<'a>(&'a str, Vec<WideRow>);
    impl golden::layers::Observe for Sums<'_> {
        fn linear(&mut self, layer: &str, _: &[InputRow], sums: &[WideRow]) {
            if layer == self.0 {
                self.1 = sums.to_vec();
            }
        }
    }
    let fairy = fairy();
    let ids = fairy.tokenizer.encode(PROMPT).unwrap();
    let windows = Windows::from_text(PROMPT, &fairy, "prompt").unwrap();
    for (format, acts) in [(Format::W8a8, ActMode::Asymmetric), (Format::Fp4, ActMode::Symmetric)] {
        let options = PtqOptions { acts, ..PtqOptions::new(format) };
        let q = quantize_model(&fairy, &options, &windows).unwrap();
        let model = Model { weights: Weights::Quantized(Box::new(q.clone())), ..fairy.clone() };
        for layer in &LAYERS[..3] {
            let mut seen = Sums(layer, Vec::new());
            Layers::new(&q).unwrap().forward(&ids, &mut KvCache::default(), &mut seen).unwrap();
            for mode in RequantMode::ALL {
                let (linear, codes) = quantized_layer(&model, layer, format, mode, acts, &ids).unwrap();
                let prepared = golden::linear::Prepared::new(&linear, &codes).unwrap();
                for (m, row) in seen.1.iter().enumerate() {
                    assert_eq!(prepared.aligned_row(m), row.values, "{} {layer} {m}", format.name());
                }
                let top = prepared.rows().codes.data.iter().map(|c| c.unsigned_abs()).max();
                assert!((126..=128).contains(&top.unwrap()), "{}: the range is used", mode.name());
            }
        }
    }
}

#[test]
fn unknown_layers_are_answered_with_the_known_ones() {
    let text = message(layer_inputs(&fairy(), "model.layers.4.mlp.down_proj", &[0]));
    assert!(text.starts_with("layer = \"model.layers.4.mlp.down_proj\""), "{text}");
    assert!(text.contains("\nmodel.layers.0.mlp.down_proj\nand 22 more"), "{text}");
    assert_eq!(text.lines().count(), 9);
}

#[test]
fn tokens_that_the_model_cannot_take_are_refused() {
    let model = fairy();
    let layer = "lm_head";
    assert!(message(layer_inputs(&model, layer, &[])).contains("at least one token"));
    assert!(message(layer_inputs(&model, layer, &[0, 512])).contains("token 1 = 512: allowed 0..=511"));
    assert!(message(layer_inputs(&model, layer, &[0; 257])).contains("tokens = 257: allowed 1..=256"));
    assert_eq!(layer_inputs(&model, layer, &[0; 256]).unwrap().rows, 256);
    let asymmetric = quantized_layer(&model, layer, Format::Fp4, RequantMode::Dynamic, ActMode::Asymmetric, &[0]);
    assert!(message(asymmetric).contains("symmetric"));
}

#[test]
fn bad_windows_are_refused() {
    let model = fairy();
    for (text, part) in [
        ("", "JSON"),
        ("[]", "ids = missing"),
        ("{\"ids\": 3}", "ids = missing"),
        ("{\"ids\": [3]}", "ids[0] = 3"),
        ("{\"ids\": [[0, 1], [0, -1]]}", "ids[1][1] = -1"),
        ("{\"ids\": [[0, 4294967296]]}", "ids[0][1] = 4294967296"),
        ("{\"ids\": [[0, \"a\"]]}", "ids[0][1]"),
        ("{\"ids\": []}", "no windows"),
        ("{\"ids\": [[0, 1], []]}", "ids[1] = 0 ids"),
        ("{\"ids\": [[0]]}", "ids[0] = 1 ids"),
        ("{\"ids\": [[0, 512]]}", "ids[0][1] = 512: allowed 0..=511"),
    ] {
        let result = Windows::from_json(text, "w.json").and_then(|w| perplexity(&model, &w));
        let text = message(result);
        assert!(text.contains(part) && text.contains("w.json"), "{part}: {text}");
    }
    let long = Windows { source: "w.json".into(), ids: vec![vec![0; 258]] };
    assert!(message(perplexity(&model, &long)).contains("258 ids: allowed 2..=257"));
    assert!(message(Windows::from_text("", &model, "t.txt")).contains("t.txt = no tokens"));
}

#[test]
fn texts_are_cut_into_windows_of_256_ids_after_bos() {
    let model = fairy();
    let line = "The king had a daughter.\n";
    let ids = model.tokenizer.encode_plain(line).unwrap();
    let windows = Windows::from_text(&line.repeat(100), &model, "text").unwrap();
    assert_eq!(windows.ids.len(), 100 * ids.len() / 256);
    let stream: Vec<u32> = windows.ids.iter().flat_map(|w| w[1..].to_vec()).collect();
    assert!(windows.ids.iter().all(|w| w.len() == 257 && w[0] == 0));
    assert!(stream.iter().enumerate().all(|(i, &id)| id == ids[i % ids.len()]));
    let few = windows.clone().spread(3);
    assert_eq!(few.ids[1], windows.ids[windows.ids.len() / 3]);
    assert_eq!(few.ids.len(), 3);
    assert_eq!(Windows::from_text(line, &model, "text").unwrap().ids[0][1..], ids);
}
