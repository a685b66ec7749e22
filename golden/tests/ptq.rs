//! Whole models in integers: what their numbers stand for, against the checkpoint.

use golden::load::model::{Model, Weights, open};
use golden::num;
use golden::quantize::kv::{self, Ranges};
use golden::quantize::{PtqOptions, Recipe, Technique, Windows, perplexity, quantize_model, self_written};
use spec::model::{QLayer, QModel};
use spec::qmodel::ActMode;
use spec::{Dyadic, Format, Scaling};

const TALE: &str = "Once upon a time there was a king who had three sons, and the youngest was called Dummling.\n\
    One day he went into the forest to cut wood, and there he met a little grey man who wished him good day.\n";

fn fairy() -> Model {
    open("fairy").unwrap()
}

fn tale(model: &Model) -> Windows {
    Windows::from_text(TALE, model, "tale").unwrap()
}

fn value(step: Dyadic) -> f64 {
    f64::from(step.mult) / 2f64.powi(step.shift.into())
}

/// What the weights of a layer stand for, by the words of `spec::model`.
fn weights(layer: &QLayer) -> Vec<f64> {
    let linear = &layer.linear;
    let block = layer.scaling.block().unwrap_or(linear.weight.cols);
    let mut all = Vec::new();
    for n in 0..linear.weight.rows {
        let step = value(layer.weight_step) * f64::from(linear.align[n]) / 32768.0;
        for (k, &code) in linear.weight.row(n).iter().enumerate() {
            let integer = f64::from(num::decode(linear.format.weight(), code).unwrap());
            let unit = match layer.scaling {
                Scaling::Channel => 1.0,
                Scaling::Group32 | Scaling::Group16 => f64::from(*layer.scales.at(n, k / block)),
                Scaling::Mx32 => {
                    let places = if linear.format == Format::Mxfp4 { 24 } else { 22 };
                    let below = i32::from(*layer.scales.at(n, k / block));
                    if below > places { 0.0 } else { 2f64.powi(places - below) }
                }
                Scaling::Nv16 => {
                    let code = *layer.scales.at(n, k / block);
                    let (e, m) = (i32::from(code >> 3), f64::from(code & 7));
                    512.0 * if e == 0 { m / 8.0 / 64.0 } else { (1.0 + m / 8.0) * 2f64.powi(e - 7) }
                }
            };
            all.push(integer * unit * step);
        }
    }
    all
}

/// The checkpoint's weights of a layer with the gain of the norm in front of it.
fn folded(model: &Model, layer: &QLayer) -> Vec<f64> {
    let Weights::Float(tensors) = &model.weights else { panic!("a checkpoint") };
    let name = &layer.linear.name;
    let tensor = |name: &str| &tensors[&format!("{name}.weight")].data;
    let block = name.rsplit_once('.').and_then(|(rest, _)| rest.rsplit_once('.')).map_or("", |(block, _)| block);
    let gain = match name.rsplit('.').next().unwrap() {
        "q_proj" | "k_proj" | "v_proj" => Some(tensor(&format!("{block}.input_layernorm"))),
        "gate_proj" | "up_proj" => Some(tensor(&format!("{block}.post_attention_layernorm"))),
        "lm_head" => Some(tensor("model.norm")),
        _ => None,
    };
    let weight = tensor(if name == "lm_head" { "model.embed_tokens" } else { name });
    let k = layer.linear.weight.cols;
    let times = |i: usize| gain.map_or(1.0, |g| f64::from(g[i % k]));
    weight.iter().enumerate().map(|(i, &w)| f64::from(w) * times(i)).collect()
}

fn relative_error(exact: &[f64], found: &[f64]) -> f64 {
    assert_eq!(exact.len(), found.len());
    let error: f64 = exact.iter().zip(found).map(|(x, y)| (x - y) * (x - y)).sum();
    (error / exact.iter().map(|x| x * x).sum::<f64>()).sqrt()
}

fn plain(model: &Model, format: Format, scaling: Scaling) -> QModel {
    let options = PtqOptions { scaling, recipe: Some(Recipe::default()), ..PtqOptions::new(format) };
    quantize_model(model, &options, &tale(model)).unwrap()
}

