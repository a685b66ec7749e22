//! `config.json` of a Hugging Face Llama model: what matters to the arithmetic, with the defaults of `transformers`.

use serde_json::{Map, Value};
use spec::Problem;

use crate::error::{Error, clip, no_problems};

/// Longest reduction K of a linear layer: sums then fit 32 bits in every format.
pub const MAX_K: u64 = 65_535;
/// Most output channels of a linear layer, the vocabulary included.
pub const MAX_CHANNELS: u64 = 1 << 20;

/// The shape of a Llama model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads; divides `num_attention_heads`.
    pub num_key_value_heads: usize,
    /// Values in a head, even.
    pub head_dim: usize,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// Most tokens of a sequence.
    pub max_position_embeddings: usize,
    /// Epsilon of RMSNorm.
    pub rms_norm_eps: f64,
    /// Base of the rotary embedding.
    pub rope_theta: f64,
    /// Whether the head uses the embedding table.
    pub tie_word_embeddings: bool,
    /// Token put in front of every sequence; `None` if `config.json` says null.
    pub bos_token_id: Option<u32>,
    /// Tokens that end a text.
    pub eos_token_ids: Vec<u32>,
}

impl ModelConfig {
    /// Reads the text of a `config.json`; `file` names it in messages.
    ///
    /// # Errors
    /// [`Error::Input`] with every field that is missing, out of range or unsupported.
    pub fn from_json(text: &str, file: &str) -> Result<Self, Error> {
        let value: Value = serde_json::from_str(text)
            .map_err(|e| Error::input(file, clip(&e.to_string()), "JSON", "fetch config.json again"))?;
        let Value::Object(fields) = value else {
            return Err(Error::input(file, "not an object", "a JSON object", "fetch config.json again"));
        };
        let mut reader = Reader { fields: &fields, file, problems: Vec::new() };
        let config = reader.config();
        no_problems(reader.problems)?;
        Ok(config)
    }

    /// Width of all query heads together.
    pub fn q_size(&self) -> usize {
        self.num_attention_heads * self.head_dim
    }

    /// Width of all key heads together.
    pub fn kv_size(&self) -> usize {
        self.num_key_value_heads * self.head_dim
    }

