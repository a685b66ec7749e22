//! Model directories that are wrong in one place: each is refused with a message that names the place.

mod common;

use common::{Files, message, name, safetensors, with_header};
use golden::load::container::Container;
use golden::load::{ModelConfig, Tokenizer, open};
use proptest::prelude::*;
use serde_json::{Value, json};

fn refused(files: &Files, parts: &[&str]) {
    expect(&message(open(name(files.write().path()))), parts);
}

fn expect(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[test]
fn the_undamaged_model_opens() {
    let model = open(name(Files::new().write().path())).unwrap();
    assert_eq!(model.tokenizer.encode("a b x").unwrap(), [0, 2, 3, 5]);
    assert_eq!(model.config.head_dim, 4);
}

#[test]
fn config_fields_out_of_range_are_named_with_their_value() {
    for (field, value, part) in [
        ("model_type", json!("mistral"), "\"mistral\""),
        ("architectures", json!(["Qwen3ForCausalLM"]), "Qwen3ForCausalLM"),
        ("hidden_act", json!("gelu"), "gelu"),
        ("attention_bias", json!(true), "true"),
        ("mlp_bias", json!(true), "true"),
        ("rope_scaling", json!({"rope_type": "llama3", "factor": 8.0}), "llama3"),
        ("rope_parameters", json!({"rope_type": "yarn"}), "yarn"),
        ("rope_scaling", json!(3), "3"),
        ("partial_rotary_factor", json!(0.5), "0.5"),
        ("quantization_config", json!({"quant_method": "gptq"}), "gptq"),
        ("hidden_size", json!(0), "0"),
        ("hidden_size", json!(9), "9"),
        ("hidden_size", json!("8"), "\"8\""),
        ("hidden_size", json!(-8), "-8"),
        ("hidden_size", json!(u64::MAX), "18446744073709551615"),
        ("intermediate_size", json!(65536), "65536"),
        ("num_hidden_layers", json!(1e9), "1000000000"),
        ("num_attention_heads", json!(0), "0"),
        ("num_key_value_heads", json!(3), "3"),
        ("head_dim", json!(3), "3"),
        ("vocab_size", json!(1u64 << 40), "1099511627776"),
        ("max_position_embeddings", json!(0), "0"),
        ("rms_norm_eps", json!("tiny"), "tiny"),
        ("rms_norm_eps", json!(-1.0), "-1.0"),
        ("rope_theta", json!(0), "0"),
        ("tie_word_embeddings", json!("yes"), "yes"),
        ("bos_token_id", json!(6), "6"),
        ("eos_token_id", json!([1, 99]), "99"),
    ] {
        let mut files = Files::new();
        files.config[field] = value;
        refused(&files, &[&format!("config.json: {field} = "), part, "allowed "]);
    }
}

#[test]
fn all_problems_of_a_config_are_listed() {
    let mut files = Files::new();
    files.config["model_type"] = json!("gpt2");
    files.config["mlp_bias"] = json!(true);
    files.config["hidden_size"] = Value::Null;
    files.config["vocab_size"] = json!([]);
    refused(&files, &["model_type = ", "mlp_bias = ", "hidden_size = missing", "vocab_size = []"]);
}

#[test]
fn texts_that_are_missing_or_no_json_are_refused() {
    let files = Files::new();
    let dir = files.write();
    for (file, cure) in [("tokenizer.json", "fetch tokenizer.json"), ("config.json", "fetch config.json")] {
        for text in ["", "{", "[]", "{\"a\": 1}", "nonsense"] {
            std::fs::write(dir.path().join(file), text).unwrap();
            expect(&message(open(name(dir.path()))), &[file, "allowed"]);
        }
        std::fs::write(dir.path().join(file), [0xff, 0xfe]).unwrap();
        expect(&message(open(name(dir.path()))), &[file, "UTF-8"]);
        std::fs::remove_file(dir.path().join(file)).unwrap();
        expect(&message(open(name(dir.path()))), &[file, "missing", cure]);
        std::fs::create_dir(dir.path().join(file)).unwrap();
        expect(&message(open(name(dir.path()))), &[file, "not a regular file"]);
    }
}

#[test]
fn tokenizers_with_ids_beyond_the_vocabulary_are_refused() {
    let mut files = Files::new();
    files.tokenizer = files.tokenizer.map(|t| t.replace("\"d\":5", "\"d\":6"));
    refused(&files, &["tokenizer.json: id of token \"d\" = 6: allowed 0..=5"]);
}

#[test]
fn a_bos_that_the_tokenizer_adds_is_not_doubled() {
    let mut files = Files::new();
    let processor = json!({
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}
    });
    let with = format!("\"post_processor\":{processor}");
    files.tokenizer = files.tokenizer.map(|t| t.replace("\"post_processor\":null", &with));
    assert!(files.tokenizer.as_ref().unwrap().contains("TemplateProcessing"));
    assert_eq!(open(name(files.write().path())).unwrap().tokenizer.encode("a").unwrap(), [0, 2]);
}

