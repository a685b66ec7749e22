//! The model inside the binary: fairy-850k, 853,120 parameters, trained on public-domain fairy tales.

/// Name under which every command knows the shipped model.
pub const NAME: &str = "fairy";

/// Its `config.json`.
pub const CONFIG: &str = include_str!("../../../models/fairy-850k/config.json");
/// Its `tokenizer.json`.
pub const TOKENIZER: &str = include_str!("../../../models/fairy-850k/tokenizer.json");
/// Its `model.safetensors`.
pub const WEIGHTS: &[u8] = include_bytes!("../../../models/fairy-850k/model.safetensors");