#[test]
fn weights_stand_for_the_checkpoint_in_every_format_and_scaling() {
    let model = fairy();
    for format in Format::ALL {
        for &scaling in format.scalings() {
            let q = plain(&model, format, scaling);
            assert_eq!(q.linears().count(), model.config.linears().len());
            for (layer, (name, n, k)) in q.linears().zip(model.config.linears()) {
                assert_eq!((&layer.linear.name, layer.linear.weight.rows, layer.linear.weight.cols), (&name, n, k));
                let expected = if name == "lm_head" { (Format::W8a8, Scaling::Channel) } else { (format, scaling) };
                assert_eq!((layer.linear.format, layer.scaling), expected);
                assert_eq!((layer.scales.rows, layer.scales.cols), (n, layer.scaling.blocks(k)));
                let error = relative_error(&folded(&model, layer), &weights(layer));
                let most = match (layer.linear.format, layer.scaling) {
                    (Format::W8a8, _) => 0.012,
                    (Format::Pot4, _) => 0.2,
                    (Format::Pot8, _) => 0.06,
                    (_, Scaling::Channel) => 0.17,
                    (_, Scaling::Group32 | Scaling::Group16) => 0.115,
                    (_, Scaling::Mx32 | Scaling::Nv16) => 0.125,
                };
                assert!(error < most, "{} {} {name}: {error}", format.name(), scaling.name());
                assert_eq!(layer.linear.align.iter().max(), Some(&(1 << 15)));
                let step = layer.linear.requant.step;
                assert_eq!(value(step) * 2f64.powi(layer.scaling.guard_bits()), value(layer.weight_step));
            }
        }
    }
}

#[test]
fn sums_count_the_factors_of_groups() {
    let model = fairy();
    for (format, scaling) in
        [(Format::W8a8, Scaling::Channel), (Format::W4a8, Scaling::Group32), (Format::Pot4, Scaling::Group16)]
    {
        for layer in plain(&model, format, scaling).linears() {
            let linear = &layer.linear;
            for n in 0..linear.weight.rows {
                let term = |(k, &c): (usize, &i8)| {
                    let factor = layer.scaling.block().map_or(1, |b| i32::from(*layer.scales.at(n, k / b)));
                    factor * i32::from(num::decode(linear.format.weight(), c).unwrap())
                };
                let sum: i32 = linear.weight.row(n).iter().enumerate().map(term).sum();
                assert_eq!(linear.sum[n], sum, "{} channel {n}", linear.name);
            }
        }
    }
}

#[test]
fn embedding_rope_and_norms_are_within_half_a_step() {
    let model = fairy();
    let q = plain(&model, Format::W8a8, Scaling::Channel);
    let Weights::Float(tensors) = &model.weights else { panic!("a checkpoint") };
    let table = &tensors["model.embed_tokens.weight"].data;
    for (id, row) in table.chunks_exact(128).enumerate() {
        let step = 2f64.powi(-i32::from(q.embedding.shift[id]));
        let codes = q.embedding.codes.row(id);
        assert!(codes.iter().zip(row).all(|(&c, &x)| (f64::from(c) * step - f64::from(x)).abs() <= step / 2.0));
        assert!(codes.iter().any(|c| c.unsigned_abs() >= 1 << 14), "row {id} uses its 16 bits");
    }
    assert_eq!((q.rope.cos.rows, q.rope.cos.cols), (256, 16));
    for t in [0, 1, 77, 255] {
        for i in 0..16 {
            let angle = t as f64 * model.config.rope_theta.powf(-2.0 * i as f64 / 32.0);
            assert!((f64::from(*q.rope.cos.at(t, i)) / 16384.0 - angle.cos()).abs() <= 0.5001 / 16384.0);
            assert!((f64::from(*q.rope.sin.at(t, i)) / 16384.0 - angle.sin()).abs() <= 0.5001 / 16384.0);
        }
    }
    for norm in q.blocks.iter().flat_map(|b| [&b.attn_norm, &b.ffn_norm]).chain([&q.norm]) {
        assert!(norm.gain.is_empty());
        assert_eq!(value(norm.step), 2f64.powi(-20));
        assert!((value(norm.eps) / model.config.rms_norm_eps - 1.0).abs() < 1e-4);
    }
}