#[test]
fn broken_tokenizers_are_refused_and_never_panic() {
    let files = Files::new();
    let good = files.tokenizer.clone().unwrap();
    let config = ModelConfig::from_json(&files.config.to_string(), "config.json").unwrap();
    // Merges shorter than the prefix of subwords, which the tokenizer crate cuts off without looking.
    let prefix = json!({"type": "BPE", "vocab": {"e": 0, "t": 1, "et": 2}, "merges": [["e", "t"]],
        "continuing_subword_prefix": "##"});
    let merges = json!({"version": "1.0", "model": prefix}).to_string();
    for text in
        [merges.as_str(), "{\"decoder\": {\"type\": }}", &good[..good.len() / 2], "{\"model\": {\"type\": \"LSTM\"}}"]
    {
        let text = message(Tokenizer::from_json(text.into(), &config, "tokenizer.json"));
        expect(&text, &["tokenizer.json = ", "fetch tokenizer.json"]);
    }
}

#[test]
fn values_that_are_not_finite_are_named_with_tensor_and_index() {
    let bad = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    for value in bad {
        let mut files = Files::new();
        files.tensor("model.layers.0.mlp.up_proj").3[4 * 19..4 * 20].copy_from_slice(&value.to_le_bytes());
        refused(&files, &["model.layers.0.mlp.up_proj.weight[2, 3]", "finite"]);
        for (dtype, bits) in [
            ("F16", (|x| half::f16::from_f32(x).to_bits()) as fn(f32) -> u16),
            ("BF16", |x| half::bf16::from_f32(x).to_bits()),
        ] {
            let mut files = Files::new();
            files.halves(dtype, bits);
            assert!(open(name(files.write().path())).is_ok());
            files.tensor("model.norm").3[10..12].copy_from_slice(&bits(value).to_le_bytes());
            refused(&files, &["model.norm.weight[5]", "finite"]);
        }
    }
}

#[test]
fn missing_wrong_and_unexpected_tensors_are_named() {
    let mut files = Files::new();
    files.tensors.retain(|t| t.0 != "model.layers.0.mlp.up_proj.weight");
    files.tensor("model.norm").2 = vec![4, 2];
    let bias = ("model.layers.0.self_attn.q_proj.bias".into(), "F32", vec![8], vec![0; 32]);
    files.tensors.push(bias);
    files.tensors.push(("model.layers.1.mlp.up_proj.weight".into(), "F32", vec![], vec![0; 4]));
    refused(
        &files,
        &[
            "model.layers.0.mlp.up_proj.weight = missing",
            "model.norm.weight = shape [4, 2]: allowed [8]",
            "q_proj.bias = unexpected tensor",
            "with a bias are not supported",
            "model.layers.1.mlp.up_proj.weight = unexpected tensor",
        ],
    );
    let mut files = Files::new();
    files.tensors.retain(|t| t.0 != "lm_head.weight");
    refused(&files, &["lm_head.weight = missing", "tie_word_embeddings"]);
    files.config["tie_word_embeddings"] = json!(true);
    assert!(open(name(files.write().path())).is_ok());
    let mut files = Files::new();
    files.tensor("lm_head").1 = "I32";
    refused(&files, &["lm_head.weight = I32", "F32, F16, BF16"]);
    let mut files = Files::new();
    files.config["num_hidden_layers"] = json!(40);
    refused(&files, &["model.layers.1.input_layernorm.weight = missing", "\nand 343 more"]);
}

