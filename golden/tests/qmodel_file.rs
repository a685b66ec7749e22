//! QModel files: what is written comes back, equal models give equal bytes, and damaged files are refused.

mod common;

use common::{Files, message, name};
use golden::layers::random::{Coding, Shape, random_model};
use golden::load::model::{Model, Weights};
use golden::load::{open, qmodel};
use golden::quantize::{PtqOptions, Windows, perplexity, quantize_model};
use proptest::prelude::*;
use spec::model::QModel;
use spec::qmodel::ActMode;
use spec::{Dyadic, Format, RequantMode, Scaling, Tensor};

fn small() -> Model {
    open(name(Files::new().write().path())).unwrap()
}

fn quantized(format: Format) -> QModel {
    let windows = Windows::from_json("{\"ids\": [[0, 2, 3, 4, 5, 2, 2]]}", "windows").unwrap();
    quantize_model(&small(), &PtqOptions::new(format), &windows).unwrap()
}

/// Every format with every scaling, with zero points and rotations where they can be.
fn codings() -> Vec<Coding> {
    let all = Format::ALL
        .into_iter()
        .flat_map(|format| format.scalings().iter().map(move |&scaling| Coding { scaling, ..Coding::new(format) }));
    let asymmetric = Coding { acts: ActMode::Asymmetric, ..Coding::new(Format::W4a8) };
    let rotated = Coding { is_rotated: true, ..Coding::new(Format::Mxfp4) };
    all.chain([asymmetric, rotated]).collect()
}

/// Odd lengths of rows, so that bytes and blocks are not full.
const ODD: Shape =
    Shape { hidden: 37, ffn: 51, blocks: 3, heads: 3, kv_heads: 1, head_dim: 14, vocab: 5, positions: 4 };

#[test]
fn every_format_and_scaling_comes_back_from_its_file() {
    let codings = codings();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.qmodel");
    for first in 0..codings.len() {
        let mut order = codings.clone();
        order.rotate_left(first);
        let q = random_model(&ODD, &order, first as u64);
        qmodel::write(&q, &path).unwrap();
        assert_eq!(qmodel::read(&path).unwrap(), q);
        assert_eq!(qmodel::to_bytes(&qmodel::read(&path).unwrap()), std::fs::read(&path).unwrap());
        let Weights::Quantized(opened) = open(name(&path)).unwrap().weights else { panic!("not a QModel") };
        assert_eq!(*opened, q);
    }
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["m.qmodel"], "nothing but the file is left");
}

#[test]
fn options_and_ends_of_ranges_come_back() {
    let mut q = quantized(Format::W8a8);
    q.options.kv_bits = 4;
    q.options.prob_top = 127;
    q.options.exp = spec::ExpKind::Shift;
    q.options.scale_rule = spec::ScaleRule::NoClip;
    q.options.sigmoid_bits = 8;
    q.norm.eps = Dyadic { mult: 0, shift: 0 };
    q.norm.gain = vec![1, 1 << 15, 3, 4, 5, 6, 7, 8];
    q.blocks[0].cache.o_step = Dyadic { mult: u16::MAX, shift: -128 };
    q.blocks[0].cache.v_ratio[0].shift = 127;
    q.embedding.codes.data[0] = i16::MIN;
    q.embedding.shift[1] = -128;
    assert_eq!(qmodel::from_bytes(qmodel::to_bytes(&q), "m.qmodel").unwrap(), q);
}

#[test]
fn codes_of_four_bits_take_half_a_byte() {
    let bytes =
        |format| qmodel::to_bytes(&random_model(&Shape { hidden: 256, ..ODD }, &[Coding::new(format)], 1)).len();
    let weights: usize = 3 * (2 * 42 + 2 * 14 + 3 * 51) * 256 + 5 * 256;
    let (wide, narrow) = (bytes(Format::W8a8), bytes(Format::Fp4));
    assert!((wide - narrow).abs_diff(weights / 2) < weights / 50, "{wide} - {narrow} for {weights} weights");
}

#[test]
fn equal_models_give_equal_bytes() {
    for format in Format::ALL {
        assert_eq!(qmodel::to_bytes(&quantized(format)), qmodel::to_bytes(&quantized(format)));
    }
}

#[test]
fn a_quantized_model_needs_no_directory() {
    let fairy = open("fairy").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fairy.qmodel");
    let text = "Once upon a time there was a poor woman who had two daughters.\n";
    let windows = Windows::from_text(text, &fairy, "text").unwrap();
    qmodel::write(&quantize_model(&fairy, &PtqOptions::new(Format::W8a8), &windows).unwrap(), &path).unwrap();
    let opened = open(name(&path)).unwrap();
    assert_eq!(opened.tokenizer.encode(text).unwrap(), fairy.tokenizer.encode(text).unwrap());
    let Weights::Quantized(q) = &opened.weights else { panic!("not a QModel") };
    let measured = golden::quantize::measure(q, Some(&fairy), &windows).unwrap();
    let expected = perplexity(&fairy, &windows).unwrap();
    let change = measured.integer.ppl / expected.ppl - 1.0;
    assert!(change != 0.0 && change.abs() < 0.02, "8 bits change perplexity by {change}");
    for refused in [
        message(quantize_model(&opened, &PtqOptions::new(Format::W8a8), &windows)),
        message(perplexity(&opened, &windows)),
    ] {
        assert!(refused.contains("(a QModel): allowed a checkpoint"), "{refused}");
    }
}

