//! QModel files: what is written comes back, equal models give equal bytes, and damaged files are refused.

mod common;

use common::{Files, message, name};
use golden::load::model::{Model, Weights};
use golden::load::{open, qmodel};
use golden::quantize::eval::{Windows, perplexity};
use golden::quantize::{Options, quantize};
use proptest::prelude::*;
use spec::qmodel::{ActMode, QModel};
use spec::{Format, RequantMode};

fn small() -> Model {
    open(name(Files::new().write().path())).unwrap()
}

fn quantized(model: &Model) -> QModel {
    quantize(model, &Options::new(Format::W8a8)).unwrap()
}

#[test]
fn every_format_and_mode_comes_back_from_its_file() {
    let mut files = Files::new();
    files.halves("BF16", |x| half::bf16::from_f32(x).to_bits());
    let model = open(name(files.write().path())).unwrap();
    let windows = Windows::from_json("{\"ids\": [[0, 2, 3, 4, 5, 2, 2]]}", "windows").unwrap();
    let dir = tempfile::tempdir().unwrap();
    for format in Format::PLAIN {
        for requant in RequantMode::ALL {
            let mut options = Options::new(format);
            options.numeric.requant = requant;
            options.calibration = Some(&windows);
            let q = quantize(&model, &options).unwrap();
            let path = dir.path().join("m.qmodel");
            qmodel::write(&q, &path).unwrap();
            assert_eq!(qmodel::read(&path).unwrap(), q);
            let Weights::Quantized(opened) = open(name(&path)).unwrap().weights else { panic!("not a QModel") };
            assert_eq!(*opened, q);
        }
    }
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["m.qmodel"], "nothing but the file is left");
}

#[test]
fn equal_models_give_equal_bytes() {
    assert_eq!(qmodel::to_bytes(&quantized(&small())), qmodel::to_bytes(&quantized(&small())));
}

#[test]
fn a_quantized_model_needs_no_directory() {
    let fairy = open("fairy").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fairy.qmodel");
    qmodel::write(&quantized(&fairy), &path).unwrap();
    let opened = open(name(&path)).unwrap();
    let text = "Once upon a time there was a poor woman who had two daughters.\n";
    assert_eq!(opened.tokenizer.encode(text).unwrap(), fairy.tokenizer.encode(text).unwrap());
    let windows = Windows::from_text(text, &fairy, "text").unwrap();
    let (before, after) = (perplexity(&fairy, &windows).unwrap(), perplexity(&opened, &windows).unwrap());
    let change = after.ppl / before.ppl - 1.0;
    assert!(change != 0.0 && change.abs() < 0.005, "8-bit weights change perplexity by {change}");
    assert!(message(quantize(&opened, &Options::new(Format::W8a8))).contains("a checkpoint"));
}

#[test]
fn other_kinds_and_versions_are_refused_by_name() {
    let bytes = qmodel::to_bytes(&quantized(&small()));
    let replaced = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let place = bytes.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        let mut bytes = bytes.clone();
        bytes[place..place + to.len()].copy_from_slice(to.as_bytes());
        message(qmodel::from_bytes(bytes, "m.qmodel"))
    };
    for (from, to, parts) in [
        ("systole-qmodel", "systole-other!", ["m.qmodel: format = systole-other!", "systole-qmodel"]),
        (
            "\"version\":\"1\"",
            "\"version\":\"2\"",
            ["m.qmodel: version = 2: allowed 1", "quantize the checkpoint again"],
        ),
        ("\"sha256\":\"", "\"sha257\":\"", ["m.qmodel: sha256 = missing", "quantize the model again"]),
        ("lm_head.align", "lm_head.alig_", ["m.qmodel: sha256", "damaged"]),
    ] {
        let text = replaced(from, to);
        assert!(parts.iter().all(|p| text.contains(p)), "{text}");
    }
    let dir = Files::new().write();
    let bare = dir.path().join("model.safetensors");
    let text = message(open(name(&bare)));
    assert!(text.contains("format = missing") && text.contains("give the directory"), "{text}");
    std::fs::write(&bare, "not a container at all").unwrap();
    assert!(message(open(name(&bare))).contains("no QModel"));
}

#[test]
fn contents_that_do_not_fit_are_refused_though_the_checksum_is_right() {
    let good = quantized(&small());
    type Damage = fn(&mut QModel);
    let cases: [(&str, Damage); 9] = [
        ("lm_head.align = missing", |q| q.layers.last_mut().unwrap().linear.name = "lm_heap".into()),
        ("layers = 7 layers", |q| drop(q.layers.pop())),
        ("align", |q| q.layers[0].linear.align[3] = 40_000),
        ("sum", |q| q.layers[0].linear.sum[3] += 1),
        ("weight_step", |q| q.layers[2].weight_step.mult = 1),
        ("requant.mode", |q| q.options.requant = RequantMode::Static),
        ("model.norm.weight = missing", |q| drop(q.floats.pop())),
        ("finite", |q| q.floats[0].data[0] = f32::NAN),
        ("config", |q| q.config_json = "{}".into()),
    ];
    for (part, damage) in cases {
        let mut q = good.clone();
        damage(&mut q);
        let text = message(qmodel::from_bytes(qmodel::to_bytes(&q), "m.qmodel"));
        // A renamed layer no longer is what the config asks for.
        let renamed = part.starts_with("lm_head") && text.contains("layers = 8 layers");
        assert!(text.contains(part) || renamed, "{part}: {text}");
    }
    let mut q = good.clone();
    q.options.acts = ActMode::Asymmetric;
    assert_eq!(qmodel::from_bytes(qmodel::to_bytes(&q), "m.qmodel").unwrap(), q);
}

#[test]
fn a_file_that_cannot_be_written_leaves_nothing() {
    let q = quantized(&small());
    let dir = tempfile::tempdir().unwrap();
    let text = message(qmodel::write(&q, &dir.path().join("missing/m.qmodel")));
    assert!(text.contains("cannot write") && text.contains("missing/m.qmodel"), "{text}");
    let target = dir.path().join("taken");
    std::fs::create_dir(&target).unwrap();
    assert!(message(qmodel::write(&q, &target)).contains("cannot write"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "only the directory that was there");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_changed_or_missing_byte_is_noticed(place in any::<prop::sample::Index>(), flip in 1..=255u8, cut in any::<bool>()) {
        let mut bytes = qmodel::to_bytes(&quantized(&small()));
        let place = place.index(bytes.len());
        if cut { bytes.truncate(place) } else { bytes[place] ^= flip }
        let text = message(qmodel::from_bytes(bytes, "m.qmodel"));
        prop_assert!(text.contains("m.qmodel"), "{}", text);
    }
}