#[test]
fn a_directory_without_weights_and_a_path_to_nothing_are_refused() {
    let dir = Files::new().write_texts();
    expect(&message(open(name(dir.path()))), &["no weights", "model.safetensors"]);
    expect(&message(open("no/such/model")), &["no/such/model", "does not exist", "`fairy`"]);
    expect(&message(open("./fairy-that-is-not-there")), &["does not exist"]);
}

#[test]
fn damaged_safetensors_files_are_refused() {
    let good = safetensors(&Files::new().tensors);
    let one = |shape: &str, offsets: &str| {
        with_header(&format!("{{\"a\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":{offsets}}}}}"), &[0; 8])
    };
    let two = |b: &str| {
        let a = "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}";
        with_header(&format!("{{{a},{b}}}"), &[0; 8])
    };
    let entry =
        |name: &str, at: [usize; 2]| format!("\"{name}\":{{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":{at:?}}}");
    let mut huge = good.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let mut longer = good.clone();
    longer.push(0);
    for (bytes, part) in [
        (vec![], "0 bytes"),
        (vec![1, 2, 3], "3 bytes"),
        (huge, "header length"),
        (good[..100].to_vec(), "header length"),
        (good[..good.len() - 1].to_vec(), "truncated"),
        (longer, "exactly"),
        (with_header("", &[]), "header"),
        (with_header("[]", &[]), "header"),
        (with_header("{\"a\":1}", &[]), "header"),
        (with_header(&"[".repeat(100_000), &[]), "header"),
        (with_header("{\"a\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}}", &[0; 4]), "header"),
        (one("[2]", "[0,4]"), "offsets 8 bytes apart"),
        (one("[2]", "[8,0]"), "offsets 8 bytes apart"),
        (one("[4294967296,4294967296]", "[0,8]"), "below 2^64 bytes"),
        (one("[4611686018427387903]", "[0,18446744073709551612]"), "truncated"),
        (one("[2]", "[18446744073709551608,18446744073709551615]"), "offsets 8 bytes apart"),
        (one("[-1]", "[0,8]"), "header"),
        (two(&entry("b", [0, 4])), "overlaps"),
        (two(&entry("b", [2, 6])), "overlaps"),
        (two(&entry("b", [5, 9])), "hole"),
        (two(&entry("a", [4, 8])), "twice"),
    ] {
        let text = message(Container::from_bytes(bytes.clone(), "x.safetensors"));
        expect(&text, &["x.safetensors", part]);
        let dir = Files::new().write_texts();
        std::fs::write(dir.path().join("model.safetensors"), &bytes).unwrap();
        expect(&message(open(name(dir.path()))), &["model.safetensors", part]);
    }
}