#[test]
fn other_kinds_and_versions_are_refused_by_name() {
    let bytes = qmodel::to_bytes(&quantized(Format::W8a8));
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
            "\"version\":\"2\"",
            "\"version\":\"1\"",
            ["m.qmodel: version = 1: allowed 2", "quantize the checkpoint again"],
        ),
        (
            "\"version\":\"2\"",
            "\"version\":\"3\"",
            ["m.qmodel: version = 3: allowed 2", "with this version of systole"],
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
    let good = quantized(Format::W4a8);
    type Damage = fn(&mut QModel);
    let cases: [(&str, Damage); 24] = [
        ("layers = 8 layers: allowed the 8 linear layers", |q| q.head.linear.name = "lm_heap".into()),
        ("layers = 1 layers", |q| drop(q.blocks.pop())),
        ("self_attn.q_proj: align[3] = 40000", |q| q.blocks[0].q.linear.align[3] = 40_000),
        ("sum[3]", |q| q.blocks[0].k.linear.sum[3] += 1),
        ("up_proj: weight_step = 1 / ", |q| q.blocks[0].up.weight_step.mult = 1),
        ("requant.mode = static", |q| q.blocks[0].o.linear.requant.mode = RequantMode::Static),
        ("weight_step over the guard bits", |q| q.blocks[0].o.linear.requant.step.shift -= 1),
        ("lm_head: rotation = 3", |q| q.head.rotation = 3),
        ("lm_head: rotation = 0", |q| q.head.rotation = 0),
        ("acts = asymmetric: allowed symmetric (fp4)", |q| {
            q.head.linear.format = Format::Fp4;
            q.head.acts = ActMode::Asymmetric;
        }),
        ("q_proj: scaling = nv16: allowed group32", |q| q.blocks[0].q.scaling = Scaling::Nv16),
        ("lm_head.scales = unexpected tensor", |q| q.head.scales = Tensor::filled(6, 1, 0)),
        ("gate_proj.scales = missing", |q| q.blocks[0].gate.scales = Tensor::new(12, 0, vec![])),
        ("down_proj.weight = U8 [8, 7]", |q| q.blocks[0].down.linear.weight = Tensor::filled(8, 13, 0)),
        ("norm.gain[2] = 0: allowed 1..=32768", |q| q.norm.gain = vec![1, 1, 0, 1, 1, 1, 1, 1]),
        ("model.norm.gain = U16 [7]", |q| q.norm.gain = vec![1; 7]),
        ("attn_norm.step = 5 / ", |q| q.blocks[0].attn_norm.step.mult = 5),
        ("cache.k_factor[1] = 0: allowed 1..=32768", |q| q.blocks[0].cache.k_factor[1] = 0),
        ("cache.k_ratio = 0 elements", |q| q.blocks[0].cache.k_ratio.clear()),
        ("rope.sin = -16385", |q| q.rope.sin.data[3] = -16_385),
        ("model.embed_tokens.shift = I8 [5]", |q| q.embedding.shift.truncate(5)),
        ("options.prob_top = 128", |q| q.options.prob_top = 128),
        ("options.kv_bits = 5", |q| q.options.kv_bits = 5),
        ("config", |q| q.config_json = "{}".into()),
    ];
    for (part, damage) in cases {
        let mut q = good.clone();
        damage(&mut q);
        let text = message(qmodel::from_bytes(qmodel::to_bytes(&q), "m.qmodel"));
        assert!(text.contains(part), "{part}: {text}");
        assert!(text.lines().all(|l| l.starts_with("m.qmodel: ") || l.starts_with("and ")), "{text}");
    }
    let mut q = good;
    q.options.sigmoid_bits = 16;
    q.head.rotation = 3;
    q.blocks[0].cache.o_align[0] = u16::MAX;
    let text = message(qmodel::from_bytes(qmodel::to_bytes(&q), "m.qmodel"));
    assert_eq!(text.lines().count(), 3, "all of them, not the first: {text}");
}

#[test]
fn a_file_that_cannot_be_written_leaves_nothing() {
    let q = quantized(Format::W8a8);
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
    fn every_changed_or_missing_byte_is_noticed(
        place in any::<prop::sample::Index>(), flip in 1..=255u8, cut in any::<bool>(), which in 0..3_usize,
    ) {
        let formats = [Format::W8a8, Format::W4a4, Format::Nvfp4];
        let mut bytes = qmodel::to_bytes(&quantized(formats[which]));
        let place = place.index(bytes.len());
        if cut { bytes.truncate(place) } else { bytes[place] ^= flip }
        let text = message(qmodel::from_bytes(bytes, "m.qmodel"));
        prop_assert!(text.contains("m.qmodel"), "{}", text);
    }

    /// Models of any shape, seed and mixture come back.
    #[test]
    fn random_models_come_back(
        heads in 1..4_usize, half in 1..9_usize, ffn in 1..70_usize, hidden in 1..70_usize, seed in any::<u64>(),
    ) {
        let shape = Shape { hidden, ffn, heads, kv_heads: 1, head_dim: 2 * half, blocks: 1, vocab: 3, positions: 2 };
        let mut codings = codings();
        let first = seed as usize % codings.len();
        codings.rotate_left(first);
        let q = random_model(&shape, &codings, seed);
        let bytes = qmodel::to_bytes(&q);
        let read = qmodel::from_bytes(bytes.clone(), "m.qmodel").unwrap();
        prop_assert_eq!(&read, &q);
        prop_assert_eq!(qmodel::to_bytes(&read), bytes);
    }
}
