//! `tokenizer.json`: text to token ids and back.

use serde::de::IgnoredAny;
use tokenizers::Tokenizer as Inner;

use super::config::ModelConfig;
use crate::error::{Error, clip};

/// A tokenizer that belongs to a model: its ids are below the model's vocabulary size.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: Inner,
    json: String,
    bos: Option<u32>,
}

impl Tokenizer {
    /// Reads the text of a `tokenizer.json`; `file` names it in messages.
    ///
    /// # Errors
    /// [`Error::Input`] if it is not a tokenizer or has ids that the model lacks.
    pub fn from_json(json: String, config: &ModelConfig, file: &str) -> Result<Self, Error> {
        let cure = "fetch tokenizer.json of this model again";
        let mut inner =
            parse(&json).map_err(|reason| Error::input(file, clip(&reason), "a Hugging Face tokenizer.json", cure))?;
        let no_truncation = inner.with_truncation(None).map(|_| ());
        no_truncation.map_err(|e| Error::input(file, clip(&e.to_string()), "a tokenizer", cure))?;
        inner.with_padding(None);
        let vocabulary = inner.get_vocab(true);
        let worst = vocabulary.iter().max_by_key(|(text, id)| (**id, *text));
        if let Some((text, &id)) = worst.filter(|(_, id)| **id as usize >= config.vocab_size) {
            let field = format!("{file}: id of token \"{}\"", clip(text));
            let allowed = format!("0..={} (vocab_size of config.json)", config.vocab_size - 1);
            return Err(Error::input(field, id, allowed, "use the tokenizer.json of this model"));
        }
        if vocabulary.is_empty() {
            return Err(Error::input(format!("{file}: vocabulary"), "empty", "at least one token", cure));
        }
        Ok(Self { inner, json, bos: config.bos_token_id })
    }

    /// The ids of a text, with the model's beginning-of-sequence token in front.
    ///
    /// The tokenizer's own post-processor is not used: where it adds the same token, it would stand there twice.
    ///
    /// # Errors
    /// [`Error::Input`] if the tokenizer cannot code the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        let mut ids: Vec<u32> = self.bos.into_iter().collect();
        ids.extend(self.encode_plain(text)?);
        Ok(ids)
    }

    /// The ids of a text alone.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_plain(&self, text: &str) -> Result<Vec<u32>, Error> {
        let coded = self.inner.encode_fast(text, false).map_err(|e| {
            let value = format!("\"{}\": {}", clip(text), clip(&e.to_string()));
            Error::input("text", value, "text this tokenizer can code", "change the text")
        })?;
        Ok(coded.get_ids().to_vec())
    }

    /// The text of ids, without special tokens.
    ///
    /// # Errors
    /// [`Error::Input`] if the tokenizer cannot decode them.
    pub fn decode(&self, ids: &[u32]) -> Result<String, Error> {
        let cure = "use ids of this model's vocabulary";
        self.inner.decode(ids, true).map_err(|e| Error::input("ids", clip(&e.to_string()), "known ids", cure))
    }

    /// The text of the `tokenizer.json`.
    pub fn json(&self) -> &str {
        &self.json
    }
}

/// The crate's tokenizer, or the reason why there is none.
fn parse(json: &str) -> Result<Inner, String> {
    // The crate panics on text that is no JSON, so the syntax comes first, and on some merges that contradict its
    // prefix of subwords, which only a caught panic tells.
    serde_json::from_str::<IgnoredAny>(json).map_err(|e| e.to_string())?;
    std::panic::catch_unwind(|| Inner::from_bytes(json.as_bytes()).map_err(|e| e.to_string()))
        .unwrap_or_else(|_| Err("contradictory merges".into()))
}
