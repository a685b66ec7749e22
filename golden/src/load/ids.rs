//! Token ids that a model can take.

use super::config::ModelConfig;
use crate::error::Error;

impl ModelConfig {
    /// Checks tokens that follow `before` others.
    ///
    /// # Errors
    /// [`Error::Input`] if there are none, one is not in the vocabulary, or there are too many.
    pub fn check_ids(&self, ids: &[u32], before: usize) -> Result<(), Error> {
        if ids.is_empty() {
            return Err(Error::input("tokens", "none", "at least one token", "give a prompt"));
        }
        let (length, most) = (before + ids.len(), self.max_position_embeddings);
        if length > most {
            let allowed = format!("1..={most} (max_position_embeddings)");
            return Err(Error::input("tokens", length, allowed, "shorten the text"));
        }
        match ids.iter().position(|&id| id as usize >= self.vocab_size) {
            None => Ok(()),
            Some(place) => {
                let allowed = format!("0..={}", self.vocab_size - 1);
                Err(Error::input(format!("token {place}"), ids[place], allowed, "use ids of this model's tokenizer"))
            }
        }
    }
}
