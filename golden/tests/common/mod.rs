//! A very small Llama in files, which tests damage in one place.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::path::Path;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// A tensor of a safetensors file: name, element type, shape, bytes.
pub type Raw = (String, &'static str, Vec<usize>, Vec<u8>);

/// A model directory in the making.
pub struct Files {
    /// `config.json`.
    pub config: Value,
    /// `tokenizer.json`, or none.
    pub tokenizer: Option<String>,
    /// The tensors.
    pub tensors: Vec<Raw>,
}

impl Files {
    /// Hidden 8, feed-forward 12, one layer, two heads of 4, one key/value head, vocabulary 6, F32, untied.
    pub fn new() -> Self {
        let config = json!({
            "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 8, "intermediate_size": 12,
            "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 6,
            "max_position_embeddings": 16, "bos_token_id": 0, "eos_token_id": 1
        });
        let tokenizer = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
            "model": {"type": "WordLevel", "vocab": {"<s>": 0, "</s>": 1, "a": 2, "b": 3, "c": 4, "d": 5}, "unk_token": "d"}
        });
        let shapes: [(&str, &[usize]); 12] = [
            ("model.embed_tokens", &[6, 8]),
            ("model.layers.0.input_layernorm", &[8]),
            ("model.layers.0.self_attn.q_proj", &[8, 8]),
            ("model.layers.0.self_attn.k_proj", &[4, 8]),
            ("model.layers.0.self_attn.v_proj", &[4, 8]),
            ("model.layers.0.self_attn.o_proj", &[8, 8]),
            ("model.layers.0.post_attention_layernorm", &[8]),
            ("model.layers.0.mlp.gate_proj", &[12, 8]),
            ("model.layers.0.mlp.up_proj", &[12, 8]),
            ("model.layers.0.mlp.down_proj", &[8, 12]),
            ("model.norm", &[8]),
            ("lm_head", &[6, 8]),
        ];
        let tensor = |(name, shape): &(&str, &[usize])| {
            let count: usize = shape.iter().product();
            let value = |i: usize| ((i * 37 + name.len() * 11) % 64) as f32 / 32.0 - 1.0;
            let bytes = (0..count).flat_map(|i| value(i).to_le_bytes()).collect();
            (format!("{name}.weight"), "F32", shape.to_vec(), bytes)
        };
        Self { config, tokenizer: Some(tokenizer.to_string()), tensors: shapes.iter().map(tensor).collect() }
    }

    /// The tensor of that name, without `.weight`.
    pub fn tensor(&mut self, name: &str) -> &mut Raw {
        let name = format!("{name}.weight");
        self.tensors.iter_mut().find(|t| t.0 == name).unwrap()
    }

    /// Stores all tensors with two bytes an element, `bits` for each.
    pub fn halves(&mut self, dtype: &'static str, bits: impl Fn(f32) -> u16) {
        for (_, kind, _, bytes) in &mut self.tensors {
            let values = bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
            *bytes = values.flat_map(|x| bits(x).to_le_bytes()).collect();
            *kind = dtype;
        }
    }

    /// Writes the directory with one safetensors file.
    pub fn write(&self) -> TempDir {
        let dir = self.write_texts();
        std::fs::write(dir.path().join("model.safetensors"), safetensors(&self.tensors)).unwrap();
        dir
    }

    /// Writes the directory without weights.
    pub fn write_texts(&self) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.json"), self.config.to_string()).unwrap();
        if let Some(tokenizer) = &self.tokenizer {
            std::fs::write(dir.path().join("tokenizer.json"), tokenizer).unwrap();
        }
        dir
    }
}

/// The bytes of a safetensors file.
pub fn safetensors(tensors: &[Raw]) -> Vec<u8> {
    let (mut table, mut data) = (Map::new(), Vec::new());
    for (name, dtype, shape, bytes) in tensors {
        let offsets = [data.len(), data.len() + bytes.len()];
        table.insert(name.clone(), json!({"dtype": dtype, "shape": shape, "data_offsets": offsets}));
        data.extend(bytes);
    }
    with_header(&Value::Object(table).to_string(), &data)
}

/// The bytes of a safetensors file with any header.
pub fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

/// The message of an error: at most eight lines and "and N more".
pub fn message<T>(result: Result<T, golden::Error>) -> String {
    let text = result.err().expect("bad input was accepted").to_string();
    assert!(text.lines().count() <= 9, "{text}");
    text
}

/// A directory as a model's name.
pub fn name(dir: &Path) -> &str {
    dir.to_str().unwrap()
}