    /// The linear layers of a block, in the order in which they run: name inside the block, outputs N, inputs K.
    pub fn block_linears(&self) -> [(&'static str, usize, usize); 7] {
        let (hidden, ffn) = (self.hidden_size, self.intermediate_size);
        [
            ("self_attn.q_proj", self.q_size(), hidden),
            ("self_attn.k_proj", self.kv_size(), hidden),
            ("self_attn.v_proj", self.kv_size(), hidden),
            ("self_attn.o_proj", hidden, self.q_size()),
            ("mlp.gate_proj", ffn, hidden),
            ("mlp.up_proj", ffn, hidden),
            ("mlp.down_proj", hidden, ffn),
        ]
    }

    /// Every linear layer, in the order in which they run: full name, outputs N, inputs K; `lm_head` last.
    pub fn linears(&self) -> Vec<(String, usize, usize)> {
        let block =
            |i: usize| self.block_linears().map(|(name, n, k)| (format!("model.layers.{i}.{name}"), n, k)).into_iter();
        let mut all: Vec<_> = (0..self.num_hidden_layers).flat_map(block).collect();
        all.push(("lm_head".into(), self.vocab_size, self.hidden_size));
        all
    }

    /// Every tensor that is not the weight of a linear layer: name and shape, the embedding first.
    pub fn float_tensors(&self) -> Vec<(String, Vec<usize>)> {
        let mut all = vec![("model.embed_tokens.weight".into(), vec![self.vocab_size, self.hidden_size])];
        for i in 0..self.num_hidden_layers {
            for norm in ["input_layernorm", "post_attention_layernorm"] {
                all.push((format!("model.layers.{i}.{norm}.weight"), vec![self.hidden_size]));
            }
        }
        all.push(("model.norm.weight".into(), vec![self.hidden_size]));
        all
    }
}

/// Takes fields out of the JSON object and collects what is wrong with them.
struct Reader<'a> {
    fields: &'a Map<String, Value>,
    file: &'a str,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn config(&mut self) -> ModelConfig {
        self.refuse_unsupported();
        let hidden = self.size("hidden_size", None, MAX_K);
        let heads = self.size("num_attention_heads", None, MAX_K);
        let kv_heads = self.size("num_key_value_heads", Some(heads), MAX_K);
        let head_dim = self.size("head_dim", Some(hidden.checked_div(heads).unwrap_or(0)), 4096);
        let ffn = self.size("intermediate_size", None, MAX_K);
        let layers = self.size("num_hidden_layers", None, 4096);
        let vocab = self.size("vocab_size", None, MAX_CHANNELS);
        let positions = self.size("max_position_embeddings", Some(2048), 1 << 27);
        if self.problems.is_empty() {
            self.check_heads(hidden, heads, kv_heads, head_dim);
        }
        let config = ModelConfig {
            hidden_size: hidden as usize,
            intermediate_size: ffn as usize,
            num_hidden_layers: layers as usize,
            num_attention_heads: heads as usize,
            num_key_value_heads: kv_heads as usize,
            head_dim: head_dim as usize,
            vocab_size: vocab as usize,
            max_position_embeddings: positions as usize,
            rms_norm_eps: self.real("rms_norm_eps", self.fields.get("rms_norm_eps"), 1e-6, 0.0, 1.0),
            rope_theta: self.rope_theta(),
            tie_word_embeddings: self.flag("tie_word_embeddings"),
            bos_token_id: None,
            eos_token_ids: Vec::new(),
        };
        let bos = self.tokens("bos_token_id", 1, vocab);
        if bos.len() > 1 {
            self.problem("bos_token_id", "a list", "one token id or null", "keep the first");
        }
        let eos = self.tokens("eos_token_id", 2, vocab);
        ModelConfig { bos_token_id: bos.first().copied(), eos_token_ids: eos, ..config }
    }

    fn problem(&mut self, field: &str, value: impl std::fmt::Display, allowed: impl Into<String>, cure: &str) {
        self.problems.push(Problem::new(format!("{}: {field}", self.file), clip(&value.to_string()), allowed, cure));
    }

    /// The field, unless it is absent or null.
    fn get(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).filter(|v| !v.is_null())
    }

    fn refuse_unsupported(&mut self) {
        let cure = "use a checkpoint of the Llama architecture";
        match self.get("model_type").cloned() {
            Some(Value::String(t)) if t == "llama" => {}
            Some(other) => self.problem("model_type", other, "\"llama\"", cure),
            None => self.problem("model_type", "missing", "\"llama\"", cure),
        }
        let allowed = "[\"LlamaForCausalLM\"]";
        match self.get("architectures").cloned() {
            None => {}
            Some(Value::Array(list)) if list.iter().all(|a| a == "LlamaForCausalLM") => {}
            Some(other) => self.problem("architectures", other, allowed, cure),
        }
        match self.get("hidden_act").cloned() {
            None => {}
            Some(Value::String(act)) if act == "silu" || act == "swish" => {}
            Some(other) => self.problem("hidden_act", other, "\"silu\"", "other activations are not supported"),
        }
        for field in ["attention_bias", "mlp_bias"] {
            if self.flag(field) {
                self.problem(field, true, "false", "linear layers with a bias are not supported");
            }
        }
        for field in ["rope_scaling", "rope_parameters"] {
            self.check_rope(field);
        }
        if let Some(value) = self.get("partial_rotary_factor").cloned()
            && value.as_f64() != Some(1.0)
        {
            self.problem("partial_rotary_factor", value, "1.0", "partial rotation is not supported");
        }
        if let Some(value) = self.get("quantization_config").cloned() {
            let method = value.get("quant_method").cloned().unwrap_or(value);
            let cure = "use the original F32, F16 or BF16 checkpoint";
            self.problem("quantization_config", method, "none", cure);
        }
    }

    /// Refuses every rotary embedding but the plain one.
    fn check_rope(&mut self, field: &str) {
        let cure = "scaled rotary embeddings are not supported";
        match self.get(field).cloned() {
            None => {}
            Some(Value::Object(rope)) => {
                let kind = rope.get("rope_type").or(rope.get("type")).filter(|v| !v.is_null());
                match kind {
                    Some(Value::String(kind)) if kind == "default" => {}
                    None if field == "rope_parameters" => {}
                    Some(kind) => {
                        self.problem(field, format!("rope_type {kind}"), "null or rope_type \"default\"", cure)
                    }
                    None => self.problem(field, Value::Object(rope), "null or rope_type \"default\"", cure),
                }
            }
            Some(other) => self.problem(field, other, "null or an object", cure),
        }
    }

    fn rope_theta(&mut self) -> f64 {
        let nested = self.get("rope_parameters").and_then(|r| r.get("rope_theta"));
        let value = nested.or(self.fields.get("rope_theta")).cloned();
        self.real("rope_theta", value.as_ref(), 10_000.0, 1.0, 1e15)
    }

    /// A count from 1 to `most`; 0 after a problem.
    fn size(&mut self, field: &str, default: Option<u64>, most: u64) -> u64 {
        let allowed = format!("1..={most}");
        match (self.get(field).cloned(), default) {
            (None, Some(value)) if (1..=most).contains(&value) => value,
            // The default comes from a field that was reported already, or cannot stand.
            (None, Some(value)) => {
                if self.problems.is_empty() {
                    self.problem(field, format!("missing, by default {value}"), allowed, "state it in config.json");
                }
                0
            }
            (None, None) => {
                self.problem(field, "missing", allowed, "state it in config.json");
                0
            }
            (Some(value), _) => match value.as_u64() {
                Some(n) if (1..=most).contains(&n) => n,
                _ => {
                    self.problem(field, value, allowed, "correct config.json, or use another model");
                    0
                }
            },
        }
    }

    fn real(&mut self, field: &str, value: Option<&Value>, default: f64, low: f64, high: f64) -> f64 {
        match value {
            None | Some(Value::Null) => default,
            Some(value) => match value.as_f64() {
                Some(x) if x >= low && x <= high => x,
                _ => {
                    self.problem(field, value, format!("a number from {low} to {high}"), "correct config.json");
                    default
                }
            },
        }
    }

    fn flag(&mut self, field: &str) -> bool {
        match self.get(field).cloned() {
            None => false,
            Some(Value::Bool(b)) => b,
            Some(other) => {
                self.problem(field, other, "true or false", "correct config.json");
                false
            }
        }
    }

    /// One token id or a list of them; null is none, as is a default that the vocabulary lacks.
    fn tokens(&mut self, field: &str, default: u32, vocab: u64) -> Vec<u32> {
        let list = match self.fields.get(field).cloned() {
            None if u64::from(default) >= vocab => vec![],
            None => vec![Value::from(default)],
            Some(Value::Null) => vec![],
            Some(Value::Array(list)) => list,
            Some(one) => vec![one],
        };
        let mut ids = Vec::new();
        for value in list {
            match value.as_u64() {
                Some(id) if id < vocab => ids.push(id as u32),
                _ if vocab == 0 => {}
                _ => self.problem(field, value, format!("0..={}", vocab - 1), "token ids are below vocab_size"),
            }
        }
        ids
    }

    fn check_heads(&mut self, hidden: u64, heads: u64, kv_heads: u64, head_dim: u64) {
        if !heads.is_multiple_of(kv_heads) {
            let allowed = format!("a divisor of num_attention_heads = {heads}");
            self.problem("num_key_value_heads", kv_heads, allowed, "correct config.json");
        }
        if !head_dim.is_multiple_of(2) {
            self.problem("head_dim", head_dim, "even", "rotation by halves pairs the values of a head");
        }
        if heads * head_dim > MAX_K {
            let allowed = format!("num_attention_heads * head_dim <= {MAX_K}");
            self.problem("head_dim", head_dim, allowed, "correct config.json");
        }
        if self.get("head_dim").is_none() && !hidden.is_multiple_of(heads) {
            let allowed = format!("a multiple of num_attention_heads = {heads}");
            self.problem("hidden_size", hidden, allowed, "or state head_dim");
        }
    }
}