#[test]
fn keys_and_queries_undo_each_others_factors() {
    let mut config = fairy().config;
    (config.num_key_value_heads, config.head_dim) = (2, 4);
    let ranges = Ranges {
        keys: vec![1.0, 3.0, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0],
        values: vec![2.0, 0.5, 0.0, 0.1, 0.0, 7.0, 1.0, 1.0],
    };
    for (bits, top) in [(8, 127.0), (4, 7.0)] {
        let cache = kv::cache(&ranges, &config, bits, 32639, 1.0);
        for (c, &range) in ranges.keys.iter().enumerate() {
            let h = c / 4;
            let code = |k: f64| k * f64::from(cache.k_factor[c]) * value(cache.k_ratio[h]);
            assert!((1..=1 << 15).contains(&cache.k_factor[c]) && (1..=1 << 15).contains(&cache.q_factor[c]));
            let expected = if range == 0.0 && h == 0 { None } else { Some(top) };
            if let Some(top) = expected.filter(|_| h == 0) {
                assert!((code(f64::from(range)) / top - 1.0).abs() < 1e-3, "key channel {c}");
            }
            // code · query factor · score step is k · q / sqrt(d), whatever the channel.
            let product = code(1.0) * f64::from(cache.q_factor[c]) * value(cache.score_step[h]);
            assert!((product * 2.0 - 1.0).abs() < 1e-3, "channel {c}: {product}");
        }
        for (h, widest) in [(0, 2.0), (1, 7.0)] {
            let step = 1.0 / value(cache.v_ratio[h]);
            assert!((step * top / widest - 1.0).abs() < 1e-4);
            let aligned = value(cache.o_step) * f64::from(cache.o_align[h]) / 32768.0 * 256.0 * 32639.0;
            assert!((aligned / step - 1.0).abs() < 1e-4, "head {h}");
        }
    }
    // A block in which calibration saw nothing has defined steps.
    let silent = Ranges { keys: vec![0.0; 8], values: vec![0.0; 8] };
    let cache = kv::cache(&silent, &config, 8, 127, 1.0);
    assert!(cache.k_factor.iter().chain(&cache.q_factor).chain(&cache.o_align).all(|&f| f == 1 << 15));
}

#[test]
fn models_do_not_depend_on_the_number_of_threads() {
    let model = fairy();
    let make = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let windows = tale(&model);
            let options = PtqOptions { recipe: Some(Recipe::new(&Technique::ALL)), ..PtqOptions::new(Format::Nvfp4) };
            quantize_model(&model, &options, &windows).unwrap()
        })
    };
    assert_eq!(make(1), make(3));
}

#[test]
fn a_model_writes_windows_that_it_can_take() {
    let model = fairy();
    let windows = self_written(&model, 1, &|_, _| {}).unwrap();
    windows.check(&model.config).unwrap();
    assert_eq!((windows.ids.len(), windows.ids[0].len()), (16, 257));
    assert!(windows.ids.iter().all(|w| Some(w[0]) == model.config.bos_token_id));
    assert_ne!(windows.ids[0], windows.ids[1]);
    // Its own text surprises a model no more than the text it was trained on; drawn evenly, ids would cost ln 512 = 6.2.
    let loss = perplexity(&model, &windows).unwrap().nll;
    assert!((1.5..3.5).contains(&loss), "{loss}");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(
        pool.install(|| self_written(&model, 1, &|_, _| {}).unwrap()),
        windows,
        "whatever the number of threads"
    );
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let model = fairy();
    let windows = tale(&model);
    let good = PtqOptions::new(Format::Mxfp4);
    for (options, part) in [
        (PtqOptions { scaling: Scaling::Group32, ..good.clone() }, "scaling of mxfp4 = group32: allowed mx32"),
        (PtqOptions { kv_bits: 5, ..good.clone() }, "kv_bits = 5: allowed 4, 8"),
        (PtqOptions { sigmoid_bits: 16, ..good.clone() }, "sigmoid_bits = 16: allowed 8..=15"),
        (PtqOptions { acts: ActMode::Asymmetric, ..good.clone() }, "symmetric in format mxfp4"),
    ] {
        let text = quantize_model(&model, &options, &windows).unwrap_err().to_string();
        assert!(text.contains(part), "{text}");
    }
    let empty = Windows { source: "none".into(), ids: Vec::new() };
    assert!(quantize_model(&model, &good, &empty).unwrap_err().to_string().contains("no windows"));
}