#[test]
fn shards_are_read_and_their_index_is_not_trusted() {
    let files = Files::new();
    let dir = files.write_texts();
    let path = |file: &str| dir.path().join(file);
    let (first, second) = files.tensors.split_at(5);
    std::fs::write(path("a.safetensors"), safetensors(first)).unwrap();
    std::fs::write(path("b.safetensors"), safetensors(second)).unwrap();
    let map = |place: &dyn Fn(&str, usize) -> Value| {
        let entry = |(i, t): (usize, &common::Raw)| (t.0.clone(), place(&t.0, i));
        json!({"metadata": {}, "weight_map": files.tensors.iter().enumerate().map(entry).collect::<serde_json::Map<_, _>>()})
    };
    let shard = |i: usize| json!(if i < 5 { "a.safetensors" } else { "b.safetensors" });
    let index = |value: String| std::fs::write(path("model.safetensors.index.json"), value).unwrap();
    index(map(&|_, i| shard(i)).to_string());
    assert!(open(name(dir.path())).is_ok());

    for evil in ["../a.safetensors", "/etc/passwd", "sub/a.safetensors", "..", "a.bin", "C:\\a.safetensors", ""] {
        index(map(&|_, i| if i == 3 { json!(evil) } else { shard(i) }).to_string());
        expect(&message(open(name(dir.path()))), &["k_proj", "a file name without folders"]);
    }
    index(map(&|_, i| if i == 3 { json!(7) } else { shard(i) }).to_string());
    expect(&message(open(name(dir.path()))), &["k_proj", "= 7"]);
    index(map(&|_, i| if i == 3 { json!("c.safetensors") } else { shard(i) }).to_string());
    expect(&message(open(name(dir.path()))), &["c.safetensors = missing"]);
    index(map(&|_, i| shard(if i == 3 { 9 } else { i })).to_string());
    expect(&message(open(name(dir.path()))), &["k_proj.weight = b.safetensors", "a shard that holds the tensor"]);
    let text = map(&|_, i| shard(i)).to_string();
    index(text.replacen("\"weight_map\":{", "\"weight_map\":{\"model.norm.weight\":\"a.safetensors\",", 1));
    expect(&message(open(name(dir.path()))), &["model.norm.weight = twice"]);
    for bad in ["", "{}", "{\"weight_map\": 3}", "{\"weight_map\": {}}"] {
        index(bad.into());
        expect(&message(open(name(dir.path()))), &["index.json"]);
    }
    index(map(&|_, i| shard(i)).to_string());
    let mut both = second.to_vec();
    both.push(first[0].clone());
    std::fs::write(path("b.safetensors"), safetensors(&both)).unwrap();
    expect(&message(open(name(dir.path()))), &["model.embed_tokens.weight = in ", "in one file"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_header_makes_the_container_panic(
        shape in prop::collection::vec(prop_oneof![0..5u64, any::<u64>()], 0..4),
        offsets in prop::collection::vec((prop_oneof![0..20u64, any::<u64>()], prop_oneof![0..20u64, any::<u64>()]), 1..4),
        dtype in prop::sample::select(vec!["F32", "F16", "I8", "U64", "BOOL"]),
        length in 0..20usize,
    ) {
        let entry = |(i, (start, end)): (usize, &(u64, u64))| {
            format!("\"t{i}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape:?},\"data_offsets\":[{start},{end}]}}")
        };
        let header: Vec<_> = offsets.iter().enumerate().map(entry).collect();
        let bytes = with_header(&format!("{{{}}}", header.join(",")), &vec![0; length]);
        if let Ok(mut container) = Container::from_bytes(bytes, "x") {
            let names: Vec<_> = container.tensors.keys().cloned().collect();
            let total: usize = names.iter().map(|n| container.read(n).unwrap().len()).sum();
            prop_assert_eq!(total, length);
        }
    }

    #[test]
    fn no_changed_byte_makes_a_model_panic(place in 0..1400usize, byte in any::<u8>()) {
        let files = Files::new();
        let mut bytes = safetensors(&files.tensors);
        bytes[place] = byte;
        let dir = files.write_texts();
        std::fs::write(dir.path().join("model.safetensors"), bytes).unwrap();
        if let Err(e) = open(name(dir.path())) {
            prop_assert!(!e.to_string().is_empty());
        }
    }
}
